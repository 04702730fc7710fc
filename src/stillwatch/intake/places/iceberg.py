"""Tables of an Iceberg catalog that pyiceberg is configured for."""

from __future__ import annotations

import re
from typing import Any

from stillwatch.errors import UserError
from stillwatch.intake.lakes import iceberg
from stillwatch.intake.places.declare import Place
from stillwatch.intake.stream import Source
from stillwatch.intake.tables import Rows


def find(name: str) -> list[Source | Rows]:
    """The table of a catalog. Raises UserError."""
    found = re.fullmatch(r"iceberg://([^/?#]+)/([^/?#.]+(?:\.[^/?#.]+)+)", name, re.IGNORECASE)
    if found is None:
        raise UserError("names no table of a catalog", name, "write iceberg://CATALOG/NAMESPACE.TABLE")
    return [iceberg.opened(name, lambda: _table(name, found[1], found[2]))]


def _table(name: str, catalog: str, identifier: str) -> Any:
    catalogs, faults = iceberg.module(name, "pyiceberg.catalog"), iceberg.faults(name)
    missing = iceberg.module(name, "pyiceberg.exceptions")
    try:
        return catalogs.load_catalog(catalog).load_table(identifier)
    except (missing.NoSuchTableError, missing.NoSuchNamespaceError) as error:
        raise UserError(f"the catalog {catalog} has no table {identifier}", name, "check the namespace and the name") from error
    except faults as error:
        attempt = f"configure it in ~/.pyiceberg.yaml or by PYICEBERG_CATALOG__{catalog.upper()}__URI, and check that it can be reached"
        raise UserError(f"the catalog {catalog} cannot be asked ({type(error).__name__})", name, attempt) from error


PLACE = Place(
    name="Apache Iceberg catalogs",
    page="`iceberg://CATALOG/NAMESPACE.TABLE`: the table's newest snapshot as the catalog has it. Catalogs are those that pyiceberg is configured for, in "
    "`~/.pyiceberg.yaml` or `PYICEBERG_CATALOG__...`; credentials stand there too. Needs the extra `iceberg` (`pip install stillwatch[iceberg]`).",
    schemes=("iceberg",),
    example="iceberg://CATALOG/gateway.calls",
    find=find,
)
