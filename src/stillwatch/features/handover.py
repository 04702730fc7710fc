"""Whether a second set of a group's accounts takes over as the first falls silent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, distinct, thinned
from stillwatch.traffic import Ints

PARTS = 20
"Parts of a group's time that it is looked at in; the first set leaves within two parts, the second comes within three around."

LEAST_ACCOUNTS, LEAST_CALLS = 10, 2
"Accounts of a group, and calls of an account, from which coming and going say something."

LEAST_SPAN = DAY
"Shortest time from a group's first to its last call in which one set can follow another."


def lives(groups: Groups) -> tuple[Ints, Ints, Ints]:
    """(group, first call, last call) of each account of a group with LEAST_CALLS calls or more there, times in microseconds."""
    account = groups.traffic.account[groups.calls]
    order = np.lexsort((groups.traffic.ts[groups.calls], account, groups.label))
    label, ts = groups.label[order], groups.traffic.ts[groups.calls][order]
    one = distinct(label, account[order])
    last = np.append(one[1:], len(order)) - 1
    stayed = last - one + 1 >= LEAST_CALLS
    return label[one][stayed], ts[one][stayed], ts[last][stayed]


def _at(first: Ints, last: Ints, when: Floats, part: float) -> float:
    """The most of twice the smaller share of those who leave in the two parts before a moment and those who come around it.

    Who leaves was there before those two parts, and who comes is there after the moment's two parts: short visits are neither.
    """
    best = 0.0
    for moment in when:
        leaves = (first < moment - 2 * part) & (last >= moment - 2 * part) & (last < moment)
        comes = (first >= moment - part) & (first < moment + 2 * part) & (last >= moment + 2 * part)
        best = max(best, 2.0 * min(float(leaves.mean()), float(comes.mean())))
    return min(1.0, best)


def handed_over(groups: Groups, moments: Sequence[int] = ()) -> Floats:
    """Share of a group's accounts in one change of hands: twice the smaller of those that fall silent and those that take over at one moment.

    `moments`: times to look at in microseconds, as when accounts were banned; without any, 20 evenly spaced ones of the group's own time.
    About .2 for accounts that come and go evenly, 1 where one half leaves as the other comes.
    """
    out = np.full(groups.count, np.nan)
    label, first, last = lives(groups)
    limits = np.searchsorted(label, np.arange(groups.count + 1))
    for group in np.flatnonzero(np.diff(limits) >= LEAST_ACCOUNTS):
        mine = slice(limits[group], limits[group + 1])
        start, end = int(first[mine].min()), int(last[mine].max())
        if end - start >= LEAST_SPAN:
            part = (end - start) / PARTS
            when = np.array([m - start for m in moments], np.float64) if moments else np.asarray(part * np.arange(1, PARTS), np.float64)
            out[group] = _at(first[mine] - start, last[mine] - start, when, part)
    return out


def handover(groups: Groups) -> Floats:
    """`handed_over` at any moment of the group's own time, or at one at which accounts were banned, as told.

    Unknown in a thinned log: most accounts fall silent there because their calls are not kept.
    """
    anywhere = handed_over(groups)
    bans = [each.at for each in groups.context.bans]
    found = np.fmax(anywhere, handed_over(groups, bans)) if bans else anywhere
    return np.where(thinned(groups), np.nan, found)


_TWO_POOLS = [{"account": a, "ts": (a > 5) * DAY + i * DAY // 5 + a} for a in range(12) for i in range(5)]
"Six accounts call for a day; six others take over."

FEATURES = (
    Feature(
        "handover", "share of accounts", "accounts come and go on their own", "half of the accounts fall silent as the other half begins",
        ("ts",), handover, (_TWO_POOLS, 1.0), clusters_only=True,
    ),
)  # fmt: skip
