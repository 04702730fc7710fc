"""The story: a log goes in, campaigns come out. The only place that knows the order of the rooms.

Longer than most files because a scan, a stream, its limits and a drill are told side by side, each of the same few steps.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch import earlier, following, limit, packing, pooling, results
from stillwatch.campaigns.known import NOTHING_KNOWN, Known
from stillwatch.drill import compose, scenario
from stillwatch.earlier import RUNS
from stillwatch.engines.disk import AWAY
from stillwatch.engines.spark import gather as spark
from stillwatch.errors import UserError
from stillwatch.examination import FACTS, Progress, examine, innocents_of, missing_in, reference_of
from stillwatch.facts import every_fact
from stillwatch.files import rejected_path
from stillwatch.intake import mapping as maps
from stillwatch.parts import with_facts
from stillwatch.peers import hearing, posting
from stillwatch.planting import ground
from stillwatch.records import NO_CONTEXT, Context, Rejected
from stillwatch.results import Found, Reference
from stillwatch.sources import Log, Reading, apart, gather, named, notices, unusable, whole, write_marks, write_rejected
from stillwatch.store import asked as asking
from stillwatch.store import checkpoints, keys, memberships, names, scans, seals, states
from stillwatch.store import context as contexts
from stillwatch.store import known as knowledge
from stillwatch.store import plantings as kept_plantings
from stillwatch.store import prices as price_list
from stillwatch.store.asked import Asked
from stillwatch.survey import survey
from stillwatch.verification import verified

Render = Callable[[list[dict[str, Any]], dict[str, Any]], str]
Reject = Callable[[Rejected], None]
ENGINES = ("local", "spark")
"Where a scan can run."


def watch(
    logs: Sequence[Log],
    out: Path,
    *,
    history: Sequence[Log] = (),
    onto: Path | None = None,
    mapping: Path | None = None,
    key: Path | None = None,
    unit: str = "account",
    pseudonymous: bool = False,
    prices: Path | None = None,
    context: Path | None = None,
    known: Path | None = None,
    packs: Path | None = None,
    calibration: Sequence[Path] = (),
    trust: Sequence[Path] = (),
    roots: Sequence[Path] = (),
    fleeting: bool = False,
    engine: str = "local",
    work: str | None = None,
    progress: Progress | None = None,
    render: Render | None = None,
) -> dict[str, Any]:
    """Scan logs and write the results to `out`, whole or not at all.

    Args: log files, folders, globs or tables; earlier scans or logs as reference; an earlier scan to go on with; a column mapping; the hashing key's file; what is linked (account, key or end_user); list prices (default: the
    program's own); a file of dated events; a file of what is known beforehand; a folder of detector packs to run in shadow; `calibration`: what other members told of their innocents, signed by keys, or members of a directory,
    that are named by `trust` (and `roots`). `fleeting`: `out` is a folder that will go, so no names are sealed beside the key, and where there is no key yet, one is made beside `out`. `engine`: local or spark; `work`: where spark puts
    what lies between jobs.
    Returns: the object of summary.json. Raises: UserError for what the user can mend.
    """
    began = time.monotonic()
    step = progress or (lambda name, count: None)
    mapped = None if mapping is None else maps.load(mapping)
    priced = price_list.load(prices)
    if packs is not None and not packs.is_dir():
        raise UserError("there is no such folder of packs", str(packs), "name the folder that `stillwatch pack import` took them into")
    if checkpoints.commits(Path(os.path.realpath(out))):  # `..` behind a folder that is not there leads somewhere all the same
        raise UserError("holds a stream that `follow` goes on with", str(out), "name another folder with --out")
    with scans.publish(Path(out), "scan") as staging, _engine(engine, work, staging) as cluster:
        pool = pooling.heard(calibration, trust, roots, datetime.now(UTC).date().isoformat())
        passing = fleeting and key is None and not keys.default_path().exists()
        secret = keys.load_or_create(Path(out).parent / "hashing.key" if passing else key, _earlier_scan(history, onto))
        how = Reading(secret, key, mapped, unit)
        events = NO_CONTEXT if context is None else contexts.load(context, secret)
        beforehand = _beforehand(known, secret)
        (staging / RUNS).mkdir(parents=True)
        before = earlier.NOTHING if onto is None else earlier.taken_up(onto, staging, keys.fingerprint(secret), unit, key, secret)
        with results.Rejections(staging, before.rejected) as rejected:
            if onto is not None and not history and (Path(onto) / states.REFERENCE).exists():
                rejected.notice(Rejected(str(onto), None, "its reference is not taken over: name the same --history again"))
            reference = replace(_reference(history, how, step, events, rejected.notice, cluster), pool=pool)
            log = gather(logs, how, rejected, staging / RUNS, before.runs, lambda count: step("reading", count), cluster)
        if log is None:
            raise unusable(rejected.first, rejected.count, logs, mapped is not None)
        log.names = {**before.names, **log.names}
        found = examine(log, reference, step, priced, events, beforehand or NOTHING_KNOWN)
        scan = results.scan_id(found, unit, secret)
        accounts = found.parts.owners.accounts
        if not fleeting:
            names.seal(key, secret, scan, accounts, [log.names[int(account)] for account in accounts])
        summary = results.summary(found, log, reference, rejected, time.monotonic() - began)
        summary["parameters"] = {
            "logs": [*before.logs, *named(logs)],
            "onto": None if onto is None else str(onto),
            "history": named(history),
            "unit": unit,
            "pseudonymous": pseudonymous,
            "context": None if context is None else str(context),
            "known": None if known is None else str(known),
            "packs": None if packs is None else str(packs),
            "calibration": list(map(str, calibration)),
        }
        summary["calibration"] = innocents_of(reference).told() if calibration else None
        summary["context"] = None if context is None else results.told(events, accounts)
        summary["known"] = None if beforehand is None else results.known(beforehand, found)
        summary["packs"] = None if packs is None else packing.in_shadow(packs, found.looks)
        summary["scan"] = None if fleeting else scan
        asked = Asked(unit, pseudonymous, priced, None if context is None else events, beforehand, pool if calibration else None)
        _leave(staging, found, log.names, reference, asked, summary, how, render, step)
    return summary


def _leave(
    staging: Path, found: Found, called: Mapping[int, str], reference: Reference, asked: Asked, summary: dict[str, Any], how: Reading, render: Render | None,
    step: Progress,
) -> None:  # fmt: skip
    """Write what an examination found, what it follows from, and the seal of both. `called`: the accounts' names."""
    shutil.rmtree(staging / RUNS / AWAY, ignore_errors=True)
    step("writing", 0)
    earlier.keep_reference(staging, reference.kept, reference.sources, keys.fingerprint(how.secret), how.unit)
    asking.write(staging, asked)
    known = None if asked.pseudonymous else called
    told = [results.line(campaign, known) for campaign in found.campaigns]
    summary["key_fingerprint"] = keys.fingerprint(how.secret)
    evidence = seals.evidence(staging)
    summary["seal"] = seals.seal(evidence, how.secret)
    results.write(staging, told, found.campaigns, known, summary)
    states.write(staging, found.kept, keys.fingerprint(how.secret), how.unit)
    memberships.write(staging, found.members, keys.fingerprint(how.secret))
    if render is not None:
        (staging / "report.html").write_text(render(told, summary), encoding="utf-8")
    seals.write(staging, evidence, how.secret)


