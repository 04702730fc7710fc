"""Coalitions in which nothing is to be found: how often each way to put members' evidence together accuses all the same.

    python trials/coalitions.py run --work WORK [--worlds 2000]
    python trials/coalitions.py table --work WORK [--out docs/joint.md]

A world has two to five members with a history and a log each. Organisations differ in how readily they take up each of 80 wordings, the same at every member whose customers they are, and
exposure is heavy-tailed; half of them (`shared`), none (`apart`) or more of today's than of the history's (`drifting`: what the method does not cover) are customers of several. `everywhere`: all are customers of
all members and show each habit at all of them. `uneven`: half of the wordings are those of two members' customers, and histories are of very different length. Every rule is held to e-BH at 1 % and 10 %; in a world without a campaign any discovery is false.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lines import read
from pages import put
from stillwatch.evidence import joint
from stillwatch.evidence.discoveries import q_values
from stillwatch.evidence.power import wilson
from stillwatch.evidence.strangers import LEAST_SHOWN, log10_e, log10_mean
from stillwatch.linking.history import FULL

WORDINGS = 80
KINDS = ("shared", "apart", "everywhere", "uneven", "drifting")
LEVELS = (0.01, 0.10)
SECTION = "validity"


@dataclass(frozen=True)
class World:
    """Organisations of a coalition. Arrays: (members, organisations) or with a third axis of wordings."""

    calls: Any
    "Calls of each organisation at each member; 0: no customer."
    carries: Any
    "Whether it uses each wording again there."
    today: Any
    "Whether the organisation is today's."

    @property
    def shares(self) -> Any:
        """Today's share of the exposure at each member, the larger of two, as a scan has it."""
        full = np.minimum(self.calls, FULL)
        by_unit, by_call = (counts[:, self.today].sum(axis=1) / np.maximum(counts.sum(axis=1), 1) for counts in (full, self.calls))
        return np.maximum(by_unit, by_call)

    def rows(self) -> joint.Carriers:
        """Carriers as members bring them, organisations matched."""
        member, organisation, wording = np.nonzero(self.carries)
        return joint.Carriers(wording.astype(np.int64), organisation.astype(np.int64), member.astype(np.int64), self.today[organisation])


def world(seed: int, kind: str) -> World:
    """A world without a campaign."""
    r = np.random.default_rng(seed)
    members, organisations = int(r.integers(2, 6)), int(r.integers(150, 500))
    today = r.random(organisations) < r.uniform(0.2, 0.6)
    home = r.integers(0, members, organisations)
    several = r.random(organisations) < (np.where(today, 0.7, 0.2) if kind == "drifting" else 0.0 if kind == "apart" else 0.5)
    customer = np.arange(members)[:, None] == home
    customer |= several & (r.random((members, organisations)) < 0.7)
    if kind == "uneven":  # some members have hardly any history
        kept = r.choice([0.1, 0.5, 1.0], members)
        customer &= today | (r.random((members, organisations)) < kept[:, None])
    calls = np.where(customer, 1 + np.minimum(400, 4 * r.pareto(0.9, (members, organisations))), 0).astype(np.int64)
    popular = 10 ** r.uniform(-3.5, -0.7, WORDINGS)
    of = r.integers(0, members, WORDINGS)
    at = np.arange(members)[:, None]
    own = (kind != "uneven") | (r.random(WORDINGS) < 0.5) | (of == at) | ((of + 1) % members == at)
    keen = popular * r.lognormal(0, 1.2, (organisations, WORDINGS)) * (r.random((organisations, WORDINGS)) < 0.6)
    if kind == "everywhere":
        customer[:], calls = True, np.maximum(calls, 20)
        keen = np.where(r.random(keen.shape) < popular, 0.9, 0.0)
    chance = np.minimum(0.9, keen) * own[:, None, :]
    # Again in another prompt: one minus never and once.
    n = calls[:, :, None]
    none, once = (1 - chance) ** n, n * chance * (1 - chance) ** np.maximum(n - 1, 0)
    return World(calls, (r.random(chance.shape) >= none + once) & (n > 1), today)


# -- the rules: log10 e of every hypothesis


def _members(made: World) -> Any:
    """(members, wordings) of each one's own log10 e."""
    now, before = (made.carries[:, side].sum(axis=1) for side in (made.today, ~made.today))
    return np.array([[log10_e(int(n), int(b), float(s)) for n, b in zip(*rows, strict=True)] for *rows, s in zip(now, before, made.shares, strict=True)])


