"""Reading the `--context FILE`: dated events around a log that the log itself cannot show.

A TOML file of blocks, each an event; a time without an offset is UTC, a day is its first moment::

    [[release]]                       # a model came out
    model = "orion-5"                 # as the log names it, with or without date and edition
    at = 2026-02-05T17:00:00Z
    ours = true                       # false: another maker's

    [[ban]]                           # accounts were closed
    at = 2026-02-07T09:00:00Z
    accounts = ["acct-17", "acct-18"] # the log's own ids (with --unit: of what is linked), hashed as they are read
    # or count = 3500

    [[payment]]                       # what accounts must pay, or can pay with, was changed
    at = 2026-02-09
    what = "free tier ended"          # price change, free tier ended, payment method blocked

What is told is taken as told: nothing here adds evidence or changes a verdict. It dates what several detectors look for.
"""

from __future__ import annotations

from datetime import date, datetime
from datetime import time as clock
from pathlib import Path

from stillwatch.errors import nearest
from stillwatch.intake.mark import account_hashes
from stillwatch.intake.times import BOUNDS, moment
from stillwatch.records import Ban, Context, PaymentChange, Release
from stillwatch.store.blocks import Block, is_text, is_texts, read

KINDS: dict[str, tuple[str, ...]] = {"release": ("model", "at", "ours"), "ban": ("at", "accounts", "count"), "payment": ("at", "what")}
"Kind of block -> the words in it."

CHANGES = ("price change", "free tier ended", "payment method blocked")
"What a change of payment can be."


def load(path: Path, key: bytes) -> Context:
    """The events in a file; accounts become keyed hashes at once. Raises UserError with line and column for what cannot be used."""
    blocks = read(path, "the context", KINDS)
    return Context(
        tuple(sorted(map(_release, blocks["release"]), key=lambda each: (each.at, each.model))),
        tuple(sorted((_ban(each, key) for each in blocks["ban"]), key=lambda each: (each.at, each.accounts))),
        tuple(sorted((PaymentChange(_at(each), _change(each)) for each in blocks["payment"]), key=lambda each: (each.at, each.what))),
    )


def _at(block: Block) -> int:
    """When it happened, microseconds."""
    given = block.get("at", lambda value: isinstance(value, date | str), "2026-02-05T17:00:00Z")
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, clock())
    found = moment(given, "iso")
    low, high = BOUNDS["ts"]
    if found is None or not low <= found < high:
        raise block.wrong("at", "at is no time from 2015 to 2100", "write at = 2026-02-05T17:00:00Z")
    return found


def _release(block: Block) -> Release:
    model = block.get("model", is_text, '"the model\'s name"')
    return Release(model, _at(block), block.get("ours", lambda value: isinstance(value, bool), "true or false"))


def _ban(block: Block, key: bytes) -> Ban:
    named = block.row.get("accounts")
    if named is None:
        count = block.get("count", lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0, 'a number, or accounts = ["..."]')
        return Ban(_at(block), count, ())
    names = block.get("accounts", is_texts, '["an account", "another"]')
    hashes = tuple(sorted(set(account_hashes(names, key))))
    count = block.row.get("count", len(hashes))
    if not isinstance(count, int) or isinstance(count, bool) or count < len(hashes):
        raise block.wrong("count", f"count is no number from {len(hashes)} on, which are named", "leave it out, or write how many were closed in all")
    return Ban(_at(block), count, hashes)


def _change(block: Block) -> str:
    given: str = block.get("what", is_text, f'"{CHANGES[0]}"')
    if given not in CHANGES:
        close = nearest(given, CHANGES)
        raise block.wrong("what", f'unknown change of payment "{given}"', f'did you mean "{close}"?' if close else f"known: {', '.join(CHANGES)}")
    return given
