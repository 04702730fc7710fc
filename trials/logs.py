"""Make the measurement logs: mixed (three campaigns), benign, and one history from other seeds and sources.

    python trials/logs.py --corpora DIR --out DIR [--first 1] [--seeds 5] [--benign 10]

Logs that exist are kept.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from stillwatch.drill import compose, scenario


def make(name: str, seed: int | None, path: Path, corpora: Path | None, **changed: object) -> None:
    """One log, unless it is there."""
    if path.exists():
        return
    chosen = dataclasses.replace(scenario.load(name).with_overrides(seed=seed), **changed)  # type: ignore[arg-type]
    made = compose.write(compose.compose(chosen, corpora), path)
    print(f"{made['log']}: {made['calls']} calls, {made['accounts']} accounts", flush=True)


def main() -> None:
    """Parse and make."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=1, help="first seed of the mixed logs; benign ones start at 100 more")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--benign", type=int, default=10)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    make("history", None, args.out / "history.parquet", args.corpora)
    for seed in range(args.first, args.first + args.seeds):
        make("mixed", seed, args.out / f"mixed-{seed}.parquet", args.corpora)
    for seed in range(args.first + 100, args.first + 100 + args.benign):
        make("benign", seed, args.out / f"benign-{seed}.parquet", args.corpora)


if __name__ == "__main__":
    main()
