"""Tokens keyed for one pair of members: what stands in the clear of a fingerprint when two members agreed on a key. Private matching needs none of it."""

from __future__ import annotations

import hmac
from hashlib import sha256

from stillwatch.errors import StillwatchError

KINDS = ("payment", "mail", "account", "template")
"Fingerprints that are never in the clear."

SHORTEST = 32
"Bytes of a pair's key, at least: a short one is found by trying values."


def token(kind: str, value: bytes, key: bytes, epoch: str) -> str:
    """A fingerprint as one pair of members tells it in one epoch: equal values have equal tokens there and nowhere else.

    Raises: StillwatchError for a key that is too short, or a kind that is not known.
    """
    if len(key) < SHORTEST:
        raise StillwatchError("the pair's key is too short", kind, f"make one of {SHORTEST} random bytes")
    if kind not in KINDS:
        raise StillwatchError("no kind of fingerprint", kind, f"known: {', '.join(KINDS)}")
    mixed = hmac.new(key, b"stillwatch-token/1", sha256)
    for part in (kind.encode(), epoch.encode(), value):
        # Each part with its length, so that no two lists of parts are the same bytes.
        mixed.update(len(part).to_bytes(4, "big") + part)
    return mixed.hexdigest()
