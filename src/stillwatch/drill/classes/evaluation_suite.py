"""Evaluation suites: unrelated organisations run one public list through one harness."""

from __future__ import annotations

from stillwatch.drill.declare import BenignClass
from stillwatch.drill.world import World


def grow(world: World, calls: int) -> None:
    """Some suites, each run by several organisations, whole or in large part, once or every night, on one account or a few."""
    r, until = world.rng, len(world.rows) + calls
    while len(world.rows) < until:
        language = r.choice(("en", "en", *world.texts.language))
        harness = world.texts.wording(r, ("reason",) if r.random() < 0.4 else ("answer",), 1, language=language)
        items = world.texts.suite(r, r.choice((60, 100, 160, 200)), language)
        kind = r.choice(("label", "short", "reason"))
        for _ in range(r.choice((2, 4, 8, 12))):
            firm = world.people.firm() if r.random() < 0.7 else None
            members = [world.people.person(firm, "script", alone=firm is None) for _ in range(1 if firm is None else r.choice((1, 1, 2)))]
            least = min(len(items), world.scenario.least_calls)
            chosen = r.sample(items, max(least, round(len(items) * r.choice((0.5, 0.8, 1.0, 1.0)))))
            for i, person in enumerate(members):
                part = chosen[i :: len(members)] * (2 if person.rhythm == "nightly" and r.random() < 0.3 else 1)
                for slot, item in zip(world.plan(person, len(part)), part, strict=True):
                    world.say(person, slot, harness.around(item, person.through_system), kind, CLASS.name)
            if len(world.rows) >= until:
                return


CLASS = BenignClass("evaluation suite", 0.06, grow, "one wording among strangers, instructions that never repeat, reasoning asked for")
