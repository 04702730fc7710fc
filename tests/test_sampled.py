"""Logs that keep a sample of their calls: less is found, nobody is accused for it, and it is said."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import KEY, Logs
from stillwatch import flow
from stillwatch.campaigns.exculpations import exculpations
from stillwatch.doors.report import page
from stillwatch.drill import compose, scenario
from stillwatch.drill.scenario import Planted
from stillwatch.evidence.strangers import log10_e
from stillwatch.features import clients, dealing, plan_use, volume
from stillwatch.features.declare import Groups
from stillwatch.linking.carriers import reused
from stillwatch.linking.history import exposure_table, merge, reference_exposure, share_now
from stillwatch.records import Cluster
from stillwatch.traffic import Traffic, from_rows

SHARE = 0.1


def _kept(call: str, share: float) -> bool:
    return int.from_bytes(hashlib.blake2b(call.encode(), digest_size=8).digest(), "big") < share * 2**64


def _thinned(log: Path, out: Path, share: float = SHARE) -> Path:
    """A log that keeps a share of the calls, chosen by hash of the id."""
    table = pq.read_table(log)
    table = table.filter(pa.array([_kept(call, share) for call in table["call_id"].to_pylist()]))
    pq.write_table(table.set_column(table.schema.get_field_index("sampled"), "sampled", pa.array([share] * table.num_rows, pa.float64())), out)
    return out


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with replays and a dealt job, whole and thinned, each scanned against one history."""
    folder = tmp_path_factory.mktemp("sampled")
    mixed = scenario.load("mixed").with_overrides(calls=30_000, seed=3)
    planted = (Planted("O-SEP", 0.1), Planted("A-FEB-DS", 0.1))
    compose.write(compose.compose(replace(mixed, campaigns=planted)), folder / "whole.parquet")
    compose.write(compose.compose(scenario.load("demo-history").with_overrides(calls=20_000)), folder / "history.parquet")
    (folder / "key").write_text(KEY + "\n")
    (folder / "key").chmod(0o600)
    _thinned(folder / "whole.parquet", folder / "thinned.parquet")
    flow.watch([str(folder / "history.parquet")], folder / "history", key=folder / "key")
    for name in ("whole", "thinned"):
        flow.watch([str(folder / f"{name}.parquet")], folder / name, history=[str(folder / "history")], key=folder / "key", render=page.render)
    return folder


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "campaigns.jsonl").read_text().splitlines()]


def _accused(folder: Path) -> set[str]:
    return {account for line in _lines(folder) if line["verdict"] != "watch" for account in line["accounts"]}


def _innocent(folder: Path) -> set[str]:
    table = pq.read_table(folder / "whole.truth.parquet", columns=["account", "campaign"]).to_pydict()
    return set(table["account"]) - {account for account, campaign in zip(table["account"], table["campaign"], strict=True) if campaign}


def test_a_tenth_of_the_calls_accuses_no_innocent_that_the_whole_did_not(scans: Path) -> None:
    new = (_accused(scans / "thinned") & _innocent(scans)) - _accused(scans / "whole")
    assert new == set()
    for line in _lines(scans / "thinned"):
        if line["verdict"] == "alert":
            assert not set(line["accounts"]) & _innocent(scans)


def test_what_remains_is_told_with_the_sampling(scans: Path) -> None:
    lines = [line for line in _lines(scans / "thinned") if line["verdict"] != "watch"]
    assert lines, "a tenth of this log still shows the replays"
    for line in lines:
        (said,) = [each for each in line["factors"]["volume_and_coordination"]["observed"] if "keeps about" in each]
        assert f"10.0% of these calls: they stand for some {10 * line['calls']:,}" in said
    summary = json.loads((scans / "thinned" / "summary.json").read_text())
    assert summary["sampled"]["share"] == SHARE and "about 10.0% of the calls" in summary["sampled"]["text"]
    assert json.loads((scans / "whole" / "summary.json").read_text())["sampled"] is None


