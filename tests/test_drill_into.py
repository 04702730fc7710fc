"""The drill from the command line: into a log of one's own, with a history, with every option."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.doors import cli, rungs
from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_campaign
from stillwatch.drill.scenario import RUNGS, Planted, Scenario
from stillwatch.drill.shapes import Shape
from stillwatch.errors import UserError


def openai(path: Path, calls: int) -> list[dict[str, Any]]:
    """A log of OpenAI's request and response as JSON Lines, from made innocents; one line is broken."""
    rows = compose.compose(Scenario("host", calls=calls, seed=12)).calls.to_pylist()
    lines = []
    for row in rows:
        messages = ([{"role": "system", "content": row["system"]}] if row["system"] else []) + [{"role": "user", "content": row["prompt"]}]
        lines.append({
            "id": f"chatcmpl-{row['call_id'][2:]}", "created": row["ts"] // 1_000_000, "account": row["account"],
            "request": {"model": row["model"], "messages": messages, "temperature": row["temperature"]},
            "response": {"id": f"chatcmpl-{row['call_id'][2:]}", "object": "chat.completion", "created": row["ts"] // 1_000_000, "model": row["model"],
                         "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": row["response"] or ""}}],
                         "usage": {"prompt_tokens": row["input_tokens"], "completion_tokens": row["output_tokens"] or 0}},
        })  # fmt: skip
    path.write_text("\n".join([*map(json.dumps, lines), '{"id": "x", "created": 5']) + "\n")
    return lines


def run(*args: str | Path) -> dict[str, Any]:
    """What the command line prints as JSON."""
    done = CliRunner().invoke(cli.main, [*map(str, args), "--json"])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_into_a_log_in_openai_format(tmp_path: Path) -> None:
    lines = openai(tmp_path / "own.jsonl", 1_500)
    told = run("drill", "A-JUN", "--into", tmp_path / "own.jsonl", "--share", "0.2", "--seed", "3", "--out", tmp_path / "planted.parquet")
    assert told["calls_rejected"] == 1 and Path(told["rejected"]).read_text().count("\n") == 1
    calls, truth = pq.read_table(told["log"]), pq.read_table(told["truth"])
    assert calls.schema.equals(SCHEMA) and calls["call_id"].to_pylist() == truth["call_id"].to_pylist()
    assert truth.column_names == ["call_id", "account", "organisation", "campaign", "class"]
    own, rows = calls.filter(pc.equal(truth["class"], compose.OWN)), calls.filter(pc.is_valid(truth["campaign"])).to_pylist()
    assert own.num_rows == len(lines) and set(truth["campaign"].to_pylist()) == {None, "A-JUN"}
    assert set(own["prompt"].to_pylist()) == {line["request"]["messages"][-1]["content"] for line in lines}, "text is written out"
    for name in SCHEMA.names:
        if own[name].null_count == own.num_rows:
            assert all(row[name] is None for row in rows), f"{name} stays unknown"
    assert all(row["prompt"] and row["ts"] % 1_000_000 == 0 for row in rows)
    assert {row["call_id"][:9] for row in rows} == {"chatcmpl-"} and {len(row["call_id"]) for row in rows} == {len(lines[0]["id"])}
    assert told["campaigns"][0]["share"] == pytest.approx(0.2, abs=0.02)
    summary = flow.watch([told["log"]], tmp_path / "scan", key=tmp_path / "key")
    assert summary["calls_read"] == calls.num_rows and summary["calls_rejected"] == 0


def test_into_a_canonical_log_without_some_columns(tmp_path: Path) -> None:
    log = compose.compose(Scenario("host", calls=1_500, seed=12)).calls.drop_columns(["tls", "payment", "session", "reasoning_out", "reasoning_in", "plan"])
    pq.write_table(log, tmp_path / "own.parquet")
    told = run("drill", "O-SEP", "--into", tmp_path / "own.parquet", "--share", "0.1", "--out", tmp_path / "out" / "planted.jsonl")
    rows = [json.loads(line) for line in Path(told["log"]).read_text().splitlines()]
    assert not {"tls", "payment", "session", "reasoning_out", "reasoning_in", "plan"} & {name for row in rows for name in row}
    kinds = dict(zip(*(pq.read_table(told["truth"])[name].to_pylist() for name in ("call_id", "class")), strict=True))
    assert Counter(kinds.values())[compose.OWN] == log.num_rows
    planted = [row for row in rows if kinds[row["call_id"]] == "campaign"]
    assert len({row["account"] for row in planted}) >= 20 and {row["account"][:5] for row in planted} == {"acct_"}
    again = run("drill", "O-SEP", "--into", tmp_path / "own.parquet", "--share", "0.1", "--out", tmp_path / "again.jsonl")
    assert Path(again["log"]).read_bytes() == Path(told["log"]).read_bytes(), "same seed, same bytes"


