"""Drift into circles: sentences and phrases that come again and again, and plain loops."""

from __future__ import annotations

from collections import Counter

import msgspec

from l0.guardrails._loop import SAME, folded, similarity
from l0.guardrails._sentences import SentenceCounter

_STEP = 100  # folded characters between two looks, and in the window of the similarity
_LOOP = 0.9
_WORDS = 5
_SHARE, _LEAST = 0.6, 150  # what repeated phrases must cover: of the window, and in characters


class RepetitionWatch(msgspec.Struct, gc=False, eq=False):
    """Watches sentences, five-word phrases and similarity; `count` times is too often.

    Phrases and similarity are looked at where the folded text passes a multiple of 100 characters
    (from 200 on), and at the end. There, only what the text ends with is searched for in what
    stands before: a phrase covers more and more of a text only while the text ends with it.
    """

    _count: int
    _size: int
    _sentences: SentenceCounter
    _text: str = ""  # the end of the folded text
    _length: int = 0  # of all of it
    _looked: int = _STEP  # where it was looked at last
    _loop: bool = False  # it was a loop there

    def feed(self, text: str) -> str:
        """What repeats in the new text (not much longer than a window at a time), or nothing."""
        old = self._text
        fold = folded(text, old[-1:])
        all_text = self._text = old + fold
        self._length += len(fold)
        found = ""
        size, search = self._size, all_text.rfind
        begin = self._looked + _STEP + len(all_text) - self._length
        for end in range(begin, len(all_text) + 1, _STEP):
            # What stands here twice is seldom: a call for each place would cost more than to ask.
            if search(all_text[end - SAME : end], end - size if end > size else 0, end - 1) >= 0:
                found = self._look(end) or found
            else:
                self._loop = False
            self._looked += _STEP
        self._text = all_text[-size - 2 * _STEP :]
        if self._sentences.feed(text, 0):
            found = "sentence"
        return found

    def finish(self) -> str:
        """What repeats now that the text has ended, or nothing."""
        found = self._look(len(self._text)) if self._looked != self._length else ""
        window = self._text[-self._size :] + " "  # the last word is complete now
        return "phrases" if phrases_cover(window, self._count) else found

    def _look(self, end: int) -> str:
        before, self._loop = self._loop, False
        text = self._text
        start = max(0, end - self._size)
        final = text[max(0, end - SAME) : end]
        if text.rfind(final, start, end - 1) < 0:
            return ""
        self._loop = similarity(text, end, _STEP) > _LOOP
        if self._loop and before:
            return "loop"
        often = text.count(final, start, end) >= self._count
        return "phrases" if often and phrases_cover(text[start:end], self._count) else ""


def phrases_cover(text: str, count: int) -> bool:
    """Whether phrases of five words that come `count` times fill most of the text.

    The text may begin and end inside a word: its first and last are left out. Rows of tables say
    the same without harm: what has a pipe in it is no phrase.
    """
    if len(text) < _LEAST:
        return False
    words = text.split(" ")[1:-1]
    least = max(_LEAST, _SHARE * len(text))
    # Each word of such a phrase comes as often itself, which is a third of the work to tell.
    frequent = (len(word) * n + n for word, n in Counter(words).items() if n >= count)
    if sum(frequent) < least:
        return False
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    phrases = [tuple(words[at : at + _WORDS]) for at in range(len(words) - _WORDS + 1)]
    often = {
        phrase for phrase, times in Counter(phrases).items() if times >= count and "|" not in phrase
    }
    covered = reached = 0
    for at, phrase in enumerate(phrases):
        if phrase in often:
            end = starts[at + _WORDS] - 1
            covered += end - max(reached, starts[at])
            reached = end
    return covered >= least
