"""Product launch spike: a firm's product opens to the public, and a crowd comes at once."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.personas import DAY
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """A few tests before; from the launch on users of all sorts, most in the first hours, dealt evenly over accounts of which some were made for the day."""
    r, until, close = world.rng, len(world.rows) + calls, world.start + world.days * DAY
    while len(world.rows) < until:
        firm = world.people.firm()
        launch = world.start + r.uniform(0.1, 0.75) * world.days * DAY
        users = [world.people.person(conduct="chat") for _ in range(r.randrange(15, 40))]
        product = world.texts.wording(r, (r.choice(("answer", "reply", "explain", "summarise")),), r.randrange(1, 4), users[0].topics[0])
        for count in world.dealt(world.heavy_tail(130.0, 0.4, 300), r.choice((1, 2, 3, 5)), 0.15):
            person = world.people.person(firm, "chat")
            made = int(launch - r.expovariate(1 / (0.6 * DAY)))
            person = replace(person, signup=made if r.random() < 0.6 else min(person.signup, made), rhythm="steady", names_users=r.random() < 0.6)
            first, day = round(count * r.uniform(0.4, 0.65)), round(count * r.uniform(0.15, 0.3))
            windows = [(count - first - day, launch + DAY / 3, close), (day, launch + DAY / 12, launch + DAY), (first, launch, launch + DAY / 8)]
            slots = [slot for many, begin, end in windows if many > 0 for slot in world.plan(person, many, begin, min(end, close))]
            if made > world.start:
                slots += world.plan(person, 1 + r.randrange(5), float(made), launch)
            behind = {slot.session: r.choice(users) for slot in slots}
            for slot in sorted(slots, key=lambda each: each.ts):
                prompt, kind = world.question(behind[slot.session], begins=slot.turn == 0)
                world.say(person, slot, product.around(prompt, person.through_system), kind, CLASS.name)


CLASS = BenignClass("launch spike", 0.02, grow, "new accounts at full rate, volume dealt evenly over them, all in step")
