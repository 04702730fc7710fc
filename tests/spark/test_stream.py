"""Spark Structured Streaming -> marks -> a followed folder: the end is that of one scan of the log, also where a micro-batch is delivered twice."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from stillwatch import flow
from stillwatch.engines import micro_batches
from stillwatch.records import MARKS
from stillwatch.sources import Reading, stamp
from stillwatch.store import keys

pyspark = pytest.importorskip("pyspark")


def test_a_stream_of_spark_ends_where_a_scan_ends(logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()
    try:
        table = pq.read_table(logs.log).sort_by("ts").slice(0, 3000)
        (tmp_path / "calls").mkdir()
        for number in range(3):
            path = tmp_path / "calls" / f"{number}.parquet"
            pq.write_table(table.slice(1000 * number, 1000), path)
            os.utime(path, (1_750_000_000 + number, 1_750_000_000 + number))
        pq.write_table(table, tmp_path / "log.parquet")
        how = Reading(keys.load_or_create(logs.key), logs.key)
        schema: Any = spark.read.parquet(str(tmp_path / "calls")).schema
        calls = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).parquet(str(tmp_path / "calls"))
        write = micro_batches.into(tmp_path / "marks", stamp(how, "spark"))

        def twice(frame: Any, number: int) -> None:
            write(frame, number)
            write(frame, number)  # as after a failure before the engine's own checkpoint

        marks = calls.mapInArrow(micro_batches.marked(how.secret), from_arrow_schema(MARKS))
        query = marks.writeStream.foreachBatch(twice).option("checkpointLocation", str(tmp_path / "checkpoint")).trigger(availableNow=True).start()
        assert query.awaitTermination(300) and query.exception() is None
    finally:
        spark.stop()
    assert len(list((tmp_path / "marks").glob("*.parquet"))) == 3
    flow.follow([str(tmp_path / "marks")], tmp_path / "out", history=[str(logs.history)], key=logs.key, once=True, pseudonymous=True)
    flow.watch([str(tmp_path / "log.parquet")], tmp_path / "scan", history=[str(logs.history)], key=logs.key, pseudonymous=True)
    assert (tmp_path / "out" / "campaigns.jsonl").read_bytes() == (tmp_path / "scan" / "campaigns.jsonl").read_bytes()
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["calls_read"] == 3000


class _Frame:
    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def toArrow(self) -> pa.Table:
        return self._table


def test_an_empty_micro_batch_leaves_no_file(tmp_path: Path) -> None:
    micro_batches.into(tmp_path / "marks", {})(_Frame(MARKS.empty_table()), 0)
    assert list((tmp_path / "marks").iterdir()) == []
