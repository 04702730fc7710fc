"""A scan made again from what it kept, without its log: every figure of every case worked out anew and compared with what is written.

The seal is looked at first: figures that follow from marks which somebody exchanged prove nothing. Then the marks are examined as a scan examines
them, and everything that the scan wrote is compared, leaf by leaf. Nothing in the folder is taken as told but what is sealed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import results
from stillwatch.campaigns.known import NOTHING_KNOWN
from stillwatch.earlier import RUNS
from stillwatch.engines import runs
from stillwatch.engines.disk import OnDisk, once
from stillwatch.engines.local import Gathered
from stillwatch.engines.shelf import in_order
from stillwatch.errors import UserError
from stillwatch.evidence.pooled import NO_POOL
from stillwatch.examination import Progress, examine, innocents_of, reference_of
from stillwatch.intake.mark import account_hashes
from stillwatch.parts import One, Parts
from stillwatch.records import MARKS, NO_CONTEXT
from stillwatch.results import Found, Reference
from stillwatch.store import asked, keys, memberships, names, scans, seals, states
from stillwatch.store.seals import Seal
from stillwatch.store.tables import readable
from stillwatch.traffic import Traffic

Render = Callable[[list[dict[str, Any]], dict[str, Any]], str]

FROM_ELSEWHERE = frozenset({"notices", "seconds", "peak_bytes", "versions", "parameters", "stream", "scan", "packs"})
"Words of summary.json that do not follow from the marks: how the scan was started, what it cost, and what packs of others would have said. They are sealed."

DRAWN: dict[str, type | tuple[type, ...]] = {"seconds": (int, float), "peak_bytes": int, "versions": dict}
"Those of them that the report shows, and what they are: where a seal is not sound they may be anything."

NOTHING: Any = object()
"What stands in a difference for a part that is not there."

CUT = 80
"Characters of a value that a difference quotes."


@dataclass(frozen=True)
class Difference:
    """Something that is not what it must be."""

    where: str
    "File, and in it the case and the part."
    what: str
    "What is wrong with it."


@dataclass(frozen=True)
class Again:
    """What a folder must say, by its marks."""

    lines: list[dict[str, Any]]
    "campaigns.jsonl."
    accounts: pa.Table
    "accounts.parquet."
    summary: dict[str, Any]
    "summary.json, but for FROM_ELSEWHERE."
    kept: Mapping[str, pa.Table]
    "File in the folder of states -> its table."


@dataclass
class Verified:
    """What came of it."""

    differences: list[Difference]
    "None where everything is as it was written."
    seal: str
    "The seal of the evidence, as the folder has it."
    campaigns: int = 0
    "Cases that were made again."
    figures: int = 0
    "Their numbers, words and dates."
    calls: int = 0
    "Calls that they were made of."
    versions: list[str] = field(default_factory=list)
    "Versions that are not those of the scan: figures may differ for that alone."


def verified(folder: Path, key: Path | None, written_down: str | None, step: Progress, render: Render | None) -> Verified:
    """Make a scan's results again and compare.

    Args: the scan's folder; the hashing key's file; a seal that was written down elsewhere; what makes the report.
    Raises: UserError where there is nothing that could be verified, or the key is another.
    """
    if not scans.is_scan(folder, "scan"):
        raise UserError("is no folder that a scan wrote", str(folder), "name the DIR that was given to `stillwatch scan --out`")
    secret = keys.load(key)
    if secret is None:
        raise UserError("the hashing key of this scan is not here", str(folder), "pass the key of that scan with --key")
    seal = seals.read(folder, secret)
    made = Verified(list(_evidence(folder, seal, written_down)), seal.seal)
    if made.differences:
        return made
    held = runs.found(folder / RUNS)
    again = made_again(folder, secret, key, held, step, _lost(folder, seal))
    step("comparing", 0)
    made.differences = list(differences(folder, again, keys.fingerprint(secret)))
    made.differences += _unrecomputed(folder, seal, again, {each.where.split(":")[0] for each in made.differences}, render)
    made.campaigns, made.calls = len(again.lines), sum(run.rows for run in held)
    made.figures = sum(1 for line in again.lines for _ in leaves(line))
    made.versions = _versions(folder) if made.differences else []
    return made


def _evidence(folder: Path, seal: Seal, written_down: str | None) -> Iterator[Difference]:
    """What of the evidence is not what was sealed."""
    if not seal.sound:
        yield Difference(seals.FILE, "was not made with the hashing key")
        return
    if written_down is not None and written_down.strip().lower() != seal.seal:
        yield Difference(seals.FILE, f"is {seal.seal}, not the seal that was written down")
    changed = seals.changed(seal.evidence, seals.evidence(folder))
    yield from (Difference(name, what) for name, what in changed)
    if not changed:
        damaged = filter(None, map(runs.damaged, runs.found(folder / RUNS)))
        yield from (Difference(str(path.relative_to(folder)), "is not the file that was sealed") for path in damaged)


def _lost(folder: Path, seal: Seal) -> int:
    """Records that were rejected: by their file, and where that is not the one that was sealed, as the summary says; that file is told of by itself."""
    path = folder / "rejected.jsonl"
    if path.is_file() and seal.results.get(path.name) in (None, seals.digest(path)):
        return sum(row.get("line") is not None for row in _rows(path) if isinstance(row, dict))
    told = _summary(folder).get("calls_rejected")
    return told if isinstance(told, int) else 0


def made_again(folder: Path, secret: bytes, key: Path | None, held: list[runs.Run], step: Progress, lost: int) -> Again:
    """Examine the kept marks with the kept reference and whatever the scan was asked, and say what its files must hold. `lost`: records that were rejected."""
    told, fingerprint = asked.read(folder), keys.fingerprint(secret)
    reference = replace(kept_reference(folder, secret, told.unit), pool=told.calibration or NO_POOL)
    with tempfile.TemporaryDirectory() as scratch:
        log = kept_log(held, Path(scratch))
        found = examine(log, reference, step, told.prices, told.context or NO_CONTEXT, told.known or NOTHING_KNOWN)
        known = None if told.pseudonymous else _names(folder, secret, key, found)
        summary = results.summary(found, log, reference, results.Lost(lost), 0.0)
    summary["context"] = None if told.context is None else results.told(told.context, found.parts.owners.accounts)
    summary["known"] = None if told.known is None else results.known(told.known, found)
    summary["calibration"] = None if told.calibration is None else innocents_of(reference).told()
    summary |= {"key_fingerprint": fingerprint, "seal": seals.seal(seals.evidence(folder), secret)}
    tables = {f"{name}.parquet": getattr(found.kept, name) for name in states.TABLES}
    tables |= {memberships.place(Path(), name).name: found.members[name] for name in memberships.NAMES}
    lines = [results.line(campaign, known) for campaign in found.campaigns]
    return Again(lines, results.accounts(found.campaigns, known), {k: v for k, v in summary.items() if k not in FROM_ELSEWHERE}, tables)


def kept_reference(folder: Path, secret: bytes, unit: str) -> Reference:
    """The reference that a scan keeps."""
    kept = states.reference(folder, keys.fingerprint(secret), unit)
    return reference_of(kept, [None] * len(kept))


def kept_log(held: list[runs.Run], scratch: Path) -> Gathered:
    """The log that a scan keeps, as marks. `scratch`: a folder that outlives its use."""
    return Gathered(_parts(held, scratch), sum(run.rows for run in held), frozenset().union(*(run.present for run in held)), held)


def _parts(held: list[runs.Run], scratch: Path) -> Parts:
    """The kept marks as a scan has them: a small log's as one part in memory, others from disk. Both give the same; the first is quicker."""
    if len(held) > 1:
        return OnDisk(tuple(held), scratch)
    return One(Traffic(in_order(once(pa.Table.from_batches(held[0].read(range(runs.BUCKETS), MARKS.names), MARKS)))))


