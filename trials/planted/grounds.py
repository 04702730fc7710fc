"""The worlds that campaigns are planted in, and the reference beside them; all kept in a folder, so that nothing is made twice.

The reference is several histories of `broad-history`, each of another seed, from the half of the sources that the worlds do not draw on, and holds none of the classes
that are new by nature. Together they have more than 5,000 organisations with 60 calls and more; what is kept of each is a scan without its calls.
"""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from planted import unseen
from planted.judged import languages
from planted.plan import DRILLED, ROUND, SIDE_BY_SIDE
from scale import make, people
from scale.rewording import Reworded
from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.drill import compose, scenario
from stillwatch.drill.corpora import Pool
from stillwatch.drill.declare import every_class
from stillwatch.drill.personas import DAY
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts
from stillwatch.drill.world import World

CAMPAIGN = 16_000
"Calls of a campaign, cover included, at full size."

PARTS = 8
"Histories in the whole reference."

REFERENCE_SEED = 2001
"Seed of the first of them."

MULTIPLIED_SEED = REFERENCE_SEED + 200
"Seed of a history that is as long as a large log."

TIMES = {"as long": 1, "ten times": 10}
"References with a history that grows with the log, and how many times as long it is."

OTHER_MIX = {
    "ordinary chat": 0.15,
    "bulk application": 0.3,
    "coding-agent fleet": 0.05,
    "evaluation suite": 0.02,
    "reseller": 0.02,
    "homework": 0.12,
    "classroom": 0.12,
    "LLM-as-judge": 0.01,
}
"Weights of classes in the reference of another mix; those that are not named keep theirs."

SIDE, APART = 50, 1_000_000
"Innocent calls, in campaigns, of each of the worlds side by side (5 GB while it is made), and how far apart their seeds are."

DEALT = ("chat", "documents", "agents")
"Pools that everybody draws on; of the others, suites are the same for all who run them, and jobs a campaign's."

OLDER = 0.02
"Share of the campaign's calls in the one history that it stands in, where it is older than the history."


@dataclass(frozen=True)
class Store:
    """Where everything is kept, and which texts are drawn on."""

    work: Path
    corpora: Path | None
    calls: int = CAMPAIGN
    "Calls of a campaign; a small tier makes smaller ones."
    history_calls: int = 255_000
    "Calls of each history."

    @property
    def key(self) -> Path:
        """The hashing key's file."""
        return self.work / "key"

    def scanned(self, name: str, history: Callable[[], pa.Table | str]) -> Path:
        """The scan of a history, made where it is not there yet."""
        out = self.work / "reference" / name
        if not (out / "summary.json").exists():
            flow.watch([history()], out, key=self.key)
            shutil.rmtree(out / "states" / "calls", ignore_errors=True)  # a reference needs organisations and wordings only
        return out

    def histories(self, name: str) -> list[Scenario]:
        """The histories of a reference."""
        chosen = scenario.load("broad-history")
        mix, first = (OTHER_MIX, REFERENCE_SEED + 100) if name == "other mix" else ({}, REFERENCE_SEED)
        chosen = replace(chosen, calls=self.history_calls, benign={**chosen.benign, **mix})
        return [replace(chosen, seed=first + at) for at in range(1 if name == "one" else PARTS)]

    def drilled(self, history: Scenario) -> pa.Table:
        """The calls of a history that the drill makes."""
        return compose.compose(history, self.corpora).calls

    def multiplied_history(self, calls: int) -> Path:
        """The scan of a history of so many calls: a world of the sources of all histories, multiplied (trials/scale)."""
        log = self.work / "grounds" / f"history-{calls}"

        def made() -> str:
            size = make.past(people.Size(calls, 0, 0.0, 2, make.START, 2 * MULTIPLIED_SEED, MULTIPLIED_SEED), calls)
            make.Maker(calls, 0.0, MULTIPLIED_SEED, self.corpora, answers=False, split="b").make(log, size)
            return str(log)

        out = self.scanned(f"multiplied-{calls}", made)
        shutil.rmtree(log, ignore_errors=True)
        return out

    def reference(self, name: str, campaign: str | None = None, seed: int = 0, scale: float = 0.0) -> list[str]:
        """Folders of a reference: whole, one (of its histories), none, other mix, older (whole, and a history in which the campaign stands), as long or ten times (whole, and one so long beside a log of that scale)."""
        if name == "none":
            return []
        parts = [
            self.scanned(f"{'other-mix' if name == 'other mix' else 'broad'}-{at}", partial(self.drilled, each)) for at, each in enumerate(self.histories(name))
        ]
        if name == "older":
            planted = Planted(str(campaign), share=0.5, infrastructure=False, before_history=True)
            older = replace(
                self.histories("one")[0], calls=round(2 * self.calls * OLDER), seed=REFERENCE_SEED + 50, campaigns=(planted,), campaign_seed=seed, least_calls=0
            )
            parts.append(self.scanned(f"older-{campaign}-{seed}", partial(self.drilled, older)))
        if name in TIMES:
            parts.append(self.multiplied_history(round(TIMES[name] * scale * self.calls)))
        return [str(part) for part in parts]


