"""What is tried: a stated centre, and one factor at a time varied around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from stillwatch.drill.declare import every_campaign

LADDER: dict[str, dict[str, Any]] = {
    "paraphrased templates": {"paraphrase": True},
    "slot shuffling": {"shuffle": True},
    "human-shaped timing": {"jitter": True},
    "headers drawn anew": {"headers": True},
    "`user` rewritten": {"end_users": True},
    "spread over paths": {"spread": True},
    "prompts of real users": {"from_users": True},
    "account hand-over": {"hand_over": True},
    "4 calls an account": {"low_rate": True},
    "dealt by topic": {"by_topic": True},
    "half of the jobs twice": {"duplicates": 0.5},
    "no digests": {"no_digests": True},
    "no digests, 4 calls an account": {"no_digests": True, "low_rate": True},
    "cover 50 %": {"cover": 0.5},
    "cover 80 %": {"cover": 0.8},
    "cover 90 %": {"cover": 0.9},
    "cover 95 %": {"cover": 0.95},
}
"How a campaign adapts -> fields of `Planted`. One proxy, card and browser per account is the centre."

WORLD_SEED, LARGE_WORLD_SEED = 112_000, 113_000
"""Seed of the first benign world, and of the first whose scale is more than DRILLED; rules were looked at with those from 100000, 110000, 111000, 200000 and 212000 on, and with the results of large ones
from 112000 on."""

PREFIXES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"Shares of a campaign's calls after which the log is scanned as it was then."


@dataclass(frozen=True)
class Cell:
    """One log to be made and scanned."""

    factor: str
    "What is varied: centre, scale, infrastructure, history, ladder, prefix, prevalence, beside (baselines); benign: the innocents alone; world: innocents of a mix of their own."
    value: str
    "To what."
    campaign: str
    "Which campaign; all: all together; empty: none."
    seed: int
    scale: float = 10
    "Innocent calls, in campaigns."
    history: str = "whole"
    options: dict[str, Any] = field(default_factory=dict)
    "Fields of `Planted`."
    until: float = 1.0
    "Share of the campaign's calls after which the log ends."

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return json.dumps({**asdict(self), "scale": float(self.scale)}, sort_keys=True)


def centre(seeds: list[int], names: list[str]) -> Iterator[Cell]:
    """Every campaign alone, and the innocents alone."""
    for seed in seeds:
        yield Cell("benign", "", "", seed)
        for name in names:
            yield Cell("centre", "", name, seed, options={"infrastructure": False})


def prefixes(seeds: list[int], names: list[str]) -> Iterator[Cell]:
    """The centre as it was after the first calls of the campaign."""
    for seed in seeds:
        for name in names:
            for share in PREFIXES:
                yield Cell("prefix", f"{100 * share:g} %", name, seed, options={"infrastructure": False}, until=share)


def varied(seeds: list[int], names: list[str]) -> Iterator[Cell]:
    """Infrastructure, reference, ladder."""
    for seed in seeds:
        for name in names:
            yield Cell("infrastructure", "shared", name, seed, options={"infrastructure": True})
            for history in ("none", "one", "other mix", "older"):
                before = {"before_history": True} if history == "older" else {}
                yield Cell("history", history, name, seed, history=history, options={"infrastructure": False, **before})
            for rung, options in LADDER.items():
                yield Cell("ladder", rung, name, seed, options={"infrastructure": False, **options})


def scales(seeds: list[int], names: list[str]) -> Iterator[Cell]:
    """A hundred and a thousand times the campaign, alone and in company. Alone at a thousand only for the largest campaign: one scan of it reads 16 million calls."""
    for seed in seeds:
        for name in names:
            yield Cell("scale", "100, alone", name, seed, 100, history_of(100), options={"infrastructure": False})
        yield Cell("scale", "100, together", "all", seed, 100, history_of(100), options={"infrastructure": False})
        yield Cell("scale", "100, together, short history", "all", seed, 100, options={"infrastructure": False})
    yield Cell("scale", "1000, together", "all", seeds[0], LONG, history_of(LONG), options={"infrastructure": False})
    yield Cell("scale", "1000, alone", "A-JUN", seeds[0], LONG, history_of(LONG), options={"infrastructure": False})


PREVALENCE = (0.05, 0.25, 0.4, 0.6)
"Shares of all calls that are the campaign's."


def prevalences(seeds: list[int], names: list[str]) -> Iterator[Cell]:
    """The campaign as more and more of the traffic: is it learned as normal?"""
    for share in PREVALENCE:
        for name in names:
            yield Cell("prevalence", f"{100 * share:g} %", name, seeds[0], round((1 - share) / share, 3), options={"infrastructure": False})


def besides(seeds: list[int], names: list[str]) -> Iterator[Cell]:
    """The centre before what the field has, everybody with one history."""
    for name in names:
        yield Cell("beside", "", name, seeds[0], history="one", options={"infrastructure": False})


DRILLED = 25
"Largest scale of a log with a campaign whose innocents the drill itself makes; those of larger ones are a drill's, multiplied."

ONE_DRILL = 100
"Largest benign world that is one drill's; larger ones are worlds side by side (decision 040)."

LONG = 1000
"Scale from which a log's reference has a history as long as itself, and not ten times as long: that would be a history of 160 million calls."

WORLDS = {"mixed": 13, "drift": 2, "unseen class": 2, "built-in texts": 1}
"Kinds of benign worlds, and how many of each in a round."

ROUND = tuple(kind for kind, many in WORLDS.items() for _ in range(many))
"One round of them."

SIDE_BY_SIDE = "side by side"
"Kind of the largest worlds."


def history_of(scale: float) -> str:
    """The reference of a log of a scale: at ten times the campaign it has twelve times the log's calls, and it grows with the log (decision 039)."""
    return "whole" if scale <= DRILLED else "ten times" if scale < LONG else "as long"


def worlds(count: int, scale: float) -> Iterator[Cell]:
    """Benign worlds, kinds by turns."""
    first = WORLD_SEED if scale <= DRILLED else LARGE_WORLD_SEED
    for at in range(count):
        yield Cell("world", ROUND[at % len(ROUND)] if scale <= ONE_DRILL else SIDE_BY_SIDE, "", first + at, scale, history_of(scale))


def plan(tier: str, seeds: list[int]) -> list[Cell]:
    """All cells of a tier. `small`: two campaigns of one seed, in minutes; `full`: everything. `centre`, `prefix`, `varied`, `scale`, `prevalence`, `beside`: that part of the full one."""
    names = sorted(every_campaign())
    parts = {"centre": centre, "prefix": prefixes, "varied": varied, "scale": scales, "prevalence": prevalences, "beside": besides}
    if tier == "small":
        return [
            *worlds(4, 10),
            *centre(seeds[:1], ["A-FEB-DS", "O-SEP"]),
            *(cell for cell in prefixes(seeds[:1], ["O-SEP"]) if cell.until in (0.05, 0.2)),
        ]
    chosen = parts if tier == "full" else {tier: parts[tier]}
    return [cell for made in chosen.values() for cell in made(seeds, names)]
