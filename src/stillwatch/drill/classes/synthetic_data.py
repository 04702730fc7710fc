"""Synthetic data for an in-house model: a firm that the terms allow it has training examples written by several accounts of its own."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

PERMITTED = "distillation-permitted"
"The programme under which the terms allow it."
DECLARES = 0.8
"Share of firms whose accounts declare it; the others train a classifier or the like, which needs no leave."
SEEDS = [
    "{Kind|Sort|Genre}: {complaint|enquiry|review|booking|order} about <t>; writer: <who>; <c>.",
    "<t>, {seen|told} by <who>{, because <c>|, although <c>|}.",
    "{Outline|Sketch}: <name> {wants|returns|questions} {a|the} <t>; <c>.",
]
"What examples are invented from."


def grow(world: World, calls: int) -> None:
    """One or two wordings a firm over a list of seeds or tasks that is dealt over its accounts, hardly an item twice; all of it in the firm's name."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm, program = world.people.firm(), PERMITTED if r.random() < DECLARES else None
        use, task, kind = r.choice((("", "invent", "text"), ("", "invent", "prose"), ("reasoning", "reason", "reason"), ("engineering", "solve", "code")))
        wordings = [world.texts.wording(r, (task,), r.randrange(1, 4)) for _ in range(r.choice((1, 1, 2)))]
        topics = r.sample(world.texts.topics(), 2)
        accounts = r.choice((2, 2, 3, 4, 6))
        for count in world.dealt(world.heavy_tail(110.0, 0.5, 300), accounts, 0.6):
            person = world.people.person(firm, "script")
            person = replace(person, program=program or person.program)
            for slot in world.plan(person, count):
                item = world.texts.job(use) if use else world.texts.aside(r, SEEDS, "en", r.choice(topics))
                world.say(person, slot, r.choice(wordings).around(item, person.through_system), kind, CLASS.name)


CLASS = BenignClass("synthetic data", 0.02, grow, "one job list dealt over several accounts, reasoning asked for, no item twice")
