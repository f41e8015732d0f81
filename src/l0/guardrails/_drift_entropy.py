"""Drift into noise: neighbouring blocks whose characters are far less predictable than before."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections import Counter
from functools import cache

import msgspec

_EARLIER = 10  # blocks that must have come before
_MARGIN = 0.5  # bits above the mean
_ALL = 64  # blocks that all count for the mean; of later ones, every 64th
_ROUNDING = 1e-9
_FREQUENT = 16  # characters that most of a text is made of


@cache
def _logarithms(size: int) -> tuple[list[float], list[float]]:
    """log2(n), and n * log2(n), for all n up to the size; 0 for 0."""
    logs = [0.0, *map(math.log2, range(1, size + 1))]
    return logs, [n * log for n, log in enumerate(logs)]


@cache
def _most_bits(size: int) -> list[float]:
    """Minus the most bits that a block with n frequent characters can have, for all n to the size.

    They come equally often then, and all others once.
    """
    whole, kinds = size * math.log2(size), _FREQUENT
    return [n * math.log2(n / kinds) - whole if n > kinds else -whole for n in range(size + 1)]


def _marking(text: str) -> bytes:
    """A table for `bytes.translate` that tells the most frequent characters of a text."""
    table = bytearray(b"-" * 256)
    for char, _ in Counter(text).most_common(_FREQUENT):
        if char.isascii():
            table[ord(char)] = ord("+")
    return bytes(table)


class EntropyWatch(msgspec.Struct, gc=False, eq=False):
    """Compares the Shannon entropy of each block of `size` characters with that of all before.

    Two neighbouring blocks must both lie above the mean of the blocks before them by half a bit and
    by `threshold` standard deviations. Once the mean has settled, it is kept with every 64th block;
    of two neighbours one is looked at, measured only as far as it may stand out, and the other only
    if it does.
    """

    _size: int
    _threshold: float
    _logs: list[float] = []
    _terms: list[float] = []
    _counter: Counter[str] = msgspec.field(default_factory=Counter)
    _block: str = ""
    _number: int = 0  # of the block being written
    _counted: int = 0
    _sum: float = 0.0
    _squares: float = 0.0
    _floor: float = 0.0  # bits that a whole block must have to stand out
    _marking: bytes | None = None  # of the text in which the mean has settled
    _enough: int = sys.maxsize  # so many frequent characters leave a block below the floor
    _kinds: int = 1  # so many different characters it must have as well
    _skipped: str = ""  # the block before, if it was not looked at
    _limit: float = math.inf  # that the block before was above, as must be this one

    def __post_init__(self) -> None:
        self._logs, self._terms = _logarithms(self._size)

    @property
    def mean(self) -> float:
        """Bits a character, over the blocks that count."""
        return self._sum / self._counted if self._counted else 0.0

    def feed(self, text: str) -> bool:
        """Whether the new text completes such a pair of blocks."""
        if self._block:
            text = self._block + text
        size, number = self._size, self._number
        if self._marking is None and number >= _ALL:
            self._marking = _marking(text)
        marked = text.encode("ascii", "replace").translate(self._marking)
        hit = False
        pos, whole = 0, len(text) - len(text) % size
        while pos < whole:
            ahead = -number & 63  # blocks before the next one that counts for the mean
            if number < _ALL or not ahead or self._limit != math.inf:
                counts = number < _ALL or not ahead
                hit = self._take(text[pos : pos + size], counts=counts) or hit
                number += 1
                pos += size
                continue
            stop = min(whole, pos + ahead * size)
            at = self._suspect(text, marked, pos if number & 1 else pos + size, stop)
            if at < stop:
                if at > pos:
                    self._skipped = text[at - size : at]
                hit = self._take(text[at : at + size], counts=False) or hit
                stop = at + size
            number += (stop - pos) // size
            if at >= stop:
                self._skipped = text[stop - size : stop] if number & 1 else ""
            pos = stop
        self._number = number
        self._block = text[pos:]
        return hit

    def _suspect(self, text: str, marked: bytes, at: int, stop: int) -> int:
        """The first of every second block from `at` on that may stand out; `stop` if none may."""
        size, enough, kinds, count = self._size, self._enough, self._kinds, marked.count
        while at < stop:
            # Counting in bytes is five times as fast as anything that sees each character; where it
            # does not settle it, as in tables, the kinds do so in half the time of the rest.
            if count(b"+", at, at + size) < enough:
                block = text[at : at + size]
                found = len(set(block))
                if found >= kinds and self._may_stand_out(block.count(" "), found):
                    return at
            at += 2 * size
        return at

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
            if counted >= _ALL - 1:
                self._enough = bisect_left(_most_bits(self._size), -self._floor)
                self._kinds = bisect_left(self._logs, self._floor / self._size - _ROUNDING)
        return hit

    def _may_stand_out(self, blanks: int, kinds: int) -> bool:
        """Whether so many blanks and different characters can give a block above the floor."""
        terms = self._terms
        others = self._size - blanks
        # The most bits they can give: all others come equally often.
        spread = others * self._logs[kinds - (blanks > 0)]
        return terms[-1] - terms[blanks] - terms[others] + spread > self._floor

    def _entropy(self, block: str) -> float:
        """Bits a character: log2(size) - sum(n * log2(n)) / size over how often each one comes."""
        counter, terms = self._counter, self._terms
        counter.clear()
        counter.update(block)
        return (terms[-1] - sum(map(terms.__getitem__, counter.values()))) / self._size
