"""Canonical JSON Lines: one object a line under the canonical names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from stillwatch.calls import REQUIRED
from stillwatch.intake import jsonlines
from stillwatch.intake.declare import Format, Opening, Reads, Reject, Rejects
from stillwatch.intake.mapping import Mapping
from stillwatch.intake.stream import Source


def recognises(opening: Opening) -> bool:
    """Objects with the required columns, or no object at all.

    One column may be wanting: that is then each record's own fault.
    """
    if opening.container != "json":
        return False
    counts = [sum(name in record for name in REQUIRED) for record in opening.records]
    return max(counts, default=len(REQUIRED)) >= len(REQUIRED) - 1


def fits(opening: Opening) -> bool:
    """Any objects: the map says what they mean."""
    return opening.container == "json"


def read(source: Source, opening: Opening, mapping: Mapping, reject: Reject) -> Iterator[pa.RecordBatch]:
    """Batches of calls; unknown fields stay out, absent ones are null."""
    once = [mapping.columns[name] for name in REQUIRED]
    wanted = frozenset(mapping.columns.values())

    def shape(record: dict[str, Any]) -> dict[str, Any]:
        return record if record.keys() <= wanted else {name: record[name] for name in record.keys() & wanted}

    for run in jsonlines.objects(source, once, shape, reject):
        yield jsonlines.batch(source, run, mapping, reject)


_GOOD = b'{"call_id":"c1","ts":1750000000000000,"account":"a1","model":"m"'

FORMAT = Format(
    name="JSON Lines",
    page="One JSON object a line with the canonical names; plain, gzip or zstd. The empty text is null, unknown fields are left out.",
    suffix=".jsonl",
    order=50,
    flat=True,
    recognises=recognises,
    fits=fits,
    read=read,
    cases=(
        Reads(
            "every type of column, an unknown field left out, the empty text as null",
            lambda: _GOOD + b',"org":"","temperature":1,"stream":true,"input_tokens":7.0,"reasoning_in":["r1"],"colour":"x"}\n\n',
            (
                {
                    "call_id": "c1",
                    "ts": 1750000000000000,
                    "account": "a1",
                    "model": "m",
                    "temperature": 1.0,
                    "stream": True,
                    "input_tokens": 7,
                    "reasoning_in": ["r1"],
                },
            ),
        ),
        Rejects(
            "one bad record of each sort between good ones",
            lambda: b"\n".join(
                (
                    _GOOD + b"}",
                    _GOOD[:-9],
                    _GOOD + b',"input_tokens":"7"}',
                    _GOOD + b',"temperature":NaN}',
                    _GOOD + b',"prompt":"\xff"}',
                    _GOOD + b',"account":"a2"}',
                    b'{"call_id":"c1","ts":1750000000,"account":"a1","model":"m"}',
                    b'{"call_id":"c1","ts":1750000000000000,"account":"","model":"m"}',
                    b"[" * 5000,
                    b"[]",
                    _GOOD + b',"org":"o"}',
                )
            ),
            (
                (2, "the JSON breaks off"),
                (3, "input_tokens is not a whole number"),
                (4, "the line is not valid JSON"),
                (5, "the line is not valid UTF-8"),
                (6, "account is given twice"),
                (7, "ts lies outside 2015 to 2100 when read as microseconds; it looks like seconds"),
                (8, "account is missing or empty"),
                (9, "the JSON is nested too deeply"),
                (10, "the line is JSON, but not an object"),
            ),
            left=2,
        ),
    ),
)
