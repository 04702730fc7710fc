"""Reasoning capture for audit: decisions have to be explained, so every answer is asked for with its reasons, and both are kept."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

FILES = ["{File|Case|Application} <id>, {received|opened} <date>", "{Claim|Request} <n>/<y>, <house>", "<house>: {case|entry} <id>"]


def grow(world: World, calls: int) -> None:
    """Insurers, banks, offices: one decision a call; some ask back in the same conversation why; a third use the wording of one vendor of audit software."""
    r, until = world.rng, len(world.rows) + calls
    vendor = world.texts.wording(r, ("explain", "reason"), 2)
    while len(world.rows) < until:
        firm = world.people.firm()
        first = world.people.person(firm, "script")
        topic = first.topics[0]
        tasks = ("explain", "reason") if r.random() < 0.4 else ("explain",)
        own = world.texts.wording(r, tasks, r.randrange(1, 4), topic, first.language)
        wording = vendor if r.random() < 0.35 else own
        conduct = r.choice(("script", "script", "chat"))
        for _ in range(r.choice((1, 2, 2, 3, 5))):
            person = world.people.person(firm, conduct)
            for slot in world.plan(person, world.heavy_tail(18.0, 0.95, 220)):
                if slot.turn > 0 and r.random() < 0.5:
                    prompt, kind = world.question(person, begins=False)
                    world.say(person, slot, (wording.around("", True)[0] if person.through_system else None, prompt), kind, CLASS.name)
                    continue
                heading = world.texts.aside(r, FILES, first.language, topic)
                case = f"{heading}\n{world.texts.document(r, topic, first.language)}"
                world.say(person, slot, wording.around(case, person.through_system), "reason", CLASS.name)


CLASS = BenignClass("reasoning capture", 0.015, grow, "reasoning written out in every call, with one wording on several accounts")