@dataclass(frozen=True)
class Ground:
    """Innocents of a seed and size."""

    scenario: Scenario
    "Its seed, time and size (campaign included)."
    texts: Texts
    "The texts as the innocents left them: a campaign goes on where they stopped, in a process of its own."
    calls: pa.Table
    truth: pa.Table
    spoken: Mapping[str, str]
    "Account -> language."


def ground(store: Store, scale: float, seed: int, benign: Mapping[str, float] | None = None) -> Ground:
    """`scale` times as many innocent calls as a campaign has, made by the drill itself. `benign`: weights of classes, where not those that they declare."""
    chosen = replace(scenario.load("broad"), seed=seed, calls=round(store.calls * (scale + 1)), benign=dict(benign or {}))
    texts = Texts(f"{seed}/{chosen.split}", store.corpora, chosen.split)
    made = compose._made(chosen, *compose._innocents(chosen, texts, scale / (scale + 1)), [])
    return Ground(chosen, texts, made.calls, made.truth, languages(made.calls))


class Unending(Texts):
    """Texts of a world that is larger than the corpora."""

    def _pool(self, use: str) -> Pool:
        if use not in self._pools:
            pool = super()._pool(use)
            self._pools[use] = Reworded(pool) if use in DEALT else pool
        return self._pools[use]


def benign_world(store: Store, kind: str, scale: int, seed: int) -> compose.Drill:
    """Innocents alone, in a mix that nothing was tuned on: weights of the classes are those declared times a log-normal factor, one class in six is missing.

    `kind`: mixed; drift: the second day has another mix; unseen class: with a class that the drill does not have (planted/unseen.py); built-in texts: the project's own small corpus.
    """
    days = [compose.by_time(*each) for each in _benign_days(store, kind, scale, seed)]
    return compose.Drill(pa.concat_tables([calls for calls, _ in days]), pa.concat_tables([truth for _, truth in days]), [])


