"""Resellers of ordinary developers: one payer, many end customers, metadata partly stripped."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Each reseller pays for its customers' accounts and strips some of what it passes on; customers do what customers do."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm()
        shows, relays, strips = r.random() < 0.5, r.random() < 0.7, r.random() < 0.5
        gateways = tuple(world.people.firm().office for _ in range(r.choice((1, 2, 3))))
        client = world.people.person(conduct="script").clients[:1]
        for _ in range(r.randrange(8, 40)):
            person = world.people.person(alone=True)
            person = replace(
                person, owner=firm.name, payment=firm.payment, org=firm.org if shows else None, mail=firm.mail if shows else None if strips else person.mail,
                places=gateways if relays else person.places, clients=client if relays else person.clients, path="aggregator",
                keeps_session=person.keeps_session and not strips, keys=() if strips else person.keys,
            )  # fmt: skip
            world.use(person, world.plan(person, world.heavy_tail(6.0, 1.4)), CLASS.name)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("reseller", 0.08, grow, "a shared payer, few addresses, lockstep headers")
