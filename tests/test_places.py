"""Places without a server: which one a name means, what is refused before anybody is asked, and tables on files where their package is missing."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import UserError
from stillwatch.intake.lakes import declare as lakes
from stillwatch.intake.objects import matches
from stillwatch.intake.places import azure, gcs, s3
from stillwatch.intake.places.declare import every_place, place_of, scheme
from stillwatch.intake.read import files, read
from test_intake import calls, jsonl, parquet, put, run


def said(log: str | Path) -> str:
    with pytest.raises(UserError) as error:
        list(read([str(log)], None, pytest.fail))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("place", every_place(), ids=lambda place: place.name)
def test_every_place_is_chosen_by_its_scheme_alone(place: Any) -> None:
    assert place.page and place_of(place.example) is place
    assert scheme(place.example) in (place.schemes or ("",))
    assert sum(set(place.schemes or ("",)) <= set(other.schemes or ("",)) for other in every_place()) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clikhouse://h/d#t", "clikhouse://h/d#t: no kind of place: clikhouse://; did you mean clickhouse://?"),
        ("postgresql://me:hush@host/db#calls", "postgresql://me@host/db#calls: a secret stands in the name of the log; leave it out, and put it"),
        ("postgresql://host/db?user=me&password=hush#calls", "postgresql://host/db?user=me: a secret stands in the name of the log; leave it out"),
        ("az://c/x?sv=1&sig=hush", "az://c/x?sv=1: a secret stands in the name of the log"),
        ("s3:///x", "s3:///x: names no bucket; write s3://BUCKET/PREFIX"),
        ("s3://buck*/x", "s3://buck*/x: names no bucket; write s3://BUCKET/PREFIX"),
        ("gs://", "gs://: names no bucket; write gs://BUCKET/PREFIX"),
        ("az://c/x", "az://c/x: names no storage account; set AZURE_STORAGE_ACCOUNT, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX"),
        ("clickhouse://host/db", "clickhouse://host/db: says what database, and not what of it; add the table or a file with the query: #TABLE or #QUERY.sql"),
        ("clickhouse://host:port/db#t", "clickhouse://host:port/db#t: is no URL; write SCHEME://USER@HOST:PORT/DATABASE#QUERY.sql"),
        ("duckdb:///none.duckdb#t", "duckdb:///none.duckdb#t: no such database file; check the path"),
        ("duckdb://none.duckdb#t", "duckdb://none.duckdb#t: names no file; write duckdb:///FILE#QUERY.sql, or duckdb:////WHOLE/PATH#TABLE"),
        ("iceberg://catalog/calls", "iceberg://catalog/calls: names no table of a catalog; write iceberg://CATALOG/NAMESPACE.TABLE"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_without_asking(name: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(variable, raising=False)
    assert said(name).startswith(told) and "hush" not in said(name)


def test_globs_of_keys_are_those_of_paths(tmp_path: Path) -> None:
    names = ["a/1.jsonl", "a/b/2.jsonl", "a/.c/3.jsonl", "a/.4.jsonl", "b/5.csv", "[x].csv", "a/b/c/6.jsonl"]
    for name in names:
        put(tmp_path, name, b"x")
    for pattern in ("*", "*/*", "**/*.jsonl", "a/**", "a/**/*", "?/[0-9].*", "a/.*", "[[]x].csv", "a/*/*.jsonl", "**"):
        found = {name for name in glob.glob(pattern, root_dir=tmp_path, recursive=True) if (tmp_path / name).is_file()}
        assert {name for name in names if matches(name.split("/"), pattern.split("/"))} == found, pattern


@pytest.mark.parametrize(
    ("explain", "words", "what"),
    [
        (s3.explain, "When reading: AWS Error ACCESS_DENIED during HeadObject operation: No response body.", "no permission to read here"),
        (s3.explain, "AWS Error UNKNOWN (HTTP status 301) during HeadObject operation", "the bucket lies in another region"),
        (s3.explain, "AWS Error EXPIRED_TOKEN during ListObjectsV2", "the credentials have expired"),
        (s3.explain, "AWS Error ODD during ListObjectsV2", "cannot be read (AWS: ODD)"),
        (gcs.explain, "google::cloud::Status(PERMISSION_DENIED: Permanent error, with a last message of ...)", "no permission to read here"),
        (gcs.explain, "google::cloud::Status(UNAVAILABLE: Retry policy exhausted ... Couldn't connect to server)", "the store cannot be reached, or gives up"),
        (azure.explain, "Azure Error: [AuthorizationFailure] 403 Server failed to authenticate the request.", "no permission to read here"),
        (azure.explain, "Azure Error: [] Fail to get a new connection for: http://127.0.0.1:1. Could not connect", "the store cannot be reached, or gives up"),
    ],
)
def test_what_a_stores_words_mean(explain: Any, words: str, what: str) -> None:
    assert explain(words)[0] == what
    assert explain("Corrupt snappy compressed data.") is None, "that speaks of the file"


def _missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no package that reads tables were installed."""
    real = lakes.importlib.import_module

    def without(name: str) -> Any:
        if name.split(".")[0] in ("deltalake", "pyiceberg"):
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(lakes.importlib, "import_module", without)


@pytest.mark.parametrize(("sign", "extra"), [("_delta_log/00000000000000000000.json", "delta"), ("metadata/v1.metadata.json", "iceberg")])
def test_a_table_is_never_read_as_a_folder_of_parquet(sign: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _missing(monkeypatch)
    put(tmp_path, f"lake/calls/{sign}", b"{}")
    put(tmp_path, "lake/calls/day=1/rows.parquet", parquet(calls(3)))
    put(tmp_path, "lake/plain.jsonl", jsonl(calls(3)))
    for name in ("lake/calls", "lake", "lake/c*", "l*/calls"):
        told = said(tmp_path / name)
        assert (
            told.startswith(f"{tmp_path / 'lake/calls'}: ")
            and f'which is not installed; install the extra "{extra}": pip install "stillwatch[{extra}]"' in told
        )
    for name in ("lake/calls/day=1/rows.parquet", "lake/calls/day=1", "lake/calls/*/*.parquet", "lake/**/*.parquet", f"lake/calls/{sign}"):
        assert "among rows that may be deleted; name the table itself: " + str(tmp_path / "lake/calls") in said(tmp_path / name), name
    assert len(run(tmp_path / "lake/plain.jsonl")[0]) == 3


def test_names_that_are_not_utf_8_are_read(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/d\xff"
    os.mkdir(folder)
    for name, data in ((b"/l\xfe.jsonl", jsonl(calls(2)) + b"{}\n"), (b"/p\xfe.parquet", parquet(calls(4)))):
        Path(os.fsdecode(folder + name)).write_bytes(data)
    assert [each.name for each in files([os.fsdecode(folder)])] == [f"{tmp_path}/d\\xff/l\\xfe.jsonl", f"{tmp_path}/d\\xff/p\\xfe.parquet"]
    rows, rejected = run(os.fsdecode(folder))
    assert len(rows) == 6 and rejected[0].file == f"{tmp_path}/d\\xff/l\\xfe.jsonl"
