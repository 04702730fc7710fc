"""Private matching beside `openmined-psi`: seconds, processors' seconds and wire bytes of the same two sets, in rounds in turn.

    pip install 'stillwatch[exchange,bench]'
    python trials/matching.py [--items 100000] [--rounds 3] [--processes N] [--out FILE]

`one direction` is what the bar is about: one side asks with masked items, the other answers with proofs (RFC 9497, VOPRF) and sends the tags of its own
items, the first checks the proofs and finds what both have. `openmined-psi` does the same without proofs, in one thread, with its default structure (GCS) at
10^-9 false matches. `--session` adds a whole matching as it is run: commitments, sizes, consent, both directions. Half of the items are in both sets.
Where other work runs on the machine, processors' seconds say more than seconds: `on free cores` is ours, shared evenly by the processes, through theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stillwatch.engines.matching import Processes
from stillwatch.exchange.matching import bands, verified
from stillwatch.exchange.matching.book import Book
from stillwatch.exchange.matching.session import Own, Policy, Session
from stillwatch.exchange.matching.wire import Terms
from stillwatch.exchange.matching.work import Work

BAR = 0.6
"At most this share of openmined-psi's time."


def sets(count: int) -> tuple[list[str], list[str]]:
    """Two sets of e-mail addresses that share half."""
    return [f"user{i}@example.com" for i in range(count)], [f"user{i}@example.com" for i in range(count // 2, count + count // 2)]


def direction(work: Work, ours: list[bytes], theirs: list[bytes]) -> tuple[int, int]:
    """One verified direction; returns how many are common and the bytes on the wire."""
    seed, info = secrets.token_bytes(32), b"trial"
    public = verified.public_key(seed, info)
    asked = work.blind(ours)
    answered = work.answer(seed, info, asked)
    tags = work.mask(seed, info, theirs)
    mine = work.finish(answered, public)
    known = {tags[at : at + verified.TAG] for at in range(0, len(tags), verified.TAG)}
    common = sum(mine[at : at + verified.TAG] in known for at in range(0, len(mine), verified.TAG))
    return common, len(asked) + len(answered) + len(tags) + len(public)


def openmined(ours: list[str], theirs: list[str]) -> tuple[int, int]:
    """The same by openmined-psi. Raises: ImportError where it is missing."""
    import private_set_intersection.python as psi

    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(1e-9, len(ours), theirs, psi.DataStructure.GCS).SerializeToString()
    request = client.CreateRequest(ours).SerializeToString()
    asked = psi.Request()
    asked.ParseFromString(request)
    response = server.ProcessRequest(asked).SerializeToString()
    answered, known = psi.Response(), psi.ServerSetup()
    answered.ParseFromString(response)
    known.ParseFromString(setup)
    return len(client.GetIntersection(known, answered)), len(setup) + len(request) + len(response)


def session(work: Callable[[], Work], ours: list[bytes], theirs: list[bytes]) -> tuple[int, int]:
    """A whole matching; both sides on the same processes, one after the other, as two members would on a machine each."""

    def side(me: str, peer: str, items: list[bytes], does: Work) -> Session:
        budget = 4 * bands.upper(max(len(ours), len(theirs)))
        own = Own(Terms(me, peer, "email", "2026-11-26"), items, secrets.token_bytes(32))
        policy = Policy(reveal_from=10, budget=budget)
        return Session(own, policy=policy, book=Book(), work=does, chance=secrets.token_bytes, clock=lambda: time.time_ns() // 1000)

    north, south = side("north", "south", ours, work()), side("south", "north", theirs, work())
    total, turn = 0, south
    message: bytes | None = north.open()
    while message is not None:
        total += len(message)
        answer = turn.receive(message)
        message, turn = answer, north if turn is south else south
        if north.outcome and south.outcome and message is None:
            break
    outcome = north.outcome
    return len(outcome.common or ()) if outcome else 0, total


def spent(processes: Sequence[int]) -> float:
    """Processors' seconds so far of this process and of others (Linux)."""
    ticks = [Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()[11:13] for each in processes]
    return time.process_time() + sum(int(user) + int(system) for user, system in ticks) / os.sysconf("SC_CLK_TCK")


def clocked(does: Callable[[], tuple[int, int]], processes: Sequence[int]) -> dict[str, Any]:
    """What it gives, with its seconds, and the processors' seconds of all that take part."""
    began, before = time.perf_counter(), spent(processes)
    common, wire = does()
    return {"common": common, "wire": wire, "seconds": time.perf_counter() - began, "processor_seconds": spent(processes) - before}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--session", action="store_true", help="a whole matching too")
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    args = parser.parse_args()
    words, other = sets(args.items)
    ours, theirs = ([each.encode() for each in some] for some in (words, other))
    runs: dict[str, list[dict[str, Any]]] = {}
    with Processes(args.processes) as first, Processes(args.processes) as second:
        for some in (first, second):  # the processes begin with their first question
            direction(some, ours[:4096], theirs[:4096])
        contestants: dict[str, Callable[[], tuple[int, int]]] = {
            "openmined-psi": lambda: openmined(words, other),
            "one direction": lambda: direction(first, ours, theirs),
        }
        if args.session:
            turns = iter([first, second] * args.rounds)
            contestants["session"] = lambda: session(lambda: next(turns), ours, theirs)
        for _ in range(args.rounds):
            for name, does in contestants.items():
                runs.setdefault(name, []).append(clocked(does, first.pids + second.pids))
    told = {
        name: {
            "common": each[0]["common"],
            "wire_bytes": each[0]["wire"],
            "seconds": statistics.median(run["seconds"] for run in each),
            "processor_seconds": statistics.median(run["processor_seconds"] for run in each),
        }
        for name, each in runs.items()
    }
    ratios = [ours_["seconds"] / theirs_["seconds"] for ours_, theirs_ in zip(runs["one direction"], runs["openmined-psi"], strict=True)]
    wrong = [name for name, each in told.items() if each["common"] != args.items - args.items // 2]
    free = told["one direction"]["processor_seconds"] / args.processes / told["openmined-psi"]["processor_seconds"]
    print(f"{args.items:,} x {args.items:,} items, {args.processes} processes, {args.rounds} rounds, medians")
    for name, each in told.items():
        print(
            f"  {name:16}{each['seconds']:9.2f} s {each['processor_seconds']:9.2f} s of processors {each['wire_bytes'] / 1e6:9.2f} MB on the wire, {each['common']:,} common"
        )
    print(f"  one direction / openmined-psi, by round: {', '.join(f'{each:.3f}' for each in ratios)}; median {statistics.median(ratios):.3f} (bar {BAR})")
    print(f"  on free cores: {free:.3f}")
    if wrong:
        raise SystemExit(f"found another number of common items than there are: {', '.join(wrong)}")
    if args.out:
        args.out.write_text(json.dumps({"items": args.items, "processes": args.processes, "runs": runs, "ratios": ratios}, indent=1))


if __name__ == "__main__":
    main()
