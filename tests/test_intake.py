"""Reading logs: the same calls from every format, rubbish rejected alone, clear words where nothing can be read."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from malformed import HUGE, KINDS, SECRET, malformed
from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.errors import UserError
from stillwatch.intake import columns, stream
from stillwatch.intake.read import read
from stillwatch.intake.stream import Source, blocks, lines
from stillwatch.records import Rejected

START = 1_750_000_000_000_000


def calls(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Good calls with every column now known, now unknown."""
    rng = random.Random(seed)
    makers: dict[pa.DataType, Any] = {
        pa.string(): lambda: rng.choice(["", "a", 'with "marks", and\nbreaks', "ümläut 漢字", "x" * 300]) + str(rng.random()),
        pa.int64(): lambda: rng.choice([0, 1, 7, 2**62]),
        pa.float64(): lambda: rng.choice([0.0, 0.25, -1.5, 1e300]),
        pa.bool_(): lambda: rng.random() < 0.5,
        pa.list_(pa.string()): lambda: rng.choice([[], ["r1"], ["r1", 'q"2']]),
    }
    made = []
    for at in range(count):
        call = {name: makers[SCHEMA.field(name).type]() if rng.random() < 0.6 else None for name in SCHEMA.names}
        call |= {"call_id": f"c{at}", "ts": START + at, "account": f"a{at % 5}", "model": "m"}
        call["signup_ts"] = rng.choice([None, 1_100_000_000_000_000])
        call["sampled"] = rng.choice([None, 0.25, 1.0])
        made.append(call)
    return made


def jsonl(records: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps({k: v for k, v in each.items() if v is not None}) + b"\n" for each in records)


def parquet(records: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records, schema=SCHEMA), sink, row_group_size=97)
    return sink.getvalue()


def text(records: list[dict[str, Any]]) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, SCHEMA.names)
    writer.writeheader()
    for each in records:
        shown = {k: json.dumps(v) if isinstance(v, list) else str(v).lower() if isinstance(v, bool) else v for k, v in each.items()}
        writer.writerow(shown)
    return sink.getvalue().encode()


WRITERS = {"jsonl": jsonl, "parquet": parquet, "csv": text}


def run(*paths: Path | str, **options: Any) -> tuple[list[dict[str, Any]], list[Rejected]]:
    rejected: list[Rejected] = []
    batches = read([str(path) for path in paths], options.pop("mapping", None), rejected.append, **options)
    return [row for batch in batches for row in batch.to_pylist()], rejected


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)])
@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_calls_from_every_format(kind: str, pack: Any, tmp_path: Path) -> None:
    records = calls(700)
    rows, rejected = run(put(tmp_path, "log.any", pack(WRITERS[kind](records))))
    assert rejected == [] and rows == records


@pytest.mark.parametrize("kind", KINDS)
def test_rubbish_is_rejected_alone_with_its_line_and_without_its_words(kind: str, tmp_path: Path) -> None:
    rng, good = random.Random(kind), jsonl(calls(3)).splitlines()
    bad = [malformed(kind, rng) for _ in range(4)]
    held = [bad[0], good[0], bad[1], bad[2], good[1], good[2], bad[3]]
    rows, rejected = run(put(tmp_path, "log.jsonl", b"\n".join(held)))
    assert [row["call_id"] for row in rows] == ["c0", "c1", "c2"]
    assert [each.line for each in rejected] == [1, 3, 4, 7]
    for each in rejected:
        assert each.reason and SECRET not in each.reason and "acct" not in each.reason and len(each.reason) < 120


