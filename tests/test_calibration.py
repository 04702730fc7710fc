"""Pooled calibration: what is told of innocents, how it is heard, that it grades and never decides, and that one liar moves no rank beyond what honest members say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from stillwatch import flow, packing, pooling
from stillwatch.doors.cli import main
from stillwatch.doors.pooled import said
from stillwatch.doors.report import page
from stillwatch.drill import compose, scenario
from stillwatch.drill.scenario import Planted
from stillwatch.errors import UserError
from stillwatch.evidence.pooled import Innocents, Member, Pool
from stillwatch.evidence.tails import BODY, GRID, LEAST, Floats, Tail, rank, together, told, unlike
from stillwatch.exchange import envelope
from stillwatch.exchange.barrier import policy
from stillwatch.exchange.calibration import statement
from stillwatch.exchange.stix.moments import parsed
from stillwatch.store import keys, states

pytest.importorskip("securesystemslib")

POLICY = """purpose = "detection"
recipients = ["north", "south"]
records = ["calibration"]
verdicts = []
[expires]
calibration = 30
[assessment]
interest = "ours and our users': finding distillation"
necessity = "a small provider knows few organisations"
balance = "no organisation is shown"
by = "counsel"
start = 2026-01-01
until = 2026-12-31
"""
AT = parsed("2026-06-01T00:00:00Z") or 0
RULES = policy.parse(POLICY, "policy.toml")


def drawn(n: int, seed: int = 1, scale: float = 1.0) -> Floats:
    return np.asarray(np.random.default_rng(seed).beta(1, 4, n) * scale)


def composed(values: dict[str, Floats], versions: dict[str, str] | None = None) -> dict[str, Any]:
    return statement.compose(values, versions or dict.fromkeys(values, "v1"), RULES, AT, "policy.toml")


def test_a_tail_tells_at_fixed_edges_no_group_below_the_minimum_and_none_of_the_body() -> None:
    values = np.concatenate([np.zeros(800), np.full(150, 0.4), np.full(47, 0.8), np.full(3, 0.96)])
    tail = told(values, 10)
    assert tail is not None and tail.of == 1000
    assert dict(tail.above) == {0.001: 0.2, 0.5: 0.05, 0.9: 0.01, 0.98: 0.0}, "three organisations above .9 are told as ten; beyond .98 is nobody"
    assert tail.below[0] == (-0.001, 0.0) and len(tail.below) == 1, "four fifths have none at all: that is the body"
    assert {edge for edge, _ in (*tail.above, *tail.below)} <= set(GRID)
    assert told(values[: LEAST - 1], 10) is None


@pytest.mark.parametrize("minimum", [10, 50])
def test_a_told_share_is_never_below_the_true_one(minimum: int) -> None:
    for seed in range(5):
        values = np.round(drawn(700, seed, 3.0), 2)
        tail = told(values, minimum)
        assert tail is not None
        for value in np.linspace(-0.5, 4.0, 91):
            assert tail.high(value) >= (1 + (values >= value).sum()) / (1 + len(values)) - 1e-12
            assert tail.low(value) >= (1 + (values <= value).sum()) / (1 + len(values)) - 1e-12


def test_ranks_of_innocents_keep_their_promise_and_a_small_members_floor_falls() -> None:
    mine, others = np.sort(drawn(50)), [told(drawn(2000, seed), 10) for seed in (2, 3)]
    tails = [each for each in others if each is not None]
    assert rank(2.0, mine, ()).p_floor == pytest.approx(2 / 51) and rank(2.0, mine, tails).p_floor == pytest.approx(2 * 1.5 / 2001)
    ps = np.array([rank(float(value), mine, tails).p for value in drawn(4000, 9)])
    for level in (0.1, 0.05, 0.01):
        assert (ps <= level).mean() <= level
    assert rank(2.0, mine, tails).p < 0.01 < rank(2.0, mine, ()).p, "what nobody has is rarer among thousands"


def test_the_same_innocents_at_every_member_are_no_more_evidence() -> None:
    """Copies of one p-value: M / k times it, whatever M, and never a product."""
    assert together([0.01] * 9) == pytest.approx(0.01 * 9 / 5)
    rng = np.random.default_rng(5)
    same = rng.random(20_000)
    assert np.mean([together([p, p, p]) <= 0.05 for p in same]) <= 0.05


@pytest.mark.parametrize("members", [2, 4])
def test_whatever_one_member_says_lies_between_what_honest_ones_say(members: int) -> None:
    honest = [tail for seed in range(members - 1) if (tail := told(drawn(2000, seed), 10)) is not None]
    mine = np.sort(drawn(60, 77))
    light = Tail(1_000_000, 10, ((GRID[0], 0.0),), ((GRID[-1], 0.0),))
    heavy = Tail(1_000_000, 10, ((GRID[-1], BODY),), ((GRID[0], BODY),))
    for value in (0.05, 0.3, 0.6, 0.9, 2.0):
        each = [rank(value, mine, ()).p / 2, *(min(one.high(value), one.low(value)) for one in honest)]
        for lie in (light, heavy):
            p = rank(value, mine, [*honest, lie]).p
            assert 2 * min(each) <= p + 1e-12, "it makes nothing rarer than the honest member that finds it rarest"
            assert p <= min(1.0, 4 * max(each)) + 1e-12, "nor commoner than the one that finds it commonest, and the factor of the middle"


def test_a_liar_is_named_and_honest_members_of_like_traffic_are_not() -> None:
    tails = {seed: told(drawn(2000, seed), 10) for seed in range(4)}
    assert all(one is not None and unlike(one, [each for other, each in tails.items() if other != seed and each]) is None for seed, one in tails.items())
    shifted = told(drawn(2000, 8, 3.0), 10)
    assert shifted is not None and unlike(shifted, [each for each in tails.values() if each]) is not None
    members = tuple(Member(f"m{seed}", "", "", {"x": tail}) for seed, tail in tails.items() if tail)
    liar = Member("liar", "", "", {"x": Tail(1_000_000, 10, ((GRID[0], 0.0),), ())})
    assert {name for name, _, _ in Innocents(None, Pool((*members, liar))).unlike()} == {"liar"}
    assert [name for name, _, _ in Innocents({"x": drawn(60)}, Pool((members[0], liar))).unlike()] == ["liar"], "one's own are a witness too"


def test_one_other_member_changes_nothing() -> None:
    tail = told(drawn(2000), 10)
    assert tail is not None
    one = Innocents({"x": drawn(50)}, Pool((Member("m", "", "", {"x": tail}),)))
    assert one.rank("x", 2.0) == Innocents({"x": drawn(50)}, Pool()).rank("x", 2.0)
    assert Innocents(None, Pool((Member("m", "", "", {"x": tail}),))).rank("x", 2.0) is None
    assert Innocents({}, Pool()).rank("y", 1.0) is None


def test_a_statement_comes_as_it_was_told() -> None:
    values = {"share": drawn(2084), "few": drawn(40)}
    made = json.loads(json.dumps(composed(values)))
    heard = statement.heard(made, "file")
    version, tail = heard.tails["share"]
    exact = told(values["share"], RULES.minimum)
    assert exact is not None and version == "v1" and tail == replace(exact, of=2000), "how many there are is told as a band"
    assert set(heard.tails) == {"share"} and heard.made == "2026-06-01" and heard.expires == "2026-07-01"
    text = json.dumps(made)
    assert "2084" not in text and not any(str(value) in text for value in values["share"] if value not in GRID)


CHANGES: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("another format", lambda told: told.update(format="stillwatch-calibration/2")),
    ("a word more", lambda told: told.update(customers=["a"])),
    ("no days", lambda told: told.update(made="yesterday")),
    ("days turned round", lambda told: told.update(made="2027-01-01")),
    ("no such day", lambda told: told.update(made="2026-02-30")),
    ("without end", lambda told: told.update(expires="2099-01-01")),
    ("nobody", lambda told: told.update(recipients=[])),
    ("nothing", lambda told: told.update(statistics={})),
    ("an exact size", lambda told: told["statistics"]["share"].update(of_at_least=2084)),
    ("a size that is no number", lambda told: told["statistics"]["share"].update(of_at_least=True)),
    ("a small minimum", lambda told: told["statistics"]["share"].update(minimum=1)),
    ("a word more inside", lambda told: told["statistics"]["share"].update(mean=0.2)),
    ("an edge of its own", lambda told: told["statistics"]["share"]["above_at_most"].__setitem__(0, [0.123, 0.2])),
    ("a share of the body", lambda told: told["statistics"]["share"]["above_at_most"].__setitem__(0, [0.3, 0.5])),
    ("a share below nothing", lambda told: told["statistics"]["share"]["above_at_most"].append([7.0, -0.1])),
    ("no number", lambda told: told["statistics"]["share"]["above_at_most"].append([7.0, float("nan")])),
    ("shares that rise", lambda told: told["statistics"]["share"]["above_at_most"].append([7.0, 0.2])),
    ("edges out of order", lambda told: told["statistics"]["share"]["above_at_most"].reverse()),
    ("a pair of three", lambda told: told["statistics"]["share"]["above_at_most"].append([1, 2, 3])),
    ("a list for an object", lambda told: told.update(statistics=[1])),
]


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_what_is_not_of_the_format_is_refused(what: str, change: Callable[[dict[str, Any]], object]) -> None:
    made = composed({"share": drawn(2084)})
    statement.heard(copy.deepcopy(made), "file")
    change(made)
    with pytest.raises(UserError, match="ask its sender|known here") as caught:
        statement.heard(made, "file")
    assert caught.value.where == "file"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (POLICY.replace('records = ["calibration"]', "records = []").replace("calibration = 30\n", ""), "does not allow calibration"),
        (f"stopped = true\n{POLICY}", "kill switch"),
        (POLICY.replace('["north", "south"]', "[]"), "nobody"),
        (POLICY.replace("until = 2026-12-31", "until = 2026-02-01"), "does not hold"),
    ],
)
def test_nothing_is_made_that_the_policy_does_not_allow(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        statement.compose({"share": drawn(500)}, {"share": "v1"}, policy.parse(text, "policy.toml"), AT, "policy.toml")
    with pytest.raises(UserError, match="no statistic is known of 100"):
        composed({"share": drawn(50)})


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a campaign, a history, and signing keys of three other members, each with a statement made of a history of its own."""
    folder = tmp_path_factory.mktemp("calibration")
    campaign = Planted("O-SEP", share=0.3, infrastructure=False)
    log = compose.compose(replace(scenario.load("broad"), seed=5, calls=4_000, campaigns=(campaign,)), None).calls
    pq.write_table(log, folder / "log.parquet")
    key = folder / "key"
    flow.watch([compose.compose(replace(scenario.load("broad-history"), seed=6, calls=4_000), None).calls], folder / "history", key=key)
    secret = keys.load(key)
    assert secret is not None
    kept = states.read(folder / "history", keys.fingerprint(secret), "account")
    (folder / "policy.toml").write_text(POLICY)
    for name, times in (("north", 40), ("south", 60), ("west", 30)):
        packing.key(folder / name)
        many = pa.concat_tables([kept.organisations] * times)
        states.write(folder / f"{name}-scan", states.States(many, kept.wordings), keys.fingerprint(secret), "account")
        pooling.build([folder / f"{name}-scan"], folder / "policy.toml", folder / name, folder / f"{name}.json", key=key)
    return folder


