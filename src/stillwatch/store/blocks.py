"""TOML files of blocks that a person writes beside a log: read so that every mistake is told with what, where and what to try."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.errors import UserError, nearest, spot, toml
from stillwatch.files import written


@dataclass(frozen=True)
class Block:
    """One block as it was written, and where."""

    file: str
    text: str
    kind: str
    row: dict[str, Any]
    line: int
    "Its first line, from 1; 1 where the file does not write blocks."

    def wrong(self, word: str, what: str, attempt: str) -> UserError:
        """An error that points at a word of this block, or at the block where the word is missing."""
        lines = enumerate(self.text.splitlines()[self.line - 1 :], self.line)
        written = next(((number, found.end(1) + 1) for number, line in lines if (found := re.match(rf"(\s*){word}\s*=", line))), None)
        line, column = written or spot(self.text, word, self.line) or (self.line, 1)
        return UserError(what, f"{self.file}:{line}:{column}", attempt)

    def get(self, name: str, fits: Callable[[Any], bool], wanted: str) -> Any:
        """A value that must be there and fit. Raises: UserError."""
        if name not in self.row:
            raise UserError(f"{name} is missing", f"{self.file}:{self.line}:1", f"add {name} = {wanted}")
        if not fits(self.row[name]):
            raise self.wrong(name, f"{name} is not what it must be", f"write {name} = {wanted}")
        return self.row[name]


def is_text(value: Any) -> bool:
    """Whether it is a text that says something."""
    return isinstance(value, str) and bool(value.strip())


def is_texts(value: Any) -> bool:
    """Whether it is a list of such texts, one at least."""
    return isinstance(value, list) and bool(value) and all(map(is_text, value))


def read(path: Path, what: str, kinds: Mapping[str, Sequence[str]]) -> dict[str, list[Block]]:
    """The blocks of a file by kind, their words checked. `what`: what the file is called in an error; `kinds`: kind of block -> the words in it.

    Raises: UserError with line and column for what cannot be used, and where there is no block at all.
    """
    file, *names = str(path), *(f"[[{kind}]]" for kind in kinds)
    attempt = f"write blocks that begin with {', '.join(names[:-1])} or {names[-1]}"
    text = written(path, what)
    try:
        table = toml(text)
    except ValueError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        where = f"{file}:{place[1]}:{place[2]}" if place else file
        raise UserError(f"not TOML: {str(error)[: place.start() if place else None]}", where, attempt) from error
    blocks = {kind: _blocks(file, text, table, kind, kinds[kind]) for kind in kinds}
    for name in table:
        if name not in kinds:
            raise _unknown(file, text, name, kinds, 1)
    if not any(blocks.values()):
        raise UserError("tells nothing", file, attempt)
    return blocks


def _blocks(file: str, text: str, table: dict[str, Any], kind: str, words: Sequence[str]) -> list[Block]:
    """The blocks of a kind, their words checked."""
    rows = table.get(kind, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        line, column = spot(text, kind) or (1, 1)
        raise UserError(f"{kind} must be a block", f"{file}:{line}:{column}", f"begin it with [[{kind}]]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{kind}\s*\]\]", line)]
    found = []
    for number, row in enumerate(rows):
        block = Block(file, text, kind, row, lines[number] if len(lines) == len(rows) else 1)
        for word in row:
            if word not in words:
                raise _unknown(file, text, word, words, block.line)
        found.append(block)
    return found


def _unknown(file: str, text: str, word: str, known: Collection[str], first: int) -> UserError:
    line, column = spot(text, word, first) or (first, 1)
    close = nearest(word, known)
    return UserError(f'unknown word "{word}"', f"{file}:{line}:{column}", f'did you mean "{close}"?' if close else f"known: {', '.join(known)}")
