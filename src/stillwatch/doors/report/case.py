"""One campaign as a section of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stillwatch.doors.report import chart

FACTORS = {
    "volume_and_coordination": "1 Volume, structure, coordination, timing",
    "concentration": "2 Concentration on capabilities",
    "coordinated_accounts": "3 Coordinated accounts",
    "development_timeline": "4 Another model's development timeline",
}
SHOWN = 20
"Accounts shown before the rest is folded away."

MEANING = {
    "alert": "At most one in a hundred such cases is expected to be innocent.",
    "review": "A person has to look: at most one in ten is expected to be innocent, or something speaks for innocence.",
    "watch": "Notable, not accused: too weak among all that was tested, or explained.",
}

NEXT = {
    "alert": "Confirm a breach of your own terms on a sample of the core calls, then act on the cluster, reversibly, and keep an appeal open.",
    "review": "Read a sample of the core calls of several members. Try the alternatives below, the first one first. Do not act on a lone account.",
    "watch": "Nothing to do now. Compare with the next scan.",
}


def _items(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else '<p class="soft">nothing</p>'


def _table(head: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table of ready HTML cells; `head` is (title, class)."""
    if not rows:
        return '<p class="soft">nothing</p>'
    top = "".join(f'<th scope="col" class="{kind}">{title}</th>' for title, kind in head)
    body = "".join("<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for cell, (_, kind) in zip(row, head, strict=True)) + "</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _evidence(campaign: Mapping[str, Any]) -> str:
    strength = campaign["log10_e"]
    odds = "1 to 1 or less" if strength <= 0 else f"10<sup>{strength:.0f}</sup> to 1"
    floor, q = campaign["p_floor"], campaign["q"]
    false = "fewer than one in a million" if q < 1e-6 else f"{q:.2g}"
    return (
        f"<p>{MEANING[campaign['verdict']]}</p><p>Evidence against innocence {odds}. Expected share of false discoveries at this rank: {false}. "
        f"Least p that this log and its history could have shown: {floor:.2g}.</p>"
    )


def _conditions(conditions: Mapping[str, Any]) -> str:
    strangers, replay, purpose = conditions["strangers"], conditions["replay"], conditions["purpose"]
    state = {True: '<span class="yes">found</span>', False: '<span class="no">not found</span>', None: '<span class="unknown">could not be examined</span>'}
    tried = [(escape(each["name"]), state[each["found"]], escape(each["text"])) for each in conditions["exculpations"]]
    lines = [strangers["text"], *([replay["text"]] if replay else []), purpose["text"]]
    return _items(lines) + _table((("Innocent explanation", ""), ("Tried", ""), ("What was measured", "")), tried, "Exculpations")


def _signals(signals: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            escape(each["name"]), f"{each['value']:.3g}", escape(each["unit"]),
            chart.benign_range(each["value"], each["benign_low"], each["benign_high"], each["fires"]),
            '<span class="yes">fires</span>' if each["fires"] else '<span class="no">silent</span>', escape(each["text"]), escape(each["atlas"]),
        )
        for each in signals
    ]  # fmt: skip
    head = (("Signal", ""), ("Value", "n"), ("Unit", ""), ("Benign range", ""), ("State", ""), ("Observed", ""), ("ATLAS", ""))
    return _table(head, rows, "Signals")


def _accounts(accounts: Sequence[str]) -> str:
    def listed(some: Sequence[str]) -> str:
        return '<ul class="accounts">' + "".join(f'<li class="id">{escape(account)}</li>' for account in some) + "</ul>"

    rest = accounts[SHOWN:]
    more = f"<details><summary>{len(rest):,} more accounts</summary>{listed(rest)}</details>" if rest else ""
    return listed(accounts[:SHOWN]) + more


def section(campaign: Mapping[str, Any], rank: int) -> str:
    """The whole case; a watch is folded."""
    factors = "".join(
        f'<div class="box"><h5>{title}</h5><span class="tag">observed</span>{_items(campaign["factors"][name]["observed"])}'
        f'<span class="tag">inferred</span>{_items(campaign["factors"][name]["inferred"])}</div>'
        for name, title in FACTORS.items()
    )
    ties = [
        (escape(tie["kind"]), f"{tie['accounts']:,}", "" if tie["expected"] is None else f"{tie['expected']:.1f}", f"{tie['keys']:,}", escape(tie["text"]))
        for tie in campaign["ties"]
    ]
    alternatives = [(escape(each["name"]), _items(each["for"]), _items(each["against"])) for each in campaign["alternatives"]]
    body = (
        f"{_evidence(campaign)}"
        f"<h4>What ties them</h4>{_table((('Tie', ''), ('Accounts', 'n'), ('By chance', 'n'), ('Keys', 'n'), ('', '')), ties, 'Ties')}"
        f"<h4>Volume</h4>{chart.volume(campaign.get('volume') or {})}"
        f"<h4>Conditions</h4>{_conditions(campaign['conditions'])}"
        f'<h4>The four factors of purpose</h4><div class="pair">{factors}</div>'
        f"<h4>Signals</h4>{_signals(campaign['signals'])}"
        f"<h4>Innocent alternatives</h4>{_table((('Alternative', ''), ('Speaks for it', ''), ('Speaks against it', '')), alternatives, 'Alternatives')}"
        f'<h4>What is taken</h4><div class="pair"><div class="box"><h5>Capabilities</h5>{chart.shares(campaign["capabilities"])}</div>'
        f'<div class="box"><h5>Models</h5>{chart.shares(campaign["models"])}</div>'
        f'<div class="box"><h5>Writing systems (for the report only)</h5>{chart.shares(campaign.get("languages") or {})}</div></div>'
        f"<h4>What to check next</h4><p>{NEXT[campaign['verdict']]}</p>"
        f"<h4>Accounts</h4>{_accounts(campaign['accounts'])}"
    )
    if campaign["verdict"] == "watch":
        body = f"<details><summary>Show the case</summary>{body}</details>"
    when = f"{chart.moment(campaign['first_ts'])} to {chart.moment(campaign['last_ts'])} UTC"
    return (
        f'<section class="case {campaign["verdict"]}" id="c-{escape(campaign["campaign"])}" aria-labelledby="t-{rank}"><div class="title">'
        f'<span class="badge {campaign["verdict"]}">{campaign["verdict"]}</span><h3 id="t-{rank}">{len(campaign["accounts"]):,} accounts, {campaign["calls"]:,} core calls</h3>'
        f'<span class="id">{escape(campaign["campaign"])}</span></div><p class="soft">{when}</p>{body}</section>'
    )
