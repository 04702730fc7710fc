"""What goes over the wire: version 1 of the messages of a joint session.

    4 bytes "SWJ" and the version | 4 bytes length of the head | head, a JSON object | parts, one after the other; their lengths stand in the head as "parts"

Numbers in parts are little-endian. A list on its way from member to member travels in a `signed` message: the head names the session, the owner, the kind, and who
raised it so far, and the last of those signs it, so that whoever carries it can neither change it nor slip in one of its own.
"""

from __future__ import annotations

import struct
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.exchange.joint.refusals import Refused

VERSION = 1
MAGIC = b"SWJ" + bytes([VERSION])
SIGNATURE = 64
CONTEXT = b"stillwatch joint list 1\0"
"What a signature of a list is over, before the list."

MOST_HEAD = 16_777_216
"Bytes of a head at most."


def write(told: dict[str, Any], *parts: bytes) -> bytes:
    """A message."""
    head = orjson.dumps({**told, "parts": [len(part) for part in parts]})
    return b"".join([MAGIC, struct.pack("<I", len(head)), head, *parts])


def read(message: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """(head, parts). Raises: Refused."""
    if message[:3] != MAGIC[:3] or len(message) < 8:
        raise Refused("format")
    if message[:4] != MAGIC:
        raise Refused("version")
    (length,) = struct.unpack_from("<I", message, 4)
    if length > MOST_HEAD or 8 + length > len(message):
        raise Refused("format")
    try:
        told = orjson.loads(message[8 : 8 + length])
    except orjson.JSONDecodeError as error:
        raise Refused("format") from error
    sizes = told.get("parts") if isinstance(told, dict) else None
    if not isinstance(sizes, list) or any(type(size) is not int or size < 0 for size in sizes) or 8 + length + sum(sizes) != len(message):
        raise Refused("format")
    parts, at = [], 8 + length
    for size in sizes:
        parts.append(message[at : at + size])
        at += size
    return told, parts


def signed(message: bytes, key: Ed25519PrivateKey) -> bytes:
    """A message with its sender's signature before it."""
    return key.sign(CONTEXT + message) + message


def unsigned(data: bytes, publics: list[bytes]) -> bytes:
    """The message, once one of a member's keys signed it. Raises: Refused."""
    signature, message = data[:SIGNATURE], data[SIGNATURE:]
    for public in publics:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, CONTEXT + message)
        except InvalidSignature:
            continue
        return message
    raise Refused("signature")


def text(told: dict[str, Any], name: str) -> str:
    """A text of a head. Raises: Refused."""
    value = told.get(name)
    if not isinstance(value, str) or len(value) > 256:
        raise Refused("format")
    return value
