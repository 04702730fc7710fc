"""A scan's cases through the barrier into a collection of a real server, heard by another member, corrected, and looked at by counsel."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("http_message_signatures")

from exchange_case import SHARED, Exchange, free_port, served  # noqa: E402
from stillwatch import flow, sharing  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402
from stillwatch.peers import posting  # noqa: E402

SECRETS = ("acct-of-a-customer", "card-4711", "You are a strict grader")


def campaign(name: str = "6e100d4224f4898c", verdict: str = "alert") -> dict[str, Any]:
    """A line of campaigns.jsonl, as far as the barrier reads one, with what must not leave."""
    return {
        "campaign": name, "verdict": verdict, "log10_e": 12.7, "q": 0.0001, "accounts": [f"{SECRETS[0]}-{each}" for each in range(60)], "calls": 687,
        "first_ts": 1_795_000_000_000_000, "last_ts": 1_795_100_000_000_000, "capabilities": {"reasoning": 0.8, "code": 0.2},
        "signals": [{"name": "grading", "fires": True, "atlas": "AML.T0040"}], "ties": [{"tie": "payment", "key": SECRETS[1]}], "templates": [SECRETS[2]], "models": ["m"],
    }  # fmt: skip


class Room:
    """North serves a collection that south and north read; north shares into it."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.folder, self.port = exchange, exchange.folder, free_port()
        self.server = exchange.settings(self.port)
        self.scan = self.folder / "scan"
        self.scan.mkdir()
        self.cases(campaign())
        self.policy = self.folder / "policy.toml"
        self.allow("south", "north")
        self.north, self.south = self.peers("north", "south"), exchange.peers(self.port, "south")

    def cases(self, *lines: dict[str, Any]) -> None:
        (self.scan / "campaigns.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))

    def allow(self, *recipients: str, more: str = "") -> None:
        today = datetime.now(UTC).date()
        kinds = ("case", "technique", "infrastructure", "indicator", "sighting", "advice", "opinion", "grouping", "note", "link")
        ends = "\n".join(f"{kind} = 30" for kind in kinds)
        self.policy.write_text(
            f'purpose = "detection"\nrecipients = {json.dumps(list(recipients))}\nrecords = {json.dumps(list(kinds))}\nverdicts = ["alert"]\n{more}\n[expires]\n{ends}\n'
            f'[assessment]\ninterest = "security"\nnecessity = "each sees a part"\nbalance = "bands"\nby = "counsel"\nstart = {today - timedelta(days=9)}\nuntil = {today + timedelta(days=90)}\n'
        )

    def peers(self, who: str, *readers: str) -> Path:
        path = self.exchange.peers(self.port, who)
        text = path.read_text().replace("[[me]]\n", f'[[me]]\nname = "{who}"\noutgoing = "{who}-outgoing.sqlite"\nnames_key = "{who}-names.key"\n')
        path.write_text(text + f'[[collection]]\npeer = "north"\nid = "{SHARED}"\nreaders = {json.dumps(list(readers))}\n')
        return path

    def share(self, **how: Any) -> dict[str, Any]:
        return sharing.share(self.north, self.scan, self.policy, [f"north/{SHARED}"], **how)

    def hear(self) -> dict[str, Any]:
        flow.hear(self.south)
        return sharing.heard(self.south)


@pytest.fixture
def room(exchange: Exchange) -> Iterator[Room]:
    made = Room(exchange)
    with served(made.server):
        yield made


def ids(told: dict[str, Any]) -> list[str]:
    return [row["id"] for case in told["cases"] for row in case["records"]]


def test_what_is_shown_is_what_leaves_and_what_is_heard(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = room.share()
    assert not shown["sent"] and room.hear()["cases"] == [] and not any(each in shown["content"] for each in SECRETS)
    assert any("accounts" in where for _, where, _ in shown["refused"])
    wire: list[bytes] = []
    plain = posting.Connection._send

    def kept(self: Any, method: str, target: str, body: bytes, *kind: str) -> Any:
        wire.append(body)
        return plain(self, method, target, body, *kind)

    monkeypatch.setattr(posting.Connection, "_send", kept)
    sent = room.share(send=True, expect=shown["sha256"])
    assert sent["sha256"] == shown["sha256"] and sent["sent"][0]["readers"] == ["south"] and not sent["sent"][0]["failures"]
    gone = [each for body in wire if body for each in json.loads(body)["objects"]]
    assert gone == json.loads(shown["content"])["objects"], "exactly what was looked at"
    heard = room.hear()
    case = heard["cases"][0]["records"][0]
    assert (case["grade"], case["accounts"], case["tlp"]) == ("alert", [50, 100], "amber+strict") and not heard["not_read"] and case["seen"]
    with pytest.raises(UserError, match="has left"):
        room.share(send=True, expect=shown["sha256"])
    counsel = sharing.left(room.north)
    assert [(each.sha256, each.recipients, each.content.decode()) for each in counsel] == [(shown["sha256"], ("south",), shown["content"])]


def test_a_revocation_reaches_all_in_one_poll(room: Room) -> None:
    room.share(send=True)
    (case,) = ids(room.hear())
    shown = sharing.correct(room.north, room.policy, id_=case, revoke=True)
    assert shown["due"] and not shown["sent"] and ids(room.hear()) == [case], "shown only"
    sharing.correct(room.north, room.policy, id_=case, revoke=True, send=True)
    heard = room.hear()
    assert ids(heard) == [] and (case, "withdrawn by its sender") in [tuple(each) for each in heard["forget"]]
    assert len(heard["forget"]) >= 4, "the sighting, links, note and grouping that say nothing without it went too"
    assert not sharing.correct(room.north, room.policy)["due"]
    with pytest.raises(UserError, match="taken back before"):
        sharing.correct(room.north, room.policy, id_=case, revoke=True)


def test_an_opinion_about_ones_own_is_brought_to_who_has_it(room: Room) -> None:
    room.share(send=True)
    (case,) = ids(room.hear())
    sharing.correct(room.north, room.policy, id_=case, opinion="disagree", send=True)
    heard = room.hear()
    assert [(about, opinion) for about, opinion, _ in heard["opinions"]] == [([case], "disagree")] and ids(heard) == [case]


def test_somebody_elses_record_is_disputed_where_it_is_said(room: Room) -> None:
    theirs = "campaign--11111111-1111-4111-8111-111111111111"
    with pytest.raises(UserError, match="somebody else's record"):
        sharing.correct(room.north, room.policy, id_=theirs, opinion="disagree", send=True)
    sent = sharing.correct(room.north, room.policy, id_=theirs, opinion="strongly-disagree", to=[f"north/{SHARED}"], send=True)
    assert sent["sent"][0]["readers"] == ["south"] and [each[:2] for each in room.hear()["opinions"]] == [[[theirs], "strongly-disagree"]]


def test_who_is_no_longer_named_gets_the_withdrawal_and_no_new_word(room: Room) -> None:
    room.share(send=True)
    (case,) = ids(room.hear())
    room.allow("west")
    with pytest.raises(UserError, match="whom the policy does not name"):
        room.share(send=True)
    room.allow("west", "south")
    sharing.correct(room.north, room.policy, id_=case, opinion="disagree")
    room.cases(campaign() | {"log10_e": 20.0})
    with pytest.raises(UserError):
        sharing.correct(room.north, room.policy, id_="campaign--00000000-0000-4000-8000-000000000000", revoke=True)
    assert ids(room.hear()) == [case]


@pytest.mark.parametrize("why", ["nobody", "stopped", "unsaid", "stranger"])
def test_it_fails_closed(room: Room, why: str) -> None:
    if why == "nobody":
        room.allow()
    if why == "stopped":
        room.allow("south", "north", more="stopped = true")
    if why == "unsaid":
        room.north.write_text(room.north.read_text().partition("[[collection]]")[0])
    if why == "stranger":
        room.peers("north", "south", "west")
    if why == "stopped":
        assert room.share(send=True)["content"] == ""
    else:
        with pytest.raises(UserError):
            room.share(send=True)
    assert room.hear()["cases"] == []


def test_the_kill_switch_holds_what_was_looked_at_and_corrections(room: Room) -> None:
    shown = room.share()
    room.allow("south", "north", more="stopped = true")
    with pytest.raises(UserError, match="kill switch"):
        room.share(send=True, expect=shown["sha256"])
    with pytest.raises(UserError, match="kill switch"):
        sharing.correct(room.north, room.policy)


def test_killed_between_sending_and_noting_it_is_made_good(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = room.share()

    def killed(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("stillwatch.store.outgoing.Outgoing.note", killed)
        with pytest.raises(KeyboardInterrupt):
            room.share(send=True, expect=shown["sha256"])
    before = ids(room.hear())
    room.share(send=True, expect=shown["sha256"])
    assert ids(room.hear()) == before and len(sharing.left(room.north)) == 1


def test_a_second_share_is_a_new_version_of_the_same_records(room: Room) -> None:
    room.share(send=True)
    first = ids(room.hear())
    room.cases(campaign() | {"log10_e": 21.3}, campaign("050bb2f3d57fd9e8"), campaign("491915d3bd9c686d", "watch"))
    room.share(send=True)
    heard = room.hear()
    assert len(ids(heard)) == 2 and first[0] in ids(heard)
    assert {row["log10_e_at_least"] for case in heard["cases"] for row in case["records"]} == {21, 12}


def test_from_the_command_line(room: Room) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "stillwatch", *words], capture_output=True, text=True, timeout=120)

    common = [str(room.north), str(room.scan), "--policy", str(room.policy), "--to", f"north/{SHARED}"]
    shown = run("share", *common)
    assert shown.returncode == 0 and "stays:" in shown.stdout and '"type":"bundle"' in shown.stdout, shown.stderr
    sent = json.loads(run("share", *common, "--send", "--json").stdout)
    assert sent["sent"][0]["added"] > 4
    assert run("hear", str(room.south)).returncode == 0
    told = run("heard", str(room.south))
    assert "alert" in told.stdout and "50 to 99 accounts" in told.stdout
    case = next(word for word in told.stdout.split() if word.startswith("campaign--"))
    assert "withdrawal" not in run("correct", str(room.north), case, "--policy", str(room.policy), "--revoke").stdout.splitlines()[-1]
    assert run("correct", str(room.north), case, "--policy", str(room.policy), "--revoke", "--send").returncode == 0
    assert "bytes to south" in run("counsel", str(room.north)).stdout
    with contextlib.closing(sqlite3.connect(room.folder / "north-outgoing.sqlite")) as file:
        assert file.execute("SELECT count(*) FROM shares").fetchone() == (2,)
    assert (room.folder / "north-outgoing.sqlite").stat().st_mode & 0o077 == 0


def test_a_collection_that_wants_exact_stix_takes_what_is_shared_and_nothing_loose(exchange: Exchange) -> None:
    made = Room(exchange)
    made.server.write_text(made.server.read_text().replace(f'id = "{SHARED}"', f'id = "{SHARED}"\nvalidation = "stix"'))
    with served(made.server):
        assert not made.share(send=True)["sent"][0]["failures"]
        loose = json.dumps(
            {"type": "indicator", "spec_version": "2.1", "id": "indicator--1", "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z"}
        )
        told = flow.tell(made.north, "north", SHARED, [loose.replace("--1", "--00000000-0000-4000-8000-000000000001").encode()])
        assert told["added"] == 0 and "pattern" in told["failures"][0]["message"]
