"""The value of JSON that is still arriving, built in place as the text comes in."""

from __future__ import annotations

import re
import sys
from typing import Any

from l0.schema import _partial_words as words
from l0.schema._extract import Found, is_footnote
from l0.schema._heal import heal
from l0.schema._heal_strict import TOO_DEEP, Unreadable
from l0.schema._partial_lead import Lead

_LEAD, _VALUE, _ELEMENT, _KEY, _COLON, _AFTER, _STRING, _KEY_STRING, _WORD, _DONE, _BROKEN = range(
    11
)
"""What comes next: the root, a member's value, an element or `]`, a key or `}`, a colon, a comma;
the rest of a string, key or word; nothing; or it is no strict JSON any more."""


class PartialParser:
    """Reads one JSON value piece by piece; what it costs goes with the new text alone.

    Prose and a fence before the value are passed over. The value grows in place: containers that
    were handed out go on growing, and a string is longer at the next look. A number, `true`,
    `false` or `null` is there when its end is seen, a key when its value begins. How the text is
    cut into pieces never changes what comes out.

    Text that is not strict JSON is healed as a whole, each time it has grown by an eighth; then
    the value is a new one each time. `finish()` says that the text has ended.

    Args:
        kept_text: The text so far, of a stream that is continued.

    >>> parser = PartialParser()
    >>> parser.feed('{"name": "Ad')
    >>> parser.value
    {'name': 'Ad'}
    >>> parser.feed('a", "born": 18')
    >>> parser.changed, parser.value, parser.complete
    (True, {'name': 'Ada'}, False)
    >>> parser.feed("15}")
    >>> parser.value, parser.complete
    ({'name': 'Ada', 'born': 1815}, True)
    """

    __slots__ = (
        "_at",
        "_changed",
        "_closed",
        "_fresh",
        "_heal_at",
        "_key",
        "_lead",
        "_mode",
        "_parts",
        "_rest",
        "_root",
        "_size",
        "_stack",
        "_word",
    )

    def __init__(self, kept_text: str = "") -> None:
        self._root: Any = None
        self._changed = False
        self.reset(kept_text)

    def reset(self, kept_text: str = "") -> None:
        """Start over, with the text that still stands. What was handed out is left alone."""
        self._fresh: list[str] = [kept_text] if kept_text else []
        self._parts: list[str] = []
        self._size = 0
        self._mode = _LEAD
        self._lead = Lead()
        self._stack: list[Any] = []
        self._key = ""
        self._changed = self._root is not None
        self._root = None
        self._rest = ""
        self._word: list[str] = []
        self._at = 0  # where the word at hand began
        self._closed = False
        self._heal_at = 0

    def feed(self, delta: str) -> None:
        """Take the next piece of the text; it is read at the next look."""
        if delta:
            self._fresh.append(delta)

    @property
    def value(self) -> Any:
        """The value so far; None until one begins. Looking makes `changed` False."""
        self._read()
        self._changed = False
        return self._root

    @property
    def changed(self) -> bool:
        """Whether the value has changed since the last look at it."""
        self._read()
        return self._changed

    @property
    def complete(self) -> bool:
        """Whether the text has closed the value."""
        self._read()
        return self._closed

    def finish(self) -> Any:
        """The value of the text as it is, now that it has ended: healed if it is not complete."""
        self._read()
        if self._mode != _DONE or not self._settled:
            self._take(heal(self._text(self._size)))
        return self.value

    @property
    def _settled(self) -> bool:
        """Whether a value that is closed is the one, whatever follows it."""
        root = self._root
        return self._lead.sure and type(root) is not str and not is_footnote(root)

    def _read(self) -> None:
        """Read what has come since the last look."""
        if not self._fresh:
            return
        text = self._fresh[0] if len(self._fresh) == 1 else "".join(self._fresh)
        self._fresh.clear()
        self._parts.append(text)
        self._size += len(text)
        if self._rest:
            text = self._rest + text
            self._rest = ""
        pos, size = 0, len(text)
        while pos < size and self._mode != _BROKEN:
            mode = self._mode
            if mode in (_STRING, _KEY_STRING):
                pos = self._read_string(text, pos)
            elif mode == _WORD:
                pos = self._read_word(text, pos)
            elif mode == _LEAD:
                pos = self._read_lead(text, pos)
            elif mode == _DONE:
                pos = self._read_tail(text, pos)
            elif (char := text[pos]) in " \t\n\r":
                found = _BLANK.match(text, pos)
                pos = found.end() if found else pos + 1
            else:
                pos = self._read_token(text, pos, mode, char)
        if self._mode == _BROKEN:
            self._heal_if_due()

    def _read_token(self, text: str, pos: int, mode: int, char: str) -> int:
        """One token outside strings and words."""
        if mode == _AFTER and char == ",":
            self._mode = _ELEMENT if type(self._stack[-1]) is list else _KEY
        elif (char == "}" and mode in {_AFTER, _KEY} and type(self._stack[-1]) is dict) or (
            char == "]" and mode in {_AFTER, _ELEMENT} and type(self._stack[-1]) is list
        ):
            self._pop()
        elif mode == _KEY and char == '"':
            self._mode = _KEY_STRING
        elif mode == _COLON and char == ":":
            self._mode = _VALUE
        elif mode in (_VALUE, _ELEMENT):
            return self._begin_value(text, pos, char)
        else:
            self._break(text, pos)
        return pos + 1

    def _begin_value(self, text: str, pos: int, char: str) -> int:
        if char == '"':
            self._put("")
            self._mode = _STRING
        elif char in {"{", "["}:
            if len(self._stack) >= _DEEPEST:
                self._break(text, pos)
                return pos
            self._push({} if char == "{" else [])
        elif char.isalnum() or char == "-":
            self._mode = _WORD
            self._at = self._size - len(text) + pos
            return pos
        else:
            self._break(text, pos)
        return pos + 1

    def _push(self, container: Any) -> None:
        self._put(container)
        self._stack.append(container)
        self._mode = _ELEMENT if type(container) is list else _KEY

    def _pop(self) -> None:
        self._stack.pop()
        if self._stack:
            self._mode = _AFTER
        else:
            self._end()

    def _put(self, value: Any) -> None:
        """A new value, where one is due."""
        self._changed = True
        if not self._stack:
            self._root = value
        elif type(top := self._stack[-1]) is list:
            top.append(value)
        else:
            top[self._key] = value

    def _grow(self, more: str) -> None:
        """Append to the string at hand: taken out first, so that the one reference is ours and
        the interpreter extends it in place.
        """
        self._changed = True
        if not self._stack:
            text, self._root = self._root, None
            text += more
            self._root = text
        elif type(top := self._stack[-1]) is list:
            text = top.pop()
            text += more
            top.append(text)
        else:
            key = self._key
            text = top[key]
            top[key] = None
            text += more
            top[key] = text

    def _read_string(self, text: str, pos: int) -> int:
        """The rest of a string, or as much of it as is there."""
        found = (words.IN_STRING if self._mode == _STRING else words.IN_KEY).match(text, pos)
        end = found.end() if found else pos
        stop = end
        closed = end < len(text) and text[end] == '"'
        if not closed:
            if end < len(text) and not words.CUT_ESCAPE.match(text, end):
                if self._mode == _STRING and end > pos:
                    self._grow(words.string_value(text[pos:end]))
                self._break(text, end)
                return end
            stop -= words.half_pair(text, pos, end)
            self._rest = text[stop:]
        part = words.string_value(text[pos:stop])
        if self._mode == _STRING:
            if part:
                self._grow(part)
            if closed:
                self._mode = _AFTER
                if not self._stack:
                    self._end()
        else:
            self._word.append(part)
            if closed:
                self._key = "".join(self._word)
                self._word.clear()
                self._mode = _COLON
        return end + 1 if closed else len(text)

    def _read_word(self, text: str, pos: int) -> int:
        """The rest of a number or literal, or as much of it as is there."""
        found = words.IN_WORD.match(text, pos)
        end = found.end() if found else pos
        self._word.append(text[pos:end])
        if end == len(text):
            return end
        word = "".join(self._word)
        self._word.clear()
        try:
            self._put(words.word_value(word))
            self._mode = _AFTER
        except ValueError:
            self._mode = _BROKEN
            self._heal_at = self._at + 1
        return end

    # before and after the value

    def _read_lead(self, text: str, pos: int) -> int:
        begin = self._lead.find(text, pos)
        if begin is None:
            self._rest = self._lead.rest
            return len(text)
        if text[begin] == '"':
            self._put("")
            self._mode = _STRING
        else:
            self._push({} if text[begin] == "{" else [])
        return begin + 1

    def _end(self) -> None:
        """The root is closed."""
        self._mode = _DONE
        self._closed = True

    def _read_tail(self, text: str, pos: int) -> int:
        """What follows the value; it may show that another value is meant."""
        if self._settled:
            return len(text)
        if type(self._root) is str:
            other = _TEXT.search(text, pos)
        else:
            other = (_BRACKET_OR_FENCE if is_footnote(self._root) else _FENCE).search(text, pos)
        if other:
            self._break(text, other.start())
            return len(text)
        marks = len(text) - max(pos, len(text.rstrip("`~")))
        self._rest = text[len(text) - marks :] if marks < 3 else ""
        return len(text)

    # text that is no strict JSON

    def _break(self, text: str, pos: int) -> None:
        self._mode = _BROKEN
        self._heal_at = self._size - len(text) + pos + 1

    def _heal_if_due(self) -> None:
        """Heal at lengths that the text alone decides, not the way it was cut into pieces.

        The value is that of the longest of these beginnings that can be healed.
        """
        due = []
        while self._heal_at <= self._size:
            due.append(self._heal_at)
            self._heal_at += max(16, self._heal_at // 8)
        while due:
            beginning = self._text(due.pop()).rstrip(words.NUMBER_CHARS)  # another digit may follow
            if self._take(heal(beginning)):
                break

    def _text(self, size: int) -> str:
        text = "".join(self._parts)
        self._parts = [text]
        return text[:size]

    def _take(self, healed: Found | Unreadable) -> bool:
        """Take the value of a beginning of the text; False if a shorter one may do better."""
        if isinstance(healed, Unreadable):
            if healed.message != TOO_DEEP:
                return False
            self._heal_at = sys.maxsize  # nor will it be less deep with more text
            return True
        self._closed = healed.closed
        self._changed = self._changed or _differ(healed.value, self._root)
        self._root = healed.value
        return True


def _differ(one: Any, other: Any) -> bool:
    try:
        return bool(one != other)
    except RecursionError:  # as deep as Python can read, a little deeper than it can compare
        return True


_DEEPEST = 900
"""What nests deeper is left to healing, which knows how deep Python can read."""
_BLANK = re.compile(r"[ \t\n\r]*+")
_TEXT = re.compile(r"\S")
_FENCE = re.compile("```|~~~")
_BRACKET_OR_FENCE = re.compile(r"[{\[]|```|~~~")
