"""How long linking takes beside a plain Leiden of the same edges.

    python trials/linking.py SCAN [--history SCAN] [--rounds 3] [--key FILE]

SCAN is a folder that `stillwatch scan` wrote: its kept calls are linked again. Three things are timed in turns, on one thread: all of linking, from who uses which wording
again to clusters with members (two passes over the kept calls among it); the part of it after those passes; and networkit's Leiden alone, on the bipartite
graph of accounts and families that linking works on, and on the same graph projected to families. Prints minimum, median and maximum, and ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import networkit as nk
import numpy as np

from stillwatch import examination
from stillwatch.earlier import RUNS
from stillwatch.engines import disk, runs
from stillwatch.facts import every_fact
from stillwatch.linking import clusters
from stillwatch.linking.history import merge, share_now
from stillwatch.linking.ties import replay
from stillwatch.linking.used import used
from stillwatch.parts import with_facts
from stillwatch.records import NO_CONTEXT
from stillwatch.store import keys, states
from stillwatch.survey import survey
from stillwatch.traffic import Ints


def leiden(nodes: int, left: Ints, right: Ints) -> int:
    """Communities of networkit's Leiden on one thread."""
    graph = nk.GraphFromCoo((np.ones(len(left)), (left, right)), n=nodes, weighted=True)
    nk.setNumberOfThreads(1)
    nk.setSeed(1, False)
    found = nk.community.ParallelLeiden(graph, iterations=4, randomize=False)
    found.run()
    return found.getPartition().numberOfSubsets()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--history", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    disk.WORKERS = 1
    with tempfile.TemporaryDirectory() as scratch:
        log = with_facts(disk.OnDisk(tuple(runs.found(args.scan / RUNS)), Path(scratch)), every_fact(*examination.FACTS), NO_CONTEXT)
        seen = survey(log, frozenset(), ("replay",), NO_CONTEXT)
        kept = [] if args.history is None else [states.read(args.history, keys.fingerprint(keys.load_or_create(args.key)), "account")]
        history = merge([examination.exposure_of(each) for each in kept], [each.wordings for each in kept])
        links, shares = replay.links(log.among(np.zeros(0, np.int64))), (share_now(seen.by_owner, history), share_now(seen.by_name, history))
        words = used(seen.wordings, history)
        passes = clusters.families(log, words.wordings, words.now)
        parts = [family for family in passes.members if len(family.accounts) >= clusters.LEAST_ACCOUNTS]
        account = np.concatenate([family.accounts for family in parts])
        family = np.repeat(np.arange(len(parts)), [len(each.accounts) for each in parts])
        total = len(log.owners.accounts)
        print(f"{total:,} accounts, {len(words.wordings):,} wordings of {len(parts):,} families, {len(account):,} edges between accounts and families")
        whole = clusters.families

        def after_the_passes() -> object:
            clusters.families = lambda *given: passes
            try:
                return clusters.link(log, words, links, history, shares)
            finally:
                clusters.families = whole

        works: dict[str, Callable[[], object]] = {
            "all of linking": lambda: clusters.link(log, words, links, history, shares),
            "after its passes": after_the_passes,
            "Leiden, accounts and families": lambda: leiden(total + len(parts), account, family + total),
        }
        took: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(args.rounds):
            for name, work in works.items():
                began = time.process_time()
                work()
                took[name].append(time.process_time() - began)
    for name, several in took.items():
        print(f"{name:32} min {min(several):.2f}  median {statistics.median(several):.2f}  max {max(several):.2f} s of processor")
    plain = statistics.median(took["Leiden, accounts and families"])
    for name in ("all of linking", "after its passes"):
        print(f"{name} / Leiden: {statistics.median(took[name]) / plain:.2f}")


if __name__ == "__main__":
    main()
