"""A log as account baselines read it: who called when with what, a few texts of each account with their vectors, and the groups that accounts share something in.

Vectors are static ones (package `wordllama`), of at most 40 prompts an account, chosen by a hash of the call's id: a log of 176,000 calls takes all-MiniLM-L6-v2
the better part of an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Embed = Callable[[list[str]], NDArray[Any]]

TEXTS = 40
"Prompts of an account that are embedded, at most."

LONGEST = 600
"Characters of a prompt that are embedded: about the 128 tokens that the trial of windows reads."

OPENING = 48
"Characters of a prompt's opening and of its ending that stand for its template: the slot lies between them."

WORDINGS = ("system", "prompt", "opening", "ending")
"What of a call's wording two calls can have in common."

SHORT = 2 * OPENING
"Characters under which a prompt has no opening and no ending apart from its slot."


def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big") >> 1


def network(address: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 one."""
    return ":".join(address.split(":")[:3]) if ":" in address else address.rpartition(".")[0]


@dataclass(frozen=True)
class Objects:
    """What calls can have in common, of one kind."""

    of: Ints
    "Number of each call's object, -1 where it has none."
    names: pa.Array
    "The objects."


@dataclass(frozen=True)
class Log:
    """A table of calls (stillwatch.calls.SCHEMA). A score is one number an account, in the order of `names`."""

    calls: pa.Table
    names: list[str]
    "Accounts, sorted."
    of: Ints
    "Account of each call."
    embed: Embed | None = None
    "Texts -> vectors; None: baselines of texts have no score."

    @classmethod
    def read(cls, calls: pa.Table, embed: Embed | None = None) -> Log:
        """A log from its calls."""
        coded = calls["account"].combine_chunks().dictionary_encode()
        names = coded.dictionary.to_pylist()
        order = np.argsort(np.array(names, object), kind="stable")
        place = np.empty(len(names), np.int64)
        place[order] = np.arange(len(names))
        return cls(calls, [names[at] for at in order], place[coded.indices.to_numpy()], embed)

    @cached_property
    def ts(self) -> Ints:
        """Microseconds of each call."""
        return np.asarray(self.calls["ts"].to_numpy(), np.int64)

    @cached_property
    def count(self) -> Ints:
        """Calls of each account."""
        return np.bincount(self.of, minlength=len(self.names))

    @cached_property
    def _objects(self) -> dict[str, Objects]:
        return {}

    def objects(self, kind: str) -> Objects:
        """Objects of a kind: a column, or `network`, `opening` or `ending`. No object is null or empty."""
        if kind not in self._objects:
            self._objects[kind] = self._made(kind)
        return self._objects[kind]

    def _made(self, kind: str) -> Objects:
        if kind in ("opening", "ending"):
            whole = self.calls["prompt"].combine_chunks()
            long = pc.greater_equal(pc.utf8_length(whole), SHORT)
            part = pc.utf8_slice_codeunits(whole, 0, OPENING) if kind == "opening" else pc.utf8_slice_codeunits(whole, -OPENING, None)
            coded = pc.if_else(long, part, pa.scalar(None, pa.string())).dictionary_encode()
        else:
            coded = self.calls["ip" if kind == "network" else kind].combine_chunks().dictionary_encode()
        of = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), np.int64)
        words = coded.dictionary.to_pylist()
        if kind == "network":
            widened = pa.array([network(word) for word in words], pa.string()).dictionary_encode()
            words, of = widened.dictionary.to_pylist(), np.append(np.asarray(widened.indices.to_numpy(), np.int64), -1)[of]
        if "" in words:
            of = np.where(of == words.index(""), -1, of)
        return Objects(of, pa.array(words, pa.string()))

    def known(self, kind: str, history: Log) -> NDArray[np.bool_]:
        """Which objects of a kind the history holds too."""
        return np.asarray(pc.is_in(self.objects(kind).names, history.objects(kind).names).to_numpy(zero_copy_only=False), np.bool_)

    @cached_property
    def sampled(self) -> Ints:
        """Calls whose prompts are embedded, by account, and within an account by hash."""
        said = np.flatnonzero(self.objects("prompt").of >= 0)
        lot = np.array([_hash(call) for call in self.calls["call_id"].take(said).to_pylist()], np.int64)
        order = np.lexsort((lot, self.of[said]))
        said = said[order]
        first = np.searchsorted(self.of[said], self.of[said])
        return np.asarray(said[np.arange(len(said)) - first < TEXTS])

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """A unit vector for each of them."""
        assert self.embed is not None, "a log without an embedding has no vectors"
        prompts = self.objects("prompt")
        used, place = np.unique(prompts.of[self.sampled], return_inverse=True)
        texts = pc.utf8_slice_codeunits(prompts.names.take(pa.array(used)), 0, LONGEST).to_pylist()
        made = np.asarray(self.embed(texts), np.float32)
        made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
        return np.asarray(made[place])

    @cached_property
    def halves(self) -> NDArray[np.bool_]:
        """One of two halves of the accounts, by a hash of the organisation that each names, or else of its own name."""
        owners: dict[str, str] = {}
        for account, org in zip(self.calls["account"].to_pylist(), self.calls["org"].to_pylist(), strict=True):
            owners.setdefault(account, org or account)
        return np.array([_hash(owners[name]) % 2 == 0 for name in self.names])
