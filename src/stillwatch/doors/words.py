"""What the command line says to a person: short summaries, one line an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stillwatch.doors.pooled import said


def scanned(summary: Mapping[str, Any], campaigns: Sequence[Mapping[str, Any]], out: Path) -> str:
    """The outcome of a scan in a few lines."""
    lines = [
        f"{summary['calls_read']:,} calls read, {summary['calls_rejected']:,} rejected, {summary['calls_duplicate']:,} duplicate; "
        f"{summary['accounts']:,} accounts of {summary['organisations']:,} organisations, {summary['reference_organisations']:,} in the reference",
        f"{_several(summary['alerts'], 'alert')}, {_several(summary['reviews'], 'review')}, {_several(summary['watches'], 'watch', 'es')}"
        f" among {_several(summary['clusters_tested'], 'cluster')}",
    ]
    for campaign in campaigns[:10]:
        lines.append(
            f"  {campaign['verdict']:6}  {campaign['campaign']}  {len(campaign['accounts']):,} accounts, {campaign['calls']:,} calls, "
            f"10^{campaign['log10_e']:.0f} to 1, q {campaign['q']:.1g}"
        )
    if len(campaigns) > 10:
        lines.append(f"  and {len(campaigns) - 10} more in campaigns.jsonl")
    lines += known(summary["known"], campaigns)
    lines += shadowed(summary["packs"])
    lines += said(summary["calibration"])
    off = [f"{name} (no {', '.join(state['off'])})" for name, state in summary["detectors"].items() if state != "on"]
    if off:
        lines.append("off: " + "; ".join(off))
    if summary["sampled"]:
        lines.append(str(summary["sampled"]["text"]))
    if summary["cannot_decide"]:
        lines.append(str(summary["cannot_decide"]))
    lines.append(f"seal: {summary['seal']}")
    lines.append(f"report: {out / 'report.html'}")
    return "\n".join(lines)


def verified(told: Mapping[str, Any], folder: Path, most: int = 20) -> str:
    """Whether a scan is what its marks give, and where it is not."""
    if told["verified"]:
        given = "the one that was written down" if told["seal_given"] else "not compared with one written down elsewhere"
        return (
            f"verified: {_several(told['figures'], 'figure')} of {_several(told['campaigns'], 'case')} follow from the {told['calls']:,} calls that are kept\n"
            f"seal: {told['seal']}, {given}"
        )
    lines = [f"NOT verified: {folder}: {_several(len(told['differences']), 'difference')}"]
    lines += [f"  {each['where']}: {each['what']}" for each in told["differences"][:most]]
    if len(told["differences"]) > most:
        lines.append(f"  and {len(told['differences']) - most:,} more in --json")
    if told["versions"]:
        lines.append(f"made with {'; '.join(told['versions'])}: figures may differ for that alone, so verify it with those versions")
    return "\n".join(lines)


def known(told: Mapping[str, Any] | None, campaigns: Sequence[Mapping[str, Any]], most: int = 5) -> list[str]:
    """What --known said: every conflict, then the first other annotations, then what has expired."""
    if told is None:
        return []
    lines = [f"conflict: {each['campaign']}: {each['text']}" for each in told["conflicts"]]
    others = [f"known: {line['campaign']}: {each['text']}" for line in campaigns for each in line["known"] if not each["conflict"]]
    lines += others[:most]
    if len(others) > most:
        lines.append(f"known: {len(others) - most:,} annotations more in campaigns.jsonl")
    expired = [f"{each['entry']} ({each['expires']})" for each in told["entries"] if each["expired"]]
    return [*lines, f"expired, annotates nothing: {'; '.join(expired)}"] if expired else lines


def shadowed(told: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """What packs would have said, a line a pack: it counts for nothing."""
    lines = []
    for pack in told or ():
        hits = [f"{each['title']} {each['hits']:,} of {each['of']:,}" for each in pack["rules"]]
        lines.append(f"pack {pack['pack'][:8]} {pack['version']}, in shadow: " + (pack["problem"] or "; ".join(hits)))
    return lines


def noticed(told: Mapping[str, Any], most: int = 5) -> list[str]:
    """A line for each of the first whole files and columns that could not be used, and one for the rest."""
    notices = told.get("notices") or {"count": 0, "first": []}
    lines = [f"{each['file']}: {each['reason']}" for each in notices["first"][:most]]
    more = notices["count"] - len(lines)
    return [*lines, f"and {more:,} more files or columns that could not be used; see rejected.jsonl"] if more > 0 else lines


def _several(count: int, name: str, plural: str = "s") -> str:
    return f"{count:,} {name}{'' if count == 1 else plural}"


def heard(line: Mapping[str, Any]) -> str:
    """One alert of a stream, as it is raised."""
    return (
        f"alert   {line['campaign']}  {line['accounts']:,} accounts, {line['calls']:,} calls, 10^{line['log10_e']:.0f} to 1 after {line['calls_read']:,} calls"
    )


def followed(summary: Mapping[str, Any], out: Path) -> str:
    """Where a stream ended."""
    if not summary:
        return "stopped before anything was read"
    lines = [
        f"{summary['calls_read']:,} calls examined in {_several(summary['stream']['micro_batches'], 'micro-batch', 'es')}, {summary['calls_duplicate']:,} duplicate",
        f"{_several(summary['alerts'], 'alert')}, {_several(summary['reviews'], 'review')}, {_several(summary['watches'], 'watch', 'es')};"
        f" {_several(summary['stream']['alerts'], 'campaign')} crossed: {out / 'alerts.jsonl'}",
    ]
    if summary["unexamined"]:
        lines.append(f"{summary['unexamined']:,} calls more are read and wait for the next examination")
    if summary["unfinished_lines"]:
        lines.append(f"{_several(summary['unfinished_lines'], 'file')} end within a line, which waits for the rest of it")
    if summary["cannot_decide"]:
        lines.append(str(summary["cannot_decide"]))
    lines.append(f"report: {out / 'report.html'}")
    return "\n".join(lines)


def marked(made: Mapping[str, Any]) -> str:
    """What `marks` wrote."""
    lost = f"; {made['calls_rejected']:,} rejected, see {made['rejected']}" if made["rejected"] else ""
    return f"{made['calls_read']:,} calls of {made['accounts']:,} accounts marked: {made['marks']}{lost}"


def drilled(planted: Mapping[str, Any]) -> str:
    """What a drill planted, with every assumption."""
    lines = [f"{planted['calls']:,} calls of {planted['accounts']:,} accounts: {planted['log']}, truth: {planted['truth']}"]
    if planted.get("rejected"):
        lines.append(f"{planted['calls_rejected']:,} records of {planted['into']} could not be used and are left out, see {planted['rejected']}")
    if "history" in planted:
        lines.append(f"its history: {planted['history']['calls']:,} calls of {planted['history']['accounts']:,} accounts: {planted['history']['log']}")
    for campaign in planted["campaigns"]:
        lines.append(
            f"  {campaign['id']}: {campaign['calls']:,} calls ({campaign['share']:.2%} of all), {campaign['accounts']:,} accounts; cut by: "
            + ", ".join(f"{name} x {factor:.4g}" for name, factor in campaign["factors"].items())
        )
        lines += [f"    assumed: {line}" for line in campaign["assumptions"]]
    return "\n".join(lines)


def next_steps(scan: Path, key: Path, account: str) -> str:
    """What to try on the demo's result, whose key is not the user's own."""
    return f"try: stillwatch explain {scan} {account} --key {key}\n     stillwatch verify {scan} --key {key}"


def compared(found: Mapping[str, Any]) -> str:
    """The demo's comparison of the scan with the truth."""
    lines = [
        f"  {name}: {verdict['verdict'] or 'missed'}, {verdict['found']} of {verdict['accounts']} accounts" for name, verdict in found["campaigns"].items()
    ]
    return "\n".join(["compared with the truth:", *lines, f"  innocent accounts in any alert or review: {found['innocents']}"])
