"""What the command line says of detection limits: a table, a map of every tradecraft, and what they hold for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.doors.report.words import count

HEAD = ("tradecraft", "calls each", "accounts", "95 % interval", "calls", "days", "found there", "at half of it")


def expected(tradecrafts: int, rates: int, most: int, seconds: float, done: int) -> str:
    """What it may cost, told beforehand. `seconds`: one examination of the log; `done`: plantings that are measured already."""
    already = f"; {done:,} are measured already" if done else ""
    return (
        f"{count(tradecrafts, 'tradecraft')} at {count(rates, 'rate')}: {most:,} plantings at most, mostly a third of that, each up to {seconds:.1f} s"
        f" and mostly a third of it{already}"
    )


def limited(told: Mapping[str, Any]) -> str:
    """The limits as a table and as a map."""
    log = told["log"]
    lines = [
        f"{log['calls']:,} calls of {log['accounts']:,} accounts of {log['organisations']:,} organisations over {log['days']:g} days, "
        f"{told['reference_organisations']:,} in the reference; {told['plantings']:,} plantings{'' if told['finished'] else ', not finished'}",
        "",
        f"The smallest campaign of each tradecraft that {told['power']:.0%} of the time would have been found.",
        f"Found: {told['found_means']}.",
        "",
        *_table(told),
        "",
        *(line for craft in told["limits"] for line in _why(craft)),
        "Share found, in %, by accounts (across) and calls an account (down); in brackets: fewer than 5 plantings",
    ]
    for craft in told["limits"]:
        lines += ["", f"{craft['tradecraft']}: {craft['about']}", *_map(craft["tradecraft"], told["cells"])]
    lines += ["", *(f"note: {each}" for each in told["says"]), f"This {told['holds_for']}."]
    return "\n".join(lines)


def _table(told: Mapping[str, Any]) -> list[str]:
    rows = [HEAD]
    for craft in told["limits"]:
        for each in craft["limits"]:
            rows.append((craft["tradecraft"], f"{each['calls_each']:,}", *_cells(each)))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows]


def _cells(each: Mapping[str, Any]) -> tuple[str, ...]:
    if each["accounts"] is None:
        return "none", "", "", f"{each['days']:g}", "", ""
    low, high = (each[name] for name in ("accounts_low", "accounts_high"))
    span = (
        ""
        if low is None and high is None
        else f"{'below' if low is None else format(round(low), ',')} to {'above' if high is None else format(round(high), ',')}"
    )
    (found, of), (half, of_half) = each["confirmed"], each["half"]
    return f"{each['accounts']:,}", span, f"{each['calls']:,}", f"{each['days']:g}", f"{found} of {of}", f"{half} of {of_half}" if of_half else ""


def _why(craft: Mapping[str, Any]) -> list[str]:
    none = [f"{craft['tradecraft']} at {each['calls_each']} calls an account: {each['why']}" for each in craft["limits"] if each["why"]]
    return [*none, ""] if none else []


def _map(name: str, cells: list[Mapping[str, Any]]) -> list[str]:
    mine = {(each["calls_each"], each["accounts"]): each for each in cells if each["tradecraft"] == name}
    if not mine:
        return ["  nothing was planted"]
    rates, sizes = (sorted({at[side] for at in mine}) for side in (0, 1))
    grid = [["", *(f"{size:,}" for size in sizes)]]
    grid += [[f"{rate:,}", *(_share(mine.get((rate, size))) for size in sizes)] for rate in rates]
    widths = [max(len(row[at]) for row in grid) for at in range(len(sizes) + 1)]
    return ["  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in grid]


def _share(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "."
    share = f"{100 * cell['found'] / cell['plantings']:.0f}"
    return share if cell["plantings"] >= 5 else f"({share})"
