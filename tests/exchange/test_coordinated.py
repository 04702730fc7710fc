"""Quiet periods and cases that one's own matching joins, as commands over a real server: what waits, what goes on, and that neither is told to anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("http_message_signatures")

from test_sharing import Room, campaign, ids, room  # noqa: E402, F401

from exchange_case import SHARED  # noqa: E402
from stillwatch import coordinating, sharing  # noqa: E402
from stillwatch.doors.cli import main  # noqa: E402
from stillwatch.errors import UserError  # noqa: E402
from stillwatch.store.matching import write_items  # noqa: E402


def said(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, [*map(str, words)])
    assert done.exit_code == code, done.output
    return done.output


def test_what_is_kept_quiet_waits_and_what_was_told_is_still_taken_back(room: Room) -> None:  # noqa: F811
    room.share(send=True)
    (first,) = ids(room.hear())
    room.cases(campaign(), campaign("00000000000000aa"))
    both = room.share()
    (second,) = [each["id"] for each in json.loads(both["content"])["objects"] if each["type"] == "campaign" and each["id"] != first]
    assert "until" in said("quiet", room.north, second, "--days", "7", "--by", "counsel")
    shown = room.share()
    assert second not in shown["content"] and first in shown["content"], "another case is not held"
    assert any(what == second and "quiet period" in why for what, _, why in shown["refused"])
    assert not any(second in json.dumps(each) for each in json.loads(shown["content"])["objects"]), "nor does anything name it"
    with pytest.raises(UserError, match="a quiet period began after this was looked at"):
        room.share(expect=both["sha256"], send=True)
    room.share(send=True)
    assert ids(room.hear()) == [first]
    sharing.correct(room.north, room.policy, id_=first, revoke=True, send=True)
    assert ids(room.hear()) == [], "a withdrawal goes in a quiet period as well"
    assert "1 quiet period ended" in said("quiet", room.north, second, "--end") and "nothing is kept quiet" in said("quiet", room.north)
    room.share(send=True)
    assert second in ids(room.hear())


def test_an_opinion_that_would_name_what_is_quiet_waits(room: Room) -> None:  # noqa: F811
    shown = room.share()
    (case,) = [each["id"] for each in json.loads(shown["content"])["objects"] if each["type"] == "campaign"]
    coordinating.hush(room.north, [case], days=3, by="analyst")
    assert room.share()["content"] == "", "a bundle that names its maker alone says nothing"
    told = sharing.correct(room.north, room.policy, id_=case, opinion="disagree", to=[f"north/{SHARED}"], send=True)
    assert told["sent"] == [] and told["waits"] and told["waits"][0][0].startswith("opinion--")
    assert "waits until" in said("correct", room.north, case, "--opinion", "disagree", "--to", f"north/{SHARED}", "--policy", room.policy)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["campaign--1", "--days", "31", "--by", "x"], "31 days"), (["campaign--1", "--days", "0", "--by", "x"], "0 days"), (["campaign--1", "--days", "3"], "who decides"),
        (["campaign--1", "--days", "3", "--by", " "], "nobody decided"), (["indicator--1", "--days", "3", "--by", "x"], "is no case"), (["campaign--1", "--end"], "no quiet period"),
    ],
)  # fmt: skip
def test_a_quiet_period_has_an_end_and_somebody_who_decides_it(room: Room, words: list[str], what: str) -> None:  # noqa: F811
    assert what in said("quiet", room.north, *words, code=2)
    assert coordinating.hush(room.north, []) == {"periods": [], "ended": 0}


def test_cases_are_one_by_our_own_matching_alone(room: Room, tmp_path: Path) -> None:  # noqa: F811
    room.cases(campaign(), campaign("00000000000000aa"))
    room.share(send=True)
    one, other = sorted(ids(room.hear()))
    write_items(tmp_path / "common.txt", "payment", [f"card-{number}".encode() for number in range(12)])
    write_items(tmp_path / "few.txt", "payment", [b"card-1"])
    assert len(sharing.heard(room.south)["cases"]) == 2
    assert "one customer of both" in said("same", room.south, one, other, "--common", tmp_path / "few.txt", code=2)
    assert "did you mean" in said("same", room.south, one, other[:-1] + ("0" if other[-1] != "0" else "1"), "--common", tmp_path / "common.txt", code=2)
    assert "name the file" in said("same", room.south, one, other, code=2) and "are one already" in said("same", room.south, one, one, code=2)
    assert "12 common identifiers" in said("same", room.south, other, one, "--common", tmp_path / "common.txt")
    (joined,) = sharing.heard(room.south)["cases"]
    assert [each["id"] for each in joined["records"]] == [one, other] and joined["matched"] == [[one, other]] and joined["agreed"] == []
    assert "one case, by our own matching" in said("heard", room.south)
    assert len(sharing.heard(room.north)["cases"]) == 0, "nobody else is told, and one's own cases alone are nothing that was heard"
    assert "no longer" in said("same", room.south, one, other, "--undo") and len(sharing.heard(room.south)["cases"]) == 2
    assert "were not held for one" in said("same", room.south, one, other, "--undo", code=2)
