"""The known word that a mistyped one was meant to be, for messages that ask."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: object, known: Iterable[object], cutoff: float = 0.6) -> str | None:
    """The word of those known that is most like a given one; None if none is like it.

    Words are alike to a degree between 0 and 1, and from `cutoff` on they count.

    Example:
        >>> nearest("retyr", ["retry", "timeout"])
        'retry'
        >>> nearest("banana", ["retry", "timeout"]) is None
        True
    """
    near = difflib.get_close_matches(str(word), map(str, known), n=1, cutoff=cutoff)
    return near[0] if near else None
