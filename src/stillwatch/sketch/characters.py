"""What each code point is to the sketch: a letter, a digit, a sign or none of them, its writing system and its lower case.

Said once, as ranges; the kernels read it from tables that are handed to them. Above 0xFFFF only ideographs are told
apart, by `ASTRAL_HAN`: everything else there is a letter of no counted writing system.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

SEPARATOR, LETTER, DIGIT, SIGN = 0, 1, 2, 3
"Kinds. A sign (ideograph, kana, Thai) is a token of its own."

ASTRAL_HAN = (0x20000, 0x2FA1F)
"Ideographs beyond the tables."

SCRIPT_SHIFT = 2
"A class is the kind, and above it the writing system, as lexicon.SCRIPTS counts them."

HAN, KANA, THAI = 2, 3, 10

_SCRIPTS: tuple[tuple[int, int, int], ...] = (
    (0x0000, 0x024F, 1), (0x1E00, 0x1EFF, 1), (0x0370, 0x03FF, 7), (0x0400, 0x052F, 5), (0x0590, 0x05FF, 8), (0x0600, 0x077F, 6),
    (0x0900, 0x097F, 9), (0x0E00, 0x0E7F, THAI), (0x3040, 0x30FF, KANA), (0x3400, 0x4DBF, HAN), (0x4E00, 0x9FFF, HAN),
    (0xF900, 0xFAFF, HAN), (0xAC00, 0xD7AF, 4), (0x1100, 0x11FF, 4),
)  # fmt: skip
"First, last, writing system."

_SEPARATORS: tuple[tuple[int, int], ...] = (
    (0x00, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7), (0x2000, 0x2BFF), (0x3000, 0x303F),
    (0xFE30, 0xFE4F), (0xFF00, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65), (0xFFFD, 0xFFFD),
)  # fmt: skip
_DIGITS: tuple[tuple[int, int], ...] = ((0x30, 0x39), (0xFF10, 0xFF19))

_UPPER: tuple[tuple[int, int, int], ...] = (
    (0x41, 0x5A, 32), (0xC0, 0xD6, 32), (0xD8, 0xDE, 32), (0x391, 0x3A9, 32), (0x410, 0x42F, 32), (0x400, 0x40F, 80),
    (0xFF21, 0xFF3A, 0x61 - 0xFF21),
)  # fmt: skip
"First, last, and what is added to be lower case: Latin-1, Greek, Cyrillic, full-width Latin (which becomes ASCII)."

Classes = npt.NDArray[np.uint8]
Folded = npt.NDArray[np.uint16]


@cache
def tables() -> tuple[Classes, Folded]:
    """Class and lower case of every code point up to 0xFFFF.

    >>> classes, folded = tables()
    >>> [int(classes[ord(each)]) & 3 for each in " a7推"], chr(folded[ord("Ж")])
    ([0, 1, 2, 3], 'ж')
    """
    folded = np.arange(0x10000, dtype=np.int64)
    for first, last, added in _UPPER:
        folded[first : last + 1] += added
    scripts = np.zeros(0x10000, np.uint8)
    for first, last, script in _SCRIPTS:
        scripts[first : last + 1] = script
    kinds = np.full(0x10000, LETTER, np.uint8)
    kinds[(scripts == HAN) | (scripts == KANA) | (scripts == THAI)] = SIGN
    for ranges, kind in ((_SEPARATORS, SEPARATOR), (_DIGITS, DIGIT)):
        for first, last in ranges:
            kinds[first : last + 1] = kind
    # The writing system is that of the folded letter: a full-width capital counts as Latin.
    return kinds | (scripts[folded] << SCRIPT_SHIFT).astype(np.uint8), folded.astype(np.uint16)
