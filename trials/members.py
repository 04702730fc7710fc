"""One campaign split between the logs of five providers: what each finds alone, and what two, three and five of them find together.

    python trials/members.py run --corpora DIR --work WORK [--seeds 711 712] [--only A-JUN O-SEP]
    python trials/members.py table --work WORK [--out docs/joint.md]

A member's log has innocents of its own and its part of a pool: organisations of every class dealt over the members, half of them customers of several (`--shared off`: of one) with the same
organisation, domain and card, the same habits and wordings. So viral prompts, frameworks, suites and vendors' wordings are everywhere. A campaign's accounts are dealt over the five.
All marks are made under one hashing key: that stands in for private matching. `run` appends one line a log to WORK/members.jsonl and goes on where it stopped; `table` prints Table D.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from joint_scan import Member, Said, _seen, alone, taken_together
from lines import read
from pages import put
from stillwatch.drill import compose, scenario
from stillwatch.drill.scenario import Planted
from stillwatch.drill.texts import Texts
from stillwatch.engines.shelf import in_order
from stillwatch.sources import Reading, gather
from stillwatch.store import keys

SECTION = "table D"
LADDER = ("alert", "review", "watch")
MEMBERS, COALITIONS, CUTS = 5, (2, 3, 5), (0.1, 0.25, 0.5, 1.0)
OWN, POOL, OWN_BEFORE, POOL_BEFORE = 14_000, 30_000, 40_000, 60_000
"Calls of innocents: each member's own and of the pool, in the log and in the history."

SHARES = {"A-JUN": 0.03, "O-SEP": 0.0025, "A-FEB-DS": 0.01, "A-SEP-AL": 0.01}
"Share of a campaign in the calls of all five logs: chosen on seed 701 so that a fifth of it is below a member's own alert."


@dataclass(frozen=True)
class Dealt:
    """Marks of one provider's calls, and who they are."""

    marks: pa.Table
    "records.MARKS."
    present: frozenset[str]
    "Columns that the log carries."


def _deal(rows: compose.Rows, truth: compose.Truth, shared: bool, seed: str) -> list[tuple[compose.Rows, compose.Truth]]:
    """Organisations dealt over the members: half of them are customers of two to five. A conversation stays at one member."""
    homes: dict[str, list[int]] = {}
    dealt: list[tuple[compose.Rows, compose.Truth]] = [([], []) for _ in range(MEMBERS)]
    for row, (call, account, owner, campaign, label) in zip(rows, truth, strict=True):
        if owner not in homes:
            r = Random(f"{seed}/{owner}")
            several = shared and campaign is None and r.random() < 0.5
            homes[owner] = r.sample(range(MEMBERS), r.randint(2, MEMBERS) if several else 1)
        at = homes[owner][Random(f"{account}/{row['conversation']}").randrange(len(homes[owner]))]
        # Encrypted reasoning is of no use to another provider: what is carried over from there is not sent.
        issued, back = row["reasoning_out"], row["reasoning_in"]
        own = {"account": f"{account}@{at}", "reasoning_out": issued and f"{issued}@{at}", "reasoning_in": back and [f"{each}@{at}" for each in back]}
        dealt[at][0].append(row | own)
        dealt[at][1].append((call, f"{account}@{at}", owner, campaign, label))
    return dealt


def _marked(chosen: scenario.Scenario, rows: compose.Rows, truth: compose.Truth, work: Path) -> tuple[Dealt, dict[int, str]]:
    """Marks of some calls, and keyed hash -> what an account is: its class, or `campaign` and its id."""
    drill = compose._made(chosen, rows, truth, [])
    how = Reading(keys.load_or_create(work / "key"), work / "key", None, "account")
    with tempfile.TemporaryDirectory(dir=work) as folder:
        log = gather([drill.calls], how, lambda rejected: None, Path(folder))
        assert log is not None
        marks = log.parts.among(np.arange(len(log.parts.owners.accounts))).marks.combine_chunks()
    what = {account: ("campaign" if campaign else label) for _, account, _, campaign, label in truth}
    return Dealt(marks, log.present), {hashed: what[name] for hashed, name in log.names.items()}


