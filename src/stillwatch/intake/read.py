"""Reading a log: whatever names one -> batches of LogCalls, each file in the format that it is found to have, each place by its scheme."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from stillwatch.calls import REQUIRED
from stillwatch.errors import UserError
from stillwatch.intake import mapping as maps
from stillwatch.intake import tables
from stillwatch.intake.declare import Format, Opening, Reject, found
from stillwatch.intake.opening import look
from stillwatch.intake.places.declare import place_of, scheme
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows
from stillwatch.records import Rejected

ASIDE = 16
"Objects that are looked at at the same time: elsewhere each look waits for an answer."

_SAYS = {
    "binary": "not a log that is known: binary",
    "array": "one JSON array, not one record a line",
    "spread": "JSON objects spread over lines, not one a line",
}


class _Unknown(UserError):
    """A file in no known format."""


@dataclass(slots=True)
class _Planned:
    """How a file or table will be read."""

    source: Source | Rows
    opening: Opening
    format: Format | None = None
    "None for rows, and for what cannot be read."
    why: UserError | None = None
    "Why a file among others has no format."

    @property
    def reads(self) -> bool:
        """Whether calls may come of it."""
        return self.format is not None or isinstance(self.source, Rows)


def read(
    sources: Sequence[str],
    mapping: maps.Mapping | None,
    reject: Reject,
    progress: Callable[[int], None] | None = None,
    formats: Sequence[Format] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of `calls.SCHEMA`, files in sorted order; `progress` is told the calls of each batch as it is read.

    Looks at every file before the first is read. Raises UserError when a source does not exist, when a file that is named itself has no known
    format or a folder holds no file that has one, and when the map names columns that a file has not. Records that cannot be used, broken
    files, empty files, files of no format among others, and mapped columns that no record has go to `reject`.
    """
    planned = _planned(files(sources), mapping, tuple(formats) if formats is not None else found())
    _readable(planned)
    return _whole(planned, mapping, reject, progress)


