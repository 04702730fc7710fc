"""What is new in files and folders since they were last looked at, in portions of about the same size.

A file is complete when it appears: write it elsewhere and rename it. A file that changes is read anew, whole; its calls have been read, and calls count once. Plain
JSON Lines alone may grow: they are read from where they were, whole lines; a last line without its newline counts as soon as it is one JSON object. Where
the beginning is another, or the file is shorter than what was read, the file was replaced and is read from the start.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stillwatch.errors import UserError
from stillwatch.intake.columns import Unusable
from stillwatch.intake.jsonlines import parsed
from stillwatch.intake.opening import look
from stillwatch.intake.read import files
from stillwatch.intake.stream import LONGEST, Source, compression

HEAD = 4096
"First bytes by which a file that was replaced is told from one that grew."

PORTION = 64 * 2**20
"Bytes of a portion, about: files that do not grow are never split."


@dataclass(frozen=True)
class Seen:
    """How far a file was read."""

    read: int
    "Bytes."
    lines: int
    "Lines in them."
    head: str
    "Digest of its first bytes, of a file that grows; empty otherwise."
    changed: int
    "When it was last changed, nanoseconds, of a file that does not grow."


Ledger = Mapping[str, Seen]
"Where a file lies -> how far it was read."


def listed(sources: Sequence[str]) -> list[Source]:
    """The files that the sources name now. A folder or a pattern may be empty for now. Raises: UserError for a name that nothing has."""
    found: dict[str, Source] = {}
    for each in sources:
        try:
            inside = files([each])
        except UserError:
            if not (os.path.isdir(each) or glob.has_magic(each)):
                raise
            continue
        for source in inside:
            if not isinstance(source, Source) or source.away is not None:
                raise UserError("lies elsewhere, and only files on this machine are followed", each, "fetch its objects into a folder, or scan it")
            found[os.path.realpath(source.path)] = source
    return sorted(found.values(), key=lambda source: source.name)


def portions(sources: Sequence[str], seen: Ledger, resting: Mapping[str, tuple[int, int]] | None) -> Iterator[tuple[list[Source], dict[str, Seen]]]:
    """What is new, in order of names: what to read together, and how far the files are read then.

    `resting`: (size, time of change) of files at an earlier look; a file that does not grow is read only when it is still as it was. None: there is no
    later look, and files are complete.
    """
    batch: list[Source] = []
    after: dict[str, Seen] = {}
    size = 0
    for source in listed(sources):
        for portion, then in _new(source, seen.get(os.path.realpath(source.path)), resting):
            weight = then.read - portion.begin
            if batch and size + weight > PORTION:
                yield batch, after
                batch, after, size = [], {}, 0
            batch.append(portion)
            after[os.path.realpath(source.path)] = then
            size += weight
    if batch:
        yield batch, after


def state(sources: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(size, time of change) of every file now."""
    found = {}
    for source in listed(sources):
        status = os.stat(source.path)
        found[os.path.realpath(source.path)] = status.st_size, status.st_mtime_ns
    return found


def unfinished(sources: Sequence[str], seen: Ledger) -> int:
    """Files that end within a line that is no record yet."""
    return sum(1 for source in listed(sources) if (mine := seen.get(os.path.realpath(source.path))) and mine.head and os.stat(source.path).st_size > mine.read)


def _new(source: Source, seen: Seen | None, resting: Mapping[str, tuple[int, int]] | None) -> Iterator[tuple[Source, Seen]]:
    status = os.stat(source.path)
    now = status.st_size, status.st_mtime_ns
    if not status.st_size or (seen is not None and not seen.head and (seen.read, seen.changed) == now):
        return
    grew = seen is not None and seen.head and seen.read <= status.st_size and _head(source, min(HEAD, seen.read)) == seen.head
    if not grew and (compression(source) is not None or look(source).container != "json"):
        if resting is None or resting.get(os.path.realpath(source.path)) == now:
            yield source, Seen(now[0], 0, "", now[1])
        return
    seen = seen if seen is not None and grew else Seen(0, 0, "", 0)
    while seen.read < status.st_size:
        end, lines = _whole_lines(source, seen.read, status.st_size)
        if end == seen.read:
            return
        then = Seen(end, seen.lines + lines, _head(source, min(HEAD, end)), 0)
        yield replace(source, begin=seen.read, end=end, lines=seen.lines), then
        seen = then


def _head(source: Source, size: int) -> str:
    with source.path.open("rb") as file:
        return hashlib.blake2b(file.read(size), digest_size=8).hexdigest()


def _whole_lines(source: Source, begin: int, size: int) -> tuple[int, int]:
    """(where the whole lines of about a portion end, how many they are)."""
    with source.path.open("rb") as file:
        file.seek(begin)
        held = file.read(min(PORTION, size - begin))
        cut = held.rfind(b"\n") + 1
        while not cut and begin + len(held) < size and (more := file.read(min(LONGEST, size - begin - len(held)))):
            held += more
            cut = held.rfind(b"\n") + 1
    rest = held[cut:]
    if begin + len(held) == size and rest.strip():
        try:
            parsed(rest)
        except Unusable:
            pass
        else:
            cut = len(held)
    return begin + cut, held.count(b"\n", 0, cut)
