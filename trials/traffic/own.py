"""Our own row: does a window hide a group of texts whose marks the reference does not explain?

A window alone is not what the product judges (it judges clusters of accounts), so this is what its marks can do for a window: four questions, each answered by one
number, the larger the stranger, and their surprises are added.

- **Hidden group.** The reference is a mixture of `THEMES` themes over marks (terms; capability, families, script, length, novelty), learned by expectation
  maximisation. A window is that mixture, or that mixture and one group more. How much better the second tells the window, each text being told by the others'
  part of the group only (so that a text never explains itself), is the statistic. A fit of a mixture with one free component, as scan statistics are.
- **Rare terms.** How far the window's mean is from the reference's, texts being unit vectors of their terms weighted by rarity: the mean discrepancy with a linear kernel.
- **Sorts** that stand in more texts of the window than the reference lets expect: Poisson deviance.
- **Novelty.** How many texts are stranger than nearly all of the reference, at the worst of several heights (higher criticism; Donoho and Jin, 2004).

Each half of the reference is told by the themes of the other half, and a text from elsewhere by either, so that no text is told by themes that were learned from it.
What the reference says is asked without the window's texts (a window out of the reference) or without as many others (any other window), so the two kinds of window
are told by equally large references and their scores may be compared. It cannot see attackers who write what the reference writes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from traffic.marks import Texts, one_of
from traffic.protocol import Places

Floats = NDArray[np.float64]

THEMES = 32
"Themes of the reference."

PRIOR = np.array([100.0, 5.0, 5.0, 5.0, 5.0, 5.0])
"How many marks of each family of marks the overall frequencies count as, in a theme and in the group. Terms first; see `described`."

FIRST_SHARE, ROUNDS, THEME_ROUNDS = 0.05, 10, 12
"Share of the window that the group starts as; rounds of both fits."

TEMPER, MOST = 0.5, 50.0
"A text's marks lean on one another: their log ratio counts so much of what independent ones would, and at most so much."

HEIGHTS = np.array([0.5, 0.75, 0.9, 0.95, 0.98, 0.99])
"Ranks in the reference above which novel texts are counted."

STEPS = np.array([0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99])
"Ranks that bound the classes of novelty."

LOUDEST = 20.0
"One of the four numbers speaks at most so loudly."

SMALL = 0.5
"Texts that a term is taken to stand in when it stands in none."


@numba.njit(cache=True)
def _told_by(starts: NDArray[np.int32], marks: NDArray[np.int64], log: Floats) -> Floats:
    """Sum of the marks' log probabilities, texts by themes."""
    out = np.zeros((len(starts) - 1, log.shape[1]))
    for text in range(len(out)):
        for at in range(starts[text], starts[text + 1]):
            out[text] += log[marks[at]]
    return out


@numba.njit(cache=True)
def _group(starts, marks, explained, usual, family, prior, temper, most, part, share, rounds):  # type: ignore[no-untyped-def]
    """Fits the hidden group; returns the log likelihood ratio and each text's log ratio. `part`: how much of each text the group starts with."""
    texts, families = len(starts) - 1, len(prior)
    ratio, own = np.zeros(texts), np.zeros(families)
    better = 0.0
    for _ in range(rounds):
        has, whole = np.zeros(len(usual)), np.zeros(families)
        for text in range(texts):
            for at in range(starts[text], starts[text + 1]):
                has[marks[at]] += part[text]
                whole[family[marks[at]]] += part[text]
        better, taken = 0.0, 0.0
        for text in range(texts):
            own[:] = 0
            for at in range(starts[text], starts[text + 1]):
                own[family[marks[at]]] += 1
            told = 0.0
            for at in range(starts[text], starts[text + 1]):
                mark = marks[at]
                of = family[mark]
                told += np.log((has[mark] - part[text] + prior[of] * usual[mark]) / (whole[of] - part[text] * own[of] + prior[of]))
            ratio[text] = min(most, temper * (told - explained[text]))
        for text in range(texts):
            grown = share * np.exp(ratio[text])
            better += np.log(1 - share + grown)
            part[text] = grown / (1 - share + grown)
            taken += part[text]
        share = min(max(taken / texts, 0.01), 0.999)
    return better, ratio


def _log_sum(values: Floats) -> Floats:
    most = values.max(axis=1, keepdims=True)
    return most + np.log(np.exp(values - most).sum(axis=1, keepdims=True))


def _ranks(values: Floats, among: Floats) -> Floats:
    ordered = np.sort(among)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1) / (2 * len(ordered) + 2)


def _rarity(texts: Texts, reference: Places) -> Floats:
    """How rare a text's terms are in the reference on average; a text of the reference is not counted for itself."""
    count = texts.terms[reference].sum(axis=0)
    inside = np.zeros(len(texts), bool)
    inside[reference] = True
    rare, rare_inside = -np.log(count + SMALL), -np.log(np.maximum(count - 1, 0) + SMALL)
    mean = np.where(inside, texts.terms @ rare_inside, texts.terms @ rare) / np.maximum(texts.terms.sum(axis=1), 1)
    return np.asarray(mean)


