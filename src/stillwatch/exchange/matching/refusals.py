"""What a peer's message is refused for. A refusal ends the matching, is recorded, and tells the peer its code and nothing else."""

from __future__ import annotations

from stillwatch.errors import StillwatchError

CODES = {
    "format": "no message of this protocol",
    "version": "a version of the protocol that is not spoken here",
    "terms": "other members, another type or another epoch than agreed",
    "order": "replayed, repeated or out of its turn",
    "changed set": "another set than was committed to in this epoch",
    "repeated set": "a set that was already matched in this epoch",
    "small set": "fewer items than the least allowed",
    "large set": "more items than the most allowed",
    "size": "not as many elements as committed to",
    "changed key": "another key than was shown in this epoch",
    "repeated item": "one element twice",
    "invalid point": "an element that is the identity or not canonical",
    "proof": "answers whose proof does not hold",
    "budget": "more evaluations than are allowed in this epoch",
    "openings": "more openings than are allowed in this epoch",
    "late": "a matching that took too long",
    "closed": "a matching that is over",
}
"Code of a refusal -> what the message was."


class Refused(StillwatchError):
    """A peer's message that was not taken. `code` is one of CODES; `answer` is what may be sent back, empty when nothing should."""

    def __init__(self, code: str, peer: str = "", answer: bytes = b"") -> None:
        self.code, self.answer = code, answer
        super().__init__(f"refused: {CODES[code]}", f"matching with {peer}" if peer else "matching")
