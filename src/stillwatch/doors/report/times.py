"""Accounts and models over time, under the volume chart and on its columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

from stillwatch.doors.report.words import count, moment, span, table

LEVELS = 4
"Shades of the raster."

UNKNOWN = '<p class="soft">unknown</p>'


def _level(calls: int, most: int) -> int:
    """Shade of a cell, 1 to LEVELS, on a logarithmic scale.

    >>> [_level(n, 100) for n in (1, 2, 5, 20, 100)], _level(1, 1)
    ([1, 1, 2, 3, 4], 4)
    """
    return max(1, math.ceil(LEVELS * math.log1p(calls) / math.log1p(most) - 1e-9))


def _runs(rows: Sequence[Sequence[int]], most: int) -> dict[int, list[str]]:
    """Level -> strokes: neighbouring cells of one shade in one row are one stroke."""
    found: dict[int, list[str]] = {level: [] for level in range(1, LEVELS + 1)}
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            level = _level(row[x], most) if row[x] else 0
            end = x + 1
            while end < len(row) and (_level(row[end], most) if row[end] else 0) == level:
                end += 1
            if level:
                found[level].append(f"M{x} {y + 0.5}h{end - x}")
            x = end
    return found


def axis(over_time: Mapping[str, Any], columns: int) -> str:
    """Times under a chart, as text of the page."""
    start, bucket = int(over_time["start_ts"]), int(over_time["bucket_us"])
    shown = (start, start + columns * bucket // 2, start + columns * bucket)
    return '<div class="x" aria-hidden="true">' + "".join(f"<span>{moment(ts)}</span>" for ts in shown) + "</div>"


def _legend(most: int) -> str:
    """Shades of the raster and from how many calls on each holds."""
    least = {level: min(n for n in range(1, most + 1) if _level(n, most) >= level) for level in range(1, LEVELS + 1)} if most <= 10_000 else {}
    steps = [(level, n) for level, n in least.items() if level == LEVELS or n < least[level + 1]] or [(1, 1), (LEVELS, most)]
    return '<ul class="key">' + "".join(f'<li><i class="l{level}" aria-hidden="true"></i>from {count(n, "call")}</li>' for level, n in steps) + "</ul>"


def raster(told: Mapping[str, Any], over_time: Mapping[str, Any]) -> str:
    """Who calls when: a row for an account, a column for a bar of the volume chart."""
    rows: list[Mapping[str, Any]] = told.get("rows") or []
    if not rows:
        return UNKNOWN
    cells = [row["calls"] for row in rows]
    columns, bucket, start = len(cells[0]), int(over_time["bucket_us"]), int(over_time["start_ts"])
    most = max(1, *(max(row) for row in cells))
    active = [sum(row[x] > 0 for row in cells) for x in range(columns)]
    busiest = max(range(columns), key=lambda x: (active[x], -x))
    sampled = len(rows) < told["accounts"]
    who = f"{len(rows)} of {told['accounts']:,} accounts, chosen by hash and not by what they did" if sampled else f"all {count(len(rows), 'account')}"
    said = (
        f"Calls of {who}, a row each in the order of their first core call, over the same {count(columns, 'column')} as the volume. In the median column "
        f"{median(active):.0f} of them call, the most, {active[busiest]}, in the {span(bucket)} from {moment(start + busiest * bucket)} UTC"
    )
    strokes = "".join(f'<path class="l{level}" d="{"".join(found)}"/>' for level, found in _runs(cells, most).items() if found)
    height = min(420, max(56, (7 if len(rows) > 30 else 12) * len(rows)))
    return (
        f'<figure class="volume raster"><div class="y" aria-hidden="true"><span>1</span><span>{len(rows)}</span></div>'
        f'<svg viewBox="0 0 {columns} {len(rows)}" preserveAspectRatio="none" role="img" aria-label="{escape(said)}" style="height:{height}px">'
        f'<rect class="ground" width="{columns}" height="{len(rows)}"/>{strokes}</svg>{axis(over_time, columns)}'
        f"<figcaption>Rows: {who}, in the order of their first core call. Columns: {span(bucket)} each; a column that many rows share is work in step. "
        f"{_legend(most)}</figcaption></figure>{_accounts(rows, start, bucket)}"
    )


def _accounts(rows: Sequence[Mapping[str, Any]], start: int, bucket: int) -> str:
    told = []
    for place, row in enumerate(rows, 1):
        calls = row["calls"]
        used = [x for x, n in enumerate(calls) if n]
        most = max(range(len(calls)), key=lambda x: (calls[x], -x))
        first, last = (moment(start + x * bucket) for x in (used[0], used[-1])) if used else ("", "")
        name = escape(str(row["named"][0])) if row["named"] else str(place)
        told.append(
            (f'<span class="id">{name}</span>', f"{sum(calls):,}", f"{len(used)}", first, last, f"{calls[most]:,} from {moment(start + most * bucket)}")
        )
    head = (("Account", ""), ("Core calls", "n"), ("Columns with calls", "n"), ("First", ""), ("Last", ""), ("Busiest column", ""))
    return f"<details><summary>The rows as a table</summary>{table('Accounts of the raster, from top to bottom', head, told)}</details>"


def _name(model: Mapping[str, Any]) -> str:
    return f"{model['models']} others" if model["model"] is None else escape(model["model"]) or "not told"


def pivots(told: Mapping[str, Any], over_time: Mapping[str, Any]) -> str:
    """Shares of the core calls by model over time, stacked, with a line where a model first appears in the log."""
    models: list[Mapping[str, Any]] = told.get("models") or []
    if not models:
        return UNKNOWN
    columns, bucket, start = len(models[0]["calls"]), int(over_time["bucket_us"]), int(over_time["start_ts"])
    whole = [sum(model["calls"][x] for model in models) for x in range(columns)]
    below, bars = [0.0] * columns, []
    for place, model in enumerate(models):
        path = ""
        for x, n in enumerate(model["calls"]):
            if n:
                tall = 100 * n / whole[x]
                path += f"M{x + 0.08:.2f} {100 - below[x]:.1f}v{-tall:.1f}h.84v{tall:.1f}z"
                below[x] += tall
        bars.append(f'<path class="m{place}" d="{path}"/>')
    seen = [each for each in told.get("appeared") or [] if start <= each["ts"] < start + columns * bucket]
    at = [(each["ts"] - start) / bucket for each in seen]
    lines = "".join(f'<line class="mark" x1="{x:.2f}" x2="{x:.2f}" y1="0" y2="100"/>' for x in at)
    flags = "".join(f'<span style="left:{100 * x / columns:.1f}%">{i}</span>' for i, x in enumerate(at, 1))
    total = max(1, sum(whole))
    shares = ", ".join(f"{_name(model)} {100 * sum(model['calls']) / total:.0f} %" for model in models)
    appears = "; ".join(f"{escape(each['model'])} first appears {moment(each['ts'])}" for each in seen)
    said = f"Shares of the core calls by model over time, stacked from the bottom: {shares}" + (f". {appears}" if appears else "")
    key = "".join(f'<li><i class="m{i}" aria-hidden="true"></i>{_name(model)} {100 * sum(model["calls"]) / total:.0f} %</li>' for i, model in enumerate(models))
    return (
        f'<figure class="volume models"><div class="y" aria-hidden="true"><span>100 %</span><span>50 %</span><span>0</span></div><div class="plot">'
        f'<div class="flags" aria-hidden="true">{flags}</div><svg viewBox="0 0 {columns} 100" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f'{"".join(bars)}{lines}<line class="axis" x1="0" x2="{columns}" y1="100" y2="100"/></svg></div>{axis(over_time, columns)}'
        f'<figcaption>Models asked, in shares of the core calls per {span(bucket)}; from the bottom: <ul class="key">{key}</ul></figcaption></figure>'
        f"{_appeared(seen)}{_models(models, start)}"
    )


def _appeared(seen: Sequence[Mapping[str, Any]]) -> str:
    """What became of each model that first appears in the log while the case runs, numbered as on the chart."""
    if not seen:
        return '<p class="soft">No model first appears in the log while the case runs (so late that others would have asked it before, had it been there).</p>'

    def share(value: float | None) -> str:
        return "no calls" if value is None else f"{100 * value:.0f} %"

    rows = [
        (f"{i}", f"<b>{escape(each['model'])}</b>", moment(each["ts"]), share(each["share_before"]), share(each["share_after"]))
        for i, each in enumerate(seen, 1)
    ]
    head = (("Mark", ""), ("Model", ""), ("First in the log, UTC", ""), ("Core calls, day before", "n"), ("Day after", "n"))
    return table("Models that first appear while the case runs", head, rows)


def _models(models: Sequence[Mapping[str, Any]], start: int) -> str:
    """The chart in figures: shares in four parts of the time."""
    columns = len(models[0]["calls"])
    bounds = [columns * i // 4 for i in range(5)] if columns >= 4 else [0, columns]
    parts = list(zip(bounds, bounds[1:], strict=False))
    whole = [sum(sum(model["calls"][a:b]) for model in models) for a, b in parts]
    rows = [
        (
            _name(model), f"{sum(model['calls']):,}", moment(model["first_ts"]),
            *(f"{100 * sum(model['calls'][a:b]) / n:.0f} %" if n else "no calls" for (a, b), n in zip(parts, whole, strict=True)),
        )
        for model in models
    ]  # fmt: skip
    names = ("First quarter", "Second", "Third", "Last quarter") if len(parts) == 4 else ("Share",)
    head = (("Model", ""), ("Core calls", "n"), ("First core call, UTC", ""), *((name, "n") for name in names))
    return f"<details><summary>Models in figures</summary>{table('Shares of the core calls by model, in four parts of the time', head, rows)}</details>"
