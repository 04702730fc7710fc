"""One key shared by a team: many people, addresses and clients on one account."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Several people's days under one account, at all hours when they sit around the world."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm()
        owner = world.people.person(firm)
        left = world.heavy_tail(40.0, 1.0)
        for _ in range(r.randrange(3, 9)):
            member = world.people.person(firm)
            member = replace(
                member, account=owner.account, owner=owner.owner, org=owner.org, mail=owner.mail, signup=owner.signup, plan=owner.plan, payment=owner.payment,
                keys=owner.keys, program=owner.program,
            )  # fmt: skip
            world.use(member, world.plan(member, max(1, left // 5)), CLASS.name)


CLASS = BenignClass("team key", 0.05, grow, "many addresses and agents on one key, no idle hours")
