"""A-SEP-DS: over 12.1 million exchanges in 14 days: users' prompts relayed inside tagged harness strings, reasoning replayed."""

from __future__ import annotations

from stillwatch.drill.crew import Crew, Loot, Users
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """A harness marks each relayed prompt with strings of its own; references to reasoning are replayed on other accounts."""
    crew = Crew(world, planted, scale)
    r = world.rng
    harness = crew.voice("harness", "relay", cares=0, languages=["en"], each=3, forms=1)
    users = Users(world, scale.calls // 9, ("chat", "agent", "agent"))
    steps = []
    for member in crew.members(0.7, replays=True):
        strings, using = crew.own(harness, r.choice((1, 2))), dict[str, Wording]()
        steps += [(slot.ts, member.index, slot, member.person, using.setdefault(slot.session, r.choice(strings))) for slot in member.slots]
    loot = Loot(r)
    for _, _, slot, person, wording in sorted(steps, key=lambda step: step[:2]):
        taken = loot.take(person) if (slot.turn > 0 or slot.earlier > 0) and r.random() < 0.4 else None
        loot.keep(crew.relay(person, slot, wording, users.turn(slot), replayed=taken[0] if taken else None), person)


CAMPAIGN = Disclosed(
    id="A-SEP-DS",
    calls=12_100_000,
    accounts=3_000,
    days=14.0,
    assumptions=(
        "3,000 accounts (not disclosed); use is uneven (log-normal, sigma 0.7)",
        "three harness strings in English, each with a tag, of which an account uses one or two; they stand in the system prompt or before the first turn; the prompts inside are ordinary people's, two in three from agents",
        "four in ten requests that continue a conversation replay reasoning that another account was issued, each reference once",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
