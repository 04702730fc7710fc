"""The local engine: parts on disk give what one part in memory gives, day by day gives what the whole gives, and damage is noticed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from stillwatch import examination, flow
from stillwatch.earlier import RUNS
from stillwatch.engines import disk, local, runs, shelf
from stillwatch.engines.disk import OnDisk
from stillwatch.errors import UserError
from stillwatch.facts import every_fact, rounds
from stillwatch.parts import Besides, One
from stillwatch.records import MARKS, Context, PaymentChange, Release
from stillwatch.standing import FEW, numbers, standing
from stillwatch.store import keys
from stillwatch.traffic import Ints, Traffic, from_rows

RESULTS = ("campaigns.jsonl", "rejected.jsonl")


def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small log makes several runs, parts and guests."""
    monkeypatch.setattr(local, "RUN", 2**18)
    monkeypatch.setattr(disk, "CALLS", 700)
    monkeypatch.setattr(disk, "GUESTS", 2**17)


def _scan(logs: Logs, out: Path, *sources: Path, **rest: Any) -> dict[str, Any]:
    return flow.watch([str(source) for source in sources], out, history=[str(logs.history)], key=logs.key, **rest)


def _told(folder: Path) -> dict[str, Any]:
    """Everything that a scan says of its log, but how long it took, where from, and the seal: that is of the files that it keeps, and they lie otherwise."""
    summary = json.loads((folder / "summary.json").read_bytes())
    for name in ("seconds", "peak_bytes", "parameters", "seal"):
        del summary[name]
    kept = {path.name: pq.read_table(path) for path in (folder / "states").glob("*.parquet")}
    kept["wordings.parquet"] = kept["wordings.parquet"].sort_by([("wording", "ascending"), ("unit", "ascending")])
    return {"summary": summary, **{name: (folder / name).read_bytes() for name in RESULTS}, **kept, "accounts": pq.read_table(folder / "accounts.parquet")}


