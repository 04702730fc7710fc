"""What speaks for innocence. Each can be evaded, so each downgrades a verdict and none dismisses it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stillwatch.records import Cluster

PUBLIC_LIST, PLAINLY_PUBLIC = 0.3, 0.5
"Share of a member's jobs found at another member: campaigns deal (0 to .2), public lists overlap (.7 to 1)."

OWN_BUSINESS, PLAINLY_OWN = 0.65, 0.75
"Probability that a member's own other work is nearer to its next prompt than a stranger's: .5 for interchangeable hands."

ALL_TRAFFIC, CONTINUES = 0.9, 0.4
"An application: nearly all of its account's calls, and conversations that go on."

EARLIER = 0.5
"Share of wordings that a reference organisation already used."

FEW_IDENTITIES = 0.1
"Strangers per account at which an openly common identity explains the cluster."


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
    steps: int
    "By how many verdicts it downgrades: 0 not found, 1 found, 2 found plainly."


def _above(name: str, value: float | None, threshold: float, holds: str, fails: str, plainly: float = 2.0) -> Exculpation:
    if value is None:
        return Exculpation(name, None, None, threshold, "Could not be examined: the log lacks what it needs.", 0)
    found = value >= threshold
    return Exculpation(name, found, value, threshold, (holds if found else fails).format(value=value), int(found) + int(value >= plainly))


def exculpations(cluster: Cluster, values: Mapping[str, float | None]) -> list[Exculpation]:
    """Every innocent explanation, tried."""
    covered, goes_on = values.get("all_traffic"), values.get("conversations_continue")
    product = None if covered is None or goes_on is None else (goes_on if covered >= ALL_TRAFFIC else 0.0)
    earlier = float((cluster.before > 0).mean()) if len(cluster.before) and float(cluster.share.min()) < 1.0 else None
    identities = cluster.strangers / max(1, len(cluster.accounts))
    return [
        _above(
            "the same public list", values.get("shared_slots"), PUBLIC_LIST,
            "{value:.0%} of a member's jobs are found at other members, as when all work through one suite or exercise.",
            "Only {value:.0%} of a member's jobs are found at another member: not one public list.",
            PLAINLY_PUBLIC,
        ),
        _above(
            "a business of their own", values.get("own_business"), OWN_BUSINESS,
            "A member's own other work tells its next prompt from a stranger's with probability {value:.2f}: each minds its own business.",
            "A member's own other work is no guide to its next prompt (probability {value:.2f}, where .50 is chance).",
            PLAINLY_OWN,
        ),
        _above(
            "a product", product, CONTINUES,
            "The wording fills nearly all of its accounts' traffic and {value:.0%} of the conversations go on, as in an application.",
            "The wording is not an application's: conversations do not go on, or the accounts do much else.",
        ),
        _above(
            "an earlier user", earlier, EARLIER,
            "{value:.0%} of the wordings were already used by reference organisations.",
            "Reference organisations used {value:.0%} of the wordings before.",
        ),
        _above(
            "an openly common identity", 1.0 - identities, 1.0 - FEW_IDENTITIES,
            "Its accounts belong to few organisations, payers or addresses.",
            "Its accounts show no common organisation or address.",
        ),
    ]  # fmt: skip
