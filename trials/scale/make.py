"""Make a log of millions of calls, and the history that belongs to it, quickly.

    python trials/scale/make.py --calls 28800000 --out LOGDIR [--history DIR] [--accounts N] [--seed 1] [--share 0.1] [--days 45] [--answers]
                                [--corpora DIR] [--nat 100000] [--framework 0.5] [--history-calls N] [--history-accounts N] [--processes 2]

A pattern world of up to 90,000 innocent calls and 16,000 of A-JUN is made by the drill itself and then multiplied: every copy of an account has an identity,
hours, rate and words of its own. Everything follows from the seed; the bytes do not depend on the number of processes. LOGDIR has a Parquet file for
every day and million of calls, in order of time, and the truth of each account in log.truth.parquet.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import shutil
import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scale import days, pattern, people, wording
from scale.columns import TEXT, Columns, ids
from scale.kernels import mixed
from scale.people import Size
from stillwatch.calls import SCHEMA
from stillwatch.drill.declare import every_campaign

PROMPT_BYTES, ANSWER_BYTES = 730, 2900
"Bytes of a prompt and of an answer, on average: those of 300,000 real exchanges."

BATCH, FILE = 65_536, 1_000_000
"Calls of a row group, and of a file at most."

START = 1_767_225_600
"First second of a log."

PACKED, PACKED_ANSWER = 900, 2000
"Bytes of a call and of an answer on the disk, with some to spare."

TRUTH = "log.truth.parquet"
"The truth of each account; files so named are passed over by a scan."

SAMPLE = 20_000
"Calls by which the length of texts is set."

NEVER = ("upstream_id", "sampled")
"Columns that such a log does not have."


def default_days(calls: int) -> int:
    """Days cut as the drill cuts a campaign to size: 45 at the disclosed number of calls, fewer in proportion, never fewer than two."""
    disclosed = every_campaign()[pattern.CAMPAIGN]
    return max(2, min(round(disclosed.days), round(disclosed.days * calls / disclosed.calls)))


class Maker:
    """A world from which logs are made."""

    def __init__(self, calls: int, share: float, seed: int, corpora: Path | None, answers: bool, split: str = "a") -> None:
        """`calls`: of the largest log that will be made; a small one needs a small pattern world. `split`: half of the sources."""
        innocent = int(np.clip(calls // 4, 4_000, 90_000))
        guilty = int(np.clip(calls * share / 2, 1_000, 16_000)) if share > 0 else 0
        self.pattern = pattern.compose(innocent, guilty, seed, corpora, split)
        self.texts = wording.read(self.pattern, ("prompt", "system", "response") if answers else ("prompt", "system"))
        self.names = tuple(name for name in SCHEMA.names if name not in NEVER and (answers or name != "response"))

    def make(self, out: Path, size: Size, processes: int = 2) -> dict[str, object]:
        """Write one log. Returns what was made."""
        began = time.perf_counter()
        everybody = people.settle(self.pattern, size)
        columns = Columns(self.pattern, self.texts, everybody, size, self.names)
        first = days.plan(self.pattern, everybody, size, 0)
        some = first.taken(np.sort(np.argsort(mixed(first.number, 1), kind="stable")[:SAMPLE]))
        columns.fit("prompt", PROMPT_BYTES, some)
        if "response" in self.names:
            columns.fit("response", ANSWER_BYTES, some)
        _room(out, size.calls, "response" in self.names)
        part = out.with_name(f".{out.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        global _job
        _job = (self, columns, everybody, size, part)
        counts = np.zeros(len(everybody.key), np.int64)
        if processes == 1:
            done = [_day(day) for day in range(size.days)]
        else:
            with multiprocessing.get_context("fork").Pool(processes) as pool:
                done = pool.map(_day, range(size.days), chunksize=1)
        for made in done:
            counts += made
        self._truth(part, everybody, counts)
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
        if (counts == 0).any():
            print(f"note: {(counts == 0).sum():,} of {len(counts):,} accounts had no room; so few calls make fewer conversations than that", file=sys.stderr)
        organisations = np.unique(everybody.organisation[counts > 0])
        return {
            "log": str(out), "calls": int(counts.sum()), "accounts": int((counts > 0).sum()), "organisations": len(organisations), "days": size.days,
            "campaign_calls": int(counts[everybody.campaign].sum()), "campaign_accounts": int((counts[everybody.campaign] > 0).sum()),
            "bytes": sum(each.stat().st_size for each in out.iterdir()), "seconds": round(time.perf_counter() - began, 1),
        }  # fmt: skip

    def _truth(self, out: Path, everybody: people.People, counts: np.ndarray) -> None:
        labels = np.array(self.pattern.label)[everybody.pattern]
        campaign = pa.array(np.where(everybody.campaign, pattern.CAMPAIGN, ""), pa.string())
        table = pa.table({
            "account": ids("acct_", everybody.key, 16), "organisation": ids("firm_", everybody.organisation, 16),
            "campaign": pc.if_else(pc.equal(campaign, ""), None, campaign), "class": labels, "calls": counts,
        })  # fmt: skip
        pq.write_table(table.filter(pc.greater(table["calls"], 0)), out / TRUTH)


def _room(out: Path, calls: int, answers: bool) -> None:
    """Refuse what the disk has no room for, and a folder that is not an earlier log of this program: it would be replaced."""
    if out.exists() and not (out / TRUTH).is_file():
        sys.exit(f"error: {out} is there and is no earlier log of this program; name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(out.parent).free, calls * (PACKED + (answers * PACKED_ANSWER))
    if free < needed:
        sys.exit(f"error: {out} needs about {needed / 1e9:.0f} GB and {free / 1e9:.0f} are free; make fewer calls")


_job: tuple[Maker, Columns, people.People, Size, Path]
"What the processes work on; they are forked, so nothing is copied."


def _day(day: int) -> np.ndarray:
    """Write the files of a day. Returns the calls of each account."""
    maker, columns, everybody, size, out = _job
    pa.set_cpu_count(1)
    rows = days.plan(maker.pattern, everybody, size, day)
    count = len(rows.ts)
    files = -(-count // FILE)
    step = math.ceil(count / files)
    plain = [name for name in maker.names if name not in TEXT]
    for part in range(files):
        writer = None
        for start in range(part * step, min(count, (part + 1) * step), BATCH):
            batch = columns.batch(rows.part(start, min(count, (part + 1) * step, start + BATCH)))
            writer = writer or pq.ParquetWriter(
                out / f"day-{day:03d}-{part:02d}.parquet", batch.schema, compression="lz4", use_dictionary=plain, write_statistics=plain, store_schema=False
            )
            writer.write_batch(batch, row_group_size=BATCH)
        assert writer is not None
        writer.close()
    return np.bincount(rows.account, minlength=len(everybody.key))


def main() -> None:
    """Make what is asked for and print what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, help="default: 25.6 calls an account and day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.10)
    parser.add_argument("--days", type=int, help="default: cut as the drill cuts, 45 at 28.8 million calls, two at the least")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--nat", type=int, default=0, help="accounts behind one address")
    parser.add_argument("--framework", type=float, default=0.0, help="share of the accounts on one agent framework")
    parser.add_argument("--history", type=Path)
    parser.add_argument("--history-calls", type=int, help="default: as many as the log has, up to a million, or an eighth of them if that is more")
    parser.add_argument("--history-accounts", type=int, help="default: one for 150 calls")
    parser.add_argument("--processes", type=int, default=2, choices=(1, 2))
    args = parser.parse_args()
    if args.out is None and args.history is None:
        parser.error("name a folder with --out, --history, or both")
    began = time.perf_counter()
    before = args.history_calls or max(min(args.calls, 1_000_000), args.calls // 8)
    maker = Maker(max(args.calls, before if args.history else 0), args.share, args.seed, args.corpora, args.answers)
    told: dict[str, object] = {"world_seconds": round(time.perf_counter() - began, 1)}
    length = args.days or default_days(args.calls)
    accounts = args.accounts or max(40, round(args.calls / 25.6 / length))
    size = Size(args.calls, accounts, args.share, length, START, 2 * args.seed, args.seed, args.nat, args.framework)
    if args.out is not None:
        told["log"] = maker.make(args.out, size, args.processes)
    if args.history is not None:
        told["history"] = maker.make(args.history, past(size, before, args.history_accounts), args.processes)
    print(json.dumps(told, indent=2))


def past(size: Size, calls: int, accounts: int | None = None) -> Size:
    """The size of the history of a log: the two weeks before it, no campaign, nothing that is new by nature, most accounts with 60 calls or more."""
    length = 14
    return Size(calls, accounts or max(40, calls // 150), 0.0, length, size.start - length * 86_400, size.seed + 1, size.world, 0, size.framework, 60, False)


if __name__ == "__main__":
    main()
