"""LLM as a judge: rubrics over an organisation's own answers, some with a library that several organisations use."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Half of the judges use one of two common libraries' wordings, half their own."""
    r, until = world.rng, len(world.rows) + calls
    libraries = [world.texts.wording(r, ("grade",), 2) for _ in range(2)]
    while len(world.rows) < until:
        person = world.people.person(world.people.firm() if r.random() < 0.7 else None, "script")
        topic = r.choice(person.topics)
        rubric = r.choice(libraries) if r.random() < 0.5 else world.texts.wording(r, ("grade",), 2, topic, person.language)
        for slot in world.plan(person, world.heavy_tail(25.0, 1.1)):
            question = world.question(person)[0]
            answer = world.texts.document(r, topic, person.language)
            world.say(person, slot, rubric.around(f"{question}\n\n{answer}", person.through_system), "verdict", CLASS.name)


CLASS = BenignClass("LLM-as-judge", 0.05, grow, "grading against rubrics, with one wording among strangers")
