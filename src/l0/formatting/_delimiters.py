"""Blocks around pieces of a prompt, and content that can't close the block it stands in.

What would close a block gets a backslash, and what already had backslashes gets one more, so that
taking one away gives back the very text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

Delimiter = Literal["xml", "markdown", "brackets", "none"]

DELIMITERS: Final = ("xml", "markdown", "brackets", "none")

_LINE: Final = r"(?:^|(?<=[\r\x0b\x0c\x85\u2028\u2029]))"  # wherever a reader may see a new line
_RULE: Final = r"=+[ \t]*(?=[\r\n\x0b\x0c\x85\u2028\u2029]|\Z)"
_CLOSERS: Final = {  # what stands before the backslashes, and after them
    "xml": ("<", "/"),
    "markdown": (_LINE + r"[ ]{0,3}", rf"(?:#(?=\s|\Z)|{_RULE})"),
    "brackets": (_LINE + r"[ ]{0,3}", _RULE),
}
_NO_NAME: Final = re.compile(  # all but letters that every edition of XML takes in a name
    r"[^A-Za-z0-9_.\-\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u03a3-\u03ce\u0410-\u044f"
    r"\u3041-\u3094\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]+"
)
_ESCAPE: Final = {
    name: re.compile(rf"(?m)({before})(\\*)({after})") for name, (before, after) in _CLOSERS.items()
}
_UNESCAPE: Final = {
    name: re.compile(rf"(?m)({before})\\(\\*)({after})")
    for name, (before, after) in _CLOSERS.items()
}


def escape_delimiters(text: str, delimiter: Delimiter = "xml") -> str:
    r"""The text, with what would close a block of this kind made harmless.

    For xml that is every closing tag, for markdown every heading of the first level, for brackets a
    rule of `=`. `unescape_delimiters` gives back the very text.

    Raises:
        ValueError: there is no such delimiter.

    Example:
        >>> print(escape_delimiters("a </context> b"))
        a <\/context> b
    """
    check_delimiter(delimiter)
    return text if delimiter == "none" else _ESCAPE[delimiter].sub(r"\1\\\2\3", text)


def unescape_delimiters(text: str, delimiter: Delimiter = "xml") -> str:
    r"""What `escape_delimiters` was given.

    Raises:
        ValueError: there is no such delimiter.

    Example:
        >>> unescape_delimiters(escape_delimiters("a </context> b"))
        'a </context> b'
    """
    check_delimiter(delimiter)
    return text if delimiter == "none" else _UNESCAPE[delimiter].sub(r"\1\2\3", text)


def check_delimiter(delimiter: str) -> None:
    """Raise a ValueError that lists the delimiters, if this is none."""
    if delimiter not in DELIMITERS:
        raise ValueError(f"no delimiter {delimiter!r}; there are {', '.join(DELIMITERS)}")


def block(label: str, content: str, delimiter: Delimiter) -> str:
    """The content, escaped, in a block of this kind."""
    check_delimiter(delimiter)
    return _BLOCKS[delimiter](" ".join(label.split()), escape_delimiters(content, delimiter))


def custom_block(content: str, start: str, end: str) -> str:
    """The content between the caller's own delimiters, none of which it can imitate.

    Raises:
        ValueError: a delimiter is too short to be told from text.
    """
    for name, given in (("custom_delimiter_start", start), ("custom_delimiter_end", end)):
        if len(given.strip()) < 2:
            raise ValueError(f"{name} needs two characters or more, not {given!r}")
    for given in (end, start):
        content = _break_up(content, given.strip())
    return f"{start}\n{content}\n{end}"


def tag_name(label: str) -> str:
    """A label as the name of a tag: lower case, `_` for what a name can't have.

    Example:
        >>> tag_name("User's notes")
        'user_s_notes'
    """
    return xml_name(_NO_NAME.sub("_", label.strip().lower()).strip("_.-") or "context")


def xml_name(text: str) -> str:
    """A text as a name that XML takes, for tags and attributes."""
    name = _NO_NAME.sub("_", text) or "_"
    return name if name[0] not in "0123456789.-" else f"_{name}"


def _xml(label: str, content: str) -> str:
    name = tag_name(label)
    return f"<{name}>\n{content}\n</{name}>"


def _markdown(label: str, content: str) -> str:
    return f"# {label}\n\n{content}"


def _brackets(label: str, content: str) -> str:
    inside = label.replace("[", "(").replace("]", ")").upper()
    rule = "=" * max(20, len(label) + 10)
    return f"[{inside}]\n{rule}\n{content}\n{rule}"


_BLOCKS: Final[dict[str, Callable[[str, str], str]]] = {
    "xml": _xml,
    "markdown": _markdown,
    "brackets": _brackets,
    "none": lambda _, content: content,
}


def _break_up(content: str, mark: str) -> str:
    between = "\\" if "\\" not in mark[:2] else " "
    everywhere = re.compile(rf"{re.escape(mark[0])}(?={re.escape(mark[1:])})")
    while mark in content:  # once, but for marks that overlap themselves
        content = everywhere.sub(lambda found: found[0] + between, content)
    return content
