"""A campaign's organisation: who its accounts are, when each is used, what it says around which job. The ladder's rungs are in ladder.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from stillwatch.drill import ladder
from stillwatch.drill.declare import every_campaign
from stillwatch.drill.personas import DAY, REASONS, Persona
from stillwatch.drill.rhythm import Slot
from stillwatch.drill.texts import Wording

if TYPE_CHECKING:
    from stillwatch.drill.declare import Scale
    from stillwatch.drill.scenario import Planted
    from stillwatch.drill.world import World


@dataclass(frozen=True)
class Voice:
    """What a campaign says around one kind of job, in each of its wordings."""

    tasks: tuple[str, ...]
    cares: int
    forms: int
    made: tuple[tuple[str, Wording], ...]
    "(language, wording)."


@dataclass(frozen=True)
class Member:
    """An account of the campaign, with the calls that it will make for it."""

    index: int
    person: Persona
    slots: list[Slot]


class Crew:
    """Accounts are people as people are; the campaign says what is asked in some of their slots."""

    def __init__(self, world: World, planted: Planted, cut: Scale, *, shares: bool = False, offices: bool = True) -> None:
        self.world, self.planted, self.cut, self.rng = world, planted, cut, world.rng
        self.shares = shares if planted.infrastructure is None else planted.infrastructure
        "Whether its accounts share cards, offices and clients."
        self._cover = max(every_campaign()[planted.id].cover, planted.cover)
        self._texts, self._words = ladder.source(world, planted)
        self._jobs = ladder.Jobs(world, planted)
        others = [code for code in world.texts.language if code != "en"]
        self.languages = ["en", *self._words.sample(others, min(2, len(others)))]
        "Languages that its wordings are written in: three of those that accounts write in."
        days = min(cut.days, world.days)
        self.begin = world.start + self.rng.random() * (world.days - days) * DAY
        self.end = self.begin + days * DAY
        self._offices = [world.people.firm() for _ in range(6)] if self.shares and offices else []

    # -- what is said

    def voice(self, *tasks: str, cares: int | None = None, languages: list[str] | None = None, each: int = 1, forms: int = 2) -> Voice:
        """`each` wordings a language, whose pieces have up to `forms` forms that mean the same; English where a language has no words for a task."""
        w, rules = self._words, self._words.randrange(1, 3) if cares is None else cares
        asked = languages or self.languages
        able = [code for code in asked if all(task in self.world.texts.language[code]["wrap"]["task"] for task in tasks)] or ["en"]
        spoken = [able[i % len(able)] for i in range(len(asked) * each)]
        made = [(code, self._texts.wording(w, tasks, rules, language=code, forms=forms)) for code in spoken]
        return Voice(tasks, rules, forms, tuple(made))

    def own(self, voice: Voice, count: int = 1, language: str | None = None) -> list[Wording]:
        """The wordings that one account uses, each in one form; written anew for it where the campaign paraphrases."""
        fitting = [made for made in voice.made if made[0] == language] or list(voice.made)
        chosen = self.rng.sample(fitting, min(count, len(fitting)))
        if self.planted.paraphrase:
            return [self.world.texts.wording(self.rng, voice.tasks, voice.cares, language=code) for code, _ in chosen]
        return [wording.settled(self.rng) for _, wording in chosen]

    def job(self, use: str, person: Persona, language: str | None = None) -> str:
        """The next item of the job list for an account."""
        return self._jobs.next(use, person.account, language or person.language)

    def ask(self, person: Persona, slot: Slot, wording: Wording, item: str, kind: str, *, at: float | None = None, replayed: str | None = None) -> str | None:
        """One call of the campaign: the item in its wording. `at` (microseconds) is when it wants it made, if not at the account's own hour."""
        said = ladder.arranged(self.planted, wording, self.rng).around(item, person.through_system)
        return self.say(person, slot, said, kind, at=at, replayed=replayed)

    def relay(self, person: Persona, slot: Slot, wording: Wording, turn: tuple[str, str], *, replayed: str | None = None) -> str | None:
        """A user's turn sent on: the relay's words stand in the system prompt, or else before the conversation's first turn."""
        prompt, kind = turn
        if slot.turn > 0 and (slot.bare or not person.through_system):
            return self.say(person, slot, (None, prompt), kind, replayed=replayed)
        return self.ask(person, slot, wording, prompt, kind, replayed=replayed)

    def ask_within(self, person: Persona, slot: Slot, usual: Wording, wording: Wording, item: str, kind: str, *, replayed: str | None = None) -> str | None:
        """One call whose prompt is in another wording than the usual one, which stays where the account puts instructions."""
        usual, wording = (ladder.arranged(self.planted, each, self.rng) for each in (usual, wording))
        system = usual.around("", True)[0] if person.through_system else None
        return self.say(person, slot, (system, wording.around(item, False)[1]), kind, replayed=replayed)

    def say(self, person: Persona, slot: Slot, said: tuple[str | None, str], kind: str, *, at: float | None = None, replayed: str | None = None) -> str | None:
        """One call of the campaign as it stands."""
        ts = None if at is None or self.planted.jitter else int(min(at, self.end * 1e6 - 1))
        return self.world.say(person, slot, said, kind, "campaign", ts=ts, replayed=replayed, campaign=self.planted.id)

    def follow(self, person: Persona, slot: Slot, wording: Wording) -> None:
        """A later turn that only asks to go on."""
        self.world.follow(person, slot, ladder.arranged(self.planted, wording, self.rng), self.planted.id)

    # -- who says it, and when

    def members(
        self, spread: float, *, pools: int = 1, change: Callable[[int, Persona], Persona] | None = None, replays: bool = False, agents: float = 0.0
    ) -> Iterator[Member]:  # fmt: skip
        """Its accounts with their slots. `spread`: how uneven use is (log-normal); `replays`: only clients that keep encrypted reasoning;
        `agents`: share of accounts that are surely used through an agent with tools, the others through whatever people use.
        """
        found = ladder.counts(self.world, self.planted, self.cut.calls, self.cut.accounts, spread)
        windows = ladder.takes_over(self.begin, self.end, len(found), 2 if self.planted.hand_over else pools)
        for i, (count, (begin, end)) in enumerate(zip(found, windows, strict=True)):
            person = ladder.known_account(self.world, self.planted, i, self._recruit(replays, end, agents))
            if self._offices:
                firm = self._offices[i % len(self._offices)]
                person = replace(person, payment=firm.payment, clients=person.clients[:1], places=(firm.office, *person.places))
            if change is not None:
                person = change(i, person)
            person = ladder.unhurried(self.planted, ladder.spread(self.planted, i, person), self.rng)
            yield Member(i, person, self._slots(person, count, begin, end))

    def _recruit(self, replays: bool, end: float, agents: float) -> Persona:
        """Anybody who is registered in time; where reasoning is replayed, anybody whose client and models allow it."""
        conduct = "agent" if agents > 0 and self.rng.random() < agents else None
        while True:
            person = self.world.people.person(conduct=conduct)
            able = person.encrypted and any(model in REASONS for model, _ in person.models)
            if person.signup < end - DAY / 24 and (able or not replays):
                return person

    def _slots(self, person: Persona, count: int, begin: float, end: float) -> list[Slot]:
        """The slots of `count` campaign calls; what the account makes beside them to cover them is written by the code of ordinary use."""
        more = int(count * self._cover / (1 - self._cover) + self.rng.random())
        slots = self.world.plan(person, count + more, begin, end)
        hidden = set(self.rng.sample(range(len(slots)), more))
        self.world.use(person, [slot for i, slot in enumerate(slots) if i in hidden], "cover")
        return [slot for i, slot in enumerate(slots) if i not in hidden]


