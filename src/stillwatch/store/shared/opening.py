"""Where shared objects are kept: a path is an SQLite file, a postgresql:// URL is a database."""

from __future__ import annotations

from pathlib import Path

from stillwatch.store.shared.postgresql import Postgresql
from stillwatch.store.shared.shelves import Shelves
from stillwatch.store.shared.sqlite import Sqlite


def opened(place: str) -> Shelves:
    """The collections kept there; made where there are none yet. Raises: UserError when it cannot be used."""
    return Shelves(Postgresql(place) if place.startswith(("postgresql://", "postgres://")) else Sqlite(Path(place)))
