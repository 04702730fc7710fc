"""How much nearer a call is to its account's other conversations than to a stranger's, among a group's members: loops over sparse rows, compiled (numba)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from stillwatch.features.kernels import least
from stillwatch.features.slots import Slots
from stillwatch.traffic import Ints

OTHERS = 8
"Members that each call is compared with."

EVERYDAY = 100
"The slot terms that most members use: everyday words of the languages that they write."

NEAREST = 1 / 3
"Share of the members, the most alike, among whom those are taken, evenly by rank."

LEAST_CALLS, LEAST_UNITS = 8, 3
"Fewest calls and units from which members can be compared."

SOMETHING = 1e-9
"Square of the length from which a profile says anything."

SAME = 1e-12
"Cosines that differ by less are the same."


@njit(cache=True, nogil=True)
def _added(order: Any, begins: Any, starts: Any, terms: Any, weights: Any, count: int) -> Any:
    """(begins, terms ascending, weights) of the sums of groups of rows: `order[begins[g]:begins[g + 1]]` are the rows of group `g`; `count`: of all terms."""
    sums, seen = np.zeros(count), np.zeros(count, np.bool_)
    out_starts, out_terms, out_weights = np.zeros(len(begins), np.int64), np.empty(len(terms), np.int64), np.empty(len(terms))
    used = 0
    for group in range(len(begins) - 1):
        begin = used
        for row in order[begins[group] : begins[group + 1]]:
            for at in range(starts[row], starts[row + 1]):
                term = terms[at]
                sums[term] += weights[at]
                if not seen[term]:
                    seen[term] = True
                    out_terms[used] = term
                    used += 1
        out_terms[begin:used] = np.sort(out_terms[begin:used])
        for at in range(begin, used):
            term = out_terms[at]
            out_weights[at], sums[term], seen[term] = sums[term], 0.0, False
        out_starts[group + 1] = used
    return out_starts, out_terms[:used], out_weights[:used]


@njit(cache=True, nogil=True)
def _less(terms: Any, weights: Any, less_terms: Any, less_weights: Any) -> Any:
    """Weights of a sum without one of those that it was added up of; both by terms, ascending."""
    out, at = weights.copy(), 0
    for i in range(len(less_terms)):
        while terms[at] < less_terms[i]:
            at += 1
        out[at] -= less_weights[i]
    return out


@njit(cache=True, nogil=True)
def _product(terms: Any, weights: Any, other_terms: Any, other_weights: Any) -> float:
    """Sum over terms in both; the other's are ascending."""
    total = 0.0
    for i in range(len(terms)):
        at = np.searchsorted(other_terms, terms[i])
        if at < len(other_terms) and other_terms[at] == terms[i]:
            total += weights[i] * other_weights[at]
    return total


@njit(cache=True, nogil=True)
def _inverted(usable: Any, profile: Any, others: Any, count: int) -> Any:
    """(begins by term, places among `usable`, weights) of what the usable accounts say in other conversations."""
    starts, terms, _ = profile
    begins = np.zeros(count + 1, np.int64)
    for j in range(len(usable)):
        for at in range(starts[usable[j]], starts[usable[j] + 1]):
            begins[terms[at] + 1] += 1
    for term in range(count):
        begins[term + 1] += begins[term]
    ends, who, weights = begins[:-1].copy(), np.empty(begins[-1], np.int64), np.empty(begins[-1])
    for j in range(len(usable)):
        for at in range(starts[usable[j]], starts[usable[j] + 1]):
            who[ends[terms[at]]], weights[ends[terms[at]]] = j, others[at]
            ends[terms[at]] += 1
    return begins, who, weights


@njit(cache=True, nogil=True)
def _others(first: Any, talk: Any, profile: Any, spoken: Any) -> Any:
    """(weights by the terms of each account's profile, of length 1, whether there is anything) of what each account says in other conversations than that of its row `first`."""
    starts, terms, weights = profile
    out, usable = np.zeros(len(weights)), np.zeros(len(first), np.bool_)
    for account in range(len(first)):
        mine, his = slice(starts[account], starts[account + 1]), slice(spoken[0][talk[first[account]]], spoken[0][talk[first[account]] + 1])
        rest = _less(terms[mine], weights[mine], spoken[1][his], spoken[2][his])
        length = (rest * rest).sum()
        if length > SOMETHING:
            usable[account] = True
            out[mine] = rest / np.sqrt(length)
    return out, usable


