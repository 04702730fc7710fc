"""OpenTelemetry traces as binary OTLP: ExportTraceServiceRequest messages, one a file or one after the other with their lengths.

Encoding after the protocol buffers' guide and OTLP's definitions. Lengths are varints (as protobuf's own libraries delimit messages) or four
bytes, the highest first (as the Collector's file exporter writes them). Decoded with the package opentelemetry-proto, an extra; what a
span says of a call is read in `intake.spans`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pyarrow as pa

from stillwatch.errors import UserError
from stillwatch.intake import spans
from stillwatch.intake.chat import Body
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects, nothing
from stillwatch.intake.formats import otel
from stillwatch.intake.mapping import Mapping
from stillwatch.intake.opening import HEAD
from stillwatch.intake.spans import ACCOUNT, Span
from stillwatch.intake.stream import Source, blocks
from stillwatch.records import Rejected

LONGEST = 64 * 2**20
"Longest message that is read, bytes; a Collector's default limit lies far below."

ENDS = "the message breaks off, or its length is damaged: nothing behind it can be read"
BROKEN = "the message is no valid ExportTraceServiceRequest"

EMPTY = 2
"Bytes of a message that holds nothing, at most: one resource of no length."

SEEN = 16
"Bytes that must be seen of a message which is not the first: any few bytes can be the beginning of one."

_DEEP = 16
"How deep a value may lie in values; no message does."

_FIELDS: dict[str, dict[int, str]] = {
    "request": {1: "resource spans"},
    "resource spans": {1: "resource", 2: "scope spans", 3: "", 1000: ""},
    "resource": {1: "attribute", 3: ""},
    "scope spans": {1: "", 2: "", 3: "", 1000: ""},
    "attribute": {1: "", 2: ""},
}
"Of messages of OTLP: numbers of the fields that have a length, and what lies in them (empty: anything)."

Frame = tuple[int, int]
"Where a message begins, and where it ends."

Framing = Callable[[bytes | bytearray, int], Frame | None]
"Finds the message that follows a place; None where its length is not to be seen."


def recognises(opening: Opening) -> bool:
    """The first bytes are fields of a traces export, bare or behind a length."""
    return _framing(opening.head) is not None


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls; records are numbered by message, of a bare one by its resources. Raises UserError without the package."""
    try:
        service = import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        failure = import_module("google.protobuf.message").DecodeError
    except ImportError as error:
        attempt = 'install the extra "otel": pip install "stillwatch[otel]"'
        raise UserError("binary OTLP is decoded by the package opentelemetry-proto, which is not installed", source.name, attempt) from error

    def exports() -> Iterator[tuple[int, list[Body | str]]]:
        for number, message in enumerate(_messages(source, opening.head, reject), 1):
            if message is None:
                reject(Rejected(source.name, number, ENDS))
                return
            try:
                request = service.ExportTraceServiceRequest.FromString(message)
            except failure:
                reject(Rejected(source.name, number, BROKEN))
                continue
            yield number, list(spans.calls(_spans(request)))

    yield from otel.batches(source, exports(), reject)


def _framing(head: bytes) -> Framing | None:
    """How messages follow one another, by the first that can be an export. None where there is none.

    Those before it may be damaged, or hold nothing. Behind a varint they must hold nothing: any text is a row of such lengths, and one of a few
    kilobytes would sooner or later look like an export.
    """
    for framing in (_bare, _wide, _short):
        found = framing(head, 0)
        least = EMPTY + 1
        while found is not None and (found[1] <= len(head) or len(head) >= HEAD):
            if min(found[1], len(head)) - found[0] >= least and _plausible(head, *found, "request"):
                return framing
            if found[1] >= len(head) or (framing is _short and found[1] - found[0] > EMPTY):
                break
            found, least = framing(head, found[1]), SEEN
    return None


def _bare(data: bytes | bytearray, at: int) -> Frame | None:
    """One field of a message alone is a message too: so a bare export is read resource by resource."""
    tag, inside = _varint(data, at)
    length, begin = _varint(data, inside)
    return None if tag != 0x0A or length is None else (at, begin + length)


def _wide(data: bytes | bytearray, at: int) -> Frame | None:
    if len(data) < at + 4:
        return None
    return at + 4, at + 4 + int.from_bytes(data[at : at + 4], "big")


def _short(data: bytes | bytearray, at: int) -> Frame | None:
    length, begin = _varint(data, at)
    return None if length is None else (begin, begin + length)


def _varint(data: bytes | bytearray, at: int) -> tuple[int | None, int]:
    """A number of seven bits a byte, and what follows it; None where it breaks off."""
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    return None, at


def _plausible(head: bytes, at: int, end: int, kind: str) -> bool:
    """Whether bytes are fields that a message of OTLP can have, as far as they are seen."""
    while at < min(end, len(head)):
        tag, inside = _varint(head, at)
        length, begin = _varint(head, inside)
        if tag is None or length is None:
            return end > len(head) and len(head) - at < 20  # broken off where no more is seen, not a row of letters beyond ASCII
        at = begin
        if kind == "resource" and tag == 0x10:  # a count of attributes that were dropped
            continue
        held = _FIELDS[kind].get(tag >> 3)
        if tag & 7 != 2 or held is None or at + length > end or (held and not _plausible(head, at, at + length, held)):
            return False
        at += length
    return True


