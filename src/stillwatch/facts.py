"""Facts of a whole log that several rooms ask for, and how all are found. Each is a fold over the parts of the log (`traffic.Fact`)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import Ints, distinct_rows
from stillwatch.records import Context
from stillwatch.traffic import Fact, Traffic


def every_fact(*packages: str) -> list[Fact]:
    """The facts of this file and of all modules of some packages (`FACTS`), those that others need first."""
    found = {fact.name: fact for fact in (SPAN, MODELS, ACCOUNTS, COUNT)}
    for package in packages:
        folder = importlib.import_module(package)
        for module in pkgutil.iter_modules(folder.__path__, package + "."):
            found |= {fact.name: fact for fact in getattr(importlib.import_module(module.name), "FACTS", ())}
    ordered: list[Fact] = []
    while len(ordered) < len(found):
        known = {fact.name for fact in ordered}
        ordered += [found[name] for name in sorted(found) if name not in known and known.issuperset(found[name].after)]
    return ordered


def rounds(facts: Sequence[Fact]) -> list[list[Fact]]:
    """The facts in rounds: each needs only those of earlier rounds, so that all of one round are worked out in one pass."""
    of: dict[str, int] = {}
    for fact in facts:
        of[fact.name] = max((of[name] + 1 for name in fact.after), default=0)
    return [[fact for fact in facts if of[fact.name] == number] for number in range(max(of.values(), default=-1) + 1)]


def _span_of(traffic: Traffic, context: Context) -> pa.Table:
    return pa.table({"first": traffic.ts.min(keepdims=True), "last": traffic.ts.max(keepdims=True)} if traffic.calls else {"first": [0], "last": [0]}).slice(
        0, min(1, traffic.calls)
    )


def _span(rows: pa.Table) -> tuple[int, int]:
    both = rows
    return (int(pc.min(both["first"]).as_py()), int(pc.max(both["last"]).as_py())) if both.num_rows else (0, 0)


SPAN = Fact("span", ("ts",), _span_of, _span)
"(first call, last call), microseconds."


def span(traffic: Traffic) -> tuple[int, int]:
    """First and last call of the whole log, microseconds."""
    found: tuple[int, int] = traffic.whole(SPAN)
    return found


def _models_of(traffic: Traffic, context: Context) -> pa.Table:
    pairs = traffic.marks.select(["model", "account", "ts"]).group_by(["model", "account"], use_threads=False).aggregate([("ts", "min")])
    return pairs.group_by("model", use_threads=False).aggregate([("ts_min", "min"), ([], "count_all")])


def _models(rows: pa.Table) -> dict[str, tuple[int, int]]:
    table = rows.group_by("model", use_threads=False).aggregate([("ts_min_min", "min"), ("count_all", "sum")])
    rows = zip(*(table[name].to_pylist() for name in ("model", "ts_min_min_min", "count_all_sum")), strict=True)
    return {name: (first, users) for name, first, users in sorted(rows, key=lambda row: row[0] or "")}


MODELS = Fact("models", ("model",), _models_of, _models)
"Model -> (when it was first asked in this log, microseconds; accounts that ask it)."


def _accounts_of(traffic: Traffic, context: Context) -> pa.Table:
    who = np.flatnonzero(np.diff(traffic.starts))
    first, last = traffic.ts[traffic.starts[:-1][who]], traffic.ts[traffic.starts[1:][who] - 1]
    same = (traffic.account[1:] == traffic.account[:-1]) & (traffic.ts[1:] == traffic.ts[:-1])
    beside = np.zeros(traffic.calls, np.bool_)
    beside[1:] |= same
    beside[:-1] |= same
    kept = pc.is_valid(traffic.column("prompt")).to_numpy()
    # Few calls have another beside them, so few have to be compared.
    several = kept & beside
    (again, _, _), _ = distinct_rows(traffic.account[several], traffic.ts[several], traffic.prompts[several])
    asks, together = (
        np.bincount(of, minlength=len(traffic.accounts))[who] for of in (np.append(traffic.account[kept & ~beside], again), traffic.account[beside])
    )
    return pa.table(
        {"account": traffic.accounts[who], "calls": np.diff(traffic.starts)[who], "asks": asks, "apart": together == 0, "first": first, "last": last}
    )


def _accounts(rows: pa.Table) -> dict[str, Ints]:
    table = rows.sort_by("account")
    return {name: table[name].to_numpy() for name in table.column_names}


ACCOUNTS = Fact("accounts", ("ts", "prompt"), _accounts_of, _accounts)
"""Arrays by account code: account (keyed hash), calls, what it asks (calls whose content is kept; the same prompt at the same time counts once), whether each call is at a
time of its own (apart), first and last call (microseconds)."""


def _count_of(traffic: Traffic, context: Context) -> pa.Table:
    mixed = traffic.column("call").to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    column = traffic.column("sampled")
    stands = float((1.0 / pc.fill_null(column, 1.0).to_numpy()).sum()) if column.null_count < traffic.calls else float(traffic.calls)
    return pa.table({"calls": [traffic.calls], "mixed": pa.array([int((mixed ^ (mixed >> np.uint64(31))).sum())], pa.uint64()), "stands": [stands]})


def _count(rows: pa.Table) -> tuple[int, int, float]:
    both = rows
    return int(both["calls"].to_numpy().sum()), int(both["mixed"].to_numpy().sum()), float(np.sort(both["stands"].to_numpy()).sum())


COUNT = Fact("count", ("sampled",), _count_of, _count)
"""(calls; a number that tells logs apart by their call ids, in any order; how many calls these stand for, where the log keeps a sample)."""