def described(texts: Texts, reference: Places) -> tuple[sparse.csr_array, NDArray[np.int64], Floats]:
    """All marks side by side, the family that each is of (terms are 0), and how rare the terms are."""
    rarity = _rarity(texts, reference)
    classes = one_of(np.searchsorted(STEPS, _ranks(rarity, rarity[reference])))
    whole = sparse.csr_array(sparse.hstack([texts.terms, texts.sorts, classes], format="csr"))
    family = np.concatenate([np.zeros(texts.terms.shape[1], np.int64), texts.sort_of, np.full(classes.shape[1], len(PRIOR) - 1)])
    return whole, family, rarity


@dataclass(frozen=True)
class Themes:
    """The reference as a mixture."""

    marks: sparse.csr_array
    part: Floats
    "Texts by themes: how far a text is of each."
    counts: Floats
    "Marks by themes."
    families: Floats
    "Texts by families of marks: how many a text has of each."


def _usual(count: Floats, family: NDArray[np.int64]) -> Floats:
    """Frequency of each mark within its family; one that the reference lacks has a little."""
    count = count + np.where(family == 0, 0.1, 0.3)
    return count / np.bincount(family, count, minlength=len(PRIOR))[family]


def _of_themes(counts: Floats, usual: Floats, family: NDArray[np.int64], whole: Floats) -> Floats:
    prior = PRIOR[family][:, None]
    return np.log((counts + prior * usual[:, None]) / (whole[family] + prior))


def learn(marks: sparse.csr_array, family: NDArray[np.int64], seed: int) -> Themes:
    """Themes of the reference, begun from texts drawn by `seed`."""
    first = np.random.default_rng(seed).choice(marks.shape[0], THEMES, replace=False)
    usual = _usual(marks.sum(axis=0).astype(float), family)
    counts, weight = 3.0 * marks[first].toarray().T.astype(float), np.full(THEMES, 1 / THEMES)
    part = np.zeros((marks.shape[0], THEMES))
    families = np.stack([marks[:, family == each].sum(axis=1) for each in range(len(PRIOR))], axis=1).astype(float)
    begun = families[first].T * 3.0
    for _ in range(THEME_ROUNDS):
        told = _told_by(marks.indptr, marks.indices.astype(np.int64), _of_themes(counts, usual, family, begun)) + np.log(weight)
        part = np.exp(told - _log_sum(told))
        counts, weight = marks.T @ part, (part.sum(axis=0) + 1) / (len(part) + THEMES)
        begun = families.T @ part
    return Themes(marks, part, counts, families)


def _explained(window: sparse.csr_array, here: NDArray[np.int64], usual: Floats, family: NDArray[np.int64], themes: Themes, without: Places) -> Floats:
    """Log probability of each text of the window by the themes, without some of the texts that they were learned from. `here`: the marks that the window has."""
    counts = np.maximum(themes.counts[here] - (themes.marks[without].T @ themes.part[without])[here], 0)
    whole = themes.families.T @ themes.part - themes.families[without].T @ themes.part[without]
    weight = themes.part.sum(axis=0) - themes.part[without].sum(axis=0) + 1
    log = _of_themes(counts, usual, family, whole)
    return _log_sum(_told_by(window.indptr, np.searchsorted(here, window.indices), log) + np.log(weight / weight.sum())).ravel()


def hidden(
    window: sparse.csr_array, family: NDArray[np.int64], count: Floats, halves: tuple[Themes, Themes], told_by: NDArray[np.int64], without: Places
) -> float:
    """How much better a hidden group tells the window than the themes alone.

    `count`: texts of the reference with each mark, those of `without` (places in the reference) left out; `told_by`: the half whose themes tell each text.
    """
    here, inverse = np.unique(window.indices, return_inverse=True)
    here, here_family = here.astype(np.int64), family[here]
    usual = _usual(count, family)[here]
    cut, explained = halves[0].marks.shape[0], np.zeros(window.shape[0])
    for each, left in ((0, without[without < cut]), (1, without[without >= cut] - cut)):
        mine = np.flatnonzero(told_by == each)
        explained[mine] = _explained(window[mine], here, usual, here_family, halves[each], left)
    given = (window.indptr, inverse, explained, usual, here_family, PRIOR, TEMPER, MOST)
    _, ratio = _group(*given, np.ones(len(explained)), 0.5, 1)
    start = np.zeros(len(explained))
    start[np.argsort(-ratio, kind="stable")[: max(2, int(FIRST_SHARE * len(start)))]] = 1.0
    better, _ = _group(*given, start, FIRST_SHARE, ROUNDS)
    return float(better)