def _names(folder: Path, secret: bytes, key: Path | None, found: Found) -> dict[int, str]:
    """The log's own name of every member: as it is sealed beside the key, else as the results have it; no name whose keyed hash is not the member's, wherever it stands."""
    members = {account for campaign in found.campaigns for account in campaign.accounts}
    called = {account: f"{account & (2**64 - 1):016x}" for account in members}
    plain = sorted({name for line in _rows(folder / "campaigns.jsonl") for name in _written(line)})
    called |= {account: name for account, name in zip(account_hashes(plain, secret), plain, strict=True) if account in members}
    try:
        sealed = names.open(key, secret, str(_summary(folder).get("scan")))
    except (UserError, ValueError):
        return called
    kept = [(account, name) for account, name in sealed.items() if account in members]
    hashes = account_hashes([name for _, name in kept], secret)
    return called | {account: name for (account, name), own in zip(kept, hashes, strict=True) if own == account}


def _written(line: Any) -> list[str]:
    """The accounts that a written line names, whatever it looks like."""
    given = line.get("accounts") if isinstance(line, dict) else None
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def _rows(path: Path) -> list[Any]:
    """Lines of a file that may have been changed in any way; one that is no JSON is None."""
    try:
        return [_parsed(line) for line in path.read_bytes().splitlines()]
    except OSError:
        return []


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _summary(folder: Path) -> dict[str, Any]:
    try:
        told = _parsed((folder / "summary.json").read_bytes())
    except OSError:
        return {}
    return told if isinstance(told, dict) else {}


