"""A-FEB-DS: over 150,000 exchanges; synchronized, load-balanced, on shared payment methods; reasoning, rubric grading, safe rewrites."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World

JOBS = (("reasoning", "reason", "reason"), ("grading", "grade", "verdict"), ("sensitive", "rewrite", "prose"))
"Material, wording and kind of answer of the three capabilities that were taken."


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Batches released to all accounts at once, each account getting about the same share, on a few dozen cards."""
    crew = Crew(world, planted, scale, shares=CAMPAIGN.infrastructure, offices=False)
    r = world.rng
    voices = {use: crew.voice(task) for use, task, _ in JOBS}
    cards = [world.people.token("card") for _ in range(max(8, scale.accounts // 4))]
    releases = [(crew.begin + r.random() * (crew.end - crew.begin)) * 1e6 for _ in range(max(4, scale.calls // scale.accounts))]

    def on_a_card(index: int, person: Persona) -> Persona:
        return replace(person, payment=cards[index % len(cards)]) if crew.shares else person

    for member in crew.members(0.08, change=on_a_card):
        person, mine = member.person, {use: crew.own(voice, 3) for use, voice in voices.items()}
        for slot in member.slots:
            if slot.turn > 0 and r.random() < 0.3:
                crew.follow(person, slot, r.choice(mine["reasoning"]))
                continue
            use, _, kind = r.choices(JOBS, (5, 3, 2))[0]
            # Synchronized: most calls follow a release by minutes; the rest are retries and stragglers at the account's own hours.
            at = r.choice(releases) + r.expovariate(1 / 240) * 1e6 if r.random() < 0.7 else None
            crew.ask(person, slot, r.choice(mine[use]), crew.job(use, person), kind, at=at)


CAMPAIGN = Disclosed(
    id="A-FEB-DS",
    calls=150_000,
    accounts=300,
    days=30.0,
    assumptions=(
        "300 accounts and 30 days (not disclosed); each gets about the same share (log-normal, sigma 0.08)",
        "one card pays for four accounts; no other infrastructure is shared",
        "half reasoning, three in ten grading, two in ten safe rewrites; three wordings of each, in the languages at hand (up to three)",
        "seven in ten calls follow a common release within minutes",
    ),
    infrastructure=True,
    plant=plant,
)
