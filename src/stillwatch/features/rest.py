"""Whether the single accounts of a group ever rest."""

from __future__ import annotations

import numpy as np

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, HOUR, distinct, mean

LEAST_CALLS, LEAST_DAYS = 96, 2
"Calls of an account (four for each hour of the day) and days from its first to its last, from which its empty hours say something."

FEW_IDLE = 3
"Hours of the day with less than a fifth of the average hour's calls, up to which an account does not rest."


def sleepless(groups: Groups) -> Floats:
    """Share of the accounts, of those with enough calls over two days or more, that have at most FEW_IDLE idle hours in the day (UTC).

    Of each account by itself: many customers around the globe never rest together, but each of them does.
    """
    account, ts = groups.traffic.account[groups.calls], groups.traffic.ts[groups.calls]
    one = distinct(groups.label, account)
    width = len(groups.traffic.accounts)
    member = np.searchsorted(groups.label[one] * width + account[one], groups.label * width + account)
    counts = np.zeros((len(one), 24))
    np.add.at(counts, (member, ts // HOUR % 24), 1)
    total = counts.sum(axis=1)
    first, last = np.full(len(one), np.iinfo(np.int64).max), np.zeros(len(one), np.int64)
    np.minimum.at(first, member, ts)
    np.maximum.at(last, member, ts)
    judged = (total >= LEAST_CALLS) & (last - first >= LEAST_DAYS * DAY)
    idle = (counts < total[:, None] / 120.0).sum(axis=1)
    return mean(groups.count, groups.label[one][judged], (idle <= FEW_IDLE)[judged].astype(np.float64))


_DAYS: list[dict[str, object]] = [{"account": 1, "ts": i * HOUR // 2} for i in range(120)]
_DAYS += [{"account": 2, "ts": i // 20 * DAY + i % 20 * HOUR // 2} for i in range(120)]
_DAYS += [{"account": 3, "ts": i * HOUR} for i in range(50)]
"One account around the clock, one that works ten hours a day, one of too few calls."

FEATURES = (Feature("sleepless", "share of accounts", "every account rests some hours of the day", "no account ever rests", ("ts",), sleepless, (_DAYS, 0.5)),)
