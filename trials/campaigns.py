"""Every documented campaign planted alone into traffic of every benign class: what is found at which verdict, and who is named without guilt.

    python trials/campaigns.py run --corpora DIR --work DIR [--seeds 301 302 303] [--shares 0.15 0.01] [--only A-JUN] [--jobs 2]
    python trials/campaigns.py table --work DIR [--out docs/campaigns.md]

`run` makes the history (other seed, other half of the sources) once and scans it; the innocents of a seed and share are made once, and
every campaign is planted into them in a process of its own, with and without shared infrastructure. Results go to WORK/results.jsonl,
one line a log; what is there already is not run again. `table` writes the page from that file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch import flow
from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_campaign
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts

NAMED = ("alert", "review")
LADDER = ("alert", "review", "watch", "-")
STOP = {
    "en": "the and of to in is that for with are this what how you", "de": "der die und das ist nicht ein eine mit auf für den wie wird",
    "fr": "le la les des est une un et dans pour que sur avec du", "es": "el la los las es una un y en para que con del por",
    "pt": "o os as é uma um e em para que com do da não", "ru": "и в не на что с по как это для", "vi": "là và của các một có cho không được",
}  # fmt: skip
STOPS = {language: frozenset(words.split()) for language, words in STOP.items()}


def language_of(prompts: list[str]) -> str:
    """The language of somebody's prompts by writing system and function words: for the report of false positives only."""
    text = " ".join(prompts)[:4000]
    han, kana = len(re.findall("[\u4e00-\u9fff]", text)), len(re.findall("[\u3040-\u30ff]", text))
    if han + kana > 0.1 * len(text):
        return "ja" if kana > 0.1 * han else "zh"
    words = Counter(re.findall(r"\w+", text.lower()))
    scores = {language: sum(words[word] for word in stops) for language, stops in STOPS.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] >= 3 else "unclear"


def languages(calls: pa.Table) -> dict[str, str]:
    """Account -> language."""
    said: dict[str, list[str]] = {}
    for account, prompt in zip(calls["account"].to_pylist(), calls["prompt"].to_pylist(), strict=True):
        mine = said.setdefault(account, [])
        if prompt and len(mine) < 12:
            mine.append(prompt[:400])
    return {account: language_of(mine) for account, mine in said.items()}


def judged(drill: compose.Drill, campaign: str, out: Path, summary: dict[str, Any], spoken: dict[str, str]) -> dict[str, Any]:
    """What a scan said of one planted campaign, and of innocents by class and language."""
    label: dict[str, str] = {}
    for account, planted, kind in zip(*(drill.truth[name].to_pylist() for name in ("account", "campaign", "class")), strict=True):
        if planted or account not in label:  # an account of a campaign is one, whatever it does beside it
            label[account] = planted or kind
    guilty = {account for account, name in label.items() if name == campaign}
    lines = [json.loads(line) for line in (out / "campaigns.jsonl").read_text().splitlines()]
    cases = []
    for line in lines:
        tried = line["conditions"]["exculpations"]
        cases.append({
            "verdict": line["verdict"], "accounts": len(line["accounts"]), "guilty": round(len(guilty.intersection(line["accounts"])) / len(line["accounts"]), 4),
            "log10_e": line["log10_e"], "q": line["q"], "main": Counter(label[account] for account in line["accounts"]).most_common(1)[0][0],
            "values": {each["name"]: each["value"] for each in tried if each["found"]}, "purpose": line["conditions"]["purpose"]["grade"],
            "replay": bool(line["conditions"]["replay"]), "ties": sorted(each["kind"] for each in line["ties"]),
            "fires": sorted(each["name"] for each in line["signals"] if each["fires"]),
        })  # fmt: skip
    accused = {verdict: {account for line in lines if line["verdict"] == verdict for account in line["accounts"]} for verdict in NAMED}
    named = set().union(*accused.values())
    verdicts = [each["verdict"] for each in cases if each["guilty"] > 0.5]
    people = [account for account in label if account not in guilty]
    return {
        "verdict": min(verdicts, key=LADDER.index, default="-"), "recall": round(len(named & guilty) / max(1, len(guilty)), 4), "accounts": len(guilty),
        "calls": drill.truth.num_rows, "planted_calls": drill.campaigns[0]["calls"] if drill.campaigns else 0, "cases": cases,
        "false": [each for each in cases if each["verdict"] in NAMED and each["guilty"] <= 0.5],
        "innocents": dict(Counter(label[each] for each in named - guilty)), "in_alerts": dict(Counter(label[each] for each in accused["alert"] - guilty)),
        "innocents_by_language": dict(Counter(spoken[each] for each in named - guilty)), "people": dict(Counter(label[each] for each in people)),
        "people_by_language": dict(Counter(spoken[each] for each in people)),
        "placebo": [summary["placebo"]["alerts"], summary["placebo"]["reviews"]], "seconds": summary["seconds"],
    }  # fmt: skip


@dataclass
class Ground:
    """The innocents of a seed and share, shared by all children that are forked from here."""

    scenario: Scenario
    texts: Texts
    calls: pa.Table
    truth: pa.Table
    spoken: dict[str, str]
    work: Path


