"""Pooled calibration: how fine a small provider's ranks become, whether they keep their promise on innocents, and what a member that lies can do.

    python trials/calibration.py run --corpora DIR --work WORK [--seeds 120001 120002 ...]
    python trials/calibration.py table --work WORK [--out docs/exchange/calibration.md]

Every member is a world of innocents of its own seed and mix (as those of trials/planted: weights of the classes times a log-normal factor, one class in six missing). `run` keeps the
features of its organisations. In `table` each member in turn is small: a random fifty of its organisations are its reference, the others are put to the test as a case's values would be,
and what the other members tell has passed through the format that travels. A liar says that nobody lies beyond any edge (light), or a quarter beyond every one (heavy).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pages import interval, put
from planted.grounds import Store, benign_world
from stillwatch import pooling
from stillwatch.evidence.pooled import Innocents, Member, Pool
from stillwatch.evidence.tails import BODY, GRID, Floats, Tail
from stillwatch.examination import FACTS, missing_in, of_organisations
from stillwatch.exchange.barrier.policy import Assessment, Policy
from stillwatch.exchange.calibration import statement
from stillwatch.facts import every_fact
from stillwatch.parts import with_facts
from stillwatch.records import NO_CONTEXT
from stillwatch.sources import Reading, gather
from stillwatch.store import keys
from stillwatch.survey import survey

SECTION = "pooled calibration"
SMALL = 50
"Organisations that the small member knows."
LEVELS = (0.05, 0.01, 0.002)
COALITIONS = (3, 5)
"Members, the small one among them."
AT = 1_790_000_000_000_000
RULES = Policy(
    purpose="detection", recipients=("others",), records=("calibration",), verdicts=(), expires={"calibration": 30},
    assessment=Assessment("a", "b", "c", "d", AT - 1, AT + 30 * 86_400_000_000),
)  # fmt: skip


def run(work: Path, corpora: Path | None, seeds: Sequence[int]) -> None:
    """Features of the organisations of each member, in a file each."""
    work.mkdir(parents=True, exist_ok=True)
    store = Store(work, corpora)
    how = Reading(keys.load_or_create(store.key), store.key, None, "account")
    for seed in seeds:
        out = work / f"{seed}.parquet"
        if out.exists():
            continue
        (work / "scratch").mkdir(exist_ok=True)
        log = gather([benign_world(store, "mixed", 10, seed).calls], how, lambda rejected: None, work / "scratch", keep=False)
        assert log is not None
        seen = survey(with_facts(log.parts, every_fact(*FACTS), NO_CONTEXT), missing_in(log), (), NO_CONTEXT)
        pq.write_table(seen.organisations, out)
        print(seed, seen.organisations.num_rows, flush=True)


def travelled(values: Mapping[str, Floats]) -> dict[str, Tail]:
    """What another member hears of these organisations: through the statement, as JSON."""
    told = json.loads(json.dumps(statement.compose(values, dict.fromkeys(values, "1"), RULES, AT, "trial")))
    return {name: tail for name, (_, tail) in statement.heard(told, "trial").tails.items()}


def lying(tails: Mapping[str, Tail], kind: str) -> dict[str, Tail]:
    """The same member, telling lies that the format allows."""
    if kind == "light":
        return {name: Tail(1_000_000, 10, ((GRID[0], 0.0),), ((GRID[-1], 0.0),)) for name in tails}
    return {name: Tail(1_000_000, 10, ((GRID[-1], BODY),), ((GRID[0], BODY),)) for name in tails}


def coalitions(seeds: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(members, the small one, the others): each is small once, the others are those that follow it."""
    for size in COALITIONS:
        for at, small in enumerate(seeds):
            yield size, small, [seeds[(at + step) % len(seeds)] for step in range(1, size)]


def split(values: Mapping[str, Floats], seed: int) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """A random fifty as the reference, and the rest."""
    rng = np.random.default_rng(seed)
    own, rest = {}, {}
    for name, mine in values.items():
        order = rng.permutation(len(mine))
        own[name], rest[name] = mine[order[:SMALL]], mine[order[SMALL:]]
    return own, rest


