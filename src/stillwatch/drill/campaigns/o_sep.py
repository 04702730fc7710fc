"""O-SEP: four requests a user in two days; encrypted reasoning carried into another account's conversation and decoded there."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

from stillwatch.drill.crew import Crew, Loot
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.rhythm import Slot
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Conversations open with a task and go on with another account's reasoning, where some is at hand; then with tasks again."""
    crew = Crew(world, planted, scale)
    r = world.rng
    solve, decode = crew.voice("answer", cares=1), crew.voice("decode", cares=0)
    steps: list[tuple[int, Persona, Slot, tuple[Wording, Wording]]] = []
    for member in crew.members(0.9, replays=True):
        count, language = r.choice((1, 1, 2)), r.choice(crew.languages)
        mine = [(crew.own(solve, 1, language)[0], crew.own(decode, 1, language)[0]) for _ in range(count)]
        using: dict[str, tuple[Wording, Wording]] = {}
        steps += [(slot.ts, member.person, slot, using.setdefault(slot.session, r.choice(mine))) for slot in member.slots]
    loot = Loot(r)
    for _, person, slot, (solving, decoding) in sorted(steps, key=itemgetter(0)):
        follows = slot.turn > 0 or slot.earlier > 0
        taken = loot.take(person) if r.random() < (0.85 if follows else 0.03) else None
        if taken is not None:
            digest, about = taken
            slot = slot if follows else replace(slot, earlier=1)
            crew.ask_within(person, slot, solving, decoding, about[: r.randrange(20, 160)], "reason", replayed=digest)
            continue
        item = crew.job("reasoning", person)
        kind = r.choice(("short", "prose", "reason"))  # the visible answer is not what is wanted
        loot.keep(crew.ask(person, slot, solving, item, kind), person, item)


CAMPAIGN = Disclosed(
    id="O-SEP",
    calls=16_000,
    accounts=4_000,
    days=2.0,
    assumptions=(
        "4,000 accounts (disclosed: more than 4,000 in the request set)",
        "4 calls per account on average, spread unevenly (log-normal, sigma 0.9)",
        "most requests that continue a conversation replay reasoning issued to another account",
        "each account is its own organisation, paid and addressed like any customer's",
        "the tasks are mathematics; wordings in the languages at hand (up to three), each with paraphrased pieces",
    ),
    infrastructure=False,
    plant=plant,
)
