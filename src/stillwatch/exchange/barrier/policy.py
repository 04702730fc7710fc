"""A policy: what a person allows to leave, to whom, how coarse, for how long and why. A TOML file, read strictly: what is not said is not allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stillwatch.errors import UserError, nearest, spot, toml
from stillwatch.exchange.barrier.coarse import STEPS
from stillwatch.exchange.stix.moments import DAY, parsed
from stillwatch.exchange.stix.words import ACTIONS, TLP, Iep

PURPOSES = ("detection", "research")
"What may be allowed: finding distillation in one's own traffic, and measuring methods. Never pricing, sales or a decision about a customer."

LEAST = 10
"The smallest minimum k."

LONGEST = {
    "case": 180,
    "technique": 365,
    "infrastructure": 60,
    "indicator": 60,
    "observed": 60,
    "sighting": 90,
    "advice": 180,
    "opinion": 180,
    "grouping": 180,
    "note": 365,
    "link": 180,
    "calibration": 365,
}
"Kind of record -> most days until it expires."

VERDICTS = ("alert", "review", "watch")

NARROWEST = {"ipv4": 24, "ipv6": 48}
"Longest prefix that may leave: a single address is a customer."


@dataclass(frozen=True)
class Assessment:
    """The test of GDPR Art. 6(1)(f), as counsel wrote it down before anything is shared."""

    interest: str
    "Whose legitimate interest, and which."
    necessity: str
    "Why it cannot be had with less."
    balance: str
    "Why the interests of those concerned do not override it."
    by: str
    "Who decided."
    start: int
    "From when on it holds."
    until: int
    "When it has to be made again."


@dataclass(frozen=True)
class Policy:
    """What may leave."""

    purpose: str
    "One of PURPOSES."
    recipients: tuple[str, ...]
    "Members by name; none: nobody."
    records: tuple[str, ...]
    "Kinds of record; none: nothing."
    verdicts: tuple[str, ...]
    "Of which campaigns."
    expires: Mapping[str, int]
    "Kind -> days."
    assessment: Assessment | None
    "None: nothing leaves."
    tlp: str = "amber+strict"
    "Marking of all."
    minimum: int = LEAST
    "k: no group below it is told."
    times: str = "day"
    "Step to which times are rounded down."
    iep: Iep | None = None
    "Policy of FIRST's IEP 2.0 that receivers are under."
    named_as: str | None = None
    "Name of the source; None: a pseudonym."
    reviewed: frozenset[str] = frozenset()
    "SHA-256 of free texts that a person has reviewed."
    stopped: bool = False
    "The kill switch: nothing leaves."


WORDS = ("purpose", "recipients", "records", "verdicts", "expires", "assessment", "tlp", "minimum", "times", "iep", "named_as", "reviewed", "stopped")
IEP_WORDS = ("id", "name", "start", "end", "permitted_actions", "encrypt_in_transit", "attribution", "affected_party_notifications", "unmodified_resale")
ASSESSMENT_WORDS = ("interest", "necessity", "balance", "by", "start", "until")
MUST = {
    "encrypt_in_transit": ("must", "may"),
    "attribution": ("may", "must", "must not"),
    "affected_party_notifications": ("may", "must not"),
    "unmodified_resale": ("may", "must not"),
}


@dataclass(frozen=True)
class _Table:
    """A table of the file, and where it stands."""

    file: str
    text: str
    row: Mapping[str, Any]
    first: int = 1

    def wrong(self, word: str, what: str, attempt: str) -> UserError:
        """An error that points at a word, with the line and a caret."""
        lines = self.text.splitlines()
        line, column = spot(self.text, word, self.first) or (self.first, 1)
        shown = lines[line - 1].strip() if line <= len(lines) else ""
        caret = f' in "{shown[:60]}" at ^{word}' if word in shown else ""
        return UserError(f"{what}{caret}", f"{self.file}:{line}:{column}", attempt)

    def known(self, words: Collection[str]) -> None:
        for word in self.row:
            if word not in words:
                close = nearest(word, words)
                raise self.wrong(word, f'unknown word "{word}"', f'did you mean "{close}"?' if close else f"known: {', '.join(words)}")

    def get(self, name: str, fits: Callable[[Any], bool], wanted: str, otherwise: Any = ...) -> Any:
        if name not in self.row:
            if otherwise is ...:
                raise UserError(f"{name} is missing", f"{self.file}:{self.first}:1", f"add {name} = {wanted}")
            return otherwise
        if not fits(self.row[name]):
            raise self.wrong(name, f"{name} is not what it must be", f"write {name} = {wanted}")
        return self.row[name]

    def among(self, name: str, words: Collection[str], otherwise: Any = ...) -> Any:
        value = self.get(name, lambda value: isinstance(value, str), " or ".join(f'"{word}"' for word in words), otherwise)
        self._of(name, [value] if name in self.row else [], words)
        return value

    def several(self, name: str, words: Collection[str] | None = None) -> tuple[str, ...]:
        """A list of words. It must be there, and may be empty: then it allows nothing."""
        value = self.get(name, lambda value: isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value), "[names]")
        self._of(name, value, words)
        return tuple(value)

    def _of(self, name: str, given: Collection[str], words: Collection[str] | None) -> None:
        for each in given:
            if words is not None and each not in words:
                close = nearest(each, words)
                raise self.wrong(each, f'{name} knows no "{each}"', f'did you mean "{close}"?' if close else f"known: {', '.join(words)}")

    def day(self, name: str, otherwise: Any = ...) -> Any:
        """A day as microseconds."""
        value = self.get(name, lambda value: _day(value) is not None, "a day, such as 2026-01-31", otherwise)
        return _day(value) if name in self.row else value

    def inner(self, name: str) -> _Table | None:
        value = self.get(name, lambda value: isinstance(value, dict), f"a table [{name}]", None)
        found = re.search(rf"^\s*\[{name}\]", self.text, re.MULTILINE)
        return None if value is None else _Table(self.file, self.text, value, self.text[: found.start()].count("\n") + 1 if found else 1)


def _day(value: Any) -> int | None:
    return parsed(f"{value.isoformat()[:10]}T00:00:00Z") if hasattr(value, "isoformat") and hasattr(value, "year") else None


def parse(text: str, where: str) -> Policy:
    """A policy from the text of its file. Raises: UserError with line and column for whatever cannot be understood."""
    try:
        told = toml(text)
    except ValueError as error:
        place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        at = f"{where}:{place[1]}:{place[2]}" if place else where
        raise UserError(f"not TOML: {str(error)[: place.start() if place else None]}", at, "see docs/exchange/barrier.md for an example") from error
    table = _Table(where, text, told)
    table.known(WORDS)
    records = table.several("records", LONGEST)
    return Policy(
        purpose=table.among("purpose", PURPOSES),
        recipients=table.several("recipients"),
        records=records,
        verdicts=table.several("verdicts", VERDICTS),
        expires=_expires(table, records),
        assessment=_assessment(table.inner("assessment")),
        tlp=table.among("tlp", TLP, "amber+strict"),
        minimum=table.get("minimum", _within(LEAST, 1_000_000), f"a number from {LEAST} on", LEAST),
        times=table.among("times", STEPS, "day"),
        iep=_iep(table.inner("iep")),
        named_as=table.get("named_as", lambda value: isinstance(value, str) and bool(value.strip()), '"a name"', None),
        reviewed=frozenset(_digests(table)) if "reviewed" in told else frozenset(),
        stopped=table.get("stopped", lambda value: isinstance(value, bool), "true or false", False),
    )


def _within(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _digests(table: _Table) -> tuple[str, ...]:
    digests = table.several("reviewed")
    if not all(re.fullmatch(r"[0-9a-f]{64}", each) for each in digests):
        raise table.wrong("reviewed", "reviewed holds what is no digest", "write the SHA-256 of each text that a person has reviewed")
    return digests


def _expires(table: _Table, records: Collection[str]) -> dict[str, int]:
    """Days of every kind that may leave: none is without an end."""
    inner = table.inner("expires")
    if inner is None:
        if records:
            raise UserError("expires is missing", f"{table.file}:1:1", "add a table [expires] with days for each of records")
        return {}
    inner.known(LONGEST)
    found = {}
    for name in records:
        most = LONGEST[name]
        found[name] = inner.get(name, _within(1, most), f"days, 1 to {most}")
    return found


def _assessment(table: _Table | None) -> Assessment | None:
    if table is None:
        return None
    table.known(ASSESSMENT_WORDS)
    said = {name: table.get(name, lambda value: isinstance(value, str) and bool(value.strip()), '"a sentence"') for name in ASSESSMENT_WORDS[:4]}
    made = Assessment(**said, start=table.day("start"), until=table.day("until"))
    if made.until <= made.start or made.until > made.start + 366 * DAY:
        raise table.wrong("until", "until must lie within a year after start", "make the assessment again each year")
    return made


def _iep(table: _Table | None) -> Iep | None:
    if table is None:
        return None
    table.known(IEP_WORDS)
    words = {name: table.among(name, allowed, getattr(_DEFAULT, name)) for name, allowed in (*MUST.items(), ("permitted_actions", ACTIONS))}
    return Iep(
        id=table.get("id", _uuid, '"a UUID of version 4"'), name=table.get("name", lambda value: isinstance(value, str) and bool(value.strip()), '"a name"'),
        start=table.day("start"), end=table.day("end", None), **words,
    )  # fmt: skip


_DEFAULT = Iep("", "", 0)


def _uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and UUID(value).version == 4 and str(UUID(value)) == value
    except ValueError:
        return False
