"""Alerts of a stream: how often where nothing is to be found, and how soon where something is, against the batch scan of the same prefix.

    python trials/streaming.py null --work DIR [--worlds 1000] [--first 10000]
    python trials/streaming.py run --corpora DIR --work DIR [--seeds 601 602] [--benign 611 612 ...] [--calls 20000] [--hours 4]
    python trials/streaming.py cost --work DIR [--calls 20000] [--times 10]
    python trials/streaming.py table --work DIR [--out docs/streaming.md]

`null`: exchangeable worlds (worlds.py), in which any process that ever crosses is false. `run`: every log is cut into files of some hours, put into a folder one
after another and followed; after each file the campaigns that the batch scan finds in all so far, and the alerts raised so far, are noted. What is in WORK's results is not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import flow, following
from stillwatch.drill import compose, scenario
from stillwatch.drill.scenario import Planted
from stillwatch.evidence.power import wilson
from stillwatch.intake import growing
from worlds import highest, world

CAMPAIGNS = ("O-SEP", "A-FEB-DS", "A-JUN", "A-SEP-XM")
SHARE = 0.1
HOUR = 3_600_000_000


def read(path: Path) -> list[dict[str, Any]]:
    """Results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _null(job: tuple[int, str]) -> dict[str, Any]:
    seed, kind = job
    made = world(seed, planted=25 if kind == "planted" else 0, decline=kind == "decline", most=400 if kind == "planted" else 150)
    top, each, planted = highest(made, seed)
    return {"seed": seed, "kind": kind, "top": top, "processes": len(each), "tens": sum(e >= 1 for e in each), "hundreds": sum(e >= 2 for e in each),
            "reference": len(made.history.units), "planted": max((value for _, value in planted.values()), default=None)}  # fmt: skip


