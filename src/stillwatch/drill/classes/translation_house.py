"""Translation house: translators' accounts put customers' documents through the house's wording, each into languages of its own."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.texts import Wording
from stillwatch.drill.world import World

ASKED_BACK = ["{Shorter|Again, shorter|More formal}{ please|}: <t>.", "{Is|Would} <t> {right|fit} here, {when|if} <c>?"]
"What a translator says to a translation."


def into(wording: Wording, tongues: list[str], tongue: str) -> Wording:
    """The same wording with another language named in it."""
    pieces = []
    for piece in wording.pieces:
        named = next((each for each in tongues if any(each in form for form in piece)), tongue)
        pieces.append(tuple(form.replace(named, tongue) for form in piece))
    return replace(wording, pieces=tuple(pieces))


def grow(world: World, calls: int) -> None:
    """Two to seven accounts a house; one wording that differs by the language named; jobs of many segments, shorter ones asked for again."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm()
        language = r.choice(("en", "en", *world.texts.language))
        tongues = world.texts.words(language, "answer", "tongue")
        house = world.texts.wording(r, ("translate",), r.randrange(1, 4), language=language)
        customers = r.sample(world.texts.topics(), r.choice((2, 3, 5)))
        for count in world.dealt(world.heavy_tail(120.0, 0.45, 320), r.randrange(2, 8), 0.8):
            person = world.people.person(firm, r.choice(("script", "chat")))
            own = [into(house, tongues, tongue) for tongue in r.sample(tongues, min(len(tongues), r.choice((1, 1, 2))))]
            for slot in world.plan(person, count):
                if slot.turn > 0 and r.random() < 0.35:
                    about = world.texts.aside(r, ASKED_BACK, language, customers[0])
                    world.say(person, slot, (None, about), "short", CLASS.name)
                    continue
                segment = world.texts.document(r, r.choice(customers), language)
                world.say(person, slot, r.choice(own).around(segment, person.through_system), "text", CLASS.name)


CLASS = BenignClass("translation house", 0.02, grow, "variants of one wording on several accounts, one narrow task, open loop")
