"""Whether one job is dealt out over a cluster's members, or each does business of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import gammaincinv

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.nearness import LEAST_CALLS, LEAST_UNITS, Nearness
from stillwatch.features.rows import kept, thinned
from stillwatch.features.slots import Slots, conversations, slots
from stillwatch.traffic import NONE, Ints, Traffic, distinct_rows

MOST_ACCOUNTS = 200
"Members that are looked at, evenly spaced by keyed hash."

BY_NAME = 2
"Times as many organisations by name as units from which members are compared by name."

USUAL, LEAST_USUAL, UNCLEAR = 0.9, 0.57, 0.7
"""How well an account's other conversations tell its calls from a stranger's: a clear business (taken where there is no
other traffic), the least that can be measured against, and what is taken where there is less than that."""


NEARLY_ALL = 0.9
"Share of calls that a log must keep for the clear business of whole logs to be the scale: with fewer calls every business looks less clear."


def _each(groups: Groups) -> Iterator[tuple[int, Ints, Ints]]:
    """(group, core calls, accounts) of every group of at least three units."""
    limits = np.searchsorted(groups.label, np.arange(groups.count + 1))
    for group in range(groups.count):
        core = groups.calls[limits[group] : limits[group + 1]]
        accounts = np.unique(groups.traffic.account[core])
        if len(np.unique(groups.traffic.unit[accounts])) >= 3:
            yield group, core, accounts


def _slots(groups: Groups, group: int, core: Ints, accounts: Ints) -> Slots:
    """The group's slots, worked out once for all features; of a large group, those of MOST_ACCOUNTS members."""
    if ("slots", group) not in groups.memo:
        some = accounts[:: max(1, -(-len(accounts) // MOST_ACCOUNTS))]
        groups.memo["slots", group] = slots(groups.traffic, core, some)
    found: Slots = groups.memo["slots", group]
    return found


def shared_slots(groups: Groups) -> Floats:
    """Share of a unit's distinct jobs that another unit of the group has as well, averaged over units.

    Near 0 when a job list is dealt out, .7 to 1 when all work through the same public list. Where the log keeps a sample, it is
    the most that the few jobs seen allow (`_at_most`), so that a public list does not pass for a dealt one.
    """
    out = np.full(groups.count, np.nan)
    share = kept(groups)
    for group, core, accounts in _each(groups):
        traffic = groups.traffic
        found = _slots(groups, group, core, accounts)
        jobs: dict[tuple[int, ...], set[int]] = {}
        mine: dict[int, set[tuple[int, ...]]] = {}
        for call, is_core, job in zip(found.call.tolist(), found.core.tolist(), found.smallest, strict=True):
            if is_core and len(job) >= 2:
                unit = int(traffic.unit[traffic.account[call]])
                jobs.setdefault(job, set()).add(unit)
                mine.setdefault(unit, set()).add(job)
        by_slot = [sum(len(jobs[job]) > 1 for job in have) / len(have) for have in mine.values()]
        if len(mine) >= 3:
            out[group] = max(float(np.mean(by_slot)), _shared_prompts(traffic, core))
            if share[group] < 1.0:
                out[group] = _at_most(out[group], sum(map(len, mine.values())), share[group])
    return out


def _at_most(shared: float, jobs: int, share: float) -> float:
    """The largest share of jobs in common that leaves one chance in twenty to see as few in a log that keeps a share of the calls.

    A job of two units is seen at both only that much more rarely: right for jobs of two, and too much for jobs of more. Upper limit of a Poisson
    mean (Garwood 1936): a quantile of the gamma distribution.
    """
    return float(min(1.0, gammaincinv(shared * jobs + 1.0, 0.95) / (share * jobs)))


def _shared_prompts(traffic: Traffic, core: Ints) -> float:
    """The same by whole prompts: exact, over all core calls, but blind to one job in two wrappers."""
    known = core[traffic.prompt[core] != NONE]
    (prompt, unit), _ = distinct_rows(traffic.prompt[known], traffic.unit[traffic.account[known]])
    _, inverse, units = np.unique(prompt, return_inverse=True, return_counts=True)
    _, owner = np.unique(unit, return_inverse=True)
    shared = np.bincount(owner, weights=units[inverse] > 1) / np.bincount(owner)
    return float(shared.mean()) if len(shared) else 0.0


def _owner(traffic: Traffic, accounts: Ints) -> Ints:
    """Who each account belongs to: its unit; its organisation by name where most organisations share cards with others.

    A handful of payers would leave nobody to compare with but them, and what they happen to differ in (a language, say)
    would pass for everybody's own business.
    """
    unit, org = traffic.unit[accounts], traffic.org[accounts]
    return org if len(np.unique(org)) > BY_NAME * len(np.unique(unit)) else unit


def own_business(groups: Groups) -> Floats:
    """How much a core call is its account's own business: 0 for interchangeable hands of one job, 1 for business of one's own.

    The probability that a core call is nearer to its account's other conversations than to another member's, less the
    half that chance gives, over the same for the accounts' other traffic (or over the most that is usual, where there is
    too little of it). Nearness is the cosine of slot terms weighted by rarity; the same conversation never counts, so a
    job of several turns is not its own alibi. A job dealt out by topic is near 1 too, unless the members have other traffic.
    Where the log keeps a sample, only the accounts' own other traffic, kept at the same rate, is a scale: without enough of it, unknown.
    """
    out = np.full(groups.count, np.nan)
    talk = conversations(groups.traffic) if groups.count else np.zeros(0, np.int64)
    whole = kept(groups) >= NEARLY_ALL
    for group, core, accounts in _each(groups):
        found = _slots(groups, group, core, accounts)
        account = groups.traffic.account[found.call]
        nearness = Nearness(found, account, talk[found.call], _owner(groups.traffic, account))
        usual = nearness(core=False)
        if not whole[group] and not usual >= LEAST_USUAL:
            continue
        scale = USUAL if np.isnan(usual) else min(usual, USUAL) if usual >= LEAST_USUAL else UNCLEAR
        out[group] = np.minimum(1.0, (nearness(core=True) - 0.5) / (scale - 0.5))
    return out


def slot_size(groups: Groups) -> Floats:
    """Terms in the slots of a core call (the median): what is left of a prompt when the wording is taken away."""
    out = np.full(groups.count, np.nan)
    for group, core, accounts in _each(groups):
        found = _slots(groups, group, core, accounts)
        if found.core.any():
            out[group] = float(np.median(found.size[found.core]))
    return out


def one_site(groups: Groups) -> Floats:
    """Share of a group's accounts whose main address is one and the same."""
    out = np.full(groups.count, np.nan)
    for group, _, accounts in _each(groups):
        address = groups.traffic.address[accounts]
        known = address[address != NONE]
        if len(known) >= LEAST_UNITS:
            out[group] = np.unique(known, return_counts=True)[1].max() / len(accounts)
    return out


def all_traffic(groups: Groups) -> Floats:
    """Share of all its accounts' calls that are the group's (the median over accounts).

    In a thinned log only those are members of whom two core calls happen to be kept, so those two are left out and the rest is pooled.
    """
    out = np.full(groups.count, np.nan)
    starts = groups.traffic.starts
    sparse = thinned(groups)
    for group, core, accounts in _each(groups):
        inside, size = np.bincount(np.searchsorted(accounts, groups.traffic.account[core])), starts[accounts + 1] - starts[accounts]
        if not sparse[group]:
            out[group] = float(np.median(inside / size))
        elif (rest := int((size - 2).clip(0).sum())) >= LEAST_CALLS:
            out[group] = float((inside - 2).clip(0).sum()) / rest
    return out


def conversations_continue(groups: Groups) -> Floats:
    """Share of a group's conversations with more than one call, whose requests carry earlier turns. In a thinned log one kept call that does is enough."""
    talk = conversations(groups.traffic)[groups.calls]
    turns = groups.traffic.column("turns").fill_null(1).to_numpy()[groups.calls]
    label, _ = groups.distinct(talk)
    key = groups.label * np.int64(groups.traffic.calls + 1) + talk
    distinct, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    longest = np.zeros(len(distinct))
    np.maximum.at(longest, inverse, turns)
    going_on = ((counts > 1) | thinned(groups)[label]) & (longest > 2)
    whole = np.bincount(label, minlength=groups.count)
    share = np.divide(np.bincount(label, weights=going_on, minlength=groups.count), whole, out=np.full(groups.count, np.nan), where=whole > 0)
    return np.asarray(share, np.float64)


def _rows(shared: bool) -> list[dict[str, object]]:
    return [
        {"account": account, "ts": i * 10**10, "prompt": i, "terms": [1, 2, *(1000 * (i if shared else 20 + account) + j for j in range(6)), 50_000 + i]}
        for account in range(6)
        for i in range(16)
    ]


_TALKS = [{"account": 1, "session": 1, "turns": 1}, {"account": 1, "session": 1, "turns": 3}, {"account": 1, "session": 2, "turns": 1}]

FEATURES = (
    Feature(
        "shared_slots", "share of jobs", "a list dealt out, hardly ever the same job twice", "all work through one public list", ("terms",), shared_slots, (_rows(True), 1.0), clusters_only=True
    ),
    Feature(
        "own_business", "share of the usual", "0 or below: members are interchangeable hands", "each minds a business of its own", ("terms",), own_business, (_rows(False), 1.0), clusters_only=True
    ),
    Feature(
        "slot_size", "terms", "the wording is all there is: a stock phrase", "the wording wraps a job", ("terms",), slot_size, (_rows(False), 7.0), clusters_only=True
    ),
    Feature(
        "one_site", "share of accounts", "every account elsewhere", "all behind one address", ("ip",), one_site, ([{**row, "ip": 5} for row in _rows(False)], 1.0), clusters_only=True
    ),
    Feature(
        "all_traffic", "share of calls", "the template is a sideline", "the template is all that the accounts do", ("wordings",), all_traffic, (_rows(True), 1.0), clusters_only=True
    ),
    Feature(
        "conversations_continue", "share of conversations", "every request stands alone", "answers are answered", ("turns",), conversations_continue, (_TALKS, 0.5)
    ),
)  # fmt: skip
