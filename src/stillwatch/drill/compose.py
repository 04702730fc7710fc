"""A scenario composed into a log and its truth: deterministic by seed, sorted by time, ids that tell nothing."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from stillwatch.calls import SCHEMA
from stillwatch.drill.declare import every_campaign, every_class, scale
from stillwatch.drill.host import Host, strangers
from stillwatch.drill.ladder import finish
from stillwatch.drill.personas import DAY, FREE_MAIL
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World, hash_text
from stillwatch.errors import UserError
from stillwatch.files import TRUTH as BESIDE_TRUTH
from stillwatch.files import publish, rejected_path

TRUTH = pa.schema([(name, pa.string()) for name in ("call_id", "account", "organisation", "campaign", "class")])
OWN = "own log"
"What the truth calls records of a log that a campaign was planted in."
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".csv")


@dataclass(frozen=True)
class Drill:
    """A made log."""

    calls: pa.Table
    "calls.SCHEMA, by time."
    truth: pa.Table
    "call_id, account, organisation, campaign (null: innocent), class."
    campaigns: list[dict[str, Any]]
    "Of each campaign: id, calls, accounts, factors, assumptions, share of all calls."


PAST = 15.0
"Days before a log in which people are told who stand in its history as well (`seen_before`)."

BESIDE = 0.9
"Share of innocent calls that are what an account is for; the rest are sidelines."

SPAN = 1 << 28
"Bytes of calls that are put in order at once, about."

AT_ONCE = 2048
"Rows that become columns together, about as many as lie in a processor's cache: a column of all rows at once takes three times as long."

Rows = list[dict[str, Any]]
Truth = list[tuple[str, str, str, str | None, str]]


def compose(scenario: Scenario, corpora: Path | None = None) -> Drill:
    """Make the log of a scenario. Every part has a seed of its own, so adding a campaign leaves the innocents as they were."""
    texts = Texts(f"{scenario.seed}/{scenario.split}", corpora, scenario.split)
    known, of_known = _known(scenario, texts) if scenario.seen_before > 0 else ([], [])  # first, so that the history's are dealt the same texts
    rows, truth = _innocents(scenario, texts, 1 - scenario.seen_before)
    inside = [i for i, row in enumerate(known) if row["ts"] >= scenario.start * 1e6]
    rows += [known[i] for i in inside]
    truth += [of_known[i] for i in inside]
    return _made(scenario, rows, truth, [_plant(scenario, texts, planted, scenario.calls, rows, truth) for planted in scenario.campaigns])


def history(scenario: Scenario, log: Scenario, corpora: Path | None = None) -> Drill:
    """The history of a log: a history's scenario (`log.history` names one), and with it what of the log is older than the log.

    That is the earlier calls of the people whom the log has `seen_before`, and its campaigns that began `before_history`. The people make at most
    the same share of the history's calls; where they made more, whole days of an account are left out.
    """
    older = tuple(each for each in log.campaigns if each.before_history and each not in scenario.campaigns)
    past = dataclasses.replace(scenario, campaigns=scenario.campaigns + older, campaign_seed=log.campaign_seed, show_identity=log.show_identity)
    own = dataclasses.replace(past, calls=round(past.calls * (1 - log.seen_before)))
    texts = Texts(f"{past.seed}/{past.split}", corpora, past.split)
    rows, truth = _innocents(own, texts, 1.0)
    if log.seen_before > 0:
        known, of_known = _known(log, Texts(f"{log.seed}/{log.split}", corpora, log.split))
        first, last = past.start * 1e6, min(past.start + past.days * DAY, log.start) * 1e6
        inside = [i for i, row in enumerate(known) if first <= row["ts"] < last]
        kept = min(1.0, (past.calls - own.calls) / max(1, len(inside)))
        inside = [i for i in inside if hash_text(f"{known[i]['account']}/{known[i]['ts'] // int(DAY * 1e6)}") < kept * 2**32]
        rows += [known[i] for i in inside]
        truth += [of_known[i] for i in inside]
    return _made(past, rows, truth, [_plant(past, texts, planted, past.calls, rows, truth) for planted in past.campaigns])


def into(log: pa.Table, *planted: Planted, seed: int = 1, corpora: Path | None = None, campaign_seed: int = 1) -> Drill:
    """Plant campaigns in an existing log (calls.SCHEMA; columns that it lacks are unknown). Its own records stay as they are, in order of time.

    `share` of a campaign is its share of the calls of log and campaigns together; a campaign makes 80 calls or so at least and 16,000 at most,
    and what share that came to is told. The truth calls the log's own records innocent (class `own log`), as far as anybody knows.

    Raises: UserError where shares do not leave room, or the log is too small, lacks a column or holds the same campaign.
    """
    whole = sum(each.share for each in planted)
    if not 0 < whole < 0.95 or any(each.share <= 0 for each in planted):
        raise UserError(f"campaigns' shares add up to {whole:g}", "--into", "give shares above 0 that add up to less than 0.95")
    host = Host(log, str(seed))
    calls = round(host.log.num_rows / (1 - whole))
    scenario = Scenario("into", calls=calls, seed=seed, days=host.days, start=host.start, campaigns=planted, campaign_seed=campaign_seed)
    texts = Texts(f"into/{seed}", corpora, scenario.split)
    rows: Rows = []
    own = zip(host.log["call_id"].to_pylist(), host.log["account"].to_pylist(), host.log["org"].to_pylist(), strict=True)
    truth: Truth = [(call, account, org or account, None, OWN) for call, account, org in own]
    told = []
    for each in planted:
        planted_rows: Rows = []
        of_planted: Truth = []
        told.append(_plant(scenario, texts, each, calls, planted_rows, of_planted))
        ids, accounts = host.dress(planted_rows, each, every_campaign()[each.id])
        rows += planted_rows
        truth += [(ids[call], accounts[account], accounts.get(owner, owner), campaign, label) for call, account, owner, campaign, label in of_planted]
    guilty = {call for call, _, _, campaign, _ in truth if campaign is not None}
    said = pa.array(sorted({row["system"] for row in rows if row["call_id"] in guilty and row["system"]}), pa.string())
    if pc.any(pc.is_in(said, host.log["system"].combine_chunks())).as_py():  # every seed has wordings of its own
        raise UserError("the log holds calls of the same campaign and seed", "--into", "give another seed")
    both = pa.concat_tables([host.log, _table(rows)])
    told = [about | {"share": about["calls"] / both.num_rows} for about in told]
    return Drill(*by_time(both, _truth(truth)), told)


def _innocents(scenario: Scenario, texts: Texts, part: float) -> tuple[Rows, Truth]:
    """Calls of every benign class: that part of the scenario's innocent calls."""
    return _joined(_by_class(scenario, texts, part))


