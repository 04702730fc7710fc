"""From the marks of a log to its campaigns: the rooms in their order, each given what the one before it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.campaigns import discovered, judge, left_out, membership, picture, tell, weigh
from stillwatch.campaigns.aside import without_those_beside
from stillwatch.campaigns.kindred import Together
from stillwatch.campaigns.known import NOTHING_KNOWN, Known, beside, covered_members
from stillwatch.campaigns.taken import Prices, counted_beside
from stillwatch.campaigns.taken import taken as what_was_taken
from stillwatch.codes import Ints, merged, stands_in
from stillwatch.detectors.declare import Range, every_detector, evidence
from stillwatch.engines import local
from stillwatch.evidence.placebo import NOT_RUN, Placebo, placebo
from stillwatch.evidence.pooled import Innocents
from stillwatch.evidence.tails import Floats
from stillwatch.facts import every_fact
from stillwatch.features.declare import Feature, Groups, columns, every_feature, lacking
from stillwatch.linking import clusters as linking
from stillwatch.linking.declare import every_tie
from stillwatch.linking.history import merge, share_now, shares
from stillwatch.linking.ties import replay
from stillwatch.linking.used import maybe_common, used
from stillwatch.parts import Parts, with_facts
from stillwatch.records import NO_CONTEXT, Campaign, Cluster, Context
from stillwatch.results import Found, Reference
from stillwatch.sketch import lexicon
from stillwatch.store import states
from stillwatch.survey import Survey, survey
from stillwatch.traffic import Traffic

Progress = Callable[[str, int], None]

FACTS = ("stillwatch.features", "stillwatch.linking.ties", "stillwatch.campaigns")
"Packages whose modules may need facts of a whole log."

AT_ONCE = 250_000
"Calls of clusters that are described together."

WORKERS = 2
"Descriptions that are worked out side by side."

LEAST_CALLS = 20
"Calls from which an organisation's features count in the benign range."


@dataclass(frozen=True)
class Examined:
    """A log up to its verdicts, before anything is told of them."""

    parts: Parts
    "The log, with the facts of the whole."
    seen: Survey
    "What a look at all of it found."
    links: replay.Links
    "Replays between strangers."
    linked: linking.Linked
    "All clusters that can be tested."
    traffic: Traffic
    "The calls of the clusters that were described."
    placed: linking.Placed
    "Who carries which piece of template."
    judged: list[judge.Judged]
    "Those clusters with their verdicts."
    field: discovered.Field
    "Those of them that stand, among which rates are told."
    kept: states.States
    "What later scans may use."
    tie_off: dict[str, list[str]]
    "Ties that could not run -> the columns they lack."

    @property
    def whole_cases(self) -> list[list[judge.Judged]]:
        """Clusters of one case together, as they were judged, strongest first."""
        return self._cases[0]

    @property
    def cases(self) -> list[list[judge.Judged]]:
        """The same with whom they name: without those who stand at the rim."""
        return self._cases[1]

    @cached_property
    def _cases(self) -> tuple[list[list[judge.Judged]], list[list[judge.Judged]]]:
        narrowed: list[list[judge.Judged]] = []

        def named(case: list[judge.Judged]) -> Ints:
            narrowed.append(without_those_beside(case, self.traffic, self.placed, self.placed))
            return judge.accounts_of(narrowed[-1])

        return judge.cases(self.judged, named), narrowed


def judged(
    log: local.Gathered,
    reference: Reference,
    step: Progress,
    context: Context = NO_CONTEXT,
    about: Ints | None = None,
    others: discovered.Field = discovered.NOBODY,
) -> Examined:
    """Accounts to clusters to evidence to verdicts.

    `about`: accounts (keyed hashes) whose alerts and reviews alone are asked for. Then only clusters are described that may be one, and that hang together with
    one of these accounts, which leaves out most of the work; their cases are the same, for a case never holds clusters without an account in common. `others`: what stands
    besides and is not described again, as an examination without those accounts left it.
    """
    ties, detectors = every_tie(), every_detector()
    missing = missing_in(log)
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
    listed_ones = weigh.worth_a_look(weigh.weigh(linked.clusters, linked.pooled, parts.owners.units))
    if about is not None:
        listed_ones = _concerning([each for each in listed_ones if each.strong], parts.owners.accounts, about)
    suspected = [each.cluster for each in listed_ones]
    traffic = linking.suspects(parts, linked, suspected)
    placed = linking.Placed(linked, traffic, seen.edges, suspected)
    traffic.rest()
    weighed = sorted((replace(each, cluster=placed(each.cluster)) for each in listed_ones), key=lambda each: not each.strong)
    values = _values(traffic, weighed, missing, context)
    kept = states.States(seen.organisations, seen.wordings)
    ranges = _ranges(kept.organisations if reference.organisations is None else reference.organisations)
    innocents, asks, speaking = innocents_of(reference), [], _speaking()
    for at in range(len(weighed)):
        mine = {name: column[at] for name, column in values.items()}
        said = [told for detector in detectors.values() if (told := evidence(detector, mine, ranges, innocents.rank)) is not None]
        asks.append(partial(judge.judge, values=mine, evidence=said, speaking=speaking))
    settled, field = discovered.settled(weighed, [_verdict(ask) for ask in asks], others)
    listed = [(each, ask) for each, ask in zip(settled, asks, strict=True) if weigh.worth_a_look([each])]
    found, explained = judge.all_of(listed, others.explained)
    return Examined(parts, seen, links, linked, traffic, placed, found, replace(field, explained=explained), kept, tie_off)


def _concerning(listed: list[weigh.Weighed], accounts: Ints, about: Ints) -> list[weigh.Weighed]:
    """Clusters that hang together with any of some accounts, by accounts in common."""
    label = np.repeat(np.arange(len(listed)), [len(each.cluster.accounts) for each in listed])
    ends = np.concatenate([np.zeros(0, np.int64), *(each.cluster.accounts for each in listed)])
    group = merged(len(accounts) + len(listed), len(accounts) + label, ends)
    asked = np.unique(group[np.flatnonzero(stands_in(accounts, np.sort(about)))])
    return [each for each, mine in zip(listed, group[len(accounts) :].tolist(), strict=True) if mine in asked]


def _speaking() -> frozenset[str]:
    """Detectors that speak of purpose."""
    return frozenset(name for name, detector in every_detector().items() if detector.speaks_of_purpose)


def examine(
    log: local.Gathered, reference: Reference, step: Progress, prices: Prices | None = None, context: Context = NO_CONTEXT, known: Known = NOTHING_KNOWN
) -> Found:
    """Accounts to clusters to evidence to campaigns. Pure but for the progress reported."""
    ties, features, detectors = every_tie(), every_feature(), every_detector()
    found = judged(log, reference, step, context)
    traffic, linked, links, placed = found.traffic, found.linked, found.links, found.placed
    missing = missing_in(log)
    step("telling", len(found.judged))
    words = {"capabilities": lexicon.CAPABILITIES, "scripts": lexicon.SCRIPTS}
    take = None if prices is None else partial(what_was_taken, traffic, prices=prices, beside=counted_beside(traffic))
    draw = partial(picture.draw, traffic=traffic, edges=found.seen.edges, releases=picture.appearances(traffic) if found.judged else {})
    speaking = _speaking()
    without = left_out.again(linked.clusters, linked.pooled, found.judged, speaking, found.parts.owners.units)
    campaigns: list[Campaign] = []
    listed: list[tuple[str, str, list[Cluster]]] = []
    taken: set[int] = set()
    covered: list[tuple[str, dict[str, list[int]]]] = []
    for whole, case in zip(found.whole_cases, found.cases, strict=True):
        leave_out = partial(left_out.left_out, whole, without=without, speaking=speaking, field=found.field)
        case_told, covers = _annotated(
            tell.tell(case, traffic, words, taken, take, whole=whole, draw=draw, leave_out=leave_out, context=context), case, traffic, known
        )
        campaigns.append(case_told)
        covered.append((case_told.campaign, covers))
        taken.add(campaigns[-1].earliest)
        listed.append((campaigns[-1].campaign, campaigns[-1].verdict, [one.weighed.cluster for one in case]))
    campaigns = tell.ranked(campaigns)
    columns_of = {name: sorted({c for f in detector.reads for c in features[f].reads}) for name, detector in detectors.items()}
    untold = {name: sorted({f"{part} (--context)" for f in detector.reads for part in lacking(features[f], context)}) for name, detector in detectors.items()}
    unread = {f"tie: {name}": lack for name, lack in found.tie_off.items()}
    off = local.off(columns_of, log.present) | {name: lack for name, lack in untold.items() if lack} | unread
    tested = sum(weigh.is_tested(each) for each in linked.clusters)
    standing = membership.steady(linked.clusters, listed, linked.pooled)
    ends = tuple(np.searchsorted(traffic.accounts, end) for end in (links.source, links.target))
    members = membership.tables(traffic, listed, found.seen.edges, (ends[0], links.source_ts, ends[1], links.target_ts), standing, placed)
    members["own"] = _own(traffic, listed, missing, placed)
    members["known"] = covered_members(covered)
    looks = [_look(one, traffic) for one in found.judged]
    kept = states.States(_with_named(found.kept.organisations, found.parts, listed), found.kept.wordings)
    return Found(campaigns, tested, off, list(detectors), list(ties), _placebo(kept, reference), kept, members, found.parts, listed, looks)


def _with_named(organisations: pa.Table, parts: Parts, listed: membership.Listed) -> pa.Table:
    """Organisations with whether an alert or a review names an account of theirs: who tells others of innocents leaves those out."""
    owners = parts.owners
    named = np.unique(np.concatenate([np.zeros(0, np.int64), *(each.accounts for _, verdict, several in listed if verdict != "watch" for each in several)]))
    return organisations.append_column("named", pa.array(np.isin(organisations["unit"].to_numpy(), owners.unit_hash[owners.unit[named]])))


def innocents_of(reference: Reference) -> Innocents:
    """The organisations of the reference and what other members told of theirs."""
    return Innocents(None if reference.organisations is None else of_organisations(reference.organisations, shown_alone()), reference.pool)


def shown_alone() -> list[str]:
    """Features that a detector shows and that one organisation has as well."""
    return sorted({feature.name for feature in _alone().values()})


def _alone() -> dict[str, Feature]:
    """Detector -> the feature that it shows, where one account or organisation has it as well."""
    features = every_feature()
    return {name: features[detector.value] for name, detector in every_detector().items() if not features[detector.value].clusters_only}


def of_organisations(organisations: pa.Table, names: Sequence[str]) -> dict[str, Floats]:
    """Features of organisations with enough calls that no alert or review names: name -> known values."""
    enough = organisations.filter(pa.compute.greater_equal(organisations["calls"], LEAST_CALLS))
    if "named" in enough.column_names:  # states of before do not say
        enough = enough.filter(pa.compute.invert(pa.compute.fill_null(enough["named"], False)))
    return {name: enough[name].drop_null().to_numpy().astype(np.float64) if name in enough.column_names else np.zeros(0) for name in names}


def _look(one: judge.Judged, traffic: Traffic) -> tuple[str, dict[str, float | None]]:
    """What a rule of somebody else's may look at."""
    cluster = one.weighed.cluster
    sizes = {"accounts": len(cluster.accounts), "organisations": cluster.strangers, "calls": len(cluster.calls)}
    return one.verdict, {**one.values, **sizes, "ts": float(traffic.ts[cluster.calls].min()) / 1e6 if len(cluster.calls) else None}


