"""Two texts word by word: what both say, and what only one of them says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from l0.notebook._picture import count

Part = tuple[bool, str, str]
"""Whether both say it, the words of the left text, those of the right one."""

MOST: Final = 6_000_000
"""Pairs of words that are compared one by one; longer texts are compared by sentences."""

_WORD: Final = re.compile(r"\s*\S+|\s+$")
_SENTENCE: Final = re.compile(r"[^\n.!?]*[\n.!?]+\s*|[^\n.!?]+")
_APART: Final = 0.1
_WEAK: Final = 8  # letters in common that mean nothing between two changes


def differences(left: str, right: str) -> list[Part]:
    """The texts cut into what is equal and what is not, in their order.

    Whitespace decides nothing: words are equal whatever stands between them. Texts that differ
    over thousands of words are compared sentence by sentence.

    Example:
        >>> differences("The red fox", "The quick fox")
        [(True, 'The', 'The'), (False, ' red', ' quick'), (True, ' fox', ' fox')]
    """
    a, b = _WORD.findall(left), _WORD.findall(right)
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    if len(middle_a) * len(middle_b) > MOST:
        middle_a, middle_b = (_SENTENCE.findall("".join(words)) for words in (middle_a, middle_b))
    parts = [
        (True, "".join(a[:head]), "".join(b[:head])),
        *_between(middle_a, middle_b),
        (True, "".join(a[len(a) - tail :]), "".join(b[len(b) - tail :])),
    ]
    return _joined([part for part in parts if part[1] or part[2]])


def compared(left: str, right: str) -> tuple[list[Part], str]:
    """What `differences` says, and in words how much of the two texts is the same.

    Where that is nearly nothing, nothing is marked: all of it would be.

    >>> compared("The red fox", "The quick fox")[1]
    '54 % the same, 1 difference'
    """
    parts = differences(left, right)
    changes = sum(not equal for equal, _, _ in parts)
    if not changes:
        return parts, "the same words"
    same = likeness(parts)
    share = round(same * 100)
    if same < _APART:
        return [(True, left, right)], f"{share} % the same, too little to mark what differs"
    return parts, f"{share} % the same, {count(changes, 'difference')}"


def likeness(parts: Sequence[Part]) -> float:
    """How much of the longer text both say, from 0 to 1.

    >>> likeness(differences("one two", "one two"))
    1.0
    """
    same = sum(len(left) for equal, left, _ in parts if equal)
    whole = max(sum(len(part[1]) for part in parts), sum(len(part[2]) for part in parts))
    return same / whole if whole else 1.0


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """How many words the two begin with in common."""
    at = 0
    for one, other in zip(a, b, strict=False):
        if one.strip() != other.strip():
            break
        at += 1
    return at


def _between(a: list[str], b: list[str]) -> list[Part]:
    if not (a and b):
        return [(False, "".join(a), "".join(b))]
    large = len(a) * len(b) > MOST
    matcher = SequenceMatcher(
        None, [word.strip() for word in a], [word.strip() for word in b], autojunk=large
    )
    return [
        (tag == "equal", "".join(a[i:j]), "".join(b[k:m]))
        for tag, i, j, k, m in matcher.get_opcodes()
    ]


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbours of one kind as one; a short word or two between two changes is part of them."""
    kinds = [equal for equal, _, _ in parts]
    for at in range(1, len(parts) - 1):
        equal, left, _ = parts[at]
        if equal and len(left.strip()) <= _WEAK and not (parts[at - 1][0] or parts[at + 1][0]):
            kinds[at] = False
    told: list[Part] = []
    for equal, (_, left, right) in zip(kinds, parts, strict=True):
        if told and told[-1][0] == equal:
            told[-1] = (equal, told[-1][1] + left, told[-1][2] + right)
        else:
            told.append((equal, left, right))
    return told