def _innocents(chosen: scenario.Scenario, texts: Texts, own: int, pool: int, shared: bool, seed: int) -> list[tuple[compose.Rows, compose.Truth]]:
    """Of each member: its own innocents and its part of the pool. All from the same texts, so that no two people hold one conversation of the corpus."""
    found = []
    dealt = _deal(*compose._innocents(replace(chosen, seed=seed * 10 + 9, calls=pool), texts, 1.0), shared, str(seed))
    for member in range(MEMBERS):
        rows, truth = compose._innocents(replace(chosen, seed=seed * 10 + member, calls=own), texts, 1.0)
        found.append((rows + dealt[member][0], truth + dealt[member][1]))
    return found


def ground(name: str, seed: int, shared: bool, args: argparse.Namespace) -> tuple[list[Dealt], dict[int, str], Texts]:
    """The members' innocents of a scenario, what each account is, and the texts as they left them."""
    before = name.endswith("history")
    chosen = scenario.load(name)
    sizes = (OWN_BEFORE, POOL_BEFORE) if before else (OWN, POOL)
    texts = Texts(f"{seed}/{chosen.split}", args.corpora, chosen.split)
    made = [_marked(chosen, rows, truth, args.work) for rows, truth in _innocents(chosen, texts, *sizes, shared, seed)]
    return [dealt for dealt, _ in made], {account: label for _, what in made for account, label in what.items()}, texts


def campaign(name: str, seed: int, texts: Texts, args: argparse.Namespace) -> tuple[list[Dealt], dict[int, str], Any]:
    """The members' parts of a campaign, what its accounts are, and the times of its calls in order."""
    calls = MEMBERS * OWN + POOL
    chosen = replace(scenario.load("broad"), seed=seed, calls=calls)
    rows: compose.Rows = []
    truth: compose.Truth = []
    compose._plant(chosen, texts, Planted(name, share=SHARES[name], infrastructure=False), calls, rows, truth)
    homes = _deal(rows, [(call, account, account, name, label) for call, account, _, _, label in truth], False, f"{seed}/{name}")
    made = [_marked(chosen, mine, told, args.work) for mine, told in homes]
    ts = np.sort(np.concatenate([dealt.marks["ts"].to_numpy() for dealt, _ in made]))
    return [dealt for dealt, _ in made], {account: label for _, what in made for account, label in what.items()}, ts


def _told(said: Said, what: dict[int, str], of: int) -> dict[str, Any]:
    """What was said, beside the truth. `of`: accounts of the campaign at those who said it."""
    named = {account: verdict for verdict, accounts in reversed(said.cases) if verdict != "watch" for account in accounts}
    found = [verdict for verdict, accounts in said.cases if sum(what[account] == "campaign" for account in accounts) > 0.5 * len(accounts)]
    innocent = {account: what[account] for account in named if what[account] != "campaign"}
    false = [(verdict, Counter(what[each] for each in accounts).most_common(1)[0][0]) for verdict, accounts in said.cases
             if verdict != "watch" and sum(what[each] == "campaign" for each in accounts) <= 0.5 * len(accounts)]  # fmt: skip
    return {"verdict": min(found, key=LADDER.index, default="-"), "found": len(named) - len(innocent), "accounts": of,
            "innocents": dict(Counter(innocent.values())), "in_alerts": dict(Counter(innocent[each] for each in innocent if named[each] == "alert")),
            "false": false, "rests_on": said.rests_on, "strange": said.strange, "tested": said.tested}  # fmt: skip


def judged(name: str | None, seed: int, shared: bool, cut: float, at: list[Member], what: dict[int, str]) -> dict[str, Any]:
    """Every member alone, and every coalition."""
    guilty = [sum(what[int(account)] == "campaign" for account in np.unique(member.marks["account"].to_numpy())) for member in at]
    row: dict[str, Any] = {"campaign": name, "seed": seed, "shared": shared, "cut": cut}
    row["alone"] = [_told(alone(member), what, of) for member, of in zip(at, guilty, strict=True)]
    row["together"] = {str(size): _told(taken_together(at[:size]), what, sum(guilty[:size])) for size in (COALITIONS if cut == 1.0 else COALITIONS[-1:])}
    row["people"] = dict(Counter(what[int(account)] for member in at for account in np.unique(member.marks["account"].to_numpy())))
    return row


