"""Bulk applications: one organisation runs its own documents through its own template."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import TASKS, World


def grow(world: World, calls: int) -> None:
    """Steady or nightly, one account or several, many calls that do not depend on the answers; firms and single developers."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.6 else None
        task, topic = r.choice(list(TASKS)), r.choice(world.texts.topics())
        first = world.people.person(firm, "script", alone=firm is None)
        app = world.texts.wording(r, (task,), r.randrange(1, 5), topic, first.language)
        for i in range(1 if firm is None else r.choice((1, 1, 2, 4))):
            person = first if i == 0 else world.people.person(firm, "script")
            for slot in world.plan(person, world.heavy_tail(25.0, 1.3)):
                document = world.texts.document(r, topic, first.language)
                world.say(person, slot, app.around(document, person.through_system), TASKS[task], CLASS.name)


CLASS = BenignClass("bulk application", 0.13, grow, "one template, open loop, no idle hours")
