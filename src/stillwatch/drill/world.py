"""A world in the making: its people, its texts, its clock, and the one place where a call is written down."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from zlib import crc32

from stillwatch.drill.answers import Answers
from stillwatch.drill.personas import DAY, REASONS, People, Persona
from stillwatch.drill.rhythm import Slot, plan
from stillwatch.drill.scenario import Scenario
from stillwatch.drill.texts import Texts, Wording

PRICES = {"orion-5.5": 12.0, "orion-5": 10.0, "orion-5-pro": 40.0, "orion-5-mini": 2.0, "orion-4": 8.0, "orion-4-mini": 1.0}
"US dollars for a million tokens of answer; a fifth of it for the request."

TASKS = {
    "classify": "label",
    "extract": "short",
    "summarise": "text",
    "reply": "text",
    "translate": "text",
    "explain": "reason",
    "answer": "prose",
    "reason": "reason",
}
"What programs are written for, and the kind of answer each asks for."

SIDELINES = (0.0, 0.0, 0.03, 0.1, 0.3)
"Calls of an innocent account beside what it is for, as shares of those."


def hash_text(text: str) -> int:
    """A number for a text that is the same on every machine."""
    return crc32(text.encode())


@dataclass
class Talk:
    """What a conversation has behind it: digests issued, tokens said, when it was last heard."""

    digests: list[str] = field(default_factory=list)
    tokens: int = 0
    ts: int = 0


class World:
    """Calls and their truth, added by classes and campaigns."""

    def __init__(self, scenario: Scenario, texts: Texts, name: str, past: float = 0.0) -> None:
        """`past`: days before the log that this part of the world is told from; its accounts make as many more calls."""
        seed = f"{scenario.seed}/{scenario.split}"
        self.scenario, self.start, self.days, self.texts = scenario, round(scenario.start - past * DAY), scenario.days + past, texts
        self.longer = self.days / scenario.days
        self.rng = Random(f"{seed}/{name}")
        self.people = People(Random(f"{seed}/shared"), Random(f"{seed}/people/{name}"), self.start, self.days, texts.topics(), tuple(texts.language))
        self.answers = Answers(Random(f"{seed}/answers/{name}"), texts)
        self.rows: list[dict[str, Any]] = []
        self.truth: list[tuple[str, str, str, str | None, str]] = []
        self.released = scenario.start + scenario.days * DAY * Random(f"{seed}/released").uniform(0.1, 0.6)
        self._names = Random(f"{seed}/ids/{name}")
        self._talks: dict[tuple[str, str], Talk] = {}
        self._last: dict[str, Talk] = {}
        self._rest: dict[str, list[tuple[str, str]]] = {}
        self._set_up: dict[str, list[Wording]] = {}
        self._warm: dict[tuple[str, int], int] = {}
        self._seen: dict[str, tuple[Persona, str]] = {}

    def token(self, prefix: str) -> str:
        """An opaque id that tells nothing of its order."""
        return f"{prefix}{self._names.getrandbits(80):020x}"

    def heavy_tail(self, median: float, spread: float = 1.3, most: int = 500) -> int:
        """Calls of an account: few make many, many make few; never below what the scenario asks of an organisation."""
        drawn = max(1, min(round(most * self.longer), round(median * self.longer * math.exp(self.rng.gauss(0, spread)))))
        least = self.scenario.least_calls
        return drawn if drawn >= least else least + int(self.rng.expovariate(1 / 25))

    def dealt(self, calls: int, accounts: int, spread: float) -> list[int]:
        """`calls` split over accounts as unevenly as use is (log-normal), at least one each; the mean is kept."""
        weights = [math.exp(self.rng.gauss(0, spread)) for _ in range(accounts)]
        share = calls / sum(weights)
        return [max(1, int(weight * share + self.rng.random())) for weight in weights]

    def plan(self, person: Persona, count: int, begin: float | None = None, end: float | None = None) -> list[Slot]:
        """The account's next `count` calls, before anybody says what they ask; within the log, or from `begin` to `end` (seconds)."""
        begin, end = self.start if begin is None else begin, self.start + self.days * DAY if end is None else end
        return plan(person, self.rng, count, begin, end, self.released, self.token)

    def say(
        self, person: Persona, slot: Slot, said: tuple[str | None, str], kind: str, label: str, *, ts: int | None = None, replayed: str | None = None,
        campaign: str | None = None,
    ) -> str | None:  # fmt: skip
        """Write one call down. Returns the digest of the encrypted reasoning issued, if any. `replayed` takes the place of the last that the client sends back."""
        r, (system, prompt) = self.rng, self._placed(person, slot, said)
        talk = self._talks.setdefault((person.account, slot.session), Talk())
        taken_up = slot.earlier > 0 and slot.turn == 0
        back = (
            (self._last.get(person.account, talk) if taken_up else talk).digests[-r.choice((1, 1, 2, 3)) :]
            if person.encrypted and (slot.turn > 0 or taken_up)
            else []
        )
        if replayed is not None:
            back = [*back[:-1], replayed]
        failed = r.random() < 0.02
        response = None if failed else self.answers.answer(r, kind, prompt, person.language)
        ts = slot.ts if ts is None else ts
        fixed = self.tokens(system or "") + 90 * len(slot.tools or ()) + slot.attached
        asked = self.tokens(prompt) + talk.tokens + 150 * slot.earlier + fixed
        cached = self._cached(person, slot, talk, system, fixed, ts)
        thinks = slot.model in REASONS and not failed
        digest = self.token("rs_") if thinks and person.encrypted else None
        most, answers = slot.settings.get("max_tokens"), slot.settings.get("n", 1)
        written = None if response is None else max(1, self.tokens(response))
        cut = bool(most and written and written > most)
        if cut and response and written and most:
            response, written = response[: round(len(response) * most / written)], most
        thought = int(r.lognormvariate({"label": 4.6, "short": 4.8, "text": 5.2}.get(kind, 5.8), 0.8)) if thinks else None
        price = PRICES[slot.model] / 1e6
        call = self.token("c_")
        self.rows.append({
            "call_id": call, "conversation": slot.session, "ts": ts, "account": person.account, "model": slot.model, "org": person.org, "key": slot.key,
            "end_user": slot.user, "session": slot.session if person.keeps_session else None, "path": person.path, "ip": slot.place[0], "asn": slot.place[1],
            "cost": round(price * (asked / 5 + ((written or 0) * answers + (thought or 0))), 6), "country": person.country, "user_agent": slot.client[0],
            "headers": slot.client[1], "tls": slot.client[2] if person.path in ("native", "aggregator") else None,
            "client_seen": None if person.path != "native" else person.telemetry and self.people.is_official(slot.client), "payment": person.payment, "email_domain": person.mail, "signup_ts": person.signup * 1_000_000, "plan": person.plan,
            "program": person.program, "endpoint": person.endpoint, **slot.settings, "tools": None if slot.tools is None else len(slot.tools),
            "tool_names": list(slot.tools) if slot.tools and person.shows_tools else None, "images": None if person.path is None else slot.images,
            "system": system, "prompt": prompt, "turns": 1 + 2 * (slot.turn + slot.earlier), "response": response, "input_tokens": asked,
            "output_tokens": None if written is None else written * answers, "reasoning_tokens": thought,
            "cached_tokens": cached,
            "status": r.choice((429, 500, 529)) if failed else 200, "finish": None if failed else "length" if cut else "stop",
            "reasoning_out": digest, "reasoning_in": back or None,
        })  # fmt: skip
        self.truth.append((call, person.account, person.owner, campaign, label))
        self._seen.setdefault(person.account, (person, label))
        talk.tokens, talk.ts = min(60_000, talk.tokens + self.tokens(prompt) + (written or 0)), ts
        if digest:
            talk.digests.append(digest)
        self._last[person.account] = talk
        return digest

    def _placed(self, person: Persona, slot: Slot, said: tuple[str | None, str]) -> tuple[str | None, str]:
        """System prompt and prompt as the client sends them: the day under the one, or all in the other."""
        system, prompt = said
        if not system:
            return None, prompt
        if slot.bare:
            return None, f"{system}\n\n{prompt}"
        return (f"{system}\n\n{datetime.fromtimestamp(slot.ts // 1_000_000, UTC):%Y-%m-%d}" if person.stamps else system), prompt

    def _cached(self, person: Persona, slot: Slot, talk: Talk, system: str | None, fixed: int, ts: int) -> int | None:
        """Tokens read from a cache: what was said in the conversation, or instructions of 1,024 tokens and more, within five minutes; by steps of 128."""
        if slot.model not in REASONS or person.path is None:
            return None
        begins = (person.account, hash_text(system or ""))
        warm = 0 <= ts - self._warm.get(begins, -(10**18)) < 300_000_000
        self._warm[begins] = ts
        held = fixed + talk.tokens if 0 <= ts - talk.ts < 300_000_000 and slot.turn > 0 else fixed if warm else 0
        return held // 128 * 128 if held >= 1024 else 0

    def tokens(self, text: str) -> int:
        """Tokens of a text: four Latin letters or so, less for letters with marks, one or two for an ideograph."""
        size = len(text.encode()) - len(text)
        return round(((len(text) - size / 2) / 4.2 + size * 0.34) * self.rng.uniform(0.93, 1.07)) if text else 0

    def follow(self, person: Persona, slot: Slot, wording: Wording, campaign: str) -> None:
        """A later turn of a campaign's conversation that only asks to go on."""
        prompt = self.texts.line(self.rng, person.language, person.topics[0], "wrap", "follow")
        system = wording.around("", True)[0] if person.through_system and not slot.bare else None
        self.say(person, slot, (system, prompt), self.rng.choice(("prose", "short", "code")), "campaign", campaign=campaign)

    # -- ordinary use, in the account's own way

    def sidelines(self) -> None:
        """Nobody has an account for one thing only: most are used for something else as well, now and then."""
        calls = Counter(row["account"] for row in self.rows)
        for account, (person, label) in list(self._seen.items()):
            more = int(calls[account] * self.rng.choice(SIDELINES) + self.rng.random())
            self.use(person, self.plan(person, more) if more else [], label)

    def set_up(self, person: Persona) -> list[Wording]:
        """The instructions that an account has written for itself: of its assistants, programs, agent."""
        if person.account not in self._set_up:
            r, topic = self.rng, person.topics[0]
            if person.conduct == "agent":
                made = [self.texts.wording(r, ("agent",) * r.randrange(1, 5), 1, topic, person.language) for _ in range(r.choice((1, 1, 2)))]
            else:
                count = r.choice((1, 1, 2, 2, 3, 5))
                made = [self.texts.wording(r, () if person.conduct == "chat" else (r.choice(list(TASKS)),), 2, topic, person.language) for _ in range(count)]
            self._set_up[person.account] = made
        return self._set_up[person.account]

    def question(self, person: Persona, begins: bool = True) -> tuple[str, str]:
        """What the person asks next, and the kind of answer it asks for: the conversation goes on, or another of its topics comes up."""
        topic = self.rng.choice(person.topics)
        on_hand = self._rest.setdefault(person.account, [])
        if not on_hand or (begins and self.rng.random() < 0.25):
            on_hand[:] = self.texts.conversation(self.rng, topic, person.language)
        return on_hand.pop(0)

    def use(self, person: Persona, slots: list[Slot], label: str, campaign: str | None = None) -> None:
        """Ordinary use: conversations on the account's topics, programs over its documents, work in its repository."""
        r, texts = self.rng, self.texts
        repository = texts.repository(r) if person.conduct == "agent" else ""
        chosen: dict[str, Wording] = {}
        for slot in slots:
            wording = chosen.get(slot.session) or chosen.setdefault(slot.session, r.choice(self.set_up(person)))
            if person.conduct == "agent":
                prompt, kind = texts.work(r, repository, person.language)
            elif person.conduct == "script":
                prompt, kind = texts.document(r, person.topics[0], person.language), r.choice(("label", "short", "text", "text", "prose", "reason"))
                self.say(person, slot, wording.around(prompt, person.through_system), kind, label, campaign=campaign)
                continue
            else:
                prompt, kind = self.question(person, begins=slot.turn == 0)
            system = wording.around("", True)[0] if person.through_system and not slot.bare else None
            self.say(person, slot, (system, prompt), kind, label, campaign=campaign)