def _union(made: World, shares: Any) -> Any:
    found = joint.counted(made.rows(), WORDINGS, np.zeros(WORDINGS, np.int64), shares[:, None])
    return found.log10_e[found.able & (found.most >= LEAST_SHOWN)]


def union(made: World, r: Any) -> Any:
    """What is done: each organisation once, in strata."""
    return _union(made, made.shares)


def average(made: World, r: Any) -> Any:
    """The mean of members' e-values."""
    return [joint.average(each) for each in _members(made).T]


def product(made: World, r: Any) -> Any:
    """The product of members' e-values: a firm at three members counts three times."""
    return _members(made).sum(axis=0)


def pooled(made: World, r: Any) -> Any:
    """The union at one share for all members, taken over all of them."""
    full = np.minimum(made.calls, FULL)
    return _union(made, np.full(len(full), float(full[:, made.today].sum() / full.sum())))


def _ranks(made: World, r: Any) -> Any:
    """(members, organisations): 1/.05 for the most unusual twentieth of a member's customers, else 0 (log10), NaN where no customer. How unusual one is, is its own: nearly the same everywhere."""
    odd = r.normal(size=made.today.shape) + 0.3 * r.normal(size=made.calls.shape)
    out = np.full(odd.shape, np.nan)
    for member, (mine, calls) in enumerate(zip(odd, made.calls, strict=True)):
        there = np.flatnonzero(calls)
        p = (1 + (mine[there][None, :] > mine[there][:, None]).sum(axis=1)) / max(1, len(there))
        out[member, there] = [joint.calibrated(float(each), 0.05) for each in p]
    return out


def ranks_multiplied(made: World, r: Any) -> Any:
    """An organisation's ranks at its members, multiplied."""
    return np.nansum(_ranks(made, r), axis=0)


def ranks_averaged(made: World, r: Any) -> Any:
    """The same, averaged."""
    return [log10_mean([float(each) for each in column if not np.isnan(each)]) for column in _ranks(made, r).T if not np.isnan(column).all()]


def _fresh(r: Any, members: int) -> list[list[list[float]]]:
    """Permutation tests of 40 innocent clusters, of a keenness of its own each: three statistics on the same permuted calls of a member, so that they depend on one another."""
    found = []
    for _ in range(40):
        tests = []
        for _ in range(members):
            p = np.ceil(100 * np.clip(r.random() + r.normal(0, 0.004, 3), 0.001, 1)) / 100
            tests.append([joint.calibrated(float(each), 0.1) for each in p])
        found.append(tests)
    return found


def fresh(made: World, r: Any) -> Any:
    """Fresh tests: one member's averaged, members' multiplied."""
    return [joint.fresh(tests) for tests in _fresh(r, len(made.calls))]


def fresh_all_multiplied(made: World, r: Any) -> Any:
    """Every test multiplied, one member's among themselves too."""
    return [sum(sum(mine) for mine in tests) for tests in _fresh(r, len(made.calls))]


RULES: dict[str, tuple[str, Callable[[World, Any], Any]]] = {
    "union": ("**strangers, union in strata** (ours)", union),
    "average": ("strangers, members' e averaged", average),
    "product": ("strangers, members' e multiplied", product),
    "pooled": ("strangers, union at one share for all", pooled),
    "ranks averaged": ("ranks of organisations, averaged", ranks_averaged),
    "ranks multiplied": ("ranks of organisations, multiplied", ranks_multiplied),
    "fresh": ("**fresh tests, averaged within, multiplied between members** (ours)", fresh),
    "fresh multiplied": ("fresh tests, all multiplied", fresh_all_multiplied),
}