def measured(work: Path) -> list[dict[str, Any]]:
    """One row for each coalition, statistic and kind of fourth word: none, light, heavy."""
    names = pooling.statistics()
    of = {path.stem: of_organisations(pq.read_table(path), names) for path in sorted(work.glob("*.parquet"))}
    tails = {seed: travelled(values) for seed, values in of.items()}
    rows = []
    for size, small, others in coalitions(list(of)):
        own, rest = split(of[small], int(small))
        alone = Innocents(own, Pool())
        for lie in ("none", "light", "heavy"):
            said = [Member(seed, "", "", lying(tails[seed], lie) if at == 0 and lie != "none" else tails[seed]) for at, seed in enumerate(others)]
            pool = Innocents(own, Pool(tuple(said)))
            unlike = [(member, statistic) for member, statistic, _ in pool.unlike()]
            for name in names:
                if len(rest[name]) < 100 or len(own[name]) < SMALL or any(name not in each.tails for each in said):
                    continue
                ranks = [(alone.rank(name, float(value)), pool.rank(name, float(value))) for value in rest[name]]
                ps = [np.array([rank.p for each in ranks if (rank := each[at]) is not None]) for at in (0, 1)]
                rows.append({
                    "size": size, "small": small, "lie": lie, "statistic": name, "of": len(ps[1]),
                    "floors": [1.0 if rank is None else rank.p_floor for rank in ranks[0]],
                    "below": [[int((each <= level).sum()) for level in LEVELS] for each in ps],
                    "named": [seed for seed in others if (seed, name) in unlike], "liar": others[0],
                })  # fmt: skip
        print(size, small, flush=True)
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The page's section."""
    lines = []
    members, statistics = sorted({row["small"] for row in rows}), sorted({row["statistic"] for row in rows})
    lines += [
        f"{len(members)} members of mixes of their own (seeds {', '.join(members)}), {len(statistics)} statistics; each member is small once, with {SMALL} organisations.",
        "",
    ]
    lines += [
        "| members | tells | least p that can be shown, median | innocents at p <= .05, % | at p <= .01, % | at p <= .002, % |",
        "|---|---|---|---|---|---|",
    ]
    for size in COALITIONS:
        for lie in ("none", "light", "heavy"):
            mine = [row for row in rows if row["size"] == size and row["lie"] == lie]
            for at in (0, 1) if lie == "none" and size == COALITIONS[0] else (1,):
                floor = np.median([row["floors"][at] for row in mine])
                shares = [interval(sum(row["below"][at][level] for row in mine), sum(row["of"] for row in mine), 2) for level in range(len(LEVELS))]
                who = "alone" if at == 0 else str(size)
                lines.append(f"| {who} | {'' if at == 0 else 'the truth' if lie == 'none' else f'one lies: {lie}'} | {floor:.2g} | {' | '.join(shares)} |")
    lines += [
        "",
        "The statistics that keep the promise worst (truth, five members; innocents at p <= .01, %, pooled and alone):",
        "",
        "| statistic | pooled | alone | members at which more than 2 % |",
        "|---|---|---|---|",
    ]
    mine = [row for row in rows if row["size"] == COALITIONS[-1] and row["lie"] == "none"]
    worst = sorted(statistics, key=lambda name: -_share(mine, name, 1))
    for name in worst[:6]:
        of = [row for row in mine if row["statistic"] == name]
        above = sum(row["below"][1][1] > 0.02 * row["of"] for row in of)
        lines.append(f"| {name} | {100 * _share(mine, name, 1):.2f} | {100 * _share(mine, name, 0):.2f} | {above} of {len(of)} |")
    lines += ["", "| members | who lies | statistics in which the liar is named, % | in which an honest member is named, % |", "|---|---|---|---|"]
    for size in COALITIONS:
        for lie in ("none", "light", "heavy"):
            mine = [row for row in rows if row["size"] == size and row["lie"] == lie]
            liars = interval(sum(row["liar"] in row["named"] for row in mine), len(mine)) if lie != "none" else "-"
            honest = [len(set(row["named"]) - ({row["liar"]} if lie != "none" else set())) for row in mine]
            truthful = sum(size - 1 - (lie != "none") for _ in mine)
            lines.append(f"| {size} | {lie} | {liars} | {interval(sum(honest), truthful)} |")
    return "\n".join(lines)


def _share(rows: Sequence[Mapping[str, Any]], name: str, at: int) -> float:
    mine = [row for row in rows if row["statistic"] == name]
    return sum(row["below"][at][1] for row in mine) / max(1, sum(row["of"] for row in mine))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[120001, 120002, 120003, 120004, 120005, 120006])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "run":
        run(given.work, given.corpora, given.seeds)
        return
    told = table(measured(given.work))
    print(told)
    if given.out is not None:
        put(given.out, SECTION, told)


if __name__ == "__main__":
    main()
