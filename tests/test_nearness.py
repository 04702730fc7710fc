"""Nearness against the same said slowly: dense profiles, one call and one stranger at a time."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.features.nearness import EVERYDAY, LEAST_CALLS, NEAREST, OTHERS, SAME, SOMETHING, Nearness
from stillwatch.features.slots import Slots
from stillwatch.traffic import Ints


def _slots(rng: np.random.Generator, account: Ints, terms: int, own: float) -> Slots:
    """Rows of random terms; of an account's, a share `own` from a range of its own."""
    sizes = rng.integers(0, 9, len(account))
    said = []
    for size, who in zip(sizes, account, strict=True):
        pool = np.where(rng.random(3 * terms) < own, (who * 7 + rng.integers(0, 12, 3 * terms)) % terms, rng.integers(0, terms, 3 * terms))
        said.append(list(dict.fromkeys(pool.tolist()))[:size])
    weights = [rng.random(len(mine)) + 0.1 for mine in said]
    weights = [mine / np.sqrt((mine**2).sum()) if len(mine) else mine for mine in weights]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    column = np.array([term for mine in said for term in mine], np.int64)
    rows = np.arange(len(account))
    return Slots(rows, rng.random(len(account)) < 0.5, starts, column, np.concatenate(weights), terms, sizes.astype(np.int64), [()] * len(account))


def _said_slowly(found: Slots, account: Ints, talk: Ints, unit: Ints, core: bool) -> float:
    rows = np.zeros((len(account), found.count))
    for row in range(len(account)):
        mine = slice(found.starts[row], found.starts[row + 1])
        rows[row, found.terms[mine]] = found.weights[mine]
    others, units, spread = [], [], np.zeros(found.count)
    for who in np.unique(account):
        mine = np.flatnonzero(account == who)
        rest = rows[mine].sum(axis=0) - rows[talk == talk[mine[0]]].sum(axis=0)
        if (rest**2).sum() > SOMETHING:
            others.append(rest / np.sqrt((rest**2).sum()))
            units.append(unit[mine[0]])
            spread += rows[mine].sum(axis=0) > 0
    everyday = np.argsort(-spread, kind="stable")[:EVERYDAY]
    compared, scores = 0, dict[int, list[float]]()
    for row in np.flatnonzero((found.core == core) & (found.size >= 2)):
        rest = rows[account == account[row]].sum(axis=0) - rows[talk == talk[row]].sum(axis=0)
        if (rest**2).sum() <= SOMETHING:
            continue
        compared += 1
        own = rows[row] @ rest / np.sqrt((rest**2).sum())
        alike = []
        for each, whose in zip(others, units, strict=True):
            sizes = np.sqrt((rest[everyday] ** 2).sum() * (each[everyday] ** 2).sum())
            alike.append(rest[everyday] @ each[everyday] / max(sizes, SAME) if whose != unit[row] else -1.0)
        order = np.argsort(-np.array(alike), kind="stable")
        ranks = {at * max(OTHERS, int(NEAREST * len(others))) // OTHERS for at in range(OTHERS)}
        tries = [own - rows[row] @ others[order[rank]] for rank in sorted(ranks) if rank < len(others) and units[order[rank]] != unit[row]]
        if tries:
            scores.setdefault(int(unit[row]), []).append(float(np.mean([1.0 if by > SAME else 0.5 if by >= -SAME else 0.0 for by in tries])))
    return float(np.median([np.mean(each) for each in scores.values()])) if compared >= LEAST_CALLS and len(scores) >= 3 else float("nan")


@pytest.mark.parametrize("own", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_nearness_is_what_saying_it_slowly_gives(seed: int, own: float) -> None:
    rng = np.random.default_rng(seed)
    account = np.sort(rng.integers(0, 30, 400))
    talk, unit = account * 10 + rng.integers(0, 6, 400), account // 2
    found = _slots(rng, account, 150, own)
    near = Nearness(found, account, talk, unit)
    told = {core: near(core) for core in (True, False)}
    assert told == pytest.approx({core: _said_slowly(found, account, talk, unit, core) for core in told}, nan_ok=True)
    assert all(value > 0.6 if own else abs(value - 0.5) < 0.1 for value in told.values()), "of one's own where it is, a stranger's where it is not"


def test_too_few_cannot_be_compared() -> None:
    rng = np.random.default_rng(1)
    account = np.repeat([0, 1], 20)
    near = Nearness(_slots(rng, account, 50, 0.5), account, np.arange(40), account)
    assert np.isnan(near(core=True)), "two accounts"
    account = np.arange(40)
    near = Nearness(_slots(rng, account, 50, 0.5), account, account, account)
    assert np.isnan(near(core=True)), "nobody has another conversation"
