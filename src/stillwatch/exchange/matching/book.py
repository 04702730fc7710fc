"""What a member remembers of its peers' matchings: commitments, keys and spent evaluations, for each peer, type and epoch.

A value: every change makes a new book, which the caller keeps before it sends what the change belongs to. A peer that could make a member forget could
ask without end, so a book that is lost is to be treated as if every budget of the epoch were spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import orjson

from stillwatch.errors import StillwatchError
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.wire import Opening, Terms

VERSION = 1

OPENINGS = 32
"Openings of one peer, type and epoch that are taken: whoever opens again and again keeps others away, and fills the book."


@dataclass(frozen=True)
class Page:
    """One peer, type and epoch."""

    root: str | None = None
    "The commitment, hex; None before the first."
    band: int | None = None
    "Its size."
    key: str | None = None
    "The peer's public key, hex; None before it was shown."
    spent: int = 0
    "Evaluations asked of me so far."
    nonces: tuple[str, ...] = ()
    "Openings that were taken: none is taken twice."
    done: bool = False
    "Whether the two sets were matched to the end."


@dataclass(frozen=True)
class Book:
    """All pages, by peer, type and epoch."""

    pages: Mapping[tuple[str, str, str], Page] = field(default_factory=dict)

    def page(self, terms: Terms) -> Page:
        """The page of the terms; empty where there is none."""
        return self.pages.get((terms.peer, terms.type, terms.epoch), Page())

    def _with(self, terms: Terms, page: Page) -> Book:
        return Book({**self.pages, (terms.peer, terms.type, terms.epoch): page})

    def opened(self, terms: Terms, opening: Opening) -> Book:
        """A peer's commitment. Raises: Refused for a nonce seen before, for another set than that of the epoch, and for a set already matched."""
        page = self.page(terms)
        if opening.nonce.hex() in page.nonces:
            raise Refused("order")
        if page.root is not None and (page.root, page.band) != (opening.root.hex(), opening.band):
            raise Refused("changed set")
        if page.done:
            raise Refused("repeated set")
        if len(page.nonces) >= OPENINGS:
            raise Refused("openings")
        return self._with(terms, replace(page, root=opening.root.hex(), band=opening.band, nonces=(*page.nonces, opening.nonce.hex())))

    def keyed(self, terms: Terms, public: bytes) -> Book:
        """A peer's public key. Raises: Refused for another than it showed in this epoch."""
        page = self.page(terms)
        if page.key is not None and page.key != public.hex():
            raise Refused("changed key")
        return self._with(terms, replace(page, key=public.hex()))

    def charged(self, terms: Terms, count: int, budget: int) -> Book:
        """Evaluations that a peer asks for. Raises: Refused above the budget, before any is made."""
        page = self.page(terms)
        if page.spent + count > budget:
            raise Refused("budget")
        return self._with(terms, replace(page, spent=page.spent + count))

    def finished(self, terms: Terms) -> Book:
        """The two sets were matched: in this epoch they are not matched again."""
        return self._with(terms, replace(self.page(terms), done=True))

    def without(self, epoch: str) -> Book:
        """The book once an epoch is over and its keys are destroyed."""
        return Book({at: page for at, page in self.pages.items() if at[2] != epoch})

    def newest(self, type_: str, count: int) -> Book:
        """The book with the newest epochs of a type only, so that it does not grow for ever. Names of epochs are dates: they sort as their times do.

        Epochs of days, weeks and months have names of different lengths and are counted apart.
        """
        names: dict[int, set[str]] = {}
        for _, of, epoch in self.pages:
            if of == type_:
                names.setdefault(len(epoch), set()).add(epoch)
        stay = {epoch for every in names.values() for epoch in sorted(every)[-count:]}
        return Book({at: page for at, page in self.pages.items() if at[1] != type_ or at[2] in stay})

    def to_bytes(self) -> bytes:
        """The book as versioned JSON."""
        pages = [{"peer": peer, "type": type_, "epoch": epoch, **asdict(page)} for (peer, type_, epoch), page in sorted(self.pages.items())]
        return orjson.dumps({"version": VERSION, "pages": pages})

    @classmethod
    def from_bytes(cls, data: bytes) -> Book:
        """Raises: StillwatchError for bytes that are no book; a member goes on only with a book it can read."""
        try:
            told = orjson.loads(data)
            if told["version"] != VERSION:
                raise ValueError
            pages = {(each.pop("peer"), each.pop("type"), each.pop("epoch")): Page(**{**each, "nonces": tuple(each["nonces"])}) for each in told["pages"]}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StillwatchError("this is no book of matchings", "matching", "restore it, or begin a new epoch with new keys") from error
        return cls(pages)
