"""Red-team and safety evaluators: they try what should be refused, in every wording they have, and have leave to."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

PROGRAMS = ("evaluator", "evaluator", "evaluator", "evaluator", "research", None)
"What their accounts declare."
ATTACKS = (("rewrite",), ("reason",), ("decode",), ("rewrite", "reason"), ("grade",))
"What their wordings ask for."


def grow(world: World, calls: int) -> None:
    """Items of a public list and of their own, each tried under several wordings, some of which are public too; more than one answer now and then."""
    r, until = world.rng, len(world.rows) + calls
    public = [world.texts.job("sensitive") for _ in range(80)]
    known = [world.texts.wording(r, attack, 1) for attack in ATTACKS[:3]]
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.8 else None
        program = r.choice(PROGRAMS)
        wordings = [world.texts.wording(r, r.choice(ATTACKS), 1) for _ in range(r.choice((1, 2, 4)))] + r.sample(known, r.choice((0, 1, 2)))
        items = r.sample(public, r.choice((10, 20, 40))) + [world.texts.job("sensitive") for _ in range(r.choice((5, 15, 30)))]
        several = r.random() < 0.3
        for _ in range(1 if firm is None else r.choice((1, 2, 2, 3))):
            person = world.people.person(firm, r.choice(("script", "script", "chat")), alone=firm is None)
            settings = tuple({**each, "n": r.choice((2, 4))} for each in person.settings) if several else person.settings
            person = replace(person, program=program or person.program, settings=settings)
            for slot in world.plan(person, world.heavy_tail(24.0, 0.9, 220)):
                if slot.turn > 0 and r.random() < 0.4:
                    prompt, kind = world.question(person, begins=False)
                    world.say(person, slot, (None, prompt), kind, CLASS.name)
                    continue
                world.say(person, slot, r.choice(wordings).around(r.choice(items), person.through_system), r.choice(("short", "prose", "reason")), CLASS.name)


CLASS = BenignClass("red team", 0.01, grow, "safe rewrites and hidden reasoning asked for, one list under several wordings among strangers")
