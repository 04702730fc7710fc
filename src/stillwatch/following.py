"""A stream: what its folder holds from one micro-batch to the next, and when it is looked at as a whole. The story itself is flow.follow.

Each micro-batch becomes a result folder that is exchanged for the earlier one in one instant (store.scans): marks, checkpoint, alerts and the results of the last
examination. Whoever is killed has done a micro-batch wholly or not at all. What did not change is one file in two places, not copied.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stillwatch.alerts import Beside, belonging, crossed, evidence, hopeless, raised
from stillwatch.earlier import RUNS, linked
from stillwatch.engines import runs, stream
from stillwatch.engines.disk import OnDisk
from stillwatch.engines.local import Gathered
from stillwatch.engines.runs import Run
from stillwatch.errors import UserError
from stillwatch.intake import growing
from stillwatch.intake.stream import Source
from stillwatch.linking.arriving import Arriving
from stillwatch.linking.history import History
from stillwatch.results import Found, Rejections
from stillwatch.sources import Reading, gather_portions
from stillwatch.store import checkpoints, keys, names, scans, seals
from stillwatch.store.checkpoints import PLACE, Checkpoint

ALERTS = "alerts.jsonl"

GROWTH = 1.25
"By how much a log has grown, in calls, when all is examined again in any case."

SHARE = 4
"Where nothing is waiting, all is examined again when this many times as long has passed as the last examination took: at most a fifth of the time goes into it."

PAUSE = 0.2
"Seconds between two looks at whether to stop."

_REPLACED = frozenset({"rejected.jsonl", ALERTS, scans.MARKER, Path(seals.FILE).name})
"Files that every micro-batch writes anew, or that hold no longer once calls have come that were not examined."


class Stopped(Exception):
    """No examination now: what was read is kept, and examined another time."""


class NothingYet(Exception):
    """No usable record was read so far: there is nothing to publish."""


@dataclass
class Stream:
    """Where a stream stands, in memory."""

    out: Path
    "Its folder."
    point: Checkpoint
    "What its folder says, or will say with the next micro-batch."
    arriving: Arriving
    "What has arrived."
    runs: list[Run]
    "Marks of all calls."
    names: dict[int, str] = field(repr=False)
    "Keyed hash of an account -> its name in the log."
    beside: Beside
    "The history."
    rejected: list[dict[str, Any]] = field(default_factory=list)
    "Records that could not be used, of portions before the first usable one."
    crossed_now: list[int] = field(default_factory=list)
    "Nominees that have crossed and were not looked at."
    sealed: int = 0
    "How many names are sealed."

    @property
    def unexamined(self) -> bool:
        """Whether calls were read since the last examination."""
        return self.point.calls_read > self.point.examined

    @property
    def due(self) -> bool:
        """Whether all is to be examined now: for the first time, because it has grown, or because something has crossed."""
        return self.unexamined and (self.point.calls_read >= GROWTH * self.point.examined or len(self.crossed_now) > 0)

    def take(self, portions: Sequence[Source], after: dict[str, growing.Seen], how: Reading, staging: Path, rejected: Rejections) -> None:
        """A micro-batch becomes a run and is added to what has arrived; the earlier runs move along."""
        folder = staging / RUNS
        (folder / "new").mkdir(parents=True)
        self.runs = [_moved(run, folder / run.path.name, linked) for run in self.runs]
        number = self.point.micro_batches
        made = gather_portions(portions, how, rejected, folder / "new") if portions else None
        seen = {**self.point.seen, **after}
        if made is not None:
            self.names.update(made.names)
            for place, run in enumerate(made.runs):
                moved = _moved(run, folder / f"{number:08d}-{place:03d}", os.rename)
                self._arrived(moved)
                self.runs.append(moved)
            self.runs = stream.put_together(self.runs, folder, f"{number:08d}-all")
            self.point = replace(self.point, micro_batches=number + 1, calls_read=sum(run.rows for run in self.runs))
        self.point = replace(self.point, seen=seen)
        shutil.rmtree(folder / "new")

    def _arrived(self, run: Run) -> None:
        marks = stream.fresh(run, self.runs)
        if not marks.num_rows:
            return
        self.point = replace(self.point, reached_ts=max(self.point.reached_ts, int(marks["ts"].to_numpy().max())))
        touched = self.arriving.add(marks).tolist()
        known = self.arriving.known
        self.arriving.let_go(hopeless(self.arriving, touched, self.beside))
        values = evidence(self.arriving, [*touched, *self.arriving.replaying(known)], self.beside, known)
        self.crossed_now = sorted({*self.crossed_now, *crossed(values, len(self.point.told))} - set(self.point.looked_at))

    def log(self, staging: Path) -> Gathered:
        """All calls, as an examination wants them."""
        present = frozenset().union(*(run.present for run in self.runs))
        return Gathered(OnDisk(tuple(self.runs), staging / RUNS), self.point.calls_read, present, self.runs, self.names)

    def examined(self, found: Found) -> None:
        """Note an examination of all calls, and the alerts that come of it."""
        known = self.arriving.known
        mine = belonging(self.arriving, found.listed, found.campaigns, known)
        values = evidence(self.arriving, sorted({nominee for nominees in mine.values() for nominee in nominees}), self.beside, known)
        lines = raised(mine, values, self.point.told)
        of, replays = {campaign.campaign: campaign for campaign in found.campaigns}, self.arriving.replaying(known)
        for line in lines:
            campaign = of[line["campaign"]]
            line |= {"ts": self.point.reached_ts, "calls_read": self.point.calls_read, "accounts": len(campaign.accounts), "calls": campaign.calls}
            line |= {"first_ts": campaign.first_ts, "last_ts": campaign.last_ts, "of": "replays" if line["nominee"] in replays else "wordings"}
        looked = tuple(sorted({*self.point.looked_at, *self.crossed_now}))
        self.point = replace(self.point, examined=self.point.calls_read, told=(*self.point.told, *lines), looked_at=looked)
        self.crossed_now = []

    def keep(self, staging: Path) -> None:
        """The results of the last examination stay as they are."""
        for there in sorted(self.out.rglob("*")):
            below = there.relative_to(self.out)
            if there.is_file() and below.name not in _REPLACED and not str(below).startswith((RUNS, PLACE)):
                (staging / below).parent.mkdir(parents=True, exist_ok=True)
                linked(there, staging / below)

    def save(self, staging: Path, how: Reading) -> None:
        """Checkpoint, alerts and sealed names."""
        self.point = replace(self.point, commits=self.point.commits + 1)
        if len(self.names) > self.sealed:
            names.seal(how.key, how.secret, self.point.scan, list(self.names), list(self.names.values()))
            self.sealed = len(self.names)
        lines = [{name: value for name, value in line.items() if name != "nominees"} for line in self.point.told]
        (staging / ALERTS).write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self.point.write(staging, self.arriving)

    def published(self) -> None:
        """Note that the folder is in its place."""
        self.runs = [replace(run, path=self.out / RUNS / run.path.name) for run in self.runs]
        self.rejected = []

    def told(self) -> dict[str, Any]:
        """What summary.json says of the stream."""
        return {
            "micro_batches": self.point.micro_batches, "reached_ts": self.point.reached_ts, "nominated": self.arriving.numbers, "alerts": len(self.point.told),
            "duplicates": "a call id counts once, however long ago it came first",
        }  # fmt: skip


def _moved(run: Run, to: Path, how: Callable[[Path, Path], None]) -> Run:
    for end in (runs.MARK_FILE, runs.CALL_FILE, runs.NOTE_FILE):
        how(run.path.with_suffix(end), to.with_suffix(end))
    return replace(run, path=to)


def opened(out: Path, how: Reading, history: History) -> Stream:
    """The stream of a folder, or a new one. Raises: UserError when the folder holds anything else, or a stream of another key, unit or history."""
    digest = hashlib.blake2b(f"{keys.fingerprint(how.secret)} {how.unit}".encode(), digest_size=8)
    for array in (history.units, history.calls, history.wording, history.pair_unit):
        digest.update(np.ascontiguousarray(array).tobytes())
    standing = checkpoints.read(out)
    if standing is None:
        if out.exists() and scans.is_scan(out):
            raise UserError("holds the result of another command", str(out), "name a new folder")
        return Stream(out, Checkpoint(digest.hexdigest(), secrets.token_hex(8)), Arriving(), [], {}, Beside(history))
    point, arriving = standing
    if point.how != digest.hexdigest():
        raise UserError("was begun with another key, unit or history", str(out), "name the same ones, or a new folder")
    known = names.open(how.key, how.secret, point.scan)
    return Stream(out, point, arriving, runs.found(out / RUNS), known, Beside(history), sealed=len(known))


@contextlib.contextmanager
def publishing(at: Stream) -> Iterator[Path]:
    """The next state of a stream's folder, which takes its place when the block ends well; nothing where there is nothing usable yet.

    Raises: UserError when somebody else has gone on with the folder meanwhile.
    """
    try:
        with scans.publish(at.out, "scan") as staging:
            if checkpoints.commits(at.out) != at.point.commits:
                raise UserError("another run goes on with this folder", str(at.out), "let one of them follow")
            yield staging
    except NothingYet:
        return
    at.published()


def usable(at: Stream, staging: Path) -> None:
    """Raises: NothingYet where no call has been read; what was rejected is remembered."""
    if not at.runs:
        at.rejected = rows(staging / "rejected.jsonl")
        raise NothingYet


def ended(at: Stream, logs: Sequence[str], once: bool) -> dict[str, Any]:
    """What summary.json says when the stream ends, and how many files end within a line; empty where nothing was read.

    Raises: UserError where all there is had been looked at, and no record could be used.
    """
    if not at.runs:
        if once and not at.rejected:
            raise UserError("nothing to read yet", ", ".join(logs), "name a file that is there, or leave --once out to wait for one")
        if once:
            first = f"{len(at.rejected)} rejected; the first: {at.rejected[0]['reason']}"
            raise UserError(f"no usable record ({first})", ", ".join(logs), "describe the columns with --map FILE, or see the formats in the manual")
        return {}
    summary: dict[str, Any] = orjson.loads((at.out / "summary.json").read_bytes())
    return summary | {"unfinished_lines": growing.unfinished(logs, at.point.seen), "unexamined": at.point.calls_read - at.point.examined}


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSON Lines file, none where there is none."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def micro_batches(
    logs: Sequence[str], at: Stream, every: float, until_idle: float | None, once: bool, stopped: Callable[[], bool]
) -> Iterator[tuple[list[Source], dict[str, growing.Seen]]]:
    """What is new, as it comes. An empty one: nothing is waiting, and it is time to examine what was read."""
    resting: dict[str, tuple[int, int]] = {}
    idle, took, ended = time.monotonic(), 0.0, 0.0
    while not stopped():
        some = False
        for portion in growing.portions(logs, at.point.seen, None if once else resting):
            some = True
            yield portion
            if stopped():
                return
        if once or (until_idle is not None and not some and time.monotonic() - idle >= until_idle):
            break
        idle = time.monotonic() if some else idle
        if at.unexamined and at.runs and time.monotonic() - ended >= SHARE * took:
            began = time.monotonic()
            yield [], {}
            ended = time.monotonic()
            took = ended - began
        resting = growing.state(logs)
        until = time.monotonic() + every
        while not stopped() and time.monotonic() < until:
            time.sleep(min(PAUSE, max(0.0, until - time.monotonic())))
    if at.unexamined and at.runs and not stopped():
        yield [], {}
