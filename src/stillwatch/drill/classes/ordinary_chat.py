"""Ordinary chat: most accounts, heavy-tailed use, conversations on topics of their own."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

PROMPT_LIBRARY = 0.12
"Share of people who also use a wording of their own again and again."


def grow(world: World, calls: int) -> None:
    """People with topics of their own; some keep a favourite wording."""
    until = len(world.rows) + calls
    while len(world.rows) < until:
        person = world.people.person()
        count = world.heavy_tail(7.0, 1.4)
        if world.rng.random() < PROMPT_LIBRARY:
            favourite = world.texts.wrapper(world.rng, ("answer",), 0, person.topics[0])
            own = max(1, count // 3)
            for ts in world.spread(person, own):
                prompt, kind = world.texts.conversation(world.rng, world.rng.choice(person.topics))[0]
                world.say(person, ts, *favourite(prompt), kind, CLASS.name)
            count -= own
        world.chat(person, count, CLASS.name)


CLASS = BenignClass("ordinary chat", 0.42, grow, "nothing but volume")
