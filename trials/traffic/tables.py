"""What a run gave, as tables between markers in a page; what other trials wrote there stays."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pages import interval, put
from traffic import judge, pairs, protocol

SECTION = "traffic windows"

ALLOWED = 0.05
"Share of benign windows that may be called attacked."

SHARES = [str(share) for share in protocol.SHARES]

Rows = list[dict[str, Any]]

PUBLISHED = {judge.PUBLISHED: 95.1, "Mahalanobis": 87.4, "SEAT": 81.9, "CAP": 72.0, "PRADA": 71.0}
"Balanced accuracy in arXiv 2606.05725 at 1,500 texts, recomputed from its per-window files (14 pairs, 3 seeds)."


def _cut(benign: Iterable[float], allowed: float) -> float:
    """The number above which at most a share `allowed` of the benign windows are."""
    ordered = sorted(benign, reverse=True)
    return ordered[int(allowed * len(ordered))]


def _equal(rows: Rows, name: str, allowed: float = ALLOWED) -> Callable[[dict[str, Any]], float]:
    """One cut for all pairs and seeds, so that all detectors have as many false positives."""
    cut = _cut((value for row in rows for value in row["detectors"][name]["benign"]), allowed)
    return lambda row: cut


def _none(rows: Rows, name: str) -> Callable[[dict[str, Any]], float]:
    """The highest benign window of all."""
    return _equal(rows, name, 0.0)


def _own_rule(rows: Rows, name: str) -> Callable[[dict[str, Any]], float]:
    """The 95th percentile of windows out of the reference, for each pair and seed; under the published rule, where both sides count, either end's (10 % is promised)."""
    both = name in judge.BOTH_SIDES
    return lambda row: 0.0 if both and row["published"] else float(np.percentile(row["detectors"][name]["null"], 100 * (1 - ALLOWED)))


Rule = Callable[[Rows, str], Callable[[dict[str, Any]], float]]


def _given(cut: Callable[[dict[str, Any]], float], rows: Rows, name: str) -> Callable[[dict[str, Any]], float]:
    return cut


def measured(rows: Rows, name: str, rule: Rule) -> tuple[int, int, list[float]]:
    """Benign windows called attacked, benign windows, and per cent of attacked windows found by share, pairs and seeds weighing the same."""
    cut = rule(rows, name)
    wrong = sum(value > cut(row) for row in rows for value in row["detectors"][name]["benign"])
    count = sum(len(row["detectors"][name]["benign"]) for row in rows)
    found = [100 * float(np.mean([np.mean(np.array(row["detectors"][name]["mixed"][share]) > cut(row)) for row in rows])) for share in SHARES]
    return int(wrong), count, found


def balanced(wrong: int, count: int, found: list[float]) -> float:
    """Balanced accuracy: mean of the rate found, averaged over shares, and of the rate of benign windows left alone."""
    return (float(np.mean(found)) + 100 - 100 * wrong / max(count, 1)) / 2


def _names(rows: Rows, parts: bool) -> list[str]:
    return [name for name in rows[0]["detectors"] if parts or not name.endswith("alone")]


