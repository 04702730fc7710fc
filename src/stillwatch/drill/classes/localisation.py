"""Localisation: the same strings of a product are put into many languages, each language by another account or program run."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World

STRINGS = [
    "{Your|The} <t> {is ready|was saved|could not be loaded|expires in %1 days}.",
    "{Choose|Add|Remove|Rename|Share} {a|this|your} <t>{ for <who>|}",
    "{No|%1} <t> {found|selected|left}{; <c>|}",
    "{Are you sure you want to|Do you really want to} {delete|reset|send} {the|this} <t>?",
    "{Welcome|Welcome back|Hello}, %name%! {Start with|Have a look at} <t>.",
    "{Error|Notice} <n>: <t> {failed|timed out|is locked by <name>}",
    "{Learn|Read} {more |}about <t> {and|&} <t>",
]
"Strings of a user interface."
KEYS = ("{0}\n{1}", "[{0}] {1}", "{1}\n-> {0}", "lang={0}; text={1}")
"How a program names the language beside the string."


def grow(world: World, calls: int) -> None:
    """A table of strings a product; every language gets most of it, by accounts that split the languages or share all of them."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        firm = world.people.firm()
        topics = r.sample(world.texts.topics(), 2)
        tongues = list(world.texts.words("en", "answer", "tongue"))
        wording, key = world.texts.wording(r, ("localise",), r.randrange(0, 3), topics[0]), r.choice(KEYS)
        accounts, total = r.choice((1, 2, 3, 4)), world.heavy_tail(120.0, 0.5, 320)
        table = [world.texts.aside(r, STRINGS, "en", r.choice(topics)) for _ in range(max(8, total // r.choice((4, 5, 6, 7))))]
        splits = r.random() < 0.6
        for i, count in enumerate(world.dealt(total, accounts, 0.4)):
            person = world.people.person(firm, "script")
            mine = (tongues[i::accounts] if splits else r.sample(tongues, r.randrange(3, 7))) or tongues
            cells = [(tongue, string) for tongue in mine for string in table if r.random() < 0.95]
            at = r.randrange(len(cells))
            for j, slot in enumerate(world.plan(person, count)):
                tongue, string = cells[(at + j) % len(cells)]
                world.say(person, slot, wording.around(key.format(tongue, string), person.through_system), "short", CLASS.name)


CLASS = BenignClass("localisation", 0.015, grow, "a table of instructions swept without a gap and dealt over accounts, open loop")
