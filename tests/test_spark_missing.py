"""What is said where a scan cannot run on Spark, and what of that engine needs none. Scans that run on it are in tests/spark."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from conftest import Logs
from stillwatch import flow
from stillwatch.engines.spark import packing, session
from stillwatch.errors import UserError


def _refused(logs: Logs, out: Path, **rest: str) -> str:
    with pytest.raises(UserError) as raised:
        flow.watch([str(logs.log)], out, key=logs.key, **rest)  # type: ignore[arg-type]
    assert not out.exists()
    return str(raised.value)


def test_without_the_extra_it_is_said_how_to_install_it(logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    assert _refused(logs, tmp_path / "out", engine="spark") == '--engine spark: Apache Spark is not installed; pip install "stillwatch[spark]"'


def test_what_does_not_go_together_is_refused(logs: Logs, tmp_path: Path) -> None:
    assert _refused(logs, tmp_path / "out", engine="sparc") == "--engine: no such engine: sparc; name one of local, spark"
    told = "--work: is for what a cluster puts down between its jobs; name --engine spark, or leave it out"
    assert _refused(logs, tmp_path / "out", work=str(tmp_path)) == told


@pytest.mark.parametrize(
    ("defaults", "configured"),
    [("spark.master  yarn\n", True), ("spark.master=k8s://host\n", True), ("# spark.master yarn\nspark.app.name x\n", False), ("", False)],
)
def test_a_master_is_chosen_only_where_none_is_configured(defaults: str, configured: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYSPARK_GATEWAY_PORT", "PYSPARK_SUBMIT_ARGS", "SPARK_HOME", "SPARK_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    (tmp_path / "spark-defaults.conf").write_text(defaults)
    assert session.configured() is configured
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1234")  # spark-submit
    assert session.configured()


def test_tables_come_out_of_their_pieces_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PIECE", 64)
    tables = [{"sums": pa.table({"key": [7, -3, 40 + part], "n": [1, 2, 3]}), "rows": pa.table({"a": range(20), "b": [f"{part}"] * 20})} for part in range(3)]
    tables.append({"sums": pa.table({"key": [], "n": []}, schema=tables[0]["sums"].schema), "rows": tables[0]["rows"].slice(0, 0)})
    pieces = pa.concat_tables([packing.packed(each, part, ["sums"]) for part, each in enumerate(tables)])
    assert pieces.num_rows > 20, "several pieces"
    shares = pa.compute.unique(pieces.filter(pa.compute.equal(pieces["name"], "sums"))["share"]).to_pylist()
    added = [packing.added(pieces.filter(pa.compute.equal(pieces["share"], share))) for share in shares]
    whole = pa.concat_tables([pieces.filter(pa.compute.equal(pieces["share"], packing.WHOLE)), *added])
    rows = [tuple(row[name] for name in packing.ROWS.names) for row in whole.to_pylist()]
    there, back = packing.put_together(rows), packing.put_together(reversed(rows))
    assert there == back and there["rows"] == pa.concat_tables([each["rows"] for each in tables])
    assert sorted(zip(*there["sums"].to_pydict().values(), strict=True)) == [(-3, 6), (7, 3), (40, 3), (41, 3), (42, 3)]
