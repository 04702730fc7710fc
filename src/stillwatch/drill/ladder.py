"""How campaigns adapt: every rung of the ladder, written once. A campaign is organised in crew.py; here is what it does to hide."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from stillwatch.drill.personas import DAY, Persona
from stillwatch.drill.texts import Texts, Wording

if TYPE_CHECKING:
    from stillwatch.drill.scenario import Planted
    from stillwatch.drill.world import World

LOW_RATE = 4
"Calls of an account in the whole log, on average, when a campaign keeps its rate low."

EARLIEST = 1_735_689_600
"2025-01-01: accounts that were there before the history were registered in the half year after it."

PATHS = ("native", "cloud", "aggregator")
"Access paths that innocents come over as well."

REFILL = 240
"Jobs that are looked at together when they are dealt by topic."


def source(world: World, planted: Planted) -> tuple[Texts, Random]:
    """Where a campaign's wordings come from: the log's own words, or, when it began before the history, the same ones for both."""
    if not planted.before_history:
        return world.texts, world.rng
    seed = f"before/{world.scenario.campaign_seed}/{planted.id}"
    return Texts(seed, None, "a"), Random(f"{seed}/wordings")


def known_account(world: World, planted: Planted, index: int, person: Persona) -> Persona:
    """The same account in a history and in its log: names, card, keys and registration follow from its number alone."""
    if not planted.before_history:
        return person
    r = Random(f"before/{world.scenario.campaign_seed}/{planted.id}/{index}")

    def name(prefix: str) -> str:
        return f"{prefix}_{r.getrandbits(64):016x}"

    account, org, card = name("acct"), name("org"), name("card")
    signup = min(EARLIEST + int(r.random() * 180 * DAY), world.start - DAY)
    return replace(
        person, account=account, owner=account, org=org if person.org else None, payment=card if person.payment else None, signup=signup,
        keys=tuple(name("key") for _ in person.keys),
    )  # fmt: skip


def counts(world: World, planted: Planted, calls: int, accounts: int, spread: float) -> list[int]:
    """Calls of each account: dealt as unevenly as the campaign does it, or a few each over as many accounts as that takes."""
    if planted.low_rate:
        return world.dealt(calls, max(1, math.ceil(calls / LOW_RATE)), 0.6)
    return world.dealt(calls, accounts, spread)


def unhurried(planted: Planted, person: Persona, rng: Random) -> Persona:
    """With `jitter` an account keeps a person's hours and pauses, whatever program runs it."""
    if not planted.jitter or person.rhythm in ("human", "office"):
        return person
    return replace(person, rhythm=rng.choice(("human", "human", "office")), pace=max(person.pace, 40.0 * math.exp(rng.gauss(0, 0.5))))


def arranged(planted: Planted, wording: Wording, rng: Random) -> Wording:
    """With `shuffle` the pieces stand in another order in every call, and now before, now after the slot."""
    if not planted.shuffle:
        return wording
    return replace(wording, pieces=tuple(rng.sample(wording.pieces, len(wording.pieces))), after=rng.random() < 0.5)


def spread(planted: Planted, index: int, person: Persona) -> Persona:
    """With `spread` the accounts come over every path by turns; those whose path the log does not know stay unknown."""
    return replace(person, path=PATHS[index % len(PATHS)]) if planted.spread and person.path is not None else person


def takes_over(begin: float, end: float, count: int, pools: int, share: float = 0.6) -> list[tuple[float, float]]:
    """When each of `count` accounts is in use: all the time, or, of two pools, up to the ban of the first or from then on."""
    if pools < 2:
        return [(begin, end)] * count
    ban, first = begin + share * (end - begin), round(share * count)
    return [(begin, ban) if i < first else (ban, end) for i in range(count)]