def _messages(source: Source, head: bytes, reject: Reject) -> Iterator[bytes | None]:
    """The messages of a file; None for one that breaks off, which is the last."""
    framing = _framing(head) or _bare
    held = bytearray()
    for block in blocks(source, lambda reason: reject(Rejected(source.name, None, reason))):
        held += block
        at = 0
        while (frame := framing(held, at)) is not None and frame[1] <= len(held):
            yield bytes(held[frame[0] : frame[1]])
            at = frame[1]
        if len(held) - at > 20 if frame is None else frame[1] - frame[0] > LONGEST:
            yield None  # no length at all, or one that cannot be meant
            return
        del held[:at]
    if held:
        yield None


def _spans(request: Any) -> list[Span]:
    found: list[Span] = []
    for made in request.resource_spans:
        resource = _attributes(made.resource.attributes)
        for scope in made.scope_spans:
            found += [_span(each, resource) for each in scope.spans]
    return found


def _span(given: Any, resource: Body) -> Span:
    return Span(
        trace=given.trace_id.hex(),
        id=given.span_id.hex(),
        parent=given.parent_span_id.hex(),
        start=given.start_time_unix_nano,
        state=given.trace_state,
        attributes=_attributes(given.attributes),
        events=tuple((each.name, _attributes(each.attributes)) for each in given.events),
        resource=resource,
    )


def _attributes(given: Any, deep: int = _DEEP) -> Body:
    return {each.key: _value(each.value, deep) for each in given}


def _value(given: Any, deep: int) -> Any:
    """A value of OTLP; None for bytes, and for none."""
    kind = given.WhichOneof("value")
    if kind == "array_value":
        return [_value(each, deep - 1) for each in given.array_value.values] if deep else None
    if kind == "kvlist_value":
        return _attributes(given.kvlist_value.values, deep - 1) if deep else None
    return getattr(given, kind) if kind in ("string_value", "bool_value", "int_value", "double_value") else None


def _number(value: int) -> bytes:
    more = b""
    while value > 0x7F:
        more += bytes([value & 0x7F | 0x80])
        value >>= 7
    return more + bytes([value])


def _field(number: int, held: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(held)) + held


def _pair(name: str, given: str | int) -> bytes:
    value = b"\x18" + _number(given) if isinstance(given, int) else _field(1, given.encode())
    return _field(1, name.encode()) + _field(2, value)


def _span_bytes(span: str, start: int = 1750000000250000999, **changed: Any) -> bytes:
    attributes = {**_ATTRIBUTES, **{name.replace("__", "."): each for name, each in changed.items()}}
    made = _field(1, bytes.fromhex("5b8efff798038103d269b633813fc60c")) + _field(2, bytes.fromhex(span))
    made += _field(3, b"ot=th:8") + _field(5, b"chat m-1") + b"\x39" + start.to_bytes(8, "little")
    return made + b"".join(_field(9, _pair(name, each)) for name, each in attributes.items())


def _export(*made: bytes) -> bytes:
    resource = _field(1, _pair("service.name", "shop")) + _field(1, _pair("tenant.id", "a1"))
    return _field(1, _field(1, resource) + _field(2, _field(1, _field(1, b"tracer")) + b"".join(_field(2, each) for each in made)))


def _long(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def _delimited(message: bytes) -> bytes:
    return _number(len(message)) + message


_ATTRIBUTES: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.usage.input_tokens": 4,
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Gone"}],"finish_reason":"stop"}]',
}
_CALL = {
    "call_id": "5b8efff798038103d269b633813fc60c:01",
    "ts": 1750000000250000,
    "account": "a1",
    "model": "m-1",
    "endpoint": "chat",
    "input_tokens": 4,
    "response": "Gone",
    "finish": "stop",
    "sampled": 0.5,
}
_SECOND = _CALL | {"call_id": "5b8efff798038103d269b633813fc60c:02"}

FORMAT = Format(
    name="OpenTelemetry GenAI spans, binary OTLP",
    page="The same spans as protobuf: one ExportTraceServiceRequest a file, or several one after the other, each behind its length (a varint, or "
    "four bytes as the Collector's file exporter writes them with `format: proto`; where it compresses message by message, it must be told not "
    "to). What counts, and where the account is looked for, is as in OTLP JSON. Records are numbered by message, those of a bare export by "
    "resource. Reading it needs the extra `otel` (`pip install stillwatch[otel]`).",
    suffix=".binpb",
    order=5,
    flat=False,
    recognises=recognises,
    fits=nothing,
    read=read,
    cases=(
        Reads("one bare export with two resources", lambda: _export(_span_bytes("01")) + _export(_span_bytes("02")), (_CALL, _SECOND)),
        Reads(
            "several exports behind lengths of four bytes; one has no spans",
            lambda: _long(_export(_span_bytes("01"))) + _long(b"") + _long(_export(_span_bytes("02"))),
            (_CALL, _SECOND),
        ),
        Reads(
            "several exports behind varints, longer than what is seen of a file at first",
            lambda: b"".join(_delimited(_export(_span_bytes(each, filler="long " * 2000))) for each in ("01", "02")),
            (_CALL, _SECOND),
        ),
        Rejects(
            "no account, no time, a message that is none, one that breaks off",
            lambda: (
                _long(_export(_span_bytes("01")))
                + _long(_export(_span_bytes("02", tenant__id="", start=0)))
                + _long(_field(1, _field(2, _field(2, _field(9, _pair("gen_ai.request.model", "m-1"))))))
                + _long(b"\x0a\x7f")
                + _long(_export(_span_bytes("03")))[:-9]
            ),
            ((2, "ts is missing or empty"), (3, ACCOUNT), (4, BROKEN), (5, ENDS)),
            left=1,
        ),
    ),
)