def test_marks_have_no_text_to_plant_in(tmp_path: Path) -> None:
    pq.write_table(compose.compose(Scenario("host", calls=300, seed=12)).calls, tmp_path / "own.parquet")
    flow.marks([str(tmp_path / "own.parquet")], tmp_path / "own.marks", key=tmp_path / "key")
    with pytest.raises(UserError, match="holds marks, which have no text"):
        flow.rehearse("A-JUN", tmp_path / "o.parquet", into=str(tmp_path / "own.marks"))
    assert not (tmp_path / "o.parquet").exists()


@pytest.fixture(scope="module")
def host() -> pa.Table:
    return compose.compose(Scenario("host", calls=4_000, seed=9)).calls


def dressed(host: pa.Table, name: str = "A-JUN", **options: Any) -> list[dict[str, Any]]:
    """Calls of a campaign planted in the host."""
    drill = compose.into(host, Planted(name, 0.15, **options), seed=5)
    return drill.calls.filter(pc.is_valid(drill.truth["campaign"])).to_pylist()


def users_of(rows: list[dict[str, Any]], name: str) -> dict[Any, set[str]]:
    found: dict[Any, set[str]] = defaultdict(set)
    for row in rows:
        if row[name] is not None:
            found[row[name]].add(row["account"])
    return found


def test_rungs_of_metadata_climb_in_a_log_of_ones_own_too(host: pa.Table) -> None:
    plain = dressed(host)
    headers = [sum(map(len, users_of(rows, "headers").values())) / len({row["account"] for row in rows}) for rows in (plain, dressed(host, headers=True))]
    assert headers[1] > 1.5 * headers[0], "an account has many header sets"
    paths = Counter(row["path"] for row in dressed(host, spread=True) if row["path"])
    assert set(paths) == {"native", "cloud", "aggregator"} == set(host["path"].drop_null().to_pylist())
    assert all(len(of) == 1 for account, of in _each(dressed(host, spread=True), "path").items())
    shared = [max(map(len, users_of(rows, "ip").values())) for rows in (plain, dressed(host, infrastructure=True))]
    assert shared[1] > 2 * shared[0], "offices are shared"
    ends = [len({row["end_user"] for row in rows if row["end_user"]}) for rows in (dressed(host, "O-SEP"), dressed(host, "O-SEP", end_users=True))]
    assert ends[1] >= ends[0] > 0
    cards = users_of(dressed(host, "A-FEB-DS"), "payment")
    assert max(map(len, cards.values())) >= 3 and max(map(len, users_of(dressed(host, "A-FEB-DS", infrastructure=False), "payment").values())) < 3


def _each(rows: list[dict[str, Any]], name: str) -> dict[str, set[Any]]:
    found: dict[str, set[Any]] = defaultdict(set)
    for row in rows:
        if row[name] is not None:
            found[row["account"]].add(row[name])
    return found


def test_ids_look_like_the_logs() -> None:
    shape = Shape([f"user-{i:04d}" for i in range(0, 900, 7)], Random(1))
    drawn = [shape.draw() for _ in range(200)]
    assert len(set(drawn)) == 200 and all(each.startswith("user-0") and each[6:].isdigit() for each in drawn)
    assert shape.like("a") == shape.like("a") != shape.like("b")
    assert len({Shape(["1", "2"], Random(1)).draw()} & {"1", "2"}) == 0, "a shape that is used up gives longer ids"


# -- options of the command line


def test_every_option_of_a_campaign_is_on_the_command_line_and_every_rung_has_an_option() -> None:
    options = {option for command in [cli.main.commands["drill"]] for param in command.params for option in param.opts}
    fields = {name.replace("_", "-") for name in Planted.__dataclass_fields__ if name not in ("id",)}
    assert {f"--{name}" for name in fields} <= options
    assert set(RUNGS) <= set(Planted.__dataclass_fields__)
    for name, text in rungs.FLAGS.items():
        assert text.startswith("Ladder:") == (name in RUNGS), name
    assert len(RUNGS) == 11, "the ladder has twelve rungs; watching answers for countermeasures has no meaning in a log"


