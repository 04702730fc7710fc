"""The information barrier, point by point, as counsel would ask about it. Every case has its other side: what may leave does."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from stillwatch.errors import StillwatchError, UserError
from stillwatch.exchange.barrier import acting, coarse, counsel, gate, phrases, policy, preparing, tokens
from stillwatch.exchange.stix import words
from stillwatch.exchange.stix.moments import DAY
from stillwatch.exchange.stix.reading import read
from stillwatch.exchange.stix.writing import named, network

AT = 1_767_225_600_000_000
KEY = b"a key of the tests"
ME = named("identity", KEY, "pseudonym")

TOML = """
purpose = "detection"
recipients = ["north", "south"]
records = ["case", "technique", "infrastructure", "indicator", "sighting", "advice", "opinion", "grouping", "note", "link"]
verdicts = ["alert"]

[expires]
case = 90
technique = 365
infrastructure = 30
indicator = 30
sighting = 90
advice = 90
opinion = 90
grouping = 90
note = 365
link = 90

[assessment]
interest = "Our own and our customers' security"
necessity = "Each sees a part only"
balance = "Ranges and bands, no person"
by = "counsel"
start = 2026-01-01
until = 2026-12-31
"""
OPEN = policy.parse(TOML, "p.toml")

CAMPAIGN: dict[str, Any] = {
    "campaign": "6e100d4224f4898c", "verdict": "alert", "log10_e": 7.9, "accounts": [f"acct-{number}" for number in range(37)],
    "first_ts": AT - 40 * DAY + 12_345_678, "last_ts": AT - 2 * DAY + 987_654, "value_at_list_price": 123_456.78, "tokens": 987_654_321,
    "models": {"secret-model": 3}, "signals": [{"name": "dealt_job", "fires": True, "atlas": "AML.T0024.002"}, {"name": "no_ramp", "fires": False, "atlas": "AML.T0021"}],
    "templates": [{"wording": "solve this for Acme Corp"}], "ties": [{"kind": "payment", "value": "card-4242"}],
}  # fmt: skip


def head(kind: str, what: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": named(kind, KEY, what), "created": AT, "modified": AT, "source": ME} | more


def case(**more: Any) -> words.Case:
    return words.Case(
        **head("campaign", **{name: more.pop(name) for name in ("modified", "source") if name in more}), name=phrases.CASE.format("0" * 8), **more
    )


def stays(record: words.Record, rules: policy.Policy = OPEN) -> set[str]:
    """Fields for which a record stays; empty when it leaves."""
    return {loss.where for loss in gate.passed([record], rules, ME, AT).refused}


def test_what_is_allowed_leaves_marked() -> None:
    (told,) = gate.passed([case(accounts=(20, 50), first_seen=AT)], OPEN, ME, AT).records
    assert isinstance(told, words.Case) and (told.tlp, told.purpose, told.expires) == ("amber+strict", "detection", AT + 90 * DAY)


# 1. The allow-list, free text, refused fields


def test_1_a_field_that_somebody_adds_stays() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(words.Case):
        region: str | None = None

    gate.NAMES[Wider] = "case"
    try:
        fields = {"id": named("campaign", KEY, "1"), "created": AT, "modified": AT, "source": ME, "name": phrases.CASE.format("0" * 8)}
        assert stays(Wider(**fields)) == set() and stays(Wider(**fields, region="EU")) == {"region"}
    finally:
        del gate.NAMES[Wider]


def test_1_every_field_of_every_record_is_allowed_by_name_or_not_at_all() -> None:
    assert set(gate.ALLOWED) == {*gate.NAMES.values(), *gate.ALWAYS.values()}
    for kind, name in {**gate.NAMES, **gate.ALWAYS}.items():
        fields = {each.name for each in dataclasses.fields(kind)}
        assert gate.ALLOWED[name] <= fields, "the list names nothing that is not there"


@pytest.mark.parametrize("field", ["name", "description", "objective"])
def test_1_free_text_stays_until_somebody_has_reviewed_it(field: str) -> None:
    told = replace(case(), **{field: "Acme Corp asked for this"})
    assert stays(told) == {field}
    assert stays(told, replace(OPEN, reviewed=frozenset({gate.digest("Acme Corp asked for this")}))) == set()


def test_1_free_text_in_labels_and_patterns_and_playbooks_stays() -> None:
    assert stays(case(labels=("Acme Corp",))) == {"labels"}
    rule = words.Indicator(
        **head("indicator"), name=phrases.RANGE.format("192.0.2.0/24"), description=phrases.RANGE_TOLD, pattern="title: Acme", language="sigma", valid_from=AT
    )
    assert stays(rule) == {"pattern"}
    for text in ("ask Acme", "Acme"):
        advice = words.Advice(**head("course-of-action"), name=phrases.SEEN, description=phrases.SEEN, playbook={"type": "playbook", "name": text})
        assert stays(advice) == {"playbook.name"}, text


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (lambda: case(grade="Acme Corp"), "grade"),
        (lambda: words.Technique(**head("attack-pattern"), name="ATLAS AML.T0024", atlas="Acme Corp"), "atlas"),
        (lambda: words.Note(**head("note"), about=(case().id,), content=phrases.NOTE, sha256="Acme Corp"), "sha256"),
        (lambda: words.Note(**head("note"), about=(case().id,), content=phrases.NOTE, log_origin="Acme Corp"), "log_origin"),
        (lambda: words.Note(**head("note"), about=(case().id,), content=phrases.NOTE, timestamp_token="Acme Corp"), "timestamp_token"),
        (lambda: words.Grouping(**head("grouping"), objects=(case().id,), context="Acme Corp"), "context"),
        (lambda: words.Link(**head("relationship"), origin=case().id, kind="Acme Corp", target=case().id), "kind"),
        (lambda: words.Opinion(**head("opinion"), about=(case().id,), opinion="Acme Corp"), "opinion"),
    ],
)
def test_1_no_field_of_text_is_a_way_round(record: Any, field: str) -> None:
    told = record()
    assert field in stays(told)


@pytest.mark.parametrize("name", ["list_price", "Revenue", "customer_id", "clientName", "volume", "gpu_capacity", "roadmap", "profit_margin"])
def test_1_what_looks_like_business_is_refused_wherever_it_stands(name: str) -> None:
    assert list(gate.refused_names({"a": [{name: 1}]})) == [f"a.0.{name}"]
    advice = words.Advice(**head("course-of-action"), name=phrases.SEEN, description=phrases.SEEN, playbook={"type": "playbook", "x": {name: "1"}})
    assert f"playbook.x.{name}" in stays(advice)


# 2. Bands, coarse times, minimum k


@pytest.mark.parametrize("told", [(20, 50), (21, 50), (20, 21), (5, 10), (50, 100)])
def test_2_counts_leave_in_bands_from_k_on(told: words.Band) -> None:
    assert (stays(case(accounts=told), replace(OPEN, minimum=20)) == set()) == (told in {(20, 50), (50, 100)})


def test_2_times_are_coarse() -> None:
    assert stays(case(first_seen=AT + 1)) == {"first_seen"} and stays(case(first_seen=AT, last_seen=AT + DAY)) == set()


def test_2_no_band_tells_how_many_exactly() -> None:
    for count in range(10, 3000):
        low, high = coarse.band(count, 10) or (0, 0)
        assert low <= count < high and high - low >= 10


@pytest.mark.parametrize(("value", "leaves"), [("192.0.2.0/24", True), ("192.0.2.0/25", False), ("2001:db8::/48", True), ("2001:db8::/49", False), ("0.0.0.0/0", False), ("10.0.0.0/7", False), ("::/0", False)])  # fmt: skip
def test_2_a_range_is_neither_one_customers_nor_everybody(value: str, leaves: bool) -> None:
    kind = "ipv6-addr" if ":" in value else "ipv4-addr"
    rule = words.Indicator(
        **head("indicator"),
        name=phrases.RANGE.format(value),
        description=phrases.RANGE_TOLD,
        pattern=f"[{kind}:value ISSUBSET '{value}']",
        language="stix",
        valid_from=AT,
    )
    assert (stays(rule) == set()) == leaves


# 3. Pseudonyms


def test_3_the_source_is_a_pseudonym_unless_the_policy_names_it() -> None:
    told = preparing.prepare([CAMPAIGN], OPEN, KEY, AT)
    (me,) = [each for each in told.records if isinstance(each, words.Member)]
    assert me.name == f"member {me.id.partition('--')[2][:8]}" and me.id == ME
    told = preparing.prepare([CAMPAIGN], replace(OPEN, named_as="North Labs"), KEY, AT)
    assert [each.name for each in told.records if isinstance(each, words.Member)] == ["North Labs"]
    assert preparing.prepare([CAMPAIGN], OPEN, KEY + b"2", AT).records[0].id != ME


def test_3_nobody_speaks_for_another() -> None:
    assert stays(case(source=named("identity", b"other"))) == {"source"}


# 4. and 5. No vote, no block; evidence of one's own


def test_4_there_is_no_vote_and_no_block() -> None:
    for module in (acting, coarse, counsel, gate, policy, preparing, tokens, words):
        for name in dir(module):
            assert not {"vote", "block", "ban", "quorum", "consensus", "enforce"} & set(name.lower().split("_")), name
    assert "Decision" not in {kind.__name__ for kind in gate.NAMES} and not issubclass(acting.Decision, words.Shared)
    with pytest.raises((AttributeError, TypeError)):
        gate.passed([acting.Decision("a", acting.Local("b", "alert", 3.0), "c", AT, "d")], OPEN, ME, AT).records[0]  # type: ignore[list-item]


def test_5_nobody_acts_on_a_shared_signal_alone() -> None:
    heard = case()
    heard = replace(heard, purpose="detection", expires=AT + DAY)
    own = acting.Local("6e10", "alert", 4.0)
    assert acting.decide(heard, own, "J. Doe", AT, "ask").local == own
    wrongs: list[tuple[words.Shared, acting.Local | None, str, int, str]] = [
        (heard, None, "J. Doe", AT, "detection"), (heard, replace(own, verdict="watch"), "J. Doe", AT, "detection"), (heard, replace(own, log10_e=0.0), "J. Doe", AT, "detection"),
        (heard, own, " ", AT, "detection"), (heard, own, "J. Doe", AT + DAY, "detection"), (heard, own, "J. Doe", AT, "sales"),
        (replace(heard, revoked=True), own, "J. Doe", AT, "detection"), (replace(heard, expires=None), own, "J. Doe", AT, "detection"),
    ]  # fmt: skip
    for record, local, by, at, purpose in wrongs:
        with pytest.raises(StillwatchError):
            acting.decide(record, local, by, at, "ask", purpose)


# 6. Purpose and expiry


def test_6_everything_that_leaves_has_a_purpose_and_an_end() -> None:
    told = preparing.prepare([CAMPAIGN], OPEN, KEY, AT)
    assert len(told.records) > 5
    for each in told.records:
        if isinstance(each, words.Shared) and not isinstance(each, words.Member):
            assert each.purpose == "detection" and each.expires is not None and AT < each.expires <= AT + policy.LONGEST[gate.NAMES[type(each)]] * DAY
    kept, gone = acting.standing([each for each in told.records if isinstance(each, words.Case)], AT + 90 * DAY)
    assert not kept and gone[0].why == "expired"


@pytest.mark.parametrize(("old", "new", "said"), [
    ('purpose = "detection"', 'purpose = "pricing"', "pricing"), ("indicator = 30", "indicator = 61", "indicator"), ("indicator = 30", "", "indicator"),
    ("recipients", "recipient", 'did you mean "recipients"'), ('"alert"', '"alrt"', 'did you mean "alert"'), ("until = 2026-12-31", "until = 2028-01-01", "until"),
    ('necessity = "Each sees a part only"', "", "necessity"),
])  # fmt: skip
def test_6_a_policy_that_cannot_be_understood_is_an_error_with_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(UserError, match=r"^p\.toml:\d+:\d+: ") as told:
        policy.parse(TOML.replace(old, new, 1), "p.toml")
    assert said in str(told.value)


# 7. The test of Art. 6(1)(f), and erasure


def test_7_nothing_leaves_without_a_recorded_test_that_holds() -> None:
    assert OPEN.assessment is not None
    for rules, at in ((replace(OPEN, assessment=None), AT), (OPEN, OPEN.assessment.until), (OPEN, OPEN.assessment.start - 1)):
        told = preparing.prepare([CAMPAIGN], rules, KEY, at)
        assert told.content == b"" and told.recipients == () and told.losses
        assert "6(1)(f)" in told.losses[0].why


def test_7_erasure_withdraws_and_names_the_keys() -> None:
    told = [each for each in preparing.prepare([CAMPAIGN], OPEN, KEY, AT).records if isinstance(each, words.Shared)]
    erased = acting.erase(told, ["north 2026-01"], AT + DAY)
    assert len(erased.revocations) == len(told) and all(each.revoked for each in erased.revocations) and erased.keys == ("north 2026-01",)


# 8. Counsel: what left, what stayed, the switch


def test_8_counsel_sees_and_stops_and_changes_nothing() -> None:
    told = preparing.prepare([CAMPAIGN], OPEN, KEY, AT)
    view = counsel.view([counsel.Shown(AT, told.recipients, "detection", told.sha256, told.content, told.losses)])
    assert view.to("north")[0].content == told.content and view.to("west") == () and view.losses() == told.losses
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.shares = ()  # type: ignore[misc]
    stopped = preparing.prepare([CAMPAIGN], counsel.stop(OPEN), KEY, AT)
    assert stopped.content == b"" and stopped.losses[0].why == "the kill switch is on"


# Closed when in doubt; what a scan's campaign gives


@pytest.mark.parametrize("closed", [{"recipients": ()}, {"records": ()}, {"verdicts": ()}, {"stopped": True}, {"assessment": None}, {"minimum": 100}])
def test_an_empty_list_means_nobody_and_nothing(closed: dict[str, Any]) -> None:
    told = preparing.prepare([CAMPAIGN], replace(OPEN, **closed), KEY, AT)
    assert not [each for each in told.records if not isinstance(each, words.Member)] and told.losses
    assert told.content == b"" and told.recipients == ()


def test_of_a_campaign_leaves_what_the_list_says_and_the_preview_is_the_bytes() -> None:
    told = preparing.prepare([CAMPAIGN | {"capabilities": {"coding": 0.7, "law": 0.3}}], OPEN, KEY, AT, networks={CAMPAIGN["campaign"]: ["192.0.2.0/24"]})
    assert [each.objective for each in told.records if isinstance(each, words.Case)] == ["coding"]
    back = read(told.content)
    assert not back.losses and back.records == told.records
    assert {type(each) for each in told.records} >= {
        words.Case,
        words.Technique,
        words.Sighting,
        words.Note,
        words.Grouping,
        words.Indicator,
        words.Infrastructure,
    }
    other = preparing.prepare([CAMPAIGN | {"capabilities": {"Acme": 1.0}}], OPEN, KEY, AT)
    assert not [each for each in other.records if isinstance(each, words.Case)] and b"Acme" not in other.content
    for secret in (b"acct-", b"secret-model", b"Acme", b"card-4242", b"123456", b"987654", b"6e100d4224f4898c", b"AML.T0021"):
        assert secret not in told.content, secret
    (shown,) = [each for each in told.records if isinstance(each, words.Case)]
    assert shown.accounts == (20, 50) and {each.band for each in told.records if isinstance(each, words.Sighting)} == {(20, 50)}
    assert preparing.preview(told).encode().endswith(b"\n----\n" + told.content)
    assert {"templates", "ties", "models", "tokens", "value_at_list_price"} <= {loss.where for loss in told.losses}
    assert preparing.prepare([CAMPAIGN | {"accounts": ["a"] * 9}], OPEN, KEY, AT).content == b""


def test_tokens_are_of_one_pair_one_epoch_and_one_kind() -> None:
    pair = b"k" * 32
    assert tokens.token("payment", b"card", pair, "2026-01") == tokens.token("payment", b"card", pair, "2026-01")
    others = {
        tokens.token("payment", b"card", b"l" * 32, "2026-01"),
        tokens.token("payment", b"card", pair, "2026-02"),
        tokens.token("mail", b"card", pair, "2026-01"),
    }
    assert len(others | {tokens.token("payment", b"card", pair, "2026-01")}) == 4
    for kind, key in (("payment", b"short"), ("name", pair)):
        with pytest.raises(StillwatchError):
            tokens.token(kind, b"card", key, "2026-01")


def test_a_network_leaves_with_what_points_to_it_only() -> None:
    assert gate.passed([network("192.0.2.0/24")], OPEN, ME, AT).records == ()
