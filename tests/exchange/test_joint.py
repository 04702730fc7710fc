"""Sessions of joint evidence, all sides in one process: honest, killed, late and lying members, and what each side can see."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

for package in ("rbcl", "voprf"):
    pytest.importorskip(package)

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from stillwatch import joining  # noqa: E402
from stillwatch.campaigns.judge import Judged  # noqa: E402
from stillwatch.campaigns.weigh import Weighed  # noqa: E402
from stillwatch.detectors.declare import Fires, every_detector  # noqa: E402
from stillwatch.exchange.joint import brought, convening, lists, wire  # noqa: E402
from stillwatch.exchange.joint.brought import Brought, Group  # noqa: E402
from stillwatch.exchange.joint.convening import PATIENCE, Asked, Convened  # noqa: E402
from stillwatch.exchange.joint.refusals import Refused  # noqa: E402
from stillwatch.exchange.joint.taking_part import Finding, Mine, Part, Tokens  # noqa: E402
from stillwatch.exchange.matching.work import Here  # noqa: E402

NAMES = ("north", "south", "west")
CAMPAIGN, LIBRARY, HABIT = 8 * 1_000_001, 8 * 1_000_002, 8 * 1_000_003
"Wordings: a campaign's, a library's that one firm uses everywhere, and one that everybody always used."

SIGNS: dict[str, Any] = {
    "shared_slots": 0.02,
    "own_business": 0.1,
    "all_traffic": 0.9,
    "conversations_continue": 0.0,
    "slot_size": 40.0,
    "one_site": 0.0,
    "programme": 0.0,
}


def chance(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def signs() -> dict[str, Any]:
    """Values at which signs of purpose fire and nothing exculpates."""
    found: dict[str, Any] = {}
    for detector in every_detector().values():
        if detector.speaks_of_purpose:
            found |= next(case.values for case in detector.cases if isinstance(case, Fires))
    return found | SIGNS


def part_of(member: int, strangers: int = 8, novelties: int = 0) -> tuple[Tokens, Brought]:
    """Some strangers of today with the campaign's wording, one firm that all members know with the library's, and a history in which the habit is common.

    `novelties`: other wordings of as many strangers each.
    """
    words = np.array([CAMPAIGN, LIBRARY, HABIT, *(8 * (2_000_000 + at) for at in range(novelties))])
    wording, unit, today, owned = [], [], [], []
    tokens: list[int] = []

    def organisation(token: int, carries: Sequence[int], now: bool) -> None:
        at = len(units)
        units.append(token)
        tokens.append(token)
        owned.append((at, len(tokens) - 1))
        for word in carries:
            wording.append(word)
            unit.append(at)
            today.append(now)

    units: list[int] = []
    for each in range(strangers):
        organisation(1_000 * (member + 1) + each, [0], True)
        for at in range(novelties):
            organisation(10**6 * (member + 1) + 1_000 * at + each, [3 + at], True)
    organisation(77, [1], True)  # the firm that is everybody's customer
    for each in range(3):
        organisation(50_000 * (member + 1) + each, [2], True)
    for each in range(30):
        organisation(60_000 * (member + 1) + each, [2], False)
    made = Brought(
        np.zeros(len(words), np.int64), np.array(wording), np.array(unit), np.array(today), np.array(owned), len(units), (0.3, 0.3, 0.3),
        tuple(Group(np.array([word]), np.array([0])) for word in range(len(words))), {},
    )  # fmt: skip
    return Tokens(words, np.array(tokens)), made


class Table:
    """A convenor, members, and everything that was said."""

    def __init__(self, strangers: Sequence[int] = (8, 8, 8), until: int = 10**15, novelties: int = 0, calls: int = 80, **values: Any) -> None:
        self.novelties, self.calls = novelties, calls
        self.now, self.keys = 0, {name: Ed25519PrivateKey.generate() for name in NAMES}
        asked = Asked("daily 1", NAMES, "m", until)
        self.convened = Convened(asked, count=joining.Together, start=_at_once, publics=self.publics, chance=chance(1), clock=lambda: self.now)
        self.values = signs() | values
        self.parts = {name: self.part(name, at, count) for (at, name), count in zip(enumerate(NAMES), strangers, strict=True)}
        self.said: list[tuple[str, bytes]] = []
        self.next = {name: part.hello() for name, part in self.parts.items()}

    def publics(self, name: str) -> list[bytes]:
        return [self.keys[name].public_key().public_bytes_raw()] if name in self.keys else []

    def part(self, name: str, member: int, strangers: int, kind: type[Part] = Part) -> Part:
        tokens, told = part_of(member, strangers, self.novelties)

        def describe(groups: Sequence[int]) -> list[dict[str, Any]]:
            explained = {"own_business": 1.0}
            return [
                {"values": self.values | (explained if group > 2 else {}), "ties": [["payment", 3, 8, 0.1]], "accounts": 8, "calls": self.calls}
                for group in groups
            ]

        return kind(Mine(name, "daily 1", "m", self.keys[name], tokens, told, describe, self.publics), work=Here(), chance=chance(10 + member))

    def turn(self, name: str) -> None:
        """One question of a member."""
        self.now += 1_000
        part, message = self.parts[name], self.next[name]
        answer = self.convened.answer(name, message)
        self.said += [(name, message), (name, answer)]
        following = part.receive(answer)
        self.next[name] = part.next() if following is None else following

    def play(self, *names: str, turns: int = 200) -> dict[str, list[Finding]]:
        """Until all of them know."""
        for _ in range(turns):
            for name in names:
                if self.parts[name].findings is None:
                    self.turn(name)
            if all(self.parts[name].findings is not None for name in names):
                break
        return {name: self.parts[name].findings or [] for name in names}


def _at_once(work: Callable[[], Any]) -> Future[Any]:
    made: Future[Any] = Future()
    made.set_result(work())
    return made


def test_a_campaign_that_is_split_is_found_and_a_common_customer_is_not() -> None:
    found = Table().play(*NAMES)
    assert {name: [(each.group, each.verdict) for each in rows] for name, rows in found.items()} == dict.fromkeys(NAMES, [(0, "alert")])
    assert Table(strangers=(8, 0, 0)).play(*NAMES) == dict.fromkeys(NAMES, []), "what one alone holds is left to its own scan"


def test_what_speaks_for_innocence_counts_together() -> None:
    assert Table(own_business=0.9).play(*NAMES) == dict.fromkeys(NAMES, [])
    assert Table(shared_slots=None).play(*NAMES)["north"][0].verdict == "review", "what could not be examined is for a person"


def test_a_case_is_judged_by_the_organisations_of_all_members_together(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, judge = set[int](), joining.judge

    def looked(weighed: Weighed, **rest: Any) -> Judged:
        seen.add(weighed.organisations)
        return judge(weighed, **rest)

    monkeypatch.setattr(joining, "judge", looked)
    Table().play(*NAMES)
    assert seen == {3 * 8 + 1 + 3 * 3}, "the firm that all have is one, and who calls in the history alone is none"


def test_what_nothing_explains_is_expected_where_much_like_it_is_explained() -> None:
    """As in one scan: among many groups as large that are innocent, one with few calls is missed sooner than one with many (decision 042)."""
    alert = dict.fromkeys(NAMES, [(0, "alert")])
    for novelties, calls, found in ((2, 8, alert), (12, 8, dict.fromkeys(NAMES, [])), (12, 800, alert)):
        told = Table(novelties=novelties, calls=calls).play(*NAMES)
        assert {name: [(each.group, each.verdict) for each in rows] for name, rows in told.items()} == found, (novelties, calls)


def test_one_member_neither_talks_calls_up_nor_fills_the_convenors_memory() -> None:
    for told in ({"calls": 10**11}, {"accounts": 10**7, "calls": 10**7}):
        table = Table(novelties=12, calls=8)
        liar = table.parts["west"]._mine

        def lies(groups: Sequence[int], told: dict[str, Any] = told, honest: Any = liar.describe) -> list[dict[str, Any]]:
            return [row | told for row in honest(groups)]

        table.parts["west"] = Part(replace(liar, describe=lies), work=Here(), chance=chance(12))
        table.next["west"] = table.parts["west"].hello()
        assert table.play(*NAMES) == dict.fromkeys(NAMES, []), told
    assert (
        joining._size([(8, 80), (8, 80), (8, 10**11)]) == (24, 240) and joining._size([(8, 80)]) == (8, 80) and joining._size([(8, 80), (8, 70)]) == (16, 140)
    )


def test_what_rests_on_one_member_is_a_review_that_says_so() -> None:
    found = Table(strangers=(60, 2, 2)).play(*NAMES)
    assert [(each.verdict, each.rests) for each in found["south"]] == [("review", True)]


def test_no_member_is_sent_anothers_rows_counts_or_values() -> None:
    table = Table()
    table.play(*NAMES)
    rows = {name: table.parts[name]._mine.brought.parts() for name in NAMES}
    for name, message in table.said:
        for other in NAMES:
            if other != name and b'"do"' in message[:200]:
                assert not any(part in message for part in rows[other] if len(part) > 8)
    for name, told in ((name, wire.read(message)[0]) for name, message in table.said if b'"do"' in message[:200]):
        assert set(told) <= {"do", "session", "coalition", "sizes", "owner", "kind", "groups", "findings", "why", "parts"}, name
    ends = [told for told in (wire.read(message)[0] for _, message in table.said if b'"do":"end"' in message[:200])]
    assert all(row[1:] == ["alert", False] for told in ends for row in told["findings"])


def test_nobody_can_try_a_guess_alone() -> None:
    table = Table()
    table.play(*NAMES)
    session = table.convened._session
    assert session is not None
    final = session.lists["north", lists.WORDINGS][2]
    alone = lists.begun(lists.WORDINGS, session.name, np.array([CAMPAIGN]), table.parts["north"]._scalar, Here(), chance(3))
    assert alone[lists.CHECKS * 32 : (lists.CHECKS + 1) * 32] not in final
    assert session.lists["south", lists.WORDINGS][2][: lists.CHECKS * 32] == final[: lists.CHECKS * 32]


def test_a_killed_member_is_left_out_and_the_others_begin_anew() -> None:
    table = Table(strangers=(12, 12, 12))
    while "west" not in getattr(table.convened._session, "parts", {}):
        for name in NAMES:
            table.turn(name)
    old = table.convened._session
    table.now += PATIENCE + 1
    assert old is not None
    for name in NAMES[:2]:
        old.heard[name] = table.now
    found = table.play(*NAMES[:2])
    assert (
        table.convened._session is not old
        and found["north"][0].group == 0
        and ("refusal", "late", "west") in {(n.kind, n.what, n.member) for n in table.convened.notes}
    )
    assert wire.read(table.convened.answer("west", table.next["west"]))[0] == {"do": "over", "why": "late", "parts": []}


def test_one_who_never_comes_is_not_waited_for_after_the_time() -> None:
    table = Table(strangers=(12, 12, 12), until=1_000_000)
    for name in NAMES[:2]:
        table.turn(name)
    assert table.convened._session is None
    table.now = 1_000_000
    assert all(rows for rows in table.play(*NAMES[:2]).values())
    assert wire.read(table.convened.answer("west", table.parts["west"].hello()))[0]["why"] == "late"


def test_a_laggard_that_comes_back_in_time_takes_part() -> None:
    table = Table()
    table.play(*NAMES[:2], turns=20)
    table.now += PATIENCE // 2
    assert all(rows for rows in table.play(*NAMES).values())


class TwoKeys(Part):
    """Raises another's lists by a key of its own."""

    def _raise(self, told: dict[str, Any], data: bytes) -> bytes:
        held, self._scalar = self._scalar, lists.group.inverse(self._scalar)
        try:
            return super()._raise(told, data)
        finally:
            self._scalar = held


