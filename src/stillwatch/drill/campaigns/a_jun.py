"""A-JUN: 28.8 million exchanges in 45 days from some 25,000 accounts: software engineering and agentic reasoning through resellers."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.campaigns.o_sep import cover
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """One job list of engineering tasks dealt over accounts, in a handful of wordings; a quarter of the tasks go on for a few turns."""
    wordings = [world.texts.wrapper(world.rng, ("solve",), world.rng.randrange(1, 4)) for _ in range(5)]
    shared = [world.people.organisation() for _ in range(6)] if planted.infrastructure else []
    for i in range(scale.accounts):
        person = world.people.person()
        if world.rng.random() < 0.6:
            person = replace(person, path="aggregator")
        if shared:
            person = replace(person, payment=shared[i % 6]["payment"], clients=person.clients[:1], addresses=(shared[i % 6]["office"], *person.addresses))
        count = max(1, round(scale.calls / scale.accounts * world.rng.lognormvariate(-0.18, 0.6)))
        when = world.spread(person, count)
        while when:
            wording, session, turn, back = world.rng.choice(wordings), world.token("s_"), 0, None
            for _ in range(world.rng.choice((1, 1, 1, 3, 5))):
                if not when:
                    break
                kind = world.rng.choice(("code", "code", "prose", "reason"))
                digest = world.say(
                    person, when.pop(0), *wording(world.texts.job("engineering")), kind, "campaign", session=session, turns=2 * turn + 1,
                    offers=True, back=back, campaign=planted.id,
                )  # fmt: skip
                back, turn = [digest] if digest else None, turn + 1
        cover(world, planted, person, count)


CAMPAIGN = Disclosed(
    id="A-JUN",
    calls=28_800_000,
    accounts=25_000,
    days=45.0,
    assumptions=(
        "25.6 calls per account and day, spread unevenly between accounts (log-normal, sigma 0.6)",
        "accounts bought from resellers look like any customer's; three in five come through an aggregator",
        "five wordings, each account using all of them; two in five tasks take three turns or five",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
