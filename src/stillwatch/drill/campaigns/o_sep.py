"""O-SEP: four requests a user in two days; encrypted reasoning carried into another account's conversation and decoded there."""

from __future__ import annotations

from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Conversations of two requests: a task, then a continuation that carries what another account was issued, to be decoded."""
    solve = [world.texts.wrapper(world.rng, ("answer",), 1) for _ in range(4)]
    decode = [world.texts.wrapper(world.rng, ("decode",), 1) for _ in range(4)]
    loot: list[tuple[str, str]] = []
    for _ in range(scale.accounts):
        person = world.people.person()
        count = max(1, round(scale.calls / scale.accounts + world.rng.choice((-2, -1, 0, 0, 1, 2))))
        session = ""
        for i, ts in enumerate(world.spread(person, count)):
            kind = world.rng.choice(("reason", "reason", "prose", "short"))
            if i % 2 == 0 or not loot:
                session, item = world.token("s_"), world.texts.job("reasoning")
                digest = world.say(person, ts, *world.rng.choice(solve)(item), kind, "campaign", session=session, campaign=planted.id)
                if digest is not None:
                    loot.append((digest, item))
                continue
            digest, about = loot.pop(world.rng.randrange(len(loot)))
            # A client that keeps no reasoning cannot carry it: such an account only puts the next question.
            back, words = ([digest], world.rng.choice(decode)) if person.encrypted else (None, world.rng.choice(solve))
            world.say(person, ts, *words(about if person.encrypted else world.texts.job("reasoning")), kind, "campaign", session=session, turns=3, back=back, campaign=planted.id)
        cover(world, planted, person, count)


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
        "conversations of two requests, the second of which replays where the client keeps encrypted reasoning",
        "each account is its own organisation, paid and addressed like any customer's",
        "the tasks are mathematics",
    ),
    infrastructure=False,
    plant=plant,
)
