"""Canonical Parquet: columns under the canonical names, any type that holds the same values without loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake import columns, jsonlines
from stillwatch.intake.columns import REAL, ROWS, TEXT, TEXTS, TRUTH, WHOLE, Column, Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects
from stillwatch.intake.mapping import Mapping
from stillwatch.intake.opening import BROKEN, parquet
from stillwatch.intake.stream import Source, lost
from stillwatch.intake.times import BOUNDS
from stillwatch.records import Rejected

IDENTIFIERS = ("call_id", "account", "org", "key", "end_user", "session", "upstream_id", "payment", "headers")
"Columns that may be whole numbers: where a whole column is of one type, its digits are its text."


def recognises(opening: Opening) -> bool:
    """Parquet with every required column."""
    return opening.container == "parquet" and set(REQUIRED) <= set(opening.columns)


def fits(opening: Opening) -> bool:
    """Any Parquet."""
    return opening.container == "parquet"


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls, only the columns that are wanted.

    An optional column of a type that cannot be used is null and is reported once, without a row; in a required column
    every row is rejected. What lies before a damaged part of the file is used.
    """
    wanted = {ours: theirs for ours, theirs in mapping.columns.items() if theirs in opening.columns}
    for theirs in wanted.values():
        if opening.columns.count(theirs) > 1:
            raise UserError(f'column "{theirs}" stands twice in the file', source.name, "rename one of them")
    row, reported = 1, set[str]()
    for part in _batches(source, sorted(set(wanted.values())), reject):
        made: dict[str, Column] = {}
        for ours, theirs in wanted.items():
            try:
                made[ours] = column(ours, part.column(theirs), mapping)
            except Unusable as error:
                made[ours] = _unusable(source, ours, str(error), len(part), reported, reject)
        numbers = np.arange(row, row + len(part), dtype=np.int64)
        row += len(part)
        yield columns.batch(source.name, made, numbers, reject)


