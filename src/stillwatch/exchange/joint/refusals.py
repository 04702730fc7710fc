"""What is not taken in a joint session, and why. A refusal ends the part of whoever sent it, and is recorded."""

from __future__ import annotations

from stillwatch.errors import StillwatchError

CODES = {
    "format": "no message of this protocol",
    "version": "a version of the protocol, of features or of the method that is not this one",
    "order": "replayed, repeated, or out of its turn",
    "member": "somebody who was not asked to this session",
    "size": "not as many elements as were committed to, or a band that is none",
    "small list": "fewer tokens than the least allowed",
    "large list": "more tokens than the most allowed",
    "invalid point": "an element that is the identity, not canonical, or there twice",
    "keys": "tokens raised by one key here and another there",
    "signature": "a list that its last member did not sign",
    "rows": "rows or numbers that fit no list",
    "often": "more sessions than are allowed in this epoch",
    "late": "no answer within the time",
    "over": "a session that is over",
}
"Code of a refusal -> what the message was."


class Refused(StillwatchError):
    """Something that was not taken. `code` is one of CODES."""

    def __init__(self, code: str, who: str = "") -> None:
        self.code, self.who = code, who
        super().__init__(f"refused: {CODES[code]}", f"joint session with {who}" if who else "joint session", "see the ledger, and ask them")
