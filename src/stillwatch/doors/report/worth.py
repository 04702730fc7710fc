"""What was taken and what it is worth: how grave a case is, apart from how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from stillwatch.doors.report import chart
from stillwatch.doors.report.words import count

NOTE = "Severity says how much was taken, not how sure it is: it is no part of the evidence, and the verdict does not know it."


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"


def _count(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _figures(taken: Mapping[str, Any]) -> str:
    price, unpriced = taken["list_price_usd"], taken["unpriced_calls"]
    charged = "What was charged is unknown." if taken["charged_usd"] is None else f"{taken['charged_usd']:,.2f} USD were charged."
    as_of = "" if taken["prices"]["as_of"] is None else f" Prices as of {escape(taken['prices']['as_of'])}."
    reasoning = taken["tokens_reasoning"]
    hidden = "Hidden reasoning is not told." if reasoning is None else f"{reasoning:,} of the tokens are hidden reasoning."
    requests = "Tokens of requests are unknown." if taken["tokens_in"] is None else f"For {taken['tokens_in']:,} tokens of requests."
    guess = f" {_share(taken['estimated_share'])} of the tokens are estimated from words." if taken["estimated_share"] else ""
    missing = f" {count(unpriced, 'call')} of models without a known price are not in it." if unpriced else ""
    shown = (
        ("Severity", escape(taken["severity"] or "unknown"), escape(taken["severity_text"])),
        ("Generated tokens", _count(taken["tokens_out"]), f"{requests}{guess}"),
        ("List price", "unknown" if price is None else f"{price:,.2f} USD", f"{charged}{as_of}{missing}"),
        ("Unpaid share", _share(taken["unpaid_share"]), "Of the list price, where the log tells both."),
        ("Answers with reasoning", _share(taken["with_reasoning_share"]), f"Written out or hidden. {hidden}"),
        ("Answered", _share(taken["answers_share"]), "Of the core calls of which the log tells."),
    )
    boxes = "".join(f"<div><dt>{name}</dt><dd class='big'>{value}</dd><dd>{said}</dd></div>" for name, value, said in shown)
    return f'<dl class="figures">{boxes}</dl><p class="soft">{escape(taken["prices"]["source"])}</p>'


def worth(campaign: Mapping[str, Any]) -> str:
    """Figures, then shares by capability, model and writing system."""
    taken = campaign.get("taken") or {}
    figures = f'<p class="soft">{NOTE}</p>{_figures(taken)}' if taken else '<p class="soft">Not valued: no price list was given.</p>'
    boxes = (
        ("Capabilities, of the core calls", campaign["capabilities"], ""),
        ("Capabilities, of the generated tokens", taken.get("capabilities") or {}, ""),
        ("Models", campaign["models"], ""),
        ("Writing systems", campaign.get("languages") or {}, '<p class="soft">For the reader only: the judge never sees them.</p>'),
    )
    shares = "".join(f'<div class="box"><h5>{title}</h5>{chart.shares(told)}{note}</div>' for title, told, note in boxes)
    return f'{figures}<div class="pair">{shares}</div>'
