"""F-OCT: over 20,000 organisations in three days draw inference from a coding product without its client ever being seen."""

from __future__ import annotations

from dataclasses import replace

from stillwatch.drill.crew import Crew, Users
from stillwatch.drill.declare import Disclosed, Scale
from stillwatch.drill.personas import Persona
from stillwatch.drill.scenario import Planted
from stillwatch.drill.world import World


def plant(world: World, planted: Planted, scale: Scale) -> None:
    """Organisations of one account each; the official client's name is sent, its telemetry never; a gateway's words around strangers' work."""
    crew = Crew(world, planted, scale)
    r = world.rng
    gateway = crew.voice("harness", "agent", languages=["en"], each=3, forms=1)
    users = Users(world, scale.calls // 9, ("agent", "agent", "chat"))

    def organisation(_: int, person: Persona) -> Persona:
        client = world.people.official(person.conduct)
        signup = int(crew.begin + r.random() * 0.7 * (crew.end - crew.begin)) if r.random() < 0.4 else person.signup
        return replace(
            person, owner=person.account, org=world.people.token("org") if r.random() < 0.6 else None, clients=(client, *person.clients[:1]), telemetry=False, path="native",
            signup=min(signup, person.signup) if r.random() < 0.5 else signup,
        )  # fmt: skip

    for member in crew.members(0.8, change=organisation, agents=0.5):
        wording = crew.own(gateway)[0]
        for slot in member.slots:
            crew.relay(member.person, slot, wording, users.turn(slot))


CAMPAIGN = Disclosed(
    id="F-OCT",
    calls=400_000,
    accounts=20_000,
    days=3.0,
    assumptions=(
        "400,000 calls, 20 an organisation (not disclosed); use is uneven (log-normal, sigma 0.8)",
        "each organisation has one account; the log shows the organisation's id for six in ten; up to four in ten are registered while the campaign runs",
        "half of the accounts are surely used through an agent with tools, the others as any customer's",
        "the official client's User-Agent is sent with nearly every call, its telemetry with none; the path is native",
        "three gateway wordings in English, in the system prompt or before the first turn; the prompts inside are strangers', two in three from agents",
    ),
    infrastructure=False,
    plant=plant,
)
