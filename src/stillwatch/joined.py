"""Taking part in a session of joint evidence: the log read, the convenor asked until it has an end, and what was found written down."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch import joining, noting
from stillwatch.bringing import Bench
from stillwatch.engines.matching import Processes
from stillwatch.errors import UserError
from stillwatch.examination import Progress
from stillwatch.exchange.joint.taking_part import Finding, Mine, Part
from stillwatch.intake import mapping as maps
from stillwatch.noting import Said
from stillwatch.peers import settings as peers
from stillwatch.peers.connection import Connection, Unanswered
from stillwatch.sources import Reading
from stillwatch.store import directories, keys, scans

WAIT = (0.2, 5.0)
"Seconds between two questions: at first, and at most."

WORKING = 300.0
"Seconds that one answer may take: a part is some megabytes."

AGAIN = 60.0
"Seconds that a convenor may be out of reach."


def take_part(
    settings: Path,
    convenor: str,
    logs: Sequence[str],
    *,
    history: Sequence[str],
    name: str,
    epoch: str,
    me: str,
    directory: Path,
    roots: Sequence[Path],
    key: Path,
    out: Path,
    mapping: Path | None = None,
    patience: float = 3600.0,
    ledger: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """One session, from reading the log to `out`/joint.json.

    Args: the file of peers; the convenor's name in it; the log; its history (logs or marks); the session's name and epoch; one's own name; the directory and the root keys that
    may sign it; the coalition's hashing key; the folder to write; a column mapping; seconds after which it ends without a result; one's ledger.
    Returns: what was written. Raises: UserError, Refused, StillwatchError where it ended without a result.
    """
    step = progress or (lambda what, count: None)
    mine, known = peers.load(settings)
    asked = peers.chosen(known, convenor, settings)
    if mine.key is None:
        raise UserError("a session is signed, and no key is named", str(settings), "write key in [[me]]")
    if not key.exists():
        raise UserError("there is no such key", str(key), "the coalition's hashing key is made by one member and handed to the others")
    private = directories.private_key(mine.key)
    listed = directories.load(directory, roots, _now())
    how = Reading(keys.load_or_create(key), key, None if mapping is None else maps.load(mapping))
    with scans.publish(out, "joint") as staging, tempfile.TemporaryDirectory(prefix="stillwatch-") as folder, Processes() as work:
        step("reading", 0)
        bench = Bench(logs, history, how, Path(folder), secrets.token_bytes)
        mine_ = Mine(
            me, f"{name} {epoch}", joining.method(), private, bench.tokens, bench.brought, bench.describe, lambda member: listed.keys_of(member, _now())
        )
        part = Part(mine_, work=work, chance=secrets.token_bytes)
        findings, said = _session(part, Connection(mine, asked, WORKING), (name, epoch), convenor, time.monotonic() + patience, step)
        told = {
            "version": 1, "session": name, "epoch": epoch, "members": len(part.coalition), "groups": len(bench.brought.groups),
            "findings": [
                {"verdict": each.verdict, "rests_on_one": each.rests, "accounts": accounts}
                for each, accounts in zip(findings, bench.accounts([each.group for each in findings]), strict=True)
            ],
            "ended": datetime.now(UTC).isoformat(timespec="seconds"), "logs": list(logs), "history": list(history), "key_fingerprint": keys.fingerprint(how.secret),
        }  # fmt: skip
        (staging / "joint.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    noting.noted(ledger, mine.key, said)
    return told | {"out": str(out / "joint.json")}


def _session(part: Part, connection: Connection, place: tuple[str, str], convenor: str, end: float, step: Progress) -> tuple[list[Finding], list[Said]]:
    """Ask, answer and wait until the session has an end. Raises: Refused, UserError."""
    said: list[Said] = []
    message, wait, out_of_reach = part.hello(), WAIT[0], time.monotonic() + AGAIN
    try:
        while True:
            if time.monotonic() > end:
                raise UserError("the session had no end in time", convenor, "ask the convenor who is missing, or give more --patience")
            try:
                answer = connection.hand(message, "joint", *place)
            except Unanswered as error:
                if error.status is not None or time.monotonic() > out_of_reach:
                    raise
                time.sleep(wait)
                message = part.next()  # what was said may have arrived; the convenor tells what is to do
                continue
            out_of_reach = time.monotonic() + AGAIN
            following = part.receive(answer)
            if part.findings is not None:
                return part.findings, [*said, Said("match", answer, convenor, "joint: end")]
            step("waiting" if following is None else "answering", 0)
            if following is None:
                time.sleep(wait)
                wait = min(WAIT[1], wait * 1.5)
            else:
                said.append(Said("match", following, convenor, "joint: answer"))
                wait = WAIT[0]
            message = part.next() if following is None else following
    finally:
        connection.close()


def _now() -> int:
    return time.time_ns() // 1000
