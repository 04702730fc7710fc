"""Signed notes (C2SP signed-note): a text and signature lines below it, with Ed25519 (type 1) and witnesses' timed cosignatures (type 4, C2SP tlog-cosignature).

Signatures of keys that are not known are left aside, as the format asks; one of a known key that does not hold spoils the note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import StillwatchError

SIGNATURE, COSIGNATURE = 1, 4
"Types of keys: the log's own, and a witness's."

DASH = "\N{EM DASH} "
MOST_LINES = 100
MOST_BYTES = 1_000_000


class BadNote(StillwatchError):
    """A note that does not hold, or is none."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "signed note")


@dataclass(frozen=True)
class Verifier:
    """A public key with its name and type."""

    name: str
    key: bytes
    "32 bytes of Ed25519."
    type: int = SIGNATURE

    def __post_init__(self) -> None:
        if not _named(self.name) or len(self.key) != 32 or self.type not in (SIGNATURE, COSIGNATURE):
            raise BadNote(f"a key has a name without spaces and plus signs, 32 bytes and a known type: {self.name!r}")

    @property
    def id(self) -> bytes:
        """The four bytes that stand before its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[:4]

    def to_text(self) -> str:
        """The key as C2SP writes it: name+id+base64."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.type]) + self.key).decode()}"

    @classmethod
    def from_text(cls, text: str) -> Verifier:
        """Raises: BadNote for text that is no key, or one whose id is another's."""
        name, _, rest = text.strip().partition("+")
        hashed, _, encoded = rest.partition("+")
        data = _unbase64(encoded)
        if not data:
            raise BadNote("a key is written name+id+base64")
        made = cls(name, data[1:], data[0])
        if made.id.hex() != hashed:
            raise BadNote(f"the id of the key {name!r} is not its own")
        return made

    def holds(self, text: bytes, signature: bytes) -> int | None:
        """The time that a signature of this key on a text tells, in seconds (0 for one without time); None when it does not hold."""
        told, signed = 0, text
        if self.type == COSIGNATURE:
            if len(signature) != 72:
                return None
            (told,) = struct.unpack(">Q", signature[:8])
            signature, signed = signature[8:], _timed(told, text)
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, signed)
        except InvalidSignature:
            return None
        return int(told)


@dataclass(frozen=True)
class Signer:
    """A private key with its name and type."""

    name: str
    secret: bytes = field(repr=False)
    "32 bytes, the seed of Ed25519."
    type: int = SIGNATURE

    def verifier(self) -> Verifier:
        """Its public side."""
        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self.secret).public_key().public_bytes_raw(), self.type)

    def line(self, text: bytes, at: int = 0) -> str:
        """The signature line on a text; a witness tells the time `at`, in seconds since 1970."""
        key = Ed25519PrivateKey.from_private_bytes(self.secret)
        signature = key.sign(text) if self.type == SIGNATURE else struct.pack(">Q", at) + key.sign(_timed(at, text))
        return f"{DASH}{self.name} {base64.b64encode(self.verifier().id + signature).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A note that was read: what it says, and who signs it."""

    text: bytes
    "With the last newline, without signatures: what is signed."
    signed: Mapping[Verifier, int]
    "Known keys whose signatures hold -> the time that they tell, in seconds; 0 for those that tell none."


def write(text: bytes, *lines: str) -> bytes:
    """A note of a text that ends in a newline."""
    if not text.endswith(b"\n"):
        raise BadNote("a text ends in a newline")
    return text + b"\n" + "".join(lines).encode()


def read(note: bytes, known: Collection[Verifier]) -> Note:
    """Reads a note and checks the signatures of known keys. Raises: BadNote when it is none, or when a known key's signature does not hold."""
    text, lines = split(note)
    keys = {(each.name, each.id): each for each in known}
    signed: dict[Verifier, int] = {}
    for name, data in lines:
        key = keys.get((name, data[:4]))
        if key is None:
            continue
        told = key.holds(text, data[4:])
        if told is None:
            raise BadNote(f"a signature of {name} does not hold")
        signed.setdefault(key, told)
    return Note(text, signed)


def split(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Text and signature lines (name, bytes) of a note, unchecked."""
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise BadNote("it is not UTF-8") from error
    at = whole.rfind("\n\n")
    if len(note) > MOST_BYTES or at < 0 or any(ord(each) < 32 and each != "\n" for each in whole):
        raise BadNote("it has no text and signatures, or is too long")
    text, rows = whole[: at + 1], whole[at + 2 :]
    if not rows.endswith("\n") or rows.count("\n") > MOST_LINES:
        raise BadNote("its signatures are no lines, or too many")
    lines = []
    for row in rows.removesuffix("\n").split("\n"):
        name, _, encoded = row.removeprefix(DASH).partition(" ")
        data = _unbase64(encoded)
        if not row.startswith(DASH) or not _named(name) or len(data) < 5:
            raise BadNote("a signature line is a dash, a name and base64")
        lines.append((name, data))
    return text.encode(), lines


def _timed(at: int, text: bytes) -> bytes:
    return f"cosignature/v1\ntime {at}\n".encode() + text


def _named(name: str) -> bool:
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def _unbase64(text: str) -> bytes:
    """Bytes of canonical base64; none where it is not."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if base64.b64encode(data).decode() == text else b""
