"""The log that is multiplied from the drill: the same for a seed, unlike itself everywhere else, and read and judged as the drill's is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import KEY
from scale import bench, make, people, wording
from scale.columns import ids
from scale.people import Size
from scale.questions import Questions
from stillwatch import flow

CALLS = 20_000


def _size(calls: int, accounts: int, **more: object) -> Size:
    return Size(calls, accounts, 0.10, 2, make.START, 2, 1, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def maker() -> make.Maker:
    return make.Maker(60_000, 0.10, 1, None, answers=False)


@pytest.fixture(scope="module")
def log(maker: make.Maker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scale") / "log"
    maker.make(out, _size(CALLS, 400), processes=1)
    return out


def _calls(log: Path, *columns: str) -> pa.Table:
    return pa.concat_tables(pq.read_table(file, columns=list(columns) or None) for file in bench.files(log))


def test_a_seed_gives_the_same_bytes_in_any_number_of_processes(tmp_path: Path) -> None:
    for name, world, seed, processes in (("once", 1, 2, 1), ("again", 1, 2, 2), ("other", 1, 3, 1)):
        small = make.Maker(4_000, 0.10, world, None, answers=False)
        small.make(tmp_path / name, Size(4_000, 100, 0.10, 2, make.START, seed, world), processes)
    files = sorted(file.name for file in (tmp_path / "once").iterdir())
    assert files == ["day-000-00.parquet", "day-001-00.parquet", make.TRUTH]
    for file in files:
        held = (tmp_path / "once" / file).read_bytes()
        assert held == (tmp_path / "again" / file).read_bytes()
        assert held != (tmp_path / "other" / file).read_bytes()


def test_texts_and_campaign_are_as_they_should_be(log: Path) -> None:
    calls = _calls(log, "call_id", "ts", "account", "prompt")
    assert calls.num_rows == len(calls["call_id"].unique()) == CALLS
    assert pc.all(pc.less_equal(calls["ts"][:-1], calls["ts"][1:])).as_py()
    assert len(calls["prompt"].unique()) >= 0.9 * CALLS
    assert abs(pc.mean(pc.binary_length(calls["prompt"])).as_py() - make.PROMPT_BYTES) < 0.15 * make.PROMPT_BYTES
    truth = pq.read_table(log / make.TRUTH)
    guilty = truth.filter(pc.is_valid(truth["campaign"]))
    assert pc.sum(guilty["calls"]).as_py() == CALLS // 10
    assert truth.num_rows == len(calls["account"].unique()) == 400
    counted = calls.group_by("account").aggregate([("ts", "count")])
    assert dict(zip(*counted.to_pydict().values(), strict=True)) == dict(zip(*truth.select(["account", "calls"]).to_pydict().values(), strict=True))


def test_a_suite_is_asked_word_by_word_and_every_list_holds_other_questions_of_it(tmp_path: Path) -> None:
    small = make.Maker(16_000, 0.0, 1, None, answers=False)
    runs_suites = np.array([label == "evaluation suite" for label in small.pattern.label], np.bool_)[small.pattern.account]
    suites = sorted(set(small.pattern.calls["prompt"].filter(runs_suites).to_pylist()))
    small.pattern = replace(small.pattern, suites=suites)
    small.texts = wording.read(small.pattern, ("prompt", "system"))
    made = Size(16_000, 4 * len(small.pattern.owner), 0.0, 2, make.START, 2, 1)
    small.make(tmp_path / "log", made, processes=1)
    accounts = people.settle(small.pattern, made)
    named = dict(zip(ids("acct_", accounts.key, 16).to_pylist(), zip(accounts.pattern.tolist(), accounts.district.tolist(), strict=True), strict=True))
    asked: dict[tuple[int, int], set[str]] = {}
    for row in _calls(tmp_path / "log", "account", "prompt").to_pylist():
        pattern, district = named[row["account"]]
        if small.pattern.label[pattern] == "evaluation suite":
            asked.setdefault((pattern, district), set()).add(row["prompt"])
    assert len(asked) >= 16 and all(mine <= {text.strip() for text in suites} for mine in asked.values())
    between = [(one, other) for one in asked for other in asked if one[0] == other[0] and one[1] < other[1]]
    alike = [len(asked[one] & asked[other]) / min(len(asked[one]), len(asked[other])) for one, other in between]
    assert len(alike) > 10 and np.median(alike) < 0.5, alike


def test_a_question_is_found_after_other_words_and_the_longest_one() -> None:
    found = Questions(["Why is it so?\nA: yes\nB: no", "B: no", "另一个问题是什么"])
    text = "For school: Why is it so?\nA: yes\nB: no\nThanks"
    assert found.find(text) == (0, 12, 38) and text[12:38].endswith("B: no")
    assert found.find("请看。另一个问题是什么") == (2, 3, 11)
    assert found.find("Tell me why it is so") is None


def test_text_and_ids_have_no_dictionary(log: Path) -> None:
    group = pq.ParquetFile(bench.files(log)[0]).metadata.row_group(0)
    by_name = {group.column(i).path_in_schema: group.column(i).has_dictionary_page for i in range(group.num_columns)}
    assert not any(by_name[name] for name in ("prompt", "system", "call_id", "session"))
    assert by_name["model"] and by_name["plan"] and by_name["account"]


def test_reasoning_that_is_carried_was_issued_in_the_same_conversation(log: Path) -> None:
    issued: dict[str, str] = {}
    carried = 0
    for row in _calls(log, "account", "reasoning_out", "reasoning_in").to_pylist():
        for digest in row["reasoning_in"] or ():
            assert issued[digest] == row["account"]
            carried += 1
        if row["reasoning_out"]:
            issued[row["reasoning_out"]] = row["account"]
    assert carried > 100


def test_a_nat_and_a_framework_are_shared_as_asked(maker: make.Maker, tmp_path: Path) -> None:
    maker.make(tmp_path / "log", _size(CALLS, 400, nat=200, framework=0.5), processes=1)
    calls = _calls(tmp_path / "log", "account", "ip", "user_agent", "system")
    behind = calls.group_by("ip").aggregate([("account", "count_distinct")])["account_count_distinct"]
    assert 180 <= pc.max(behind).as_py() <= 230
    start = pc.utf8_slice_codeunits(calls["system"], 0, 40)
    users = pa.table({"start": start, "account": calls["account"]}).filter(pc.is_valid(start)).group_by("start").aggregate([("account", "count_distinct")])
    assert 0.4 * 400 <= pc.max(users["account_count_distinct"]).as_py() <= 0.7 * 400


@pytest.fixture(scope="module")
def scanned(maker: make.Maker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("scanned")
    size = _size(60_000, 1_200)
    maker.make(folder / "log", size, processes=1)
    maker.make(folder / "history", make.past(size, 60_000), processes=1)
    (folder / "key").write_text(KEY + "\n")
    (folder / "key").chmod(0o600)
    flow.watch([str(folder / "log")], folder / "out", history=[str(folder / "history")], key=folder / "key")
    yield folder / "log", folder / "out"


def test_a_scan_reads_it_whole_finds_the_campaign_and_names_no_innocents(scanned: tuple[Path, Path]) -> None:
    log, out = scanned
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["calls_read"], summary["calls_rejected"], summary["calls_duplicate"]) == (60_000, 0, 0)
    hit = bench.found(log, out)
    assert hit["recall"] > 0.5, hit
    assert hit["innocents"] == 0, hit
