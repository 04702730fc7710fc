"""Nightly enrichment: while an office sleeps, a program fills in what its records lack."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

RECORDS = [
    "id=<id>; name=<name> <name>; remark=<t>, <c>; since=<date>",
    "<id>\t<name>\t<house>\t<t>\t{<n> pieces|<n> euros|}\t<c>",
    "{Contact|Customer|Supplier} <name>, {branch|town} <house>: {bought|asked about|returned} <t> and <t>; <c>.",
    'ref: "<id>", who: "<name>", item: "<t>", qty: <n>, text: "<c>"',
]
"How records of different programs look; a firm's have one of these forms."
STEPS = (("extract", "short"), ("classify", "label"), ("summarise", "text"))
"What is asked of a record, and the kind of answer."


def grow(world: World, calls: int) -> None:
    """Each night the records that are new, and some that have changed since; one program or two a firm, on one account or two."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.85 else None
        topic, form = r.choice(world.texts.topics()), r.choice(RECORDS)
        steps = [(kind, world.texts.wording(r, (task,), r.randrange(0, 3), topic)) for task, kind in r.sample(STEPS, r.choice((1, 1, 2)))]
        for _ in range(1 if firm is None else r.choice((1, 1, 1, 2))):
            person = world.people.person(firm, "script", alone=firm is None)
            person = replace(person, rhythm="nightly")
            done: list[str] = []
            for slot in world.plan(person, world.heavy_tail(38.0, 1.0, 300)):
                again = bool(done) and r.random() < 0.12
                record = r.choice(done) if again else world.texts.aside(r, [form], person.language, topic)
                done.append(record)
                kind, wording = r.choice(steps)
                item = f"{record}\n{world.texts.line(r, person.language, topic, 'docs', 'patterns')}" if again or r.random() < 0.3 else record
                world.say(person, slot, wording.around(item, person.through_system), kind, CLASS.name)


CLASS = BenignClass("nightly enrichment", 0.03, grow, "open loop in no waking hours, short answers to one wording without end")