def differences(folder: Path, again: Again, fingerprint: str) -> Iterator[Difference]:
    """Where what is written in a folder is not what its marks give: every leaf of every case, the accounts, the summary, and what explains accounts."""
    try:
        yield from cases((folder / "campaigns.jsonl").read_bytes().splitlines(), again.lines)
    except OSError:
        yield Difference("campaigns.jsonl", "is missing")
    yield from _table(folder / "accounts.parquet", folder, again.accounts, None)
    summary = _summary(folder)
    yield from (
        Difference(f"summary.json: {where}", what)
        for name, value in again.summary.items()
        for where, what in leaf_by_leaf(name, _plain(value), summary.get(name, NOTHING))
    )
    for name, table in again.kept.items():
        yield from _table(folder / states.FOLDER / name, folder, table, fingerprint)


def cases(there: list[bytes], wanted: list[dict[str, Any]]) -> Iterator[Difference]:
    """Differences between the lines of campaigns.jsonl and what they must be, by case and leaf."""
    for number, line in enumerate(wanted):
        name = f"campaigns.jsonl: line {number + 1}, {line['campaign']}"
        want = orjson.dumps(line)
        if number >= len(there):
            yield Difference(name, "is missing")
        elif there[number] != want:
            # The bytes are compared, so that 1 in place of 1.0 or of true does not pass; where it is all there is, every leaf is looked at.
            both = orjson.loads(want), _parsed(there[number])
            told = list(leaf_by_leaf("", *both, passing=True)) or list(leaf_by_leaf("", *both))
            yield from (Difference(f"{name}: {where}", what) for where, what in told)
            if not told:
                yield Difference(name, "is written otherwise")
    if len(there) > len(wanted):
        yield Difference(f"campaigns.jsonl: line {len(wanted) + 1}", f"{len(there) - len(wanted)} lines too many")


