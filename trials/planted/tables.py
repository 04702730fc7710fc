"""The tables of campaigns, written from the results of trials/trial.py."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pages import interval, put
from planted.judged import LADDER, NAMED
from planted.plan import LADDER as RUNGS
from planted.plan import PREFIXES, PREVALENCE, SIDE_BY_SIDE

Row = dict[str, Any]

NOVEL = ("viral prompt", "new framework", "prompt library", "benchmark in parts", "new customers")
"Classes that no history holds: innocent novelty."

HALF = 0.5
"Share of a campaign's accounts in alerts or reviews from which it is found, though no case is mostly its own: several that replay reasoning are one case."

KINDS = {
    "drift": "drift: the second day has another mix", "unseen class": "unseen class: six in a hundred calls are of a class that the drill does not have (strangers fill in one new form)",
    "built-in texts": "built-in texts: the project's own small corpus in place of the corpora, while the reference has the corpora's",
    SIDE_BY_SIDE: "side by side: twenty worlds of fifty times the campaign in one log (decision 040)",
}  # fmt: skip
"What the kinds of benign worlds are."

ONE_ACCOUNT = 5.0
"What an account with card, proxy and registration costs its user, USD: an assumption, for the attacker's cost."


def found(row: Row) -> Iterable[tuple[str, Row]]:
    """(campaign, what is said of it)."""
    return row["found"].items()


def _of(rows: Sequence[Row], factor: str, value: str = "") -> list[Row]:
    return [row for row in rows if row["factor"] == factor and row["value"] == value]


def _cell(rows: Sequence[Row], campaign: str) -> str:
    """The verdicts of the seeds, and the mean share of accounts named."""
    mine = [row["found"][campaign] for row in sorted(rows, key=lambda row: row["seed"]) if campaign in row["found"]]
    if not mine:
        return ""
    return f"{', '.join(each['verdict'] for each in mine)} ({statistics.mean(each['recall'] for each in mine):.2f})"


def _like(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Rows of the campaigns and seeds that others have: what stands beside those."""
    there = {(row["campaign"], row["seed"]) for row in others}
    return [row for row in rows if (row["campaign"], row["seed"]) in there]


def _of_factor(rows: Sequence[Row], factor: str) -> list[Row]:
    return [row for row in rows if row["factor"] == factor]


def _which(rows: Sequence[Row]) -> str:
    """Campaigns and seeds that were run."""
    return f"{', '.join(sorted({row['campaign'] for row in rows}))} (seeds {', '.join(map(str, sorted({row['seed'] for row in rows})))})"


def _grid(rows: Sequence[Row], columns: Sequence[tuple[str, list[Row]]]) -> list[str]:
    """Campaigns by columns: verdicts of the seeds, and below how many are found."""
    names = sorted({name for row in rows for name, _ in found(row)})
    out = ["| campaign | " + " | ".join(head for head, _ in columns) + " |", "|---|" + "---|" * len(columns)]
    out += [f"| {name} | " + " | ".join(_cell(several, name) for _, several in columns) + " |" for name in names]
    for said, verdicts in (("review or alert", NAMED), ("alert", NAMED[:1])):
        cells = []
        for _, several in columns:
            share = "recall" if verdicts is NAMED else "recall_alert"
            each = [one["verdict"] in verdicts or one[share] >= HALF for row in several for _, one in found(row)]
            cells.append(f"{sum(each)} of {len(each)}" if each else "")
        out.append(f"| **{said}** | " + " | ".join(cells) + " |")
    return out


def _beside_centre(rows: Sequence[Row], said: str, columns: Sequence[tuple[str, list[Row]]]) -> list[str]:
    """A grid with the centre's logs of the same campaigns and seeds in front."""
    there = [row for _, several in columns for row in several]
    return _grid(there, [(said, _like(_of(rows, "centre"), there)), *columns])


