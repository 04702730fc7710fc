"""Whether `stillwatch explain` tells the truth: agreement with the scan, its speed, and its changes made for real.

    python trials/explain.py LOG --history HISTORY [--sample 50] [--whole 3] [--seed 1] [--out docs/explain.md]

1. Every account of LOG is explained; "in" must be exactly what campaigns.jsonl names, campaign by campaign.
2. A sample is asked by the command line, each in a process of its own: seconds from start to end.
3. For a sample of each answer, the change told is made in the log and the log is examined again. Calls are taken out; or the calls of the member that the
   change names are copied under the account's own metadata. The log is read and marked once and its marks are changed, which gives what a scan of the
   changed log gives; `--whole` changes of each kind are made in the file itself and scanned by the command line, alone. Several changes are made in
   one go only where they touch different campaigns, or together at most one in a hundred of a campaign's members; whatever fails is tried again
   alone, and so are ten that did not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import account, flow
from stillwatch.engines.local import Gathered
from stillwatch.parts import One
from stillwatch.records import MARKS, NO_CONTEXT
from stillwatch.sources import Reading, gather
from stillwatch.store import keys
from stillwatch.traffic import Traffic

OF_ACCOUNT = (
    "account", "org", "org_known", "end_user", "key", "ip", "net", "user_agent", "headers", "tls", "asn", "mail", "payment", "program", "path", "plan",
    "signup_ts", "client_seen",
)  # fmt: skip
"Marks that are the account's own and not the call's."

FILE_OF_ACCOUNT = (
    "account", "org", "key", "end_user", "path", "ip", "asn", "country", "user_agent", "headers", "client_seen", "payment", "email_domain", "signup_ts",
    "plan", "program",
)  # fmt: skip
"The same, as a log has them."

LEFT_OUT = "nearly: left out"
"Accounts that stand in a cluster of a case and that the case leaves out."

KINDS = ("in", "nearly", LEFT_OUT, "not in", "not in, by wording")

SHORT = "one call short"
"The control: a change less one of its calls, at random, must not turn the answer, or the change was not the smallest. Leaving a case of several clusters promises no such thing."


@dataclass
class Change:
    """One account, the change that was told for it, and what became of it."""

    name: str
    account: int
    kind: str
    told: dict[str, Any]
    touches: frozenset[str]
    hinges: bool
    after: list[str] = field(default_factory=list)
    flipped: bool = False
    same: bool | None = None


def run(*command: str) -> tuple[float, str]:
    """(seconds, output) of the program as a user runs it."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "stillwatch", *command], capture_output=True, text=True, check=True)
    return time.perf_counter() - began, done.stdout


