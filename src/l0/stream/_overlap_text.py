"""How a text is compared with one that is still arriving: folded, as an ending, from the start.

The matcher in `_overlap` decides between the two ways of following a text; what a word and what
substance is stands below them.
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK = 4096  # characters of a checkpoint folded at a time
_STEP = 256  # characters compared at once
_BLANKS = re.compile(r"\s+")
_JOINER = "\u200d"
_APOSTROPHES = "'\u2019"
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")

# Scripts whose words stand side by side: any character may begin one.
_UNSPACED = re.compile(
    "["
    "\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u1950-\u19ff\u1a20-\u1aaf"  # Tai Le, New Tai Lue, Tai Tham
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b"  # CJK radicals, numerals, marks
    "\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Hiragana, Katakana, Bopomofo
    "\u3400-\u4dbf\u4e00-\ua4cf"  # Han, Yi
    "\ua980-\ua9ff\uaa60-\uaadf"  # Javanese, Myanmar and Tai extensions
    "\uf900-\ufaff\uff66-\uff9f"  # Han compatibility, halfwidth Katakana
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"  # Kana supplements, Han extensions
    "]"
)


@dataclass(frozen=True, slots=True)
class Folding:
    """Turns text into what is compared, and compared lengths back into offsets of the text.

    Case is folded character by character, so a folded text may be longer than its source ("ß" is
    compared as "ss"); with `normalize_whitespace` each run of blanks is compared as one blank.
    """

    case_sensitive: bool = True
    normalize_whitespace: bool = False

    def fold(self, text: str, *, after_blank: bool = False) -> str:
        """What is compared of `text`; `after_blank` says that it goes on a run of blanks."""
        if not self.case_sensitive:
            text = text.casefold()
        if self.normalize_whitespace:
            text = _BLANKS.sub(" ", text)
            if after_blank:
                text = text.removeprefix(" ")
        return text

    def offsets(self, text: str, upto: int) -> Sequence[int]:
        """Where in `text` each compared length from 0 to `upto` ends.

        -1 stands for an end inside a character. An end in a run of blanks is the end of the run.
        """
        if self.case_sensitive and not self.normalize_whitespace:
            return range(upto + 1)
        ends = [0] + [-1] * upto
        length = 0
        in_blanks = False
        for offset, character in enumerate(text, 1):
            if self.normalize_whitespace and character.isspace():
                length += not in_blanks
                in_blanks = True
            else:
                length += 1 if self.case_sensitive else len(character.casefold())
                in_blanks = False
            if length > upto:
                break
            ends[length] = offset
        return ends


class Ending:
    """Finds the longest ending of a known text that begins a text still arriving.

    Searches the arriving text in the known one as Knuth, Morris and Pratt do, with a pattern that
    grows: while it is found somewhere before the end, a longer ending may still come true. When
    the known text is used up, what is matched is the longest ending, and its borders are the
    shorter ones.
    """

    __slots__ = ("_matched", "_pattern", "_scanned", "agreed", "alive", "borders", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.alive = bool(text)
        self.agreed = 0  # characters of the arriving text that stand in the known one, in one piece
        self.borders = [0]  # of each length of the pattern, its longest proper border
        self._pattern: list[str] = []
        self._matched = 0
        self._scanned = 0

    def follow(self, piece: str) -> None:
        """Take the next piece of the arriving text, as long as an ending longer than it lives."""
        for character in piece:
            if not self.alive:
                return
            self._grow(character)
            self._scan(len(self._pattern))
            if self._matched == len(self._pattern):
                self.agreed = self._matched
                self.alive = self._scanned < len(self.text)
            else:
                self.alive = False

    def overlap(self) -> int:
        """Length of the longest ending that begins the text so far."""
        while self._scanned < len(self.text) and self._pattern:
            self._matched = self.borders[self._matched]
            self._scan(len(self._pattern))
        return self._matched

    def boundary_after(self, other: Restatement) -> bool:
        """Say whether the text reached the end of the known text, and `other` was over by then."""
        # A restatement that failed has looked at one character more than it agreed with.
        seen = len(self._pattern)
        return not self.alive and self.agreed == seen and other.agreed < seen

    def _grow(self, character: str) -> None:
        pattern, borders = self._pattern, self.borders
        length = 0
        if pattern:
            length = borders[-1]
            while length and pattern[length] != character:
                length = borders[length]
            length += pattern[length] == character
        borders.append(length)
        pattern.append(character)

    def _scan(self, full: int) -> None:
        """Search on, until the first `full` characters are found or the known text is used up."""
        text, pattern, borders = self.text, self._pattern, self.borders
        matched, scanned = self._matched, self._scanned
        while matched < full and scanned < len(text):
            if not matched:
                scanned = text.find(pattern[0], scanned)
                if scanned < 0:
                    scanned = len(text)
                    break
                matched = 1
            else:
                while matched and pattern[matched] != text[scanned]:
                    matched = borders[matched]
                matched += pattern[matched] == text[scanned]
            scanned += 1
        self._matched, self._scanned = matched, scanned


class Restatement:
    """Follows an arriving text along a known one from its beginning."""

    __slots__ = ("_at", "_block", "_folding", "_next", "_text", "agreed", "alive", "passed")

    def __init__(self, text: str, folding: Folding) -> None:
        self._text = text
        self._folding = folding
        self._block = ""
        self._at = 0
        self._next = 0
        self.agreed = 0
        self.passed = False
        self.alive = self._ahead()

    def follow(self, piece: str) -> None:
        """Take the next piece of the arriving text, as long as it agrees."""
        start = 0
        while self.alive and start < len(piece):
            size = min(len(piece) - start, len(self._block) - self._at)
            theirs = piece[start : start + size]
            ours = self._block[self._at : self._at + size]
            if theirs != ours:
                self.agreed += common_length(theirs, ours)
                self.alive = False
                return
            start += size
            self._at += size
            self.agreed += size
            self.alive = self._ahead()
            self.passed = not self.alive

    def _ahead(self) -> bool:
        """Fold on, so that there is something to compare with; False at the end of the text."""
        while self._at == len(self._block) and self._next < len(self._text):
            after_blank = self._next > 0 and self._text[self._next - 1].isspace()
            block = self._text[self._next : self._next + _BLOCK]
            self._next += len(block)
            self._block, self._at = self._folding.fold(block, after_blank=after_blank), 0
        return self._at < len(self._block)


def begins_word(text: str, at: int) -> bool:
    """Say whether a word of `text` begins at offset `at`.

    The blanks before a word and the punctuation that opens it (`"name"`, `(see`, `- item`) belong
    to it; punctuation right behind a word (`, next`) does not begin one. "don't" and "3.14" are
    one word each. In scripts without blanks each character may begin a word, but never a
    combining mark or the rest of a joined emoji.
    """
    if at == 0:
        return True
    before, here = text[at - 1], text[at]
    if before == _JOINER or _extends(here):
        return False
    if here.isspace() or _UNSPACED.match(here):
        return True
    if _in_word(before):
        # A change of script is a border too: 「これはtest」.
        return _in_word(here) and _UNSPACED.match(before) is not None
    return not (at >= 2 and _joined(text[at - 2], before, here))


def common_length(left: str, right: str) -> int:
    """How many characters the beginnings of two texts have in common."""
    at, end = 0, min(len(left), len(right))
    while at < end and left[at : at + _STEP] == right[at : at + _STEP]:
        at += _STEP
    while at < end and left[at] == right[at]:
        at += 1
    return min(at, end)


def has_substance(text: str) -> bool:
    """Say whether there is more in `text` than blanks and punctuation."""
    return substance_end(text) > 0


def substance_end(text: str) -> int:
    """Offset behind the last character of `text` that is neither blank nor punctuation, or 0."""
    for offset in range(len(text), 0, -1):
        if not _hollow(text[offset - 1]):
            return offset
    return 0


def _hollow(character: str) -> bool:
    if character.isalnum():
        return False
    if character.isspace() or character in string.punctuation:
        return True
    category = unicodedata.category(character)
    # Marks and format characters mean something only together with what they stand on.
    return category[0] in "PZM" or category in {"Cc", "Cf"}


def _extends(character: str) -> bool:
    return (
        character == _JOINER
        or unicodedata.category(character)[0] == "M"
        or _SKIN_TONES.match(character) is not None
    )


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _joined(left: str, joint: str, right: str) -> bool:
    if joint in _APOSTROPHES:
        return left.isalpha() and right.isalpha()
    return joint in ".," and left.isdigit() and right.isdigit()
