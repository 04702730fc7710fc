"""RAG backfill: an archive is cut into passages and each is described for a search index, in one go, around the clock."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World

TITLES = ["{Minutes|Manual|Report|Contract|Guide|Letter} <id>: <t>", "<name>, {volume|file|binder} <n>: <t>", "{About|On} <t> (<y>)"]


def passages(world: World, topic: str, language: str, count: int) -> list[str]:
    """`count` passages of documents in order, each with its document's title and its place in it."""
    made: list[str] = []
    while len(made) < count:
        title = world.texts.aside(world.rng, TITLES, language, topic)
        parts = world.rng.randrange(1, 9)
        made += [f"{title}, {part}/{parts}\n{world.texts.document(world.rng, topic, language)}" for part in range(1, parts + 1)]
    return made[:count]


def grow(world: World, calls: int) -> None:
    """Within hours or a day and a half a whole archive, once, dealt over one account or a few; afterwards silence or a little ordinary use."""
    r, until, close = world.rng, len(world.rows) + calls, world.start + world.days * DAY
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.8 else None
        first = world.people.person(firm, "script", alone=firm is None)
        topic, kind = r.choice(world.texts.topics()), r.choice(("text", "short", "text"))
        wording = world.texts.wording(r, (r.choice(("situate", "situate", "summarise", "extract")),), r.randrange(0, 3), topic)
        begins = world.start + r.uniform(0.0, 0.7) * world.days * DAY
        accounts = 1 if firm is None else r.choice((1, 1, 2, 3))
        for i, count in enumerate(world.dealt(world.heavy_tail(75.0, 0.7, 300), accounts, 0.4)):
            person = first if i == 0 else world.people.person(firm, "script")
            person = replace(person, rhythm=r.choice(("steady", "bursts")))
            begin = max(begins, float(person.signup))
            end = min(close, begin + r.uniform(0.25, 1.5) * DAY)
            slots = world.plan(person, count, begin, end)
            for slot, passage in zip(slots, passages(world, topic, first.language, count), strict=True):
                world.say(person, slot, wording.around(passage, person.through_system), kind, CLASS.name)
            if r.random() < 0.4:
                world.use(person, world.plan(person, 1 + int(r.expovariate(0.25))), CLASS.name)


CLASS = BenignClass("RAG backfill", 0.03, grow, "full rate at once and around the clock, open loop, an archive covered without a repeat")
