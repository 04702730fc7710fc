"""Multi-provider fallback router: a firm's program moves its calls to another access path, and to another account there, when one is down or dear."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY, Persona, pick
from stillwatch.drill.rhythm import Slot
from stillwatch.drill.world import TASKS, World


def outages(world: World) -> list[tuple[float, float]]:
    """Times (microseconds) at which the router keeps away from its usual path: an hour or a few, once to four times."""
    found = []
    for _ in range(world.rng.choice((1, 2, 2, 4))):
        begin = world.start + world.rng.random() * world.days * DAY
        found.append((begin * 1e6, (begin + world.rng.lognormvariate(8.9, 0.8)) * 1e6))
    return found


def turned(world: World, slot: Slot, door: Persona) -> Slot:
    """The same call of the same machine through another account: its key, a model that it has."""
    return replace(slot, key=world.rng.choice(door.keys) if door.keys else None, model=pick(world.rng, door.models))


def grow(world: World, calls: int) -> None:
    """One program with one wording over two or three accounts of its firm, each on a path of its own; a small part is always sent by the others."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm, conduct, task = world.people.firm(), r.choice(("chat", "script")), r.choice(list(TASKS))
        first = world.people.person(firm, conduct)
        paths = r.sample(("native", "cloud", "aggregator"), r.choice((2, 2, 3)))
        app = world.texts.wording(r, (task,), r.randrange(1, 4), first.topics[0], first.language)
        doors = [replace(first, path=paths[0])]
        doors += [replace(world.people.person(firm, conduct), path=path, language=first.language, through_system=first.through_system) for path in paths[1:]]
        down, always = outages(world), r.uniform(0.02, 0.25)
        for slot in world.plan(first, world.heavy_tail(65.0, 0.7, 300)):
            away = any(begin <= slot.ts < end for begin, end in down)
            door = r.choice(doors[1:]) if r.random() < (0.93 if away else always) else doors[0]
            door = door if door.signup * 1e6 < slot.ts else doors[0]
            chosen = slot if door is doors[0] else turned(world, slot, door)
            if conduct == "script":
                item, kind = world.texts.document(r, first.topics[0], first.language), TASKS[task]
            else:
                item, kind = world.question(first, begins=slot.turn == 0)
            world.say(door, chosen, app.around(item, first.through_system), kind, CLASS.name)


CLASS = BenignClass("fallback router", 0.02, grow, "when one account or path stops another takes over, with the same wording, machine and pace")
