"""Which files a source names, what is said where none can be read, times, and how reading goes on."""

from __future__ import annotations

import gzip
import resource
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import UserError
from stillwatch.intake import columns
from stillwatch.intake.read import files, read
from stillwatch.intake.times import moment
from test_intake import START, calls, jsonl, put, run

NO_FORMAT, NOT_AMONG = "no known log format:", "not among them; name the columns with --map FILE"
NO_HEADER = "the first line is not a header that names columns; put one on top, or give JSON Lines"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("log.csv", b"when,who\n1,2\n", f"{NO_FORMAT} columns when, who; call_id, ts, account, model {NOT_AMONG}"),
        ("log.jsonl", b'{"when":1,"model":"m"}', f"{NO_FORMAT} columns when, model; call_id, ts, account {NOT_AMONG}"),
        ("log.csv", b"c1,1750000000000000,zq-account,m,what the customer wrote\n", NO_HEADER),
        ("log.txt", b"What the customer wrote, was this?\n", NO_HEADER),
        (
            "log.jsonl",
            b'{"What the customer wrote?":1,"when":2}',
            f"{NO_FORMAT} columns ..., when; call_id, ts, account, model {NOT_AMONG}",
        ),
        (
            "log.bin",
            b"\x7fELF\x02\x01\x01\xff\xfe\x00",
            "not a log that is known: binary; give Parquet, JSON Lines or CSV",
        ),
        (
            "log.json",
            b'[\n{"call_id":"c"}\n]',
            "one JSON array, not one record a line; write one object a line (jq -c '.[]' does it)",
        ),
        (
            "log.csv",
            b"call_id,ts,account,model,org,org\nc,1750000000000000,a,m,x,y",
            'column "org" stands twice in the header; rename one of them',
        ),
    ],
)
def test_a_file_of_no_format_is_told(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        run(put(tmp_path, name, data))
    assert str(error.value) == f"{tmp_path / name}: {said}"


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "b/2.jsonl",
        "b/1.jsonl",
        "b/.hidden.jsonl",
        "b/_SUCCESS",
        "b/_logs/x.jsonl",
        "a.jsonl",
        "a.truth.parquet",
        "b/2.jsonl.rejected.jsonl",
        "a.rejected.jsonl",
        "b/out/x.jsonl",
    ):
        put(tmp_path, name, jsonl(calls(1)))
    (tmp_path / "hollow").mkdir()
    put(tmp_path, "b/out/.stillwatch", b"scan")
    monkeypatch.chdir(tmp_path)
    assert [each.name for each in files(["b", "a.jsonl"])] == ["a.jsonl", "b/1.jsonl", "b/2.jsonl"]
    assert [each.name for each in files(["*", "a.jsonl", "./a.jsonl"])] == ["a.jsonl"]
    assert [each.name for each in files(["b/*.jsonl", "**/a.*"])] == ["a.jsonl", "b/1.jsonl", "b/2.jsonl"]
    for source, said in (
        ("a.json", 'a.json: no such file or folder; did you mean "a.jsonl"?'),
        ("zzzzzzz", "zzzzzzz: no such file or folder; check the path"),
        ("*.csv", "*.csv: no file matches; check the pattern, and that the shell did not keep its quotes"),
        ("hollow", "hollow: the folder holds no log files; name a folder with Parquet, JSON Lines or CSV files"),
        ("/dev/null", "/dev/null: neither a file nor a folder; write the log to a file first"),
    ):
        with pytest.raises(UserError) as error:
            files([source])
        assert str(error.value) == said


def test_progress_and_size_of_batches(tmp_path: Path) -> None:
    told: list[int] = []
    path = put(
        tmp_path,
        "log.jsonl",
        b"".join(b'{"call_id":"%d","ts":%d,"account":"a","model":"m"}\n' % (at, START) for at in range(40_000)),
    )
    sizes = [batch.num_rows for batch in read([str(path)], None, pytest.fail, told.append)]
    assert sizes == told and sum(sizes) == 40_000 and max(sizes) == columns.ROWS


def test_nothing_is_left_on_disk_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "in/log.jsonl.gz", gzip.compress(jsonl(calls(50))))
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setenv("TMPDIR", str(spare))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_oublock
    assert len(run(path)[0]) == 50
    assert list(spare.iterdir()) == [] and resource.getrusage(resource.RUSAGE_SELF).ru_oublock == before


@pytest.mark.parametrize(
    ("given_time", "unit", "wanted"),
    [
        (1_750_000_000, "s", START),
        (1.75e9, "s", START),
        ("1750000000", "s", START),
        ("1750000000.5", "s", START + 500_000),
        (1_750_000_000_000, "ms", START),
        (START, "us", START),
        (START * 1000 + 999, "ns", START),
        ("2025-06-15T15:06:40Z", "iso", START),
        ("2025-06-15T17:06:40.000001+02:00", "iso", START + 1),
        ("2025-06-15 15:06:40", "iso", START),
        ("soon", "iso", None),
        (True, "s", None),
        ([], "s", None),
        (None, "s", None),
        ("", "s", None),
        (float("nan"), "s", None),
        (float("inf"), "ms", None),
        (5, "iso", None),
    ],
)
def test_moments(given_time: Any, unit: str, wanted: int | None) -> None:
    assert moment(given_time, unit) == wanted
