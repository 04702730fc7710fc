"""CSV: a header with the canonical names; empty = null, a list = JSON in the cell."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake import columns, jsonlines
from stillwatch.intake.columns import BYTES, REAL, ROWS, TEXT, TRUTH, WHOLE, Column, Unusable
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects
from stillwatch.intake.mapping import Mapping
from stillwatch.intake.opening import cells, delimiter
from stillwatch.intake.stream import LONGEST, Source, blocks, lines
from stillwatch.records import Rejected

_WHOLE = r"^-?[0-9]+(\.0+)?$"
_REAL = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"

OPEN = "a quotation mark is left open"
"Reason of a record whose last quotation mark is missing."

SPAN = 10_000
"Lines that a quoted cell may span at most."


def recognises(opening: Opening) -> bool:
    """A first line that names every required column."""
    return opening.container == "text" and set(REQUIRED) <= set(opening.columns)


def fits(opening: Opening) -> bool:
    """A first line that names at least two columns."""
    return opening.container == "text" and len(opening.columns) > 1


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls. A record that is cut off, or of another width than the header, is rejected alone."""
    csv.field_size_limit(LONGEST)
    numbered = _numbered(source, reject)
    header, by = _header(source, numbered)
    numbers: list[int] = []
    rows: list[list[str]] = []
    size = 0
    for number, row, length in _rows(source, numbered, by, len(header), reject):
        numbers.append(number)
        rows.append(row)
        size += length
        if len(rows) >= ROWS or size >= BYTES:
            yield _batch(source, header, numbers, rows, mapping, reject)
            numbers, rows, size = [], [], 0
    if rows:
        yield _batch(source, header, numbers, rows, mapping, reject)


def _numbered(source: Source, reject: Reject) -> Iterator[tuple[int, bytes]]:
    for first, run in lines(blocks(source, lambda reason: reject(Rejected(source.name, None, reason)))):
        for number, line in enumerate(run, first):
            if line is None:
                reject(Rejected(source.name, number, jsonlines.OVERLONG))
            else:
                yield number, line.removesuffix(b"\r")


def _header(source: Source, numbered: Iterator[tuple[int, bytes]]) -> tuple[tuple[str, ...], str]:
    line = next(line for _, line in numbered if line.strip()).decode("utf-8")  # seen and found to be text when the format was recognised
    by = delimiter(line)
    header = cells(line, by)
    for name in header:
        if header.count(name) > 1 and name:
            raise UserError(f'column "{name}" stands twice in the header', source.name, "rename one of them")
    return header, by


def _rows(source: Source, numbered: Iterator[tuple[int, bytes]], by: str, width: int, reject: Reject) -> Iterator[tuple[int, list[str], int]]:
    """Records with the number of their first line and their length; they end at a line's end outside quotation marks.

    A mark that is never closed would swallow good records until the next mark in the file. So when a line with an odd
    number of marks and all that follows up to the next such line do not make a record together, only that first line
    is given up.
    """
    ahead: deque[tuple[int, bytes]] = deque()
    while first := ahead.popleft() if ahead else next(numbered, None):
        number, record = first
        if not record.strip():
            continue
        try:
            if record.count(b'"') % 2:
                record, row = _spanning(record, ahead, numbered, by, width)
            else:
                row = _row(record, by, width)
        except Unusable as error:
            reject(Rejected(source.name, number, str(error)))
            continue
        yield number, row, len(record)


def _spanning(record: bytes, ahead: deque[tuple[int, bytes]], numbered: Iterator[tuple[int, bytes]], by: str, width: int) -> tuple[bytes, list[str]]:
    """A record whose quoted cell holds line breaks; its lines are taken out of `ahead`. Raises `Unusable`."""
    parts, size = [record], len(record)
    for at in range(SPAN):
        if at == len(ahead):
            more = next(numbered, None)
            if more is None:
                break
            ahead.append(more)
        parts.append(ahead[at][1])
        size += len(parts[-1])
        if size > LONGEST:
            break
        if parts[-1].count(b'"') % 2:
            whole = b"\n".join(parts)
            try:
                row = _row(whole, by, width)
            except Unusable:
                break
            for _ in parts[1:]:
                ahead.popleft()
            return whole, row
    raise Unusable(OPEN)


def _row(record: bytes, by: str, width: int) -> list[str]:
    try:
        row = next(csv.reader((record.decode("utf-8"),), delimiter=by, strict=True))
    except UnicodeDecodeError:
        raise Unusable("the line is not valid UTF-8") from None
    except csv.Error:
        raise Unusable("the quotation marks or line breaks do not fit a cell") from None
    if len(row) != width:
        raise Unusable("the record has more or fewer cells than the header")
    return row


def _batch(source: Source, header: tuple[str, ...], numbers: list[int], rows: list[list[str]], mapping: Mapping, reject: Reject) -> pa.RecordBatch:
    held = dict(zip(header, zip(*rows, strict=True), strict=True))
    made: dict[str, Column] = {}
    for name in SCHEMA.names:
        theirs = mapping.columns.get(name)
        if theirs in held:
            made[name] = _column(name, held[theirs], mapping)
    return columns.batch(source.name, made, np.array(numbers, np.int64), reject)


