"""Whether the limits that `stillwatch limits` states hold: campaigns at the stated size, and at half of it, in fresh logs of other seeds.

    python trials/limits.py run --corpora DIR --work WORK --limits LIMITS_JSON... [--seeds 901 902 ...] [--each 1] [--calls 60000] [--texts corpora built-in] [--jobs 2]
    python trials/limits.py table --work WORK --limits LIMITS_JSON...

A fresh log is the scenario `broad` with a seed of its own; the history is the first of those in WORK/reference, under WORK/key (made as for
`trials/trial.py`, when it is not there). A campaign is planted by the drill itself, with accounts, clients, clock and texts of its own, as
`stillwatch drill` does: nothing of it comes from `limits` but its size. Results go to WORK/limits.jsonl, one line a campaign; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lines import read
from planted.grounds import Store
from stillwatch import flow, limit
from stillwatch.campaigns.discovered import Field
from stillwatch.drill import compose, scenario
from stillwatch.drill.alone import days_of
from stillwatch.drill.declare import Scale, every_campaign
from stillwatch.drill.ladder import finish
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World
from stillwatch.engines.local import Gathered
from stillwatch.engines.shelf import in_order
from stillwatch.evidence.power import wilson
from stillwatch.examination import judged
from stillwatch.intake.mark import mark
from stillwatch.parts import One
from stillwatch.records import MARKS, NO_CONTEXT
from stillwatch.results import Reference
from stillwatch.sources import Reading, gather
from stillwatch.traffic import Traffic

Job = tuple[str, int, int, str]
"Tradecraft, calls an account, accounts, and which size that is (limit, half)."

Turn = tuple[Job, int, str]
"What is planted, which of several in the same log, and whose texts it has."


@dataclass
class Fresh:
    """A fresh log without a campaign, shared by all children that are forked from here."""

    scenario: Scenario
    texts: dict[str, Texts]
    log: Gathered
    how: Reading
    reference: Reference
    accused: Any
    standing: Field


FRESH: Fresh | None = None


def quiet(*_: object) -> None:
    """Nothing is told of an examination's steps."""


def one(turn: Turn) -> dict[str, Any]:
    """Plant, mark, examine; in a child of its own, so that every campaign finds the texts as the innocents left them."""
    (name, rate, accounts, size), number, kind = turn
    fresh = FRESH
    assert fresh is not None and isinstance(fresh.log.parts, One)
    campaign, planted = every_campaign()[name], Planted(name, 0.1)
    world = World(replace(fresh.scenario, seed=fresh.scenario.seed * 1000 + number), fresh.texts[kind], f"{name}/{size}/{rate}")
    campaign.plant(world, planted, Scale(accounts * rate, accounts, days_of(campaign, fresh.scenario.days), {}))
    finish(world, planted)
    made = compose._made(fresh.scenario, world.rows, world.truth, [])
    marks = pa.Table.from_batches([mark(made.calls.combine_chunks().to_batches()[0], fresh.how.secret)], MARKS)
    guilty = np.unique(marks["account"].to_numpy())
    both = in_order(pa.concat_tables([fresh.log.parts.traffic.marks, marks]).combine_chunks())
    verdict, held = limit.verdict_on(
        judged(replace(fresh.log, parts=One(Traffic(both))), fresh.reference, quiet, about=guilty, others=fresh.standing), guilty, fresh.accused
    )
    told = {"tradecraft": name, "calls_each": rate, "accounts": accounts, "size": size, "number": number, "texts": kind}
    return told | {"planted": len(guilty), "verdict": verdict, "held": round(held, 4)}


def fresh_log(seed: int, args: argparse.Namespace, reference: Reference, how: Reading) -> Fresh:
    """The innocents of a seed, marked."""
    chosen = replace(scenario.load("broad"), seed=seed, calls=args.calls)
    drawn = Texts(f"{seed}/{chosen.split}", args.corpora, chosen.split)
    innocents = compose._made(chosen, *compose._innocents(chosen, drawn, 1.0), [])
    with tempfile.TemporaryDirectory() as folder:
        log = gather([innocents.calls], how, quiet, Path(folder))
        assert log is not None and isinstance(log.parts, One)
        bench = limit.Bench(limit.Ground(log, how, 0, 0, log.parts.traffic.marks), reference, 0)
        limit.examined_alone(bench)
    return Fresh(chosen, {"corpora": drawn, "built-in": Texts(f"{seed}/campaigns", None, chosen.split)}, log, how, reference, bench.accused, bench.standing)


