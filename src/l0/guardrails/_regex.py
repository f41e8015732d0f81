"""Finds a caller's regular expression in growing text, whatever the expression is."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any, Final

UNBOUNDED: Final = float("inf")
_BLOCK = 256
_LONG = 100

Hit = tuple[int, str]
"""The offset of a match, and its text."""


class RegexScanner:
    """Gives the matches of `finditer` over the whole text, each as soon as it is certain.

    A start is decided when as many characters stand beyond it as the expression can look at. An
    expression without such a bound is decided in blocks of 256 starts with `cut` characters more in
    sight, and its matches are cut at `cut` characters. Empty matches don't count.
    """

    __slots__ = (
        "_back",
        "_base",
        "_block",
        "_bounded",
        "_cut",
        "_next",
        "_pattern",
        "_reach",
        "_text",
    )

    def __init__(self, pattern: re.Pattern[str], cut: int) -> None:
        reach, back = sight(pattern)
        self._pattern = pattern
        self._cut = cut
        self._back = back
        self._bounded = reach <= cut
        self._reach = int(min(reach, cut)) + 1
        self._text = ""  # from `_back` characters before the next undecided start
        self._base = 0
        self._next = -1  # that start; -1: nothing was fed yet
        self._block = 0  # without a bound: the block of starts that is decided next

    def feed(self, text: str, start: int) -> list[Hit] | None:
        """Take text that follows the text before without a gap."""
        if self._next < 0:
            self._base = self._next = self._block = start
        self._text += text
        end = self._base + len(self._text)
        # Looking again at a long reach for a few new starts would cost more than it tells.
        if end - self._next < self._reach + (self._reach // 4 if self._reach > _LONG else 0):
            return None
        return self._decide(end, ended=False)

    def flush(self) -> list[Hit] | None:
        """Decide what is open: the text has ended, or goes on elsewhere."""
        found = self._decide(self._base + len(self._text), ended=True) if self._next >= 0 else None
        self._text = ""
        self._next = -1
        return found

    def _decide(self, end: int, *, ended: bool) -> list[Hit] | None:
        found: list[Hit] = []
        if self._bounded:
            self._find(end if ended else end - self._reach, end, found)
        else:
            # What such an expression sees must not depend on how the text came.
            sight_end = self._block + _BLOCK + self._reach
            while sight_end <= end or (ended and self._block <= end):
                self._find(self._block + _BLOCK - 1, min(sight_end, end), found)
                self._block += _BLOCK
                sight_end += _BLOCK
        drop = self._next - self._back - self._base
        if drop > 0:
            self._text = self._text[drop:]
            self._base += drop
        return found or None

    def _find(self, last: int, end: int, found: list[Hit]) -> None:
        """Take the matches that start at `last` or before, seeing the text up to `end`."""
        base, cut = self._base, self._cut
        start = self._next - base
        pos = -1
        while pos != start:
            pos = start
            for match in self._pattern.finditer(self._text, pos, end - base):
                at, stop = match.span()
                if base + at > last:
                    break
                if at == stop:
                    continue
                found.append((base + at, match[0][:cut]))
                pos = start = min(stop, at + cut)
                if start < stop:  # cut: go on from there
                    pos = -1
                    break
        self._next = max(base + start, last + 1)


def sight(pattern: re.Pattern[str]) -> tuple[float, int]:
    """How many characters from its start a match can look at, and how many before it (at least 1).

    The first is infinite for expressions without a bound, or that this can't read.
    """
    try:
        parser = importlib.import_module("re._parser")
        tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
        walk = _Walk(int(parser.MAXREPEAT))
        _, reach = walk.sequence(tree)
    except (ImportError, AttributeError, TypeError, ValueError):
        return UNBOUNDED, 64  # a Python whose parser is shaped differently: be careful instead
    return max(reach, 1), max(walk.back, 1)


class _Walk:
    """Adds up widths over a parsed expression: of the match, and of what it looks at."""

    def __init__(self, no_limit: int) -> None:
        self.back = 1
        self._no_limit = no_limit

    def sequence(self, nodes: Iterable[tuple[Any, Any]]) -> tuple[float, float]:
        width = reach = 0.0
        for kind, value in nodes:
            node_width, node_reach = self._node(str(kind), value)
            reach = max(reach, width + node_reach)
            width += node_width
        return width, reach

    def _node(self, kind: str, value: Any) -> tuple[float, float]:
        if kind in {"LITERAL", "NOT_LITERAL", "ANY", "IN", "RANGE", "CATEGORY"}:
            return 1, 1
        if kind == "BRANCH":
            return self._widest(value[1])
        if kind in {"SUBPATTERN", "ATOMIC_GROUP"}:
            return self.sequence(value[-1] if kind == "SUBPATTERN" else value)
        if kind in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            return self._repeat(*value)
        if kind in {"ASSERT", "ASSERT_NOT"}:
            direction, nodes = value
            width, reach = self.sequence(nodes)
            if direction > 0:
                return 0, reach
            self.back = max(self.back, int(width) + 1)
            return 0, 0
        if kind == "AT":
            return 0, 2  # `$` looks for a newline that is the last character
        if kind == "GROUPREF_EXISTS":
            return self._widest([nodes for nodes in value[1:] if nodes is not None])
        return UNBOUNDED, UNBOUNDED

    def _widest(self, branches: Iterable[Any]) -> tuple[float, float]:
        measured = [self.sequence(branch) for branch in branches]
        return max(width for width, _ in measured), max(reach for _, reach in measured)

    def _repeat(self, _least: int, most: int, nodes: Any) -> tuple[float, float]:
        width, reach = self.sequence(nodes)
        if most == self._no_limit:
            return (UNBOUNDED, UNBOUNDED) if width else (0, reach)
        return most * width, max(0, most - 1) * width + reach
