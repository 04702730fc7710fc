"""Collections of shared objects on any database: added once, read in the order of adding, page by page from any place.

Every object gets a moment of its own, later than all before it in its collection, and the writers of a collection take turns: what is
committed later was added later, so a reader who asks for everything after the last moment that it saw misses nothing.

Which versions are first and last is settled when something is written or deleted (the column `marks`), so that a page is one walk along an
index from where the last one ended, however large the collection is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from stillwatch.errors import StillwatchError
from stillwatch.store.shared.declare import SPECS, Database, Kept, Place, Shared, Status, Wanted, Written, moment, written

FIRST, LAST, FIRST_OF_SPEC, LAST_OF_SPEC, NEWEST_SPEC = 1, 2, 4, 8, 16
"Of all versions of an object the first or last; of those under one version of STIX; whether its version of STIX is the object's newest."
CURRENT = LAST_OF_SPEC | NEWEST_SPEC
"What is read where no filter is set."

ONLY = FIRST | LAST | FIRST_OF_SPEC | LAST_OF_SPEC | NEWEST_SPEC
"Marks of an object's one version."

_TRIES = 100
"Times that a collection's number is looked for."

_MOST_IDS = 500
"So many ids are looked up in one statement."

_KEY = tuple[str, int, str]
"Id, version and STIX version: what is there once in a collection."

_TABLES = (
    "CREATE TABLE IF NOT EXISTS shelves (shelf INTEGER PRIMARY KEY, root TEXT NOT NULL, collection TEXT NOT NULL, last_added BIGINT NOT NULL, "
    "UNIQUE (root, collection))",
    "CREATE TABLE IF NOT EXISTS objects (shelf INTEGER NOT NULL, added BIGINT NOT NULL, id TEXT {order} NOT NULL, version BIGINT NOT NULL, "
    "spec TEXT {order} NOT NULL, type TEXT NOT NULL, said TEXT NOT NULL, marks INTEGER NOT NULL, body {binary} NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS objects_once ON objects (shelf, id, version, spec)",
    "CREATE INDEX IF NOT EXISTS objects_order ON objects (shelf, added, id, version, spec)",
    "CREATE INDEX IF NOT EXISTS objects_type ON objects (shelf, type, added, id, version, spec)",
    f"CREATE INDEX IF NOT EXISTS objects_current ON objects (shelf, added, id, version, spec) WHERE (marks & {CURRENT}) = {CURRENT}",
    "CREATE TABLE IF NOT EXISTS statuses (root TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, asked BIGINT NOT NULL, body {binary} NOT NULL, "
    "PRIMARY KEY (root, id))",
    "CREATE INDEX IF NOT EXISTS statuses_asked ON statuses (asked)",
)
_COLUMNS = ("shelf", "added", "id", "version", "spec", "type", "said", "marks", "body")


class Shelves:
    """All collections of a server. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[tuple[str, str], int] = {}
        order = 'COLLATE "C"' if database.binary == "BYTEA" else ""  # bytes decide the order in both
        with database.transaction():
            for sql in _TABLES:
                database.change(sql.format(binary=database.binary, order=order))

    def _shelf(self, root: str, collection: str) -> int:
        known = self._numbers.get((root, collection))
        if known is None:
            known = self._numbers[root, collection] = self._found(root, collection) or self._made(root, collection)
        return known

    def _found(self, root: str, collection: str) -> int | None:
        rows = list(self._database.query("SELECT shelf FROM shelves WHERE root = ? AND collection = ?", (root, collection)))
        return int(rows[0][0]) if rows else None

    def _made(self, root: str, collection: str) -> int:
        # Of those that make a collection in one moment one wins its name, and of those that make two the same number: whoever lost looks again.
        for _ in range(_TRIES):
            with self._database.transaction():
                self._database.change(
                    "INSERT INTO shelves (shelf, root, collection, last_added) SELECT coalesce(max(shelf), 0) + 1, ?, ?, 0 FROM shelves WHERE 1 = 1 ON CONFLICT DO NOTHING",
                    (root, collection),
                )
            if (number := self._found(root, collection)) is not None:
                return number
        raise StillwatchError("a collection cannot be begun: too many begin at once", collection, "try again")

    def add(self, root: str, collection: str, objects: Sequence[Shared], now: int, status: Callable[[Written], Status] | None = None) -> Written:
        """Keep objects; one that is there already (id, version and STIX version) stays as it is and counts as kept.

        `now`: microseconds since 1970; `status`: says what became of them, which is kept with them. Either all is kept or, when this raises, nothing.
        """
        shelf = self._shelf(root, collection)
        with self._database.transaction():
            # The collection's row is its writers' lock; SQLite has but one writer anyway.
            self._database.change("UPDATE shelves SET last_added = last_added WHERE shelf = ?", (shelf,))
            last = int(next(iter(self._database.query("SELECT last_added FROM shelves WHERE shelf = ?", (shelf,))))[0])
            there = self._there(shelf, {each.id for each in objects})
            rows, versions, last = _new(shelf, objects, there, max(now, last + 1), last, now)
            if rows:
                self._settle(shelf, there, rows)
                self._database.insert("objects", _COLUMNS, rows)
                self._database.change("UPDATE shelves SET last_added = ? WHERE shelf = ?", (last, shelf))
            written_ = Written(tuple(versions), len(rows))
            if status is not None:
                self._say(root, status(written_))
        return written_

    def _there(self, shelf: int, ids: Iterable[str]) -> dict[str, dict[_KEY, int]]:
        """Of each id what is kept, with its marks."""
        found: dict[str, dict[_KEY, int]] = {}
        names = sorted(ids)
        for first in range(0, len(names), _MOST_IDS):
            part = names[first : first + _MOST_IDS]
            sql = f"SELECT id, version, spec, marks FROM objects WHERE shelf = ? AND id IN ({', '.join('?' * len(part))})"
            for name, version, spec, marks in self._database.query(sql, (shelf, *part)):
                found.setdefault(name, {})[name, version, spec] = marks
        return found

    def _settle(self, shelf: int, there: dict[str, dict[_KEY, int]], rows: list[list[Any]]) -> None:
        """Give new rows their marks, and those that were there the ones that they have now."""
        fresh: dict[str, dict[_KEY, list[Any]]] = {}
        for row in rows:
            fresh.setdefault(row[2], {})[row[2], row[3], row[4]] = row
        for name, each in fresh.items():
            kept = there.get(name, {})
            if not kept and len(each) == 1:
                next(iter(each.values()))[7] = ONLY
                continue
            for key, marks in marked([*kept, *each]).items():
                if key in each:
                    each[key][7] = marks
                elif marks != kept[key]:
                    self._mark(shelf, key, marks)

    def _mark(self, shelf: int, key: _KEY, marks: int) -> None:
        self._database.change("UPDATE objects SET marks = ? WHERE shelf = ? AND id = ? AND version = ? AND spec = ?", (marks, shelf, *key))

    def has(self, root: str, collection: str, name: str) -> bool:
        """Whether any version of an object is there."""
        shelf = self._shelf(root, collection)
        return any(True for _ in self._database.query("SELECT 1 FROM objects WHERE shelf = ? AND id = ? LIMIT 1", (shelf, name)))

    def page(
        self, root: str, collection: str, wanted: Wanted, *, after: Place | None = None, limit: int, most_bytes: int | None = None, bodies: bool = True
    ) -> tuple[list[Kept], bool]:
        """The next objects in the order of adding, and whether there are more.

        `after`: the place where the last page ended; None from the beginning. `most_bytes`: a page ends with the object that reaches it.
        """
        shelf, body = self._shelf(root, collection), "body" if bodies else "''"
        where, values = _where(wanted, after)
        # Several types are several walks along the index of types, merged: one walk over all types would read what nobody asked for.
        # The plus keeps the planner from walking the whole collection where a few ids are named.
        # One statement, so that all walks see the collection at one moment.
        walks, given = list[str](), list[Any]()
        order = f"ORDER BY {'+' if wanted.ids else ''}added, id, version, spec LIMIT {limit + 1}"
        kinds: list[str | None] = [None] if wanted.ids or not wanted.types else [*sorted(set(wanted.types))]
        for kind in kinds:
            narrowed, more = (" AND type = ?", [kind]) if kind is not None else ("", [])
            walks.append(f"SELECT added, id, version, spec, said, {body} AS body FROM objects WHERE shelf = ?{where}{narrowed} {order}")
            given += [shelf, *values, *more]
        if len(walks) > 1:
            walks = [
                " UNION ALL ".join(f"SELECT * FROM ({walk}) AS walk{number}" for number, walk in enumerate(walks))
                + f" ORDER BY added, id, version, spec LIMIT {limit + 1}"
            ]
        found = self._database.query(walks[0], given)
        page: list[Kept] = []
        size = 0
        for row in islice(found, limit + 1):
            if len(page) == limit or (most_bytes is not None and size >= most_bytes):
                return page, True
            page.append(Kept(row[0], row[1], row[2], row[3], row[4], bytes(row[5]) if bodies else b""))
            size += len(page[-1].body)
        return page, False

    def delete(self, root: str, collection: str, wanted: Wanted) -> int:
        """Remove what the filters say of the objects named in `wanted.ids`. Returns how many versions went."""
        if not wanted.ids:
            raise StillwatchError("an object to delete must be named", collection, "name its id")
        shelf = self._shelf(root, collection)
        where, values = _where(wanted, None)
        with self._database.transaction():
            self._database.change("UPDATE shelves SET last_added = last_added WHERE shelf = ?", (shelf,))
            gone = self._database.change(f"DELETE FROM objects WHERE shelf = ?{where}", (shelf, *values))
            for kept in self._there(shelf, wanted.ids).values():
                for key, marks in marked(list(kept)).items():
                    if marks != kept[key]:
                        self._mark(shelf, key, marks)
        return gone

    def tell(self, root: str, status: Status) -> None:
        """Keep what became of a request to add."""
        with self._database.transaction():
            self._say(root, status)

    def _say(self, root: str, status: Status) -> None:
        if status.oldest is not None:
            self._database.change("DELETE FROM statuses WHERE asked < ?", (status.oldest,))
        self._database.insert("statuses", ("root", "id", "owner", "asked", "body"), [(root, status.name, status.owner, status.asked, status.body)])

    def told(self, root: str, name: str, owner: str) -> bytes | None:
        """A status, for whoever asked; None where there is none, or it is another's."""
        rows = self._database.query("SELECT body FROM statuses WHERE root = ? AND id = ? AND owner = ?", (root, name, owner))
        return next((bytes(row[0]) for row in rows), None)

    def close(self) -> None:
        """Let the database go."""
        self._database.close()


