"""What speaks for innocence. Each can be evaded, so each downgrades a verdict and none dismisses it alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stillwatch.campaigns.unexplained import carriers
from stillwatch.records import Cluster

PUBLIC_LIST = (0.2, 0.5)
"Share of a member's jobs found at another member: campaigns deal (0 to .2), public lists overlap (.7 to 1)."

OWN_BUSINESS, OWN_OF = (0.3, 0.6), 10
"""How much the slots are each member's own business, as a share of the usual: campaigns stay below .4, customers lie at .6 to 1.1. The end of the ramp is for OWN_OF unrelated organisations; it is a median over
organisations, so the ramp is the shorter by the root, the more there are: up to .45 for forty, .37 for two hundred."""

SIDELINE = (0.55, 0.95)
"Share of an account's other calls from which a wording is a sideline: a viral prompt (.9 and more); a campaign under heavy cover traffic too."

STOCK_PHRASE = (-5.0, -2.0)
"Terms beside the wording (negated): with two or fewer there is no job in the slots."

ALL_TRAFFIC, CONTINUES = 0.9, (0.2, 0.4)
"An application: nearly all of its accounts' calls, and a share of conversations that go on."

ONE_SITE = (0.2, 0.4)
"Share of the accounts with one main address from which they sit in one place."

EARLIER = (0.3, 0.7)
"Share of wordings that reference organisations already used."

DECLARED = (0.2, 0.5)
"Share of the accounts that declare a programme (research, education, evaluation, permitted distillation) under which saying the same is to be expected."

OLD = 0.05
"Of the reference organisations that a wording as common before as it is now would have had, the share that must have used it."


NOT_KEPT = (0.1, 0.5)
"Share of the calls that the log does not keep, where nothing is left to tell a member's own business by: most of what would exculpate is not kept either."


@dataclass(frozen=True)
class Exculpation:
    """One innocent explanation, tried on one cluster."""

    name: str
    "The explanation."
    found: bool | None
    "Whether it holds; None when it could not be examined."
    value: float | None
    "What was measured."
    threshold: float
    "From where on it holds."
    text: str
    "One sentence."
    steps: float
    "By how much of a verdict it downgrades, 0 to 2; partial ones add up."


def _graded(name: str, value: float | None, ramp: tuple[float, float], most: float, holds: str, fails: str) -> Exculpation:
    """Nothing up to the ramp's start, `most` steps from its end on; found from its middle on."""
    low, high = ramp
    middle = (low + high) / 2
    if value is None:
        return Exculpation(name, None, None, middle, "Could not be examined: the log lacks what it needs.", 0.0)
    found = value >= middle
    steps = most * min(1.0, max(0.0, (value - low) / (high - low)))
    return Exculpation(name, found, value, middle, (holds if found else fails).format(value=max(value, 0.0)), steps)


def _earlier(cluster: Cluster) -> float | None:
    """Share of the wordings that were in use before: by one reference organisation, and by OLD of those whom a wording as common then as now would have had."""
    if not len(cluster.before) or float(cluster.share.min()) >= 1.0:
        return None
    as_common = np.maximum(cluster.now, cluster.named) * (1.0 - cluster.share) / np.maximum(cluster.share, 1e-9)
    return float((cluster.before >= np.maximum(1.0, OLD * as_common)).mean())


def _own_business(cluster: Cluster) -> tuple[float, float]:
    """The ramp from which slots are each member's own business."""
    low, high = OWN_BUSINESS
    return low, low + (high - low) * math.sqrt(OWN_OF / max(OWN_OF, carriers(cluster)))


def exculpations(cluster: Cluster, values: Mapping[str, float | None]) -> list[Exculpation]:
    """Every innocent explanation, tried."""
    covered, goes_on = values.get("all_traffic"), values.get("conversations_continue")
    product = None if covered is None or goes_on is None else (goes_on if covered >= ALL_TRAFFIC else 0.0)
    earlier = _earlier(cluster)
    size = values.get("slot_size")
    lost = (values.get("not_kept") or 0.0) if values.get("own_business") is None else 0.0
    return [
        _graded(
            "the same public list", values.get("shared_slots"), PUBLIC_LIST, 2.0,
            "{value:.0%} of a member's jobs are found at other members, as when all work through one suite or exercise.",
            "Only {value:.0%} of a member's jobs are found at another member: not one public list.",
        ),
        _graded(
            "a business of their own", values.get("own_business"), _own_business(cluster), 2.0,
            "What stands in the slots is each member's own business, as plainly as {value:.0%} of its other traffic is.",
            "What stands in the slots is no member's own business ({value:.0%} of what is usual): the members are interchangeable.",
        ),
        _graded(
            "a sideline", None if covered is None else 1.0 - covered, SIDELINE, 2.0,
            "For most members {value:.0%} of the traffic is something else, as with a prompt that goes viral.",
            "The wording is no sideline: only {value:.0%} of a member's traffic is something else.",
        ),
        _graded(
            "a stock phrase", None if size is None else -size, STOCK_PHRASE, 2.0,
            "The wording is nearly all there is: a turn of phrase, without a job in it.",
            "The wording wraps jobs of its own content.",
        ),
        _graded(
            "a product", product, CONTINUES, 1.0,
            "The wording fills nearly all of its accounts' traffic and {value:.0%} of the conversations go on, as in an application.",
            "The wording is not an application's: conversations do not go on, or the accounts do much else.",
        ),
        _graded(
            "one site", values.get("one_site"), ONE_SITE, 1.0,
            "{value:.0%} of the accounts sit behind one address, as a class or an office does.",
            "The accounts sit in many places (at most {value:.0%} behind one address).",
        ),
        _graded(
            "a declared programme", values.get("programme"), DECLARED, 1.0,
            "{value:.0%} of the accounts declare a programme under which such work is to be expected.",
            "Only {value:.0%} of the accounts declare a programme of research, education, evaluation or permitted distillation.",
        ),
        _graded(
            "an earlier user", earlier, EARLIER, 1.0,
            "{value:.0%} of the wordings were already used by reference organisations.",
            "Reference organisations used {value:.0%} of the wordings before.",
        ),
        *([_graded(
            "calls that were not kept", lost, NOT_KEPT, 2.0,
            "{value:.0%} of the calls are not in the log, and with them what would tell the members' own business.",
            "Only {value:.0%} of the calls are not in the log.",
        )] if lost > 0 else []),
    ]  # fmt: skip
