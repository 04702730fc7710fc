"""What `explain` says to a person: the answer first, then the reasons in aligned columns, then what would turn it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import fill
from typing import Any

CASES, TIES, SIGNALS = 6, 8, 8
"Lines of each table that are printed; the rest is in --json."

WIDTH = 100
"Characters of a line of prose."

LEFT_OUT = "  left out: it stands in one cluster of several alone, at no end of a replay, with less than half of what it asks"
"What the word says."

NOT_VERIFIED = "By the rule of membership, with the clusters as they are; a scan of the changed log forms them anew."


def explained(told: Mapping[str, Any]) -> str:
    """The whole story of an account, for whoever works the case."""
    answer = {"in": f"in {', '.join(told['campaigns'])}", "nearly": "nearly in a campaign, in none", "not in": "in no campaign"}[told["answer"]]
    parts = [
        [f"{told['account']}: {answer}", _period(told)],
        _known(told["known"]),
        _cases(told["cases"]),
        _ties(told["ties"]),
        _signals(told["signals"], told["campaigns"]),
        _change(told),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def for_account(told: Mapping[str, Any]) -> str:
    """The redacted view, for the account's holder."""
    considered = f" {told['share_considered'].capitalize()} of its calls were considered." if told["share_considered"] else ""
    looked = f"Looked at in every account: {', '.join(told['looked_at'])}."
    paragraphs = [fill(each, WIDTH) for each in (told["text"] + considered, looked, f"To object: {told['appeal']}")]
    return "\n\n".join([f"{told['account']}: {'in a' if told['answer'] == 'in' else 'in no'} case\n{_period(told)}", *paragraphs])


def _period(told: Mapping[str, Any]) -> str:
    return f"{told['calls']:,} call{'s' if told['calls'] != 1 else ''}, {_when(told['first_ts'])} to {_when(told['last_ts'])} UTC"


def _when(ts: int) -> str:
    return datetime.fromtimestamp(ts // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


KNOWN = {True: "this account too", False: "not this account", None: "whether this account is not known"}
"Whether an entry covers the account; of one that names a campaign by its id alone that cannot be told."


def _known(known: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was known beforehand of its campaigns, and whether that is said of this account."""
    if not known:
        return []
    lines = [f"  {each['campaign']}, {KNOWN[each['covers_account']]}: {each['text']}" for each in known]
    return ["Known beforehand (--known; no verdict changes for it)", *lines]


def _cases(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """What it has of each campaign, and how much of it a member must have."""
    rows = [
        (
            each["campaign"], each["verdict"], "in" if each["in"] else "left out" if each["left_out"] else "nearly", f"{each['clusters_in']} of {each['clusters']}",
            f"{each['carries']} of {each['needed']:.3g}", f"{each['carries_kin']} of {each['needed_kin']:.3g}", f"{each['calls']:,}", f"{each['replays']:,}",
        )
        for each in cases[:CASES]
    ]  # fmt: skip
    title = "Campaigns that it touches (carried: pieces of wording used in two prompts, of those that a member must; with kin: and of what members say besides; or replays)"
    lines = _table(title, ("campaign", "verdict", "it is", "clusters", "carried", "with kin", "calls", "replays"), rows, len(cases), "<<<>>>>>")
    return lines + ([LEFT_OUT] if any(each["left_out"] and not each["in"] for each in cases[:CASES]) else [])


def _ties(ties: Sequence[Mapping[str, Any]]) -> list[str]:
    joining = [each for each in ties if each["weight"] is not None]
    rows = [
        (
            _tie(each), each["campaign"], f"{each['weight']:+.1f}", f"{each['members']:,} of {each['members_all']:,}",
            f"{each['innocents']:,} of {each['innocents_all']:,}",
        )
        for each in joining[:TIES]
    ]  # fmt: skip
    title = "Ties (weight: log10 of how much commoner among members than among innocents, the accounts in no campaign)"
    lines = _table(title, ("tie", "campaign", "weight", "other members", "innocents"), rows, len(joining), "<<>>>")
    for name in sorted({each["tie"] for each in ties} - {"wording", "replay"}):
        shared = [each["innocents"] for each in ties if each["tie"] == name and each["weight"] is None]
        if shared:
            span = f"{min(shared):,}" if min(shared) == max(shared) else f"{min(shared):,} to {max(shared):,}"
            lines.append(f"  besides {len(shared):,} {name} key{'s' if len(shared) != 1 else ''} that join no members; {span} innocents have each")
    return lines if rows or not lines else ["Ties", *lines]


def _tie(each: Mapping[str, Any]) -> str:
    if each["tie"] == "wording":
        return f"wording {each['cluster']}.{each['key']}, {each['prompts']} prompt{'s' if each['prompts'] != 1 else ''}"
    return "reasoning replayed" if each["tie"] == "replay" else str(each["tie"])


def _signals(signals: Sequence[Mapping[str, Any]], inside: Sequence[str]) -> list[str]:
    """The signals of the first campaign that it is in, else of the first that it touches: those that fire first."""
    if not signals:
        return []
    campaign = inside[0] if inside else signals[0]["campaign"]
    mine = sorted((each for each in signals if each["campaign"] == campaign), key=lambda each: not each["fires"])
    rows = [
        (("* " if each["fires"] else "  ") + each["name"], _number(each["value"]), _number(each["own"]), _range(each), each["unit"]) for each in mine[:SIGNALS]
    ]
    title = f"Signals of {campaign} (* speaks, by a threshold of its own; account: on its own calls of the campaign)"
    return _table(title, ("signal", "campaign", "account", "usual", "unit"), rows, len(mine), "<>>><")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _range(signal: Mapping[str, Any]) -> str:
    low, high = signal["benign_low"], signal["benign_high"]
    return "-" if low is None or high is None else f"{_number(low)} to {_number(high)}"


def _change(told: Mapping[str, Any]) -> list[str]:
    if told["change"] is None:
        return ["Smallest change", "  None was found: by what was kept of its members' calls, no campaign of this scan can be joined."]
    lines = ["Smallest change found", f"  {told['change']['text']}"]
    lines += [f"  Or: {each['text']}" for each in told["other_changes"]]
    lines += [f"  {name} is weak: with one organisation fewer it might not be listed at all." for name in told["hinges"]]
    return [*lines, f"  {NOT_VERIFIED}"]


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], count: int, align: str) -> list[str]:
    """Aligned columns under a title; nothing when there are no rows, and how many are left out."""
    shown = [list(head), *map(list, rows)]
    if len(shown) == 1:
        return []
    wide = [max(len(row[i]) for row in shown) for i in range(len(head))]
    lines = ["  " + "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, align, wide, strict=True)).rstrip() for row in shown]
    left = count - len(shown) + 1
    return [title, *lines, *([f"  and {left} more in --json"] if left > 0 else [])]
