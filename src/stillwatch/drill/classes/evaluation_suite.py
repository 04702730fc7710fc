"""Evaluation suites: unrelated organisations run one public list through one harness."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Some suites, each run by several organisations, whole or in large part, once or every night; some are new."""
    until = len(world.rows) + calls
    while len(world.rows) < until:
        harness = world.texts.wrapper(world.rng, ("reason",) if world.rng.random() < 0.4 else ("answer",), 1)
        items = world.texts.suite(world.rng, world.rng.choice((60, 120, 200)))
        kind = world.rng.choice(("label", "short", "reason"))
        for _ in range(world.rng.choice((2, 4, 8, 12))):
            person = world.people.person(world.people.organisation() if world.rng.random() < 0.7 else None, ("nightly", "steady", "bursts"))
            chosen = world.rng.sample(items, max(1, round(len(items) * world.rng.choice((0.5, 0.8, 1.0, 1.0)))))
            for ts, item in zip(world.spread(person, len(chosen)), chosen, strict=True):
                world.say(person, ts, *harness(item), kind, CLASS.name)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("evaluation suite", 0.07, grow, "one wording among strangers, instructions that never repeat, reasoning asked for")
