"""A-JUN: 28.8 million exchanges in 45 days from some 25,000 accounts: software engineering and agentic reasoning through resellers."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import Disclosed, Scale, covered, tongues
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording, kind_of
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """One job list of engineering tasks dealt over accounts, in a handful of wordings, in whatever way each account is used."""
    r = world.rng
    spoken = tongues(world)
    wordings = [world.texts.wording(r, ("solve",), r.randrange(1, 4), language=language, forms=2) for language in (*spoken, "en", "en")]
    shared = [world.people.firm() for _ in range(6)] if planted.infrastructure else []
    for i, count in enumerate(world.dealt(scale.calls, scale.accounts, 1.4)):
        person = world.people.person()
        if r.random() < 0.15:
            person = replace(person, path="aggregator")
        if shared:
            firm = shared[i % 6]
            person = replace(person, payment=firm.payment, clients=person.clients[:1], places=(firm.office, *person.places))
        mine = [wordings[which].settled(r) for which in r.sample(range(len(wordings)), r.choice((1, 2, 3)))]
        using: dict[str, Wording] = {}
        for slot in covered(world, planted, person, count):
            wording = using.setdefault(slot.session, r.choice(mine))
            if slot.turn > 0 and r.random() < 0.4:
                world.follow(person, slot, wording, planted.id)
                continue
            item = world.texts.job("engineering", person.language)
            said = wording.around(item, person.through_system)
            world.say(person, slot, said, r.choice((kind_of(item), "code", "reason")), "campaign", campaign=planted.id)


CAMPAIGN = Disclosed(
    id="A-JUN",
    calls=28_800_000,
    accounts=25_000,
    days=45.0,
    assumptions=(
        "25.6 calls per account and day on average, spread as unevenly as use is (log-normal, sigma 1.4)",
        "accounts bought from resellers look like any customer's; three in ten come through an aggregator",
        "five wordings in the languages at hand (up to three), with paraphrased pieces, each account using one to three; four in ten later turns of a conversation only ask to go on",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
