"""Objects of a store such as S3: found by prefix or glob, read in order by long ranges or piece by piece, never through a file.

The stores differ in how they are reached and in what their errors say: that is each place's own file. Listing, globs, tables and reading are here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from types import TracebackType

import pyarrow as pa
from pyarrow import fs

from stillwatch.errors import UserError
from stillwatch.files import REJECTED, TRUTH
from stillwatch.intake.lakes import declare as lakes
from stillwatch.intake.lakes.declare import Spot
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows

FIRST, RANGE = 64 * 2**10, 8 * 2**20
"Bytes asked for at first and at most where an object is read from its beginning: each time four times as many, for most looks end soon."

RESULT = ".stillwatch"
"Object by which a folder of results is known, as on disk."

_MAGIC = re.compile(r"[*?[]")

Explain = Callable[[str], tuple[str, str] | None]
"What a store's error means and what to try; None for words that are not the store's."


@dataclass(frozen=True)
class Store:
    """A bucket, or container, and how its store is reached."""

    log: str
    "The log as the user named it."
    root: str
    "How objects in it are named, up to the slash behind the bucket: `s3://bucket/`."
    bucket: str
    "Its name."
    system: fs.FileSystem
    "The store."
    explain: Explain
    "What its errors mean."
    reach: dict[str, str] | None = field(default_factory=dict)
    "How tables in it are reached by other packages (see `lakes.Spot`); None where they cannot be."
    word: str = "bucket"
    "What the store calls a bucket."

    def failed(self, error: Exception, name: str) -> UserError:
        """One line for an error of the store."""
        what, attempt = self.explain(str(error)) or (f"cannot be read ({type(error).__name__})", "check the name, the network and the permissions")
        return UserError(what, name, attempt)

    @cached_property
    def there(self) -> bool:
        """Whether the bucket is there at all. Raises UserError when that cannot be asked."""
        return bool(self._asked(self.bucket).type != fs.FileType.NotFound)

    def _asked(self, path: str) -> fs.FileInfo:
        try:
            return self.system.get_file_info(path)
        except (OSError, pa.ArrowException) as error:
            raise self.failed(error, self.log) from error

    def size(self, key: str) -> int | None:
        """Bytes of an object; None where there is none of this name."""
        info = self._asked(f"{self.bucket}/{key}")
        return int(info.size) if info.type == fs.FileType.File else None

    def objects(self, prefix: str, deep: bool = True) -> dict[str, int]:
        """Objects below a prefix that ends in a slash or is empty, by their keys, with their sizes. None there: empty."""
        selector = fs.FileSelector(f"{self.bucket}/{prefix}".rstrip("/"), recursive=deep, allow_not_found=True)
        try:
            found = self.system.get_file_info(selector)
        except FileNotFoundError:
            return {}
        except (OSError, pa.ArrowException) as error:
            raise self.failed(error, self.log) from error
        return {info.path.partition("/")[2]: int(info.size) for info in found if info.type == fs.FileType.File and not info.path.endswith("/")}


@dataclass(frozen=True)
class Object:
    """One object (stream.Away)."""

    store: Store
    key: str
    size: int

    @property
    def name(self) -> str:
        """As it is told."""
        return self.store.root + self.key

    @cached_property
    def head(self) -> bytes:
        """The first bytes. Raises UserError."""
        with self.stream() as stream:
            return bytes(stream.read(4))

    def stream(self) -> _Stream:
        """The object from its beginning, range by range."""
        return _Stream(self)

    def file(self) -> pa.NativeFile:
        """The object in any order. Raises UserError when it cannot be opened."""
        try:
            return self.store.system.open_input_file(f"{self.store.bucket}/{self.key}")
        except (OSError, pa.ArrowException) as error:
            raise self.store.failed(error, self.name) from error

    def refused(self, error: Exception) -> UserError | None:
        """The store's own errors; None for words that are not its own, which speak of what was read."""
        return None if self.store.explain(str(error)) is None else self.store.failed(error, self.name)


