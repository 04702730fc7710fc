"""The law of shared objects on any database: a page is what a slow, obvious twin reads."""

from __future__ import annotations

from stillwatch.store.shared.declare import Kept, Place, Shared, Wanted, moment
from stillwatch.store.shared.shelves import Shelves


def reads(shelves: Shelves, wanted: Wanted, limit: int = 1000, collection: str = "c") -> list[Kept]:
    """Everything that is wanted, page by page."""
    found: list[Kept] = []
    after: Place | None = None
    while True:
        page, more = shelves.page("r", collection, wanted, after=after, limit=limit)
        assert len(page) <= limit and (page or not more)
        found += page
        if not more:
            return found
        after = page[-1].place


def agree(shelves: Shelves, rows: list[tuple[int, int | None, str, str]], wanted: Wanted, limit: int) -> None:
    """Keep rows one by one, and compare what is read with the twin."""
    kept: dict[tuple[str, int, str], tuple[int, str]] = {}
    for number, (name, day, spec, kind) in enumerate(rows):
        said = None if day is None else f"2026-01-0{day}T00:00:00Z"
        each = Shared(f"{kind}--{name}", kind, spec, said, b"{}")
        shelves.add("r", "c", [each], 100 + number)
        if said is None and any(key[0] == each.id and key[2] == spec for key in kept):
            continue
        version = 100 + number if said is None else moment(said)
        assert version is not None
        kept.setdefault((each.id, version, spec), (100 + number, kind))
    assert [(each.id, each.version, each.spec) for each in reads(shelves, wanted, limit)] == _slowly(kept, wanted)
    shelves.close()


def _slowly(kept: dict[tuple[str, int, str], tuple[int, str]], wanted: Wanted) -> list[tuple[str, int, str]]:
    """STIX version first, then version, then the rest: as TAXII's text has it."""
    found = []
    for key, (added, kind) in kept.items():
        same = [each for each in kept if each[0] == key[0]]
        specs = wanted.specs or (max(each[2] for each in same),)
        candidates = [each[1:] for each in same if each[2] in specs]
        if key[2] not in specs:
            continue
        chosen = {"first": min(candidates), "last": max(candidates)}
        if not any(which == "all" or (key[1:] == chosen[which] if isinstance(which, str) else key[1] == which) for which in wanted.versions):
            continue
        if (wanted.ids and key[0] not in wanted.ids) or (wanted.types and kind not in wanted.types):
            continue
        if wanted.added_after is None or added > wanted.added_after:
            found.append((added, *key))
    return [each[1:] for each in sorted(found)]