def test_features_of_a_thinned_log_are_scaled_or_silent(scans: Path) -> None:
    signals = {signal["name"] for line in _lines(scans / "thinned") for signal in line["signals"]}
    assert signals and not signals & {
        "load balance",
        "open loop",
        "coverage sweep",
        "path failover",
        "pool handover",
        "no ramp",
        "frozen client",
        "model retreat",
    }


def test_an_unbelievable_share_is_rejected(logs: Logs, tmp_path: Path) -> None:
    rows = pq.read_table(logs.log).slice(0, 5)
    shares = pa.array([0.0, 1.5, -1.0, 1.0, 0.5])
    pq.write_table(rows.set_column(rows.schema.get_field_index("sampled"), "sampled", shares), tmp_path / "log.parquet")
    summary = flow.watch([str(tmp_path / "log.parquet")], tmp_path / "scan", key=logs.key)
    assert (summary["calls_read"], summary["calls_rejected"]) == (2, 3)
    assert "sampled is no share above 0 and up to 1" in (tmp_path / "scan" / "rejected.jsonl").read_text()
    assert summary["sampled"]["share"] == pytest.approx(2 / 3)


def _groups(rows: list[dict[str, Any]]) -> Groups:
    traffic = from_rows(rows)
    return Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1)


def test_volume_is_what_the_kept_calls_stand_for() -> None:
    assert volume.calls(_groups([{"sampled": 0.1}] * 30 + [{}] * 5))[0] == pytest.approx(305)


def test_unevenness_undoes_what_sampling_evens_out() -> None:
    """Accounts of 40 and of 400 calls each, of which a share is kept at random: the estimate stays, the plain figure would fall with the share."""
    rng = np.random.default_rng(1)
    whole = np.repeat([40, 400], 60)
    want = volume.unevenness(_groups([{"account": a} for a, n in enumerate(whole) for _ in range(n)]))[0]
    kept = rng.binomial(whole, 0.6)
    found = volume.unevenness(_groups([{"account": a, "sampled": 0.6} for a, n in enumerate(kept) for _ in range(n)]))[0]
    assert found == pytest.approx(want, rel=0.1) and kept.var(ddof=1) / kept.mean() < 0.7 * want
    assert np.isnan(volume.unevenness(_groups([{"account": a, "sampled": 0.4} for a in range(9)]))[0])


def test_accounts_kept_at_different_rates_compare() -> None:
    rows = [{"account": a, "plan": "free", "output_tokens": 100} for a in range(40) for _ in range(10)]
    rows += [{"account": 40, "plan": "free", "output_tokens": 100, "sampled": 0.1}]
    traffic = from_rows(rows)
    label = (traffic.account == 40).astype(np.int64)
    assert plan_use.plan_use(Groups(traffic, np.arange(traffic.calls), label, 2))[1] == pytest.approx(1.0)


def test_nobody_is_frozen_by_calls_that_were_not_kept() -> None:
    rows = [{"account": a, "ts": d * 86_400_000_000, "headers": 1, "user_agent": 1} for a in range(6) for d in (0, 3)]
    assert clients.frozen_client(_groups(rows))[0] == 1.0
    assert np.isnan(clients.frozen_client(_groups([{**row, "sampled": 0.2} for row in rows]))[0])


def _suite(accounts: int, items: int, shared: bool) -> list[dict[str, Any]]:
    """Accounts of as many organisations, each with its items: all the same, or each of its own."""
    return [
        {"account": a, "org": a, "call": a * 1000 + i, "ts": i * 10**10 + a, "prompt": i if shared else a * 1000 + i, "terms": [10**6 * (0 if shared else a) + 100 * i + j for j in range(6)]}
        for a in range(accounts)
        for i in range(items)
    ]  # fmt: skip


@pytest.mark.parametrize(("shared", "least", "most"), [(True, 0.5, 1.0), (False, 0.0, 0.2)])
def test_a_public_list_stays_one_and_a_dealt_one_too(shared: bool, least: float, most: float) -> None:
    rows = [{**row, "sampled": SHARE} for row in _suite(12, 300, shared) if _kept(str(row["call"]), SHARE)]
    assert least <= dealing.shared_slots(_groups(rows))[0] <= most


