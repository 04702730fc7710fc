"""The story: a log goes in, campaigns come out. The only place that knows the order of the rooms."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch import earlier, following, results
from stillwatch.campaigns import judge, left_out, membership, picture, tell, weigh
from stillwatch.campaigns.taken import Prices, counted_beside
from stillwatch.campaigns.taken import taken as what_was_taken
from stillwatch.detectors.declare import Range, every_detector, evidence
from stillwatch.drill import compose, scenario
from stillwatch.earlier import RUNS
from stillwatch.engines import local
from stillwatch.engines.disk import AWAY
from stillwatch.engines.spark import gather as spark
from stillwatch.errors import UserError
from stillwatch.evidence.placebo import NOT_RUN, Placebo, placebo
from stillwatch.facts import COUNT, every_fact
from stillwatch.features.declare import Groups, columns, every_feature, lacking
from stillwatch.files import rejected_path
from stillwatch.intake import mapping as maps
from stillwatch.linking import clusters as linking
from stillwatch.linking.declare import every_tie
from stillwatch.linking.history import merge, share_now, shares
from stillwatch.linking.ties import replay
from stillwatch.linking.used import maybe_common, used
from stillwatch.parts import with_facts
from stillwatch.records import NO_CONTEXT, Campaign, Cluster, Context, Rejected
from stillwatch.results import Found, Reference
from stillwatch.sketch import lexicon
from stillwatch.sources import Log, Reading, apart, gather, named, notices, unusable, whole, write_marks, write_rejected
from stillwatch.store import context as contexts
from stillwatch.store import keys, memberships, names, scans, states
from stillwatch.store import prices as price_list
from stillwatch.survey import survey
from stillwatch.traffic import Traffic

Progress = Callable[[str, int], None]
Render = Callable[[list[dict[str, Any]], dict[str, Any]], str]
Reject = Callable[[Rejected], None]
FACTS = ("stillwatch.features", "stillwatch.linking.ties", "stillwatch.campaigns")
"Packages whose modules may need facts of a whole log."

ENGINES = ("local", "spark")
"Where a scan can run."

AT_ONCE = 2_000_000
"Calls of clusters that are described together."

LEAST_CALLS = 20
"Calls from which an organisation's features count in the benign range."


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
    fleeting: bool = False,
    engine: str = "local",
    work: str | None = None,
    progress: Progress | None = None,
    render: Render | None = None,
) -> dict[str, Any]:
    """Scan logs and write the results to `out`, whole or not at all.

    Args: log files, folders, globs or tables; earlier scans or logs as reference; an earlier scan to go on with; a column mapping; the hashing key's file; what is linked (account, key or end_user); list prices (default: the
    program's own); a file of dated events. `fleeting`: `out` is a folder that will go, so no names are sealed beside the key, and where there is no key yet, one is made beside `out`. `engine`: local or spark; `work`: where spark puts
    what lies between jobs.
    Returns: the object of summary.json. Raises: UserError for what the user can mend.
    """
    began = time.monotonic()
    step = progress or (lambda name, count: None)
    mapped = None if mapping is None else maps.load(mapping)
    priced = price_list.load(prices)
    with scans.publish(Path(out), "scan") as staging, _engine(engine, work, staging) as cluster:
        passing = fleeting and key is None and not keys.default_path().exists()
        secret = keys.load_or_create(Path(out).parent / "hashing.key" if passing else key)
        how = Reading(secret, key, mapped, unit)
        events = NO_CONTEXT if context is None else contexts.load(context, secret)
        (staging / RUNS).mkdir(parents=True)
        before = earlier.NOTHING if onto is None else earlier.taken_up(onto, staging, keys.fingerprint(secret), unit, key, secret)
        with results.Rejections(staging, before.rejected) as rejected:
            reference = _reference(history, how, step, events, rejected.notice, cluster)
            log = gather(logs, how, rejected, staging / RUNS, before.runs, lambda count: step("reading", count), cluster)
        if log is None:
            raise unusable(rejected.first, rejected.count, logs, mapped is not None)
        log.names = {**before.names, **log.names}
        found = examine(log, reference, step, priced, events)
        # The unit as well: one log's accounts, keys and end users have names of their own.
        calls, mixed, _ = found.parts.given[COUNT.name]
        scan = blake2b(f"{unit} {calls} {mixed}".encode(), key=secret, digest_size=8).hexdigest()
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
        }
        summary["context"] = None if context is None else results.told(events, accounts)
        summary["scan"] = None if fleeting else scan
        _leave(staging, found, None if pseudonymous else log.names, summary, how, render, step)
    return summary


def _leave(staging: Path, found: Found, known: results.Names, summary: dict[str, Any], how: Reading, render: Render | None, step: Progress) -> None:
    """Write what an examination found. `known`: the accounts' names, None leaves hashes."""
    shutil.rmtree(staging / RUNS / AWAY, ignore_errors=True)
    step("writing", 0)
    told = [results.line(campaign, known) for campaign in found.campaigns]
    summary["key_fingerprint"] = keys.fingerprint(how.secret)
    results.write(staging, told, found.campaigns, known, summary)
    states.write(staging, found.kept, keys.fingerprint(how.secret), how.unit)
    memberships.write(staging, found.members, keys.fingerprint(how.secret))
    if render is not None:
        (staging / "report.html").write_text(render(told, summary), encoding="utf-8")


