"""When an account calls, and how: conversations, bursts and nights, decided before anybody knows what will be asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

from stillwatch.drill.personas import DAY, NEW_MODEL, Client, Persona, Place, pick


@dataclass(frozen=True)
class Slot:
    """One call that an account is going to make; what it asks comes later."""

    ts: int
    "Microseconds."
    session: str
    turn: int
    "Place in its conversation, from 0."
    earlier: int
    "Turns of the same conversation that lie before its first call here (a conversation that is taken up again)."
    place: Place
    client: Client
    model: str
    settings: dict[str, Any]
    tools: tuple[str, ...] | None
    images: int
    attached: int
    "Tokens of the request beside its text: files, pictures, what the client puts before it."
    key: str | None
    user: str | None
    bare: bool
    "Whether its conversation has no system prompt, whatever the account usually does."


def turns(person: Persona, rng: Random) -> int:
    """Calls of one conversation, or of one burst of a program."""
    typical = {"chat": 1.6, "script": 9.0, "agent": 6.0}[person.conduct]
    return 1 + int(rng.expovariate(1 / typical))


def hour(person: Persona, rng: Random) -> float:
    """Seconds after midnight, UTC, at which the account would begin something."""
    rhythm = person.rhythm
    local = {
        "human": lambda: rng.triangular(7.0, 25.5, 20.0),
        "office": lambda: rng.choice((rng.triangular(7.5, 13.5, 10.0), rng.triangular(12.5, 19.0, 15.0))),
        "nightly": lambda: 1.0 + 4.0 * (hash_unit(person.account) + 0.05 * rng.random()),
    }.get(rhythm, lambda: rng.uniform(0.0, 24.0))()
    return (local - person.zone) * 3600 % DAY


def hash_unit(text: str) -> float:
    """A number of 0..1 that belongs to a name."""
    return (int(text[-8:], 16) & 0xFFFFFF) / 0x1000000


def beginnings(person: Persona, rng: Random, count: int, start: float, end: float) -> list[float]:
    """Seconds at which `count` conversations or bursts begin, within the log and after registration."""
    low = max(start, min(float(person.signup) + rng.expovariate(1 / 1800), end - 600))
    days = max(1, math.ceil((end - start) / DAY))
    active = [day for day in range(days) if rng.random() < 0.65] or [rng.randrange(days)]
    out: list[float] = []
    while len(out) < count:
        day = rng.randrange(days) if person.rhythm in ("steady", "bursts") else rng.choice(active)
        at = start + day * DAY + hour(person, rng)
        if person.rhythm in ("steady", "bursts") and rng.random() < 0.5 or not low <= at < end:
            at = rng.uniform(low, end)
        out.append(at)
    return sorted(out)


def plan(person: Persona, rng: Random, count: int, start: float, end: float, released: float, token: Any) -> list[Slot]:
    """`count` calls in the account's way: sorted by time, each with its place in a conversation.

    Where it is called from, with which client and which model is settled per conversation, and drifts.
    """
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(min(turns(person, rng), count - sum(sizes)))
    if person.rhythm == "steady" and person.conduct == "script":
        sizes = [1] * count
    slots: list[Slot] = []
    for at, size in zip(beginnings(person, rng, len(sizes), start, end), sizes, strict=True):
        session, single = token("s_"), person.conduct == "script"
        place = rng.choice(person.places[min(int(rng.expovariate(1.1)), len(person.places) - 1)])
        client = person.clients[min(int(rng.expovariate(1.5)), len(person.clients) - 1)]
        model = NEW_MODEL if person.adopts and at > released and rng.random() < 0.6 else pick(rng, person.models)
        settings, tools = rng.choice(person.settings), person.tools if rng.random() < 0.93 else None
        key = rng.choice(person.keys) if person.keys else None
        user = f"u{int(rng.paretovariate(0.8)) % 5000:04x}{person.account[-6:]}" if person.names_users else None
        files = int(rng.lognormvariate(6.3, 1.2)) if rng.random() < person.attaches else 0
        attached, images = person.preamble + files, rng.choice((1, 1, 1, 2, 3)) if files and rng.random() < 0.12 else 0
        bare = rng.random() < person.bare
        earlier = rng.choice((1, 1, 2, 4)) if not single and slots and rng.random() < 0.2 else 0
        for turn in range(size):
            if single and turn:
                session = token("s_")
            ts, place_in_it = int(min(at, end - 1) * 1e6) + rng.randrange(1_000_000), 0 if single else turn
            slots.append(Slot(ts, session, place_in_it, earlier, place, client, model, settings, tools, images, attached, key, user, bare))
            at += rng.lognormvariate(math.log(person.pace), 0.9)
            if rng.random() < 0.04:
                model = pick(rng, person.models)
            if rng.random() < 0.03:
                place = rng.choice(person.places[-1])
            if at >= end:
                at = start + (at - start) % (end - start) if person.signup < start else end - rng.uniform(1, 600)
    return sorted(slots, key=lambda slot: slot.ts)
