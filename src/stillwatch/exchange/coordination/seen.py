"""What members have seen, taken together in bands: for the reader's own judgement, and no record that could be shared on.

Bands of different members may be added as bounds, for an account is one provider's. They say how much was seen, not how sure anybody is: evidence is added up
elsewhere (evidence.joint), and ten sightings of an innocent gateway are still innocent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stillwatch.exchange.coordination.reach import latest
from stillwatch.exchange.stix.words import Band, Shared, Sighting


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one thing, by all who told."""

    of: str
    "Id."
    first: int | None
    "Earliest time told, coarse as it was told; None: nobody said."
    last: int | None
    "Latest time told."
    band: Band | None
    "Bounds of the sum over those who told a band: from (included) up to (excluded). None: nobody did."
    silent: bool
    "Whether somebody saw it and told no band: the sum is then a lower bound only."


def together(sightings: Iterable[Shared], at: int) -> tuple[Seen, ...]:
    """What holds of all sightings at a moment, by id. A source's second sighting of the same thing replaces its first: nobody is counted twice.

    Revoked and expired sightings, and those without a source, are left out.
    """
    newest: dict[tuple[str, str], Sighting] = {}
    for each in latest(sightings).values():
        if not isinstance(each, Sighting) or each.revoked or each.source is None or (each.expires is not None and each.expires <= at):
            continue
        held = newest.get((each.of, each.source))
        if held is None or (each.modified, each.id) > (held.modified, held.id):
            newest[each.of, each.source] = each
    by: dict[str, list[Sighting]] = defaultdict(list)
    for each in newest.values():
        by[each.of].append(each)
    return tuple(_seen(of, by[of]) for of in sorted(by))


def _seen(of: str, sightings: list[Sighting]) -> Seen:
    bands = [each.band for each in sightings if each.band is not None]
    # Each upper edge is excluded: the largest whole number in a band is one less.
    total = (sum(low for low, _ in bands), sum(high - 1 for _, high in bands) + 1) if bands else None
    return Seen(
        of,
        min((each.first_seen for each in sightings if each.first_seen is not None), default=None),
        max((each.last_seen for each in sightings if each.last_seen is not None), default=None),
        total,
        len(bands) < len(sightings),
    )