def _centre(rows: list[Row]) -> list[str]:
    mine = _of(rows, "centre")
    out = [
        "| campaign | calls, accounts | days, accounts and calls an account, of those disclosed | verdict, by seed | accounts named | in alerts | precision | first named | first alert | alert for good |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    early: list[tuple[float, float, float]] = []
    for name in sorted({name for row in mine for name, _ in found(row)}):
        each = [row for row in sorted(mine, key=lambda row: row["seed"]) if name in row["found"]]
        told = [row["found"][name] for row in each]
        cut = each[0]["planted"][0]
        asked = ((NAMED, False), (NAMED[:1], False), (NAMED[:1], True))
        firsts = [[_first(rows, name, row["seed"], verdicts, good) for row in each] for verdicts, good in asked]
        early += [(first, alert, good) for first, alert, good in zip(*firsts, strict=True) if None not in (first, alert, good)]
        precision = [one["precision"] for one in told if one["precision"] is not None]
        factors = " ".join(f"{cut['factors'][part]:.2g}" for part in ("days", "accounts", "calls_per_account"))
        out.append(
            f"| {name} | {cut['calls']:,}, {cut['accounts']:,} | {factors} | {', '.join(one['verdict'] for one in told)} | {_mean(one['recall'] for one in told)} |"
            f" {_mean(one['recall_alert'] for one in told)} | {_mean(precision)} | {' | '.join(map(_several, firsts))} |"
        )
    every = [one for row in mine for _, one in found(row)]
    out += [
        "",
        f"Found (alert or review): {interval(sum(one['verdict'] in NAMED for one in every), len(every))}; as alerts: {interval(sum(one['verdict'] == 'alert' for one in every), len(every))}.",
    ]
    if early:
        out.append(
            f"{len(early)} of these logs were scanned again as they were after {', '.join(_share(share) for share in PREFIXES)} of the campaign's calls. The median of the first at which it is named is {_share(statistics.median(each[0] for each in early))}, of the first alert {_share(statistics.median(each[1] for each in early))}, of the first after which it is an alert every time (for good) {_share(statistics.median(each[2] for each in early))} (never: counted as more than all). `follow` raises an alert once, and what was one stays told; here each prefix is a scan of its own."
        )
    return out


def _first(rows: list[Row], campaign: str, seed: int, verdicts: Sequence[str], good: bool) -> float | None:
    """Share of the campaign's calls after which a scan first has one of these verdicts, or, for good, every later scan has; 2 where none has, None where not every prefix was scanned."""
    measured = {row["until"] for row in rows if row["factor"] == "prefix" and row["seed"] == seed and campaign in row["found"]}
    if not measured >= set(PREFIXES):
        return None
    mine = sorted(
        (row["until"], row["found"][campaign]["verdict"] in verdicts)
        for row in rows
        if row["factor"] in ("prefix", "centre") and row["seed"] == seed and campaign in row["found"]
    )
    if not good:
        return next((share for share, named in mine if named), 2.0)
    last_without = max((share for share, named in mine if not named), default=0.0)
    return next((share for share, _ in mine if share > last_without), 2.0)


def _several(shares: Sequence[float | None]) -> str:
    """Of each seed; once, where no seed was scanned so."""
    return ", ".join(_share(share) for share in shares if share is not None) or "not measured"


def _share(share: float | None) -> str:
    if share is None:
        return "not measured"
    return "never" if share > 1 else f"{100 * share:g} %"


def _mean(values: Iterable[float]) -> str:
    several = list(values)
    return f"{statistics.mean(several):.2f}" if several else "-"


def _rungs(rows: list[Row]) -> list[str]:
    """Rungs of which there are results, in the ladder's order: kept rows come in another."""
    there = {row["value"] for row in rows if row["factor"] == "ladder"}
    return [rung for rung in RUNGS if rung in there]


def _ladder(rows: list[Row]) -> list[str]:
    values = _rungs(rows)
    columns = [(value, _of(rows, "ladder", value)) for value in values]
    out = ["| rung | alerts | reviews | watches | nothing | accounts named | missed |", "|---|---|---|---|---|---|---|"]
    for value, several in [("(centre)", _like(_of(rows, "centre"), _of_factor(rows, "ladder"))), *columns]:
        told = [(name, one) for row in several for name, one in found(row)]
        counts = Counter(one["verdict"] for _, one in told)
        missed = Counter(name for name, one in told if one["verdict"] not in NAMED)
        seeds = len({row["seed"] for row in several})
        said = ", ".join(f"{name}{f' ({count} of {seeds})' if count < seeds else ''}" for name, count in sorted(missed.items()))
        out.append(f"| {value} | " + " | ".join(str(counts[verdict]) for verdict in LADDER) + f" | {_mean(one['recall'] for _, one in told)} | {said or '-'} |")
    return out


def _without(rows: list[Row]) -> list[str]:
    """How many of the centre's campaigns keep which verdict when one signal is left out."""
    mine = [one for row in _of(rows, "centre") for _, one in found(row)]
    signals = sorted({name for one in mine for case in one["cases"] for name in case["without"]})
    out = ["| without | alerts | reviews | watches | nothing |", "|---|---|---|---|---|"]
    for signal in ("", *signals):
        best = [
            min(((case["without"].get(signal, case["verdict"]) if signal else case["verdict"]) or "-" for case in one["cases"]), key=LADDER.index, default="-")
            for one in mine
        ]
        counts = Counter(best)
        out.append(f"| {signal or '(nothing left out)'} | " + " | ".join(str(counts[verdict]) for verdict in LADDER) + " |")
    return out


def _rates(rows: list[Row], key: str, people: str) -> list[str]:
    """Innocents in alerts, and in alerts or reviews, by class or language."""
    alert, review, whole = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        alert.update(row[key]["alert"])
        review.update(row[key]["review"])
        whole.update(row[people])
    out = ["| | accounts | in alerts % (95 %) | in reviews % (95 %) |", "|---|---|---|---|"]
    out += [
        f"| {name}{' (new)' if name in NOVEL else ''} | {count:,} | {interval(alert[name], count, 3)} | {interval(review[name], count, 3)} |"
        for name, count in sorted(whole.items())
    ]
    total = sum(whole.values())
    return [*out, f"| all | {total:,} | {interval(sum(alert.values()), total, 3)} | {interval(sum(review.values()), total, 3)} |"]


def _cost(rows: list[Row]) -> list[str]:
    """Accounts that hiding takes: of the rungs on which a campaign is not named, the cheapest."""
    out = [
        "| campaign | cheapest rung on which it is not named in any seed | accounts for its calls | USD an exchange, at USD 5 an account | beside the centre |",
        "|---|---|---|---|---|",
    ]
    for name in sorted({name for row in _of_factor(rows, "ladder") for name, _ in found(row)}):
        options: list[tuple[float, str, int]] = []
        for value in _rungs(rows):
            each = [row for row in _of(rows, "ladder", value) if name in row["found"]]
            if each and not any(row["found"][name]["verdict"] in NAMED for row in each):
                accounts = statistics.mean(row["found"][name]["accounts"] for row in each)
                calls = statistics.mean(row["found"][name]["calls"] for row in each)
                options.append((ONE_ACCOUNT * accounts / max(1, calls), value, round(accounts)))
        base = statistics.mean(
            ONE_ACCOUNT * row["found"][name]["accounts"] / row["found"][name]["calls"] for row in _of(rows, "centre") if name in row["found"]
        )
        out.append(
            f"| {name} | "
            + (
                f"{min(options)[1]} | {min(options)[2]:,} | {min(options)[0]:.3f} | {min(options)[0] / base:.1f} times |"
                if options
                else "none of those tried | | | |"
            )
        )
    return out


def _beside(rows: list[Row]) -> list[str]:
    """Every detector by how many campaigns it finds, and the share of accounts that it names at as many false accounts as Stillwatch's."""
    mine = sorted((row for row in rows if row["factor"] == "beside"), key=lambda row: row["campaign"])
    lines = [line for row in mine for line in row["beside"]]
    budgets = list(dict.fromkeys(line["budget"] for line in lines))
    campaigns = [row["campaign"] for row in mine]
    allowed = {row["campaign"]: next(line["allowed"] for line in row["beside"] if line["budget"] == budgets[0]) for row in mine}
    out = [
        f"| detector | {' | '.join(f'found: {budget}' for budget in budgets)} | AUC, mean | {' | '.join(f'{name} ({allowed[name]} false)' for name in campaigns)} |",
        "|---|" + "---|" * (len(budgets) + 1 + len(campaigns)),
    ]
    ranked: list[tuple[list[int], float, str]] = []
    for name in dict.fromkeys(line["detector"] for line in lines):
        own = [line for line in lines if line["detector"] == name]
        counts = [sum(line["found"] for line in own if line["budget"] == budget) for budget in budgets]
        auc = [line["auc"] for line in own if line["budget"] == budgets[0] and line["auc"] is not None]
        cells = [
            next((f"{100 * line['recall']:.0f}" for line in own if line["campaign"] == campaign and line["budget"] == budgets[0]), "") for campaign in campaigns
        ]
        there = {line["budget"] for line in own}
        said = [f"{count} of {len(campaigns)}" if budget in there else "" for count, budget in zip(counts, budgets, strict=True)]
        ranked.append((counts, statistics.mean(auc) if auc else 0.0, f"| {name} | {' | '.join(said)} | {_mean(auc)} | {' | '.join(cells)} |"))
    return [*out, *(line for _, _, line in sorted(ranked, reverse=True))]


def _worlds(rows: list[Row]) -> list[str]:
    """Worlds in which an innocent is accused, by size and kind."""
    out = [
        "| innocent calls | kind | worlds | with an alert % (95 %) | with an alert or a review % (95 %) |",
        "|---|---|---|---|---|",
    ]
    for scale in sorted({row["scale"] for row in rows}):
        mine = [row for row in rows if row["scale"] == scale]
        for kind in [*sorted({row["value"] for row in mine}), "all"]:
            several = [row for row in mine if kind in (row["value"], "all")]
            alerts, both = (sum(any(case["verdict"] in verdicts for case in row["false"]) for row in several) for verdicts in (NAMED[:1], NAMED))
            calls = statistics.median(row["calls"] for row in several)
            out.append(f"| {calls:,.0f} | {kind} | {len(several):,} | {interval(alerts, len(several))} | {interval(both, len(several))} |")
    return out


def _spans(seeds: Iterable[int]) -> str:
    """Seeds, those that follow one another as first to last."""
    ends: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if ends and seed == ends[-1][1] + 1:
            ends[-1][1] = seed
        else:
            ends.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ends)


