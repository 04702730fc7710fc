"""Traffic: the marks of a log as columns of arrays over calls in one canonical order, for every room that looks at them.

A view, not a record: it adds nothing to the marks and holds no text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.records import MARKS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NONE = np.int64(-1)
"Code of a null."


def codes(column: pa.ChunkedArray | pa.Array) -> tuple[Ints, Ints]:
    """Dense codes (NONE for null) and the distinct values, ascending, of an int64 column."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    valid = np.asarray(array.is_valid())
    values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    distinct, inverse = np.unique(values[valid], return_inverse=True)
    out = np.full(len(array), NONE)
    out[valid] = inverse
    return out, distinct


def distinct_rows(*columns: Ints) -> tuple[tuple[Ints, ...], Ints]:
    """The distinct rows of some columns, in lexicographic order, and how often each occurs.

    The same as `np.unique(np.stack(columns), axis=1, return_counts=True)`, many times as fast: rows are packed into one
    number each, of columns too wide for that the codes.

    >>> distinct_rows(np.array([2, 1, 2]), np.array([5, 7, 5]))
    ((array([1, 2]), array([7, 5])), array([1, 2]))
    """
    if not len(columns[0]):
        return tuple(np.zeros(0, np.int64) for _ in columns), np.zeros(0, np.int64)
    names: list[Ints | None] = []
    packed, widths = np.zeros(len(columns[0]), np.int64), []
    sizes = [int(column.max()) - int(column.min()) + 1 for column in columns]
    wide = math.prod(sizes) >= 2**62
    for column in columns:
        distinct, code = np.unique(column, return_inverse=True) if wide else (None, column - column.min())
        names.append(distinct)
        widths.append(len(distinct) if distinct is not None else int(code.max()) + 1)
        if math.prod(widths) >= 2**62:
            return _by_sorting(columns)
        packed = packed * widths[-1] + code
    rows, counts = np.unique(packed, return_counts=True)
    out: list[Ints] = []
    for column, distinct, width in zip(reversed(columns), reversed(names), reversed(widths), strict=True):
        rows, code = np.divmod(rows, width)
        out.append(code + column.min() if distinct is None else distinct[code])
    return tuple(reversed(out)), counts.astype(np.int64)


def _by_sorting(columns: tuple[Ints, ...]) -> tuple[tuple[Ints, ...], Ints]:
    order = np.lexsort(columns[::-1])
    first = np.ones(len(order), np.bool_)
    first[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    at = np.flatnonzero(first)
    return tuple(column[order][at] for column in columns), np.diff(np.append(at, len(order))).astype(np.int64)


def merged(groups: int, left: Ints, right: Ints) -> Ints:
    """Components of `groups` nodes under the pairs (left, right); labels follow the smallest node of each."""
    graph = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(groups, groups))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(order[labels], np.int64)


