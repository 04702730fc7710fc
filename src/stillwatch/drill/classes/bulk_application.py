"""Bulk applications: one organisation runs its own documents through its own template."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

TASKS = {"classify": "label", "extract": "short", "summarise": "text", "reply": "text", "translate": "text", "explain": "reason"}


def grow(world: World, calls: int) -> None:
    """Steady or nightly, one account or several, thousands of calls that do not depend on the answers."""
    until = len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.organisation()
        task = world.rng.choice(list(TASKS))
        topic = world.rng.choice(world.texts.topics())
        app = world.texts.wrapper(world.rng, (task,), world.rng.randrange(1, 5), topic)
        for _ in range(world.rng.choice((1, 1, 1, 2, 4))):
            person = world.people.person(firm, ("steady", "nightly", "nightly", "bursts", "office"))
            count = world.heavy_tail(50.0, 1.0)
            for ts in world.spread(person, count):
                world.say(person, ts, *app(world.texts.document(world.rng, topic)), TASKS[task], CLASS.name)


CLASS = BenignClass("bulk application", 0.13, grow, "one template, open loop, no idle hours")