def _table(rows: Rows, rule: Rule, parts: bool = False, published: bool = False) -> list[str]:
    head = ["detector", "false positives % (95 % interval; windows)", *(f"{100 * float(share):.0f} %" for share in SHARES), "average", "BA"]
    head += ["BA as published"] if published else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    told = {name: measured(rows, name, rule) for name in _names(rows, parts)}
    for name, (wrong, count, found) in sorted(told.items(), key=lambda item: -balanced(*item[1])):
        cells = [name, interval(wrong, count), *(f"{each:.1f}" for each in found), f"{np.mean(found):.1f}", f"{balanced(wrong, count, found):.1f}"]
        cells += [str(PUBLISHED.get(name, "-"))] if published else []
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _each_pair(rows: Rows, names: tuple[str, ...]) -> list[str]:
    """By pair: what a plain classifier gets, and found at 5 % and balanced accuracy at the common cut, small and large windows."""
    head = ["pair", "stands for", "texts", "AUC", *(f"{name}, {size:,}" for size in (100, 1500) for name in names)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for pair in pairs.PAIRS:
        mine = [row for row in rows if row["pair"] == pair.name]
        if not mine:
            continue
        cells = [pair.name, pair.like, f"{mine[0]['normal']:,} + {mine[0]['attacking']:,}", f"{mine[0]['auc']:.3f}"]
        for size in (100, 1500):
            sized = [row for row in rows if row["size"] == size and row["developed"] == pair.developed]
            for name in names:
                cut = _equal(sized, name)
                wrong, count, found = measured([row for row in mine if row["size"] == size], name, partial(_given, cut))
                cells.append(f"{found[0]:.0f} / {balanced(wrong, count, found):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _bar(equal: dict[int, Rows], rule: Rule) -> list[str]:
    """How much of MMD's and of the strongest other detector's error ours leaves, over all judging pairs and over those that share no side with a developed one."""
    head = [
        "window",
        "pairs",
        "ours: 5 % found",
        "BA",
        "MMD, whole reference: 5 % found",
        "BA",
        "error of ours / of MMD",
        "strongest other, its BA",
        "error of ours / of it",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for size, rows in equal.items():
        for mine in (rows, [row for row in rows if not row["akin"]]):
            if not mine:
                continue
            each = {name: _error(mine, name, rule) for name in _names(mine, parts=False)}
            (our, our_found), (mmd, mmd_found) = each[judge.OWN], each[judge.WHOLE]
            other = min((name for name in each if name != judge.OWN), key=lambda name: each[name][0])
            cells = [f"{size:,}", str(len({row["pair"] for row in mine})), f"{our_found:.1f}", f"{100 - our:.1f}", f"{mmd_found:.1f}", f"{100 - mmd:.1f}"]
            cells += [f"{our / max(mmd, 1e-9):.2f}", f"{other}, {100 - each[other][0]:.1f}", f"{our / max(each[other][0], 1e-9):.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _error(rows: Rows, name: str, rule: Rule) -> tuple[float, float]:
    """100 less balanced accuracy, and found at the smallest share, by a rule."""
    wrong, count, found = measured(rows, name, rule)
    return 100 - balanced(wrong, count, found), found[0]


def page(rows: Rows) -> str:
    """The section, without its markers."""
    equal: dict[bool, dict[int, Rows]] = {True: defaultdict(list), False: defaultdict(list)}
    published: dict[int, Rows] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["size"], row["pair"], row["seed"])):
        if row["published"]:
            if not row["developed"]:
                published[row["size"]].append(row)
        else:
            equal[row["developed"]][row["size"]].append(row)
    judged = len({row["pair"] for row in rows if not row["developed"]})
    lines = [
        "## Traffic windows", "",
        "Printed by `python trials/windows.py run CORPORA --cache DIR --out out/windows` and `python trials/windows.py tell --out out/windows --into docs/trial.md`.",
        "What was tried, and how to read it: [decision 013](decisions/013-traffic-windows.md).", "",
        f"A window is so many texts without account, time or address. {judged} pairs of normal and attacking texts judge, analogues of the fourteen of arXiv 2606.05725, whose own"
        f" texts cannot be had here; seeds {', '.join(map(str, protocol.SEEDS))}; {protocol.MIXED} windows of each attacker share, pair and seed. Vectors: all-MiniLM-L6-v2, 128 tokens of"
        " a text. DATE is not run: it trains a language model for each pair, whose weights cannot be had here. Per cent of attacked windows that are found, by share of attacking"
        " texts; BA: balanced accuracy.", "",
        "### Equal false positives", "",
        "Half of the benign texts are the reference, the other half is cut into windows that share no text. One cut a detector, over all judging pairs and seeds, above which as many"
        " benign windows are for each of them. Seeds, and pairs with one normal side, cut the same texts anew, so intervals are narrower than they should be.", "",
    ]  # fmt: skip
    for size, mine in equal[False].items():
        lines += [f"Windows of {size:,} texts:", "", *_table(mine, _equal), ""]
    lines += [
        "Ours beside the others, over the judging pairs and over those that share neither side with a developed pair (error: 100 - BA; below .50: ours leaves less than half of it). With"
        " 5 % false positives BA cannot be above 97.5.", "",
        *_bar(equal[False], _equal), "",
        "The same with no benign window above the cut:", "",
        *_bar(equal[False], _none), "",
    ]  # fmt: skip
    lines += [
        "### By each detector's own threshold",
        "",
        "The same windows; the threshold is the 95th percentile of windows drawn from the reference, so 5 % is promised. MMD's are compared"
        " with the rest of the reference, other windows with all of it, so its threshold is a little high.",
        "",
    ]
    for size in (100, 1500):
        lines += [f"Windows of {size:,} texts:", "", *_table(equal[False][size], _own_rule), ""]
    lines += [
        "### The published rule", "",
        "Reference of four fifths, 95th percentile, 50 benign windows a pair and seed drawn from the last fifth, which overlap (so their interval means little). The published null has"
        f" 1,000 draws; here {protocol.NULL_WINDOWS}. PRADA, SEAT and CAP have two thresholds, the 5th and the 95th percentile: 10 % is promised.", "",
    ]  # fmt: skip
    for size in protocol.PUBLISHED_SIZES:
        enough = [row for row in published[size] if row["normal"] // 5 >= size]
        lines += [f"Windows of {size:,} texts:", "", *_table(published[size], _own_rule, published=size == 1500), ""]
        if 0 < len(enough) < len(published[size]):
            lines += [
                f"The same without pairs whose last fifth holds fewer than {size:,} texts, so that their windows repeat texts:",
                "",
                *_table(enough, _own_rule, published=True),
                "",
            ]
    lines += [
        "### Pair by pair", "",
        "At equal false positives: found at 5 % / BA. AUC: a plain classifier (TF-IDF, logistic regression) that is shown half of both sides and tells single texts of the other half"
        " apart: near 1, the two corpora differ in everything, and finding the one in the other is finding a domain.", "",
        *_each_pair([row for each in equal[False].values() for row in each], (judge.OWN, judge.WHOLE)), "",
        "The pairs on which our row was developed, which count nowhere else:", "",
        *_each_pair([row for each in equal[True].values() for row in each], (judge.OWN, judge.WHOLE)), "",
        "### The parts of our row, each alone", "",
    ]  # fmt: skip
    for size in (100, 1500):
        only = [{**row, "detectors": {name: each for name, each in row["detectors"].items() if name.startswith(judge.OWN)}} for row in equal[False][size]]
        lines += [f"Windows of {size:,} texts, equal false positives:", "", *_table(only, _equal, parts=True), ""]
    return "\n".join(lines).rstrip() + "\n"


def tell(out: Path, into: Path) -> None:
    """Writes the section of a run into a page, in place of the one before, or at its end."""
    rows = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    if not rows:
        raise SystemExit(f"{out} holds no results: run `python trials/windows.py run` first")
    put(into, SECTION, page(rows))
