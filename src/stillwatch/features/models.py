"""Which models a group asks: how fast it moves to a new one, and whether it falls back when refused.

Releases are those that a person told beside the log; where none was told, those that the log itself shows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from stillwatch.facts import MODELS, span
from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import DAY, HOUR, mean, number, pack, thinned
from stillwatch.records import Context
from stillwatch.sketch.model_names import asked_as
from stillwatch.traffic import Fact, Ints, Traffic

LEAST_CALLS = 8
"Fewest calls in the day after a release from which a group's move can be told."

LEAST_REFUSED = 5
"Fewest refused calls from which falling back is a habit."

SOON = HOUR
"A refused call is followed by what an account does within this time."

LEAST_UNITS, LEAST_SHARE = 5, 0.01
"""Organisations that use a model in its first day, and its share of the log's calls from then on, from which a model that
appears while the log runs is a release and not a rarely used name."""


ABSENT = 0.01
"Largest chance that a model as common as it is later on is missing by accident from all calls before its first: a small or thinned log shows no releases."


def model_codes(traffic: Traffic) -> tuple[Ints, list[str]]:
    """Model of each call as a code, and the names by code."""
    column = traffic.column("model").combine_chunks()
    array = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    coded = array.dictionary_encode()
    return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary.to_pylist()


def first_calls(traffic: Traffic) -> dict[str, int]:
    """When each model was first asked in this log, microseconds."""
    return {name: first for name, (first, _) in traffic.whole(MODELS).items()}


def _used(traffic: Traffic, context: Context) -> pa.Table:
    """By model: its calls, all calls from its first on and before it, and the organisations that ask it within a day of its first."""
    code, names = model_codes(traffic)
    unit, rows = traffic.unit[traffic.account], []
    for name, at in first_calls(traffic).items():
        mine = code == (names.index(name) if name in names else -1)
        early = mine & (traffic.ts < at + DAY)
        after = int((traffic.ts >= at).sum())
        rows.append({"model": name, "calls": int(mine.sum()), "after": after, "before": traffic.calls - after, "units": len(np.unique(unit[early]))})
    return pa.Table.from_pylist(rows, pa.schema([("model", pa.string()), *((name, pa.int64()) for name in ("calls", "after", "before", "units"))]))


def _summed(rows: pa.Table) -> dict[str, dict[str, int]]:
    """Sums of the numbers by model."""
    table = rows
    names = [name for name in table.column_names if name != "model"]
    total = table.group_by("model", use_threads=False).aggregate([(name, "sum") for name in names])
    return {row["model"]: {name: row[f"{name}_sum"] for name in names} for row in total.to_pylist()}


USED = Fact("models used", ("model",), _used, _summed, after=("models",))
"Model -> calls, after, before, units: how a model was taken up."


def first_appearances(traffic: Traffic) -> dict[str, int]:
    """Models that appear while the log runs, at least a day after its start, and are taken up at once by several organisations."""
    used, (start, _), found = traffic.whole(USED), span(traffic), {}
    for name, at in first_calls(traffic).items():
        mine = used[name]
        share = mine["calls"] / mine["after"]
        by_chance = (1.0 - share) ** mine["before"]
        if at >= start + DAY and share >= LEAST_SHARE and by_chance <= ABSENT and mine["units"] >= LEAST_UNITS:
            found[name] = at
    return found


def our_releases(groups: Groups) -> dict[str, int]:
    """Model -> release: those that this log serves, as told; those that the log itself shows where none was told."""
    return _ours(groups.traffic, groups.context)


def _ours(traffic: Traffic, context: Context) -> dict[str, int]:
    told = {each.model: each.at for each in context.releases if each.ours}
    return told or first_appearances(traffic)


def moved(groups: Groups, releases: Mapping[str, int]) -> Floats:
    """Share of a group's calls in the 24 hours after a model's release that ask that model; of several releases, the largest.

    `releases`: model -> time in microseconds. A group counts where it called before the release as well, and enough after. A model that the
    log never asks was not served there, so it says nothing.
    """
    traffic = groups.traffic
    code, names = model_codes(traffic)
    ts, mine = traffic.ts[groups.calls], code[groups.calls]
    out = np.full(groups.count, np.nan)
    for name, at in sorted(releases.items()):
        asked = asked_as(list(first_calls(traffic)), name)
        if not asked:
            continue
        known = np.array([index for index, each in enumerate(names) if each in asked], np.int64)
        after = (ts >= at) & (ts < at + DAY)
        was_there = (groups.total(ts < at) > 0) & (groups.total(after) >= LEAST_CALLS)
        out = np.fmax(out, np.where(was_there, groups.share(np.isin(mine, known), after), np.nan))
    return out


def model_pivot(groups: Groups) -> Floats:
    """`moved` for the releases that were told, or that the log itself shows."""
    return moved(groups, our_releases(groups))


def _taken_up(traffic: Traffic, context: Context) -> pa.Table:
    """By release: calls before it, calls in the day after it, and how many of those ask the new model."""
    code, names = model_codes(traffic)
    rows = []
    for name, at in sorted(_ours(traffic, context).items()):
        after = (traffic.ts >= at) & (traffic.ts < at + DAY)
        known = [index for index, each in enumerate(names) if each in asked_as(list(first_calls(traffic)), name)]
        asks = after & np.isin(code, np.array(known, np.int64))
        rows.append({"model": name, "before": int((traffic.ts < at).sum()), "after": int(after.sum()), "asks": int(asks.sum())})
    return pa.Table.from_pylist(rows, pa.schema([("model", pa.string()), *((name, pa.int64()) for name in ("before", "after", "asks"))]))


TAKEN_UP = Fact("releases taken up", ("model",), _taken_up, _summed, after=("models", "models used", "span"))
"Release -> before, after, asks: what `moved` is for all calls of the log."


def pivot_lead(groups: Groups) -> Floats:
    """`model_pivot`, as a multiple of the same share among all calls of the log."""
    releases = groups.traffic.whole(TAKEN_UP, groups.context).values()
    everybody = max((each["asks"] / each["after"] for each in releases if each["before"] and each["after"] >= LEAST_CALLS), default=0.0)
    return model_pivot(groups) / everybody if everybody > 0 else np.full(groups.count, np.nan)


FACTS = (USED, TAKEN_UP)


def fell_back(groups: Groups, ages: Mapping[str, int]) -> Floats:
    """Share of refused calls (status 400 to 499) after which the account's next call of the group within the hour asks another model that is not newer.

    `ages`: model -> time of release or first appearance in microseconds; two of one day count as equally old, and a model without a time as the oldest.
    """
    traffic = groups.traffic
    code, names = model_codes(traffic)
    age = np.array([ages.get(name, 0) // DAY for name in names], np.int64)
    mine, ts, status = code[groups.calls], traffic.ts[groups.calls], np.nan_to_num(number(groups, "status"), nan=0.0)
    refused = (status >= 400) & (status < 500)
    account = traffic.account[groups.calls]
    order = np.argsort(pack(groups.label, account), kind="stable")
    label, who, when, model = groups.label[order], account[order], ts[order], mine[order]
    # Several refusals in a row are one: what counts is the next call that was not refused.
    through = np.where(refused[order], len(order), np.arange(len(order)))
    after = np.append(np.minimum.accumulate(through[::-1])[::-1], len(order))[1:]
    at = np.flatnonzero(refused[order])
    follow = np.minimum(after[at], len(order) - 1)
    soon = (after[at] < len(order)) & (label[follow] == label[at]) & (who[follow] == who[at]) & (when[follow] - when[at] <= SOON)
    back = soon & (model[follow] != model[at]) & (age[model[follow]] <= age[model[at]])
    enough = np.bincount(label[at], minlength=groups.count) >= LEAST_REFUSED
    return np.where(enough & ~thinned(groups), mean(groups.count, label[at], back.astype(np.float64)), np.nan)


def model_retreat(groups: Groups) -> Floats:
    """`fell_back` by the releases that were told, and for other models by the order in which they appear in the log."""
    ages = first_calls(groups.traffic)
    told = {name: each.at for each in groups.context.releases for name in asked_as(list(ages), each.model)}
    return fell_back(groups, ages | told)


_ORG = [{"account": a, "org": a} for a in range(5)]
_MOVE = [{**org, "ts": int(org["account"]), "model": "old"} for org in _ORG]
_MOVE += [{**org, "ts": 2 * DAY + 10 * i + int(org["account"]), "model": "new" if i < 3 else "old"} for org in _ORG for i in range(4)]
_REFUSED = [
    {"account": 1, "ts": DAY * 9 + i * 10**6, "model": model, "status": status}
    for i, (model, status) in enumerate([("b", 403), ("a", 200), ("b", 400), ("b", 429), ("a", 200), ("b", 429), ("b", 200), ("b", 429)])
] + [{"account": 2, "ts": 0, "model": "a", "status": 200}]

FEATURES = (
    Feature(
        "model_pivot", "share of calls", "stays with the models it has", "all calls go to a new model within a day", ("model",), model_pivot, (_MOVE, 0.75)
    ),
    Feature(
        "pivot_lead", "times the log's", "slower than everybody", "many times as fast as everybody to a new model", ("model",), pivot_lead, (_MOVE, 1.0)
    ),
    Feature(
        "model_retreat", "share of refusals", "waits, or tries the same model again", "each refusal is answered with an older model",
        ("model", "status"), model_retreat, (_REFUSED, 0.6),
    ),
)  # fmt: skip
