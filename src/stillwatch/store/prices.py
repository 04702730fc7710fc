"""Reading list prices: those that come with the program, or a file of the user's own."""

from __future__ import annotations

import math
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from stillwatch.campaigns.taken import Price, Prices
from stillwatch.errors import UserError, toml
from stillwatch.files import written

_BLOCK = "[[price]]: models (list of names), input, output and, if known, cached in US dollars for a million tokens, as_of (a day)"


def load(path: Path | None = None) -> Prices:
    """The prices in a TOML file, or the program's own. Raises UserError for what cannot be read or is no price."""
    if path is None:
        where = "campaigns/prices.toml"
        text = (files("stillwatch.campaigns") / "prices.toml").read_text(encoding="utf-8")
    else:
        where = str(path)
        text = written(path, "the prices")
    try:
        table = toml(text)
    except ValueError as error:
        raise UserError(f"the prices are not TOML: {error}", where, f"write blocks of {_BLOCK}") from error
    return _prices(table, where)


def _prices(table: dict[str, Any], where: str) -> Prices:
    blocks, source = table.get("price"), table.get("source", where)
    strange = sorted(set(table) - {"price", "source"})
    if strange or not isinstance(blocks, list) or not blocks or not isinstance(source, str):
        what = f'unknown word "{strange[0]}"' if strange else "no price in it"
        raise UserError(what, where, f"write source (a sentence) and blocks of {_BLOCK}")
    found: list[Price] = []
    for number, block in enumerate(blocks, 1):
        found += _block(block, f"{where}, price {number}")
    return Prices(tuple(found), source)


def _block(block: Any, where: str) -> list[Price]:
    models = block.get("models") if isinstance(block, dict) else None
    if not isinstance(models, list) or not models or not all(isinstance(name, str) and name for name in models):
        raise UserError("names no models", where, f"write {_BLOCK}")
    strange = sorted(set(block) - {"models", "input", "output", "cached", "as_of"})
    if strange:
        raise UserError(f'unknown word "{strange[0]}"', where, f"write {_BLOCK}")
    paid = {name: _dollars(block.get(name), name, where) for name in ("input", "output")}
    cached = None if block.get("cached") is None else _dollars(block["cached"], "cached", where)
    day = block.get("as_of")
    if not isinstance(day, date):
        raise UserError("as_of is no day", where, "write the day on which the price held, as_of = 2026-01-31")
    return [Price(name, paid["input"], paid["output"], cached, day.isoformat()[:10]) for name in models]


def _dollars(given: Any, name: str, where: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given < 0:
        raise UserError(f"{name} is no price", where, "write US dollars for a million tokens, as a number")
    return float(given)
