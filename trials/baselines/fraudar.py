"""FRAUDAR (Hooi, Song, Beutel, Shah, Shin, Faloutsos: "FRAUDAR: bounding graph fraud in the face of camouflage", KDD 2016).

Accounts and the objects that they use are a graph of two sides. A set S of both has the density g(S) = f(S) / |S|, f the weights of the edges within it, and an edge to an object of
degree d weighs 1 / log(d + 5), so that what everybody uses hides nobody. Greedily the node whose edges weigh least is taken away, again and again; the densest set on the way has at least
half of the greatest density there is. More blocks: the edges of the one found are taken out, weights anew. Nodes have no suspicion of their own, as in the authors' experiments.

It has no null: some block is always densest, and an innocent fleet on one framework is as dense as a campaign.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np
from numpy.typing import NDArray

from baselines.accounts import Floats, Ints, Log

CONSTANT = 5.0
"Added to a degree under the logarithm, as in the authors' code."

BLOCKS = 20
"Blocks that are taken one after the other."


def weights(degrees: Ints) -> Floats:
    """Weight of an edge to an object of each degree."""
    return np.asarray(1.0 / np.log(degrees + CONSTANT))


@numba.njit(cache=True)
def _peel(starts, ends, weight, degree):  # type: ignore[no-untyped-def]
    """Order in which nodes go (ties: the lower number), how many go before the densest set is left, and its density."""
    nodes = len(degree)
    heap = [(degree[at], at) for at in range(nodes)]
    heapq.heapify(heap)
    gone = np.zeros(nodes, np.bool_)
    order = np.empty(nodes, np.int64)
    left = degree.sum() / 2
    best, best_gone, count = left / nodes, 0, 0
    while count < nodes:
        value, at = heapq.heappop(heap)
        if gone[at] or value != degree[at]:
            continue
        gone[at] = True
        order[count] = at
        count += 1
        left -= value
        for edge in range(starts[at], starts[at + 1]):
            other = ends[edge]
            if not gone[other]:
                degree[other] -= weight[edge]
                heapq.heappush(heap, (degree[other], other))
        if count < nodes and left / (nodes - count) > best:
            best, best_gone = left / (nodes - count), count
    return order, best_gone, best


def densest(accounts: int, objects: int, one: Ints, other: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
    """The densest block on the greedy way: its accounts, its objects, its density. Edges are pairs (account, object), each once."""
    weight = weights(np.bincount(other, minlength=objects))[other]
    both, partner, heavy = np.concatenate([one, other + accounts]), np.concatenate([other + accounts, one]), np.concatenate([weight, weight])
    order = np.argsort(both, kind="stable")
    nodes = accounts + objects
    starts = np.searchsorted(both[order], np.arange(nodes + 1))
    gone, many, density = _peel(starts, partner[order], heavy[order], np.bincount(both, weights=heavy, minlength=nodes))
    kept = np.ones(nodes, np.bool_)
    kept[gone[:many]] = False
    return kept[:accounts], kept[accounts:], float(density)


def edges(log: Log, history: Log | None, kinds: tuple[str, ...]) -> tuple[Ints, Ints, int]:
    """Account and object of each edge, and the number of objects: those that at least two accounts use. With a history, those that it holds too are left out."""
    ones, others, before = [], [], 0
    for kind in kinds:
        objects = log.objects(kind)
        of = objects.of
        if history is not None:
            of = np.where(np.append(log.known(kind, history), False)[of], -1, of)
        has = of >= 0
        pairs = np.unique(np.stack([log.of[has], of[has]]), axis=1)
        pairs = pairs[:, np.bincount(pairs[1], minlength=len(objects.names))[pairs[1]] > 1]
        names, place = np.unique(pairs[1], return_inverse=True)
        ones.append(pairs[0])
        others.append(place + before)
        before += len(names)
    return np.concatenate(ones), np.concatenate(others), before


def scores(log: Log, history: Log | None, kinds: tuple[str, ...]) -> Floats:
    """Accounts of the first block have the highest number, `BLOCKS`, those that come first with the last one 1; NaN where an account is in none."""
    one, other, objects = edges(log, history, kinds)
    out = np.full(len(log.names), np.nan)
    for block in range(BLOCKS):
        if not len(one):
            break
        accounts, used, _ = densest(len(log.names), objects, one, other)
        out[accounts & np.isnan(out)] = BLOCKS - block
        inside = accounts[one] & used[other]
        one, other = one[~inside], other[~inside]
    return out
