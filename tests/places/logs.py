"""Small logs for the tests of places, and reading them."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import UserError
from stillwatch.intake.read import read
from stillwatch.records import Rejected

START = 1_750_000_000_000_000


def calls(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"call_id": f"c{at}", "ts": START + at, "account": f"a{at % 5}", "model": "m", "prompt": f"question {at}", "input_tokens": at}
        for at in range(first, first + count)
    ]


def jsonl(records: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in records)


def parquet(records: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue()


def text(records: list[dict[str, Any]]) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return sink.getvalue().encode()


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


FORMS = {
    "log.jsonl": jsonl, "log.jsonl.gz": lambda records: gzip.compress(jsonl(records)), "log.csv": text, "log.csv.zst": lambda records: zstd(text(records)),
    "log.parquet": parquet, "log.parquet.gz": lambda records: gzip.compress(parquet(records)),
}  # fmt: skip


def run(*logs: str | Path, **options: Any) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Calls without what is unknown, in the order of their times, and what was rejected."""
    rejected: list[Rejected] = []
    rows = [row for batch in read([str(log) for log in logs], options.pop("mapping", None), rejected.append) for row in batch.to_pylist()]
    kept = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return sorted(kept, key=lambda row: row["ts"]), rejected


def error(*logs: str | Path, **options: Any) -> str:
    """The one line that is said of logs that cannot be read."""
    try:
        run(*logs, **options)
    except UserError as told:
        assert "\n" not in str(told)
        return str(told)
    raise AssertionError("it was read")
