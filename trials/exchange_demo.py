"""Three members of an exchange on one machine, end to end: each scans its own log, they look together, share, hear, match, correct, and hand a method on.

    python trials/exchange_demo.py [--out out/demo-exchange] [--seed 722] [--campaign G-FEB]

Every member has a log, keys, a certificate and files of its own, and talks through servers on loopback in processes of their own; a fourth process convenes joint sessions and keeps the collection.
Texts are the project's own small corpus unless --corpora names a folder. Nothing is left running.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from exchange_case import SHARED, Exchange, free_port, served  # noqa: E402
from joint_members import NAMES, Case, Sizes, alone, made, shown, together  # noqa: E402
from stillwatch.store.matching import write_items  # noqa: E402

KINDS = ("case", "technique", "infrastructure", "indicator", "sighting", "advice", "opinion", "grouping", "note", "link", "calibration")


class Demo:
    """What all steps need."""

    def __init__(self, out: Path, campaign: str, seed: int, corpora: Path | None) -> None:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        self.out, self.exchange = out, Exchange(out)
        self.key = out / "coalition.key"
        self.key.touch(0o600)
        self.key.write_text("07" * 32 + "\n")  # known to everybody: two runs of the demo should show the same
        self.case: Case = made(out, campaign, seed, Sizes(), corpora)
        self.port = free_port()
        self.wire = out / "wire"
        self.wire.mkdir()

    def run(self, who: str, *words: str) -> Any:
        """A command of a member, in a process of its own; what it says as JSON."""
        done = subprocess.run([sys.executable, str(HERE / "captured.py"), str(self.wire / who), *words, "--json"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{who}: stillwatch {' '.join(words)}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def peers(self, who: str) -> str:
        """A member's file of peers; it knows who reads the collection."""
        path = self.exchange.peers(self.port, who)
        others = json.dumps([name for name in NAMES if name != who])
        head = f'[[me]]\nname = "{who}"\noutgoing = "{who}-outgoing.sqlite"\nnames_key = "{who}-names.key"\n'
        path.write_text(path.read_text().replace("[[me]]\n", head) + f'[[collection]]\npeer = "north"\nid = "{SHARED}"\nreaders = {others}\n')
        return str(path)

    def policy(self) -> str:
        """What a member lets leave."""
        today, path = datetime.now(UTC).date(), self.out / "policy.toml"
        path.write_text(
            f'purpose = "detection"\nrecipients = {json.dumps(list(NAMES))}\nrecords = {json.dumps(list(KINDS))}\nverdicts = ["alert", "review"]\n[expires]\n'
            + "".join(f"{kind} = 30\n" for kind in KINDS)
            + '[assessment]\ninterest = "our own and our customers\' security"\nnecessity = "each sees a part only"\nbalance = "bands, no person"\nby = "counsel"\n'
            + f"start = {today}\nuntil = {today + timedelta(days=30)}\n"
        )
        return str(path)

    def server(self) -> Path:
        """Settings of the server that keeps the collection, and lets two members match cards."""
        for who, first in (("north", 0), ("south", 1_000)):
            write_items(self.out / f"{who}-cards.txt", "payment", [f"card-{number}".encode() for number in range(first, first + 1_200)])
        path = self.exchange.settings(self.port)
        text = path.read_text().replace('["north", "south"]', json.dumps(list(NAMES)))
        path.write_text(
            text + '[[match]]\ntype = "payment"\nme = "north"\nitems = "north-cards.txt"\npeers = ["south"]\nreveal_from = 100\nout = "north-matched"\n'
        )
        return path


def scans(demo: Demo) -> str:
    """Each member's own scan."""
    rows = alone(demo.case, demo.out, demo.key)
    return "; ".join(
        f"{who}: {row['verdict']} on its part of the campaign, {row['found']} of {row['of']} accounts named" for who, row in zip(NAMES, rows, strict=True)
    )


def look_together(demo: Demo) -> str:
    """A joint session."""
    told = together(demo.case, demo.exchange, demo.out, demo.key)
    rows = "; ".join(f"{who}: {row['verdict']}, {row['found']} of {row['of']} accounts" for who, row in zip(NAMES, told["members"], strict=True))
    sent = sum(size for name, size in told["bytes"].items() if name.endswith(".sent")) // len(NAMES)
    return f"{rows}. {told['seconds']:.0f} s, {sent:,} bytes sent by each; no member was shown another's rows"


def share(demo: Demo) -> str:
    """North's cases through the barrier into the collection."""
    lines = demo.out / "north-scan" / "campaigns.jsonl"
    best = {
        "verdict": "review",
        "log10_e": 4.0,
        "accounts": [f"a{number}" for number in range(12)],
        "first_ts": 1_795_000_000_000_000,
        "last_ts": 1_795_100_000_000_000,
    }
    if not any(json.loads(line)["verdict"] in ("alert", "review") and len(json.loads(line)["accounts"]) >= 10 for line in lines.read_text().splitlines()):
        lines.write_text(lines.read_text() + json.dumps({"campaign": "0" * 16, **best}) + "\n")  # a small log may have no case that is large enough to be told
    told = demo.run("north", "share", demo.peers("north"), str(demo.out / "north-scan"), "--policy", demo.policy(), "--to", f"north/{SHARED}", "--send")
    return f"{told['sent'][0]['added']} objects to {', '.join(told['sent'][0]['readers'])}; {len(told['refused'])} things stay, with reasons; sha256 {told['sha256'][:16]}"


