"""Stillwatch finds adversarial distillation of language models in API logs.

>>> import stillwatch
>>> found = stillwatch.scan("log.parquet", history="earlier/")  # doctest: +SKIP
>>> found.campaigns.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillwatch.doors.api import Scan, drill, explain, limits, marks, scan, verify
    from stillwatch.doors.outcomes import Drilled, Explanation, Limits, Marked, Verification
    from stillwatch.errors import StillwatchError, UserError

__version__ = "0.1.0"

__all__ = [
    "Drilled",
    "Explanation",
    "Limits",
    "Marked",
    "Scan",
    "StillwatchError",
    "UserError",
    "Verification",
    "__version__",
    "drill",
    "explain",
    "limits",
    "marks",
    "scan",
    "verify",
]

_WHERE = {
    **dict.fromkeys(("Scan", "drill", "explain", "limits", "marks", "scan", "verify"), "stillwatch.doors.api"),
    **dict.fromkeys(("Drilled", "Explanation", "Limits", "Marked", "Verification"), "stillwatch.doors.outcomes"),
    **dict.fromkeys(("StillwatchError", "UserError"), "stillwatch.errors"),
}
"Name -> its module, which is imported when the name is first asked for: importing the package alone stays quick."


class _Package(ModuleType):
    """The package, on which `drill` stays the function of that name.

    The room `drill` has the same name, and the import system would hang it here as soon as anything imports it. It is reached by
    `from stillwatch.drill import ...` as ever.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _WHERE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


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
