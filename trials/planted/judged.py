"""What a scan said, beside the truth: of each planted campaign, and of innocents by class and language."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

NAMED = ("alert", "review")
"Verdicts that accuse somebody."

LADDER = ("alert", "review", "watch", "-")
"Verdicts, strongest first; - is none at all."

STOP = {
    "en": "the and of to in is that for with are this what how you", "de": "der die und das ist nicht ein eine mit auf für den wie wird",
    "fr": "le la les des est une un et dans pour que sur avec du", "es": "el la los las es una un y en para que con del por",
    "pt": "o os as é uma um e em para que com do da não", "ru": "и в не на что с по как это для", "vi": "là và của các một có cho không được",
}  # fmt: skip
STOPS = {language: frozenset(words.split()) for language, words in STOP.items()}
"Function words by which a language is told."


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
    for batch in calls.select(["account", "prompt"]).to_batches():
        for account, prompt in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            mine = said.setdefault(account, [])
            if prompt and len(mine) < 12:
                mine.append(prompt[:400])
    return {account: language_of(mine) for account, mine in said.items()}


@dataclass(frozen=True)
class Labels:
    """Who is what."""

    of: Mapping[str, str]
    "Account -> the campaign that it is of, or its class."
    campaigns: frozenset[str]
    "Campaigns that are planted."
    calls: Mapping[str, int]
    "Campaign -> calls of its accounts for it, cover not among them."

    @classmethod
    def of_truth(cls, truth: pa.Table) -> Labels:
        """By the truth of a drill. An account of a campaign is one, whatever it does beside it."""
        of, calls = dict[str, str](), Counter[str]()
        for account, planted, kind in zip(*(truth[name].to_pylist() for name in ("account", "campaign", "class")), strict=True):
            if planted:
                of[account] = planted
                calls[planted] += kind != "cover"
            else:
                of.setdefault(account, kind)
        return cls(of, frozenset(calls), calls)

    def accounts(self, campaign: str) -> set[str]:
        """The accounts of a campaign."""
        return {account for account, name in self.of.items() if name == campaign}


def _case(line: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """What the tables need of a written case."""
    count = Counter(labels.of[account] for account in line["accounts"])
    main, of_main = count.most_common(1)[0]
    return {
        "verdict": line["verdict"], "accounts": len(line["accounts"]), "main": main, "share": round(of_main / len(line["accounts"]), 4), "log10_e": line["log10_e"], "q": line["q"],
        "values": {each["name"]: each["value"] for each in line["conditions"]["exculpations"] if each["found"]}, "purpose": line["conditions"]["purpose"]["grade"],
        "replay": bool(line["conditions"]["replay"]), "ties": sorted(each["kind"] for each in line["ties"]),
        "fires": sorted(each["name"] for each in line["signals"] if each["fires"]), "without": {each["name"]: each["verdict"] for each in line["left_out"]},
    }  # fmt: skip


Said = tuple[list[dict[str, Any]], dict[str, Any]]
"Lines of campaigns.jsonl, and the summary."


def said(out: Path) -> Said:
    """What the scan in a folder said."""
    return [json.loads(line) for line in (out / "campaigns.jsonl").read_text().splitlines()], json.loads((out / "summary.json").read_text())


def judged(labels: Labels, told: Said, spoken: Mapping[str, str]) -> dict[str, Any]:
    """What a scan said, beside the truth.

    A case is a campaign's where more than half of its accounts are; a campaign's verdict is the strongest of its cases, its recall the share of its accounts in
    any alert or review, its precision the share of its own among all accounts of its cases that accuse.
    """
    lines, summary = told
    cases = [_case(line, labels) for line in lines]
    accused = {verdict: {account for line in lines if line["verdict"] == verdict for account in line["accounts"]} for verdict in NAMED}
    named = set().union(*accused.values())
    guilty = {account for account, name in labels.of.items() if name in labels.campaigns}
    found = {}
    for campaign in sorted(labels.campaigns):
        mine = labels.accounts(campaign)
        own = [(case, line) for case, line in zip(cases, lines, strict=True) if case["main"] == campaign and case["share"] > 0.5]
        swept = {account for case, line in own if case["verdict"] in NAMED for account in line["accounts"]}
        found[campaign] = {
            "verdict": min((case["verdict"] for case, _ in own), key=LADDER.index, default="-"), "accounts": len(mine), "calls": labels.calls[campaign],
            "recall": round(len(named & mine) / max(1, len(mine)), 4), "recall_alert": round(len(accused["alert"] & mine) / max(1, len(mine)), 4),
            "precision": round(len(swept & guilty) / len(swept), 4) if swept else None, "cases": [case for case, _ in own],
        }  # fmt: skip
    innocent = {verdict: dict(Counter(labels.of[each] for each in accused[verdict] - guilty)) for verdict in NAMED}
    placebo = summary["placebo"]
    return {
        "found": found, "innocent": innocent, "false": [case for case in cases if case["verdict"] in NAMED and not (case["main"] in labels.campaigns and case["share"] > 0.5)],
        "innocent_by_language": {verdict: dict(Counter(spoken.get(each, "unclear") for each in accused[verdict] - guilty)) for verdict in NAMED},
        "placebo": placebo and [placebo["alerts"], placebo["reviews"]], "calls": summary["calls_read"], "tested": summary["clusters_tested"], "seconds": summary["seconds"],
    }  # fmt: skip