def null(args: argparse.Namespace) -> None:
    """Worlds without anything, with a decline, and with a planted wording."""
    args.work.mkdir(parents=True, exist_ok=True)
    path = args.work / "null.jsonl"
    done = {(row["seed"], row["kind"]) for row in read(path)}
    kinds = [("null", args.worlds), ("decline", args.worlds // 5), ("planted", args.worlds // 10)]
    jobs = [(args.first + seed, kind) for kind, count in kinds for seed in range(count) if (args.first + seed, kind) not in done]
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool, path.open("a") as file:
        for row in pool.imap_unordered(_null, jobs, chunksize=4):
            file.write(json.dumps(row) + "\n")
            file.flush()


def _guilty(truth: pa.Table) -> set[str]:
    return {account for account, name in zip(truth["account"].to_pylist(), truth["campaign"].to_pylist(), strict=True) if name}


def _followed(job: tuple[str | None, int, argparse.Namespace]) -> dict[str, Any]:
    """One log, followed file by file."""
    name, seed, args = job
    chosen = dataclasses.replace(
        scenario.load("broad"), seed=seed, calls=args.calls, campaigns=(Planted(name, share=SHARE, infrastructure=False),) if name else ()
    )
    drill = compose.compose(chosen, args.corpora)
    table, guilty = drill.calls.sort_by("ts"), _guilty(drill.truth)
    ts = table["ts"].to_numpy()
    theirs = np.sort(ts[np.isin(table["account"].to_numpy(zero_copy_only=False), np.array(sorted(guilty), object))]) if guilty else np.zeros(0, np.int64)
    edges = np.arange(ts[0], ts[-1] + args.hours * HOUR, args.hours * HOUR)
    cuts = [*np.searchsorted(ts, edges).tolist(), len(ts)]
    told: dict[str, Any] = {"campaign": name, "seed": seed, "calls": len(ts), "accounts": len(guilty), "batch": None, "alert": None, "false": [], "false_batch": 0,
                            "seconds": []}  # fmt: skip
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        (Path(folder) / "logs").mkdir()
        out, before = Path(folder) / "out", 0
        for number, (start, end) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
            if end == start:
                continue
            pq.write_table(table.slice(start, end - start), Path(folder) / "logs" / f"{number:04d}.parquet")
            began = time.monotonic()
            flow.follow([str(Path(folder) / "logs")], out, history=[str(args.work / "history")], key=args.work / "key", once=True)
            told["seconds"].append([end, round(time.monotonic() - began, 2)])
            passed = int(np.searchsorted(theirs, ts[end - 1], "right"))
            here = {
                "passed": passed,
                "share": round(passed / max(1, len(theirs)), 4),
                "hours": round((int(ts[end - 1]) - int(theirs[0])) / HOUR, 2) if passed else None,
            }
            cases = {line["campaign"]: line for line in read(out / "campaigns.jsonl")}
            mine = {c for c, line in cases.items() if len(guilty & set(line["accounts"])) > 0.5 * len(line["accounts"])}
            if told["batch"] is None and any(cases[c]["verdict"] == "alert" for c in mine):
                told["batch"] = here
            if number == len(cuts) - 2:
                told["false_batch"] = sum(line["verdict"] == "alert" and c not in mine for c, line in cases.items())
            lines = read(out / "alerts.jsonl")
            for line in lines[before:]:
                if line["campaign"] in mine:
                    told["alert"] = told["alert"] or {**here, "log10_e": line["log10_e"], "accounts": line["accounts"], "of": line["of"]}
                else:
                    told["false"].append(line)
            before = len(lines)
        told["nominated"] = json.loads((out / "summary.json").read_text())["stream"]["nominated"]
        told["reference"] = json.loads((out / "summary.json").read_text())["reference_organisations"]
    return told


def run(args: argparse.Namespace) -> None:
    """All logs that are not in the results yet."""
    args.work.mkdir(parents=True, exist_ok=True)
    if not (args.work / "history" / "summary.json").exists():
        compose.write(compose.compose(scenario.load("broad-history").with_overrides(calls=3 * args.calls), args.corpora), args.work / "history.parquet")
        flow.watch([str(args.work / "history.parquet")], args.work / "history", key=args.work / "key")
    path = args.work / "streams.jsonl"
    done = {(row["campaign"], row["seed"]) for row in read(path)}
    jobs = [(name, seed, args) for seed in args.seeds for name in args.only] + [(None, seed, args) for seed in args.benign]
    with multiprocessing.get_context("spawn").Pool(args.jobs, maxtasksperchild=1) as pool, path.open("a") as file:
        for row in pool.imap_unordered(_followed, [job for job in jobs if job[:2] not in done]):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(row["campaign"], row["seed"], row["batch"], row["alert"], len(row["false"]), flush=True)


def cost(args: argparse.Namespace) -> None:
    """Processor time of micro-batches and of examinations, as a log grows that is the drill's again and again with accounts and calls of other names."""
    table = compose.compose(scenario.load("demo").with_overrides(calls=args.calls)).calls.sort_by("ts")
    long = int(table["ts"][-1].as_py()) - int(table["ts"][0].as_py())
    spent: dict[str, float] = {}

    def timed(inner: Callable[..., Any], name: str) -> Callable[..., Any]:
        def outer(*told: Any, **rest: Any) -> Any:
            began = time.process_time()
            made = inner(*told, **rest)
            spent[name] = round(time.process_time() - began, 2)
            return made

        return outer

    save = following.Stream.save
    with tempfile.TemporaryDirectory(dir=args.work) as folder, (args.work / "cost.jsonl").open("w") as file:

        def noted(stream: following.Stream, *told: Any) -> None:
            save(stream, *told)
            file.write(json.dumps({"read": stream.point.calls_read, "runs": len(stream.runs), **spent}) + "\n")
            spent.clear()

        following.Stream.save = noted  # type: ignore[method-assign, assignment]
        following.Stream.take = timed(following.Stream.take, "take")  # type: ignore[method-assign]
        flow.examine = timed(flow.examine, "examine")
        growing.PORTION = 1
        logs = Path(folder) / "logs"
        logs.mkdir()
        for number in range(10 * args.times):
            turn, part = divmod(number, 10)
            renamed = {name: pc.binary_join_element_wise(table[name], pa.scalar(str(turn)), "-") for name in ("call_id", "account", "org")}
            renamed["ts"] = pc.add(table["ts"], turn * long)
            here = pa.table({name: renamed.get(name, table[name]) for name in table.column_names})
            pq.write_table(here.slice(here.num_rows * part // 10, here.num_rows // 10), logs / f"{number:04d}.parquet")
        flow.follow([str(logs)], Path(folder) / "out", history=[str(args.work / "history")], key=args.work / "key", once=True)


def _interval(hits: int, of: int) -> str:
    """95 % interval of a share (Wilson)."""
    low, high = wilson(hits, of)
    return f"{hits} of {of:,} ({low:.2%} to {high:.2%})"


def _worlds(rows: list[dict[str, Any]]) -> list[str]:
    text = ["| worlds | any process ever at its share of 1/.1 | of 1/.01 | single processes ever at 10 | ever at 100 |", "|---|---|---|---|---|"]
    for kind, said in (("null", "today as the history"), ("decline", "today half as readily")):
        mine = [row for row in rows if row["kind"] == kind]
        many = sum(row["processes"] for row in mine)
        cells = [_interval(sum(row["top"] >= -log10(alpha) for row in mine), len(mine)) for alpha in (0.1, 0.01)]
        cells += [_interval(sum(row[name] for row in mine), many) for name in ("tens", "hundreds")]
        text.append(f"| {said} | " + " | ".join(cells) + " |")
    planted = [row for row in rows if row["kind"] == "planted"]
    for low, high in ((0, 100), (100, 200), (200, 401)):
        some = [row for row in planted if low <= row["reference"] < high]
        if some:
            up = _interval(sum(row["top"] >= 2 for row in some), len(some))
            text.append(f"\n25 organisations with a new wording, {low} to {high - 1} reference organisations: crossed at 1/.01 in {up}.")
    return text


def _moment(told: dict[str, Any] | None) -> str:
    return "-" if told is None else f"{told['passed']:,} calls, {told['hours']} h, {told['share']:.0%}"


def table(args: argparse.Namespace) -> None:
    """The page from the results."""
    worlds, rows = read(args.work / "null.jsonl"), read(args.work / "streams.jsonl")
    planted = sorted((row for row in rows if row["campaign"]), key=lambda row: (row["campaign"], row["seed"]))
    benign = [row for row in rows if not row["campaign"]]
    text = [
        "# Alerts of a stream", "",
        "Printed by `python trials/streaming.py` (`null`, `run --corpora DIR`, `cost`, `table`). What an alert is: [decision 011](decisions/011-alerts-of-a-stream.md).", "",
        "## Where nothing is to be found", "",
        "Simulated worlds in which today's organisations and the history's come from one process: heavy-tailed exposure, wordings of all popularities, bursts, repeated prompts"
        " (`trials/worlds.py`), looked at in micro-batches of random size. 95 % intervals.", "",
        *_worlds(worlds), "",
        f"Logs of the drill with innocents of every class and nothing planted, {len(benign)} seeds: {sum(len(row['false']) for row in benign)} alerts of the stream,"
        f" {sum(row['false_batch'] for row in benign)} of the batch scan at the end.", "",
        "## How soon", "",
        f"One campaign without shared infrastructure at {SHARE:.0%} of the calls of a log of two days, cut into files of some hours, all examined after each file. Since the campaign's first call: its calls, hours, and the"
        " share of its calls that had passed when the file with which it became an alert was read. `-`: not in the whole log.", "",
        "| campaign | seed | batch scan of the prefix | alert of the stream | log10 e | accounts named then, of all | false alerts |", "|---|---|---|---|---|---|---|",
        *(f"| {row['campaign']} | {row['seed']} | {_moment(row['batch'])} | {_moment(row['alert'])} | "
          + (f"{row['alert']['log10_e']:.1f}, {row['alert']['of']} | {row['alert']['accounts']} of {row['accounts']}" if row["alert"] else f"| {row['accounts']}")
          + f" | {len(row['false'])} |" for row in planted), "",
    ]  # fmt: skip
    if rows:
        text += [f"{rows[0]['calls']:,} calls or so, {rows[0]['reference']:,} organisations in the history, of other sources and seeds; between {min(row['nominated'] for row in rows)}"
                 f" and {max(row['nominated'] for row in rows)} wordings or groups of replays nominated in a log.", ""]  # fmt: skip
    spent = [row for row in read(args.work / "cost.jsonl") if row.get("take", 0) > 0.01]
    if spent:
        text += ["## What it costs", "", f"Micro-batches of {spent[0]['read']:,} calls, as the log grows to {spent[-1]['read']:,}; processor seconds of reading, marking and arrivals, and of those examinations that were due.", "",
                 "| calls so far | micro-batch, median | runs on disk | last examination |", "|---|---|---|---|"]  # fmt: skip
        edges = [0, *(spent[-1]["read"] * part / 5 for part in range(1, 6))]
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            some = [row for row in spent if low < row["read"] <= high]
            whole = [row["examine"] for row in some if "examine" in row]
            text.append(f"| {high:,.0f} | {np.median([row['take'] for row in some]):.2f} | {some[-1]['runs']} | {f'{whole[-1]:.1f}' if whole else '-'} |")
        text.append("")
    args.out.write_text("\n".join(text))


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    worlds = commands.add_parser("null")
    worlds.add_argument("--worlds", type=int, default=1000)
    worlds.add_argument("--first", type=int, default=10_000)
    worlds.set_defaults(do=null)
    runs = commands.add_parser("run")
    runs.add_argument("--corpora", type=Path)
    runs.add_argument("--seeds", type=int, nargs="*", default=[601, 602])
    runs.add_argument("--benign", type=int, nargs="*", default=list(range(611, 615)))
    runs.add_argument("--only", nargs="*", default=CAMPAIGNS)
    runs.add_argument("--calls", type=int, default=20_000)
    runs.add_argument("--hours", type=int, default=4)
    runs.set_defaults(do=run)
    costs = commands.add_parser("cost")
    costs.add_argument("--calls", type=int, default=20_000)
    costs.add_argument("--times", type=int, default=10)
    costs.set_defaults(do=cost)
    tables = commands.add_parser("table")
    tables.add_argument("--out", type=Path, default=Path("docs/streaming.md"))
    tables.set_defaults(do=table)
    for each in (worlds, runs, costs, tables):
        each.add_argument("--work", type=Path, required=True)
        each.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