def test_who_uses_two_keys_is_found_out_and_left_out() -> None:
    table = Table(strangers=(12, 12, 12))
    table.parts["south"] = table.part("south", 1, 12, TwoKeys)
    found: dict[str, Any] = {}
    for _ in range(300):
        for name in NAMES:
            if table.parts[name].findings is None and name not in found:
                try:
                    table.turn(name)
                except Refused as refused:
                    found[name] = refused.code
    assert found == {"south": "over"} and table.parts["north"].findings and table.parts["west"].findings
    assert table.convened._out == {"south": "keys"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda told: replace(told, wording=told.wording + 5), "rows"),
        (lambda told: replace(told, unit=told.unit + 100), "rows"),
        (lambda told: replace(told, shares=(0.0, 0.3, 0.3)), "rows"),
        (lambda told: replace(told, groups=(Group(np.array([0, 0]), np.array([0, 0])),)), "rows"),
        (lambda told: replace(told, ranges={"x": (float("inf"), 1.0)}), "rows"),
    ],
)
def test_rows_that_fit_no_list_are_refused(change: Callable[[Brought], Brought], code: str) -> None:
    table = Table(strangers=(12, 12, 12))
    mine = table.parts["west"]._mine
    table.parts["west"] = Part(replace(mine, brought=change(mine.brought)), work=Here(), chance=chance(9))
    with pytest.raises(Refused):
        table.play(*NAMES)
    assert table.convened._out == {"west": code}


