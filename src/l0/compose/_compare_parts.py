"""What comparisons are made of: types by name, equality, texts brought into one form."""

from __future__ import annotations

import math
from collections import Counter
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