class _Stream:
    """An object read from its beginning; whatever goes wrong here is the store's, since nothing is unpacked yet."""

    closed = False

    def __init__(self, of: Object) -> None:
        self._of = of
        self._inner = of.file()
        self._held = memoryview(b"")
        self._next = FIRST

    def read(self, count: int = -1) -> bytes:
        """The next bytes, at most so many; none at the end."""
        if count < 0:
            return b"".join(iter(lambda: self.read(RANGE), b""))
        if not self._held:
            try:
                self._held = memoryview(self._inner.read(self._next))
            except (OSError, pa.ArrowException) as error:
                raise self._of.store.failed(error, self._of.name) from error
            self._next = min(RANGE, 4 * self._next)
        part = bytes(self._held[:count])
        self._held = self._held[count:]
        return part

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Lets go of it."""
        self.closed = True
        self._inner.close()

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def find(store: Store, key: str) -> list[Source | Rows]:
    """What a key, prefix or glob names in a store, as folders and globs on disk are read. Raises UserError where that is nothing."""
    name = store.log
    magic = _MAGIC.search(key)
    base = key[: key.rfind("/", 0, magic.start()) + 1] if magic else key
    _outside(store, base.rstrip("/"), name)
    if magic:
        found = _matching(store, base, key, name)
        if found:
            return found
        _is_there(store, name)
        raise UserError("no object matches", name, "check the pattern, and that the shell did not keep its quotes")
    size = store.size(key) if key and not key.endswith("/") else None
    if size is not None:
        return [Source(store.root + key, Path(key), Object(store, key, size))]
    prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
    inside = _below(store, prefix, name)
    if not inside:
        _is_there(store, name)
        raise UserError("no object of this name, and none below it", name, "check the prefix, which is read as a folder")
    return inside


def _is_there(store: Store, name: str) -> None:
    if not store.there:
        raise UserError(f"no such {store.word}", name, "check its name, and which account or endpoint is asked")


def _below(store: Store, prefix: str, name: str) -> list[Source | Rows]:
    whole = _table(store, prefix, name, "")
    if whole is not None:
        return [whole]
    return _read(store, store.objects(prefix), prefix, name)


def _matching(store: Store, base: str, pattern: str, name: str) -> list[Source | Rows]:
    parts = pattern[len(base) :].split("/")
    listed = store.objects(base)
    split = {key: key[len(base) :].split("/") for key in listed}
    files = {key: listed[key] for key, each in split.items() if matches(each, parts)}
    if files:
        for key in files:
            root = next((root for root in _roots(listed, base) if key.startswith(root)), None)
            if root is not None:
                found = lakes.seen(_inside(listed, root))
                assert found is not None  # roots are where one was seen
                raise lakes.inside_of(store.root + key, found[0], store.root + root)
        return [_source(store, key, size, name) for key, size in files.items() if not key.endswith((TRUTH, REJECTED))]
    # A glob may match folders (a partitioned log); each is read like a folder that is named.
    folders = {"/".join(each[:at]) for each in split.values() for at in range(1, len(each)) if matches(each[:at], parts)}
    inside: list[Source | Rows] = []
    for folder in sorted(folders):
        prefix = f"{base}{folder}/"
        inside += _read(store, {key: size for key, size in listed.items() if key.startswith(prefix)}, prefix, name)
    return inside


def _read(store: Store, listed: dict[str, int], prefix: str, name: str) -> list[Source | Rows]:
    """Objects below a prefix that are logs, and the tables among the folders."""
    roots = _roots(listed, prefix)
    results = [key.removesuffix(RESULT) for key in listed if key.endswith(f"/{RESULT}") or key == RESULT]
    passed = tuple([*roots, *results])
    inside: list[Source | Rows] = []
    for root in roots:
        table = _table(store, root, name, name if root != prefix else "", listed)
        inside += [table] if table is not None else []
    for key, size in listed.items():
        hidden = any(part.startswith((".", "_")) for part in key[len(prefix) :].split("/"))
        if not hidden and not key.endswith((TRUTH, REJECTED)) and not (passed and key.startswith(passed)):
            inside.append(_source(store, key, size, name))
    return inside


def _source(store: Store, key: str, size: int, among: str) -> Source:
    return Source(store.root + key, Path(key), Object(store, key, size), among)


def _roots(listed: Collection[str], prefix: str) -> list[str]:
    """Prefixes of the tables below a prefix, the outermost of each, with a slash."""
    roots: set[str] = set()
    for key in listed:
        parts = key[len(prefix) :].split("/")
        for lake in lakes.every_lake():
            if len(parts) > 1 and parts[-2] == lake.folder and lake.sign(parts[-1]):
                roots.add(prefix + "".join(f"{each}/" for each in parts[:-2]))
    return [root for root in sorted(roots) if not any(root != other and root.startswith(other) for other in roots)]


def _inside(listed: Collection[str], root: str) -> Callable[[str], list[str]]:
    """Names in a folder of a folder, from what is listed."""

    def names(folder: str) -> list[str]:
        start = f"{root}{folder}/"
        return [key[len(start) :] for key in listed if key.startswith(start) and "/" not in key[len(start) :]]

    return names


def _table(store: Store, prefix: str, name: str, among: str, listed: Collection[str] | None = None) -> Rows | None:
    """The table that a prefix is; None where it is none. Raises UserError where tables cannot be read from this store."""
    names = _inside(listed, prefix) if listed is not None else lambda folder: _shallow(store, f"{prefix}{folder}/")
    found = lakes.seen(names)
    if found is None:
        return None
    lake, signs = found
    told = store.root + prefix
    if store.reach is None:
        raise UserError(f"is a table of {lake.name}, which is read from this machine and from S3 only", told, "copy the table, or name it through a catalog")
    return lake.rows(Spot(told, told.rstrip("/"), signs, store.reach, among))


def _shallow(store: Store, prefix: str) -> list[str]:
    return [key[len(prefix) :] for key in store.objects(prefix, deep=False)]


def _outside(store: Store, key: str, name: str) -> None:
    """Refuses what lies within a table: beside live rows there lie deleted ones."""
    for prefix in _above(key):
        found = lakes.seen(lambda folder, prefix=prefix: _shallow(store, f"{prefix}{folder}/"))  # type: ignore[misc]
        if found is not None:
            raise lakes.inside_of(name, found[0], store.root + prefix)


def _above(key: str) -> Iterator[str]:
    parts = key.split("/")[:-1]
    return ("".join(f"{each}/" for each in parts[:at]) for at in range(len(parts) + 1) if key)


def matches(parts: list[str], pattern: list[str]) -> bool:
    """Whether the parts of a key fit those of a glob: `*` stays within a part, `**` spans any number, and neither takes a hidden name.

    >>> matches("a/b/1.jsonl".split("/"), "a/**/*.jsonl".split("/")), matches(["a", "b"], ["*"])
    (True, False)
    """
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return matches(parts, pattern[1:]) or bool(parts and not parts[0].startswith(".") and matches(parts[1:], pattern))
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])