GROUND: tuple[list[Dealt], list[Dealt], dict[int, str], Texts] | None = None


def _one(job: tuple[str | None, int, bool, argparse.Namespace]) -> list[dict[str, Any]]:
    name, seed, shared, args = job
    assert GROUND is not None
    today, before, what, texts = GROUND
    parts, theirs, ts = campaign(name, seed, texts, args) if name else ([], {}, None)
    found = []
    for cut in CUTS if name and shared and seed in args.delay else CUTS[-1:]:
        until = np.inf if ts is None or cut == 1.0 else float(ts[int(cut * len(ts))])
        at = []
        for member in range(MEMBERS):
            several = [today[member].marks, *(part.marks for part in parts[member : member + 1])]
            marks = pa.concat_tables(several).filter(pa.array(np.concatenate([each["ts"].to_numpy() for each in several]) <= until))
            at.append(Member(in_order(marks.combine_chunks()), before[member].marks, today[member].present))
        found.append(judged(name, seed, shared, cut, at, what | theirs))
    return found


def run(args: argparse.Namespace) -> None:
    """All logs that are not in the results yet."""
    global GROUND
    args.work.mkdir(parents=True, exist_ok=True)
    results = args.work / "members.jsonl"
    done = {(row["campaign"], row["seed"], row["shared"]) for row in read(results)}
    context = multiprocessing.get_context("fork")
    for shared in args.shared:
        before, _, _ = ground("broad-history", 90, shared, args)
        for seed in args.seeds:
            wanted = [name for name in [*(args.only or SHARES), *([] if args.only else [None])] if (name, seed, shared) not in done]
            if not wanted:
                continue
            today, what, texts = ground("broad", seed, shared, args)
            GROUND = today, before, what, texts
            for each in before:
                _seen(each.marks, each.present)  # once, for all that are forked from here
            with context.Pool(args.jobs, maxtasksperchild=1) as pool, results.open("a") as file:
                for rows in pool.imap(_one, [(name, seed, shared, args) for name in wanted]):
                    file.writelines(json.dumps(row) + "\n" for row in rows)
                    file.flush()
                    last = rows[-1]
                    print(last["campaign"], seed, shared, [each["verdict"] for each in last["alone"]],
                          {size: (each["verdict"], each["found"], each["accounts"], each["innocents"]) for size, each in last["together"].items()}, flush=True)  # fmt: skip


def _alone(row: dict[str, Any]) -> str:
    """Verdicts of members alone, and accounts found of those there."""
    verdicts = Counter(each["verdict"] for each in row["alone"])
    found, of = sum(each["found"] for each in row["alone"]), sum(each["accounts"] for each in row["alone"])
    return ", ".join(f"{verdicts[one]} {one}" for one in (*LADDER, "-") if verdicts[one]) + f"; {found}/{of}"


def _first(rows: list[dict[str, Any]], least: tuple[str, ...], alone_: bool) -> str:
    """The first cut at which somebody alone, or all five together, says so."""
    for row in sorted(rows, key=lambda row: float(row["cut"])):
        said = [each["verdict"] for each in row["alone"]] if alone_ else [row["together"]["5"]["verdict"]]
        if any(each in least for each in said):
            return f"{100 * row['cut']:g} %"
    return "never"


def _named(rows: list[dict[str, Any]], which: str | None) -> tuple[Counter[str], Counter[str]]:
    """Innocents named in alerts and reviews, and in alerts, by class: by a coalition, or by all members alone."""
    named, alerts = Counter[str](), Counter[str]()
    for row in rows:
        for each in row["alone"] if which is None else [row["together"][which]]:
            named.update(each["innocents"])
            alerts.update(each["in_alerts"])
    return named, alerts


