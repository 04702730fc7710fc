"""A campaign split over three members in three processes, and a convenor in a fourth: what each finds alone, what they find together, and what went over the wire.

    python trials/joint_members.py --work WORK [--corpora DIR] [--seeds 721 722] [--campaigns A-JUN G-FEB A-SEP-AL ""] [--into docs/exchange/joint.md]

Logs and histories are dealt as in trials/members.py (half of the innocent organisations are customers of several members). Each member runs `stillwatch joint` with its own log, keys and
certificate; the convenor runs `stillwatch serve`. All that each sends and is answered is kept as it was before TLS, and searched for account ids, organisations and prompts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from exchange_case import Exchange, free_port, served, write_key  # noqa: E402
from lines import read  # noqa: E402
from members import _deal, _innocents  # noqa: E402
from pages import put  # noqa: E402
from stillwatch.drill import compose, scenario  # noqa: E402
from stillwatch.drill.scenario import Planted  # noqa: E402
from stillwatch.drill.texts import Texts  # noqa: E402

NAMES = ("north", "south", "west")
LADDER = ("alert", "review", "watch", "-")
LEAST_ID = 6
"Shortest id that is looked for on the wire."


@dataclass(frozen=True)
class Sizes:
    """Innocent calls of each member and of the pool, in log and history, and the campaign's share of all calls."""

    own: int = 8_000
    pool: int = 12_000
    own_before: int = 24_000
    pool_before: int = 36_000
    share: float = 0.06


@dataclass(frozen=True)
class Case:
    """Logs and histories as files, and which accounts of each member are the campaign's."""

    logs: list[Path]
    histories: list[Path]
    guilty: list[set[str]]
    people: list[set[str]]


def made(folder: Path, name: str, seed: int, sizes: Sizes, corpora: Path | None) -> Case:
    """The files of one case. `name`: a campaign's id, or nothing for innocents alone."""
    now, past = scenario.load("broad"), scenario.load("broad-history")
    texts = Texts(f"{seed}/{now.split}", corpora, now.split)
    today = _innocents(now, texts, sizes.own, sizes.pool, True, seed)
    before = _innocents(past, Texts(f"{seed + 1}/{past.split}", corpora, past.split), sizes.own_before, sizes.pool_before, True, seed + 1)
    guilty: list[set[str]] = [set() for _ in NAMES]
    if name:
        calls = len(NAMES) * sizes.own + sizes.pool
        rows: compose.Rows = []
        truth: compose.Truth = []
        compose._plant(replace(now, seed=seed, calls=calls), texts, Planted(name, share=sizes.share, infrastructure=False), calls, rows, truth)
        homes = _deal(rows, [(call, account, account, name, label) for call, account, _, _, label in truth], False, f"{seed}/{name}")
        for member in range(len(homes)):
            into = member % len(NAMES)
            today[into] = today[into][0] + homes[member][0], today[into][1] + homes[member][1]
            guilty[into] |= {row["account"] for row in homes[member][0]}
    case = Case([], [], guilty, [])
    for member, who in enumerate(NAMES):
        for files, chosen, (mine, told), what in ((case.logs, now, today[member], "log"), (case.histories, past, before[member], "history")):
            path = folder / f"{who}-{what}.parquet"
            pq.write_table(compose._made(replace(chosen, seed=seed), mine, told, []).calls, path)
            files.append(path)
        case.people.append({row["account"] for row in today[member][0]})
    return case


