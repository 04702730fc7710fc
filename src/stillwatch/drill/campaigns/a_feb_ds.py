"""A-FEB-DS: over 150,000 exchanges; synchronized, load-balanced, on shared payment methods; reasoning, rubric grading, safe rewrites."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.campaigns.o_sep import cover
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World

JOBS = (("reasoning", "reason", "reason"), ("grading", "grade", "verdict"), ("sensitive", "rewrite", "prose"))
"Material, wording and kind of answer of the three capabilities that were taken."


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Batches released to all accounts at once, each account getting about the same share, on a few dozen cards."""
    wordings = {use: [world.texts.wrapper(world.rng, (task,), world.rng.randrange(1, 3)) for _ in range(3)] for use, task, _ in JOBS}
    shares = planted.infrastructure if planted.infrastructure is not None else CAMPAIGN.infrastructure
    cards = [world.token("card_") for _ in range(max(8, scale.accounts // 8))]
    pool = world.people.person(rhythms=("steady",))
    releases = sorted(world.spread(pool, max(4, scale.calls // scale.accounts)))
    for i in range(scale.accounts):
        person = world.people.person()
        if shares:
            person = replace(person, payment=cards[i % len(cards)], org=None)
        count = max(1, round(scale.calls / scale.accounts + world.rng.gauss(0, 2.5)))
        for _ in range(count):
            use, _, kind = world.rng.choices(JOBS, (5, 3, 2))[0]
            # Synchronized: most calls follow a release by minutes; the rest are retries and stragglers at the account's own hours.
            ts = world.rng.choice(releases) + int(world.rng.expovariate(1 / 240) * 1e6) if world.rng.random() < 0.7 else world.spread(person, 1)[0]
            world.say(person, ts, *world.rng.choice(wordings[use])(world.texts.job(use)), kind, "campaign", campaign=planted.id)
        cover(world, planted, person, count)


CAMPAIGN = Disclosed(
    id="A-FEB-DS",
    calls=150_000,
    accounts=300,
    days=30.0,
    assumptions=(
        "300 accounts and 30 days (not disclosed)",
        "one card pays for eight accounts; no other infrastructure is shared",
        "half reasoning, three in ten grading, two in ten safe rewrites; three wordings of each",
        "seven in ten calls follow a common release within minutes",
    ),
    infrastructure=True,
    plant=plant,
)
