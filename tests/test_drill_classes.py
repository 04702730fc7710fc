"""Benign classes: each of about the size asked for, of enough organisations, uneven, told by the one code that tells everybody, and the same again by seed."""

from __future__ import annotations

import dataclasses
import tomllib
from collections import Counter, defaultdict
from functools import cache
from importlib.resources import files

import pyarrow as pa
import pytest

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_class
from stillwatch.drill.personas import DAY, NEW_MODEL
from stillwatch.drill.scenario import Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World

CALLS = 1_500
LEAST_ORGANISATIONS = {
    "ordinary chat": 60, "travel and VPN": 40, "homework": 60, "viral prompt": 60, "new framework": 25, "prompt library": 50, "benchmark in parts": 40,
    "new customers": 40, "coding-agent fleet": 25, "stripping gateway": 4, "classroom": 4, "reseller": 3, "small plan": 6, "launch spike": 6,
}  # fmt: skip
"Organisations in 1,500 calls at the least; of the classes not named here, seven."
ONE_FIRM = ("synthetic data", "fallback router", "stripping gateway", "reasoning capture", "small plan", "translation house", "launch spike", "localisation")
"Classes of firms with several accounts each, who show that they belong together."
NOVEL = {"viral prompt", "new framework", "prompt library", "benchmark in parts", "new customers"}
"Classes that are new by nature, and so stand in no history."
FIRST_NINE = {
    "bulk application", "classroom", "coding-agent fleet", "evaluation suite", "LLM-as-judge", "ordinary chat", "reseller", "team key", "viral prompt",
}  # fmt: skip
"Classes of the scenarios that were measured before the others were there."


SETTINGS = {
    "status", "finish", "plan", "program", "endpoint", "path", "model", "n", "stream", "logprobs", "top_logprobs", "logit_bias", "temperature", "max_tokens",
    "reasoning_effort", "client_seen", "tools", "images",
}  # fmt: skip
"Columns of few values."


@cache
def grown(name: str, seed: int = 1, least: int = 0, calls: int = CALLS) -> World:
    """A world of one class."""
    chosen = Scenario("one class", calls=calls, seed=seed, least_calls=least, days=14.0 if least else 2.0)
    world = World(chosen, Texts(f"{seed}/a", None, "a"), name)
    every_class()[name].grow(world, calls)
    return world


def accounts(world: World) -> Counter[str]:
    """Calls by account."""
    return Counter(row["account"] for row in world.rows)


@pytest.mark.parametrize("calls", (CALLS, 3_000))
@pytest.mark.parametrize("name", sorted(every_class()))
def test_about_as_many_calls_as_asked_for_by_enough_organisations(name: str, calls: int) -> None:
    world = grown(name, calls=calls)
    assert 0.75 * calls <= len(world.rows) <= 1.35 * calls, "whole organisations: compose cuts off what the last one has too much"
    organisations = Counter(owner for _, _, owner, _, _ in world.truth)
    assert len(organisations) >= LEAST_ORGANISATIONS.get(name, 7), organisations
    assert len(set(accounts(world).values())) >= 7, accounts(world)
    assert max(accounts(world).values()) < 0.4 * calls


@pytest.mark.parametrize("name", sorted(every_class()))
def test_calls_fit_the_schema_and_the_truth(name: str) -> None:
    world = grown(name)
    table = pa.Table.from_pylist([{column: row.get(column) for column in SCHEMA.names} for row in world.rows], schema=SCHEMA)
    assert all(table[column].null_count == 0 for column in (*REQUIRED, "prompt", "input_tokens"))
    assert {label for *_, label in world.truth} == {name} and {campaign for *_, campaign, _ in world.truth} == {None}
    assert [(row["call_id"], row["account"]) for row in world.rows] == [(call, account) for call, account, *_ in world.truth]
    start, end = world.start * 1e6, (world.start + world.days * DAY) * 1e6
    assert all(start <= row["ts"] < end and row["signup_ts"] <= row["ts"] for row in world.rows)


@pytest.mark.parametrize("name", sorted(every_class()))
def test_the_same_seed_gives_the_same_calls_and_another_seed_others(name: str) -> None:
    again = grown.__wrapped__(name)
    assert again.rows == grown(name).rows and again.truth == grown(name).truth
    assert not set(accounts(grown(name, 2))) & set(accounts(again))


