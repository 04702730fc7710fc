"""A prompt library: strangers install a collection of wordings and put their own business into the slots."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import TASKS, World


def grow(world: World, calls: int) -> None:
    """A dozen wordings, of which everybody likes a few; from the day they found it, beside other use, in chats as in programs."""
    r, until = world.rng, len(world.rows) + calls
    tasks = [r.choice(("reason", "answer", "grade", *TASKS)) for _ in range(12)]
    library = [(task, world.texts.wording(r, (task,), r.randrange(1, 3))) for task in tasks]
    liked = [1.0 / (1 + i) for i in range(len(library))]
    published = world.scenario.start + r.uniform(0.0, 0.3) * world.scenario.days * DAY
    while len(world.rows) < until:
        person = world.people.person(conduct=r.choice(("chat", "chat", "script")))
        own = r.choices(library, liked, k=r.choice((1, 1, 2, 3)))
        since = (published + r.random() * 0.6 * world.scenario.days * DAY) * 1e6
        often = r.uniform(0.3, 1.0)
        for slot in world.plan(person, world.heavy_tail(9.0, 1.1, 200)):
            if slot.ts < since or r.random() > often:
                world.use(person, [slot], CLASS.name)
                continue
            task, wording = r.choice(own)
            if person.conduct == "script":
                item, kind = world.texts.document(r, person.topics[0], person.language), TASKS.get(task, "prose")
            else:
                item, kind = world.question(person)
            kind = {"reason": "reason", "grade": "verdict"}.get(task, kind)
            world.say(person, slot, wording.around(item, person.through_system), kind, CLASS.name)


CLASS = BenignClass("prompt library", 0.02, grow, "new wordings among strangers within days, reasoning asked for in some")
