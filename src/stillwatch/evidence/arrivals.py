"""How surprising is it, looked at again after every call, that so many organisations take up a wording now?

The e-value of `strangers` is for one look at the end. A stream is looked at all the time and alarm is raised at the best moment, so it needs an
*e-process*: a number whose mean is at most 1 at every stopping time, whatever made one stop.

**Null.** Organisations are exchangeable, the history's with today's: there is one unknown sequence p(2) >= p(3) >= ... such that the k-th call of an
organisation that does not carry the wording yet makes it a carrier with probability p(k), whichever side it is on and whatever came before. How popular
the wording is, is unknown; that organisations differ in how readily they take it up makes p fall and is included. Each wording of the log has a p of its own.

**Filtration.** Everything that was read so far, and the whole history. A wording is *nominated* when as many of today's organisations carry it as is fixed
beforehand; the moment, and the number in the order of nomination, follow from today's log alone. What counts is what comes after.

**The process** is a likelihood ratio whose denominator is the best that any p can do (universal inference, Wasserman, Ramdas and Balakrishnan 2020;
for exchangeability, where no martingale has power, Ramdas, Ruf, Larsson and Koolen 2022). Its numerator is a probability law fixed beforehand: that
the history has no carrier (half of it) or any number, and today's rate is one unknown number (Beta 1/2, 1/2) in the first 2, 4, 8, 16, 32 or WINDOW calls. For the true p
the ratio with p in place of the best is a martingale from the nomination on, of mean 1 over the history, and is never smaller. So the mean of the process is
at most 1 at every stopping time; by Ville (1939) it ever reaches 1/alpha with probability at most alpha.

**Many.** The n-th nominated has the share `budget(n)` of 1. The sum of budget times e over all that were ever nominated is an e-process again, under any
dependence, and `crossing` gives alarms of which at any time the expected share of false ones is at most the level (e-LOND, Xu and Ramdas 2024; e-BH
among those that cross together): each counts with its e at the moment of its alarm, a stopping time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

WINDOW = 128
"Calls of an organisation that are looked at: what it takes up later is not counted, for nor against."

EARLY = (2, 4, 8, 16, 32, WINDOW)
"Of how many first calls the numerator's rate is; an equal part of it each."

FIRST = 1000
"Nominated wordings that share the first half of the budget; twice as many share the next quarter, and so on."


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_rate(events: float, calls: float) -> float:
    """log of the probability of a sequence of chances with so many events, when the rate is drawn from Beta(1/2, 1/2)."""
    return _log_beta(events + 0.5, calls - events + 0.5) - _log_beta(0.5, 0.5)


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top if top == -math.inf else top + math.log(sum(math.exp(value - top) for value in values))


def _log_best(events: Sequence[int], chances: Sequence[float]) -> float:
    """log of the largest probability of so many events in so many chances, group by group, over rates that never rise (pool adjacent violators).

    >>> round(_log_best([1, 3], [4, 4]), 4) == round(_log_best([4], [8]), 4), _log_best([2], [2])
    (True, 0.0)
    """
    blocks: list[tuple[float, float]] = []
    for event, chance in zip(events, chances, strict=True):
        block = (float(event), float(chance))
        while blocks and blocks[-1][0] * block[1] <= block[0] * blocks[-1][1]:
            block = (block[0] + blocks[-1][0], block[1] + blocks[-1][1])
            blocks.pop()
        blocks.append(block)
    total = 0.0
    for happened, possible in blocks:
        if 0 < happened < possible:
            total += happened * math.log(happened / possible) + (possible - happened) * math.log1p(-happened / possible)
    return total


def log10_e(events: Ints, chances: Ints, before: Ints, reference: Ints) -> float:
    """log10 of the e-process of one wording. 0: nothing, 4: ten thousand to one against chance; negative speaks for innocence.

    Args: for each organisation of today that took it up since the nomination, at which of its calls it did (2..WINDOW); how many calls, by call number
    1..WINDOW, organisations without it have made since (those of the events among them); calls of each reference organisation that carries it; of the others, how many
    made a k-th call, k = 1..WINDOW.

    >>> chances = np.full(WINDOW, 40)
    >>> twelve, reference = np.full(12, 2), np.full(WINDOW, 400)
    >>> round(log10_e(twelve, chances, np.array([], int), reference), 1), round(log10_e(twelve, chances, np.array([30, 30]), reference), 1)
    (11.3, 4.6)
    >>> log10_e(twelve, chances, np.array([], int), np.zeros(WINDOW, int)) < 0
    True
    """
    events = events[(events >= 2) & (events <= WINDOW)]
    taken = np.bincount(events - 1, minlength=WINDOW)
    chances = np.maximum(chances, taken)
    old, others = len(before), int(reference[1]) if len(reference) > 1 else 0
    seen = _log_sum([math.log(0.5) if old == 0 else -math.inf, math.log(0.5) + _log_rate(old, old + others)])
    rates = [_log_rate(len(events), float(chances[1:first].sum())) for first in EARLY if not taken[first:].any()]
    at: list[int] = (np.flatnonzero(taken[1:]) + 1).tolist()
    if old and at[:1] != [1]:
        at = [1, *at]
    # Without the order of its calls, a carrier of the history could have become one at any of them: each at most as likely as the second.
    counts = [int(taken[k]) + (old if k == 1 else 0) for k in at]
    both = np.concatenate([[0], np.cumsum((chances + reference)[1:])])
    groups = [float(both[k] - both[last]) + (old if k == 1 else 0) for last, k in zip([0, *at][: len(at)], at, strict=True)]
    best = _log_best(counts, groups) + float(np.log(np.maximum(before - 1, 1)).sum())
    return float(seen + _log_sum(rates) - math.log(len(EARLY)) - best) / math.log(10)


def budget(number: int) -> float:
    """The share of the n-th nominated (from 0); all together have 1.

    >>> budget(0), budget(FIRST), round(sum(budget(n) for n in range(63 * FIRST)), 3)
    (0.0005, 0.000125, 0.984)
    """
    block = int(math.log2(number / FIRST + 1))
    return 1.0 / (FIRST * (1 << (2 * block + 1)))


def crossing(log10_es: Sequence[float], numbers: Sequence[int], made: int, level: float) -> list[int]:
    """Which of some nominated raise the alarm now, as places in the list, given how many alarms were raised before.

    At any time, the expected share of false alarms among all that were raised is at most `level`.

    >>> crossing([5.4, 5.2, 4.7], [0, 1, 2], 0, 0.01), crossing([5.2], [3], 0, 0.01), crossing([5.2], [3], 1, 0.01)
    ([0, 1], [], [0])
    """
    scored = [value + math.log10(budget(number)) + math.log10(level) for value, number in zip(log10_es, numbers, strict=True)]
    order = sorted(range(len(scored)), key=lambda place: (-scored[place], numbers[place]))
    most = max((rank for rank in range(1, len(order) + 1) if scored[order[rank - 1]] + math.log10(made + rank) >= 0), default=0)
    return sorted(order[:most])
