"""Texts to marks: tokens, winnowed wordings, a term sample, cue families, in one compiled pass over Arrow's buffers.

Wordings are winnowed shingles (Schleimer, Wilkerson, Aiken: "Winnowing: local algorithms for document fingerprinting",
SIGMOD 2003): a shingle spans five words or ten ideographs, and the smallest shingle hash of every window is kept, so a
run of eight words that two prompts share always leaves a common mark. Far from both ends of a long text the window is
wider; a mark of a wide window is also one of every narrower window that holds it, so the two still meet. All hashes
depend on the key: without it nobody can ask a stored mark whether it is a given phrase.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stillwatch.sketch import characters, cues, kernels, lexicon

TERMS = 32
"Terms kept of each prompt."

ANSWER_TERMS = 12
"Terms kept of each answer."

LONG_ANSWER = 80
"Tokens from which an answer with connectives counts as reasoning delivered."

Ints = NDArray[np.int64]


def _buffers(texts: pa.Array) -> tuple[Ints, NDArray[np.uint8], NDArray[np.bool_]]:
    """Offsets, bytes and validity of a string array; no copy of the text."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if not pa.types.is_large_string(array.type):
        array = array.cast(pa.large_string())
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if len(array) else np.zeros(1, np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return starts, content, np.asarray(array.is_valid())


def _seed(key: bytes) -> int:
    return int.from_bytes(blake2b(b"wordings", key=key, digest_size=8).digest(), "little")


Cues = tuple[NDArray[np.uint8], NDArray[np.uint64]]
"Lengths of cues by the low bits of their first token, and the table from a cue's hash to the bits of its groups."


@lru_cache(maxsize=4)
def _tables(key: bytes) -> tuple[Cues, Cues]:
    """What requests are listened to for, and what answers are."""
    asked: list[tuple[int, Iterable[str]]] = list(enumerate(lexicon.CUES.values()))
    topics = [(cues.TOPIC_BIT + lexicon.CAPABILITIES.index(name), words) for name, words in lexicon.TOPICS.items()]
    tags = (cues.TAG_BIT, lexicon.TAGS)
    return _table([*asked, tags, *topics], key), _table([(cues.STEP_BIT, lexicon.STEPS), (cues.VERDICT_BIT, lexicon.VERDICTS), tags], key)


def _table(groups: Iterable[tuple[int, Iterable[str]]], key: bytes) -> Cues:
    lengths, slots = np.zeros(1 << 13, np.uint8), np.zeros((1 << 12, 2), np.uint64)
    for bit, words in groups:
        starts, data, _ = _buffers(pa.array(list(words)))
        for phrase, first, length in zip(*cues.phrase_hashes(starts, data, np.uint64(_seed(key)), characters.tables()), strict=True):
            at = int(phrase) & (len(slots) - 1)
            while slots[at, 0] not in (0, phrase):
                at = (at + 1) & (len(slots) - 1)
            slots[at] = phrase, slots[at, 1] | np.uint64(1 << bit)
            lengths[int(first) & (len(lengths) - 1)] |= 1 << (length - 1)
    return lengths, slots


def _families(groups: Ints, tags: NDArray[np.bool_]) -> Ints:
    """Cue groups seen in a text -> bits of the families, each of which needs two groups."""
    names = list(lexicon.CUES)
    asked = np.zeros(len(groups), np.int64)
    for bit, (one, other) in enumerate(lexicon.FAMILY_OF):
        both = ((groups >> names.index(one)) & 1) & ((groups >> names.index(other)) & 1)
        asked |= both << bit
    return asked | (tags.astype(np.int64) << lexicon.FAMILIES.index("inline reasoning tags"))


def _capability(topics: Ints, asked: Ints) -> Ints:
    """The capability with the most hits; where topics are silent, what the families say."""
    named = lexicon.CAPABILITIES.index
    # A rubric wraps arbitrary material, and so does making tasks: what is asked for outranks the material's topic.
    best = np.where((asked & 1) & (topics == 0), named("reasoning"), topics)
    best = np.where((asked >> 2) & 1, named("grading"), best)
    return np.where((asked >> 4) & ((asked >> 2) & 1 == 0) & (best == 0) & 1, named("making training tasks"), best)


def sketch(system: pa.Array, prompt: pa.Array, response: pa.Array, key: bytes) -> dict[str, pa.Array]:
    """Marks of a batch of texts.

    Args: three string arrays of one length (null: not kept) and the 32-byte key.
    Returns: columns prompt, prompt_tokens, response_tokens, wordings, terms, answered, asked, delivered, capability and script, as
    `records.Marks` declares them. A call whose prompt and system prompt are both null has null marks.

    >>> texts = pa.array(["Write out your full reasoning step by step: 2 + 2"]), pa.array([None], pa.string())
    >>> marks = sketch(texts[1], texts[0], texts[1], bytes(32))
    >>> marks["prompt_tokens"].to_pylist(), marks["asked"].to_pylist(), marks["delivered"].to_pylist()
    ([10], [1], [None])
    """
    seed = np.uint64(_seed(key))
    requests, answers = _tables(key)
    s_starts, s_data, s_valid = _buffers(system)
    p_starts, p_data, p_valid = _buffers(prompt)
    r_starts, r_data, r_valid = _buffers(response)
    found = kernels.request_marks(s_starts, s_data, p_starts, p_data, seed, characters.tables(), requests, TERMS)
    ends, wordings, term_ends, terms, prompts, tokens, groups, tags, topics, script = found
    r_tokens, steps, verdicts, r_tags, r_term_ends, r_terms = kernels.answer_marks(r_starts, r_data, seed, characters.tables(), answers, ANSWER_TERMS)
    asked = _families(groups, tags)
    content = p_valid | s_valid
    reasoned = (r_tokens >= LONG_ANSWER) & (steps >= 4) & (steps * 60 >= r_tokens)
    delivered = reasoned.astype(np.int64) | ((verdicts >= 1).astype(np.int64) << 2) | (r_tags.astype(np.int64) << 5)

    def column(values: Ints, valid: NDArray[np.bool_]) -> pa.Array:
        return pa.array(values, pa.int64(), mask=~valid)

    def lists(limits: Ints, values: Ints, valid: NDArray[np.bool_]) -> pa.Array:
        return pa.ListArray.from_arrays(pa.array(limits, pa.int32()), pa.array(values, pa.int64()), mask=pa.array(~valid))

    def words(limits: Ints, values: Ints, valid: NDArray[np.bool_]) -> pa.Array:
        # The upper 31 of 63 bits: their order stays.
        return pa.ListArray.from_arrays(pa.array(limits, pa.int32()), pa.array((values >> 32).astype(np.int32)), mask=pa.array(~valid))

    return {
        "prompt": column(prompts, p_valid),
        "prompt_tokens": column(tokens, p_valid),
        "response_tokens": column(r_tokens, r_valid),
        "wordings": lists(ends, wordings, content),
        "terms": words(term_ends, terms, content),
        "answered": words(r_term_ends, r_terms, r_valid),
        "asked": column(asked, content),
        "delivered": column(delivered, r_valid),
        "capability": column(_capability(topics, asked), content),
        "script": column(script, content),
    }
