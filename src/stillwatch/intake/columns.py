"""Columns of any origin -> checked batches of LogCalls; what cannot be used becomes `Rejected`, row by row.

The same checks hold for every format: types are those of the schema, times lie in believable years, counts are not
negative, floats are finite, the empty text is unknown. A fast path works on whole columns; `value` is the slow
and obvious definition for a single JSON value, used wherever a column does not fit at once and as the tests' twin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.intake.times import BOUNDS, outside
from stillwatch.records import Rejected

ROWS = 16_384
"Calls of a batch, at most."

BYTES = 32 * 2**20
"Bytes of log that make a batch, about: long calls make shorter batches."

Mask = npt.NDArray[np.bool_]
Fault = tuple[Mask, str]
"Rows that cannot be used, and why."
Column = tuple[pa.Array, list[Fault]]
"A column of the schema's type, and its faults."

TEXT, WHOLE, REAL, TRUTH, TEXTS = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.list_(pa.string())

_SAYS = {
    TEXT: "is not text",
    WHOLE: "is not a whole number",
    REAL: "is not a number",
    TRUTH: "is not true or false",
    TEXTS: "is not a list of texts",
}
_PYTHON: dict[pa.DataType, set[type]] = {
    TEXT: {str}, WHOLE: {int}, REAL: {float, int}, TRUTH: {bool}, TEXTS: {list},
}  # fmt: skip
_MOST = 2**63 - 1

SHARES = frozenset({"sampled"})
"Columns of shares: above 0, for what is not kept does not stand in a log, and at most 1."

NO_SHARE = "{} is no share above 0 and up to 1"

# Typed once: of a bare number Arrow infers the type at every call, which costs more than the comparison.
_ZERO, _NO_BYTES, _FALSE = pa.scalar(0, WHOLE), pa.scalar(0, pa.int32()), pa.scalar(False)
_BOUNDS = {name: (pa.scalar(low, WHOLE), pa.scalar(high, WHOLE)) for name, (low, high) in BOUNDS.items()}


class Unusable(Exception):
    """A value that its column cannot hold; the text says why, never what."""


def wrong(name: str) -> str:
    """The reason given for a value of another type than the column's."""
    return f"{name} {_SAYS[SCHEMA.field(name).type]}"


def value(name: str, given: object) -> Any:
    """One JSON value as its column holds it. Raises `Unusable`."""
    kind = SCHEMA.field(name).type
    if given is None or given == "":
        if name in REQUIRED:
            raise Unusable(f"{name} is missing or empty")
        if given is None or kind == TEXT:
            return None
    if type(given) not in _PYTHON[kind] and not (kind == WHOLE and type(given) is float):
        raise Unusable(wrong(name))
    if kind == WHOLE:
        return _whole(name, given)
    if kind == REAL:
        return _real(name, given)
    if kind == TEXTS:
        return _texts(name, given)
    return given


def _whole(name: str, given: Any) -> int:
    if isinstance(given, float):
        if abs(given) > _MOST:
            raise Unusable(f"{name} is beyond 64 bits")
        if not math.isfinite(given) or given != int(given):
            raise Unusable(wrong(name))
        given = int(given)
    if not -_MOST - 1 <= given <= _MOST:
        raise Unusable(f"{name} is beyond 64 bits")
    if name in BOUNDS:
        if reason := outside(name, given):
            raise Unusable(reason)
    elif given < 0:
        raise Unusable(f"{name} is negative")
    return int(given)


def _real(name: str, given: Any) -> float:
    if not math.isfinite(float(given)):
        raise Unusable(f"{name} is not finite")
    if name in SHARES and not 0 < given <= 1:
        raise Unusable(NO_SHARE.format(name))
    return float(given)


def _texts(name: str, given: Any) -> list[str]:
    for each in given:
        if each is None or each == "":
            raise Unusable(f"{name} has an empty element")
        if type(each) is not str:
            raise Unusable(wrong(name))
    return list(given)


