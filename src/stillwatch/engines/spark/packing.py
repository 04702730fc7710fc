"""Tables as rows of bytes: one job gives tables of many schemas, and what lies in them is Arrow's business, not that of the engine.

A row holds a piece of at most about PIECE bytes, far below the 2 GiB that a value may have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

PIECE = 32 * 2**20
"Bytes of a piece, about."

SHARES = 32
"Shares of the keys of a table of sums; each is added up by itself."

WHOLE = -1
"Share of a table that is not added up."

ROWS = pa.schema([("name", pa.string()), ("share", pa.int64()), ("part", pa.int64()), ("piece", pa.int64()), ("body", pa.binary())])
"A piece: the table's name, the share of its keys, where it comes from, its number there."

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


def packed(tables: Mapping[str, pa.Table], part: int, sums: Iterable[str] = ()) -> pa.Table:
    """The pieces of some tables; those of `sums` by shares of their keys."""
    rows: list[tuple[str, int, int, int, bytes]] = []
    for name, table in tables.items():
        for share, some in _shares(table) if name in set(sums) else [(WHOLE, table)]:
            rows += [(name, share, part, piece, body) for piece, body in enumerate(_bodies(some))]
    # A batch a piece: several together may outgrow what a batch can hold.
    return pa.Table.from_batches([_row(*row) for row in rows], ROWS)


def _row(*values: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([value], field.type) for value, field in zip(values, ROWS, strict=True)], schema=ROWS)


def _shares(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    share = table["key"].to_numpy() % SHARES
    for each in np.unique(share).tolist() or [0]:
        yield each, table.filter(pa.array(share == each))


def _bodies(table: pa.Table) -> Iterator[bytes]:
    step = max(1, table.num_rows // max(1, -(-table.nbytes // PIECE)))
    for start in range(0, max(1, table.num_rows), step):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
            writer.write_table(table.slice(start, step))
        yield sink.getvalue().to_pybytes()


def opened(body: bytes) -> pa.Table:
    """The piece of a table that a row holds."""
    return pa.ipc.open_stream(pa.py_buffer(body)).read_all()


def added(rows: pa.Table) -> pa.Table:
    """Pieces of one share of one table of sums, added up."""
    whole = pa.concat_tables([opened(body.as_buffer()) for body in rows["body"]])
    keys, at = np.unique(whole["key"].to_numpy(), return_inverse=True)
    n = np.zeros(len(keys), np.int64)
    np.add.at(n, at, whole["n"].to_numpy())
    name, share = rows["name"][0].as_py(), rows["share"][0].as_py()
    return pa.Table.from_batches([_row(name, share, 0, piece, body) for piece, body in enumerate(_bodies(pa.table({"key": keys, "n": n})))], ROWS)


def put_together(rows: Iterable[tuple[str, int, int, int, bytes]]) -> dict[str, pa.Table]:
    """The tables that the pieces are of, in one order whatever order they came in."""
    held: dict[str, list[tuple[int, int, int, pa.Table]]] = {}
    for name, share, part, piece, body in rows:
        held.setdefault(name, []).append((share, part, piece, opened(bytes(body))))
    return {name: pa.concat_tables([table for *_, table in sorted(pieces, key=lambda each: each[:3])]) for name, pieces in sorted(held.items())}
