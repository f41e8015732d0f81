"""The words of strict JSON that arrives in pieces: parts of strings, numbers and literals."""

from __future__ import annotations

import json
import re
from typing import Any

IN_STRING = re.compile(r'[^"\\]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*+)*+')
"""The inside of a value's string, so far; a raw newline is taken, as by healing."""
IN_KEY = re.compile(r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+')
"""The inside of a key, so far; a raw newline there is a sign of other damage."""
IN_WORD = re.compile(r"[-+.0-9A-Za-z]*+")
CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
"""The beginning of an escape at the end of what has come."""
NUMBER_CHARS = "-+.0123456789eE"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_LITERALS = {"true": True, "false": False, "null": None}
_HIGH = re.compile(r"\\u[dD][89abAB]")
_STRINGS = json.JSONDecoder(strict=False)


def word_value(word: str) -> Any:
    """The value of a number or literal.

    Raises:
        ValueError: It is neither, or has more digits than the interpreter converts.
    """
    if word in _LITERALS:
        return _LITERALS[word]
    if not _NUMBER.fullmatch(word):
        raise ValueError(word)
    return int(word) if word.lstrip("-").isdigit() else float(word)


def string_value(part: str) -> str:
    """What a part of a string says, escapes undone."""
    return str(_STRINGS.decode(f'"{part}"')) if "\\" in part else part


def half_pair(text: str, pos: int, end: int) -> int:
    """The length of the escape before `end` if it is the first half of a character, else 0."""
    start = end - 6
    if start < pos or not _HIGH.match(text, start):
        return 0
    before = start
    while before > pos and text[before - 1] == "\\":
        before -= 1
    return 0 if (start - before) & 1 else 6
