"""Down the resale chain: provider, reseller, reseller's reseller; what each learns, and what is in the bytes that travel."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from stillwatch import flow, packing, tracing
from stillwatch.doors.cli import main
from stillwatch.drill import compose, scenario
from stillwatch.drill.scenario import Planted
from stillwatch.errors import UserError
from stillwatch.exchange import envelope
from stillwatch.exchange.trace import answering, inquiry
from stillwatch.store import inquiries

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def asked(**rest: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "id": "0" * 36,
        "salt": b"s" * 32,
        "now": NOW,
        "expires": NOW + timedelta(days=1),
        "calls": [f"c{i}" for i in range(40)],
        "first": 5.0,
        "last": 7300.0,
    }
    return inquiry.made(**given | {"verdict": "alert", "log10_e": 7.9, "atlas": ["AML.T0024"]} | rest)


@dataclass(frozen=True)
class Chain:
    """Three houses and their logs."""

    folder: Path
    case: str
    "The provider's case."
    log: str
    "The provider's log."
    reseller: str
    below: str
    ordinary: list[str]
    "The provider's ids of ordinary calls through the reseller."
    secret: set[str]
    "Names that nobody else may see: customers, organisations, ids of requests."

    def key(self, who: str) -> Path:
        return self.folder / f"{who}.signing"

    def trust(self, who: str) -> Path:
        return self.folder / f"{who}.signing.pub"

    def hashing(self, who: str) -> Path:
        return self.folder / f"{who}.key"


def _renamed(table: pa.Table, prefix: str, upstream: pa.Array | None, account: Any = None) -> pa.Table:
    """Calls as another house logs them: ids of its own, the house above's ids beside them."""
    columns = {name: table[name] for name in table.column_names}
    columns["call_id"] = pa.array([f"{prefix}-{each}" for each in table["call_id"].to_pylist()])
    columns["upstream_id"] = pa.nulls(table.num_rows, pa.string()) if upstream is None else upstream
    if account is not None:
        columns |= {"account": pa.array([account] * table.num_rows), "org": pa.array([account] * table.num_rows)}
    return pa.table(columns, schema=table.schema)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A campaign of which half goes through a reseller, and most of that through a customer of the reseller who resells himself."""
    folder = tmp_path_factory.mktemp("chain")
    drill = compose.compose(replace(scenario.load("broad"), seed=5, calls=5_000, campaigns=(Planted("O-SEP", share=0.4, infrastructure=False),)), None)
    guilty = pa.compute.is_valid(drill.truth["campaign"])
    campaign, innocent = drill.calls.filter(guilty), drill.calls.filter(pa.compute.invert(guilty))
    accounts = sorted(set(campaign["account"].to_pylist()))
    through, deeper = set(accounts[: len(accounts) // 2]), set(accounts[: len(accounts) // 3])
    others = compose.compose(replace(scenario.load("broad"), seed=8, calls=4_000, campaigns=()), None).calls
    below_others = compose.compose(replace(scenario.load("broad"), seed=9, calls=3_000, campaigns=()), None).calls

    def of(table: pa.Table, names: set[str]) -> pa.Table:
        return table.filter(pa.compute.is_in(table["account"], pa.array(sorted(names))))

    # The deepest house logs its customers; the reseller above logs that house as one customer; the provider logs the reseller as one account.
    deep, wide = of(campaign, deeper), of(campaign, through - deeper)
    below = [
        _renamed(deep, "below", pa.array([f"mid-{each}" for each in deep["call_id"].to_pylist()])),
        _renamed(below_others, "below", pa.nulls(3_000, pa.string())[: below_others.num_rows]),
    ]
    ids = lambda table: pa.array([f"top-{each}" for each in table["call_id"].to_pylist()])  # noqa: E731
    middle = [_renamed(deep, "mid", ids(deep), "SUBRESELLER"), _renamed(wide, "mid", ids(wide)), _renamed(others, "mid", ids(others))]
    direct = of(campaign, set(accounts) - through)
    top = [_renamed(direct, "top", None), _renamed(innocent, "top", None), *(_renamed(each, "top", None, "RESELLER") for each in (deep, wide, others))]
    for name, parts in (("top", top), ("middle", middle), ("below", below)):
        pq.write_table(pa.concat_tables(parts).sort_by("ts"), folder / f"{name}.parquet")
        packing.key(folder / f"{name}.signing")
        (folder / f"{name}.key").write_text("07" * 32)  # which marks are kept follows from the key
        (folder / f"{name}.key").chmod(0o600)
        past = compose.compose(replace(scenario.load("broad-history"), seed=20 + len(name), calls=3_000), None).calls
        flow.watch([past], folder / f"{name}.history", key=folder / f"{name}.key")
    flow.watch([str(folder / "top.parquet")], folder / "scan", key=folder / "top.key", history=[str(folder / "top.history")])
    lines = [json.loads(line) for line in (folder / "scan" / "campaigns.jsonl").read_text().splitlines()]
    (case,) = [line["campaign"] for line in lines if line["verdict"] == "alert" and "RESELLER" in line["accounts"]]
    secret = {
        name
        for table in (deep, wide, others, below_others)
        for column in ("account", "org", "call_id")
        for name in table[column].to_pylist()
        if name and len(name) > 4
    }
    return Chain(folder, case, str(folder / "top.parquet"), str(folder / "middle.parquet"), str(folder / "below.parquet"), ids(others).to_pylist(), secret)


def _inquired(chain: Chain, out: Path, **rest: Any) -> dict[str, Any]:
    return tracing.inquire(chain.folder / "scan", chain.case[:8], ["RESELLER"], [chain.log], chain.key("top"), out, key=chain.hashing("top"), **rest)


def _traced(chain: Chain, file: Path, out: Path, who: str = "middle", trust: tuple[str, ...] = ("top",), **rest: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"history": [chain.folder / f"{who}.history"], "key": chain.hashing(who), "register": out.with_suffix(".register")}
    log = chain.reseller if who == "middle" else chain.below
    return tracing.trace(file, [log], [chain.trust(each) for each in trust], chain.key(who), out, **given | rest)


def _by_hand(chain: Chain, out: Path, calls: list[str], **rest: Any) -> Path:
    """A signed inquiry after whatever calls, with the right times."""
    ts = pq.read_table(chain.log, columns=["ts"])["ts"].to_numpy() / 1e6
    told = asked(calls=calls, now=datetime.now(UTC), expires=datetime.now(UTC) + timedelta(days=1), first=float(ts.min()), last=float(ts.max()), **rest)
    out.write_bytes(envelope.signed(told, envelope.INQUIRY, packing.signer_of(chain.key("top"))))
    return out


def _payload(file: Path) -> str:
    return base64.b64decode(json.loads(file.read_bytes())["payload"]).decode()


def test_provider_reseller_and_below_find_the_campaign_and_no_customer_travels(chain: Chain, tmp_path: Path) -> None:
    said = _inquired(chain, tmp_path / "ask.json")
    assert said["calls"] >= 20
    register = tmp_path / "register"
    first = _traced(chain, tmp_path / "ask.json", tmp_path / "a1.json", register=register, resellers=["SUBRESELLER"], onward=tmp_path / "onward")
    assert {each["account"] for each in first["here"]["customers"]} >= {"SUBRESELLER"} and len(first["here"]["customers"]) > 3
    (sent,) = first["here"]["onward"]
    deeper = _traced(chain, Path(sent["out"]), tmp_path / "a2.json", "below", ("middle",))
    assert deeper["answer"]["answer"] == "found" and deeper["answer"]["log10_e"] >= 2 and "SUBRESELLER" not in str(deeper["here"])
    final = _traced(
        chain,
        tmp_path / "ask.json",
        tmp_path / "a3.json",
        trust=("top", "below"),
        register=register,
        resellers=["SUBRESELLER"],
        heard=[tmp_path / "a2.json"],
        handled=True,
    )
    assert final["answer"]["answer"] == "found" and final["answer"]["handled"] is True and final["local"]["in_cases"] > first["local"]["in_cases"]
    back = tracing.read_answer(tmp_path / "a3.json", [chain.trust("middle")])
    assert back["answer"] == "found" and back["inquiry"] == said["inquiry"]
    for file in (tmp_path / "ask.json", Path(sent["out"]), tmp_path / "a1.json", tmp_path / "a2.json", tmp_path / "a3.json"):
        travelled = file.read_text() + _payload(file)
        assert not [name for name in (*chain.secret, "SUBRESELLER", "RESELLER", "top-", "mid-", "below-") if name in travelled]
    kept = register.read_text()
    assert not [name for name in chain.secret if name in kept], "calls are kept under the hashing key"


def test_what_is_passed_on_and_what_innocent_customers_get(chain: Chain, tmp_path: Path) -> None:
    deep = [
        f"top-{each.removeprefix('mid-')}" for each in pq.read_table(chain.reseller).filter(pa.compute.field("account") == "SUBRESELLER")["call_id"].to_pylist()
    ]
    passed = _traced(chain, _by_hand(chain, tmp_path / "1.json", deep), tmp_path / "a1.json", resellers=["SUBRESELLER"])
    assert passed["answer"]["answer"] in ("passed on", "found")
    ordinary = _by_hand(chain, tmp_path / "2.json", chain.ordinary[:200])
    nothing = _traced(chain, ordinary, tmp_path / "a2.json")["answer"]
    assert nothing["answer"] == "nothing" and "unrelated customers" in nothing["limit"] and nothing["log10_e"] is None
    assert _traced(chain, ordinary, tmp_path / "a3.json", history=[])["answer"]["answer"] == "cannot tell"
    innocent = _traced(chain, ordinary, tmp_path / "a4.json", innocent="evaluation")["answer"]
    assert (innocent["answer"], innocent["reason"]) == ("innocent", "evaluation")
    with pytest.raises(UserError, match="no such reason"):
        _traced(chain, ordinary, tmp_path / "a5.json", innocent="Miller Ltd said so")
    strangers = _by_hand(chain, tmp_path / "3.json", [f"elsewhere-{i}" for i in range(50)])
    assert _traced(chain, strangers, tmp_path / "a6.json")["answer"]["answer"] == "not ours"
    with pytest.raises(UserError, match="upstream_id"):
        tracing.trace(
            strangers, [chain.log], [chain.trust("top")], chain.key("middle"), tmp_path / "a7.json", key=chain.hashing("middle"), register=tmp_path / "r"
        )


def test_fishing_is_refused(chain: Chain, tmp_path: Path) -> None:
    everything = _by_hand(chain, tmp_path / "all.json", chain.ordinary)
    refused = _traced(chain, everything, tmp_path / "a.json")["answer"]
    assert (refused["answer"], refused["reason"]) == ("refused", "too much of our traffic") and refused["limit"] is None
    register = tmp_path / "register"
    one = _by_hand(chain, tmp_path / "one.json", chain.ordinary[:100])
    assert _traced(chain, one, tmp_path / "a1.json", register=register)["answer"]["answer"] == "nothing"
    assert _traced(chain, one, tmp_path / "a1.json", register=register)["answer"]["answer"] == "nothing", "the same inquiry may be answered again"
    again = _by_hand(chain, tmp_path / "again.json", chain.ordinary[:110], id="1" * 36)
    assert _traced(chain, again, tmp_path / "a2.json", register=register)["answer"]["reason"] == "asked before"
    inquiries.add(
        register,
        [inquiries.Row(f"{n:036d}", inquiries.read(register)[0].sender, datetime.now(UTC).isoformat(), "nothing", []) for n in range(5, 5 + answering.BUDGET)],
    )
    new = _by_hand(chain, tmp_path / "new.json", chain.ordinary[200:300], id="2" * 36)
    assert _traced(chain, new, tmp_path / "a3.json", register=register)["answer"]["reason"] == "too many"


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        ({"calls": ["a"] * 30}, "names 1 calls"),
        ({"log10_e": 1.9}, "evidence of 10\\^1"),
        ({"verdict": "watch"}, "verdict of the inquiry"),
        ({"atlas": ["everything"]}, "atlas of the inquiry"),
        ({"depth": inquiry.MOST_DEPTH + 1}, "depth of the inquiry"),
        ({"salt": b"short"}, "salt of the inquiry"),
    ],
)
def test_what_nobody_should_ask_is_neither_made_nor_heard(rest: dict[str, Any], what: str) -> None:
    with pytest.raises(UserError, match=what):
        asked(**rest)
    with pytest.raises(UserError, match="no inquiry of the format"):
        inquiry.heard({**asked(), "customer": "Miller"}, "it")


def test_times_are_whole_hours_and_evidence_is_rounded_down() -> None:
    told = asked()
    assert (told["begin"], told["end"], told["log10_e"]) == (0, 10800, 7.0) and '"c0"' not in json.dumps(told)
    heard = inquiry.heard(told, "it")
    assert heard.finds(["c0", None, "c40"]) == [True, False, False]


def test_refusals_by_hand() -> None:
    ask = inquiry.heard(asked(), "it")
    found = [f"{i}" for i in range(40)]
    assert answering.refusal(ask, "k", found, 160, [], NOW) is None and answering.refusal(ask, "k", found, 159, [], NOW) == "too much of our traffic"
    assert answering.refusal(ask, "k", found, 1000, [], NOW + timedelta(days=2)) == "expired"
    old = [answering.Asked("k", (NOW - timedelta(days=31)).isoformat(), [])] * answering.BUDGET
    assert answering.refusal(ask, "k", found, 1000, old, NOW) is None
    half = [answering.Asked("k", NOW.isoformat(), found[:20])]
    assert answering.refusal(ask, "k", found, 1000, half, NOW) == "asked before" and answering.refusal(ask, "other", found, 1000, half, NOW) is None


def test_the_stated_limit_by_hand() -> None:
    assert answering.fewest(1000, 0.095, 0.1) == 5 and answering.fewest(10**7, 0.095, 0.1) == 8  # each stranger is worth log10(.95 / .095) = 1
    assert answering.fewest(1000, 0.5, 0.1) == 15 and answering.fewest(1000, 0.96, 0.1) is None


def test_a_torn_register_loses_nothing_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "register"
    row = inquiries.Row("a", "k", "t", "nothing", ["1"])
    inquiries.add(path, [row, row])
    with path.open("ab") as file:
        file.write(b'{"id": "cut')
    assert len(inquiries.read(path)) == 2
    inquiries.add(path, [row])
    assert inquiries.read(path) == [row] * 3
    path.write_bytes(b"{\n" + path.read_bytes())
    with pytest.raises(UserError, match=":1: cannot be read"):
        inquiries.read(path)


def test_an_abuse_desk_gets_a_valid_report(chain: Chain, tmp_path: Path) -> None:
    import xarf

    said = _inquired(chain, tmp_path / "ask.json", desk=tracing.Desk("Example Models", "abuse@models.example", "acct-7"))
    report = json.loads(Path(said["xarf"]).read_text())
    result = xarf.parse(report)
    assert not result.errors and result.report.category == "connection"
    sent = base64.b64decode(report["evidence"][0]["payload"])
    assert sent == (tmp_path / "ask.json").read_bytes() and not [name for name in chain.secret if name in Path(said["xarf"]).read_text()]


def test_the_command_line(chain: Chain, tmp_path: Path) -> None:
    run = CliRunner()

    def said(*words: str, code: int = 0) -> str:
        done = run.invoke(main, list(words))
        assert done.exit_code == code, done.output
        return done.output

    common = ["--key", str(chain.hashing("top")), "--sign-with", str(chain.key("top")), "--out", str(tmp_path / "i.json")]
    assert "calls, to be answered by" in said("inquire", str(chain.folder / "scan"), chain.case, chain.log, "--account", "RESELLER", *common)
    assert "is not in the case" in said("inquire", str(chain.folder / "scan"), chain.case, chain.log, "--account", "NOBODY", *common, code=2)
    assert "no case begins with" in said("inquire", str(chain.folder / "scan"), "zz", chain.log, "--account", "RESELLER", *common, code=2)
    theirs = [
        "--key",
        str(chain.hashing("middle")),
        "--sign-with",
        str(chain.key("middle")),
        "--register",
        str(tmp_path / "r"),
        "--history",
        str(chain.folder / "middle.history"),
    ]
    told = said("trace", str(tmp_path / "i.json"), chain.reseller, "--trust", str(chain.trust("top")), "--out", str(tmp_path / "a.json"), *theirs)
    assert "stays here" in told
    assert "nobody who is trusted" in said(
        "trace", str(tmp_path / "i.json"), chain.reseller, "--trust", str(chain.trust("below")), "--out", str(tmp_path / "b.json"), *theirs, code=2
    )
    assert not (tmp_path / "b.json").exists()
