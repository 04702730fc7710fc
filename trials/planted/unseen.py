"""A benign class that neither the drill nor its history has, and that no rule was made with: a form that an authority publishes."""

from __future__ import annotations

from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World

NAME = "form season"
"What the truth calls it."


def grow(world: World, calls: int) -> None:
    """From some day on strangers paste the sections of one new form, each with facts of their own, and ask for drafts of an entry; most come back with another section."""
    r, until = world.rng, len(world.rows) + calls
    sections = [world.texts.wording(r, (task,), 2) for task in ("extract", "summarise", "reply", "explain", "answer")]
    published = world.start + r.uniform(0, 0.4) * world.days * DAY
    while len(world.rows) < until:
        person = world.people.person(conduct="chat")
        begins = (published + r.random() * 0.5 * world.days * DAY) * 1e6
        facts = world.texts.document(r, person.topics[0], person.language)
        at = r.randrange(2)
        for slot in world.plan(person, world.heavy_tail(9.0, 1.0, 120)):
            if slot.ts < begins or r.random() < 0.4:
                world.use(person, [slot], NAME)
                continue
            if slot.turn == 0:
                at = (at + 1) % len(sections)
            about = facts if r.random() < 0.7 else world.question(person)[0]
            world.say(person, slot, sections[at].around(about, False), "text", NAME)