def stated(paths: list[Path]) -> list[Job]:
    """Every limit that is stated, and half of it."""
    jobs: list[Job] = []
    for path in paths:
        for craft in json.loads(path.read_text())["limits"]:
            for each in craft["limits"]:
                if each["accounts"] is not None:
                    jobs += [(craft["tradecraft"], each["calls_each"], each["accounts"], "limit")]
                    jobs += [(craft["tradecraft"], each["calls_each"], each["accounts"] // 2, "half")]
    return jobs


def run(args: argparse.Namespace) -> None:
    """All campaigns that are not in the results yet."""
    global FRESH
    (history,) = Store(args.work, args.corpora).reference("one")
    how = Reading(bytes.fromhex((args.work / "key").read_text().strip()), args.work / "key")
    reference = flow._reference([history], how, quiet, NO_CONTEXT, quiet)
    results, jobs = args.work / args.results, stated(args.limits)
    context = multiprocessing.get_context("fork")
    for seed in args.seeds:
        there = [row for row in read(results) if row["seed"] == seed]
        done = {((row["tradecraft"], row["calls_each"], row["accounts"], row["size"]), row["number"], row["texts"]) for row in there}
        wanted = [turn for number in range(args.each) for kind in args.texts for job in jobs if (turn := (job, number, kind)) not in done]
        if not wanted:
            continue
        began = time.monotonic()
        FRESH = fresh_log(seed, args, reference, how)
        with context.Pool(args.jobs, maxtasksperchild=1) as pool, results.open("a") as file:
            for told in pool.imap(one, wanted):
                file.write(json.dumps({"seed": seed, **told}) + "\n")
                file.flush()
        print(f"seed {seed}: {len(wanted)} campaigns, {len(FRESH.accused)} innocents accused, {time.monotonic() - began:.0f} s", flush=True)


def _share(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    found = sum(row["verdict"] in limit.NAMED for row in rows)
    low, high = wilson(found, len(rows))
    return f"{found} of {len(rows)} ({low:.2f}-{high:.2f})"


def table(args: argparse.Namespace) -> None:
    """Realised power at each limit and at half of it, by the texts of the campaigns."""
    rows = read(args.work / args.results)
    kinds = sorted({row["texts"] for row in rows}, reverse=True)
    print("| tradecraft | calls an account | limit, accounts | " + " | ".join(f"{size}, {kind} texts" for kind in kinds for size in ("limit", "half")) + " |")
    print("|---|---|---|" + "---|" * 2 * len(kinds))
    sums: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, rate, accounts, size in stated(args.limits):
        if size != "limit":
            continue
        cells = []
        for kind in kinds:
            for which, many in (("limit", accounts), ("half", accounts // 2)):
                mine = [
                    row for row in rows if (row["tradecraft"], row["calls_each"], row["accounts"], row["size"], row["texts"]) == (name, rate, many, which, kind)
                ]
                sums.setdefault((kind, which), []).extend(mine)
                cells.append(_share(mine))
        print(f"| {name} | {rate} | {accounts} | " + " | ".join(cells) + " |")
    print("| **all** | | | " + " | ".join(_share(sums.get((kind, which), [])) for kind in kinds for which in ("limit", "half")) + " |")


def main() -> None:
    """The two commands."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--limits", type=Path, nargs="+", required=True)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--texts", nargs="+", choices=("corpora", "built-in"), default=["corpora", "built-in"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(901, 921)))
    parser.add_argument("--each", type=int, default=1, help="campaigns of a kind and size in each log, one at a time")
    parser.add_argument("--calls", type=int, default=60_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", default="limits.jsonl")
    args = parser.parse_args()
    {"run": run, "table": table}[args.what](args)


if __name__ == "__main__":
    main()