@njit(cache=True, nogil=True)
def _nearer(
    chosen: Any, rows: Any, owner: Any, talk: Any, unit: Any, profile: Any, spoken: Any, others: Any, inverted: Any, usable: Any, everyday: Any, ranks: Any
) -> Any:
    """(how many strangers each chosen row is further from than from its own, how many it was compared with, whether its account said anything else).

    `chosen`: rows, those of a conversation one after the other; `everyday`: place of each term among those, or -1.
    """
    starts, terms, weights = profile
    width = everyday.max() + 1
    common = np.zeros((width, len(usable)))
    for j in range(len(usable)):
        for at in range(starts[usable[j]], starts[usable[j] + 1]):
            if everyday[terms[at]] >= 0:
                common[everyday[terms[at]], j] = others[at]
    squares = np.zeros(len(usable))
    for k in range(width):
        squares += common[k] * common[k]
    lengths = np.sqrt(squares)
    nearer, tried, known = np.zeros(len(chosen)), np.zeros(len(chosen)), np.zeros(len(chosen), np.bool_)
    begins, who, said_by = inverted
    products = np.zeros(len(usable))
    last, size = -1, 0.0
    rest, mine_terms, picked = weights[:0], terms[:0], ranks[:0]
    for i in range(len(chosen)):
        row = chosen[i]
        account = owner[row]
        if talk[row] != last:
            last = talk[row]
            mine, his = slice(starts[account], starts[account + 1]), slice(spoken[0][last], spoken[0][last + 1])
            mine_terms = terms[mine]
            rest = _less(mine_terms, weights[mine], spoken[1][his], spoken[2][his])
            size = (rest * rest).sum()
            if size > SOMETHING:
                said = np.zeros(width)
                for at in range(len(rest)):
                    if everyday[mine_terms[at]] >= 0:
                        said[everyday[mine_terms[at]]] = rest[at]
                length = np.sqrt((said * said).sum())
                alike = np.zeros(len(usable))
                for k in range(width):
                    if said[k] != 0.0:
                        for j in range(len(usable)):  # beside one another: the processor does several at a time
                            alike[j] += common[k, j] * said[k]
                for j in range(len(usable)):
                    alike[j] = 1.0 if unit[usable[j]] == unit[account] else -alike[j] / max(length * lengths[j], SAME)
                picked = least(alike, ranks[-1] + 1)[ranks]
        if size <= SOMETHING:
            continue
        known[i] = True
        line = slice(rows[0][row], rows[0][row + 1])
        own = _product(rows[1][line], rows[2][line], mine_terms, rest) / np.sqrt(size)
        products[:] = 0.0
        for at in range(line.start, line.stop):
            for place in range(begins[rows[1][at]], begins[rows[1][at] + 1]):
                products[who[place]] += rows[2][at] * said_by[place]
        for j in picked:
            if unit[usable[j]] == unit[account]:
                continue
            theirs = products[j]
            tried[i] += 1
            if own > theirs + SAME:
                nearer[i] += 1
            elif abs(own - theirs) <= SAME:
                nearer[i] += 0.5
    return nearer, tried, known


def _by(label: Ints) -> tuple[Ints, Ints]:
    """(rows by label, where those of each label begin and the last ends)."""
    return np.argsort(label, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(label))]).astype(np.int64)


class Nearness:
    """A group's members, with what their calls are compared with."""

    def __init__(self, found: Slots, account: Ints, talk: Ints, unit: Ints) -> None:
        """Of each row of the slots its account, its conversation (which is of one account) and whom the account belongs to; numbers of any kind."""
        self._found = found
        who, first, self._owner = np.unique(account, return_index=True, return_inverse=True)
        self._talk = np.unique(talk, return_inverse=True)[1]
        self._unit = unit[first]
        self._rows = (found.starts, found.terms, found.weights)
        self._profile = _added(*_by(self._owner), *self._rows, found.count)
        self._spoken = _added(*_by(self._talk), *self._rows, found.count)
        # One conversation of every account is left out of its profile, as the call's own is: equal footing.
        self._others, usable = _others(first, self._talk, self._profile, self._spoken)
        self._usable = np.flatnonzero(usable)
        self._inverted = _inverted(self._usable, self._profile, self._others, found.count)
        # Members alike in their everyday words: a language that a third of them share is no business of one's own, a topic is.
        kept = np.repeat(usable, np.diff(self._profile[0]))
        spread = np.bincount(self._profile[1][kept], minlength=found.count)
        self._everyday = np.full(found.count, -1)
        self._everyday[np.argsort(-spread, kind="stable")[:EVERYDAY]] = np.arange(min(EVERYDAY, found.count))

    def __call__(self, core: bool) -> float:
        """Probability that a core (or another) call is nearer to its account's other conversations than to a stranger's; NaN where too few can be compared."""
        chosen = np.flatnonzero((self._found.core == core) & (np.diff(self._found.starts) >= 2))
        usable, unit = self._usable, self._unit
        if len(chosen) < LEAST_CALLS or len(usable) < LEAST_UNITS:
            return float("nan")
        chosen = chosen[np.argsort(self._talk[chosen], kind="stable")]
        ranks = np.unique(np.arange(OTHERS) * max(OTHERS, int(NEAREST * len(usable))) // OTHERS)
        given = (self._owner, self._talk, unit, self._profile, self._spoken, self._others, self._inverted, usable, self._everyday, ranks[ranks < len(usable)])
        nearer, tried, known = _nearer(chosen, self._rows, *given)
        if known.sum() < LEAST_CALLS:
            return float("nan")
        scored = tried > 0
        owners, index = np.unique(unit[self._owner[chosen[scored]]], return_inverse=True)
        score = np.bincount(index, weights=nearer[scored] / tried[scored]) / np.bincount(index)
        return float(np.median(score)) if len(owners) >= LEAST_UNITS else float("nan")
