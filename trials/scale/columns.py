"""The columns of a batch of calls: the pattern's values as they are, ids made anew for every copy, texts written by the kernels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scale import kernels
from scale.days import Rows
from scale.kernels import mixed, mixed_pairs
from scale.pattern import DAYS, Pattern
from scale.people import People, Size, unit
from scale.wording import Texts
from stillwatch.calls import SCHEMA
from stillwatch.drill.personas import NEW_MODEL

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

TEXT = ("prompt", "system", "response", "call_id", "session", "reasoning_out", "reasoning_in")
"Columns that hold hardly any value twice: no dictionary."

AS_IS = (
    "path", "country", "plan", "program", "endpoint", "max_tokens", "temperature", "n", "logprobs", "top_logprobs", "logit_bias", "reasoning_effort", "stream",
    "tools", "tool_names", "images", "asn", "client_seen", "turns", "status", "finish", "user_agent", "tls", "cached_tokens",
)  # fmt: skip
"Columns of which a copy has the pattern's values."

OWN = {"headers": ("h_", 16, ""), "payment": ("card_", 16, ""), "email_domain": ("", 10, ".com")}
"Columns with a value of the copy's own where one organisation alone has the pattern's: prefix, digits, suffix."

RELEASED = 0.35
"Share of the log after which the new model is there."

TOPICS = 40
"Topics that the campaign's jobs are about, each with a vocabulary."

BEHIND_NAT, IN_FRAMEWORK = 0.85, 0.9
"Share of the conversations of an account behind the NAT that come from it, and of one on the framework that are held through it."

BYTES_A_TOKEN = 4.2


@dataclass
class Values:
    """A string column of the pattern, coded."""

    code: NDArray[np.int32]
    "-1: null."
    held: pa.Array
    shared: NDArray[np.bool_]
    "Whether several organisations have the value."
    starts: Ints = field(init=False)
    data: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        parts = [each.encode() for each in self.held.to_pylist()]
        self.starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        self.data = np.frombuffer(b"".join(parts) or b"\0", np.uint8)

    def taken(self, rows: Ints) -> pa.Array:
        """The pattern's values."""
        return pa.DictionaryArray.from_arrays(pa.array(self.code[rows], pa.int32(), mask=self.code[rows] < 0), self.held)


def _strings(offsets: NDArray[np.int32], data: NDArray[np.uint8], valid: NDArray[np.bool_]) -> pa.Array:
    bits = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(valid), [bits, pa.py_buffer(offsets), pa.py_buffer(data)])


def ids(prefix: str, keys: Hashes, digits: int, valid: NDArray[np.bool_] | None = None, suffix: str = "") -> pa.Array:
    """A column of ids."""
    valid = np.ones(len(keys), np.bool_) if valid is None else valid
    around = [np.frombuffer(part.encode(), np.uint8) for part in (prefix, suffix)]
    offsets, data = kernels.write_ids(around[0], keys, digits, valid, around[1])
    return _strings(offsets, data, valid)