class Loot:
    """References to encrypted reasoning that accounts of a campaign were issued, to be replayed by others, each once."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._held: list[tuple[str, str, str]] = []

    def keep(self, digest: str | None, person: Persona, about: str = "") -> None:
        """Put by what an answer carried, if it carried anything."""
        if digest is not None:
            self._held.append((digest, person.account, about))

    def take(self, person: Persona) -> tuple[str, str] | None:
        """(digest, what it was about) of reasoning that was issued to another account; None where the one drawn is the account's own."""
        if not self._held:
            return None
        at = self._rng.randrange(len(self._held))
        digest, holder, about = self._held[at]
        if holder == person.account:
            return None
        self._held[at] = self._held[-1]
        self._held.pop()
        return digest, about


class Users:
    """The users of a relay: people with conversations, programs and repositories of their own, whose prompts are sent on."""

    def __init__(self, world: World, count: int, conducts: tuple[str, ...]) -> None:
        self._world = world
        people = [world.people.person(conduct=world.rng.choice(conducts)) for _ in range(max(12, count))]
        self._people = [(person, world.texts.repository(world.rng) if person.conduct == "agent" else "") for person in people]
        self._session: dict[str, tuple[Persona, str]] = {}

    def turn(self, slot: Slot) -> tuple[str, str]:
        """(prompt, kind of answer) of what the user behind a conversation asks next."""
        world = self._world
        user, repository = self._session.setdefault(slot.session, world.rng.choice(self._people))
        if user.conduct == "agent":
            return world.texts.work(world.rng, repository, user.language)
        return world.question(user, begins=slot.turn == 0)
