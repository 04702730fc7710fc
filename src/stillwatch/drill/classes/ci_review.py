"""CI code review: every pushed change is read by a bot, at any hour, from rented build machines."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

TITLES = [
    "#<n> {Fix|Add|Move|Rename|Drop|Speed up} {the |}<t>{, <c>|}",
    "{fix|feat|chore|refactor}(<id>): <t>{ and <t>|}",
    "{Merge|Backport} <id>: <t>",
]
"What a change calls itself."


def grow(world: World, calls: int) -> None:
    """Half of the bots are one of two that strangers install, half are a firm's own; most run on machines of one hosting service, an address a run."""
    r, until = world.rng, len(world.rows) + calls
    installed = [world.texts.wording(r, ("review",) * r.choice((1, 2)), 2) for _ in range(2)]
    machines = tuple(place for _ in range(25) for place in world.people.firm().office)
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.75 else None
        bot = r.choice(installed) if r.random() < 0.5 else world.texts.wording(r, ("review",), r.randrange(1, 4))
        repositories = [world.texts.repository(r) for _ in range(r.choice((1, 1, 2, 4)))]
        hosted = r.random() < 0.6
        for _ in range(1 if firm is None else r.choice((1, 1, 2, 3))):
            person = world.people.person(firm, "script", alone=firm is None)
            if hosted:
                person = replace(person, places=(machines,), rhythm=r.choice(("bursts", "bursts", "steady", person.rhythm)))
            for slot in world.plan(person, world.heavy_tail(24.0, 0.95, 240)):
                title = world.texts.aside(r, TITLES, person.language, person.topics[0])
                change = f"{title}\n{world.texts.work(r, r.choice(repositories), person.language)[0]}"
                world.say(person, slot, bot.around(change, person.through_system), r.choice(("text", "text", "prose", "code")), CLASS.name)


CLASS = BenignClass("CI code review", 0.03, grow, "one wording among strangers, no idle hours, a fresh address every run, open loop")