def test_options_reach_all_campaigns_of_a_scenario(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Scenario] = []
    monkeypatch.setattr(compose, "compose", lambda chosen, corpora: seen.append(chosen) or compose.Drill(SCHEMA.empty_table(), compose.TRUTH.empty_table(), []))
    flags = [f"--{name.replace('_', '-')}" for name in rungs.FLAGS]
    run("drill", "mixed", *flags, "--cover", "0.4", "--duplicates", "0.2", "--no-infrastructure", "--share", "0.3", "--out", tmp_path / "o.parquet")
    run("drill", "mixed", "--seen-before", "0.2", "--hide-identity", "--benign", "viral prompt=0.5", "--benign", "classroom=0", "--out", tmp_path / "o.parquet")
    run("drill", "mixed", "--out", tmp_path / "o.parquet")
    climbed, innocents, plain = seen
    assert plain == scenario.load("mixed")
    for each in climbed.campaigns:
        assert all(getattr(each, name) is True for name in rungs.FLAGS)
        assert (each.cover, each.duplicates, each.infrastructure, round(each.share, 6)) == (0.4, 0.2, False, 0.1)
    assert (innocents.seen_before, innocents.show_identity, innocents.benign["viral prompt"]) == (0.2, False, 0.5)
    assert "classroom" not in innocents.benign and innocents.campaigns == plain.campaigns


@pytest.mark.parametrize("share", [0.6, 0.15, 0.01, 0.001])
def test_shares_from_most_of_the_log_down_to_a_thousandth(share: float, tmp_path: Path) -> None:
    told = run("drill", "O-SEP", "--share", share, "--calls", "4000", "--out", tmp_path / "o.parquet")
    (campaign,) = told["campaigns"]
    assert campaign["calls"] == pytest.approx(max(80, share * 4_000), rel=0.15)
    assert campaign["share"] == pytest.approx(campaign["calls"] / told["calls"])


def test_a_log_and_its_history(tmp_path: Path) -> None:
    (tmp_path / "before.toml").write_text('calls = 2500\nseed = 70\nsplit = "b"\ndays = 14.0\nstart = 1_765_929_600\n')
    (tmp_path / "log.toml").write_text('calls = 1500\nhistory = "before.toml"\ncampaigns = [{ id = "A-JUN", share = 0.15 }]\n')
    made = []
    for options in ((), ("--before-history",), ("--seen-before", "0.3")):
        told = run("drill", tmp_path / "log.toml", "--out", tmp_path / "l.parquet", "--history-out", tmp_path / "h.parquet", *options)
        tables = [(pq.read_table(each["log"]), pq.read_table(each["truth"])) for each in (told, told["history"])]
        (log, of_log), (before, of_before) = tables
        assert max(before["ts"].to_pylist()) < min(log["ts"].to_pylist())
        both = set(log["account"].to_pylist()) & set(before["account"].to_pylist())
        guilty = [{a for a, c in zip(t["account"].to_pylist(), t["campaign"].to_pylist(), strict=True) if c} for t in (of_log, of_before)]
        made.append((len(both - guilty[0]), len(both & guilty[0]), len(guilty[1])))
    assert made[0] == (0, 0, 0)
    assert made[1][0] == 0 and made[1][1] >= 15 and made[1][2] >= 20, "an old campaign stands in both"
    assert made[2][0] > 8 and made[2][1:] == (0, 0), "people seen before stand in both"


# -- to scale, whatever the size


@pytest.mark.parametrize("name", sorted(every_campaign()))
def test_every_campaign_is_made_in_a_log_of_100_calls(name: str) -> None:
    drill = compose.compose(scenario.load(name).with_overrides(calls=100))
    rows = drill.calls.filter(pc.is_valid(drill.truth["campaign"])).to_pylist()
    assert 70 <= len(rows) <= 110 and len({row["account"] for row in rows}) == 20, "the least campaign: twenty accounts of four calls"
    assert drill.campaigns[0]["calls"] >= len(rows) and drill.calls.num_rows < 260
    assert len({Counter(row["account"] for row in rows)[a] for a in {row["account"] for row in rows}}) > 1 or name == "A-FEB-DS", "counts differ"


@pytest.mark.parametrize("name", sorted(every_campaign()))
def test_every_campaign_is_made_in_a_log_of_100_000_calls(name: str) -> None:
    """Its own calls only: the innocents of so large a log are the same code as those of a small one."""
    chosen = Scenario(name, calls=100_000, benign={"ordinary chat": 1.0}, campaigns=(Planted(name, 0.15),))
    texts = compose.Texts("1/a", None, "a")
    rows: list[dict[str, Any]] = []
    told = compose._plant(chosen, texts, chosen.campaigns[0], chosen.calls, rows, [])
    disclosed = every_campaign()[name]
    own = 15_000 * (1 - disclosed.cover)
    assert told["calls"] == pytest.approx(15_000, rel=0.1) and told["accounts"] >= 20
    assert told["accounts"] == pytest.approx(compose.scale(disclosed, round(own)).accounts, rel=0.05)
    assert len({row["call_id"] for row in rows}) == len(rows)
