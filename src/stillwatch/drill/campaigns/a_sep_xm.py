"""A-SEP-XM: over 400,000 exchanges in 20 days from some 1,500 accounts: own users' agent sessions replayed."""

from __future__ import annotations

from stillwatch.drill.crew import Crew, Loot, Users
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Agent sessions of the relay's users, recorded and played again on its accounts, some of them on more than one, with the reasoning they carried."""
    crew = Crew(world, planted, scale)
    r = world.rng
    player = crew.voice("agent", "relay", each=2)
    users = Users(world, scale.calls // 20, ("agent",))
    recorded: dict[str, list[tuple[str, str]]] = {}
    steps = []
    for member in crew.members(0.9, replays=True, agents=0.6):
        wordings = crew.own(player)
        steps += [(slot.ts, member.index, slot, member.person, wordings[0]) for slot in member.slots]
    playing: dict[str, list[tuple[str, str]]] = {}
    loot = Loot(r)
    for _, _, slot, person, wording in sorted(steps, key=lambda step: step[:2]):
        if slot.session not in playing:
            again = bool(recorded) and r.random() < AGAIN
            playing[slot.session] = list(r.choice(list(recorded.values()))) if again else []
        if playing[slot.session]:
            turn = playing[slot.session].pop(0)
        else:
            turn = users.turn(slot)
            recorded.setdefault(slot.session, []).append(turn)
        taken = loot.take(person) if (slot.turn > 0 or slot.earlier > 0) and r.random() < 0.3 else None
        loot.keep(crew.relay(person, slot, wording, turn, replayed=taken[0] if taken else None), person)


AGAIN = 0.25
"Share of sessions that were played before on some account."

CAMPAIGN = Disclosed(
    id="A-SEP-XM",
    calls=400_000,
    accounts=1_500,
    days=20.0,
    assumptions=(
        "1,500 accounts (disclosed: about 1,500); use is uneven (log-normal, sigma 0.9)",
        "six wordings of the player in English, one an account; a quarter of the sessions were played before on some account",
        "six in ten accounts are surely used through an agent with tools, the others as any customer's",
        "three in ten requests that continue a conversation carry reasoning that another account was issued, each reference once",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
