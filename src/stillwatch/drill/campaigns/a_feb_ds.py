"""A-FEB-DS: over 150,000 exchanges; synchronized, load-balanced, on shared payment methods; reasoning, rubric grading, safe rewrites."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import Disclosed, Scale, covered, tongues
from stillwatch.drill.personas import DAY
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World

JOBS = (("reasoning", "reason", "reason"), ("grading", "grade", "verdict"), ("sensitive", "rewrite", "prose"))
"Material, wording and kind of answer of the three capabilities that were taken."


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Batches released to all accounts at once, each account getting about the same share, on a few dozen cards."""
    r = world.rng
    spoken = tongues(world)
    wordings = {use: [world.texts.wording(r, (task,), r.randrange(1, 3), language=language, forms=2) for language in spoken] for use, task, _ in JOBS}
    shares = planted.infrastructure if planted.infrastructure is not None else CAMPAIGN.infrastructure
    cards = [world.people.token("card") for _ in range(max(8, scale.accounts // 4))]
    end = int((world.start + world.days * DAY) * 1e6)
    releases = [world.start * 1e6 + r.random() * world.days * DAY * 1e6 for _ in range(max(4, scale.calls // scale.accounts))]
    for i in range(scale.accounts):
        person = world.people.person()
        if shares:
            person = replace(person, payment=cards[i % len(cards)], org=None, owner=person.account)
        mine = {use: [wording.settled(r) for wording in found] for use, found in wordings.items()}
        count = max(1, round(scale.calls / scale.accounts + r.gauss(0, 2.5)))
        for slot in covered(world, planted, person, count):
            if slot.turn > 0 and r.random() < 0.3:
                world.follow(person, slot, r.choice(mine["reasoning"]), planted.id)
                continue
            use, _, kind = r.choices(JOBS, (5, 3, 2))[0]
            # Synchronized: most calls follow a release by minutes; the rest are retries and stragglers at the account's own hours.
            ts = int(r.choice(releases) + r.expovariate(1 / 240) * 1e6) if r.random() < 0.7 else slot.ts
            wording = r.choice(mine[use])
            said = wording.around(world.texts.job(use, person.language), person.through_system)
            world.say(person, slot, said, kind, "campaign", ts=min(end - 1, ts), campaign=planted.id)


CAMPAIGN = Disclosed(
    id="A-FEB-DS",
    calls=150_000,
    accounts=300,
    days=30.0,
    assumptions=(
        "300 accounts and 30 days (not disclosed)",
        "one card pays for four accounts; no other infrastructure is shared",
        "half reasoning, three in ten grading, two in ten safe rewrites; three wordings of each, in the languages at hand (up to three)",
        "seven in ten calls follow a common release within minutes",
    ),
    infrastructure=True,
    plant=plant,
)
