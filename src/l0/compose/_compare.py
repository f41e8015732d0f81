"""What was expected and what came, held side by side."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, Self

from l0.compose._compare_candidates import Candidates
from l0.compose._compare_parts import (
    Numbers,
    check_tolerance,
    cosine,
    get_type,
    near,
    normal,
    same,
    trait,
)
from l0.compose._consensus_values import canonical, plain
from l0.compose._similarity import likeness

Kind = Literal["missing", "extra", "type", "changed"]
Weight = Literal["error", "warning", "info"]

_WEIGHTS: Final = {"error": 1.0, "warning": 0.5, "info": 0.1}
_NEAR = 0.8  # a text so similar is a warning, not an error


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected; `path` leads to it, as in `items[0].name`.

    `kind` is missing, extra, type (another kind of value) or changed. `severity` is error, or
    warning for what is extra and for texts that are much alike, or info for texts that differ in
    case and blanks only.
    """

    path: str
    kind: Kind
    expected: Any
    actual: Any
    severity: Weight
    message: str


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What counts as different.

    Args:
        tolerance: numbers so near are equal; absolute.
        case_sensitive: whether upper and lower case differ.
        normalize_whitespace: whether runs of blanks count as one, and those around as none.
        ignore_array_order: compare lists as multisets.
        ignore_extra_fields: what was not expected in a dict is no difference.

    Raises:
        ValueError: the tolerance is negative or no number.

    Example:
        >>> CompareOptions().replace(tolerance=0).tolerance
        0
    """

    tolerance: float = 0.001
    case_sensitive: bool = True
    normalize_whitespace: bool = True
    ignore_array_order: bool = False
    ignore_extra_fields: bool = False

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)

    def replace(self, **changes: Any) -> Self:
        """The same options with some changed."""
        return dataclasses.replace(self, **changes)


class Compare:
    """Comparisons of texts, numbers and data; a namespace, there is nothing to make.

    Models, dataclasses and structs are compared as dicts, tuples as lists.

    Example:
        >>> found = Compare.values({"city": "Oslo", "rain": 3}, {"city": "Bergen", "rain": 3})
        >>> [(each.path, each.message) for each in found]
        [('city', "expected 'Oslo', got 'Bergen'")]
        >>> Compare.similarity_score(found, 2)
        0.5
    """

    __slots__ = ()

    @staticmethod
    def strings(
        a: str,
        b: str,
        *,
        case_sensitive: bool = True,
        normalize_whitespace: bool = True,
        algorithm: Literal["levenshtein", "jaro-winkler", "cosine"] = "levenshtein",
    ) -> float:
        """How similar two texts are, from 0.0 to 1.0.

        "levenshtein" counts edits, "jaro-winkler" favours a common beginning, "cosine" compares how
        often each word comes.

        Raises:
            ValueError: there is no such algorithm.

        Example:
            >>> Compare.strings("kitten", "sitting") == 1 - 3 / 7
            True
            >>> Compare.strings("the cat sat", "sat the  CAT", case_sensitive=False,
            ...                 algorithm="cosine")
            1.0
        """
        if algorithm not in {"levenshtein", "jaro-winkler", "cosine"}:
            raise ValueError(
                f"algorithm is 'levenshtein', 'jaro-winkler' or 'cosine'; not {algorithm!r}"
            )
        a, b = (normal(text, case_sensitive, normalize_whitespace) for text in (a, b))
        if a == b:
            return 1.0
        if algorithm == "cosine":
            return cosine(Counter(a.split()), Counter(b.split()))
        from rapidfuzz.distance import JaroWinkler, Levenshtein

        measure = Levenshtein if algorithm == "levenshtein" else JaroWinkler
        return float(measure.normalized_similarity(a, b))

    @staticmethod
    def levenshtein_distance(a: str, b: str) -> int:
        """How many characters have to be inserted, removed or replaced to make `b` of `a`.

        Memory in proportion to the texts, not to their product.

        Example:
            >>> Compare.levenshtein_distance("kitten", "sitting")
            3
        """
        from rapidfuzz.distance import Levenshtein

        return int(Levenshtein.distance(a, b))

    @staticmethod
    def numbers(a: float, b: float, tolerance: float = 0.001) -> bool:
        """Whether two numbers differ by at most `tolerance`; NaN equals NaN.

        Raises:
            ValueError: the tolerance is negative or no number.

        Example:
            >>> Compare.numbers(0.1 + 0.2, 0.3), Compare.numbers(1, 2)
            (True, False)
        """
        check_tolerance(tolerance)
        return near(a, b, tolerance)

    @staticmethod
    def deep_equal(a: Any, b: Any) -> bool:
        """Whether two values are the same at every level; True is not 1, but 1 is 1.0.

        Example:
            >>> Compare.deep_equal({"a": [1, 2]}, {"a": (1.0, 2)}), Compare.deep_equal(True, 1)
            (True, False)
        """
        return same(plain(a), plain(b))

    @staticmethod
    def values(
        expected: Any, actual: Any, options: CompareOptions | None = None
    ) -> list[Difference]:
        """Every difference between two values of any kind, in the order of `expected`.

        Example:
            >>> Compare.values([1, 2], [2, 1], CompareOptions(ignore_array_order=True))
            []
            >>> [each.path for each in Compare.values({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})]
            ['a[1].b']
        """
        return _values("", plain(expected), plain(actual), options or CompareOptions())

    @staticmethod
    def arrays(
        expected: Iterable[Any], actual: Iterable[Any], options: CompareOptions | None = None
    ) -> list[Difference]:
        """Every difference between two lists; without regard to order, between two multisets.

        Example:
            >>> [each.message for each in Compare.arrays([1, 2, 2], [2, 1])]
            ['expected 1, got 2', 'expected 2, got 1', 'expected 2, got nothing']
        """
        return _arrays("", plain(list(expected)), plain(list(actual)), options or CompareOptions())

    @staticmethod
    def objects(
        expected: Any, actual: Any, options: CompareOptions | None = None
    ) -> list[Difference]:
        """Every difference between two dicts, or what counts as one.

        Raises:
            TypeError: one of them has no fields.

        Example:
            >>> [each.kind for each in Compare.objects({"a": 1, "b": "x"}, {"b": 2, "c": 3})]
            ['missing', 'type', 'extra']
        """
        one, other = plain(expected), plain(actual)
        for value in (one, other):
            if not isinstance(value, dict):
                raise TypeError(f"objects have fields; {value!r} is {get_type(value)}, use values")
        return _objects("", one, other, options or CompareOptions())

    @staticmethod
    def similarity_score(differences: Iterable[Difference], total: int) -> float:
        """The share of `total` fields that is as expected, from 0.0 to 1.0.

        An error counts 1, a warning 0.5, an info 0.1. `count_fields(expected)` gives the total.

        Example:
            >>> found = Compare.objects({"a": 1}, {"a": 1, "b": 2})
            >>> Compare.similarity_score(found, 1)
            0.5
        """
        lost = math.fsum(_WEIGHTS[each.severity] for each in differences)
        if total <= 0:
            return 0.0 if lost else 1.0
        return max(0.0, 1 - lost / total)

    @staticmethod
    def count_fields(value: Any) -> int:
        """How many values there are at the ends of all paths; an empty dict or list is one.

        Example:
            >>> Compare.count_fields({"a": 1, "b": [1, 2, {}]})
            4
        """
        data = plain(value)
        if isinstance(data, dict | list) and data:
            items = data.values() if isinstance(data, dict) else data
            return sum(Compare.count_fields(item) for item in items)
        return 1

    @staticmethod
    def get_type(value: Any) -> str:
        """What JSON calls it: null, boolean, number, string, array or object; else its class.

        Example:
            >>> Compare.get_type(True), Compare.get_type(1.5), Compare.get_type((1, 2))
            ('boolean', 'number', 'array')
        """
        return get_type(plain(value))


# --- the differences ------------------------------------------------------------------------


def _values(path: str, expected: Any, actual: Any, options: CompareOptions) -> list[Difference]:
    wanted, got = get_type(expected), get_type(actual)
    if wanted != got:
        message = f"expected {wanted} {expected!r}, got {got} {actual!r}"
        return [Difference(path, "type", expected, actual, "error", message)]
    if isinstance(expected, dict):
        return _objects(path, expected, actual, options)
    if isinstance(expected, list):
        return _arrays(path, expected, actual, options)
    severity: Weight = "error"
    if wanted == "string":
        one, other = (
            normal(text, options.case_sensitive, options.normalize_whitespace)
            for text in (expected, actual)
        )
        if one == other:
            return []
        severity = _severity(expected, actual)
    elif wanted == "number":
        if Compare.numbers(expected, actual, options.tolerance):
            return []
    elif same(expected, actual):
        return []
    return [_changed(path, expected, actual, severity)]


def _severity(expected: str, actual: str) -> Weight:
    one, other = (normal(text, False, True) for text in (expected, actual))
    if one == other:
        return "info"
    return "warning" if likeness(expected, actual, exact=True) >= _NEAR else "error"


def _changed(path: str, expected: Any, actual: Any, severity: Weight) -> Difference:
    message = f"expected {expected!r}, got {actual!r}"
    return Difference(path, "changed", expected, actual, severity, message)


def _missing(path: str, expected: Any) -> Difference:
    return Difference(
        path, "missing", expected, None, "error", f"expected {expected!r}, got nothing"
    )


def _extra(path: str, actual: Any) -> Difference:
    return Difference(path, "extra", None, actual, "warning", f"{actual!r} was not expected")


def _objects(
    path: str, expected: dict[Any, Any], actual: dict[Any, Any], options: CompareOptions
) -> list[Difference]:
    found = []
    for key, value in expected.items():
        below = f"{path}.{key}" if path else str(key)
        if key in actual:
            found += _values(below, value, actual[key], options)
        else:
            found.append(_missing(below, value))
    if not options.ignore_extra_fields:
        found += [
            _extra(f"{path}.{key}" if path else str(key), value)
            for key, value in actual.items()
            if key not in expected
        ]
    return found


def _arrays(
    path: str, expected: list[Any], actual: list[Any], options: CompareOptions
) -> list[Difference]:
    if options.ignore_array_order:
        return _multisets(path, expected, actual, options)
    found = []
    for index in range(max(len(expected), len(actual))):
        below = f"{path}[{index}]"
        if index >= len(actual):
            found.append(_missing(below, expected[index]))
        elif index >= len(expected):
            found.append(_extra(below, actual[index]))
        else:
            found += _values(below, expected[index], actual[index], options)
    return found


def _multisets(
    path: str, expected: list[Any], actual: list[Any], options: CompareOptions
) -> list[Difference]:
    """What is left when each expected item has taken an equal one, the very same ones first."""
    at: dict[str, list[int]] = {}
    for index in reversed(range(len(actual))):
        at.setdefault(canonical(actual[index], trim=False), []).append(index)
    unmet, taken = [], set()
    for index, item in enumerate(expected):
        equal = at.get(canonical(item, trim=False))
        if equal:
            taken.add(equal.pop())
        else:
            unmet.append(index)
    free: dict[Any, list[tuple[int, Any]]] = {}
    placed = []
    for index, item in enumerate(actual):
        if index in taken:
            continue
        if get_type(item) == "number":
            placed.append((index, item))
        else:
            free.setdefault(_trait(item, options), []).append((index, item))
    alike = {
        key: Candidates(others, partial(_like, options=options), options.tolerance)
        for key, others in free.items()
    }
    numbers, found = Numbers(placed, options.tolerance), []
    for index in unmet:
        item = expected[index]
        if get_type(item) == "number":
            place = numbers.take(item)
        else:
            others = alike.get(_trait(item, options))
            place = others.take(item, partial(_equal, options, item)) if others else None
        if place is None:
            found.append(_missing(f"{path}[{index}]", item))
        else:
            taken.add(place)
    return found + [
        _extra(f"{path}[{index}]", item) for index, item in enumerate(actual) if index not in taken
    ]


def _equal(options: CompareOptions, expected: Any, actual: Any) -> bool:
    return not _values("", expected, actual, options)


def _trait(value: Any, options: CompareOptions) -> Any:
    """What a value must share with another one to be worth comparing with it."""
    return None if options.ignore_extra_fields else _like(value, options)


def _like(value: Any, options: CompareOptions) -> Any:
    return trait(value, options.case_sensitive, options.normalize_whitespace)
