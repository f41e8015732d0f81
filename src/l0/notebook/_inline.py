"""Emphasis, code, links and breaks of a run of Markdown text, as safe HTML.

The same rules as the live view's (`js/src/lib/inline.ts`). Links lead to http, https and mailto
only, and nothing of the text but a target becomes an attribute.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import quote, urlsplit

from l0.notebook._look import MONO

HUGE: Final = 16_384
"""Text longer than this without a break is drawn plain."""

_CODE_STYLE: Final = (
    f"{MONO};font-size:0.93em;padding:0.1em 0.3em;border-radius:3px;"
    "color:inherit;background:rgba(128,128,128,0.1)"
)

_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_CODE: Final = re.compile(r"(`+)(?!`)([\s\S]*?[^`])\1(?!`)")
_TICKS: Final = re.compile(r"`+")
_MATH: Final = re.compile(
    r"\$\$[^$]+\$\$|\$(?!\s)[^$\n]*[^\s$]\$(?!\d)|\\[(\[][\s\S]{1,2000}?\\[)\]]"
)
_LINK: Final = re.compile(
    r"!?\[((?:[^\[\]\\]|\\[\s\S]|\[[^\[\]]{0,200}\]){0,999}+)\]"
    r"\(\s{0,9}<?((?:[^\s()<>\\]|\\[\s\S]|\([^\s()]{0,200}\)){0,1999}+)>?"
    r"(?:\s{1,9}(?:\"[^\"]*\"|'[^']*'))?\s{0,9}\)"
)
_BARE: Final = re.compile(r"https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)*_~\]]", re.IGNORECASE)
_BREAK: Final = re.compile(r" {2,}+\n?|\\\n")  # or blanks that are none, read once
_RUN: Final = re.compile(r"\*+|_+|~~")
_PLAIN: Final = re.compile(r"(?:[^\\`$\[!hH*_~ ]| (?! )|[hH](?!ttp))+|[\s\S]", re.IGNORECASE)
_TAGS: Final = {"*": ("em", "strong"), "_": ("em", "strong"), "~": ("del", "del")}
_REACH: Final = 32
"""How many open runs a closer looks back over, so that no text costs more than its length."""


@dataclass(slots=True)
class _Run:
    """A run of `*`, `_` or `~` that may open or close emphasis."""

    c: str
    n: int
    opens: bool
    closes: bool


def inline(text: str, *, links: bool = True) -> str:
    """The text as HTML; without `links`, what would be one keeps its source.

    Example:
        >>> inline("*Hi*, a_b_c <b>")
        '<em>Hi</em>, a_b_c &lt;b&gt;'
    """
    if len(text) > HUGE:
        return escape(text)
    pieces: list[str | _Run] = []
    at = 0
    while at < len(text):
        end, piece = _piece(text, at, links=links)
        pieces.append(piece)
        at = end
    return "".join(map(_settle, _emphasize(pieces)))


def _piece(text: str, at: int, *, links: bool) -> tuple[int, str | _Run]:
    """What begins here, as HTML or as a run, and where it ends."""
    c = text[at]
    if c in "$\\":
        if m := _MATH.match(text, at):
            return m.end(), escape(m[0])
        if m := _ESCAPE.match(text, at):
            return m.end(), escape(m[1])
    if c in " \\" and (m := _BREAK.match(text, at)):
        return m.end(), "<br>" if m[0][-1] == "\n" else m[0]
    if c == "`":
        if m := _CODE.match(text, at):
            return m.end(), _code(m[2])
        m = _TICKS.match(text, at)
        assert m is not None
        return m.end(), m[0]
    if m := _RUN.match(text, at):
        return m.end(), _run(text, m)
    if links and (found := _link_at(text, at)):
        return found
    m = _PLAIN.match(text, at)
    assert m is not None
    return m.end(), escape(m[0])


def _run(text: str, m: re.Match[str]) -> _Run:
    c = m[0][0]
    before = text[m.start() - 1] if m.start() else " "
    after = text[m.end()] if m.end() < len(text) else " "
    left, right = _flanks(after, before), _flanks(before, after)
    opens = left and (c != "_" or not right or _is_punctuation(before))
    closes = right and (c != "_" or not left or _is_punctuation(after))
    return _Run(c, len(m[0]), opens, closes)


def _link_at(text: str, at: int) -> tuple[int, str] | None:
    c = text[at]
    if c in "hH" and not (at and (text[at - 1].isalnum() or text[at - 1] == "_")):
        m = _BARE.match(text, at)
        link = _link(m[0], escape(m[0])) if m else None
    elif c in "[!" and text.find("](", at) >= 0:
        m = _LINK.match(text, at)
        target = _ESCAPE.sub(r"\1", m[2]) if m else ""
        link = _link(target, inline(m[1], links=False) or escape(target)) if m else None
    else:
        return None
    return (m.end(), link) if m and link else None


def _link(url: str, label: str) -> str | None:
    """An anchor for http, https and mailto; a link to anywhere else is none."""
    if len(url) > 2000:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    web = parts.scheme in {"http", "https"} and parts.netloc
    mail = parts.scheme == "mailto" and not parts.netloc and parts.path
    if not (web or mail) or any(ord(each) < 33 or each == "\\" for each in url):
        return None
    href = quote(url.encode("utf-8", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
    where = f'href="{escape(href)}" target="_blank" rel="noopener noreferrer"'
    return f'<a {where} style="color:inherit;text-decoration:underline">{label}</a>'


def _code(text: str) -> str:
    bare = re.fullmatch(r" (.*\S.*) ", text, re.DOTALL)
    inside = escape((bare[1] if bare else text).replace("\n", " "))
    return f'<code style="{_CODE_STYLE}">{inside}</code>'


def _is_punctuation(c: str) -> bool:
    return unicodedata.category(c)[0] in "PS"


def _flanks(inner: str, outer: str) -> bool:
    """Whether a run next to `inner` and away from `outer` flanks a word on the side of `inner`."""
    if inner.isspace():
        return False
    return not _is_punctuation(inner) or outer.isspace() or _is_punctuation(outer)


def _settle(piece: str | _Run) -> str:
    """A run that found no partner is what it looks like."""
    return piece if isinstance(piece, str) else piece.c * piece.n


def _emphasize(pieces: list[str | _Run]) -> list[str | _Run]:
    """Pair openers with closers."""
    out: list[str | _Run] = []
    openers: list[tuple[_Run, int]] = []
    for piece in pieces:
        if isinstance(piece, str):
            out.append(piece)
            continue
        j = len(openers) - 1
        while piece.closes and piece.n and j >= max(0, len(openers) - _REACH):
            run, index = openers[j]
            if run.c == piece.c:
                size = min(2, run.n, piece.n)
                name = _TAGS[run.c][size - 1]
                inside = "".join(map(_settle, out[index + 1 :]))
                del out[index + 1 :], openers[j + 1 :]
                out.append(f"<{name}>{inside}</{name}>")
                run.n -= size
                piece.n -= size
                if not run.n:
                    del out[index]
                    openers.pop()
                j = len(openers)
            j -= 1
        if piece.n:
            if piece.opens:
                openers.append((piece, len(out)))
            out.append(piece)
    return out