def _verdict(ask: Callable[[weigh.Weighed], judge.Judged]) -> discovered.Verdict:
    return lambda each: ask(each).verdict


def _annotated(told: Campaign, case: list[judge.Judged], traffic: Traffic, known: Known) -> tuple[Campaign, dict[str, list[int]]]:
    """A case with what was known beforehand beside it, and whom each entry covers. After everything else is told, so that none of it can depend on this."""
    accounts, calls = (np.unique(np.concatenate([getattr(one.weighed.cluster, name) for one in case])) for name in ("accounts", "calls"))
    said, mine = beside(known, traffic, told.campaign, told.verdict, accounts, calls)
    return replace(told, known=said), mine


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

    def described(several: list[weigh.Weighed]) -> dict[str, list[float | None]]:
        label = np.repeat(np.arange(len(several)), [len(each.cluster.calls) for each in several])
        calls, count = np.concatenate([each.cluster.calls for each in several]), sum(each.strong for each in several)
        found = columns(Groups(traffic, calls, label, len(several), context), [f for f in features if not f.clusters_only], missing)
        some = label < count
        compared = columns(Groups(traffic, calls[some], label[some], count, context), [f for f in features if f.clusters_only], missing)
        traffic.rest()
        return found | {name: [*column, *[None] * (len(several) - count)] for name, column in compared.items()}

    values: dict[str, list[float | None]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        for found in pool.map(described, _few_at_once(weighed)):
            for name, column in found.items():
                values.setdefault(name, []).extend(column)
    if weighed and "wordings" not in missing:
        values["all_traffic"] = [*_whole(traffic, [each.cluster for each in weighed[:strong]]), *[None] * (len(weighed) - strong)]
    return values


def _own(traffic: Traffic, listed: membership.Listed, missing: frozenset[str], pieces: membership.Pieces) -> pa.Table:
    """Each signal on the calls of each account alone; those that compare members say nothing of one."""
    shown = _alone()
    pairs, calls, label = membership.shown(listed, traffic, pieces)
    values = columns(Groups(traffic, calls, label, len(pairs)), list(shown.values()), missing)
    return membership.own(traffic, pairs, {name: values[feature.name] for name, feature in shown.items()})


def _whole(traffic: Traffic, clusters: list[Cluster]) -> list[float | None]:
    """Of each cluster: `all_traffic` of its core calls and those of its kindred, so that one campaign's other wordings are no alibi."""
    together, found, of_all = Together(traffic, clusters), list[float | None](), [every_feature()["all_traffic"]]
    for number in range(len(clusters)):
        calls = together(number)
        groups = Groups(traffic, calls, np.zeros(len(calls), np.int64), 1)
        found += columns(groups, of_all, frozenset())["all_traffic"]
    return found


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
    both = merge([exposure_of(each) for each in everybody], [each.wordings.filter(pa.array(some)) for each, some in zip(everybody, common, strict=True)])
    now, before = kept.organisations.num_rows, len(reference.history.units)
    return placebo(both.wording, both.pair_unit, both.units, now / (now + before), lambda today: shares(both.calls[today], both.calls[~today]))


def missing_in(log: local.Gathered) -> frozenset[str]:
    """Columns that features read and the log does not carry."""
    return frozenset(name for feature in every_feature().values() for name in feature.reads if name not in log.present)


def reference_of(kept: list[states.States], sources: Sequence[Path | None]) -> Reference:
    """The reference that kept states make together."""
    history = merge([exposure_of(each) for each in kept], [each.wordings for each in kept])
    organisations = pa.concat_tables([each.organisations for each in kept], promote_options="default") if kept else None
    return Reference(history, organisations, kept, list(sources))


def exposure_of(kept: states.States) -> pa.Table:
    """Unit and exposure of every organisation of kept states."""
    return kept.organisations.select([name for name in kept.organisations.column_names if name == "unit" or name.startswith("calls_")])