def test_organisations_of_cases_are_no_innocents(scans: Path, tmp_path: Path) -> None:
    found = flow.watch([str(scans / "log.parquet")], tmp_path / "scan", key=scans / "key", history=[str(scans / "history")])
    secret = keys.load(scans / "key")
    assert secret is not None and found["alerts"] + found["reviews"] > 0
    organisations = states.read(tmp_path / "scan", keys.fingerprint(secret), "account").organisations
    assert 0 < organisations["named"].to_pylist().count(True) < organisations.num_rows
    with pytest.raises(UserError, match="does not say which organisations"):
        old = states.States(organisations.drop_columns(["named"]), pa.table({"wording": pa.array([], pa.int64()), "unit": pa.array([], pa.int64())}))
        states.write(tmp_path / "old", old, keys.fingerprint(secret), "account")
        pooling.build([tmp_path / "old"], scans / "policy.toml", scans / "north", tmp_path / "o.json", key=scans / "key")
    assert not (tmp_path / "o.json").exists()


def test_a_scan_ranks_its_signals_among_the_innocents_of_all_and_changes_no_verdict(scans: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"key": scans / "key", "history": [str(scans / "history")]}
    flow.watch([str(scans / "log.parquet")], tmp_path / "alone", **asked)
    files, trust = [scans / f"{name}.json" for name in ("north", "south")], [scans / f"{name}.pub" for name in ("north", "south")]
    told = flow.watch([str(scans / "log.parquet")], tmp_path / "pooled", calibration=files, trust=trust, render=page.render, **asked)
    alone, pooled = ([json.loads(line) for line in (tmp_path / name / "campaigns.jsonl").read_text().splitlines()] for name in ("alone", "pooled"))
    assert alone and len(alone) == len(pooled)
    fell = 0
    for one, other in zip(alone, pooled, strict=True):
        for mine, theirs in zip(one["signals"], other["signals"], strict=True):
            fell += mine["p_floor"] is not None and theirs["p_floor"] < mine["p_floor"]
            assert theirs["p"] is None or theirs["p"] >= theirs["p_floor"]
            assert {**mine, "p": 0, "p_floor": 0} == {**theirs, "p": 0, "p_floor": 0}
        assert {**one, "signals": 0} == {**other, "signals": 0}
    assert fell > 0, "the floor fell to the coalition's"
    assert [each["statistics"] > 0 for each in told["calibration"]["members"]] == [True, True]
    assert "calibration of" in "\n".join(said(told["calibration"])) and "Among innocents" in (tmp_path / "pooled" / "report.html").read_text()
    assert flow.verify(tmp_path / "pooled", key=scans / "key")["verified"]
    lines = (tmp_path / "pooled" / "campaigns.jsonl").read_text()
    first = next(each["p"] for each in pooled[0]["signals"] if each["p"] is not None)
    (tmp_path / "pooled" / "campaigns.jsonl").write_text(lines.replace(f'"p":{json.dumps(first)}', '"p":0.777', 1))
    assert not flow.verify(tmp_path / "pooled", key=scans / "key")["verified"], "a changed rank is a changed figure"


