"""A first look at a file: its container and the names in it, from which formats recognise themselves."""

from __future__ import annotations

import contextlib
import csv
import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UserError
from stillwatch.intake.columns import Unusable
from stillwatch.intake.declare import Opening
from stillwatch.intake.jsonlines import parsed
from stillwatch.intake.stream import Source, blocks, compression, lines, lost, seekable

HEAD = 4096
"First bytes that a format may look at."

RECORDS = 100
"Objects that are looked at."

ENOUGH = 2 * 2**20
"Bytes after which no further object is looked at."

FAR = 64 * 2**20
"Bytes after which the search for a first object ends: a log may begin with rubbish."

MOST_PARQUET = 2 * 2**30
"Largest Parquet file that is unpacked from gzip or zstd: it must lie in memory whole, its index stands at the end."

AHEAD = 64 * 2**20
"Largest Parquet file elsewhere whose wanted columns are fetched together; of a larger one each column of each row group by itself."

NAME = re.compile(r"(?:[^\W\d][\w .:/()#%-]{0,63})?")
"What a column may be called, for a first line to count as a header; cells may be empty."

BROKEN = (pa.ArrowException, OSError, ValueError)
"What the Parquet reader raises over a damaged file; names that are not UTF-8 give a bare ValueError."


def look(source: Source) -> Opening:
    """What the first bytes, lines and names of a file are. Raises UserError when it cannot be opened."""
    if not source.size:
        return Opening("empty")
    reasons: list[str] = []
    head = next(blocks(source, reasons.append), b"")
    if not head.strip():
        rest = b"".join(block.strip() for block in blocks(source, reasons.append)) if head else b""
        if not rest:
            return Opening("damaged", reason=reasons[0]) if reasons else Opening("empty")
    if head.startswith(b"PAR1"):
        return _parquet(source)
    return replace(_text(source), head=head[:HEAD])


def parquet(source: Source) -> pq.ParquetFile:
    """The file opened as Parquet, unpacked in memory where it is compressed.

    Raises one of `BROKEN` when it is damaged.
    """
    if compression(source) is None:
        # What lies elsewhere comes in few, long pieces, as long as they may be held together.
        return pq.ParquetFile(seekable(source), pre_buffer=source.away is not None and source.size <= AHEAD)
    parts, size = [], 0
    for block in blocks(source, lambda _: None):
        size += len(block)
        if size > MOST_PARQUET:
            raise UserError("a compressed Parquet file of more than 2 GiB", source.name, "unpack it first")
        parts.append(block)
    return pq.ParquetFile(pa.BufferReader(b"".join(parts)))


def _parquet(source: Source) -> Opening:
    try:
        with parquet(source) as file:
            return Opening("parquet", tuple(file.schema_arrow.names))
    except BROKEN as error:
        lost(source, error)
        return Opening("damaged", reason="the Parquet file is truncated or damaged: its index at the end cannot be read")


def _text(source: Source) -> Opening:
    records: list[dict[str, object]] = []
    first: bytes | None = None
    passed = 0
    for _, run in lines(blocks(source, lambda _: None)):
        for line in run:
            if line is None or not line.strip():
                continue
            passed += len(line)
            first = first if first is not None else line.strip()
            with contextlib.suppress(Unusable):
                records.append(parsed(line))
            if len(records) == RECORDS or (records and passed > ENOUGH):
                break
        if len(records) == RECORDS or passed > (ENOUGH if records else FAR):
            break
    # Of an array that is spread over lines only the last line is an object: others end in a comma.
    if first == b"[" and len(records) < 2:
        return Opening("array")
    if records:
        return Opening("json", tuple(dict.fromkeys(name for record in records for name in record)), tuple(records))
    if first is None or first.startswith(b"{"):
        return Opening("json")
    if first.startswith(b"["):
        return Opening("array")
    try:
        header = first.decode("utf-8")
    except UnicodeDecodeError:
        return Opening("binary")
    if "\0" in header:
        return Opening("binary")
    names = cells(header, delimiter(header))
    # Without a header the first line is a record, and what stands in it must not reach any message.
    return Opening("text", names if all(NAME.fullmatch(each) for each in names) and any(names) else ())


def delimiter(header: str) -> str:
    """Comma, unless another usual one cuts the header into more names."""
    return max(",;\t|", key=lambda each: len(cells(header, each)))


def cells(line: str, by: str) -> tuple[str, ...]:
    """The cells of a header."""
    try:
        return tuple(cell.strip() for cell in next(csv.reader([line], delimiter=by)))
    except (csv.Error, StopIteration):
        return ()
