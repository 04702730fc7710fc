"""What an entry of the ledger is: that something was said or done, never what. Its content is a digest."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import orjson

from stillwatch.errors import StillwatchError

VERSION = 1

KINDS = ("share", "hear", "match", "correction", "refusal")
"What an entry can be of: something sent, something taken in, a step of a private matching, a correction or revocation, something refused."

LONGEST = 200
"Most characters of a name or a word."

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    kind: str
    "One of KINDS."
    digest: str
    "SHA-256 of what was said, hex. Who has the content can show that it is this; who has not learns nothing."
    at: int
    "When, microseconds since 1970."
    member: str
    "The pseudonym of the member it was said to or by."
    what: str
    "A word of our own making: a step, a code of refusal. Never free text."

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise StillwatchError(f"{self.kind!r} is no kind of entry", "ledger", f"one of {', '.join(KINDS)}")
        if not _DIGEST.fullmatch(self.digest):
            raise StillwatchError("a digest is 64 hex digits of SHA-256", "ledger")
        if type(self.at) is not int or not 0 <= self.at < 2**63:
            raise StillwatchError("a time is whole microseconds since 1970", "ledger")
        for word in (self.member, self.what):
            if not isinstance(word, str) or len(word) > LONGEST or not word.isprintable() or not word:
                raise StillwatchError(f"a member and a word have 1 to {LONGEST} printable characters", "ledger")

    def to_bytes(self) -> bytes:
        """The leaf's bytes: JSON with sorted keys, always the same for the same entry.

        >>> Entry("share", "0" * 64, 5, "m1", "bundle").to_bytes()[:32]
        b'{"at":5,"digest":"00000000000000'
        """
        return orjson.dumps({"version": VERSION, **asdict(self)}, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Raises: StillwatchError for bytes that this version did not write, to the byte."""
        try:
            told = orjson.loads(data)
            if told.pop("version") != VERSION:
                raise ValueError
            entry = cls(**told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StillwatchError("an entry that is not of version 1", "ledger") from error
        if entry.to_bytes() != data:
            raise StillwatchError("an entry written otherwise than the ledger writes", "ledger")
        return entry
