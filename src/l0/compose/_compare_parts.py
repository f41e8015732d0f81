"""What comparisons are made of: types by name, equality, texts brought into one form."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final


def get_type(value: Any) -> str:
    """What JSON calls a plain value, or the name of its class."""
    if value is None:
        return "null"
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return type(value).__name__


_TYPES: Final[tuple[tuple[Any, str], ...]] = (
    (bool, "boolean"),
    ((int, float), "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def check_tolerance(value: Any) -> None:
    """Raise a ValueError unless the tolerance is a number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"tolerance is a number, 0 or more; not {value!r}")


def normal(text: str, case_sensitive: bool, normalize_whitespace: bool) -> str:
    """The text as it is compared."""
    if normalize_whitespace:
        text = " ".join(text.split())
    return text if case_sensitive else text.casefold()


def trait(value: Any, case_sensitive: bool, normalize_whitespace: bool) -> Any:
    """What plain values have in common that differ in their numbers and the order of lists only."""
    if isinstance(value, str):
        return normal(value, case_sensitive, normalize_whitespace)
    if isinstance(value, dict):
        inside = value.items()
        return frozenset((k, trait(v, case_sensitive, normalize_whitespace)) for k, v in inside)
    if isinstance(value, list):
        items = Counter(trait(item, case_sensitive, normalize_whitespace) for item in value)
        return ("array", frozenset(items.items()))
    return get_type(value)


def near(a: float, b: float, tolerance: float) -> bool:
    """Whether two numbers differ by at most the tolerance; NaN equals NaN."""
    if a == b or (a != a and b != b):  # noqa: PLR0124  NaN is NaN
        return True
    try:
        return abs(a - b) <= tolerance
    except OverflowError:  # an integer beyond the floats beside a float
        return False


class Numbers:
    """Numbers at places; which is the first of them that is near another one is found by halving.

    NaN is left out: it is near itself only.
    """

    def __init__(self, placed: Iterable[tuple[int, float]], tolerance: float) -> None:
        known = [(value, place) for place, value in placed if value == value]  # noqa: PLR0124  NaN
        # Apart: a difference of integers is exact, one from a float is rounded.
        self._kinds = [
            _Ordered([each for each in known if isinstance(each[0], kind)], tolerance)
            for kind in (int, float)
        ]

    def take(self, value: float) -> int | None:
        """The first place whose number is near, which is free no more; None if there is none."""
        found = [kind.first(value) for kind in self._kinds]
        place = min(found)
        if place == math.inf:
            return None
        self._kinds[found.index(place)].remove(int(place))
        return int(place)


class Sorted:
    """Numbers of one kind in order of size, each with its place."""

    def __init__(self, known: list[tuple[float, int]], tolerance: float) -> None:
        known.sort()
        self._tolerance = tolerance
        self._values = [value for value, _ in known]
        self.places = [place for _, place in known]

    def span(self, value: float) -> tuple[int, int]:
        """Those that are near stand together, around the number itself: from where to where."""
        most = self._tolerance
        left = bisect_left(self._values, True, key=lambda v: v >= value or near(value, v, most))
        right = bisect_left(
            self._values, True, left, key=lambda v: v > value and not near(value, v, most)
        )
        return left, right


class _Ordered(Sorted):
    """Above the numbers there is a tree: the first place below each of its nodes."""

    def __init__(self, known: list[tuple[float, int]], tolerance: float) -> None:
        super().__init__(known, tolerance)
        self._count = len(known)
        self._leaf = {place: self._count + at for at, place in enumerate(self.places)}
        self._first: list[float] = [*[math.inf] * self._count, *self.places]
        for at in range(self._count - 1, 0, -1):
            self._first[at] = min(self._first[2 * at : 2 * at + 2])

    def first(self, value: float) -> float:
        """The first place whose number is near; infinity without one."""
        left, right = self.span(value)
        left, right, found = left + self._count, right + self._count, math.inf
        while left < right:
            if left % 2:
                found, left = min(found, self._first[left]), left + 1
            if right % 2:
                right -= 1
                found = min(found, self._first[right])
            left, right = left // 2, right // 2
        return found

    def remove(self, place: int) -> None:
        at = self._leaf[place]
        self._first[at] = math.inf
        while at > 1:
            at //= 2
            self._first[at] = min(self._first[2 * at : 2 * at + 2])


def cosine(a: Counter[str], b: Counter[str]) -> float:
    """How alike two counts of words are, by the angle between them."""
    if not a or not b:
        return 0.0
    shared = sum(count * b[word] for word, count in a.items())
    lengths = sum(n * n for n in a.values()) * sum(n * n for n in b.values())
    return min(1.0, shared / math.sqrt(lengths))


def same(a: Any, b: Any) -> bool:
    """Whether two plain values are the same at every level."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if get_type(a) != get_type(b):
        return False
    try:
        return bool(a == b) or bool(a != a and b != b)  # noqa: PLR0124  NaN is NaN
    except Exception:  # other people's __eq__ (arrays, frames): not comparable is not equal
        return a is b