class Columns:
    """Writes batches of one log. Holds the pattern in arrays."""

    def __init__(self, pattern: Pattern, texts: Texts, people: People, size: Size, names: tuple[str, ...]) -> None:
        """`names`: columns of the log, in the schema's order."""
        self.pattern, self.texts, self.people, self.size, self.names = pattern, texts, people, size, names
        owner = pattern.owner[pattern.account]
        strings = [name for name in SCHEMA.names if pa.types.is_string(SCHEMA.field(name).type) and name in pattern.calls.column_names]
        self._values = {name: _coded(pattern.calls[name], owner) for name in strings if name not in ("prompt", "system", "response", "call_id")}
        self._plain = {name: pattern.calls[name].combine_chunks() for name in names if name not in strings}
        model = self._values["model"].held.to_pylist()
        self._newest = model.index(NEW_MODEL) if NEW_MODEL in model else -1
        self._before = model.index("orion-5")
        self._said = {name: np.asarray(pattern.calls[name].is_valid()) for name in ("prompt", "system", "response")}
        self._bytes = np.diff(texts.starts["prompt"])
        self._replays = _replays(pattern)
        self._stretch = {name: 1.0 for name in texts.starts}
        self._write = kernels.Writer()
        both = [texts.segments["system"]]
        sizes = np.diff(texts.starts["system"])
        self._system_starts = np.concatenate([texts.starts["system"], texts.starts["system"][-1] + np.cumsum(sizes + len(texts.framework))]).astype(np.int64)
        parts = np.split(texts.segments["system"], texts.starts["system"][1:-1])
        both += [np.concatenate([texts.framework, part]) for part in parts]
        self._system = np.concatenate(both)
        fleet = np.flatnonzero(np.array([label == "coding-agent fleet" for label in pattern.label], np.bool_)[pattern.account])
        self._client = {name: int(self._values[name].code[fleet[0]]) for name in ("user_agent", "headers", "tls")}

    # -- text

    def fit(self, column: str, target: float, sample: Rows) -> None:
        """Set how many fresh segments stand for one, so that texts have `target` bytes on average."""
        means = []
        for stretch in (1.0, 2.0):
            self._stretch[column] = stretch
            means.append(self._text(column, sample)[0][-1] / len(sample.call))
        self._stretch[column] = float(np.clip(1 + (target - means[0]) / max(1e-9, means[1] - means[0]), 0.2, 12.0))

    def _text(self, column: str, rows: Rows) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.bool_]]:
        people = self.people
        pattern_account = people.pattern[rows.account]
        planted = self.pattern.planted[rows.call]
        district, organisation = people.district[rows.account], people.organisation[rows.account]
        epoch = (rows.ts // 1_000_000 - self.size.start) // round(DAYS * 86_400)
        keys = np.stack([mixed_pairs(district.view(np.int64), epoch, 41), district, organisation, mixed_pairs(organisation.view(np.int64), epoch, 47)], axis=1)
        call = mixed(rows.number, self.size.seed + {"prompt": 42, "system": 43, "response": 44}[column])
        topic = mixed((call % np.uint64(TOPICS)).astype(np.int64), self.size.world + 45)
        vocabulary = np.where(planted, topic, organisation)
        pool = np.where(planted, len(self.pattern.owner), pattern_account)
        valid, starts, segments, of = self._said[column][rows.call], self.texts.starts[column], self.texts.segments[column], rows.call
        if column == "system":
            framework = self._in_framework(rows)
            of, starts, segments, valid = rows.call + framework * self.pattern.calls.num_rows, self._system_starts, self._system, valid | framework
        offsets, data = self._write(self.texts.book, starts, segments, of, pool, keys, call, vocabulary, planted, self._stretch[column])
        return offsets, data, valid

    def _in_framework(self, rows: Rows) -> NDArray[np.bool_]:
        return np.asarray(self.people.framework[rows.account] & (unit(mixed(rows.session, 46)) < IN_FRAMEWORK))

    # -- columns

    def batch(self, rows: Rows) -> pa.RecordBatch:
        """All columns of some calls."""
        made = {name: self._column(name, rows) for name in self.names if name not in ("input_tokens", "output_tokens", "reasoning_tokens", "cost")}
        made |= self._counted(rows, made)
        return pa.RecordBatch.from_arrays([made[name] for name in self.names], list(self.names))

    def _column(self, name: str, rows: Rows) -> pa.Array:
        people = self.people
        if name in ("prompt", "system", "response"):
            return _strings(*self._text(name, rows))
        if name == "ts":
            return pa.array(rows.ts)
        if name == "call_id":
            return ids("c_", mixed(rows.number, self.size.seed + 51), 20)
        if name == "account":
            return ids("acct_", people.key[rows.account], 16)
        if name == "signup_ts":
            return pa.array(people.signup[rows.account])
        if name == "model":
            return self._models(rows)
        if name == "ip":
            return self._addresses(rows)
        if name in OWN:
            return self._own_or_shared(name, rows)
        if name == "reasoning_in":
            return self._replayed(rows)
        if name == "asn" or name in AS_IS:
            return self._as_is(name, rows)
        code = self._values[name].code[rows.call]
        key = {
            "session": rows.session, "reasoning_out": mixed_pairs(rows.session.view(np.int64), rows.place, 52),
            "org": mixed(people.organisation[rows.account], 53), "key": mixed_pairs(people.key[rows.account].view(np.int64), code, 54),
            "end_user": mixed_pairs(people.key[rows.account].view(np.int64), code, 55),
        }[name]  # fmt: skip
        return ids({"session": "s_", "reasoning_out": "rs_", "org": "org_", "key": "key_", "end_user": "u"}[name], key, 16, code >= 0)

    def _as_is(self, name: str, rows: Rows) -> pa.Array:
        if name not in self._values:
            return self._plain[name].take(pa.array(rows.call))
        if name in self._client and (framework := self._in_framework(rows)).any():
            code = np.where(framework, self._client[name], self._values[name].code[rows.call]).astype(np.int32)
            return pa.DictionaryArray.from_arrays(pa.array(code, pa.int32(), mask=code < 0), self._values[name].held)
        return self._values[name].taken(rows.call)

    def _models(self, rows: Rows) -> pa.Array:
        code = self._values["model"].code[rows.call]
        release = (self.size.start + RELEASED * self.size.days * 86_400) * 1e6
        early = (code == self._newest) & ((rows.ts < release) | (not self.size.new))
        return pa.DictionaryArray.from_arrays(pa.array(np.where(early, self._before, code).astype(np.int32)), self._values["model"].held)

    def _addresses(self, rows: Rows) -> pa.Array:
        """One's own address, one that a district shares, or that of the NAT."""
        values, people = self._values["ip"], self.people
        code = values.code[rows.call]
        shared = (code >= 0) & values.shared[np.maximum(code, 0)]
        owner = np.where(shared, people.district[rows.account], people.organisation[rows.account])
        key = mixed_pairs(owner.view(np.int64), code, 56)
        nat = people.nat[rows.account] & (unit(mixed(rows.session, 57)) < BEHIND_NAT)
        key[nat] = mixed(np.zeros(1, np.int64), self.size.world + 58)[0]
        valid = (code >= 0) | nat
        offsets, data = kernels.write_addresses(key, valid)
        return _strings(offsets, data, valid)

    def _own_or_shared(self, name: str, rows: Rows) -> pa.Array:
        values, people = self._values[name], self.people
        code = values.code[rows.call]
        shared = values.shared
        if name == "headers":
            code = np.where(self._in_framework(rows), self._client[name], code).astype(np.int32)
        prefix, digits, suffix = OWN[name]
        owner = people.organisation[rows.account]
        if name == "payment":  # an agency's card is known in its district only
            owner = np.where(shared[np.maximum(code, 0)], people.district[rows.account], owner)
            shared = np.zeros(len(shared), np.bool_)
        own = ids(prefix, mixed_pairs(owner.view(np.int64), code, 59), digits, code >= 0, suffix)
        if not shared.any():
            return own
        _, offsets, data = own.buffers()
        held = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
        chosen = kernels.choose(code, shared, np.frombuffer(offsets, np.int32), held, values.starts, values.data)
        return _strings(chosen[0], chosen[1], code >= 0)

    def _replayed(self, rows: Rows) -> pa.Array:
        """Digests of reasoning that the same conversation was issued before; those of an earlier one are left out."""
        starts, places = self._replays
        count = starts[rows.call + 1] - starts[rows.call]
        row = np.repeat(np.arange(len(rows.call)), count)
        at = starts[rows.call][row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        held = ids("rs_", mixed_pairs(rows.session.view(np.int64)[row], places[at], 52), 16)
        limits = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(limits), held, mask=pa.array(count == 0))

    def _counted(self, rows: Rows, made: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """Tokens and cost: the pattern's, with what the texts have more or less, and an answer of another length every time."""
        calls = self.pattern.calls
        told = {name: calls[name].combine_chunks() for name in ("input_tokens", "output_tokens", "reasoning_tokens", "cost")}
        before, after = calls["prompt"], made["prompt"]
        sizes = [np.asarray(pc.binary_length(each).fill_null(0), np.int64) for each in (before, after)]
        asked = np.maximum(
            1, told["input_tokens"].to_numpy(zero_copy_only=False)[rows.call] + ((sizes[1] - sizes[0][rows.call]) / BYTES_A_TOKEN).astype(np.int64)
        )
        longer = np.exp(0.35 * (unit(mixed(rows.number, 61)) + unit(mixed(rows.number, 62)) + unit(mixed(rows.number, 63)) - 1.5))
        out = {"input_tokens": pa.array(asked)}
        for name in ("output_tokens", "reasoning_tokens"):
            valid = np.asarray(told[name].is_valid())[rows.call]
            out[name] = pa.array(np.maximum(1, told[name].fill_null(0).to_numpy()[rows.call] * longer).astype(np.int64), mask=~valid)
        if "response" in made:  # about as many tokens as the text has
            size = np.asarray(pc.binary_length(made["response"]).fill_null(0), np.int64)
            out["output_tokens"] = pa.array(np.maximum(1, size / BYTES_A_TOKEN * (0.93 + 0.14 * unit(mixed(rows.number, 64)))).astype(np.int64), mask=size == 0)
        out["cost"] = pa.array(np.round(told["cost"].fill_null(0.0).to_numpy()[rows.call] * longer, 6))
        return {name: out[name] for name in out if name in self.names}


def _coded(column: pa.ChunkedArray, owner: Ints) -> Values:
    """A string column, and which of its values several organisations have."""
    array = column.combine_chunks().dictionary_encode()
    code = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    pairs = np.unique(code[code >= 0].astype(np.int64) * np.int64(1 << 32) + owner[code >= 0])
    return Values(code, array.dictionary, np.bincount(pairs >> 32, minlength=len(array.dictionary)) > 1)


def _replays(pattern: Pattern) -> tuple[Ints, Ints]:
    """(starts, places): of each call, the places in its conversation at which the reasoning that it carries was issued."""
    place = np.arange(pattern.calls.num_rows) - pattern.session_calls[pattern.session_of]
    issued = {digest: i for i, digest in enumerate(pattern.calls["reasoning_out"].to_pylist()) if digest is not None}
    counts, places = [], []
    for i, carried in enumerate(pattern.calls["reasoning_in"].to_pylist()):
        mine = [issued[digest] for digest in carried or () if digest in issued]
        mine = [j for j in mine if pattern.session_of[j] == pattern.session_of[i] and j < i]
        counts.append(len(mine))
        places += [int(place[j]) for j in mine]
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.array(places, np.int64)