def alone(case: Case, folder: Path, key: Path) -> list[dict[str, Any]]:
    """What each member's own scan says."""
    found = []
    for member, who in enumerate(NAMES):
        out = folder / f"{who}-scan"
        subprocess.run(
            [sys.executable, "-m", "stillwatch", "scan", str(case.logs[member]), "--history", str(case.histories[member]), "--key", str(key), "--out", str(out), "--json"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        cases = [json.loads(line) for line in (out / "campaigns.jsonl").read_text().splitlines()]
        found.append(_beside([(each["verdict"], each["accounts"]) for each in cases], case.guilty[member]))
    return found


def _beside(cases: Sequence[tuple[str, Sequence[str]]], guilty: set[str]) -> dict[str, Any]:
    """Verdict on the campaign, its accounts in alerts and reviews, innocents in those."""
    mine = [verdict for verdict, accounts in cases if sum(each in guilty for each in accounts) > len(accounts) / 2]
    named = {each for verdict, accounts in cases if verdict in LADDER[:2] for each in accounts}
    alerted = {each for verdict, accounts in cases if verdict == "alert" for each in accounts}
    return {
        "verdict": min(mine, key=LADDER.index, default="-"), "found": len(named & guilty), "of": len(guilty), "innocents": len(named - guilty),
        "innocents_alerted": len(alerted - guilty),
    }  # fmt: skip


def together(
    case: Case,
    exchange: Exchange,
    folder: Path,
    key: Path,
    late: dict[str, float] | None = None,
    killed: str | None = None,
    minutes: int = 5,
    patience: int = 300,
) -> dict[str, Any]:
    """A session of the three. `late`: seconds by which a member comes later; `killed`: whose process is killed once it has brought its part."""
    write_key(exchange.folder / "convenor-sign")
    port, epoch = free_port(), f"{datetime.now(UTC):%Y-%m-%d}"
    settings = exchange.settings(port, more='ledger = "convenor-ledger"\nsign_with = "convenor-sign"')
    settings.write_text(
        settings.read_text() + f'[[joint]]\nname = "daily"\nmembers = {json.dumps(list(NAMES))}\nepoch = "day"\nminutes = {minutes}\npatience = {patience}\n'
    )
    wire = folder / "wire"
    wire.mkdir(exist_ok=True)
    with served(settings):
        began, running = time.perf_counter(), {}
        for member, who in sorted(enumerate(NAMES), key=lambda each: (late or {}).get(each[1], 0.0)):
            time.sleep(max(0.0, (late or {}).get(who, 0.0) - (time.perf_counter() - began)))
            command = [
                sys.executable, str(HERE / "captured.py"), str(wire / who), "joint", str(exchange.peers(port, who)), "north", str(case.logs[member]), "--history", str(case.histories[member]),
                "--session", "daily", "--epoch", epoch, "--me", who, "--directory", str(_own(exchange, who)), "--root", str(exchange.folder / "root.pub"), "--key", str(key),
                "--out", str(folder / f"{who}-joint"), "--json",
            ]  # fmt: skip
            running[who] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        if killed is not None:
            while not (wire / f"{killed}.brought").exists() and running[killed].poll() is None:
                time.sleep(0.05)
            running[killed].kill()
        said = {who: process.communicate(timeout=1800) for who, process in running.items()}
        took = time.perf_counter() - began
    found: dict[str, Any] = {"seconds": round(took, 1), "exit": {who: process.returncode for who, process in running.items()}}
    found["members"] = []
    for member, who in enumerate(NAMES):
        told = json.loads(said[who][0]) if running[who].returncode == 0 else None
        found["members"].append(None if told is None else _beside([(each["verdict"], each["accounts"]) for each in told["findings"]], case.guilty[member]))
        found.setdefault("said", {})[who] = "\n".join(said[who]).strip()[-300:] if told is None else ""
    found["bytes"] = {path.name: path.stat().st_size for path in sorted(wire.iterdir()) if path.suffix in (".sent", ".got")}
    return found


def _own(exchange: Exchange, who: str) -> Path:
    """A member's own copy of the directory: what was seen of it stands beside."""
    path = exchange.folder / f"{who}-members.json"
    path.write_bytes((exchange.folder / "members.json").read_bytes())
    return path


def shown(case: Case, wire: Path) -> dict[str, int]:
    """How many of the members' account ids, organisations and pieces of prompts stand in what was sent or got, by anybody."""
    flat = b"".join(path.read_bytes() for path in sorted(wire.iterdir()) if path.suffix in (".sent", ".got"))
    looked: dict[str, set[str]] = {"accounts": set(), "organisations": set(), "prompts": set()}
    for path in (*case.logs, *case.histories):
        table = pq.read_table(path, columns=["account", "org", "email_domain", "payment", "prompt"])
        looked["accounts"] |= set(table["account"].to_pylist())
        looked["organisations"] |= {each for name in ("org", "email_domain", "payment") for each in table[name].to_pylist() if each and len(each) >= LEAST_ID}
        looked["prompts"] |= {each[:24] for each in table["prompt"].to_pylist()[:4000] if each and len(each) >= 24}
    return {name: sum(each.encode() in flat for each in values) for name, values in looked.items()} | {
        f"{name} looked for": len(values) for name, values in looked.items()
    }


def run(args: argparse.Namespace) -> None:
    """All cases that are not in the results yet."""
    args.work.mkdir(parents=True, exist_ok=True)
    results = args.work / "joint.jsonl"
    done = {(row["campaign"], row["seed"]) for row in read(results)}
    for seed in args.seeds:
        for name in args.campaigns:
            if (name, seed) in done:
                continue
            with tempfile.TemporaryDirectory(dir=args.work) as there:
                folder = Path(there)
                exchange = Exchange(folder)
                (folder / "coalition.key").touch(0o600)
                (folder / "coalition.key").write_text(os.urandom(32).hex() + "\n")
                case = made(folder, name, seed, Sizes(), args.corpora)
                row = {"campaign": name, "seed": seed, "alone": alone(case, folder, folder / "coalition.key")}
                row["together"] = together(case, exchange, folder, folder / "coalition.key")
                row["wire"] = shown(case, folder / "wire")
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The section of the page."""
    said = "Printed by `python trials/joint_members.py --work WORK --corpora DIR --into docs/exchange/joint.md`."
    out = [said, "", "| campaign | seed | each alone: verdict, accounts named of its own | together: the same | innocents named (in alerts), alone | together | seconds | bytes a member sends |",
           "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        one, both = row["alone"], row["together"]["members"]
        cells = [", ".join("left out" if each is None else f"{each['verdict']} {each['found']}/{each['of']}" for each in several) for several in (one, both)]
        false = [
            f"{sum(each['innocents'] for each in several if each)} ({sum(each['innocents_alerted'] for each in several if each)})" for several in (one, both)
        ]
        sent = [size for name, size in row["together"]["bytes"].items() if name.endswith(".sent")]
        out.append(
            f"| {row['campaign'] or '(none)'} | {row['seed']} | {cells[0]} | {cells[1]} | {false[0]} | {false[1]} | {row['together']['seconds']:.0f} | {sum(sent) / max(1, len(sent)):,.0f} |"
        )
    looked = [row["wire"] for row in rows]
    names = ("accounts", "organisations", "prompts")
    out += ["", "On the wire, of " + ", ".join(f"{sum(each[f'{name} looked for'] for each in looked):,} {name}" for name in names) + ": "
            + ", ".join(f"{sum(each[name] for each in looked)} {name}" for name in names) + "."]  # fmt: skip
    return "\n".join(out)


def main() -> None:
    """Parse and do."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--work", type=Path, required=True)
    reading.add_argument("--corpora", type=Path)
    reading.add_argument("--seeds", type=int, nargs="+", default=[721, 722])
    reading.add_argument("--campaigns", nargs="*", default=["A-JUN", "G-FEB", "A-SEP-AL", ""])
    reading.add_argument("--into", type=Path)
    args = reading.parse_args()
    run(args)
    if args.into:
        put(args.into, "joint members", table(read(args.work / "joint.jsonl")))


if __name__ == "__main__":
    main()