def _new(shelf: int, objects: Sequence[Shared], there: dict[str, dict[_KEY, int]], at: int, last: int, now: int) -> tuple[list[list[Any]], list[int], int]:
    """The rows that are to be added, the version of every object, and the last moment given.

    Of an object without a version that is there already, the version told is this request's moment: the other is when somebody else added it, and
    whoever may add need not be one who may read.
    """
    once = {key for kept in there.values() for key in kept}
    unversioned = {(name, spec): version for name, version, spec in once}
    rows: list[list[Any]] = []
    versions: list[int] = []
    for each in objects:
        added = at if each.added is None else each.added
        version = moment(each.said) if each.said is not None else unversioned.get((each.id, each.spec), added)
        if version is None:
            raise StillwatchError("an object whose version is no timestamp", each.id, "check it before it is kept")
        key = (each.id, version, each.spec)
        versions.append(now if key in once and each.said is None else version)
        if key in once:
            continue
        once.add(key)
        unversioned[each.id, each.spec] = version
        rows.append([shelf, added, each.id, version, each.spec, each.type, written(version) if each.said is None else each.said, 0, each.body])
        last = max(last, added)
        at = max(at, last + 1) if each.added is None else at
    return rows, versions, last


def marked(keys: Sequence[_KEY]) -> dict[_KEY, int]:
    """Of each version of one object its marks.

    >>> marked([("a", 1, "2.1"), ("a", 2, "2.1")]) == {("a", 1, "2.1"): FIRST | FIRST_OF_SPEC | NEWEST_SPEC, ("a", 2, "2.1"): LAST | CURRENT}
    True
    """
    newest = max(spec for _, _, spec in keys) if keys else ""
    marks = dict.fromkeys(keys, 0)
    for group, first, last in ((keys, FIRST, LAST), *(([key for key in keys if key[2] == spec], FIRST_OF_SPEC, LAST_OF_SPEC) for spec in SPECS)):
        if group:
            # Under two versions of STIX one moment can be twice: the newer STIX version is then the later one.
            marks[min(group, key=lambda key: key[1:])] |= first
            marks[max(group, key=lambda key: key[1:])] |= last
    return {key: mark | (NEWEST_SPEC if key[2] == newest else 0) for key, mark in marks.items()}


