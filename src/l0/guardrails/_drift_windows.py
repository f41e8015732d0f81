"""Drift of manner: a change of tone, or markdown that stops, from window to window."""

from __future__ import annotations

import re

import msgspec

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
# A set of words tells in 3 µs that 500 characters have none of these; 22 searches take 5 µs.
_ALL_WORDS = frozenset(word.encode() for word in _WORDS)
_LETTERS = bytes(code if chr(code).islower() and code < 128 else 32 for code in range(256))
_LINE_MARK = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+][ \t]|\d{1,9}[.)][ \t]|\|)")
_NEXT_MARK = re.compile("\n" + _LINE_MARK.pattern)
_PAIRS = {
    "*": (
        ("**", re.compile(r"\*\*(?=\S)[^*\n]{1,200}\*\*")),
        ("*", re.compile(r"\*(?<![\w*\\]\*)(?=[^\s*])[^*\n]{1,200}\*(?![\w*])")),
    ),
    "_": (
        ("__", re.compile(r"__(?=\S)[^_\n]{1,200}__")),
        ("_", re.compile(r"_(?<![\w\\]_)(?=[^\s_])[^_\n]{1,200}_(?!\w)")),
    ),
    "]": (("](", re.compile(r"\[[^\[\]\n]{1,200}\]\([^()\s]{1,200}\)")),),
}


class WindowWatch(msgspec.Struct, gc=False, eq=False):
    """Measures windows of `size` characters, one after the other."""

    _size: int
    _tone: bool
    _markdown: bool
    _text: str = ""
    _start: int = 0  # of the window being written, in judged characters
    _context: str = ""  # the character before the window
    _before: int | None = None  # the tone of the window before
    _marks: tuple[int, int] = (0, 0)  # of the two windows before
    _fences: dict[int, int] = {}  # how many begin in a window, by its number; at most enough

    def fence(self, ahead: int) -> None:
        """A fence begins so many characters after the text fed: its code is not seen, but marks."""
        if self._markdown:
            window = (self._start + len(self._text) + ahead) // self._size
            self._fences[window] = min(_MARKS + 1, self._fences.get(window, 0) + 1)

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
        words = window.encode("ascii", "replace").translate(_LETTERS).split()
        if not _ALL_WORDS.isdisjoint(words):
            for word, (pattern, weight) in _WORDS.items():
                if word in window:
                    found = pattern.finditer(window, first)
                    tone += weight * sum(match.start() < end for match in found)
        before, self._before = self._before, tone
        return before is not None and abs(tone - before) >= _SHIFT

    def _stops(self, window: str) -> bool:
        fences = self._fences.pop(self._start // self._size, 0)
        marks = fences + _marks(window, len(self._context), self._size)
        earlier, last = self._marks
        self._marks = (last, marks)
        return earlier > _MARKS and not last and not marks


def _marks(window: str, first: int, size: int) -> int:
    """Markdown marks that begin in `size` characters from `first`; counted until there are enough.

    What the line breaks say is quick to see; pairs of marks come last.
    """
    end = first + size
    marks = 1 if not first and _LINE_MARK.match(window) else 0
    for found in _NEXT_MARK.finditer(window):
        if found.start() >= end - 1:
            break
        marks += 1
        if marks > _MARKS:
            return marks
    for character, pairs in _PAIRS.items():
        if character in window:  # one character is ten times as fast to search for as two
            for sign, pattern in pairs:
                if sign in window:
                    marks += sum(found.start() < end for found in pattern.finditer(window, first))
                    if marks > _MARKS:
                        return marks
    return marks
