"""What goes over the wire: version 1 of the matching's messages.

    8 bytes "SWMATCH" and the version | 32 bytes session | 32 bytes transcript | parts
    part: 1 byte kind | 4 bytes length | so many bytes

The transcript is the hash of the terms and of every message before this one. So a message fits into one place of one matching, and a replayed, dropped or
reordered one fits nowhere. Numbers are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from stillwatch.exchange.matching.refusals import CODES, Refused

VERSION = 1
MAGIC = b"SWMATCH"
HEAD = len(MAGIC) + 1 + 64

OPEN, KEY, SIZE_ASK, SIZE_ANSWER, CONSENT, ASK, ANSWER, TAGS, DONE, CLOSE = range(1, 11)
"Kinds of parts."

NAME = 128
"Most bytes of a name in the terms."


@dataclass(frozen=True)
class Terms:
    """What a matching is about. Both sides know it beforehand."""

    me: str
    "The member that runs this side."
    peer: str
    "The other."
    type: str
    "The kind of identifier: one matching never mixes two."
    epoch: str
    "The period in which keys, sets and budgets stand, such as a day."

    def __post_init__(self) -> None:
        for name in (self.me, self.peer, self.type, self.epoch):
            if not name or len(name.encode()) > NAME or not name.isprintable():
                raise ValueError(f"a name of the terms has 1 to {NAME} printable bytes: {name!r}")
        if self.me == self.peer:
            raise ValueError("a member does not match with itself")

    def shared(self) -> bytes:
        """The terms as both sides write them."""
        return packed(*sorted((self.me, self.peer)), self.type, self.epoch)

    def own(self, use: str) -> bytes:
        """The terms as the context of one of my own keys: nothing made for one pair, type, epoch or use is ever good for another."""
        return packed("stillwatch match 1", use, self.me, self.peer, self.type, self.epoch)

    def bound(self, item: bytes) -> bytes:
        """An item as input of the functions: an item of one type is never that of another."""
        return packed(self.type) + item


def packed(*words: str) -> bytes:
    """Words in a way that no two lists of words share."""
    return b"".join(bytes([len(word.encode())]) + word.encode() for word in words)


@dataclass(frozen=True)
class Opening:
    """The commitment that comes before every key."""

    nonce: bytes
    "32 bytes of chance."
    root: bytes
    "Root of the tree over salted hashes of the items, padded to the band."
    band: int
    "As many elements as the set is padded to."
    shared: bytes
    "The terms."

    def to_bytes(self) -> bytes:
        """The part's bytes."""
        return self.nonce + self.root + struct.pack(">I", self.band) + self.shared

    @classmethod
    def from_bytes(cls, data: bytes) -> Opening:
        """Raises: Refused for bytes that are none."""
        if len(data) < 69:
            raise Refused("format")
        return cls(data[:32], data[32:64], struct.unpack(">I", data[64:68])[0], data[68:])


def opening(message: bytes, terms: Terms) -> Opening:
    """The commitment in a message that can begin a matching of these terms: seen before anything is reckoned for it. Raises: Refused."""
    session, transcript, parts = read(message)
    if CLOSE in parts:
        raise Refused("closed")
    if tuple(parts) != (OPEN,):
        raise Refused("order")
    found = Opening.from_bytes(parts[OPEN])
    if transcript != start(terms.shared()) or found.shared != terms.shared():
        raise Refused("terms")
    if found.nonce != session:
        raise Refused("format")
    return found


def start(shared: bytes) -> bytes:
    """The transcript before the first message."""
    return hashlib.sha256(b"stillwatch match 1\0" + shared).digest()


def after(transcript: bytes, message: bytes) -> bytes:
    """The transcript after a message."""
    return hashlib.sha256(transcript + hashlib.sha256(message).digest()).digest()


def write(session: bytes, transcript: bytes, parts: dict[int, bytes]) -> bytes:
    """A message of parts, in the order given."""
    body = b"".join(struct.pack(">BI", kind, len(data)) + data for kind, data in parts.items())
    return MAGIC + bytes([VERSION]) + session + transcript + body


def read(message: bytes) -> tuple[bytes, bytes, dict[int, bytes]]:
    """Session, transcript and parts of a message. Raises: Refused where the bytes are no message, or of another version."""
    if len(message) < HEAD or not message.startswith(MAGIC):
        raise Refused("format")
    if message[len(MAGIC)] != VERSION:
        raise Refused("version")
    at = len(MAGIC) + 1
    session, transcript = message[at : at + 32], message[at + 32 : at + 64]
    at, parts = HEAD, {}
    while at < len(message):
        if len(message) < at + 5:
            raise Refused("format")
        kind, length = struct.unpack(">BI", message[at : at + 5])
        if kind in parts or not OPEN <= kind <= CLOSE or len(message) < at + 5 + length:
            raise Refused("format")
        parts[kind] = message[at + 5 : at + 5 + length]
        at += 5 + length
    return session, transcript, parts


def close(session: bytes, transcript: bytes, code: str) -> bytes:
    """The message that ends a matching: a code and nothing else."""
    return write(session, transcript, {CLOSE: code.encode()})


def closed_for(data: bytes) -> str:
    """The code of a closing message; "format" for one that is not known."""
    code = data.decode("ascii", "replace")
    return code if code in CODES else "format"
