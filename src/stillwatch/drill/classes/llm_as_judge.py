"""LLM as a judge: rubrics over an organisation's own answers, some with a library that several organisations use."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Half of the judges use one of two common libraries' wordings, half their own."""
    until = len(world.rows) + calls
    libraries = [world.texts.wrapper(world.rng, ("grade",), 2) for _ in range(2)]
    while len(world.rows) < until:
        person = world.people.person(world.people.organisation() if world.rng.random() < 0.8 else None, ("steady", "nightly", "bursts", "office"))
        topic = world.rng.choice(person.topics)
        rubric = world.rng.choice(libraries) if world.rng.random() < 0.5 else world.texts.wrapper(world.rng, ("grade",), 2, topic)
        for ts in world.spread(person, world.heavy_tail(40.0, 0.9)):
            question = world.texts.conversation(world.rng, topic)[0][0]
            world.say(person, ts, *rubric(f"{question}\n\n{world.texts.document(world.rng, topic)}"), "verdict", CLASS.name)


CLASS = BenignClass("LLM-as-judge", 0.05, grow, "grading against rubrics, with one wording among strangers")
