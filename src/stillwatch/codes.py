"""Columns of 64-bit values as dense codes, distinct rows, and what hangs together: the arithmetic that every look at calls is made of."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

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


def stands_in(values: Ints, known: Ints) -> Bools:
    """Of each value, whether it is among some (ascending)."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    return np.asarray(known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values)


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
