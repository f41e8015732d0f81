"""Follows text that claims to be JSON, or was asked to be, and finds where it breaks."""

from __future__ import annotations

import re

from l0.guardrails._brackets import (
    BLANKS,
    CLOSER_OF,
    Brackets,
    Opening,
    StringTail,
    is_scalar,
    may_become_scalar,
)
from l0.guardrails._fence import CODE, OPEN, PROSE, FenceSplitter, Piece

UNDECIDED, CLAIMS, PLAIN, BROKEN = range(4)
"""Not known yet · claims to be JSON · is not JSON, or not any more · has a fault."""

Fault = tuple[str, int]
"""What is wrong, and the offset."""

_LEAD, _VALUE, _STRING, _WORD, _AFTER, _DONE = range(6)
_BLANK = re.compile(f"[{BLANKS}]")
_LONG_DIGITS = re.compile(r"([0-9]{2})[0-9]+")


class JsonReader:
    """Reads one JSON document piece by piece; keeps only its open brackets.

    Args:
        expect: The text was asked to be JSON: anything else is a fault.
        claimed: The claim is made already, as by a fence marked `json`.
    """

    __slots__ = (
        "_brackets",
        "_claimed",
        "_expect",
        "_mode",
        "_opening",
        "_string",
        "_word",
        "_word_at",
        "fault",
        "plain_from",
        "status",
    )

    def __init__(self, *, expect: bool = False, claimed: bool = False) -> None:
        self.status = CLAIMS if expect or claimed else UNDECIDED
        self.fault: Fault | None = None
        """The fault that ended the reading."""
        self.plain_from = 0
        """With status PLAIN: the offset from which the text is not JSON."""
        self._expect = expect
        self._claimed = expect or claimed
        self._mode = _LEAD
        self._brackets = Brackets()
        self._opening: Opening | None = None
        self._string: StringTail | None = None
        self._word = ""
        self._word_at = 0

    @property
    def open_brackets(self) -> list[str]:
        """The brackets that are open, outermost first."""
        return self._brackets.stack

    @property
    def in_string(self) -> bool:
        """Whether the text so far ends inside a string."""
        return self._brackets.string is not None or self._mode == _STRING

    def feed(self, text: str, start: int) -> int:
        """Read on; gives the status."""
        mode = self._mode
        if mode == _VALUE:
            self._read_value(text, start, 0)
        elif mode == _LEAD:
            self._read_lead(text, start)
        elif mode == _AFTER:
            self._read_after(text, start, 0)
        elif mode == _STRING:
            self._read_string(text, start, 0)
        elif mode == _WORD:
            self._read_word(text, start, 0)
        return self.status

    def finish(self, end: int) -> list[Fault]:
        """What is wrong when the text ends at offset `end`."""
        if self._mode == _WORD and not is_scalar(self._word):
            self._fail("Expected JSON, found text", self._word_at)
        if self.fault is not None:
            return [self.fault]
        if self.status == PLAIN:
            return []
        faults: list[Fault] = []
        if self.in_string:
            faults.append(("A string is not closed", end))
        if stack := self._brackets.stack:
            missing = "".join(CLOSER_OF[bracket] for bracket in reversed(stack[-20:]))
            many = f"{len(stack)} brackets are" if len(stack) > 1 else "1 bracket is"
            faults.append((f"{many} not closed, the text ends before {missing}", end))
        return faults

    def _fail(self, message: str, position: int) -> None:
        self.fault = (message, position)
        self.status = BROKEN
        self._mode = _DONE

    def _give_up(self, message: str, position: int) -> None:
        """It is not JSON: a fault where JSON was asked for, nothing to judge otherwise."""
        if self._expect:
            self._fail(message, position)
        else:
            self.status = PLAIN
            self.plain_from = position
            self._mode = _DONE

    def _read_lead(self, text: str, start: int) -> None:
        pos = len(text) - len(text.lstrip(BLANKS))
        if pos == len(text):
            return
        first = text[pos]
        if first in "{[":
            self._mode = _VALUE
            self._opening = None if self._claimed else Opening()
            self._read_value(text, start, pos)
        elif not self._claimed:
            self._give_up("", 0)
        elif not self._expect:  # whatever a fence marked json holds: its brackets count
            self._mode = _VALUE
            self._read_value(text, start, pos)
        elif first == '"':
            self._mode = _STRING
            self._string = StringTail()
            self._read_string(text, start, pos + 1)
        elif first in "]}":
            self._fail(f"{first} closes nothing", start + pos)
        else:
            self._mode = _WORD
            self._word_at = start + pos
            self._read_word(text, start, pos)

    def _read_value(self, text: str, start: int, pos: int) -> None:
        if self._opening is not None:
            claims = self._opening.feed(text[pos:])
            if claims is False:
                self._give_up("", 0)
                return
            if claims:
                self.status = CLAIMS
                self._opening = None
        event = self._brackets.feed(text, pos)
        if event is None:
            return
        index, complete = event
        if complete:
            self._mode = _AFTER
            self._brackets.string = None  # what follows the root is not read as JSON
            self._read_after(text, start, index + 1)
            return
        stack = self._brackets.stack
        wanted = f"{CLOSER_OF[stack[-1]]} was due" if stack else "nothing is open"
        self._fail(f"{text[index]} does not match: {wanted}", start + index)

    def _read_after(self, text: str, start: int, pos: int) -> None:
        rest = text[pos:].lstrip(BLANKS)
        if not rest:
            return
        position = start + len(text) - len(rest)
        if rest[0] in "]}":
            self._fail(f"{rest[0]} does not match: nothing is open", position)
        else:
            self._give_up("Text after the JSON", position)

    def _read_string(self, text: str, start: int, pos: int) -> None:
        """A string as the whole document."""
        assert self._string is not None
        pos = self._string.end(text, pos)
        if pos >= 0:
            self._mode = _AFTER
            self._read_after(text, start, pos)

    def _read_word(self, text: str, start: int, pos: int) -> None:
        """A number or literal as the whole document; of long numbers only the shape is kept."""
        blank = _BLANK.search(text, pos)
        stop = blank.start() if blank else len(text)
        self._word = _LONG_DIGITS.sub(r"\1", self._word + text[pos:stop])
        if not (is_scalar if blank else may_become_scalar)(self._word):
            self._fail("Expected JSON, found text", self._word_at)
        elif blank:
            self._mode = _AFTER
            self._read_after(text, start, stop)


