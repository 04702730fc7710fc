"""Classrooms: one exercise sheet, one NAT, homework at the same time."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World

ASIDES = [
    "{Help with|Please solve|I do not get} this{, <who> asked for it|}: ",
    "Homework {<n>|of page <n>}: ",
    "{Is my answer right|What is wrong here}: ",
    "<c>. ",
]


def grow(world: World, calls: int) -> None:
    """Students put the sheet's exercises to the model, as they stand or in their own words, ask back, and use it for other things."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        school = world.people.firm()
        visible = r.random() < 0.5
        teacher = world.people.person(school, "chat")
        sheet = world.texts.suite(r, r.choice((4, 6, 10)), teacher.language)
        lesson = int((world.start + r.uniform(0, world.days) * DAY) * 1e6)
        end = int((world.start + world.days * DAY) * 1e6)
        for _ in range(r.randrange(12, 32)):
            person = world.people.person(None, "chat", alone=True)
            person = replace(
                person, owner=school.name, mail=school.mail if visible else person.mail, program="education" if visible and r.random() < 0.5 else person.program,
                places=((school.office, *person.places) if r.random() < 0.8 else person.places), language=teacher.language,
            )  # fmt: skip
            slots = world.plan(person, world.heavy_tail(6.0, 0.9, 80))
            for slot in slots:
                if r.random() < 0.35:
                    world.use(person, [slot], CLASS.name)
                    continue
                exercise = r.choice(sheet)
                aside = world.texts.aside(r, ASIDES, teacher.language, person.topics[0]) if r.random() < 0.4 else ""
                late = min(end - 1, lesson + int(r.lognormvariate(8.0, 1.2) * 1e6)) if r.random() < 0.7 and person.signup < world.start else None
                world.say(person, slot, (None, aside + exercise), "reason", CLASS.name, ts=late)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("classroom", 0.03, grow, "one wording, one network, sign-ups and use in step")
