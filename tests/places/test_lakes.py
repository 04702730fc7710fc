"""Delta and Iceberg tables, made by their own writers: live rows and no others, here and on S3; never a folder of Parquet."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg import catalog as catalogs
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.utils.config import Config

from places.conftest import Emulated
from places.logs import calls, error, parquet, run
from stillwatch.intake import mapping as maps
from stillwatch.intake.lakes import declare

LIVE = [each for each in calls(1000) if each["input_tokens"] < 900]
REACH = {"aws_allow_http": "true", "aws_region": "us-east-1"}


def table(records: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(records).append_column("day", pa.array(["mon" if each["input_tokens"] % 2 else "tue" for each in records]))


def delta(where: str, **options: Any) -> None:
    """A table in parts, with rows deleted, some written anew and a file that was never committed."""
    deltalake.write_deltalake(where, table(calls(600)), partition_by=["day"], **options)
    deltalake.write_deltalake(where, table(calls(400, 600)), mode="append", **options)
    deltalake.DeltaTable(where, **options).delete("input_tokens >= 900")


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def hidden_rows(folder: Path, rows: list[int]) -> None:
    """A deletion vector as other writers leave it (delta-rs writes none): inline, a Roaring bitmap in Z85, by the Delta protocol."""
    bitmap = struct.pack("<II", 12346, 1) + struct.pack("<HHI", 0, len(rows) - 1, 16) + b"".join(struct.pack("<H", row) for row in rows)
    held = struct.pack("<iqI", 1681511377, 1, 0) + bitmap
    held += b"\0" * (-len(held) % 4)
    words = (int.from_bytes(held[at : at + 4], "big") for at in range(0, len(held), 4))
    inline = "".join("".join(Z85[word // 85**power % 85] for power in (4, 3, 2, 1, 0)) for word in words)
    log = folder / "_delta_log"
    (add,) = (each["add"] for each in map(json.loads, (log / f"{0:020}.json").read_text().splitlines()) if "add" in each)
    vector = {"storageType": "i", "pathOrInlineDv": inline, "sizeInBytes": len(held), "cardinality": len(rows)}
    features = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    actions = [
        {"commitInfo": {"operation": "DELETE"}}, {"protocol": features}, {"remove": {"path": add["path"], "deletionTimestamp": 1, "dataChange": True}},
        {"add": {**add, "deletionVector": vector}},
    ]  # fmt: skip
    (log / f"{1:020}.json").write_text("\n".join(map(json.dumps, actions)))


def test_a_delta_table_gives_its_live_rows(tmp_path: Path) -> None:
    delta(str(tmp_path / "calls"))
    on_disk = sum(pq.read_metadata(path).num_rows for path in (tmp_path / "calls").rglob("*.parquet"))
    assert on_disk > 1000, "deleted rows still lie there"
    assert run(tmp_path / "calls") == (LIVE, [])
    assert run(f"{tmp_path}/call*")[0] == LIVE and run(tmp_path)[0] == LIVE, "also where a glob or a folder above it is named"


def test_rows_hidden_by_a_deletion_vector_are_not_read(tmp_path: Path) -> None:
    deltalake.write_deltalake(str(tmp_path), table(calls(10)))
    hidden_rows(tmp_path, [1, 3, 5])
    assert [row["call_id"] for row in run(tmp_path)[0]] == ["c0", "c2", "c4", "c6", "c7", "c8", "c9"]


def test_a_row_that_cannot_be_used_has_the_same_number_each_time(tmp_path: Path) -> None:
    deltalake.write_deltalake(str(tmp_path), table([{**each, "account": "" if each["input_tokens"] == 7 else each["account"]} for each in calls(20)]))
    assert [(each.line, each.reason) for each in run(tmp_path)[1]] == [(8, "account is missing or empty")]


def test_a_map_names_the_columns_of_a_table(tmp_path: Path) -> None:
    deltalake.write_deltalake(str(tmp_path / "t"), table(calls(5)).rename_columns({"account": "customer"}))
    (tmp_path / "map.toml").write_text('account = "customer"\n')
    assert [row["account"] for row in run(tmp_path / "t", mapping=maps.load(tmp_path / "map.toml"))[0]] == ["a0", "a1", "a2", "a3", "a4"]
    assert error(tmp_path / "t") == f"{tmp_path / 't'}: columns call_id, ts, customer, model, prompt, input_tokens, day; account not among them; " + (
        "rename the columns, or name them with a map"
    )


def test_what_lies_in_a_table_is_not_read_by_itself(tmp_path: Path) -> None:
    where = tmp_path / "calls"
    delta(str(where))
    one = sorted(where.rglob("*.parquet"))[0]
    said = "lies in a table of Delta Lake, among rows that may be deleted; name the table itself: "
    assert error(one) == f"{one}: {said}{where}"
    assert error(where / "day=mon") == f"{where / 'day=mon'}: {said}{where}"
    assert error(f"{where}/*/*.parquet").endswith(f"{said}{where}")


def test_a_damaged_delta_log_is_told(tmp_path: Path) -> None:
    delta(str(tmp_path / "calls"))
    for path in (tmp_path / "calls").rglob("*.parquet"):
        path.unlink()
    assert error(tmp_path / "calls") == f"{tmp_path / 'calls'}: a file of the Delta table is missing; check that its log and its files are all there"


@pytest.mark.parametrize(("package", "extra"), [("deltalake", "delta"), ("pyiceberg", "iceberg")])
def test_without_the_package_a_table_is_an_error(package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delta(str(tmp_path / "delta"))
    (tmp_path / "iceberg" / "metadata").mkdir(parents=True)
    (tmp_path / "iceberg" / "metadata" / "v1.metadata.json").write_text("{}")
    (tmp_path / "iceberg" / "rows.parquet").write_bytes(parquet(calls(3)))
    real = declare.importlib.import_module

    def missing(name: str) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(declare.importlib, "import_module", missing)
    assert error(tmp_path / extra).endswith(
        f'is read through the package {package}, which is not installed; install the extra "{extra}": pip install "stillwatch[{extra}]"'
    )


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlCatalog:
    """A catalog in SQLite, configured as pyiceberg has it in the environment."""
    monkeypatch.setenv("PYICEBERG_CATALOG__LAB__TYPE", "sql")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAB__URI", f"sqlite:///{tmp_path / 'catalog.db'}")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAB__WAREHOUSE", f"file://{tmp_path / 'warehouse'}")
    monkeypatch.setattr(catalogs, "_ENV_CONFIG", Config())  # read once, when pyiceberg is imported
    made = load_catalog("lab")
    made.create_namespace("gateway")
    return made  # type: ignore[return-value]


def iceberg(catalog: SqlCatalog) -> Table:
    made = catalog.create_table("gateway.calls", table(calls(1)).schema)
    made.append(table(calls(600)))
    made.append(table(calls(400, 600)))
    made.delete("input_tokens >= 900")
    return made


def position_deletes(made: Table, folder: Path, rows: list[int]) -> None:
    """Deletes by position as other writers leave them (pyiceberg writes none): a file of paths and row numbers, in a snapshot of its own."""
    (task,) = made.scan().plan_files()
    path = folder / "deletes.parquet"
    fields = [
        pa.field("file_path", pa.string(), False, {b"PARQUET:field_id": b"2147483546"}), pa.field("pos", pa.int64(), False, {b"PARQUET:field_id": b"2147483545"}),
    ]  # fmt: skip
    pq.write_table(pa.table({"file_path": [task.file.file_path] * len(rows), "pos": rows}, pa.schema(fields)), path)
    deletes = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES, file_path=f"file://{path}", file_format=FileFormat.PARQUET, partition=task.file.partition,
        record_count=len(rows), file_size_in_bytes=path.stat().st_size, sort_order_id=None, spec_id=0, equality_ids=None, key_metadata=None,
    )  # fmt: skip
    with made.transaction() as transaction, Deleting(Operation.DELETE, transaction, made.io) as snapshot:
        snapshot.append_data_file(deletes)


class Deleting(_FastAppendFiles):
    """A snapshot whose new manifest lists files of deletes."""

    def new_manifest_writer(self, spec: Any) -> Any:
        writer = super().new_manifest_writer(spec)
        writer.content = lambda: ManifestContent.DELETES
        return writer


def test_an_iceberg_table_gives_its_live_rows(catalog: SqlCatalog, tmp_path: Path) -> None:
    made = iceberg(catalog)
    folder = made.location().removeprefix("file://")
    assert sum(pq.read_metadata(path).num_rows for path in Path(folder).rglob("*.parquet")) > 1000
    assert run("iceberg://lab/gateway.calls") == (LIVE, [])
    assert run(folder) == (LIVE, []) and run(tmp_path / "warehouse")[0] == LIVE, "the folder too, and one above it"
    one = next(Path(folder).rglob("*.parquet"))
    assert "lies in a table of Apache Iceberg" in error(one)


def test_rows_hidden_by_position_deletes_are_not_read(catalog: SqlCatalog, tmp_path: Path) -> None:
    made = catalog.create_table("gateway.few", table(calls(1)).schema)
    made.append(table(calls(10)))
    position_deletes(made, tmp_path, [1, 3, 5])
    assert [row["call_id"] for row in run("iceberg://lab/gateway.few")[0]] == ["c0", "c2", "c4", "c6", "c7", "c8", "c9"]


def test_an_iceberg_folder_with_two_newest_versions_is_not_guessed(catalog: SqlCatalog) -> None:
    made = iceberg(catalog)
    newest = Path(made.metadata_location.removeprefix("file://"))
    shutil.copy(newest, newest.with_name(f"{newest.name.partition('-')[0]}-00000000-0000-0000-0000-000000000000.metadata.json"))
    assert "two newest versions" in error(made.location().removeprefix("file://")) and run("iceberg://lab/gateway.calls")[0] == LIVE


def test_what_a_catalog_has_not_is_told(catalog: SqlCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in (
        ("iceberg://lab/gateway.cals", "the catalog lab has no table gateway.cals; check the namespace and the name"),
        ("iceberg://none/gateway.calls", "the catalog none cannot be asked"),
        ("iceberg://lab/calls", "names no table of a catalog; write iceberg://CATALOG/NAMESPACE.TABLE"),
    ):
        assert error(name).startswith(f"{name}: {said}")
    iceberg(catalog)
    shutil.rmtree(tmp_path / "warehouse")
    assert error("iceberg://lab/gateway.calls").startswith("iceberg://lab/gateway.calls: ")


def test_tables_on_s3(on_s3: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = on_s3.environment["AWS_ENDPOINT_URL"]
    delta(f"{on_s3.root}lake/delta", storage_options={**REACH, "aws_endpoint": endpoint})
    assert run(f"{on_s3.root}lake/delta") == (LIVE, []) == run(f"{on_s3.root}lake/")
    assert "lies in a table of Delta Lake" in error(f"{on_s3.root}lake/delta/day=mon/")
    assert "lies in a table of Delta Lake" in error(f"{on_s3.root}lake/delta/*/*.parquet")
    assert "lies in a table of Delta Lake" in error(f"{on_s3.root}lake/**/*.parquet")
    catalog = SqlCatalog(
        "s3", uri=f"sqlite:///{tmp_path / 's3.db'}", warehouse=f"{on_s3.root}ice", **{"s3.endpoint": endpoint, "s3.region": "us-east-1"}
    )  # fmt: skip
    catalog.create_namespace("gateway")
    made = iceberg(catalog)
    assert run(made.location()) == (LIVE, []) == run(f"{on_s3.root}ice/")
    assert "lies in a table of Apache Iceberg" in error(f"{made.location()}/data/")


def test_a_table_where_tables_are_not_read_is_an_error(store: Emulated) -> None:
    if store.name == "s3":
        return
    store.put("lake/_delta_log/00000000000000000000.json", b"{}")
    store.put("lake/part-0.parquet", parquet(calls(3)))
    assert error(f"{store.root}lake/").startswith(f"{store.root}lake/: is a table of Delta Lake, which is read from this machine and from S3 only")
