"""Coding-agent fleets: many unrelated users of one framework, each in a repository of their own."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """A few frameworks with a long system prompt; sessions of many turns; reasoning passed back within the conversation."""
    until = len(world.rows) + calls
    frameworks = [world.texts.wrapper(world.rng, ("agent",) * 6, 4, system=1.0) for _ in range(3)]
    while len(world.rows) < until:
        framework = world.rng.choices(frameworks, (6, 3, 1))[0]
        person = world.people.person(rhythms=("human", "office", "office", "bursts"))
        repository, left = world.texts.repository(world.rng), world.heavy_tail(18.0, 1.1)
        when = world.spread(person, left)
        while left > 0:
            session, back = world.token("s_"), None
            for turn in range(min(left, 1 + int(world.rng.expovariate(1 / 7)))):
                system, prompt = framework(world.texts.work(world.rng, repository))
                kind = world.rng.choice(("code", "code", "prose", "reason"))
                digest = world.say(
                    person, when[-left], system, prompt, kind, CLASS.name, session=session, turns=2 * turn + 1, offers=True, back=back
                )
                back = [digest] if digest else None
                left -= 1


CLASS = BenignClass("coding-agent fleet", 0.13, grow, "one wording among strangers, narrow work, reasoning replayed (in its own conversation)")