def from_values(name: str, values: Sequence[Any]) -> Column:
    """A column of JSON values: at once where all are of the column's type, else one by one."""
    kind = SCHEMA.field(name).type
    if set(map(type, values)) <= _PYTHON[kind] | {type(None)}:
        try:
            return checked(name, pa.array(values, type=kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass
    return one_by_one(name, values)


def one_by_one(name: str, values: Sequence[Any]) -> Column:
    """`from_values` without the short cut: each value by `value`."""
    kept: list[Any] = []
    reasons: dict[str, Mask] = {}
    for row, given in enumerate(values):
        try:
            kept.append(value(name, given))
        except Unusable as error:
            kept.append(None)
            reasons.setdefault(str(error), np.zeros(len(values), np.bool_))[row] = True
    return pa.array(kept, type=SCHEMA.field(name).type), [(mask, reason) for reason, mask in reasons.items()]


def checked(name: str, array: pa.Array) -> Column:
    """The checks that follow the type, on a whole column of the schema's type."""
    kind = array.type
    faults: list[Fault] = []
    if kind == TEXT and len(array) - array.null_count:
        empty = pc.equal(pc.binary_length(array), _NO_BYTES)
        if pc.any(empty).as_py():
            array = pc.if_else(empty, pa.scalar(None, TEXT), array)
    elif name in BOUNDS:
        low, high = _BOUNDS[name]
        mask = truth(pc.or_(pc.less(array, low), pc.greater_equal(array, high)))
        faults += _told(array, mask, lambda each: outside(name, each) or "")
    elif kind == WHOLE:
        faults.append((truth(pc.less(array, _ZERO)), f"{name} is negative"))
    elif kind == REAL:
        faults.append((truth(pc.invert(pc.is_finite(array))), f"{name} is not finite"))
        if name in SHARES:
            faults.append((truth(pc.or_(pc.less_equal(array, 0.0), pc.greater(array, 1.0))), NO_SHARE.format(name)))
    elif kind == TEXTS:
        inner, parents = array.flatten(), pc.list_parent_indices(array)
        hollow = truth(pc.or_kleene(pc.is_null(inner), pc.equal(pc.binary_length(inner), _NO_BYTES)))
        mask = np.zeros(len(array), np.bool_)
        mask[np.asarray(parents)[hollow]] = True
        faults.append((mask, f"{name} has an empty element"))
    if name in REQUIRED and array.null_count:
        faults.append((truth(array.is_null()), f"{name} is missing or empty"))
    return array, [fault for fault in faults if fault[0].any()]


def _told(array: pa.Array, mask: Mask, why: Callable[[int], str]) -> list[Fault]:
    reasons: dict[str, Mask] = {}
    for row in np.flatnonzero(mask):
        reasons.setdefault(why(array[int(row)].as_py()), np.zeros(len(array), np.bool_))[row] = True
    return [(rows, reason) for reason, rows in reasons.items()]


def truth(array: pa.Array) -> Mask:
    """An Arrow boolean array as a NumPy mask; null is False."""
    filled = pc.fill_null(array, _FALSE) if array.null_count else array
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.bool_)


def batch(file: str, columns: dict[str, Column], numbers: npt.NDArray[np.int64], reject: Callable[[Rejected], None]) -> pa.RecordBatch:
    """The usable rows as a batch of the schema; each other row is rejected once, for its first reason in schema order.

    `numbers` are the lines (or rows) of the records, from 1. Columns that are not given are null.
    """
    rows = len(numbers)
    arrays: list[pa.Array] = []
    first = np.full(rows, -1, np.int64)
    reasons: list[str] = []
    for field in SCHEMA:
        if field.name not in columns:
            columns[field.name] = checked(field.name, pa.nulls(rows, field.type))
        array, faults = columns[field.name]
        arrays.append(array)
        for mask, reason in faults:
            first[mask & (first < 0)] = len(reasons)
            reasons.append(reason)
    for row in np.flatnonzero(first >= 0):
        reject(Rejected(file, int(numbers[row]), reasons[first[row]]))
    if not reasons:
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    # Required columns may hold nulls until the rejected rows are gone.
    loose = pa.RecordBatch.from_arrays(arrays, names=SCHEMA.names).filter(pa.array(first < 0))
    return pa.RecordBatch.from_arrays(loose.columns, schema=SCHEMA)
