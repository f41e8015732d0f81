"""Counts how often each sentence has come, sentence by sentence as they are completed."""

from __future__ import annotations

import re

import msgspec

_KEPT = 10_000
_LONGEST = 2000  # a longer one is not counted
_SHORT = 20  # one of so many characters or fewer is not counted
_BLANKS = 3  # between the words that it must have
_ENDS = "!?"  # besides the full stop
_ALL_ENDS = "!?\u3002\uff01\uff1f"
# The beginning of a line that is no prose (the group), or a first sentence that is a number.
_OPENING = re.compile(r"[ \t]*(?:([-*+•][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|>|\|)|\d{1,9}\Z)")

# What a line is: none of its sentences has ended; the first was a number; prose; a list, …
_NEW, _NUMBERED, _PROSE, _OTHER = range(4)


class SentenceCounter(msgspec.Struct, gc=False, eq=False):
    """Tells when a sentence has come `limit` times.

    A sentence ends at `.`, `!`, `?`, their CJK forms, or a newline. It counts if it has more than
    20 characters and at least four words (or no blanks), and stands outside lists, tables, headings
    and quotes. Case and blanks don't matter. The last 10,000 or more are remembered, by their
    hashes.
    """

    _limit: int
    # How often, by hash; when the recent ones are 10,000 they become the earlier ones.
    _recent: dict[int, int] = {}
    _earlier: dict[int, int] = {}
    _text: str = ""  # of the sentence being written
    _at: int = 0
    _line_is: int = _NEW

    def feed(self, text: str, start: int) -> list[tuple[int, str]] | None:
        """Take more text; gives offset and text of each sentence that reached the limit."""
        found: list[tuple[int, str]] = []
        end = start + len(text)
        for mark in _ENDS if text.isascii() else _ALL_ENDS:
            if mark in text:
                text = text.replace(mark, ".")
        # One flat walk instead of one a line saves 0.01 µs a token of markdown: a newline ends a
        # sentence as well, and the part that it begins is the first one of its line.
        parts = (text.replace("\n", ".\n") if "\n" in text else text).split(".")
        last = parts.pop()
        carried, line_is = self._text, self._line_is
        reached = 0  # the part that begins at `start`
        for number, part in enumerate(parts):
            sentence = part
            if "\n" in part:
                line_is = _NEW
                if part == "\n":
                    continue
                sentence = part[1:]
            elif carried:
                sentence = carried + part
                carried = ""
            if line_is < _PROSE:
                line_is = _kind_of(sentence, line_is)
            if len(sentence) > _SHORT and line_is != _OTHER and self._comes_often(sentence):
                start += _distance(parts, reached, number)
                reached = number
                at = start + len(part) - len(sentence) if number or not self._text else self._at
                found.append(_located(sentence, at))
        if last[:1] == "\n":
            line_is = _NEW
            last = last[1:]
        if not carried:
            self._at = end - len(last)
        self._text, self._line_is = (carried + last)[: _LONGEST + 1], line_is
        return found or None

    def _comes_often(self, text: str) -> bool:
        """Whether a sentence has come for the `limit`th time."""
        if len(text) > _LONGEST:
            return False
        key = text.casefold().strip()
        if "  " in key or "\t" in key:
            key = " ".join(key.split())
        if len(key) <= _SHORT:
            return False
        digest = hash(key)
        recent = self._recent
        seen = recent.get(digest)
        if seen is None:
            seen = self._earlier.get(digest, 0) if self._earlier else 0
        recent[digest] = seen = seen + 1
        if len(recent) >= _KEPT:
            self._earlier, self._recent = recent, {}
        # To count the blanks of those only that come so often saves 0.1 µs a sentence.
        return seen == self._limit and not 0 < key.count(" ") < _BLANKS


def _kind_of(sentence: str, line_is: int) -> int:
    """What a line is, of which this sentence is the first, or the second behind a number."""
    if line_is == _NUMBERED:  # "1." makes a list item if a blank follows
        return _OTHER if sentence[:1] in {" ", "\t"} else _PROSE
    opening = _OPENING.match(sentence)
    if opening is None:
        return _PROSE
    return _OTHER if opening.lastindex else _NUMBERED


def _distance(parts: list[str], first: int, last: int) -> int:
    """Characters of the text from the beginning of one part to that of another."""
    newlines = sum("\n" in part for part in parts[first + 1 : last + 1])
    return sum(map(len, parts[first:last])) + last - first - newlines


def _located(sentence: str, at: int) -> tuple[int, str]:
    return at + len(sentence) - len(sentence.lstrip()), " ".join(sentence.split())
