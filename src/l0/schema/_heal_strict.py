"""The strict reader of JSON: what it takes is valid, and is never changed.

Python's own reader, without what it takes beyond RFC 8259 (`NaN`, `Infinity`), and with an error
where it would run out of stack or refuse a long number.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn


class Unreadable(ValueError):
    """A text can't be read as JSON.

    Attributes:
        message: What is wrong.
        position: Where, as a character offset.
        valid: The text is valid JSON all the same; it is Python that can't hold a value of it.
    """

    def __init__(self, message: str, position: int, *, valid: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.valid = valid


def read(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        Unreadable: It is not valid, nests too deep, or has a number of too many digits.
    """
    value, end = read_at(text, _blanks(text, 0))
    end = _blanks(text, end)
    if end < len(text):
        raise Unreadable(TRAILING, end)
    return value


def read_at(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at an offset, and the offset of its end."""
    try:
        value, end = _READER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Unreadable(error.msg[:1].lower() + error.msg[1:], error.pos) from None
    except RecursionError:
        raise Unreadable(TOO_DEEP, start) from None
    except Unreadable:
        raise
    except ValueError:  # the interpreter's limit for digits
        return _without_long_numbers(text, start)
    return value, end


TRAILING = "text after the JSON value"
TOO_DEEP = "brackets nest deeper than Python can follow"
TOO_LONG = (
    "a whole number has more digits than Python converts (see sys.set_int_max_str_digits()); "
    "the text itself is valid"
)


def _without_long_numbers(text: str, start: int) -> NoReturn:
    """Say whether the number was all that was wrong."""
    try:
        _, end = _DIGITS.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Unreadable(error.msg, error.pos) from None
    except RecursionError:
        raise Unreadable(TOO_DEEP, start) from None
    valid = _blanks(text, 0) == start and _blanks(text, end) == len(text)
    raise Unreadable(TOO_LONG, start, valid=valid)


def refuse(word: str) -> NoReturn:
    """What a reader is given as `parse_constant`: `NaN` and `Infinity` are no JSON."""
    raise Unreadable(f"{word} is not JSON", 0)


def _blanks(text: str, pos: int) -> int:
    """The offset after the blanks that JSON allows between tokens."""
    size = len(text)
    while pos < size and text[pos] in " \t\n\r":
        pos += 1
    return pos


_READER = json.JSONDecoder(parse_constant=refuse)
_DIGITS = json.JSONDecoder(parse_constant=refuse, parse_int=str)
