"""Small inline charts in SVG, readable without colour and without a script. Their labels are text of the page, so that they stay legible at any width."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from stillwatch.doors.report.words import moment, span


def _round_up(most: int) -> int:
    """The top of an axis: the least of 1, 2, 2.5, 5 x 10^k that is not below `most`.

    >>> [_round_up(n) for n in (1, 3, 32, 201, 10**9 + 1)]
    [1, 5, 50, 250, 2000000000]
    """
    size = 1
    while True:
        for step in (10, 20, 25, 50):
            if step * size >= 10 * most and step * size % 10 == 0:
                return step * size // 10
        size *= 10


def volume(told: Mapping[str, Any]) -> str:
    """Calls over time as bars: calls upwards from 0, time in UTC to the right."""
    calls: list[int] = list(told.get("calls") or [])
    if not calls:
        return '<p class="soft">unknown</p>'
    start, bucket, most = int(told["start_ts"]), int(told["bucket_us"]), max(calls)
    top, end = _round_up(max(1, most)), start + len(calls) * bucket
    bars = "".join(
        f'<rect class="bar" x="{i + 0.08:.2f}" y="{100 - 100 * count / top:.2f}" width="0.84" height="{100 * count / top:.2f}">'
        f"<title>{moment(start + i * bucket)} UTC: {count:,} calls</title></rect>"
        for i, count in enumerate(calls)
        if count
    )
    grid = "".join(f'<line class="grid" x1="0" x2="{len(calls)}" y1="{y}" y2="{y}"/>' for y in (0, 50))
    said = f"Calls over time, one bar for {span(bucket)}, at most {most:,}, {sum(calls):,} in all, from {moment(start)} to {moment(end)} UTC"
    middle = f"{top / 2:,.0f}" if top > 1 else ""
    return (
        f'<figure class="volume"><div class="y" aria-hidden="true"><span>{top:,}</span><span>{middle}</span><span>0</span></div>'
        f'<svg viewBox="0 0 {len(calls)} 100" preserveAspectRatio="none" role="img" aria-label="{escape(said)}">{grid}{bars}'
        f'<line class="axis" x1="0" x2="{len(calls)}" y1="100" y2="100"/></svg>'
        f'<div class="x" aria-hidden="true"><span>{moment(start)}</span><span>{moment(start + len(calls) * bucket // 2)}</span><span>{moment(end)}</span></div>'
        f"<figcaption>Core calls (upwards) per {span(bucket)} (one bar), time in UTC.</figcaption></figure>"
    )


def benign_range(value: float, low: float | None, high: float | None, fires: bool) -> str:
    """The value as a dot on a scale on which the benign range (5th to 95th percentile of the reference) is a bar."""
    if low is None or high is None:
        return '<span class="soft">no reference</span>'
    left = min(0.0, value, low)
    wide = max(max(value, high) - left, 1e-9) * 1.04

    def place(x: float) -> float:
        return 6 + 128 * (x - left) / wide

    said = f"{value:.3g} on a scale where benign lies from {low:.3g} to {high:.3g}"
    return (
        f'<svg class="scale" viewBox="0 0 140 16" width="140" height="16" role="img" aria-label="{said}"><line class="axis" x1="4" x2="136" y1="8" y2="8"/>'
        f'<rect class="range" x="{place(low):.1f}" y="3" width="{max(2.0, place(high) - place(low)):.1f}" height="10" rx="3"/>'
        f'<circle class="dot{" fires" if fires else ""}" cx="{place(value):.1f}" cy="8" r="4.5"/></svg><span class="soft">{low:.3g} to {high:.3g}</span>'
    )


def shares(told: Mapping[str, float], most: int = 8) -> str:
    """Shares as labelled bars, the largest first."""
    ordered = sorted(told.items(), key=lambda each: (-each[1], each[0]))
    rest = sum(share for _, share in ordered[most:])
    shown = [*ordered[:most], *([(f"{len(ordered) - most} others", rest)] if rest > 0 else [])]
    rows = "".join(
        f'<li class="share"><span>{escape(name)}</span><i style="width:{100 * share:.1f}%" aria-hidden="true"></i>'
        f"<span>{'&lt;1 %' if 0 < share < 0.005 else f'{100 * share:.0f} %'}</span></li>"
        for name, share in shown
    )
    return f'<ul class="shares">{rows}</ul>' if rows else '<p class="soft">unknown: the log holds nothing that tells</p>'
