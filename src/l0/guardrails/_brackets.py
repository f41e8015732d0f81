"""The two machines that read JSON-like text piece by piece: its beginning, and its brackets."""

from __future__ import annotations

import re

BLANKS = " \t\n\r"
CLOSER_OF = {"{": "}", "[": "]"}

_OPENER_OF = {"}": "{", "]": "["}
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STRING_REST = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_STRING_OR_BRACKET = re.compile(_STRING.pattern + r"|[\[\]{}]", re.DOTALL)
_SCALAR = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity"
)
_NUMBER_START = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE][+-]?[0-9]*)?)?|[eE][+-]?[0-9]*)?)?"
)
_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_WORD = re.compile(r"[-+.0-9A-Za-z]*")
_WORD_LIMIT = 400


def is_scalar(word: str) -> bool:
    """Whether the word is a number or literal that Python's JSON reader takes."""
    return _SCALAR.fullmatch(word) is not None


def may_become_scalar(word: str) -> bool:
    """Whether more characters may make a number or literal of it."""
    return _NUMBER_START.fullmatch(word) is not None or any(
        literal.startswith(word) for literal in _LITERALS
    )


class StringTail:
    """The rest of a JSON string whose opening quote has been read."""

    __slots__ = ("_escaped",)

    def __init__(self, text: str = "") -> None:
        """`text` ends inside the string."""
        self._escaped = (len(text) - len(text.rstrip("\\"))) & 1

    def end(self, text: str, pos: int) -> int:
        """The index after the closing quote, or -1 if the string goes on beyond `text`."""
        if pos >= len(text):
            return -1
        found = _STRING_REST.match(text, pos + self._escaped)
        stop = found.end() if found else len(text)
        self._escaped = 0
        if stop >= len(text):
            return -1
        if text[stop] == '"':
            return stop + 1
        self._escaped = 1  # a backslash is the last character
        return -1


class Brackets:
    """A pushdown of brackets outside strings."""

    __slots__ = ("stack", "string")

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.string: StringTail | None = None
        """The open string, if the text ended inside one."""

    def feed(self, text: str, pos: int = 0) -> tuple[int, bool] | None:
        """Read on; stops at the bracket that completes the root (True) or does not match (False).

        Gives that bracket's index in `text`, or None when all of it was read.
        """
        if self.string is not None:
            pos = self.string.end(text, pos)
            if pos < 0:
                return None
            self.string = None
        bare = text[pos:] if pos else text
        if '"' in bare:
            bare = _STRING.sub("", bare)
            quote = bare.find('"')
            if quote >= 0:
                bare = bare[:quote]
                self.string = StringTail(text)
        stack = self.stack
        for index, bracket in enumerate(_BRACKET.findall(bare)):
            if bracket in "{[":
                stack.append(bracket)
            elif stack and stack[-1] == _OPENER_OF[bracket]:
                stack.pop()
                if not stack:
                    return _bracket_at(text, pos, index), True
            else:
                return _bracket_at(text, pos, index), False
        return None


def _bracket_at(text: str, pos: int, index: int) -> int:
    """Where the bracket of that number outside strings stands."""
    for found in _STRING_OR_BRACKET.finditer(text, pos):
        if len(found[0]) == 1:
            if not index:
                return found.start()
            index -= 1
    raise AssertionError(index)


class Opening:
    """Decides whether text that begins with `{` or `[` begins like JSON.

    `{` followed by `}` or by a string and `:`; `[` followed by `]`, by an object or array that
    begins like this, or by a complete scalar with `,` or `]` after it. A closer of the wrong kind
    right after an opener is broken JSON, not prose.
    """

    __slots__ = ("_after", "_string", "_word")

    def __init__(self) -> None:
        self._after = ""  # the opener, or k(ey), s(calar), w(ord)
        self._string: StringTail | None = None
        self._word = ""

    def feed(self, text: str) -> bool | None:
        """True: it claims to be JSON; False: it does not; None: not known yet."""
        pos, size = 0, len(text)
        while pos < size:
            if self._string is not None:
                pos = self._string.end(text, pos)
                if pos < 0:
                    return None
                self._string = None
            if self._after == "w":
                pos = self._read_word(text, pos)
                if pos < 0:
                    return False
            while pos < size and text[pos] in BLANKS:
                pos += 1
            if pos >= size or self._after == "w":
                return None
            verdict = self._step(text[pos])
            if verdict is not None:
                return verdict
            pos += self._after != "w"
        return None

    def _read_word(self, text: str, pos: int) -> int:
        """The index after the scalar word, with what it is settled where it has ended."""
        found = _WORD.match(text, pos)
        stop = found.end() if found else pos
        self._word += text[pos:stop]
        word = self._word
        if len(word) > _WORD_LIMIT:
            return -1
        if stop < len(text):
            if not is_scalar(word):
                return -1
            self._after = "s"
        elif not may_become_scalar(word):
            return -1
        return stop

    def _step(self, char: str) -> bool | None:
        after = self._after
        if after == "k":
            return char == ":"
        if after == "s":
            return char in ",]"
        if after and char in "]}":
            return True
        if after == "{":
            if char != '"':
                return False
            self._string = StringTail()
            self._after = "k"
        elif char in "{[":
            self._after = char
        elif char == '"':
            self._string = StringTail()
            self._after = "s"
        elif char in "-0123456789tfnNI":
            self._after = "w"
        else:
            return False
        return None