def _benign_days(store: Store, kind: str, scale: int, seed: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    """(calls, truth) of the days of each mix, class after class."""
    calls = scale * store.calls
    corpora = None if kind == "built-in texts" else store.corpora
    days = [replace(scenario.load("broad"), seed=seed, calls=calls, benign=_mix(seed))]
    if kind == "drift":
        days = [
            replace(each, days=1.0, calls=calls // 2, start=each.start + DAY * at, seed=seed + 500_000 * at, benign=_mix(seed + 500_000 * at))
            for at, each in enumerate(2 * days)
        ]
    for each in days:
        texts = (Unending if scale > DRILLED else Texts)(f"{each.seed}/{each.split}", corpora, each.split)
        made = list(starmap(partial(compose._made, each, told=[]), compose._by_class(each, texts, 0.94 if kind == "unseen class" else 1.0)))
        if kind == "unseen class":
            world = World(each, texts, unseen.NAME)
            unseen.grow(world, round(0.06 * calls))
            made.append(compose._made(each, world.rows, world.truth, []))
        yield pa.concat_tables([each.calls for each in made]), pa.concat_tables([each.truth for each in made])


def benign_log(store: Store, kind: str, scale: float, seed: int) -> tuple[Path, dict[str, str]]:
    """Folder of a large benign world, and the language of each account. The drill's memory goes with the processes that it works in.

    `kind`: as `benign_world`, or side by side: worlds of SIDE campaigns each, kinds by turns, over the same days; without answers.
    """
    out = large_at(store, scale, seed)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    parts = [(kind, round(scale), seed)]
    if kind == SIDE_BY_SIDE:
        parts = [(ROUND[at % len(ROUND)], SIDE, seed + APART * (at + 1)) for at in range(round(scale / SIDE))]
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        told = list(pool.map(partial(_part, store, out, kind != SIDE_BY_SIDE), *zip(*parts, strict=True)))
    pq.write_table(pa.concat_tables([classes for classes, _ in told]), out / make.TRUTH)
    return out, {account: language for _, spoken in told for account, language in spoken.items()}


def _part(store: Store, out: Path, answers: bool, kind: str, scale: int, seed: int) -> tuple[pa.Table, dict[str, str]]:
    """One world, written. Returns whose class is what (account, class) and who speaks what."""
    path, classes = out / f"{seed}.parquet", dict[str, str]()
    fields = [field for field in SCHEMA if answers or field.name != "response"]
    with pq.ParquetWriter(path, pa.schema(fields), compression="lz4") as file:
        for calls, truth in _benign_days(store, kind, scale, seed):
            classes |= zip(truth["account"].to_pylist(), truth["class"].to_pylist(), strict=True)
            for some, _ in compose.spans(calls.select([field.name for field in fields]), truth):
                file.write_table(some, row_group_size=1 << 16)
    return pa.table({"account": list(classes), "class": list(classes.values())}), languages(pq.read_table(path, columns=["account", "prompt"]))


def _mix(seed: int) -> dict[str, float]:
    """Weights of the classes in a world of this seed."""
    rng = np.random.default_rng(seed)
    drawn = {name: each.weight * float(rng.lognormal(0.0, 1.0)) for name, each in sorted(every_class().items())}
    return {name: weight for name, weight in drawn.items() if rng.random() > 1 / 6} or drawn


def large_at(store: Store, scale: float, seed: int) -> Path:
    """Where the innocents of a large log are kept."""
    return store.work / "grounds" / f"{scale:g}-{seed}-{store.calls}"


def multiplied(store: Store, scale: float, seed: int, answers: bool) -> Path:
    """Folder of a log of `scale` times as many innocent calls as a campaign has: a pattern world of the drill, multiplied (trials/scale)."""
    out = large_at(store, scale, seed)
    if not (out / make.TRUTH).is_file():
        calls = round(scale * store.calls)
        maker = make.Maker(calls, 0.0, seed, store.corpora, answers)
        maker.make(out, people.Size(calls, max(40, round(calls / 25.6 / 2)), 0.0, 2, make.START, 2 * seed, seed, 0, 0.0))
    return out


def planted_rows(ground: Ground, campaigns: list[Planted]) -> compose.Drill:
    """The campaigns alone."""
    rows: compose.Rows = []
    truth: compose.Truth = []
    told = [compose._plant(ground.scenario, ground.texts, each, ground.scenario.calls, rows, truth) for each in campaigns]
    return compose._made(ground.scenario, rows, truth, told)


def plant(ground: Ground, campaigns: list[Planted]) -> compose.Drill:
    """The innocents with campaigns among them, in order of time."""
    if not campaigns:
        return compose.Drill(ground.calls, ground.truth, [])
    planted = planted_rows(ground, campaigns)
    order = np.argsort(np.concatenate([ground.calls["ts"].to_numpy(), planted.calls["ts"].to_numpy()]), kind="stable")
    calls, truth = (pa.concat_tables(pair).take(order) for pair in ((ground.calls, planted.calls), (ground.truth, planted.truth)))
    return compose.Drill(calls, truth, planted.campaigns)


def until(drill: compose.Drill, campaign: str, share: float) -> compose.Drill:
    """The log up to the moment at which that share of the campaign's own calls has passed."""
    own = np.flatnonzero(
        [name == campaign and kind != "cover" for name, kind in zip(drill.truth["campaign"].to_pylist(), drill.truth["class"].to_pylist(), strict=True)]
    )
    end = own[max(0, int(np.ceil(share * len(own))) - 1)] + 1
    return compose.Drill(drill.calls.slice(0, end), drill.truth.slice(0, end), drill.campaigns)
