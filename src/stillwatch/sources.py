"""Logs of any kind -> marks in one canonical order: reading, the unit that is linked, marking, and the way back to names."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engines import local
from stillwatch.engines.runs import Run
from stillwatch.engines.spark.gather import OnCluster
from stillwatch.engines.spark.intake import Taken
from stillwatch.errors import UserError
from stillwatch.files import publish, rejected_path
from stillwatch.intake import mapping as maps
from stillwatch.intake import tables
from stillwatch.intake.mark import accounts as account_names
from stillwatch.intake.mark import mark
from stillwatch.intake.read import Where, here, one, portions_of, read, recognised, unseen
from stillwatch.intake.stream import Source, shown
from stillwatch.intake.unit import UNITS, linked
from stillwatch.records import MARKS, MARKS_VERSION, Rejected
from stillwatch.store import keys, names
from stillwatch.store.tables import readable, writable
from stillwatch.traffic import Ints

Log: TypeAlias = str | pa.Table
"A file, folder or glob, or a table of calls in memory."

NOTICES = 20
"Whole files and columns that are named in what a command prints, at most."

Reject = Callable[[Rejected], None]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Reading:
    """How logs are read and marked."""

    secret: bytes = field(repr=False)
    "The hashing key."
    key: Path | None
    "Its file; sealed names lie beside it. None: in the user's configuration folder."
    mapping: maps.Mapping | None = None
    "Column names of a log in no known format."
    unit: str = "account"
    "What is linked: account, key or end_user."

    def __post_init__(self) -> None:
        """Refuse a unit that no log tells. Raises: UserError."""
        if self.unit not in UNITS:
            raise UserError(f"nothing to link: {self.unit}", "unit", f"name one of {', '.join(UNITS)}")


def named(logs: Sequence[Log]) -> list[str]:
    """The logs as the user named them."""
    return [shown(log) if isinstance(log, str) else tables.NAME for log in logs]


def _batches(logs: Sequence[Log], how: Reading, reject: Reject) -> Iterator[pa.RecordBatch]:
    paths = [log for log in logs if isinstance(log, str)]
    held = [tables.read(log, how.mapping, reject) for log in logs if not isinstance(log, str)]
    for batch in chain(read(paths, how.mapping, reject), *held):
        yield batch if _told(batch) else linked(batch, how.unit)


def _told(batch: pa.RecordBatch) -> dict[bytes, bytes]:
    """What a batch of marks says of its making; empty for a batch of calls."""
    metadata = batch.schema.metadata or {}
    return metadata if b"stillwatch marks" in metadata else {}


def _marked(batch: pa.RecordBatch, key: bytes, unit: str) -> pa.RecordBatch:
    """Marks of a batch of calls; marks that were made elsewhere, where they fit."""
    told = _told(batch)
    if not told:
        return mark(batch, key)
    if told[b"key"] != keys.fingerprint(key).encode():
        raise UserError("these marks were made with another hashing key", os.fsdecode(told[b"file"]), "pass the key they were made with by --key")
    if told[b"unit"] != unit.encode():
        made = told[b"unit"].decode()
        raise UserError(f"these marks were made with --unit {made}", os.fsdecode(told[b"file"]), "name the same unit, or make the marks again")
    return batch.replace_schema_metadata(None)


def _names(batch: pa.RecordBatch, key: bytes, path: Path | None, sealed: dict[bytes, dict[int, str]]) -> tuple[Ints, pa.Array]:
    """Accounts of a batch and the log's own names for them; of marks whose names are not at hand, the keyed hashes."""
    told = _told(batch)
    if not told:
        return account_names(batch, key)
    if told[b"names"] not in sealed:
        sealed[told[b"names"]] = _opened(path, key, told[b"names"].decode())
    known = sealed[told[b"names"]]
    accounts = np.unique(batch.column("account").to_numpy())
    return accounts, pa.array([known.get(each, _digits(each)) for each in accounts.tolist()], pa.string())


def _opened(path: Path | None, key: bytes, made: str) -> dict[int, str]:
    """Sealed names; none where the seal is not at hand."""
    try:
        return names.open(path, key, made)
    except UserError:
        return {}


def _digits(account: int) -> str:
    return f"{account & (2**64 - 1):016x}"


