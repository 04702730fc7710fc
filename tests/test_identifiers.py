"""Keyed hashing of identifiers: the paper's vectors, a slow twin, Arrow's many shapes of a string column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sketch.identifiers import hash_column, hash_lists, hash_strings, siphash
from stillwatch.sketch.siphash import hash_one, subkey
from stillwatch.sketch.siphash import siphash_one as slow

KEY = bytes(range(32))
WORD = (1 << 64) - 1


def fast(values: list[bytes], k0: int, k1: int) -> list[int]:
    data = np.frombuffer(b"".join(values) or b"\0", dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int64)
    return list(siphash(data, offsets, np.uint64(k0), np.uint64(k1)).tolist())


# Key 00..0f and input 00, 01, 02 ... of the reference implementation's table, lengths 0 to 15;
# length 15 is the worked example of the paper's appendix A.
VECTORS = [
    0x726FDB47DD0E0E31, 0x74F839C593DC67FD, 0x0D6C8009D9A94F5A, 0x85676696D7FB7E2D,
    0xCF2794E0277187B7, 0x18765564CD99A68D, 0xCBC9466E58FEE3CE, 0xAB0200F58B01D137,
    0x93F5F5799A932462, 0x9E0082DF0BA9E4B0, 0x7A5DBBC594DDB9F3, 0xF4B32F46226BADA7,
    0x751E8FBC860EE5FB, 0x14EA5627C0843D90, 0xF723CA908E7AF2EE, 0xA129CA6149BE45E5,
]  # fmt: skip


@pytest.mark.parametrize("length", range(16))
def test_reference_vectors(length: int) -> None:
    k0, k1 = int.from_bytes(bytes(range(8)), "little"), int.from_bytes(bytes(range(8, 16)), "little")
    (value,) = fast([bytes(range(length))], k0, k1)
    assert value & WORD == VECTORS[length]
    assert slow(bytes(range(length)), k0, k1) & WORD == VECTORS[length]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=70), min_size=1, max_size=20), st.integers(0, WORD), st.integers(0, WORD))
def test_kernel_equals_the_slow_twin(values: list[bytes], k0: int, k1: int) -> None:
    assert fast(values, k0, k1) == [slow(value, k0, k1) for value in values]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text(max_size=20), max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_every_shape_of_column_gives_the_same_hashes(values: list[str | None], start: int, length: int) -> None:
    k0, k1 = subkey(KEY, "account")
    want = [None if value is None else slow(value.encode(), k0, k1) for value in values][start : start + length]
    plain = pa.array(values, pa.string())
    for column in (plain, plain.cast(pa.large_string()), plain.cast(pa.binary()), plain.dictionary_encode()):
        part = column.slice(start, length)
        assert hash_column(part, KEY, "account").to_pylist() == want
        assert hash_strings(part, KEY, "account").tolist() == [0 if each is None else each for each in want]
    chunked = pa.chunked_array([plain, plain], pa.string())
    assert len(hash_strings(chunked, KEY, "account")) == 2 * len(values)


def test_one_identifier_without_the_kernel_is_the_same() -> None:
    for name in ("", "acct-1", "ünï-帳戶", "x" * 100):
        assert hash_one(name, KEY, "account") == int(hash_strings(pa.array([name]), KEY, "account")[0])


def test_nulls_in_the_dictionary_itself_stay_null() -> None:
    for indices, nulls in (([0, 1, None], [False, True, True]), ([0, 1], [False, True])):
        column = pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(["a", None]))
        assert [value is None for value in hash_column(column, KEY, "key").to_pylist()] == nulls


def test_lists_keep_nulls_emptiness_and_slices() -> None:
    lists = pa.array([["a", "b"], None, [], ["a"]], pa.list_(pa.string()))
    a, b = hash_strings(pa.array(["a", "b"]), KEY, "reasoning").tolist()
    assert hash_lists(lists, KEY, "reasoning").to_pylist() == [[a, b], None, [], [a]]
    assert hash_lists(lists.slice(1), KEY, "reasoning").to_pylist() == [None, [], [a]]


def test_domains_and_keys_are_apart() -> None:
    value = pa.array(["same"])
    seen = {int(hash_strings(value, key, domain)[0]) for key in (KEY, bytes(32)) for domain in ("account", "org", "key")}
    assert len(seen) == 6


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="identifiers are strings, not int64"):
        hash_strings(pa.array([1]), KEY, "account")
