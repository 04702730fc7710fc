"""Classrooms: one exercise sheet, one NAT, homework at the same time."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Students put the sheet's exercises to the model, as they stand or in their own words, and ask back."""
    until = len(world.rows) + calls
    while len(world.rows) < until:
        school = world.people.organisation()
        visible = world.rng.random() < 0.5
        sheet = world.texts.suite(world.rng, world.rng.choice((4, 6, 10)))
        lesson = world.start + world.rng.uniform(0, world.days) * DAY
        for _ in range(world.rng.randrange(12, 32)):
            person = world.people.person()
            person = replace(
                person, org=None, mail=school["mail"] if visible else person.mail, program="education" if visible else None,
                addresses=((school["office"], *person.addresses) if world.rng.random() < 0.8 else person.addresses),
            )  # fmt: skip
            count = world.heavy_tail(7.0, 0.5, 80)
            exercises = [world.rng.choice(sheet) for _ in range(count)]
            at = lesson
            for exercise in exercises:
                asked = world.rng.random()
                if asked < 0.6:
                    prompt = exercise
                elif asked < 0.8:
                    prompt = f"{world.texts.line(world.rng, ['{Help with|Please solve|I do not get} this{, <who> asked for it|}: ', 'Homework {<n>|for <day>}: '], '')}{exercise}"
                else:
                    prompt = world.texts.conversation(world.rng, person.topics[0])[0][0]
                at += world.rng.lognormvariate(4.5, 1.0)
                world.say(person, int(at * 1e6) + world.rng.randrange(1_000_000), None, prompt, "reason", CLASS.name)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("classroom", 0.03, grow, "one wording, one network, sign-ups and use in step")