def test_reasons_of_rubbish(tmp_path: Path) -> None:
    """A snapshot: what a person reads for each kind."""
    rng = random.Random(5)
    said = {}
    for kind in KINDS:
        _, (one,) = run(put(tmp_path, "log.jsonl", malformed(kind, rng) + b"\n" + jsonl(calls(1))))
        said[kind] = one.reason
    assert said == {
        "truncated": "the JSON breaks off",
        "not json": "the line is not valid JSON",
        "not an object": "the line is JSON, but not an object",
        "only nul bytes": "the line is not valid JSON",
        "nul byte inside": "the line is not valid JSON",
        "invalid utf-8": "the line is not valid UTF-8",
        "overlong utf-8": "the line is not valid UTF-8",
        "lone surrogate": "the line is not valid JSON",
        "not a number": "the line is not valid JSON",
        "infinite": "the line is not valid JSON",
        "overflowing float": "a number is beyond what can be held",
        "huge number": "input_tokens is beyond 64 bits",
        "beyond 64 bits": "output_tokens is beyond 64 bits",
        "endless digits": "a number is beyond what can be held",
        "negative time": "ts is negative",
        "time in seconds": "ts lies outside 2015 to 2100 when read as microseconds; it looks like seconds",
        "time in milliseconds": "ts lies outside 2015 to 2100 when read as microseconds; it looks like milliseconds",
        "time in nanoseconds": "ts lies outside 2015 to 2100 when read as microseconds; it looks like nanoseconds",
        "time as text": "ts is not a whole number",
        "time with a fraction": "ts is not a whole number",
        "negative count": "input_tokens is negative",
        "count as text": "input_tokens is not a whole number",
        "count as truth": "turns is not a whole number",
        "truth as number": "stream is not true or false",
        "text as number": "prompt is not text",
        "text as object": "prompt is not text",
        "account as list": "account is not text",
        "list as text": "reasoning_in is not a list of texts",
        "list of numbers": "reasoning_in is not a list of texts",
        "list with a null": "reasoning_in has an empty element",
        "account missing": "account is missing or empty",
        "id missing": "call_id is missing or empty",
        "time missing": "ts is missing or empty",
        "model null": "model is missing or empty",
        "account empty": "account is missing or empty",
        "account twice": "account is given twice",
        "two records on a line": "the line is not valid JSON",
        "nested lists": "the JSON is nested too deeply",
        "nested objects": "the JSON is nested too deeply",
        "never closed": "the JSON is nested too deeply",
    }


def test_a_thousand_bad_records_change_nothing_of_the_good(tmp_path: Path) -> None:
    rng, records = random.Random(3), calls(3000)
    held = jsonl(records).splitlines()
    bad = [malformed(KINDS[at % len(KINDS)], rng) for at in range(1000)]
    spots = sorted(rng.sample(range(4000), 1000))
    for at, line in zip(spots, bad, strict=True):
        held.insert(at, line)
    rows, rejected = run(put(tmp_path, "log.jsonl.gz", gzip.compress(b"\n".join(held), 1)))
    assert rows == records
    assert sorted(each.line or 0 for each in rejected) == [at + 1 for at in spots]


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_50_mb_is_passed_over_in_little_memory(packed: bool, tmp_path: Path) -> None:
    held = b"\n".join([*(malformed(kind, random.Random(1)) for kind in HUGE), *jsonl(calls(2)).splitlines()])
    path = put(tmp_path, "log.jsonl", gzip.compress(held, 1) if packed else held)
    code = (
        "import resource, sys; from stillwatch.intake.read import read\n"
        "from stillwatch.intake.jsonlines import OVERLONG\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; bad = []\n"
        "assert sum(batch.num_rows for batch in read(sys.argv[1:], None, bad.append)) == 2\n"
        "assert [(each.line, each.reason) for each in bad] == [(1, OVERLONG), (2, OVERLONG)]\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 80, "megabytes"


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(SCHEMA.names))
def test_whole_columns_and_single_values_are_judged_alike(data: st.DataObject, name: str) -> None:
    scalars = (
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(START, START + 9) | st.integers(0, 5)
        | st.floats() | st.text(max_size=3) | st.just("")
        | st.sampled_from([1.0, 2.0**53, 1.75e15, 2.0**63, -(2.0**63)])
    )  # fmt: skip
    given_values = data.draw(
        st.lists(scalars | st.lists(scalars, max_size=3), max_size=6)
        | st.lists(st.none() | st.integers(0, 2**62), max_size=6)
        | st.lists(st.none() | st.floats(allow_nan=True), max_size=6)
        | st.lists(st.none() | st.lists(st.text(max_size=2), max_size=3), max_size=6)
        | st.lists(st.none() | st.text(max_size=2), max_size=6)
    )

    def told(column: columns.Column) -> list[tuple[Any, str]]:
        array, faults = column
        reasons = ["" for _ in given_values]
        for mask, reason in faults:
            for row in np.flatnonzero(mask):
                reasons[row] = reasons[row] or reason
        return [(None if why else value, why) for value, why in zip(array.to_pylist(), reasons, strict=True)]

    assert told(columns.from_values(name, given_values)) == told(columns.one_by_one(name, given_values))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 40), st.integers(3, 60))
