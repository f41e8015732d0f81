"""Drift of manner: a change of tone, or markdown that stops, from window to window."""

from __future__ import annotations

import re

from l0.guardrails._phrases import lowered

_AHEAD = 256  # what begins in a window is read to its end
_WORD_AHEAD = 16  # the longest word and one more
_MARKS = 3  # more marks than that make a window markdown
_SHIFT = 4
_FORMAL = frozenset(
    (
        "therefore",
        "furthermore",
        "moreover",
        "consequently",
        "nevertheless",
        "thus",
        "hence",
        "hereby",
        "accordingly",
        "notwithstanding",
    )
)
_INFORMAL = frozenset(
    (
        "gonna",
        "wanna",
        "kinda",
        "yeah",
        "hey",
        "lol",
        "dude",
        "awesome",
        "btw",
        "ok",
        "okay",
        "stuff",
    )
)
_WORDS = {
    word: (re.compile(rf"{word}(?<!\w{word})(?!\w)"), 1 if word in _FORMAL else -1)
    for word in sorted(_FORMAL | _INFORMAL)
}
_LINE_MARK = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+][ \t]|\d{1,9}[.)][ \t]|\|)")
_PAIRS = (
    ("**", re.compile(r"\*\*(?=\S)[^*\n]{1,200}\*\*")),
    ("__", re.compile(r"__(?=\S)[^_\n]{1,200}__")),
    ("](", re.compile(r"\[[^\[\]\n]{1,200}\]\([^()\s]{1,200}\)")),
    ("*", re.compile(r"\*(?<![\w*\\]\*)(?=[^\s*])[^*\n]{1,200}\*(?![\w*])")),
    ("_", re.compile(r"_(?<![\w\\]_)(?=[^\s_])[^_\n]{1,200}_(?!\w)")),
)


class WindowWatch:
    """Measures windows of `size` characters, one after the other."""

    __slots__ = (
        "_before",
        "_context",
        "_fences",
        "_markdown",
        "_marks",
        "_size",
        "_start",
        "_text",
        "_tone",
    )

    def __init__(self, size: int, *, tone: bool, markdown: bool) -> None:
        self._size = size
        self._tone = tone
        self._markdown = markdown
        self._text = ""
        self._start = 0  # of the window being written, in judged characters
        self._context = ""  # the character before the window
        self._before: int | None = None  # the tone of the window before
        self._marks = (0, 0)  # of the two windows before
        self._fences: list[int] = []

    def fence(self, ahead: int) -> None:
        """A fence begins so many characters after the text fed: its code is not seen, but marks."""
        self._fences.append(self._start + len(self._text) + ahead)

    def feed(self, text: str) -> tuple[bool, bool]:
        """Whether the tone has shifted, and whether the markdown has stopped."""
        self._text += text
        return self._measure(self._size + _AHEAD)

    def finish(self) -> tuple[bool, bool]:
        """The same, now that the text has ended."""
        return self._measure(self._size)

    def _measure(self, needed: int) -> tuple[bool, bool]:
        shifted = stopped = False
        pos, size, text = 0, self._size, self._text
        while len(text) - pos >= needed:
            window = self._context + text[pos : pos + size + _AHEAD]
            if self._tone:
                shifted = self._shifts(window) or shifted
            if self._markdown:
                stopped = self._stops(window) or stopped
            pos += size
            self._start += size
            self._context = text[pos - 1]
        if pos:
            self._text = text[pos:]
        return shifted, stopped

    def _shifts(self, window: str) -> bool:
        first = len(self._context)
        end = first + self._size
        window = lowered(window[: end + _WORD_AHEAD])
        tone = 0
        for word, (pattern, weight) in _WORDS.items():
            if word in window:  # the quickest way to no
                found = pattern.finditer(window, first)
                tone += weight * sum(match.start() < end for match in found)
        before, self._before = self._before, tone
        return before is not None and abs(tone - before) >= _SHIFT

    def _stops(self, window: str) -> bool:
        fences = [at for at in self._fences if at < self._start + self._size]
        if fences:
            self._fences = self._fences[len(fences) :]
        marks = len(fences) + _marks(window, len(self._context), self._size)
        earlier, last = self._marks
        self._marks = (last, marks)
        return earlier > _MARKS and not last and not marks


def _marks(window: str, first: int, size: int) -> int:
    """Markdown marks that begin in `size` characters from `first`; counted until there are enough.

    What the line breaks and pairs of marks say is quick to see; single `*` and `_` come last.
    """
    end = first + size
    marks = 0
    if window[:first] in {"", "\n"} and _LINE_MARK.match(window, first):
        marks = 1
    line = window.find("\n", first, end - 1) + 1
    while line:
        if _LINE_MARK.match(window, line):
            marks += 1
        line = window.find("\n", line, end - 1) + 1
    if marks > _MARKS:
        return marks
    for sign, pattern in _PAIRS:
        if sign in window:
            marks += sum(found.start() < end for found in pattern.finditer(window, first))
            if marks > _MARKS:
                break
    return marks
