"""Reading a log: files, folders and globs -> batches of LogCalls, each file in the format that it is found to have."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from stillwatch.calls import REQUIRED
from stillwatch.errors import UserError
from stillwatch.files import REJECTED, TRUTH
from stillwatch.intake import mapping as maps
from stillwatch.intake.declare import Format, Opening, Reject, found
from stillwatch.intake.opening import look
from stillwatch.intake.stream import Source
from stillwatch.records import Rejected

RESULT = ".stillwatch"
"File by which a folder of results is known: inside a folder of logs it is passed over."

_SAYS = {
    "binary": "not a log that is known: binary",
    "array": "one JSON array, not one record a line",
}


def read(
    sources: Sequence[str],
    mapping: maps.Mapping | None,
    reject: Reject,
    progress: Callable[[int], None] | None = None,
    formats: Sequence[Format] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of `calls.SCHEMA`, files in sorted order; `progress` is told the calls of each batch as it is read.

    Looks at every file before the first is read. Raises UserError when a source does not exist, when no format
    recognises a file, or when the map names columns that a file has not. Records that cannot be used, broken
    files and empty files go to `reject`.
    """
    return portions(files(sources), mapping, reject, progress, formats)


def portions(
    sources: Sequence[Source],
    mapping: maps.Mapping | None,
    reject: Reject,
    progress: Callable[[int], None] | None = None,
    formats: Sequence[Format] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The same of files, or parts of files, that are known: a file's format is that of its beginning."""
    known = tuple(formats) if formats is not None else found()
    plan = []
    for source in sources:
        opening = look(replace(source, begin=0))
        chosen = _format(source, opening, mapping, known)
        plan.append((source, replace(opening, records=()), chosen))  # a thousand files' first records would weigh
    return _read(plan, mapping or maps.CANONICAL, reject, progress)


def _read(
    plan: list[tuple[Source, Opening, Format | None]],
    mapping: maps.Mapping,
    reject: Reject,
    progress: Callable[[int], None] | None,
) -> Iterator[pa.RecordBatch]:
    for source, opening, chosen in plan:
        if chosen is None:
            reject(Rejected(source.name, None, opening.reason or "the file is empty"))
            continue
        for batch in chosen.read(source, opening, mapping, partial(_counted, reject, source.lines)):
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
    for each in known:
        if mapping is None and each.recognises(opening):
            return each
        if mapping is not None and each.flat and each.fits(opening):
            if opening.columns:
                mapping.check(opening.columns, sparse=opening.container == "json")
            return each
    if opening.container in _SAYS:
        attempt = "give Parquet, JSON Lines or CSV"
        if opening.container == "array":
            attempt = "write one object a line (jq -c '.[]' does it)"
        raise UserError(_SAYS[opening.container], source.name, attempt)
    if opening.container == "text" and not opening.columns:
        raise UserError("the first line is not a header that names columns", source.name, "put one on top, or give JSON Lines")
    lacking = [name for name in REQUIRED if name not in opening.columns]
    raise UserError(
        f"no known log format: columns {maps.named(opening.columns)}; {', '.join(lacking)} not among them",
        source.name,
        "name the columns with --map FILE",
    )


def files(sources: Sequence[str]) -> list[Source]:
    """The files that the sources name, each once, sorted by name. Raises UserError for a source that names none."""
    named: dict[str, Source] = {}
    for each in sources:
        for name in _expanded(each):
            named.setdefault(os.path.realpath(name), Source(name, Path(name)))
    return sorted(named.values(), key=lambda source: source.name)


def _expanded(name: str) -> list[str]:
    if os.path.isfile(name):
        return [name]
    if os.path.isdir(name):
        inside = _usable(_walked(name))
        inside = [path for path in inside if not _hidden(os.path.relpath(path, name))]
        if not inside:
            raise UserError("the folder holds no log files", name, "name a folder with Parquet, JSON Lines or CSV files")
        return inside
    if glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        inside = _usable(path for path in matches if os.path.isfile(path))
        # A glob may match folders (a partitioned log); each is read like a folder that is named.
        if not inside:
            inside = [file for path in matches if os.path.isdir(path) for file in _expanded(path)]
        if inside:
            return inside
        raise UserError("no file matches", name, "check the pattern, and that the shell did not keep its quotes")
    if os.path.exists(name):
        raise UserError("neither a file nor a folder", name, "write the log to a file first")
    near = difflib.get_close_matches(os.path.basename(name), _neighbours(name), n=1)
    raise UserError("no such file or folder", name, f'did you mean "{near[0]}"?' if near else "check the path")


def _walked(name: str) -> Iterator[str]:
    for folder, below, held in os.walk(name):
        if RESULT in held:
            below.clear()  # what an earlier scan wrote is no log
        else:
            yield from (os.path.join(folder, file) for file in held)


def _usable(paths: Iterator[str]) -> list[str]:
    return sorted(path for path in paths if os.path.isfile(path) and not path.endswith((TRUTH, REJECTED)))


def _hidden(relative: str) -> bool:
    return any(part.startswith((".", "_")) for part in Path(relative).parts)


def _neighbours(name: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.dirname(name) or "."))
    except OSError:
        return []
