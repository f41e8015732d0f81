"""The findings of guardrails, underlined where they are in the answer, however it is drawn.

A finding tells its place in the text as the model wrote it. What is drawn of that text is the same
words in the same order, without the marks of Markdown: so the words of the page are looked up in
the text, one after the other, and the first one that ends behind the place is underlined; the same
as in the live view (`js/src/lib/found.ts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Final

from l0.notebook._look import INK

if TYPE_CHECKING:
    from l0.events import GuardrailViolation

_TAG: Final = re.compile(r"(<[^>]*>)")
_WORD: Final = re.compile(r"\S+")
_TARGET: Final = re.compile(r"[*_~`]*\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+[\"'][^\"']*[\"'])?\s*\)")
"""Behind the label of a link: where it leads."""

_AHEAD: Final = 2200
"""How far ahead a word is looked for: beyond the longest target of a link."""

_NEAR: Final = 4
"""How far ahead a single character is looked for, beyond an escape or the end of emphasis."""

_LONGEST: Final = 40


def underlined(html: str, text: str, violations: Sequence[GuardrailViolation]) -> str:
    """Our own HTML of a text with its findings underlined; tags stay as they are.

    Example:
        >>> from l0.events import GuardrailViolation
        >>> found = GuardrailViolation("r", "because", position=2)
        >>> underlined("<p>a <em>b</em></p>", "a *b*", [found]).count("underline wavy")
        1
    """
    wanted = sorted(
        (each.position, str(each.severity) == "warning")
        for each in violations
        if each.position is not None and each.position < len(text)
    )
    if not wanted:
        return html
    out: list[str] = []
    at, left = 0, False
    for piece in _TAG.split(html):
        if piece.startswith("<") or not wanted:
            left = piece == "</a>"
            out.append(piece)
            continue
        told, done = unescape(piece), 0
        if left and told and (target := _TARGET.match(text, at)):
            at = target.end()
        left = False
        for begin, end, ends in _words(told, text, at):
            at = ends
            if not wanted or ends <= wanted[0][0]:
                continue
            first = begin + max(0, wanted[0][0] - (ends - (end - begin)))
            last = min(end, first + _LONGEST)
            out += [escape(told[done:first]), _mark(told[first:last], warning=wanted[0][1])]
            done = last
            while wanted and ends > wanted[0][0]:  # of one word, the list below says the rest
                wanted.pop(0)
        out.append(escape(told[done:]))
    return "".join(out)


def _words(told: str, text: str, at: int) -> Iterator[tuple[int, int, int]]:
    """Begin and end of each word of a piece that is drawn, and where it ends in the text."""
    for word in _WORD.finditer(told):
        found = text.find(word[0], at, at + _AHEAD + len(word[0]))
        if found >= 0:
            at = found + len(word[0])
            yield word.start(), word.end(), at
            continue
        for place, c in enumerate(word[0], word.start()):  # part of it was written otherwise
            near = text.find(c, at, at + _NEAR + 1)
            if near >= 0:
                at = near + 1
                yield place, place + 1, at


def _mark(word: str, *, warning: bool) -> str:
    ink = INK["retrying"] if warning else INK["failed"]
    return f'<span style="text-decoration:underline wavy {ink}">{escape(word)}</span>'
