"""The page around the cases: what was read, what was found, what could not be decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from stillwatch.doors.report import chart
from stillwatch.doors.report.case import section

VERDICTS = (("alert", "Alerts"), ("review", "Reviews"), ("watch", "Watches"))


def _tiles(summary: Mapping[str, Any]) -> str:
    shown = (
        ("alerts", "alerts"), ("reviews", "reviews"), ("watches", "watches"), ("calls_read", "calls read"), ("calls_rejected", "records rejected"),
        ("calls_duplicate", "duplicates"), ("accounts", "accounts"), ("organisations", "organisations"), ("reference_organisations", "in the reference"),
        ("clusters_tested", "clusters tested"),
    )  # fmt: skip
    return '<ul class="tiles">' + "".join(f"<li><b>{summary[name]:,}</b>{label}</li>" for name, label in shown) + "</ul>"


def _examined(summary: Mapping[str, Any]) -> str:
    """Detectors and ties, on or off and for want of what; the placebo."""
    rows = []
    for name, state in [*summary["detectors"].items(), *((f"tie: {n}", s) for n, s in summary.get("ties", {}).items())]:
        off = None if state == "on" else state["off"]
        told = '<span class="no">on</span>' if off is None else f'<span class="unknown">off</span>, the log has no {escape(", ".join(off))}'
        rows.append(f"<tr><th scope='row'>{escape(name)}</th><td>{told}</td></tr>")
    placebo = summary["placebo"]
    said = escape(placebo["text"])
    if placebo["rounds"]:
        said = f"{placebo['alerts']} alerts and {placebo['reviews']} reviews where nothing is to be found ({said})."
    return f"<table><tbody>{''.join(rows)}</tbody></table><p><b>Placebo.</b> {said}</p>"


def render(campaigns: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """The report of a scan as one HTML page that loads nothing.

    Args: the lines of campaigns.jsonl, strongest first, and the object of summary.json. Same input, same bytes.
    """
    style = (files("stillwatch.doors.report") / "style.css").read_text(encoding="utf-8")
    notice = f'<p class="notice"><b>Cannot decide.</b> {escape(summary["cannot_decide"])}</p>' if summary.get("cannot_decide") else ""
    parts, rank = [], 0
    for verdict, title in VERDICTS:
        mine = [campaign for campaign in campaigns if campaign["verdict"] == verdict]
        if mine:
            parts.append(f"<h2>{title}</h2>")
        for campaign in mine:
            rank += 1
            parts.append(section(campaign, rank))
    if not parts:
        parts.append("<h2>No campaign</h2><p>Nothing in this log is named. That is no proof of absence: see what could not be examined.</p>")
    when = f"{chart.moment(summary['first_ts'])} to {chart.moment(summary['last_ts'])} UTC"
    versions = ", ".join(f"{escape(name)} {escape(str(version))}" for name, version in summary["versions"].items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Stillwatch report</title><style>{style}</style></head><body>"
        f'<header><h1>Stillwatch report</h1><p class="soft">Calls from {when}. The judge is behaviour; the unit is the cluster, never a lone account.</p>'
        f"{_tiles(summary)}{notice}</header><main>{''.join(parts)}"
        f'<h2>What was examined</h2><div class="box">{_examined(summary)}</div></main>'
        f"<footer>{versions}. An alert is a reason to look, not a proof; keep an appeal open and share corrections.</footer></body></html>\n"
    )