def test_lines_are_cut_alike_in_blocks_of_any_size(parts: list[bytes], step: int, longest: int) -> None:
    whole = b"\n".join(parts)
    kept, stream.LONGEST = stream.LONGEST, longest
    try:
        cut = [line for _, run in lines(whole[at : at + step] for at in range(0, len(whole), step)) for line in run]
    finally:
        stream.LONGEST = kept
    wanted = whole.split(b"\n")
    if wanted[-1] == b"":
        wanted.pop()
    assert cut == [line if len(line) <= longest else None for line in wanted]


def test_line_numbers_run_on_over_blocks() -> None:
    assert [number for number, _ in lines([b"a\nb\nc", b"d\n", b"", b"e\nf"])] == [1, 3, 4, 5]


FUZZED = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEDS = [writer(calls(8)) for writer in WRITERS.values()] + [
    orjson.dumps(
        {
            "account": "a",
            "request": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
            "response": {"id": "r"},
        }
    )
]
SEEDS += [gzip.compress(seed) for seed in SEEDS] + [pa.compress(seed, "zstd", asbytes=True) for seed in SEEDS]


@FUZZED
@given(data=st.data(), seed=st.sampled_from(SEEDS))
def test_whatever_the_bytes_only_user_errors_are_raised(data: st.DataObject, seed: bytes, tmp_path: Path) -> None:
    held = bytearray(seed)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(held)))
        held[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    held = held[: data.draw(st.just(len(held)) | st.integers(0, len(held)))]
    try:
        run(put(tmp_path, "log", bytes(held)))
    except UserError as error:
        assert "\n" not in str(error)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
WORDS = [
    "model",
    "messages",
    "input",
    "role",
    "content",
    "text",
    "type",
    "choices",
    "message",
    "usage",
    "output",
    "reasoning",
    "tools",
    "metadata",
    "logprobs",
    "created",
    "body",
    "id",
    "reasoning_details",
    "status",
    "encrypted_content",
    "conversation",
    "functions",
    "response",
    "request",
]
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)