def _by_class(scenario: Scenario, texts: Texts, part: float) -> Iterator[tuple[Rows, Truth]]:
    """The same class by class: a large log has no room for the rows of all."""
    return _grown(scenario, lambda name: World(scenario, texts, name), part)


def _known(scenario: Scenario, texts: Texts) -> tuple[Rows, Truth]:
    """Calls of the people who stand in the log and in its history, over the time of both."""
    share = scenario.seen_before * (PAST + scenario.days) / scenario.days
    return _joined(_grown(scenario, lambda name: World(scenario, texts, f"known/{name}", PAST), share))


def _grown(scenario: Scenario, world_of: Callable[[str], World], part: float) -> Iterator[tuple[Rows, Truth]]:
    """Each class in its world. A class adds whole organisations; what is too much of the last one is cut off, unless a least number of calls is asked for."""
    for name, calls in _weighted(scenario).items():
        world, wanted = world_of(name), round(calls * part * BESIDE)
        every_class()[name].grow(world, wanted)
        if scenario.least_calls == 0:
            del world.rows[wanted:], world.truth[wanted:]
        world.sidelines()
        rows, truth, world.rows, world.truth = world.rows, world.truth, [], []  # so that they can go before the world does
        yield rows, truth
        del rows, truth


def _joined(classes: Iterable[tuple[Rows, Truth]]) -> tuple[Rows, Truth]:
    rows: Rows = []
    truth: Truth = []
    for some, told in classes:
        rows += some
        truth += told
    return rows, truth


def _weighted(scenario: Scenario) -> dict[str, float]:
    """Innocent calls of a scenario by class."""
    weights = scenario.benign or {name: each.weight for name, each in every_class().items()}
    benign = scenario.calls * (1 - sum(planted.share for planted in scenario.campaigns))
    return {name: benign * weight / sum(weights.values()) for name, weight in sorted(weights.items())}


def _plant(scenario: Scenario, texts: Texts, planted: Planted, calls: int, rows: Rows, truth: Truth) -> dict[str, Any]:
    """Add a campaign of its share of `calls`, cover included. Returns what is told of it."""
    disclosed = every_campaign()[planted.id]
    cut = scale(disclosed, round(calls * planted.share * (1 - max(planted.cover, disclosed.cover))))
    world = World(scenario, texts, planted.id)
    disclosed.plant(world, planted, cut)
    finish(world, planted)
    accounts = len({row["account"] for row in world.rows})
    rows += world.rows
    truth += world.truth
    return {"id": planted.id, "calls": len(world.rows), "accounts": accounts, "factors": cut.factors, "assumptions": list(disclosed.assumptions)}


