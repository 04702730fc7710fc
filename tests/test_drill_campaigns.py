"""Every documented campaign, every rung of the ladder, and campaigns planted in a log of one's own."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.calls import SCHEMA
from stillwatch.drill import compose
from stillwatch.drill.declare import every_campaign, scale
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.errors import UserError

CALLS = 1_500
DISCLOSED = {
    "A-FEB-DS": (150_000, None), "A-FEB-MS": (3_400_000, None), "A-FEB-MM": (13_000_000, 20_000), "A-JUN": (28_800_000, 25_000),
    "A-SEP-AL": (151_000_000, 5_000), "A-SEP-MS": (23_000_000, 5_380), "A-SEP-DS": (12_100_000, None), "A-SEP-ZP": (3_400_000, 273),
    "A-SEP-XM": (400_000, 1_500), "O-SEP": (16_000, 4_000), "G-FEB": (100_000, None), "F-OCT": (None, 20_000),
}  # fmt: skip
"Calls and accounts that the disclosures give; None: not given, so assumed and said so."
REPLAYS = {"O-SEP", "A-SEP-MS", "A-SEP-DS", "A-SEP-XM"}

Row = dict[str, Any]


def planted(name: str, calls: int = CALLS, seed: int = 3, **options: Any) -> compose.Drill:
    """A log of one campaign among chats."""
    return compose.compose(Scenario(name, calls=calls, seed=seed, benign={"ordinary chat": 1.0}, campaigns=(Planted(name, 0.4, **options),)))


def of_campaign(drill: compose.Drill) -> list[Row]:
    """The campaign's own calls."""
    return drill.calls.filter(pc.is_valid(drill.truth["campaign"])).to_pylist()


def accounts(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["account"]].append(row)
    return found


def starts(rows: list[Row]) -> Counter[str]:
    """The wordings: system prompts, and the first words of prompts."""
    return Counter(" ".join((row["system"] or row["prompt"]).split()[:6]) for row in rows)


@pytest.fixture(scope="module")
def made() -> dict[str, compose.Drill]:
    return {name: planted(name) for name in every_campaign()}


def test_all_twelve_are_there_with_their_disclosed_figures() -> None:
    assert set(every_campaign()) == set(DISCLOSED)
    for name, (calls, of) in DISCLOSED.items():
        campaign = every_campaign()[name]
        assert calls in (None, campaign.calls) and of in (None, campaign.accounts), name
        if calls is None or of is None:
            assert any("not disclosed" in line or "not given" in line or "disclosed:" in line for line in campaign.assumptions), name


@pytest.mark.parametrize("name", sorted(DISCLOSED))
def test_a_campaign_is_made_to_its_scale_and_the_same_again(name: str, made: dict[str, compose.Drill]) -> None:
    drill, disclosed = made[name], every_campaign()[name]
    cut = scale(disclosed, round(CALLS * 0.4 * (1 - disclosed.cover)))
    rows = of_campaign(drill)
    assert len(rows) == pytest.approx(cut.calls, rel=0.12)
    assert len(accounts(rows)) == pytest.approx(cut.accounts, rel=0.05) and len(accounts(rows)) >= 19
    assert {campaign for campaign in drill.truth["campaign"].to_pylist() if campaign} == {name}
    (told,) = drill.campaigns
    assert told["factors"] == cut.factors and told["assumptions"] and told["share"] == pytest.approx(0.4, abs=0.1)
    again = planted(name)
    assert again.calls.equals(drill.calls) and again.truth.equals(drill.truth)
    other = of_campaign(planted(name, seed=4))
    assert not {row["prompt"] for row in rows if len(row["prompt"]) > 90} & {row["prompt"] for row in other}, "another seed, another wording"


