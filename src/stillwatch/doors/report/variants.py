"""Template variants as marks: hashes and counts, never text."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from stillwatch.doors.report.words import count, table

EMPTY = '<p class="soft">No shared wording: the case rests on other signs, or the log keeps no content.</p>'


def _bar(part: int, whole: int) -> str:
    return f'{part:,}<span class="meter" aria-hidden="true"><i style="width:{100 * part / max(1, whole):.0f}%"></i></span>'


def variants(told: Mapping[str, Any], accounts: int, calls: int) -> str:
    """Pieces of template with wordings, accounts and calls of each, and which pieces the same accounts use together."""
    pieces = told.get("pieces") or []
    if not pieces:
        return EMPTY
    rows = []
    for place, piece in enumerate(pieces, 1):
        before = "not known" if piece["before"] is None else "nobody" if piece["before"] == 0 else f"{piece['before']:,}"
        named = ", ".join(escape(str(name)) for name in piece["named"])
        rest = f" and {piece['accounts'] - len(piece['named']):,} more" if piece["accounts"] > len(piece["named"]) else ""
        rows.append((
            f'{place} <span class="id">{escape(piece["mark"])}</span>', f"{piece['wordings']:,}", _bar(piece["accounts"], accounts), _bar(piece["calls"], calls),
            before, f'<span class="id">{named}</span>{rest}',
        ))  # fmt: skip
    head = (("Piece and its mark", ""), ("Wordings", "n"), ("Accounts", "n"), ("Core calls", "n"), ("Used before by", "n"), ("Busiest users", ""))
    more = told["more"]
    rest = f'<p class="soft">And {count(more["pieces"], "smaller piece")} with {count(more["wordings"], "wording")}.</p>' if more["pieces"] else ""
    return table("Pieces of template that accounts use again and again; a mark is a hash, no text is kept", head, rows) + rest + _sets(told)


def _sets(told: Mapping[str, Any]) -> str:
    """Which pieces go together, as a small matrix of dots; nothing where there is one piece only."""
    pieces, sets = len(told["pieces"]), told["sets"]
    if pieces < 2 or not sets:
        return ""
    rows = []
    for each in sets:
        dots = "".join(f'<i class="{"in" if p in each["pieces"] else "out"}"></i>' for p in range(pieces))
        listed = ", ".join(str(p + 1) for p in each["pieces"])
        rows.append((f"{listed}", f'<span class="dots" aria-hidden="true">{dots}</span>', f"{each['accounts']:,}"))
    others = f'<p class="soft">{count(told["others"], "account")} with other sets.</p>' if told["others"] else ""
    head = (("Pieces", ""), ("Of all shown", ""), ("Accounts", "n"))
    return table("Which pieces the same accounts use, by the numbers above", head, rows) + others
