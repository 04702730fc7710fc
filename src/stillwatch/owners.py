"""Whose the accounts of a log are: organisations, payers, addresses, and the units that count as one. Adds up over the parts of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.codes import NONE, Bools, Ints, codes, merged


@dataclass(frozen=True)
class Owners:
    """Whose the accounts of a log are. Arrays by account code, but for `unit_hash`."""

    accounts: Ints
    "Keyed hash of each account, ascending."
    org: Ints
    "Visible organisation, as a code. A call that does not tell it says nothing against those that do."
    org_known: Bools
    "Whether the log names the organisation (and the account does not stand for itself)."
    payment: Ints
    "Payment instrument used most, as a code; NONE where never known."
    address: Ints
    "The address used most, as a code."
    unit: Ints
    "The organisation that counts: one visible organisation or one payer is one unit."
    unit_hash: Ints
    "Of each unit: the smallest keyed hash of its accounts."

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.unit_hash)

    def among(self, accounts: Ints) -> Owners:
        """The same of some accounts (keyed hashes, ascending), which must be all of their units."""
        at = np.searchsorted(self.accounts, accounts)
        units, unit = np.unique(self.unit[at], return_inverse=True)
        return Owners(accounts, self.org[at], self.org_known[at], self.payment[at], self.address[at], unit.astype(np.int64), self.unit_hash[units])


OWNED = ("account", "org", "org_known", "payment", "ip")
"Columns of the marks by which accounts have owners."


def owned(marks: pa.Table) -> dict[str, pa.Table]:
    """How often each account shows each organisation, payment instrument and address, in these calls. Adds up over any parts of a log."""
    found = {}
    for name, columns in (("org", ["account", "org", "org_known"]), ("payment", ["account", "payment"]), ("ip", ["account", "ip"])):
        found[name] = marks.select(columns).group_by(columns, use_threads=False).aggregate([([], "count_all")])
    return found


def owners(parts: Sequence[Mapping[str, pa.Table]]) -> Owners:
    """Whose the accounts are, from what the parts of a log show (`owned`), in any order."""
    orgs, payments, addresses = (pa.concat_tables([part[name] for part in parts]) for name in ("org", "payment", "ip"))
    accounts, account = np.unique(orgs["account"].to_numpy(), return_inverse=True)
    told = pc.fill_null(orgs["org_known"], False).to_numpy()
    known = np.zeros(len(accounts), np.bool_)
    known[account[told]] = True
    org = codes(orgs["org"])[0]
    org = _most_frequent(len(accounts), account, np.where(told | ~known[account], org, NONE), orgs["count_all"].to_numpy())
    rest = []
    for table, name in ((payments, "payment"), (addresses, "ip")):
        rows = np.searchsorted(accounts, table["account"].to_numpy())
        rest.append(_most_frequent(len(accounts), rows, codes(table[name])[0], table["count_all"].to_numpy()))
    payment, address = rest
    unit = _units(org, payment)
    unit_hash = np.full(int(unit.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(unit_hash, unit, accounts)
    return Owners(accounts, org, known, payment, address, unit, unit_hash)


def _most_frequent(accounts: int, account: Ints, code: Ints, times: Ints) -> Ints:
    """The most frequent value of each account (the smallest of equals), NONE where never known."""
    known = code != NONE
    account, code, times = account[known], code[known], times[known]
    order = np.lexsort((code, account))
    account, code, times = account[order], code[order], times[order]
    first = np.flatnonzero(np.append(True, (account[1:] != account[:-1]) | (code[1:] != code[:-1]))[: len(account)])
    total = np.add.reduceat(times, first) if len(first) else times
    account, code = account[first], code[first]
    out = np.full(accounts, NONE)
    order = np.lexsort((-code, total, account))
    out[account[order]] = code[order]
    return out


def _units(org: Ints, payment: Ints) -> Ints:
    """Unit of each account: what one visible organisation or one payer joins, directly or over others."""
    n = len(org)
    nodes = np.arange(n)
    paid = payment != NONE
    left = np.concatenate([nodes, nodes[paid]])
    right = np.concatenate([n + org, n + org.max(initial=0) + 1 + payment[paid]])
    total = int(n + org.max(initial=0) + 1 + payment.max(initial=0) + 1)
    labels = merged(total, left, right)[:n]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def strangers(known: Owners, accounts: Ints) -> int:
    """How many unrelated organisations the accounts are, counted conservatively.

    The least of: units (one visible organisation or one payer is one), and main addresses. An account whose address is
    unknown counts as one of its own.
    """
    units = len(np.unique(known.unit[accounts]))
    address = known.address[accounts]
    unknown = int((address == NONE).sum())
    return min(units, len(np.unique(address[address != NONE])) + unknown)