def worlds(rows: list[Row]) -> str:
    """The section of benign worlds."""
    false = Counter((each["verdict"], each["main"]) for row in rows for each in row["false"])
    seeds = _spans(row["seed"] for row in rows)
    kinds = "; ".join(text for kind, text in KINDS.items() if any(row["value"] == kind for row in rows))
    return "\n".join([
        "## Innocents alone: is the error rate real?", "",
        "Printed by `python trials/trial.py run --corpora DIR --work WORK --tier worlds`, `keep --work WORK` and `tell --work WORK --kept`; each run has a hashing key of its own.", "",
        f"{len(rows):,} worlds of innocents alone (seeds {seeds}), each of a mix of classes of its own that nothing was tuned on (the declared weights times a log-normal factor of sigma 1, one class in six missing), beside"
        f" the whole reference (two million calls; from a hundred times the campaign on as decision 039 says). {kinds}. An alert promises a false discovery rate of 1 %, a review 10 %; with nobody guilty every discovery is false, so that is the share of worlds which may have one.", "",
        *_worlds(rows), "",
        "Cases (verdict, class of most accounts): " + (", ".join(f"{verdict} of {main} x{count}" for (verdict, main), count in sorted(false.items())) or "none") + ".", "",
        "By class:", "", *_rates(rows, "innocent", "people"), "", "By language of the prompts:", "", *_rates(rows, "innocent_by_language", "people_by_language"),
    ])  # fmt: skip