@pytest.fixture(scope="module")
def whole(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("engine") / "whole"
    _scan(logs, out, logs.log)
    return out


def test_parts_on_disk_give_what_one_part_gives(logs: Logs, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small(monkeypatch)
    (tmp_path / "log").mkdir()
    table = pq.read_table(logs.log)
    for number in range(9):  # a file of so few calls is one batch
        pq.write_table(table.slice(number * 1000, 1000), tmp_path / "log" / f"{number}.parquet")
    _scan(logs, tmp_path / "parts", tmp_path / "log")
    assert len(list((tmp_path / "parts" / RUNS).glob("*.arrow"))) > 3, "several runs"
    assert not (tmp_path / "parts" / RUNS / disk.AWAY).exists()
    assert _told(tmp_path / "parts") == _told(whole)


def test_day_by_day_gives_what_the_whole_gives(logs: Logs, whole: Path, tmp_path: Path) -> None:
    """Four days, the third of which repeats a few of the second's calls and holds records that cannot be used."""
    table = pq.read_table(logs.log).sort_by("ts")
    cuts = np.linspace(0, table.num_rows, 5).astype(int)
    days = [table.slice(start, end - start) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]
    days[2] = pa.concat_tables([days[2], days[1].slice(0, 50), days[1].slice(50, 1).set_column(1, "ts", pa.array([5])).cast(table.schema)])
    for number, day in enumerate(days):
        pq.write_table(day, tmp_path / f"{number}.parquet")
    pq.write_table(pa.concat_tables(days), tmp_path / "all.parquet")
    summary = _scan(logs, tmp_path / "day0", tmp_path / "0.parquet")
    for number in range(1, 4):
        summary = _scan(logs, tmp_path / f"day{number}", tmp_path / f"{number}.parquet", onto=tmp_path / f"day{number - 1}")
    once = _scan(logs, tmp_path / "once", tmp_path / "all.parquet")
    assert summary["calls_duplicate"] == once["calls_duplicate"] == 50 and summary["calls_rejected"] == once["calls_rejected"] == 1
    one, other = _told(tmp_path / "day3"), _told(tmp_path / "once")
    assert json.loads(one.pop("rejected.jsonl"))["reason"] == json.loads(other.pop("rejected.jsonl"))["reason"], "the same record, in files of other names"
    assert one == other
    assert one["campaigns.jsonl"] == (whole / "campaigns.jsonl").read_bytes()
    assert summary["parameters"]["logs"] == [str(tmp_path / f"{number}.parquet") for number in range(4)]


def test_a_scan_may_go_on_with_itself(logs: Logs, tmp_path: Path) -> None:
    table = pq.read_table(logs.log)
    pq.write_table(table.slice(0, 3000), tmp_path / "one.parquet")
    pq.write_table(table.slice(3000), tmp_path / "two.parquet")
    _scan(logs, tmp_path / "scan", tmp_path / "one.parquet")
    _scan(logs, tmp_path / "scan", tmp_path / "two.parquet", onto=tmp_path / "scan")
    _scan(logs, tmp_path / "both", tmp_path / "one.parquet", tmp_path / "two.parquet")
    assert (tmp_path / "scan" / "campaigns.jsonl").read_bytes() == (tmp_path / "both" / "campaigns.jsonl").read_bytes()


def test_a_reference_that_is_not_taken_over_is_told(logs: Logs, tmp_path: Path) -> None:
    table = pq.read_table(logs.log)
    for name, part in (("one", table.slice(0, 500)), ("two", table.slice(500, 500))):
        pq.write_table(part, tmp_path / f"{name}.parquet")
    _scan(logs, tmp_path / "first", tmp_path / "one.parquet")
    summary = flow.watch([str(tmp_path / "two.parquet")], tmp_path / "out", onto=tmp_path / "first", key=logs.key)
    assert [each["reason"] for each in summary["notices"]["first"]] == ["its reference is not taken over: name the same --history again"]
    assert _scan(logs, tmp_path / "again", tmp_path / "two.parquet", onto=tmp_path / "first")["notices"]["count"] == 0


def test_what_cannot_be_gone_on_with_is_refused(logs: Logs, tmp_path: Path) -> None:
    table = pq.read_table(logs.log)
    pq.write_table(table.slice(0, 500), tmp_path / "one.parquet")
    _scan(logs, tmp_path / "scan", tmp_path / "one.parquet")

    def refused(**rest: Any) -> str:
        with pytest.raises(UserError) as error:
            flow.watch([str(tmp_path / "one.parquet")], tmp_path / "out", **{"key": logs.key, "onto": tmp_path / "scan", **rest})
        assert not (tmp_path / "out").exists()
        return str(error.value).replace(str(tmp_path), "")

    assert refused(onto=tmp_path) == ": is no folder that a scan wrote; name the DIR that was given to `stillwatch scan --out`"
    assert "no hashing key lies there" in refused(key=tmp_path / "other.key")
    keys.load_or_create(tmp_path / "other.key")
    assert "was made with another hashing key" in refused(key=tmp_path / "other.key")
    assert "was made with --unit account" in refused(unit="key")
    held = tmp_path / "scan" / RUNS / "000000.arrow"
    raw = bytearray(held.read_bytes())
    raw[len(raw) // 2] ^= 1
    held.write_bytes(raw)
    assert refused() == "/scan/states/calls/000000.arrow: is damaged; restore it, or scan the log again"
    for path in (tmp_path / "scan" / RUNS).iterdir():
        path.unlink()
    assert refused() == "/scan: keeps no calls to go on with; scan its log again with this version, or name it with --history"


def _calls() -> list[dict[str, Any]]:
    """Organisations that a payer joins over several buckets, accounts that show two organisations, and calls delivered twice."""
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(3000):
        account = int(rng.integers(400))
        org = account // 2 if rng.random() < 0.9 else account
        rows.append({
            "call": int(rng.integers(2600)), "ts": int(rng.integers(10**6)), "account": account * 7919, "org": org * 104729, "org_known": org != account,
            "payment": account // 9 if account % 3 == 0 else None, "ip": int(rng.integers(50)), "prompt": int(rng.integers(900)), "wordings": [int(w) * 8 for w in rng.integers(500, size=4)],
        })  # fmt: skip
    return rows


def _on_disk(folder: Path, marks: pa.Table, several: int) -> OnDisk:
    cuts = np.linspace(0, marks.num_rows, several + 1).astype(int)
    made = [runs.write(folder / f"{i:06d}", marks.slice(start, end - start)) for i, (start, end) in enumerate(zip(cuts[:-1], cuts[1:], strict=True))]
    return OnDisk(tuple(made), folder, size=200)


def test_every_organisation_lies_whole_in_one_part_and_every_call_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = from_rows(_calls()).marks
    log, want = _on_disk(tmp_path, marks, 5), Traffic(shelf.in_order(disk.once(marks)))
    assert log.plan.parts > 5 and len(log.plan.moved)
    for name in ("accounts", "org", "org_known", "payment", "address", "unit", "unit_hash"):
        assert getattr(log.owners, name).tolist() == getattr(want.owners, name).tolist(), name

    def look(traffic: Traffic) -> dict[str, pa.Table]:
        assert (np.diff(traffic.account) >= 0).all() and len(traffic.accounts) == len(np.unique(traffic.account))
        return {"units": pa.table({"unit": traffic.unit_hash}), "calls": traffic.marks.select(["account", "ts", "call"])}

    found = log.each(look, ["call", "ts"])
    assert sorted(found["units"]["unit"].to_pylist()) == sorted(want.unit_hash.tolist()), "each unit in one part"
    assert found["calls"].sort_by([(name, "ascending") for name in shelf.ORDER]).equals(want.marks.select(["account", "ts", "call"]))
    some = np.arange(0, len(want.accounts), 7)
    assert log.among(some).marks.cast(MARKS).equals(One(want).among(some).marks)
    monkeypatch.setattr(shelf, "AT_HAND", 0)
    monkeypatch.setattr(shelf, "RANGES", 8)
    first = log.among(some).marks
    assert log.among(some[:2]).marks.num_rows < first.num_rows
    besides = Besides(want.accounts[np.arange(1, len(want.accounts), 5)], np.arange(0, 500, 3, dtype=np.int64) * 8)
    both, alone = log.among(some, None, besides).marks, One(want).among(some, None, besides)
    said = [bool(set(words) & set(besides.wordings.tolist())) for words in want.marks["wordings"].to_pylist()]
    wanted = np.isin(want.account, some) | (np.isin(want.account, np.arange(1, len(want.accounts), 5)) & np.array(said))
    assert first.num_rows < both.num_rows and both.cast(MARKS).equals(alone.marks) and alone.marks.equals(want.marks.filter(pa.array(wanted)))
    assert first.cast(MARKS).equals(One(want).among(some).marks), "mapped from files, and still there after another request"


def test_what_stands_by_some_wordings_is_what_the_whole_says_of_them(tmp_path: Path) -> None:
    marks = from_rows(_calls()).marks
    log, want = _on_disk(tmp_path, marks, 5), Traffic(shelf.in_order(disk.once(marks)))
    few = np.arange(0, 500, 9, dtype=np.int64) * 8

    def look(traffic: Traffic, found: Callable[[Traffic], tuple[Ints, Ints]] = numbers) -> dict[str, pa.Table]:
        call, index = found(traffic)
        return {"found": pa.table({"account": traffic.accounts[traffic.account[call]], "prompt": traffic.prompts[call], "wording": few[index]})}

    by = [(name, "ascending") for name in ("account", "prompt", "wording")]
    whole = look(want, partial(standing, candidates=few))["found"].sort_by(by)
    assert 0 < whole.num_rows < want.calls
    for several in (log, One(want)):
        assert several.narrowed(few).each(look, FEW, ordered=False)["found"].sort_by(by).equals(whole)
    with pytest.raises(ValueError, match="left out"):
        log.narrowed(few).each(look, ["ts"])


def test_of_records_with_one_id_the_smallest_stays_in_any_order_and_packing(tmp_path: Path) -> None:
    marks = from_rows(_calls()).marks
    want = shelf.in_order(disk.once(marks))
    assert want.num_rows == len(np.unique(marks["call"].to_numpy())) < marks.num_rows
    shuffled = marks.take(pa.array(np.random.default_rng(1).permutation(marks.num_rows)))
    for number, several in enumerate((1, 4, 9)):
        folder = tmp_path / str(number)
        folder.mkdir()
        log = _on_disk(folder, shuffled, several)
        assert log.among(np.arange(len(log.owners.accounts))).marks.cast(MARKS).equals(want)


def test_repeated_calls_are_found_in_any_ranges(tmp_path: Path) -> None:
    marks = from_rows(_calls()).marks
    log = _on_disk(tmp_path, marks, 4)
    values, counts = np.unique(marks["call"].to_numpy(), return_counts=True)
    for at_once in (1, 100, 10**6):
        assert runs.repeated(log.runs, at_once).tolist() == values[counts > 1].tolist()


CONTEXT = Context((Release("b", 2 * 86_400 * 10**6, True), Release("c", 3 * 86_400 * 10**6, False)), (), (PaymentChange(2 * 86_400 * 10**6, "price change"),))
FACTS = every_fact(*examination.FACTS)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_fact_reads_what_it_says_and_adds_up_over_parts(fact: Any, tmp_path: Path) -> None:
    """On a log of several parts, with no more columns at hand than the fact names, it is what the whole gives."""
    rng = np.random.default_rng(11)
    rows = [
        {
            "call": i, "account": int(rng.integers(60)), "org": int(rng.integers(30)), "org_known": True, "ts": int(rng.integers(5 * 86_400)) * 10**6, "model": str(rng.choice(["a", "b"])),
            "user_agent": int(rng.integers(3)), "client_seen": bool(rng.random() < 0.6), "payment": int(rng.integers(30)), "plan": str(rng.choice(["free", "team"])),
            "input_tokens": int(rng.integers(99)), "output_tokens": int(rng.integers(99)), "reasoning_tokens": int(rng.integers(150)), "sampled": 0.5,
            "reasoning_out": i, "reasoning_in": [int(rng.integers(400))] if i % 3 == 0 else None,
        }
        for i in range(800)
    ]  # fmt: skip
    marks = from_rows(rows).marks
    log, want = _on_disk(tmp_path, marks, 3), Traffic(marks)
    assert log.plan.parts > 1
    given = {}
    for several in rounds(FACTS):
        for each in several:
            given[each.name] = want.whole(each, CONTEXT)
    found = log.knowing(given).each(lambda traffic: {"rows": fact.part(traffic, CONTEXT)}, [*fact.reads, "account", "ts", "call"])["rows"]
    assert str(fact.together(found)) == str(given[fact.name])
    assert set(fact.reads) <= set(MARKS.names) and dataclasses.is_dataclass(fact)
