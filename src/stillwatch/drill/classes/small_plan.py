"""Enterprise volume on a small plan: a firm has moved over before its purchasing has signed, and runs all it has on what could be had at once."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import TASKS, World


def grow(world: World, calls: int) -> None:
    """Programs that ran elsewhere before, at full rate from the first hour; plans of single people, most of them new; sometimes an employee's own card."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm()
        moved = world.start + r.uniform(-6.0, 0.5 * world.days) * DAY
        programs = []
        for _ in range(r.choice((1, 2, 3))):
            task, topic = r.choice(list(TASKS)), r.choice(world.texts.topics())
            programs.append((task, topic, world.texts.wording(r, (task,), r.randrange(1, 4), topic)))
        accounts = r.choice((1, 1, 2, 3))
        for count in world.dealt(world.heavy_tail(110.0, 0.45, 330), accounts, 0.7):
            person = world.people.person(firm, r.choice(("script", "script", "chat")))
            signup = int(moved + r.expovariate(1 / 9000)) if r.random() < 0.7 else person.signup
            person = replace(person, plan=r.choice(("free", "plus", "plus", "pro")), signup=signup)
            task, topic, app = r.choice(programs)
            for slot in world.plan(person, count):
                if person.conduct == "chat":
                    item, kind = world.question(person, begins=slot.turn == 0)
                else:
                    item, kind = world.texts.document(r, topic, person.language), TASKS[task]
                world.say(person, slot, app.around(item, person.through_system), kind, CLASS.name)


CLASS = BenignClass("small plan", 0.02, grow, "a new account at full rate without a ramp, on a plan too small for its use")
