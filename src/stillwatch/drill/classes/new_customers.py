"""New customers: people and firms that stood in no history and use the model as everybody does, from their first hour on."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import TASKS, World


def grow(world: World, calls: int) -> None:
    """Registered during the log or the day before it; single people with ordinary use, and firms whose accounts come together and share a program."""
    r, until = world.rng, len(world.rows) + calls / world.longer  # nobody of them was there before the log
    start, days = world.scenario.start, world.scenario.days
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.35 else None
        came = start + r.uniform(-1.0, 0.75 * days) * DAY
        task, topic = r.choice(list(TASKS)), r.choice(world.texts.topics())
        app = world.texts.wording(r, (task,), r.randrange(1, 4), topic)
        for _ in range(1 if firm is None else r.choice((1, 2, 2, 4))):
            person = world.people.person(firm, "script" if firm and r.random() < 0.5 else None, alone=firm is None)
            person = replace(person, signup=int(came + r.expovariate(1 / 7200)))
            slots = world.plan(person, world.heavy_tail(9.0 / world.longer, 1.2, round(220 / world.longer)), float(start), start + days * DAY)
            if firm is None or person.conduct != "script":
                world.use(person, slots, CLASS.name)
                continue
            for slot in slots:
                document = world.texts.document(r, topic, person.language)
                world.say(person, slot, app.around(document, person.through_system), TASKS[task], CLASS.name)


CLASS = BenignClass("new customers", 0.03, grow, "accounts registered together, without a past, with a wording that nobody knows")
