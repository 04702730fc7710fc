"""The group of RFC 9497's suite ristretto255-SHA512, on libsodium (`rbcl`): raw points, for the phase whose answers are shuffled.

`voprf`, which answers with proofs, shows no raw point; so the phase that tells sizes alone is made of these. Scalars and points are 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from stillwatch.errors import UserError
from stillwatch.exchange.matching.refusals import Refused

try:
    import rbcl
except ImportError as error:  # the bare install has no peers
    raise UserError("rbcl is not installed", "matching", 'pip install "stillwatch[exchange]"') from error

POINT = 32
"Bytes of an encoded element."

IDENTITY = bytes(POINT)
BLOCK, DIGEST = 128, 64


def expand(message: bytes, tag: bytes, length: int = 64) -> bytes:
    """expand_message_xmd of RFC 9380 with SHA-512: uniform bytes of a message, other for every domain separation tag."""
    blocks = -(-length // DIGEST)
    prime = tag + bytes([len(tag)])
    first = hashlib.sha512(bytes(BLOCK) + message + length.to_bytes(2, "big") + b"\0" + prime).digest()
    out = last = hashlib.sha512(first + b"\1" + prime).digest()
    for index in range(2, blocks + 1):
        last = hashlib.sha512(bytes(a ^ b for a, b in zip(first, last, strict=True)) + bytes([index]) + prime).digest()
        out += last
    return out[:length]


def element(message: bytes, tag: bytes) -> bytes:
    """HashToGroup: the element of a message; nobody knows its discrete logarithm."""
    return bytes(rbcl.crypto_core_ristretto255_from_hash(expand(message, tag)))


def scalar(uniform: bytes) -> bytes:
    """A scalar from 64 uniform bytes. Raises: ValueError for the one that is zero."""
    made = bytes(rbcl.crypto_core_ristretto255_scalar_reduce(uniform))
    if made == IDENTITY:
        raise ValueError("zero is no key")
    return made


def inverse(key: bytes) -> bytes:
    """The scalar that undoes a multiplication."""
    return bytes(rbcl.crypto_core_ristretto255_scalar_invert(key))


def multiplied(key: bytes, point: bytes) -> bytes:
    """An element times a scalar. Raises: ValueError for an element that is not canonical, or a product that is the identity."""
    try:
        return bytes(rbcl.crypto_scalarmult_ristretto255(key, point))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError("no element") from error


def split(packed: bytes, width: int = POINT) -> list[bytes]:
    """Packed elements, one by one. Raises: Refused where they do not fill the bytes."""
    if len(packed) % width:
        raise Refused("size")
    return [packed[at : at + width] for at in range(0, len(packed), width)]


def check(points: Sequence[bytes]) -> None:
    """Refuses a peer's elements that are the identity, not canonical, or stand there twice."""
    if len(set(points)) != len(points):
        raise Refused("repeated item")
    for point in points:
        if len(point) != POINT or point == IDENTITY or not rbcl.crypto_core_ristretto255_is_valid_point(point):
            raise Refused("invalid point")
