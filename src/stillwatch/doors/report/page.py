"""The page around the cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from stillwatch.doors.report import overview
from stillwatch.doors.report.case import section

VERDICTS = (("alert", "Alerts"), ("review", "Reviews"), ("watch", "Watches"))

WATCHES = 40
"Watches told in full; further ones stand in the table of cases, and in campaigns.jsonl."


def _none(summary: Mapping[str, Any]) -> str:
    """What to say where no campaign is named: that differs with what the scan was able to see."""
    told = "Nothing in this log is named. That is no proof of absence: what could not be examined stands above."
    if summary.get("cannot_decide"):
        told = "Nothing in this log is named, but this scan could not have named most of what there may be: it cannot decide."
    return f"<h2>No campaign</h2><p>{told}</p>"


def render(campaigns: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """The report of a scan as one HTML page that loads nothing and runs nothing.

    Args: the lines of campaigns.jsonl, strongest first, and the object of summary.json. Same input, same bytes.
    """
    style = (files("stillwatch.doors.report") / "style.css").read_text(encoding="utf-8")
    ordered = [campaign for verdict, _ in VERDICTS for campaign in campaigns if campaign["verdict"] == verdict]
    replay_examined = summary["detectors"].get("reasoning replay", "on") == "on"
    parts, last = [], ""
    told = min(len(ordered), sum(campaign["verdict"] != "watch" for campaign in ordered) + WATCHES)
    for rank, campaign in enumerate(ordered[:told], 1):
        if campaign["verdict"] != last:
            last = campaign["verdict"]
            parts.append(f"<h2>{dict(VERDICTS)[last]}</h2>")
        parts.append(section(campaign, rank, replay_examined))
    if told < len(ordered):
        parts.append(f'<p class="soft">The {len(ordered) - told:,} weakest watches are told in campaigns.jsonl beside this page only.</p>')
    versions = ", ".join(f"{escape(name)} {escape(str(version))}" for name, version in summary["versions"].items())
    cost = f"{summary['seconds']:.1f} s, {summary['peak_bytes'] / 1e6:,.0f} MB at the peak"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Stillwatch report: {summary['alerts']} alerts, {summary['reviews']} reviews</title><style>{style}</style></head><body>"
        '<a class="skip" href="#cases">Skip to the cases</a>'
        f"<header><h1>Stillwatch report</h1>{overview.lead(summary)}{overview.tiles(summary)}</header>"
        f'<main><section aria-label="What was examined">{overview.examined(summary, ordered)}</section>'
        f'<div id="cases" tabindex="-1">{overview.index(ordered, told)}{"".join(parts) or _none(summary)}</div></main>'
        f"<footer><p>Behaviour is judged, in clusters; no lone account, no language and no country is. An alert is a reason to look, not a proof: "
        f"keep an appeal open and share corrections.</p><p>{cost}. {versions}. Key {escape(summary['key_fingerprint'])}.</p></footer></body></html>\n"
    )
