"""SipHash-2-4 of one identifier in plain Python, as the paper writes it: the obvious twin of the compiled kernel in `identifiers`.

For whoever asks about a single account and would wait longer for the compiler than for the answer.
"""

from __future__ import annotations

import hashlib

_PERSON = b"stillwatch.hash1"
_WORD = (1 << 64) - 1


def subkey(key: bytes, domain: str) -> tuple[int, int]:
    """The two 64-bit halves of the SipHash key that belongs to one domain of identifiers."""
    digest = hashlib.blake2b(domain.encode(), key=key, digest_size=16, person=_PERSON).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def hash_one(text: str, key: bytes, domain: str) -> int:
    """The hash of one identifier, as `identifiers.hash_strings` gives it.

    >>> hash_one("acct-1", bytes(32), "account")
    -5366636695645922446
    """
    return siphash_one(text.encode(), *subkey(key, domain))


def siphash_one(value: bytes, k0: int, k1: int) -> int:
    """The 64-bit result for one value, read as a signed integer."""
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = value + bytes(7 - len(value) % 8) + bytes([len(value) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        _round(v)
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        _round(v)
    result = v[0] ^ v[1] ^ v[2] ^ v[3]
    return result - (1 << 64) if result >> 63 else result


def _rotated(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (64 - bits))) & _WORD


def _round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & _WORD
    v[2] = (v[2] + v[3]) & _WORD
    v[1], v[3] = _rotated(v[1], 13) ^ v[0], _rotated(v[3], 16) ^ v[2]
    v[0] = _rotated(v[0], 32)
    v[2] = (v[2] + v[1]) & _WORD
    v[0] = (v[0] + v[3]) & _WORD
    v[1], v[3] = _rotated(v[1], 17) ^ v[2], _rotated(v[3], 21) ^ v[0]
    v[2] = _rotated(v[2], 32)
