"""Release-day benchmarking: strangers try the new model within a day of its release, with suites that they know."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY, NEW_MODEL
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """One of two public harnesses or a wording of one's own; the new model against the usual ones; some ordinary use beside it."""
    r, until, close = world.rng, len(world.rows) + calls / world.longer, world.start + world.days * DAY
    harnesses = [world.texts.wording(r, (r.choice(("reason", "answer")),), 1) for _ in range(2)]
    suites = [world.texts.suite(r, 150, "en") for _ in range(2)]
    while len(world.rows) < until:
        firm = world.people.firm() if r.random() < 0.5 else None
        which, kind = r.randrange(2), r.choice(("label", "short", "reason"))
        wording = harnesses[which] if r.random() < 0.6 else world.texts.wording(r, ("answer",), 1)
        for _ in range(1 if firm is None else r.choice((1, 1, 2))):
            person = world.people.person(firm, "script", alone=firm is None)
            begin = max(world.released, float(person.signup))
            end = min(close, begin + r.uniform(0.15, 1.0) * DAY)
            many = world.heavy_tail(28.0 / world.longer, 0.8, round(220 / world.longer))  # all of it falls into the log
            slots = world.plan(replace(person, rhythm="bursts"), many, begin, end)
            items = r.sample(suites[which], min(len(slots), len(suites[which]))) if r.random() < 0.7 else [world.question(person)[0] for _ in slots]
            new = r.choice((0.5, 0.7, 1.0))
            for i, slot in enumerate(slots):
                slot = replace(slot, model=NEW_MODEL) if r.random() < new else slot
                world.say(person, slot, wording.around(items[i % len(items)], person.through_system), kind, CLASS.name)
            if r.random() < 0.6:
                world.use(person, world.plan(person, 1 + int(r.expovariate(0.2))), CLASS.name)


CLASS = BenignClass("release-day benchmark", 0.015, grow, "within a day half of the traffic is on a new model, with one wording among strangers")
