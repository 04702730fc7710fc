"""One key shared by a team: many people, addresses and clients on one account."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Several people's days under one account, at all hours when they sit around the world."""
    until = len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.organisation()
        owner = world.people.person(firm)
        left = world.heavy_tail(60.0, 0.8)
        for _ in range(world.rng.randrange(3, 9)):
            member = world.people.person(firm)
            world.chat(replace(member, account=owner.account, signup=owner.signup, plan=owner.plan, payment=owner.payment, org=owner.org), max(1, left // 5), CLASS.name)


CLASS = BenignClass("team key", 0.06, grow, "many addresses and agents on one key, no idle hours")