@FUZZED
@given(shape=SHAPES, where=st.sampled_from(["request", "response", "body", "timestamp", "custom_id"]))
def test_openai_bodies_of_any_shape_are_read_or_rejected(shape: Any, where: str, tmp_path: Path) -> None:
    good = {
        "account": "a",
        "request": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
        "response": {"id": "r", "object": "chat.completion", "created": 1.75e9},
    }
    raw = [orjson.dumps(good), json.dumps({**good, where: shape}).encode()]
    rows, rejected = run(put(tmp_path, "log", b"\n".join(raw)))
    assert len(rows) + len(rejected) == 2 and rows[0]["call_id"] == "r"


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_what_was_readable_of_a_truncated_stream_is_used(codec: str, kind: str, tmp_path: Path) -> None:
    records = calls(900)
    packed = pa.compress(WRITERS[kind](records), codec, asbytes=True)
    path = put(tmp_path, "log", packed[: len(packed) * 2 // 3])
    rows, rejected = run(path)
    assert 0 < len(rows) < 900 and rows == records[: len(rows)]
    whole = [each for each in rejected if each.line is None]
    assert [each.reason for each in whole] == [f"the {codec} stream is truncated or damaged; what came before was used"]
    # At most the record that was cut; in CSV, each of the lines that it had.
    assert len(rejected) - len(whole) <= (1 if kind == "jsonl" else 4)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_no_byte_before_the_break_is_lost(codec: str, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(3 * 2**20)
    path = put(tmp_path, "log", pa.compress(data, codec, asbytes=True) + b"not a frame")
    reasons: list[str] = []
    assert b"".join(blocks(Source("log", path), reasons.append)) == data
    assert len(reasons) == 1


def test_members_and_frames_one_after_another_are_one_stream(tmp_path: Path) -> None:
    records = calls(6)
    first, second = jsonl(records[:3]), jsonl(records[3:])
    for name, packed in (
        ("gz", gzip.compress(first) + gzip.compress(second)),
        ("zst", pa.compress(first, "zstd", asbytes=True) + pa.compress(second, "zstd", asbytes=True)),
    ):
        assert run(put(tmp_path, name, packed)) == (records, [])


def test_broken_parquet(tmp_path: Path) -> None:
    whole = parquet(calls(300))
    good = put(tmp_path, "good.jsonl", jsonl(calls(1)))
    rows, rejected = run(good, put(tmp_path, "cut.parquet", whole[:-50]))
    assert len(rows) == 1
    assert [(each.line, each.reason) for each in rejected] == [(None, "the Parquet file is truncated or damaged: its index at the end cannot be read")]
    middle = len(whole) * 6 // 10
    rows, rejected = run(put(tmp_path, "hole.parquet", whole[:middle] + b"\xa5" * 400 + whole[middle + 400 :]))
    assert rejected, "the hole is noticed"


def test_empty_files_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", b"")
    put(tmp_path, "b.jsonl.gz", gzip.compress(b""))
    put(tmp_path, "c.jsonl", b"\n\n")
    put(tmp_path, "d.jsonl", b"\xef\xbb\xbf" + jsonl(calls(2)))
    rows, rejected = run(tmp_path)
    assert len(rows) == 2
    assert [(Path(each.file).name, each.line, each.reason) for each in rejected] == [
        (name, None, "the file is empty") for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl")
    ]


def test_parquet_of_other_types(tmp_path: Path) -> None:
    table = pa.table({
        "call_id": pa.array([str(at) for at in range(4)]),
        "ts": pa.array([START * 1000 + 7] * 4, pa.timestamp("ns")),
        "account": pa.array(["a"] * 4),
        "model": pa.array(["m"] * 4),
        "input_tokens": pa.array([1, 2**63, None, 3], pa.uint64()),
        "temperature": pa.array([0.5, 1.0, float("nan"), None], pa.float32()),
        "reasoning_in": pa.array([[b"r"], None, [], [b"\xff"]], pa.large_list(pa.binary())),
        "tools": pa.array([[1]] * 4),
        "org": pa.nulls(4),
    })  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink)
    rows, rejected = run(put(tmp_path, "log", sink.getvalue()))
    assert [(each.line, each.reason) for each in rejected] == [
        (None, "column tools is not a whole number (it is list); read as unknown"),
        (2, "input_tokens is beyond 64 bits"),
        (3, "temperature is not finite"),
        (4, "reasoning_in is not a list of texts"),
    ]
    assert rows == [
        {**dict.fromkeys(SCHEMA.names), "call_id": "0", "ts": START, "account": "a", "model": "m", "input_tokens": 1,
         "temperature": 0.5, "reasoning_in": ["r"]}
    ]  # fmt: skip


def test_a_required_parquet_column_of_another_type_rejects_every_row(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(calls(3), schema=SCHEMA).set_column(0, "call_id", pa.array([[1]] * 3))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    rows, rejected = run(put(tmp_path, "log", sink.getvalue()))
    assert rows == [] and [each.line for each in rejected] == [1, 2, 3]
    assert {each.reason for each in rejected} == {"call_id is not text (it is list)"}


def test_csv_records_after_an_open_quotation_mark_are_kept(tmp_path: Path) -> None:
    head = ",".join(REQUIRED) + ",prompt\n"
    body = [f'c{at},{START},a,m,"says ""{at}""\n\nin three lines"\n' for at in range(6)]
    body[3] = f'c3,{START},a,m,"never closed\n'
    rows, rejected = run(put(tmp_path, "log.csv", (head + "".join(body)).encode()))
    assert [row["call_id"] for row in rows] == ["c0", "c1", "c2", "c4", "c5"]
    assert rows[1]["prompt"] == 'says "1"\n\nin three lines'
    assert [(each.line, each.reason) for each in rejected] == [(11, "a quotation mark is left open")]


@pytest.mark.parametrize("by", [";", "\t", "|"])
def test_csv_cut_by_another_mark(by: str, tmp_path: Path) -> None:
    rows, rejected = run(put(tmp_path, "log.csv", (by.join(REQUIRED) + "\n" + by.join(["c", str(START), "a,b", "m"])).encode()))
    assert rejected == [] and [row["account"] for row in rows] == ["a,b"]
