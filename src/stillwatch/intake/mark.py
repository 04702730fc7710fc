"""LogCalls -> marks: identifiers become keyed hashes, texts become sketches, and here text ends."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.intake.freemail import free
from stillwatch.records import MARKS
from stillwatch.sketch import text
from stillwatch.sketch.identifiers import hash_column, hash_lists, hash_strings

_HASHED = {
    "call": "call_id",
    "account": "account",
    "session": "session",
    "end_user": "end_user",
    "key": "key",
    "user_agent": "user_agent",
    "headers": "headers",
    "tls": "tls",
    "upstream": "upstream_id",
    "payment": "payment",
}
"Mark -> the call's column that it is the hash of, each under a domain of the mark's name."

_REASONING = "reasoning"
"One domain for reasoning issued and replayed, so that the two meet."

_ORGANISATION, _BY_MAIL = "org", "org by mail"
"Domains of organisations that the log names, and of those that a mail domain stands for: they never meet."


def mark(batch: pa.RecordBatch, key: bytes) -> pa.RecordBatch:
    """Marks of a batch of calls, row by row, in the schema `records.MARKS`. `key`: 32 bytes.

    `org` is the log's own organisation, else the mail domain where that is not free mail, else the account itself
    (`org_known` is false then); the three never meet, for each is hashed under a domain of its own.
    """
    made: dict[str, pa.Array] = {ours: hash_column(batch.column(theirs), key, ours) for ours, theirs in _HASHED.items()}
    made["ip"], made["net"] = _addresses(batch.column("ip"), key)
    made["asn"] = hash_column(batch.column("asn").cast(pa.string()), key, "asn")
    made["org"], made["org_known"], made["mail"] = _organisations(batch, made["account"], key)
    made["toolset"] = hash_column(_toolsets(batch.column("tool_names")), key, "toolset")
    made["reasoning_out"] = hash_column(batch.column("reasoning_out"), key, _REASONING)
    made["reasoning_in"] = hash_lists(batch.column("reasoning_in"), key, _REASONING)
    made |= text.sketch(batch.column("system"), batch.column("prompt"), batch.column("response"), key)
    for name in MARKS.names:
        if name not in made:
            made[name] = batch.column(name)
    return pa.RecordBatch.from_arrays([made[name].cast(MARKS.field(name).type) for name in MARKS.names], schema=MARKS)


def accounts(batch: pa.RecordBatch, key: bytes) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """The distinct accounts of a batch: keyed hashes as `mark` makes them, and the log's own ids beside them."""
    names = pc.unique(batch.column("account"))
    return hash_strings(names, key, "account"), names


def account_hashes(names: list[str], key: bytes) -> list[int]:
    """The keyed hashes under which `mark` keeps accounts of these names, in their order."""
    found: list[int] = hash_strings(pa.array(names, pa.string()), key, "account").tolist()
    return found


def call_hashes(names: list[str], key: bytes) -> list[int]:
    """The keyed hashes under which `mark` keeps calls of these ids."""
    found: list[int] = hash_strings(pa.array(names, pa.string()), key, "call").tolist()
    return found


def key_hashes(names: list[str], key: bytes) -> list[int]:
    """The keyed hashes under which `mark` keeps API keys of these names."""
    found: list[int] = hash_strings(pa.array(names, pa.string()), key, "key").tolist()
    return found


def organisation_hashes(names: list[str], key: bytes) -> list[int]:
    """The keyed hashes under which `mark` keeps organisations of these names, and those of the mail domains among them."""
    domains = [found for each in names if (found := domain(each)) is not None]
    told = hash_strings(pa.array(names, pa.string()), key, _ORGANISATION).tolist()
    return [*told, *hash_strings(pa.array(domains, pa.string()), key, _BY_MAIL).tolist()]


def address_hashes(texts: list[str], key: bytes) -> list[int]:
    """The keyed hashes under which `mark` keeps addresses, and networks where they are written with a slash."""
    nets = [each for each in texts if "/" in each]
    addresses = [_address(each) for each in texts if "/" not in each]
    return [*hash_strings(pa.array(addresses, pa.string()), key, "ip").tolist(), *hash_strings(pa.array(nets, pa.string()), key, "net").tolist()]


def _each(column: pa.Array, made: Callable[[str], str | None]) -> pa.Array:
    """A text made of each text, worked out once for each distinct value: a dictionary."""
    coded = column.dictionary_encode()
    values = [None if value is None else made(value) for value in coded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(coded.indices, pa.array(values, pa.string()))


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"\A{_OCTET}(?:\.{_OCTET}){{3}}\z"
"An address as `ipaddress` would write it itself."


def _addresses(column: pa.Array, key: bytes) -> tuple[pa.Array, pa.Array]:
    """Hashes of addresses and of their networks. What is IPv4 in its usual spelling never becomes a Python object."""
    coded = column.dictionary_encode()
    texts = coded.dictionary
    usual = pc.match_substring_regex(texts, _IPV4)
    nets = pc.replace_substring_regex(texts, r"[0-9]+\z", "0/24")
    if not pc.all(usual, min_count=0).as_py():
        other = texts.to_pylist()
        plain = usual.to_pylist()
        texts = pa.array([text if same or text is None else _address(text) for text, same in zip(other, plain, strict=True)], pa.string())
        known = zip(other, plain, nets.to_pylist(), strict=True)
        nets = pa.array([net if same or text is None else _network(text) for text, same, net in known], pa.string())
    return hash_column(texts, key, "ip").take(coded.indices), hash_column(nets, key, "net").take(coded.indices)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None  # already pseudonymised: still an identifier, but no network
    return getattr(address, "ipv4_mapped", None) or address


def _address(text: str) -> str:
    """One spelling for each address; anything else as it is."""
    address = _parsed(text)
    return text if address is None else address.compressed


def _network(text: str) -> str | None:
    address = _parsed(text)
    if address is None:
        return None
    return str(ipaddress.ip_network((address.packed, 24 if address.version == 4 else 48), strict=False))


def domain(text: str) -> str | None:
    """The mail domain that stands for an organisation, None for free mail and for what is no domain."""
    named = text.strip().rstrip(".").lower().rpartition("@")[2]
    return named if "." in named and not free(named) else None


def _toolsets(column: pa.Array) -> pa.Array:
    """One text for each set of tool names, whatever their order; null for none. A dictionary: each list is looked at once."""
    coded = column.flatten().dictionary_encode()
    names, codes = coded.dictionary.to_pylist(), np.asarray(coded.indices.cast(pa.int32()))
    raw, width = codes.tobytes(), codes.itemsize
    sizes = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
    ends = np.cumsum(sizes, dtype=np.int64) * width
    known: dict[bytes, int] = {}
    places = np.zeros(len(column), np.int32)
    some = np.flatnonzero(sizes)
    for row, end, size in zip(some.tolist(), ends[some].tolist(), sizes[some].tolist(), strict=True):
        places[row] = known.setdefault(raw[end - size * width : end], len(known))
    texts = ["\n".join(sorted({names[code] for code in np.frombuffer(each, codes.dtype)})) for each in known]
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=sizes == 0), pa.array(texts, pa.string()))


def _organisations(batch: pa.RecordBatch, account: pa.Array, key: bytes) -> tuple[pa.Array, pa.Array, pa.Array]:
    told = hash_column(batch.column("org"), key, _ORGANISATION)
    mail = hash_column(_each(batch.column("email_domain"), domain), key, _BY_MAIL)
    known = pc.coalesce(told, mail)
    return pc.coalesce(known, account), known.is_valid(), mail
