"""Why an account is in, nearly in or not in a campaign: exact by the rule, true when the change is made, and silent about everybody else."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import Logs
from stillwatch import flow
from stillwatch.account import SHARES, redacted, story
from stillwatch.campaigns.change import more
from stillwatch.campaigns.rule import is_member, of_clusters
from stillwatch.doors import explained
from stillwatch.errors import UserError
from stillwatch.store.memberships import Memberships


@pytest.fixture(scope="module")
def folder(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of the small log, and of it under keyed hashes."""
    out = tmp_path_factory.mktemp("explain")
    flow.watch([str(logs.history)], out / "history", key=logs.key)
    for name, hidden in (("scan", False), ("pseudonymous", True)):
        flow.watch([str(logs.log)], out / name, history=[str(out / "history")], key=logs.key, pseudonymous=hidden)
    return out


@pytest.fixture(scope="module")
def stories(logs: Logs, folder: Path) -> dict[str, dict[str, Any]]:
    names = sorted(set(pq.read_table(logs.log, columns=["account"])["account"].to_pylist()))
    return {name: story(folder / "scan", name, logs.key) for name in names}


def _named(folder: Path) -> dict[str, set[str]]:
    named: dict[str, set[str]] = {}
    for line in (folder / "campaigns.jsonl").read_text().splitlines():
        for name in json.loads(line)["accounts"]:
            named.setdefault(name, set()).add(json.loads(line)["campaign"])
    return named


def test_every_account_is_told_what_the_scan_says(stories: dict[str, dict[str, Any]], folder: Path) -> None:
    named = _named(folder / "scan")
    assert {name: set(told["campaigns"]) for name, told in stories.items()} == {name: named.get(name, set()) for name in stories}
    assert {told["answer"] for told in stories.values()} == {"in", "nearly", "not in"}
    assert all((told["answer"] == "in") == bool(told["campaigns"]) for told in stories.values())


def test_where_no_campaign_is_listed_all_are_innocents(folder: Path, logs: Logs) -> None:
    names = pq.read_table(logs.history, columns=["account"])["account"].unique().to_pylist()
    told = next(told for name in names if (told := story(folder / "history", name, logs.key))["ties"])
    assert told["answer"] == "not in" and told["change"] is None
    assert all(each["innocents_all"] == len(names) - 1 and each["weight"] is None for each in told["ties"])


def test_signals_carry_what_the_account_itself_has(stories: dict[str, dict[str, Any]]) -> None:
    told = next(told for told in stories.values() if any(each["own"] is not None for each in told["signals"]))
    by_name = {each["name"]: each for each in told["signals"]}
    assert 0 <= by_name["reasoning elicitation"]["own"] <= 1
    assert by_name["dealt job"]["own"] is None, "it compares members"
    assert {each["campaign"] for each in told["signals"]} <= {each["campaign"] for each in told["cases"]}


def test_a_pseudonymous_scan_is_asked_by_either_name(folder: Path, logs: Logs, stories: dict[str, dict[str, Any]]) -> None:
    hidden, open_ = _named(folder / "pseudonymous"), _named(folder / "scan")
    one = next(iter(open_))
    told = story(folder / "pseudonymous", one, logs.key)
    assert set(told["campaigns"]) == open_[one] and {**told, "account": ""} == {**stories[one], "account": ""}
    by_hash = next(name for name, campaigns in hidden.items() if campaigns == open_[one])
    assert story(folder / "pseudonymous", by_hash, logs.key)["campaigns"], "a keyed hash is an account's name as well"
    assert set(story(folder / "scan", by_hash, Path("/nowhere/key"))["campaigns"]) == hidden[by_hash], "and needs no key"


@pytest.mark.parametrize("kind", ["in", "nearly", "not in"])
def test_the_change_turns_the_answer_when_it_is_made(kind: str, stories: dict[str, dict[str, Any]], logs: Logs, folder: Path, tmp_path: Path) -> None:
    # Two accounts of each answer, drawn by a fixed seed; the rate over many is measured in trials/explain.py.
    table = pq.read_table(logs.log)
    names = sorted(name for name, told in stories.items() if told["answer"] == kind and told["change"])
    for name in random.Random(1).sample(names, 2):
        change = stories[name]["change"]
        timed, mine = pc.is_in(table["ts"], pa.array(change["times"], pa.int64())), pc.equal(table["account"], name)
        made = table.filter(pc.invert(pc.and_(timed, mine))) if kind == "in" else _with(table, folder, name, change["times"], change["campaign"])
        flow.watch([made], tmp_path / "again", history=[str(folder / "history")], key=logs.key)
        assert (name in _named(tmp_path / "again")) == (kind != "in"), change["text"]


def test_who_takes_over_one_wording_of_a_campaign_is_left_out_of_it(stories: dict[str, dict[str, Any]], logs: Logs, folder: Path, tmp_path: Path) -> None:
    held, table = Memberships(folder / "scan"), pq.read_table(logs.log)
    clusters = held.all("clusters")
    touches = of_clusters(held.all("touches"), held.all("kin"), clusters)
    campaign, times = next((each["campaign"], added) for each in clusters if each["least_share"] and (added := _alone_in(each, clusters, touches)))
    name = max((each for each, told in stories.items() if told["answer"] == "not in"), key=lambda each: (stories[each]["calls"], each))
    flow.watch([_with(table, folder, name, times, campaign)], tmp_path / "again", history=[str(folder / "history")], key=logs.key)
    told = story(tmp_path / "again", name, logs.key)
    assert name not in _named(tmp_path / "again") and told["answer"] == "nearly" and [each["left_out"] for each in told["cases"]] == [True]
    assert "left out" in explained.explained(told) and redacted(told)["answer"] == "not in"
    lines = [json.loads(line) for line in (tmp_path / "again" / "campaigns.jsonl").read_text().splitlines()]
    (case,) = (line for line in lines if line["campaign"] == told["cases"][0]["campaign"])
    assert any("1 of them stand" in text and text.endswith("the case leaves them out") for text in case["factors"]["coordinated_accounts"]["observed"])


