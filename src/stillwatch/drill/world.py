"""A world in the making: its people, its texts, its clock, and the one place where a call is written down."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

from stillwatch.drill.answers import Answers
from stillwatch.drill.personas import DAY, NEW_MODEL, People, Persona, times
from stillwatch.drill.scenario import Scenario
from stillwatch.drill.texts import Texts

PER_TOKEN = {"Latin": 4.3, "other": 1.6}
"Characters a token: Latin scripts, and others."


class World:
    """Calls and their truth, added by classes and campaigns."""

    def __init__(self, scenario: Scenario, corpora: Path | None, name: str) -> None:
        self.scenario, self.start, self.days = scenario, scenario.start, scenario.days
        self.rng = Random(f"{scenario.seed}/{scenario.split}/{name}")
        self.texts = Texts(Random(f"{scenario.seed}/{scenario.split}/texts/{name}"), corpora, scenario.split)
        self.people = People(Random(f"{scenario.seed}/{scenario.split}/people"), scenario.start, self.texts.topics())
        self.people._rng = Random(f"{scenario.seed}/{scenario.split}/people/{name}")
        words = self.texts.language["en"]
        self.answers = Answers(self.rng, words, self.texts.fills(self.rng, words, next(iter(words["topics"]))))
        self.rows: list[dict[str, Any]] = []
        self.truth: list[tuple[str, str, str, str | None, str]] = []
        self._released = scenario.start + scenario.days * DAY * self.rng.uniform(0.2, 0.8)
        self._names = Random(f"{scenario.seed}/{scenario.split}/ids/{name}")

    def token(self, prefix: str) -> str:
        """An opaque id that tells nothing of its order."""
        return f"{prefix}{self._names.getrandbits(80):020x}"

    def heavy_tail(self, median: float, spread: float = 1.2, most: int = 400) -> int:
        """Calls of an account: few make many, many make few; never below what the scenario asks of an organisation."""
        drawn = round(median * math.exp(self.rng.gauss(0, spread)))
        least = self.scenario.least_calls
        return max(1, min(most, drawn)) if drawn >= least else least + int(self.rng.expovariate(1 / 25)) if least else max(1, drawn)

    def spread(self, person: Persona, count: int) -> list[int]:
        """Times for `count` calls of a person."""
        return times(person, self.rng, count, self.start, self.days)

    def say(
        self, person: Persona, ts: int, system: str | None, prompt: str, kind: str, label: str, *, session: str | None = None, turns: int = 1, offers: bool = False,
        back: list[str] | None = None, campaign: str | None = None,
    ) -> str | None:  # fmt: skip
        """Write one call down. Returns the digest of the encrypted reasoning issued, if any."""
        r = self.rng
        model = NEW_MODEL if person.adopts and ts > self._released * 1e6 and r.random() < 0.5 else r.choices([m for m, _ in person.models], [w for _, w in person.models])[0]
        ip, asn = person.addresses[min(int(r.expovariate(1.2)), len(person.addresses) - 1)]
        agent, headers = person.clients[min(int(r.expovariate(1.5)), len(person.clients) - 1)]
        failed = r.random() < 0.02
        response = None if failed else self.answers.answer(r, kind, len(prompt))
        latin = sum(character < "\u0370" for character in prompt[:200]) * 2 >= len(prompt[:200])
        per = PER_TOKEN["Latin" if latin else "other"] * r.uniform(0.9, 1.1)
        thinks = "reason" in model and not failed
        # Some clients offer their tools in every request, all do in agents' work.
        tools = person.tools if person.tools is not None and (offers or person.tools % 2) else (1 + min(23, int(r.expovariate(1 / 6))) if offers and r.random() < 0.3 else None)
        before = sum(int(r.lognormvariate(4.6, 0.9)) for _ in range(turns // 2))
        digest = self.token("rs_") if thinks and person.encrypted else None
        most = person.habits.get("max_tokens")
        written = None if response is None else max(1, round(len(response) / 4.3 * r.uniform(0.92, 1.08)))
        call = self.token("c_")
        self.rows.append({
            "call_id": call, "ts": ts, "account": person.account, "model": model, "org": person.org, "session": session if person.keeps_session else None,
            "path": person.path, "ip": ip, "asn": asn, "country": person.country, "user_agent": agent, "headers": headers, "payment": person.payment,
            "email_domain": person.mail, "signup_ts": person.signup * 1_000_000, "plan": person.plan, "program": person.program, "endpoint": "/v1/chat/completions",
            **person.habits, "tools": tools, "system": system, "prompt": prompt, "turns": turns, "response": response,
            "input_tokens": round((len(prompt) + len(system or "")) / per) + before,
            "output_tokens": None if written is None else min(written, most or written), "reasoning_tokens": int(r.lognormvariate(6, 0.8)) if thinks else None,
            "status": r.choice((429, 500, 529)) if failed else 200, "finish": None if failed else ("length" if most and written and written > most else "stop"),
            "reasoning_out": digest, "reasoning_in": back or None,
        })  # fmt: skip
        self.truth.append((call, person.account, person.org or person.account, campaign, label))
        return digest

    def chat(self, person: Persona, count: int, label: str, campaign: str | None = None) -> None:
        """`count` calls of ordinary use: conversations on the person's topics, replies that go on, reasoning passed back in the same one."""
        when = self.spread(person, count)
        at = 0
        while at < count:
            turns = self.texts.conversation(self.rng, self.rng.choice(person.topics))[: self.rng.choice((1, 1, 2, 3, 5))]
            session, back = self.token("s_"), None
            for turn, (prompt, kind) in enumerate(turns[: count - at]):
                if self.rng.random() < 0.25:
                    prompt = f"{prompt}\n\n{self.texts.document(self.rng, self.rng.choice(person.topics))}"
                digest = self.say(person, when[at], None, prompt, kind, label, session=session, turns=2 * turn + 1, back=back, campaign=campaign)
                back = [digest] if digest else None
                at += 1
