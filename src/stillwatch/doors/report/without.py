"""The judgement with each signal left out in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stillwatch.doors.report.words import chance, count, power, table

NAMES = {"strangers": "Wording among strangers", "replay": "Reasoning replayed between strangers"}
KINDS = {"tie": "Tie by", "purpose": "Purpose:", "exculpation": "Not counting:"}


def named(name: str) -> str:
    """A signal as the reader meets it.

    >>> named("strangers"), named("tie: payment"), named("exculpation: one site")
    ('Wording among strangers', 'Tie by payment', 'Not counting: one site')
    """
    kind, _, what = name.partition(": ")
    return NAMES.get(name, f"{KINDS[kind]} {what}" if what and kind in KINDS else name)


def _same(each: Mapping[str, Any], campaign: Mapping[str, Any]) -> bool:
    return all(each[key] == campaign[key] for key in ("verdict", "log10_e", "q"))


def without(campaign: Mapping[str, Any]) -> str:
    """What changes the judgement in a table, what changes nothing in one folded sentence."""
    told: Sequence[Mapping[str, Any]] = campaign.get("left_out") or []
    if not told:
        return '<p class="soft">not computed</p>'
    rows = [
        (
            escape(named(each["name"])),
            '<span class="absent">not listed</span>' if each["verdict"] is None else f'<span class="badge {each["verdict"]}">{each["verdict"]}</span>',
            "none" if each["log10_e"] is None else power(each["log10_e"]), chance(each["q"]), escape(each["text"]),
        )
        for each in told
        if not _same(each, campaign)
    ]  # fmt: skip
    head = (("Left out", ""), ("Verdict", ""), ("Evidence", "n"), ("False discoveries", "n"), ("What changes", ""))
    nothing = '<p class="soft">No signal alone changes the judgement.</p>'
    same = [escape(named(each["name"])) for each in told if _same(each, campaign)]
    rest = f"<details><summary>{count(len(same), 'signal')} without which nothing changes</summary><ul><li>{'</li><li>'.join(same)}</li></ul></details>"
    return table("The case judged again without one signal; its accounts stay", head, rows, nothing) + (rest if same else "")
