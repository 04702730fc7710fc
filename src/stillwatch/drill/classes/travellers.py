"""Travel and VPN users: one person, many addresses and countries, some of them shared with strangers."""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace
from itertools import groupby

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY, Place
from stillwatch.drill.world import World, hash_text

Stop = tuple[tuple[Place, ...], str | None]
"Addresses to be had somewhere, and the country they are in."


def grow(world: World, calls: int) -> None:
    """Half of them move through hotels, trains and offices of other people's, a stop at a time; half take another exit of a tunnel service now and then."""
    r, until = world.rng, len(world.rows) + calls
    exits: list[Stop] = []
    for _ in range(45):
        service = world.people.firm()
        exits.append((service.office, service.zone[1]))
    while len(world.rows) < until:
        person = world.people.person(conduct=r.choice(("chat", "chat", "chat", "agent")), alone=True)
        slots = world.plan(person, world.heavy_tail(12.0, 1.1, 220))
        home: Stop = (person.places[0], person.country)
        if r.random() < 0.5:
            hosts = [world.people.person(alone=True) for _ in range(r.choice((1, 2, 3, 5)))]
            stops = [home, *((host.places[0], host.country) for host in hosts)]
            moves = sorted((world.start + r.random() * world.days * DAY) * 1e6 for _ in hosts)
            at = [bisect(moves, slot.ts) for slot in slots]
        else:
            stops = [home, *r.sample(exits, r.choice((1, 2, 3, 6)))]
            uses = r.uniform(0.3, 1.0)
            chosen = {slot.session: 1 + r.randrange(len(stops) - 1) if r.random() < uses else 0 for slot in slots}
            at = [chosen[slot.session] for slot in slots]
        for stop, part in groupby(zip(at, slots, strict=True), key=lambda pair: pair[0]):
            places, country = stops[stop]
            there = [replace(slot, place=places[hash_text(slot.session) % len(places)]) for _, slot in part]
            world.use(replace(person, country=country), there, CLASS.name)


CLASS = BenignClass("travel and VPN", 0.03, grow, "one account from many addresses and countries within hours, addresses shared with strangers")