GROUND: Ground | None = None


def _one(job: tuple[str | None, bool | None, float]) -> dict[str, Any]:
    """Plant, scan, compare: in a child of its own, so that every campaign finds the texts as the innocents left them."""
    name, infrastructure, share = job
    ground = GROUND
    assert ground is not None
    drill = compose.Drill(ground.calls, ground.truth, [])
    if name is not None:
        rows: compose.Rows = []
        truth: compose.Truth = []
        told = compose._plant(ground.scenario, ground.texts, Planted(name, share=share, infrastructure=infrastructure), ground.scenario.calls, rows, truth)
        planted = compose._made(ground.scenario, rows, truth, [told])
        order = np.argsort(np.concatenate([ground.calls["ts"].to_numpy(), planted.calls["ts"].to_numpy()]), kind="stable")
        both = [pa.concat_tables(pair).take(order) for pair in ((ground.calls, planted.calls), (ground.truth, planted.truth))]
        drill = compose.Drill(both[0], both[1], planted.campaigns)
    with tempfile.TemporaryDirectory(dir=ground.work) as folder:
        out = Path(folder) / "scan"
        summary = flow.watch([drill.calls], out, history=[str(ground.work / "history")], key=ground.work / "key", fleeting=True)
        return judged(drill, name or "", out, summary, {account: "unclear" for account in set(drill.truth["account"].to_pylist())} | ground.spoken)


def prepare(work: Path, corpora: Path | None) -> None:
    """The history, made and scanned once."""
    if (work / "history" / "summary.json").exists():
        return
    path = work / "history.parquet"
    if not path.exists():
        compose.write(compose.compose(scenario.load("broad-history"), corpora), path)
    flow.watch([str(path)], work / "history", key=work / "key")


def _grounds(args: argparse.Namespace) -> Iterator[tuple[int, float, list[tuple[str | None, bool | None]]]]:
    for seed in args.seeds:
        for share in args.shares:
            yield seed, share, [(name, on) for name in (args.only or sorted(every_campaign())) for on in args.infrastructure]
        if args.benign:
            yield seed, 0.0, [(None, None)]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["size"], row["texts"], row["seed"], row["planted_share"], row["campaign"], row["infrastructure"]


