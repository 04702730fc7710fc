"""What the product keeps of a text, as sparse columns: terms, wordings, length, families asked for, capability and script. No text comes past here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from stillwatch.sketch import text

KEY = bytes(range(32))
"The hashing key of the trial."


@dataclass(frozen=True)
class Texts:
    """Marks of texts, row by row."""

    terms: sparse.csr_array
    "Texts by terms: 1 where a text has the term in its sample."
    wordings: sparse.csr_array
    "Texts by wordings."
    length: NDArray[np.int64]
    "Tokens."
    sorts: sparse.csr_array
    "Texts by capability, by family asked for, by script and by class of length (powers of the square root of two)."
    sort_of: NDArray[np.int64]
    "Of each such column, which of the four it is: 1 to 4."

    def __len__(self) -> int:
        return len(self.length)


def _incidence(lists: pa.Array) -> sparse.csr_array:
    ends = np.array(lists.offsets)
    coded = lists.flatten().dictionary_encode()
    columns = np.array(coded.indices)
    counts = sparse.csr_array((np.ones(len(columns), np.float32), columns, ends - ends[0]), shape=(len(lists), len(coded.dictionary)))
    counts.sum_duplicates()
    counts.data[:] = 1
    return counts


def one_of(values: NDArray[np.int64]) -> sparse.csr_array:
    """A column for each value that there is, with a 1 where a text has it."""
    names, codes = np.unique(values, return_inverse=True)
    return sparse.csr_array((np.ones(len(codes), np.float32), (np.arange(len(codes)), codes)), shape=(len(codes), len(names)))


def marks(texts: list[str]) -> Texts:
    """Marks of texts by the product's own sketch."""
    none = pa.nulls(len(texts), pa.string())
    made = text.sketch(none, pa.array(texts, pa.string()), none, KEY)
    length = np.asarray(made["prompt_tokens"])
    steps = np.round(2 * np.log2(1 + length)).astype(np.int64)
    asked = np.asarray(made["asked"])
    families = sparse.csr_array(np.stack([(asked >> bit) & 1 for bit in range(6)], axis=1).astype(np.float32))
    parts = [one_of(np.asarray(made["capability"])), sparse.csr_array(families), one_of(np.asarray(made["script"])), one_of(steps)]
    sort_of = np.repeat(np.arange(1, 5), [part.shape[1] for part in parts])
    return Texts(_incidence(made["terms"]), _incidence(made["wordings"]), length, sparse.csr_array(sparse.hstack(parts, format="csr")), sort_of)
