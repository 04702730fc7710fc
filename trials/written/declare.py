"""What a writer is: how it writes calls down as its system does, which columns come back as they were, and which come back in its own words.

Every other file but `bodies` holds one or more members under the name `WRITERS`; `found` walks the package. A writer invents no field that its
system lacks: what it does not carry is named nowhere and must come back unknown. It writes what the system can be told by the settings that
docs/formats.md names (metadata, labels), and no canonical name beside a record, unless the envelope is the log keeper's own.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from stillwatch.calls import SCHEMA
from stillwatch.intake import chat

Call = dict[str, Any]
"A call under the canonical names; `sealed_out` and `sealed_in` are the encrypted reasoning itself, of which the log keeps digests."

Told = Callable[[Call], Any]
"What a format makes of a column."


@dataclass(frozen=True, slots=True)
class Writer:
    """One way in which a system writes calls down."""

    name: str
    "Of the table's row, and of the file."
    format: str
    "Name of the format that reads it."
    suffix: str
    "Of the file."
    write: Callable[[Sequence[Call]], bytes]
    "Calls -> the file."
    carries: tuple[str, ...]
    "Columns that come back as they were."
    own: dict[str, Told] = field(default_factory=dict)
    "Columns that come back in the format's own words: coarser times, other names of a reason, counts that include others."
    texts: bool = True
    "Whether it holds prompts and answers, as switched on."


def found() -> tuple[Writer, ...]:
    """Every writer, in the order of the modules' names."""
    room = importlib.import_module("written")
    modules = [importlib.import_module(f"written.{each.name}") for each in pkgutil.iter_modules(room.__path__)]
    return tuple(writer for module in modules for writer in getattr(module, "WRITERS", ()))


def prepared(log: pa.Table) -> list[Call]:
    """The calls of a drill's log as any format can hold them.

    Accounts become names that a cloud project may have, the drill's reasoning digests stand for the encrypted reasoning itself, and tools whose names
    the drill leaves out get names of their account's own: a request cannot offer a tool without one.
    """
    made = []
    for row in log.to_pylist():
        account = row["account"].replace("_", "-")
        out, back = row["reasoning_out"], row["reasoning_in"] or []
        tools = row["tool_names"] or [f"{account}-tool-{i}" for i in range(row["tools"] or 0)]
        made.append(
            row
            | {"account": account, "sealed_out": out, "sealed_in": back, "tools": len(tools) or None, "tool_names": tools or None}
            | {"reasoning_out": out and chat.digest(out), "reasoning_in": sorted(set(map(chat.digest, back))) or None}
        )
    return made


def reduced(writer: Writer, calls: Sequence[Call]) -> pa.Table:
    """The canonical log of what a format carries: each column as it is, in the format's own words, or null."""
    told: dict[str, Told] = {name: lambda call, name=name: call[name] for name in writer.carries} | writer.own  # type: ignore[misc]
    columns = {name: [told[name](call) for call in calls] if name in told else None for name in SCHEMA.names}
    return pa.table([pa.nulls(len(calls), f.type) if (c := columns[f.name]) is None else pa.array(c, f.type) for f in SCHEMA], schema=SCHEMA)


def canonical(calls: Sequence[Call]) -> pa.Table:
    """The calls as a canonical log."""
    return pa.table([pa.array([call[f.name] for call in calls], f.type) for f in SCHEMA], schema=SCHEMA)


def split(calls: Sequence[Call], by: Callable[[Call], str]) -> list[tuple[Writer, list[Call]]]:
    """The calls dealt out over every writer by a hash of a name: that of its account, or its own."""
    writers = found()
    parts: list[list[Call]] = [[] for _ in writers]
    for call in calls:
        parts[int(hashlib.sha256(by(call).encode()).hexdigest(), 16) % len(writers)].append(call)
    return list(zip(writers, parts, strict=True))