def test_what_did_not_arrive_is_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    table, r = Table(), random.Random(4)
    for _ in range(400):
        for name in NAMES:
            part = table.parts[name]
            if part.findings is None:
                lost_on_the_way, lost_on_the_way_back = r.random() < 0.3, r.random() < 0.3
                answer = b"" if lost_on_the_way else table.convened.answer(name, table.next[name])
                following = None if lost_on_the_way or lost_on_the_way_back else part.receive(answer)
                table.next[name] = part.next() if following is None else following
    assert all(part.findings for part in table.parts.values()) and not table.convened._out


def test_a_small_list_is_a_question_about_somebody() -> None:
    table = Table()
    message = wire.write({"say": "hello", "epoch": "daily 1", "method": "m", "sizes": {"wordings": 100, "owners": 1000}})
    assert wire.read(table.convened.answer("north", message))[0]["why"] == "small list"


def test_another_version_of_the_method_does_not_mix() -> None:
    table = Table()
    message = wire.write({"say": "hello", "epoch": "daily 1", "method": "older", "sizes": {"wordings": 1000, "owners": 1000}})
    assert wire.read(table.convened.answer("north", message))[0]["why"] == "version"
    assert wire.read(table.convened.answer("stranger", message))[0]["why"] == "member"


def test_the_convenor_can_neither_change_nor_slip_in_a_list() -> None:
    table = Table()
    asked: list[tuple[str, bytes]] = []
    for _ in range(60):
        for name in NAMES:
            answer = table.convened.answer(name, table.next[name])
            if wire.read(answer)[0]["do"] == "raise":
                asked.append((name, answer))
            following = table.parts[name].receive(answer)
            table.next[name] = table.parts[name].next() if following is None else following
    name, answer = asked[0]
    told, (data,) = wire.read(answer)
    fresh = Table()
    while fresh.convened._session is None or len(fresh.convened._session.parts) < 3:
        for each in NAMES:
            fresh.turn(each)
    part = fresh.parts[name]
    for forged in (data, data[:-32] + bytes(32), wire.signed(data[64:], Ed25519PrivateKey.generate())):
        with pytest.raises(Refused) as refused:
            part.receive(wire.write({**told, "session": part._session}, forged))
        assert refused.value.code in ("order", "signature")
        part._raised.clear()


