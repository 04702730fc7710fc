"""Campaigns and summaries as a scan writes them, for the report's tests."""

from __future__ import annotations

from typing import Any


def campaign(name: str = "00c0ffee00c0ffee", verdict: str = "alert", accounts: int = 30) -> dict[str, Any]:
    """One line of campaigns.jsonl; an account id holds markup."""
    factor = {"observed": ["300 core calls by 30 accounts"], "inferred": ["A pool <b>behind</b> one scheduler."]}
    return {
        "campaign": name, "verdict": verdict, "log10_e": 26.5, "q": 3e-9, "p_floor": 1e-12,
        "conditions": {
            "tied": {"text": "30 accounts share a template", "accounts": accounts, "keys": 5},
            "strangers": {"log10_e": 26.5, "strangers": 29, "history_carriers": 0, "share_of_exposure": 0.4, "text": "29 unrelated organisations use the same wording."},
            "replay": {"log10_e": 12.0, "strangers": 13, "text": "13 unrelated organisations stand at an end of a replay."},
            "exculpations": [
                {"name": "the same public list", "found": False, "value": 0.02, "threshold": 0.35, "text": "Only 2% are shared."},
                {"name": "a sideline", "found": True, "value": 0.9, "threshold": 0.65, "text": "90% is something else."},
                {"name": "one site", "found": None, "value": None, "threshold": 0.3, "text": "Could not be examined."},
            ],
            "purpose": {"grade": "some", "text": "One sign says what the answers may be for."},
        },
        "accounts": ["<script>alert(1)</script>", *(f"acct_{i:04}" for i in range(accounts - 1))], "calls": 300,
        "first_ts": 1_767_225_600_000_000, "last_ts": 1_767_398_400_000_000,
        "factors": {key: factor for key in ("volume_and_coordination", "concentration", "coordinated_accounts", "development_timeline")},
        "signals": [
            {"name": "load balance", "value": 0.8, "unit": "variance / mean", "benign_low": 1.0, "benign_high": 80.0, "log10_e": None, "fires": True,
             "factor": "volume", "atlas": "AML.T0040", "text": "calls per account vary 0.8 times"},
            {"name": "dealt job", "value": 0.0, "unit": "share", "benign_low": None, "benign_high": None, "log10_e": None, "fires": False,
             "factor": "coordination", "atlas": "AML.T0021", "text": "0% shared"},
        ],
        "ties": [{"kind": "payment", "keys": 2, "accounts": 30, "expected": 1.5, "text": "30 accounts share 2 payment keys"}],
        "alternatives": [{"name": "evaluation suite", "for": [], "against": ["Only 2% are shared."]}],
        "models": {"orion": 0.7, "m & m": 0.3}, "capabilities": {"mathematics": 0.9, "other": 0.1}, "languages": {"Latin": 1.0},
        "volume": {"start_ts": 1_767_225_600_000_000, "bucket_us": 3_600_000_000, "calls": [5, 0, 7] * 16},
        **_pictures(accounts), "left_out": _left_out(), "taken": _taken(),
    }  # fmt: skip


def _pictures(accounts: int) -> dict[str, Any]:
    """Graph, raster, pivots and templates; a name that holds markup in each."""
    named = ["<b>acct</b>"]
    return {
        "graph": {
            "accounts": accounts,
            "keys": [{"kind": "template", "keys": 1, "accounts": accounts}, {"kind": "payment", "keys": 1, "accounts": 6}, {"kind": "me<sh", "keys": 7, "accounts": 8}],
            "groups": [
                {"accounts": accounts - 9, "calls": 200, "sets": 1, "named": named}, {"accounts": 6, "calls": 60, "sets": 1, "named": named},
                {"accounts": 1, "calls": 20, "sets": 1, "named": named}, {"accounts": 2, "calls": 20, "sets": 2, "named": named},
            ],
            "edges": [[0, 0, accounts - 9], [1, 0, 6], [1, 1, 6], [1, 2, 5], [2, 2, 1], [3, 0, 2], [3, 2, 2]],
        },
        "raster": {"accounts": accounts, "rows": [{"calls": [i % 2, 0, 2 + i] * 16, "named": named} for i in range(4)]},
        "pivots": {
            "models": [
                {"model": "orion", "first_ts": 1_767_225_600_000_000, "calls": [5, 0, 3] * 16}, {"model": "m & m", "first_ts": 1_767_312_000_000_000, "calls": [0, 0, 3] * 16},
                {"model": None, "models": 3, "first_ts": 1_767_312_000_000_000, "calls": [0, 0, 1] * 16},
            ],
            "appeared": [{"model": "m & m", "ts": 1_767_312_000_000_000, "share_before": 0.0, "share_after": 0.46}],
        },
        "templates": {
            "pieces": [
                {"mark": "00aa00aa00aa00aa", "wordings": 12, "accounts": accounts, "calls": 250, "before": 0, "named": named},
                {"mark": "00bb00bb00bb00bb", "wordings": 3, "accounts": 8, "calls": 40, "before": None, "named": named},
            ],
            "more": {"pieces": 2, "wordings": 5}, "sets": [{"pieces": [0], "accounts": accounts - 8}, {"pieces": [0, 1], "accounts": 8}], "others": 3,
        },
    }  # fmt: skip


def _left_out() -> list[dict[str, Any]]:
    return [
        {"name": "strangers", "verdict": "review", "log10_e": 12.0, "q": 2e-5, "text": "A review instead of an alert."},
        {"name": "replay", "verdict": None, "log10_e": None, "q": 1.0, "text": "Not listed at all instead of an alert. No evidence is left."},
        {"name": "tie: payment", "verdict": "alert", "log10_e": 26.5, "q": 3e-9, "text": "Changes nothing: the judgement is the same without it."},
    ]


def _taken() -> dict[str, Any]:
    return {
        "calls": 300, "tokens_in": 90_000, "tokens_out": 2_400_000, "tokens_reasoning": None, "tokens_cached": None, "estimated_share": 0.2, "calls_without_tokens": 3,
        "list_price_usd": 61.5, "unpriced_calls": 4, "unpriced_models": ["m & m"], "charged_usd": None, "unpaid_share": None, "with_reasoning_share": 0.84,
        "answers_share": 0.97, "capabilities": {"mathematics": 1.0}, "severity": "medium", "severity_text": "2,400,000 generated tokens (medium from 1,000,000).",
        "prices": {"as_of": "2026-01-01", "source": "list <prices>"},
    }  # fmt: skip


def summary(**changed: Any) -> dict[str, Any]:
    """summary.json."""
    return {
        "calls_read": 100_000, "calls_rejected": 12, "calls_duplicate": 3, "accounts": 5000, "organisations": 4200, "reference_organisations": 1700,
        "clusters_tested": 340, "alerts": 1, "reviews": 0, "watches": 1,
        "detectors": {"dealt job": "on", "reasoning replay": {"off": ["reasoning_in", "reasoning_out"]}}, "ties": {"payment": {"off": ["payment"]}},
        "placebo": {"rounds": 5, "alerts": 0, "reviews": 0, "text": "16,000 wordings"}, "cannot_decide": None, "seconds": 9.9, "peak_bytes": 10**9,
        "versions": {"stillwatch": "0.1.0"}, "parameters": {}, "first_ts": 1_767_225_600_000_000, "last_ts": 1_767_398_400_000_000, "key_fingerprint": "0" * 16,
    } | changed  # fmt: skip
