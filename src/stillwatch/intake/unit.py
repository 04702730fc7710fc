"""What is linked: accounts, their keys, or the end users behind them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.calls import SCHEMA
from stillwatch.intake.mark import domain

UNITS = ("account", "key", "end_user")
"Columns that can be the unit."


def linked(batch: pa.RecordBatch, unit: str) -> pa.RecordBatch:
    """The batch with the unit in the place of the account. Where the log does not tell it, the account stands for itself.

    A key belongs to its account's organisation and payer, so those stay; where the log tells neither an organisation nor a mail domain that stands
    for one, the account is it, or its keys would pass for strangers. An end user of a reseller or gateway does not:
    the account's organisation, mail domain, payer, plan and sign-up say nothing about them and are taken away, or all end users
    would be one organisation. An end user's name is told together with the account, for two accounts may both have a "user 1".
    """
    if unit == "account":
        return batch
    account, told = batch.column("account"), batch.column(unit)
    if unit == "key":
        alone = batch.column("org").is_null().to_numpy(zero_copy_only=False) & np.array(
            [not each or domain(each) is None for each in batch.column("email_domain").to_pylist()], np.bool_
        )
        return _with(batch, {"account": pc.coalesce(told, account), "org": pc.if_else(pa.array(alone), account, batch.column("org"))})
    named = pc.if_else(told.is_valid(), pc.binary_join_element_wise(account, told, "/", null_handling="skip"), account)
    gone = {
        name: pc.if_else(told.is_valid(), pa.scalar(None, SCHEMA.field(name).type), batch.column(name))
        for name in ("org", "email_domain", "payment", "plan", "signup_ts", "program", "key")
    }
    return _with(batch, {"account": named, **gone})


def _with(batch: pa.RecordBatch, changed: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([changed.get(name, batch.column(name)) for name in SCHEMA.names], schema=SCHEMA)
