"""A-JUN: 28.8 million exchanges in 45 days from some 25,000 accounts: software engineering and agentic reasoning through resellers."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording, kind_of
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """One job list of engineering tasks dealt over accounts, in a handful of wordings, in whatever way each account is used."""
    crew = Crew(world, planted, scale)
    r = world.rng
    solve = crew.voice("solve", languages=[*crew.languages, "en", "en"])

    def resold(_: int, person: Persona) -> Persona:
        return replace(person, path="aggregator") if r.random() < 0.15 else person

    for member in crew.members(1.4, change=resold, agents=0.2):
        person, mine = member.person, crew.own(solve, r.choice((1, 2, 3)))
        using: dict[str, Wording] = {}
        for slot in member.slots:
            wording = using.setdefault(slot.session, r.choice(mine))
            if slot.turn > 0 and r.random() < 0.4:
                crew.follow(person, slot, wording)
                continue
            item = crew.job("engineering", person)
            crew.ask(person, slot, wording, item, r.choice((kind_of(item), "code", "reason")))


CAMPAIGN = Disclosed(
    id="A-JUN",
    calls=28_800_000,
    accounts=25_000,
    days=45.0,
    assumptions=(
        "25.6 calls per account and day on average, spread as unevenly as use is (log-normal, sigma 1.4)",
        "two in ten accounts are surely used through an agent with tools, the others as any customer's",
        "accounts bought from resellers look like any customer's; three in ten come through an aggregator",
        "five wordings in the languages at hand (up to three), with paraphrased pieces, each account using one to three; four in ten later turns of a conversation only ask to go on",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
