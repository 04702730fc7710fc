"""A case told so that a person can check it: observed apart from inferred, four factors, alternatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from stillwatch.campaigns.judge import LADDER, Judged, accounts_of
from stillwatch.campaigns.timeline import timeline
from stillwatch.evidence.strangers import log10_mean
from stillwatch.records import NO_CONTEXT, Campaign, Cluster, Context
from stillwatch.traffic import Ints, Owners, Traffic, codes, strangers

FACTORS = {"volume": "volume_and_coordination", "concentration": "concentration", "coordination": "coordinated_accounts", "timeline": "development_timeline"}
"Detectors' factor -> the factor's name in a case (US bill H.R. 8283)."

INFERENCES = {
    "capability concentration": "Requests this narrow suit the training of a model on that capability.",
    "coverage sweep": "A subject is covered from end to end without repeating anything, as training data are.",
    "dealt job": "One list of jobs is dealt out over the accounts.",
    "frozen client": "One relay stands behind the accounts.",
    "grading": "Grades of answer after answer suit a reward model.",
    "image work": "What is asked of images suits the training of a model that sees.",
    "load balance": "Load this even suggests a pool behind one scheduler rather than independent users.",
    "logit-bias sweep": "A bias that is moved from token to token reads the model's probabilities off.",
    "many addresses": "Requests pass through rotating proxies, or a pool lends its accounts.",
    "model pivot": "Accounts that take up a release together and within hours suggest one hand behind them.",
    "model retreat": "Accounts that answer refusals together with an older model suggest one hand behind them.",
    "no ramp": "Accounts that are at work in full on their first day were made for a job.",
    "no telemetry": "A relay copies the client's headers.",
    "open loop": "A list that was written beforehand is worked off, whatever the answers say.",
    "output harvest": "Probabilities and several answers to one question suit the training of a model.",
    "path failover": "One list goes on by another account or path where one is blocked.",
    "payment rush": "Accounts that pay together when a way to pay is closed suggest one hand behind them.",
    "pool handover": "A second pool goes on with what a banned one did.",
    "reasoning elicitation": "Reasoning that is written out in answer after answer suits the training of a model.",
    "reasoning replay": "Reasoning is carried from account to account: they act for one job.",
    "round the clock": "Work without rest suggests a list that is worked off rather than people.",
    "small plan": "Many small accounts do together what one large customer would have to sign for.",
    "tool orchestration": "One harness runs behind the accounts.",
}
"What is inferred when a detector fires."

ALTERNATIVES = {
    "evaluation suite, exercise or release-day benchmark": "the same public list",
    "application, framework or prompt library used by unrelated customers": "a business of their own",
    "product of one maker": "a product",
    "wording that was already in use": "an earlier user",
    "a prompt that went viral": "a sideline",
    "a common turn of phrase": "a stock phrase",
    "a class, an office or a reseller behind one address": "one site",
}
"Innocent explanation -> the exculpation that tries it."


def _shares(names: Sequence[str], labels: Ints) -> dict[str, float]:
    values, counts = np.unique(labels, return_counts=True)
    order = np.lexsort((values, -counts))
    return {names[int(values[i])]: round(float(counts[i] / counts.sum()), 6) for i in order}


def _users(cluster: Cluster) -> Ints:
    """Its members that use any of its families again in other prompts; the others are in it by replays alone."""
    found: Ints = cluster.accounts[cluster.carried.any(axis=1)]
    return found


def _conditions(case: list[Judged], owners: Owners) -> dict[str, Any]:
    lead = case[0]
    # The leading cluster may be one of replays alone: what wording says is told from the case's strongest cluster by wording.
    weighed = max((one.weighed for one in case), key=lambda one: -math.inf if one.strangers is None else one.strangers)
    cluster = weighed.cluster
    unrelated = strangers(owners, _users(cluster))
    before = int(np.median(cluster.before)) if len(cluster.before) else 0
    share = round(float(cluster.share.min()), 6) if len(cluster.share) else None
    told = {
        "strong": "What is asked for fits the making of training data in two ways.",
        "some": "One sign says what the answers may be for.",
        "open": "Coordinated, purpose open.",
    }
    if weighed.strangers is None:
        text = "Cannot decide by wording: no history to tell new wordings from old ones, or too few strangers."
    else:
        text = f"{unrelated} unrelated organisations use the same wording again and again; in the reference, {before} did."
    by_name = int(cluster.named.max(initial=0))
    if weighed.named is not None and by_name > 2 * unrelated:
        text += f" Counted by name, whoever pays and from wherever they call, they are {by_name}: that count alone is at most a review."
    ends = max((one.weighed.cluster.replaying for one in case), default=0)
    replay = None
    replays = [one.weighed.replay for one in case if one.weighed.replay is not None]
    if replays:
        replay = {
            "log10_e": round(max(replays), 4),
            "strangers": ends,
            "text": f"{ends} unrelated organisations stand at an end of a replay of encrypted reasoning. Assumed: among innocents three such"
            " organisations are rarer than one group in a hundred, and each further one ten times rarer.",
        }
    return {
        "tied": {
            "text": "; ".join(tie["text"] for tie in _ties(case)) or "shared wording only",
            "accounts": len(accounts_of(case)),
            "keys": sum(keys for one in case for _, keys, _, _ in one.weighed.cluster.ties),
        },
        "strangers": {
            "log10_e": None if weighed.strangers is None else round(weighed.strangers, 4),
            "strangers": unrelated,
            "by_name": by_name,
            "log10_e_by_name": None if weighed.named is None else round(weighed.named, 4),
            "history_carriers": before,
            "share_of_exposure": share,
            "text": text,
        },
        "replay": replay,
        "exculpations": [
            {"name": e.name, "found": e.found, "value": None if e.value is None else round(e.value, 4), "threshold": e.threshold, "text": e.text}
            for e in lead.exculpations
        ],
        "purpose": {"grade": lead.purpose, "text": " ".join([told[lead.purpose], *lead.reasons])},
    }


def _ties(case: list[Judged]) -> list[dict[str, Any]]:
    families = sum(int(one.weighed.cluster.family.max(initial=-1)) + 1 for one in case)
    wordings = sum(len(one.weighed.cluster.family) for one in case)
    members = len(np.unique(np.concatenate([_users(one.weighed.cluster) for one in case])))
    told: list[dict[str, Any]] = []
    if members:
        text = f"{members} accounts use {families} piece{'s' if families != 1 else ''} of template ({wordings} mark{'s' if wordings != 1 else ''}) again in other prompts"
        told.append({"kind": "template", "keys": families, "accounts": members, "expected": None, "text": text})
    for name, keys, accounts, expected in case[0].weighed.cluster.ties:
        if expected is not None and accounts <= 2 * expected:
            continue
        usual = "" if expected is None else f", where a random group of this size would show {expected:.1f}"
        told.append({
            "kind": name, "keys": keys, "accounts": accounts, "expected": None if expected is None else round(expected, 4),
            "text": f"{accounts} accounts share {keys} {name} key{'s' if keys != 1 else ''}{usual}",
        })  # fmt: skip
    return told


def _factors(case: list[Judged], left_out: int, calls: int, accounts: int, unrelated: int, days: float) -> dict[str, dict[str, list[str]]]:
    factors: dict[str, dict[str, list[str]]] = {name: {"observed": [], "inferred": []} for name in FACTORS.values()}
    factors["volume_and_coordination"]["observed"].append(f"{calls} core calls by {accounts} accounts over {days:.1f} days")
    factors["coordinated_accounts"]["observed"].append(f"{unrelated} organisations without a visible relation among {accounts} accounts")
    for tie in _ties(case):
        factors["coordinated_accounts"]["observed"].append(tie["text"])
    if left_out:
        factors["coordinated_accounts"]["observed"].append(
            f"{left_out} of them stand in one of its {len(case)} clusters alone, at no end of a replay, with less than half of what they ask: the case leaves them out"
        )
    for each in case[0].evidence:
        factors[FACTORS[each.factor]]["observed"].append(each.text)
        if each.fires:
            factors[FACTORS[each.factor]]["inferred"].append(INFERENCES[each.name])
    return factors


def _sampled(traffic: Traffic, calls: Ints) -> list[str]:
    """What a kept sample stands for; nothing where all calls are kept, as far as known."""
    weights = 1.0 / pc.fill_null(traffic.column("sampled"), 1.0).to_numpy()[calls]
    if not (weights > 1.0).any():
        return []
    whole = float(weights.sum())
    return [
        f"the log keeps about {len(calls) / whole:.1%} of these calls: they stand for some {whole:,.0f}, and accounts of which fewer than two are kept are not seen"
    ]


def _alternatives(lead: Judged) -> list[dict[str, Any]]:
    tried = {each.name: each for each in lead.exculpations}
    told = []
    for name, exculpation in ALTERNATIVES.items():
        if exculpation not in tried:
            told.append({"name": name, "for": ["Not tried: the evidence is too weak to need it."], "against": []})
            continue
        each = tried[exculpation]
        told.append({"name": name, "for": [each.text] if each.found else [], "against": [each.text] if each.found is False else []})
    firing = {each.name: each.text for each in lead.evidence if each.fires}
    programme = tried.get("a declared programme")
    told.append({
        "name": "audit, explainability, evaluation or permitted synthetic data",
        "for": [firing[name] for name in ("reasoning elicitation", "grading") if name in firing] + ([programme.text] if programme and programme.found else []),
        "against": ([programme.text] if programme and programme.found is False else []) + ["Strangers share the wording."],
    })  # fmt: skip
    return told


def tell(
    case: list[Judged],
    traffic: Traffic,
    names: Mapping[str, Sequence[str]],
    taken: Container[int] = (),
    take: Callable[[Ints], dict[str, Any]] | None = None,
    *,
    whole: list[Judged] | None = None,
    draw: Callable[[list[Judged], Ints, list[str]], dict[str, Any]] | None = None,
    leave_out: Callable[[list[str]], list[dict[str, Any]]] | None = None,
    context: Context = NO_CONTEXT,
) -> Campaign:
    """One campaign of one or more clusters, the strongest first.

    `names`: capabilities and scripts by code; `taken`: members that name a stronger campaign already; `take`: tells what some calls
    took (campaigns.taken); `whole`: the case with those whom it leaves out, of whom evidence and ties are (campaigns.aside); `draw`: the pictures (campaigns.picture); `leave_out`: each signal left out (campaigns.left_out). None leaves a part out. `context`: dated events that
    were told beside the log.
    """
    whole = case if whole is None else whole
    lead, ties = whole[0], _ties(whole)
    kinds = [tie["kind"] for tie in ties]
    accounts = accounts_of(case)
    calls: Ints = np.unique(np.concatenate([one.weighed.cluster.calls for one in case]))
    ts = traffic.ts[calls]
    unrelated = strangers(traffic.owners, accounts)
    by_time = traffic.account[calls][np.lexsort((traffic.accounts[traffic.account[calls]], ts))]
    # Two cases may have their earliest member in common: the stronger keeps the name, the other takes its next member's.
    earliest = next((name for a in dict.fromkeys(by_time.tolist()) if (name := int(traffic.accounts[a])) not in taken), int(traffic.accounts[by_time[0]]))
    models = pc.fill_null(traffic.column("model"), "").combine_chunks().take(calls).dictionary_encode()
    capability, capabilities = codes(traffic.column("capability").combine_chunks().take(calls))
    script, scripts = codes(traffic.column("script").combine_chunks().take(calls))
    counts = np.bincount(traffic.account[calls], minlength=len(traffic.accounts))[accounts]
    everybody = accounts_of(whole)
    factors = _factors(whole, len(everybody) - len(accounts), len(calls), len(accounts), unrelated, (int(ts.max()) - int(ts.min())) / 86_400e6)
    factors["volume_and_coordination"]["observed"] += _sampled(traffic, calls)
    for kind, lines in zip(("observed", "inferred"), timeline(traffic, accounts, calls, context), strict=True):
        factors["development_timeline"][kind] += lines
    return Campaign(
        campaign=f"{earliest & (2**64 - 1):016x}",
        earliest=earliest,
        verdict=lead.verdict,
        log10_e=round(lead.log10_e, 4),
        q=round(lead.q, 8),
        p_floor=float(f"{lead.p_floor:.3e}"),
        conditions=_conditions(whole, traffic.owners),
        accounts=[int(traffic.accounts[a]) for a in accounts],
        calls=len(calls),
        first_ts=int(ts.min()),
        last_ts=int(ts.max()),
        factors=factors,
        signals=[
            {
                "name": e.name, "value": round(e.value, 6), "unit": e.unit, "benign_low": e.benign_low, "benign_high": e.benign_high, "p": e.p, "p_floor": e.p_floor,
                "log10_e": e.log10_e, "fires": e.fires, "factor": e.factor, "atlas": e.atlas, "text": e.text,
            }
            for e in lead.evidence
        ],
        ties=ties,
        alternatives=_alternatives(lead),
        models=_shares(models.dictionary.to_pylist(), models.indices.to_numpy().astype(np.int64)),
        capabilities=_shares([names["capabilities"][int(c)] for c in capabilities], capability[capability >= 0]),
        languages=_shares([names["scripts"][int(c)] for c in scripts], script[script >= 0]),
        members=[
            {"account": int(traffic.accounts[a]), "log10_e": round(_of_member(case, int(a)), 4), "calls": int(n)}
            for a, n in zip(accounts, counts, strict=True)
        ],
        taken={} if take is None else take(calls),
        left_out=[] if leave_out is None else leave_out(kinds),
        **({} if draw is None else draw(case, calls, kinds)),
    )  # fmt: skip


def _of_member(case: list[Judged], account: int) -> float:
    """Evidence that the account stands in: of the families that it carries, and of its cluster's replays."""
    have: list[float] = []
    for one in case:
        at = int(np.searchsorted(one.weighed.cluster.accounts, account))
        if at == len(one.weighed.cluster.accounts) or one.weighed.cluster.accounts[at] != account:
            continue
        if one.weighed.strangers is not None:
            have += [e for e, carries in zip(one.families, one.weighed.cluster.carried[at], strict=True) if carries]
        if one.weighed.replay is not None:
            have.append(one.weighed.replay)
    return log10_mean(have) if have else 0.0


def ranked(campaigns: list[Campaign]) -> list[Campaign]:
    """Strongest first: by verdict, then evidence, then id."""
    return sorted(campaigns, key=lambda each: (LADDER.index(each.verdict), -each.log10_e, each.campaign))
