"""How much of the text repeats what stands just before it, measured on folded text."""

from __future__ import annotations

import re
from operator import eq, itemgetter

_CHUNK = 200  # characters folded and located at a time
_BLANKS = "\n\t\r\xa0\u3000"  # what a blank is, besides the blank
_ASCII_BLANKS = _BLANKS[:3]
_LINE_BREAK = re.compile(f"\n[ {_BLANKS}]*")
SAME = 16  # the end of the text that is looked for further back
# Runs of one punctuation mark are folded to one: ASCII, general, CJK and full-width marks, boxes.
_RUN = re.compile(
    r"([!-/:-@\[-`{-~\xa1-\xbf\u2010-\u2027\u2030-\u205e\u2500-\u25ff\u2e00-\u2e7f\u3001-\u303f"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65])\1+"
)

_ASCII_RUN = re.compile(r"([!-/:-@\[-`{-~])\1+")  # a tenth faster

_first_mark = itemgetter(1)


def folded(text: str, last: str) -> str:
    """The text with blank runs as one blank and runs of one punctuation mark as one mark.

    `last` is the last character of the folded text before: a run may go on from there.
    """
    if "\n" in text:  # in one go: looking for two blanks is slow where there are many
        text = _LINE_BREAK.sub(" ", text)
    ascii_only = text.isascii()
    for blank in _ASCII_BLANKS if ascii_only else _BLANKS:
        if blank in text:
            text = text.replace(blank, " ")
    size = -1
    while size != len(text):  # to replace and see costs no more than to ask first
        size = len(text)
        text = text.replace("  ", " ")
    text = (_ASCII_RUN if ascii_only else _RUN).sub(_first_mark, text)
    if text[:1] == last and (last == " " or _RUN.match(last + last)):
        text = text[1:]
    return text


def similarity(text: str, end: int, window: int) -> float:
    """The share of the `window` characters before `end` that equal the one a period before.

    The period is the distance to the latest earlier occurrence, at most `window` back, of the last
    16 characters; without one the share is 0.
    """
    final = text[max(0, end - SAME) : end]
    if len(final) < SAME:
        return 0.0
    at = text.rfind(final, max(0, end - SAME - window), end - 1)
    if at < 0:
        return 0.0
    period = end - SAME - at
    here = text[max(0, end - window) : end]
    before = text[max(0, end - window - period) : end - period]
    if len(here) == len(before) and here == before:
        return len(here) / window
    equal: int = sum(map(eq, reversed(here), reversed(before)))
    return equal / window


class LoopMeter:
    """Measures the similarity at every multiple of `window`, from the second, and at the end."""

    __slots__ = ("_length", "_looked", "_next", "_starts", "_text", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._text = ""  # the end of the folded text
        self._length = 0  # of all of it
        self._looked = 0  # where it was measured last
        self._next = 2 * window
        self._starts: dict[int, int] = {}  # of the last windows: their offset in the text

    def feed(self, text: str, start: int) -> list[tuple[float, int]] | None:
        """Take more text; gives the similarity at each mark passed, and its window's offset."""
        if len(text) <= _CHUNK:
            return self._take(text, start)
        marks: list[tuple[float, int]] = []
        for pos in range(0, len(text), _CHUNK):
            marks += self._take(text[pos : pos + _CHUNK], start + pos) or ()
        return marks or None

    def finish(self) -> tuple[float, int] | None:
        """The similarity at the end, if it was not measured there already."""
        return self._measure(self._length) if self._looked < self._length else None

    def _take(self, text: str, start: int) -> list[tuple[float, int]] | None:
        last = self._text[-1:]
        fold = folded(text, last)
        before = self._length
        length = self._length = before + len(fold)
        if -(-length // self._window) != -(-before // self._window):
            self._locate(text, start, last, before, same=len(fold) == len(text))
        self._text += fold
        marks: list[tuple[float, int]] | None = None
        while self._next <= length:
            marks = marks or []
            marks.append(self._measure(self._next))
            self._next += self._window
        if len(self._text) > 4 * self._window + _CHUNK:
            self._text = self._text[-2 * self._window - SAME :]
        return marks

    def _measure(self, mark: int) -> tuple[float, int]:
        self._looked = mark
        share = similarity(self._text, mark - self._length + len(self._text), self._window)
        return share, self._starts.get(max(0, mark // self._window - 1), 0)

    def _locate(self, text: str, start: int, last: str, before: int, *, same: bool) -> None:
        """Note where in the text the windows begin whose first character has come."""
        window = self._window
        for number in range(-(-before // window), -(-self._length // window)):
            index = number * window - before
            self._starts[number] = start + (index if same else _index_of(text, last, index))
            self._starts.pop(number - 4 - _CHUNK // window, None)


def _index_of(text: str, last: str, wanted: int) -> int:
    """The index in the text of a character of its folded form."""
    for index, char in enumerate(text):
        fold = " " if char in _BLANKS else char
        if fold == last and (fold == " " or _RUN.match(fold + fold)):
            continue
        if not wanted:
            return index
        wanted -= 1
        last = fold
    raise AssertionError(wanted)
