"""Where in a text its JSON stands: in a fence, within prose, or all of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from l0.schema import _heal_strict as strict
from l0.schema import _heal_tokens as tokens
from l0.schema._heal_cutoff import cut_off
from l0.schema._heal_rewrite import Fault, Rewrite, Rewriter
from l0.schema._heal_words import LITERALS

_TRIES = 30
"""So many brackets that lead nowhere are tried before the search is given up."""


@dataclass(slots=True)
class Found:
    """A JSON value in a text."""

    start: int
    end: int
    text: str
    """The value as strict JSON."""
    value: Any
    corrections: set[str] = field(default_factory=set)
    closed: bool = True
    """The text itself closes the value."""
    weak: bool = False
    """It may be prose: a lone number in brackets, empty brackets, words without quotes."""


def locate(text: str, broken: int = -1) -> Found:
    """The first JSON value of a text, repaired if need be; a fence that holds one comes first.

    Args:
        text: The text.
        broken: The offset of a value that is known not to be strict JSON.

    Raises:
        Unreadable: There is none, or it can't be repaired.
    """
    fences = _fences(text)[:_TRIES]
    begin = len(text) - len(text.lstrip())
    second: Found | None = None
    failures: list[strict.Unreadable] = []
    pos = 0
    while len(failures) < _TRIES:
        opening = tokens.OPENING.search(text, pos)
        while fences and (opening is None or fences[0].open <= opening.start()):
            if found := _read_fence(text, fences.pop(0)):
                return found
        if opening is None:
            break
        start = opening.start()
        try:
            found = read_value(text, start, broken=start == broken)
        except strict.Unreadable as error:
            failures.append(error)
            if not fences and (_SURE.match(text, start) or error.message == strict.TOO_DEEP):
                break  # a part of a broken document is not the document
            pos = max(error.position, start + 1)
            continue
        before_fence = fences and found.end <= fences[0].open
        if not found.weak and (start == begin or not before_fence):
            return found
        second = second or found
        pos = max(found.end, start + 1)
    return second or _read_scalar(text, failures)


def read_value(text: str, start: int, stop: int | None = None, *, broken: bool = False) -> Found:
    """The value that begins at an offset, repaired if need be.

    Raises:
        Unreadable: It can't be repaired; the position is that in the text.
    """
    if not broken:
        try:
            value, end = strict.read_at(text, start)
            return Found(start, end, text[start:end], value, weak=is_footnote(value))
        except strict.Unreadable:
            pass
    region = text[start:stop]
    try:
        return _healed(region, start)
    except Fault as fault:
        raise strict.Unreadable(fault.message, start + fault.position) from None


def is_footnote(value: Any) -> bool:
    """Whether a value in prose may be no data: `[1]`, `[]` or `{}`."""
    if not isinstance(value, list | dict):
        return False
    return not value or (type(value) is list and len(value) == 1 and type(value[0]) is int)


def _healed(region: str, start: int) -> Found:
    if _ESCAPED.match(region):
        return _unescaped(region, start)
    if rewriter := cut_off(region):
        try:
            return _checked(rewriter.run(), start)
        except (Fault, strict.Unreadable):
            pass  # the damage is elsewhere, or not only there: read all of it
    made = Rewriter(region).run()
    try:
        return _checked(made, start)
    except strict.Unreadable as error:
        raise strict.Unreadable(error.message, start) from None


def _unescaped(region: str, start: int) -> Found:
    r"""A document that was written as the inside of a string: `{\"a\": 1}`."""
    plain = _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), region)
    try:
        found = read_value(plain, 0)
    except strict.Unreadable as error:
        raise strict.Unreadable(error.message, start) from None
    end = found.end
    for escape in _ESCAPE.finditer(region):
        if escape.start() >= end:
            break
        end += 1
    found.corrections.add("fix_quotes")
    found.start, found.end = start, start + end
    return found


def _checked(made: Rewrite, start: int) -> Found:
    value = strict.read(made.text)
    weak = made.weak and made.closed
    return Found(start, start + made.end, made.text, value, made.corrections, made.closed, weak)


def _read_scalar(text: str, failures: list[strict.Unreadable]) -> Found:
    """A text that is one broken string or literal."""
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    word = text[start:].strip()
    if not failures and (word[:1] in tokens.QUOTES or word in LITERALS):
        try:
            found = _healed(text[start:], start)
        except Fault:
            pass
        else:
            if not text[found.end :].strip():
                return found
    if failures:
        raise failures[0]
    raise strict.Unreadable("no JSON value is in the text", 0)


def first_fenced(text: str) -> str | None:
    """The content of the first fence that may hold JSON."""
    for fence in _fences(text):
        found = _read_fence(text, fence)
        stop = max(fence.stop, found.end) if found else fence.stop
        return text[fence.start : stop]
    return None


# fences


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code in markdown that may hold JSON."""

    open: int
    """The offset of its first mark."""
    start: int
    """The offset of its content."""
    stop: int
    """The offset of the mark that closes it, or of the end."""


def _fences(text: str) -> list[Fence]:
    """The fences that may hold JSON: those marked so, or with content that begins like it."""
    if "```" not in text and "~~~" not in text:
        return []
    found = []
    pos = 0
    while opening := _OPEN.search(text, pos):
        closing = text.find(opening[1][:3], opening.end())
        stop = closing if closing >= 0 else len(text)
        content = _BLANKS.match(text, opening.end())
        start = content.end() if content else opening.end()
        claims = opening[2].lower() in _JSON_LABELS
        if claims or tokens.OPENING.match(text, start):
            found.append((not claims, Fence(opening.start(), start, stop)))
        pos = max(stop, opening.end()) + 3
    return [fence for _, fence in sorted(found, key=lambda item: item[0])]


def _read_fence(text: str, fence: Fence) -> Found | None:
    """The value a fence holds."""
    start = fence.start
    try:
        value, end = strict.read_at(text, start)
    except strict.Unreadable:
        pass
    else:
        if _AFTER_VALUE.match(text, end):
            return Found(start, end, text[start:end], value)
    opening = tokens.OPENING.search(text, start, fence.stop)
    if not opening:
        return None
    broken = opening.start() == start
    start = opening.start()
    try:
        found = read_value(text, start, broken=broken)
        if found.closed or found.end <= fence.stop:
            return found
    except strict.Unreadable:
        pass
    stop = fence.stop
    for newline in "\n\r":  # before the line of the closing mark
        stop -= text.endswith(newline, start, stop)
    try:
        return read_value(text, start, stop, broken=broken)
    except strict.Unreadable:
        return None


_OPEN = re.compile(r"(```|~~~)[`~]*+[ \t]*+([\w+.\-]*+)")
_BLANKS = re.compile(r"\s*+")
_AFTER_VALUE = re.compile(r"\s*+(?:```|~~~|\Z)")
_JSON_LABELS = {"json", "jsonc", "json5", "jsonl", "geojson"}
_ESCAPED = re.compile(r'[{\[](?:[\s{\[]|\\[nrt])*+\\"')
_ESCAPE = re.compile(r'\\(["\\/nrt])')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_SURE = re.compile(r"[{\[][\s{\[]*+[\"']")
