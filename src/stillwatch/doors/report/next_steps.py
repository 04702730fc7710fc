"""What a reviewer should check next: drawn from what the case says, and from what it could not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLOSING = {
    "alert": "Confirm a breach of your own terms on that sample; only then act, on the cluster, reversibly, with a way to appeal.",
    "review": "Decide as a person: this is not an accusation yet. Never act on a lone account.",
    "watch": "Nothing to do to these accounts. Compare with the next scan.",
}


def steps(campaign: Mapping[str, Any]) -> list[str]:
    """Sentences in the order in which to work. Plain text, not escaped."""
    conditions = campaign["conditions"]
    told = ["Read a sample of the core calls of at least three members with the text that you hold; this page holds none."]
    for each in campaign.get("known", ()):
        if each["conflict"]:
            told.append(
                f'Settle the conflict: "{each["entry"]}" says benign ({each["reason"]}). Ask whoever wrote it whether it covers what these accounts did.'
            )
    if conditions["replay"]:
        told.append(
            "Take three of the replayed pieces of reasoning: see to whom each was issued, and whether the two accounts are known to you as one customer."
        )
    tied = [tie["kind"] for tie in campaign["ties"] if tie["kind"] not in ("template", "replay")]
    if tied:
        told.append(f"Look up what stands behind the shared {', '.join(tied)}: one buyer, or something that many strangers share?")
    for each in conditions["exculpations"]:
        if each["found"]:
            told.append(f"An innocent explanation was found and lowers the verdict ({each['name']}): try to confirm or to refute it first.")
    unknown = [each["name"] for each in conditions["exculpations"] if each["found"] is None]
    if unknown:
        told.append(f"Could not be examined here: {', '.join(unknown)}. Look at that by hand, or scan a log that carries more columns.")
    if conditions["strangers"]["log10_e"] is None:
        told.append("Wording was not weighed against earlier traffic: scan again with --history.")
    if conditions["purpose"]["grade"] == "open":
        told.append("The purpose is open: ask what the answers are used for before anything else.")
    return [*told, CLOSING[campaign["verdict"]]]
