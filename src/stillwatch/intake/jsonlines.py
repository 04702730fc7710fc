"""JSON Lines -> objects with their line numbers, in runs of about a batch; broken lines are rejected on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from stillwatch.calls import SCHEMA
from stillwatch.intake import columns
from stillwatch.intake.columns import BYTES, ROWS, Column
from stillwatch.intake.mapping import Mapping
from stillwatch.intake.stream import LONGEST, Source, blocks, lines
from stillwatch.intake.times import BOUNDS, YEARS, moment
from stillwatch.records import Rejected

Reject = Callable[[Rejected], None]
Run = tuple[npt.NDArray[np.int64], list[dict[str, Any]]]
"Line numbers, and the objects on them."

Shape = Callable[[dict[str, Any]], dict[str, Any]]
"What is kept of an object."

WIDE = 2 * 2**20
"A line of so many bytes ends its run: as objects it may take twenty times the memory."

OVERLONG = f"the line is longer than {LONGEST // 2**20} MiB"


def parsed(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises `Unusable` with the reason."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise columns.Unusable(_reason(error.msg)) from None
    if not isinstance(record, dict):
        raise columns.Unusable("the line is JSON, but not an object")
    return record


def _reason(message: str) -> str:
    if "UTF-8" in message:
        return "the line is not valid UTF-8"
    if "depth" in message or "recursion" in message:
        return "the JSON is nested too deeply"
    if "infinity" in message:
        return "a number is beyond what can be held"
    if "end of" in message or "EOF" in message:
        return "the JSON breaks off"
    return "the line is not valid JSON"


def objects(source: Source, once: Collection[str], shape: Shape, reject: Reject) -> Iterator[Run]:
    """Runs of objects in the shape that the format gives them; what `shape` raises as `Unusable` is rejected.

    A line that names a field of `once` twice is ambiguous and therefore rejected. Objects are shaped line by line, so
    that what a format does not want is not held until the run is full.
    """
    marks = tuple(b'"' + name.encode() + b'"' for name in once)
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    size = 0
    for first, run in lines(blocks(source, lambda reason: reject(Rejected(source.name, None, reason)))):
        for number, line in enumerate(run, first):
            if line is None:
                reject(Rejected(source.name, number, OVERLONG))
                continue
            try:
                record = shape(parsed(line))
                if any(line.count(mark) > 1 for mark in marks):
                    _refuse_repeats(line, once)
            except columns.Unusable as error:
                if line.strip():
                    reject(Rejected(source.name, number, str(error)))
                continue
            numbers.append(number)
            records.append(record)
            size += len(line)
            if len(records) >= ROWS or size >= BYTES or len(line) >= WIDE:
                yield np.array(numbers, np.int64), records
                numbers, records, size = [], [], 0
    if records:
        yield np.array(numbers, np.int64), records


def _refuse_repeats(line: bytes, once: Collection[str]) -> None:
    names: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names[:] = [name for name, _ in pairs]

    try:
        json.loads(line, object_pairs_hook=note)  # the outermost object is noted last
    except RecursionError:
        raise columns.Unusable("the JSON is nested too deeply") from None
    for name in once:
        if names.count(name) > 1:
            raise columns.Unusable(f"{name} is given twice")


def batch(source: Source, run: Run, mapping: Mapping, reject: Reject) -> pa.RecordBatch:
    """A run of flat objects as LogCalls, under the map's names."""
    numbers, records = run
    made: dict[str, Column] = {}
    for name in SCHEMA.names:
        theirs = mapping.columns.get(name)
        if theirs is None:
            continue
        values = [record.get(theirs) for record in records]
        made[name] = mapped(name, values, mapping)
    return columns.batch(source.name, made, numbers, reject)


def mapped(name: str, values: list[Any], mapping: Mapping) -> Column:
    """A column of JSON values, as the map says that they are to be understood."""
    unit = mapping.units.get(name)
    if unit is not None:
        return _moments(name, values, unit)
    if mapping.loose and SCHEMA.field(name).type == columns.TEXT:
        values = [str(each) if type(each) is int else each for each in values]
    return columns.from_values(name, values)


def _moments(name: str, values: list[Any], unit: str) -> Column:
    low, high = BOUNDS[name]
    made = [moment(each, unit) for each in values]
    kept = [each if each is not None and low <= each < high else None for each in made]
    strange = np.array([was is not None and now is None for was, now in zip(values, made, strict=True)], np.bool_)
    outside = np.array([was is not None and now is None for was, now in zip(made, kept, strict=True)], np.bool_)
    array, faults = columns.from_values(name, kept)
    said = f'when read in the map\'s unit "{unit}"'
    told = [(strange, f"{name} is no moment {said}"), (outside, f"{name} lies outside {YEARS[name]} {said}")]
    return array, [*(fault for fault in told if fault[0].any()), *faults]