def _column(name: str, given: tuple[str, ...], mapping: Mapping) -> Column:
    """Cells as their column's type; the empty cell is null."""
    if name in mapping.units:
        return jsonlines.mapped(name, [cell or None for cell in given], mapping)
    kind = SCHEMA.field(name).type
    texts = pa.array(given, TEXT)
    empty = pc.equal(pc.binary_length(texts), 0)
    texts = pc.if_else(empty, pa.scalar(None, TEXT), texts)
    if kind == TEXT:
        return columns.checked(name, texts)
    if kind == WHOLE:
        return _parsed(name, texts, _WHOLE)
    if kind == REAL:
        return _parsed(name, texts, _REAL)
    if kind == TRUTH:
        words = {"true": True, "false": False, "1": True, "0": False, "": None}
        return columns.from_values(name, [words.get(cell.lower(), "?") for cell in given])
    return columns.from_values(name, [_json(cell) if cell else None for cell in given])


def _parsed(name: str, texts: pa.Array, pattern: str) -> Column:
    like = pc.match_substring_regex(texts, pattern)
    wrong = columns.truth(pc.invert(like))
    kept = pc.if_else(like, texts, pa.scalar(None, TEXT)) if wrong.any() else texts
    faults = [(wrong, columns.wrong(name))] if wrong.any() else []
    if pattern == _WHOLE:
        kept = pc.replace_substring_regex(kept, r"\.0+$", "")
    try:
        array, more = columns.checked(name, kept.cast(SCHEMA.field(name).type))
    except pa.ArrowInvalid:  # a whole number beyond 64 bits
        array, more = columns.from_values(name, [None if each is None else int(each) for each in kept.to_pylist()])
    return array, faults + more


def _json(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


_HEADER = b"call_id,ts,account,model,input_tokens,temperature,stream,prompt,reasoning_in,colour\n"

FORMAT = Format(
    name="CSV",
    page="A header with the canonical names, then one record a line (a quoted cell may hold line breaks); an empty "
    "cell is null, a list is JSON in the cell, truth is true/false or 1/0. Comma, semicolon, tab or bar; plain, gzip "
    "or zstd.",
    suffix=".csv",
    order=60,
    flat=True,
    recognises=recognises,
    fits=fits,
    read=read,
    cases=(
        Reads(
            "quotes, a line break in a cell, empty cells as null, lists as JSON",
            lambda: (
                _HEADER
                + b'c1,1750000000000000,a1,m,7,0.5,TRUE,"two\nlines, ""quoted""","[""r1"",""r2""]",red\r\n'
                + b"c2,1750000000000001,a1,m,8.0,1e-1,0,,,\n"
            ),
            (
                {
                    "call_id": "c1",
                    "ts": 1750000000000000,
                    "account": "a1",
                    "model": "m",
                    "input_tokens": 7,
                    "temperature": 0.5,
                    "stream": True,
                    "prompt": 'two\nlines, "quoted"',
                    "reasoning_in": ["r1", "r2"],
                },
                {
                    "call_id": "c2",
                    "ts": 1750000000000001,
                    "account": "a1",
                    "model": "m",
                    "input_tokens": 8,
                    "temperature": 0.1,
                    "stream": False,
                },
            ),
        ),
        Rejects(
            "an open quotation mark costs one record, like every other fault",
            lambda: (
                _HEADER
                + b"c1,1750000000000000,a1,m,7,0.5,true,p,[],\n"
                + b'c2,1750000000000000,a1,m,7,0.5,true,"p,[],\n'
                + b"c3,1750000000000000,a1,m,7,0.5\n"
                + b"c4,1750000000000000,a1,m,seven,0.5,true,p,[],\n"
                + b"c5,1750000000000000,a1,m,7,nan,true,p,[],\n"
                + b"c6,1750000000000000,a1,m,99999999999999999999,1,true,p,[],\n"
                + b"c7,1750000000000000,a1,m,7,1,maybe,p,[],\n"
                + b"c8,1750000000000000,a1,m,7,1,true,p,r1,\n"
                + b"c9,1750000000000000,a1,m,7,1,true,\xff,[],\n"
                + b"c10,1750000000000000,a1,m,7.0.0,1,true,p,[],\n"
                + b"c11,1750000000000000,a1,m,7,1,true,p,[],\n"
            ),
            (
                (3, OPEN),
                (4, "the record has more or fewer cells than the header"),
                (5, "input_tokens is not a whole number"),
                (6, "temperature is not a number"),
                (7, "input_tokens is beyond 64 bits"),
                (8, "stream is not true or false"),
                (9, "reasoning_in is not a list of texts"),
                (10, "the line is not valid UTF-8"),
                (11, "input_tokens is not a whole number"),
            ),
            left=2,
        ),
    ),
)
