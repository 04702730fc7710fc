"""Signed bytes: DSSE envelopes (secure-systems-lab/dsse 1.0.2) with Ed25519 keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

from stillwatch.errors import UserError

Key = Any
"A key of securesystemslib: private (CryptoSigner) to sign with, public (SSlibKey) to trust."

PACK = "application/vnd.stillwatch.pack+json"
"Payload type of a pack."

WITHDRAWAL = "application/vnd.stillwatch.pack-withdrawal+json"
"Payload type of the withdrawal of a pack."

INQUIRY = "application/vnd.stillwatch.inquiry+json"
"Payload type of an inquiry down the resale chain."

ANSWER = "application/vnd.stillwatch.answer+json"
"Payload type of the answer to one."

CALIBRATION = "application/vnd.stillwatch.calibration+json"
"Payload type of a member's tails of statistics among its innocents."

LARGEST = 16_000_000
"Bytes of an envelope that are read, at most."


def signing(part: str) -> Any:
    """A module of securesystemslib. Raises: UserError where it is not installed."""
    try:
        return import_module(f"securesystemslib.{part}")
    except ImportError as error:
        raise UserError("signatures need a package that is not installed", "pack", "pip install 'stillwatch[exchange]'") from error


def signed(told: Mapping[str, Any], kind: str, signer: Key) -> bytes:
    """An object in an envelope of its own. The same object and key give the same bytes."""
    payload = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    envelope = signing("dsse").Envelope(payload, kind, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), sort_keys=True).encode() + b"\n"


def opened(raw: bytes, kinds: Collection[str], trusted: Mapping[str, Key], where: str) -> tuple[str, dict[str, Any], str]:
    """(payload type, the object in an envelope, the name of the trusted key that signed it).

    Args: bytes of the envelope; the payload types that it may have; trusted keys by name. Raises: UserError where it is no envelope, of another kind, or of
    nobody who is trusted: an empty list of trusted keys opens nothing.
    """
    known = signing("exceptions")
    try:
        if len(raw) > LARGEST:
            raise ValueError
        envelope = signing("dsse").Envelope.from_dict(json.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, known.FormatError) as error:
        raise UserError("is no signed envelope (DSSE)", where, "ask its sender for another") from error
    for name, key in trusted.items():
        try:
            envelope.verify([key], 1)
        except (known.VerificationError, ValueError):
            continue
        if envelope.payload_type not in kinds:
            raise UserError(f"is signed as {envelope.payload_type}, which is something else", where, "name another file")
        return envelope.payload_type, _object(envelope.payload, where), name
    raise UserError(
        "is signed by nobody who is trusted here", where, "name the sender's public key with --trust, once you have it from the sender by another way"
    )


def kept(raw: bytes, where: str) -> dict[str, Any]:
    """The object in an envelope that was opened before and kept by ourselves. Raises: UserError where it is no envelope any more."""
    try:
        payload = base64.b64decode(json.loads(raw)["payload"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError("is no signed envelope (DSSE)", where, "import it again") from error
    return _object(payload, where)


def _object(payload: bytes, where: str) -> dict[str, Any]:
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise UserError("holds no JSON", where, "ask its sender for another") from error
    if not isinstance(told, dict):
        raise UserError("holds no object", where, "ask its sender for another")
    return told
