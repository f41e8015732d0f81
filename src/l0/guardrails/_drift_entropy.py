"""Drift into noise: neighbouring blocks whose characters are far less predictable than before."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

_EARLIER = 10  # blocks that must have come before
_MARGIN = 0.5  # bits above the mean
_ALL = 64  # blocks that are all measured; of later ones, every other


@cache
def _terms(size: int) -> list[float]:
    """What a character that comes n times adds, n * log2(n), for all n up to the size."""
    return [0.0] + [n * math.log2(n) for n in range(1, size + 1)]


class EntropyWatch:
    """Compares the Shannon entropy of each block of `size` characters with that of all before.

    Two neighbouring blocks must both lie above the mean of the blocks before them by half a bit and
    by `threshold` standard deviations. Once the mean has settled, one of two neighbours is
    measured, and the other only if that one stands out.
    """

    __slots__ = (
        "_block",
        "_counter",
        "_limit",
        "_measured",
        "_number",
        "_size",
        "_skipped",
        "_squares",
        "_sum",
        "_terms",
        "_threshold",
    )

    def __init__(self, size: int, threshold: float) -> None:
        self._size = size
        self._threshold = threshold
        self._terms = _terms(size)
        self._counter: Counter[str] = Counter()
        self._block = ""
        self._number = 0  # of the block being written
        self._measured = 0
        self._sum = 0.0
        self._squares = 0.0
        self._skipped = ""  # the block before, if it was not measured
        self._limit = math.inf  # that the block before was above, as must be this one

    @property
    def mean(self) -> float:
        """Bits a character, over the blocks measured so far."""
        return self._sum / self._measured if self._measured else 0.0

    def feed(self, text: str) -> bool:
        """Whether the new text completes such a pair of blocks."""
        if self._block:
            text = self._block + text
        size, number = self._size, self._number
        hit = False
        pos = 0
        for stop in range(size, len(text) + 1, size):
            if number & 1 or number < _ALL or self._limit != math.inf:
                hit = self._take(text[pos:stop]) or hit
            else:
                self._skipped = text[pos:stop]
            number += 1
            pos = stop
        self._number = number
        self._block = text[pos:]
        return hit

    def _take(self, block: str) -> bool:
        entropy = self._entropy(block)
        hit = entropy > self._limit
        self._limit = math.inf
        measured, total = self._measured, self._sum
        if (entropy - _MARGIN) * measured > total and measured >= _EARLIER:
            mean = total / measured
            spread = math.sqrt(max(0.0, self._squares / measured - mean * mean))
            limit = mean + max(_MARGIN, self._threshold * spread)
            if entropy > limit:
                self._limit = limit
                hit = hit or (self._skipped != "" and self._entropy(self._skipped) > limit)
        self._skipped = ""
        self._measured = measured + 1
        self._sum = total + entropy
        self._squares += entropy * entropy
        return hit

    def _entropy(self, block: str) -> float:
        """Bits a character: log2(size) - sum(n * log2(n)) / size over how often each one comes."""
        counter, terms = self._counter, self._terms
        counter.clear()
        counter.update(block)
        return (terms[-1] - sum(map(terms.__getitem__, counter.values()))) / self._size
