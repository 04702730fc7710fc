"""What is known beforehand: read with its mistakes told, laid beside cases, conflicts said aloud, and no verdict changed by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import stillwatch
from conftest import KEY, Logs
from read_back import holding
from stillwatch import flow
from stillwatch.account import redacted, story
from stillwatch.calls import SCHEMA
from stillwatch.campaigns.known import BENIGN, CAMPAIGN, MOST, NOTHING_KNOWN, Entry, Known, beside, covered_members, state
from stillwatch.doors import explained, words
from stillwatch.doors.cli import main
from stillwatch.doors.report import page
from stillwatch.errors import UserError
from stillwatch.intake import mark
from stillwatch.store import known
from stillwatch.traffic import Traffic, from_rows

SECRET = bytes.fromhex(KEY)
DAY = "2026-06-15"

GOOD = """# what we know
[[verdict]]
name = "case 12"
reason = "a class\\n and   its exercise"
expires = "2026-06-15"
says = "benign"
campaigns = ["6e100d4224f4898c"]
[[programme]]
name = "a round"
reason = "agreed"
expires = 2026-06-14
organisations = ["org-1", "Lab.Example"]
accounts = ["b", "a", "a"]
[[infrastructure]]
name = "campus"
reason = "one exit"
expires = 2026-06-16
addresses = ["203.0.113.7", "198.51.100.0/23", "2001:db8::/48"]
keys = ["k-1"]
"""


def _load(text: str, folder: Path) -> Known:
    (folder / "known.toml").write_text(text)
    return known.load(folder / "known.toml", SECRET, DAY)


def test_entries_are_read_and_what_they_name_is_hashed_as_intake_hashes_it(tmp_path: Path) -> None:
    told = _load(GOOD, tmp_path)
    assert [(each.name, each.kind, each.says, each.expires) for each in told.entries] == [
        ("a round", "programme", "benign", "2026-06-14"), ("campus", "infrastructure", "benign", "2026-06-16"), ("case 12", "verdict", "benign", "2026-06-15"),
    ]  # fmt: skip
    assert told.entries[2].campaigns == ("6e100d4224f4898c",) and told.entries[2].reason == "a class and its exercise"
    usual: dict[str, Any] = {name: [None] * 3 for name in SCHEMA.names}
    calls = usual | {
        "call_id": ["1", "2", "3"], "ts": [1, 2, 3], "account": ["a", "b", "c"], "model": ["m"] * 3, "org": ["org-1", None, None],
        "email_domain": [None, "user@lab.example", None], "key": ["k-1", None, None], "ip": ["203.0.113.7", "198.51.101.9", "2001:db8:0:7::1"],
    }  # fmt: skip
    marks = mark.mark(pa.RecordBatch.from_pydict({name: pa.array(calls[name], SCHEMA.field(name).type) for name in SCHEMA.names}), SECRET)
    held = {entry.name: {word: set(hashes) for word, hashes in entry.hashes} for entry in told.entries}
    assert held["a round"]["accounts"] == set(marks["account"].to_pylist()[:2])
    assert marks["org"][0].as_py() in held["a round"]["organisations"] and marks["mail"][1].as_py() in held["a round"]["organisations"]
    assert held["campus"]["keys"] == {marks["key"][0].as_py()}
    assert marks["ip"][0].as_py() in held["campus"]["addresses"] and set(marks["net"].to_pylist()[1:]) <= held["campus"]["addresses"]
    assert len(held["campus"]["addresses"]) == 4, "an address, two networks of which one was made, and one of IPv6"


ENTRY = '[[programme]]\nname = "x"\nreason = "y"\nexpires = 2026-12-31\n'
MISTAKES = {
    "[[program]]\n": 'known.toml:1:3: unknown word "program"; did you mean "programme"?',
    f'{ENTRY}organizations = ["o"]': 'known.toml:5:1: unknown word "organizations"; did you mean "organisations"?',
    f'{ENTRY}says = "benign"': 'known.toml:5:1: unknown word "says"; known: name, reason, expires, accounts, organisations, keys, addresses',
    ENTRY: 'known.toml:1:1: names nothing; add one of accounts, organisations, keys, addresses = ["one", "another"]',
    f"{ENTRY}accounts = []": 'known.toml:5:1: accounts is not what it must be; write accounts = ["one", "another"]',
    f'{ENTRY}accounts = "a"': 'known.toml:5:1: accounts is not what it must be; write accounts = ["one", "another"]',
    f'{ENTRY}accounts = ["a"]\n{ENTRY}accounts = ["b"]': 'known.toml:7:1: two entries are called "x"; give each a name of its own',
    '[[programme]]\nname = "x"\nreason = " "\nexpires = 2026-12-31\nkeys = ["k"]': (
        'known.toml:3:1: reason is not what it must be; write reason = "a few words"'
    ),
    '[[programme]]\nname = "x"\nexpires = 2026-12-31\nkeys = ["k"]': 'known.toml:1:1: reason is missing; add reason = "a few words"',
    '[[programme]]\nname = "x"\nreason = "y"\nkeys = ["k"]': "known.toml:1:1: expires is missing; add expires = 2026-12-31",
    '[[programme]]\nname = "x"\nreason = "y"\nexpires = "never"\nkeys = ["k"]': (
        "known.toml:4:1: expires is no day; write expires = 2026-12-31, the last day on which it is in force"
    ),
    '[[programme]]\nname = "x"\nreason = "y"\nexpires = 2026-12-31T00:00:00Z\nkeys = ["k"]': (
        "known.toml:4:1: expires is no day; write expires = 2026-12-31, the last day on which it is in force"
    ),
    f'{ENTRY}addresses = ["10.0.0.0/8"]': (
        'known.toml:5:1: "10.0.0.0/8" is no network that can be looked for; write an address, or a network of /16 to /24 (IPv4) or /40 to /48 (IPv6)'
    ),
    f'{ENTRY}addresses = ["10.0.0.1/24"]': (
        'known.toml:5:1: "10.0.0.1/24" is no network that can be looked for; write an address, or a network of /16 to /24 (IPv4) or /40 to /48 (IPv6)'
    ),
    '[[verdict]]\nname = "x"\nreason = "y"\nexpires = 2026-12-31\nsays = "bening"\nkeys = ["k"]': (
        'known.toml:5:1: unknown verdict "bening"; did you mean "benign"?'
    ),
    '[[verdict]]\nname = "x"\nreason = "y"\nexpires = 2026-12-31\nsays = "benign"\ncampaigns = ["case 12"]': (
        "known.toml:6:1: not every one is the id of a campaign; write ids as campaigns.jsonl has them, 16 hex digits each"
    ),
    "programme = 1": "known.toml:1:1: programme must be a block; begin it with [[programme]]",
    "[[verdict]\n": (
        "known.toml:1:10: not TOML: Expected ']]' at the end of an array declaration; write blocks that begin with [[programme]], [[infrastructure]] or [[verdict]]"
    ),
    "# nothing": "known.toml: tells nothing; write blocks that begin with [[programme]], [[infrastructure]] or [[verdict]]",
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_with_line_and_column(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        _load(text, tmp_path)
    assert str(error.value).removeprefix(f"{tmp_path}/") == MISTAKES[text]


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="what is known cannot be read"):
        known.load(tmp_path / "none.toml", SECRET, DAY)


NOW = int(np.datetime64(DAY, "us").astype(np.int64))
LAST = 10
"Accounts of the group below."


def _traffic() -> Traffic:
    """Ten accounts of four calls: account i has i % 5 of them from address 7, its own organisation, and key 70 + i."""
    return from_rows([
        {"account": a, "org": 100 + a, "org_known": True, "mail": 500 if a == 3 else None, "key": 70 + a, "ip": 7 if c < a % 5 else 8, "net": 77, "ts": NOW + a * 10 + c}
        for a in range(LAST) for c in range(4)
    ])  # fmt: skip


def _entry(says: str = BENIGN, expires: str = DAY, campaigns: tuple[str, ...] = (), **hashes: tuple[int, ...]) -> Entry:
    return Entry("e", "verdict", says, "why", expires, tuple(hashes.items()), campaigns)


def _beside(*entries: Entry, verdict: str = "alert", day: str = DAY) -> tuple[list[dict[str, Any]], dict[str, list[int]]]:
    traffic = _traffic()
    return beside(Known(entries, day), traffic, "aa" * 8, verdict, np.arange(LAST), np.arange(traffic.calls))


@pytest.mark.parametrize(
    ("hashes", "members"),
    [
        ({"accounts": (2, 99)}, [2]),
        ({"organisations": (104, 500)}, [3, 4]),
        ({"keys": (70, 79)}, [0, 9]),
        ({"accounts": (2,), "keys": (70,)}, [0, 2]),
        ({"addresses": (77,)}, list(range(LAST))),
    ],
)
def test_an_entry_covers_by_whatever_it_names(hashes: dict[str, tuple[int, ...]], members: list[int]) -> None:
    (told,), covered = _beside(_entry(**hashes))
    assert covered == {"e": members} and told["accounts"] == len(members) and told["share"] == len(members) / LAST
    assert told["calls"] == 4 * len(members) and told["by"] == list(hashes)


def test_an_account_is_covered_from_half_of_its_core_calls_on() -> None:
    (told,), covered = _beside(_entry(addresses=(7,)))
    assert MOST == 0.5 and covered == {"e": [2, 3, 4, 7, 8, 9]}, "two, three and four of four calls; one of four does not cover"
    assert told["calls"] == 2 * (1 + 2 + 3 + 4) and told["accounts"] == 6


def test_who_is_not_named_is_not_told() -> None:
    assert _beside(_entry(accounts=(99,), organisations=(2,), keys=(2,), addresses=(99,))) == ([], {}), "a number of another kind is no match"
    assert _beside() == ([], {})


def test_of_a_campaign_named_by_its_id_the_share_is_unknown() -> None:
    (told,), covered = _beside(_entry(campaigns=("aa" * 8, "bb" * 8)))
    assert told["share"] is None and told["accounts"] is None and told["by"] == ["campaigns"] and covered == {"e": []}
    assert "names the campaign itself" in told["text"] and told["conflict"]
    assert _beside(_entry(campaigns=("bb" * 8,))) == ([], {})


@pytest.mark.parametrize(
    ("says", "verdict", "conflict"), [(BENIGN, "alert", True), (BENIGN, "review", False), (BENIGN, "watch", False), (CAMPAIGN, "alert", False)]
)
def test_benign_over_an_alert_is_a_conflict(says: str, verdict: str, conflict: bool) -> None:
    (told,), _ = _beside(_entry(says, accounts=(1,)), verdict=verdict)
    assert told["conflict"] is conflict and ("the verdict stands" in told["text"]) is conflict and "Reason: why" in told["text"]


def test_an_entry_is_in_force_on_its_last_day_and_not_after_it() -> None:
    for expires, in_force in (("2026-06-15", True), ("2026-06-14", False)):
        assert bool(_beside(_entry(expires=expires, accounts=(1,)))[0]) is in_force, expires
    assert not _beside(_entry(accounts=(1,)), day="2026-06-16")[0], "an old log is scanned later"
    assert not _beside(_entry(expires="2026-06-14", accounts=(1,)), day="2020-01-01")[0], "a clock that is behind its log"
    told = state(Known((_entry(expires="2026-06-14"),), DAY), NOW, [("aa" * 8, "alert", [])])
    assert told["as_of"] == DAY and told["entries"][0]["expired"] and told["entries"][0]["campaigns"] == [] and told["conflicts"] == []


def test_conflicts_come_first() -> None:
    entries = (Entry("a", "verdict", CAMPAIGN, "why", DAY, (("accounts", (1, 2)),)), Entry("b", "verdict", BENIGN, "why", DAY, (("accounts", (1,)),)))
    told, covered = _beside(*entries)
    assert [each["entry"] for each in told] == ["b", "a"] and covered == {"a": [1, 2], "b": [1]}
    assert covered_members([("aa" * 8, covered)])["account"].to_pylist() == [1, 1, 2]
    assert beside(NOTHING_KNOWN, _traffic(), "aa" * 8, "alert", np.arange(LAST), np.arange(40)) == ([], {})


@pytest.fixture(scope="module")
def scanned(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drill's log scanned with a file over its true campaign, and without."""
    folder = tmp_path_factory.mktemp("known")
    flow.watch([str(logs.log)], folder / "without", history=[str(logs.history)], key=logs.key, render=page.render)
    lead, other, *_ = _lines(folder / "without")
    assert lead["verdict"] == "alert"
    rows = pq.read_table(logs.log, columns=["account", "key"]).to_pylist()
    issued = sorted({row["key"] for row in rows if row["account"] in lead["accounts"][:10] and row["key"]})
    folder.joinpath("known.toml").write_text(
        f'[[programme]]\nname = "a round"\nreason = "agreed in spring"\nexpires = 2099-12-31\naccounts = {json.dumps(lead["accounts"][:17])}\nkeys = {json.dumps(issued)}\n'
        f'[[verdict]]\nname = "case 12"\nreason = "a class"\nexpires = 2099-12-31\nsays = "benign"\ncampaigns = ["{other["campaign"]}"]\n'
        f'[[infrastructure]]\nname = "old gateway"\nreason = "gone"\nexpires = 2020-12-31\naccounts = {json.dumps(lead["accounts"])}\n'
    )
    flow.watch([str(logs.log)], folder / "with", history=[str(logs.history)], key=logs.key, known=folder / "known.toml", render=page.render)
    return folder


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "campaigns.jsonl").read_text().splitlines()]


