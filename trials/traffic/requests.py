"""Single requests before `unmimic`'s input guard, and before our own cue families, source by source."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from baselines import unmimic_guard
from pages import interval, put
from stillwatch.sketch import text
from traffic import marks, vectors

SECTION = "requests"

LEARNED, ASKED = 1_500, 300
"Normal requests that the guard learns from, and requests asked of each source."

SOURCES = {
    "sharegpt": "people's chat", "eval_mmlu": "examination", "eval_bbh": "examination, worked examples", "code_review_diffs": "code review",
    "r_cot_reconstruct_a": "reasoning reconstructed", "r_skyt1_math": "long reasoning over mathematics", "r_ultrafeedback": "grading by rubric",
    "r_evol": "instructions evolved", "alpaca_en": "made instructions",
}  # fmt: skip
"Corpus -> what its requests are; the first four are innocent."


def _texts(corpora: Path, name: str) -> list[str]:
    kept = sorted(set(pq.read_table(corpora / f"{name}.parquet", columns=["text"])["text"].to_pylist()))
    random.Random(name).shuffle(kept)
    return kept


def page(corpora: Path, cache: Path) -> str:
    """The section, without its markers."""

    def embed(texts: list[str]) -> np.ndarray:
        return vectors.vectors(texts, "minilm", cache) if texts else np.zeros((0, 384), np.float32)

    guard = unmimic_guard.guard(embed, _texts(corpora, "sharegpt")[:LEARNED])
    lines = [
        "## Single requests", "",
        "Printed by `python trials/windows.py requests CORPORA --cache DIR --into docs/trial.md`.", "",
        f"`unmimic` 0.1.0's input guard with its own attacks, hard negatives and thresholds. Its sentence model and its normal prompts cannot be had here: all-MiniLM-L6-v2 stands for the"
        f" one, {LEARNED:,} prompts of people's chat for the other, so these are not its published rates (37.5 % blocked, 0.04 % of WildChat). It looks for requests to reveal reasoning"
        " only. Beside it, the share of requests in which our sketch hears one of its families, a mark and no verdict; its cues were written with such templates in view, so this is no contest. Per cent with 95 % interval (Wilson).", "",
        "| source | what it is | blocked | blocked or flagged | a family heard |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, meaning in SOURCES.items():
        asked = _texts(corpora, name)[LEARNED:][:ASKED] if name == "sharegpt" else _texts(corpora, name)[:ASKED]
        done = unmimic_guard.actions(guard, embed, asked)
        none = pa.nulls(len(asked), pa.string())
        heard = int((np.asarray(text.sketch(none, pa.array(asked, pa.string()), none, marks.KEY)["asked"]) != 0).sum())
        counts = done.count("block"), len(done) - done.count("allow"), heard
        lines.append(f"| {name} | {meaning} | " + " | ".join(interval(each, len(asked)) for each in counts) + " |")
    return "\n".join(lines) + "\n"


def tell(corpora: Path, cache: Path, into: Path) -> None:
    """Writes the section into a page."""
    put(into, SECTION, page(corpora, cache))
