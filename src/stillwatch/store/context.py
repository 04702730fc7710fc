"""Reading the `--context FILE`: dated events around a log that the log itself cannot show.

A TOML file of blocks, each an event; a time without an offset is UTC, a day is its first moment::

    [[release]]                       # a model came out
    model = "orion-5"                 # as the log names it, with or without date and edition
    at = 2026-02-05T17:00:00Z
    ours = true                       # false: another maker's

    [[ban]]                           # accounts were closed
    at = 2026-02-07T09:00:00Z
    accounts = ["acct-17", "acct-18"] # the log's own ids (with --unit: of what is linked), hashed as they are read
    # or count = 3500

    [[payment]]                       # what accounts must pay, or can pay with, was changed
    at = 2026-02-09
    what = "free tier ended"          # price change, free tier ended, payment method blocked

What is told is taken as told: nothing here adds evidence or changes a verdict. It dates what several detectors look for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock
from pathlib import Path
from typing import Any

from stillwatch.errors import UserError, nearest, spot
from stillwatch.intake.mark import account_hashes
from stillwatch.intake.times import BOUNDS, moment
from stillwatch.records import Ban, Context, PaymentChange, Release

KINDS: dict[str, tuple[str, ...]] = {"release": ("model", "at", "ours"), "ban": ("at", "accounts", "count"), "payment": ("at", "what")}
"Kind of block -> the words in it."

CHANGES = ("price change", "free tier ended", "payment method blocked")
"What a change of payment can be."


@dataclass(frozen=True)
class _Block:
    """One event as it was written, and where."""

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
        """A value that must be there and fit."""
        if name not in self.row:
            raise UserError(f"{name} is missing", f"{self.file}:{self.line}:1", f"add {name} = {wanted}")
        if not fits(self.row[name]):
            raise self.wrong(name, f"{name} is not what it must be", f"write {name} = {wanted}")
        return self.row[name]

    def at(self) -> int:
        """When it happened, microseconds."""
        given = self.get("at", lambda value: isinstance(value, date | str), "2026-02-05T17:00:00Z")
        if isinstance(given, date) and not isinstance(given, datetime):
            given = datetime.combine(given, clock())
        found = moment(given, "iso")
        low, high = BOUNDS["ts"]
        if found is None or not low <= found < high:
            raise self.wrong("at", "at is no time from 2015 to 2100", "write at = 2026-02-05T17:00:00Z")
        return found


def load(path: Path, key: bytes) -> Context:
    """The events in a file; accounts become keyed hashes at once. Raises UserError with line and column for what cannot be used."""
    file = str(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not UTF-8 text"
        raise UserError(f"the context cannot be read ({reason})", file, "check the path") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        where = f"{file}:{place[1]}:{place[2]}" if place else file
        raise UserError(
            f"not TOML: {str(error)[: place.start() if place else None]}", where, "write blocks that begin with [[release]], [[ban]] or [[payment]]"
        ) from error
    blocks = {kind: _blocks(file, text, table, kind) for kind in KINDS}
    for name in table:
        if name not in KINDS:
            raise _unknown(file, text, name, KINDS, 1)
    releases = [_release(each) for each in blocks["release"]]
    bans = [_ban(each, key) for each in blocks["ban"]]
    payments = [PaymentChange(each.at(), _change(each)) for each in blocks["payment"]]
    if not (releases or bans or payments):
        raise UserError("tells nothing", file, "write blocks that begin with [[release]], [[ban]] or [[payment]]")
    return Context(
        tuple(sorted(releases, key=lambda each: (each.at, each.model))), tuple(sorted(bans, key=lambda each: (each.at, each.accounts))),
        tuple(sorted(payments, key=lambda each: (each.at, each.what))),
    )  # fmt: skip


def _blocks(file: str, text: str, table: dict[str, Any], kind: str) -> list[_Block]:
    """The blocks of a kind, their words checked."""
    rows = table.get(kind, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        line, column = spot(text, kind) or (1, 1)
        raise UserError(f"{kind} must be a block", f"{file}:{line}:{column}", f"begin it with [[{kind}]]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{kind}\s*\]\]", line)]
    found = []
    for number, row in enumerate(rows):
        block = _Block(file, text, kind, row, lines[number] if len(lines) == len(rows) else 1)
        for word in row:
            if word not in KINDS[kind]:
                raise _unknown(file, text, word, KINDS[kind], block.line)
        found.append(block)
    return found


def _unknown(file: str, text: str, word: str, known: Collection[str], first: int) -> UserError:
    line, column = spot(text, word, first) or (first, 1)
    close = nearest(word, known)
    return UserError(f'unknown word "{word}"', f"{file}:{line}:{column}", f'did you mean "{close}"?' if close else f"known: {', '.join(known)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _release(block: _Block) -> Release:
    model = block.get("model", _is_text, '"the model\'s name"')
    return Release(model, block.at(), block.get("ours", lambda value: isinstance(value, bool), "true or false"))


def _ban(block: _Block, key: bytes) -> Ban:
    named = block.row.get("accounts")
    if named is None:
        count = block.get("count", lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0, 'a number, or accounts = ["..."]')
        return Ban(block.at(), count, ())
    names = block.get("accounts", lambda value: isinstance(value, list) and bool(value) and all(map(_is_text, value)), '["an account", "another"]')
    hashes = tuple(sorted(set(account_hashes(names, key))))
    count = block.row.get("count", len(hashes))
    if not isinstance(count, int) or isinstance(count, bool) or count < len(hashes):
        raise block.wrong("count", f"count is no number from {len(hashes)} on, which are named", "leave it out, or write how many were closed in all")
    return Ban(block.at(), count, hashes)


def _change(block: _Block) -> str:
    given: str = block.get("what", _is_text, f'"{CHANGES[0]}"')
    if given not in CHANGES:
        close = nearest(given, CHANGES)
        raise block.wrong("what", f'unknown change of payment "{given}"', f'did you mean "{close}"?' if close else f"known: {', '.join(CHANGES)}")
    return given
