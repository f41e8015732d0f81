"""How much text waits until what is in no hurry looks at it."""

from __future__ import annotations

_BEGINNING, _FIRST = 1000, 200
_SHARE = 8
_STEP, _MOST = 1000, 4000
_LONG = 16_000
_PAUSE, _LONG_PAUSE = 200, 400


def patience(length: int) -> int:
    """Characters of a text so long that are held back before they are looked at together.

    First 200; from 1,000 on, an eighth of the text in thousands, from 1,000 to 4,000. To look at 80
    characters costs half as much as to look at 1,000; at 4,000, each one costs a sixth less.

    Example:
        >>> patience(500), patience(5_000), patience(25_000), patience(500_000)
        (200, 1000, 3000, 4000)
    """
    if length < _BEGINNING:
        return _FIRST
    return min(_MOST, max(_STEP, length // (_SHARE * _STEP) * _STEP))


def pause(length: int) -> int:
    """Characters that a text so long grows by before it is asked whether it goes in circles.

    Example:
        >>> pause(5_000), pause(50_000)
        (200, 400)
    """
    return _PAUSE if length < _LONG else _LONG_PAUSE
