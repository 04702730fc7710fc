"""One log with campaigns, written down by every foreign system and scanned: the campaigns are those of what the format carries, and what is left of them.

    python trials/formats.py [--calls 24000] [--history 60000] [--into docs/formats.md]

The demo's log and its history are written in each format and scanned; beside it, the canonical log reduced to what the format carries, under the same key.
The two must give the same bytes, or this ends with an error. Then the same for a folder in which every system has its part, and for full text, marks and
metadata side by side. `--into` puts the tables between the marks of a page, as docs/formats.md has them.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import flow
from stillwatch.calls import SCHEMA
from stillwatch.doors import demo
from stillwatch.drill import compose, scenario
from stillwatch.intake.read import read
from written.declare import Call, Told, Writer, canonical, found, prepared, reduced, split

TEXTS = ("system", "prompt", "response")
CARRIED, OWN, MISSING = "yes", "own", ""


class Trial:
    """The logs, the key and the truth that every scan shares."""

    def __init__(self, folder: Path, calls: int, history: int) -> None:
        self.folder = folder
        self.key = folder / "key"
        self.key.write_text("11" * 32 + "\n")
        self.key.chmod(0o600)
        made = compose.compose(scenario.load("demo").with_overrides(calls=calls))
        self.calls = prepared(made.calls)
        self.before = prepared(compose.compose(scenario.load("demo-history").with_overrides(calls=history)).calls)
        self.truth = [
            (account.replace("_", "-"), campaign) for account, campaign in zip(*made.truth.select(["account", "campaign"]).to_pydict().values(), strict=True)
        ]
        self.campaigns = sorted({campaign for _, campaign in self.truth if campaign is not None})

    def scan(self, log: Path, history: Path, name: str) -> tuple[bytes, dict[str, Any], Path]:
        """campaigns.jsonl, the summary and the folder of a scan of a log with its history, each a file or folder of one way of writing."""
        out = self.folder / "scans" / name
        flow.watch([str(history)], out / "history", key=self.key)
        summary = flow.watch([str(log)], out / "log", history=[str(out / "history")], key=self.key)
        return (out / "log" / "campaigns.jsonl").read_bytes(), summary, out / "log"

    def found(self, scan: Path, named: Callable[[str], Sequence[str]] = lambda account: [account]) -> list[str]:
        """Verdict and accounts found of each campaign, and innocent accounts named; `named`: what the format calls an account."""
        rows = sorted({(each, campaign) for account, campaign in self.truth for each in named(account)}, key=str)
        truth = pa.table({"account": [account for account, _ in rows], "campaign": pa.array([campaign for _, campaign in rows], pa.string())})
        pq.write_table(truth, self.folder / "truth.parquet")
        told = demo.compare(scan, self.folder / "truth.parquet")
        each = (told["campaigns"][name] for name in self.campaigns)
        return [f"{one['verdict'] or '-'} {one['found']}/{one['accounts']}" for one in each] + [str(told["innocents"])]

    def named(self, parts: Sequence[tuple[Writer, Sequence[Call]]]) -> Callable[[str], Sequence[str]]:
        """What the formats call each account."""
        names: dict[str, set[str]] = {}
        for writer, calls in parts:
            for call in calls:
                names.setdefault(call["account"], set()).add(writer.own["account"](call) if "account" in writer.own else call["account"])
        return lambda account: sorted(names.get(account, ()))


def carried(path: Path, calls: Sequence[Call], writer: Writer) -> dict[str, str]:
    """Of each column whether it came back as it was, in the format's own words, or not at all: from the file itself, not from what the writer declares."""
    rejected: list[object] = []
    back = pa.Table.from_batches(read([str(path)], None, rejected.append), SCHEMA).to_pylist()
    own: Told = writer.own.get("call_id", lambda call: call["call_id"])
    held = {row["call_id"]: row for row in back}
    assert not rejected and len(held) == len(back) == len(calls), (writer.name, rejected[:1])
    made = {}
    for name in SCHEMA.names:
        pairs = [(held[own(call)][name], call[name]) for call in calls]
        made[name] = MISSING if all(each is None for each, _ in pairs) else CARRIED if all(each == was for each, was in pairs) else OWN
    return made


def same(trial: Trial, name: str, parts: Sequence[tuple[Writer, Sequence[Call]]], before: Sequence[tuple[Writer, Sequence[Call]]]) -> tuple[list[str], int]:
    """A row of verdicts, and bytes of campaigns.jsonl, after the files that the systems wrote and the reduced canonical log gave the same."""
    for kind, given in (("log", parts), ("history", before)):
        folder = trial.folder / name / kind
        folder.mkdir(parents=True)
        for writer, calls in given:
            (folder / f"{writer.name}{writer.suffix}").write_bytes(writer.write(calls))
        pq.write_table(pa.concat_tables([reduced(writer, calls) for writer, calls in given]), trial.folder / name / f"{kind}.parquet")
    told, _, scan = trial.scan(trial.folder / name / "log", trial.folder / name / "history", f"{name}-foreign")
    other, _, _ = trial.scan(trial.folder / name / "log.parquet", trial.folder / name / "history.parquet", f"{name}-canonical")
    if told != other:
        raise SystemExit(f"{name}: the format's campaigns differ from those of the canonical log reduced to what it carries")
    return trial.found(scan, trial.named(parts)), len(told)