def test_too_few_kept_jobs_do_not_pass_for_a_dealt_list() -> None:
    rows = [{**row, "sampled": SHARE} for row in _suite(12, 2, False)]
    assert dealing.shared_slots(_groups(rows))[0] == 1.0, "24 jobs, none in common: the whole log might have all in common"


def test_two_kept_calls_make_no_business() -> None:
    """Members are those of whom two core calls are kept; those two say nothing of their other traffic."""
    rows = [{"account": a, "org": a, "ts": i * 10**10 + a, "prompt": a * 10 + i, "wordings": [8], "sampled": SHARE} for a in range(40) for i in range(3)]
    traffic = from_rows(rows)
    core = np.flatnonzero(np.arange(traffic.calls) % 3 < 2)
    groups = Groups(traffic, core, np.zeros(len(core), np.int64), 1)
    assert dealing.all_traffic(groups)[0] == 0.0
    alone = Groups(traffic, np.arange(traffic.calls), np.zeros(traffic.calls, np.int64), 1)
    assert dealing.all_traffic(alone)[0] == 1.0


def test_what_is_not_kept_cannot_speak_against_anybody() -> None:
    empty = np.zeros(0, np.int64)
    nobody = Cluster(
        name=0, accounts=empty, calls=empty, strangers=9, family=empty, now=empty, before=empty, carriers=empty, share=np.zeros(0), named=empty,
        share_named=np.zeros(0), replaying=0, carried=np.zeros((0, 0), np.bool_), ties=(),
    )  # fmt: skip
    steps = {
        (own, lost): exculpations(nobody, {"own_business": own, "not_kept": lost})[-1].steps for own in (None, 0.0) for lost in (0.0, 0.05, 0.5, 0.9, None)
    }
    assert steps == {(None, 0.0): 0.0, (None, 0.05): 0.0, (None, 0.5): 2.0, (None, 0.9): 2.0, (None, None): 0.0} | {
        (0.0, lost): 0.0 for lost in (0.0, 0.05, 0.5, 0.9, None)
    }


def _innocents(rng: np.random.Generator, first: int, share: float) -> Traffic:
    """200 organisations that each use some of 300 common wordings again, in a log that keeps a share of the calls."""
    rows = []
    for unit in range(first, first + 200):
        for word in rng.choice(300, 12, replace=False):
            for use in range(int(rng.integers(2, 5))):
                row = {
                    "call": len(rows) + unit * 10**6,
                    "account": unit,
                    "org": unit,
                    "prompt": len(rows) + unit * 10**6,
                    "wordings": [8 * (int(word) + 1)],
                    "ts": use,
                }
                if rng.random() < share:
                    rows.append({**row, "sampled": share if share < 1 else None})
    return from_rows(rows)


def test_a_thinned_history_makes_no_old_wording_new() -> None:
    """The mean of the e-values of innocent wordings stays at most 1; weighed by its calls alone the same history breaks that."""
    rng = np.random.default_rng(7)
    today, before = _innocents(rng, 0, 1.0), _innocents(rng, 10_000, 0.3)
    pairs = reused(before)
    exposure = exposure_table(today)
    now = np.stack([exposure[f"calls_{i}"].to_numpy() for i in range(3)], axis=1)
    words, counts = np.unique(reused(today)["wording"].to_numpy(), return_counts=True)
    mean = {}
    for name, table in (("weighed", reference_exposure(before)), ("plain", exposure_table(before))):
        history = merge([table], [pairs])
        share = share_now(now, history)[0]
        mean[name] = float(np.mean([10 ** log10_e(int(n), int(history.before(np.array([word]))[0]), share) for word, n in zip(words, counts, strict=True)]))
    assert mean["weighed"] <= 1.0 < mean["plain"]


def test_a_whole_history_weighs_as_before() -> None:
    traffic = _innocents(np.random.default_rng(3), 0, 1.0)
    assert reference_exposure(traffic).equals(exposure_table(traffic))