def _made(scenario: Scenario, rows: Rows, truth: Truth, told: list[dict[str, Any]]) -> Drill:
    """The log sorted by time, with the truth in the same order."""
    end = int((scenario.start + scenario.days * DAY) * 1e6)
    for row in rows:
        row["ts"] = min(row["ts"], end - 1)
    if not scenario.show_identity:
        strangers(rows, {account: organisation for _, account, organisation, _, _ in truth}, FREE_MAIL)
    order = sorted(range(len(rows)), key=lambda i: (rows[i]["ts"], rows[i]["call_id"]))
    if scenario.artefact:
        guilty = {call for call, _, _, campaign, _ in truth if campaign is not None}
        for row in rows:
            if row["call_id"] in guilty:
                row["n"], row["temperature"] = 1, 0.7
    told = [about | {"share": about["calls"] / max(1, len(rows))} for about in told]
    return Drill(_table([rows[i] for i in order]), _truth([truth[i] for i in order]), told)


def by_time(calls: pa.Table, truth: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Calls and their truth, which stand in one order, in order of time."""
    each = list(spans(calls, truth))
    return pa.concat_tables([some for some, _ in each]), pa.concat_tables([told for _, told in each])


def spans(calls: pa.Table, truth: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The same span after span: a column of texts that is put in order at once holds two gigabytes at most."""
    ts = calls["ts"].to_numpy()
    edges = np.unique(np.quantile(ts, np.linspace(0, 1, 1 + -(-calls.nbytes // SPAN)), method="lower")) if len(ts) else ts
    span_of = np.searchsorted(edges[1:-1], ts, "right")
    for span in range(max(1, len(edges) - 1)):
        some, told = (each.filter(span_of == span) for each in (calls, truth))
        order = pc.sort_indices(some, [("ts", "ascending"), ("call_id", "ascending")])
        yield some.take(order), told.take(order)


def _table(rows: Rows) -> pa.Table:
    few = (rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE))
    batches = [pa.record_batch([pa.array([row.get(field.name) for row in some], field.type) for field in SCHEMA], schema=SCHEMA) for some in few]
    return pa.Table.from_batches(batches, SCHEMA).combine_chunks()


def _truth(truth: Truth) -> pa.Table:
    columns: list[Any] = list(zip(*truth, strict=True)) or [[] for _ in TRUTH]
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=TRUTH)


def truth_path(log: Path) -> Path:
    """Where the truth of a log lies: LOG.truth.parquet, LOG without its suffix."""
    return log.with_name(_stem(log) + BESIDE_TRUTH)


def _stem(log: Path) -> str:
    """The name of a log without its suffix."""
    return next((log.name[: -len(suffix)] for suffix in sorted(SUFFIXES, key=len, reverse=True) if log.name.endswith(suffix)), log.name)


def writable(log: Path | None) -> None:
    """Refuse a name that no log can be written under, and one under which lies anything but an earlier drill's log. Raises: UserError."""
    if log is None:
        return
    if not log.name.endswith(SUFFIXES):
        raise UserError("unknown suffix", str(log), f"end the name in one of {', '.join(SUFFIXES)}")
    if log.exists() and not truth_path(log).is_file():
        raise UserError(
            "is there already and is no log of an earlier drill: no truth lies beside it", str(log), "name another file, or delete this one yourself"
        )


def write(drill: Drill, log: Path) -> dict[str, Any]:
    """Write the log by its suffix, and the truth; each appears whole, and never a truth beside another log. Returns what was made."""
    writable(log)
    truth = truth_path(log)
    others = [each for suffix in SUFFIXES if (each := log.with_name(_stem(log) + suffix)) != log and each.exists()]
    if others and truth.exists() and not pq.read_table(truth).equals(drill.truth):  # the same drill in two formats has one truth
        raise UserError(f"its truth would take the place of that of {others[0].name}", str(log), "give the log a name of its own, or delete the other yourself")
    # The log is in its place before its truth, and what tells of an earlier one goes before both.
    with publish(truth) as beside, publish(log, outdated=(truth, rejected_path(log))) as part:
        _write(drill.truth, beside, truth.name)
        _write(drill.calls, part, log.name)
    return {
        "log": str(log), "truth": str(truth_path(log)), "calls": drill.calls.num_rows, "accounts": len(drill.calls["account"].unique()), "campaigns": drill.campaigns,
    }  # fmt: skip


def _write(table: pa.Table, path: Path, name: str) -> None:
    if name.endswith(".parquet"):
        pq.write_table(table, path, compression="zstd")
    elif name.endswith(".csv"):
        for at, field in enumerate(table.schema):
            if pa.types.is_list(field.type):  # lists as JSON
                told = pa.array([None if v is None else orjson.dumps(v).decode() for v in table[field.name].to_pylist()], pa.string())
                table = table.set_column(at, field.name, told)
        csv.write_csv(table, path)
    else:
        lines = b"".join(orjson.dumps({k: v for k, v in row.items() if v is not None}) + b"\n" for row in table.to_pylist())
        path.write_bytes(gzip.compress(lines, 6, mtime=0) if name.endswith(".gz") else lines)
