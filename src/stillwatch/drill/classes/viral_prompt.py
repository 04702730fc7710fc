"""A prompt goes viral: new wording, within days, among strangers, each on their own business, beside their other use."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Two wordings a world, tried once to a few times by people who chat anyway, from some day on."""
    r, until = world.rng, len(world.rows) + calls
    virals = [world.texts.wording(r, ("viral",), 1, language=language) for language in ("en", r.choice(list(world.texts.language)))]
    begins = [(world.start + r.uniform(0, 0.5) * world.days * DAY) * 1e6 for _ in virals]
    while len(world.rows) < until:
        person = world.people.person(conduct="chat")
        which = int(r.random() < 0.25)
        slots = world.plan(person, world.heavy_tail(7.0, 1.2))
        open_ = [slot for slot in slots if slot.ts >= begins[which]]
        tried = {slot.ts for slot in r.sample(open_, min(len(open_), r.choice((1, 1, 2, 2, 3, 5))))}
        for slot in slots:
            if slot.ts in tried:
                about = world.question(person)[0]
                world.say(person, slot, virals[which].around(about, False), "prose", CLASS.name)
            else:
                world.use(person, [slot], CLASS.name)


CLASS = BenignClass("viral prompt", 0.05, grow, "a new wording among strangers, used again in other prompts")
