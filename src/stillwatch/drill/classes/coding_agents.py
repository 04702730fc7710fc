"""Coding-agent fleets: many unrelated users of one framework, each in a repository of their own."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """A few frameworks with a long system prompt, to which some projects add their rules; sessions of many turns; reasoning passed back within."""
    r, until = world.rng, len(world.rows) + calls
    frameworks = [world.texts.wording(r, ("agent",) * 7, 4) for _ in range(3)]
    while len(world.rows) < until:
        framework = r.choices(frameworks, (6, 3, 1))[0]
        person = world.people.person(conduct="agent")
        repository = world.texts.repository(r)
        rules = world.texts.wording(r, (), 2, person.topics[0], person.language).around("", True)[0] if r.random() < 0.4 else None
        for slot in world.plan(person, world.heavy_tail(16.0, 1.3)):
            prompt, kind = world.texts.work(r, repository, person.language)
            system = framework.around("", True)[0]
            world.say(person, slot, (f"{system}\n\n{rules}" if rules else system, prompt), kind, CLASS.name)


CLASS = BenignClass("coding-agent fleet", 0.16, grow, "one wording among strangers, narrow work, reasoning replayed (in its own conversation)")
