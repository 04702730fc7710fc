"""Worlds in which nothing is to be found: organisations of a history and of today that come from one and the same process, and today's calls in order.

Exposure is heavy-tailed, wordings are of all popularities (one in ten thousand calls to one in three), organisations differ in how readily they take each up
(half of them never do), calls come in bursts, templates bring one to three wordings at once, and a share of the prompts is sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.linking.history import ALPHABETS, History
from stillwatch.owners import Owners

TEMPLATES = 150


@dataclass(frozen=True)
class World:
    """Calls of today, and what is known of the history."""

    marks: pa.Table
    "Today's calls in order of time."
    history: History
    "The history."


def _calls(rng: np.random.Generator, units: int, keen: Any, wordings: list[Any], first: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for unit in range(units):
        many = min(400, 1 + int(2 * rng.pareto(0.9)))
        start, rate = rng.random(), rng.exponential(0.1)
        times = start + np.cumsum(rng.exponential(rate / many, many) * rng.choice([0.05, 3.0], many))
        chance = keen(rng)
        used = rng.random((many, TEMPLATES)) < chance
        for call in range(many):
            said = [wording for template in np.flatnonzero(used[call]).tolist() for wording in wordings[template]]
            said.append(int(rng.integers(1 << 40, 1 << 60)) & ~7)  # its own words
            again = call and rng.random() < 0.2
            rows.append({"unit": first + unit, "ts": float(times[call]), "wordings": rows[-1]["wordings"] if again else said,
                         "prompt": rows[-1]["prompt"] if again else int(rng.integers(1, 1 << 60))})  # fmt: skip
    return rows


def world(seed: int, most: int = 150, planted: int = 0, decline: bool = False) -> World:
    """A world. `planted`: organisations of today that all use one wording which nobody used before; `decline`: today's take up half as readily."""
    rng = np.random.default_rng(seed)
    popularity = 10 ** rng.uniform(-4, -0.5, TEMPLATES)
    wordings = [[int(each) * 8 + int(rng.integers(0, 2)) for each in rng.integers(1 << 40, 1 << 56, rng.integers(1, 4))] for _ in range(TEMPLATES)]

    def keen(scale: float) -> Any:
        return lambda rng: np.minimum(0.9, scale * popularity * rng.lognormal(0, 1.5, TEMPLATES) * (rng.random(TEMPLATES) < 0.5))

    before, now = int(rng.integers(20, most)), int(rng.integers(20, most))
    there = _calls(rng, before, keen(1.0), wordings, 1)
    here = _calls(rng, now, keen(0.5 if decline else 1.0), wordings, 1_000_001)
    for unit in range(planted):
        start = rng.uniform(0.3, 0.9)
        for call in range(4):
            here.append({"unit": 2_000_001 + unit, "ts": start + 0.002 * call, "wordings": [808, 816], "prompt": int(rng.integers(1, 1 << 60))})
    return World(_marks(here), _history(there))


def _marks(rows: list[dict[str, Any]]) -> pa.Table:
    rows = sorted(rows, key=lambda row: row["ts"])
    unit = pa.array([row["unit"] for row in rows], pa.int64())
    nothing = pa.nulls(len(rows), pa.int64())
    return pa.table({
        "call": pa.array(np.arange(len(rows))), "ts": pa.array(np.arange(len(rows))), "account": unit, "org": unit, "org_known": pa.array([False] * len(rows)),
        "payment": nothing, "ip": nothing, "prompt": pa.array([row["prompt"] for row in rows], pa.int64()),
        "wordings": pa.array([row["wordings"] for row in rows], pa.list_(pa.int64())), "reasoning_out": nothing, "reasoning_in": pa.nulls(len(rows), pa.list_(pa.int64())),
    })  # fmt: skip


def _history(rows: list[dict[str, Any]]) -> History:
    names = sorted({row["unit"] for row in rows})
    calls = np.zeros((len(names), ALPHABETS), np.int64)
    seen: dict[tuple[int, int], set[int]] = {}
    for row in rows:
        for alphabet in {min(wording & 7, ALPHABETS - 1) for wording in row["wordings"]}:
            calls[names.index(row["unit"]), alphabet] += 1
        for wording in row["wordings"]:
            seen.setdefault((wording, row["unit"]), set()).add(row["prompt"])
    pairs = sorted(pair for pair, prompts in seen.items() if len(prompts) > 1)
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return History(np.array(names), calls, table[:, 0], table[:, 1])


def highest(world: World, seed: int) -> tuple[float, list[float], dict[int, tuple[int, float]]]:
    """The stream of a world looked at in micro-batches of random size.

    Returns: the highest log10 of budget times e that any nominee ever had, the highest log10 e of each, and of each nominee that has one of the planted wordings when (calls
    read) it was highest, and how high.
    """
    from stillwatch.alerts import Beside, evidence, hopeless
    from stillwatch.evidence.arrivals import budget
    from stillwatch.linking.arriving import Arriving

    rng, at = np.random.default_rng(seed), 0
    arriving = Arriving(shown=np.zeros(1 << 16, np.uint8), last=np.zeros(1 << 16, np.uint8))
    beside, most = Beside(world.history), dict[int, float]()
    while at < world.marks.num_rows:
        size = int(rng.integers(1, 120))
        touched = arriving.add(world.marks.slice(at, size)).tolist()
        at += size
        known: Owners = arriving.known
        arriving.let_go(hopeless(arriving, touched, beside))
        for nominee, value in evidence(arriving, touched, beside, known).items():
            most[nominee] = max(most.get(nominee, -np.inf), value)
    planted = {int(n): (at, most.get(int(n), -np.inf)) for n in set(arriving.nominated["nominee"][np.isin(arriving.nominated["wording"], [808, 816])].tolist())}
    return max((value + np.log10(budget(n)) for n, value in most.items()), default=-np.inf), list(most.values()), planted
