"""A-SEP-AL: over 151 million exchanges; one fixed injected prompt that forces reasoning in inline tags; a second pool follows the first."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.grammar import coined
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World

JOBS = (("reasoning", 5), ("engineering", 4))


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Every call carries the injected prompt; homes, throw-away mail and cards of one use each; the first pool is banned part of the way."""
    crew = Crew(world, planted, scale)
    r = world.rng
    injected = crew.voice("inline", languages=["en"], cares=1, forms=1)
    mails = [f"{coined(r, 2)}.{r.choice(('com', 'net', 'org', 'co'))}" for _ in range(max(6, scale.accounts // 40))]

    def thrown_away(_: int, person: Persona) -> Persona:
        homes = tuple(tuple(place for other in world.people.person(alone=True).places[:1] for place in other) for _ in range(r.choice((1, 2, 4))))
        return replace(
            person, mail=r.choice(mails) if r.random() < 0.7 else person.mail,
            payment=world.people.token("card") if person.payment else None, places=(*homes, *person.places),
        )  # fmt: skip

    for member in crew.members(0.9, pools=2, change=None if crew.shares else thrown_away):
        person, wording = member.person, crew.own(injected)[0]
        for slot in member.slots:
            use = r.choices([use for use, _ in JOBS], [weight for _, weight in JOBS])[0]
            crew.ask(person, slot, wording, crew.job(use, person), "reason")


CAMPAIGN = Disclosed(
    id="A-SEP-AL",
    calls=151_000_000,
    accounts=5_000,
    days=92.0,
    assumptions=(
        "5,000 accounts in both pools together (disclosed: a pool of about 5,000, 3,500 at the peak); use is uneven (log-normal, sigma 0.9)",
        "the first pool is six tenths of the accounts and is banned after six tenths of the time; then the second takes over with the same prompt",
        "the injected prompt is one wording in English; what it is put before are tasks of reasoning and engineering",
        "seven in ten accounts have mail at one of a few throw-away domains; each account that pays has a card of its own",
        "one to four residential addresses or leases beside the account's own places",
    ),
    infrastructure=False,
    plant=plant,
)
