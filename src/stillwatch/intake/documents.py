"""JSON that may be more than one object a line: arrays on one line or many, objects spread over lines, JSON Lines among them.

Writers that flush a batch at once make one array, exports from a page make one, and people make files legible. A line that is an object is
read as one; elsewhere objects are cut out of the stream by their braces, so that a file of any size is read in level memory. Where an object is
broken the next one is looked for at the same place of a later line, or behind the same first name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stillwatch.intake import jsonlines
from stillwatch.intake.columns import BYTES, ROWS, Unusable
from stillwatch.intake.jsonlines import Reject, Run, Shape, parsed
from stillwatch.intake.stream import LONGEST, Source, blocks, lines
from stillwatch.records import Rejected

OVERLONG = f"the object is longer than {LONGEST // 2**20} MiB"
BROKEN = "the JSON breaks off"

Found = tuple[int, dict[str, Any] | Unusable, int]
"Line on which an object begins, the object or why it is none, and its bytes."

_OUTSIDE = re.compile(rb'["{}\n]')
_INSIDE = re.compile(rb'["\\\n]')
_NAMED = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(\s*+:)?', re.DOTALL)
_FIRST = re.compile(rb'\{\s*("(?:[^"\\]++|\\.)*+")\s*:')


def names(head: bytes) -> frozenset[str]:
    """Names of fields in the beginning of a file, at any depth; never what stands in a text.

    >>> sorted(names(b'[{"id": "startTime", "usage": {"input": 3}, "inp'))
    ['id', 'input', 'usage']
    """
    return frozenset(found[1].decode("utf-8", "replace") for found in _NAMED.finditer(head) if found[2])


def objects(source: Source, shape: Shape, reject: Reject) -> Iterator[Run]:
    """Runs of objects in the shape that the format gives them, each with the line on which it begins; what is none is rejected."""
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    size = 0
    for number, made, weight in _found(source, reject):
        try:
            if isinstance(made, Unusable):
                raise made
            records.append(shape(made))
            numbers.append(number)
        except Unusable as error:
            reject(Rejected(source.name, number, str(error)))
        size += weight
        if len(records) >= ROWS or size >= BYTES:
            yield np.array(numbers, np.int64), records
            numbers, records, size = [], [], 0
    if records:
        yield np.array(numbers, np.int64), records


def _found(source: Source, reject: Reject) -> Iterator[Found]:
    """Every object of a file, or what is wrong with it, with its line and its bytes."""
    state = _Cut()

    def stream() -> Iterator[bytes]:
        return blocks(source, lambda reason: reject(Rejected(source.name, None, reason)))

    if next(blocks(source, lambda _: None), b"").lstrip()[:1] == b"[":  # an array may be one line that is longer than any line is read
        for block in stream():
            yield from _cut(state, block)
    else:
        for first, run in lines(stream()):
            for number, line in enumerate(run, first):
                yield from _of_line(state, number, line)
    if state.depth:
        yield from _all(*state.given_up())


def _of_line(state: _Cut, number: int, line: bytes | None) -> Iterator[Found]:
    """What ends on a line: the object that it is, or those that the cut finds in it."""
    state.line = number
    if line is None:
        state.given_up()
        yield number, Unusable(jsonlines.OVERLONG), 0
        return
    begins = len(line) - len(line.lstrip())
    whole = line[begins : begins + 1] == b"{" and (not state.depth or begins <= state.column)
    try:
        record = parsed(line) if whole else {}
    except Unusable:
        record = {}
    if record and state.depth:
        yield from _all(*state.given_up())
    if record:
        yield number, record, len(line)
        return
    inside = state.depth
    made = list(_cut(state, line + b"\n"))
    yield from made
    if not made and not inside and not state.depth and line.strip(b" \t\r[],"):
        yield number, _why(line), len(line)


def _cut(state: _Cut, block: bytes) -> Iterator[Found]:
    for line, given, reason in state.through(block):
        yield from _all(line, given, reason)


def _all(line: int, given: bytes, reason: str) -> Iterator[Found]:
    if reason == OVERLONG:
        yield line, Unusable(reason), 0
        return
    first, *others = _parsed(given)
    yield line, Unusable(reason) if reason and isinstance(first, Unusable) else first, len(given)
    yield from ((line, each, 0) for each in others)


def _why(line: bytes) -> Unusable:
    """Why a line that has no object is none."""
    try:
        parsed(line)
    except Unusable as error:
        return error
    return Unusable(BROKEN)


def _parsed(given: bytes) -> list[dict[str, Any] | Unusable]:
    """The object; of a broken one why it is none, and the objects that it swallowed."""
    try:
        return [parsed(given)]
    except Unusable as error:
        made: list[dict[str, Any] | Unusable] = [error]
    for piece in _behind_the_same_name(given)[1:]:
        try:
            made.append(parsed(piece))
        except Unusable as error:
            made.append(error)
    return made


def _behind_the_same_name(broken: bytes) -> list[bytes]:
    """A broken object, and those behind it that begin with the name with which it begins."""
    first = _FIRST.search(broken)
    if first is None:
        return [broken]
    return re.split(rb"(?<=[{}\n])[\s,\[]*(?=\{\s*" + re.escape(first[1]) + rb"\s*:)", broken.rstrip(b"], \r\n\t"))


@dataclass(slots=True)
class _Cut:
    depth: int = 0
    "Braces that are open."
    quoted: bool = False
    escaped: bool = False
    line: int = 1
    began: int = 1
    "Line on which the object began."
    column: int = 0
    "Bytes before it on that line, where only blanks, commas and brackets stand there; else 0: what lies in it stands further right."
    alone: bool = False
    "Whether its brace ends that line: then lines within it may begin with braces too."
    fresh: bool = True
    "Whether the next block begins a line."
    size: int = 0
    lost: bool = False
    "Whether it grew too long and is no longer held."
    parts: list[bytes] = field(default_factory=list)

    def through(self, block: bytes) -> Iterator[tuple[int, bytes, str]]:
        """Line, bytes and reason of rejection of every object that ends in a block."""
        at, start, newline = 0, 0, -1
        while at < len(block):
            if self.escaped:
                self.escaped, at = False, at + 1
                continue
            found = (_INSIDE if self.quoted else _OUTSIDE).search(block, at)
            if found is None:
                break
            at, here, token = found.end(), found.start(), found[0]
            if token == b"\n":
                self.line += 1
                newline = here
                if self.quoted:  # a text never holds a bare newline: it lacks its quote
                    self.quoted = False
                    if self.depth:
                        self._hold(block[start:here])
                        yield self.given_up()
            elif token == b"\\":
                self.escaped = True
            elif token == b'"':
                self.quoted = not self.quoted
            elif token == b"{":
                column = self._place(block, newline, here)
                if self.depth and 0 <= column <= self.column and not self.alone:
                    self._hold(block[start:here])
                    yield self.given_up()
                if not self.depth:
                    start, self.began, self.column = here, self.line, max(column, 0)
                    self.alone = block[at : at + 2].lstrip(b"\r").startswith(b"\n")
                self.depth += 1
            elif self.depth:
                self.depth -= 1
                if not self.depth:
                    self._hold(block[start:at])
                    yield self._taken()
        if self.depth:
            self._hold(block[start:])
        self.fresh = block.endswith(b"\n")

    def _place(self, block: bytes, newline: int, here: int) -> int:
        before = block[newline + 1 : here] if newline >= 0 or self.fresh else b"x"
        return len(before) if not before.strip(b" \t,[") else -1

    def _hold(self, part: bytes) -> None:
        self.size += len(part)
        self.lost = self.lost or self.size > LONGEST
        self.parts = [] if self.lost else [*self.parts, part]

    def _taken(self) -> tuple[int, bytes, str]:
        made = self.began, b"".join(self.parts), OVERLONG if self.lost else ""
        self.parts, self.size, self.lost = [], 0, False
        return made

    def given_up(self) -> tuple[int, bytes, str]:
        """The object as far as it goes."""
        self.depth, self.quoted = 0, False
        line, given, reason = self._taken()
        return line, given, reason or BROKEN
