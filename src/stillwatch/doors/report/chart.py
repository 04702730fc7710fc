"""Small inline charts in SVG, readable without colour and without a script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM = 760, 170, 52, 26


def moment(ts: int, clock: bool = True) -> str:
    """A time in UTC.

    >>> moment(1_767_225_600_000_000)
    '2026-01-01 00:00'
    """
    return datetime.fromtimestamp(ts / 1e6, UTC).strftime("%Y-%m-%d %H:%M" if clock else "%Y-%m-%d")


def span(bucket_us: int) -> str:
    """The width of a bar in words.

    >>> span(3_600_000_000), span(86_400_000_000)
    ('1 hour', '1 day')
    """
    seconds = bucket_us // 1_000_000
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return f"{seconds} s"


def volume(told: Mapping[str, Any]) -> str:
    """Calls over time as bars, with both axes named."""
    calls: list[int] = list(told.get("calls") or [])
    if not calls:
        return ""
    start, bucket, most = int(told["start_ts"]), int(told["bucket_us"]), max(calls)
    wide, high = (WIDTH - LEFT - 8) / len(calls), HEIGHT - BOTTOM - 14
    bars = []
    for i, count in enumerate(calls):
        if count:
            tall = high * count / most
            bars.append(
                f'<rect class="bar" x="{LEFT + i * wide:.1f}" y="{14 + high - tall:.1f}" width="{max(1.0, wide - 1):.1f}" height="{tall:.1f}">'
                f"<title>{moment(start + i * bucket)}: {count}</title></rect>"
            )
    base = 14 + high
    middle = start + len(calls) // 2 * bucket
    labels = [(LEFT, "start", start), (LEFT + len(calls) // 2 * wide, "middle", middle), (WIDTH - 8, "end", start + len(calls) * bucket)]
    text = "".join(f'<text x="{x:.0f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{moment(ts)}</text>' for x, anchor, ts in labels)
    said = f"Calls over time, bars of {span(bucket)}, at most {most}, from {moment(start)} to {moment(start + len(calls) * bucket)} UTC"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">'
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 8}" y1="{base}" y2="{base}"/><line class="axis" x1="{LEFT}" x2="{LEFT}" y1="14" y2="{base}"/>'
        f'<text x="{LEFT - 6}" y="22" text-anchor="end">{most}</text><text x="{LEFT - 6}" y="{base}" text-anchor="end">0</text>'
        f"{''.join(bars)}{text}</svg><p class='soft'>Calls each {span(bucket)}, UTC.</p>"
    )


def benign_range(value: float, low: float | None, high: float | None, fires: bool) -> str:
    """The value as a dot on a scale on which the benign range is a bar."""
    if low is None or high is None:
        return '<span class="soft">no reference</span>'
    top = max(value, high, 1e-9) * 1.08

    def place(x: float) -> float:
        return 4 + 132 * max(0.0, x) / top

    said = f"value {value:.3g}; benign from {low:.3g} to {high:.3g}"
    return (
        f'<svg viewBox="0 0 140 16" width="140" height="16" role="img" aria-label="{said}"><line class="axis" x1="4" x2="136" y1="8" y2="8"/>'
        f'<rect class="range" x="{place(low):.1f}" y="4" width="{max(2.0, place(high) - place(low)):.1f}" height="8" rx="3"/>'
        f'<circle class="dot{" fires" if fires else ""}" cx="{place(value):.1f}" cy="8" r="4.5"/></svg>'
    )


def shares(told: Mapping[str, float], most: int = 8) -> str:
    """Shares as labelled bars, the largest first."""
    rows = [
        f'<div class="share"><span>{escape(name)}</span><i style="width:{100 * share:.1f}%" aria-hidden="true"></i><span>{share:.0%}</span></div>'
        for name, share in list(told.items())[:most]
    ]
    rest = sum(list(told.values())[most:])
    if rest > 0:
        rows.append(f'<div class="share"><span>others</span><i style="width:{100 * rest:.1f}%" aria-hidden="true"></i><span>{rest:.0%}</span></div>')
    return "".join(rows) or '<p class="soft">unknown</p>'
