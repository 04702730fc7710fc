"""The work folder: what lies there between jobs, in Parquet, so that no result has to fit through one reply and a lost executor costs a task and not the job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stillwatch.engines.spark import packing

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Folder:
    """A folder that all executors and the driver reach: a path on a file system they share, or a URL that Spark knows (hdfs, s3a, gs, abfss)."""

    session: SparkSession = field(repr=False)
    "The session."
    url: str
    "Where."
    _turn: Iterator[int] = field(default_factory=count, repr=False)
    "Numbers of what is put here."

    def put(self, rows: DataFrame) -> DataFrame:
        """The rows, once they are worked out and lie here. Until then nothing of them was done."""
        return self.put_for_now(rows)[0]

    def put_for_now(self, rows: DataFrame) -> tuple[DataFrame, str]:
        """The same, and where they lie, to be deleted."""
        where = f"{self.url}/{next(self._turn):06d}"
        rows.write.parquet(where)
        return self.session.read.schema(rows.schema).parquet(where), where

    def fetched(self, rows: DataFrame) -> dict[str, pa.Table]:
        """Tables that are packed in rows, worked out, brought to the driver file by file, and put together."""
        found, where = self.put_for_now(rows)
        pieces = ((row["name"], row["share"], row["part"], row["piece"], row["body"]) for row in found.toLocalIterator(prefetchPartitions=True))
        tables = packing.put_together(pieces)
        self.delete(where)
        return tables

    def delete(self, url: str | None = None) -> None:
        """Delete a folder, this one where none is named."""
        context: Any = self.session.sparkContext
        path = context._jvm.org.apache.hadoop.fs.Path(url or self.url)
        path.getFileSystem(context._jsc.hadoopConfiguration()).delete(path, True)
