"""O-SEP: four requests a user in two days; encrypted reasoning carried into another account's conversation and decoded there."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Half of each account's requests solve a task, the others decode reasoning that another account was issued."""
    solve = [world.texts.wrapper(world.rng, ("answer",), 1) for _ in range(4)]
    decode = [world.texts.wrapper(world.rng, ("decode",), 1) for _ in range(4)]
    loot: list[tuple[str, str]] = []
    for i in range(scale.accounts):
        person = recruit(world, planted, i)
        count = max(1, round(scale.calls / scale.accounts + world.rng.choice((-1, 0, 0, 1))))
        for ts in world.spread(person, count):
            item = world.texts.job("reasoning")
            if loot and world.rng.random() < 0.5:
                digest, about = loot.pop(world.rng.randrange(len(loot)))
                world.say(person, ts, *world.rng.choice(decode)(about[:160]), "reason", "campaign", session=world.token("s_"), turns=3, back=[digest], campaign=planted.id)
                continue
            digest = world.say(person, ts, *world.rng.choice(solve)(item), "reason", "campaign", session=world.token("s_"), campaign=planted.id)
            if digest is not None:
                loot.append((digest, item))
        cover(world, planted, person, count)


def recruit(world: World, planted: Planted, index: int) -> Persona:
    """A campaign's account: anybody, with a client that keeps encrypted reasoning (half of the models issue it)."""
    person = replace(world.people.person(), encrypted=True)
    if not any("reason" in model for model, _ in person.models):
        person = replace(person, models=(*person.models, ("orion-reason", 1.0)))
    return person


def cover(world: World, planted: Planted, person: Persona, count: int) -> None:
    """Ordinary use beside the job, by the same code as innocents'."""
    if planted.cover > 0:
        world.chat(person, round(count * planted.cover / (1 - planted.cover)), "campaign", planted.id)


CAMPAIGN = Disclosed(
    id="O-SEP",
    calls=16_000,
    accounts=4_000,
    days=2.0,
    assumptions=(
        "4,000 accounts (disclosed: more than 4,000 in the request set)",
        "half of the requests issue reasoning and half replay it",
        "each account is its own organisation, paid and addressed like any customer's",
        "the tasks are mathematics",
    ),
    infrastructure=False,
    plant=plant,
)
