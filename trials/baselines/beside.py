"""One log with campaigns in it before what the field has: what each detector finds when it may name as many innocent accounts as Stillwatch does, one in a thousand, and one in a hundred.

    python trials/baselines/beside.py LOG.parquet --history HISTORY.parquet --truth LOG.truth.parquet [--scan DIR] [--seed 1] [--json]

LOG, HISTORY and the truth are a drill's (`stillwatch drill`). Without `--scan`, a folder that `stillwatch scan` wrote, the log is scanned here. Needs the packages scikit-learn
and, for the baselines of texts, wordllama.

A detector is a number for each account, higher for more suspicious. Accounts are named from the highest number down, up to the innocent account that would be one too
many; accounts of the same number come in a random order (by the seed), and an account without a number is never named. A campaign is found where at least half of its
accounts are named. The same holds for Stillwatch's own row: alerts before reviews before watches, and within them by the weight of evidence. Its row `as it stands` is what it names by itself: all
accounts of alerts and reviews.

Baselines are fixed as their papers have them; of those that leave something open, several ways stand side by side, and nothing is chosen by what it finds. Two were added after a
look at drills (broad, seeds 911 to 913), because the others found less: SynchroTrap within a day, and FRAUDAR on system prompts alone.

Not here: stateful monitoring (arXiv 2605.31593). It sums, over clusters of vectors, suspicions that a language model tells of each transcript, and asks another in the
end; without them it would be a detector of our own making.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from baselines import fraudar, isolation, synchrotrap, texts, volume
from baselines.accounts import WORDINGS, Embed, Floats, Log
from stillwatch import flow
from traffic.vectors import MODELS

FOUND = 0.5
"Share of its accounts that are named where a campaign is found."

ONE_IN = {"1 in 1,000": 1_000, "1 in 100": 100}
"The fixed budgets: one of so many innocent accounts."

OWN, STANDING = "Stillwatch", "Stillwatch, as it stands"
VERDICTS = {"alert": 2, "review": 1, "watch": 0}
EQUAL = "as many as Stillwatch"

SHARED = {"network": "a /24", "payment": "a card", "headers": "a header set", "system": "a system prompt"}
"What accounts are pooled by -> how it is called."

Baseline = Callable[[Log, Log | None], Floats]


def simple(seed: int) -> dict[str, Baseline]:
    """Baselines that need no vectors."""
    lately = "that the history lacks"
    return {
        "calls": lambda log, history: volume.calls(log),
        "calls on the busiest day": lambda log, history: volume.busiest_day(log),
        "isolation forest": lambda log, history: isolation.scores(log, history, seed),
        "SynchroTrap, addresses": lambda log, history: synchrotrap.scores(log, None, ("ip",)),
        "SynchroTrap, cards": lambda log, history: synchrotrap.scores(log, None, ("payment",)),
        "SynchroTrap, wordings": lambda log, history: synchrotrap.scores(log, None, WORDINGS),
        f"SynchroTrap, wordings {lately}": lambda log, history: synchrotrap.scores(log, history, WORDINGS),
        f"SynchroTrap, wordings {lately}, within a day": lambda log, history: synchrotrap.scores(log, history, WORDINGS, synchrotrap.DAY),
        "FRAUDAR, addresses and cards": lambda log, history: fraudar.scores(log, None, ("ip", "payment")),
        "FRAUDAR, wordings": lambda log, history: fraudar.scores(log, None, WORDINGS),
        f"FRAUDAR, wordings {lately}": lambda log, history: fraudar.scores(log, history, WORDINGS),
        f"FRAUDAR, system prompts {lately}": lambda log, history: fraudar.scores(log, history, ("system",)),
        "FRAUDAR, all three": lambda log, history: fraudar.scores(log, None, ("ip", "payment", *WORDINGS)),
    }


def of_texts(log: Log, history: Log | None) -> dict[str, Callable[[], Floats]]:
    """Baselines of vectors: an account's own prompts, then those of all that share something."""
    fitted = texts.seen(log, history)

    def score(name: str, group: Callable[[Log], texts.Windows]) -> Callable[[], Floats]:
        return lambda: texts.scores(log, history, group, fitted, name)

    made = {f"{name}, an account": score(name, texts.single) for name in texts.NUMBER}
    for kind, called in SHARED.items():
        made |= {f"{name}, all of {called}": score(name, partial(texts.shared, kind=kind)) for name in ("Mahalanobis", "MMD")}
    return made


