"""What a group's accounts do when payment is changed: who appears, and who goes over to another card or plan, within a day of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.facts import span
from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, code, distinct, thinned
from stillwatch.records import Context, PaymentChange
from stillwatch.traffic import NONE, Bools, Fact, Ints, Traffic

LEAST_ACCOUNTS = 5
"Accounts of a group around a change from which their share says something."

BEFORE = DAY
"Least time of the log before a change: in its first day every account appears."


def _first_other(traffic: Traffic, name: str, at: int) -> Ints:
    """For each account, the first call after a moment whose payment or plan is another than the last one before it; far off where there is none."""
    whole = Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1)
    value, account, ts = code(whole, name), traffic.account, traffic.ts
    known = value != NONE
    last = np.full(len(traffic.accounts), NONE)
    early = known & (ts < at)
    last[account[early]] = value[early]
    other = known & (ts >= at) & (last[account] != NONE) & (value != last[account])
    first = np.full(len(traffic.accounts), np.iinfo(np.int64).max)
    np.minimum.at(first, account[other], ts[other])
    return first


def reacting(traffic: Traffic, at: int) -> tuple[Bools, Bools]:
    """Of each account: whether it called within a day before or after a change, and whether it first called, or moved its payment or plan, in the day after."""
    calls_here = np.flatnonzero(np.diff(traffic.starts))
    first = np.full(len(traffic.accounts), np.iinfo(np.int64).min)
    first[calls_here] = traffic.ts[traffic.starts[:-1][calls_here]]
    appears = (first >= at) & (first < at + DAY)
    moves = np.zeros(len(first), np.bool_)
    for name in ("payment", "plan"):
        other = _first_other(traffic, name, at)
        moves |= (other >= at) & (other < at + DAY)
    around = np.zeros(len(first), np.bool_)
    around[traffic.account[(traffic.ts >= at - DAY) & (traffic.ts < at + DAY)]] = True
    return around, around & (appears | moves)


def _inside(traffic: Traffic, at: int) -> bool:
    begin, end = span(traffic)
    return begin + BEFORE <= at <= end


def _counted(traffic: Traffic, context: Context) -> pa.Table:
    rows = []
    for at in sorted({each.at for each in context.payments}):
        if traffic.calls and _inside(traffic, at):
            around, reacts = reacting(traffic, at)
            rows.append({"at": at, "around": int(around.sum()), "reacts": int(reacts.sum())})
    return pa.Table.from_pylist(rows, pa.schema([("at", pa.int64()), ("around", pa.int64()), ("reacts", pa.int64())]))


def _shares(rows: pa.Table) -> dict[int, float]:
    total = rows.group_by("at", use_threads=False).aggregate([("around", "sum"), ("reacts", "sum")])
    return {row["at"]: row["reacts_sum"] / max(1, row["around_sum"]) for row in total.to_pylist()}


REACTING = Fact("payment reactions", ("payment", "plan"), _counted, _shares, after=("span",))
"Change of payment (microseconds) -> share of all accounts around it that react."

FACTS = (REACTING,)


def _reactions(groups: Groups) -> tuple[Floats, Floats]:
    """(share of accounts that react, as a multiple of all accounts' share) at the change to which most react."""
    share, lead = np.full(groups.count, np.nan), np.full(groups.count, np.nan)
    traffic = groups.traffic
    if not traffic.calls:
        return share, lead
    one = distinct(groups.label, traffic.account[groups.calls])
    label, account = groups.label[one], traffic.account[groups.calls][one]
    for at in sorted({each.at for each in groups.context.payments}):
        if not _inside(traffic, at):
            continue
        around, reacts = reacting(traffic, at)
        n = np.bincount(label, weights=around[account], minlength=groups.count)
        mine = np.divide(np.bincount(label, weights=reacts[account], minlength=groups.count), n, out=np.full(groups.count, np.nan), where=n >= LEAST_ACCOUNTS)
        everybody = traffic.whole(REACTING, groups.context)[at]
        more = mine > np.nan_to_num(share, nan=-1.0)
        share = np.where(more, mine, share)
        lead = np.where(more, mine / everybody if everybody > 0 else np.nan, lead)
    # In a thinned log an account's first call is not its first, so who appears cannot be told.
    gone = thinned(groups)
    return np.where(gone, np.nan, share), np.where(gone, np.nan, lead)


def payment_move(groups: Groups) -> Floats:
    """Share of the accounts that call within a day of a change of payment that first appear, or move to another card or plan, in the day after it.

    Of several changes, the one to which most react. An account that appears counts by its first call in the log.
    """
    return _reactions(groups)[0]


def payment_lead(groups: Groups) -> Floats:
    """`payment_move` as a multiple of the same share among all accounts of the log."""
    return _reactions(groups)[1]


_GIVEN = Context(payments=(PaymentChange(2 * DAY, "free tier ended"),))
_ROWS: list[dict[str, object]] = [{"account": a, "ts": day * DAY + a, "plan": "free"} for a in range(4) for day in range(3)]
_ROWS += [{"account": 4, "ts": day * DAY + 4, "plan": "paid" if day > 1 else "free"} for day in range(3)]
_ROWS += [{"account": a, "ts": 2 * DAY + a, "plan": "paid"} for a in range(5, 8)]
"Four accounts stay as they are, one moves to another plan, three first appear."

FEATURES = (
    Feature(
        "payment_move", "share of accounts", "nothing happens when payment changes", "all appear, or move to another card or plan, within a day",
        ("ts",), payment_move, (_ROWS, 0.5), clusters_only=True, needs=("payments",), given=_GIVEN,
    ),
    Feature(
        "payment_lead", "times the log's", "slower than everybody", "many times as many as among all accounts",
        ("ts",), payment_lead, (_ROWS, 1.0), clusters_only=True, needs=("payments",), given=_GIVEN,
    ),
)  # fmt: skip