def verify(folder: Path, *, key: Path | None = None, seal: str | None = None, progress: Progress | None = None, render: Render | None = None) -> dict[str, Any]:
    """Make every figure of a scan's cases again from what the scan kept, without its log, and compare.

    Args: a scan's folder; the hashing key's file; the seal that the scan printed, where it was written down elsewhere.
    Returns: verified, differences (where, what), seal, seal_given, campaigns, figures, calls, versions. Raises: UserError where nothing can be verified.
    """
    made = verified(Path(folder), key, seal, progress or (lambda name, count: None), render)
    return {"verified": not made.differences, **asdict(made), "seal_given": seal is not None}


def follow(
    logs: Sequence[str],
    out: Path,
    *,
    history: Sequence[Log] = (),
    mapping: Path | None = None,
    key: Path | None = None,
    unit: str = "account",
    known: Path | None = None,
    pseudonymous: bool = False,
    every: float = 10.0,
    until_idle: float | None = None,
    once: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    heard: Callable[[dict[str, Any]], None] = lambda line: None,
    progress: Progress | None = None,
    render: Render | None = None,
) -> dict[str, Any]:
    """Scan logs as they come: `out` is at every moment the result of a scan, of what was read until its last examination, with alerts as they were raised.

    Args: as `watch` (what is known beforehand is read again for each examination); seconds between two looks at the files; end after so many seconds without anything new; or after what is there now; `stopped`: whether the user
    wants it to end; `heard` is told of each alert when it is in its place. Returns: the object of summary.json.
    """
    step = progress or (lambda name, count: None)
    how = Reading(keys.load_or_create(key, _earlier_scan(history)), key, None if mapping is None else maps.load(mapping), unit)
    priced = price_list.load(None)
    _beforehand(known, how.secret)  # a mistake in it is told before anything is read
    reference = _reference(history, how, step, NO_CONTEXT, lambda rejected: None)
    at = following.opened(out, how, reference.history)

    def going_on(name: str, count: int) -> None:
        step(name, count)
        if stopped() and at.point.examined:
            raise following.Stopped

    for portions, after in following.micro_batches(logs, at, every, until_idle, once, stopped):
        began, told = time.monotonic(), len(at.point.told)
        with following.publishing(at) as staging:
            with results.Rejections(staging) as rejected:
                for row in (*following.rows(out / "rejected.jsonl"), *at.rejected):
                    rejected(Rejected(**row))
                at.take(portions, after, how, staging, rejected)
            following.usable(at, staging)
            try:
                if portions and not at.due:
                    raise following.Stopped
                log = at.log(staging)
                beforehand = _beforehand(known, how.secret)
                found = examine(log, reference, going_on, priced, NO_CONTEXT, beforehand or NOTHING_KNOWN)
            except following.Stopped:
                at.keep(staging)
            else:
                at.examined(found)
                summary = results.summary(found, log, reference, rejected, time.monotonic() - began)
                summary["parameters"] = {
                    "logs": list(logs),
                    "onto": None,
                    "history": named(history),
                    "unit": unit,
                    "pseudonymous": pseudonymous,
                    "context": None,
                    "known": None if known is None else str(known),
                    "packs": None,
                    "calibration": [],
                }
                told_known = None if beforehand is None else results.known(beforehand, found)
                summary |= {"context": None, "known": told_known, "packs": None, "calibration": None, "scan": at.point.scan, "stream": at.told()}
                _leave(staging, found, log.names, reference, Asked(unit, pseudonymous, priced, None, beforehand), summary, how, render, step)
            at.save(staging, how)
        for line in at.point.told[told:]:
            heard(line)
    return following.ended(at, logs, once)


