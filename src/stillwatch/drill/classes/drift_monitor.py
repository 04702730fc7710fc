"""Output-drift monitor: the same prompts are sent again and again, to see whether answers change."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World

PUBLIC = 0.4
"Share of monitors that draw their prompts from one of two lists that anybody can have."


def grow(world: World, calls: int) -> None:
    """Every day or some times a day, at the monitor's own hour; a run is left out or broken off now and then."""
    r, until, close = world.rng, len(world.rows) + calls, world.start + world.days * DAY
    lists = [[(item, r.choice(("short", "reason", "prose"))) for item in world.texts.suite(r, 120, "en")] for _ in range(2)]
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.7 else None
        person = world.people.person(firm, "script", alone=firm is None)
        every = r.choice((0.25, 0.5, 1.0, 1.0, 1.0)) * DAY
        runs = max(2, round(world.days * DAY / every))
        size = min(100, max(4, round(world.heavy_tail(60.0, 0.6, 220) / runs)))
        prompts = r.sample(r.choice(lists), size) if r.random() < PUBLIC else [world.question(person) for _ in range(size)]
        harness = world.texts.wording(r, ("answer",), 0) if r.random() < 0.5 else None
        person = replace(person, rhythm="steady")
        first = world.start + r.random() * every
        for run in range(runs):
            begin = first + run * every + r.gauss(0, 240)
            end = begin + max(300.0, size * person.pace * r.uniform(0.8, 1.6))
            if end > close or begin < person.signup or r.random() < 0.05:
                continue
            asked = prompts if r.random() < 0.9 else prompts[: r.randrange(1, size)]
            for slot, (prompt, kind) in zip(world.plan(person, len(asked), max(begin, world.start), end), asked, strict=True):
                said = (None, prompt) if harness is None else harness.around(prompt, person.through_system)
                world.say(person, slot, said, kind, CLASS.name)


CLASS = BenignClass("output-drift monitor", 0.01, grow, "the same instructions at the same hour, among strangers where a list is public")
