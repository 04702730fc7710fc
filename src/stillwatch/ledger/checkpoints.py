"""Checkpoints (C2SP tlog-checkpoint): a log's name, size and root, signed by the log and cosigned by witnesses."""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass

from stillwatch import merkle
from stillwatch.ledger.notes import COSIGNATURE, BadNote, Note, Signer, Verifier, _named, _unbase64, read, write


@dataclass(frozen=True)
class Checkpoint:
    """What a log says it is."""

    origin: str
    "The log's name."
    size: int
    "Entries."
    root: bytes
    "Root of their tree."

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or len(self.root) != merkle.HASH or not 0 <= self.size < 2**63:
            raise BadNote("a checkpoint is an origin, a size and a root of 32 bytes")

    def text(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def sign(self, signer: Signer) -> bytes:
        """The checkpoint as a note of the log, whose key has the log's name."""
        if signer.name != self.origin or not _named(self.origin):
            raise BadNote("a checkpoint is signed by the key of its origin")
        return write(self.text(), signer.line(self.text()))

    @classmethod
    def from_text(cls, text: bytes) -> Checkpoint:
        """Reads what is signed; lines after the third are extensions and say nothing here. Raises: BadNote."""
        lines = text.decode().split("\n")
        if len(lines) < 4 or lines[-1]:
            raise BadNote("a checkpoint has three lines")
        origin, size, root = lines[:3]
        if not size.isascii() or not size.isdigit() or (size != "0" and size[0] == "0") or len(size) > 19:
            raise BadNote("a checkpoint's size is a decimal number")
        return cls(origin, int(size), _unbase64(root))


def opened(note: bytes, log: Verifier, witnesses: Collection[Verifier] = (), quorum: int = 0) -> tuple[Checkpoint, Note]:
    """A checkpoint of a log that at least `quorum` witnesses cosigned. Raises: BadNote where the log or too few witnesses signed."""
    if any(each.type != COSIGNATURE for each in witnesses):
        raise BadNote("a witness signs with a key of its own type")
    found = read(note, [log, *witnesses])
    checkpoint = Checkpoint.from_text(found.text)
    if log not in found.signed or checkpoint.origin != log.name:
        raise BadNote(f"it is not signed by {log.name}")
    # A key counts once, whatever names it goes by.
    held = len({each.key for each in found.signed if each.type == COSIGNATURE})
    if held < quorum:
        raise BadNote(f"{held} of {quorum} witnesses signed")
    return checkpoint, found


def joined(note: bytes, lines: str) -> bytes:
    """A checkpoint with witnesses' signature lines added below."""
    return note + lines.encode()
