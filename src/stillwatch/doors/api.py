"""The Python door: the same words as the command line, with tables instead of files.

>>> import stillwatch
>>> found = stillwatch.scan("log.parquet", history="earlier/")  # doctest: +SKIP
>>> found.campaigns.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Protocol, TypeAlias, Unpack

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import flow
from stillwatch.account import story
from stillwatch.doors import limited, rungs
from stillwatch.doors.outcomes import Drilled, Explanation, Limits, Marked, Verification, explanation, limits_of, verification
from stillwatch.doors.report import page
from stillwatch.doors.report.words import count
from stillwatch.errors import UserError


class Frame(Protocol):
    """Anything that gives itself as an Arrow stream: an Arrow table, a pandas or polars frame."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow PyCapsule interface."""


Log: TypeAlias = str | os.PathLike[str] | Frame
"A file, folder or glob; or a table or frame with the canonical columns."

_TS = pa.timestamp("us", tz="UTC")

CAMPAIGNS = pa.schema([
    ("campaign", pa.string()), ("verdict", pa.string()), ("log10_e", pa.float64()), ("q", pa.float64()), ("p_floor", pa.float64()),
    ("purpose", pa.string()), ("accounts", pa.list_(pa.string())), ("calls", pa.int64()), ("first_ts", _TS), ("last_ts", _TS),
    ("severity", pa.string()), ("tokens_in", pa.int64()), ("tokens_out", pa.int64()), ("list_price_usd", pa.float64()), ("charged_usd", pa.float64()),
    ("known", pa.list_(pa.string())), ("conflict", pa.bool_()),
])  # fmt: skip
"One row a campaign, strongest first; columns as in campaigns.jsonl, with the purpose's grade, the main figures of what was taken, the entries of --known and whether one stands against the alert."

SIGNALS = pa.schema([
    ("campaign", pa.string()), ("name", pa.string()), ("value", pa.float64()), ("unit", pa.string()), ("benign_low", pa.float64()),
    ("benign_high", pa.float64()), ("log10_e", pa.float64()), ("fires", pa.bool_()), ("factor", pa.string()), ("atlas", pa.string()), ("text", pa.string()),
    ("p", pa.float64()), ("p_floor", pa.float64()),
])  # fmt: skip
"One row for what each detector says of each campaign."

TIES = pa.schema([
    ("campaign", pa.string()), ("kind", pa.string()), ("keys", pa.int64()), ("accounts", pa.int64()), ("expected", pa.float64()), ("text", pa.string()),
])  # fmt: skip
"One row for each thing that joins the accounts of a campaign."

REJECTED = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string())])
"One row for each record that could not be used; line (or row) from 1, null where the whole file or column is meant."

UNITS = ("account", "key", "end_user")
"What can be linked."

_SHOWN = ("campaign", "verdict", "log10_e", "q", "accounts", "calls", "severity", "tokens_out", "list_price_usd")
"Columns of the notebook's table."

_ROWS = 20
"Campaigns that a notebook shows."