@pytest.mark.parametrize("name", sorted(every_class()))
def test_hours_sizes_and_settings_are_not_flat(name: str) -> None:
    world, both = grown(name), [*grown(name).rows, *grown(name, 2).rows]
    assert len({row["ts"] % 1_000_000 for row in world.rows}) > 0.9 * len(world.rows)
    for column, least in (("output_tokens", 40), ("input_tokens", 90), ("max_tokens", 3), ("user_agent", 3), ("plan", 3), ("endpoint", 3), ("model", 3)):
        assert len({row.get(column) for row in both} - {None}) >= least, column
    gaps = defaultdict(list)
    for row in sorted(world.rows, key=lambda each: each["ts"]):
        gaps[row["account"]].append(row["ts"])
    for stamps in gaps.values():
        steps = Counter((b - a) // 1_000 for a, b in zip(stamps, stamps[1:], strict=False))
        assert len(stamps) < 20 or max(steps.values()) < 0.5 * len(stamps)


def test_no_class_is_known_by_a_field_or_a_setting_that_nobody_else_has() -> None:
    of_field, of_value = defaultdict(set), defaultdict(set)
    for name in every_class():
        for row in grown(name).rows:
            for column, value in row.items():
                of_field[column, value is None].add(name)
                if column in SETTINGS:
                    of_value[column, value].add(name)
    alone = {(column, empty): users for (column, empty), users in of_field.items() if len(users) == 1}
    assert set(alone) == {(column, True) for column in ("ip", "asn", "user_agent", "headers")} and set().union(*alone.values()) == {"stripping gateway"}
    assert {value: users for value, users in of_value.items() if len(users) == 1} == {
        ("program", "distillation-permitted"): {"synthetic data"}, ("program", "evaluator"): {"red team"},
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(every_class()) - {"classroom", "team key"}))
def test_a_history_has_organisations_of_the_least_calls_asked_for(name: str) -> None:
    organisations = Counter(owner for _, _, owner, _, _ in grown(name, 3, 60).truth)
    assert sum(calls >= 60 for calls in organisations.values()) >= 0.7 * len(organisations), organisations


@pytest.mark.parametrize("name", ONE_FIRM)
def test_accounts_of_one_firm_show_it(name: str) -> None:
    world = grown(name)
    mail = {row["account"]: row["email_domain"] for row in world.rows}
    members = defaultdict(set)
    for _, account, owner, _, _ in world.truth:
        members[owner].add(account)
    several = [each for each in members.values() if len(each) > 1]
    assert len(several) >= 2
    assert all(len({mail[account] for account in each}) == 1 and None not in {mail[account] for account in each} for each in several)
    everyone = [mail[next(iter(each))] for each in members.values()]
    assert len(set(everyone)) == len(everyone)


def test_every_class_says_what_it_looks_like_and_common_use_outweighs_the_rare() -> None:
    classes = every_class()
    assert all(len(each.looks_like) > 10 for each in classes.values())
    rare = [name for name in classes if name not in FIRST_NINE]
    assert len(rare) >= 20 and all(0.01 <= classes[name].weight <= 0.03 for name in rare)
    usual = ("ordinary chat", "coding-agent fleet", "bulk application")
    assert sum(classes[name].weight for name in usual) > 0.45 * sum(each.weight for each in classes.values())


def test_a_gateway_names_end_users_and_hides_where_they_are() -> None:
    rows = grown("stripping gateway").rows
    assert all(row["end_user"] and row["ip"] is None and row["country"] is None and row["path"] == "aggregator" for row in rows)
    assert 0.3 < sum(row["user_agent"] is None for row in rows) / len(rows) <= 1
    assert len({row["end_user"] for row in rows}) > 8 * len(accounts(grown("stripping gateway")))
    issued = {row["reasoning_out"]: row["end_user"] for row in rows if row["reasoning_out"]}
    sent_back = [(issued[digest], row["end_user"]) for row in rows for digest in row["reasoning_in"] or ()]
    assert len(sent_back) > 20 and all(one == other for one, other in sent_back)