def _beforehand(known: Path | None, secret: bytes) -> Known | None:
    """What is known today by a file, None without one."""
    return None if known is None else knowledge.load(known, secret, datetime.now(UTC).date().isoformat())


def _engine(name: str, work: str | None, beside: Path) -> contextlib.AbstractContextManager[spark.OnCluster | None]:
    """Where a scan runs: None is here."""
    if name not in ENGINES:
        raise UserError(f"no such engine: {name}", "--engine", f"name one of {', '.join(ENGINES)}")
    if name == "spark":
        return spark.on(str(beside) if work is None else work)
    if work is not None:
        raise UserError("is for what a cluster puts down between its jobs", "--work", "name --engine spark, or leave it out")
    return contextlib.nullcontext()


def _earlier_scan(history: Sequence[Log], onto: Path | None = None) -> Path | None:
    """The first earlier scan among these, which only its own key can read."""
    several = [Path(each) for each in (onto, *history) if isinstance(each, str | Path)]
    return next((each for each in several if scans.is_scan(each)), None)


def _reference(logs: Sequence[Log], how: Reading, step: Progress, context: Context, notice: Reject, cluster: spark.OnCluster | None = None) -> Reference:
    """Earlier scans by their kept states, earlier logs by reading them now."""
    kept, sources = list[states.States](), list[Path | None]()
    for source in logs:
        if isinstance(source, str) and scans.is_scan(Path(source)):
            kept.append(states.read(Path(source), keys.fingerprint(how.secret), how.unit))
            sources.append(Path(source))
            continue
        with tempfile.TemporaryDirectory() as folder:
            log = gather([source], how, notice, Path(folder), (), lambda count: step("reading history", count), cluster, keep=False)
            if log is None:
                raise UserError("no usable record", named([source])[0], "name an earlier scan's folder or a log that `stillwatch scan` reads")
            seen = survey(with_facts(log.parts, every_fact(*FACTS), context), missing_in(log), (), context)
        kept.append(states.States(seen.organisations, seen.wordings))
        sources.append(None)
    return reference_of(kept, sources)


