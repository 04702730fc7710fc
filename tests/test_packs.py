"""Detector packs: what travels, who may send it, what it would have said, and that it never decides."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from stillwatch import flow, packing
from stillwatch.doors.cli import main
from stillwatch.drill import compose, scenario
from stillwatch.drill.scenario import Planted
from stillwatch.errors import UserError
from stillwatch.exchange import envelope
from stillwatch.exchange.packs.calibration import LEAST, calibrated, measured
from stillwatch.exchange.packs.pack import Threshold, heard
from stillwatch.exchange.packs.sigma import Correlation, Rule, compiled
from stillwatch.exchange.packs.trying import failed, hits, one_sided, shadow
from stillwatch.store import keys, pack_texts, packs, states

MADE = Path(__file__).parent / "packs" / "dealt-grading"
ID = "8f4f2f9e-6a0b-4a52-9f8e-2f3f6c1a7d10"
FIELDS, LEVELS = frozenset({"a", "b", "ts", "accounts"}), frozenset({"most"})
HERE = {"product": "stillwatch", "category": "cluster"}


def told() -> dict[str, Any]:
    return pack_texts.read(MADE, packing.definitions())


def rule(detection: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"title": "t", "id": "r", "logsource": HERE, "detection": detection, **rest}


def answers(detection: dict[str, Any], row: dict[str, float | None]) -> bool | None:
    (made,) = compiled([rule(detection)], FIELDS, LEVELS, "pack")
    assert isinstance(made, Rule)
    return made.test(row, {"most": 5.0})


@pytest.mark.parametrize(
    ("detection", "row", "answer"),
    [
        ({"s": {"a|lte": 5}, "condition": "s"}, {"a": 5}, True),
        ({"s": {"a|lt": 5}, "condition": "s"}, {"a": 5}, False),
        ({"s": {"a|gt": 5}, "condition": "s"}, {"a": 5.1}, True),
        ({"s": {"a": 5}, "condition": "s"}, {"a": 5.0}, True),
        ({"s": {"a|gte": "%most%"}, "condition": "s"}, {"a": 5}, True),
        ({"s": {"a|gte": 1, "b|gte": 1}, "condition": "s"}, {"a": 1, "b": 0}, False),
        ({"s": [{"a|gte": 1}, {"b|gte": 1}], "condition": "s"}, {"a": 0, "b": 1}, True),
        ({"s": {"a": 1}, "t": {"b": 1}, "condition": "not s and t or s"}, {"a": 0, "b": 1}, True),
        ({"s": {"a": 1}, "t": {"b": 1}, "condition": "not (s or t)"}, {"a": 0, "b": 1}, False),
        ({"s1": {"a": 1}, "s2": {"b": 1}, "condition": "all of s*"}, {"a": 1, "b": 1}, True),
        ({"s1": {"a": 1}, "s2": {"b": 1}, "condition": "1 of them"}, {"a": 0, "b": 1}, True),
        ({"s": {"a": 1}, "_t": {"b": 1}, "condition": "1 of them"}, {"a": 0, "b": 1}, False),  # them: not what begins with _
        # What is unknown stays unknown, unless the rest decides.
        ({"s": {"a": 1}, "condition": "not s"}, {}, None),
        ({"s": {"a": 1}, "condition": "s"}, {"a": None}, None),
        ({"s": {"a": 1}, "t": {"b": 1}, "condition": "s or t"}, {"b": 1}, True),
        ({"s": {"a": 1}, "t": {"b": 1}, "condition": "s and t"}, {"b": 0}, False),
    ],
)
def test_conditions_are_those_of_sigma_and_unknown_is_no_answer(detection: dict[str, Any], row: dict[str, float | None], answer: bool | None) -> None:
    assert answers(detection, row) is answer


@pytest.mark.parametrize(
    ("detection", "what"),
    [
        ({"s": {"c": 1}, "condition": "s"}, "c is none of the pack's features"),
        ({"s": {"a|contains": 1}, "condition": "s"}, "modifier contains is not supported"),
        ({"s": {"a|gt": "x"}, "condition": "s"}, "compared with no number"),
        ({"s": {"a|gt": "%least%"}, "condition": "s"}, "no threshold least"),
        ({"s": {"a": 1}, "condition": "s and"}, "ends too early"),
        ({"s": {"a": 1}, "condition": "(s"}, "ends too early"),
        ({"s": {"a": 1}, "condition": "s s"}, "goes on after its end"),
        ({"s": {"a": 1}, "condition": "t"}, "names no selection: t"),
        ({"s": {"a": 1}, "condition": "1 of t*"}, "names no selection by t*"),
        ({"s": {"a": 1}}, "no condition"),
        ({"s": {"a": True}, "condition": "s"}, "compared with no number"),
    ],
)
def test_what_is_not_done_as_sigma_says_is_refused(detection: dict[str, Any], what: str) -> None:
    with pytest.raises(UserError, match=what.replace("*", r"\*")):
        compiled([rule(detection)], FIELDS, LEVELS, "pack")


def correlated(kind: str, of: list[str], condition: dict[str, Any] | None = None, **rest: Any) -> Correlation:
    base = [{**rule({"s": {"a": at}, "condition": "s"}), "id": f"r{at}"} for at in (1, 2)]
    last = {
        "title": "c",
        "id": "c",
        "correlation": {"type": kind, "rules": of, "timespan": "1m", **({} if condition is None else {"condition": condition}), **rest},
    }
    made = compiled([*base, last], FIELDS, LEVELS, "pack")[-1]
    assert isinstance(made, Correlation)
    return made


def test_correlations_count_rows_values_and_rules_within_a_span() -> None:
    def rows(*told: tuple[float | None, float, str]) -> list[Any]:
        return [({"ts": ts, "b": b}, frozenset({hit})) for ts, b, hit in told]

    count = correlated("event_count", ["r1"], {"gte": 2})
    assert (
        count.hits(rows((0, 1, "r1"), (60, 1, "r1"))) and not count.hits(rows((0, 1, "r1"), (61, 1, "r1"))) and not count.hits(rows((0, 1, "r1"), (1, 1, "r2")))
    )
    assert not count.hits(rows((None, 1, "r1"), (1, 1, "r1"))), "a row of unknown time is in no span"
    by = correlated("event_count", ["r1"], {"gte": 2}, **{"group-by": ["b"]})
    assert by.hits(rows((0, 1, "r1"), (1, 1, "r1"))) and not by.hits(rows((0, 1, "r1"), (1, 2, "r1")))
    values = correlated("value_count", ["r1"], {"field": "b", "gte": 2})
    assert values.hits(rows((0, 1, "r1"), (1, 2, "r1"))) and not values.hits(rows((0, 1, "r1"), (1, 1, "r1")))
    both = correlated("temporal", ["r1", "r2"])
    assert both.hits(rows((0, 1, "r2"), (5, 1, "r1"))) and not both.hits(rows((0, 1, "r1"), (5, 1, "r1")))
    with pytest.raises(UserError, match="does not stand before it"):
        correlated("event_count", ["r9"], {"gte": 2})


def test_a_pack_comes_out_as_its_cases_say_and_a_moved_threshold_shows() -> None:
    pack = heard(told(), "pack", packing.definitions())
    assert failed(pack) == [] and one_sided(pack) == []
    assert [each.case for each in failed(pack, {"most_own": 0.03, "most_uneven": 2.0})] == ["a list dealt over a pool", "three such clusters within a day"]
    assert hits(pack, [{"shared_slots": 0.1, "own_business": 0.1}], pack.numbers) == {pack.rules[0].id}


def _without(word: str) -> Callable[[dict[str, Any]], None]:
    return lambda pack: pack.pop(word)


def _with(**rest: Any) -> Callable[[dict[str, Any]], None]:
    return lambda pack: pack.update(rest)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_with(format="other/1"), "no pack of the format"),
        (_without("licence"), "has no licence"),
        (_with(licens="x"), "did you mean licence"),
        (_with(version="1.0"), "semantic version"),
        (_with(id="x"), "UUID"),
        (_with(tlp="purple"), "clear, green"),
        (_with(atlas=["T1"]), "ATLAS"),
        (_with(rules=[]), "Sigma rules"),
        (_with(false_positives={"how": "x"}), "how they were measured"),
        (lambda pack: pack["features"]["own_business"].update(definition="0"), "defined differently"),
        (lambda pack: pack["features"].update(own_busines=pack["features"]["own_business"]), "not known here"),
        (lambda pack: pack["thresholds"]["most_own"].update(start=0.9), "makes no sense"),
        (lambda pack: pack["thresholds"]["most_own"].pop("side"), "not whole"),
        (lambda pack: pack["cases"][0]["rows"][0].update(nothing=1), "cannot be read"),
        (lambda pack: pack["cases"][0]["hits"].append("zzz"), "expects a rule that is not there"),
    ],
)
def test_a_pack_that_cannot_be_used_is_refused_with_its_reason(change: Callable[[dict[str, Any]], Any], what: str) -> None:
    pack = copy.deepcopy(told())
    change(pack)
    with pytest.raises(UserError, match=what):
        heard(pack, "pack", packing.definitions())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x [1]\nb: *x\n", "1:4: is no YAML that a pack can be \\(anchors"),
        ("a: 1\na: 2\n", "2:1: is no YAML that a pack can be \\(a stands twice"),
        ("a: [1\n", "is no YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "is no YAML"),
        ("just words\n", "is no pack"),
    ],
)
def test_what_a_person_writes_is_told_with_its_place(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "pack.yaml").write_text(text)
    with pytest.raises(UserError, match=what):
        pack_texts.read(tmp_path, packing.definitions())


def test_thresholds_are_set_on_ones_own_innocents_within_the_range() -> None:
    values = [each / 1000 for each in range(1000)]
    most = Threshold("f", 0.0, 0.5, 0.2, "at most")
    done = calibrated(most, values)
    assert done.calibrated and 0.009 < done.value < 0.010 and done.fires == 0.01
    assert calibrated(replace(most, high=0.005), values).value == 0.005, "no further than the pack allows"
    strict = calibrated(replace(most, low=0.1, start=0.1), values)
    assert strict.value == 0.1 and strict.fires == pytest.approx(0.101) and "strictest" in strict.why
    least = calibrated(Threshold("f", 0.5, 2.0, 1.0, "at least"), values)
    assert 0.989 < least.value < 0.9901 and least.fires == 0.01
    few = calibrated(most, values[: LEAST - 1])
    assert not few.calibrated and few.value == 0.2
    tied = calibrated(most, [0.0] * 20 + [0.3] * 980)
    assert tied.value == 0.0 and tied.fires == 0.02, "those who tie fire together, and it is said"


def test_rates_are_counted_among_those_of_whom_a_rule_can_tell() -> None:
    pack = heard(told(), "pack", packing.definitions())
    rows: list[dict[str, float | None]] = [{"unevenness": 1.0, "idle_hours": 1.0}, {"unevenness": 9.0, "idle_hours": 1.0}, {"unevenness": None}]
    rates = measured(pack, rows, pack.numbers)
    assert (rates[pack.rules[1].id].hits, rates[pack.rules[1].id].of) == (1, 2) and pack.rules[0].id not in rates


def test_shadow_counts_hits_by_verdict_and_what_it_cannot_tell() -> None:
    pack = heard(told(), "pack", packing.definitions())
    dealt: dict[str, float | None] = {"shared_slots": 0.0, "own_business": 0.0, "ts": 5.0}
    said = shadow(pack, [("alert", dealt), ("watch", dealt), ("watch", {**dealt, "own_business": 0.9}), ("watch", {})], pack.numbers)
    assert (said[0].hits, said[0].unknown, said[0].of, said[0].by_verdict) == (2, 1, 4, {"alert": 1, "watch": 1})
    assert (said[2].hits, said[1].unknown) == (0, 4)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maker") / "maker"
    packing.key(path)
    return path


def _built(maker: Path, folder: Path, change: Callable[[dict[str, Any]], Any] = lambda pack: None) -> Path:
    """A signed pack, changed after whatever `build` would have refused."""
    pack = copy.deepcopy(told())
    change(pack)
    folder.mkdir(exist_ok=True)
    out = folder / f"{len(list(folder.iterdir()))}.json"
    out.write_bytes(envelope.signed(pack, envelope.PACK, packing.signer_of(maker)))
    return out


def test_signatures_open_a_pack_and_nothing_else_does(maker: Path, tmp_path: Path) -> None:
    assert maker.stat().st_mode & 0o077 == 0
    with pytest.raises(UserError, match="never replaced"):
        packing.key(maker)
    good = _built(maker, tmp_path / "sent")
    packing.key(tmp_path / "stranger")
    public, place = maker.with_name("maker.pub"), tmp_path / "packs"
    with pytest.raises(UserError, match="nobody who is trusted"):
        packing.take_in(good, [tmp_path / "stranger.pub"], place)
    with pytest.raises(UserError, match="nobody who is trusted"):
        packing.take_in(good, [], place)
    sent = json.loads(good.read_bytes())
    for change in ({"payload": sent["payload"][:-8] + "AAAAAAA="}, {"payloadType": envelope.WITHDRAWAL}, {"signatures": []}):
        (tmp_path / "bad.json").write_text(json.dumps({**sent, **change}))
        with pytest.raises(UserError, match="nobody who is trusted"):
            packing.take_in(tmp_path / "bad.json", [public], place)
    for text in ("", "[]", "{}", '{"payload": 1, "payloadType": 2, "signatures": 3}', "x" * 100, json.dumps({**sent, "signatures": sent["signatures"] * 2})):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UserError, match="no signed envelope"):
            packing.take_in(tmp_path / "bad.json", [public], place)
    assert not place.exists(), "what is refused leaves nothing"
    assert packing.take_in(good, [public], place)["mode"] == "shadow"


def test_versions_go_up_makers_stay_and_a_withdrawal_ends_it(maker: Path, tmp_path: Path) -> None:
    public, place, sent = [maker.with_name("maker.pub")], tmp_path / "packs", tmp_path / "sent"
    first = _built(maker, sent)
    packing.take_in(first, public, place)
    packing.take_in(first, public, place)  # the same again changes nothing
    for change, what in ((_with(version="0.9.0"), "older than 1.0.0"), (_with(about="other"), "with another content")):
        with pytest.raises(UserError, match=what):
            packing.take_in(_built(maker, sent, change), public, place)
    packing.key(tmp_path / "other")
    with pytest.raises(UserError, match="another maker"):
        packing.take_in(_built(tmp_path / "other", sent, _with(version="2.0.0")), [tmp_path / "other.pub"], place)
    packing.withdraw(ID, "1.0.0", "too many false hits", tmp_path / "other", tmp_path / "theirs.json")
    with pytest.raises(UserError, match="pack of another maker"):
        packing.take_in(tmp_path / "theirs.json", [tmp_path / "other.pub"], place)
    packing.withdraw(ID, "1.0.0", "too many false hits", maker, tmp_path / "ours.json")
    assert packing.take_in(tmp_path / "ours.json", public, place)["mode"] == "withdrawn"
    assert packing.in_shadow(place, [("alert", {"own_business": 0.0, "shared_slots": 0.0})]) == []
    with pytest.raises(UserError, match="was withdrawn"):
        packing.take_in(first, public, place)
    assert packing.take_in(_built(maker, sent, _with(version="1.0.1")), public, place)["mode"] == "shadow"


def test_cases_are_run_when_a_pack_comes_in(maker: Path, tmp_path: Path) -> None:
    public, place = [maker.with_name("maker.pub")], tmp_path / "packs"
    with pytest.raises(UserError, match="One job dealt hit"):
        packing.take_in(_built(maker, tmp_path / "sent", lambda pack: pack["cases"][0]["hits"].pop(0)), public, place)
    with pytest.raises(UserError, match="none in which it must not"):
        packing.take_in(_built(maker, tmp_path / "sent", lambda pack: pack["cases"].__delitem__(slice(1, None))), public, place)
    assert not place.exists()


def test_a_damaged_state_and_a_missing_envelope_are_told(maker: Path, tmp_path: Path) -> None:
    place = tmp_path / "packs"
    packing.take_in(_built(maker, tmp_path / "sent"), [maker.with_name("maker.pub")], place)
    (place / ID / "1.0.0.json").unlink()
    (said,) = packing.in_shadow(place, [])
    assert "is gone" in said["problem"] and said["rules"] == []
    (place / ID / "state.json").write_text("{")
    with pytest.raises(UserError, match="state of a pack cannot be read"):
        packs.everyone(place)


def test_a_scan_runs_packs_in_shadow_and_says_the_same_of_everybody(maker: Path, tmp_path: Path) -> None:
    campaign = Planted("O-SEP", share=0.3, infrastructure=False)
    log = compose.compose(replace(scenario.load("broad"), seed=5, calls=4_000, campaigns=(campaign,)), None).calls
    before = compose.compose(replace(scenario.load("broad-history"), seed=6, calls=4_000), None).calls
    key, place = tmp_path / "key", tmp_path / "packs"
    flow.watch([before], tmp_path / "history", key=key)
    packing.take_in(_built(maker, tmp_path / "sent"), [maker.with_name("maker.pub")], place)
    plain = flow.watch([log], tmp_path / "plain", key=key, history=[str(tmp_path / "history")])
    beside = flow.watch([log], tmp_path / "beside", key=key, history=[str(tmp_path / "history")], packs=place)
    assert (tmp_path / "plain" / "campaigns.jsonl").read_bytes() == (tmp_path / "beside" / "campaigns.jsonl").read_bytes()
    assert plain["packs"] is None and plain["seal"] != "" and beside["packs"][0]["rules"][0]["of"] > 0
    assert flow.verify(tmp_path / "beside", key=key)["verified"], "what packs would have said is no figure of a case"
    # Organisations of one's own set what one of them can show; the rest stands as the pack has it.
    secret = keys.load(key)
    assert secret is not None
    stated = states.read(tmp_path / "history", keys.fingerprint(secret), "account")
    many = pa.concat_tables([stated.organisations.filter(pa.compute.greater_equal(stated.organisations["calls"], packing.LEAST_CALLS))] * 30)
    states.write(tmp_path / "history", states.States(many, stated.wordings), keys.fingerprint(secret), "account")
    done = packing.calibrate(ID[:4], place, [tmp_path / "history"], key)
    assert done["set_on"]["thresholds"]["most_uneven"]["calibrated"] and not done["set_on"]["thresholds"]["most_own"]["calibrated"]
    known = [each for each in many["unevenness"].to_pylist() if each is not None]
    assert np.mean(np.array(known) <= done["numbers"]["most_uneven"]) <= 0.01 or done["numbers"]["most_uneven"] == 1.0


def test_the_command_line_from_end_to_end(tmp_path: Path) -> None:
    run, place = CliRunner(), ["--packs", str(tmp_path / "packs")]

    def said(*words: str, code: int = 0) -> str:
        done = run.invoke(main, ["pack", *words])
        assert done.exit_code == code, done.output
        return done.output

    said("key", str(tmp_path / "maker"))
    said("build", str(MADE), "--out", str(tmp_path / "p.json"), "--sign-with", str(tmp_path / "maker"))
    assert "shadow" in said("import", str(tmp_path / "p.json"), "--trust", str(tmp_path / "maker.pub"), *place)
    assert json.loads(said("list", "--json", *place))[0]["id"] == ID
    assert "own_business" in said("convert", ID[:6], "--backend", "splunk", *place)
    assert "did you mean" in said("import", str(tmp_path / "p.json"), "--trus", "x", code=2)
    assert "no pack begins with" in said("convert", "ffff", "--backend", "splunk", *place, code=2)
    said("withdraw", ID, "--version", "1.0.0", "--reason", "none", "--out", str(tmp_path / "w.json"), "--sign-with", str(tmp_path / "maker"))
    assert "withdrawn" in said("import", str(tmp_path / "w.json"), "--trust", str(tmp_path / "maker.pub"), *place)


@pytest.mark.parametrize("backend", ["splunk", "elasticsearch"])
def test_two_siems_say_every_rule_with_the_thresholds_that_stand_here(backend: str) -> None:
    from stillwatch.exchange.packs.backends import converted

    pack = heard(told(), "pack", packing.definitions())
    queries = converted(pack, {"most_own": 0.125, "most_uneven": 3.5}, backend)
    assert len(queries) == 3 and "own_business<=0.125" in queries[0] and "3.5" in queries[1] and "3" in queries[2] and "%" not in "".join(queries)
    with pytest.raises(UserError, match="no such backend"):
        converted(pack, pack.numbers, "nothing")
