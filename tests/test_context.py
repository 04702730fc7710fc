"""Dated events beside a log: how they are read, what they date, and that they decide nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import stillwatch
from conftest import Logs
from stillwatch import flow
from stillwatch.campaigns.timeline import DAY, NOT_TOLD, timeline
from stillwatch.doors.report import page
from stillwatch.errors import UserError
from stillwatch.features import handover, models, payments
from stillwatch.features.declare import Groups
from stillwatch.intake.mark import account_hashes
from stillwatch.records import NO_CONTEXT, Ban, Context, PaymentChange, Release
from stillwatch.store import context
from stillwatch.traffic import Traffic, from_rows

KEY = bytes(32)
GOOD = """# what we know
[[release]]
model = "orion-6"
at = 2026-01-02T05:00:00+01:00
ours = true
[[ban]]
at = 2026-01-02 09:00:00
accounts = ["b", "a", "a"]
[[release]]
model = "rival-9"
at = 2026-01-01
ours = false
[[ban]]
at = "2026-01-01T00:00:00Z"
count = 3500
[[payment]]
at = 2026-01-02T12:00:00Z
what = "free tier ended"
"""


def _load(text: str, folder: Path) -> Context:
    (folder / "told.toml").write_text(text)
    return context.load(folder / "told.toml", KEY)


def test_events_are_read_in_order_of_time_and_accounts_hashed(tmp_path: Path) -> None:
    day = 1_767_225_600_000_000
    told = _load(GOOD, tmp_path)
    assert told.releases == (Release("rival-9", day, False), Release("orion-6", day + 28 * 3_600_000_000, True))
    assert [(each.at, each.count) for each in told.bans] == [(day, 3500), (day + 33 * 3_600_000_000, 2)]
    assert told.bans[1].accounts == tuple(sorted(account_hashes(["a", "b"], KEY))), "under the log's key, each once"
    assert told.payments == (PaymentChange(day + 36 * 3_600_000_000, "free tier ended"),)


MISTAKES = {
    '[[relase]]\nmodel = "x"': 'told.toml:1:3: unknown word "relase"; did you mean "release"?',
    '[[release]]\nmodel = "x"\nat = 2026-01-02\nours = true\n[[release]]\nmodle = "y"': 'told.toml:6:1: unknown word "modle"; did you mean "model"?',
    '[[release]]\nmodel = "x"\nat = 2026-01-02': "told.toml:1:1: ours is missing; add ours = true or false",
    '[[release]]\nmodel = " "\nat = 2026-01-02\nours = true': "told.toml:2:1: model is not what it must be; write model = \"the model's name\"",
    "[[ban]]\nat = 2026-01-02\ncount = 1\n[[ban]]\n  at = 2126-01-01\n  count = 3": (
        "told.toml:5:3: at is no time from 2015 to 2100; write at = 2026-02-05T17:00:00Z"
    ),
    "[[ban]]\nat = 2026-01-02": 'told.toml:1:1: count is missing; add count = a number, or accounts = ["..."]',
    "[[ban]]\nat = 2026-01-02\ncount = true": 'told.toml:3:1: count is not what it must be; write count = a number, or accounts = ["..."]',
    '[[ban]]\nat = 2026-01-02\naccounts = ["a", 7]': 'told.toml:3:1: accounts is not what it must be; write accounts = ["an account", "another"]',
    '[[ban]]\nat = 2026-01-02\naccounts = ["a", "b"]\ncount = 1': (
        "told.toml:4:1: count is no number from 2 on, which are named; leave it out, or write how many were closed in all"
    ),
    '[[payment]]\nat = 2026-01-02\nwhat = "free tier end"': (
        'told.toml:3:1: unknown change of payment "free tier end"; did you mean "free tier ended"?'
    ),
    "[release]\nmodel = 1": "told.toml:1:2: release must be a block; begin it with [[release]]",
    "[[payment]\n": (
        "told.toml:1:10: not TOML: Expected ']]' at the end of an array declaration; write blocks that begin with [[release]], [[ban]] or [[payment]]"
    ),
    "# nothing": "told.toml: tells nothing; write blocks that begin with [[release]], [[ban]] or [[payment]]",
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_with_line_and_column(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        _load(text, tmp_path)
    assert str(error.value).removeprefix(f"{tmp_path}/") == MISTAKES[text]


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "told.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path / "told.toml"):
        with pytest.raises(UserError, match="the context cannot be read"):
            context.load(path, KEY)


def _one(rows: list[dict[str, Any]], told: Context) -> Groups:
    traffic = from_rows(rows)
    return Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1, told)


def test_a_told_release_stands_in_place_of_what_the_log_shows() -> None:
    rows = [{"account": 0, "ts": i * DAY // 8, "model": "us.maker.new-1-v1:0" if i >= 20 else "old"} for i in range(32)]
    assert np.isnan(models.model_pivot(_one(rows, NO_CONTEXT))[0])
    assert models.model_pivot(_one(rows, Context(releases=(Release("new-1", 2 * DAY, True),))))[0] == pytest.approx(4 / 8)
    assert np.isnan(models.model_pivot(_one(rows, Context(releases=(Release("new-1", 2 * DAY, False),))))[0]), "another maker's is none to move to"


def test_falling_back_goes_by_told_ages() -> None:
    rows: list[dict[str, Any]] = []
    for i in range(5):
        rows += [{"account": 1, "ts": 2 * i * DAY, "model": "x", "status": 403}, {"account": 1, "ts": 2 * i * DAY + 1, "model": "y", "status": 200}]
    assert models.model_retreat(_one(rows, Context(releases=(Release("y", -9 * DAY, True),))))[0] == 1.0
    assert models.model_retreat(_one(rows, Context(releases=(Release("x", -9 * DAY, True),))))[0] == 0.0, "going on with the newer one is no retreat"


def test_a_model_that_a_small_log_misses_by_chance_is_no_release() -> None:
    rows = [{"account": a, "org": a, "ts": DAY * 2 + a, "model": "rare" if a < 5 else "usual"} for a in range(100)]
    few, many = ([{"account": 200 + i, "org": 200 + i, "ts": i, "model": "usual"} for i in range(n)] for n in (10, 200))
    assert models.first_appearances(from_rows(rows + few)) == {}
    assert models.first_appearances(from_rows(rows + many)) == {"rare": 2 * DAY}


def test_hands_that_change_at_a_ban_are_seen_between_the_groups_own_moments() -> None:
    first = [{"account": a, "ts": i * DAY // 40 + a} for a in range(6) for i in range(20)]
    second = [{"account": a, "ts": 5 * DAY // 2 + i * 7 * DAY // 8 + a} for a in range(6, 12) for i in range(21)]
    assert handover.handover(_one(first + second, NO_CONTEXT))[0] == 0.0, "no part of twenty holds both"
    assert handover.handover(_one(first + second, Context(bans=(Ban(int(2.45 * DAY), 6, ()),))))[0] == 1.0


@pytest.mark.parametrize("at", [0, DAY // 2, 9 * DAY])
def test_a_change_of_payment_needs_days_around_it(at: int) -> None:
    rows = [{"account": a, "ts": day * DAY + a} for a in range(9) for day in range(4)]
    assert np.isnan(payments.payment_move(_one(rows, Context(payments=(PaymentChange(at, "price change"),))))[0])


def test_who_reacts_to_a_change_of_payment_stands_out() -> None:
    rows = [{"account": a, "org": a, "ts": day * DAY + a, "plan": "free"} for a in range(90) for day in range(5)]
    rows += [{"account": a, "org": a, "ts": day * DAY + a, "payment": 7 if day < 3 else a} for a in range(100, 110) for day in range(5)]
    traffic = from_rows(rows)
    label = (traffic.accounts[traffic.account] >= 100).astype(np.int64)
    groups = Groups(traffic, np.arange(traffic.calls), label, 2, Context(payments=(PaymentChange(3 * DAY, "payment method blocked"),)))
    order = np.argsort(label, kind="stable")
    groups = Groups(traffic, order, label[order], 2, groups.context)
    assert payments.payment_move(groups).tolist() == [0.0, 1.0] and payments.payment_lead(groups).tolist() == [0.0, pytest.approx(10.0)]


AT = 20 * DAY


def _around(falls: bool, everybody: bool = False, days: int = 40) -> Traffic:
    """30 organisations at two calls a day; a group of ten accounts that makes hardly any call after day 20, if it `falls`."""
    rows = [
        {"account": a, "org": a, "ts": day * DAY + h * DAY // 2 + a}
        for a in range(30)
        for day in range(days)
        for h in range(2 if not everybody or day < 20 else 1 + (a > 25))
    ]
    rows += [{"account": a, "org": a, "ts": day * DAY + a} for a in range(100, 110) for day in range(days) if not falls or day < 20 or a == 100]
    return from_rows(rows)


def _told(traffic: Traffic, *releases: Release, bans: tuple[Ban, ...] = ()) -> tuple[list[str], list[str]]:
    members = np.flatnonzero(traffic.accounts >= 100)
    core = np.flatnonzero(np.isin(traffic.account, members))
    return timeline(traffic, members, core, Context(tuple(releases), bans))


RIVAL = Release("rival-9", AT, False)


def test_a_fall_after_a_rivals_release_is_observed_and_inferred_apart() -> None:
    observed, inferred = _told(_around(True), RIVAL)
    assert observed == [
        "in the 7 days before rival-9 of another maker (1970-01-21 00:00 UTC) the group made 70 calls, in the 7 days after it 7 (9% of both), all other"
        " traffic 420 and 420 (50%); 95 of 100 organisations made at least 50% of theirs after it; on 0 of 19 other days as little or less followed in the group"
    ]
    assert len(inferred) == 1 and "coincidence is not excluded" in inferred[0]


def test_nothing_is_inferred_where_others_or_other_days_or_a_ban_explain_it() -> None:
    assert _told(_around(False), RIVAL)[1] == [], "no fall"
    assert _told(_around(True), Release("rival-9", AT - 5 * DAY, False))[1] == [], "other days show more"
    assert _told(_around(True), RIVAL, bans=(Ban(AT - DAY, 9, ()),))[1] == [], "a ban explains a fall"
    many = [Release(f"rival-{i}", AT + i, False) for i in range(9)]
    assert _told(_around(True), *many)[1] == [], "one of many dates fits by chance"


def test_a_short_log_infers_nothing() -> None:
    rows = [{"account": a, "org": a, "ts": h * DAY // 20 + a} for a in range(30) for h in range(42)]
    rows += [{"account": a, "org": a, "ts": h * DAY // 20 + a} for a in range(100, 110) for h in range(20)]
    observed, inferred = _told(from_rows(rows), Release("rival-9", DAY, False))
    assert inferred == [] and "on 0 of 0 other days" in observed[0]


def test_releases_outside_the_log_are_told_as_such() -> None:
    observed, inferred = _told(
        _around(True), Release("r1", -9 * DAY, False), Release("r2", -5 * DAY, False), Release("r3", 50 * DAY, False), Release("ours", AT, True)
    )
    assert [line.split(" (")[0] for line in observed] == [
        "r2 of another maker came out 5 days before the log begins", "r3 of another maker came out 10 days after the log ends", "within 24 hours of ours",
    ]  # fmt: skip
    assert "0 of the group's 1 calls asked it, and 0% of all other calls" in observed[2] and inferred == []
    assert _told(_around(True))[0] == [NOT_TOLD]


def test_a_ban_tells_who_was_banned_and_who_is_new() -> None:
    rows = [{"account": a, "ts": day * DAY + a} for a in range(100, 110) for day in range(3)] + [{"account": a, "ts": 3 * DAY + a} for a in range(110, 115)]
    observed, _ = _told(from_rows(rows), bans=(Ban(3 * DAY, 12, tuple(range(100, 108))),))
    assert observed[1] == (
        "12 accounts were banned 1970-01-04 00:00 UTC, 8 of them of this group: in the day before it 10 accounts of the group made 10 calls,"
        " in the day after it 5 accounts 5, of which 5 had not called before"
    )


@pytest.fixture(scope="module")
def told(logs: Logs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of the drill's log with a context around it."""
    folder = tmp_path_factory.mktemp("context")
    truth = pq.read_table(logs.truth, columns=["account", "campaign"]).to_pydict()
    banned = sorted({account for account, campaign in zip(truth["account"], truth["campaign"], strict=True) if campaign == "O-SEP"})[:20]
    (folder / "events.toml").write_text(GOOD.replace('["b", "a", "a"]', json.dumps([*banned, "nobody's"])))
    for name, given in (("with", folder / "events.toml"), ("without", None)):
        flow.watch([str(logs.log)], folder / name, history=[str(logs.history)], key=logs.key, context=given, render=page.render)
    return folder


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "campaigns.jsonl").read_text().splitlines()]


