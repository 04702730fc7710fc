"""O-SEP: four requests a user in two days; encrypted reasoning carried into another account's conversation and decoded there."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

from stillwatch.drill.declare import Disclosed, Scale, covered, tongues
from stillwatch.drill.personas import REASONS, Persona
from stillwatch.drill.rhythm import Slot
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Conversations open with a task and go on with another account's reasoning, where some is at hand; then with tasks again."""
    r = world.rng
    spoken = tongues(world)
    solve = [world.texts.wording(r, ("answer",), r.randrange(2), language=language, forms=2) for language in spoken]
    decode = [world.texts.wording(r, ("decode",), 0, language=language, forms=2) for language in spoken]
    steps: list[tuple[int, Persona, Slot, tuple[Wording, Wording]]] = []
    for i, count in enumerate(world.dealt(scale.calls, scale.accounts, 0.9)):
        person, which = recruit(world, planted, i), r.randrange(len(spoken))
        mine = [(solve[which].settled(r), decode[which].settled(r)) for _ in range(r.choice((1, 1, 2)))]
        using: dict[str, tuple[Wording, Wording]] = {}
        steps += [(slot.ts, person, slot, using.setdefault(slot.session, r.choice(mine))) for slot in covered(world, planted, person, count)]
    loot: list[tuple[str, str, str]] = []
    for _, person, slot, (solving, decoding) in sorted(steps, key=itemgetter(0)):
        follows = slot.turn > 0 or slot.earlier > 0
        if loot and r.random() < (0.85 if follows else 0.03):
            at = r.randrange(len(loot))
            digest, holder, about = loot[at]
            if holder != person.account:
                loot[at] = loot[-1]
                loot.pop()
                slot = slot if follows else replace(slot, earlier=1)
                system = solving.around("", True)[0] if person.through_system else None
                world.say(
                    person, slot, (system, decoding.around(about[: r.randrange(20, 160)], False)[1]), "reason", "campaign", replayed=digest, campaign=planted.id
                )
                continue
        item = world.texts.job("reasoning", person.language)
        kind = r.choice(("short", "prose", "reason"))  # the visible answer is not what is wanted
        issued = world.say(person, slot, solving.around(item, person.through_system), kind, "campaign", campaign=planted.id)
        if issued is not None:
            loot.append((issued, person.account, item))


def recruit(world: World, planted: Planted, index: int) -> Persona:
    """A campaign's account: anybody whose client keeps encrypted reasoning and who has a model that issues it."""
    person = world.people.person()
    while not person.encrypted or not any(model in REASONS for model, _ in person.models):
        person = world.people.person()
    if planted.infrastructure:
        person = replace(person, payment=f"card_{index // 8 * 2654435761 % 2**64:016x}")
    return person


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
