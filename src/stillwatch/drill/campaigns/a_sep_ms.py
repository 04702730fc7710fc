"""A-SEP-MS: over 23 million exchanges: own users' prompts silently relayed, encrypted reasoning replayed across conversations."""

from __future__ import annotations

from stillwatch.drill.crew import Crew, Loot, Users
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """The relay's own words around what its users ask; a conversation's turns go out on whichever account is free, with the reasoning of the others."""
    crew = Crew(world, planted, scale)
    r = world.rng
    own_words = crew.voice("relay", each=2)
    users = Users(world, scale.calls // 9, ("chat", "chat", "chat", "agent"))
    steps = []
    for member in crew.members(0.8, replays=True):
        wordings, using = crew.own(own_words, r.choice((1, 2))), dict[str, Wording]()
        steps += [(slot.ts, member.index, slot, member.person, using.setdefault(slot.session, r.choice(wordings))) for slot in member.slots]
    loot = Loot(r)
    for _, _, slot, person, wording in sorted(steps, key=lambda step: step[:2]):
        taken = loot.take(person) if (slot.turn > 0 or slot.earlier > 0) and r.random() < 0.6 else None
        loot.keep(crew.relay(person, slot, wording, users.turn(slot), replayed=taken[0] if taken else None), person)


CAMPAIGN = Disclosed(
    id="A-SEP-MS",
    calls=23_000_000,
    accounts=5_380,
    days=92.0,
    assumptions=(
        "May to July, 92 days; use is uneven (log-normal, sigma 0.8)",
        "users' prompts are those of ordinary people, three in four from chats; six wordings of the relay in English, in the system prompt or before the first turn",
        "six in ten requests that continue a conversation replay reasoning that another account was issued, each reference once",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
