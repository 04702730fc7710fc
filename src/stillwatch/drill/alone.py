"""One campaign alone, at a size that is asked for, over the time of a log: what is planted to learn what a log would have shown."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from stillwatch.calls import SCHEMA
from stillwatch.drill.declare import Disclosed, Scale, every_campaign
from stillwatch.drill.ladder import finish
from stillwatch.drill.personas import DAY
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World

LEAST_DAYS = 1 / 24
"A log shorter than an hour is planted as if it were one."


@dataclass(frozen=True)
class Alone:
    """The calls of one campaign and nothing else."""

    calls: pa.Table
    "calls.SCHEMA, ordinary use beside the campaign included."
    conversation: list[str]
    "Of each call, the conversation it stands in, whether or not the log would tell."
    moved: list[bool]
    "Of each call, whether it went to the model that the campaign moves to."


def days_of(campaign: Disclosed, days: float) -> float:
    """Days that a campaign takes in a log of so many: its own, where the log is longer."""
    return min(campaign.days, max(days, LEAST_DAYS))


def alone(name: str, accounts: int, calls_each: int, *, start: float, days: float, seed: int) -> Alone:
    """A documented campaign at another size, in built-in texts: so many accounts with so many of its calls on average, spread as unevenly as it does it.

    Beside them its accounts make the ordinary calls that they are told to make. `start`: first second of the log, `days`: its length.
    """
    campaign = every_campaign()[name]
    span = days_of(campaign, days)
    planted = Planted(name, 0.5)
    scenario = Scenario("alone", calls=accounts * calls_each, seed=seed, days=max(days, LEAST_DAYS), start=int(start), campaigns=(planted,))
    world = World(scenario, Texts(f"{seed}/alone", None, scenario.split), name)
    campaign.plant(world, planted, Scale(accounts * calls_each, accounts, span, {}))
    finish(world, planted)
    first, last = int(start * 1e6), int((start + max(days, LEAST_DAYS) * DAY) * 1e6) - 1
    rows = [{**{field: row.get(field) for field in SCHEMA.names}, "ts": max(first, min(row["ts"], last))} for row in world.rows]
    moved = [campaign.moves_to is not None and row["model"] == campaign.moves_to for row in world.rows]
    return Alone(pa.Table.from_pylist(rows, schema=SCHEMA), [row["conversation"] for row in world.rows], moved)