class FencedJson:
    """Reads a text that may stand in a fence: the content of the fence is the document.

    Without `expect` the fence must be marked `json`, and what follows it is not judged.
    """

    __slots__ = ("_expect", "_late", "_lead", "_splitter", "reader")

    def __init__(self, *, expect: bool) -> None:
        self.reader = JsonReader(expect=expect)
        self._expect = expect
        self._lead = True
        self._splitter: FenceSplitter | None = None
        self._late: list[Fault] | None = None  # said at completion: the fence has closed

    @property
    def fence_closed(self) -> bool:
        """Whether the document stood in a fence that has closed."""
        return self._late is not None

    def feed(self, text: str, start: int) -> int:
        """Read on; gives the reader's status."""
        if self._splitter is not None:
            self._take(self._splitter.feed(text, start))
        elif self._lead and (body := text.lstrip(BLANKS)):
            self._lead = False
            if body[0] in "`~":
                self._splitter = FenceSplitter()
                self._take(self._splitter.feed(body, start + len(text) - len(body)))
            else:
                self.reader.feed(text, start)
        elif not self._lead:
            return self.reader.feed(text, start)
        return self.reader.status

    def finish(self, end: int) -> list[Fault]:
        """What is wrong when the text ends at offset `end`."""
        if self._splitter is not None:
            self._take(self._splitter.finish(end))
        if self._late is not None and self.reader.fault is None:
            return self._late
        return self.reader.finish(end)

    def _take(self, pieces: list[Piece]) -> None:
        for kind, start, text in pieces:
            if self.reader.status >= PLAIN:
                return
            if kind == OPEN and self._late is None:
                info = text.strip(" \t\r\n`~").lower().split()
                if self._expect or info[:1] == ["json"]:
                    self.reader = JsonReader(expect=self._expect, claimed=True)
                else:
                    self.reader._give_up("", 0)
            elif kind == CODE and self._late is None:
                self.reader.feed(text, start)
            elif kind == PROSE and self._late is None:  # backticks, but no fence
                self.reader._give_up("Expected JSON, found text", start)
            elif self._late is None:
                self._late = self.reader.finish(start)
            elif body := text.lstrip():
                self.reader._give_up("Text after the JSON", start + len(text) - len(body))
