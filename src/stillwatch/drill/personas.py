"""Who an account is: made by one generator for innocents and campaigns alike, before anybody decides what it will do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from stillwatch.drill.grammar import coined

FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "proton.me", "icloud.com", "gmx.net", "hotmail.com", "mail.ru", "qq.com", "163.com")
ZONES = ((-8, "US"), (-5, "US"), (-3, "BR"), (0, "GB"), (1, "DE"), (1, "FR"), (2, "ZA"), (3, "TR"), (5, "IN"), (7, "VN"), (8, "CN"), (8, "SG"), (9, "JP"), (10, "AU"))
MODELS = ("orion-large", "orion-small", "orion-reason", "orion-mini-2")
NEW_MODEL = "orion-reason-2"
PLANS = ("free", "plus", "pro", "team", "enterprise")
RHYTHMS = ("human", "office", "steady", "nightly", "bursts")
DAY = 86_400


@dataclass(frozen=True)
class Persona:
    """An account with its habits. Nothing in it depends on guilt."""

    account: str
    org: str | None
    mail: str | None
    payment: str | None
    plan: str
    signup: int
    zone: int
    country: str | None
    rhythm: str
    addresses: tuple[tuple[str, int], ...]
    "(address, autonomous system), the usual one first."
    clients: tuple[tuple[str, str], ...]
    "(User-Agent, header fingerprint) of each client."
    models: tuple[tuple[str, float], ...]
    adopts: bool
    "Whether it moves to the new model when that appears."
    topics: tuple[str, ...]
    path: str | None
    keeps_session: bool
    encrypted: bool
    "Whether its client keeps encrypted reasoning and sends it back in the same conversation."
    program: str | None
    tools: int | None
    "Tools that its client offers, if any."
    habits: dict[str, Any] = field(default_factory=dict)
    "Request parameters it sets."


class People:
    """Makes personas for one world: shared exits, popular clients and cards that agencies pay with exist for everybody."""

    def __init__(self, rng: Random, start: int, topics: list[str]) -> None:
        self._rng, self._start, self._topics = rng, start, topics
        self._exits = [(self._address(), rng.randrange(10_000, 60_000)) for _ in range(120)]
        self._agencies = [self._token("card") for _ in range(25)]
        self._mobile = [(self._address(), rng.randrange(1000, 9000)) for _ in range(300)]
        self._clients = []
        for i in range(18):
            name = coined(rng, 2)
            for version in range(rng.choice((1, 2, 3, 5))):
                self._clients.append(((f"{name}/{1 + i % 4}.{version}", self._token("h")), 1.0 / (1 + i) / (1 + version)))

    def _address(self) -> str:
        r = self._rng
        return f"{r.randrange(11, 223)}.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1, 255)}"

    def _token(self, prefix: str) -> str:
        return f"{prefix}_{self._rng.getrandbits(64):016x}"

    def organisation(self) -> dict[str, Any]:
        """What the accounts of one organisation have in common: some show it, some do not."""
        r = self._rng
        domain = f"{coined(r, 2)}.{r.choice(('com', 'io', 'de', 'co', 'net', 'org'))}"
        return {
            "org": self._token("org") if r.random() < 0.6 else None,
            "mail": domain,
            "payment": self._token("card"),
            "plan": r.choice(PLANS[1:]),
            "office": (self._address(), r.randrange(1000, 60_000)),
        }

    def person(self, firm: dict[str, Any] | None = None, rhythms: tuple[str, ...] = ("human",) * 5 + ("office", "bursts", "steady")) -> Persona:
        """One account, on its own or of an organisation."""
        r = self._rng
        zone, country = r.choice(ZONES)
        if firm is None and r.random() < 0.25:
            firm = self.organisation()
        addresses = [(self._address(), r.randrange(1000, 60_000)) for _ in range(r.choice((1, 1, 1, 2, 3)))]
        if r.random() < 0.35:
            addresses += r.sample(self._mobile, r.choice((1, 2, 3)))
        if r.random() < 0.18:
            addresses += r.sample(self._exits, r.choice((1, 1, 2, 4)))
        if r.random() < 0.05:
            addresses = r.sample(self._exits, r.choice((1, 2))) + addresses
        if firm is not None and r.random() < 0.7:
            addresses.insert(0, firm["office"])
        clients = r.choices([c for c, _ in self._clients], [w for _, w in self._clients], k=r.choice((1, 1, 2, 3)))
        models = r.sample(MODELS, r.choice((1, 2, 2, 3)))
        card = None if firm is None and r.random() < 0.25 else (r.choice(self._agencies) if r.random() < 0.05 else self._token("card"))
        age = DAY * math.exp(r.uniform(math.log(0.5), math.log(900)))
        habits: dict[str, Any] = {}
        if r.random() < 0.5:
            habits["temperature"] = r.choice((0.0, 0.2, 0.5, 0.7, 0.7, 1.0))
        if r.random() < 0.6:
            habits["max_tokens"] = r.choice((256, 512, 1024, 2048, 4096, 8192))
        if r.random() < 0.8:
            habits["stream"] = r.random() < 0.6
        if r.random() < 0.1:
            habits["n"] = r.choice((1, 1, 2, 4))
        if r.random() < 0.08:
            habits["logprobs"] = True
        if r.random() < 0.25:
            habits["reasoning_effort"] = r.choice(("low", "medium", "high"))
        return Persona(
            account=self._token("acct"),
            org=None if firm is None else firm["org"],
            mail=(r.choice(FREE_MAIL) if r.random() < 0.85 else None) if firm is None else firm["mail"],
            payment=card if firm is None or r.random() < 0.2 else firm["payment"],
            plan=(r.choice(PLANS[:3]) if firm is None else firm["plan"]),
            signup=int(self._start - age + r.random() * 3 * DAY * (r.random() < 0.1)),
            zone=zone,
            country=country if r.random() < 0.9 else None,
            rhythm=r.choice(rhythms),
            addresses=tuple(addresses),
            clients=tuple(clients),
            models=tuple((model, r.random() + 0.1) for model in models),
            adopts=r.random() < 0.3,
            topics=tuple(r.sample(self._topics, min(len(self._topics), r.choice((1, 2, 2, 3))))),
            path=r.choice(("native", "native", "native", "cloud", "aggregator", None)),
            keeps_session=r.random() < 0.7,
            encrypted=r.random() < 0.6,
            tools=None if r.random() < 0.55 else 1 + min(23, int(r.expovariate(1 / 6))),
            program=r.choice(("startup", "education", "research")) if r.random() < 0.06 else None,
            habits=habits,
        )

    def with_card(self, person: Persona, card: str) -> Persona:
        """The same account, paid by another card."""
        return replace(person, payment=card)


def times(person: Persona, rng: Random, count: int, start: int, days: float) -> list[int]:
    """`count` call times in microseconds, sorted, in the account's rhythm: jittered, in bursts, with nights where it has them."""
    end = start + days * DAY
    out: list[float] = []
    if person.rhythm == "steady":
        out = [rng.uniform(start, end) for _ in range(count)]
    elif person.rhythm == "nightly":
        hour = rng.uniform(0, 5) * 3600 - person.zone * 3600
        nights = [start + d * DAY + hour % DAY for d in range(max(1, int(days)))]
        pace = rng.uniform(0.7, 9.0)
        for _ in range(count):
            out.append(rng.choice(nights) + rng.expovariate(1 / (pace * max(10, count / len(nights)))))
    else:
        # People and bursts of jobs: sessions at waking (or working) hours, calls a minute or so apart.
        low, high, pause = {"human": (7, 25, 90.0), "office": (8, 18, 120.0), "bursts": (0, 24, 8.0)}[person.rhythm]
        while len(out) < count:
            day = rng.randrange(max(1, math.ceil(days)))
            at = start + day * DAY + (rng.triangular(low, high) * 3600 - person.zone * 3600) % DAY
            for _ in range(min(count - len(out), 1 + int(rng.expovariate(1 / (40.0 if person.rhythm == "bursts" else 4.0))))):
                out.append(at)
                at += rng.lognormvariate(math.log(pause), 0.9)
    span = end - start
    wrapped = [start + (t - start) % span for t in out]
    return sorted(int(t * 1_000_000) + rng.randrange(1_000_000) for t in wrapped)
