"""A new benchmark tried in parts: it is published, and many strangers each run a piece of its list."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Most take the prompt that its page recommends, some their own; a part is a stretch of the list or a handful of it; the rest of their use is as ever."""
    r, until = world.rng, len(world.rows) + calls
    recommended = world.texts.wording(r, (r.choice(("reason", "answer")),), 1)
    items = world.texts.suite(r, 200, "en")
    published = world.scenario.start + r.uniform(0.0, 0.3) * world.scenario.days * DAY
    while len(world.rows) < until:
        person = world.people.person(conduct=r.choice(("script", "script", "chat")))
        own = world.texts.wording(r, ("answer",), 1, language=person.language)
        wording, kind = recommended if r.random() < 0.75 else own, r.choice(("short", "reason", "reason"))
        since = (published + r.random() * 0.6 * world.scenario.days * DAY) * 1e6
        size, at = min(len(items), 3 + int(r.lognormvariate(2.6, 0.7))), r.randrange(len(items))
        part = [items[(at + i) % len(items)] for i in range(size)] if r.random() < 0.6 else r.sample(items, size)
        for slot in world.plan(person, size + world.heavy_tail(4.0, 1.0, 90)):
            if part and slot.ts >= since and r.random() < 0.9:
                world.say(person, slot, wording.around(part.pop(0), person.through_system), kind, CLASS.name)
            else:
                world.use(person, [slot], CLASS.name)


CLASS = BenignClass("benchmark in parts", 0.015, grow, "one new wording among strangers, a list partitioned between them without much repeat")
