"""The cells of a plan, one after the other; what is measured already is not measured again."""

from __future__ import annotations

import gc
import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lines import read
from planted import grounds
from planted.examined import examined, reference_of
from planted.grounds import TIMES, Ground, Store
from planted.judged import Labels, judged, languages, said
from planted.kept import METHOD, held
from planted.plan import DRILLED, ONE_DRILL, WORLDS, Cell
from scale import make
from stillwatch import flow
from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_campaign
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Texts

ANSWERED = 100
"Largest scale whose log has answers: a thousand times a campaign with answers would be 60 GB."

WHOLE = ("centre", "benign", "beside")
"Factors whose logs are scanned with all that a scan does: a placebo, and each signal left out."

WARM = 2_000
"Calls of the worlds for which the corpora are read before children are forked."

GROUND: Ground | None = None
"The innocents, shared by all children that are forked from here."

NOBODY = compose.Drill(pa.table({}), pa.table({}), [])
"No campaign."

HISTORY: Any = None
"The calls of one history, for baselines that need some; shared in the same way."


def _planted(cell: Cell, store: Store) -> list[Planted]:
    if not cell.campaign:
        return []
    share = 1 / (cell.scale + 1)
    names = sorted(every_campaign()) if cell.campaign == "all" else [cell.campaign]
    return [Planted(name, share=share, **cell.options) for name in names]


def _small(cell: Cell, store: Store) -> dict[str, Any]:
    """A cell on innocents that the drill made."""
    assert GROUND is not None
    ground = GROUND
    if cell.options.get("before_history"):  # the log and its history plant the same campaign
        ground = Ground(replace(ground.scenario, campaign_seed=cell.seed), ground.texts, ground.calls, ground.truth, ground.spoken)
    drill = grounds.plant(ground, _planted(cell, store))
    labels = Labels.of_truth(drill.truth)
    if cell.until < 1:
        drill = grounds.until(drill, cell.campaign, cell.until)
    if cell.factor != "beside":
        return _scan(cell, store, [drill.calls], labels, drill, ground.spoken)
    from baselines import beside  # its packages are not needed elsewhere

    embed = beside.embedding()
    return _scan(cell, store, [drill.calls], labels, drill, ground.spoken, lambda out: beside.beside(drill.calls, drill.truth, HISTORY, cell.seed, out, embed))


def _world(cell: Cell, store: Store) -> dict[str, Any]:
    """A benign world: its innocents are of this cell alone."""
    if cell.scale <= DRILLED:
        drill = grounds.benign_world(store, cell.value, round(cell.scale), cell.seed)
        return _scan(cell, store, [drill.calls], Labels.of_truth(drill.truth), drill, languages(drill.calls))
    folder, spoken = grounds.benign_log(store, cell.value, cell.scale, cell.seed)
    gc.enable()
    try:
        return _scan(cell, store, [str(folder)], Labels(_classes(folder), frozenset(), {}), NOBODY, spoken)
    finally:
        shutil.rmtree(folder)


def _large(cell: Cell, store: Store) -> dict[str, Any]:
    """A cell on a multiplied world: the campaigns come in files of their own."""
    answers = cell.scale <= ANSWERED
    folder = grounds.multiplied(store, cell.scale, cell.seed, answers)
    chosen = replace(scenario.load("broad"), seed=cell.seed, calls=round(store.calls * (cell.scale + 1)))
    empty = Ground(chosen, Texts(f"{cell.seed}/{chosen.split}", store.corpora, chosen.split), pa.table({}), pa.table({}), {})
    drill = grounds.planted_rows(empty, _planted(cell, store))
    calls = drill.calls if answers else drill.calls.drop_columns(["response"])
    told = Labels.of_truth(drill.truth)
    return _scan(cell, store, [str(folder), calls], Labels(_classes(folder) | dict(told.of), told.campaigns, told.calls), drill, {})


def _classes(folder: Path) -> dict[str, str]:
    """Account -> class, of a log that is a folder."""
    there = pq.read_table(folder / make.TRUTH, columns=["account", "class"])
    return dict(zip(there["account"].to_pylist(), there["class"].to_pylist(), strict=True))


