"""The colours of charts: those of meaning are the views', those of models come of their names.

None is the only carrier of what it means: rows and legends have words, and kinds of the same
colour a pattern. Those of one chart can be told apart also by people who see fewer colours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

from l0.notebook._look import INK

PALETTE: Final = (
    *("#0072b2", "#885500", "#ff6677", "#8800ff"),
    *("#bb1177", "#669900", "#66aabb", "#aa88ff"),
)
"""Of what has no meaning of its own; none is the green or the red of an outcome."""

_TINTS: Final = (0.0, 0.3, 0.6)  # of the inside, where there are more names than colours


def solid(colour: str) -> dict[str, Any]:
    """The marker of a bar."""
    return {"color": colour}


def _pattern(colour: str, shape: str) -> dict[str, Any]:
    pattern = {"shape": shape, "fillmode": "replace", "size": 6, "solidity": 0.35}
    return {"color": colour, "pattern": pattern, "line": {"color": colour, "width": 1}}


OUTCOMES: Final = {
    "completed": solid(INK["complete"]),
    "failed": solid(INK["failed"]),
    # Nobody's fault: grey, and hollow, as their dots are in the views.
    "aborted": _pattern(INK["aborted"], "/"),
    "cancelled": _pattern(INK["aborted"], "x"),
    "unfinished": _pattern(INK["unfinished"], "."),
}
SEVERITIES: Final = {
    "warning": solid(INK["retrying"]),
    "error": solid(INK["failed"]),
    "fatal": solid("#bb1177"),
}
CATEGORIES: Final = {
    "network": solid("#0072b2"),
    "transient": solid(INK["retrying"]),  # waited out and tried again
    "model": solid("#885500"),
    "content": solid("#4aa8e0"),
    "provider": solid(INK["fallback"]),
    "fatal": solid(INK["failed"]),
    "internal": solid(INK["waiting"]),
}
KEPT: Final = {"kept": OUTCOMES["completed"], "failed": OUTCOMES["failed"]}


def other(at: int) -> dict[str, Any]:
    """The marker of a kind that nothing is known of."""
    return solid(PALETTE[at % len(PALETTE)])


def of_names(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Line and inside of each name: the colour that its letters ask for, or the next free one.

    So a name has the same colour wherever it does not meet another that asks for it, too.

    >>> of_names(["b", "a"]) == of_names(["a", "b"])
    True
    """
    found: dict[str, tuple[str, str]] = {}
    free: list[str] = []
    for at, name in enumerate(sorted(set(names))):
        if not free:
            free = list(PALETTE)
        asked = crc32(name.encode()) % len(PALETTE)
        turned = PALETTE[asked:] + PALETTE[:asked]
        colour = next(each for each in turned if each in free)
        free.remove(colour)
        tint = _TINTS[at // len(PALETTE) % len(_TINTS)]
        found[name] = colour, transparent(colour, tint)
    return found


def transparent(colour: str, opacity: float) -> str:
    """A colour of six digits, as one that lets through what is behind it.

    >>> transparent("#2f7fe0", 0.2)
    'rgba(47,127,224,0.2)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
