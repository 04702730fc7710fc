"""A-FEB-MM: over 13 million exchanges through one proxy network of 20,000 accounts; within a day of a new model half of it moves there."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import DAY, NEW_MODEL, Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Agentic coding and tool orchestration amid unrelated customers' traffic on the same accounts; sessions move to the new model within 24 hours."""
    crew = Crew(world, planted, scale)
    r = world.rng
    coding, tools = crew.voice("solve", each=2), crew.voice("agent", "solve")

    def unmoved(_: int, person: Persona) -> Persona:
        return replace(person, adopts=False)

    for member in crew.members(1.2, change=unmoved, agents=0.4):
        person = member.person
        mine = r.choice((crew.own(coding, 1), crew.own(coding, 1), crew.own(tools), [*crew.own(coding), *crew.own(tools)]))
        moves = (world.released + r.random() * DAY * min(1.0, world.days / 4)) * 1e6
        using: dict[str, tuple[Wording, bool]] = {}
        for slot in member.slots:
            wording, moved = using.setdefault(slot.session, (r.choice(mine), r.random() < CAMPAIGN_MOVES))
            if moved and slot.ts > moves:
                slot = replace(slot, model=NEW_MODEL)
            if slot.turn > 0 and r.random() < 0.4:
                crew.follow(person, slot, wording)
            else:
                crew.ask(person, slot, wording, crew.job("engineering", person), r.choice(("code", "code", "reason", "prose")))


CAMPAIGN_MOVES = 0.48
"Share of conversations that move to the new model (disclosed: nearly half)."

CAMPAIGN = Disclosed(
    id="A-FEB-MM",
    calls=13_000_000,
    accounts=20_000,
    days=60.0,
    assumptions=(
        "60 days (not disclosed); 20,000 accounts (disclosed: more than 20,000 at once); use is uneven (log-normal, sigma 1.2)",
        "four in ten accounts are surely used through an agent with tools, the others as any customer's",
        "three in ten calls of its accounts are unrelated customers' (disclosed: mixed; no share given) and stand as cover in the truth",
        "each account moves between the appearance of the new model and a day after it, or half a day in a log of two days",
        "six wordings of coding in the languages at hand (up to three), three of orchestration in English; four in ten later turns only ask to go on",
        "the proxy network shows no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
    cover=0.3,
    moves_to=NEW_MODEL,
)