def test_only_those_replay_other_accounts_reasoning_that_were_seen_to(made: dict[str, compose.Drill]) -> None:
    for name, drill in made.items():
        rows = drill.calls.to_pylist()
        issued = {row["reasoning_out"]: row["account"] for row in rows if row["reasoning_out"]}
        when = {row["reasoning_out"]: row["ts"] for row in rows if row["reasoning_out"]}
        carried = [(row, digest) for row in of_campaign(drill) for digest in row["reasoning_in"] or ()]
        foreign = [(row, digest) for row, digest in carried if issued[digest] != row["account"]]
        assert bool(foreign) == (name in REPLAYS), name
        assert all(when[digest] <= row["ts"] for row, digest in foreign), name


def test_tradecraft(made: dict[str, compose.Drill]) -> None:
    rows = {name: of_campaign(drill) for name, drill in made.items()}
    seen = {row["client_seen"] for row in rows["F-OCT"]}
    assert seen == {False}
    ever = made["F-OCT"].calls.filter(pc.is_null(made["F-OCT"].truth["campaign"]))["client_seen"].to_pylist()
    assert True in ever and False in ever and None in ever, "innocents are seen, unseen and unknown"
    assert sum((row["images"] or 0) > 0 for row in rows["A-FEB-MS"]) > 0.05 * len(rows["A-FEB-MS"])
    half = sorted(rows["A-SEP-ZP"], key=lambda row: row["ts"])
    older = [row["model"] == "orion-4" for row in half]
    assert sum(older[: len(older) // 3]) < 0.3 * sum(older[-(len(older) // 3) :]), "it falls back to an older model"
    late = sorted(rows["A-FEB-MM"], key=lambda row: row["ts"])[-len(rows["A-FEB-MM"]) // 5 :]
    assert 0.3 < sum(row["model"] == "orion-5.5" for row in late) / len(late) < 0.65
    assert starts([row for row in rows["A-SEP-AL"] if row["system"]]).most_common(1)[0][1] > 0.95 * sum(row["system"] is not None for row in rows["A-SEP-AL"])
    pools = accounts(rows["A-SEP-AL"])
    ends = sorted((min(r["ts"] for r in own), max(r["ts"] for r in own)) for own in pools.values())
    assert max(last for _, last in ends[: len(ends) // 2]) <= min(first for first, _ in ends[-len(ends) // 4 :]), "the second pool follows the first"
    english = sum(any(f" {word} " in row["prompt"].lower() for word in ("the", "and", "with")) for row in rows["G-FEB"] if row["system"] is None)
    assert english < 0.75 * len(rows["G-FEB"])


@pytest.mark.parametrize("name", ["O-SEP", "A-SEP-MS", "A-JUN"])
def test_cover_makes_the_share_asked_for(name: str) -> None:
    drill = planted(name, cover=0.5)
    guilty = {row["account"] for row in of_campaign(drill)}
    labels = Counter(label for account, label in zip(*(drill.truth[c].to_pylist() for c in ("account", "class")), strict=True) if account in guilty)
    assert labels["cover"] / sum(labels.values()) == pytest.approx(0.5, abs=0.06)
    assert sum(labels.values()) == pytest.approx(0.4 * CALLS, rel=0.15)


RUNGS: list[tuple[str, Any]] = [
    ("paraphrase", True), ("shuffle", True), ("jitter", True), ("headers", True), ("by_topic", True), ("duplicates", 0.5), ("no_digests", True),
    ("hand_over", True), ("low_rate", True), ("before_history", True), ("infrastructure", True), ("end_users", True), ("spread", True), ("from_users", True),
]  # fmt: skip


@pytest.mark.parametrize("rung,value", RUNGS)
def test_a_rung_loses_no_calls_and_leaves_innocents_alone(rung: str, value: Any, made: dict[str, compose.Drill]) -> None:
    for name in ("A-FEB-DS", "O-SEP"):
        plain, climbed = made[name], planted(name, **{rung: value})
        assert not climbed.calls.equals(plain.calls) or (name, rung) in {("A-FEB-DS", "infrastructure")}, name
        assert len(of_campaign(climbed)) == pytest.approx(len(of_campaign(plain)), rel=0.12), name
        innocent = [drill.calls.filter(pc.equal(drill.truth["class"], "ordinary chat")) for drill in (plain, climbed)]
        assert innocent[0].equals(innocent[1]), name


def test_paraphrase_gives_every_account_its_own_wording(made: dict[str, compose.Drill]) -> None:
    before, after = starts(of_campaign(made["A-SEP-AL"])), starts(of_campaign(planted("A-SEP-AL", paraphrase=True)))
    assert len(after) > 2 * len(before)


def test_shuffle_keeps_the_pieces_and_changes_their_order() -> None:
    plain, shuffled = ([row["system"] for row in of_campaign(planted("A-SEP-DS", **options)) if row["system"]] for options in ({}, {"shuffle": True}))
    assert len(set(shuffled)) > 1.5 * len(set(plain))
    sorted_words = [{" ".join(sorted(text.replace("\n- ", " ").split())) for text in texts} for texts in (plain, shuffled)]
    assert sorted_words[1] <= sorted_words[0]


def test_jitter_ends_what_is_in_step(made: dict[str, compose.Drill]) -> None:
    def together(rows: list[Row]) -> float:
        """Accounts that call within the same five minutes, of an average call."""
        busy = defaultdict(set)
        for row in rows:
            busy[row["ts"] // 300_000_000].add(row["account"])
        return sum(len(busy[row["ts"] // 300_000_000]) for row in rows) / len(rows)

    assert together(of_campaign(planted("A-FEB-DS", jitter=True))) < 0.6 * together(of_campaign(made["A-FEB-DS"]))


def test_headers_are_drawn_anew(made: dict[str, compose.Drill]) -> None:
    def each(drill: compose.Drill) -> float:
        own = accounts(of_campaign(drill)).values()
        return sum(len({row["headers"] for row in rows}) / len(rows) for rows in own) / len(own)

    assert each(planted("A-JUN", headers=True)) > 2 * each(made["A-JUN"])
    assert {row["tls"] is None for row in of_campaign(planted("A-JUN", headers=True))} == {True, False}


@pytest.mark.parametrize(
    "rung,columns",
    [
        ("headers", {"user_agent", "headers", "tls"}),
        ("end_users", {"end_user"}),
        ("spread", {"path", "tls", "client_seen"}),
        ("no_digests", {"reasoning_out", "reasoning_in"}),
    ],
)
def test_a_rung_of_metadata_changes_its_columns_and_no_other(rung: str, columns: set[str], made: dict[str, compose.Drill]) -> None:
    plain, climbed = made["O-SEP"], planted("O-SEP", **{rung: True})
    assert climbed.calls.drop_columns(sorted(columns)).equals(plain.calls.drop_columns(sorted(columns)))
    assert all(not climbed.calls[name].equals(plain.calls[name]) for name in columns) and climbed.truth.equals(plain.truth)


def test_end_users_are_named_where_they_were_and_never_again(made: dict[str, compose.Drill]) -> None:
    plain, anew = made["O-SEP"].calls, planted("O-SEP", end_users=True).calls
    assert plain["end_user"].is_null().equals(anew["end_user"].is_null())
    named = [accounts([row for row in of_campaign(drill) if row["end_user"]]) for drill in (made["A-JUN"], planted("A-JUN", end_users=True))]
    a_call = [sum(len({row["end_user"] for row in rows}) for rows in each.values()) / sum(map(len, each.values())) for each in named]
    assert a_call[1] >= a_call[0]
    assert {len(each) for each in anew["end_user"].drop_null().to_pylist()} == {11}, "like everybody's"


def test_spread_comes_over_every_path_in_equal_parts() -> None:
    paths = Counter(rows[0]["path"] for rows in accounts(of_campaign(planted("O-SEP", spread=True))).values())
    unknown = paths.pop(None)
    assert set(paths) == {"native", "cloud", "aggregator"} and max(paths.values()) < 1.5 * min(paths.values()) and unknown < min(paths.values())


def test_from_users_asks_what_people_ask(made: dict[str, compose.Drill]) -> None:
    def figures(rows: list[Row]) -> float:
        """Share of prompts that hold a number: nearly all problems of a job list do, half of what people ask does not."""
        return sum(any(sign.isdigit() for sign in row["prompt"][-80:]) for row in rows) / len(rows)

    jobs, asked = made["A-SEP-AL"], planted("A-SEP-AL", from_users=True)
    plain, people = ([row for row in of_campaign(drill) if row["system"]] for drill in (jobs, asked))
    assert figures(people) < 0.75 * figures(plain)
    assert len(accounts(of_campaign(asked))) == len(accounts(of_campaign(jobs)))


def test_by_topic_an_account_sees_few_topics_and_all_jobs_are_done() -> None:
    def alike(rows: list[Row]) -> float:
        """How much of the words of two jobs of one account are common, beyond those of jobs of two accounts."""
        own = [[set(row["prompt"].lower().split()) for row in some[:12]] for some in accounts(rows).values() if len(some) > 5]
        near = [len(a & b) / len(a | b) for some in own for a, b in zip(some, some[1:], strict=False)]
        far = [len(a & b) / len(a | b) for one, other in zip(own, own[1:], strict=False) for a, b in zip(one, other, strict=False)]
        return sum(near) / len(near) - sum(far) / len(far)

    plain, dealt = (of_campaign(planted("A-SEP-AL", 3_000, **options)) for options in ({}, {"by_topic": True}))
    assert alike(dealt) > alike(plain) + 0.02


def test_duplicates_are_given_to_several_accounts() -> None:
    def repeated(drill: compose.Drill) -> float:
        """Share of prompts whose last words are another account's last words."""
        tails = defaultdict(set)
        rows = of_campaign(drill)
        for row in rows:
            tails[row["prompt"][-60:]].add(row["account"])
        return sum(len(tails[row["prompt"][-60:]]) > 1 for row in rows) / len(rows)

    assert repeated(planted("A-SEP-AL", duplicates=0.5)) > repeated(planted("A-SEP-AL")) + 0.25


def test_no_digests_leaves_none_and_the_rest_as_it_is(made: dict[str, compose.Drill]) -> None:
    plain, without = made["O-SEP"], planted("O-SEP", no_digests=True)
    assert all(row["reasoning_in"] is None and row["reasoning_out"] is None for row in of_campaign(without))
    left = [drill.calls.drop_columns(["reasoning_in", "reasoning_out"]) for drill in (plain, without)]
    assert left[0].equals(left[1])


def test_hand_over_splits_the_time(made: dict[str, compose.Drill]) -> None:
    def overlap(drill: compose.Drill) -> int:
        own = [(min(row["ts"] for row in rows), max(row["ts"] for row in rows)) for rows in accounts(of_campaign(drill)).values()]
        middle = (min(first for first, _ in own), max(last for _, last in own))
        ban = middle[0] + 0.6 * (middle[1] - middle[0])
        return sum(first < ban - 3.6e9 and last > ban + 3.6e9 for first, last in own)

    assert overlap(made["A-FEB-MS"]) > 8
    assert overlap(planted("A-FEB-MS", hand_over=True)) <= 1


def test_low_rate_is_four_calls_an_account() -> None:
    rows = accounts(of_campaign(planted("A-JUN", low_rate=True)))
    sizes = sorted(len(own) for own in rows.values())
    assert sum(sizes) / len(sizes) == pytest.approx(4, abs=0.5) and sizes[-1] <= 24


def test_before_history_a_history_and_its_log_hold_the_same_accounts_and_wordings() -> None:
    early = {"split": "b", "days": 14.0, "start": 1_765_929_600}
    for name, before in (("A-JUN", True), ("A-JUN", False)):
        log = of_campaign(planted(name, before_history=before))
        past = compose.compose(
            Scenario(name, calls=CALLS, seed=77, benign={"ordinary chat": 1.0}, campaigns=(Planted(name, 0.4, before_history=before),), **early)  # type: ignore[arg-type]
        )
        rows = of_campaign(past)
        assert bool(set(accounts(log)) & set(accounts(rows))) == before
        same = {row["system"] for row in log if row["system"]} & {row["system"] for row in rows if row["system"]}
        assert bool(same) == before
        assert all(row["signup_ts"] < 1_765_929_600_000_000 for row in log) or not before


# -- planted in a log of one's own


@pytest.fixture(scope="module")
def host() -> pa.Table:
    log = compose.compose(Scenario("host", calls=4_000, seed=9, days=1.5)).calls
    log = log.drop_columns(["tls", "cost", "reasoning_out", "reasoning_in"]).append_column("cost", pa.nulls(log.num_rows, pa.float64()))
    return log.set_column(log.column_names.index("ts"), "ts", pc.multiply(pc.divide(log["ts"], 1_000_000), 1_000_000))


@pytest.mark.parametrize("share", [0.6, 0.05, 0.001])
def test_a_campaign_in_a_log_of_ones_own_leaves_every_record_as_it_was(host: pa.Table, share: float) -> None:
    drill = compose.into(host, Planted("A-JUN", share), seed=5)
    assert drill.calls.schema.equals(SCHEMA) and drill.calls["call_id"].to_pylist() == drill.truth["call_id"].to_pylist()
    own = drill.calls.filter(pc.equal(drill.truth["class"], compose.OWN)).select(host.column_names)
    key = [("call_id", "ascending")]
    assert own.sort_by(key).equals(host.cast(own.schema).sort_by(key))
    rows = drill.calls.filter(pc.not_equal(drill.truth["class"], compose.OWN)).to_pylist()
    assert len(rows) == pytest.approx(max(80, min(16_000, share / (1 - share) * host.num_rows)), rel=0.15)
    assert drill.campaigns[0]["share"] == pytest.approx(len(rows) / drill.calls.num_rows)
    span = pc.min_max(host["ts"]).as_py()
    assert all(span["min"] <= row["ts"] <= span["max"] and row["ts"] % 1_000_000 == 0 for row in rows)
    assert len({row["ts"] // 3_600_000_000 for row in rows}) > 5
    for name in ("tls", "cost", "reasoning_out"):
        assert all(row[name] is None for row in rows), "what the log never knows stays unknown"
    for name in ("model", "user_agent", "headers", "endpoint", "plan"):
        assert {row[name] for row in rows} <= set(host[name].to_pylist()), name
    assert not set(accounts(rows)) & set(host["account"].to_pylist())
    assert compose.into(host, Planted("A-JUN", share), seed=5).calls.equals(drill.calls)


def test_replays_survive_where_the_log_knows_digests() -> None:
    log = compose.compose(Scenario("host", calls=3_000, seed=9)).calls
    drill = compose.into(log, Planted("O-SEP", 0.2), Planted("A-SEP-ZP", 0.1), seed=5)
    issued = {digest: account for digest, account in zip(drill.calls["reasoning_out"].to_pylist(), drill.calls["account"].to_pylist(), strict=True) if digest}
    foreign = [row for row in of_campaign(drill) for digest in row["reasoning_in"] or () if issued.get(digest) != row["account"]]
    assert len(foreign) > 20
    assert set(drill.truth["campaign"].to_pylist()) == {None, "O-SEP", "A-SEP-ZP"}


def test_what_cannot_be_planted_is_refused(host: pa.Table) -> None:
    for wrong in ({"cover": 1.0}, {"duplicates": -0.1}, {"share": 2.0}):
        with pytest.raises(UserError, match=f"{next(iter(wrong))} is .*"):
            Planted(**{"id": "A-JUN", "share": 0.1, **wrong})  # type: ignore[arg-type]
    with pytest.raises(UserError, match="seen_before is 1"):
        Scenario("all known", seen_before=1.0)
    with pytest.raises(UserError, match="shares add up to"):
        compose.into(host, Planted("A-JUN", 0.6), Planted("O-SEP", 0.5))
    with pytest.raises(UserError, match="too small"):
        compose.into(host.slice(0, 1), Planted("A-JUN", 0.1))
    with pytest.raises(UserError, match="lacks account"):
        compose.into(host.drop_columns(["account"]), Planted("A-JUN", 0.1))
    with pytest.raises(UserError, match="same campaign and seed"):
        compose.into(compose.into(host, Planted("A-JUN", 0.1)).calls, Planted("A-JUN", 0.1))


# -- people of the history, and what shows who belongs together


def test_people_seen_before_stand_in_the_history_with_their_wordings() -> None:
    log = Scenario("log", calls=3_000, seed=6, seen_before=0.5)
    past = Scenario("past", calls=6_000, seed=60, split="b", days=14.0, start=1_765_929_600)
    now, before = compose.compose(log), compose.history(past, log)
    known = set(now.calls["account"].to_pylist()) & set(before.calls["account"].to_pylist())
    share = sum(account in known for account in now.calls["account"].to_pylist()) / now.calls.num_rows
    assert share == pytest.approx(0.5, abs=0.15)
    assert not set(now.calls["call_id"].to_pylist()) & set(before.calls["call_id"].to_pylist())
    mine = [{row["system"] for row in drill.calls.to_pylist() if row["account"] in known and row["system"]} for drill in (now, before)]
    assert len(mine[0] & mine[1]) > 0.3 * len(mine[0])
    assert max(before.calls["ts"].to_pylist()) < min(now.calls["ts"].to_pylist())
    alone = compose.history(past, dataclasses.replace(log, seen_before=0.0))
    assert not set(now.calls["account"].to_pylist()) & set(alone.calls["account"].to_pylist())


def test_hidden_identity_leaves_nothing_that_accounts_of_a_firm_share() -> None:
    shown = Scenario("log", calls=9_000, seed=6)
    plain, hidden = compose.compose(shown), compose.compose(dataclasses.replace(shown, show_identity=False))

    def shared(drill: compose.Drill, name: str) -> int:
        firms: dict[tuple[str, Any], set[str]] = defaultdict(set)
        for firm, account, value in zip(
            drill.truth["organisation"].to_pylist(), drill.truth["account"].to_pylist(), drill.calls[name].to_pylist(), strict=True
        ):
            if value is not None and "gmail" not in value:
                firms[firm, value].add(account)
        return sum(len(found) > 1 for found in firms.values())

    assert min(shared(plain, name) for name in ("payment", "ip", "org")) > 0
    assert [shared(hidden, name) for name in ("payment", "ip", "org")] == [0, 0, 0]
    kept = [name for name in SCHEMA.names if name not in ("org", "payment", "ip", "asn", "email_domain")]
    assert hidden.calls.select(kept).equals(plain.calls.select(kept))


def test_new_columns_are_filled_for_everybody_by_the_same_code(made: dict[str, compose.Drill]) -> None:
    rows = made["A-JUN"].calls.to_pylist()
    assert all((row["tool_names"] is None) or len(row["tool_names"]) == row["tools"] for row in rows)
    assert any(row["tool_names"] for row in rows) and any(row["images"] for row in rows) and any(row["cached_tokens"] for row in rows)
    assert all(row["cached_tokens"] is None or row["cached_tokens"] <= row["input_tokens"] for row in rows)
    by_client = defaultdict(set)
    for row in rows:
        if row["tls"] is not None:
            by_client[row["user_agent"]].add(row["tls"])
    assert sum(len(found) == 1 for found in by_client.values()) > 0.6 * len(by_client), "one client, one handshake, but for people's own programs"
