"""The compiled loops of comparing members beside the same in numpy and scipy, on random groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from stillwatch.codes import distinct_rows
from stillwatch.features import kernels

SEEDS = range(12)


def _lists(r: np.random.Generator, rows: int, values: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row of each entry, its value, where each row's end): no value twice in a row, some rows empty."""
    parts = [r.choice(values, int(r.integers(0, min(most, values) + 1)), replace=False) for _ in range(rows)]
    return np.repeat(np.arange(rows), [len(part) for part in parts]), np.concatenate(parts).astype(np.int64), np.cumsum([len(part) for part in parts])


@pytest.mark.parametrize("size", [0, 1, 5, 3_000])
def test_codes_are_those_of_numpy(size: int) -> None:
    values = np.random.default_rng(size).integers(-(2**62), 2**62, max(1, size // 3))[np.random.default_rng(1).integers(0, max(1, size // 3), size)]
    for mine, theirs in zip(kernels.coded(values), np.unique(values, return_inverse=True), strict=True):
        assert (mine == theirs).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_smallest_prompts_of_each_account(seed: int) -> None:
    r = np.random.default_rng(seed)
    account, prompt, name = np.sort(r.integers(0, 9, 200)), r.integers(0, 1 + 9 * seed, 200), r.permutation(200)
    order = np.lexsort((name, prompt, account))
    first = np.searchsorted(account[order], account[order])
    assert kernels.smallest(account, prompt, name, 5).tolist() == order[np.arange(200) - first < 5].tolist()
    values = r.integers(0, 1 + 20 * seed, 90) / 8
    assert kernels.least(values, 30).tolist() == np.argsort(values, kind="stable")[:30].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_values_of_each_row(seed: int) -> None:
    row, value, ends = _lists(np.random.default_rng(seed), 60, 40, 9)
    few, many = kernels.first(np.concatenate([[0], ends]), value, 4)
    assert [each[:count].tolist() for each, count in zip(few, many, strict=True)] == [sorted(value[row == at].tolist())[:4] for at in range(60)]


@pytest.mark.parametrize("seed", SEEDS)
def test_users_again_have_a_wording_in_two_prompts(seed: int) -> None:
    r = np.random.default_rng(seed)
    row, value, ends = _lists(r, 80, 30, 6)
    unit, prompt = np.sort(r.integers(0, 6, 80)), r.integers(0, 12, 80)
    some = np.unique(value)[:: 1 + seed % 3]
    (pair, _), prompts = distinct_rows(*distinct_rows(value, unit[row], prompt[row])[0][:2])
    wanted = np.bincount(pair[prompts >= 2], minlength=30)[some]
    assert kernels.users_again(np.arange(80), unit, np.concatenate([[0], ends]), value, prompt, some).tolist() == wanted.tolist() and wanted.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_terms_that_stand_where_a_wording_stands(seed: int) -> None:
    r = np.random.default_rng(seed)
    row, term, ends = _lists(r, 60, 25, 5)
    where, wording, wording_ends = _lists(r, 90, 4 + seed, 3)  # rows beyond the first sixty are other calls
    unit = r.integers(0, 8, 60)
    said = kernels.said(ends, term, unit, 25)
    assert said.units.tolist() == np.bincount(distinct_rows(term, unit[row])[0][0], minlength=25).tolist()
    assert np.diff(said.begins).tolist() == np.bincount(term, minlength=25).tolist()
    carrying = np.bincount(wording, minlength=4 + seed)
    together = (
        csr_matrix((np.ones(len(term)), (term, row)), shape=(25, 90)) @ csr_matrix((np.ones(len(wording)), (where, wording)), shape=(90, 4 + seed))
    ).toarray()
    for explained, often in ((0.8, 0.2), (0.4, 0.1)):
        close = (together >= explained * np.bincount(term, minlength=25)[:, None]) & (together >= often * np.maximum(1, carrying))
        wanted = close.any(axis=1) & (said.units >= 2)
        assert kernels.goes_with(said, said.units >= 2, wording_ends, wording, carrying, explained, often).tolist() == wanted.tolist()
    assert wanted.any()
