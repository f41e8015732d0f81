"""The words in which one answer differs from another, as they are drawn."""

from __future__ import annotations

import re
from bisect import bisect_left
from html import escape, unescape
from typing import Final

from l0.notebook._explorer_diff import differences, likeness

Ranges = list[tuple[int, int]]
"""`[from, to)` in characters that are no blanks, of the text as it is drawn; apart, in order."""

LEAST: Final = 0.3
"""Of two answers that have less in common, marks would cover everything."""

_TAG: Final = re.compile(r"(<[^>]*>)")
_INLINE: Final = re.compile(r"</?(?:em|strong|b|del|a|code|span)\b")
_MARK: Final = "background:rgba(201,138,26,0.2);border-bottom:2px solid rgba(201,138,26,0.75)"


def compare(reference: str, html: str) -> tuple[float, Ranges]:
    """How much two drawn answers have in common, 0 to 1, and where the second one differs.

    >>> compare("<p>the red fox</p>", "<p>the <em>quick</em> fox</p>")
    (0.6, [(3, 8)])
    """
    parts = differences(visible(reference), visible(html))
    alike = likeness(parts)
    if alike < LEAST:
        return alike, []
    ranges: Ranges = []
    at = 0
    for equal, _, right in parts:
        size = solid(right)
        if size and not equal:
            ranges.append((at, at + size))
        at += size
    return alike, ranges


def visible(html: str) -> str:
    """The text of our own HTML; blocks are apart from each other."""
    return "".join(
        unescape(piece) if not piece.startswith("<") else "" if _INLINE.match(piece) else "\n"
        for piece in _TAG.split(html)
    )


def solid(text: str) -> int:
    """How many characters are no blanks."""
    return sum(not c.isspace() for c in text)


def marked(html: str, ranges: Ranges) -> str:
    """Our own HTML with the ranges marked; tags stay as they are.

    >>> marked("<p>a &lt; b</p>", [(1, 2)]).replace(_MARK, "…")
    '<p>a <span style="…">&lt;</span> b</p>'
    """
    if not ranges:
        return html
    out, at = [], 0
    for piece in _TAG.split(html):
        if piece.startswith("<"):
            out.append(piece)
        elif piece:
            text = unescape(piece)
            out.append(_cut(text, at, ranges))
            at += solid(text)
    return "".join(out)


def _cut(text: str, at: int, ranges: Ranges) -> str:
    """A piece of text that begins at solid character `at`, its share of the ranges marked."""
    pieces: list[tuple[bool, str]] = []
    inside = False
    for c in text:
        if not c.isspace():
            inside = _end_before(at + 1, ranges) > at
            at += 1
        elif inside:
            inside = _end_before(at, ranges) > at
        if pieces and pieces[-1][0] == inside:
            pieces[-1] = (inside, pieces[-1][1] + c)
        else:
            pieces.append((inside, c))
    return "".join(
        f'<span style="{_MARK}">{escape(told)}</span>' if is_marked else escape(told)
        for is_marked, told in pieces
    )


def _end_before(at: int, ranges: Ranges) -> int:
    """Where the last range ends that begins before `at`."""
    found = bisect_left(ranges, (at,))
    return ranges[found - 1][1] if found else 0