def read(path: Path) -> list[dict[str, Any]]:
    """Results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(args: argparse.Namespace) -> None:
    """All logs that are not in the results yet."""
    global GROUND
    args.work.mkdir(parents=True, exist_ok=True)
    prepare(args.work, args.corpora)
    results = args.work / args.results
    done = {_key(row) for row in read(results)}
    context = multiprocessing.get_context("fork")
    for seed, share, jobs in _grounds(args):
        size, texts = args.calls, "corpora" if args.corpora else "built-in"
        wanted = [job for job in jobs if (size, texts, seed, share, *job) not in done]
        if not wanted:
            continue
        chosen = replace(scenario.load("broad"), seed=seed, calls=args.calls)
        drawn = Texts(f"{seed}/{chosen.split}", args.corpora, chosen.split)
        innocents = compose._made(chosen, *compose._innocents(chosen, drawn, 1 - share), [])
        GROUND = Ground(chosen, drawn, innocents.calls, innocents.truth, languages(innocents.calls), args.work)
        with context.Pool(args.jobs, maxtasksperchild=1) as pool, results.open("a") as file:
            tasks = [(job, pool.apply_async(_one, ((*job, share),))) for job in wanted]
            for (name, infrastructure), task in tasks:
                told = {"size": size, "texts": texts, "seed": seed, "planted_share": share, "campaign": name, "infrastructure": infrastructure, **task.get()}
                file.write(json.dumps(told) + "\n")
                file.flush()
                print(seed, share, name, infrastructure, told["verdict"], told["recall"], told["innocents"], [f["main"] for f in told["false"]], flush=True)


NOVEL = ("viral prompt", "new framework", "prompt library", "benchmark in parts", "new customers")
"Classes that the history does not hold: innocent novelty."


def _rates(rows: list[dict[str, Any]], named: str, people: str) -> list[str]:
    """Innocents named, of all, by class or language, as a table."""
    hit: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for row in rows:
        hit.update(row[named])
        whole.update(row[people])
    out = ["| | accounts | named | % |", "|---|---|---|---|"]
    return [*out, *(f"| {name} | {count:,} | {hit[name]} | {100 * hit[name] / count:.2f} |" for name, count in sorted(whole.items()))]


def _found(rows: list[dict[str, Any]]) -> list[str]:
    """Per campaign and way of planting: the verdicts of the seeds, and the mean share of its accounts found."""
    ways = sorted({(row["planted_share"], row["infrastructure"]) for row in rows}, reverse=True)
    head = [f"{100 * share:g} %, {'shared' if on else 'no'} infrastructure" for share, on in ways]
    out = ["| campaign | " + " | ".join(head) + " |", "|---|" + "---|" * len(ways)]
    for name in sorted({row["campaign"] for row in rows}):
        cells = []
        for way in ways:
            mine = sorted(
                (row for row in rows if row["campaign"] == name and (row["planted_share"], row["infrastructure"]) == way), key=lambda row: row["seed"]
            )
            recall = sum(row["recall"] for row in mine) / max(1, len(mine))
            cells.append(f"{', '.join(row['verdict'] for row in mine)} ({recall:.2f})")
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    for verdict, said in (("review or better", NAMED), ("alert", NAMED[:1])):
        counts = []
        for way in ways:
            seeds = sorted({row["seed"] for row in rows})
            of = [sum(row["verdict"] in said for row in rows if (row["planted_share"], row["infrastructure"]) == way and row["seed"] == seed) for seed in seeds]
            counts.append(", ".join(map(str, of)))
        out.append(f"| **{verdict}** | " + " | ".join(counts) + " |")
    return out


def table(args: argparse.Namespace) -> None:
    """The page from the results."""
    rows = read(args.work / args.results)
    sizes, texts = ({row[name] for row in rows} for name in ("size", "texts"))
    if len(sizes) > 1 or len(texts) > 1:
        raise SystemExit(f"{args.work / args.results} mixes sizes {sizes} or texts {texts}: give each its own --results")
    planted, benign = [row for row in rows if row["campaign"]], [row for row in rows if not row["campaign"]]
    history = json.loads((args.work / "history" / "summary.json").read_text())
    seeds = sorted({row["seed"] for row in rows})
    false = Counter((each["verdict"], each["main"]) for row in rows for each in row["false"])
    alerts: Counter[str] = Counter()
    for row in rows:
        alerts.update(row["in_alerts"])
    placebo = [sum(row["placebo"][i] for row in rows) for i in (0, 1)]
    text = [
        "# Every documented campaign, alone", "",
        "Printed by `python trials/campaigns.py run --corpora DIR --work WORK --benign` and `python trials/campaigns.py table --work WORK`.", "",
        f"Each of the twelve documented campaigns is planted alone into traffic of every benign class (scenario `broad`, {sizes.pop():,} calls, texts {texts.pop()}), with seeds {', '.join(map(str, seeds))}, at"
        f" {' and '.join(f'{100 * share:g} %' for share in sorted({row['planted_share'] for row in planted}, reverse=True))} of the calls, with and without shared infrastructure (six payers and offices for the whole campaign). Log and history draw on different halves of the corpora's sources,"
        f" with other seeds; the history has {history['calls_read']:,} calls of {history['organisations']:,} organisations and none of the classes that are new by nature.",
        "", "Campaigns are cut to size as the drill's manual says: at 1 % a campaign has about 1,000 calls, some of 20 accounts. The verdict is the strongest on a case of"
        " which most accounts are the campaign's; one word a seed. In brackets: share of the campaign's accounts in alerts and reviews, mean of the seeds.", "",
        "## What is found", "", *_found(planted), "", f"Placebo, over all {len(rows)} scans: {placebo[0]} alerts, {placebo[1]} reviews.", "",
        "## Innocents", "",
        "Cases of which most accounts are innocent: " + (", ".join(f"{verdict} of {main} x{count}" for (verdict, main), count in sorted(false.items())) or "none") + ".", "",
        "Innocent accounts swept into alerts, over all scans: " + (", ".join(f"{name} {count}" for name, count in sorted(alerts.items())) or "none") + ".", "",
        "Innocent accounts in an alert or a review, by class, all scans together (novel by nature: " + ", ".join(NOVEL) + "):", "", *_rates(rows, "innocents", "people"), "",
        "The same by language of the prompts (told by writing system and function words, for this table only):", "", *_rates(rows, "innocents_by_language", "people_by_language"), "",
    ]  # fmt: skip
    if benign:
        text += ["Innocents alone, nothing planted:", ""]
        text += [
            f"- seed {row['seed']}: {sum(row['innocents'].values())} of {sum(row['people'].values()):,} accounts named: {row['innocents'] or 'nobody'}"
            for row in benign
        ] + [""]
    args.out.write_text("\n".join(text))


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--corpora", type=Path)
    runs.add_argument("--work", type=Path, required=True)
    runs.add_argument("--results", default="results.jsonl")
    runs.add_argument("--seeds", type=int, nargs="+", default=[301, 302, 303])
    runs.add_argument("--shares", type=float, nargs="*", default=[0.15, 0.01])
    runs.add_argument("--only", nargs="*")
    runs.add_argument("--infrastructure", type=lambda word: word == "on", nargs="+", default=[False, True], help="off, on or both")
    runs.add_argument("--benign", action="store_true", help="also the innocents alone")
    runs.add_argument("--calls", type=int, default=100_000)
    runs.add_argument("--jobs", type=int, default=2)
    runs.set_defaults(do=run)
    tables = commands.add_parser("table")
    tables.add_argument("--work", type=Path, required=True)
    tables.add_argument("--results", default="results.jsonl")
    tables.add_argument("--out", type=Path, default=Path("docs/campaigns.md"))
    tables.set_defaults(do=table)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
