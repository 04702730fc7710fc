"""Logs of metadata alone, and the unit that is linked, from end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch
from conftest import Logs
from stillwatch import flow
from stillwatch.detectors.declare import every_detector
from stillwatch.doors.report import page
from stillwatch.errors import UserError
from stillwatch.features.declare import every_feature
from stillwatch.linking.declare import every_tie
from stillwatch.records import LOGGED

TEXT = {"prompt", "prompt_tokens", "response_tokens", "wordings", "terms", "answered", "asked", "delivered", "capability", "script"}
"Marks that come from text alone."


def _without(table: pa.Table, *names: str) -> pa.Table:
    for name in names:
        table = table.set_column(table.schema.get_field_index(name), name, pa.nulls(table.num_rows, table.schema.field(name).type))
    return table


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "campaigns.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def bare(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drill's log without a word of text, and without digests besides."""
    folder = tmp_path_factory.mktemp("bare")
    table = _without(pq.read_table(logs.log), "prompt", "system", "response")
    pq.write_table(table, folder / "bare.parquet")
    pq.write_table(_without(table, "reasoning_out", "reasoning_in"), folder / "nothing.parquet")
    for name in ("bare", "nothing"):
        flow.watch([str(folder / f"{name}.parquet")], folder / name, history=[str(logs.history)], key=logs.key, render=page.render)
    return folder


