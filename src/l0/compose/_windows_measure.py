"""How far a stretch of a document may reach before it counts too much."""

from __future__ import annotations

from collections.abc import Callable

from l0.compose._windows_config import WindowConfig
from l0.formatting import estimate_chars_for_tokens, estimate_tokens


class Measure:
    """Counts stretches of one document in the unit of its configuration.

    Characters and the default estimate of tokens follow from the length. A caller's own estimate is
    searched, beginning with how far the stretch before reached: a handful of calls a chunk.
    """

    def __init__(self, document: str, config: WindowConfig) -> None:
        self.document = document
        self.config = config
        self.tokens: Callable[[str], int] = config.estimate_tokens or estimate_tokens
        self._searched = config.strategy != "char" and config.estimate_tokens is not None
        self._chars = 1 if config.strategy == "char" else estimate_chars_for_tokens(1)
        self._reached: dict[int, int] = {}  # by limit, how many characters fitted last

    def fits(self, start: int, end: int, limit: int) -> bool:
        """Whether this stretch counts at most `limit`."""
        if self._searched:
            return self.tokens(self.document[start:end]) <= limit
        return end - start <= limit * self._chars

    def reach(self, start: int, limit: int) -> int:
        """The furthest end of a stretch from `start` that fits; `start` if nothing does."""
        most = len(self.document) - start
        return start + self._stretch(limit, most, lambda n: self.fits(start, start + n, limit))

    def back(self, end: int, limit: int, least: int) -> int:
        """The earliest start, from `least` on, of a stretch up to `end` that fits."""
        most = end - least
        return end - self._stretch(limit, most, lambda n: self.fits(end - n, end, limit))

    def _stretch(self, limit: int, most: int, fits: Callable[[int], bool]) -> int:
        if not self._searched:
            return min(most, limit * self._chars)
        guess = self._reached.get(limit, limit * self._chars)
        self._reached[limit] = found = furthest(fits, 0, guess, most)
        return found


def furthest(fits: Callable[[int], bool], low: int, guess: int, high: int) -> int:
    """The largest number from `low` to `high` that fits, looking around a guess first.

    `low` is taken to fit; so is what is smaller than something that fits.
    """
    if low >= high:
        return low
    near = min(max(guess, low + 1), high)
    step = 1
    if fits(near):
        low = near
        while low < high:
            near = min(high, low + step)
            if not fits(near):
                high = near - 1
                break
            low, step = near, step * 2
    else:
        high = near - 1
        while low < high:
            near = max(low + 1, high - step)
            if fits(near):
                low = near
                break
            high, step = near - 1, step * 2
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
