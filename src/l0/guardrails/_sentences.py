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
        "_excluded",
        "_limit",
        "_line_start",
        "_numbered",
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
        self._line_start = True  # it is the first of its line
        self._numbered = False  # the first of its line was a number
        self._excluded = False  # the line is no prose

    def feed(self, text: str, start: int) -> list[tuple[int, str]] | None:
        """Take more text; gives offset and text of each sentence that reached the limit."""
        found: list[tuple[int, str]] | None = None
        lines = text.split("\n") if "\n" in text else (text,)
        for number, line in enumerate(lines):
            if number:  # the newline before has ended a sentence and its line
                if len(self._text) > _SHORT and (sentence := self._complete()):
                    found = [*(found or ()), (self._position(), sentence)]
                self._text = ""
                self._line_start, self._numbered, self._excluded = True, False, False
            for mark in _ENDS if line.isascii() else _ALL_ENDS:
                if mark in line:
                    line = line.replace(mark, ".")  # noqa: PLW2901
            parts = line.split(".")
            last = parts.pop()
            for part in parts:
                text_now = self._text
                if text_now:
                    self._text = text_now + part
                else:
                    self._text, self._at = part, start
                if (len(self._text) > _SHORT or self._line_start or self._numbered) and (
                    sentence := self._complete()
                ):
                    found = [*(found or ()), (self._position(), sentence)]
                start += len(part) + 1
                self._text = ""
            if not self._text:
                self._text, self._at = last[: _LONGEST + 1], start
            elif len(self._text) <= _LONGEST:
                self._text = (self._text + last)[: _LONGEST + 1]
            start += len(last) + 1
        return found

    def _position(self) -> int:
        return self._at + len(self._text) - len(self._text.lstrip())

    def _complete(self) -> str:
        """The sentence, if it has come for the `limit`th time; notes what its line is."""
        text = self._text
        if self._line_start:
            self._line_start = False
            self._excluded = _OTHER_LINE.match(text) is not None
            self._numbered = _NUMBER.fullmatch(text) is not None
        elif self._numbered:  # "1." makes a list item if a blank follows
            self._numbered = False
            self._excluded = text[:1] in {" ", "\t"}
        if self._excluded or not _SHORT < len(text) <= _LONGEST:
            return ""
        key = text.casefold().strip()
        if "  " in key or "\t" in key:
            key = " ".join(key.split())
        if len(key) <= _SHORT or 0 < key.count(" ") < _BLANKS:
            return ""
        digest = hash(key)
        recent = self._recent
        seen = (recent.get(digest) or self._earlier.get(digest, 0)) + 1
        recent[digest] = seen
        if len(recent) >= _KEPT:
            self._earlier, self._recent = recent, {}
        return " ".join(text.split()) if seen == self._limit else ""
