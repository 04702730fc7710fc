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

import pyarrow as pa

from stillwatch import flow
from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_campaign
from stillwatch.drill.scenario import Planted, Scenario
from stillwatch.drill.texts import Texts

NAMED = ("alert", "review")
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


def judged(drill: compose.Drill, campaign: str, out: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """What a scan said of one planted campaign, and of innocents by class and language."""
    label: dict[str, str] = {}
    for account, planted, kind in zip(*(drill.truth[name].to_pylist() for name in ("account", "campaign", "class")), strict=True):
        if planted or account not in label:  # an account of a campaign is one, whatever it does beside it
            label[account] = planted or kind
    guilty = {account for account, name in label.items() if name == campaign}
    lines = [json.loads(line) for line in (out / "campaigns.jsonl").read_text().splitlines()]
    ours, false, watches = [], [], []
    for line in lines:
        share = len(guilty.intersection(line["accounts"])) / len(line["accounts"])
        about = {"verdict": line["verdict"], "accounts": len(line["accounts"]), "guilty": round(share, 4), "log10_e": line["log10_e"], "q": line["q"]}
        about["main"] = Counter(label[account] for account in line["accounts"]).most_common(1)[0][0]
        about["found"] = [each["name"] for each in line["conditions"]["exculpations"] if each["found"]]
        about["values"] = {each["name"]: each["value"] for each in line["conditions"]["exculpations"]}
        about["purpose"], about["replay"] = line["conditions"]["purpose"]["grade"], bool(line["conditions"]["replay"])
        (watches if line["verdict"] not in NAMED else ours if share > 0.5 else false).append(about)
    named = [line for line in lines if line["verdict"] in NAMED]
    accused = {account for line in named for account in line["accounts"]}
    innocent = accused - guilty
    spoken = languages(drill.calls)
    verdicts = [each["verdict"] for each in ours]
    return {
        "verdict": min(verdicts, default="watch" if any(each["guilty"] > 0.5 for each in watches) else "-"),
        "recall": round(len(accused & guilty) / max(1, len(guilty)), 4), "accounts": len(guilty), "calls": drill.truth.num_rows,
        "planted_calls": drill.campaigns[0]["calls"] if drill.campaigns else 0, "share": drill.campaigns[0]["share"] if drill.campaigns else 0.0,
        "cases": ours, "false": false, "watches": watches, "innocents": dict(Counter(label[each] for each in innocent)),
        "innocents_by_language": dict(Counter(spoken[each] for each in innocent)),
        "alert_innocents": dict(Counter(label[a] for line in lines if line["verdict"] == "alert" for a in line["accounts"] if a not in guilty)),
        "people": dict(Counter(name for account, name in label.items() if account not in guilty)),
        "people_by_language": dict(Counter(spoken[account] for account in label if account not in guilty)),
        "placebo": [summary["placebo"]["alerts"], summary["placebo"]["reviews"]], "seconds": summary["seconds"],
    }  # fmt: skip


@dataclass
class Ground:
    """The innocents of a seed and share, shared by all children that are forked from here."""

    scenario: Scenario
    texts: Texts
    rows: list[dict[str, Any]]
    truth: list[tuple[str, str, str, str | None, str]]
    work: Path


GROUND: Ground | None = None


def _one(job: tuple[str | None, bool | None, dict[str, Any]]) -> dict[str, Any]:
    """Plant, scan, compare: in a child of its own, so that every campaign finds the texts as the innocents left them."""
    name, infrastructure, rungs = job
    ground = GROUND
    assert ground is not None
    told = []
    rows, truth = list(ground.rows), list(ground.truth)
    if name is not None:
        planted = Planted(name, share=rungs.pop("share"), infrastructure=infrastructure, **rungs)
        told = [compose._plant(ground.scenario, ground.texts, planted, ground.scenario.calls, rows, truth)]
    drill = compose._made(ground.scenario, rows, truth, told)
    with tempfile.TemporaryDirectory(dir=ground.work) as folder:
        out = Path(folder) / "scan"
        summary = flow.watch([drill.calls], out, history=[str(ground.work / "history")], key=ground.work / "key", fleeting=True)
        return judged(drill, name or "", out, summary)


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
            jobs = [(name, on) for name in (args.only or sorted(every_campaign())) for on in (False, True)]
            yield seed, share, list(jobs)
        if args.benign:
            yield seed, 0.0, [(None, None)]


def run(args: argparse.Namespace) -> None:
    """All logs that are not in the results yet."""
    global GROUND
    args.work.mkdir(parents=True, exist_ok=True)
    results = args.work / args.results
    done = (
        {(r["seed"], r["planted_share"], r["campaign"], r["infrastructure"]) for r in map(json.loads, results.read_text().splitlines())}
        if results.exists()
        else set()
    )
    context = multiprocessing.get_context("fork")
    for seed, share, jobs in _grounds(args):
        wanted = [job for job in jobs if (seed, share, *job) not in done]
        if not wanted:
            continue
        chosen = replace(scenario.load("broad"), seed=seed, calls=args.calls)
        texts = Texts(f"{seed}/{chosen.split}", args.corpora, chosen.split)
        rows, truth = compose._innocents(chosen, texts, 1 - share)
        GROUND = Ground(chosen, texts, rows, truth, args.work)
        with context.Pool(args.jobs, maxtasksperchild=1) as pool, results.open("a") as file:
            tasks = [(job, pool.apply_async(_one, ((job[0], job[1], {"share": share}),))) for job in wanted]
            for (name, infrastructure), task in tasks:
                told = {"seed": seed, "planted_share": share, "campaign": name, "infrastructure": infrastructure, **task.get()}
                file.write(json.dumps(told) + "\n")
                file.flush()
                print(seed, share, name, infrastructure, told["verdict"], told["recall"], told["innocents"], [f["main"] for f in told["false"]], flush=True)


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
    runs.add_argument("--benign", action="store_true", help="also the innocents alone")
    runs.add_argument("--calls", type=int, default=100_000)
    runs.add_argument("--jobs", type=int, default=2)
    runs.set_defaults(do=run)
    args = parser.parse_args()
    prepare(args.work, args.corpora) if args.do is run else None
    args.do(args)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
