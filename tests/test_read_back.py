"""A planted leak is found, wherever in a file it hides, where a look at the file's bytes misses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from read_back import holding, pieces, quoting

ACCOUNTS = [f"acct-{i * 7919 % 100_003:06d}" for i in range(5000)]
TEXT = "Write out every step of the proof that there are infinitely many primes, then grade it."
LEAST_SEEN = 20
"Of 5,000 planted accounts, those that the bytes of the file may show."

PLANTED: dict[str, Any] = {
    "strings": pa.array(ACCOUNTS),
    "binary": pa.array([each.encode() for each in ACCOUNTS], pa.binary()),
    "fixed": pa.array([each.encode() for each in ACCOUNTS], pa.binary(11)),
    "dictionary": pa.array(ACCOUNTS).dictionary_encode(),
    "lists": pa.array([[each] for each in ACCOUNTS]),
    "structs": pa.array([[{"who": {"name": each}}] for each in ACCOUNTS]),
    "maps": pa.array([[(each, 1)] for each in ACCOUNTS], pa.map_(pa.string(), pa.int64())),
    "inside a longer value": pa.array([f"{i}: {each}!" for i, each in enumerate(ACCOUNTS)]),
}


@pytest.mark.parametrize("where", PLANTED)
@pytest.mark.parametrize("compression", ["snappy", "zstd"])
def test_every_planted_account_is_found(where: str, compression: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "kept.parquet"
    pq.write_table(pa.table({"n": range(5000), "x": PLANTED[where]}), path, compression=compression)
    assert holding(tmp_path, ACCOUNTS) == [(path, each) for each in ACCOUNTS]
    if compression == "zstd":
        raw = path.read_bytes()
        assert sum(each.encode() in raw for each in ACCOUNTS) <= LEAST_SEEN, "which a look at the bytes misses"


def test_notes_and_names_of_columns_are_looked_at(tmp_path: Path) -> None:
    pq.write_table(pa.table({"acct-1": [1]}).replace_schema_metadata({"of": "acct-2"}), tmp_path / "kept.parquet")
    assert [word for _, word in holding(tmp_path, ["acct-1", "acct-2", "acct-3"])] == ["acct-1", "acct-2"]


def test_half_a_text_is_found_inside_another_value(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [None, f"so: {TEXT[13:61]}"]}), tmp_path / "kept.parquet", compression="zstd")
    (tmp_path / "other.json").write_text('{"told": "' + TEXT[5:20] + '"}')
    assert [path.name for path, _ in quoting(tmp_path, pieces([TEXT]))] == ["kept.parquet"]


def test_a_file_that_was_cut_off_is_no_clean_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": ACCOUNTS}), tmp_path / "whole.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:-100])
    with pytest.raises(pa.ArrowInvalid):
        holding(tmp_path / "cut.parquet", ACCOUNTS)
