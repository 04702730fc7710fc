"""Stillwatch finds adversarial distillation of language models in API logs.

>>> import stillwatch
>>> found = stillwatch.scan("log.parquet", history="earlier/")  # doctest: +SKIP
>>> found.campaigns.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillwatch.doors.api import Scan, scan
    from stillwatch.errors import StillwatchError, UserError

__version__ = "0.1.0"

__all__ = ["Scan", "StillwatchError", "UserError", "__version__", "scan"]

_WHERE = {"Scan": "stillwatch.doors.api", "scan": "stillwatch.doors.api", "StillwatchError": "stillwatch.errors", "UserError": "stillwatch.errors"}
"Name -> its module, which is imported when the name is first asked for: importing the package alone stays quick."


def __getattr__(name: str) -> object:
    """The exported names, each imported on first use (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_WHERE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The exported names, also those not imported yet."""
    return sorted({*globals(), *__all__})
