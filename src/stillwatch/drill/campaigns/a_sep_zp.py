"""A-SEP-ZP: over 3.4 million exchanges in 17 days from 273 accounts: captured reasoning sent back to be cleaned, graded and normalised."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World

OLDER = "orion-4"
"The model with weaker guards that it falls back to."


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Reasoning written out elsewhere is the material; half of it is cleaned, the rest graded; from the middle on most calls go to an older model."""
    crew = Crew(world, planted, scale)
    r = world.rng
    clean, grade = crew.voice("clean", each=2), crew.voice("appraise", each=2)
    falls_back = (crew.begin + 0.5 * (crew.end - crew.begin)) * 1e6
    for member in crew.members(0.6):
        person = member.person
        cleaning, grading = crew.own(clean), crew.own(grade)
        for slot in member.slots:
            if slot.ts > falls_back and r.random() < 0.7:
                slot = replace(slot, model=OLDER)
            question = crew.job("reasoning", person)
            captured = f"{question}\n\n{world.answers.answer(r, 'reason', question, person.language)}"
            if r.random() < 0.5:
                crew.ask(person, slot, r.choice(cleaning), captured, "reason")
            else:
                crew.ask(person, slot, r.choice(grading), captured, "verdict")


CAMPAIGN = Disclosed(
    id="A-SEP-ZP",
    calls=3_400_000,
    accounts=273,
    days=17.0,
    assumptions=(
        "use is uneven (log-normal, sigma 0.6)",
        "half of the calls clean and normalise, half grade; six wordings of each in English, of which an account uses one",
        "the fall back to an older model begins in the middle of the campaign and takes seven in ten calls",
        "no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
    moves_to=OLDER,
)