def _batches(source: Source, wanted: list[str], reject: Reject) -> Iterator[pa.RecordBatch]:
    """The file in pieces, up to where it is damaged."""
    rows = 0
    try:
        with parquet(source) as file:
            for part in file.iter_batches(batch_size=ROWS, columns=wanted):
                # Very long texts: smaller pieces, so that no column outgrows 32-bit offsets and memory stays level.
                pieces = max(1, min(len(part), part.nbytes // (8 * columns.BYTES)))
                step = -(-len(part) // pieces) or 1
                for start in range(0, len(part), step):
                    yield part.slice(start, step)
                rows += len(part)
    except BROKEN as error:
        lost(source, error)
        reason = f"the Parquet file is damaged after row {rows}; what came before was used"
        reject(Rejected(source.name, None, reason))


def _unusable(source: Source, name: str, reason: str, rows: int, reported: set[str], reject: Reject) -> Column:
    nulls = pa.nulls(rows, SCHEMA.field(name).type)
    if name in REQUIRED:
        return nulls, [(np.ones(rows, np.bool_), reason)]
    if name not in reported:
        reported.add(name)
        reject(Rejected(source.name, None, f"column {reason}; read as unknown"))
    return nulls, []


def column(name: str, array: pa.Array, mapping: Mapping) -> Column:
    """A column of a file as the schema has it. Raises `Unusable` when no value of its type could be used."""
    kind, given = SCHEMA.field(name).type, array.type
    if pa.types.is_dictionary(given):
        return column(name, array.dictionary_decode(), mapping)
    if pa.types.is_timestamp(given) and name in BOUNDS:
        # Parts of a microsecond are below what a log can tell.
        return columns.checked(name, array.cast(pa.timestamp("us", given.tz), safe=False).cast(WHOLE))
    if name in mapping.units:
        return jsonlines.mapped(name, array.to_pylist(), mapping)
    if pa.types.is_null(given):
        return columns.checked(name, pa.nulls(len(array), kind))
    if (name in IDENTIFIERS or (kind == TEXT and mapping.loose)) and pa.types.is_integer(given):
        return columns.checked(name, array.cast(TEXT))
    if kind == TEXT and _is_text(given):
        return _text(name, array)
    if kind == WHOLE and (pa.types.is_integer(given) or pa.types.is_floating(given)):
        return _exactly(name, array, WHOLE)
    if kind == REAL and (pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_decimal(given)):
        return _exactly(name, array, REAL)
    if kind == TRUTH and pa.types.is_boolean(given):
        return array, []
    if kind == TEXTS and _is_list(given) and _is_text(given.value_type):
        try:
            plain = array.cast(TEXTS)
            plain.validate(full=True)
        except pa.ArrowInvalid:
            return columns.from_values(name, [_decoded_list(each) for each in array])
        return columns.checked(name, plain)
    raise Unusable(f"{columns.wrong(name)} (it is {_short(given)})")


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _short(kind: pa.DataType) -> str:
    return str(kind) if not pa.types.is_nested(kind) else str(kind).split("<", 1)[0]


def _text(name: str, array: pa.Array) -> Column:
    try:
        plain = array if array.type == TEXT else array.cast(TEXT)
        plain.validate(full=True)
        return columns.checked(name, plain)
    except pa.ArrowInvalid:
        return _decoded(name, array)


def _decoded(name: str, array: pa.Array) -> Column:
    """The slow way for a column in which some text is not UTF-8."""
    broken = np.zeros(len(array), np.bool_)
    kept: list[str | None] = []
    for row, each in enumerate(array):
        try:
            kept.append(None if not each.is_valid else each.as_buffer().to_pybytes().decode("utf-8"))
        except UnicodeDecodeError:
            broken[row] = True
            kept.append("?")
    plain, faults = columns.checked(name, pa.array(kept, TEXT))
    return plain, [(broken, f"{name} is not valid UTF-8"), *faults]


def _decoded_list(row: pa.Scalar) -> list[object] | None:
    """A list with what is not UTF-8 as bytes, which no text is."""
    if not row.is_valid:
        return None
    held = []
    for each in row.values:
        raw = each.as_buffer().to_pybytes() if each.is_valid else b""
        try:
            held.append(raw.decode("utf-8"))
        except UnicodeDecodeError:
            held.append(raw)
    return held


def _exactly(name: str, array: pa.Array, kind: pa.DataType) -> Column:
    try:
        return columns.checked(name, array if array.type == kind else array.cast(kind))
    except pa.ArrowInvalid:
        values = [float(each) if each is not None and kind == REAL else each for each in array.to_pylist()]
        return columns.from_values(name, values)


def _file(**replaced: pa.Array) -> bytes:
    """A Parquet file of three calls, for the cases."""
    held = {
        "call_id": pa.array(["c1", "c2", "c3"]),
        "ts": pa.array([1750000000000000] * 3),
        "account": pa.array(["a1", "a2", "a2"]),
        "model": pa.array(["m"] * 3),
        "colour": pa.array(["red"] * 3),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({**held, **replaced}), sink)
    return bytes(sink.getvalue())


_CALLS = tuple({"call_id": call, "ts": 1750000000000000, "account": account, "model": "m"} for call, account in (("c1", "a1"), ("c2", "a2"), ("c3", "a2")))

FORMAT = Format(
    name="Parquet",
    page="Columns under the canonical names. Other types are taken where they hold the same values: integers of any "
    "width, timestamps, dictionaries, large strings, UTF-8 in binary, integers as identifiers. Packed in gzip or "
    "zstd it is unpacked in memory, up to 2 GiB.",
    suffix=".parquet",
    order=10,
    flat=True,
    recognises=recognises,
    fits=fits,
    read=read,
    cases=(
        Reads("the canonical types", _file, _CALLS),
        Reads(
            "other types without loss",
            lambda: _file(
                call_id=pa.array(["c1", "c2", "c3"], pa.large_string()),
                org=pa.array([7, None, 8], pa.uint16()),
                ts=pa.array([1750000000000000] * 3, pa.timestamp("us", "UTC")),
                account=pa.array([b"a1", b"a2", b"a2"], pa.binary()),
                model=pa.array(["m"] * 3).dictionary_encode(),
                input_tokens=pa.array([7, None, 7], pa.int32()),
                turns=pa.array([1.0, 1.0, None]),
            ),
            (
                {**_CALLS[0], "input_tokens": 7, "turns": 1, "org": "7"},
                {**_CALLS[1], "turns": 1},
                {**_CALLS[2], "input_tokens": 7, "org": "8"},
            ),
        ),
        Rejects(
            "row by row where values are at fault, once where an optional column is",
            lambda: _file(
                account=pa.array([b"a1", b"\xff", None], pa.binary()),
                prompt=pa.array([1, 2, 3]),
                tools=pa.array([1.5, 0.0, 0.0]),
            ),
            (
                (None, "column prompt is not text (it is int64); read as unknown"),
                (1, "tools is not a whole number"),
                (2, "account is not valid UTF-8"),
                (3, "account is missing or empty"),
            ),
            left=0,
        ),
    ),
)