def test_a_member_counts_once_and_what_it_defines_otherwise_or_told_long_ago_does_not(scans: Path, tmp_path: Path) -> None:
    told = envelope.kept((scans / "north.json").read_bytes(), "north")
    name = next(iter(told["statistics"]))
    told["statistics"][name]["version"] = "another"
    newer, old = {**told, "made": "2026-12-01", "expires": "2027-11-30"}, {**told, "made": "2025-01-01", "expires": "2025-02-01"}
    ahead = {**told, "made": "2027-01-01", "expires": "2027-02-01"}
    for where, what in (("newer", newer), ("old", old), ("ahead", ahead)):
        (tmp_path / f"{where}.json").write_bytes(envelope.signed(what, envelope.CALIBRATION, packing.signer_of(scans / "north")))
    files = [scans / "north.json", tmp_path / "newer.json", tmp_path / "old.json", tmp_path / "ahead.json"]
    pool = pooling.heard(files, [scans / "north.pub"], [], "2026-12-02")
    (member,) = pool.members
    assert member.made == "2026-12-01" and member.other_version == (name,) and name not in member.tails
    assert {Path(file).name for file, _ in pool.left_out} == {"north.json", "old.json", "ahead.json"}
    with pytest.raises(UserError, match="signed by nobody who is trusted"):
        pooling.heard([scans / "south.json"], [scans / "north.pub"], [], "2026-12-02")
    assert pooling.heard([], [], [], "2026-12-02") == Pool()


def test_the_command_line(scans: Path, tmp_path: Path) -> None:
    run, key = CliRunner(), ["--key", str(scans / "key")]

    def spoken(*words: str, code: int = 0) -> str:
        done = run.invoke(main, ["calibration", *words])
        assert done.exit_code == code, done.output
        return done.output

    made = spoken(
        "build", str(scans / "west-scan"), "--policy", str(scans / "policy.toml"), "--sign-with", str(scans / "west"), "--out", str(tmp_path / "w.json"), *key
    )
    assert "for north, south" in made and "at most" in made and "plan_use" not in made
    files, trust = [str(tmp_path / "w.json"), str(scans / "north.json")], ["--trust", str(scans / "west.pub"), "--trust", str(scans / "north.pub")]
    assert spoken("show", *files, *trust, "--scan", str(scans / "history"), *key).count("calibration of") == 2
    assert json.loads(spoken("show", *files, *trust, "--json"))["members"][0]["statistics"] > 0
    assert "two are needed" in spoken("show", files[0], *trust)
    (tmp_path / "bad.json").write_text("{}")
    assert "no signed envelope" in spoken("show", str(tmp_path / "bad.json"), *trust, code=2)
