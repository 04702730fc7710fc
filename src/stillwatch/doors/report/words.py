"""Numbers and tables as a reader meets them. Everything here returns ready HTML; what comes from a log is escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

NOTHING = '<p class="soft">nothing</p>'


def moment(ts: int) -> str:
    """A time in UTC.

    >>> moment(1_767_225_600_000_000)
    '2026-01-01 00:00'
    """
    return datetime.fromtimestamp(ts / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def span(width_us: int) -> str:
    """A length of time in its largest whole unit.

    >>> span(3_600_000_000), span(172_800_000_000), span(90_000_000)
    ('1 hour', '2 days', '90 seconds')
    """
    seconds = width_us // 1_000_000
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds and seconds % size == 0:
            return count(seconds // size, unit)
    return "less than a second"


def count(number: int, what: str) -> str:
    """A number of things.

    >>> count(1, "alert"), count(1200, "watch"), count(0, "review")
    ('1 alert', '1,200 watches', '0 reviews')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "es" if what.endswith("ch") else "s")


def power(exponent: float) -> str:
    """Ten to a power, for evidence.

    >>> power(26.52), power(-0.2)
    ('10<sup>26.5</sup>', '10<sup>−0.2</sup>')
    """
    return f"10<sup>{exponent:.1f}</sup>".replace("-", "−")


def chance(p: float) -> str:
    """A probability or a rate: plain where a person reads it at once, a power of ten below that.

    >>> chance(0.25), chance(0.0021), chance(3e-9), chance(0.0)
    ('25 %', '0.21 %', '10<sup>−8.5</sup>', 'less than 10<sup>−8</sup>')
    """
    if p <= 0:
        return f"less than {power(-8).replace('.0', '')}"
    return f"{100 * p:.2g} %" if 1e-4 <= p < 0.995 else "100 %" if p >= 0.995 else power(math.log10(p))


def items(lines: Sequence[str]) -> str:
    """Sentences as a list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else NOTHING


def table(caption: str, head: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], empty: str = NOTHING) -> str:
    """A table of ready cells; `head` is (title, class). The first cell of a row names it.

    On a narrow screen the style sheet turns each row into a block and shows the titles beside the cells; the roles keep it a table
    for a screen reader there.
    """
    if not rows:
        return empty
    top = "".join(f'<th role="columnheader" scope="col" class="{kind}">{title}</th>' for title, kind in head)
    body = []
    for first, *rest in rows:
        cells = "".join(
            f'<td role="cell" class="{kind}" data-label="{title}"><div>{cell}</div></td>' for cell, (title, kind) in zip(rest, head[1:], strict=True)
        )
        body.append(f'<tr role="row"><th role="rowheader" scope="row" class="{head[0][1]}">{first}</th>{cells}</tr>')
    return (
        f'<table role="table"><caption>{caption}</caption><thead role="rowgroup"><tr role="row">{top}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(body)}</tbody></table>'
    )
