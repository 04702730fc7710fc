"""The sentences that the program itself puts into what leaves. Any other text is free text, and leaves only when a person has reviewed it."""

from __future__ import annotations

import re

_HEX = r"[0-9a-f]{8}"

CASE = "Distillation campaign {}"
CASE_TOLD = "Accounts without a visible relation acted for one job. Graded by the sender's own rules. Act on nothing here without evidence of your own."
SEEN = "Seen by the sender. How much is told as a band."
GROUP = "What was told of distillation campaign {}"
NOTE = "The sender keeps evidence of this. The digest is salted; the salt is shown to an auditor only."
RANGE = "Network range {}"
RANGE_TOLD = "Addresses of this range took part in a campaign. Ordinary customers may share it. Act on nothing here without evidence of your own."
POOL = "Addresses of distillation campaign {}"
TECHNIQUE = "ATLAS {}"
MEMBER = "member {}"

OWN = tuple(
    re.compile(re.escape(sentence).replace(r"\{\}", form) + r"\Z")
    for sentence, form in (
        (CASE, _HEX), (CASE_TOLD, ""), (SEEN, ""), (GROUP, _HEX), (NOTE, ""), (RANGE, r"[0-9a-f.:]+/[0-9]{1,3}"), (RANGE_TOLD, ""), (POOL, _HEX),
        (TECHNIQUE, r"AML\.T[0-9]{4}(?:\.[0-9]{3})?"), (MEMBER, _HEX),
    )
)  # fmt: skip
"What is the program's own, word for word but for hexadecimal, a range or an ATLAS id."


def is_own(text: str) -> bool:
    """Whether a text is one of the program's sentences.

    >>> is_own("ATLAS AML.T0024.002"), is_own("Ask Acme about it")
    (True, False)
    """
    return any(each.match(text) for each in OWN)