def excess(window: sparse.csr_array, reference: sparse.csr_array, whole: Floats, without: Places) -> float:
    """Poisson deviance of the marks that stand in more texts of the window than the reference lets expect."""
    count = window.sum(axis=0)
    expected = window.shape[0] * (whole - reference[without].sum(axis=0) + SMALL) / (reference.shape[0] - len(without) + 2 * SMALL)
    more = count > expected
    count, expected = count[more], expected[more]
    return float((count * np.log(count / expected) - (count - expected)).sum())


def rare_terms(texts: Texts, reference: Places) -> sparse.csr_array:
    """A unit vector a text: its terms, each with the square of the logarithm of its rarity in the reference. A text of the reference is not counted for itself."""
    count = texts.terms[reference].sum(axis=0)
    inside = np.zeros(len(texts), bool)
    inside[reference] = True

    def weighted(count: Floats) -> sparse.csr_array:
        return sparse.csr_array(texts.terms @ sparse.diags_array(np.log((len(reference) + 1) / (count + 1)) ** 2))

    vectors = sparse.diags_array(inside.astype(float)) @ weighted(np.maximum(count - 1, 0)) + sparse.diags_array((~inside).astype(float)) @ weighted(count)
    length = np.sqrt(vectors.multiply(vectors).sum(axis=1))
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(length, 1e-9)) @ vectors)


def apart(window: sparse.csr_array, reference: sparse.csr_array, whole: Floats, without: Places) -> float:
    """Squared distance between the means of the window's vectors and of the reference's: maximum mean discrepancy with a linear kernel."""
    rest = (whole - reference[without].sum(axis=0)) / (reference.shape[0] - len(without))
    return float(((window.sum(axis=0) / window.shape[0] - rest) ** 2).sum())


def tail(novelty: Floats) -> float:
    """Higher criticism of ranks: 0 or below where no more are high than should be."""
    above = (novelty[:, None] > HEIGHTS).mean(axis=0)
    return float(((above - (1 - HEIGHTS)) / np.sqrt(HEIGHTS * (1 - HEIGHTS) / len(novelty))).max())


NAMES = ("hidden group", "rare terms", "sorts", "novelty")
"The four numbers, in order."


def scores(texts: Texts, reference: Places, windows: list[Places], inside: int, seed: int) -> Floats:
    """Windows by the four numbers. The first `inside` windows are out of the reference."""
    marks, family, rarity = described(texts, reference)
    vectors = rare_terms(texts, reference)
    of_marks, of_vectors, of_sorts = marks[reference], vectors[reference], texts.sorts[reference]
    all_vectors, all_sorts = of_vectors.sum(axis=0), of_sorts.sum(axis=0)
    cut = len(reference) // 2
    halves = learn(of_marks[:cut], family, seed), learn(of_marks[cut:], family, seed)
    all_marks = of_marks.sum(axis=0)
    rng = np.random.default_rng(seed)
    place, told_by = np.full(len(texts), -1), rng.integers(0, 2, len(texts))
    place[reference] = np.arange(len(reference))
    told_by[reference[:cut]], told_by[reference[cut:]] = 1, 0
    rows = []
    for at, window in enumerate(windows):
        without = place[window] if at < inside else rng.choice(len(reference), len(window), replace=False)
        left = np.delete(reference, without)
        count = all_marks - of_marks[without].sum(axis=0)
        rows.append([
            hidden(marks[window], family, count, halves, told_by[window], without), apart(vectors[window], of_vectors, all_vectors, without),
            excess(texts.sorts[window], of_sorts, all_sorts, without), tail(_ranks(rarity[window], rarity[left])),
        ])  # fmt: skip
    return np.array(rows)


def surprise(values: Floats, usual: Floats) -> Floats:
    """-log of the share of `usual` values that are as high; beyond nine tenths of them their tail is taken to fall off exponentially.

    0 for what is lower than all, 2.3 at the ninth tenth, unbounded above.
    """
    ordered = np.sort(usual)
    high = np.quantile(ordered, 0.9)
    above = ordered[ordered > high] - high
    step = (float(above.mean()) if len(above) else 0.0) + 1e-9 * (1 + abs(float(high)))
    below = 1 - np.searchsorted(ordered, values, "left") / len(ordered)
    return np.where(values > high, np.log(10) + (values - high) / step, -np.log(np.clip(below, 0.1, 1)))


def together(four: Floats, inside: int) -> Floats:
    """One number a window: the sum of the four surprises, each beside the windows out of the reference and at most `LOUDEST` (Fisher's method).

    The four lean on one another, so the sum has no table: it is compared with the sums of the windows out of the reference.
    """
    return np.sum([np.minimum(surprise(four[:, each], four[:inside, each]), LOUDEST) for each in range(four.shape[1])], axis=0)