def limits(
    logs: Sequence[Log],
    *,
    out: Path | None = None,
    history: Sequence[Log] = (),
    mapping: Path | None = None,
    key: Path | None = None,
    unit: str = "account",
    tradecrafts: Sequence[str] = (),
    rates: Sequence[int] = (),
    power: float = 0.95,
    held: float = 0.0,
    plantings: int = 30,
    seed: int = 1,
    beforehand: Callable[[dict[str, Any]], None] = lambda told: None,
    progress: Progress | None = None,
    render: Callable[[dict[str, Any]], str] | None = None,
) -> dict[str, Any]:
    """The smallest campaign of each tradecraft that a log would have shown, by planting campaigns into a copy of its marks.

    Args: as `watch`; ids of campaigns (none: all); calls an account; the share that must be found; the share of its accounts that its cases must hold; plantings that confirm a limit;
    `beforehand` is told, before the first planting, how many there may be and what one examination took. `out`: where everything measured is kept, planting by planting; named again, it goes on.
    Returns: the object of limits.json. Raises: UserError for what the user can mend.
    """
    step = progress or (lambda name, count: None)
    wanted = limit.wanted(tradecrafts, rates, power=power, held=held, fresh=plantings, seed=seed)
    if out is not None:
        scans.check(out, kept_plantings.KIND)
    how = Reading(keys.load_or_create(key, _earlier_scan(history)), key, None if mapping is None else maps.load(mapping), unit)
    rejected: list[Rejected] = []
    reference = _reference(history, how, step, NO_CONTEXT, lambda each: None)
    with tempfile.TemporaryDirectory(prefix="stillwatch-") as folder:
        log = gather(logs, how, rejected.append, Path(folder), (), lambda count: step("reading", count))
        if log is None:
            raise unusable(rejected[0] if rejected else None, sum(each.line is not None for each in rejected), logs, mapping is not None)
        bench = limit.Bench(ground(log, how), reference, seed)
        identity = limit.identity(bench)
        beside = {"identity": identity, "logs": named(logs), "history": named(history), "unit": unit, "notices": notices(rejected)}
        if out is not None:
            bench.know(kept_plantings.read(out, identity))
        step("examining the log as it is", 0)
        alone = limit.examined_alone(bench)
        costs = {"tradecrafts": len(wanted.tradecrafts), "rates": len(wanted.rates), "most": wanted.most, "seconds": alone.seconds, "done": len(bench.tried)}
        beforehand(costs)

        def keep(told: dict[str, Any]) -> None:
            if out is not None:
                kept_plantings.write(out, told | beside, render(told | beside) if render is not None else None)

        return limit.measure(bench, wanted, alone, step, keep) | beside


def marks(
    logs: Sequence[Log], out: Path, *, mapping: Path | None = None, key: Path | None = None, unit: str = "account", progress: Progress | None = None
) -> dict[str, Any]:
    """Write the marks of logs to one file without text, an input of `watch`. Returns what was written."""
    mapped = None if mapping is None else maps.load(mapping)
    step = progress or (lambda name, count: None)
    return write_marks(logs, Path(out), Reading(keys.load_or_create(key), key, mapped, unit), lambda count: step("reading", count))


