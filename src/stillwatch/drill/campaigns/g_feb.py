"""G-FEB: over 100,000 prompts that coerce a model into writing out its reasoning, in many languages other than English."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Each account keeps to one language; two families of coercion: reasoning written out, and earlier reasoning put into another language."""
    crew = Crew(world, planted, scale)
    r = world.rng
    tongues = [code for code in world.texts.language if code != "en"]
    coerce = crew.voice("reason", languages=tongues, each=3)
    other_tongue = crew.voice("translate", languages=tongues)

    def speaks(index: int, person: Persona) -> Persona:
        return replace(person, language=tongues[index % len(tongues)])

    for member in crew.members(0.9, change=speaks):
        person = member.person
        coercing, translating = crew.own(coerce, r.choice((1, 2)), person.language), crew.own(other_tongue, 1, person.language)[0]
        for slot in member.slots:
            if slot.turn > 0 and r.random() < 0.35:
                crew.follow(person, slot, r.choice(coercing))
                continue
            task = crew.job("reasoning", person)
            if r.random() < 0.15:
                crew.ask(person, slot, translating, world.answers.answer(r, "reason", task, person.language), "reason")
            else:
                crew.ask(person, slot, r.choice(coercing), task, "reason")


CAMPAIGN = Disclosed(
    id="G-FEB",
    calls=100_000,
    accounts=1_000,
    days=30.0,
    assumptions=(
        "1,000 accounts and 30 days (not disclosed); use is uneven (log-normal, sigma 0.9)",
        "every language at hand but English, in equal parts, one an account; three wordings a language, each account using one or two",
        "three calls in twenty have earlier reasoning translated, the rest ask for reasoning before the answer; one in three later turns only asks to go on",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
