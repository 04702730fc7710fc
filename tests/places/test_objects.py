"""Object stores: what is found, read and said is what a folder on disk would give; each against a server that speaks the store's own protocol."""

from __future__ import annotations

import io
import json
import os
import time
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from places.conftest import Between, Emulated
from places.logs import FORMS, calls, error, jsonl, parquet, run
from stillwatch import flow
from stillwatch.intake.read import files


@pytest.mark.parametrize("name", FORMS)
def test_one_object_in_every_form_gives_what_the_file_gives(name: str, store: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setenv("TMPDIR", str(spare))
    data = FORMS[name](calls(300))
    (tmp_path / name).write_bytes(data)
    there = run(store.put(f"forms/{name}", data))
    assert there == run(tmp_path / name) and len(there[0]) == 300
    assert list(spare.iterdir()) == [], "nothing is kept on disk"


def test_a_prefix_is_read_as_a_folder_and_a_glob_as_a_glob(store: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {
        "day=1/a.jsonl": jsonl(calls(3)), "day=1/b.parquet": parquet(calls(4, 10)), "day=2/c.jsonl": jsonl(calls(5, 20)), "day=2/.hidden.jsonl": jsonl(calls(1, 90)),
        "_logs/x.jsonl": jsonl(calls(1, 91)), "_SUCCESS": b"", "log.truth.parquet": parquet(calls(1, 92)), "day=1/a.jsonl.rejected.jsonl": jsonl(calls(1, 93)),
        "out/.stillwatch": b"scan", "out/campaigns.jsonl": jsonl(calls(1, 94)), "[odd].jsonl": jsonl(calls(2, 40)),
    }  # fmt: skip
    for key, data in held.items():
        store.put(f"tree/{key}", data)
        (tmp_path / "tree" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / key).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    for pattern in ("tree", "tree/", "tree/day=*", "tree/day=?/*.jsonl", "tree/**/*.jsonl", "tree/day=[13]/*", "tree/*/[ab].*", "tree/[[]odd].jsonl"):
        here = [each.name for each in files([pattern])]
        assert [each.name.removeprefix(store.root) for each in files([store.root + pattern])] == here, pattern
        assert run(store.root + pattern)[0] == run(pattern)[0], pattern
    assert [each.name for each in files([f"{store.root}tree/day=1/", f"{store.root}tree/day=1/a.jsonl"])] == [
        f"{store.root}tree/day=1/{name}" for name in ("a.jsonl", "b.parquet")
    ]


def test_what_is_wrong_is_told_as_for_files(store: Emulated, tmp_path: Path) -> None:
    store.put("mixed/a.jsonl", jsonl(calls(3)) + b"{}\n")
    store.put("mixed/notes.txt", b"hello\nworld\n")
    store.put("mixed/empty.jsonl", b"")
    store.put("mixed/cut.jsonl.gz", FORMS["log.jsonl.gz"](calls(2000))[:-3000])
    rows, rejected = run(f"{store.root}mixed/")
    assert 3 < len(rows) < 2000
    whole = [each.file.removeprefix(f"{store.root}mixed/") for each in rejected if each.line is None]
    assert rejected[0].line == 4 and whole == ["cut.jsonl.gz", "empty.jsonl", "notes.txt"]
    assert error(f"{store.root}mixed/notes.txt").startswith(f"{store.root}mixed/notes.txt: no known log format")
    store.put("torn.parquet", parquet(calls(50))[:-20])
    assert run(f"{store.root}torn.parquet")[1][0].reason.startswith("the Parquet file is truncated or damaged")


def test_a_name_that_is_not_there(store: Emulated) -> None:
    store.put("there/a.jsonl", jsonl(calls(1)))
    assert error(f"{store.root}nowhere/x.jsonl") == (
        f"{store.root}nowhere/x.jsonl: no object of this name, and none below it; check the prefix, which is read as a folder"
    )
    assert error(f"{store.root}there/*.csv").startswith(f"{store.root}there/*.csv: no object matches;")
    missing = store.root.replace("stillwatch-logs", "stillwatch-none")
    word = "container" if store.name == "azure" else "bucket"
    for name in (f"{missing}a.jsonl", missing, f"{missing}a/*.jsonl"):
        assert error(name).startswith(f"{name}: no such {word}; check its name"), name


def test_a_store_that_does_not_answer_is_told_within_bounds(store: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.down.items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    assert error(f"{store.root}a.jsonl").startswith(f"{store.root}a.jsonl: the store cannot be reached, or gives up; check the network")
    assert time.monotonic() - began < 45


def test_wrong_credentials_are_told_and_stand_in_no_message(s3: Emulated, azure: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**s3.environment, **azure.environment}.items():
        monkeypatch.setenv(name, value)
    wrong = azure.environment["AZURE_STORAGE_CONNECTION_STRING"].replace("Eby8", "AAAA")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    said = error("az://stillwatch-logs/a.jsonl")
    assert "no permission to read here; check the credentials (AZURE_STORAGE_KEY" in said and "AAAA" not in said

    def enforced(after: int) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{s3.port}/moto-api/reset-auth", str(after).encode(), {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    enforced(0)  # from now on moto asks who calls
    try:
        for log in ("s3://stillwatch-logs/a.jsonl", "s3://stillwatch-logs/a/*.jsonl", "s3://stillwatch-logs/"):
            said = error(log)
            assert "no permission to read here; check the credentials (AWS_PROFILE" in said and "quite-secret" not in said
    finally:
        enforced(10**9)


def test_no_secret_stands_in_a_name(on_s3: Emulated) -> None:
    for name, bare in (
        ("s3://stillwatch-logs/a.jsonl?X-Amz-Security-Token=hush", "s3://stillwatch-logs/a.jsonl"),
        ("az://logs/a?sv=2024&sig=hush", "az://logs/a?sv=2024"),
        ("s3://me:hush@stillwatch-logs/a.jsonl", "s3://me@stillwatch-logs/a.jsonl"),
    ):
        said = error(name)
        assert said.startswith(f"{bare}: a secret stands in the name of the log") and "hush" not in said


def test_credentials_and_endpoint_of_a_profile(on_s3: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the shared credentials file, chosen by AWS_PROFILE, as the AWS tools have it; moto is told to look at them."""
    on_s3.put("profile.jsonl", jsonl(calls(2)))
    (tmp_path / "credentials").write_text("[reader]\naws_access_key_id = one\naws_secret_access_key = two\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "reader")
    assert len(run("s3://stillwatch-logs/profile.jsonl")[0]) == 2


def test_of_parquet_only_the_wanted_columns_cross_the_line(between: Between, on_s3: Emulated) -> None:
    rng = np.random.default_rng(1)
    fat = pa.array([rng.bytes(5000) for _ in range(4000)], pa.binary())
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(calls(4000)).append_column("colour", fat), sink, row_group_size=1000, compression="none")
    on_s3.put("fat.parquet", sink.getvalue())
    assert len(run("s3://stillwatch-logs/fat.parquet")[0]) == 4000
    assert len(sink.getvalue()) > 20e6 and between.count < 1.5e6


@pytest.mark.parametrize("form", ["log.jsonl", "log.jsonl.gz", "log.parquet"])
def test_a_line_that_breaks_is_an_error_and_no_short_log(form: str, between: Between, on_s3: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    records = [{**call, "prompt": rng.bytes(3000).hex()} for call in calls(4000)]
    on_s3.put(f"long-{form}", FORMS[form](records))
    between.most = 12_000_000
    said = error(f"s3://stillwatch-logs/long-{form}")
    assert said.startswith(f"s3://stillwatch-logs/long-{form}: the store cannot be reached, or gives up; check the network")


def test_many_small_objects_are_all_read(on_s3: Emulated) -> None:
    for at in range(60):
        on_s3.put(f"small/{at}.jsonl", jsonl(calls(2, 2 * at)))
    assert [row["call_id"] for row in run("s3://stillwatch-logs/small/")[0]] == [f"c{at}" for at in range(120)]


def test_a_scan_of_a_store_is_the_scan_of_the_file(on_s3: Emulated, logs: Logs, tmp_path: Path) -> None:
    log, history = (on_s3.put(f"whole/{path.name}", path.read_bytes()) for path in (logs.log, logs.history))
    flow.watch([log], tmp_path / "there", history=[history], key=logs.key)
    flow.watch([str(logs.log)], tmp_path / "here", history=[str(logs.history)], key=logs.key)
    assert (tmp_path / "there" / "campaigns.jsonl").read_bytes() == (tmp_path / "here" / "campaigns.jsonl").read_bytes() != b""
    assert json.loads((tmp_path / "there" / "summary.json").read_text())["parameters"]["logs"] == [log]
    made = flow.marks([log], tmp_path / "log.marks", key=logs.key)
    on_s3.put("whole/log.marks", (tmp_path / "log.marks").read_bytes())
    flow.watch([f"{on_s3.root}whole/log.marks"], tmp_path / "marks", history=[history], key=logs.key)
    assert made["calls_read"] and (tmp_path / "marks" / "campaigns.jsonl").read_bytes() == (tmp_path / "here" / "campaigns.jsonl").read_bytes()
    assert os.listdir(tmp_path / "there")