def _summary(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return told


def test_nothing_changes_but_the_annotation(scanned: Path) -> None:
    given, bare = _lines(scanned / "with"), _lines(scanned / "without")
    assert all(line["known"] == [] for line in bare)
    annotated = [line.pop("known") for line in given]
    assert given == [{name: value for name, value in line.items() if name != "known"} for line in bare]
    assert [len(each) for each in annotated[:2]] == [1, 1] and not any(annotated[2:])
    (lead,), (other,) = annotated[:2]
    assert (lead["entry"], lead["reason"], lead["expires"], lead["conflict"]) == ("a round", "agreed in spring", "2099-12-31", True)
    assert lead["accounts"] == 17 and lead["share"] == round(17 / len(given[0]["accounts"]), 6) and set(lead["by"]) <= {"accounts", "keys"}
    assert (other["entry"], other["conflict"], other["share"]) == ("case 12", False, None)


def test_conflicts_and_what_has_expired_are_told_everywhere(scanned: Path) -> None:
    summary, lines = _summary(scanned / "with"), _lines(scanned / "with")
    assert _summary(scanned / "without")["known"] is None and summary["parameters"]["known"] == str(scanned / "known.toml")
    assert [each["entry"] for each in summary["known"]["entries"] if each["expired"]] == ["old gateway"]
    assert [(each["campaign"], each["entry"]) for each in summary["known"]["conflicts"]] == [(lines[0]["campaign"], "a round")]
    said = words.scanned(summary, lines, scanned / "with")
    assert f'\nconflict: {lines[0]["campaign"]}: programme "a round"' in said and "\nexpired, annotates nothing: old gateway (2020-12-31)\n" in said
    assert f'\nknown: {lines[1]["campaign"]}: verdict "case 12"' in said
    html = (scanned / "with" / "report.html").read_text()
    assert html.count("Conflict with what is known.") == 2, "at the head, and at the case"
    assert "old gateway (2020-12-31)" in html and "agreed in spring" in html and "Settle the conflict" in html
    assert "Conflict with" not in (scanned / "without" / "report.html").read_text()


def test_no_name_of_the_file_stands_in_the_results(scanned: Path, logs: Logs, tmp_path: Path) -> None:
    text = (scanned / "known.toml").read_text() + '[[programme]]\nname = "z"\nreason = "y"\nexpires = 2099-01-01\n'
    named = ["acct-of-nobody", "org-of-nobody", "key-of-nobody", "192.0.2.99"]
    text += f'accounts = ["{named[0]}"]\norganisations = ["{named[1]}"]\nkeys = ["{named[2]}"]\naddresses = ["{named[3]}"]\n'
    (tmp_path / "known.toml").write_text(text)
    flow.watch(
        [str(logs.log)], tmp_path / "out", history=[str(logs.history)], key=logs.key, known=tmp_path / "known.toml", pseudonymous=True, render=page.render
    )
    assert holding(tmp_path / "out", [*named, *_lines(scanned / "with")[0]["accounts"]]) == []
    assert _lines(tmp_path / "out")[0]["known"][0]["accounts"] == 17


def test_explain_says_whether_it_is_said_of_the_account(scanned: Path, logs: Logs) -> None:
    lead = _lines(scanned / "with")[0]
    for account, covers in ((lead["accounts"][0], True), (lead["accounts"][-1], False)):
        told = story(scanned / "with", account, logs.key)
        (said,) = [each for each in told["known"] if each["campaign"] == lead["campaign"]]
        assert said["covers_account"] is covers and said["conflict"]
        assert ("this account too" if covers else "not this account") in explained.explained(told)
        assert "known" not in redacted(told)
    assert story(scanned / "without", lead["accounts"][0], logs.key)["known"] == []
    other = _lines(scanned / "with")[1]
    told = story(scanned / "with", other["accounts"][0], logs.key)
    (said,) = [each for each in told["known"] if each["campaign"] == other["campaign"]]
    assert said["covers_account"] is None and "whether this account is not known" in explained.explained(told), "it names the case by its id alone"


def test_cases_that_were_damaged_are_named(scanned: Path, logs: Logs, tmp_path: Path) -> None:
    shutil.copytree(scanned / "with", tmp_path / "scan")
    for damaged in ("{bad\n", "{}\n", "3\n", '{"campaign": 1, "accounts": 3, "known": 3, "signals": 3}\n'):
        (tmp_path / "scan" / "campaigns.jsonl").write_text(damaged)
        with pytest.raises(UserError, match="the result was changed"):
            story(tmp_path / "scan", _lines(scanned / "with")[0]["accounts"][0], logs.key)
    shutil.copy(scanned / "with" / "campaigns.jsonl", tmp_path / "scan")
    for damaged in ("", "{bad", "[]", '{"scan": 3}', '{"scan": "a/b"}'):
        (tmp_path / "scan" / "summary.json").write_text(damaged)
        with pytest.raises(UserError, match="no such account"):
            story(tmp_path / "scan", "nobody", logs.key)


def test_units_other_than_accounts_are_named_as_they_are_linked(logs: Logs, tmp_path: Path) -> None:
    flow.watch([str(logs.log)], tmp_path / "bare", history=[str(logs.history)], key=logs.key, unit="key")
    lead = _lines(tmp_path / "bare")[0]
    (tmp_path / "known.toml").write_text(f'[[programme]]\nname = "x"\nreason = "y"\nexpires = 2099-01-01\naccounts = {json.dumps(lead["accounts"])}\n')
    flow.watch([str(logs.log)], tmp_path / "out", history=[str(logs.history)], key=logs.key, unit="key", known=tmp_path / "known.toml")
    assert _lines(tmp_path / "out")[0]["known"][0]["share"] == 1.0


def test_the_doors_take_it(scanned: Path, logs: Logs) -> None:
    found = stillwatch.scan(logs.log, history=logs.history, key=logs.key, known=scanned / "known.toml")
    assert list(found.cases) == _lines(scanned / "with")
    assert found.campaigns["known"].to_pylist()[:2] == [["a round"], ["case 12"]] and found.campaigns["conflict"].to_pylist()[:2] == [True, False]
    done = CliRunner().invoke(
        main, ["scan", str(logs.log), "--out", str(scanned / "o"), "--known", str(scanned / "none.toml"), "--key", str(logs.key)], standalone_mode=True
    )
    assert done.exit_code == 2 and "what is known cannot be read" in done.output and not (scanned / "o").exists()
