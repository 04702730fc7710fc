"""Student homework on the same exercise: one sheet of a textbook, many schools, everybody at home."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

SCHOOL_MAIL = 0.3
"Share of students who use an account of their school's."
ASIDES = [
    "{Exercise|Task|Problem} <k>{a|b|c|}: ",
    "{I have to hand this in|Due|For school} {tomorrow|on <day>}: ",
    "{My result is <n>, is that right|Can you explain this one|Where do I begin}? ",
    "{No full answer please, only a hint|Explain like a teacher}. ",
    "<c>. ",
]


def grow(world: World, calls: int) -> None:
    """Each sheet reaches students of many schools, who put its exercises as they stand or in their own words, ask back, and use the model for other things."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        language = r.choice(("en", "en", *world.texts.language))
        sheet = world.texts.suite(r, r.choice((5, 8, 12)), language)
        schools = [world.people.firm() for _ in range(r.randrange(5, 12))]
        for _ in range(r.randrange(25, 60)):
            person = replace(world.people.person(None, "chat", alone=True), language=language)
            school = r.choice(schools)
            if r.random() < SCHOOL_MAIL:
                program = "education" if r.random() < 0.5 else person.program
                person = replace(person, owner=school.name, mail=school.mail, org=school.org, program=program)
            mine, share = r.sample(sheet, r.randrange(2, len(sheet))), r.uniform(0.3, 0.9)
            for slot in world.plan(person, world.heavy_tail(5.0, 0.9, 90)):
                if r.random() > share:
                    world.use(person, [slot], CLASS.name)
                    continue
                aside = world.texts.aside(r, ASIDES, language, person.topics[0]) if r.random() < 0.6 else ""
                world.say(person, slot, (None, aside + r.choice(mine)), "reason", CLASS.name)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("homework", 0.02, grow, "one text among strangers within days, with the reasoning asked for")
