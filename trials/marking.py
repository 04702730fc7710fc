"""Marks a second: everything that the text sketch makes of a prompt, beside MinHash alone of two libraries made for it.

    pip install 'stillwatch[bench]'
    python trials/marking.py [LOG] [--texts 5000] [--rounds 5] [--out FILE]

Without LOG, the prompts are those of the `mixed` scenario; with one, those of that canonical Parquet file. The libraries (datasketch, rensa)
make 64 permutations over shingles of five words, once of texts (`split`: lower case, runs of letters and digits) and once of shingles that
were made before the clock started (`pre-split`). The sketch is always given texts. One processor, its own seconds (other work on the machine does not count), rounds in turn, each round all texts but
for datasketch, which gets every tenth. Kernels are compiled before the first round, and how long that takes is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.drill import compose, scenario
from stillwatch.sketch import text

KEY = bytes(range(32))
PERMUTATIONS, WORDS = 64, 5
WORD = re.compile(r"\w+")


def prompts(log: Path | None, count: int) -> list[str]:
    """Evenly spread prompts of a log."""
    calls = pq.read_table(log, columns=["prompt"]) if log else compose.compose(scenario.load("mixed")).calls
    every = [each for each in calls.column("prompt").to_pylist() if each]
    return every[:: max(1, len(every) // count)][:count]


def shingles(prompt: str) -> list[str]:
    """Shingles of five words; a shorter text is one."""
    words = WORD.findall(prompt.lower())
    return [" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))]


def contestants(texts: Sequence[str]) -> dict[str, tuple[Callable[[], Any], int]]:
    """Name -> (what a round does, texts that it does it to). Raises: ImportError where a library is missing."""
    import datasketch
    import rensa

    column, none = pa.array(texts, pa.string()), pa.nulls(len(texts), pa.string())
    tenth = texts[::10]
    ready = [shingles(each) for each in texts]
    as_bytes = [[each.encode() for each in made] for made in ready[::10]]
    minhash, many = datasketch.MinHash.bulk, rensa.RMinHash.digest_matrix_from_token_sets
    return {
        "stillwatch, all marks": (lambda: text.sketch(none, column, none, KEY), len(texts)),
        "rensa, pre-split": (lambda: many(ready, PERMUTATIONS, 1), len(texts)),
        "rensa, split": (lambda: many([shingles(each) for each in texts], PERMUTATIONS, 1), len(texts)),
        "datasketch, pre-split": (lambda: minhash(as_bytes, num_perm=PERMUTATIONS), len(tenth)),
        "datasketch, split": (lambda: minhash([[part.encode() for part in shingles(each)] for each in tenth], num_perm=PERMUTATIONS), len(tenth)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    args = parser.parse_args()
    texts = prompts(args.log, args.texts)
    size = sum(len(each.encode()) for each in texts)
    try:
        all_of_them = contestants(texts)
    except ImportError as error:
        sys.exit(f"{error.name} is not installed: pip install 'stillwatch[bench]'")
    began = time.process_time()
    text.sketch(*(pa.array([None], pa.string()),) * 3, KEY)
    first = time.process_time() - began
    for run, _ in all_of_them.values():
        run()
    rates: dict[str, list[float]] = {name: [] for name in all_of_them}
    for _ in range(args.rounds):
        for name, (run, count) in all_of_them.items():
            began = time.process_time()
            run()
            rates[name].append(count / (time.process_time() - began))
    ours = rates["stillwatch, all marks"]
    print(f"{len(texts):,} prompts of {size / len(texts):,.0f} bytes on average, one processor; first call (compile or load) {first:.1f} s")
    print(f"{'texts a second':24}{'min':>12}{'median':>12}{'max':>12}{'MB/s':>8}{'ours / theirs':>16}")
    told = {}
    for name, seen in rates.items():
        ratio = statistics.median(one / other for one, other in zip(ours, seen, strict=True))
        middle = statistics.median(seen)
        print(f"{name:24}{min(seen):12,.0f}{middle:12,.0f}{max(seen):12,.0f}{middle * size / len(texts) / 1e6:8.1f}{ratio:16.2f}")
        told[name] = {"min": min(seen), "median": middle, "max": max(seen), "ours_over_theirs": ratio}
    if args.out:
        figures = {"texts": len(texts), "bytes": size, "rounds": args.rounds, "first_call_s": first, "texts_a_second": told}
        args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
