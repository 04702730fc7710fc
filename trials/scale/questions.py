"""Questions of public suites in the prompts of a pattern world: where they stand, whole."""

from __future__ import annotations

import re
from collections import defaultdict

BEGINS = re.compile(r"(?:^|(?<=[.:!?。：！？…]))\s*(?=\S)")
"Where in a line a question may begin: a student puts it after words of its own."


class Questions:
    """The questions of all public suites, by their longest line."""

    def __init__(self, suites: list[str]) -> None:
        """`suites`: every question, word by word."""
        self._by_line: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for number, text in enumerate(suites):
            self._by_line[max(text.split("\n"), key=len)].append((number, text))

    def find(self, prompt: str) -> tuple[int, int, int] | None:
        """(number, start, end) of the longest question that stands in a prompt."""
        found = []
        for line in prompt.split("\n"):
            for begin in BEGINS.finditer(line):
                for number, text in self._by_line.get(line[begin.end() :], ()):
                    if (start := prompt.find(text)) >= 0:
                        found.append((number, start, start + len(text)))
        return max(found, key=lambda each: (each[2] - each[1], -each[0]), default=None)
