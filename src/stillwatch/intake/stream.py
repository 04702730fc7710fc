"""Bytes and lines of one file: plain, gzip or zstd by magic bytes, in blocks, never through a temporary file.

A stream that breaks off gives all that could be read before it breaks; a line longer than `LONGEST` is counted and
skipped without being held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.errors import UserError

LONGEST = 16 * 2**20
"Longest line that is read, bytes."

BLOCK = 2**20
"Bytes asked for at a time."

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

Damaged = Callable[[str], None]
"Called once, with the reason, when a stream breaks off."


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a log."""

    name: str
    "As the user named it: what errors and rejected records say."
    path: Path
    "Where it lies."
    begin: int = 0
    "First byte that is read, of a plain file of which the rest was read before."
    end: int | None = None
    "Byte before which reading ends; None: all there is."
    lines: int = 0
    "Lines before `begin`: so that a line keeps its number."


def compression(source: Source) -> str | None:
    """`gzip`, `zstd` or None, by the first bytes of the file; the suffix is not believed."""
    try:
        with source.path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", source.name, "check the path and its permissions") from error
    return next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), None)


def blocks(source: Source, damaged: Damaged) -> Iterator[bytes]:
    """The file's bytes, decompressed, without a UTF-8 byte order mark."""
    codec = compression(source)
    first = True
    for block in _blocks(source, codec, damaged):
        if first and block.startswith(b"\xef\xbb\xbf"):
            block = block[3:]
        first = False
        yield block


def _blocks(source: Source, codec: str | None, damaged: Damaged) -> Iterator[bytes]:
    given = 0
    try:
        with _opened(source, codec) as stream:
            while block := stream.read(BLOCK if source.end is None else min(BLOCK, source.end - source.begin - given)):
                given += len(block)
                yield block
        return
    except OSError:
        # Bad data is looked at below; a failing disk fails there again.
        pass
    rest, reason = _last_bytes(source, codec, given)
    yield from rest
    damaged(reason)


def _opened(source: Source, codec: str | None) -> Any:
    file = pa.OSFile(str(source.path), "rb")
    if source.begin:
        file.seek(source.begin)
    return pa.CompressedInputStream(file, codec) if codec else file


def _last_bytes(source: Source, codec: str | None, given: int) -> tuple[list[bytes], str]:
    """What lies between the last whole block and the break: read again in ever smaller bites."""
    rest: list[bytes] = []
    for bite in (2**12, 1):
        try:
            with _opened(source, codec) as stream:
                _skip(stream, given)
                while part := stream.read(bite):
                    rest.append(part)
                    given += len(part)
        except OSError:
            continue
    return rest, f"the {codec or 'file'} stream is truncated or damaged; what came before was used"


def _skip(stream: Any, count: int) -> None:
    while count and (part := stream.read(min(count, BLOCK))):
        count -= len(part)


def lines(parts: Iterable[bytes]) -> Iterator[tuple[int, list[bytes | None]]]:
    """Runs of lines without their newline, with the number of the first; None is a line longer than `LONGEST`."""
    number, size = 1, 0
    held: list[bytes] = []
    for part in parts:
        cut = part.rfind(b"\n")
        if cut < 0:
            size += len(part)
            held = [*held, part] if size <= LONGEST else []
            continue
        run: list[bytes | None] = list(part[:cut].split(b"\n"))
        size += len(run[0] or b"")
        run[0] = b"".join((*held, run[0] or b"")) if size <= LONGEST else None
        if len(part) > LONGEST:
            run = [line if line is None or len(line) <= LONGEST else None for line in run]
        yield number, run
        number += len(run)
        held = [part[cut + 1 :]]
        size = len(held[0])
    if size:
        yield number, [b"".join(held) if size <= LONGEST else None]