def hear(demo: Demo) -> str:
    """The others hear it."""
    said = []
    for who in NAMES[1:]:
        demo.run(who, "hear", demo.peers(who))
        told = demo.run(who, "heard", demo.peers(who))
        said.append(
            f"{who}: "
            + (
                ", ".join(f"{row['grade']}, {row['accounts'][0]} to {row['accounts'][1] - 1} accounts" for each in told["cases"] for row in each["records"])
                or "no case"
            )
        )
    return "; ".join(said)


def correct(demo: Demo) -> str:
    """North takes it back, and one poll later nobody has it."""
    told = demo.run("south", "heard", demo.peers("south"))
    (first, *_) = [row["id"] for each in told["cases"] for row in each["records"]]
    demo.run("north", "correct", demo.peers("north"), first, "--policy", demo.policy(), "--revoke", "--send")
    return f"{first} taken back. " + hear(demo)


def match(demo: Demo) -> str:
    """South and north match cards."""
    told = demo.run(
        "south", "match", demo.peers("south"), "north", "--type", "payment", "--items", str(demo.out / "south-cards.txt"), "--me", "south", "--secret",
        str(demo.out / "south.secret"), "--reveal-from", "100", "--out", str(demo.out / "common.txt"),
    )  # fmt: skip
    return f"of 1,200 cards each, {told['band'][0]} to {told['band'][1] - 1} in common; both agreed to reveal from 100 on: {told['common']}"


def method(demo: Demo) -> str:
    """North hands a detector pack on; south tries it in shadow."""
    pack = str(demo.out / "pack.json")
    demo.run("north", "pack", "build", str(HERE.parent / "tests" / "packs" / "dealt-grading"), "--sign-with", str(demo.out / "north-sign"), "--out", pack)
    demo.run("north", "deliver", demo.peers("north"), pack, "--to", f"north/{SHARED}")
    demo.run("south", "hear", demo.peers("south"))
    (came,) = demo.run("south", "collect", demo.peers("south"), "--into", str(demo.out / "south-mail"))["new"]
    told = demo.run(
        "south",
        "pack",
        "import",
        came["file"],
        "--trust",
        str(demo.out / "members.json"),
        "--root",
        str(demo.out / "root.pub"),
        "--packs",
        str(demo.out / "south-packs"),
    )
    return f"{told['name']} {told['version']}: signature, features and {told['cases']} cases good; it runs in shadow and decides nothing"


def calibrate(demo: Demo) -> str:
    """North and west tell how rare values are among their innocents; south ranks its signals among them."""
    for who in ("north", "west"):
        words = ["--policy", demo.policy(), "--sign-with", str(demo.out / f"{who}-sign"), "--key", str(demo.key), "--out", str(demo.out / f"{who}-tails.json")]
        demo.run(who, "calibration", "build", str(demo.out / f"{who}-scan"), *words)
        demo.run(who, "deliver", demo.peers(who), str(demo.out / f"{who}-tails.json"), "--to", f"north/{SHARED}")
    demo.run("south", "hear", demo.peers("south"))
    came = demo.run("south", "collect", demo.peers("south"), "--into", str(demo.out / "south-mail"))["new"]
    files = [word for each in came if each["kind"] == "calibration" for word in ("--calibration", each["file"])]
    trust = ["--trust", str(demo.out / "members.json"), "--root", str(demo.out / "root.pub"), "--key", str(demo.key)]
    words = [str(demo.case.logs[1]), "--history", str(demo.case.histories[1]), "--out", str(demo.out / "south-pooled")]
    told = demo.run("south", "scan", *words, *files, *trust)["calibration"]
    return (
        "; ".join(f"{each['member']}: {each['statistics']} statistics of {each['organisations_at_least']} organisations at least" for each in told["members"])
        + ". No organisation was shown, no verdict changed (three members of one size: a smaller one's ranks become finer)"
    )


def looked_through(demo: Demo) -> str:
    """Everything that was sent or got, searched."""
    told = shown(demo.case, demo.wire)
    return ", ".join(f"{told[name]} of {told[f'{name} looked for']:,} {name}" for name in ("accounts", "organisations", "prompts")) + " stand in what travelled"


BEFORE: tuple[Callable[[Demo], str], ...] = (scans, look_together)
SERVED: tuple[Callable[[Demo], str], ...] = (share, hear, correct, match, method, calibrate, looked_through)
"Steps that need the collection's server; the joint session has one of its own."


def main() -> None:
    """Parse and do."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--out", type=Path, default=Path("out/demo-exchange"))
    reading.add_argument("--campaign", default="G-FEB")
    reading.add_argument("--seed", type=int, default=722)
    reading.add_argument("--corpora", type=Path)
    args = reading.parse_args()
    demo = Demo(args.out.absolute(), args.campaign, args.seed, args.corpora)
    print(
        f"three members, {sum(map(len, demo.case.people)):,} accounts; {args.campaign} split over them: {', '.join(str(len(each)) for each in demo.case.guilty)} accounts",
        flush=True,
    )
    for step in BEFORE:
        print(f"{(step.__doc__ or '').rstrip('.')}\n    {step(demo)}", flush=True)
    with served(demo.server()):
        for step in SERVED:
            print(f"{(step.__doc__ or '').rstrip('.')}\n    {step(demo)}", flush=True)


if __name__ == "__main__":
    main()