def gather(
    logs: Sequence[Log],
    how: Reading,
    reject: Reject,
    folder: Path,
    earlier: Sequence[Run] = (),
    progress: Progress | None = None,
    cluster: OnCluster | None = None,
    keep: bool = True,
) -> local.Gathered | None:
    """Every log read and marked, its marks in runs in a folder, beside earlier runs of the same log; None when there is no usable record.

    `cluster`: where it is done; None: here. `keep`: whether the runs are wanted afterwards; a cluster can do without.
    """
    if cluster is not None:
        return _gathered(logs, how, reject, folder if keep else None, earlier, progress, cluster)
    names_of = partial(_names, path=how.key, sealed={})
    return local.gather(_batches(logs, how, reject), partial(_marked, unit=how.unit), names_of, how.secret, folder, earlier, progress)


def _gathered(
    logs: Sequence[Log], how: Reading, reject: Reject, folder: Path | None, earlier: Sequence[Run], progress: Progress | None, cluster: OnCluster
) -> local.Gathered | None:
    if any(not isinstance(log, str) for log in logs):
        raise UserError("a table in memory is not where a cluster could read it", "--engine spark", "write it to a file, or use the local engine")
    sealed: dict[str, dict[int, str]] = {}

    def unseal(account: int, body: bytes) -> str:
        told = names.unwrapped(how.secret, body)
        if not told.startswith(_SEALED):
            return told[1:]
        made = told[1:]
        if made not in sealed:
            sealed[made] = _opened(how.key, how.secret, made)
        return sealed[made].get(account, _digits(account))

    where = recognised([log for log in logs if isinstance(log, str)], how.mapping)
    log = cluster.gather(where, Taking(how.secret, how.mapping, how.unit), unseal, reject, folder, earlier)
    if log is not None and how.mapping is not None:
        unseen(how.mapping, log.seen, reject)
    if progress is not None and log is not None:
        progress(log.read)
    return log


_RAW, _SEALED = "=", "@"
"First letters of what stands for a name: the name itself, or the id of the sealed names where it stands."


@dataclass(frozen=True)
class Taking:
    """Intake of one file wherever it is read: its marks, and the accounts that it shows with their names, which only the hashing key opens."""

    secret: bytes = field(repr=False)
    "The hashing key."
    mapping: maps.Mapping | None
    "Column names of a log in no known format."
    unit: str
    "What is linked."

    def __call__(self, where: Where, reject: Reject) -> Iterator[Taken]:
        """Batches of the file."""
        known = np.zeros(0, np.int64)
        wrap = names.wrapping(self.secret)
        seen = set[str]()
        for batch in one(where, self.mapping, reject, seen):
            told = _told(batch)
            calls = batch if told else linked(batch, self.unit)
            marks = _marked(calls, self.secret, self.unit)
            if told:
                accounts = np.unique(marks.column("account").to_numpy())
                called = [_SEALED + told[b"names"].decode()] * len(accounts)
            else:
                accounts, raw = account_names(calls, self.secret)
                called = [_RAW + each for each in raw.to_pylist()]
            new = ~np.isin(accounts, known)
            known = np.union1d(known, accounts)
            bodies = [wrap(each) for each, some in zip(called, new.tolist(), strict=True) if some]
            yield Taken(marks, accounts[new], pa.array(bodies, pa.binary()), seen)


def gather_portions(portions: Sequence[Source], how: Reading, reject: Reject, folder: Path, progress: Progress | None = None) -> local.Gathered | None:
    """Files, or parts of files, read and marked in runs in a folder; None when there is no usable record."""
    batches = (batch if _told(batch) else linked(batch, how.unit) for batch in portions_of(portions, how.mapping, reject))
    return local.gather(batches, partial(_marked, unit=how.unit), partial(_names, path=how.key, sealed={}), how.secret, folder, (), progress)


def apart(written: Sequence[Path], logs: Sequence[Log]) -> None:
    """Refuse to write a file that is one of the logs', however it is named. Raises: UserError."""
    read_from = set(here([log for log in logs if isinstance(log, str)]))
    for path in written:
        if os.path.realpath(path) in read_from:
            raise UserError("would take the place of the log itself", str(path), "name another file with --out")


def whole(log: str, mapping: maps.Mapping | None, progress: Progress) -> tuple[pa.Table, list[Rejected]]:
    """All calls of a log with their text, and the records that cannot be used.

    Raises: UserError when no record is usable, or when the log holds marks, which have no text.
    """
    rejected: list[Rejected] = []
    batches, count = [], 0
    for batch in read([log], mapping, rejected.append):
        if _told(batch):
            raise UserError("holds marks, which have no text", log, "give the log that they were made from")
        batches.append(batch)
        count += batch.num_rows
        progress(count)
    if not count:
        raise unusable(_first(rejected), _records(rejected), [log], mapping is not None)
    return pa.Table.from_batches(batches), rejected


