"""Escaping, cutting, wrapping and padding of strings."""

from __future__ import annotations

import html
import itertools
import re
import textwrap
from typing import Final, Literal

_ESCAPES: Final = {
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\0": "\\0",
    '"': '\\"',
    "'": "\\'",
}
_UNESCAPES: Final = {escaped[1]: char for char, escaped in _ESCAPES.items()}
# CSI, OSC and the two-character sequences of ECMA-48
_ANSI: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_PIECE: Final = 10_000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")


def escape(text: str) -> str:
    r"""Backslash, quotes, line ends, tab and NUL as backslash sequences.

    Example:
        >>> print(escape('a "b"\n'))
        a \"b\"\n
    """
    return re.sub(r"[\\\n\r\t\0\"']", lambda found: _ESCAPES[found[0]], text)


def unescape(text: str) -> str:
    """What `escape` was given; unknown sequences stay as they are.

    Example:
        >>> unescape(escape('a "b"'))
        'a "b"'
    """
    return re.sub(r"\\(.)", lambda found: _UNESCAPES.get(found[1], found[0]), text)


def escape_html(text: str) -> str:
    """The text so that HTML shows it as it is, attributes included.

    Example:
        >>> escape_html("<a & b>")
        '&lt;a &amp; b&gt;'
    """
    return html.escape(text, quote=True)


def unescape_html(text: str) -> str:
    """Character references as the characters they stand for.

    Example:
        >>> unescape_html("&lt;a &amp; b&gt;")
        '<a & b>'
    """
    return html.unescape(text)


def escape_regex(text: str) -> str:
    """A pattern that matches this very text.

    Example:
        >>> import re
        >>> bool(re.fullmatch(escape_regex("1+1"), "1+1"))
        True
    """
    return re.escape(text)


def sanitize(text: str) -> str:
    r"""Without control characters; tab and line ends stay.

    Example:
        >>> sanitize("a\x00b\tc")
        'ab\tc'
    """
    return _CONTROL.sub("", text)


def trim(text: str) -> str:
    """Without blanks at both ends.

    Example:
        >>> trim("  a ")
        'a'
    """
    return text.strip()


def truncate(text: str, length: int, suffix: str = "...") -> str:
    """At most `length` characters, the suffix included where something was cut.

    Raises:
        ValueError: the length is negative.

    Example:
        >>> truncate("Hello world", 8)
        'Hello...'
    """
    if length < 0:
        raise ValueError(f"length is 0 or more, not {length}")
    if len(text) <= length:
        return text
    return text[: length - len(suffix)] + suffix if length > len(suffix) else text[:length]


def truncate_words(text: str, length: int, suffix: str = "...") -> str:
    """As `truncate`, between words where there is a blank to cut at.

    Example:
        >>> truncate_words("Hello wide world", 13)
        'Hello wide...'
    """
    cut = truncate(text, length, suffix)
    if cut == text or length <= len(suffix):
        return cut
    kept = length - len(suffix)
    if not text[kept].isspace():
        blank = max(text.rfind(" ", 0, kept), text.rfind("\n", 0, kept), text.rfind("\t", 0, kept))
        kept = blank if blank > 0 else kept
    return text[:kept].rstrip() + suffix


def wrap(text: str, width: int) -> str:
    r"""Lines of at most `width` characters, broken at blanks; longer words are cut.

    Line ends of the text stay.

    Raises:
        ValueError: the width is below 1.

    Example:
        >>> wrap("one two three", 7)
        'one two\nthree'
    """
    if width < 1:
        raise ValueError(f"width is 1 or more, not {width}")
    broken = _Wrapper(width).wrap
    lines = (broken(line) or [""] for line in text.split("\n"))
    return "\n".join(part for line in lines for part in line)


class _Wrapper(textwrap.TextWrapper):
    """Cuts long words in pieces of pieces: else each line would copy all the rest of a word."""

    def _split(self, text: str) -> list[str]:
        words = super()._split(text)
        if words and words[0].isspace():  # lines of nothing but blanks are left out
            words[0] = words[0][: (len(words[0]) - 1) % self.width + 1]
        return [piece for word in words for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[str]:
        """Each is longer than a line, so that lines are filled as with the whole word."""
        if word.isspace():
            return [word]
        size = max(_PIECE, self.width + 1)
        cuts = [0, *range(size, len(word) - self.width, size), len(word)]
        return [word[a:b] for a, b in itertools.pairwise(cuts)]


def pad(
    text: str, length: int, char: str = " ", align: Literal["left", "right", "center"] = "left"
) -> str:
    """At least `length` characters; `align` says where the text stands.

    Raises:
        ValueError: `char` is not one character, or the alignment is unknown.

    Example:
        >>> pad("7", 3, "0", align="right")
        '007'
    """
    if len(char) != 1:
        raise ValueError(f"char is one character, not {char!r}")
    if align == "left":
        return text.ljust(length, char)
    if align == "right":
        return text.rjust(length, char)
    if align == "center":
        return text.center(length, char)
    raise ValueError(f"align is left, right or center, not {align!r}")


def remove_ansi(text: str) -> str:
    r"""Without terminal colours and other escape sequences.

    Example:
        >>> remove_ansi("\x1b[31mred\x1b[0m")
        'red'
    """
    return _ANSI.sub("", text)