def leaf_by_leaf(where: str, want: Any, there: Any, passing: bool = False) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of every leaf of a JSON value that is not what it must be. `passing`: pass over parts that Python takes for equal: quick."""
    if passing and want == there:
        return
    if isinstance(want, dict) and isinstance(there, dict):
        for name in {**want, **there}:
            yield from leaf_by_leaf(f"{where}.{name}" if where else str(name), want.get(name, NOTHING), there.get(name, NOTHING), passing)
    elif isinstance(want, list) and isinstance(there, list) and len(want) == len(there):
        for number, (one, other) in enumerate(zip(want, there, strict=True)):
            yield from leaf_by_leaf(f"{where}[{number}]", one, other, passing)
    elif isinstance(want, list) and isinstance(there, list):
        added, gone = ([each for each in one if each not in other] for one, other in ((there, want), (want, there)))
        said = [f"{name} {_quoted(several)}" for name, several in (("besides:", added), ("missing:", gone)) if several]
        yield where, f"has {len(there):,} values, by the marks {len(want):,}{'; ' if said else ''}{', '.join(said)}"
    elif type(want) is not type(there) or want != there:
        yield where, f"is {_quoted(there)}, by the marks {_quoted(want)}"


def _quoted(value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    text: str = orjson.dumps(value).decode()
    return text if len(text) <= CUT else f"{text[:CUT]}..."


def leaves(value: Any) -> Iterator[Any]:
    """The numbers, words and dates of a JSON value."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    return orjson.loads(orjson.dumps(value))


def _table(path: Path, folder: Path, want: pa.Table, fingerprint: str | None) -> Iterator[Difference]:
    """Differences in a table: the first row that is another. `fingerprint`: of the key that it must be stamped with."""
    name = str(path.relative_to(folder))
    try:
        there = pq.read_table(readable(path))
    except (OSError, pa.ArrowException):
        yield Difference(name, "cannot be read" if path.exists() else "is missing")
        return
    if fingerprint is not None and (there.schema.metadata or {}).get(b"key") != fingerprint.encode():
        yield Difference(name, "is not stamped with the hashing key")
    want, there = (each.replace_schema_metadata(None) for each in (want, there))
    if not want.schema.equals(there.schema):
        yield Difference(name, "has other columns")
        return
    if path.name == "wordings.parquet":
        # Pairs in no order: they are a set.
        want, there = (each.sort_by([("wording", "ascending"), ("unit", "ascending")]) for each in (want, there))
    if want.num_rows != there.num_rows:
        yield Difference(name, f"has {there.num_rows:,} rows, by the marks {want.num_rows:,}")
    elif not want.equals(there):
        yield Difference(name, _first_row(want, there))


def _first_row(want: pa.Table, there: pa.Table) -> str:
    for column in want.column_names:
        for number, (one, other) in enumerate(zip(want[column].to_pylist(), there[column].to_pylist(), strict=True)):
            if one != other:
                return f"row {number + 1}, {column}, is {other!r}, by the marks {one!r}"
    return "is written otherwise"


def _unrecomputed(folder: Path, seal: Seal, again: Again, named: set[str], render: Render | None) -> Iterator[Difference]:
    """What the marks do not give: the report as it is drawn, and files that are not those that were sealed. `named`: files that differ already."""
    there = {name: seals.digest(folder / name) for name in seal.results if (folder / name).is_file()}
    changed = dict(seals.changed(seal.results, there))
    if render is not None and (folder / "report.html").is_file() and "summary.json" not in changed:
        summary = _summary(folder)
        wrong = [name for name, kind in DRAWN.items() if not isinstance(summary.get(name), kind)]
        yield from (Difference(f"summary.json: {name}", "is not what a scan writes there") for name in wrong)
        report = None if wrong else render([_plain(line) for line in again.lines], {**summary, **_plain(again.summary)})
        if report is None or report.encode() != (folder / "report.html").read_bytes():
            named.add("report.html")
            yield Difference("report.html", "is not the report of these cases" if report is not None else "cannot be drawn anew for that")
    if not seal.sound_results:
        yield Difference(seals.FILE, "was not made with the hashing key, as to the results")
    yield from (Difference(name, what) for name, what in changed.items() if name not in named)


def _versions(folder: Path) -> list[str]:
    """Versions of the scan that are not those of today."""
    told = _summary(folder).get("versions")
    now = results.versions()
    return [f"{name} {told[name]}, here {now[name]}" for name in now if isinstance(told, dict) and name in told and told[name] != now[name]]