def _where(wanted: Wanted, after: Place | None) -> tuple[str, list[Any]]:
    """The filters as conditions, and their values."""
    parts: list[str] = []
    values: list[Any] = []
    if after is not None:
        parts.append("(added, id, version, spec) > (?, ?, ?, ?)")
        values += [after.added, after.id, after.version, after.spec]
    elif wanted.added_after is not None:
        parts.append("added > ?")
        values.append(wanted.added_after)
    if wanted.ids:
        parts.append(f"id IN ({', '.join('?' * len(wanted.ids))})")
        values += wanted.ids
        if wanted.types:
            parts.append(f"type IN ({', '.join('?' * len(wanted.types))})")
            values += wanted.types
    if wanted.specs:
        parts.append(f"spec IN ({', '.join('?' * len(wanted.specs))})")
        values += wanted.specs
    several = set(SPECS) <= set(wanted.specs)
    marks = {"first": FIRST if several else FIRST_OF_SPEC, "last": LAST if several else LAST_OF_SPEC, "all": 0}
    newest = 0 if wanted.specs else NEWEST_SPEC
    either: list[str] = []
    for each in wanted.versions:
        mask = newest | (marks[each] if isinstance(each, str) else 0)
        said = f"{'+' if wanted.ids else ''}(marks & {mask}) = {mask}"
        if isinstance(each, int):
            either.append(f"({said} AND version = ?)")
            values.append(each)
        else:
            either.append(said)
    parts.append(either[0] if len(either) == 1 else f"({' OR '.join(either)})")
    return "".join(f" AND {part}" for part in parts), values
