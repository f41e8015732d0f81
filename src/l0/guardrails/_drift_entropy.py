"""Drift into noise: neighbouring blocks whose characters are far less predictable than before."""

from __future__ import annotations

import math
from collections import Counter

_EARLIER = 10  # blocks that must have come before
_MARGIN = 0.5  # bits above the mean


class EntropyWatch:
    """Compares the Shannon entropy of each block of `size` characters with that of all before.

    Two neighbouring blocks must both lie above the mean of the blocks before them by half a bit and
    by `threshold` standard deviations.
    """

    __slots__ = (
        "_block",
        "_count",
        "_counter",
        "_limit",
        "_size",
        "_squares",
        "_sum",
        "_terms",
        "_threshold",
    )

    def __init__(self, size: int, threshold: float) -> None:
        self._size = size
        self._threshold = threshold
        self._terms = [0.0] + [n * math.log2(n) for n in range(1, size + 1)]
        self._counter: Counter[str] = Counter()
        self._block = ""
        self._count = 0
        self._sum = 0.0
        self._squares = 0.0
        self._limit = math.inf  # that the block before was above, as it must be for this one too

    @property
    def mean(self) -> float:
        """Bits a character, over all blocks so far."""
        return self._sum / self._count if self._count else 0.0

    def feed(self, text: str) -> bool:
        """Whether the new text completes such a pair of blocks."""
        size = self._size
        text = self._block + text
        hit = False
        pos = 0
        while pos + size <= len(text):
            hit = self._take(text[pos : pos + size]) or hit
            pos += size
        self._block = text[pos:]
        return hit

    def _take(self, block: str) -> bool:
        counter = self._counter
        counter.clear()
        counter.update(block)
        size = self._size
        # H = log2(size) - sum(n * log2(n)) / size
        entropy = (
            self._terms[size] / size - sum(map(self._terms.__getitem__, counter.values())) / size
        )
        hit = entropy > self._limit
        self._limit = math.inf
        count = self._count
        if count >= _EARLIER:
            mean = self._sum / count
            spread = math.sqrt(max(0.0, self._squares / count - mean * mean))
            limit = mean + max(_MARGIN, self._threshold * spread)
            if entropy > limit:
                self._limit = limit
        self._count = count + 1
        self._sum += entropy
        self._squares += entropy * entropy
        return hit
