"""LLM gateways: many end users behind a few accounts, whose calls are passed on without some or all of what shows who sent them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import Client, Persona, Place
from stillwatch.drill.rhythm import Slot
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World

NOWHERE = cast(Place, (None, None))
"The address and network that a gateway does not pass on."
STRIPS = ((3, True), (3, True), (2, True), (3, False), (0, True))
"Of User-Agent, headers and TLS fingerprint, how many from the left a gateway takes away; whether it passes sessions on. Addresses it always hides."


def asked(world: World, user: Persona, slot: Slot, wording: Wording, repository: str) -> tuple[tuple[str | None, str], str]:
    """What an end user sends next, in that user's own way, and the kind of answer it asks for."""
    if user.conduct == "script":
        document = world.texts.document(world.rng, user.topics[0], user.language)
        return wording.around(document, user.through_system), world.rng.choice(("label", "short", "text", "text", "prose", "reason"))
    system = wording.around("", True)[0] if user.through_system else None
    if user.conduct == "agent":
        prompt, kind = world.texts.work(world.rng, repository, user.language)
    else:
        prompt, kind = world.question(user, begins=slot.turn == 0)
    return (system or None, prompt), kind


def grow(world: World, calls: int) -> None:
    """Each gateway has one account or some; its users are strangers to one another and do what people do."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm()
        doors = [world.people.person(firm) for _ in range(r.choice((1, 2, 2, 3)))]
        hidden, sessions = r.choice(STRIPS)
        for count in world.dealt(world.heavy_tail(180.0, 0.3, 340), r.randrange(15, 45), 1.2):
            door = r.choice(doors)
            user = replace(world.people.person(alone=True), signup=door.signup)
            through = replace(
                user, account=door.account, owner=door.owner, org=door.org, mail=door.mail, payment=door.payment, plan=door.plan, program=door.program,
                country=None, path="aggregator", keeps_session=user.keeps_session and sessions,
            )  # fmt: skip
            key, name, repository = r.choice(door.keys) if door.keys else None, world.token("u"), world.texts.repository(r)
            slots = world.plan(user, count)
            wordings = {slot.session: r.choice(world.set_up(user)) for slot in slots}
            for slot in slots:
                client = cast(Client, (*(None,) * hidden, *slot.client[hidden:]))
                behind = replace(slot, key=key, user=name, place=NOWHERE, client=client)
                said, kind = asked(world, user, slot, wordings[slot.session], repository)
                world.say(through, behind, said, kind, CLASS.name)


CLASS = BenignClass("stripping gateway", 0.03, grow, "strangers' traffic in step on a few accounts, nothing known of where it came from")
