"""Percentiles of many numbers in little memory, and of few numbers exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable

_GROWTH = math.log(1.02)  # neighbouring buckets differ by 2 %, so an answer is off by 1 % at most
_LEAST = 1e-6


class Quantiles:
    """Percentiles of positive numbers, to 1 %, whatever their number; 0 counts as a millionth.

    Example:
        >>> many = Quantiles()
        >>> many.add(value / 1000 for value in range(1001))
        >>> round(many.at(0.5), 2), round(many.at(0.99), 2)
        (0.5, 0.98)
    """

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0

    def add(self, values: Iterable[float]) -> None:
        """More numbers."""
        buckets, log = self._buckets, math.log
        for value in values:
            index = round(log(max(value, _LEAST)) / _GROWTH)
            buckets[index] = buckets.get(index, 0) + 1
            self.count += 1

    def at(self, share: float) -> float | None:
        """The number below which this share of them lies; None of none."""
        left = share * max(0, self.count - 1)
        for index in sorted(self._buckets):
            left -= self._buckets[index]
            if left < 0:
                return math.exp(index * _GROWTH)
        return None


def percentile(values: Iterable[float], share: float) -> float | None:
    """The exact percentile of a few numbers, between two of them if need be; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