@dataclass(frozen=True, repr=False)
class Scan:
    """What a scan found. Every table is an Arrow table: `.to_pandas()`, `polars.from_arrow(...)` or `duckdb` take it as it is."""

    campaigns: pa.Table
    "One row a campaign, strongest first (schema CAMPAIGNS)."
    accounts: pa.Table
    "One row an account and campaign: account, campaign, log10_e, calls."
    rejected: pa.Table
    "Records that could not be used (schema REJECTED)."
    signals: pa.Table
    "What each detector says of each campaign (schema SIGNALS)."
    ties: pa.Table
    "What joins the accounts of each campaign (schema TIES)."
    summary: Mapping[str, Any]
    "The object of summary.json."
    cases: Sequence[Mapping[str, Any]] = field(default=())
    "The lines of campaigns.jsonl: each case whole, with conditions, factors, alternatives and what was taken."

    def report(self) -> str:
        """The report as one HTML page that loads nothing and runs nothing, the same as report.html."""
        return page.render(self.cases, self.summary)

    def __repr__(self) -> str:
        return f"<Scan: {self._verdicts()} in {count(self.summary['calls_read'], 'call')}>"

    def _verdicts(self) -> str:
        return ", ".join(count(self.summary[name], word) for name, word in (("alerts", "alert"), ("reviews", "review"), ("watches", "watch")))

    def _repr_html_(self) -> str:
        """A notebook's view: what was read, what was found, the strongest campaigns."""
        told = self.summary
        head = "".join(f"<th>{name}</th>" for name in _SHOWN)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row[name]))}</td>" for name in _SHOWN) + "</tr>" for row in self.campaigns.slice(0, _ROWS).to_pylist()
        )
        more = self.campaigns.num_rows - _ROWS
        notes = [f"{more} more in .campaigns"] if more > 0 else []
        notes += [str(told["cannot_decide"])] if told["cannot_decide"] else []
        return (
            f"<p><b>{self._verdicts()}</b> in {count(told['calls_read'], 'call')} of {count(told['accounts'], 'account')} "
            f"({told['calls_rejected']:,} rejected, {count(told['clusters_tested'], 'cluster')} tested)</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" + "".join(f"<p>{escape(note)}</p>" for note in notes)
        )


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return f"{len(value):,}"
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def scan(
    logs: Log | Sequence[Log],
    *,
    out: str | os.PathLike[str] | None = None,
    history: Log | Sequence[Log] = (),
    onto: str | os.PathLike[str] | None = None,
    map: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
    pseudonymous: bool = False,
    prices: str | os.PathLike[str] | None = None,
    context: str | os.PathLike[str] | None = None,
    known: str | os.PathLike[str] | None = None,
    packs: str | os.PathLike[str] | None = None,
    calibration: Sequence[str | os.PathLike[str]] = (),
    trust: Sequence[str | os.PathLike[str]] = (),
    roots: Sequence[str | os.PathLike[str]] = (),
    unit: str = "account",
    engine: str = "local",
    work: str | os.PathLike[str] | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Scan:
    """Find campaigns in a log, as `stillwatch scan` does.

    Args:
        logs: one or several of: file, folder, glob, Arrow table, pandas or polars frame (canonical columns, or named by `map`).
        out: folder in which the results appear too, whole or not at all. None: nothing stays on disk, and where there is no hashing key
            yet, one is made for this scan alone, so that ids of campaigns differ from scan to scan; name a `key` to keep them.
        history: earlier scans' folders or logs of the same provider, as reference.
        onto: an earlier scan's folder to go on with: the result is that of one scan over its log and this one.
        map: a file that names the columns of a log in no known format.
        key: file of the hashing key; made on first use.
        pseudonymous: leave keyed hashes in place of the log's own account ids.
        prices: file of list prices in place of the program's own.
        context: file of dated releases, bans and payment changes, to look for what answers them.
        known: file of declared programmes, benign infrastructure and earlier verdicts: cases are annotated, no verdict changes.
        packs: folder of detector packs that `stillwatch pack import` took in, to run in shadow: told in the summary, counted nowhere.
        calibration: files in which other members tell how rare values are among their innocents (`stillwatch calibration`): signals are ranked among those too.
        trust: public keys that may have signed these, or a signed directory of members.
        roots: root keys that may sign a directory.
        unit: what is linked: account, key or end_user (those behind a reseller's or gateway's accounts).
        engine: where it runs: local, or spark (the active session, or one by Spark's own configuration).
        work: folder or URL for what Spark puts down between its jobs; all executors reach it.
        progress: told the step's name and a count as the work goes on.

    Raises: UserError for what the user can mend.
    """
    with contextlib.ExitStack() as stack:
        # Holds results and account ids, never text; only its owner may read it, and it goes whatever happens.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stillwatch-"))) / "scan" if out is None else Path(out)
        summary = flow.watch(
            _several(logs), folder, history=_several(history), onto=_path(onto), mapping=_path(map), key=_path(key), unit=_unit(unit), pseudonymous=pseudonymous,
            prices=_path(prices), context=_path(context), known=_path(known), packs=_path(packs), calibration=[Path(each) for each in calibration], trust=[Path(each) for each in trust], roots=[Path(each) for each in roots], fleeting=out is None, engine=engine, work=None if work is None else os.fspath(work),
            progress=progress, render=None if out is None else page.render,
        )  # fmt: skip
        return _read(folder, summary)


def explain(folder: str | os.PathLike[str], account: str, *, for_account: bool = False, key: str | os.PathLike[str] | None = None) -> Explanation:
    """Why an account is in, nearly in or not in a campaign, as `stillwatch explain` says it. The log is not needed.

    Args:
        folder: a scan's folder (`scan(..., out=folder)`).
        account: the log's own id, or the keyed hash that a pseudonymous scan shows.
        for_account: what the account's holder may see: nobody else's accounts, no signs, and how to object.
        key: file of that scan's hashing key.

    Raises: UserError for what the user can mend.
    """
    return explanation(story(Path(folder), account, _path(key), for_account), for_account)


def verify(folder: str | os.PathLike[str], *, key: str | os.PathLike[str] | None = None, seal: str | None = None) -> Verification:
    """Make every figure of a scan's cases again from what it kept, without the log, as `stillwatch verify` does.

    Args:
        folder: a scan's folder (`scan(..., out=folder)`).
        key: file of that scan's hashing key.
        seal: the seal that the scan printed (`summary["seal"]`), where it was written down elsewhere.

    Raises: UserError where nothing can be verified. What differs is no error: look at `verified`.
    """
    return verification(flow.verify(Path(folder), key=_path(key), seal=seal, render=page.render), Path(folder))


def limits(
    logs: Log | Sequence[Log],
    *,
    out: str | os.PathLike[str] | None = None,
    history: Log | Sequence[Log] = (),
    map: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
    unit: str = "account",
    tradecraft: str | Sequence[str] = (),
    calls_each: int | Sequence[int] = (),
    power: float = 0.95,
    held: float = 0.0,
    plantings: int = 30,
    seed: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> Limits:
    """The smallest campaign of each tradecraft that a log would have shown, as `stillwatch limits` does.

    Args:
        logs, history, map, key, unit, progress: as in `scan`.
        out: folder that keeps what is measured, planting by planting; named again, the work goes on there.
        tradecraft: ids of documented campaigns; none: all.
        calls_each: calls an account, on average; none: 4 and 32.
        power: share of such campaigns that would be found, 0.5 to 0.99.
        held: share of its accounts that a campaign's alerts and reviews must hold for it to be found; 0: any.
        plantings: fresh plantings that confirm a limit.
        seed: the same seed and key give the same limits.

    Raises: UserError for what the user can mend.
    """
    told = flow.limits(
        _several(logs), out=_path(out), history=_several(history), mapping=_path(map), key=_path(key), unit=_unit(unit),
        tradecrafts=(tradecraft,) if isinstance(tradecraft, str) else tuple(tradecraft), rates=(calls_each,) if isinstance(calls_each, int) else tuple(calls_each),
        power=power, held=held, plantings=plantings, seed=seed, progress=progress, render=limited.limited,
    )  # fmt: skip
    return limits_of(told)


def marks(
    logs: Log | Sequence[Log],
    *,
    out: str | os.PathLike[str],
    map: str | os.PathLike[str] | None = None,
    unit: str = "account",
    key: str | os.PathLike[str] | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Marked:
    """Write the marks of logs, without a word of their text, to a file that `scan` reads, as `stillwatch marks` does.

    Args: logs, map, unit, key and progress as in `scan`; out: the file to write (Parquet), whole or not at all.
    Raises: UserError for what the user can mend.
    """
    made = flow.marks(_several(logs), Path(out), mapping=_path(map), key=_path(key), unit=_unit(unit), progress=progress)
    lines = [] if made["rejected"] is None else [orjson.loads(line) for line in Path(made["rejected"]).read_bytes().splitlines()]
    return Marked(Path(made["marks"]), made["calls_read"], made["accounts"], pa.Table.from_pylist(lines, schema=REJECTED))


def drill(
    scenario: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    into: str | os.PathLike[str] | None = None,
    map: str | os.PathLike[str] | None = None,
    history_out: str | os.PathLike[str] | None = None,
    corpora: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    calls: int | None = None,
    share: float | None = None,
    seen_before: float | None = None,
    hide_identity: bool = False,
    benign: Mapping[str, float] | None = None,
    progress: Callable[[str, int], None] | None = None,
    **ladder: Unpack[rungs.Ladder],
) -> Drilled:
    """Make a log with documented campaigns planted into benign traffic, or into a log of your own, and the truth beside it, as `stillwatch drill` does.

    Args:
        scenario: a built-in name (mixed, benign, history, demo, O-SEP ...) or a TOML file.
        out: the log to write, with the truth beside it. None: nothing stays on disk.
        into, map: a log to plant the campaigns in, and its columns' names where its format is not known.
        history_out: the log's history is written here as well.
        corpora: folder of corpora from which texts are drawn, instead of the built-in one.
        seed: the same seed gives the same log.
        calls: calls to make.
        share: share of all calls that the campaigns make together, 0.001 to 0.6.
        seen_before: share of innocent calls from people who stand in the history too, 0 to 0.95.
        hide_identity: take away what shows that innocent accounts belong together.
        benign: weights of benign classes, 0 to leave one out.
        progress: told the step's name as the work goes on.
        ladder: rungs of the adaptive ladder, applied to all of the scenario's campaigns.

    Raises: UserError for what the user can mend, TypeError for a rung that is not there.
    """
    innocents = ({} if seen_before is None else {"seen_before": seen_before}) | ({"show_identity": False} if hide_identity else {})
    how: dict[str, Any] = {
        "into": None if into is None else os.fspath(into), "mapping": _path(map), "history_out": _path(history_out), "corpora": _path(corpora),
        "seed": seed, "calls": calls, "share": share, "weights": benign, "innocents": innocents, "ladder": rungs.given(ladder), "progress": progress,
    }  # fmt: skip
    if out is not None:
        planted = flow.rehearse(os.fspath(scenario), Path(out), **how)
        return Drilled(planted, pq.read_table(planted["truth"]))
    with tempfile.TemporaryDirectory(prefix="stillwatch-") as folder:
        planted = flow.rehearse(os.fspath(scenario), Path(folder) / "log.parquet", **how)
        log, truth = (pq.read_table(planted[name]) for name in ("log", "truth"))
    return Drilled({**planted, "log": None, "truth": None}, truth, log)


def _unit(given: str) -> str:
    if given not in UNITS:
        raise UserError(f"no such unit: {given}", "", f"name one of {', '.join(UNITS)}")
    return given


def _path(given: str | os.PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)


def _several(logs: Log | Sequence[Log]) -> list[str | pa.Table]:
    many = logs if isinstance(logs, list | tuple) else [logs]
    return [_one(log) for log in many]


def _one(log: Any) -> str | pa.Table:
    """A path as text, anything else as an Arrow table."""
    if isinstance(log, str | os.PathLike):
        return str(os.fspath(log))
    if isinstance(log, pa.Table):
        return log
    if not hasattr(log, "__arrow_c_stream__"):
        raise UserError(f"no log: {type(log).__name__}", "", "give a path, an Arrow table, or a pandas or polars frame; of a lazy frame, what .collect() gives")
    try:
        return pa.table(log)
    except (pa.ArrowException, TypeError, ValueError) as error:
        # Arrow's own words may quote a value, which may be a customer's text.
        what = f"the {type(log).__name__} cannot be read as an Arrow table ({type(error).__name__})"
        raise UserError(what, "", "give each column one type") from None


def _known(said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"known": [each["entry"] for each in said], "conflict": any(each["conflict"] for each in said)}


def _read(folder: Path, summary: dict[str, Any]) -> Scan:
    """The tables of a scan's folder."""
    cases = [orjson.loads(line) for line in (folder / "campaigns.jsonl").read_bytes().splitlines()]
    rejected = [orjson.loads(line) for line in (folder / "rejected.jsonl").read_bytes().splitlines()]
    campaigns = [{**case["taken"], **case, "purpose": case["conditions"]["purpose"]["grade"], **_known(case["known"])} for case in cases]
    return Scan(
        campaigns=pa.Table.from_pylist(campaigns, schema=CAMPAIGNS),
        accounts=pq.read_table(folder / "accounts.parquet"),
        rejected=pa.Table.from_pylist(rejected, schema=REJECTED),
        signals=pa.Table.from_pylist([{**each, "campaign": case["campaign"]} for case in cases for each in case["signals"]], schema=SIGNALS),
        ties=pa.Table.from_pylist([{**each, "campaign": case["campaign"]} for case in cases for each in case["ties"]], schema=TIES),
        summary=summary,
        cases=tuple(cases),
    )