def _innocence(rows: list[dict[str, Any]]) -> list[str]:
    """Innocents by class over logs with and without shared customers."""
    text = []
    for shared in sorted({row["shared"] for row in rows}, reverse=True):
        mine = [row for row in rows if row["shared"] == shared and row["cut"] == 1.0]
        people: Counter[str] = Counter()
        for row in mine:
            people.update(row["people"])
        names = ["each alone, all five", *(f"{size} together" for size in COALITIONS)]
        counts = [_named(mine, None), *(_named(mine, str(size)) for size in COALITIONS)]
        text += ["", f"{'With' if shared else 'Without'} shared customers, over {len(mine)} logs of five ({len([row for row in mine if not row['campaign']])} of them without a campaign): innocent accounts named (of those in alerts), by class.",
                 "", f"| | accounts | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]  # fmt: skip
        classes = [name for name in sorted(people) if name != "campaign" and any(named[name] for named, _ in counts)]
        text += [f"| {name} | {people[name]:,} | {' | '.join(f'{named[name]} ({alerts[name]})' for named, alerts in counts)} |" for name in classes]
        whole = sum(count for name, count in people.items() if name != "campaign")
        text.append(f"| **all classes** | {whole:,} | {' | '.join(f'{named.total()} ({alerts.total()})' for named, alerts in counts)} |")
        false = Counter((size, verdict, main) for row in mine for size in map(str, COALITIONS) for verdict, main in row["together"][size]["false"])
        text += ["", "Joint cases of which most accounts are innocent: " + (", ".join(f"{verdict} of {main} ({size} together) x{n}" for (size, verdict, main), n in sorted(false.items())) or "none") + ".",
                 "Members whose tail was noticed as unlike the others': " + str(sum(len(row["together"][str(size)]["strange"]) for row in mine for size in COALITIONS)) + f" of {sum(COALITIONS) * len(mine)}."]  # fmt: skip
    return text


def table(args: argparse.Namespace) -> None:
    """Table D into the page."""
    rows = read(args.work / "members.jsonl")
    text = ["`python trials/members.py run --corpora DIR --work WORK` and `python trials/members.py table --work WORK`.", ""]
    for shared in sorted({row["shared"] for row in rows}, reverse=True):
        text += [f"{'With' if shared else 'Without'} shared customers. A cell: verdict; accounts found of the campaign's accounts there.", "",
                 "| campaign | seed | each of five alone | 2 together | 3 together | 5 together |", "|---|---|---|---|---|---|"]  # fmt: skip
        for row in (row for row in rows if row["shared"] == shared and row["campaign"] and row["cut"] == 1.0):
            cells = [f"{each['verdict']}; {each['found']}/{each['accounts']}" for each in (row["together"][str(size)] for size in COALITIONS)]
            text.append(f"| {row['campaign']} | {row['seed']} | {_alone(row)} | {' | '.join(cells)} |")
        text.append("")
    text += [f"Delay, with shared customers: share of the campaign's calls that had passed at the first of the cuts {', '.join(f'{100 * cut:g}' for cut in CUTS)} % at which the verdict stood.", "",
             "| campaign | seed | review, first alone | review, five together | alert, first alone | alert, five together |", "|---|---|---|---|---|---|"]  # fmt: skip
    for name, seed in sorted({(row["campaign"], row["seed"]) for row in rows if row["campaign"] and row["shared"] and row["cut"] < 1.0}):
        mine = [row for row in rows if (row["campaign"], row["seed"], row["shared"]) == (name, seed, True)]
        text.append(f"| {name} | {seed} | " + " | ".join(_first(mine, least, alone_) for least in (LADDER[:2], LADDER[:1]) for alone_ in (True, False)) + " |")
    put(args.out, SECTION, "\n".join([*text, *_innocence(rows)]))


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--corpora", type=Path)
    runs.add_argument("--work", type=Path, required=True)
    runs.add_argument("--seeds", type=int, nargs="+", default=[711, 712])
    runs.add_argument("--only", nargs="*")
    runs.add_argument("--delay", type=int, nargs="*", default=[711], help="seeds of which prefixes are scanned too, with shared customers")
    runs.add_argument("--shared", type=lambda word: word == "on", nargs="+", default=[True, False], help="on, off or both")
    runs.add_argument("--jobs", type=int, default=2)
    runs.set_defaults(do=run)
    tables = commands.add_parser("table")
    tables.add_argument("--work", type=Path, required=True)
    tables.add_argument("--out", type=Path, default=Path("docs/joint.md"))
    tables.set_defaults(do=table)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