def every(log: Log, history: Log | None, seed: int) -> Iterator[tuple[str, Floats, float]]:
    """Name, numbers and seconds of every baseline. The first one of texts pays for the vectors of all."""
    for name, baseline in simple(seed).items():
        began = time.perf_counter()
        yield name, baseline(log, history), time.perf_counter() - began
    if log.embed is None:
        return
    began = time.perf_counter()
    for name, made in of_texts(log, history).items():
        yield name, made(), time.perf_counter() - began
        began = time.perf_counter()


def named(numbers: Floats, innocent: NDArray[np.bool_], allowed: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Accounts from the highest number down, before the innocent one that would be one too many."""
    lot = rng.permutation(len(numbers))
    order = np.lexsort((lot, -np.nan_to_num(numbers, nan=-np.inf)))
    order = order[np.isfinite(numbers[order])]
    kept = order[np.cumsum(innocent[order]) <= allowed]
    out = np.zeros(len(numbers), np.bool_)
    out[kept] = True
    return out


def guilty(truth: pa.Table, names: list[str]) -> NDArray[Any]:
    """The campaign of each account, or None. An account of a campaign is one, whatever it does beside it."""
    of = {account: campaign for account, campaign in zip(truth["account"].to_pylist(), truth["campaign"].to_pylist(), strict=True) if campaign}
    return np.array([of.get(name) for name in names], object)


def own(scan: Path, names: list[str]) -> tuple[Floats, NDArray[np.bool_]]:
    """What Stillwatch says of each account: verdict, then evidence (NaN: in no case); and whether an alert or a review names it."""
    place = {name: at for at, name in enumerate(names)}
    numbers, accused = np.full(len(names), np.nan), np.zeros(len(names), np.bool_)
    for line in (scan / "campaigns.jsonl").read_text().splitlines():
        case = json.loads(line)
        where = [place[account] for account in case["accounts"]]
        numbers[where] = np.fmax(numbers[where], VERDICTS[case["verdict"]] * 1e6 + min(max(case["log10_e"] or 0.0, 0.0), 1e5))
        if case["verdict"] != "watch":
            accused[where] = True
    return numbers, accused


def _rows(name: str, budget: str, allowed: int, chosen: NDArray[np.bool_], numbers: Floats, of: NDArray[Any]) -> Iterator[dict[str, Any]]:
    innocent = np.array([each is None for each in of])
    false = int((chosen & innocent).sum())
    for campaign in sorted({each for each in of if each is not None}):
        mine, scored = of == campaign, np.isfinite(numbers)
        caught = int((chosen & mine).sum())
        yield {
            "detector": name, "budget": budget, "allowed": allowed, "campaign": campaign, "accounts": int(mine.sum()), "scored": round(float(scored[mine].mean()), 4),
            "auc": round(float(roc_auc_score(mine[mine | innocent], np.where(scored, numbers, -np.inf).clip(-1e300)[mine | innocent])), 4), "named": caught, "recall": round(caught / int(mine.sum()), 4), "found": bool(caught >= FOUND * mine.sum()), "false": false,
            "precision": round(float((chosen & ~innocent).sum() / chosen.sum()), 4) if chosen.any() else None,
        }  # fmt: skip


def beside(
    calls: pa.Table, truth: pa.Table, history: pa.Table | Log | None, seed: int, scan: Path | None = None, embed: Embed | None = None
) -> list[dict[str, Any]]:
    """A line for every detector, budget and campaign of a log.

    `scan`: what `stillwatch scan` wrote of it; without one there are neither its own rows nor its budget. `embed`: texts -> vectors; without it the baselines of texts are left out.
    A history that serves several logs may be given as a `Log`, which keeps what was worked out. `recall`: share of the campaign's accounts that are named; `scored`: of those that have a number; `auc`: chance that an account of it
    has a higher number than an innocent one (no number: below all);
    `precision`: share of the named that are of any campaign, None where nobody is named; `seconds`: of the baseline on this log.
    """
    log = Log.read(calls, embed)
    past = Log.read(history, embed) if isinstance(history, pa.Table) else history
    of = guilty(truth, log.names)
    innocent = np.array([each is None for each in of])
    budgets = {name: int(innocent.sum()) // many for name, many in ONE_IN.items()}
    out: list[dict[str, Any]] = []
    told: list[tuple[str, Floats, float | None]] = []
    if scan is not None:
        numbers, accused = own(scan, log.names)
        budgets = {EQUAL: int((accused & innocent).sum()), **budgets}
        out += [each | {"seconds": None} for each in _rows(STANDING, EQUAL, budgets[EQUAL], accused, numbers, of)]
        told.append((OWN, numbers, None))
    for name, numbers, seconds in [*told, *every(log, past, seed)]:
        for budget, allowed in budgets.items():
            chosen = named(numbers, innocent, allowed, np.random.default_rng([seed, 11]))
            out += [each | {"seconds": seconds and round(seconds, 2)} for each in _rows(name, budget, allowed, chosen, numbers, of)]
    return out


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The lines of a Markdown table for each campaign and budget."""
    out: list[str] = []
    for campaign, budget in sorted({(row["campaign"], row["budget"]) for row in rows}):
        mine = [row for row in rows if (row["campaign"], row["budget"]) == (campaign, budget)]
        out += [
            f"{campaign}, {mine[0]['accounts']:,} accounts; innocent accounts that may be named: {budget}, {mine[0]['allowed']}.",
            "",
            "| detector | accounts with a number | AUC | named | of the campaign's accounts % | found | innocents named | precision % |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in sorted(mine, key=lambda row: (-row["recall"], row["detector"])):
            precision = "" if row["precision"] is None else f"{100 * row['precision']:.1f}"
            out.append(
                f"| {row['detector']} | {100 * row['scored']:.0f} % | {row['auc']:.2f} | {row['named']} | {100 * row['recall']:.1f} | {'yes' if row['found'] else 'no'} | {row['false']} | {precision} |"
            )
        out.append("")
    return out


def embedding() -> Embed | None:
    """Static vectors, where their package is installed."""
    try:
        return MODELS["wordllama"]()
    except ImportError:
        return None


def _scanned(log: Path, history: Path | None, scan: Path | None, work: Path) -> Path:
    if scan is not None:
        return scan
    flow.watch([str(log)], work / "scan", history=[] if history is None else [str(history)], key=work / "key", fleeting=True)
    return work / "scan"


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--history", type=Path)
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="lines of JSON in place of tables")
    args = parser.parse_args()
    embed = embedding()
    if embed is None:
        print("wordllama is not installed: the baselines of texts are left out (pip install wordllama)", file=sys.stderr)
    history = None if args.history is None else pq.read_table(args.history)
    with tempfile.TemporaryDirectory() as work:
        scan = _scanned(args.log, args.history, args.scan, Path(work))
        rows = beside(pq.read_table(args.log), pq.read_table(args.truth), history, args.seed, scan, embed)
    if args.json:
        print("\n".join(json.dumps(row) for row in rows))
        return
    print("\n".join(table(rows)))
    spent: Mapping[str, float] = {row["detector"]: row["seconds"] for row in rows if row["seconds"] is not None}
    print(f"Seconds, {sum(spent.values()):.1f} in all: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in spent.items()) + ".")


if __name__ == "__main__":
    main()
