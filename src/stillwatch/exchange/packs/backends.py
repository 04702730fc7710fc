"""A pack's rules in the words of a SIEM, through pySigma: an optional extra, never needed to run a pack."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from stillwatch.errors import UserError
from stillwatch.exchange.packs.pack import Pack
from stillwatch.exchange.packs.sigma import PLACEHOLDER, Correlation

BACKENDS: dict[str, tuple[str, str, str]] = {
    "splunk": ("sigma.backends.splunk", "SplunkBackend", "pysigma-backend-splunk"),
    "elasticsearch": ("sigma.backends.elasticsearch", "ESQLBackend", "pysigma-backend-elasticsearch"),
}
"Name -> module, class and package."


def filled(pack: Pack, numbers: Mapping[str, float]) -> list[dict[str, Any]]:
    """The pack's rules with thresholds as numbers: plain Sigma that any tool reads."""
    return [_filled(copy.deepcopy(rule), numbers) for rule in pack.told["rules"]]


def _filled(part: Any, numbers: Mapping[str, float]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, numbers) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(each, numbers) for each in part]
    if isinstance(part, str) and re.fullmatch(PLACEHOLDER, part):
        return numbers[part.strip("%")]
    return part


def converted(pack: Pack, numbers: Mapping[str, float], backend: str) -> list[str]:
    """Queries of a backend, one for each rule and correlation, in order; that of a correlation has its rules in it.

    Raises: UserError where the backend is unknown, not installed, or cannot say a rule.
    """
    if backend not in BACKENDS:
        raise UserError(f"no such backend: {backend}", "--backend", f"name one of {', '.join(BACKENDS)}")
    module, name, package = BACKENDS[backend]
    try:
        collection, known = import_module("sigma.collection").SigmaCollection, import_module("sigma.exceptions")
        made = getattr(import_module(module), name)()
    except ImportError as error:
        raise UserError(f"the backend {backend} is not installed", "--backend", f"pip install pysigma {package}") from error
    plain = filled(pack, numbers)
    of = {rule.id: rule.of if isinstance(rule, Correlation) else () for rule in pack.rules}
    try:
        # One at a time: a rule that a correlation uses has no query of its own beside it.
        queries = [made.convert(collection.from_dicts([each for each in plain if each["id"] in (rule.id, *of[rule.id])]))[-1] for rule in pack.rules]
    except (known.SigmaError, NotImplementedError) as error:
        raise UserError(f"{backend} cannot say a rule of this pack ({error})", pack.name, "name another backend") from error
    return [str(query) for query in queries]
