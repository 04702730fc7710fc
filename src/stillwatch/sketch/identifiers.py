"""Identifiers -> keyed 64-bit hashes, by SipHash-2-4 over Arrow's string buffers.

An account, key or address never travels further than intake: rooms beyond see its hash under the provider's key.
SipHash is a keyed pseudo-random function made for short inputs (Aumasson and Bernstein, "SipHash: a fast short-input
PRF", 2012): without the key a hash can neither be computed from an identifier nor be turned back by trying all of
them. Every kind of identifier has its own subkey (BLAKE2b of the domain's name under the key), so that the same
string as an account and as a session gives unrelated hashes.

What it cannot do: 64 bits collide by chance once in about 2**32 different identifiers of one domain.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.sketch.siphash import subkey

Hashes = npt.NDArray[np.int64]


def hash_strings(array: pa.Array | pa.ChunkedArray, key: bytes, domain: str) -> Hashes:
    """One hash per value, as signed 64-bit integers; a null gives 0, so use `hash_column` where nulls can occur.

    Accepts string, large_string, binary, large_binary, dictionaries of these, and the null type.

    >>> hash_strings(pa.array(["acct-1", "acct-2", "acct-1"]), bytes(32), "account").tolist()
    [-5366636695645922446, 1604544434167191476, -5366636695645922446]
    """
    flat = _flat(array)
    if pa.types.is_null(flat.type) or len(flat) == 0:
        return np.zeros(len(flat), dtype=np.int64)
    if pa.types.is_dictionary(flat.type):
        distinct = hash_strings(flat.dictionary, key, domain)
        if len(distinct) == 0:
            return np.zeros(len(flat), dtype=np.int64)
        taken = distinct[np.asarray(pc.fill_null(flat.indices, 0))]
        return np.where(_nulls(flat), np.int64(0), taken) if flat.null_count else taken
    data, offsets = _buffers(flat)
    k0, k1 = subkey(key, domain)
    hashes: Hashes = siphash(data, offsets, np.uint64(k0), np.uint64(k1))
    if flat.null_count:
        hashes[_nulls(flat)] = 0
    return hashes


def hash_column(array: pa.Array | pa.ChunkedArray, key: bytes, domain: str) -> pa.Array:
    """`hash_strings` as an int64 Arrow array in which nulls stay null.

    >>> hash_column(pa.array(["acct-1", None]), bytes(32), "account").to_pylist()
    [-5366636695645922446, None]
    """
    flat = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_dictionary(flat.type):
        # A null is one among the indices or one among the values: taking keeps both.
        return hash_column(flat.dictionary, key, domain).take(flat.indices)
    return pa.array(hash_strings(flat, key, domain), mask=_nulls(flat) if flat.null_count else None)


def hash_lists(array: pa.Array, key: bytes, domain: str) -> pa.Array:
    """A list of strings per row -> a list of hashes per row; null lists stay null, empty lists stay empty.

    >>> hash_lists(pa.array([["acct-1"], None, []]), bytes(32), "account").to_pylist()
    [[-5366636695645922446], None, []]
    """
    offsets = np.concatenate(([0], np.cumsum(np.asarray(pc.fill_null(pc.list_value_length(array), 0)))))
    values = pa.array(hash_strings(array.flatten(), key, domain))
    mask = pa.array(_nulls(array)) if array.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)


def _flat(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    flat = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    # A null among a dictionary's values is a null that the array's own count of nulls does not know of.
    if pa.types.is_dictionary(flat.type) and flat.dictionary.null_count:
        return flat.dictionary_decode()
    return flat


def _nulls(array: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def _buffers(array: pa.Array) -> tuple[npt.NDArray[np.uint8], Hashes]:
    """The bytes of all values and the n + 1 offsets into them, whatever the offsets' width and the array's slice."""
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    if not wide and not (pa.types.is_string(array.type) or pa.types.is_binary(array.type)):
        raise TypeError(f"identifiers are strings, not {array.type}")
    _, offsets, data = array.buffers()
    every = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)
    starts: Hashes = every[array.offset : array.offset + len(array) + 1].astype(np.int64)
    held = np.frombuffer(data if data is not None and data.size else b"\0", dtype=np.uint8)
    return held, starts


@numba.njit(inline="always")
def _rotate(x: Any, bits: Any) -> Any:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@numba.njit(inline="always")
def _round(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 += v1
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 += v3
    v3 = _rotate(v3, 16) ^ v2
    v0 += v3
    v3 = _rotate(v3, 21) ^ v0
    v2 += v1
    v1 = _rotate(v1, 17) ^ v2
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@numba.njit(inline="always")
def _word(data: Any, at: Any) -> Any:
    # Unsigned places: numba looks twice at signed ones, and the eight loads would not become one.
    word = np.uint64(0)
    for j in range(8):
        word |= np.uint64(data[at + np.uint64(j)]) << np.uint64(8 * j)
    return word


@numba.njit(nogil=True, cache=True)
def siphash(data: Any, offsets: Any, k0: Any, k1: Any) -> Any:
    """SipHash-2-4 of each value `data[offsets[i]:offsets[i + 1]]`: the 64-bit result, read as a signed integer."""
    count = offsets.size - 1
    out = np.empty(count, np.int64)
    eight = np.uint64(8)
    for i in range(count):
        at, end = np.uint64(offsets[i]), np.uint64(offsets[i + 1])
        v0 = k0 ^ np.uint64(0x736F6D6570736575)
        v1 = k1 ^ np.uint64(0x646F72616E646F6D)
        v2 = k0 ^ np.uint64(0x6C7967656E657261)
        v3 = k1 ^ np.uint64(0x7465646279746573)
        last = ((end - at) & np.uint64(0xFF)) << np.uint64(56)
        while end - at >= eight:
            word = _word(data, at)
            v3 ^= word
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
            v0 ^= word
            at += eight
        for j in range(np.int64(end - at)):
            last |= np.uint64(data[at + np.uint64(j)]) << np.uint64(8 * j)
        v3 ^= last
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= last
        v2 ^= np.uint64(0xFF)
        for _ in range(4):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        out[i] = np.int64(v0 ^ v1 ^ v2 ^ v3)
    return out
