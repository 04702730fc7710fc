"""A new agent framework: within days strangers put it around their prompts, each in a repository of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.grammar import coined
from stillwatch.drill.personas import DAY, NOUNS, VERBS, Client
from stillwatch.drill.world import World


def releases(world: World, library: str) -> tuple[Client, ...]:
    """The framework's client in its first versions."""
    name = coined(world.rng, 2)
    return tuple((f"{name}/0.{version}", world.people.token("h"), library) for version in range(1, 4))


def grow(world: World, calls: int) -> None:
    """Its wording and tools are new to the log; people come to it one after another and keep what they did before; some add rules of their project."""
    r, until = world.rng, len(world.rows) + calls
    framework = world.texts.wording(r, ("agent",) * 5, 3)
    clients = releases(world, world.people.person(conduct="agent").clients[0][2])
    box = tuple(dict.fromkeys(f"{r.choice(VERBS)}_{r.choice(NOUNS)}" for _ in range(20)))[:12]
    published = world.scenario.start + r.uniform(0.0, 0.3) * world.scenario.days * DAY
    while len(world.rows) < until:
        person = world.people.person(conduct="agent")
        repository = world.texts.repository(r)
        since = (published + r.random() * 0.6 * world.scenario.days * DAY) * 1e6
        client, tools = r.choice(clients), box[: r.choice((6, 8, 9, 12))]
        rules = world.texts.wording(r, (), 2, person.topics[0], person.language).around("", True)[0] if r.random() < 0.4 else None
        system = "\n\n".join(part for part in (framework.around("", True)[0], rules) if part)
        slots = world.plan(person, world.heavy_tail(16.0, 1.1, 240))
        other = {slot.session for slot in slots if slot.ts < since or (slot.turn == 0 and r.random() < 0.1)}
        for as_before, part in groupby(slots, key=lambda slot: slot.session in other):
            if as_before:
                world.use(person, list(part), CLASS.name)
                continue
            for slot in part:
                prompt, kind = world.texts.work(r, repository, person.language)
                world.say(person, replace(slot, client=client, tools=tools if slot.tools else None), (system, prompt), kind, CLASS.name)


CLASS = BenignClass("new framework", 0.03, grow, "a new wording, client and tools among strangers within days, narrow work")
