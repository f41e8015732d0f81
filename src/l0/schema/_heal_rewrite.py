"""The one tolerant reading of broken JSON: a list of edits that make it strict JSON.

A pushdown automaton walks over the text once. Text that is fine is never touched; each edit has a
correction id. What can't be understood without inventing something is a `Fault`.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from l0.schema import _heal_tokens as tokens
from l0.schema._heal_edits import Edits
from l0.schema._heal_strings import ELEMENT, KEY, MEMBER, ROOT, read_string
from l0.schema._heal_words import LITERALS, literal

AT_ROOT, AT_KEY, AT_COLON, AT_VALUE, AT_ELEMENT, AFTER = range(6)
"""What is due: the root, a key or `}`, a colon, a member's value, an element or `]`, a comma."""

CLOSER = {"{": "}", "[": "]"}
OPENER = {"}": "{", "]": "["}
_CLOSE_ID = {"}": "close_brace", "]": "close_bracket"}


class Fault(ValueError):
    """The text can't be repaired without guessing."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Rewrite(NamedTuple):
    """What the rewriter made."""

    text: str
    end: int
    """Where reading stopped: after the root, or where the text ended."""
    closed: bool
    """The root was closed by the text itself."""
    weak: bool
    """Words without quotes were taken for strings."""
    corrections: set[str]


class Rewriter:
    """Reads one value that begins at the beginning of a text.

    Args:
        text: From the first character of the value; anything may follow it.
        pos: Where to begin, if what stands before needs no repair …
        stack: … and leaves these brackets open …
        state: … and this is due.
        comma: The comma that stands before `pos`, if one does.
    """

    def __init__(
        self,
        text: str,
        pos: int = 0,
        stack: list[str] | None = None,
        state: int = AT_ROOT,
        comma: int = -1,
    ) -> None:
        self._text = text
        self._size = len(text)
        self._pos = pos
        self._stack = stack or []
        self._open = {kind: self._stack.count(kind) for kind in "{["}
        self._state = state
        self._comma = comma
        """The comma that waits for something to separate."""
        self._pair = 0
        """From where to cut if the member or element at hand stays incomplete."""
        self._key_at = 0
        self._value_end = pos
        self._edits = Edits()
        self._weak = False
        self._closed = False
        self._cut_at: int | None = None

    def run(self) -> Rewrite:
        """Read to the end of the root or of the text.

        Raises:
            Fault: Something is there that can't be understood.
        """
        steps = (self._root, self._key, self._colon, self._value, self._element, self._after)
        while not self._closed:
            pos = self._skip()
            if pos >= self._size:
                return self._finish()
            steps[self._state](pos, self._text[pos])
        return self._result(self._pos)

    # what is due

    def _root(self, pos: int, char: str) -> None:
        if char in "{[":
            self._push(pos, char)
        elif char in tokens.QUOTES:
            self._string(pos, ROOT)
        else:
            self._bare(pos)

    def _key(self, pos: int, char: str) -> None:
        if char in {"}", "]"}:
            self._close(pos, char)
        elif char == ",":
            self._extra_comma(pos)
        elif char == "{" and self._comma >= 0 and self._stack[-2:-1] == ["["]:
            self._pop_before(self._comma)
            self._state = AT_ELEMENT
        elif char in tokens.QUOTES:
            self._begin(pos)
            self._string(pos, KEY)
            self._state = AT_COLON
        elif found := tokens.BARE_KEY.match(self._text, pos):
            self._begin(pos)
            mend = "fix_quotes" if found[2] else "quote_keys"
            self._edits.add(pos, found.end(), f'"{found[1]}"', mend)
            self._pos = found.end()
            self._state = AT_COLON
        else:
            self._fail("a key in quotes is due here", pos)

    def _colon(self, pos: int, char: str) -> None:
        if char == "}" and self._pair < self._key_at:  # the last of several
            self._drop_pair(pos, char)
            return
        if char != ":":
            self._fail("a key has no value", self._key_at)
        self._pos = pos + 1
        self._state = AT_VALUE

    def _value(self, pos: int, char: str) -> None:
        if char in "{[":
            self._push(pos, char)
        elif char in tokens.QUOTES:
            self._string(pos, MEMBER)
        elif char in "}],":
            self._drop_pair(pos, char)
        else:
            self._scalar(pos)

    def _element(self, pos: int, char: str) -> None:
        if char in {"]", "}"}:
            self._close(pos, char)
            return
        if char == ",":
            self._extra_comma(pos)
            return
        if char not in "{[" and self._is_key(pos):
            if self._stack[-2:-1] != ["{"] or self._comma < 0:
                self._fail("an array can't hold a key and its value", pos)
            self._pop_before(self._comma)
            self._state = AT_KEY
            return
        self._begin(pos)
        if char in "{[":
            self._push(pos, char)
        elif char in tokens.QUOTES:
            self._string(pos, ELEMENT)
        else:
            self._scalar(pos)

    def _after(self, pos: int, char: str) -> None:
        top = self._stack[-1]
        if char == ",":
            self._comma = pos
            self._pos = pos + 1
            self._state = AT_KEY if top == "{" else AT_ELEMENT
            self._skip_good()
        elif char in "}]":
            self._close(pos, char)
        elif self._leaves(pos, char, top):
            self._pop_before(self._value_end)
            self._state = AFTER
        elif self._starts_member(pos, char, top):
            self._edits.add(self._value_end, self._value_end, ",", "add_missing_comma")
            self._comma = self._value_end
            self._state = AT_KEY if top == "{" else AT_ELEMENT
        elif "\n" in self._text[self._value_end : pos] and tokens.PROSE_TO_THE_END.match(
            self._text, pos, self._size
        ):
            self._pos = self._size = pos  # the text broke off, and something else was said
        else:
            self._fail("a comma or a closing bracket is due here", pos)

    # steps

    def _skip(self) -> int:
        """The offset of the next token; what may not stand between tokens is edited out."""
        text, pos = self._text, self._pos
        while True:
            found = tokens.BLANK.match(text, pos)
            pos = found.end() if found else pos
            if pos >= self._size:
                return pos
            char = text[pos]
            if char in '"{}[],:' or char.isalnum():
                return pos
            if found := tokens.COMMENT.match(text, pos) or tokens.ELLIPSIS.match(text, pos):
                mend = "remove_comments"
            elif found := tokens.STRAY.match(text, pos):
                mend = "escape_control_chars"
            else:
                if text.startswith("```", pos):  # the fence is closed
                    self._size = pos
                return pos
            self._edits.add(pos, found.end(), "", mend)
            pos = found.end()

    def _skip_good(self) -> None:
        """Leap over members or elements that need nothing."""
        good = tokens.MEMBERS if self._stack[-1] == "{" else tokens.ELEMENTS
        if found := good.match(self._text, self._pos):
            self._pos = found.end()
            self._comma = self._pos - 1

    def _begin(self, pos: int) -> None:
        """A member or element begins: from here it is cut off if it stays incomplete."""
        self._key_at = pos
        self._pair = self._comma if self._comma >= 0 else pos
        self._comma = -1

    def _push(self, pos: int, char: str) -> None:
        self._stack.append(char)
        self._open[char] += 1
        self._pos = pos + 1
        self._comma = -1
        self._key_at = -1
        self._state = AT_KEY if char == "{" else AT_ELEMENT
        self._skip_good()

    def _pop(self) -> str:
        top = self._stack.pop()
        self._open[top] -= 1
        return top

    def _string(self, pos: int, role: int) -> None:
        read = read_string(self._text, pos, role)
        if read.text is not None:
            self._edits.add(pos, read.end, read.text, *read.corrections)
        self._pos = read.end
        if role != KEY:
            self._ended(read.end)

    def _ended(self, end: int) -> None:
        """A value ends here."""
        self._pos = self._value_end = end
        self._state = AFTER
        self._closed = not self._stack

    def _scalar(self, pos: int) -> None:
        if found := tokens.SCALAR.match(self._text, pos):
            self._ended(found.end())
        else:
            self._bare(pos)

    def _bare(self, pos: int) -> None:
        """A word without quotes: a literal of another language, or text."""
        found = tokens.BARE.match(self._text, pos, self._size)
        word = found[0] if found else ""
        if not word:
            self._fail("a value is due here", pos)
        end = pos + len(word)
        last = tokens.THE_END.match(self._text, end, self._size) is not None
        meant = literal(word)
        if meant is not None and not (last and word.endswith(".")):
            if meant != word:
                self._edits.add(pos, end, meant, "convert_literals")
            self._ended(end)
        elif last:
            if not self._stack:
                self._fail("a word is cut off", pos)
            self._cut(self._pair, "drop_incomplete_pair")
        elif self._stack and tokens.PLAIN_WORDS.fullmatch(word):
            quoted = end < self._size and self._text[end] == '"'
            self._weak = self._weak or not quoted
            self._edits.add(pos, end + quoted, f'"{word}"', "fix_quotes")
            self._ended(end + quoted)
        else:
            self._fail(f"{word[:40]!r} is neither a value nor text in quotes", pos)

    def _is_key(self, pos: int) -> bool:
        return tokens.KEY_AHEAD.match(self._text, pos, self._size) is not None

    def _leaves(self, pos: int, char: str, top: str) -> bool:
        """What comes belongs to the bracket around: this one was not closed."""
        around = self._stack[-2:-1]
        if top == "{":
            return char == "{" and around == ["["]
        return char not in "{[" and around == ["{"] and self._is_key(pos)

    def _starts_member(self, pos: int, char: str, top: str) -> bool:
        """Something begins that only lacks the comma before it."""
        if top == "{":
            return char in tokens.QUOTES or self._is_key(pos)
        if char in "{[" or char in tokens.QUOTES:
            return True
        word = tokens.BARE.match(self._text, pos, self._size)
        word_text = word[0].split(None, 1)[0] if word else ""
        return bool(tokens.SCALAR.fullmatch(word_text)) or word_text in LITERALS

    # brackets and commas

    def _close(self, pos: int, char: str) -> None:
        opener = OPENER[char]
        if not self._open[opener]:
            self._edits.add(pos, pos + 1, "", _CLOSE_ID[char])  # it closes nothing
            self._pos = pos + 1
            return
        if self._comma >= 0:
            self._edits.add(self._comma, self._comma + 1, "", "remove_trailing_comma")
            self._comma = -1
        while (top := self._pop()) != opener:
            self._edits.add(pos, pos, CLOSER[top], _CLOSE_ID[CLOSER[top]])
        self._ended(pos + 1)

    def _pop_before(self, comma: int) -> None:
        """The innermost bracket should have been closed before the comma that was just read."""
        closer = CLOSER[self._pop()]
        self._edits.add(comma, comma, closer, _CLOSE_ID[closer])

    def _extra_comma(self, pos: int) -> None:
        self._edits.add(pos, pos + 1, "", "remove_extra_comma")
        self._pos = pos + 1

    def _drop_pair(self, pos: int, char: str) -> None:
        """A key with a colon and nothing after it."""
        if char == ",":
            comma_stays = self._pair < self._key_at
            start = self._key_at
            self._edits.forget(start)
            self._edits.add(start, pos + 1, "", "drop_incomplete_pair")
            self._comma = self._pair if comma_stays else -1
            self._pos = pos + 1
            self._state = AT_KEY
        else:
            self._edits.forget(self._pair)
            self._edits.add(self._pair, pos, "", "drop_incomplete_pair")
            self._state = AFTER
            self._close(pos, char)

    # the end

    def _finish(self) -> Rewrite:
        """The text has ended: drop what is incomplete, close what is open."""
        if not self._stack:
            self._fail("there is no value", 0)
        if self._cut_at is None:
            if self._state in {AT_COLON, AT_VALUE}:
                self._cut(self._pair, "drop_incomplete_pair")
            elif self._comma >= 0:
                self._cut(self._comma, "remove_trailing_comma")
        end = self._size if self._cut_at is None else self._cut_at
        if self._edits.end < end:
            end = len(self._text[:end].rstrip())
        result = self._result(end)
        closers = [CLOSER[kind] for kind in reversed(self._stack)]
        result.corrections.update({_CLOSE_ID[closer] for closer in set(closers)})
        return result._replace(text=result.text + "".join(closers), end=self._size)

    def _cut(self, at: int, mend: str) -> None:
        """Leave out everything from here on."""
        self._edits.forget(at)
        self._edits.add(at, at, "", mend)
        self._cut_at = at
        self._pos = self._size

    def _result(self, end: int) -> Rewrite:
        text, ids = self._edits.apply(self._text, end)
        return Rewrite(text, end, self._closed, self._weak, ids)

    def _fail(self, message: str, pos: int) -> NoReturn:
        raise Fault(message, pos)
