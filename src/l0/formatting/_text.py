"""Line ends, blanks and indentation, made as one wants them."""

from __future__ import annotations

import re
import textwrap
from typing import Literal

_NEWLINES = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


class Text:
    r"""Functions on whole texts; none of them keeps anything.

    Example:
        >>> Text.for_model("one\r\ntwo   \r\n\r\n")
        'one\ntwo'
    """

    @staticmethod
    def normalize_newlines(text: str) -> str:
        r"""Every line end as `\n`."""
        return _NEWLINES.sub("\n", text)

    @staticmethod
    def normalize_whitespace(
        text: str,
        *,
        collapse_spaces: bool = False,
        trim_lines: bool = False,
        remove_empty_lines: bool = False,
    ) -> str:
        r"""Other blanks become spaces; and what else is asked for, line by line.

        Example:
            >>> Text.normalize_whitespace("a\u00a0  b", collapse_spaces=True)
            'a b'
        """
        lines = re.sub(r"[^\S\n\t]", " ", Text.normalize_newlines(text)).split("\n")
        if collapse_spaces:
            lines = [_collapsed(line) for line in lines]
        if trim_lines:
            lines = [line.strip() for line in lines]
        if remove_empty_lines:
            lines = [line for line in lines if line.strip()]
        return "\n".join(lines)

    @staticmethod
    def normalize_indentation(
        text: str, mode: Literal["spaces", "tabs"] = "spaces", spaces_per_tab: int = 2
    ) -> str:
        r"""Indentation in spaces only, or in tabs with spaces for what is left over.

        Raises:
            ValueError: the mode is neither, or a tab is no whole number of spaces from 1.

        Example:
            >>> Text.normalize_indentation("\ta")
            '  a'
        """
        if mode not in {"spaces", "tabs"}:
            raise ValueError(f"mode is 'spaces' or 'tabs', not {mode!r}")
        if spaces_per_tab < 1:
            raise ValueError(f"spaces_per_tab is 1 or more, not {spaces_per_tab!r}")

        def indented(found: re.Match[str]) -> str:
            width = len(found[0].expandtabs(spaces_per_tab))
            if mode == "spaces":
                return " " * width
            return "\t" * (width // spaces_per_tab) + " " * (width % spaces_per_tab)

        return re.sub(r"(?m)^[ \t]+", indented, text)

    @staticmethod
    def dedent(text: str) -> str:
        """Without the indentation that all lines share."""
        return textwrap.dedent(text)

    @staticmethod
    def indent(text: str, prefix: int | str = 2) -> str:
        r"""Each line that has text behind so many spaces, or behind a prefix.

        Example:
            >>> Text.indent("a\nb", "> ")
            '> a\n> b'
        """
        return textwrap.indent(text, " " * prefix if isinstance(prefix, int) else prefix)

    @staticmethod
    def trim(text: str) -> str:
        """Without blanks at both ends."""
        return text.strip()

    @staticmethod
    def normalize(
        text: str,
        *,
        newlines: bool = True,
        whitespace: bool = False,
        indentation: bool = False,
        spaces_per_tab: int = 2,
        dedent_text: bool = False,
        trim: bool = False,
    ) -> str:
        """The steps that are asked for, in the order of the arguments."""
        if newlines:
            text = Text.normalize_newlines(text)
        if whitespace:
            text = Text.normalize_whitespace(text)
        if indentation:
            text = Text.normalize_indentation(text, spaces_per_tab=spaces_per_tab)
        if dedent_text:
            text = Text.dedent(text)
        return text.strip() if trim else text

    @staticmethod
    def for_model(text: str) -> str:
        r"""As a prompt should be: `\n` line ends, no blanks at line ends, no blank edges.

        Indentation of the first line stays.
        """
        text = Text.remove_trailing_whitespace(Text.normalize_newlines(text))
        return text.strip("\n")

    @staticmethod
    def ensure_trailing_newline(text: str) -> str:
        r"""With a `\n` at the end; the empty text stays empty."""
        return text if not text or text.endswith("\n") else text + "\n"

    @staticmethod
    def remove_trailing_whitespace(text: str) -> str:
        """Without blanks at line ends."""
        return "\n".join(line.rstrip() for line in text.split("\n"))

    @staticmethod
    def is_whitespace_only(text: str) -> bool:
        """Whether there is nothing to read; true of the empty text."""
        return not text.strip()

    @staticmethod
    def count_lines(text: str) -> int:
        """How many lines; the empty text has none, and a last line end opens no further one."""
        return len(_lines(text))

    @staticmethod
    def get_line(text: str, index: int) -> str:
        """A line without its end, from 0; negative from the last.

        Raises:
            IndexError: there is no such line.
        """
        lines = _lines(text)
        try:
            return lines[index]
        except IndexError:
            raise IndexError(f"no line {index}; the text has {len(lines)}") from None

    @staticmethod
    def replace_line(text: str, index: int, line: str) -> str:
        r"""The text with another line at an index, and every line end as `\n`.

        Raises:
            IndexError: there is no such line.
        """
        Text.get_line(text, index)
        text = Text.normalize_newlines(text)
        lines = _lines(text)
        lines[index] = line
        return "\n".join(lines) + ("\n" if text.endswith("\n") else "")


def _collapsed(line: str) -> str:
    indent = len(line) - len(line.lstrip())
    return line[:indent] + re.sub(r"[ \t]{2,}", " ", line[indent:])


def _lines(text: str) -> list[str]:
    lines = Text.normalize_newlines(text).split("\n")
    return lines[:-1] if lines[-1] == "" else lines
