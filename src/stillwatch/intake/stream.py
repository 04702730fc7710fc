"""Bytes and lines of one file or object: plain, gzip or zstd by magic bytes, in blocks, never through a temporary file.

A stream that breaks off gives all that could be read before it breaks; a line longer than `LONGEST` is counted and
skipped without being held in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from stillwatch.errors import UserError

LONGEST = 16 * 2**20
"Longest line that is read, bytes."

BLOCK = 2**20
"Bytes asked for at a time."

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

Damaged = Callable[[str], None]
"Called once, with the reason, when a stream breaks off."


class Away(Protocol):
    """A file that does not lie on this machine. Where its place fails, reading raises UserError: what is lost on the way is no damage of the log."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def head(self) -> bytes:
        """The first of them, asked for once. Raises UserError."""

    def stream(self) -> Any:
        """The file from its beginning, anew each time."""

    def file(self) -> pa.NativeFile:
        """The file for reading in any order, piece by piece; errors of the place come as they are."""

    def refused(self, error: Exception) -> UserError | None:
        """What is to be told where an error of `file` is the place's; None where the file itself is damaged."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a log."""

    name: str
    "As the user named it: what errors and rejected records say."
    path: Path
    "Where it lies; of a file that lies elsewhere its name."
    away: Away | None = None
    "The file, where it lies elsewhere."
    among: str = ""
    "The folder or glob in which it was found; empty for a file that was named itself."
    begin: int = 0
    "First byte that is read, of a plain file of which the rest was read before."
    end: int | None = None
    "Byte before which reading ends; None: all there is."
    lines: int = 0
    "Lines before `begin`: so that a line keeps its number."

    @property
    def size(self) -> int:
        """Bytes, packed."""
        return self.path.stat().st_size if self.away is None else self.away.size


def shown(path: str | os.PathLike[str]) -> str:
    """A path that can be printed and written down: bytes of a name that are not UTF-8 stand escaped.

    >>> shown("log"), shown(os.fsdecode(b"log-\xff"))
    ('log', 'log-\\\\xff')
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def compression(source: Source) -> str | None:
    """`gzip`, `zstd` or None, by the first bytes of the file; the suffix is not believed."""
    try:
        if source.away is not None:
            head = source.away.head
        else:
            with source.path.open("rb") as file:
                head = file.read(4)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", source.name, "check the path and its permissions") from error
    return next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), None)


def seekable(source: Source) -> pa.NativeFile:
    """The file as it lies, for reading in any order."""
    # A name that is not UTF-8 is only taken as bytes.
    return pa.OSFile(os.fsencode(source.path), "rb") if source.away is None else source.away.file()


def lost(source: Source, error: Exception) -> None:
    """Raise what is to be told where an error in reading was its place's and no damage of the file."""
    told = source.away.refused(error) if source.away is not None else None
    if told is not None:
        raise told from error


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
    file = seekable(source) if source.away is None else source.away.stream()
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
