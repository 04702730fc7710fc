"""A prompt goes viral: new wording, within days, among strangers, each on their own business, beside their other use."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """One wording per world, tried once to a few times by people who chat anyway, more of them day by day."""
    until = len(world.rows) + calls
    viral = world.texts.wrapper(world.rng, ("viral",), 1, system=0.0)
    begins = world.start + world.rng.uniform(0, 0.5) * world.days * DAY
    while len(world.rows) < until:
        person = world.people.person()
        count = world.heavy_tail(9.0, 1.1)
        tries = min(count, world.rng.choice((1, 1, 2, 2, 3, 5)))
        for ts in world.spread(person, tries):
            about = world.texts.conversation(world.rng, world.rng.choice(person.topics))[0][0]
            late = ts if ts >= begins * 1e6 else int(begins * 1e6 + (ts - world.start * 1e6))
            world.say(person, min(late, int((world.start + world.days * DAY) * 1e6) - 1), *viral(about), "prose", CLASS.name)
        world.chat(person, count - tries, CLASS.name)


CLASS = BenignClass("viral prompt", 0.03, grow, "a new wording among strangers, used again in other prompts")