def test_a_context_changes_no_verdict(told: Path) -> None:
    told_with, told_without = _lines(told / "with"), _lines(told / "without")
    for name in ("campaign", "verdict", "log10_e", "q", "p_floor", "accounts", "calls", "conditions"):
        assert [line[name] for line in told_with] == [line[name] for line in told_without], name


def test_the_case_tells_of_the_dates(told: Path) -> None:
    (lead, *_), (bare, *_) = _lines(told / "with"), _lines(told / "without")
    lines = " ".join(lead["factors"]["development_timeline"]["observed"])
    assert "rival-9" in lines and "orion-6" in lines and "21 accounts were banned" in lines and "free tier ended" in lines
    assert NOT_TOLD in bare["factors"]["development_timeline"]["observed"]
    assert "rival-9" in (told / "with" / "report.html").read_text()


def test_the_summary_names_the_file_and_what_could_not_be_examined(told: Path) -> None:
    given, bare = (json.loads((told / name / "summary.json").read_text()) for name in ("with", "without"))
    assert given["parameters"]["context"] == str(told / "events.toml") and bare["parameters"]["context"] is None
    assert given["context"] == {"releases": 2, "bans": 2, "payments": 1, "banned_accounts": 21, "banned_in_log": 20} and bare["context"] is None
    assert given["detectors"]["payment rush"] == "on" and bare["detectors"]["payment rush"] == {"off": ["payments (--context)"]}


def test_the_python_door_takes_it_too(told: Path, logs: Logs) -> None:
    found = stillwatch.scan(logs.log, history=logs.history, key=logs.key, context=told / "events.toml")
    assert list(found.cases) == _lines(told / "with")
    (told / "bad.toml").write_text("[[bann]]\n")
    with pytest.raises(UserError, match='did you mean "ban"'):
        stillwatch.scan(logs.log, key=logs.key, context=told / "bad.toml")