def sections(rows: list[Row]) -> Iterable[tuple[str, str]]:
    """(name, text) of each section of planted campaigns for which there are results. Raises: SystemExit where results do not belong together."""
    sizes, texts = {row["size"] for row in rows}, {row["texts"] for row in rows}
    if len(sizes) > 1 or len(texts) > 1:
        raise SystemExit(f"results mix sizes {sizes} or texts {texts}: give each its own --work")
    size = sizes.pop()
    history = [(value, _of(rows, "history", value)) for value in ("none", "one", "other mix", "older")]
    scales = [(value, _of(rows, "scale", value)) for value in ("100, alone", "100, together", "100, together, short history", "1000, together", "1000, alone")]
    prevalence = [(f"{100 * share:g} %", _of(rows, "prevalence", f"{100 * share:g} %")) for share in PREVALENCE]
    small = [row for row in rows if row["factor"] in ("centre", "benign")]
    false = Counter((row["scale"], each["verdict"], each["main"]) for row in rows if row["history"] != "none" for each in row["false"])
    placebos = [row["placebo"] for row in rows if row["placebo"]]
    placebo = [sum(each[at] for each in placebos) for at in (0, 1)]
    centre = _of(rows, "centre")
    parts: list[tuple[str, str, str, Callable[[], list[str]], list[Row]]] = [
        ("alone", "Every documented campaign, alone", "Three factors of the cut are printed: the drill cuts days first (to 2), then accounts (to 20), then calls an account (to 4). Precision: of the accounts in cases that are mostly the campaign's, those that are.", lambda: _centre(rows), centre),
        ("scales", "More innocents, and company", "Innocent traffic in campaigns; together: all twelve in one log. Campaigns that replay reasoning are then told in one case, so that none is mostly of one of them (-): such a campaign counts as found where half of its accounts are named. The history grows with the log: twelve times its calls at ten times the campaign, ten times at a hundred (short: little more than the log's), as many at a thousand, where a longer one is too long to make (multiplied, as the log is; decision 039).", lambda: _grid(rows, [("10, alone", centre), *((value, several) for value, several in scales if several)]), _of_factor(rows, "scale")),
        ("infrastructure", "Shared infrastructure", "Six payers and offices for the whole campaign: its accounts are fewer strangers.", lambda: _beside_centre(rows, "nothing shared", [("shared", _of(rows, "infrastructure", "shared"))]), _of_factor(rows, "infrastructure")),
        ("reference", "The reference", "None; one history of eight; as large, of another mix of classes; and whole with the campaign itself in one of its histories (2 % of its calls).", lambda: _beside_centre(rows, "whole", history), _of_factor(rows, "history")),
        ("prevalence", "As more of the traffic", "The campaign as a share of all calls: it must not be learned as normal.", lambda: _beside_centre(rows, "9 %", prevalence), _of_factor(rows, "prevalence")),
        ("ladder", "How they adapt", f"One thing changed at a time, on {_which(_of_factor(rows, 'ladder'))}. Where the digests are gone and the campaign relays ordinary users' own requests, nothing in the log tells the relay from an innocent reseller (A-SEP-MS, A-SEP-DS, A-SEP-XM without digests): unidentifiable, so a miss there is none.", lambda: _ladder(rows), _of_factor(rows, "ladder")),
        ("cost", "What hiding costs", "Per exchange that the campaign gets out, accounts alone; the price of its cover is not in it.", lambda: _cost(rows), _of_factor(rows, "ladder")),
        ("beside", "Beside what the field has", "One seed, everybody with one history. A detector names accounts from its highest number down, up to as many innocent accounts as Stillwatch names on the same log, one in a thousand, one in a hundred; found: at least half of the campaign's accounts. Right: per cent of the campaign's accounts named at as many false accounts as Stillwatch. Details: `trials/baselines/beside.py`.", lambda: _beside(rows), _of_factor(rows, "beside")),
        ("signals", "Without one signal", "The centre's campaigns, judged again without each signal in turn.", lambda: _without(rows), centre),
        ("classes", "Innocents by class", "The logs of the centre, and the same without a campaign; the same innocents stand in all logs of a seed, so intervals are narrower than they should be.", lambda: _rates(small, "innocent", "people"), small),
        ("languages", "Innocents by language", "Told by writing system and function words, for this table only.", lambda: _rates(small, "innocent_by_language", "people_by_language"), small),
        ("cases", "Cases that are no one campaign's", "Alerts and reviews of which no campaign has more than half of the accounts, over all logs with a reference, cut off ones too: cases of innocents, or of several campaigns together. Innocent calls in campaigns, verdict, and what the largest group of its accounts is (a class, or a campaign).", lambda: [
            ", ".join(f"{scale:g} times: {verdict} of {main} x{count}" for (scale, verdict, main), count in sorted(false.items())) or "None.", "",
            f"Placebo, over the {len(placebos)} whole scans: {placebo[0]} alerts, {placebo[1]} reviews.",
        ], [row for row in rows if row["history"] != "none"]),
    ]  # fmt: skip
    for name, head, said, made, there in parts:
        if there:
            yield f"campaigns {name}", "\n".join([f"### {head}", "", f"{said} {_logs(there, size)}", "", *made()])


def _logs(rows: Sequence[Row], size: int) -> str:
    """Which logs a section is made of."""
    seeds = ", ".join(map(str, sorted({row["seed"] for row in rows})))
    return f"{len(rows):,} logs, campaigns of {size:,} calls, texts {rows[0]['texts']}, seeds {seeds}."


def tell(rows: list[Row], into: Path) -> None:
    """Write each section for which there are results; the others of the page stay. Raises: SystemExit where there is nothing to tell."""
    if not rows:
        raise SystemExit("no results: run `python trials/trial.py run` first")
    planted, innocent = [row for row in rows if row["factor"] != "world"], [row for row in rows if row["factor"] == "world"]
    for name, text in sections(planted) if planted else ():
        put(into, name, text)
    if innocent:
        put(into, "worlds", worlds(innocent))