def agreement(scan: Path, key: Path, names: Sequence[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Every account's story, and the accounts on which the scan says otherwise."""
    named: dict[str, set[str]] = {}
    for line in (scan / "campaigns.jsonl").read_text().splitlines():
        case = json.loads(line)
        for name in case["accounts"]:
            named.setdefault(name, set()).add(case["campaign"])
    stories = {name: account.story(scan, name, key) for name in names}
    wrong = [
        name for name, told in stories.items()
        if set(told["campaigns"]) != named.get(name, set()) or (told["answer"] == "in") != (name in named) or account.redacted(told)["answer"] != ("in" if name in named else "not in")
    ]  # fmt: skip
    return stories, wrong


def _kind(told: dict[str, Any]) -> str:
    return LEFT_OUT if told["answer"] == "nearly" and any(each["left_out"] for each in told["cases"]) else str(told["answer"])


def changes(stories: dict[str, dict[str, Any]], hashes: dict[str, int], sample: int, rng: random.Random) -> list[Change]:
    """A random sample of each answer with its changes; whoever has none to offer is counted by the caller."""
    made = []
    kinds = {name: _kind(told) for name, told in stories.items()}
    for kind in ("in", "nearly", LEFT_OUT, "not in"):
        names = sorted(name for name in stories if kinds[name] == kind)
        for name in rng.sample(names, min(sample, len(names))):
            told = stories[name]
            touched = {each["campaign"] for each in told["clusters"]}
            several = [told["change"], *told["other_changes"]] if kind == "not in" else [told["change"]]
            for change in several:
                if change is not None:
                    label = "not in, by wording" if kind == "not in" and change["by"] == ["wording"] else kind
                    target = {change["campaign"]} if change["to"] == "in" else set()
                    made.append(Change(name, hashes[name], label, change, frozenset(touched | target), bool(told["hinges"])))
    sparing = {name for name, told in stories.items() if not any(each["in"] and each["least_share"] for each in told["clusters"])}
    long = [change for change in made if change.told["calls"] > 1 and (change.told["to"] == "in" or change.name in sparing)]
    for change in rng.sample(long, min(sample, len(long))):
        times = sorted(rng.sample(change.told["times"], change.told["calls"] - 1))
        made.append(replace(change, kind=SHORT, told={**change.told, "times": times, "calls": len(times)}, after=[]))
    return made


def batches(several: Iterable[Change], members: dict[str, set[int]]) -> list[list[Change]]:
    """Changes that may be made together: see the file's head. Of one account only one."""
    made: list[tuple[list[Change], Counter[str]]] = []
    for change in several:
        for batch, used in made:
            if all(used[each] < max(1, len(members[each]) // 100) for each in change.touches) and change.account not in {one.account for one in batch}:
                batch.append(change)
                used.update(change.touches)
                break
        else:
            made.append(([change], Counter(change.touches)))
    return [batch for batch, _ in made]


def changed(log: Gathered, several: Sequence[Change], members: dict[str, set[int]]) -> Gathered:
    """The log with the changes made in its marks, in canonical order."""
    marks = log.parts.among(np.arange(len(log.parts.owners.accounts))).marks.cast(MARKS)
    account, ts = marks["account"].to_numpy(), marks["ts"].to_numpy()
    keep = np.ones(len(ts), np.bool_)
    parts = []
    for change in several:
        mine = account == change.account
        if change.told["to"] == "not in":
            keep[mine & np.isin(ts, change.told["times"])] = False
            continue
        theirs = np.flatnonzero(np.isin(ts, change.told["times"]) & np.isin(account, list(members[change.told["campaign"]])))
        assert len(theirs) == change.told["calls"], "the times name the member's calls and no others"
        own = marks.slice(int(np.flatnonzero(mine)[-1]), 1)
        copy = marks.take(theirs)
        new = [int.from_bytes(hashlib.blake2b(f"{change.account} {each}".encode(), digest_size=8).digest(), "little", signed=True) for each in theirs]
        for name in copy.column_names:
            if name in OF_ACCOUNT:
                column: Any = pa.array(own[name].to_pylist() * len(theirs), copy.schema.field(name).type)
            elif name in ("call", "session"):
                column = pa.array(new, pa.int64())
            elif name in ("upstream", "reasoning_out") or (name == "reasoning_in" and change.told["by"] != ["replay"]):
                column = pa.nulls(len(theirs), copy.schema.field(name).type)
            else:
                continue
            copy = copy.set_column(copy.schema.get_field_index(name), copy.schema.field(name), column)
        parts.append(copy)
    table = pa.concat_tables([marks.filter(pa.array(keep)), *parts]).combine_chunks()
    order = np.lexsort((table["call"].to_numpy(), table["ts"].to_numpy(), table["account"].to_numpy()))
    return Gathered(One(Traffic(table.take(order))), log.read, log.present, [], log.names)


def judge(several: Sequence[Change], found: dict[str, set[int]], members: dict[str, set[int]]) -> None:
    """Notes what became of each change."""
    for change in several:
        change.after = sorted(name for name, accounts in found.items() if change.account in accounts)
        change.flipped = bool(change.after) == (change.told["to"] == "in")
        if change.told["to"] == "in":
            old = members[change.told["campaign"]]
            change.same = any(2 * len(found[name] & old) > min(len(old), len(found[name])) for name in change.after)


def whole(change: Change, log: Path, history: Path, key: Path, folder: Path, members: set[str]) -> bool:
    """Whether the change flips the answer when it is made in the file and the command line scans that."""
    rows = pq.read_table(log)
    account_column = rows["account"]
    timed = pc.is_in(rows["ts"], pa.array(change.told["times"], rows["ts"].type))
    if change.told["to"] == "not in":
        made = rows.filter(pc.invert(pc.and_(timed, pc.equal(account_column, change.name))))
    else:
        copies = rows.filter(pc.and_(timed, pc.is_in(account_column, pa.array(sorted(members))))).to_pylist()
        own = rows.filter(pc.equal(account_column, change.name)).to_pylist()[-1]
        for i, row in enumerate(copies):
            row |= {name: own[name] for name in FILE_OF_ACCOUNT if name in row} | {"call_id": f"added-{i}", "session": "added", "reasoning_out": None}
            if change.told["by"] != ["replay"]:
                row["reasoning_in"] = None
        made = pa.concat_tables([rows, pa.Table.from_pylist(copies, rows.schema)])
    pq.write_table(made, folder / "changed.parquet")
    run("scan", str(folder / "changed.parquet"), "--out", str(folder / "again"), "--history", str(history), "--key", str(key), "--json")
    if change.name not in pc.unique(made["account"]).to_pylist():
        return bool(change.told["to"] == "not in")  # The change took out all that the account did: it is in nothing.
    told = account.story(folder / "again", change.name, key)
    return (told["answer"] == "in") == (change.told["to"] == "in")


def speed(scan: Path, key: Path, names: Sequence[str]) -> tuple[list[float], list[float]]:
    """(seconds from start to end, seconds of processor) of a process for each account; the first, which compiles Python's own files, is thrown away."""
    wall, processor = [], []
    for name in (names[0], *names):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall.append(run("explain", str(scan), name, "--key", str(key))[0])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return wall[1:], processor[1:]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--history", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=50)
    parser.add_argument("--whole", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/explain.md"))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        key, scan, history = folder / "key", folder / "scan", folder / "history"
        key.write_text(hashlib.sha256(b"trial").hexdigest())
        key.chmod(0o600)
        run("scan", str(args.history), "--out", str(history), "--key", str(key), "--json")
        summary = json.loads(run("scan", str(args.log), "--out", str(scan), "--history", str(history), "--key", str(key), "--json")[1])
        how = Reading(keys.load_or_create(key), key)
        kept = folder / "calls"
        kept.mkdir()
        log = gather([str(args.log)], how, lambda rejected: None, kept)
        assert log is not None
        hashes = {name: number for number, name in log.names.items()}
        stories, wrong = agreement(scan, key, sorted(hashes))
        answers = Counter(map(_kind, stories.values()))
        print(f"agreement: {len(stories) - len(wrong)} of {len(stories)}; {dict(answers)}", flush=True)
        seconds, processor = speed(
            scan, key, [name for kind in ("in", "nearly", "not in") for name in rng.sample(sorted(n for n in stories if stories[n]["answer"] == kind), 10)]
        )
        print(
            f"seconds: median {statistics.median(seconds):.2f}, max {max(seconds):.2f}; of processor {statistics.median(processor):.2f}, {max(processor):.2f}",
            flush=True,
        )
        reference = flow._reference([str(history)], how, lambda step, count: None, NO_CONTEXT, lambda rejected: None)

        def scanned(several: Sequence[Change]) -> None:
            found = flow.examine(changed(log, several, members), reference, lambda step, count: None)
            judge(several, {each.campaign: set(each.accounts) for each in found.campaigns}, members)

        base = flow.examine(log, reference, lambda step, count: None)
        members = {each.campaign: set(each.accounts) for each in base.campaigns}
        several = changes(stories, hashes, args.sample, rng)
        batched = batches(several, members)
        for i, batch in enumerate(batched):
            scanned(batch)
            print(f"scan {i + 1} of {len(batched)}: {sum(one.flipped for one in batch)} of {len(batch)} flipped", flush=True)
        failed = [change for change in several if change.flipped == (change.kind == SHORT)]
        alone = rng.sample([change for change in several if change.flipped and change.kind != SHORT], 10)
        for change in [*failed, *alone]:
            scanned([change])
        recheck = f"of {len(failed)} that did not do as told among others {sum(change.flipped for change in failed)} did when made alone, and of {len(alone)} that did {sum(c.flipped for c in alone)}"
        print(recheck, flush=True)
        by_name = {each.campaign: {log.names[a] for a in each.accounts} for each in base.campaigns}
        in_file = {
            kind: [
                whole(change, args.log, history, key, folder, by_name.get(change.told.get("campaign", ""), set()))
                for change in rng.sample([c for c in several if c.kind == kind], min(args.whole, sum(c.kind == kind for c in several)))
            ]
            for kind in KINDS
        }
    args.out.write_text(page(args, summary, len(stories), wrong, answers, seconds, processor, several, len(batched), recheck, in_file), encoding="utf-8")
    for change in several:
        if change.flipped == (change.kind == SHORT):
            print("not as told:", change.kind, change.name, change.hinges, change.after, json.dumps(change.told)[:300], flush=True)
    print(f"wrote {args.out}")


def page(
    args: argparse.Namespace, summary: dict[str, Any], accounts: int, wrong: list[str], answers: Counter[str], seconds: list[float], processor: list[float], several: list[Change],
    scans: int, recheck: str, in_file: dict[str, list[bool]],
) -> str:  # fmt: skip
    """The figures as a page."""
    rows = []
    for kind in (*KINDS, SHORT):
        mine = [change for change in several if change.kind == kind]
        same = [change.same for change in mine if change.same is not None]
        calls = [change.told["calls"] for change in mine] or [0]
        rows.append(
            f"| {kind} | {len(mine)} | {sum(change.flipped for change in mine)} | {f'{sum(same)}' if same else ''} | {statistics.median(calls):g} ({max(calls)}) "
            f"| {sum(change.hinges for change in mine)} | {f'{sum(in_file[kind])} of {len(in_file[kind])}' if kind in in_file else ''} |"
        )
    return "\n".join([
        "# Explain: what it claims, tried", "",
        f"Written by `python trials/explain.py LOG --history HISTORY --sample {args.sample} --seed {args.seed}`. LOG is the drill `mixed` and HISTORY the drill `history`, both",
        "with corpora, LOG with `--seed 41`.", "",
        f"LOG: {summary['calls_read']:,} calls of {summary['accounts']:,} accounts; {summary['alerts']} alerts, {summary['reviews']} reviews, {summary['watches']} watches.", "",
        f"- **Agreement with the scan**: {accounts - len(wrong):,} of {accounts:,} accounts, campaign by campaign "
        f"({answers['in']:,} in, {answers['nearly']:,} nearly, {answers[LEFT_OUT]:,} left out, {answers['not in']:,} not in).",
        f"- **Seconds of the whole process**, {len(seconds)} accounts: median {statistics.median(seconds):.2f}, most {max(seconds):.2f}; of processor "
        f"{statistics.median(processor):.2f} and {max(processor):.2f} ({os.cpu_count()} cores, load {os.getloadavg()[1]:.0f}).",
        f"- **Changes made**, each log examined again ({scans} scans; {recheck}):", "",
        "| answer | changes made | flipped | into the campaign named | calls of a change, median (most) | campaign hinges on it | in the file, by the command line |",
        "|---|---|---|---|---|---|---|", *rows, "",
        f"*{SHORT}*: the control, changes of two calls and more less one call at random. It must not flip: a change that flips without one of its calls was not the smallest. Not of who leaves a case of several clusters, for whom less may do.", "",
        "A change that does not flip: explain answers from the clusters as they were linked, and a changed log is linked anew, so that another family may make the account a member.", "",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
