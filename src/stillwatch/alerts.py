"""Alerts of a stream: which nominated wordings and replays have crossed, and which campaigns of the last examination they belong to.

Evidence alone raises no alert: the campaign must be one to the batch scan of the same calls, with its exculpations and its purpose. That makes alerts
fewer, never more, so the rate of false ones stays below what `evidence.arrivals.crossing` promises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stillwatch.campaigns.weigh import ALERT, replay_log10_e
from stillwatch.evidence.arrivals import WINDOW, crossing, log10_e
from stillwatch.evidence.strangers import log10_mean
from stillwatch.linking.arriving import Arriving
from stillwatch.linking.history import ALPHABETS, History
from stillwatch.owners import Owners
from stillwatch.records import Campaign, Cluster
from stillwatch.traffic import Ints

HOPELESS = 8
"Reference organisations that carry a wording from which it is not followed."

Listed = Sequence[tuple[str, str, list[Cluster]]]
"Campaigns of an examination: id, verdict, clusters."


class Beside:
    """The history as wordings of a stream are held against it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._made = np.stack([np.bincount(np.minimum(history.calls[:, a], WINDOW), minlength=WINDOW + 1) for a in range(ALPHABETS)])
        # Organisations with at least k calls, k = 1..WINDOW.
        self._made = self._made[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]

    def users(self, wording: int) -> tuple[Ints, Ints]:
        """(calls of each reference organisation that carries a wording; by call number, how many of the others made that many)."""
        alphabet = min(wording & 7, ALPHABETS - 1)
        low, high = np.searchsorted(self._history.wording, [wording, wording + 1])
        at = np.searchsorted(self._history.units, self._history.pair_unit[low:high])
        calls = self._history.calls[at, alphabet]
        others = self._made[alphabet].copy()
        for each in np.minimum(calls, WINDOW).tolist():
            others[:each] -= 1
        return calls, others


def evidence(arriving: Arriving, nominees: Sequence[int], beside: Beside, known: Owners) -> dict[int, float]:
    """log10 e of some nominees: the mean over the wordings of each, those not followed counted as 0; of replays as campaigns are weighed.

    The count of a group of replays only grows, and the tail that is assumed is that of all it will ever be, so its e-value holds at any time.
    """
    found: dict[int, float] = {}
    replays = arriving.replaying(known)
    for nominee in nominees:
        if nominee in replays:
            value = replay_log10_e(replays[nominee][0])
            found[nominee] = -math.inf if value is None else value
            continue
        values = []
        for wording in arriving.wordings(nominee).tolist():
            before, others = beside.users(wording)
            values.append(-math.inf if len(before) >= HOPELESS else log10_e(*arriving.followed(wording, known), before, others))
        found[nominee] = log10_mean(values + [-math.inf] * (arriving.sizes[nominee] - len(values))) if values else -math.inf
    return found


def hopeless(arriving: Arriving, nominees: Sequence[int], beside: Beside) -> Ints:
    """The wordings of some nominees that need not be followed."""
    wordings = np.concatenate([arriving.wordings(nominee) for nominee in nominees] or [np.zeros(0, np.int64)])
    return wordings[[len(beside.users(wording)[0]) >= HOPELESS for wording in wordings.tolist()]]


def crossed(values: dict[int, float], made: int) -> list[int]:
    """The nominees that have crossed, given how many alerts there were."""
    nominees = sorted(values)
    return [nominees[place] for place in crossing([values[each] for each in nominees], nominees, made, ALERT)]


def belonging(arriving: Arriving, listed: Listed, campaigns: Sequence[Campaign], known: Owners) -> dict[str, list[int]]:
    """Of each campaign that is an alert: the nominees among its wordings, and the groups of replays among its accounts."""
    accounts = {campaign.campaign: np.array(campaign.accounts, np.int64) for campaign in campaigns}
    replays = arriving.replaying(known)
    found = {}
    for campaign, verdict, clusters in listed:
        if verdict == "alert":
            mine = np.isin(arriving.nominated["wording"], np.unique(np.concatenate([cluster.wordings for cluster in clusters])))
            nominees = set(arriving.nominated["nominee"][mine].tolist())
            if any(cluster.replaying for cluster in clusters):
                nominees |= {number for number, (_, inside) in replays.items() if np.isin(inside, accounts[campaign]).any()}
            found[campaign] = sorted(nominees)
    return found


def raised(mine: dict[str, list[int]], values: dict[int, float], told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts of campaigns that have crossed and were not told: campaign, nominee, log10_e, and its `nominees`, by which it is known again.

    `told`: those of before. A campaign keeps most of its nominees, whatever its id becomes.
    """
    best = {campaign: max(nominees, key=lambda each: values[each]) for campaign, nominees in mine.items() if nominees and not _told(campaign, nominees, told)}
    up = crossed({nominee: values[nominee] for nominee in best.values()}, len(told))
    return [
        {"campaign": campaign, "nominee": nominee, "log10_e": round(values[nominee], 4), "nominees": mine[campaign]}
        for campaign, nominee in best.items()
        if nominee in up
    ]


def _told(campaign: str, nominees: list[int], told: Sequence[dict[str, Any]]) -> bool:
    return any(line["campaign"] == campaign or 2 * len(set(nominees) & set(line["nominees"])) >= min(len(nominees), len(line["nominees"])) for line in told)
