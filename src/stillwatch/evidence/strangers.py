"""How surprising is it that so many unrelated organisations carry a wording now, and so few did before?

Null: an organisation that carries an innocent wording is as likely to be one of the history's as one of today's, in
proportion to exposure; nothing else about the wording (how popular, how long, in which language) enters. A bet on the
side of each carrier wins with every further stranger, so the evidence grows with the campaign. What breaks the null is innocent novelty; that is what exculpations are for.
"""

from __future__ import annotations

import math

BET = 0.95
"Fixed beforehand: under a campaign, the share of a wording's carriers that are today's."


def log10_e(now: int, before: int, share_now: float) -> float:
    """log10 of a betting e-value: BET against `share_now`, today's share of the exposure, carrier by carrier.

    Its mean is at most 1 under the null: it is a product of likelihood ratios of draws with replacement, a convex
    function of the count, and draws without replacement have the smaller mean (Hoeffding 1963, theorem 4).
    0 = the evidence is nil, 2 = a hundred to one; negative speaks for innocence. Where today's share is BET or more
    (hardly any history, or none) there is nothing to bet on: 0.

    >>> round(log10_e(20, 0, 0.5), 2), round(log10_e(20, 20, 0.5), 1), log10_e(20, 30, 0.97)
    (5.58, -14.4, 0.0)
    """
    if share_now >= BET:
        return 0.0
    share = max(share_now, 1e-9)
    return now * math.log10(BET / share) + before * math.log10((1 - BET) / (1 - share))


LEAST_SHOWN = 2.0
"log10 e that a wording's carriers must be able to show, were all of them today's, for it to be tested at all."


def most_shown(carriers: int, share_now: float) -> float:
    """log10 of the largest e-value that so many carriers could give: all of them today's. 0 without history.

    It depends on the carriers of both sides together, and under the null that number says nothing of how many are
    today's: hypotheses that could never have shown anything may be left out beforehand without harm (independent
    filtering, Bourgon, Gentleman and Huber 2010), and the rest then pay for fewer.

    >>> round(most_shown(20, 0.5), 2), most_shown(20, 1.0)
    (5.58, 0.0)
    """
    return carriers * math.log10(BET / max(share_now, 1e-9)) if share_now < BET else 0.0


def log10_mean(values: list[float]) -> float:
    """log10 of the mean of e-values given as log10: an average of e-values is an e-value under any dependence.

    >>> round(log10_mean([3.0, 0.0]), 3)
    2.699
    """
    top = max(values)
    if top == -math.inf:
        return top
    return top + math.log10(sum(10 ** max(value - top, -300.0) for value in values) / len(values))
