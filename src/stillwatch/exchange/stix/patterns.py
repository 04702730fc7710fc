"""The syntax of STIX 2.1's patterns (part 9 of the standard), by recursive descent: whether a text is one, no more.

A pattern is an expression over observations in square brackets; within them it compares properties of objects.
"""

from __future__ import annotations

import re

from stillwatch.exchange.stix.moments import parsed

TOKEN = re.compile(
    r"""\s*(?:(?P<moment>t'[^']*')|(?P<binary>[bh]'[^']*')|(?P<string>'(?:[^'\\]|\\['\\])*')|(?P<float>[+-]?[0-9]*\.[0-9]+)|(?P<whole>[+-]?(?:0|[1-9][0-9]*)(?![\w]))"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_-]+)?)|(?P<sign>==|!=|<>|<=|>=|=|<|>|\[|\]|\(|\)|\.|,|:|\*))"""
)
"The next word of a pattern."

DEEPEST = 50
"Brackets within one another, at most."

NAME = re.compile(r"[a-z0-9_]{3,250}")
KIND = re.compile(r"-?[a-z0-9]+(-[a-z0-9]+)*-?")
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
HEX = re.compile(r"(?:[a-fA-F0-9]{2})*")
DIGESTS = {"SSDEEP": r"[a-zA-Z0-9/+:.]{1,128}$"} | {
    name: rf"[a-fA-F0-9]{{{digits}}}$"
    for digits, names in (
        (32, "MD5"),
        (40, "RIPEMD160 SHA1"),
        (56, "SHA224 SHA3224"),
        (64, "SHA256 SHA3256"),
        (96, "SHA384 SHA3384"),
        (128, "SHA512 SHA3512 WHIRLPOOL"),
    )
    for name in names.split()
}
"Algorithm -> the form of its digest."


class _Wrong(Exception):
    """Where it is no pattern."""


def fault(pattern: str) -> str | None:
    """Why a text is no pattern of STIX; None when it is one.

    >>> fault("[ipv4-addr:value ISSUBSET '192.0.2.0/24']")
    >>> fault("ipv4-addr:value = '192.0.2.1'")
    "no pattern at word 1 (ipv4-addr): '[' is expected"
    """
    words, at = [], 0
    text = pattern.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            return f"no pattern at character {at + 1}"
        words.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    reader = _Reader(words)
    try:
        reader.observations(0)
        if reader.at < len(words):
            raise _Wrong("the end is expected")
    except _Wrong as error:
        word = words[reader.at][1][:40] if reader.at < len(words) else "the end"
        return f"no pattern at word {reader.at + 1} ({word}): {error}"
    return None


class _Reader:
    """The words of a pattern, and which one is next."""

    def __init__(self, words: list[tuple[str, str]]) -> None:
        self.words, self.at = words, 0

    def next(self) -> tuple[str, str]:
        return self.words[self.at] if self.at < len(self.words) else ("end", "")

    def take(self, *values: str) -> bool:
        if self.next()[1] in values and self.next()[0] in ("sign", "name"):
            self.at += 1
            return True
        return False

    def must(self, value: str) -> None:
        if not self.take(value):
            raise _Wrong(f"'{value}' is expected")

    def of(self, *kinds: str) -> str:
        kind, value = self.next()
        if kind not in kinds:
            raise _Wrong(f"a {' or a '.join(kinds)} is expected")
        self.at += 1
        return value

    def observations(self, depth: int) -> None:
        if depth > DEEPEST:
            raise _Wrong("too deep")
        while True:
            single = not self.take("(")
            if single:
                self.must("[")
                self.comparisons(depth)
                self.must("]")
            else:
                self.observations(depth + 1)
                self.must(")")
            said: set[str] = set()
            while self.take("WITHIN", "REPEATS", "START"):
                word = self.words[self.at - 1][1]
                if single and word in said:
                    raise _Wrong(f"{word} stands there already")
                said.add(word)
                self.qualifier(word)
            if not self.take("AND", "OR", "FOLLOWEDBY"):
                return

    def qualifier(self, word: str) -> None:
        if word == "START":
            self.literal("moment")
            self.must("STOP")
            self.literal("moment")
        elif word == "WITHIN":
            if self.of("whole", "float").startswith("-"):
                raise _Wrong("a span is not below 0")
            self.must("SECONDS")
        else:
            if self.of("whole").startswith("-"):
                raise _Wrong("a number of times is not below 0")
            self.must("TIMES")

    def comparisons(self, depth: int) -> None:
        if depth > DEEPEST:
            raise _Wrong("too deep")
        while True:
            if self.take("("):
                self.comparisons(depth + 1)
                self.must(")")
            else:
                self.comparison()
            if not self.take("AND", "OR"):
                return

    def comparison(self) -> None:
        if self.take("EXISTS"):
            self.path()
            return
        digest = self.path()
        self.take("NOT")
        if self.take("IN"):
            self.must("(")
            while not self.take(")"):
                self.literal("string", "whole", "float", "binary", "moment", "truth")
                if self.next()[1] != ")":
                    self.must(",")
                    if self.next()[1] == ")":
                        raise _Wrong("a value is expected")
        elif self.take("LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"):
            self.digested(digest)
        elif self.take("=", "==", "!=", "<>"):
            if digest and self.next()[0] == "string":
                self.digested(digest)
            else:
                self.literal("string", "whole", "float", "binary", "moment", "truth")
        elif self.take("<", ">", "<=", ">="):
            self.literal("string", "whole", "float", "binary", "moment")
        else:
            raise _Wrong("a comparison is expected")

    def literal(self, *kinds: str) -> None:
        if "truth" in kinds and self.take("true", "false", "TRUE", "FALSE"):
            return
        value = self.of(*(kind for kind in kinds if kind != "truth"))
        if value.startswith("t'") and parsed(value[2:-1]) is None:
            raise _Wrong("no time")
        if (value.startswith("b'") and not BASE64.fullmatch(value[2:-1])) or (value.startswith("h'") and not HEX.fullmatch(value[2:-1])):
            raise _Wrong("no binary")

    def digested(self, algorithm: str | None) -> None:
        """A string; of a digest, in its algorithm's form."""
        value = self.of("string")
        if algorithm and not re.match(DIGESTS[algorithm], value.replace("'", "")):
            raise _Wrong(f"no digest of {algorithm}")

    def path(self) -> str | None:
        """A property's path; the algorithm where it leads to a digest that is known."""
        kind = self.of("name")
        if not KIND.fullmatch(kind) or not 3 <= len(kind) <= 250:
            raise _Wrong("no type of object")
        self.must(":")
        first = self.of("name", "string")
        if not NAME.fullmatch(first.strip("'")):
            raise _Wrong("no property")
        last, steps = first, {first}
        while True:
            if self.take("."):
                last = self.of("name", "string")
                steps.add(last)
            elif self.take("["):
                if not self.take("*"):
                    self.of("whole")
                self.must("]")
            else:
                name = last.upper().replace("-", "").replace("'", "")
                return name if "hashes" in steps and name in DIGESTS else None
