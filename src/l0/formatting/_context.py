"""Context, documents and instructions as blocks of a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from l0.formatting._delimiters import Delimiter, block, custom_block
from l0.formatting._text import Text


def format_context(
    content: str | None,
    *,
    label: str = "Context",
    delimiter: Delimiter = "xml",
    dedent: bool = True,
    normalize: bool = True,
    custom_delimiter_start: str | None = None,
    custom_delimiter_end: str | None = None,
) -> str:
    r"""Content in a block with a label; whatever it says, it can't close the block.

    Args:
        content: the text; None or blank gives `""`.
        label: what it is; lower-cased as the name of an xml tag, upper-cased in brackets.
        delimiter: `"xml"`, `"markdown"`, `"brackets"` or `"none"`.
        dedent: take away the indentation all lines share.
        normalize: make all line ends `\n`, and drop blanks at line ends and blank edges.
        custom_delimiter_start: your own opening line, with `custom_delimiter_end`; they win over
            `delimiter`.
        custom_delimiter_end: your own closing line.

    Raises:
        ValueError: there is no such delimiter, or only one of the custom ones is given.

    Example:
        >>> print(format_context("Paris is in France.", label="Facts"))
        <facts>
        Paris is in France.
        </facts>
    """
    if (custom_delimiter_start is None) != (custom_delimiter_end is None):
        raise ValueError("give custom_delimiter_start and custom_delimiter_end together")
    text = _prepared(content, dedent=dedent, normalize=normalize)
    if not text.strip():
        return ""
    if custom_delimiter_start is not None and custom_delimiter_end is not None:
        return custom_block(text, custom_delimiter_start, custom_delimiter_end)
    return block(label, text, delimiter)


def format_multiple_contexts(
    items: Iterable[str | tuple[str, str] | Mapping[str, Any]], *, delimiter: Delimiter = "xml"
) -> str:
    """Several contexts, a blank line between them; empty ones are left out.

    Items are texts, `(label, content)` pairs, or mappings with the keywords of `format_context`.

    Example:
        >>> print(format_multiple_contexts([("A", "one"), {"content": "two", "label": "B"}]))
        <a>
        one
        </a>
        <BLANKLINE>
        <b>
        two
        </b>
    """
    blocks = []
    for item in items:
        if isinstance(item, str):
            made = format_context(item, delimiter=delimiter)
        elif isinstance(item, Mapping):
            made = format_context(**{"delimiter": delimiter, **item})
        else:
            label, content = item
            made = format_context(content, label=label, delimiter=delimiter)
        if made:
            blocks.append(made)
    return "\n\n".join(blocks)


def format_document(
    content: str | None,
    metadata: Mapping[str, Any] | None = None,
    *,
    delimiter: Delimiter = "xml",
) -> str:
    """A document with a line for each piece of its metadata above it.

    Example:
        >>> print(format_document("It rained.", {"title": "Diary", "year": 1911}))
        <document>
        title: Diary
        year: 1911
        <BLANKLINE>
        It rained.
        </document>
    """
    known = {key: value for key, value in (metadata or {}).items() if value is not None}
    head = "\n".join(f"{_one_line(key)}: {_one_line(value)}" for key, value in known.items())
    text = _prepared(content, dedent=True, normalize=True)
    whole = "\n\n".join(part for part in (head, text) if part)
    return block("Document", whole, delimiter) if whole else ""


def format_instructions(text: str | None, *, delimiter: Delimiter = "xml") -> str:
    """Instructions in their block.

    Example:
        >>> print(format_instructions("Be brief.", delimiter="markdown"))
        # Instructions
        <BLANKLINE>
        Be brief.
    """
    return format_context(text, label="Instructions", delimiter=delimiter)


def _prepared(content: str | None, *, dedent: bool, normalize: bool) -> str:
    text = content or ""
    if dedent:
        text = Text.dedent(text)
    return Text.for_model(text) if normalize else text


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())
