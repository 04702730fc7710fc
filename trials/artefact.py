"""Does the drill give itself away? Gradient boosting on everything but text, one account a row, split by organisation.

    python trials/artefact.py LOG... [--why]          # logs with LOG.truth.parquet beside them
    python trials/artefact.py --make mixed --calls 30000 --seed 3 [--corpora DIR] [--artefact]
    python trials/artefact.py --make broad --plant all [--share .15] [--corpora DIR]   # each campaign alone, infrastructure off

A campaign's accounts are told apart from innocents by counts, times, gaps, hours, tokens, parameters, addresses, clients,
models, plan, age and what is left null, never by text and never by what links accounts. AUC .5 is an honest drill, 1 a
generator that a detector could learn instead of learning campaigns. Beside it stand its standard error (Hanley and McNeil
1982: a campaign of 20 accounts is measured roughly), the AUC of the number of calls alone, and the best single column. `--why`
names the columns that tell: by permutation, and each alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from stillwatch.drill import compose, scenario
from stillwatch.drill.declare import every_campaign

NUMBERS = ("input_tokens", "output_tokens", "reasoning_tokens", "turns", "tools", "max_tokens", "temperature", "n", "top_logprobs", "cost")
"Columns of which mean, spread, ends, distinct values and share of nulls are taken."

CATEGORIES = ("model", "endpoint", "reasoning_effort", "stream", "logprobs", "logit_bias", "status", "finish", "client_seen", "path", "plan", "program")
"Columns of which the share of each value is taken."

COUNTED = (
    "ip",
    "asn",
    "country",
    "user_agent",
    "headers",
    "session",
    "key",
    "end_user",
    "payment",
    "email_domain",
    "org",
    "reasoning_out",
    "reasoning_in",
    "system",
)
"Columns of which only how many distinct values (a call) and the share of nulls are taken."

FOLDS = 5
Floats = NDArray[np.float64]


def _codes(column: Any) -> NDArray[np.int64]:
    """Dense codes of a column, -1 for null (a list counts as one value)."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_list(column.type):
        lengths = np.asarray(column.value_lengths().fill_null(-1))
        return np.where(np.asarray(column.is_valid()), lengths, -1).astype(np.int64)
    return np.asarray(column.dictionary_encode().indices.fill_null(-1)).astype(np.int64)


