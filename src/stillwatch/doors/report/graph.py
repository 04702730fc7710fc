"""The cluster as a bipartite graph: groups of accounts on the left, the keys that they share on the right.

Nodes and their labels are text of the page, only the edges are drawn, so that it stays legible at any width. A case of
25,000 accounts has as many nodes as one of fifty: campaigns.picture merges accounts that share the same set of keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from stillwatch.doors.report.words import count, table

NOUNS = {"template": "template piece", "payment": "payment", "fingerprint": "fingerprint", "registration": "sign-up batch", "synchrony": "time pattern"}
"Kind of tie -> what one key of it is; a kind that is not named here is called by its name."

WIDEST = 32
"Diameter of the largest bubble, pixels; areas are in proportion to accounts."

LEAST_ROW = 32
"Height of a row, pixels."


def noun(kind: str, keys: int) -> str:
    """What some keys of a kind are.

    >>> noun("payment", 1), noun("replay", 1200), noun("registration", 2)
    ('payment', '1,200 replays', '2 sign-up batches')
    """
    one = NOUNS.get(kind, kind)
    return escape(one if keys == 1 else count(keys, one))


def _group(group: Mapping[str, Any]) -> str:
    if group["accounts"] == 1 and group["named"]:
        return escape(str(group["named"][0]))
    other = f" <span class='soft'>{group['sets']:,} other sets</span>" if group["sets"] > 1 else ""
    return f"{count(group['accounts'], 'account')}{other}"


def _ordered(told: Mapping[str, Any]) -> list[int]:
    """Groups in the order in which their edges cross least: by the mean place of their keys, rare keys weighing more; what was merged is last."""
    places: list[list[tuple[float, float]]] = [[] for _ in told["groups"]]
    for group, key, accounts in told["edges"]:
        places[group].append((key, accounts / told["keys"][key]["accounts"]))

    def mean(group: int) -> float:
        whole = sum(weight for _, weight in places[group])
        return sum(place * weight for place, weight in places[group]) / whole if whole else math.inf

    return sorted(range(len(places)), key=lambda g: (told["groups"][g]["sets"] > 1, mean(g), -told["groups"][g]["accounts"], g))


def _rows(sizes: Sequence[int], most: int, height: float | None = None) -> tuple[list[float], list[float], float]:
    """(diameters, middles, height) of a column of bubbles, spread evenly where the height is given."""
    wide = [max(7.0, WIDEST * math.sqrt(size / most)) for size in sizes]
    rows = [max(float(LEAST_ROW), each + 4) for each in wide]
    slack = 0.0 if height is None else (height - sum(rows)) / max(1, len(rows))
    middles, top = [], 0.0
    for row in rows:
        middles.append(top + (row + slack) / 2)
        top += row + slack
    return wide, middles, top


def _column(name: str, nodes: Sequence[tuple[str, str]], wide: Sequence[float], middles: Sequence[float], kind: str) -> str:
    """One side: each node a list item at its height, its bubble towards the middle."""
    shown = "".join(
        f'<li class="{tone}" style="top:{middle:.0f}px"><span>{label}</span><i aria-hidden="true" style="width:{size:.0f}px;height:{size:.0f}px"></i></li>'
        for (label, tone), size, middle in zip(nodes, wide, middles, strict=True)
    )
    return f'<ul class="{kind}" aria-label="{name}">{shown}</ul>'


def graph(told: Mapping[str, Any]) -> str:
    """The graph with its text and a table of its edges."""
    keys, groups = told.get("keys") or [], told.get("groups") or []
    if not keys or not groups:
        return '<p class="soft">unknown: no shared key is told</p>'
    kinds = list(dict.fromkeys(key["kind"] for key in keys))
    order = _ordered(told)
    most = max(max(group["accounts"] for group in groups), max(key["accounts"] for key in keys))
    sizes = [[groups[g]["accounts"] for g in order], [key["accounts"] for key in keys]]
    height = max(_rows(side, most)[2] for side in sizes)
    (left, from_, _), (right, to, _) = (_rows(side, most, height) for side in sizes)
    place = {g: i for i, g in enumerate(order)}
    # Thin edges last, so that a wide one hides none.
    lines = "".join(
        f'<path class="k{kinds.index(keys[k]["kind"]) % 6}" stroke-width="{max(1.0, 14 * math.sqrt(n / most)):.1f}" '
        f'd="M0 {from_[place[g]]:.0f}C50 {from_[place[g]]:.0f} 50 {to[k]:.0f} 100 {to[k]:.0f}"/>'
        for g, k, n in sorted(told["edges"], key=lambda edge: (-edge[2], edge))
    )
    said = (
        f"Graph of {count(told['accounts'], 'account')} in {count(len(groups), 'group')} and {count(sum(key['keys'] for key in keys), 'key')} "
        f"that they share ({', '.join(kinds)}), {count(len(told['edges']), 'edge')}; the same stands in the table below"
    )
    accounts = [(_group(groups[g]), "") for g in order]
    shared = [
        (f"{noun(key['kind'], key['keys'])} <span class='soft'>{count(key['accounts'], 'account')}</span>", f"k{kinds.index(key['kind']) % 6}") for key in keys
    ]  # fmt: skip
    alone = len(groups) == told["accounts"]
    caption = (
        ("Left: each account. " if alone else "Left: accounts that share the same set of keys are one bubble. ")
        + "Right: what they share. Areas of bubbles and widths of lines grow with the accounts."
        + (" What is rarest is merged, and its number told." if any(g["sets"] > 1 for g in groups) or any(key["keys"] > 1 for key in keys) else "")
    )
    return (
        '<figure class="graph"><div class="heads" aria-hidden="true"><span>Accounts</span><span>Keys they share</span></div>'
        f'<div class="sides" style="height:{height:.0f}px">{_column("Groups of accounts", accounts, left, from_, "from")}'
        f'<svg viewBox="0 0 100 {height:.0f}" preserveAspectRatio="none" role="img" aria-label="{escape(said)}">{lines}</svg>'
        f"{_column('Shared keys', shared, right, to, 'to')}</div><figcaption>{caption}</figcaption></figure>{_edges(told, order)}"
    )


def _edges(told: Mapping[str, Any], order: Sequence[int]) -> str:
    rows = []
    for g in order:
        group = told["groups"][g]
        mine = [f"{noun(told['keys'][k]['kind'], told['keys'][k]['keys'])} ({n:,})" for at, k, n in told["edges"] if at == g]
        named = ", ".join(escape(str(name)) for name in group["named"])
        rows.append((_group(group), f"{group['calls']:,}", ", ".join(mine) or "none of these", f'<span class="id">{named}</span>'))
    head = (("Group", ""), ("Core calls", "n"), ("Shares (accounts)", ""), ("Among them", ""))
    return f"<details><summary>The graph as a table</summary>{table('Groups of accounts and what they share', head, rows)}</details>"