def _first(rejected: Sequence[Rejected]) -> Rejected | None:
    return rejected[0] if rejected else None


def _records(rejected: Sequence[Rejected]) -> int:
    """Rejected records: a whole file or column is none."""
    return sum(each.line is not None for each in rejected)


def unusable(first: Rejected | None, count: int, logs: Sequence[Log], mapped: bool) -> UserError:
    """The error for a log without a usable record.

    Args: what was rejected first; how many records were; whether a map was given.
    """
    if first is None:
        return UserError("no record", ", ".join(named(logs)), "check that it is the log, and how it is written")
    where = f"{first.file} line {first.line}" if first.line else first.file
    told = f"{count} rejected; the first, {where}: {first.reason}" if count else f"{where}: {first.reason}"
    return UserError(f"no usable record ({told})", ", ".join(named(logs)), _attempt(first.reason, count, mapped))


def _attempt(reason: str, count: int, mapped: bool) -> str:
    """What helps: a map does only where columns are there and mean something else."""
    if "truncated" in reason or "damaged" in reason:
        return "give the whole file"
    if not count:
        return "check that it is the log, and how it is written"
    if mapped:
        return "compare the map with the log, its units too"
    if "looks like" in reason or reason.endswith("is not text"):
        return "describe the columns with --map FILE"
    return "see in the manual what its format must hold"


def write_rejected(out: Path, rejected: Sequence[Rejected]) -> str | None:
    """Tell the records that cannot be used in OUT.rejected.jsonl, whole or not at all. Returns that file's name; None where there are none.

    For when OUT is in its place: that of an earlier OUT went with it.
    """
    if not rejected:
        return None
    with publish(rejected_path(out)) as part:
        part.write_bytes(b"".join(orjson.dumps({"file": each.file, "line": each.line, "reason": each.reason}) + b"\n" for each in rejected))
    return str(rejected_path(out))


def notices(rejected: Sequence[Rejected]) -> dict[str, Any]:
    """Whole files and columns that could not be used: how many, and the first of them (as in summary.json)."""
    whole = [each for each in rejected if each.line is None]
    return {"count": len(whole), "first": [{"file": each.file, "reason": each.reason} for each in whole[:NOTICES]]}


def _is_marks(path: Path) -> bool:
    try:
        return b"stillwatch marks" in (pq.read_schema(readable(path)).metadata or {})
    except (OSError, pa.ArrowInvalid):
        return False


def stamp(how: Reading, names_id: str) -> dict[bytes, bytes]:
    """What a file of marks says of its making. `names_id`: under which the names are sealed, or will not be found."""
    return {b"stillwatch marks": MARKS_VERSION, b"key": keys.fingerprint(how.secret).encode(), b"unit": how.unit.encode(), b"names": names_id.encode()}


def write_marks(logs: Sequence[Log], out: Path, how: Reading, progress: Progress | None = None) -> dict[str, Any]:
    """Marks of the logs as one Parquet file, whole or not at all, and the names sealed beside the key.

    Records that cannot be used are told in OUT.rejected.jsonl. Returns: marks, calls_read, calls_rejected, accounts,
    rejected (that file's name or None), notices (whole files and columns among them). Raises: UserError when no record is usable, or when something would be replaced that is no file of marks.
    """
    apart((out, rejected_path(out)), logs)
    if out.exists() and not _is_marks(out):
        raise UserError("is there already and holds no marks", str(out), "name another file, or delete this one yourself")
    made = secrets.token_hex(8)
    told = stamp(how, made)
    rejected: list[Rejected] = []
    known: dict[int, str] = {}
    sealed: dict[bytes, dict[int, str]] = {}
    count = 0
    with publish(out, outdated=[rejected_path(out)]) as part:
        with writable(part) as file, closing(pq.ParquetWriter(file, MARKS.with_metadata(told), compression="zstd")) as writer:
            for batch in _batches(logs, how, rejected.append):
                marks = _marked(batch, how.secret, how.unit)
                hashes, raw = _names(batch, how.secret, how.key, sealed)
                known.update(zip(hashes.tolist(), raw.to_pylist(), strict=True))
                writer.write_batch(marks.replace_schema_metadata(told))
                count += marks.num_rows
                if progress is not None:
                    progress(count)
        if not count:
            raise unusable(_first(rejected), _records(rejected), logs, how.mapping is not None)
        names.seal(how.key, how.secret, made, list(known), list(known.values()))
    beside = write_rejected(out, rejected)
    return {
        "marks": str(out), "calls_read": count, "calls_rejected": _records(rejected), "accounts": len(known), "rejected": beside, "notices": notices(rejected),
    }  # fmt: skip