def _summary(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return told


def test_detectors_that_need_text_are_off_and_name_it(bare: Path) -> None:
    detectors = _summary(bare / "bare")["detectors"]
    features = every_feature()
    assert set(detectors) == set(every_detector())
    for name, detector in every_detector().items():
        needs = {column for feature in detector.reads for column in features[feature].reads}
        lacks = sorted(needs & TEXT)
        if lacks:
            assert {LOGGED.get(each, each) for each in lacks} <= set(detectors[name]["off"]), name
        else:
            assert detectors[name] == "on" or not set(detectors[name]["off"]) & {"prompt", "response"}, name
    assert sum(state == "on" for state in detectors.values()) >= 8


def test_ties_need_no_text_but_replays_need_digests(bare: Path) -> None:
    assert _summary(bare / "bare")["ties"] == dict.fromkeys(every_tie(), "on")
    assert _summary(bare / "nothing")["ties"] == dict.fromkeys(every_tie(), "on") | {"replay": {"off": ["reasoning_in", "reasoning_out"]}}


def test_replays_are_still_found_and_the_rest_is_said_to_be_undecided(bare: Path, logs: Logs) -> None:
    lines = _lines(bare / "bare")
    assert any(line["verdict"] == "alert" and line["conditions"]["replay"] for line in lines)
    assert "The log holds no text" in _summary(bare / "bare")["cannot_decide"] and "digests" not in _summary(bare / "bare")["cannot_decide"].split(".")[1]
    assert _lines(bare / "nothing") == [] and "nothing could be decided" in _summary(bare / "nothing")["cannot_decide"]
    for name in ("bare", "nothing"):
        assert "Cannot decide" in (bare / name / "report.html").read_text()


def test_the_command_line_names_what_is_off(bare: Path, logs: Logs, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stillwatch", "scan", str(bare / "nothing.parquet"), "--out", str(tmp_path / "scan"), "--key", str(logs.key)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}, timeout=120)
    assert "reasoning elicitation (no prompt, response)" in done.stdout and "nothing could be decided" in done.stdout


@pytest.fixture(scope="module")
def resold(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The log with all of O-SEP behind one reseller's account, its members as that account's end users; and their names.

    No other account tells its end users: the drill's clients take up an account's last conversation whoever of its users comes.
    """
    table, truth = pq.read_table(logs.log), pq.read_table(logs.truth)
    planted = dict(zip(truth["call_id"].to_pylist(), truth["campaign"].to_pylist(), strict=True))
    users = {account for account, call in zip(table["account"].to_pylist(), table["call_id"].to_pylist(), strict=True) if planted[call] == "O-SEP"}
    theirs = pc.is_in(table["account"], pa.array(sorted(users)))  # their cover traffic as well

    def put(table: pa.Table, name: str, value: Any) -> pa.Table:
        return table.set_column(table.schema.get_field_index(name), name, pc.if_else(theirs, value, table[name]))

    table = put(_without(table, "end_user"), "end_user", table["account"])
    table = put(put(put(table, "account", "reseller-7"), "org", "resellers"), "payment", "card-7")
    path = tmp_path_factory.mktemp("resold") / "log.parquet"
    pq.write_table(table, path)
    return path, {f"reseller-7/{user}" for user in users}


def test_end_users_behind_one_account_are_linked(resold: tuple[Path, set[str]], logs: Logs, tmp_path: Path) -> None:
    path, users = resold
    flow.watch([str(path)], tmp_path / "account", key=logs.key)
    assert not any(line["verdict"] == "alert" for line in _lines(tmp_path / "account")), "one organisation's users are no strangers"
    found = stillwatch.scan(path, out=tmp_path / "user", key=logs.key, unit="end_user")
    accused = {account for line in found.cases if line["verdict"] == "alert" for account in line["accounts"]}
    assert len(users & accused) >= 0.95 * len(accused) and len(users & accused) >= 0.5 * len(users)
    assert found.summary["parameters"]["unit"] == "end_user" and found.summary["accounts"] > len(users)


def test_keys_are_linked_under_their_accounts_organisation(resold: tuple[Path, set[str]], logs: Logs, tmp_path: Path) -> None:
    table = pq.read_table(resold[0])
    mine = pc.equal(table["account"], "reseller-7")
    at = table.schema.get_field_index
    table = table.set_column(at("key"), "key", pc.if_else(mine, table["end_user"], table["key"]))
    for name in ("org", "payment", "email_domain"):
        table = table.set_column(at(name), name, pc.if_else(mine, pa.scalar(None, pa.string()), table[name]))
    found = stillwatch.scan(table, key=logs.key, unit="key")
    assert not any(line["verdict"] == "alert" for line in found.cases), "keys of one account are one organisation, whatever the log leaves out"
    assert found.summary["accounts"] >= len(resold[1]) and found.summary["parameters"]["unit"] == "key"


def test_no_other_unit_is_linked(logs: Logs) -> None:
    with pytest.raises(UserError, match="name one of account, key, end_user"):
        stillwatch.scan(logs.log, key=logs.key, unit="session")


def test_what_was_charged_and_the_organisation_reach_the_case(logs: Logs, tmp_path: Path) -> None:
    """`org` makes the unit that counts, `cost` what was charged; `upstream_id` is kept as a hash for who must trace a call."""
    table = pq.read_table(logs.log)
    table = table.set_column(table.schema.get_field_index("cost"), "cost", pa.array([0.25] * table.num_rows))
    table = table.set_column(table.schema.get_field_index("upstream_id"), "upstream_id", pc.binary_join_element_wise("req", table["call_id"], "-"))
    found = stillwatch.scan(table, key=logs.key)
    assert found.cases and all(case["taken"]["charged_usd"] == pytest.approx(0.25 * case["calls"]) for case in found.cases)
    pq.write_table(table, tmp_path / "log.parquet")
    flow.marks([str(tmp_path / "log.parquet")], tmp_path / "marks.parquet", key=logs.key)
    kept = pq.read_table(tmp_path / "marks.parquet")
    assert kept["upstream"].null_count == 0 and len(pc.unique(kept["upstream"])) == table.num_rows and kept["cost"].to_pylist() == [0.25] * table.num_rows
    one_firm = table.set_column(table.schema.get_field_index("org"), "org", pa.array(["one firm"] * table.num_rows))
    assert stillwatch.scan(one_firm, key=logs.key).cases == () and stillwatch.scan(one_firm, key=logs.key).summary["organisations"] == 1