def rehearse(
    name: str,
    out: Path,
    *,
    into: str | None = None,
    mapping: Path | None = None,
    history_out: Path | None = None,
    ladder: Mapping[str, Any] | None = None,
    share: float | None = None,
    weights: Mapping[str, float] | None = None,
    innocents: Mapping[str, Any] | None = None,
    corpora: Path | None = None,
    seed: int | None = None,
    calls: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a drill's log with the truth beside it.

    Args: a scenario; `ladder` and `share` change its campaigns, `weights` and `innocents` (seen_before, show_identity) its innocents; `history_out` takes the log's history.
    `into`: a log to plant the campaigns in, read by `mapping` where its format is not known.
    Returns: what was planted, with every stated assumption. Raises: UserError for what the user can mend.
    """
    step = progress or (lambda name, count: None)
    chosen = scenario.load(name).with_overrides(seed=seed, calls=calls).varied(ladder or {}, share=share, weights=weights, **(innocents or {}))
    if into is not None:
        apart((Path(out), compose.truth_path(Path(out)), rejected_path(Path(out))), [into])
    for path in (Path(out), history_out):
        compose.writable(path)
    if history_out is not None and compose.truth_path(history_out).resolve() == compose.truth_path(Path(out)).resolve():
        raise UserError("the log's truth and its history's would be one file", str(history_out), "give the history a name of its own")
    if into is None and mapping is not None:
        raise UserError("is for the columns of a log of your own", "--map", "name the log with --into")
    if into is not None:
        shapes = {"--calls": calls, "--history-out": history_out, "--benign": weights, "--seen-before or --hide-identity": innocents}
        for option in (option for option, value in shapes.items() if value):
            raise UserError("shapes made innocents, and --into brings its own", option, "leave it out")
        return _into(chosen, into, Path(out), mapping, corpora, step)
    step("composing", 0)
    told = compose.write(compose.compose(chosen, corpora), Path(out))
    if history_out is not None:
        step("composing its history", 0)
        told["history"] = compose.write(compose.history(scenario.load(chosen.history), chosen, corpora), history_out)
    return told


def _into(chosen: scenario.Scenario, log: str, out: Path, mapping: Path | None, corpora: Path | None, step: Progress) -> dict[str, Any]:
    """The campaigns of a scenario planted in a log that is read here; records of it that cannot be used are counted and left out."""
    if not chosen.campaigns:
        raise UserError("plants no campaign", chosen.name, "name a campaign's id, or a scenario with campaigns")
    table, rejected = whole(log, None if mapping is None else maps.load(mapping), lambda count: step("reading", count))
    step("planting", 0)
    drill = compose.into(table, *chosen.campaigns, seed=chosen.seed, corpora=corpora, campaign_seed=chosen.campaign_seed)
    told = compose.write(drill, out)
    return told | {
        "into": log,
        "calls_rejected": sum(each.line is not None for each in rejected),
        "rejected": write_rejected(out, rejected),
        "notices": notices(rejected),
    }


def hear(settings: Path, *, only: str | None = None, stopped: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Fetch what peers have shared since the last time; each object comes once.

    Args: the file of peers; one peer's name, to ask no other; whether somebody wants to stop.
    Returns: per peer how many objects were new, and what went wrong. Raises: UserError for what the user can mend.
    """
    return hearing.hear(settings, only, stopped)


def tell(settings: Path, peer: str, collection: str, objects: Sequence[bytes]) -> dict[str, Any]:
    """Add objects, as they are, to a peer's collection, and wait until it says what became of them. What may leave is decided before.

    Args: the file of peers; a peer's name; a collection's id; STIX objects as JSON. Returns: how many were added, and the failures with the peer's reasons.
    Raises: UserError for what the user can mend.
    """
    return posting.post(settings, peer, collection, objects)
