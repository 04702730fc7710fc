"""What the program finds in the measurement logs, against the truth beside them; writes docs/trial.md.

    python trials/bars.py LOGS [--out docs/trial.md] [--corpora-note TEXT]

LOGS is the folder that trials/logs.py made. The history is scanned once; then every log is scanned with it and without it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

NAMED = ("alert", "review")


def scan(log: Path, out: Path, key: Path, history: Path | None) -> dict[str, Any]:
    """Run the program as a user does; its summary."""
    command = [sys.executable, "-m", "stillwatch", "scan", str(log), "--out", str(out), "--key", str(key), "--json"]
    if history is not None:
        command += ["--history", str(history)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def truth(log: Path) -> dict[str, str]:
    """Account -> campaign or benign class."""
    table = pq.read_table(log.with_suffix("").with_suffix(".truth.parquet"), columns=["account", "campaign", "class"])
    return {account: campaign or kind for account, campaign, kind in zip(*(table[name].to_pylist() for name in table.column_names), strict=True)}


def scripts(log: Path) -> dict[str, str]:
    """Account -> rough writing system of its prompts (for the report of false positives only)."""
    table = pq.read_table(log, columns=["account", "prompt"])
    counts: dict[str, Counter[str]] = {}
    for account, prompt in zip(table["account"].to_pylist(), table["prompt"].to_pylist(), strict=True):
        han = sum("\u3040" <= character <= "\u9fff" for character in (prompt or "")[:200])
        other = sum("\u0370" <= character < "\u3040" for character in (prompt or "")[:200])
        counts.setdefault(account, Counter())["Han and kana" if han > 20 else "other" if other > 20 else "Latin"] += 1
    return {account: count.most_common(1)[0][0] for account, count in counts.items()}


def judged(log: Path, out: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Verdict per campaign, precision and recall of accounts, innocents by class and script, false clusters."""
    label = truth(log)
    lines = [json.loads(line) for line in (out / "campaigns.jsonl").read_text().splitlines()]
    named = [line for line in lines if line["verdict"] in NAMED]
    planted = sorted({name for name in label.values() if name[:2] in ("O-", "A-")})
    accused = {account for line in named for account in line["accounts"]}
    verdicts: dict[str, str] = {}
    false: Counter[str] = Counter()
    for line in named:
        (main, count), *_ = Counter(label[account] for account in line["accounts"]).most_common(1)
        guilty = sum(label[account] in planted for account in line["accounts"])
        if 2 * guilty > len(line["accounts"]):
            for name in planted:
                if sum(label[account] == name for account in line["accounts"]) * 2 > guilty or main == name:
                    verdicts[name] = min(verdicts.get(name, "review"), line["verdict"])
        else:
            false[f"{line['verdict']}: {main}"] += 1
        del count
    innocent = [account for account in accused if label[account] not in planted]
    written = scripts(log)
    guilty_found = len(accused) - len(innocent)
    size = Counter(label.values())
    return {
        "log": log.stem, "verdicts": {name: verdicts.get(name, "-") for name in planted},
        "precision": guilty_found / len(accused) if accused else None,
        "recall": {name: sum(label[account] == name for account in accused) / size[name] for name in planted},
        "innocents": dict(Counter(label[account] for account in innocent)), "innocents_by_script": dict(Counter(written[account] for account in innocent)),
        "accounts_by_script": dict(Counter(written[account] for account in label if label[account] not in planted)),
        "false_clusters": dict(false), "alerts": summary["alerts"], "reviews": summary["reviews"], "placebo": [summary["placebo"]["alerts"], summary["placebo"]["reviews"]],
        "seconds": summary["seconds"], "peak_mb": round(summary["peak_bytes"] / 1e6),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown of the results."""
    names = sorted({name for row in rows for name in row["verdicts"]})
    head = [
        "log",
        *names,
        "precision",
        *(f"recall {name}" for name in names),
        "innocents named",
        "false clusters",
        "alerts",
        "reviews",
        "placebo a/r",
        "s",
        "MB",
    ]
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["log"], *(row["verdicts"].get(name, "") for name in names), "" if row["precision"] is None else f"{row['precision']:.4f}"]
        cells += [f"{row['recall'][name]:.3f}" if name in row["recall"] else "" for name in names]
        cells += [", ".join(f"{k} {v}" for k, v in row["innocents"].items()), ", ".join(f"{k} x{v}" for k, v in row["false_clusters"].items())]
        cells += [str(row["alerts"]), str(row["reviews"]), "/".join(map(str, row["placebo"])), f"{row['seconds']:.1f}", str(row["peak_mb"])]
        out.append("| " + " | ".join(cells) + " |")
    return out


def main() -> None:
    """Scan everything and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/trial.md"))
    args = parser.parse_args()
    text = [
        "# Trial", "", "Written by `python trials/bars.py LOGS` from the logs of `python trials/logs.py --corpora DIR --out LOGS`.",
        "Logs draw on one half of the corpora's sources, the history on the other; wordings, people and ids differ by seed.", "",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        key = folder / "key"
        reference = scan(args.logs / "history.parquet", folder / "history", key, None)
        text += [f"History: {reference['calls_read']:,} calls of {reference['organisations']:,} organisations.", ""]
        for title, pattern, history in (
            ("Three campaigns, 15 % of the calls, with history", "mixed-*", True),
            ("The same without history", "mixed-*", False),
            ("Benign only, with history", "benign-*", True),
        ):
            rows = []
            for log in sorted(args.logs.glob(f"{pattern}.parquet")):
                if log.name.endswith(".truth.parquet"):
                    continue
                summary = scan(log, folder / "out", key, folder / "history" if history else None)
                rows.append(judged(log, folder / "out", summary))
                print(json.dumps(rows[-1]), flush=True)
            named = Counter({k: v for row in rows for k, v in ()})
            everyone: Counter[str] = Counter()
            for row in rows:
                named.update(row["innocents_by_script"])
                everyone.update(row["accounts_by_script"])
            rates = ", ".join(f"{script}: {named[script]} of {count}" for script, count in sorted(everyone.items()))
            text += [f"## {title}", "", *table(rows), "", f"Innocent accounts named in an alert or review, by writing system: {rates}.", ""]
    args.out.write_text("\n".join(text))
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
