"""The pattern world: a small log made by the drill itself, flattened into arrays that can be multiplied.

What an account is, when it calls, what it sends and what stands in common between strangers is the drill's; nothing is invented here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stillwatch.calls import SCHEMA
from stillwatch.drill.declare import every_campaign, every_class, scale
from stillwatch.drill.ladder import finish
from stillwatch.drill.personas import DAY
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World

Ints = NDArray[np.int64]

CAMPAIGN = "A-JUN"
"The campaign whose size this is about."

NEW = ("viral prompt", "new framework", "prompt library", "benchmark in parts", "new customers")
"Classes that are new by nature: no history has them."

DAYS = 2.0
"Days of the pattern world, which the log goes through again and again."


@dataclass(frozen=True)
class Pattern:
    """Calls sorted by account and conversation, and what they belong to."""

    calls: pa.Table
    "calls.SCHEMA."
    start: int
    "First second."
    session_of: Ints
    "Session of each call."
    account_of: Ints
    "Account of each session."
    session_calls: Ints
    "First call of each session, and the number of calls at the end."
    account_sessions: Ints
    "First session of each account, and the number of sessions at the end."
    owner: Ints
    "Who is behind each account, as a number."
    label: list[str]
    "Class of each account."
    campaign: NDArray[np.bool_]
    "Whether the account is the campaign's."
    planted: NDArray[np.bool_]
    "Whether the call is the campaign's (and not its account's cover)."
    suites: list[str]
    "The questions of all public suites, some of which the world's lists hold."

    @property
    def account(self) -> Ints:
        """Account of each call."""
        return self.account_of[self.session_of]


def compose(calls: int, campaign_calls: int, seed: int, corpora: Path | None, split: str = "a") -> Pattern:
    """Every benign class with its weight, and the campaign (its accounts cut as the drill cuts them), over DAYS days. `split`: half of the sources."""
    scenario = Scenario("scale", calls=calls, seed=seed, days=DAYS, split=split)
    texts = Texts(f"{seed}/{scenario.split}", corpora, scenario.split)
    weights = {name: each.weight for name, each in sorted(every_class().items())}
    rows: list[dict[str, Any]] = []
    truth: list[tuple[str, str, str, str | None, str]] = []
    for name, weight in weights.items():
        world = World(scenario, texts, name)
        every_class()[name].grow(world, max(1, round(calls * weight / sum(weights.values()))))
        world.sidelines()
        rows += world.rows
        truth += [(*each[:4], name) for each in world.truth]
    if campaign_calls:
        disclosed = every_campaign()[CAMPAIGN]
        world, planted = World(scenario, texts, CAMPAIGN), Planted(CAMPAIGN, 0.1)
        disclosed.plant(world, planted, scale(disclosed, campaign_calls))
        finish(world, planted)
        rows += world.rows
        truth += [(*each[:3], CAMPAIGN, each[4]) for each in world.truth]
    return _flat(rows, truth, scenario.start, texts.suites())


def _flat(rows: list[dict[str, Any]], truth: list[tuple[str, str, str, str | None, str]], start: int, suites: list[str]) -> Pattern:
    begins: dict[tuple[str, str], int] = {}
    for row in rows:
        talk = row["account"], row["conversation"]
        begins[talk] = min(begins.get(talk, 2**62), row["ts"])
    first = {account: i for i, account in reversed(list(enumerate(each[1] for each in truth)))}
    order = sorted(
        range(len(rows)),
        key=lambda i: (first[rows[i]["account"]], begins[rows[i]["account"], rows[i]["conversation"]], rows[i]["conversation"], rows[i]["ts"]),
    )
    rows, truth = [rows[i] for i in order], [truth[i] for i in order]
    accounts = list(dict.fromkeys(row["account"] for row in rows))
    talks = list(dict.fromkeys((row["account"], row["conversation"]) for row in rows))
    number, talk_number = {name: i for i, name in enumerate(accounts)}, {talk: i for i, talk in enumerate(talks)}
    session_of = np.array([talk_number[row["account"], row["conversation"]] for row in rows], np.int64)
    account_of = np.array([number[account] for account, _ in talks], np.int64)
    told = {each[1]: each for each in truth}
    owners: dict[str, int] = {}
    owner = np.array([owners.setdefault(told[account][2], len(owners)) for account in accounts], np.int64)
    return Pattern(
        calls=pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], schema=SCHEMA),
        start=start,
        session_of=session_of,
        account_of=account_of,
        session_calls=np.searchsorted(session_of, np.arange(len(talks) + 1)).astype(np.int64),
        account_sessions=np.searchsorted(account_of, np.arange(len(accounts) + 1)).astype(np.int64),
        owner=owner,
        label=["campaign" if told[account][3] else told[account][4] for account in accounts],
        campaign=np.array([told[account][3] is not None for account in accounts], np.bool_),
        planted=np.array([each[3] is not None and each[4] == "campaign" for each in truth], np.bool_),
        suites=suites,
    )


def day_second(pattern: Pattern) -> tuple[Ints, Ints]:
    """Of each session: microseconds after midnight at which it begins, and of each call: microseconds since its session began."""
    ts = pattern.calls["ts"].to_numpy()
    begin = ts[pattern.session_calls[:-1]]
    return (begin - pattern.start * 1_000_000) % (DAY * 1_000_000), ts - begin[pattern.session_of]
