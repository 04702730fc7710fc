"""One campaign as a section of the report: what was found, the cluster in pictures, what speaks for innocence, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stillwatch.doors.report import chart, times
from stillwatch.doors.report.graph import graph
from stillwatch.doors.report.next_steps import steps
from stillwatch.doors.report.variants import variants
from stillwatch.doors.report.without import without
from stillwatch.doors.report.words import chance, count, items, moment, power, table
from stillwatch.doors.report.worth import worth

FACTORS = {
    "volume_and_coordination": "1. Volume, structure, coordination, timing",
    "concentration": "2. Concentration on capabilities",
    "coordinated_accounts": "3. Coordinated accounts",
    "development_timeline": "4. Another model's development timeline",
}
SHOWN = 20
"Accounts shown before the rest is folded away."

MEANING = {
    "alert": "At most one in a hundred cases named like this is expected to be innocent.",
    "review": "A person has to look: up to one in ten cases named like this may be innocent, or something speaks for innocence.",
    "watch": "Noted, not accused: too weak among all that was tested, or an innocent explanation was found.",
}
FOUND = '<span class="found">found</span>'
NOT_FOUND = '<span class="absent">not found</span>'
UNKNOWN = '<span class="unknown">could not be examined</span>'
STATE = {True: FOUND, False: NOT_FOUND, None: UNKNOWN}


def _figures(campaign: Mapping[str, Any]) -> str:
    """Evidence, false discoveries and floor, each with what it means."""
    strength, floor = campaign["log10_e"], campaign["p_floor"]
    evidence = (
        f"An e-value of {power(strength)}: innocent traffic reaches as much at most once in {power(strength)} clusters."
        if strength > 0
        else "An e-value of 1 or less says nothing against innocence."
    )
    shown = (
        ("Evidence", power(strength), evidence),
        ("False discoveries", chance(campaign["q"]), "q: the share of innocents expected among the cases as strong as this one or stronger."),
        (
            "Floor",
            chance(floor),
            "The least p that this log and its history could have shown here. Near the evidence: a larger log or longer history might say more.",
        ),
    )
    return '<dl class="figures">' + "".join(f"<div><dt>{name}</dt><dd class='big'>{value}</dd><dd>{said}</dd></div>" for name, value, said in shown) + "</dl>"


def _ties(campaign: Mapping[str, Any]) -> str:
    members = len(campaign["accounts"])
    rows = [
        (
            escape(tie["kind"]), f"{tie['accounts']:,} of {members:,}", "not expected at all" if tie["expected"] is None else f"{tie['expected']:,.1f}",
            f"{tie['keys']:,}", escape(tie["text"]),
        )
        for tie in campaign["ties"]
    ]  # fmt: skip
    head = (("Shared", ""), ("Accounts", "n"), ("Expected by chance", "n"), ("Keys", "n"), ("Observed", ""))
    return table("What the accounts share, beside what a random group of this size would", head, rows)


def _conditions(conditions: Mapping[str, Any], replay_examined: bool) -> str:
    tied, strangers, replay, purpose = (conditions[name] for name in ("tied", "strangers", "replay", "purpose"))

    def weight(log10_e: float | None) -> str:
        return "" if log10_e is None else power(log10_e)

    share = strangers["share_of_exposure"]
    exposure = "" if share is None else f" Today holds {100 * share:.0f} % of the traffic in which it could have shown, the reference the rest."
    nobody = "No reasoning was replayed between unrelated accounts." if replay_examined else "The log carries no digests of reasoning."
    none = strangers["log10_e"] is None
    rows = [
        ("Tied together", FOUND if tied["accounts"] > 1 else NOT_FOUND, "", escape(tied["text"])),
        ("Dealt among strangers", UNKNOWN if none else FOUND, weight(strangers["log10_e"]), escape(strangers["text"]) + exposure),
        (
            "Reasoning replayed between strangers", FOUND if replay else NOT_FOUND if replay_examined else UNKNOWN,
            weight(replay["log10_e"]) if replay else "", escape(replay["text"]) if replay else nobody,
        ),
        ("Purpose", f'<span class="{"unknown" if purpose["grade"] == "open" else "found"}">{escape(purpose["grade"])}</span>', "grades only", escape(purpose["text"])),
    ]  # fmt: skip
    tried = [(escape(each["name"]), STATE[each["found"]], _measured(each), escape(each["text"])) for each in conditions["exculpations"]]
    first = table("What a campaign needs", (("Condition", ""), ("State", ""), ("Evidence", "n"), ("What was seen", "")), rows)
    head = (("Explanation", ""), ("State", ""), ("Measured (from)", "n"), ("What was seen", ""))
    untried = '<p class="soft">Innocent explanations were not tried: the evidence is too weak to need them.</p>'
    return first + table("Innocent explanations that were tried; one that is found lowers the verdict", head, tried, untried)


def _measured(exculpation: Mapping[str, Any]) -> str:
    """The value, and the threshold from which it counts."""
    value = exculpation["value"]
    return "" if value is None else f"{value:.2f} ({exculpation['threshold']:.2f})"


def _factors(factors: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    boxes = "".join(
        f'<div class="box"><h5>{title}</h5><p class="tag">Observed</p>{items(factors[name]["observed"])}'
        f'<p class="tag">Inferred</p>{items(factors[name]["inferred"])}</div>'
        for name, title in FACTORS.items()
    )
    return f'<div class="pair">{boxes}</div>'


def _signals(signals: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            escape(each["name"]), '<span class="fires">fires</span>' if each["fires"] else '<span class="absent">silent</span>',
            f'{each["value"]:.3g}<br><span class="soft">{escape(each["unit"])}</span>',
            chart.benign_range(each["value"], each["benign_low"], each["benign_high"], each["fires"]),
            _rank(each.get("p"), each.get("p_floor")), "grades only" if each["log10_e"] is None else power(each["log10_e"]), escape(each["text"]), f'<span class="id atlas">{escape(each["atlas"])}</span>',
        )
        for each in sorted(signals, key=lambda each: not each["fires"])
    ]  # fmt: skip
    head = (
        ("Signal", ""),
        ("State", ""),
        ("Value", "n"),
        ("Benign range", ""),
        ("Among innocents", "n"),
        ("Evidence", "n"),
        ("Observed", ""),
        ("MITRE ATLAS", ""),
    )
    caption = "Bar: 5th to 95th percentile of the reference organisations. Dot: this case. Among innocents: two-sided share at least as far out, and the least that so many could show"
    fires = sum(bool(each["fires"]) for each in signals)
    silent = f"<details><summary>{count(len(rows) - fires, 'silent signal')}</summary>{table(caption, head, rows[fires:])}</details>"
    return table(caption, head, rows[:fires], '<p class="soft">No signal fires.</p>') + (silent if len(rows) > fires else "")


def _rank(p: float | None, floor: float | None) -> str:
    return '<span class="absent">unknown</span>' if p is None or floor is None else f'{p:.2g}<br><span class="soft">least {floor:.2g}</span>'


def _alternatives(alternatives: Sequence[Mapping[str, Any]]) -> str:
    rows = [(escape(each["name"]), items(each["for"]), items(each["against"])) for each in alternatives]
    return table("What else it could be", (("Alternative", ""), ("Speaks for it", ""), ("Speaks against it", "")), rows)


def _over_time(campaign: Mapping[str, Any]) -> str:
    """Volume, accounts and models on the same columns."""
    told = campaign.get("volume") or {}
    return (
        f"<h5>Calls</h5>{chart.volume(told)}<h5>Accounts in step</h5>{times.raster(campaign.get('raster') or {}, told)}"
        f"<h5>Models</h5>{times.pivots(campaign.get('pivots') or {}, told)}"
    )


def _known(campaign: Mapping[str, Any]) -> str:
    """What was known beforehand, conflicts as notices, before anything else is told of the case."""
    told = campaign.get("known") or []
    notices = "".join(f'<p class="notice" role="note"><b>Conflict with what is known.</b> {escape(each["text"])}</p>' for each in told if each["conflict"])
    others = [each["text"] for each in told if not each["conflict"]]
    return notices + (f'<p class="soft">Known beforehand; the verdict does not change for it:</p>{items(others)}' if others else "")


def _accounts(accounts: Sequence[str]) -> str:
    first = '<ul class="accounts">' + "".join(f"<li>{escape(account)}</li>" for account in accounts[:SHOWN]) + "</ul>"
    rest = accounts[SHOWN:]
    # One text in a box of its own: 25,000 list items would make the page slow for everybody and endless for a screen reader.
    more = (
        f'<details class="more"><summary>{count(len(rest), "more account")}</summary><pre class="accounts" tabindex="0" role="group" '
        f'aria-label="More accounts, one a line">{escape(chr(10).join(rest))}</pre></details>'
        if rest
        else ""
    )
    return first + more + '<p class="soft">Calls and evidence of each: accounts.parquet beside this page.</p>'


def title(campaign: Mapping[str, Any]) -> str:
    """The case in a few words: who, how much, after what."""
    known = {name: share for name, share in campaign["capabilities"].items() if name != "other"}
    most = max(known, key=lambda name: (known[name], name), default=None)
    after = f", most of them after {escape(most)}" if most is not None and known[most] >= 0.5 else ""
    return f"{count(len(campaign['accounts']), 'account')}, {count(campaign['calls'], 'core call')}{after}"


def section(campaign: Mapping[str, Any], rank: int, replay_examined: bool) -> str:
    """The whole case; a watch is folded."""
    parts = (
        ("What ties the accounts", graph(campaign.get("graph") or {}) + _ties(campaign)),
        ("Over time", _over_time(campaign)),
        ("Conditions", _conditions(campaign["conditions"], replay_examined)),
        ("Each signal left out in turn", without(campaign)),
        ("Innocent alternatives", _alternatives(campaign["alternatives"])),
        ("The four factors of purpose", _factors(campaign["factors"])),
        ("Signals", _signals(campaign["signals"])),
        ("Template variants", variants(campaign.get("templates") or {}, len(campaign["accounts"]), campaign["calls"])),
        ("What was taken", worth(campaign)),
        ("Accounts", _accounts(campaign["accounts"])),
        ("What to check next", items(steps(campaign)).replace("<ul>", "<ol>").replace("</ul>", "</ol>")),
    )
    verdict = campaign["verdict"]
    jump = "".join(f'<a href="#p-{rank}-{i}">{name}<span class="unseen"> of case {rank}</span></a>' for i, (name, _) in enumerate(parts))
    body = f'{_figures(campaign)}<nav class="jump" aria-label="Parts of case {rank}">{jump}</nav>'
    body += "".join(f'<h4 id="p-{rank}-{i}">{name}</h4>{told}' for i, (name, told) in enumerate(parts))
    if verdict == "watch":
        body = f'<details><summary>Show the case<span class="unseen"> {rank}</span></summary>{body}</details>'
    name = escape(campaign["campaign"])
    return (
        f'<section class="case {verdict}" id="c-{name}" aria-labelledby="t-{rank}"><div class="title"><span class="badge {verdict}">{verdict}</span>'
        f'<h3 id="t-{rank}">Case {rank}: {title(campaign)}</h3></div>'
        f'<p class="soft">{moment(campaign["first_ts"])} to {moment(campaign["last_ts"])} UTC, campaign <span class="id">{name}</span></p>'
        f'<p class="meaning">{MEANING[verdict]}</p>{_known(campaign)}{body}</section>'
    )
