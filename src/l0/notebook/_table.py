"""A small table of text that looks the same as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

_CELL: Final = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"


class Table:
    """Rows of text under column names, shown whole.

    >>> Table(("fault", "what happens"), [("429", "too many requests")])
    fault  what happens
    429    too many requests
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(row) for row in rows]

    def __repr__(self) -> str:
        table = [self.columns, *self.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(self.columns))]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f'<td style="{_CELL}">{escape(text)}</td>' for text in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
