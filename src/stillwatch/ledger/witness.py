"""Witnesses (C2SP tlog-witness): members that cosign one another's logs, and cosign only what grew out of what they saw before.

A log that is rewritten, truncated or shown in two versions gets no signature of an honest witness on one of them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stillwatch import merkle
from stillwatch.ledger.checkpoints import Checkpoint
from stillwatch.ledger.notes import COSIGNATURE, SIGNATURE, BadNote, Signer, Verifier, _unbase64, read, split

MOST_PROOF = 63
"Most hashes of a proof."


@dataclass(frozen=True)
class Answer:
    """What a witness answers: an HTTP status, a body, and the last checkpoint that it now stands by."""

    status: int
    body: str
    content: str = "text/plain; charset=utf-8"
    "The body's type."
    seen: Checkpoint | None = None
    "The checkpoint to be kept before the answer is sent; None when nothing changes."


@dataclass(frozen=True)
class Witness:
    """A witness's key, the logs that it knows, and what it saw last of each. A value: the caller keeps `seen`, one request of a log after the other."""

    signer: Signer
    logs: Mapping[str, Verifier]
    "Origin -> the log's key."
    seen: Mapping[str, Checkpoint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.signer.type != COSIGNATURE or any(each.type != SIGNATURE for each in self.logs.values()):
            raise BadNote("a witness has a key of its own type, a log of the log's")

    def add_checkpoint(self, request: bytes, now: int) -> Answer:
        """Answers an `add-checkpoint` request at `now`, seconds since 1970. Never raises: what is no request is status 400."""
        try:
            old, proof, note = parsed(request)
            origin = Checkpoint.from_text(split(note)[0]).origin
        except BadNote as error:
            return Answer(400, f"{error}\n")
        log = self.logs.get(origin)
        if log is None:
            return Answer(404, "this log is not known here\n")
        try:
            found = read(note, [log])
        except BadNote as error:
            return Answer(403, f"{error}\n")
        if log not in found.signed:
            return Answer(403, "no signature of the log's key\n")
        return self._judged(old, proof, Checkpoint.from_text(found.text), found.text, now)

    def _judged(self, old: int, proof: Sequence[bytes], new: Checkpoint, text: bytes, now: int) -> Answer:
        last = self.seen.get(new.origin, Checkpoint(new.origin, 0, merkle.EMPTY))
        if old > new.size:
            return Answer(400, "the old size is above the new\n")
        if old != last.size:
            return Answer(409, f"{last.size}\n", "text/x.tlog.size")
        if old == new.size and new.root != last.root:
            return Answer(409, "another log of the same size\n")
        if not merkle.consistent(old, last.root, new.size, new.root, proof):
            return Answer(422, "it did not grow out of the last one\n")
        return Answer(200, self.signer.line(text, now), seen=new)

    def after(self, answer: Answer) -> Witness:
        """The witness once an answer is kept."""
        return self if answer.seen is None else Witness(self.signer, self.logs, {**self.seen, answer.seen.origin: answer.seen})


def request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of an `add-checkpoint` request."""
    return f"old {old}\n".encode() + b"".join(base64.b64encode(each) + b"\n" for each in proof) + b"\n" + note


def parsed(body: bytes) -> tuple[int, list[bytes], bytes]:
    """Old size, proof and note of a request. Raises: BadNote."""
    head, found, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BadNote("a request is ASCII above its note") from error
    size = first.removeprefix("old ")
    if not found or not first.startswith("old ") or not size.isdigit() or (size != "0" and size[0] == "0") or len(size) > 19 or len(lines) > MOST_PROOF:
        raise BadNote("a request is an old size, a proof, an empty line and a checkpoint")
    proof = [_unbase64(each) for each in lines]
    if any(len(each) != merkle.HASH for each in proof):
        raise BadNote("a proof's line is 32 bytes in base64")
    return int(size), proof, note
