"""The head of the report: what was read, what was found, what could not be decided and why, and the cases at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stillwatch.doors.report.words import chance, count, items, moment, power, table


def lead(summary: Mapping[str, Any]) -> str:
    """What was read, over what time, in one sentence."""
    reference = summary["reference_organisations"]
    against = f"weighed against {count(reference, 'organisation')} of earlier traffic" if reference else "with no earlier traffic to compare"
    return (
        f'<p class="lead">{count(summary["calls_read"], "call")} by {count(summary["accounts"], "account")} of '
        f"{count(summary['organisations'], 'organisation')}, {moment(summary['first_ts'])} to {moment(summary['last_ts'])} UTC, {against}. "
        f"{count(summary['clusters_tested'], 'cluster')} tested.</p>"
    )


def tiles(summary: Mapping[str, Any]) -> str:
    """The verdicts in large figures, what was left out in small ones."""
    named = "".join(
        f'<li class="{kind}{"" if summary[name] else " none"}"><b>{summary[name]:,}</b>{kind if summary[name] == 1 else name}<span>{said}</span></li>'
        for name, kind, said in (
            ("alerts", "alert", "act after confirming"),
            ("reviews", "review", "a person looks"),
            ("watches", "watch", "noted, not accused"),
        )
    )
    return f'<ul class="tiles">{named}</ul>'


def _notices(summary: Mapping[str, Any]) -> list[str]:
    """What a reader must know before believing any case, as ready HTML."""
    told = []
    if summary.get("cannot_decide"):
        told.append(f"<b>Cannot decide.</b> {escape(summary['cannot_decide'])}")
    placebo = summary["placebo"]
    if placebo["rounds"] and (placebo["alerts"] or placebo["reviews"]):
        found = f"{count(placebo['alerts'], 'alert')} and {count(placebo['reviews'], 'review')}"
        told.append(
            f"<b>The placebo is not clean.</b> In {count(placebo['rounds'], 'round')} of the same method where nothing is to be found it named {found}."
            " Read every case with more doubt than its figures ask for."
        )
    if (rejected := summary["calls_rejected"]) and rejected * 20 >= summary["calls_read"] + rejected:
        told.append(f"<b>Much could not be read.</b> {count(rejected, 'record')} were rejected; rejected.jsonl says why, line by line.")
    return told


def _lacking(summary: Mapping[str, Any]) -> list[str]:
    """Detectors and ties that did not run, and the columns they lack. Plain text."""
    states = [*summary["detectors"].items(), *((f"tie by {name}", state) for name, state in summary.get("ties", {}).items())]
    return [f"{name}: off, the log has no {', '.join(state['off'])}" for name, state in states if state != "on"]


def examined(summary: Mapping[str, Any]) -> str:
    """Notices first; then detectors, placebo and what was left out."""
    notices = "".join(f'<p class="notice" role="note">{line}</p>' for line in _notices(summary))
    on = [name for name, state in summary["detectors"].items() if state == "on"]
    lacking, placebo = _lacking(summary), summary["placebo"]
    detectors = f"{len(on)} of {len(summary['detectors'])} on" + (f": {escape(', '.join(on))}." if on else ".") + (items(lacking) if lacking else "")
    said = escape(placebo["text"])
    if placebo["rounds"]:
        said = f"{count(placebo['alerts'], 'alert')} and {count(placebo['reviews'], 'review')} where nothing is to be found ({said})."
    left_out = (
        f"{count(summary['calls_rejected'], 'record')} that could not be used (rejected.jsonl says why), "
        f"{count(summary['calls_duplicate'], 'call')} delivered twice and counted once."
    )
    rows = (("Detectors", detectors), ("Placebo", said), ("Left out", left_out))
    return f'{notices}<dl class="examined">' + "".join(f"<div><dt>{name}</dt><dd>{told}</dd></div>" for name, told in rows) + "</dl>"


def index(campaigns: Sequence[Mapping[str, Any]]) -> str:
    """All cases in one table, strongest first, each linked."""
    rows = []
    for rank, campaign in enumerate(campaigns, 1):
        top = sorted(campaign["capabilities"].items(), key=lambda each: (-each[1], each[0]))[:1]
        ties = ", ".join(dict.fromkeys(tie["kind"] for tie in campaign["ties"])) or "wording"
        rows.append((
            f'<a href="#c-{escape(campaign["campaign"])}">Case {rank}</a>', f'<span class="badge {campaign["verdict"]}">{campaign["verdict"]}</span>',
            f"{len(campaign['accounts']):,}", f"{campaign['calls']:,}", power(campaign["log10_e"]), chance(campaign["q"]), escape(ties),
            "".join(f"{escape(name)} {100 * share:.0f} %" for name, share in top) or "unknown",
        ))  # fmt: skip
    head = (
        ("Case", ""), ("Verdict", ""), ("Accounts", "n"), ("Core calls", "n"), ("Evidence", "n"), ("False discoveries", "n"), ("Tied by", ""),
        ("Mostly after", ""),
    )  # fmt: skip
    return f'<nav aria-label="Cases">{table("Cases, strongest first", head, rows)}</nav>' if rows else ""
