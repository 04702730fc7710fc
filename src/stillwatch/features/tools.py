"""Work with tools and pictures: offered by how many calls, and whether strangers offer the same set."""

from __future__ import annotations

import numpy as np

from stillwatch.features.declare import Feature, Floats, Groups
from stillwatch.features.rows import code, distinct, number, pack
from stillwatch.traffic import NONE

LEAST_UNITS = 3
"Organisations with a toolset from which a common one says something."


def tools_offered(groups: Groups) -> Floats:
    """Share of calls that offer tools. In a log that names tools at all, a call without a number offers none."""
    return groups.share(np.nan_to_num(number(groups, "tools"), nan=0.0) > 0)


def one_toolset(groups: Groups) -> Floats:
    """Share of the group's organisations with a toolset that offer its most widespread one."""
    toolset, unit = code(groups, "toolset"), groups.traffic.unit[groups.traffic.account[groups.calls]]
    rows = np.flatnonzero(toolset != NONE)
    label, toolset, unit = groups.label[rows], toolset[rows], unit[rows]
    units = np.bincount(label[distinct(label, unit)], minlength=groups.count)
    pairs = distinct(label, toolset, unit)
    _, one, users = np.unique(pack(label[pairs], toolset[pairs]), return_index=True, return_counts=True)
    most = np.zeros(groups.count)
    np.maximum.at(most, label[pairs][one], users)
    return np.where(units >= LEAST_UNITS, most / np.maximum(1, units), np.nan)


def with_images(groups: Groups) -> Floats:
    """Share of calls with pictures. In a log that counts pictures at all, a call without a number has none."""
    return groups.share(np.nan_to_num(number(groups, "images"), nan=0.0) > 0)


_ROWS: list[dict[str, object]] = [{"account": a, "org": a, "tools": 3, "toolset": 5 if a < 3 else 6, "images": a % 2} for a in range(4)]
_ROWS += [{"account": 4, "org": 4}]

FEATURES = (
    Feature("tools_offered", "share of calls", "plain questions", "every call offers tools", ("tools",), tools_offered, (_ROWS, 0.8)),
    Feature(
        "one_toolset", "share of organisations", "each has tools of its own", "strangers offer one and the same set of tools",
        ("toolset",), one_toolset, (_ROWS, 0.75), clusters_only=True,
    ),
    Feature("with_images", "share of calls", "text only", "every call has pictures", ("images",), with_images, (_ROWS, 0.4)),
)  # fmt: skip