def row(*cells: object) -> str:
    """A line of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def by_format(trial: Trial) -> tuple[list[str], list[str]]:
    """The table of verdicts by format, and the table of columns."""
    verdicts = [
        row("written by", "columns as they are", "in its own words", "not told", *trial.campaigns, "innocents named"),
        "|---|---|---|---|" + "---|" * (len(trial.campaigns) + 1),
    ]
    whole = canonical_scan(trial)
    known = [name for name in SCHEMA.names if any(call[name] is not None for call in trial.calls)]
    verdicts.append(row("canonical, all columns", len(known), 0, 0, *whole))
    columns: dict[str, dict[str, str]] = {}
    for writer in found():
        cells, size = same(trial, writer.name, [(writer, trial.calls)], [(writer, trial.before)])
        columns[writer.name] = carried(trial.folder / writer.name / "log" / f"{writer.name}{writer.suffix}", trial.calls, writer)
        counts = [sum(columns[writer.name][name] == kind for name in known) for kind in (CARRIED, OWN, MISSING)]
        verdicts.append(row(writer.name, *counts, *cells))
        print(f"{writer.name}: same campaigns, {size} bytes", flush=True)
    mixes: tuple[tuple[str, Callable[[Call], str]], ...] = (("by account", lambda call: str(call["account"])), ("by call", lambda call: str(call["call_id"])))
    for name, by in mixes:
        cells, size = same(trial, f"mixed {name}", split(trial.calls, by), split(trial.before, by))
        verdicts.append(row(f"a folder of all, dealt out {name}", "", "", "", *cells))
        print(f"mixed {name}: same campaigns, {size} bytes", flush=True)
    table = [row("column", *columns), "|---|" + "---|" * len(columns)]
    table += [
        row(f"`{name}`", *(each[name] for each in columns.values())) for name in SCHEMA.names if any(each[name] for each in columns.values()) or name in known
    ]
    return verdicts, table


def canonical_scan(trial: Trial) -> list[str]:
    """Verdicts on the whole canonical log, which is left as `full.parquet` with its history."""
    pq.write_table(canonical(trial.calls), trial.folder / "full.parquet")
    pq.write_table(canonical(trial.before), trial.folder / "full-history.parquet")
    _, _, scan = trial.scan(trial.folder / "full.parquet", trial.folder / "full-history.parquet", "full")
    return trial.found(scan)


def off(summary: dict[str, Any]) -> str:
    """Detectors and ties that could not run."""
    return ", ".join(f"{kind}{name}" for part, kind in (("detectors", ""), ("ties", "tie ")) for name, state in summary[part].items() if state != "on") or "-"


def side_by_side(trial: Trial) -> list[str]:
    """Full text, marks only, metadata only."""
    full, history = trial.folder / "full.parquet", trial.folder / "full-history.parquet"
    lines = [row("log", *trial.campaigns, "innocents named", "off"), "|---|" + "---|" * (len(trial.campaigns) + 2)]
    told, summary, scan = trial.scan(full, history, "text")
    lines.append(row("full text", *trial.found(scan), off(summary)))
    for path in (full, history):
        flow.marks([str(path)], path.with_suffix(".marks"), key=trial.key)
    marked, summary, scan = trial.scan(full.with_suffix(".marks"), history.with_suffix(".marks"), "marks")
    if marked != told:
        raise SystemExit("marks give other campaigns than the full text")
    lines.append(row("marks only", *trial.found(scan), off(summary)))
    for path in (full, history):
        table = pq.read_table(path)
        for name in TEXTS:
            table = table.set_column(table.schema.get_field_index(name), SCHEMA.field(name), pa.nulls(table.num_rows, pa.string()))
        pq.write_table(table, path.with_name(f"bare-{path.name}"))
    for title, digests in (("metadata only", True), ("metadata only, no digests of reasoning", False)):
        paths = [path.with_name(f"bare-{path.name}") for path in (full, history)]
        if not digests:
            for path in paths:
                table = pq.read_table(path)
                for name in ("reasoning_out", "reasoning_in"):
                    field = SCHEMA.field(name)
                    table = table.set_column(table.schema.get_field_index(name), field, pa.nulls(table.num_rows, field.type))
                pq.write_table(table, path)
        _, summary, scan = trial.scan(paths[0], paths[1], title)
        lines.append(row(title, *trial.found(scan), off(summary)))
    return lines


def put(page: Path, tables: dict[str, list[str]]) -> None:
    """The tables between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    for name, lines in tables.items():
        parts = re.split(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", text, flags=re.DOTALL)
        if len(parts) != 2:
            raise SystemExit(f"{page} has no place for the table {name}")
        text = parts[0] + "\n".join(lines) + "\n" + parts[1]
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Write, scan, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=24_000)
    parser.add_argument("--history", type=int, default=60_000)
    parser.add_argument("--into", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        trial = Trial(Path(scratch), args.calls, args.history)
        size = f"{len(trial.calls):,} calls of the scenario `demo`, history of {len(trial.before):,} calls of `demo-history`, built-in texts."
        verdicts, columns = by_format(trial)
        tables = {"verdicts": [size, "", *verdicts], "columns": columns, "texts": [size, "", *side_by_side(trial)]}
    for name, lines in tables.items():
        print(f"\n{name}\n", *lines, sep="\n")
    if args.into:
        put(args.into, tables)


if __name__ == "__main__":
    main()