def portions_of(
    sources: Sequence[Source],
    mapping: maps.Mapping | None,
    reject: Reject,
    progress: Callable[[int], None] | None = None,
    formats: Sequence[Format] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The same of files, or parts of files, that are known: a file's format is that of its beginning.

    Raises UserError for a file of no known format that was named itself; one that lies in a folder goes to `reject`, for others may come.
    """
    planned = _planned(sources, mapping, tuple(formats) if formats is not None else found())
    for plan in planned:
        if plan.why is not None and not plan.source.among:
            raise plan.why
    return _read(planned, mapping, reject, progress)


@dataclass(frozen=True, slots=True)
class Where:
    """A file or table of a log, for who reads it elsewhere: on another machine it is found by this alone."""

    name: str
    "As the user named it."
    place: str
    "Its path from the root, or its name where it is no path."
    among: str
    "The folder or glob in which it was found; empty where it was named itself."


def recognised(sources: Sequence[str], mapping: maps.Mapping | None) -> list[Where]:
    """What `read` would read, in its order, for `one`. Raises UserError as `read` does before it reads."""
    planned = _planned(files(sources), mapping, found())
    _readable(planned)
    return [Where(each.name, _place(each), each.among) for each in (plan.source for plan in planned)]


def _place(source: Source | Rows) -> str:
    if isinstance(source, Source) and source.away is None:
        return os.path.abspath(source.path)
    return source.name if scheme(source.name) else os.path.abspath(source.name)


def one(where: Where, mapping: maps.Mapping | None, reject: Reject, seen: set[str]) -> Iterator[pa.RecordBatch]:
    """What `read` gives of one file or table. `seen` is told our columns of which any record had a value."""
    if os.path.isfile(where.place):
        source: Source | Rows = Source(where.name, Path(where.place), among=where.among)
    else:
        source = replace(place_of(where.place).find(where.place)[0], name=where.name, among=where.among)
    return _seeing(_read(_planned([source], mapping, found()), mapping, reject, None), mapping, seen)


def unseen(mapping: maps.Mapping, seen: Collection[str], reject: Reject) -> None:
    """Tell what a map names and no record of the log had."""
    for ours in sorted(mapping.said - frozenset(seen)):
        reject(Rejected(mapping.file, None, f'no record has a value in column "{maps.named([mapping.columns[ours]])}", mapped to {ours}; it is unknown'))


def _planned(named: Sequence[Source | Rows], mapping: maps.Mapping | None, known: Sequence[Format]) -> list[_Planned]:
    planned: list[_Planned] = []
    for source, opening in zip(named, _looked(named), strict=True):
        plan = _Planned(source, replace(opening, records=()))  # a thousand files' first records would weigh
        if isinstance(source, Rows):
            tables.chosen(source.name, opening.columns, mapping)
        else:
            try:
                plan.format = _format(source, opening, mapping, known)
            except _Unknown as error:
                plan.why = error
        planned.append(plan)
    return planned


def _looked(sources: Sequence[Source | Rows]) -> Iterator[Opening]:
    """What each is, in order; what lies elsewhere a few at a time."""
    if all(isinstance(each, Source) and each.away is None for each in sources):
        yield from map(_look, sources)
        return
    with ThreadPoolExecutor(ASIDE) as pool:
        yield from pool.map(_look, sources)


def _look(source: Source | Rows) -> Opening:
    return Opening("rows", source.columns()) if isinstance(source, Rows) else look(replace(source, begin=0))


def _readable(planned: Sequence[_Planned]) -> None:
    """Raise for a file of no format that was named itself, and for a folder or glob in which nothing has one."""
    among: dict[str, list[_Planned]] = {}
    for plan in planned:
        among.setdefault(plan.source.among, []).append(plan)
    for name, held in among.items():
        strange = [plan.why for plan in held if plan.why is not None]
        if strange and (not name or not any(plan.reads for plan in held)):
            raise strange[0]


def _whole(planned: Sequence[_Planned], mapping: maps.Mapping | None, reject: Reject, progress: Callable[[int], None] | None) -> Iterator[pa.RecordBatch]:
    """All calls; at the end, what the map names and no record has is told."""
    seen, count = set[str](), 0
    for batch in _seeing(_read(planned, mapping, reject, progress), mapping, seen):
        count += batch.num_rows
        yield batch
    if mapping is not None and count:
        unseen(mapping, seen, reject)


def _seeing(batches: Iterator[pa.RecordBatch], mapping: maps.Mapping | None, seen: set[str]) -> Iterator[pa.RecordBatch]:
    """The batches; `seen` is told those of the mapped columns of which any record has a value."""
    for batch in batches:
        if mapping is not None and "account" in batch.schema.names:
            wanted = mapping.said - seen
            seen |= {name for name in wanted if name not in batch.schema.names or batch.column(name).null_count < batch.num_rows}
        yield batch


def _read(planned: Sequence[_Planned], mapping: maps.Mapping | None, reject: Reject, progress: Callable[[int], None] | None) -> Iterator[pa.RecordBatch]:
    for plan in planned:
        if isinstance(plan.source, Rows):
            batches = tables.stream(plan.source, plan.opening.columns, mapping, reject)
        elif plan.format is not None:
            batches = plan.format.read(plan.source, plan.opening, mapping or maps.CANONICAL, partial(_counted, reject, plan.source.lines))
        else:
            reason = plan.why.what if plan.why is not None else plan.opening.reason or "the file is empty"
            reject(Rejected(plan.source.name, None, f"not read: {reason}" if plan.why is not None else reason))
            continue
        for batch in batches:
            if batch.num_rows:
                yield batch
            if progress is not None:
                progress(batch.num_rows)


def _counted(reject: Reject, lines: int, rejected: Rejected) -> None:
    """A record's line counted from the beginning of its file."""
    reject(rejected if rejected.line is None or not lines else replace(rejected, line=rejected.line + lines))


def _format(source: Source, opening: Opening, mapping: maps.Mapping | None, known: Sequence[Format]) -> Format | None:
    if opening.container in ("empty", "damaged"):
        return None
    spread = _spread(opening)
    for each in known:
        if spread and each.flat:
            continue
        if mapping is None and each.recognises(opening):
            return each
        if mapping is not None and each.flat and each.fits(opening):
            if opening.columns:
                mapping.check(opening.columns, sparse=opening.container == "json")
            return each
    container = "spread" if spread else opening.container
    if container in _SAYS:
        attempt = "give Parquet, JSON Lines or CSV"
        if container == "array":
            attempt = "write one object a line (jq -c '.[]' does it)"
        if spread:
            attempt = "write one object a line (jq -c . does it)"
        raise _Unknown(_SAYS[container], source.name, attempt)
    if opening.container == "text" and not opening.columns:
        raise _Unknown("the first line is not a header that names columns", source.name, "put one on top, or give JSON Lines")
    lacking = [name for name in REQUIRED if name not in opening.columns]
    raise _Unknown(
        f"no known log format: columns {maps.named(opening.columns)}; {', '.join(lacking)} not among them",
        source.name,
        "name the columns with --map FILE" if mapping is None else "see the formats in the manual",
    )


def _spread(opening: Opening) -> bool:
    """Whether a file looks like JSON that people read: no line is an object, and the first ends where an object goes on."""
    first, newline, _ = opening.head.lstrip().partition(b"\n")
    return opening.container == "json" and not opening.columns and bool(newline) and first.rstrip().endswith((b"{", b"[", b","))


def files(sources: Sequence[str]) -> list[Source | Rows]:
    """What the sources name, each file once, sorted by name. Raises UserError for a source that names nothing."""
    named: dict[str, Source | Rows] = {}
    for each in sources:
        for one in place_of(each).find(each):
            at = os.path.realpath(one.path) if isinstance(one, Source) and one.away is None else one.name
            # Named itself counts more than found in a folder.
            named.setdefault(at, one)
            if not one.among:
                named[at] = replace(named[at], among="")
    return sorted(named.values(), key=lambda one: one.name)


def here(sources: Sequence[str]) -> list[str]:
    """Where the files lie that the sources name on this machine, links followed."""
    return [os.path.realpath(one.path) for one in files([each for each in sources if not scheme(each)]) if isinstance(one, Source)]
