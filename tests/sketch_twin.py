"""The text sketch once more, slow and obvious: plain integers and lists, no tables, no scratch, no cleverness.

What `stillwatch.sketch` does with buffers and kernels must come out the same as what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.sketch import lexicon

WORD = (1 << 64) - 1
BASE = 0x9E3779B97F4A7C15
NONE = WORD
Token = tuple[int, int, int]
"State of the hash over its letters, kind (1 word, 2 digits, 3 sign), code point before it."


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & WORD
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


def fold(cp: int) -> int:
    if 65 <= cp <= 90 or (0xC0 <= cp <= 0xDE and cp != 0xD7) or 0x391 <= cp <= 0x3A9 or 0x410 <= cp <= 0x42F:
        return cp + 32
    if 0x400 <= cp <= 0x40F:
        return cp + 80
    return cp - 0xFF21 + 97 if 0xFF21 <= cp <= 0xFF3A else cp


def script(cp: int) -> int:
    blocks = [
        (0, 0x24F, 1), (0x1E00, 0x1EFF, 1), (0x370, 0x3FF, 7), (0x400, 0x52F, 5), (0x590, 0x5FF, 8), (0x600, 0x77F, 6), (0x900, 0x97F, 9),
        (0xE00, 0xE7F, 10), (0x3040, 0x30FF, 3), (0x3400, 0x4DBF, 2), (0x4E00, 0x9FFF, 2), (0x20000, 0x2FA1F, 2), (0xF900, 0xFAFF, 2),
        (0xAC00, 0xD7AF, 4), (0x1100, 0x11FF, 4),
    ]  # fmt: skip
    return next((code for first, last, code in blocks if first <= cp <= last), 0)


def kind(cp: int) -> int:
    if cp < 128:
        return 2 if chr(cp).isdigit() else 1 if chr(cp).isalpha() else 0
    if cp < 0xC0 or cp in (0xD7, 0xF7, 0xFFFD) or 0x2000 <= cp <= 0x2BFF or 0x3000 <= cp <= 0x303F or 0xFE30 <= cp <= 0xFE4F:
        return 0
    if 0xFF00 <= cp <= 0xFF0F or 0xFF1A <= cp <= 0xFF20 or 0xFF3B <= cp <= 0xFF40 or 0xFF5B <= cp <= 0xFF65:
        return 0
    if 0xFF10 <= cp <= 0xFF19:
        return 2
    return 3 if script(cp) in (2, 3, 10) else 1


def decoded(text: bytes) -> Iterator[int]:
    """Code points; of bytes that are no UTF-8 whatever their bits say, and 0xFFFD for a text that ends inside of one."""
    at = 0
    while at < len(text):
        lead = text[at]
        size = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if size == 2 and at + 2 > len(text):
            size = 3  # which does not fit either
        if at + size > len(text):
            yield 0xFFFD
            return
        cp = lead & (0x7F, 0x1F, 0x0F, 0x07)[size - 1]
        for byte in text[at + 1 : at + size]:
            cp = cp << 6 | byte & 0x3F
        yield cp
        at += size


def split(text: bytes, seed: int) -> list[Token]:
    tokens: list[Token] = []
    inside = before = 0
    for cp in decoded(text):
        sort = kind(cp)
        if sort and (sort != inside or sort == 3):
            tokens.append((seed, sort, before))
        if sort:
            state, *rest = tokens[-1]
            state = (state ^ fold(cp)) * 0x100000001B3 & WORD
            tokens[-1] = (state ^ state >> 29, *rest)
        inside, before = sort, cp
    return tokens


def exact(tokens: list[Token], seed: int) -> int:
    made = seed
    for state, _, _ in tokens:
        made = mix(made ^ state) * BASE & WORD
    return signed(made)


def hashes(tokens: list[Token], seed: int) -> list[int]:
    return [mix(seed ^ 0x30) if sort == 2 else mix(state) for state, sort, _ in tokens]


def phrase(values: list[int]) -> int:
    made = 0
    for value in values:
        made = (made * BASE + value) & WORD
    return mix(made)


def shingles(tokens: list[Token], seed: int) -> list[int]:
    values, made = hashes(tokens, seed), []
    for start in range(len(tokens)):
        end, weight = start, 0
        while end < len(tokens) and weight < 10:
            weight += 1 if tokens[end][1] == 3 else 2
            end += 1
        if weight < 10:
            break
        sorts = [sort for _, sort, _ in tokens[start:end]]
        value = phrase(values[start:end]) & ~7
        made.append(NONE if sorts.count(2) > 2 else value | (sorts.count(3) > sorts.count(1)))
    return made


def winnowed(made: list[int]) -> list[int]:
    """Every window of four near the ends and of twenty-four in between keeps its smallest, the rightmost of equals."""
    chosen: dict[int, set[int]] = {}
    for window in (4, 24):
        size = min(window, len(made))
        windows = (range(at, at + size) for at in range(len(made) - size + 1))
        chosen[window] = {min(reversed(each), key=lambda i: made[i]) for each in windows if each}
    return [value for i, value in enumerate(made) if value != NONE and i in chosen[4 if i < 160 or i >= len(made) - 64 else 24]]


def terms(tokens: list[Token], seed: int, limit: int) -> list[int]:
    values = hashes(tokens, seed)
    found = {mix(value ^ 0xA5A5) >> 1 for value, (_, sort, _) in zip(values, tokens, strict=True) if sort == 1}
    for i in range(len(tokens) - 1):
        if tokens[i][1] == tokens[i + 1][1] == 3:
            found.add(mix((values[i] * BASE + values[i + 1]) & WORD) >> 1)
    return sorted(found)[:limit]


def cues(tokens: list[Token], seed: int, groups: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """How often a cue of each group begins within the first 700 tokens; a cue that stands twice in a group counts once."""
    values = hashes(tokens, seed)
    wanted = {name: {tuple(hashes(split(each.encode(), seed), seed)) for each in words} for name, words in groups.items()}
    hits = dict.fromkeys(groups, 0)
    for start in range(min(700, len(values))):
        for end in range(start + 1, min(start + 6, len(values)) + 1):
            for name in groups:
                hits[name] += tuple(values[start:end]) in wanted[name]
    return hits


def tagged(tokens: list[Token], seed: int) -> bool:
    values = hashes(tokens, seed)
    known = {hashes(split(each.encode(), seed), seed)[0] for each in lexicon.TAGS}
    return any(
        value in known and (before == ord("<") or (before == ord("/") and sort == 1))
        for value, (_, sort, before) in list(zip(values, tokens, strict=True))[:700]
    )


def families(tokens: list[Token], seed: int) -> int:
    hits = cues(tokens, seed, lexicon.CUES)
    asked = sum(bool(hits[one] and hits[other]) << bit for bit, (one, other) in enumerate(lexicon.FAMILY_OF))
    return asked | tagged(tokens, seed) << lexicon.FAMILIES.index("inline reasoning tags")


def capability(tokens: list[Token], seed: int, asked: int) -> int:
    hits = cues(tokens, seed, {name: lexicon.TOPICS.get(name, ()) for name in lexicon.CAPABILITIES})
    best = max(lexicon.CAPABILITIES, key=lambda name: hits[name])  # the first of equals
    best = best if hits[best] > 1 else "other"
    if asked & 4:
        return lexicon.CAPABILITIES.index("grading")
    if asked & 1 and best == "other":
        return lexicon.CAPABILITIES.index("reasoning")
    if asked & 16 and best == "other":
        return lexicon.CAPABILITIES.index("making training tasks")
    return lexicon.CAPABILITIES.index(best)


def writing(prompt: bytes) -> int:
    counts = [0] * 11
    for cp in decoded(prompt):
        if kind(cp) in (1, 3):
            counts[script(fold(cp))] += 1
    return counts.index(max(counts[1:]), 1) if any(counts[1:]) else 0


def marks(system: bytes, prompt: bytes, response: bytes, seed: int, limits: tuple[int, int]) -> dict[str, object]:
    """All marks of one call whose three texts are known."""
    before, own, answer = split(system, seed), split(prompt, seed), split(response, seed)
    asked, used = families(before + own, seed), writing(prompt)
    wordings = [value | 2 if used >= 4 and not value & 7 else value for part in (before, own) for value in winnowed(shingles(part, seed))]
    said = cues(answer, seed, {"steps": lexicon.STEPS, "verdicts": lexicon.VERDICTS})
    reasoned = len(answer) >= 80 and said["steps"] >= 4 and said["steps"] * 60 >= len(answer)
    return {
        "prompt": exact(own, seed),
        "prompt_tokens": len(own),
        "response_tokens": len(answer),
        "wordings": [signed(value) for value in dict.fromkeys(wordings)],
        "terms": [value >> 32 for value in terms(own, seed, limits[0])],
        "answered": [value >> 32 for value in terms(answer, seed, limits[1])],
        "asked": asked,
        "delivered": reasoned | (said["verdicts"] >= 1) << 2 | tagged(answer, seed) << 5,
        "capability": capability(before + own, seed, asked),
        "script": used,
    }
