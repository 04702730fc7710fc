"""Who an account is: made by one generator for innocents and campaigns alike, before anybody decides what it will do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any

from stillwatch.drill.grammar import coined

FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "proton.me", "icloud.com", "gmx.net", "hotmail.com", "mail.ru", "qq.com", "163.com")
ZONES = (
    (-8, "US"),
    (-5, "US"),
    (-5, "US"),
    (-3, "BR"),
    (0, "GB"),
    (1, "DE"),
    (1, "FR"),
    (1, "ES"),
    (2, "ZA"),
    (3, "TR"),
    (5, "IN"),
    (7, "VN"),
    (8, "CN"),
    (8, "SG"),
    (9, "JP"),
    (10, "AU"),
)
MODELS = (("orion-5", True, 5.0), ("orion-5-mini", True, 3.0), ("orion-5-pro", True, 1.0), ("orion-4", False, 0.6), ("orion-4-mini", False, 0.4))
"Name, whether it reasons before it answers, popularity."
NEW_MODEL = "orion-5.5"
"A model that appears while the log runs."
REASONS = frozenset(name for name, reasons, _ in MODELS if reasons) | {NEW_MODEL}
"Models that reason before they answer."
PLANS = ("free", "plus", "pro", "team", "enterprise")
CONDUCTS = (("chat", 6.0), ("script", 2.2), ("agent", 1.8))
"What an account is used through: conversations, a program with prompts of its own, an agent with tools. Popularity."
RHYTHMS = {
    "chat": (("human", 7.0), ("office", 2.0), ("steady", 0.5), ("bursts", 0.5)),
    "script": (("bursts", 4.0), ("nightly", 2.0), ("steady", 2.0), ("office", 3.0)),
    "agent": (("office", 4.0), ("human", 4.0), ("bursts", 2.0)),
}
"Conduct -> when it calls."
DAY = 86_400

Place = tuple[str, int]
"Address and autonomous system."
Client = tuple[str, str, str]
"User-Agent, fingerprint of the header set, fingerprint of the TLS handshake."
VERBS = ("read", "write", "list", "search", "run", "edit", "open", "fetch", "apply", "check", "move", "show")
NOUNS = ("file", "files", "folder", "shell", "page", "table", "diff", "tests", "issue", "note", "symbol", "image", "history", "task")
"Tools are named after what they do to what."


def pick(rng: Random, options: tuple[tuple[Any, float], ...]) -> Any:
    """One of weighted options."""
    return rng.choices([option for option, _ in options], [weight for _, weight in options])[0]


@dataclass(frozen=True)
class Persona:
    """An account with its habits. Nothing in it depends on guilt."""

    account: str
    owner: str
    "Who really stands behind it (truth only)."
    org: str | None
    mail: str | None
    payment: str | None
    plan: str
    signup: int
    "Second of registration."
    zone: int
    country: str | None
    language: str
    "Language it writes in, of those that the small corpus knows."
    conduct: str
    rhythm: str
    pace: float
    "Seconds between calls that follow one another."
    places: tuple[tuple[Place, ...], ...]
    "Where it calls from, the usual place first; each place has the addresses that it may get there."
    clients: tuple[Client, ...]
    "Its clients, the usual one first."
    telemetry: bool
    "Whether the provider's own client may report on itself, where the account uses that client."
    models: tuple[tuple[str, float], ...]
    adopts: bool
    "Whether it moves to the new model when that appears."
    topics: tuple[str, ...]
    path: str | None
    keys: tuple[str, ...]
    names_users: bool
    "Whether its client tells end users apart."
    keeps_session: bool
    endpoint: str
    encrypted: bool
    "Whether its client keeps encrypted reasoning and sends it back in the same conversation."
    through_system: bool
    "Whether it puts instructions into the system prompt."
    bare: float
    "Share of its conversations that have no system prompt all the same, 0..1; instructions that cannot be left out stand in the prompt there."
    stamps: bool
    "Whether its client writes the day under the system prompt."
    attaches: float
    "How often a conversation has files or pictures with it, 0..1."
    preamble: int
    "Tokens that its client puts before every request (memory, project files, formats)."
    tools: tuple[str, ...] | None
    "Names of the tools that its client offers: its framework's, and some of its own."
    shows_tools: bool
    "Whether names of tools reach the log."
    program: str | None
    settings: tuple[dict[str, Any], ...]
    "Request parameters it sets, one set per use it has."


@dataclass(frozen=True)
class Firm:
    """What the accounts of one organisation have in common; some of it shows in the log."""

    name: str
    org: str | None
    mail: str
    payment: str
    plan: str
    office: tuple[Place, ...]
    zone: tuple[int, str]


class People:
    """Makes personas for one world. Shared exits, mobile carriers, popular clients, TLS libraries and cards of agencies exist for everybody."""

    def __init__(self, shared: Random, own: Random, start: int, days: float, topics: list[str], languages: tuple[str, ...]) -> None:
        self._start, self._days, self._topics, self._languages = start, days, topics, languages
        self._rng = shared  # what everybody shares is the same in every part of the log
        self._exits = [(self._address(), 64_512 + shared.randrange(12)) for _ in range(120)]
        self._carriers = [tuple((self._address(), 64_600 + i) for _ in range(40)) for i in range(12)]
        self._agencies = [self.token("card") for _ in range(25)]
        self._libraries = [self.token("t") for _ in range(14)]
        self._clients: dict[str, list[tuple[tuple[Client, ...], float]]] = {}
        self._toolboxes: dict[str, tuple[str, ...]] = {}
        for conduct, _ in CONDUCTS:
            made = []
            for i in range(9):
                name, library = coined(shared, 2), shared.choice(self._libraries)
                versions = tuple((f"{name}/{1 + i % 4}.{version}", self.token("h"), library) for version in range(shared.choice((2, 3, 5))))
                made.append((versions, 1.0 / (1 + i)))
                self._toolboxes[name] = tuple(dict.fromkeys(f"{shared.choice(VERBS)}_{shared.choice(NOUNS)}" for _ in range(60)))[:24]
            self._clients[conduct] = made
        self._official = {versions[0][0].split("/")[0] for conduct in ("chat", "agent") for versions, _ in self._clients[conduct][:1]}
        self._rng = own

    def _address(self) -> str:
        # Addresses of the range that is reserved for nobody: they cannot be anyone's.
        r = self._rng
        return f"{r.randrange(240, 255)}.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1, 255)}"

    def token(self, prefix: str) -> str:
        """An opaque id."""
        return f"{prefix}_{self._rng.getrandbits(64):016x}"

    def firm(self) -> Firm:
        """An organisation."""
        r = self._rng
        domain = f"{coined(r, 2)}.{r.choice(('com', 'io', 'de', 'co', 'net', 'org', 'fr', 'cn'))}"
        asn = 65_000 + r.randrange(500)
        office = tuple((self._address(), asn) for _ in range(r.choice((1, 1, 2))))
        return Firm(
            self.token("firm"), self.token("org") if r.random() < 0.6 else None, domain, self.token("card"), r.choice(PLANS[1:]), office, r.choice(ZONES)
        )

    def official(self, conduct: str) -> Client:
        """The provider's own client in its newest version; programs are taken for agents."""
        return self._clients["chat" if conduct == "chat" else "agent"][0][0][-1]

    def is_official(self, client: Client) -> bool:
        """Whether a call names the provider's own client as its sender."""
        return client[0].split("/")[0] in self._official

    def disguise(self, rng: Random) -> Client:
        """A client at random: the name of a popular one, with header and TLS fingerprints as that one or another has them."""
        versions = pick(rng, tuple(self._clients[pick(rng, CONDUCTS)]))
        agent, headers, _ = rng.choice(versions)
        return agent, f"{headers[:14]}{rng.randrange(65536):04x}", rng.choice(self._libraries)

    def _tools(self, client: Client, count: int) -> tuple[str, ...]:
        """Names of `count` tools: the framework's first ones, the last of them the account's own now and then."""
        r = self._rng
        named = self._toolboxes.get(client[0].split("/")[0]) or tuple(f"{r.choice(VERBS)}_{coined(r, 1)}" for _ in range(24))
        own = min(count, r.choice((0, 0, 0, 1, 3)))
        return (*named[: count - own], *(f"{r.choice(VERBS)}_{coined(r, 2)}" for _ in range(own)))

    def _client(self, conduct: str) -> list[Client]:
        """One client in one or two versions; one in eight is somebody's own program, with headers of its own."""
        r = self._rng
        versions = pick(r, tuple(self._clients[conduct]))
        at = min(int(r.expovariate(1.2)), len(versions) - 1)
        mine = [versions[at]] if r.random() < 0.7 or at == 0 else [versions[at], versions[at - 1]]
        if r.random() < 0.3:  # headers differ by platform and options, among a few common sorts
            mine = [(agent, f"{headers[:14]}{r.randrange(16):02x}{headers[16:]}", library) for agent, headers, library in mine]
        if r.random() >= 0.12:
            return mine
        library = r.choice(self._libraries)
        return [(agent, self.token("h"), library) for agent, _, _ in mine]

    def _settings(self, conduct: str) -> dict[str, Any]:
        r = self._rng
        set_: dict[str, Any] = {}
        often = {"chat": 0.25, "script": 0.6, "agent": 0.35}[conduct]
        if r.random() < often:
            set_["temperature"] = r.choice((0.0, 0.0, 0.2, 0.3, 0.5, 0.7, 0.7, 0.8, 1.0, 1.0))
        if r.random() < often + 0.2:
            set_["max_tokens"] = r.choice((512, 1024, 1500, 2048, 4000, 4096, 8192, 16_000))
        if r.random() < 0.8:
            set_["stream"] = r.random() < {"chat": 0.8, "script": 0.3, "agent": 0.7}[conduct]
        if r.random() < 0.15:
            set_["n"] = r.choice((1, 1, 1, 1, 2, 4))
        if r.random() < 0.06:
            set_["logprobs"], set_["top_logprobs"] = True, r.choice((1, 5, 20))
        if r.random() < 0.03:
            set_["logit_bias"] = True
        if r.random() < 0.35:
            set_["reasoning_effort"] = r.choice(("low", "medium", "medium", "high"))
        return set_

    def _places(self, firm: Firm | None) -> tuple[tuple[Place, ...], ...]:
        """Home with an address that is leased anew now and then, a carrier, shared exits, an office."""
        r = self._rng
        asn = 64_700 + r.randrange(200)
        places: list[tuple[Place, ...]] = [tuple((self._address(), asn) for _ in range(r.choice((1, 1, 2, 3))))]
        if r.random() < 0.4:
            places.append(r.choice(self._carriers))
        if r.random() < 0.2:
            places.append(tuple(r.sample(self._exits, r.choice((1, 2, 4)))))
        if r.random() < 0.07:
            places.insert(0, tuple(r.sample(self._exits, r.choice((1, 2, 3)))))
        if r.random() < 0.15:
            places.append(((self._address(), 64_550 + r.randrange(6)),))
        if firm is not None and r.random() < 0.7:
            places.insert(0, firm.office)
        return tuple(places)

    def person(self, firm: Firm | None = None, conduct: str | None = None, alone: bool = False) -> Persona:
        """One account, on its own (`alone`: surely) or of an organisation."""
        r = self._rng
        if firm is None and not alone and r.random() < 0.25:
            firm = self.firm()
        conduct = conduct or pick(r, CONDUCTS)
        zone, country = firm.zone if firm and r.random() < 0.9 else r.choice(ZONES)
        card = r.choice(self._agencies) if r.random() < 0.04 else self.token("card")
        if firm is None and r.random() < 0.3:
            card = ""
        age = DAY * math.exp(r.uniform(math.log(0.5), math.log(900)))
        young = r.random() < 0.08
        account = self.token("acct")
        clients = self._client(conduct)
        if r.random() < 0.2:
            clients += self._client(pick(r, CONDUCTS))
        offers = r.random() < {"chat": 0.15, "script": 0.08, "agent": 0.9}[conduct]
        chosen = {pick(r, tuple((name, weight) for name, _, weight in MODELS)) for _ in range(r.choice((1, 1, 2, 3)))}
        return Persona(
            account=account,
            owner=account if firm is None else firm.name,
            org=None if firm is None else firm.org,
            mail=(r.choice(FREE_MAIL) if r.random() < 0.88 else None) if firm is None else firm.mail,
            payment=(card if firm is None or r.random() < 0.15 else firm.payment) or None,
            plan=pick(r, (("free", 3.0), ("plus", 4.0), ("pro", 2.0))) if firm is None else firm.plan,
            signup=int(self._start + r.random() * self._days * DAY * 0.7 if young else self._start - age),
            zone=zone,
            country=country if r.random() < 0.9 else None,
            language="en" if r.random() < 0.62 else r.choice(self._languages),
            conduct=conduct,
            rhythm=pick(r, RHYTHMS[conduct]),
            pace={"chat": 75.0, "script": 6.0, "agent": 28.0}[conduct] * math.exp(r.gauss(0, 0.6)),
            places=self._places(firm),
            clients=tuple(clients),
            telemetry=r.random() < 0.92,
            models=tuple((model, r.random() + 0.1) for model in sorted(chosen)),
            adopts=r.random() < 0.35,
            topics=tuple(r.sample(self._topics, min(len(self._topics), r.choice((1, 2, 2, 3))))),
            path=pick(r, (("native", 5.0), ("cloud", 1.5), ("aggregator", 2.2), (None, 1.0))),
            keys=tuple(self.token("key") for _ in range(pick(r, ((0, 2.0), (1, 6.0), (2, 1.0), (4, 0.5))))),
            names_users=r.random() < 0.12,
            keeps_session=r.random() < 0.75,
            endpoint=r.choice(("/v1/responses", "/v1/responses", "/v1/chat/completions", "/v1/messages")),
            encrypted=r.random() < 0.94,
            attaches=r.choice((0.0, 0.1, 0.3, 0.8)),
            preamble=r.choice((0, 30, 120, 300, 900, 2500)),
            through_system=r.random() < {"chat": 0.4, "script": 0.55, "agent": 0.75}[conduct],
            bare=r.choice((0.1, 0.3, 0.6)) if conduct != "agent" and r.random() < 0.35 else 0.0,
            stamps=r.random() < 0.3,
            tools=self._tools(clients[0], r.choice((3, 4, 6, 8, 9, 12, 14, 20))) if offers else None,
            shows_tools=r.random() < 0.85,
            program=r.choice(("startup", "education", "research")) if r.random() < 0.06 else None,
            settings=tuple(self._settings(conduct) for _ in range(r.choice((1, 1, 2, 3)))),
        )
