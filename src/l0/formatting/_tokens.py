"""Rough sizes in tokens, without a tokeniser, and whether a text was cut off."""

from __future__ import annotations

import math
from typing import Final
from unicodedata import category

_CHARS_PER_TOKEN: Final = 4  # English prose; less for code and most other languages
_OPENING: Final = frozenset({"Ps", "Pi"})  # Unicode's opening brackets and quotes


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: a quarter of its characters, rounded up.

    Good to a third for English prose; other scripts take more.

    Example:
        >>> estimate_tokens("Hello world")
        3
    """
    return max(1, math.ceil(len(text) / _CHARS_PER_TOKEN)) if text else 0


def estimate_chars_for_tokens(tokens: int) -> int:
    """About how many characters so many tokens are.

    Raises:
        ValueError: the number is negative.

    Example:
        >>> estimate_chars_for_tokens(3)
        12
    """
    if tokens < 0:
        raise ValueError(f"tokens is 0 or more, not {tokens}")
    return tokens * _CHARS_PER_TOKEN


def ends_abruptly(text: str) -> bool:
    """Whether a text seems cut off: its last character is a letter, a digit, a comma or an opener.

    Example:
        >>> ends_abruptly("The quick brown"), ends_abruptly("The end.")
        (True, False)
    """
    seen = text.rstrip()
    if not seen:
        return False
    last = seen[-1]
    return last.isalnum() or last in {",", "<"} or category(last) in _OPENING
