"""The texts that are streamed, cut into tokens as their providers would."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

LONGEST = 20_000_000
"""Characters of the longest text; a million tokens of 200 characters would be 200 MB."""


def prose(count: int) -> list[str]:
    """Words of about four and a half characters, seldom alike, with some punctuation."""
    rng = random.Random(11)
    syllables = ["ta", "ren", "mo", "il", "sa", "du", "ver", "ka", "no", "pi", "as", "lum"]
    made = []
    for index in range(count):
        word = "".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3))))
        made.append(f" {word}" if index % 17 else f" {word}.")
    return made


def markdown(count: int) -> list[str]:
    """Prose with headings, lists, a table and fenced code in between."""
    words, made = prose(count), []
    blocks = ["\n\n## Part\n\n", "\n- one item", "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"]
    blocks += ["\n\n```python\nx = [1, 2]\n```\n\n", " **strong** and `code` "]
    for index, word in enumerate(words):
        made.append(blocks[index // 40 % len(blocks)] if index % 40 == 39 else word)
    return made


def json_text(count: int) -> list[str]:
    """A long array of objects, cut into tokens of four characters."""
    rng = random.Random(3)
    rows = [
        {"id": i, "name": f"row {rng.randrange(10**6)}", "tags": ["a", "b"], "at": rng.random()}
        for i in range(count // 18 + 1)
    ]
    text = json.dumps(rows)
    return [text[i : i + 4] for i in range(0, len(text), 4)][:count]


def loops(count: int) -> list[str]:
    """The same two sentences over and over, as a model says them that has lost its way."""
    once = [" the", " tide", " comes", " in", ".", " and", " the", " tide", " goes", " out", ".\n"]
    return (once * (count // len(once) + 1))[:count]


def characters(count: int) -> list[str]:
    """Prose in tokens of one character."""
    return list("".join(prose(count // 4 + 1)))[:count]


def long_tokens(count: int) -> list[str]:
    """Prose in tokens of 200 characters, at most 20 million of these."""
    count = min(count, LONGEST // 200)
    text = "".join(prose(count * 200 // 5 + 200))
    return [text[at : at + 200] for at in range(0, len(text), 200)][:count]


def chinese(count: int) -> list[str]:
    """Tokens of one or two characters outside of ASCII, without blanks, with full stops."""
    rng = random.Random(7)
    common = [chr(code) for code in range(0x4E00, 0x5200)]
    made = ["".join(rng.choices(common, k=rng.choice((1, 1, 2)))) for _ in range(count)]
    made[16::17] = ["。"] * len(made[16::17])
    return made


CORPORA: dict[str, Callable[[int], list[str]]] = {
    "prose": prose,
    "markdown": markdown,
    "JSON": json_text,
    "loops": loops,
    "1-character tokens": characters,
    "200-character tokens": long_tokens,
    "Chinese": chinese,
}
