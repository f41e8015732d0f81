"""Strings of broken JSON: where one ends, and what it says, as a JSON string."""

from __future__ import annotations

import re
from typing import NamedTuple

from l0.schema import _heal_tokens as tokens

KEY, MEMBER, ELEMENT, ROOT = range(4)
"""What a string is: a key, the value of a member, an element, the whole text."""


class String(NamedTuple):
    """A string that was read."""

    end: int
    """The offset after it."""
    text: str | None
    """The JSON string to stand in its place; None: it is fine as it is."""
    corrections: tuple[str, ...] = ()


def read_string(text: str, start: int, role: int) -> String:
    """Read the string whose opening quote stands at an offset."""
    found = tokens.STRING.match(text, start)
    ends = _ENDS[role]
    if found and ends.match(text, found.end()):
        return String(found.end(), None)
    quote = text[start]
    size = 3 if text.startswith(quote * 3, start) else 1
    if size == 3 and quote in "\"'" and (end := text.find(quote * 3, start + 3)) >= 0:
        return _made(text, start + 3, end, end + 3, quote * 3)
    if role == KEY and (key := tokens.UNCLOSED_KEY.match(text, start)):
        return String(key.end(), f'"{key[1]}"', ("close_string",))
    return _search_end(text, start, role)


def _search_end(text: str, start: int, role: int) -> String:
    """Try one quote after the other as the closing one."""
    quote = text[start]
    ends, closing = _ENDS[role], _CLOSING[quote]
    first = seen = -1
    for found in closing.finditer(text, start + 1):
        if found[0][0] == "\\":
            continue
        at = found.start()
        if ends.match(text, at + 1):
            return _made(text, start + 1, at, at + 1, quote)
        if role == MEMBER and (gap := _gap_before(text, start, at)):
            return _made(text, start + 1, gap, gap, quote, closed=False)
        if first < 0:
            first = at
        elif role == KEY and _APART.search(text, seen, at):
            break
        seen = at
    if first >= 0:
        return _made(text, start + 1, first, first + 1, quote)
    if role != KEY and (gap := _closers_after(text)) > start:
        return _made(text, start + 1, gap, gap, quote, closed=False)
    body, corrections = _rewrite(text[start + 1 :], _OPEN_PARTS)
    return String(len(text), f'"{body}"', ("close_string", *corrections, *_other(quote)))


def _gap_before(text: str, start: int, at: int) -> int:
    """Where a string should have been closed, if the quote at `at` opens the key after it."""
    if not _KEY_REST.match(text, at + 1):
        return 0
    low = max(start + 1, at - 60)
    found = _GAP.search(text[low:at])
    return low + found.start() if found else 0


def _closers_after(text: str) -> int:
    """Where the closers begin that stand on lines of their own at the end; -1 without any."""
    stop = len(text.rstrip("}] \t\r\n"))
    if not _CLOSERS_ON_A_LINE.match(text, stop):
        return -1
    return stop - 1 if text[stop - 1 : stop] == "," else stop


def _made(text: str, start: int, stop: int, end: int, quote: str, *, closed: bool = True) -> String:
    """The JSON string for what stands between two offsets."""
    body, corrections = _rewrite(text[start:stop], _PARTS)
    if closed:
        made = (*corrections, *_other(quote))
        if not made and text[start - 1 : end] == f'"{body}"':
            return String(end, None)
    else:
        made = ("close_string", *corrections, *_other(quote))
    return String(end, f'"{body}"', made)


def _other(quote: str) -> tuple[str, ...]:
    return () if quote == '"' else ("fix_quotes",)


def _rewrite(body: str, parts: re.Pattern[str]) -> tuple[str, list[str]]:
    """Escape what a JSON string can't hold; everything else stays as it is."""
    corrections: list[str] = []

    def replace(found: re.Match[str]) -> str:
        part = found[0]
        if part == '"':
            corrections.append("fix_quotes")
            return '\\"'
        if part[0] != "\\":
            corrections.append("escape_control_chars")
            return _CONTROLS.get(part) or f"\\u{ord(part):04x}"
        if found.lastgroup == "cut":
            return ""
        if len(part) > 1 and part[1] in '"\\/bfnrtu':
            return part
        if part in {"\\'", "\\`"}:
            corrections.append("fix_quotes")
            return part[1]
        corrections.append("escape_control_chars")
        return f"\\u00{part[2:]}" if len(part) == 4 else "\\\\"

    return parts.sub(replace, body), list(dict.fromkeys(corrections))


_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_PART = r"\\(?:[\"\\/bfnrt'`]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})|\\|[\x00-\x1f]|\""
_HALF = r"\\(?:u[0-9a-fA-F]{0,3})?\Z|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z"
_PARTS = re.compile(_PART)
_OPEN_PARTS = re.compile(rf"(?P<cut>{_HALF})|{_PART}")
"""With an escape that the end of the text has cut: half a character is no content."""
_CLOSING = {
    quote: re.compile(rf"\\.|[{closing}]", re.DOTALL) for quote, closing in tokens.QUOTES.items()
}
_ENDS = (tokens.KEY_ENDS, tokens.MEMBER_ENDS, tokens.ELEMENT_ENDS, tokens.ROOT_ENDS)
_APART = re.compile(r"[,:{}\[\]\n]")
_CLOSERS_ON_A_LINE = re.compile(r"[ \t]*+[\r\n]\s*+[}\]]")
_KEY_REST = re.compile(r"[\w$ .\-]{1,60}[\"'”]\s*+:")
_GAP = re.compile(r"\s*+,\s*+\Z|[ \t]*+[\n\r]\s*+\Z")
