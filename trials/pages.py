"""Sections of a page that a trial prints itself, each between two marks."""

from __future__ import annotations

from pathlib import Path

from stillwatch.evidence.power import wilson


def put(into: Path, name: str, section: str) -> None:
    """Write a section into a page, in place of the one before, or at its end."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = into.read_text(encoding="utf-8") if into.exists() else "# The trial\n"
    before, found, after = text.partition(begin)
    made = f"{begin}\n{section.strip()}\n{end}\n"
    page = before + made + after.partition(end)[2].removeprefix("\n") if found else f"{text.rstrip()}\n\n{made}"
    into.write_text(page, encoding="utf-8")


def interval(found: int, of: int, digits: int = 1) -> str:
    """A share in per cent with its 95 % interval (Wilson) and the counts.

    >>> interval(0, 10)
    '0.0 (0.0-27.8; 0/10)'
    """
    if not of:
        return "-"
    low, high = wilson(found, of)
    return f"{100 * found / of:.{digits}f} ({100 * low:.{digits}f}-{100 * high:.{digits}f}; {found:,}/{of:,})"
