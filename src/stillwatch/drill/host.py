"""A log of one's own as the host of a campaign: planted accounts take their metadata, and what is left unknown, from accounts of the log."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.calls import REQUIRED, SCHEMA
from stillwatch.drill.grammar import coined
from stillwatch.drill.personas import DAY, NEW_MODEL
from stillwatch.drill.shapes import Shape
from stillwatch.errors import UserError

if TYPE_CHECKING:
    from stillwatch.drill.declare import Disclosed
    from stillwatch.drill.scenario import Planted

AS_THE_DONOR = (
    "model", "path", "asn", "country", "user_agent", "headers", "tls", "client_seen", "plan", "program", "endpoint", "max_tokens", "temperature", "n",
    "logprobs", "top_logprobs", "logit_bias", "reasoning_effort", "stream", "tools", "tool_names", "status", "finish", "sampled",
)  # fmt: skip
"Columns whose value is that of a call of the log."

KNOWN_WITH_THE_DONOR = (
    "org", "key", "end_user", "session", "upstream_id", "cost", "ip", "payment", "email_domain", "signup_ts", "images", "turns", "input_tokens",
    "output_tokens", "reasoning_tokens", "cached_tokens",
)  # fmt: skip
"Columns that are the campaign's own, and unknown where the log does not know them of that call."

KNOWN_AT_ALL = ("system", "prompt", "response", "reasoning_out", "reasoning_in")
"Columns that are the campaign's own, and unknown where the log never knows them."

IDS = ("call_id", "account", "org", "key", "end_user", "session", "upstream_id", "payment", "reasoning_out")
"Columns of ids, which are made to look like the log's."

COMMON_MAIL = 5
"A mail domain of so many accounts is a public one, which strangers have as well."

MOST_CALLS = 64
"Calls of a donor that are looked at."


class Host:
    """What a log's accounts look like."""

    def __init__(self, log: pa.Table, seed: str) -> None:
        if log.num_rows < 2:
            raise UserError("too small to plant a campaign in", "the log", "give a log of two calls or more")
        self.log = _canonical(log)
        ts = np.asarray(self.log["ts"])
        self.first, self.last = int(ts.min()), int(ts.max())
        self.start, self.days = self.first // 1_000_000, max((self.last - self.first // 1_000_000 * 1_000_000) / 1e6, 1.0) / DAY
        self.grain = next(grain for grain in (1_000_000, 1_000, 1) if not (ts % grain).any())
        codes = np.asarray(self.log["account"].combine_chunks().dictionary_encode().indices)
        self._order = np.argsort(codes, kind="stable")
        self._bounds = np.concatenate([[0], np.cumsum(np.bincount(codes))])
        self._ever = {name: self.log[name].null_count < self.log.num_rows for name in SCHEMA.names}
        self._rng = Random(f"{seed}/host")
        self._newest, self._rarest = self._models(ts)
        self._public = self._public_mail()
        self._donors: dict[str, list[dict[str, Any]]] = {}
        self._addresses: dict[str, str] = {}
        self._clients: dict[str, dict[str, Any]] = {}
        self._paths = sorted(self.log["path"].drop_null().unique().to_pylist())
        ids = {name: self.log[name].drop_null().unique().to_pylist() for name in IDS if self._ever[name]}
        self._shapes = {name: Shape(found, Random(f"{seed}/host/{name}")) for name, found in ids.items()}
        if self._ever["reasoning_in"] and not self._ever["reasoning_out"]:
            carried = self.log["reasoning_in"].combine_chunks().flatten().drop_null().unique().to_pylist() or ["rs_0"]
            self._shapes["reasoning_out"] = Shape(carried, Random(f"{seed}/host/reasoning"))

    def _models(self, ts: Any) -> tuple[str, str]:
        """The model that appeared last in the log, and the one that is used least."""
        table = pa.table({"model": self.log["model"], "ts": ts}).group_by("model").aggregate([("ts", "min"), ("ts", "count")])
        rows = sorted(table.to_pylist(), key=lambda row: row["model"])
        return max(rows, key=lambda row: row["ts_min"])["model"], min(rows, key=lambda row: row["ts_count"])["model"]

    def _public_mail(self) -> set[str]:
        pairs = pa.table({"mail": self.log["email_domain"], "account": self.log["account"]}).group_by(["mail", "account"]).aggregate([])
        counted = pairs.group_by("mail").aggregate([("account", "count")]).to_pylist()
        return {row["mail"] for row in counted if row["mail"] is not None and row["account_count"] >= COMMON_MAIL}

    def _donor(self, account: str) -> list[dict[str, Any]]:
        """Calls of the account of the log after which a planted account is dressed."""
        if account not in self._donors:
            at = self._rng.randrange(len(self._bounds) - 1)
            rows = self._order[self._bounds[at] : self._bounds[at + 1]][:MOST_CALLS]
            self._donors[account] = self.log.select([*AS_THE_DONOR, *KNOWN_WITH_THE_DONOR]).take(pa.array(rows)).to_pylist()
        return self._donors[account]

    def dress(self, rows: list[dict[str, Any]], planted: Planted, disclosed: Disclosed) -> tuple[dict[str, str], dict[str, str]]:
        """Give planted calls the metadata of the log's accounts, one of its calls a conversation, and ids that look like the log's.

        What the campaign does to its metadata (shared infrastructure, headers, end users, paths, another model) is done with values of the log.
        Returns the new ids of calls and of accounts.
        """
        chosen: dict[str, dict[str, Any]] = {}
        calls = {row["call_id"]: self._shapes["call_id"].draw() for row in rows}
        accounts = {account: self._shapes["account"].draw() for account in dict.fromkeys(row["account"] for row in rows)}
        turn = {account: i for i, account in enumerate(accounts)}
        shares = disclosed.infrastructure if planted.infrastructure is None else planted.infrastructure
        self._addresses, self._clients = {}, {}
        for row in rows:
            talk = row["conversation"]
            model = chosen.get(talk) or chosen.setdefault(talk, self._rng.choice(self._donor(row["account"])))
            moved = row["model"] == disclosed.moves_to
            mine = {name: model[name] for name in AS_THE_DONOR}
            mine |= {name: self._own(name, row, model, shares, planted.end_users) for name in KNOWN_WITH_THE_DONOR}
            mine |= {name: row.get(name) if self._ever[name] else None for name in KNOWN_AT_ALL}
            if mine["reasoning_out"] is not None or mine["reasoning_in"] is not None:
                alike = self._shapes["reasoning_out"].like
                mine["reasoning_out"] = mine["reasoning_out"] and alike(mine["reasoning_out"])
                mine["reasoning_in"] = mine["reasoning_in"] and [alike(digest) for digest in mine["reasoning_in"]]
            if planted.headers or shares:
                mine |= self._client(talk if planted.headers else row["headers"], model)
            if planted.spread and self._paths and model["path"] is not None:
                mine["path"] = self._paths[turn[row["account"]] % len(self._paths)]
            if (model["status"] or 200) >= 400:
                mine["response"] = None
            if moved:
                mine["model"] = self._newest if disclosed.moves_to == NEW_MODEL else self._rarest
            row.update(mine)
            row["call_id"], row["account"] = calls[row["call_id"]], accounts[row["account"]]
            row["ts"] = max(min(max(row["ts"], self.first), self.last) // self.grain * self.grain, self.first)
        return calls, accounts

    def _client(self, of: str, model: dict[str, Any]) -> dict[str, Any]:
        """Client, header set and TLS fingerprint of some call of the log: the same for the same conversation, or the same client."""
        if of not in self._clients:
            at = self._rng.randrange(self.log.num_rows)
            self._clients[of] = {name: self.log[name][at].as_py() for name in ("user_agent", "headers", "tls")}
        return {name: value if model[name] is not None else None for name, value in self._clients[of].items()}

    def _own(self, name: str, row: dict[str, Any], model: dict[str, Any], shares: bool, anew: bool) -> Any:
        """A value of the campaign's own in a column that the log knows of the donor's call."""
        if model[name] is None:
            return None
        if name == "ip":
            place = row["ip"] if shares else f"{row['account']}/{model['ip']}"
            return self._addresses.setdefault(place, address(model["ip"], row["ip"]))
        if name == "email_domain":
            return model[name] if model[name] in self._public else row.get(name) or f"{coined(Random(row['account']), 2)}.com"
        if name not in self._shapes:
            return model[name] if row.get(name) is None else row[name]
        if name == "session" or (name == "end_user" and anew):
            return self._shapes[name].like(row["conversation"])
        return self._shapes[name].like(row.get(name) or (row["call_id"] if name == "upstream_id" else row["account"]))


def address(like: str, own: str) -> str:
    """An address in the network of another, told apart by one's own: the last two parts of a dotted one change, anything else is replaced.

    >>> address("203.0.113.9", "240.1.2.3")
    '203.0.2.3'
    """
    parts, mine = like.split("."), own.split(".")
    return ".".join([*parts[:2], *mine[2:]]) if len(parts) == 4 and len(mine) == 4 else own


def _canonical(log: pa.Table) -> pa.Table:
    """The log with the contract's columns in the contract's types; what it lacks is unknown."""
    missing = [name for name in REQUIRED if name not in log.column_names]
    if missing:
        raise UserError(f"lacks {', '.join(missing)}", "the log", "give a log in canonical columns")
    columns = [log[field.name].cast(field.type) if field.name in log.column_names else pa.nulls(log.num_rows, field.type) for field in SCHEMA]
    if any(pc.any(pc.is_null(column)).as_py() for column, field in zip(columns, SCHEMA, strict=True) if not field.nullable):
        raise UserError("a required column is empty in places", "the log", "leave such records out")
    return pa.table(columns, schema=SCHEMA)


def strangers(rows: list[dict[str, Any]], organisation: dict[str, str], free_mail: tuple[str, ...]) -> None:
    """Take away what shows that accounts of one organisation belong together: its id, mail domain, card and addresses are each account's own."""
    members: dict[str, set[str]] = {}
    holders: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        firm = organisation[row["account"]]
        members.setdefault(firm, set()).add(row["account"])
        for name in ("payment", "ip", "email_domain"):
            if row.get(name) is not None:
                holders.setdefault((firm, name, row[name]), set()).add(row["account"])
    own: dict[tuple[str, str], Any] = {}
    for row in rows:
        account, firm = row["account"], organisation[row["account"]]
        if len(members[firm]) < 2:
            continue
        row["org"] = None
        for name in ("payment", "ip", "email_domain"):
            shared = row.get(name)
            if shared is None or len(holders[firm, name, shared]) < 2 or (name == "email_domain" and shared in free_mail):
                continue
            if (account, shared) not in own:
                own[account, shared] = _instead(Random(f"strangers/{account}/{shared}"), name, free_mail)
            row[name] = own[account, shared]
            if name == "ip":
                row["ip"], row["asn"] = own[account, shared]


def _instead(r: Random, name: str, free_mail: tuple[str, ...]) -> Any:
    if name == "payment":
        return f"card_{r.getrandbits(64):016x}"
    if name == "email_domain":
        return r.choice(free_mail) if r.random() < 0.88 else None
    return f"{r.randrange(240, 255)}.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1, 255)}", 64_700 + r.randrange(200)
