"""Drift into circles: sentences and phrases that come again and again, and plain loops."""

from __future__ import annotations

from collections import Counter

from l0.guardrails._loop import LoopMeter
from l0.guardrails._sentences import SentenceCounter

_WINDOW = 100  # of the similarity
_LOOP = 0.9
_WORDS = 5
_TAIL = 160  # characters at the end in which five words are looked for
_SHARE, _LEAST = 0.6, 150  # what repeated phrases must cover: of the window, and in characters


class RepetitionWatch:
    """Watches sentences, five-word phrases and similarity; `count` times is too often."""

    __slots__ = ("_count", "_previous", "_sentences", "_size", "meter")

    def __init__(self, count: int, size: int) -> None:
        self.meter = LoopMeter(_WINDOW, keep=size + _WINDOW)
        self._sentences = SentenceCounter(count)
        self._count = count
        self._size = size
        self._previous = 0.0

    def feed(self, text: str) -> str:
        """What repeats in the new text (at most 100 characters at a time), or nothing."""
        found = ""
        meter = self.meter
        if marks := meter.feed(text, 0):
            found = self._loops(marks[0][0])
            end = len(meter.text) - (meter.length - meter.measured)
            if phrases_cover(meter.text, max(0, end - self._size), end, self._count):
                found = "phrases"
        if self._sentences.feed(text, 0):
            found = "sentence"
        return found

    def finish(self) -> str:
        """What repeats now that the text has ended, or nothing."""
        mark = self.meter.finish()
        found = self._loops(mark[0]) if mark else ""
        text = self.meter.text[-self._size :] + " "
        return "phrases" if phrases_cover(text, 0, len(text), self._count) else found

    def _loops(self, share: float) -> str:
        previous, self._previous = self._previous, share
        return "loop" if share > _LOOP and previous > _LOOP else ""


def phrases_cover(text: str, start: int, end: int, count: int) -> bool:
    """Whether phrases of five words that come `count` times fill most of the text between.

    The text may begin and end inside a word. Looks closely only if its last five words do come
    that often: what covers more and more of a text is what it ends with.
    """
    parts = text[max(start, end - _TAIL) : end].rsplit(" ", _WORDS + 1)
    if len(parts) < _WORDS + 2:
        return False
    if text.count(" ".join(parts[1:-1]), start, end) < count:
        return False
    text = text[start:end]
    words = text.split(" ")[1:-1]
    starts = [0] * len(words)
    for index in range(1, len(words)):
        starts[index] = starts[index - 1] + len(words[index - 1]) + 1
    grams = list(zip(*(words[offset:] for offset in range(_WORDS)), strict=False))
    often = {gram for gram, times in Counter(grams).items() if times >= count}
    covered = reached = 0
    for index, gram in enumerate(grams):
        if gram in often:
            end = starts[index + _WORDS - 1] + len(words[index + _WORDS - 1])
            covered += end - max(reached, starts[index])
            reached = end
    return covered >= max(_LEAST, _SHARE * len(text))