class Table:
    """Rows are accounts; columns are added as aggregates over their calls."""

    def __init__(self, account: NDArray[np.int64], accounts: int) -> None:
        self.account, self.accounts = account, accounts
        self.calls = np.bincount(account, minlength=accounts).astype(float)
        self.columns: dict[str, Floats] = {"calls": self.calls}

    def share(self, name: str, flags: NDArray[np.bool_]) -> None:
        self.columns[name] = np.bincount(self.account, weights=flags, minlength=self.accounts) / self.calls

    def distinct(self, name: str, codes: NDArray[np.int64]) -> None:
        seen = np.unique(self.account[codes >= 0] * (codes.max() + 2) + codes[codes >= 0])
        self.columns[f"{name} distinct"] = np.bincount(seen // (codes.max() + 2), minlength=self.accounts).astype(float)
        self.columns[f"{name} distinct a call"] = self.columns[f"{name} distinct"] / self.calls

    def number(self, name: str, values: Floats) -> None:
        """Mean, spread, ends, median of the known values; NaN where an account has none."""
        known = ~np.isnan(values)
        account, value = self.account[known], values[known]
        count = np.bincount(account, minlength=self.accounts)
        order = np.lexsort((value, account))
        at = np.concatenate([[0], np.cumsum(count)])
        have = count > 0
        made = {part: np.full(self.accounts, np.nan) for part in ("mean", "spread", "least", "most", "median")}
        total = np.bincount(account, weights=value, minlength=self.accounts)
        square = np.bincount(account, weights=value * value, minlength=self.accounts)
        made["mean"][have] = (total / np.maximum(count, 1))[have]
        made["spread"][have] = np.sqrt(np.maximum(square / np.maximum(count, 1) - (total / np.maximum(count, 1)) ** 2, 0))[have]
        ranked = value[order]
        made["least"][have], made["most"][have] = ranked[at[:-1][have]], ranked[at[1:][have] - 1]
        made["median"][have] = ranked[(at[:-1] + count // 2)[have]]
        self.columns |= {f"{name} {part}": column for part, column in made.items()}


def aggregates(log: pa.Table, start: int) -> tuple[list[str], dict[str, Floats]]:
    """Accounts and their columns."""
    log = log.sort_by([("account", "ascending"), ("ts", "ascending"), ("call_id", "ascending")])
    encoded = log["account"].combine_chunks().dictionary_encode()
    account = np.asarray(encoded.indices).astype(np.int64)
    table = Table(account, len(encoded.dictionary))
    ts = np.asarray(log["ts"]).astype(float)
    for name in NUMBERS:
        values = np.asarray(log[name].combine_chunks().cast(pa.float64()).fill_null(float("nan")))
        table.share(f"{name} null", np.isnan(values))
        table.number(name, values)
        table.distinct(name, np.unique(np.nan_to_num(values, nan=-1.0), return_inverse=True)[1].astype(np.int64))
    for name in CATEGORIES:
        column = log[name].combine_chunks().cast(pa.string())
        codes = _codes(column)
        table.share(f"{name} null", codes < 0)
        for code, value in enumerate(column.dictionary_encode().dictionary.to_pylist()):
            table.share(f"{name}={value}", codes == code)
    for name in COUNTED:
        codes = _codes(log[name])
        table.share(f"{name} null", codes < 0)
        if codes.max() >= 0:
            table.distinct(name, codes)
    same = account[1:] == account[:-1]
    gaps = np.full(len(ts), np.nan)
    gaps[1:][same] = np.log10(1 + np.diff(ts)[same] / 1e6)
    table.number("gap", gaps)
    session = _codes(log["session"])
    inside = np.full(len(ts), np.nan)
    going_on = same & (session[1:] == session[:-1]) & (session[1:] >= 0)
    inside[1:][going_on] = gaps[1:][going_on]
    table.number("gap in a session", inside)
    hour = (ts / 3.6e9) % 24
    table.number("sine of the hour", np.sin(hour / 24 * 2 * np.pi))
    table.number("cosine of the hour", np.cos(hour / 24 * 2 * np.pi))
    table.number("time", (ts / 1e6 - start) / 86_400)
    table.distinct("hours", (ts // 3.6e9).astype(np.int64) - int(start // 3600))
    table.share("on the second", ts % 1e6 == 0)
    signup = np.asarray(log["signup_ts"].combine_chunks().cast(pa.float64()).fill_null(float("nan")))
    table.number("age", (ts - signup) / 8.64e10)
    size = np.asarray(log["reasoning_in"].combine_chunks().value_lengths().fill_null(0)).astype(float)
    table.number("digests sent back", size)
    return encoded.dictionary.to_pylist(), table.columns


@dataclasses.dataclass(frozen=True)
class Told:
    """How well a campaign's accounts are told from innocents."""

    campaign: str
    accounts: int
    innocents: int
    auc: float
    error: float
    "Standard error of the AUC."
    volume: float
    "AUC of the number of calls alone, whichever way is up."
    alone: list[tuple[str, float]]
    "The columns that tell most alone, each with its AUC, whichever way is up."
    columns: list[tuple[str, float]]
    "Columns that tell, with the AUC that is lost when each is shuffled."


def told(log: pa.Table, truth: pa.Table, start: int, why: bool = False, rounds: int = 120) -> list[Told]:
    """Out-of-fold AUC per campaign; whole organisations are in one fold."""
    names, columns = aggregates(log, start)
    guilt: dict[str, str] = {}
    firm: dict[str, str] = {}
    for account, organisation, campaign in zip(*(truth[c].to_pylist() for c in ("account", "organisation", "campaign")), strict=True):
        firm[account] = organisation
        if campaign is not None:
            guilt[account] = campaign
    x = np.nan_to_num(np.column_stack(list(columns.values())), nan=-1e3)  # trees split off what is unknown
    label = np.array([guilt.get(name, "") for name in names])
    fold_of = {name: i % FOLDS for i, name in enumerate(np.random.default_rng(0).permutation(sorted(set(firm.values()))))}
    fold = np.array([fold_of[firm[name]] for name in names])
    out = []
    for campaign in sorted(set(guilt.values())):
        rows = np.flatnonzero((label == "") | (label == campaign))
        y, part, data = label[rows] == campaign, fold[rows], x[rows]
        score, lost = np.zeros(len(rows)), np.zeros(data.shape[1])
        for k in range(FOLDS):
            test = part == k
            with threadpool_limits(1):  # threads that wait for each other on a busy machine take a hundred times as long
                model = HistGradientBoostingClassifier(max_iter=rounds, learning_rate=0.08, random_state=0, early_stopping=False).fit(data[~test], y[~test])
                score[test] = model.predict_proba(data[test])[:, 1]
                if why and k == 0:
                    lost = _importance(model, data[test], y[test])
        best = np.argsort(-lost)[: 12 if why else 0]
        columns_told = [(list(columns)[i], float(lost[i])) for i in best]
        single = {name: abs(float(roc_auc_score(y, data[:, i])) - 0.5) + 0.5 for i, name in enumerate(columns)}
        alone = sorted(single.items(), key=lambda pair: -pair[1])[:8]
        auc, guilty, free = float(roc_auc_score(y, score)), int(y.sum()), int((~y).sum())
        out.append(Told(campaign, guilty, free, auc, _error(auc, guilty, free), single["calls"], alone, columns_told))
    return out


def _error(auc: float, guilty: int, free: int) -> float:
    """Standard error of an AUC (Hanley and McNeil 1982)."""
    one, two = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    return float(np.sqrt((auc * (1 - auc) + (guilty - 1) * (one - auc * auc) + (free - 1) * (two - auc * auc)) / (guilty * free)))


def _importance(model: Any, x: Floats, y: NDArray[np.bool_]) -> Floats:
    rng = np.random.default_rng(1)
    whole = roc_auc_score(y, model.predict_proba(x)[:, 1])
    lost = np.zeros(x.shape[1])
    for i in range(x.shape[1]):
        kept = x[:, i].copy()
        x[:, i] = rng.permutation(kept)
        lost[i] = whole - roc_auc_score(y, model.predict_proba(x)[:, 1])
        x[:, i] = kept
    return lost


def main() -> None:
    """Parse, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="*", type=Path)
    parser.add_argument("--make", help="a scenario to make and measure")
    parser.add_argument("--plant", nargs="+", metavar="ID", help="campaigns to plant in it, each alone, infrastructure off; all: every one")
    parser.add_argument("--share", type=float, default=0.15)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int)
    parser.add_argument("--artefact", action="store_true", help="plant an artefact: the test must find it")
    parser.add_argument("--why", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    print("| log | campaign | accounts | innocents | AUC | standard error | calls alone | best alone |\n|---|---|---|---|---|---|---|---|")
    for name, calls, truth in _logs(args):
        start = int(np.asarray(calls["ts"]).min() // 1_000_000)
        for each in told(calls, truth, start, args.why):
            best, of = each.alone[0]
            print(
                f"| {name} | {each.campaign} | {each.accounts} | {each.innocents} | {each.auc:.3f} | {each.error:.3f} | {each.volume:.3f} | {best} {of:.3f} |",
                flush=True,
            )
            for column, lost in each.columns:
                print(f"    {lost:+.4f} {column}", flush=True)
            for column, auc in each.alone if args.why else ():
                print(f"    alone {auc:.3f} {column}", flush=True)


def _logs(args: argparse.Namespace) -> Iterator[tuple[str, pa.Table, pa.Table]]:
    """(name, calls, truth) of the logs named, and of those made."""
    for path in args.logs:
        yield str(path), pq.read_table(path), pq.read_table(compose.truth_path(path))
    if args.make:
        chosen = dataclasses.replace(scenario.load(args.make).with_overrides(seed=args.seed, calls=args.calls), artefact=args.artefact)
        planted = sorted(every_campaign()) if args.plant == ["all"] else args.plant or []
        each = [dataclasses.replace(chosen, campaigns=(scenario.Planted(name, args.share, infrastructure=False),)) for name in planted]
        for made in each or [chosen]:
            drill = compose.compose(made, args.corpora)
            yield f"{args.make}, seed {args.seed}", drill.calls, drill.truth


if __name__ == "__main__":
    main()
