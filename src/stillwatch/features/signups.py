"""Accounts that are new, and whether they ever grew into their rate."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from stillwatch.facts import span
from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, distinct, mean, thinned
from stillwatch.traffic import Bools, Ints

LEAST_CALLS = 12
"Fewest calls of an account from which its rate can be told."

LATER_DAYS = 2
"Days with calls after the first from which an account has stayed: who tries once and leaves never had a rate."

AT_ONCE = 0.8
"Share of the later days' mean that the first day reaches: full rate, with room for chance."

LEAST_NEW = 3
"New accounts from which their share says something of the group."


def _signup(groups: Groups) -> tuple[Ints, Bools]:
    """Registration of each row's account, and whether it is known."""
    column = groups.traffic.column("signup_ts")
    values: Ints = pc.fill_null(column, 0).to_numpy()[groups.calls]
    return values, np.asarray(column.is_valid())[groups.calls]


def no_ramp(groups: Groups) -> Floats:
    """Share of the accounts registered within the log, and that stayed, whose first day after signup has the rate of the later ones.

    Unknown in a thinned log: the few calls that are kept of a day do not give its rate.
    """
    signup, known = _signup(groups)
    ts = groups.traffic.ts[groups.calls]
    inside = known & (signup >= span(groups.traffic)[0]) & (ts >= signup)
    label, account, day = groups.label[inside], groups.traffic.account[groups.calls][inside], (ts - signup)[inside] // DAY
    one = distinct(label, account)
    width = len(groups.traffic.accounts)
    member = np.searchsorted(label[one] * width + account[one], label * width + account)
    total = np.bincount(member, minlength=len(one))
    first = np.bincount(member, weights=day == 0, minlength=len(one))
    later = np.bincount(member[distinct(member, day)], minlength=len(one)) - (first > 0)
    judged = (total >= LEAST_CALLS) & (later >= LATER_DAYS)
    rate = np.divide(total - first, later, out=np.ones(len(one)), where=later > 0)
    owner = label[one][judged]
    share = mean(groups.count, owner, (first >= AT_ONCE * rate)[judged].astype(np.float64))
    return np.where((np.bincount(owner, minlength=groups.count) >= LEAST_NEW) & ~thinned(groups), share, np.nan)


def new_accounts(groups: Groups) -> Floats:
    """Share of the accounts whose registration is known that registered while the log ran."""
    signup, known = _signup(groups)
    rows = np.flatnonzero(known)
    one = rows[distinct(groups.label[rows], groups.traffic.account[groups.calls][rows])]
    return mean(groups.count, groups.label[one], (signup[one] >= span(groups.traffic)[0]).astype(np.float64))


def _rows() -> list[dict[str, object]]:
    """One old account, three new at full rate at once, one new that grows; six calls a day for three days."""
    rows: list[dict[str, object]] = [{"account": 0, "ts": 0, "signup_ts": -9 * DAY}]
    for account in range(1, 5):
        for day in range(3):
            rows += [{"account": account, "ts": day * DAY + i + 1, "signup_ts": 1} for i in range(2 + 4 * day if account == 4 else 6)]
    return rows


FEATURES = (
    Feature(
        "no_ramp", "share of new accounts", "new accounts grow into their use", "new accounts run at full rate from their first day",
        ("signup_ts",), no_ramp, (_rows(), 0.75),
    ),
    Feature(
        "new_accounts", "share of accounts", "all were customers before", "all registered while the log ran", ("signup_ts",), new_accounts, (_rows(), 0.8)
    ),
)  # fmt: skip