class Jobs:
    """The campaign's job list as it is dealt: in order, by topic, or with injected duplicates."""

    def __init__(self, world: World, planted: Planted) -> None:
        self._world, self._planted = world, planted
        self._given: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._shelves: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self._topic: dict[tuple[str, str], str] = {}
        self._asked: dict[str, list[str]] = defaultdict(list)
        self._asking = Random(f"{world.scenario.seed}/{planted.id}/users")

    def next(self, use: str, account: str, language: str) -> str:
        """The next job of an account."""
        name, r = f"{use}/{language}", self._world.rng
        given = self._given[name]
        if given and self._planted.duplicates > 0 and r.random() < self._planted.duplicates:
            for _ in range(8):
                item, holder = r.choice(given)
                if holder != account:
                    return item
        item = self._by_topic(name, use, account, language) if self._planted.by_topic else self._fresh(use, language)
        given.append((item, account))
        return item

    def _fresh(self, use: str, language: str) -> str:
        """An item that was not given before: of the job list, or what somebody asks."""
        if not self._planted.from_users:
            return self._world.texts.job(use, language)
        asked, texts, r = self._asked[language], self._world.texts, self._asking
        if not asked:
            asked += [question for question, _ in texts.conversation(r, r.choice(texts.topics()), language)][::-1]
        return asked.pop()

    def _by_topic(self, name: str, use: str, account: str, language: str) -> str:
        """A job of the account's own topic, as long as there is one; then it gets another topic."""
        shelves, mine = self._shelves[name], (account, name)
        if not any(shelves.values()):
            shelves.clear()
            shelves.update(sorted_by_topic([self._fresh(use, language) for _ in range(REFILL)]))
        if mine not in self._topic or not shelves.get(self._topic[mine]):
            self._topic[mine] = self._world.rng.choice(sorted(topic for topic, jobs in shelves.items() if jobs))
        return shelves[self._topic[mine]].pop()


def sorted_by_topic(jobs: list[str]) -> dict[str, list[str]]:
    """Jobs under the word that most others share with them, leaving out words of more than a quarter of the jobs.

    >>> sorted_by_topic(["a red boat", "the red boats", "a blue sail", "one blue sea", "x", "y", "z", "w"])["blue"]
    ['a blue sail', 'one blue sea']
    """
    words = [_words(job) for job in jobs]
    count: dict[str, int] = defaultdict(int)
    for each in words:
        for word in each:
            count[word] += 1
    shelves: dict[str, list[str]] = defaultdict(list)
    for job, each in zip(jobs, words, strict=True):
        known = [word for word in each if 1 < count[word] <= max(2, len(jobs) // 4)]
        shelves[max(known, key=lambda word: (count[word], len(word), word), default="")].append(job)
    return dict(shelves)


def _words(job: str) -> set[str]:
    """Words of a job; pairs of signs where a script has no spaces."""
    words: set[str] = set()
    for word in job.lower().replace(",", " ").replace(".", " ").split():
        words |= {word} if word.isascii() or len(word) < 18 else {word[i : i + 2] for i in range(len(word) - 1)}
    return words


def finish(world: World, planted: Planted) -> None:
    """What is done to all calls of the campaign's accounts, cover as well: headers and end users drawn anew, digests dropped."""
    r, dressed = Random(f"{world.scenario.seed}/{planted.id}/headers"), {}
    names, users = Random(f"{world.scenario.seed}/{planted.id}/end users"), dict[str, str]()
    for row in world.rows:
        if planted.end_users and row["end_user"] is not None:
            fresh = f"u{names.getrandbits(16) % 5000:04x}{names.getrandbits(24):06x}"
            row["end_user"] = users.setdefault(row["conversation"], fresh)
        if planted.headers:
            talk = (row["account"], row["session"] or row["call_id"])
            if talk not in dressed:
                dressed[talk] = world.people.disguise(r)
            row["user_agent"], row["headers"], row["tls"] = dressed[talk][:2] + ((dressed[talk][2] if row["tls"] is not None else None),)
        if planted.no_digests:
            row["reasoning_out"] = row["reasoning_in"] = None
