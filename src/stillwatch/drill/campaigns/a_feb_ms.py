"""A-FEB-MS: over 3.4 million exchanges by several access paths: agentic work, code, data, vision; later, reasoning traces rebuilt."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World

PATHS = ("native", "cloud", "aggregator")


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """A job list of engineering and analysis, some of it with pictures; in the last two fifths a third of the calls rebuild how an answer was found."""
    crew = Crew(world, planted, scale)
    r = world.rng
    work, look, rebuild = crew.voice("solve", each=2), crew.voice("answer"), crew.voice("rebuild")
    later = (crew.begin + 0.6 * (crew.end - crew.begin)) * 1e6

    def by_path(index: int, person: Persona) -> Persona:
        return person if person.path is None else replace(person, path=PATHS[index % len(PATHS)])

    for member in crew.members(1.1, change=by_path, agents=0.4):
        person = member.person
        solving, looking, rebuilding = crew.own(work, r.choice((1, 2))), crew.own(look)[0], crew.own(rebuild)[0]
        for slot in member.slots:
            if slot.ts > later and r.random() < 1 / 3:
                task = crew.job("engineering", person)
                crew.ask(person, slot, rebuilding, f"{task}\n\n{world.answers.answer(r, 'prose', task, person.language)}", "reason")
            elif slot.turn > 0 and r.random() < 0.35:
                crew.follow(person, slot, r.choice(solving))
            elif r.random() < 0.12:
                seen = replace(slot, images=r.choice((1, 1, 2)), attached=slot.attached + r.randrange(400, 1600))
                crew.ask(person, seen, looking, world.texts.document(r, person.topics[0], person.language), "prose")
            else:
                crew.ask(person, slot, r.choice(solving), crew.job("engineering", person), r.choice(("code", "code", "reason")))


CAMPAIGN = Disclosed(
    id="A-FEB-MS",
    calls=3_400_000,
    accounts=600,
    days=60.0,
    assumptions=(
        "600 accounts (disclosed: hundreds) and 60 days (not disclosed); use is uneven (log-normal, sigma 1.1)",
        "accounts are spread evenly over three access paths, but for those whose path the log does not know",
        "four in ten accounts are surely used through an agent with tools, the others as any customer's",
        "one call in eight carries one or two pictures; six wordings of work and three of pictures in the languages at hand (up to three), three of rebuilding in English",
        "rebuilding begins after three fifths of the campaign and makes a third of the calls from then on",
        "one in three later turns of a conversation only asks to go on; no cards or addresses in common unless infrastructure is switched on",
    ),
    infrastructure=False,
    plant=plant,
)
