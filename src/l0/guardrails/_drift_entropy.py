"""Drift into noise: neighbouring blocks whose characters are far less predictable than before."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

_EARLIER = 10  # blocks that must have come before
_MARGIN = 0.5  # bits above the mean
_ALL = 64  # blocks that all count for the mean; of later ones, every eighth


@cache
def _logarithms(size: int) -> tuple[list[float], list[float]]:
    """log2(n), and n * log2(n), for all n up to the size; 0 for 0."""
    logs = [0.0, *map(math.log2, range(1, size + 1))]
    return logs, [n * log for n, log in enumerate(logs)]


class EntropyWatch:
    """Compares the Shannon entropy of each block of `size` characters with that of all before.

    Two neighbouring blocks must both lie above the mean of the blocks before them by half a bit and
    by `threshold` standard deviations. Once the mean has settled, it is kept with every eighth
    block; of two neighbours one is looked at, measured only as far as it may stand out, and the
    other only if it does.
    """

    __slots__ = (
        "_block",
        "_counted",
        "_counter",
        "_floor",
        "_limit",
        "_logs",
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
        self._logs, self._terms = _logarithms(size)
        self._counter: Counter[str] = Counter()
        self._block = ""
        self._number = 0  # of the block being written
        self._counted = 0
        self._sum = 0.0
        self._squares = 0.0
        self._floor = 0.0  # bits that a whole block must have to stand out
        self._skipped = ""  # the block before, if it was not looked at
        self._limit = math.inf  # that the block before was above, as must be this one

    @property
    def mean(self) -> float:
        """Bits a character, over the blocks that count."""
        return self._sum / self._counted if self._counted else 0.0

    def feed(self, text: str) -> bool:
        """Whether the new text completes such a pair of blocks."""
        if self._block:
            text = self._block + text
        size, number = self._size, self._number
        hit = False
        pos = 0
        for stop in range(size, len(text) + 1, size):
            block = text[pos:stop]
            if number < _ALL or not number & 7:
                hit = self._take(block, counts=True) or hit
            elif self._limit != math.inf or (number & 1 and self._may_stand_out(block)):
                hit = self._take(block, counts=False) or hit
            else:
                self._skipped = "" if number & 1 else block
            number += 1
            pos = stop
        self._number = number
        self._block = text[pos:]
        return hit

    def _take(self, block: str, *, counts: bool) -> bool:
        entropy = self._entropy(block)
        hit = entropy > self._limit
        self._limit = math.inf
        counted, total = self._counted, self._sum
        if counted >= _EARLIER and entropy * self._size > self._floor:
            mean = total / counted
            spread = math.sqrt(max(0.0, self._squares / counted - mean * mean))
            limit = mean + max(_MARGIN, self._threshold * spread)
            if entropy > limit:
                self._limit = limit
                hit = hit or (self._skipped != "" and self._entropy(self._skipped) > limit)
        self._skipped = ""
        if counts:
            self._counted = counted + 1
            self._sum = total + entropy
            self._squares += entropy * entropy
            self._floor = (self._sum / self._counted + _MARGIN) * self._size
        return hit

    def _may_stand_out(self, block: str) -> bool:
        """Whether so many blanks and different characters can give a block above the floor."""
        terms = self._terms
        blanks = block.count(" ")
        others = self._size - blanks
        # The most bits they can give: all others come equally often.
        spread = others * self._logs[len(set(block)) - (blanks > 0)]
        return terms[-1] - terms[blanks] - terms[others] + spread > self._floor

    def _entropy(self, block: str) -> float:
        """Bits a character: log2(size) - sum(n * log2(n)) / size over how often each one comes."""
        counter, terms = self._counter, self._terms
        counter.clear()
        counter.update(block)
        return (terms[-1] - sum(map(terms.__getitem__, counter.values()))) / self._size
