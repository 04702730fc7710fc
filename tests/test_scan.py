"""A scan from end to end, as the contract promises it."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from malformed import HUGE, KINDS, malformed
from read_back import holding, pieces, quoting, values
from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.doors import demo
from stillwatch.doors.report import page
from stillwatch.errors import UserError
from stillwatch.store import keys, names
from stillwatch.store.scans import MARKER

FIELDS = {
    "campaign", "verdict", "log10_e", "q", "p_floor", "conditions", "accounts", "calls", "first_ts", "last_ts", "factors", "signals", "ties", "alternatives", "models", "capabilities",
}  # fmt: skip
COUNTS = {
    "calls_read", "calls_rejected", "calls_duplicate", "accounts", "organisations", "reference_organisations", "clusters_tested", "alerts", "reviews", "watches", "detectors",
    "placebo", "seconds", "peak_bytes", "versions", "parameters",
}  # fmt: skip


def _scan(logs: Logs, out: Path, *sources: Path, history: bool = True, **rest: object) -> bytes:
    given = [str(source) for source in sources] or [str(logs.log)]
    flow.watch(given, out, history=[str(logs.history)] if history else [], key=logs.key, render=page.render, **rest)  # type: ignore[arg-type]
    return (out / "campaigns.jsonl").read_bytes()


@pytest.fixture(scope="module")
def scanned(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scans") / "scan"
    _scan(logs, out)
    return out


def test_a_planted_campaign_is_an_alert_and_no_innocent_cluster_is(scanned: Path, logs: Logs) -> None:
    """At this size (8,000 calls, 12,000 of history) only the replay is sure to be found, and a review may be false: one in ten is allowed to."""
    found = demo.compare(scanned, logs.truth)
    assert found["campaigns"]["O-SEP"]["verdict"] == "alert"
    table = pq.read_table(logs.truth, columns=["account", "campaign"]).to_pydict()
    guilty = {account for account, campaign in zip(table["account"], table["campaign"], strict=True) if campaign is not None}
    for line in (scanned / "campaigns.jsonl").read_text().splitlines():
        told = json.loads(line)
        if told["verdict"] == "alert":
            assert len(guilty.intersection(told["accounts"])) >= 0.9 * len(told["accounts"]), told["campaign"]


def test_folder_holds_what_the_contract_lists(scanned: Path, logs: Logs) -> None:
    assert {"campaigns.jsonl", "accounts.parquet", "rejected.jsonl", "summary.json", "report.html"} <= {path.name for path in scanned.iterdir()}
    summary = json.loads((scanned / "summary.json").read_text())
    assert set(summary) >= COUNTS and summary["calls_read"] == pq.read_metadata(logs.log).num_rows
    lines = [json.loads(line) for line in (scanned / "campaigns.jsonl").read_text().splitlines()]
    assert lines and all(set(line) >= FIELDS for line in lines)
    rank = [("alert", "review", "watch").index(line["verdict"]) for line in lines]
    assert rank == sorted(rank)
    known = set(pq.read_table(logs.log, columns=["account"])["account"].to_pylist())
    rows = pq.read_table(scanned / "accounts.parquet")
    assert rows.column_names == ["account", "campaign", "log10_e", "calls"] and set(rows["account"].to_pylist()) <= known
    assert {line["campaign"]: len(line["accounts"]) for line in lines} == {
        c: sum(r == c for r in rows["campaign"].to_pylist()) for c in {x["campaign"] for x in lines}
    }


def test_pseudonymous_results_hold_no_account_of_the_log(logs: Logs, tmp_path: Path) -> None:
    _scan(logs, tmp_path / "scan", pseudonymous=True)
    accounts = pq.read_table(logs.log, columns=["account"])["account"].unique().to_pylist()
    assert len(accounts) > 400 and holding(tmp_path / "scan", accounts) == []
    _scan(logs, tmp_path / "named")
    seen = {path.name for path, _ in holding(tmp_path / "named", accounts)}
    assert seen == {"accounts.parquet", "campaigns.jsonl", "report.html"}, "where they are when nobody asks for pseudonyms, and so would be seen"


def test_order_and_packing_change_nothing(scanned: Path, logs: Logs, tmp_path: Path) -> None:
    want = (scanned / "campaigns.jsonl").read_bytes()
    table = pq.read_table(logs.log)
    rng = random.Random(4)
    order = list(range(table.num_rows))
    rng.shuffle(order)
    shuffled = table.take(order)
    pq.write_table(shuffled, tmp_path / "shuffled.parquet")
    assert _scan(logs, tmp_path / "a", tmp_path / "shuffled.parquet") == want
    parts = tmp_path / "parts"
    parts.mkdir()
    for i in range(7):
        part = shuffled.take(list(range(i, table.num_rows, 7)))
        if i % 2:
            pq.write_table(part, parts / f"{i}.parquet")
        else:
            lines = b"".join(orjson.dumps({k: v for k, v in row.items() if v is not None}) + b"\n" for row in part.to_pylist())
            (parts / f"{i}.jsonl.gz").write_bytes(gzip.compress(lines, 1))
    assert _scan(logs, tmp_path / "b", parts) == want
    assert _scan(logs, tmp_path / "c", logs.log, tmp_path / "shuffled.parquet") == want, "a repeated call_id counts once"
    assert json.loads((tmp_path / "c" / "summary.json").read_text())["calls_duplicate"] == table.num_rows


def test_history_as_a_scan_or_as_a_log_is_the_same(scanned: Path, logs: Logs, tmp_path: Path) -> None:
    flow.watch([str(logs.history)], tmp_path / "history", key=logs.key)
    flow.watch([str(logs.log)], tmp_path / "scan", history=[str(tmp_path / "history")], key=logs.key)
    assert (tmp_path / "scan" / "campaigns.jsonl").read_bytes() == (scanned / "campaigns.jsonl").read_bytes()


def test_history_of_another_key_is_refused(logs: Logs, tmp_path: Path) -> None:
    flow.watch([str(logs.history)], tmp_path / "history", key=tmp_path / "other.key")
    with pytest.raises(UserError, match="another hashing key"):
        flow.watch([str(logs.log)], tmp_path / "scan", history=[str(tmp_path / "history")], key=logs.key)
    assert not (tmp_path / "scan").exists()


def test_a_mistyped_key_beside_an_earlier_scan_leaves_no_new_one(logs: Logs, tmp_path: Path) -> None:
    flow.watch([str(logs.history)], tmp_path / "history", key=logs.key)
    for more in ({"history": [str(tmp_path / "history")]}, {"onto": tmp_path / "history"}):
        with pytest.raises(UserError, match="no hashing key lies there"):
            flow.watch([str(logs.log)], tmp_path / "scan", key=tmp_path / "mistyped.key", **more)  # type: ignore[arg-type]
    assert not (tmp_path / "mistyped.key").exists() and not (tmp_path / "scan").exists()


def test_history_of_another_unit_is_refused(tmp_path: Path) -> None:
    put_units(tmp_path / "log.jsonl")
    for unit in ("account", "key"):
        flow.watch([str(tmp_path / "log.jsonl")], tmp_path / unit, key=tmp_path / "k", unit=unit)
        flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "same", history=[str(tmp_path / unit)], key=tmp_path / "k", unit=unit)
    with pytest.raises(UserError) as error:
        flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "scan", history=[str(tmp_path / "account")], key=tmp_path / "k", unit="key")
    assert str(error.value) == f"{tmp_path}/account: was made with --unit account; name the same unit, or scan that log again with --unit key"
    with pytest.raises(UserError, match="was made with --unit key"):
        flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "scan", history=[str(tmp_path / "key")], key=tmp_path / "k")
    for path in (tmp_path / "account" / "states").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({name: value for name, value in table.schema.metadata.items() if name != b"unit"}), path)
    flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "scan", history=[str(tmp_path / "account")], key=tmp_path / "k")
    with pytest.raises(UserError, match="was made with --unit account"):
        flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "scan", history=[str(tmp_path / "account")], key=tmp_path / "k", unit="end_user")


def test_every_unit_of_one_log_has_its_own_sealed_names(tmp_path: Path) -> None:
    put_units(tmp_path / "log.jsonl", 1)  # of one call, whose place in the canonical order tells no unit
    units = ("account", "key", "end_user")
    scans = [flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "scan", key=tmp_path / "k", unit=unit)["scan"] for unit in units]
    held = [set(names.open(tmp_path / "k", keys.load_or_create(tmp_path / "k"), scan).values()) for scan in scans]
    assert held == [{"a"}, {"k0"}, {"a/u0"}]


def put_units(path: Path, calls: int = 4) -> None:
    """A call for each of two keys and two end users of two accounts."""
    rows = [
        {"account": "ab"[i // 2], "key": f"k{i}", "end_user": f"u{i % 2}", "call_id": str(i), "ts": 1_767_225_600_000_000 + i, "model": "m"}
        for i in range(calls)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_without_history_only_exact_signs_decide_and_the_rest_is_said(logs: Logs, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in _scan(logs, tmp_path / "scan", history=False).splitlines()]
    assert all(line["conditions"]["replay"] for line in lines if line["verdict"] != "watch")
    assert "history" in json.loads((tmp_path / "scan" / "summary.json").read_text())["cannot_decide"]
    assert "Cannot decide" in (tmp_path / "scan" / "report.html").read_text()


def test_a_log_without_text_still_scans(logs: Logs, tmp_path: Path) -> None:
    table = pq.read_table(logs.log)
    for name in ("prompt", "system", "response"):
        table = table.set_column(table.schema.get_field_index(name), name, pa.nulls(table.num_rows, pa.string()))
    pq.write_table(table, tmp_path / "bare.parquet")
    lines = [json.loads(line) for line in _scan(logs, tmp_path / "scan", tmp_path / "bare.parquet").splitlines()]
    assert any(line["verdict"] == "alert" and line["conditions"]["replay"] for line in lines), "replay needs no text"
    summary = json.loads((tmp_path / "scan" / "summary.json").read_text())
    assert summary["detectors"]["reasoning elicitation"]["off"] and summary["detectors"]["reasoning replay"] == "on"


def test_rubbish_is_rejected_with_reasons_and_the_same_is_found(scanned: Path, logs: Logs, tmp_path: Path) -> None:
    rng = random.Random(8)
    lines = [orjson.dumps({k: v for k, v in row.items() if v is not None}) + b"\n" for row in pq.read_table(logs.log).to_pylist()]
    kinds = [kind for kind in KINDS if kind not in HUGE]
    assert len(kinds) >= 20
    bad = [malformed(kind, rng).rstrip(b"\n") + b"\n" for kind in kinds for _ in range(1000 // len(kinds) + 1)] + [b'{"call_id": "' + b"x" * 50_000_000 + b"\n"]
    for line in bad:
        lines.insert(rng.randrange(len(lines) + 1), line)
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines))
    assert _scan(logs, tmp_path / "scan", tmp_path / "log.jsonl") == (scanned / "campaigns.jsonl").read_bytes()
    told = [json.loads(line) for line in (tmp_path / "scan" / "rejected.jsonl").read_text().splitlines()]
    assert len({row["line"] for row in told}) >= 1000 and all(row["reason"] and row["file"].endswith("log.jsonl") for row in told)


SECRET = "Zanzibar7Quorum"


MOMENTS = {
    "reading": (MARKER, 0.0),
    "a moment later": (MARKER, 0.2),
    "another moment later": (MARKER, 0.5),
    "writing": ("campaigns.jsonl", 0.0),
    "writing what is kept": ("states", 0.0),
}
"When a scan is killed: so many seconds after this appears in its stage."


@dataclass(frozen=True)
class Bench:
    """A place where a scan is started, killed and looked at."""

    work: Path
    "All that the scan may write to."
    command: list[str]
    "The scan of a log with secrets in its texts, over an earlier scan."
    texts: frozenset[bytes]
    "Pieces of the log's texts."

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "TMPDIR": str(self.work), "XDG_CONFIG_HOME": str(self.work), "HOME": str(self.work)}
        return subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=self.work)

    def stages(self) -> list[Path]:
        return list(self.work.glob(".stillwatch-*.partial"))

    def killed(self, inside: str, after: float) -> bool:
        """Start, kill at the moment that is told; whether the scan was still writing into its stage."""
        for stage in self.stages():  # left by the last kill, for the next scan to clear away: its marker is made older, so that it is not taken for the new one
            with contextlib.suppress(FileNotFoundError):
                os.utime(stage / MARKER, (0, 0))
        process = self.start()
        while process.poll() is None:
            if any(_is_new(stage) and (stage / inside).exists() for stage in self.stages()):
                time.sleep(after)
                break
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL and any(_is_new(stage) for stage in self.stages())

    def whole(self) -> dict[str, bytes]:
        """Every file of the result, by name."""
        scan = self.work / "scan"
        return {str(path.relative_to(scan)): path.read_bytes() for path in sorted(scan.rglob("*")) if path.is_file()}

    def is_clean(self) -> None:
        """No text in any file, also in half of one."""
        for path in (path for path in self.work.rglob("*") if path.is_file()):
            assert SECRET.encode() not in path.read_bytes(), path
            try:
                assert SECRET.encode() not in b"\0".join(values(path)) and not quoting(path, self.texts), path
            except pa.ArrowInvalid:
                assert any(stage in path.parents for stage in self.stages()), f"{path} was cut off, and is in no stage"


def _is_new(stage: Path) -> bool:
    try:
        return (stage / MARKER).stat().st_mtime > 0
    except FileNotFoundError:
        return False


def test_sigterm_ends_a_scan_as_ctrl_c_does(logs: Logs, tmp_path: Path) -> None:
    bench = _bench(logs, tmp_path)
    process = bench.start()
    while process.poll() is None and not bench.stages():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert process.returncode == 2 and b"stopped before the end" in said and len(said.strip().splitlines()) == 1
    assert not bench.stages() and not (bench.work / "scan").exists()


def _bench(logs: Logs, folder: Path) -> Bench:
    table = pq.read_table(logs.log).slice(0, 3000).to_pylist()
    for i, row in enumerate(table):
        row["prompt"] = f"{SECRET}P{i} {row['prompt']}"
        row["system"] = f"{SECRET}S{i} {row['system'] or ''}"
        row["response"] = f"{SECRET}R{i} {row['response'] or ''}"
    lines = [orjson.dumps({k: v for k, v in row.items() if v is not None}) for row in table]
    lines += [line[:-40] for line in lines[:50]] + [line.replace(b'"ts":', b'"ts":"x",') for line in lines[:50]]
    (folder / "log.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    work = folder / "work"
    work.mkdir()
    command = [sys.executable, "-m", "stillwatch", "scan", str(folder / "log.jsonl"), "--out", str(work / "scan")]
    return Bench(work, command, pieces(row[name] for row in table for name in ("prompt", "system", "response")))


def test_a_kill_leaves_the_earlier_result_whole_and_text_nowhere(logs: Logs, tmp_path: Path) -> None:
    bench = _bench(logs, tmp_path)
    flow.watch([str(logs.history)], bench.work / "scan", key=logs.key, render=page.render)
    before, writing = bench.whole(), set()
    for moment, (inside, after) in MOMENTS.items():
        for _ in range(5):
            fell = bench.killed(inside, after)
            bench.is_clean()
            if fell and bench.whole() == before:
                writing.add(any((stage / "campaigns.jsonl").exists() for stage in bench.stages()))
                break
            # It came to its end before the kill: then the new result is whole instead.
            assert set(bench.whole()) == set(before) and json.loads(bench.whole()["summary.json"])["calls_rejected"] == 100, moment
            before = bench.whole()
        else:
            pytest.fail(f"no kill fell while the stage was there: {moment}")
    assert writing == {True, False}, "some while reading and some while writing"
    process = bench.start()
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    assert SECRET.encode() not in printed
    bench.is_clean()
    assert json.loads(bench.whole()["summary.json"])["calls_rejected"] == 100 and set(bench.whole()) == set(before)
    assert bench.stages() == [], "what the kills left is cleared away"


def test_an_earlier_scan_is_replaced_and_anything_else_refused(logs: Logs, tmp_path: Path) -> None:
    flow.watch([str(logs.history)], tmp_path / "scan", key=logs.key)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep me")
    with pytest.raises(UserError):
        flow.watch([str(logs.log)], tmp_path / "mine", key=logs.key)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "keep me"
    before = (tmp_path / "scan" / "summary.json").read_bytes()
    flow.watch([str(logs.log)], tmp_path / "scan", key=logs.key)
    assert (tmp_path / "scan" / "summary.json").read_bytes() != before


def test_no_usable_record_is_the_users_mistake(logs: Logs, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"call_id": "1", "ts": "yesterday", "account": "a", "model": "m"}\n')
    with pytest.raises(UserError, match="no usable record"):
        flow.watch([str(tmp_path / "log.jsonl")], tmp_path / "scan", key=logs.key)
    assert not (tmp_path / "scan").exists()


def test_python_schema_is_the_contracts() -> None:
    assert SCHEMA.names[:4] == ["call_id", "ts", "account", "model"] and len(SCHEMA) == 48
