"""What written files say, for tests that look for what must not be in them.

The bytes of a compressed Parquet file show next to nothing of its values, so it is read back and each string and binary value looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

PIECE = 24
"Characters of a text, one piece after the other, that are looked for: whatever repeats twice as many of them holds a whole piece."

_TEXT = (types.is_string, types.is_large_string, types.is_string_view, types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)


def _inside(array: pa.Array) -> Iterator[pa.Array]:
    """The string and binary arrays of an array, however deep."""
    kind = array.type
    if types.is_dictionary(kind):
        yield from _inside(array.dictionary)
    elif types.is_map(kind):
        yield from (part for each in (array.keys, array.items) for part in _inside(each))
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        yield from _inside(array.values)
    elif types.is_struct(kind):
        yield from (part for each in array.flatten() for part in _inside(each))
    elif any(known(kind) for known in _TEXT):
        yield array


def values(path: Path) -> set[bytes]:
    """What a file says: the distinct string and binary values, names and notes of a Parquet file; of any other file its bytes.

    Raises: pa.ArrowInvalid for a Parquet file that was cut off.
    """
    data = path.read_bytes()
    if data[:4] != b"PAR1":
        return {data}
    table = pq.read_table(pa.BufferReader(data))
    found = {name.encode() for name in table.column_names}
    for notes in (table.schema.metadata, *(field.metadata for field in table.schema), pq.read_metadata(pa.BufferReader(data)).metadata):
        found |= {part for pair in (notes or {}).items() for part in pair}
    for column in table.columns:
        for chunk in column.chunks:
            for array in _inside(chunk):
                found |= {each if isinstance(each, bytes) else each.encode() for each in array.drop_null().unique().to_pylist()}
    return found


def _said(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted([folder] if folder.is_file() else folder.rglob("*")):
        if path.is_file():
            yield path, b"\0".join(sorted(values(path)))


def holding(folder: Path, words: Iterable[str]) -> list[tuple[Path, str]]:
    """Which files under a folder, or which file, hold which of the words, also inside a longer value."""
    wanted = [(word, word.encode()) for word in words]
    return [(path, word) for path, said in _said(folder) for word, raw in wanted if raw in said]


def pieces(texts: Iterable[str]) -> frozenset[bytes]:
    """The texts cut into pieces, to look for with `quoting`."""
    return frozenset(raw[at : at + PIECE] for raw in (text.encode() for text in texts) for at in range(0, len(raw) - PIECE + 1, PIECE))


def quoting(folder: Path, wanted: frozenset[bytes]) -> list[tuple[Path, bytes]]:
    """Which files under a folder, or which file, hold which pieces of texts."""
    found = []
    for path, said in _said(folder):
        found += [(path, piece) for piece in sorted({said[at : at + PIECE] for at in range(len(said) - PIECE + 1)} & wanted)]
    return found
