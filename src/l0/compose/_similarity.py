"""How much two answers have in common, from 0 (nothing) to 1 (they say the same)."""

from __future__ import annotations

import math
from typing import Any

from l0.compose._consensus_values import number, plain
from l0.compose._similarity_words import shared_words

_SHORT = 20  # characters; shorter texts are names and verdicts: the same or not
_LONG = 2000  # characters; longer texts are compared by words
_WORD = 30  # characters; text whose words are longer on average is written without blanks


def similarity(a: Any, b: Any) -> float:
    """How much two values have in common, from 0.0 to 1.0.

    Equal values give 1. Numbers, also those written as text, are compared by their distance:
    `1 - |a - b| / max(|a|, |b|)`. Texts under 20 characters are the same or not; longer ones are
    compared by the characters, above 2,000 by the words, that they have in common and in the same
    order. Dicts give the mean over all their keys, lists over their positions. Models, dataclasses
    and structs count as dicts. Values of different kinds have nothing in common. Blanks around a
    text don't matter.

    Example:
        >>> similarity("42", 42), similarity("Paris", "Pairs"), similarity([1, 2], [1])
        (1.0, 0.0, 0.5)
        >>> round(similarity("The capital of France is Paris.", "Paris is France's capital."), 2)
        0.53
    """
    return likeness(plain(a), plain(b))


def likeness(a: Any, b: Any, *, exact: bool = False) -> float:
    """The similarity of plain values; with `exact`, two whole numbers are the same or not.

    A consensus asks exactly: 42 is near 43, and still another answer.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        keys = list(dict.fromkeys((*a, *b)))
        return _mean(
            [likeness(a[key], b[key], exact=exact) if key in a and key in b else 0 for key in keys]
        )
    if isinstance(a, list) and isinstance(b, list):
        shared = [likeness(x, y, exact=exact) for x, y in zip(a, b, strict=False)]
        return _mean(shared + [0.0] * (max(len(a), len(b)) - len(shared)))
    one, other = number(a), number(b)
    if one is not None and other is not None:
        return _distance(one, other, exact=exact)
    if isinstance(a, str) and isinstance(b, str):
        return _texts(a.strip(), b.strip())
    try:
        return float(type(a) is type(b) and bool(a == b))
    except Exception:  # other people's __eq__ (arrays, frames): not comparable is not equal
        return float(a is b)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 1.0


def _distance(a: float, b: float, *, exact: bool) -> float:
    if a == b or (a != a and b != b):  # noqa: PLR0124  NaN is NaN
        return 1.0
    try:
        if abs(a) == math.inf or abs(b) == math.inf or a != a or b != b:  # noqa: PLR0124  NaN
            return 0.0
        if exact and a == int(a) and b == int(b):
            return 0.0
        return min(1.0, max(0.0, 1 - abs(a - b) / max(abs(a), abs(b))))
    except OverflowError:  # integers beyond the floats
        return 0.0


def _texts(a: str, b: str) -> float:
    if a == b:
        return 1.0
    longest = max(len(a), len(b))
    if longest < _SHORT or not a or not b:
        return 0.0
    if longest > _LONG:
        words, others = a.split(), b.split()
        if len(a) + len(b) <= _WORD * (len(words) + len(others)):
            return 2 * shared_words(words, others) / (len(words) + len(others))
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(a, b)
