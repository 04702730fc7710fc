"""What a member keeps of its matchings: the book of its peers, its secret, and the sets that it brings."""

from __future__ import annotations

import fcntl
import os
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType

from stillwatch.errors import UserError
from stillwatch.exchange.matching.book import Book
from stillwatch.files import publish

TYPES = {
    "payment": ("payment", "payment instruments"),
    "domain": ("email_domain", "mail domains"),
    "organisation": ("org", "organisations, as the provider names them"),
    "account": ("account", "account ids, where members have the same"),
}
"Type of identifier -> (column of a log, what it is)."

EPOCHS_KEPT = 40
"Epochs of a type that a book remembers. An epoch that it has forgotten is long over, and no desk answers in it."

HEAD = "# stillwatch identifiers 1 "
"Begin of a file of identifiers; the type follows."


def normal(kind: str, value: str) -> bytes:
    """An identifier in the form in which members compare it: Unicode NFKC without space around; domains and organisations without case, and inner space once.

    >>> normal("domain", " Example.COM. "), normal("payment", " card-7 ")
    (b'example.com', b'card-7')
    """
    text = unicodedata.normalize("NFKC", value).strip()
    if kind in ("domain", "organisation"):
        text = " ".join(text.casefold().split()).rstrip(".")
    return text.encode("utf-8", "replace")


def write_items(path: Path, kind: str, items: Iterable[bytes]) -> int:
    """A file of identifiers, readable by its owner alone, in the order of their bytes. Returns how many."""
    lines = sorted({each for each in items if each and b"\n" not in each})
    with publish(path) as part:
        part.chmod(0o600)
        part.write_bytes(f"{HEAD}{kind}\n".encode() + b"".join(each + b"\n" for each in lines))
    return len(lines)


def read_items(path: Path, kind: str) -> Collection[bytes]:
    """The identifiers in a file, one a line; a first line that names another type is refused. Raises: UserError."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", str(path), "`stillwatch identifiers` writes one") from error
    if lines and lines[0].startswith(HEAD.encode()):
        told = lines.pop(0)[len(HEAD) :].decode("utf-8", "replace").strip()
        if told != kind:
            raise UserError(f"holds identifiers of type {told}, not {kind}", str(path), "name another file, or --type")
    items: set[bytes] = set()
    for number, line in enumerate(lines, 1):
        try:
            items.add(normal(kind, line.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise UserError("is not UTF-8 text", f"{path}:{number}", "write one identifier a line") from error
    return items - {b""}


class Busy(UserError):
    """A book that another matching holds."""


class BookFile:
    """The book in a file, held by one matching at a time. To be used in a `with`; what is kept is on the disk before `keep` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.book = Book()

    def __enter__(self) -> BookFile:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.book = Book.from_bytes(self._path.read_bytes()) if self._path.exists() else Book()
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, BlockingIOError):
                raise Busy("another matching is going on", str(self._path), "wait until it has ended") from error
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let others match."""
        os.close(self._lock)

    def keep(self, book: Book) -> None:
        """Write the book down, before anything that hangs on it is sent."""
        if book == self.book:
            return
        with publish(self._path) as part:
            part.chmod(0o600)
            part.write_bytes(book.to_bytes())
        self.book = book
