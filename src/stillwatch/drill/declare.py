"""What a benign class and a campaign are: one file each under classes/ and campaigns/, found by walking those packages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from stillwatch.drill.scenario import Planted
    from stillwatch.drill.world import World


@dataclass(frozen=True)
class BenignClass:
    """A kind of innocent traffic."""

    name: str
    "As the truth calls it."
    weight: float
    "Usual share of benign calls."
    grow: Callable[[World, int], None]
    "Adds about that many calls to the world."
    looks_like: str
    "Which sign of a campaign it shows."


ASIDE = 0.06
"Share of a campaign account's calls that are ordinary use, where nothing is disclosed: nobody has an account for one thing only."


@dataclass(frozen=True)
class Disclosed:
    """A documented campaign: its figures, and what the disclosure does not say."""

    id: str
    "As in the list of disclosures."
    calls: int
    "Calls disclosed."
    accounts: int
    "Accounts disclosed or assumed."
    days: float
    "Days disclosed or assumed."
    assumptions: tuple[str, ...]
    "Every figure or habit that the disclosure does not give."
    infrastructure: bool
    "Whether the disclosure says that accounts shared infrastructure."
    plant: Callable[[World, Planted, Scale], None]
    "Adds the campaign to the world."
    moves_to: str | None = None
    "The model that it moves to, where the disclosure says that it moved."
    cover: float = ASIDE
    "Share of its accounts' calls that are ordinary use: customers' where disclosed, elsewhere (assumed) what their holders do beside."


@dataclass(frozen=True)
class Scale:
    """A campaign cut to size, and by how much."""

    calls: int
    "Calls to make."
    accounts: int
    "Accounts to use."
    days: float
    "Days to spread over."
    factors: dict[str, float]
    "days, accounts and calls_per_account, each as a share of the disclosed figure."


def scale(campaign: Disclosed, calls: int) -> Scale:
    """Cut to `calls` (16,000 at most): days first (down to 2), then accounts (down to 20), then calls per account (down to 4).

    >>> from stillwatch.drill.declare import every_campaign
    >>> s = scale(every_campaign()["O-SEP"], 5000); s.accounts, s.days, s.factors["calls_per_account"]
    (1250, 2.0, 1.0)
    """
    calls = min(calls, 16_000, campaign.calls)
    a_day = campaign.calls / campaign.accounts / campaign.days
    days = max(min(campaign.days, 2.0), min(campaign.days, calls / (campaign.accounts * a_day)))
    accounts = max(min(campaign.accounts, 20), min(campaign.accounts, round(calls / (a_day * days))))
    each = max(min(4.0, a_day * days), min(a_day * days, calls / accounts))
    factors = {"days": days / campaign.days, "accounts": accounts / campaign.accounts, "calls_per_account": each / (a_day * days)}
    return Scale(round(each * accounts), accounts, days, factors)


Member = TypeVar("Member", BenignClass, Disclosed)


def _every(package: str, attribute: str, kind: type[Member]) -> dict[str, Member]:
    folder = importlib.import_module(package)
    found: dict[str, Member] = {}
    for module in pkgutil.iter_modules(folder.__path__, package + "."):
        member = getattr(importlib.import_module(module.name), attribute)
        assert isinstance(member, kind), module.name
        found[member.name if isinstance(member, BenignClass) else member.id] = member
    return found


def every_class() -> dict[str, BenignClass]:
    """All benign classes by name."""
    return _every("stillwatch.drill.classes", "CLASS", BenignClass)


def every_campaign() -> dict[str, Disclosed]:
    """All campaigns by id."""
    return _every("stillwatch.drill.campaigns", "CAMPAIGN", Disclosed)