def follow(
    logs: Sequence[str],
    out: Path,
    *,
    history: Sequence[Log] = (),
    mapping: Path | None = None,
    key: Path | None = None,
    unit: str = "account",
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

    Args: as `watch`; seconds between two looks at the files; end after so many seconds without anything new; or after what is there now; `stopped`: whether the user
    wants it to end; `heard` is told of each alert when it is in its place. Returns: the object of summary.json.
    """
    step = progress or (lambda name, count: None)
    how = Reading(keys.load_or_create(key), key, None if mapping is None else maps.load(mapping), unit)
    priced = price_list.load(None)
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
                found = examine(log, reference, going_on, priced)
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
                }
                summary |= {"context": None, "scan": at.point.scan, "stream": at.told()}
                _leave(staging, found, None if pseudonymous else log.names, summary, how, render, step)
            at.save(staging, how)
        for line in at.point.told[told:]:
            heard(line)
    return following.ended(at, logs, once)


def examine(log: local.Gathered, reference: Reference, step: Progress, prices: Prices | None = None, context: Context = NO_CONTEXT) -> Found:
    """Accounts to clusters to evidence to campaigns. Pure but for the progress reported."""
    ties, features, detectors = every_tie(), every_feature(), every_detector()
    missing = _missing(log)
    tie_off = local.off({name: tie.reads for name, tie in ties.items()}, log.present)
    step("counting", 0)
    parts = with_facts(log.parts, every_fact(*FACTS), context)
    step("surveying", 0)
    seen = survey(parts, missing, [name for name in ties if name not in tie_off], context)
    step("linking", 0)
    links = replay.links(parts.among(np.zeros(0, np.int64))) if "replay" in seen.edges else replay.NO_LINKS
    shares_now = share_now(seen.by_owner, reference.history), share_now(seen.by_name, reference.history)
    linked = linking.link(parts, used(seen.wordings, reference.history), links, reference.history, shares_now)
    step("weighing", len(linked.clusters))
    listed_ones = weigh.worth_a_look(weigh.weigh(linked.clusters, linked.pooled))
    traffic = linking.suspects(parts, linked, [each.cluster for each in listed_ones])
    placed = linking.Placed(linked, traffic, seen.edges)
    weighed = sorted((replace(each, cluster=placed(each.cluster)) for each in listed_ones), key=lambda each: not each.strong)
    values = _values(traffic, weighed, missing, context)
    kept = states.States(seen.organisations, seen.wordings)
    ranges = _ranges(kept.organisations if reference.organisations is None else reference.organisations)
    speaking = frozenset(name for name, detector in detectors.items() if detector.speaks_of_purpose)
    judged = []
    for at, each in enumerate(weighed):
        mine = {name: column[at] for name, column in values.items()}
        said = [told for detector in detectors.values() if (told := evidence(detector, mine, ranges)) is not None]
        judged.append(judge.judge(each, mine, said, speaking))
    step("telling", len(judged))
    words = {"capabilities": lexicon.CAPABILITIES, "scripts": lexicon.SCRIPTS}
    take = None if prices is None else partial(what_was_taken, traffic, prices=prices, beside=counted_beside(traffic))
    draw = partial(picture.draw, traffic=traffic, edges=seen.edges, releases=picture.appearances(traffic) if judged else {})
    leave_out = partial(left_out.left_out, without=left_out.again(linked.clusters, linked.pooled), speaking=speaking)
    campaigns: list[Campaign] = []
    listed: list[tuple[str, str, list[Cluster]]] = []
    taken: set[int] = set()
    for case in judge.cases(judged):
        campaigns.append(tell.tell(case, traffic, words, taken, take, draw=draw, leave_out=leave_out, context=context))
        taken.add(campaigns[-1].earliest)
        listed.append((campaigns[-1].campaign, campaigns[-1].verdict, [one.weighed.cluster for one in case]))
    campaigns = tell.ranked(campaigns)
    columns_of = {name: sorted({c for f in detector.reads for c in features[f].reads}) for name, detector in detectors.items()}
    untold = {name: sorted({f"{part} (--context)" for f in detector.reads for part in lacking(features[f], context)}) for name, detector in detectors.items()}
    off = local.off(columns_of, log.present) | {name: lack for name, lack in untold.items() if lack} | {f"tie: {name}": lack for name, lack in tie_off.items()}
    tested = sum(weigh.is_tested(each) for each in linked.clusters)
    standing = membership.steady(linked.clusters, listed, linked.pooled)
    ends = tuple(np.searchsorted(traffic.accounts, end) for end in (links.source, links.target))
    members = membership.tables(traffic, listed, seen.edges, (ends[0], links.source_ts, ends[1], links.target_ts), standing, placed)
    members["own"] = _own(traffic, listed, missing, placed)
    return Found(campaigns, tested, off, list(detectors), list(ties), _placebo(kept, reference), kept, members, parts, listed)


def _missing(log: local.Gathered) -> frozenset[str]:
    """Columns that features read and the log does not carry."""
    return frozenset(name for feature in every_feature().values() for name in feature.reads if name not in log.present)


def _few_at_once(weighed: list[weigh.Weighed]) -> Iterator[list[weigh.Weighed]]:
    """Clusters in order, so many at a time that their calls stay below AT_ONCE: a call may stand in many."""
    held: list[weigh.Weighed] = []
    size = 0
    for each in weighed:
        if held and size + len(each.cluster.calls) > AT_ONCE:
            yield held
            held, size = [], 0
        held.append(each)
        size += len(each.cluster.calls)
    if held:
        yield held


def _values(traffic: Traffic, weighed: list[weigh.Weighed], missing: frozenset[str], context: Context) -> dict[str, list[float | None]]:
    """Every feature of every cluster. What compares the members is costly, and only a cluster that may be an alert or a review needs it: those come first."""
    features, strong = every_feature().values(), sum(each.strong for each in weighed)
    values: dict[str, list[float | None]] = {}
    for several in _few_at_once(weighed):
        label = np.repeat(np.arange(len(several)), [len(each.cluster.calls) for each in several])
        calls, count = np.concatenate([each.cluster.calls for each in several]), sum(each.strong for each in several)
        found = columns(Groups(traffic, calls, label, len(several), context), [f for f in features if not f.clusters_only], missing)
        some = label < count
        compared = columns(Groups(traffic, calls[some], label[some], count, context), [f for f in features if f.clusters_only], missing)
        for name, column in (found | {name: [*column, *[None] * (len(several) - count)] for name, column in compared.items()}).items():
            values.setdefault(name, []).extend(column)
    if weighed and "wordings" not in missing:
        values["all_traffic"] = [*_whole(traffic, [each.cluster for each in weighed[:strong]]), *[None] * (len(weighed) - strong)]
    return values


def _own(traffic: Traffic, listed: membership.Listed, missing: frozenset[str], pieces: membership.Pieces) -> pa.Table:
    """Each signal on the calls of each account alone; those that compare members say nothing of one."""
    features = every_feature()
    shown = {name: features[detector.value] for name, detector in every_detector().items() if not features[detector.value].clusters_only}
    pairs, calls, label = membership.shown(listed, traffic, pieces)
    values = columns(Groups(traffic, calls, label, len(pairs)), list(shown.values()), missing)
    return membership.own(traffic, pairs, {name: values[feature.name] for name, feature in shown.items()})


def _whole(traffic: Traffic, clusters: list[Cluster]) -> list[float | None]:
    """Of each cluster: `all_traffic` of its core calls and those of its kindred, so that one campaign's other wordings are no alibi."""
    calls = [np.unique(np.concatenate([clusters[k].calls for k in mine])) for mine in judge.kindred(clusters)]
    mine = [part[np.isin(traffic.account[part], each.accounts)] for part, each in zip(calls, clusters, strict=True)]
    label = np.repeat(np.arange(len(mine)), [len(part) for part in mine])
    groups = Groups(traffic, np.concatenate(mine) if mine else np.zeros(0, np.int64), label, len(mine))
    return columns(groups, [every_feature()["all_traffic"]], frozenset())["all_traffic"]


def _engine(name: str, work: str | None, beside: Path) -> contextlib.AbstractContextManager[spark.OnCluster | None]:
    """Where a scan runs: None is here."""
    if name not in ENGINES:
        raise UserError(f"no such engine: {name}", "--engine", f"name one of {', '.join(ENGINES)}")
    if name == "spark":
        return spark.on(str(beside) if work is None else work)
    if work is not None:
        raise UserError("is for what a cluster puts down between its jobs", "--work", "name --engine spark, or leave it out")
    return contextlib.nullcontext()


def _reference(logs: Sequence[Log], how: Reading, step: Progress, context: Context, notice: Reject, cluster: spark.OnCluster | None = None) -> Reference:
    """Earlier scans by their kept states, earlier logs by reading them now."""
    kept = []
    for source in logs:
        if isinstance(source, str) and scans.is_scan(Path(source)):
            kept.append(states.read(Path(source), keys.fingerprint(how.secret), how.unit))
            continue
        with tempfile.TemporaryDirectory() as folder:
            log = gather([source], how, notice, Path(folder), (), lambda count: step("reading history", count), cluster, keep=False)
            if log is None:
                raise UserError("no usable record", named([source])[0], "name an earlier scan's folder or a log that `stillwatch scan` reads")
            seen = survey(with_facts(log.parts, every_fact(*FACTS), context), _missing(log), (), context)
        kept.append(states.States(seen.organisations, seen.wordings))
    history = merge([_exposure(each) for each in kept], [each.wordings for each in kept])
    organisations = pa.concat_tables([each.organisations for each in kept], promote_options="default") if kept else None
    return Reference(history, organisations, kept)


def _exposure(kept: states.States) -> pa.Table:
    return kept.organisations.select([name for name in kept.organisations.column_names if name == "unit" or name.startswith("calls_")])


def _ranges(organisations: pa.Table) -> Mapping[str, Range]:
    """5th and 95th percentile of every feature among organisations with enough calls."""
    enough = organisations.filter(pa.compute.greater_equal(organisations["calls"], LEAST_CALLS))
    ranges = {}
    for feature in every_feature().values():
        if feature.clusters_only or feature.name not in enough.column_names:
            continue
        known = enough[feature.name].drop_null().to_numpy()
        if len(known) >= LEAST_CALLS:
            low, high = np.percentile(known, [5, 95])
            ranges[feature.name] = Range(round(float(low), 6), round(float(high), 6))
    return ranges


def _placebo(kept: states.States, reference: Reference) -> Placebo:
    """The test of strangers on organisations dealt at random to today and before."""
    if not reference.kept:
        return NOT_RUN
    everybody = [kept, *reference.kept]
    # The placebo looks at wordings that several use again, and a long log's pairs are mostly of others.
    common = maybe_common(*(each.wordings["wording"].to_numpy() for each in everybody))
    both = merge([_exposure(each) for each in everybody], [each.wordings.filter(pa.array(some)) for each, some in zip(everybody, common, strict=True)])
    now, before = kept.organisations.num_rows, len(reference.history.units)
    return placebo(both.wording, both.pair_unit, both.units, now / (now + before), lambda today: shares(both.calls[today], both.calls[~today]))


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
