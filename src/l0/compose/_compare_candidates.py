"""Which of many values may equal another one, without a look at each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from l0.compose._compare_parts import Sorted, get_type

_FEW: Final = 16  # values that are looked at one by one sooner than they are sorted
_SHARE: Final = 8  # so many times fewer must those be that are put in order again

_EXACT: Final = 2**53  # up to which every integer is a float
_LEAST, _MOST, _ODD = object(), object(), object()

End = tuple[tuple[Any, ...], Any]
"""The keys that lead through dicts to a value that is none, and that value; of a list, its least
number and its greatest, or `_ODD` where floats can't say them."""


class Candidates:
    """Values at places; few of them may equal another one, by what is at the ends of its paths.

    Values that are equal have the same at the end of every path, or numbers that are near. Lists
    that are equal in any order have least numbers that are near, and greatest ones.

    Args:
        placed: the values, in the order of their places.
        like: what equal values have in common that are no numbers, dicts or lists.
        tolerance: up to which numbers are near.
    """

    def __init__(
        self, placed: Iterable[tuple[int, Any]], like: Callable[[Any], Any], tolerance: float
    ) -> None:
        self._free = dict(placed)
        self._order = list(self._free)
        self._like, self._tolerance = like, tolerance
        self._ends: dict[tuple[Any, Any], list[int]] | None = None
        self._numbers: dict[Any, list[Sorted]] = {}

    def take(self, value: Any, equals: Callable[[Any], bool]) -> int | None:
        """The first place whose value equals this one, which is free no more; None without any."""
        for place in self._of(value):
            if equals(self._free[place]):
                del self._free[place]
                del self._order[bisect_left(self._order, place)]
                return place
        return None

    def _of(self, value: Any) -> Sequence[int]:
        """The places of the values that may equal this one, in order."""
        if len(self._order) <= _FEW:
            return self._order
        if self._ends is None:
            self._ends = self._sorted_out()
        fewest, spans = len(self._order) // _SHARE, None
        for path, end in _ends(value):
            if end is _ODD:
                continue
            found = self._having(self._ends, path, end)
            count = sum(right - left for _, left, right in found)
            if count <= fewest:
                fewest, spans = count, found
        if spans is None:
            return self._order
        places = (place for places, left, right in spans for place in places[left:right])
        return sorted(place for place in places if place in self._free)

    def _sorted_out(self) -> dict[tuple[Any, Any], list[int]]:
        ends: dict[tuple[Any, Any], list[int]] = {}
        numbers: dict[Any, tuple[list[tuple[float, int]], list[tuple[float, int]]]] = {}
        for place, value in self._free.items():
            for path, end in _ends(value):
                if _in_order(end):
                    numbers.setdefault(path, ([], []))[isinstance(end, int)].append((end, place))
                else:
                    like = end if end is _ODD else self._like(end)
                    ends.setdefault((path, like), []).append(place)
        # Apart: a difference of integers is exact, one from a float is rounded.
        for path, kinds in numbers.items():
            self._numbers[path] = [Sorted(kind, self._tolerance) for kind in kinds]
        return ends

    def _having(
        self, ends: dict[tuple[Any, Any], list[int]], path: Any, end: Any
    ) -> list[tuple[list[int], int, int]]:
        """Where the places stand whose values have such an end there."""
        if not _in_order(end):
            places = ends.get((path, self._like(end)), [])
            return [(places, 0, len(places))]
        odd = ends.get((path, _ODD), [])
        numbers = self._numbers.get(path, ())
        return [(odd, 0, len(odd)), *((kind.places, *kind.span(end)) for kind in numbers)]


def _ends(value: Any, path: tuple[Any, ...] = ()) -> Iterator[End]:
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _ends(inside, (*path, key))
    elif not isinstance(value, list):
        yield path, value
    elif numbers := [item for item in value if get_type(item) == "number"]:
        plain = all(isinstance(item, float) or abs(item) <= _EXACT for item in numbers)
        plain = plain and all(map(_in_order, numbers))
        yield (*path, _LEAST), float(min(numbers)) if plain else _ODD
        yield (*path, _MOST), float(max(numbers)) if plain else _ODD


def _in_order(value: Any) -> bool:
    """Whether it is a number that is near to others; NaN is near to itself only."""
    return get_type(value) == "number" and value == value  # noqa: PLR0124