@dataclass(frozen=True)
class Traffic:
    """Marks in canonical order (account, time, call). Everything else is derived from them."""

    marks: pa.Table
    "records.MARKS, sorted by account, ts, call; each call once."

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the marks, one value a call."""
        return self.marks.column(name)

    @cached_property
    def calls(self) -> int:
        """Number of calls."""
        return int(self.marks.num_rows)

    @cached_property
    def ts(self) -> Ints:
        """Time of each call, microseconds."""
        return np.asarray(self.column("ts").to_numpy(), np.int64)

    @cached_property
    def _accounts(self) -> tuple[Ints, Ints]:
        return codes(self.column("account"))

    @property
    def account(self) -> Ints:
        """Account code of each call."""
        return self._accounts[0]

    @property
    def accounts(self) -> Ints:
        """Keyed hash of each account, by code."""
        return self._accounts[1]

    @cached_property
    def starts(self) -> Ints:
        """First call of each account, and the number of calls at the end."""
        return np.searchsorted(self.account, np.arange(len(self.accounts) + 1)).astype(np.int64)

    @cached_property
    def prompt(self) -> Ints:
        """Exact-prompt code of each call, NONE where no content is kept."""
        return codes(self.column("prompt"))[0]

    def per_account(self, name: str) -> Ints:
        """The most frequent value of an int64 column of each account (the smallest of equals), NONE where never known."""
        return self._most_frequent(codes(self.column(name))[0])

    def _most_frequent(self, code: Ints) -> Ints:
        known = code != NONE
        pairs, counts = distinct_rows(self.account[known], code[known])
        out = np.full(len(self.accounts), NONE)
        order = np.lexsort((-pairs[1], counts, pairs[0]))
        out[pairs[0][order]] = pairs[1][order]
        return out

    @cached_property
    def org(self) -> Ints:
        """Visible organisation of each account, as a code. A call that does not tell it says nothing against those that do."""
        code, told = codes(self.column("org"))[0], pc.fill_null(self.column("org_known"), False).to_numpy()
        return self._most_frequent(np.where(told | ~self.org_known[self.account], code, NONE))

    @cached_property
    def org_known(self) -> Bools:
        """Whether the account's organisation is named by the log (and not the account standing for itself)."""
        known = np.zeros(len(self.accounts), np.bool_)
        flags = pc.fill_null(self.column("org_known"), False).to_numpy()
        known[self.account[flags]] = True
        return known

    @cached_property
    def payment(self) -> Ints:
        """Payment instrument of each account, as a code."""
        return self.per_account("payment")

    @cached_property
    def address(self) -> Ints:
        """The address that each account uses most, as a code."""
        return self.per_account("ip")

    @cached_property
    def unit(self) -> Ints:
        """The organisation that counts, of each account: one visible organisation or one payer is one unit."""
        n, org, payment = len(self.accounts), self.org, self.payment
        nodes = np.arange(n)
        paid = payment != NONE
        left = np.concatenate([nodes, nodes[paid]])
        right = np.concatenate([n + org, n + org.max(initial=0) + 1 + payment[paid]])
        total = int(n + org.max(initial=0) + 1 + payment.max(initial=0) + 1)
        labels = merged(total, left, right)[:n]
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def units(self) -> int:
        """Number of units."""
        return int(self.unit.max(initial=-1)) + 1

    @cached_property
    def unit_hash(self) -> Ints:
        """A name for each unit: the smallest keyed hash of its accounts."""
        out = np.full(self.units, np.iinfo(np.int64).max)
        np.minimum.at(out, self.unit, self.accounts)
        return out

    @cached_property
    def wordings(self) -> tuple[Ints, Ints]:
        """(offsets, values) of the wordings of every call; a call without content has none."""
        array = self.column("wordings").combine_chunks()
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), array.flatten().to_numpy()

    @cached_property
    def terms(self) -> tuple[Ints, Ints]:
        """(offsets, values) of the terms of every call."""
        array = self.column("terms").combine_chunks()
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), array.flatten().to_numpy()


def strangers(traffic: Traffic, accounts: Ints) -> int:
    """How many unrelated organisations the accounts are, counted conservatively.

    The least of: units (one visible organisation or one payer is one), and main addresses. An account whose address is
    unknown counts as one of its own.
    """
    units = len(np.unique(traffic.unit[accounts]))
    address = traffic.address[accounts]
    unknown = int((address == NONE).sum())
    return min(units, len(np.unique(address[address != NONE])) + unknown)


def from_rows(rows: Sequence[dict[str, Any]], schema: pa.Schema = MARKS) -> Traffic:
    """Traffic of a few rows of marks, for cases and examples: what a row leaves out is null, `call` counts up,
    `org` is the account, `org_known` False, `model` "m"."""
    full = []
    for i, row in enumerate(rows):
        defaults: dict[str, Any] = {"call": i, "ts": i, "org": row.get("account", 0), "org_known": False, "model": "m"}
        full.append({**dict.fromkeys(schema.names), **defaults, **row})
    table = pa.Table.from_pylist(full, schema=schema)
    return Traffic(table.sort_by([("account", "ascending"), ("ts", "ascending"), ("call", "ascending")]))
