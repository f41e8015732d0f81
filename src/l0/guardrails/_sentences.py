"""Counts how often each sentence has come, sentence by sentence as they are completed."""

from __future__ import annotations

import re

_KEPT = 10_000
_LONGEST = 2000  # a longer one is not counted
_SHORT = 20  # one of so many characters or fewer is not counted
_BLANKS = 3  # between the words that it must have
_ENDS = "!?"  # besides the full stop
_ALL_ENDS = "!?\u3002\uff01\uff1f"
_OTHER_LINE = re.compile(r"[ \t]*(?:[-*+•][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|>|\|)")
_NUMBER = re.compile(r"[ \t]*\d{1,9}")

# What a line is: none of its sentences has ended; the first was a number; prose; a list, …
_NEW, _NUMBERED, _PROSE, _OTHER = range(4)


class SentenceCounter:
    """Tells when a sentence has come `limit` times.

    A sentence ends at `.`, `!`, `?`, their CJK forms, or a newline. It counts if it has more than
    20 characters and at least four words (or no blanks), and stands outside lists, tables, headings
    and quotes. Case and blanks don't matter. The last 10,000 or more are remembered, by their
    hashes.
    """

    __slots__ = (
        "_at",
        "_earlier",
        "_limit",
        "_line_is",
        "_recent",
        "_text",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # How often, by hash; when the recent ones are 10,000 they become the earlier ones.
        self._recent: dict[int, int] = {}
        self._earlier: dict[int, int] = {}
        self._text = ""  # of the sentence being written
        self._at = 0
        self._line_is = _NEW

    def feed(self, text: str, start: int) -> list[tuple[int, str]] | None:
        """Take more text; gives offset and text of each sentence that reached the limit."""
        found: list[tuple[int, str]] = []
        for mark in _ENDS if text.isascii() else _ALL_ENDS:
            if mark in text:
                text = text.replace(mark, ".")
        sentence, at, line_is = self._text, self._at, self._line_is
        lines = text.split("\n") if "\n" in text else (text,)
        for number, line in enumerate(lines):
            if number:  # the newline before has ended a sentence and its line
                if len(sentence) > _SHORT and self._counts(sentence, line_is):
                    found.append(_located(sentence, at))
                sentence, line_is = "", _NEW
            if not line:
                start += 1
                continue
            parts = line.split(".")
            last = parts.pop()
            for part in parts:
                if sentence:
                    sentence += part
                else:
                    sentence, at = part, start
                if line_is < _PROSE:
                    line_is = _kind_of(sentence, line_is)
                if line_is != _OTHER and len(sentence) > _SHORT and self._comes_often(sentence):
                    found.append(_located(sentence, at))
                start += len(part) + 1
                sentence = ""
            if not sentence:
                sentence, at = last[: _LONGEST + 1], start
            elif len(sentence) <= _LONGEST:
                sentence = (sentence + last)[: _LONGEST + 1]
            start += len(last) + 1
        self._text, self._at, self._line_is = sentence, at, line_is
        return found or None

    def _counts(self, sentence: str, line_is: int) -> bool:
        """Whether the last sentence of a line has come for the `limit`th time."""
        if line_is < _PROSE:
            line_is = _kind_of(sentence, line_is)
        return line_is != _OTHER and self._comes_often(sentence)

    def _comes_often(self, text: str) -> bool:
        """Whether a sentence has come for the `limit`th time."""
        if len(text) > _LONGEST:
            return False
        key = text.casefold().strip()
        if "  " in key or "\t" in key:
            key = " ".join(key.split())
        if len(key) <= _SHORT or 0 < key.count(" ") < _BLANKS:
            return False
        digest = hash(key)
        recent = self._recent
        seen = recent[digest] = (recent.get(digest) or self._earlier.get(digest, 0)) + 1
        if len(recent) >= _KEPT:
            self._earlier, self._recent = recent, {}
        return seen == self._limit


def _kind_of(sentence: str, line_is: int) -> int:
    """What a line is, of which this sentence is the first, or the second behind a number."""
    if line_is == _NUMBERED:  # "1." makes a list item if a blank follows
        return _OTHER if sentence[:1] in {" ", "\t"} else _PROSE
    if _OTHER_LINE.match(sentence):
        return _OTHER
    return _NUMBERED if _NUMBER.fullmatch(sentence) else _PROSE


def _located(sentence: str, at: int) -> tuple[int, str]:
    return at + len(sentence) - len(sentence.lstrip()), " ".join(sentence.split())