def _scan(
    cell: Cell, store: Store, logs: list[Any], labels: Labels, drill: compose.Drill, spoken: Any, beside: Callable[[Path], list[dict[str, Any]]] | None = None
) -> dict[str, Any]:
    """Scan and compare; where nothing but the cases is told of a log, examine it for those alone. `beside`: what else is measured of the same log, from the scan's folder."""
    history = store.reference(cell.history, cell.campaign, cell.seed, cell.scale)
    if cell.factor in WHOLE:
        with tempfile.TemporaryDirectory(dir=store.work) as scratch:
            out = Path(scratch) / "scan"
            flow.watch(logs, out, history=history, key=store.key, fleeting=True)
            told = judged(labels, said(out), spoken)
            told["beside"] = None if beside is None else beside(out)
    else:
        told = judged(labels, examined(logs, store.work, reference_of(history, store.key), store.key), spoken) | {"beside": None}
    told["planted"] = [{name: each[name] for name in ("id", "calls", "accounts", "factors")} for each in drill.campaigns]
    told["people"] = _count(labels.of[account] for account in labels.of if labels.of[account] not in labels.campaigns)
    told["people_by_language"] = _count(spoken.values())
    return told


def _count(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _one(job: tuple[Cell, Store]) -> dict[str, Any]:
    cell, store = job
    gc.collect()
    if cell.scale <= DRILLED or cell.factor == "world":
        gc.disable()  # a drill makes millions of small things that refer to nothing of their own: looking for circles takes a seventh of its time
    else:
        gc.enable()
    began = time.perf_counter()
    told = _world(cell, store) if cell.factor == "world" else _small(cell, store) if cell.scale <= DRILLED else _large(cell, store)
    return {
        "key": cell.key,
        **asdict(cell),
        "method": METHOD,
        "texts": _texts(store),
        "size": store.calls,
        "took": round(time.perf_counter() - began, 1),
        **told,
    }


def _texts(store: Store) -> str:
    return "built-in" if store.corpora is None else "corpora"


def _needed(cell: Cell) -> tuple[str, str, int, float]:
    """What a cell's reference depends on."""
    older = cell.history == "older"
    return cell.history, cell.campaign if older else "", cell.seed if older else 0, cell.scale if cell.history in TIMES else 0.0


def _ground(cell: Cell) -> tuple[bool, float, int]:
    """Which cells share their innocents: worlds none, so all worlds of a scale come together."""
    return cell.factor == "world", cell.scale, 0 if cell.factor == "world" else cell.seed


def _each(asked: list[tuple[Cell, Store]], jobs: int, large: bool) -> Iterator[dict[str, Any]]:
    """What each cell gave, so many at once. Large ones each in a process of its own, which goes with its memory and may have children."""
    context = multiprocessing.get_context("fork")
    if large:
        with ThreadPoolExecutor(jobs) as pool:
            yield from (each.result() for each in as_completed([pool.submit(_alone, context, one) for one in asked]))
    else:
        # A campaign goes on where the innocents' texts stopped: a second one in the same process would find them further on, and a log would depend on what was made before it.
        with context.Pool(jobs, maxtasksperchild=8 if all(cell.factor == "world" for cell, _ in asked) else 1) as pool:
            yield from pool.imap_unordered(_one, asked)


def _alone(context: Any, one: tuple[Cell, Store]) -> dict[str, Any]:
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_one, one).result()


def run(cells: list[Cell], store: Store, jobs: int) -> None:
    """Measure what is not measured yet. Cells of one ground run side by side; large ones by themselves."""
    global GROUND, HISTORY
    results = store.work / "results.jsonl"
    store.work.mkdir(parents=True, exist_ok=True)
    done = {row["key"] for row in read(results)} | {row["key"] for row in held() if (row["size"], row["texts"]) == (store.calls, _texts(store))}
    wanted = sorted((cell for cell in cells if cell.key not in done), key=_ground)
    for name, campaign, seed, scale in sorted({_needed(cell) for cell in wanted}):
        folders = store.reference(name, campaign, seed, scale)
        if campaign == "":
            reference_of(folders, store.key)
    print(f"{len(wanted):,} of {len(cells):,} logs to scan", flush=True)
    if any(cell.factor == "beside" for cell in wanted):
        from baselines import beside

        HISTORY = beside.Log.read(compose.compose(store.histories("one")[0], store.corpora).calls, beside.embedding())
    count = 0
    for (own, scale, seed), several in groupby(wanted, _ground):
        GROUND = None if own or scale > DRILLED else grounds.ground(store, scale, seed)
        if own:  # children share the texts that are read here
            for kind in sorted(WORLDS):
                grounds.benign_world(replace(store, calls=WARM), kind, 1, seed)
        with results.open("a") as file:
            for told in _each([(cell, store) for cell in several], jobs if scale <= (ONE_DRILL if own else DRILLED) else 1, scale > DRILLED):
                count += 1
                file.write(json.dumps(told) + "\n")
                file.flush()
                found = " ".join(f"{name} {each['verdict']} {each['recall']:.2f}" for name, each in told["found"].items())
                print(
                    f"{count}/{len(wanted)} {told['factor']} {told['value']} {told['seed']} {found} innocents {told['innocent']} {told['took']} s", flush=True
                )