def _alone_in(one: dict[str, Any], clusters: list[dict[str, Any]], touches: list[dict[str, Any]]) -> list[int]:
    """Times of members' calls with which an account is in this cluster and in no other."""
    own = {each["cluster"]: {row["ts"] for row in touches if row["cluster"] == each["cluster"] and row["family"] < each["families"]} for each in clusters}
    mine = own.pop(one["cluster"]).difference(*own.values())
    times = more([], [row for row in touches if row["cluster"] == one["cluster"] and row["ts"] in mine], one)
    held = {each["cluster"]: [row for row in touches if row["cluster"] == each["cluster"] and row["ts"] in times] for each in clusters}
    return times if times and [each["cluster"] for each in clusters if is_member(held[each["cluster"]], each)] == [one["cluster"]] else []


def _with(table: pa.Table, folder: Path, name: str, times: list[int], campaign: str) -> pa.Table:
    """The log with copies of a campaign's calls of some times, under an account's own metadata."""
    own = table.filter(pc.equal(table["account"], name)).to_pylist()[-1]
    kept = ("account", "org", "key", "ip", "asn", "country", "user_agent", "headers", "payment", "email_domain", "signup_ts", "plan")
    members = [other for other, campaigns in _named(folder / "scan").items() if campaign in campaigns]
    copies = table.filter(pc.and_(pc.is_in(table["ts"], pa.array(times, pa.int64())), pc.is_in(table["account"], pa.array(members)))).to_pylist()
    assert len(copies) == len(times)
    copies = [row | {column: own[column] for column in kept} | {"call_id": f"new {i}", "reasoning_out": None} for i, row in enumerate(copies)]
    return pa.concat_tables([table, pa.Table.from_pylist(copies, table.schema)])


def test_the_redacted_view_names_nobody_and_teaches_nothing(stories: dict[str, dict[str, Any]], folder: Path, logs: Logs) -> None:
    campaigns = {campaign for several in _named(folder / "scan").values() for campaign in several}
    seen = set()
    for name, told in stories.items():
        view = redacted(told)
        said = json.dumps(view) + explained.for_account(view)
        others = said.replace(name, "")
        assert not any(other in others for other in stories) and not any(campaign in others for campaign in campaigns)
        assert not re.search(r"(?=[0-9]*[a-f])[0-9a-f]{16}|acct", others)
        assert set(view) == {"account", "answer", "text", "calls", "first_ts", "last_ts", "share_considered", "looked_at", "appeal"}
        assert view["share_considered"] in {None, *(word for _, word in SHARES)}
        seen.add((told["answer"], json.dumps({key: view[key] for key in ("answer", "text", "share_considered", "looked_at", "appeal")})))
    assert {text for answer, text in seen if answer == "nearly"} == {text for answer, text in seen if answer == "not in"}, "nearly is no hint to the holder"
    assert story(folder / "scan", next(iter(stories)), logs.key, for_account=True)["answer"] in ("in", "not in")


def test_an_unknown_account_is_said_and_a_holder_learns_no_other(stories: dict[str, dict[str, Any]], folder: Path, logs: Logs) -> None:
    name = next(name for name, told in stories.items() if told["answer"] == "not in")
    with pytest.raises(UserError, match=f"did you mean {name}"):
        story(folder / "scan", name + "x", logs.key)
    with pytest.raises(UserError) as error:
        story(folder / "scan", name + "x", logs.key, for_account=True)
    assert not any(other in str(error.value).replace(name + "x", "") for other in stories)
    with pytest.raises(UserError, match="no such account: a\\?b") as error:
        story(folder / "scan", "a\nb", logs.key)
    assert "\n" not in str(error.value)


def test_another_key_and_another_folder_are_said(stories: dict[str, dict[str, Any]], folder: Path, logs: Logs, tmp_path: Path) -> None:
    name = next(iter(stories))
    (tmp_path / "key").write_text("22" * 32)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UserError, match="another hashing key"):
        story(folder / "scan", name, tmp_path / "key")
    with pytest.raises(UserError, match="is not here"):
        story(folder / "scan", name, tmp_path / "none")
    assert not (tmp_path / "none").exists(), "asking makes no key"
    with pytest.raises(UserError, match="no folder that a scan wrote"):
        story(tmp_path, name, logs.key)


def test_the_words_are_aligned_and_short(stories: dict[str, dict[str, Any]]) -> None:
    for told in stories.values():
        lines = explained.explained(told).splitlines()
        assert lines[0].startswith(told["account"]) and len(lines) < 50 and max(map(len, lines[1:])) < 160
        assert told["change"] is None or told["change"]["text"] in "\n".join(lines)
        assert all(len(line) <= 100 for line in explained.for_account(redacted(told)).splitlines())