def test_programmes_are_declared_by_most_who_have_them_and_not_by_all() -> None:
    for name, program in (("synthetic data", "distillation-permitted"), ("red team", "evaluator")):
        worlds = [grown(name, seed) for seed in (1, 2, 3)]
        share = sum(row["program"] == program for world in worlds for row in world.rows) / sum(len(world.rows) for world in worlds)
        assert 0.4 < share < 1, (name, share)


def test_events_happen_when_they_should() -> None:
    bench = grown("release-day benchmark")
    new = [row["ts"] for row in bench.rows if row["model"] == NEW_MODEL]
    assert len(new) > 0.4 * len(bench.rows) and min(new) >= bench.released * 1e6
    assert all(row["signup_ts"] >= (bench.start - DAY) * 1e6 for row in grown("new customers").rows)
    framework = grown("new framework")
    adopted = Counter(row["user_agent"].split("/")[0] for row in framework.rows).most_common(1)[0][0]
    since = min(row["ts"] for row in framework.rows if row["user_agent"].startswith(f"{adopted}/"))
    before = [row for row in framework.rows if row["ts"] < since]
    assert before and {row["account"] for row in before} & {row["account"] for row in framework.rows if row["ts"] >= since}
    hours = defaultdict(set)
    night = grown("nightly enrichment")
    for row in night.rows:
        hours[row["account"]].add(row["ts"] // 3_600_000_000 % 24)
    of_many = [len(hours[account]) for account, calls in accounts(night).items() if calls >= 20]
    assert len(of_many) >= 8 and sum(used <= 3 for used in of_many) > 0.6 * len(of_many)


def test_parts_of_a_benchmark_come_from_one_list_and_strangers_slots_from_their_own() -> None:
    parts = defaultdict(set)
    for row in grown("benchmark in parts").rows:
        parts[row["prompt"].strip().split("\n")[-1]].add(row["account"])
    shared = [users for users in parts.values() if len(users) > 1]
    assert len(shared) > 20 and max(map(len, parts.values())) < 0.4 * len(accounts(grown("benchmark in parts")))
    prompts = Counter(row["prompt"] for row in grown("prompt library").rows)
    assert sum(times == 1 for times in prompts.values()) > 0.9 * len(prompts)


def test_scenarios_measured_before_keep_their_nine_classes_and_weights() -> None:
    for name in ("mixed", "benign", "history", "demo", "demo-history"):
        assert set(scenario.load(name).benign) == FIRST_NINE
        assert scenario.load(name).benign == {each: every_class()[each].weight for each in FIRST_NINE}


def test_the_broad_log_has_every_class_and_its_history_all_but_the_novel() -> None:
    broad, before = scenario.load("broad"), scenario.load("broad-history")
    assert not broad.benign and not broad.campaigns and broad.calls == 100_000
    assert before.benign == {name: each.weight for name, each in every_class().items() if name not in NOVEL}
    old = tomllib.loads((files("stillwatch.drill") / "scenarios" / "history.toml").read_text(encoding="utf-8"))
    assert (before.split, before.least_calls, before.calls) == ("b", 60, 255_000)
    assert (before.days, before.start) == (old["days"], old["start"])
    made = compose.compose(broad.with_overrides(calls=6_000))
    assert set(made.truth["class"].to_pylist()) == set(every_class()) and made.truth["campaign"].null_count == made.truth.num_rows


def test_innocents_seen_before_and_those_without_a_shown_identity_can_be_of_every_class() -> None:
    log = dataclasses.replace(scenario.load("broad").with_overrides(calls=4_000), seen_before=0.3, show_identity=False)
    made = compose.compose(log)
    assert set(made.truth["class"].to_pylist()) == set(every_class())
    assert abs(made.calls.num_rows - 4_000) < 0.2 * 4_000


def test_new_customers_of_a_log_with_a_past_stand_in_the_log_only() -> None:
    chosen = Scenario("with a past", calls=CALLS, seed=2)
    world = World(chosen, Texts("2/a", None, "a"), "new customers", past=15.0)
    every_class()["new customers"].grow(world, 5_000)
    assert 0.75 < len(world.rows) / (5_000 / world.longer) < 1.25
    assert min(row["ts"] for row in world.rows) >= chosen.start * 1e6