def test_nonsense_is_answered_and_never_raises() -> None:
    table = Table()
    table.play(*NAMES, turns=8)
    r = random.Random(5)
    real = [message for _, message in table.said if len(message) < 5_000]
    for _ in range(3_000):
        message = bytearray(r.choice(real))
        for _ in range(r.randrange(1, 6)):
            at = r.randrange(len(message))
            message[at : at + r.randrange(4)] = r.randbytes(r.randrange(4))
        answer = table.convened.answer(r.choice((*NAMES, "stranger")), bytes(message))
        told, parts = wire.read(answer)
        assert told["do"] in ("wait", "over", "bring", "raise", "describe", "end")
        assert not parts or told["do"] == "raise"
    with pytest.raises(Refused):
        wire.read(b"SWJ\x02" + bytes(8))


def test_what_a_member_tells_of_a_cluster_must_be_numbers() -> None:
    for values, calls in (
        ({"own_business": "x"}, 80),
        ({"own_business": 1e300}, 80),
        ({"nobody's feature": 1.0}, 80),
        ({}, 7),
        ({}, 10**15),
        ({}, 8.5),
        ({}, None),
    ):
        table = Table(strangers=(12, 12, 12))
        liar = table.parts["west"]._mine

        def lies(groups: Sequence[int], told: dict[str, Any] = values, many: Any = calls) -> list[dict[str, Any]]:
            return [{"values": told, "ties": [], "accounts": 8, "calls": many} for _ in groups]

        table.parts["west"] = Part(replace(liar, describe=lies), work=Here(), chance=chance(9))
        for _ in range(60):
            for name in NAMES:
                if table.parts[name].findings is None and name not in table.convened._out:
                    table.turn(name) if name != "west" else _tried(table, name)
        assert table.convened._out == {"west": "rows"} and table.parts["north"].findings


def _tried(table: Table, name: str) -> None:
    with contextlib.suppress(Refused):
        table.turn(name)


def test_a_part_reads_back_as_it_was() -> None:
    _, told = part_of(0)
    again = brought.read(wire.read(wire.write(told.head()))[0], told.parts(), 996, 996)
    assert again.groups[0].wordings.tolist() == [0] and np.array_equal(again.owned, told.owned) and again.units == told.units
    assert convening.PATIENCE > 0
