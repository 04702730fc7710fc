"""How much accounts use, beside others of the same plan."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.facts import span
from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, distinct, median
from stillwatch.records import Context
from stillwatch.traffic import NONE, Fact, Ints, Traffic

TOKENS = ("input_tokens", "output_tokens")

LEAST_OTHERS = 10
"Other accounts of a plan from which their usual can be told."


def _counting(traffic: Traffic, context: Context) -> pa.Table:
    return pa.table({"calls": [traffic.calls - min(traffic.column(name).null_count for name in TOKENS)]})


COUNTED = Fact("tokens counted", TOKENS, _counting, lambda rows: bool((rows["calls"].to_numpy() > 0).any()))
"Whether the log counts the tokens of any call."


def _spent(traffic: Traffic) -> Floats:
    """What each call used: tokens of request and answer, or its cost where the log counts no tokens; 0 where unknown."""
    names = TOKENS if traffic.whole(COUNTED) else ("cost",)
    known = [pc.fill_null(pc.cast(traffic.column(name), pa.float64()), 0.0).to_numpy() for name in names]
    # A kept call stands for those that were not kept, so that accounts kept at different rates compare.
    return np.asarray(np.sum(known, axis=0) / pc.fill_null(traffic.column("sampled"), 1.0).to_numpy(), np.float64)


def load(traffic: Traffic) -> Floats:
    """Tokens (or cost) of each account per day on which it called at all, UTC; NaN where nothing is known of any call."""
    account, count = traffic.account, len(traffic.accounts)
    spent = np.bincount(account, weights=_spent(traffic), minlength=count)
    days = np.bincount(account[distinct(account, traffic.ts // DAY - span(traffic)[0] // DAY)], minlength=count)
    return np.where(spent > 0, spent / np.maximum(1, days), np.nan)


def _plans(traffic: Traffic) -> pa.DictionaryArray:
    column = traffic.column("plan").combine_chunks()
    array = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    return array.dictionary_encode()


def plan_of(traffic: Traffic) -> Ints:
    """Code of each account's plan, by its last call that tells one; NONE where none does."""
    plan = _plans(traffic).indices.fill_null(int(NONE)).to_numpy(zero_copy_only=False).astype(np.int64)
    out = np.full(len(traffic.accounts), NONE)
    known = plan != NONE
    out[traffic.account[known]] = plan[known]
    return out


def usual_of_others(plan: Ints, rates: Floats) -> Floats:
    """For each account the median rate of the others with its plan; NaN below LEAST_OTHERS of them."""
    order = np.lexsort((rates, plan))
    size = np.bincount(plan)
    start = (np.cumsum(size) - size)[plan]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    left = size[plan] - 1
    usual = np.zeros(len(plan))
    for k in (np.maximum(left - 1, 0) // 2, left // 2):
        # Of the sorted rates without one's own, the k-th stands one further on from one's own place upward.
        usual += rates[order[np.minimum(start + k + (place - start <= k), len(order) - 1)]] / 2
    return np.where(left >= LEAST_OTHERS, usual, np.nan)


def _rated(traffic: Traffic, context: Context) -> pa.Table:
    """Account, plan and use of every account of which both are known."""
    rates, plan = load(traffic), plan_of(traffic)
    usable = np.flatnonzero((plan != NONE) & ~np.isnan(rates))
    return pa.table(
        {"account": traffic.accounts[usable], "plan": _plans(traffic).dictionary.take(pa.array(plan[usable])).cast(pa.string()), "rate": rates[usable]}
    )


def _times(rows: pa.Table) -> tuple[Ints, Floats]:
    """(accounts, ascending; how many times as much each uses as the median of the others with its plan, NaN where unknown)."""
    table = rows.sort_by("account")
    plan = table["plan"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    rates = table["rate"].to_numpy()
    usual = usual_of_others(plan, rates)
    return table["account"].to_numpy(), np.divide(rates, usual, out=np.full(len(rates), np.nan), where=usual > 0)


USE = Fact("use by plan", ("plan", *TOKENS, "cost", "sampled"), _rated, _times, after=("tokens counted", "span"))
"What every account uses, beside others of its plan."

FACTS = (COUNTED, USE)


def plan_use(groups: Groups) -> Floats:
    """How many times as much the group's median account uses in a day as the median of the others with its plan.

    All of an account's traffic counts, not only that of the group: the plan pays for all.
    """
    traffic = groups.traffic
    known, theirs = traffic.whole(USE)
    times = np.full(len(traffic.accounts), np.nan)
    at = np.minimum(np.searchsorted(known, traffic.accounts), max(0, len(known) - 1))
    here = known[at] == traffic.accounts if len(known) else np.zeros(len(times), np.bool_)
    times[here] = theirs[at[here]]
    account = traffic.account[groups.calls]
    one = distinct(groups.label, account)
    one = one[~np.isnan(times[account[one]])]
    return median(groups.count, groups.label[one], times[account[one]])


_ROWS = [{"account": a, "plan": "free", "input_tokens": 90, "output_tokens": 10, "ts": 0} for a in range(11)]
_ROWS += [{"account": a, "plan": "team", "input_tokens": 300 * (a > 28), "output_tokens": 100, "ts": day * DAY} for a in range(20, 40) for day in (0, 1)]

FEATURES = (
    Feature(
        "plan_use", "times the usual", "uses less than others pay the same for", "uses many times what others of its plan do",
        ("plan",), plan_use, (_ROWS, 1.0),
    ),
)  # fmt: skip
