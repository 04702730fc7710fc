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
    if summary.get("sampled"):
        told.append(f"<b>The log is a sample.</b> {escape(_sampled(summary['sampled']))}")
    known = summary.get("known") or {"conflicts": [], "entries": []}
    for each in known["conflicts"]:
        name = escape(each["campaign"])
        told.append(f'<b>Conflict with what is known.</b> Campaign <a href="#c-{name}">{name}</a>: {escape(each["text"])}')
    if expired := [f"{each['entry']} ({each['expires']})" for each in known["entries"] if each["expired"]]:
        told.append(f"<b>Expired.</b> Of what is known, this annotates nothing any more: {escape('; '.join(expired))}.")
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


def _sampled(sampled: Any) -> str:
    """What is known of how the log was sampled. Plain text."""
    if not isinstance(sampled, Mapping):
        return str(sampled)
    if sampled.get("text"):
        return str(sampled["text"])
    known = sampled.get("share_known")
    share = "an unknown share" if known is None else f"{100 * known:.3g} %" if isinstance(known, int | float) else str(known)
    return f"It holds {share} of the calls, as far as is known: volumes and what was taken are at least what is shown here, and small campaigns may be missed."


def _switches(states: Mapping[str, Any]) -> str:
    """Each detector or tie, on or off and for want of which column; what is off comes first."""
    off = [(name, state) for name, state in states.items() if state != "on"]
    lacking = "".join(
        f'<li class="off"><b>off</b> {escape(name)}<span class="soft">: the log has no {escape(", ".join(state["off"]))}</span></li>' for name, state in off
    )
    on = "".join(f"<li><b>on</b> {escape(name)}</li>" for name, state in states.items() if state == "on")
    return f'<p>{len(states) - len(off)} of {len(states)} on.</p><ul class="switches">{lacking}{on}</ul>'


def _undecided(campaigns: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> list[str]:
    """What this scan could not decide, and for which cases (by rank). Plain text."""
    told = [summary["cannot_decide"]] if summary.get("cannot_decide") else []
    off = sum(state != "on" for room in ("detectors", "ties") for state in summary.get(room, {}).values())
    if off:
        told.append(f"{off} of the detectors and ties above could not look: what they would have seen is neither found nor excluded.")
    unweighed: list[int] = []
    open_: list[int] = []
    untried: dict[str, list[int]] = {}
    for rank, campaign in enumerate(campaigns, 1):
        conditions = campaign["conditions"]
        if conditions["strangers"]["log10_e"] is None:
            unweighed.append(rank)
        if conditions["purpose"]["grade"] == "open":
            open_.append(rank)
        for each in conditions["exculpations"]:
            if each["found"] is None:
                untried.setdefault(each["name"], []).append(rank)
    if unweighed:
        told.append(f"Whether the wording is one that strangers share and nobody used before: {_cases(unweighed)}.")
    told += [f"Whether {name} explains it: {_cases(ranks)}." for name, ranks in untried.items()]
    if open_:
        told.append(f"What the answers are for: {_cases(open_)}.")
    return told


def _cases(ranks: Sequence[int]) -> str:
    """Ranks in words, a few by number.

    >>> _cases([3]), _cases([1, 2]), _cases(list(range(1, 31)))
    ('case 3', 'cases 1, 2', 'cases 1, 2, 3, 4, 5, 6, 7, 8 and 22 more')
    """
    named = ", ".join(str(rank) for rank in ranks[:8]) + (f" and {len(ranks) - 8} more" if len(ranks) > 8 else "")
    return f"case{'s' if len(ranks) > 1 else ''} {named}"


def examined(summary: Mapping[str, Any], campaigns: Sequence[Mapping[str, Any]]) -> str:
    """Notices first; then detectors and ties, placebo, what was left out and what is undecided."""
    notices = "".join(f'<p class="notice" role="note">{line}</p>' for line in _notices(summary))
    placebo, undecided = summary["placebo"], _undecided(campaigns, summary)
    said = escape(placebo["text"])
    if placebo["rounds"]:
        said = f"{count(placebo['alerts'], 'alert')} and {count(placebo['reviews'], 'review')} where nothing is to be found ({said})."
    left_out = (
        f"{count(summary['calls_rejected'], 'record')} that could not be used (rejected.jsonl says why), "
        f"{count(summary['calls_duplicate'], 'call')} delivered twice and counted once."
    )
    rows = (
        ("Detectors", _switches(summary["detectors"])), ("Ties", _switches(summary.get("ties", {}))), ("Placebo", said), ("Left out", left_out),
        ("Not decided", items(undecided) if undecided else "Nothing: every condition of every case could be examined."),
    )  # fmt: skip
    return f'{notices}<dl class="examined">' + "".join(f"<div><dt>{name}</dt><dd>{told}</dd></div>" for name, told in rows) + "</dl>"


def index(campaigns: Sequence[Mapping[str, Any]], told: int) -> str:
    """All cases in one table, strongest first; the first `told` are linked."""
    rows = []
    for rank, campaign in enumerate(campaigns, 1):
        link = f'<a href="#c-{escape(campaign["campaign"])}">Case {rank}</a>' if rank <= told else f"Case {rank}"
        top = sorted(campaign["capabilities"].items(), key=lambda each: (-each[1], each[0]))[:1]
        ties = ", ".join(dict.fromkeys(tie["kind"] for tie in campaign["ties"])) or "wording"
        rows.append((
            link, f'<span class="badge {campaign["verdict"]}">{campaign["verdict"]}</span>',
            f"{len(campaign['accounts']):,}", f"{campaign['calls']:,}", power(campaign["log10_e"]), chance(campaign["q"]), escape(ties),
            "".join(f"{escape(name)} {100 * share:.0f}&nbsp;%" for name, share in top) or "unknown",
            escape((campaign["taken"]["severity"] or "unknown") if campaign.get("taken") else "not valued"),
        ))  # fmt: skip
    head = (
        ("Case", ""), ("Verdict", ""), ("Accounts", "n"), ("Core calls", "n"), ("Evidence", "n"), ("False discoveries", "n"), ("Tied by", ""),
        ("Mostly after", ""), ("Severity", ""),
    )  # fmt: skip
    return f'<nav class="index" aria-label="Cases">{table("Cases, strongest first", head, rows)}</nav>' if rows else ""
