"""Resellers of ordinary developers: one payer, many end customers, metadata partly stripped."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Each reseller pays for its customers' accounts and strips what it does not need; customers do what customers do."""
    until = len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.organisation()
        shows = world.rng.random() < 0.5
        gateways = [world.people.organisation()["office"] for _ in range(world.rng.choice((1, 2, 3)))]
        client = world.people.person().clients[:1]
        for _ in range(world.rng.randrange(8, 40)):
            person = world.people.person()
            person = replace(
                person, payment=firm["payment"], org=firm["org"] if shows else None, mail=firm["mail"] if shows else person.mail,
                addresses=tuple(gateways), clients=client, path="aggregator", keeps_session=False,
            )  # fmt: skip
            count = world.heavy_tail(10.0)
            if world.rng.random() < 0.4:
                app = world.texts.wrapper(world.rng, (world.rng.choice(("reply", "summarise", "extract", "explain")),), 2, person.topics[0])
                for ts in world.spread(person, count):
                    world.say(person, ts, *app(world.texts.document(world.rng, person.topics[0])), "text", CLASS.name)
            else:
                world.chat(person, count, CLASS.name)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("reseller", 0.08, grow, "a shared payer, few addresses, lockstep headers")