def liar(made: World, r: Any) -> dict[str, bool]:
    """The last member claims 30 strangers more for every wording: whether that makes an alert without and with the guard."""
    members = len(made.calls)
    rows = made.rows()
    claimed = np.repeat(np.arange(WORDINGS), 30)
    lies = joint.Carriers(claimed, 10_000 + np.arange(len(claimed)), np.full(len(claimed), members - 1), np.ones(len(claimed), bool))
    both = joint.Carriers(*(np.concatenate([getattr(rows, name), getattr(lies, name)]) for name in ("wording", "organisation", "member", "today")))
    alphabet, shares = np.zeros(WORDINGS, np.int64), made.shares[:, None]
    found = joint.counted(both, WORDINGS, alphabet, shares)
    able = found.able & (found.most >= LEAST_SHOWN)
    left = [joint.counted(both.without(member), WORDINGS, alphabet, shares) for member in range(members)]
    told = joint.judge(found.log10_e[able].tolist(), float(able.sum()), [each.log10_e[able].tolist() for each in left],
                       [float((each.most[able] >= LEAST_SHOWN).sum()) for each in left], *LEVELS)  # fmt: skip
    tails = [joint.tail(joint.counted(_only(both, member), WORDINGS, alphabet, shares).log10_e) for member in range(members)]
    return {"unguarded": any(each.q <= LEVELS[0] for each in told), "guarded": any(each.step == 0 for each in told),
            "noticed": joint.differs(tails[-1], tails[:-1]) is not None}  # fmt: skip


def _only(rows: joint.Carriers, member: int) -> joint.Carriers:
    keep = rows.member == member
    return joint.Carriers(rows.wording[keep], rows.organisation[keep], rows.member[keep], rows.today[keep])


def _one(job: tuple[int, str]) -> dict[str, Any]:
    seed, kind = job
    made, r = world(seed, kind), np.random.default_rng(seed + 1)
    row: dict[str, Any] = {"seed": seed, "kind": kind, "rules": {}}
    for name, (_, rule) in RULES.items():
        es = np.array(rule(made, r), float)
        q = min(q_values(es.tolist(), float(len(es))), default=1.0)
        mean = float(np.mean(10 ** np.clip(es, -300, 12))) if len(es) else None
        row["rules"][name] = [*(bool(q <= level) for level in LEVELS), mean]
    if kind == "shared" and len(made.calls) > 2:
        row["liar"] = liar(made, r)
    return row


def run(args: argparse.Namespace) -> None:
    """All worlds."""
    args.work.mkdir(parents=True, exist_ok=True)
    jobs = [(args.first + seed, kind) for kind in KINDS for seed in range(args.worlds)]
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool, (args.work / "coalitions.jsonl").open("w") as file:
        for row in pool.imap(_one, jobs, chunksize=20):
            file.write(json.dumps(row) + "\n")


def rate(hits: int, of: int) -> str:
    """Per cent with the 95 % interval."""
    low, high = wilson(hits, of)
    return f"{100 * hits / of:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def table(args: argparse.Namespace) -> None:
    """The rates into the page."""
    rows = read(args.work / "coalitions.jsonl")
    by: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by[row["kind"]].append(row)
    worlds = len(by[KINDS[0]])
    text = [f"`python trials/coalitions.py run --work WORK --worlds {worlds}` and `python trials/coalitions.py table --work WORK`. {worlds:,} worlds of each kind, none with a campaign.",
            "Per cent of worlds with any false discovery at the nominal 1 % and 10 %, with Wilson's 95 % interval; last, the mean e over all hypotheses (valid: at most 1).", ""]  # fmt: skip
    for kind in KINDS:
        text += [f"| worlds `{kind}` | at 1 % | at 10 % | mean e |", "|---|---|---|---|"]
        for name, (said, _) in RULES.items():
            mine = [row["rules"][name] for row in by[kind]]
            mean = float(np.mean([each[2] for each in mine if each[2] is not None]))
            text.append(f"| {said} | {' | '.join(rate(sum(each[level] for each in mine), len(mine)) for level in (0, 1))} | {mean:.3g} |")
        text.append("")
    lies = [row["liar"] for row in rows if "liar" in row]
    text += [f"A liar among three to five members ({len(lies):,} worlds `shared`) claims 30 strangers more for every wording. Worlds with a joint alert, per cent: "
             f"{rate(sum(each['unguarded'] for each in lies), len(lies))} without the guard, {rate(sum(each['guarded'] for each in lies), len(lies))} with it; "
             f"its tail is noticed in {rate(sum(each['noticed'] for each in lies), len(lies))}."]  # fmt: skip
    put(args.out, SECTION, "\n".join(text))


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--worlds", type=int, default=2000)
    runs.add_argument("--first", type=int, default=10_000)
    runs.add_argument("--jobs", type=int, default=1)
    runs.set_defaults(do=run)
    tables = commands.add_parser("table")
    tables.add_argument("--out", type=Path, default=Path("docs/joint.md"))
    tables.set_defaults(do=table)
    for each in (runs, tables):
        each.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    main()
