"""What many features ask of their groups' rows: codes of a column, distinct pairs, calls that follow one another."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.declare import Floats, Groups
from stillwatch.traffic import NONE, Bools, Ints, Traffic

HOUR = 3_600_000_000
DAY = 24 * HOUR

PAUSE = HOUR // 2
"Calls of an account without a session are one conversation until it pauses this long."

KEPT = 0.5
"Least share of calls that a log may keep for calls that follow one another to be found next to one another."


def code(groups: Groups, name: str) -> Ints:
    """Code of a column of hashes or words for each row, NONE for null. Codes say equal or not, and nothing of order."""
    if ("code", name) not in groups.memo:
        column = groups.traffic.column(name).combine_chunks()
        array = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
        indices = array.take(pa.array(groups.calls)).dictionary_encode().indices
        groups.memo["code", name] = indices.fill_null(int(NONE)).to_numpy(zero_copy_only=False).astype(np.int64)
    found: Ints = groups.memo["code", name]
    return found


def number(groups: Groups, name: str) -> Floats:
    """A numeric or true-false column for each row, NaN for null."""
    column = pc.cast(groups.traffic.column(name).take(pa.array(groups.calls)), pa.float64())
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(), np.float64)


def pack(*columns: Ints) -> Ints:
    """One code for each row of several columns of codes (each NONE or more): equal rows have equal codes, and their order is that of the columns."""
    out = columns[0] + 1
    for column in columns[1:]:
        width = int(column.max(initial=0)) + 2
        if int(out.max(initial=0)) > np.iinfo(np.int64).max // width - 1:
            out = np.unique(out, return_inverse=True)[1].astype(np.int64)
        out = out * width + column + 1
    return out


def distinct(*columns: Ints) -> Ints:
    """The first row of each distinct combination, in the order of the combinations."""
    return np.unique(pack(*columns), return_index=True)[1].astype(np.int64)


def mean(count: int, label: Ints, values: Floats) -> Floats:
    """Mean of the values of each label; NaN where there is none."""
    n = np.bincount(label, minlength=count)
    return np.asarray(np.divide(np.bincount(label, weights=values, minlength=count), n, out=np.full(count, np.nan), where=n > 0), np.float64)


def median(count: int, label: Ints, values: Floats) -> Floats:
    """Median of the values of each label; NaN where there is none."""
    order = np.lexsort((values, label))
    n = np.bincount(label, minlength=count)
    start = np.cumsum(n) - n
    out = np.full(count, np.nan)
    some = n > 0
    ordered = values[order]
    out[some] = (ordered[(start + (n - 1) // 2)[some]] + ordered[(start + n // 2)[some]]) / 2
    return out


def kept(groups: Groups) -> Floats:
    """Share of each group's calls that the log keeps, on average over its kept calls; 1 where nothing is said."""
    if groups.traffic.column("sampled").null_count == groups.traffic.calls:
        return np.ones(groups.count)
    return np.nan_to_num(mean(groups.count, groups.label, np.nan_to_num(number(groups, "sampled"), nan=1.0)), nan=1.0)


def thinned(groups: Groups) -> Bools:
    """Groups of whose calls the log keeps less than half, on average: what follows what cannot be seen there."""
    return kept(groups) < KEPT


def next_calls(traffic: Traffic) -> Ints:
    """The call that follows each call in its conversation, NONE for the last: in a session where known, else of an account without a long pause."""
    found: Ints = traffic.once(_next_calls)
    return found


def _next_calls(traffic: Traffic) -> Ints:
    if not traffic.calls:
        return np.zeros(0, np.int64)
    whole = Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1)
    session, account, ts = code(whole, "session"), traffic.account, traffic.ts
    # Calls stand by account, time and id, so a stable order by conversation keeps those of each in time.
    order = np.argsort(pack(account, session), kind="stable")
    one, other = order[:-1], order[1:]
    same = (account[one] == account[other]) & (session[one] == session[other])
    same &= (session[one] != NONE) | (ts[other] - ts[one] <= PAUSE)
    out = np.full(traffic.calls, NONE)
    out[one[same]] = other[same]
    return out
