"""DSSE envelopes (v1.0.2) with Ed25519: what is signed is the type and the bytes, so nothing is parsed before its signature is checked."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stillwatch.errors import StillwatchError


class Refused(StillwatchError):
    """Something that a member brought was not accepted: it gets nothing for it."""


def raw(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """The 32 bytes of a key's public half."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(public: bytes) -> str:
    """The name of a key: 32 hexadecimal digits of the SHA-256 of its public half, so that no two keys can claim one name."""
    return hashlib.sha256(public).hexdigest()[:32]


def sealed(kind: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """An envelope around a payload. `kind`: its media type."""
    signature = {"keyid": key_id(raw(key)), "sig": base64.b64encode(key.sign(_encoded(kind, payload))).decode()}
    return orjson.dumps({"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": [signature]})


def unsealed(kind: str, data: bytes, trusted: Collection[bytes]) -> bytes:
    """The payload of an envelope that one of the trusted keys signed. Raises: Refused."""
    try:
        envelope = orjson.loads(data)
        payload = base64.b64decode(envelope["payload"], validate=True)
        found = [(each.get("keyid"), base64.b64decode(each["sig"], validate=True)) for each in envelope["signatures"]]
        said = envelope["payloadType"]
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused("not a DSSE envelope", kind, "fetch it again from who published it") from error
    if said != kind:
        raise Refused("an envelope around something else", kind, "name the file that was meant")
    message = _encoded(kind, payload)
    # The key's name is a hint that nobody signed: what counts is whether a trusted key made the signature.
    for _, signature in found:
        for public in trusted:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
            except InvalidSignature:
                continue
            return payload
    raise Refused("no key that is trusted signed it", kind, "check the root key, and where the file comes from")


def _encoded(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)
