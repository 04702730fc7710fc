"""Ordinary chat: most accounts, heavy-tailed use, conversations on topics of their own."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

PROMPT_LIBRARY = 0.12
"Share of people who also use a wording of their own again and again."


def grow(world: World, calls: int) -> None:
    """People with topics of their own, a few of them with small programs; some keep a favourite wording; some continue on a second account."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        person = world.people.person(conduct=r.choice(("chat",) * 6 + ("script", "agent")))
        slots = world.plan(person, world.heavy_tail(4.0, 1.5))
        if r.random() < PROMPT_LIBRARY and person.conduct == "chat":
            favourite = world.texts.wording(r, ("answer",), 0, person.topics[0], person.language)
            for slot in slots[: len(slots) // 3]:
                prompt, kind = world.question(person)
                world.say(person, slot, favourite.around(prompt, person.through_system), kind, CLASS.name)
            slots = slots[len(slots) // 3 :]
        world.use(person, slots, CLASS.name)


CLASS = BenignClass("ordinary chat", 0.39, grow, "nothing but volume")
