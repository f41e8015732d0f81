"""A table of runs, and two texts side by side, as static HTML and as plain text.

As everywhere: inline styles only, everything escaped, and with `timeless` nothing that differs
from one execution to the next: no ids, no clock times, no durations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from l0.notebook._explorer_diff import Part, compared
from l0.notebook._explorer_opened import Opened
from l0.notebook._explorer_runs import Line
from l0.notebook._look import FAINT, INK, LINE, LOST, SMALL
from l0.notebook._picture import count, seconds
from l0.notebook._rows import clean
from l0.notebook._static import NAMES, SIGNS

MOST: Final = 50
"""Lines a static table has."""

EMPTY: Final = "No runs yet"
_LONG: Final = 72
_CELL: Final = "padding:2px 14px 2px 0;border:0;text-align:left;vertical-align:top"
_WHOLE: Final = "white-space:nowrap"
_WRAPS: Final = "white-space:normal;min-width:16em"
_FROM: Final = {"left": "text-align:left", "right": "text-align:right"}

Column = tuple[str, str, list[str]]
"""Name, side, cells."""


def table_html(lines: Sequence[Line], *, timeless: bool = False) -> str:
    """The runs as a table, the newest first."""
    if not lines:
        return f'<div style="padding:0.5em 0.25em;{FAINT}">{EMPTY}</div>'
    shown = lines[:MOST]
    columns = _columns(shown, timeless=timeless)
    head = "".join(
        f'<th style="{_cell(side)};font-weight:600;{FAINT}">{escape(name)}</th>'
        for name, side, _ in columns
    )
    body = "".join(
        f'<tr style="background:transparent">{_row(columns, at, line)}</tr>'
        for at, line in enumerate(shown)
    )
    more = _more(lines)
    below = f'<div style="{SMALL};{FAINT}">{more}</div>' if more else ""
    title = _title(lines)
    return (
        '<div style="max-width:100%;padding:0.5em 0.25em 0;line-height:1.5">'
        f'<div style="{SMALL};margin-bottom:0.3em"><b style="font-weight:600">Runs</b>'
        f'<span style="{FAINT}"> · {escape(title)}</span></div>'
        '<div style="max-width:100%;overflow-x:auto">'
        f'<table style="border-collapse:collapse;{SMALL};color:inherit;margin:0">'
        f'<thead><tr style="border-bottom:1px solid {LINE}">{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{below}</div>"
    )


def table_text(lines: Sequence[Line]) -> str:
    """The runs as lines of text; no durations, as in every text of a view."""
    if not lines:
        return EMPTY
    shown = lines[:MOST]
    columns = _columns(shown, timeless=True)
    padded = []
    for name, side, cells in columns:
        wide = max(len(name), *map(len, cells))
        pad = str.rjust if side == "right" else str.ljust
        padded.append([pad(each, wide) for each in (name, *cells)])
    rows = ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]
    return "\n".join([f"runs · {_title(lines)}", *rows, *filter(None, [_more(lines)])])


def _title(lines: Sequence[Line]) -> str:
    told = [count(len(lines), "run")]
    for status in ("failed", "aborted", "unfinished"):
        number = sum(line.status == status for line in lines)
        if number:
            told.append(f"{number:,} {NAMES.get(status, status)}")
    return " · ".join(told)


def _more(lines: Sequence[Line]) -> str:
    return f"… and {len(lines) - MOST:,} more" if len(lines) > MOST else ""


def _columns(lines: Sequence[Line], *, timeless: bool) -> list[Column]:
    """The columns that say something about these runs."""
    columns: list[Column] = [
        ("outcome", "left", [NAMES.get(line.status, line.status) for line in lines]),
        ("model", "left", [line.model or "" for line in lines]),
        ("prompt", "left", [_short(line.prompt) for line in lines]),
        ("attempts", "right", [str(line.attempts) for line in lines]),
        ("tokens", "right", [f"{line.token_count:,}" for line in lines]),
    ]
    if not timeless:
        columns += [
            ("first token", "right", [spent(line.first_token) for line in lines]),
            ("duration", "right", [spent(line.duration) for line in lines]),
        ]
    if any(line.cost is not None for line in lines):
        costs = ["" if line.cost is None else money(line.cost) for line in lines]
        columns.append(("cost", "right", costs))
    if not timeless:
        columns.append(("started (UTC)", "left", [moment(line.started) for line in lines]))
    told = [(name, side, [clean(cell) for cell in cells]) for name, side, cells in columns]
    return [column for column in told if any(column[2])]


def _row(columns: Iterable[Column], at: int, line: Line) -> str:
    ink = INK.get(line.status, INK["waiting"])
    dot = f'<span style="color:{ink}">{SIGNS.get(line.status, "●")}</span> '
    return "".join(
        f'<td style="{_style(name, side)}">'
        f"{dot if name == 'outcome' else ''}{escape(cells[at])}</td>"
        for name, side, cells in columns
    )


def _cell(side: str) -> str:
    return f"{_CELL.replace('text-align:left', _FROM[side])};{_WHOLE}"


def _style(name: str, side: str) -> str:
    """Only the prompt may take more than a line."""
    return _cell(side) if name != "prompt" else _cell(side).replace(_WHOLE, _WRAPS)


def _short(text: str | None) -> str:
    words = " ".join((text or "").split())
    return words if len(words) <= _LONG else words[: _LONG - 1].rstrip() + "…"


def spent(value: float | None) -> str:
    """A duration in seconds, as people say it; nothing where it is not known.

    >>> spent(4.2), spent(None)
    ('4.2 s', '')
    """
    return "" if value is None else seconds(value * 1000)


def money(value: float) -> str:
    """A cost with the digits that say something.

    >>> money(0.0123456), money(2.5)
    ('0.0123', '2.50')
    """
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}" if value else "0"


def moment(ms: float) -> str:
    """A time to the second, UTC; nothing for what has not begun.

    >>> moment(1e12), moment(0)
    ('2001-09-09 01:46:40', '')
    """
    if not ms:
        return ""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


# --- two texts ------------------------------------------------------------------------------


def sides_html(sides: Sequence[tuple[str, Opened]], *, timeless: bool = False) -> str:
    """The texts of two runs side by side, marked where one of them says something else."""
    parts, alike = compared(*(opened.story.text for _, opened in sides))
    columns = "".join(
        f'<div style="flex:1 1 18em;min-width:0;border-left:2px solid {LINE};padding-left:0.9em">'
        f'<div style="{SMALL};font-weight:600">{escape(clean(name))}</div>'
        f'<div style="{SMALL};{FAINT};margin-bottom:0.4em">'
        f"{escape(clean(facts_of(opened, timeless=timeless)))}</div>"
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{_marked(parts, side)}</div>'
        "</div>"
        for side, (name, opened) in enumerate(sides)
    )
    return (
        '<div style="max-width:100%;padding:0.5em 0.25em 0;line-height:1.5">'
        f'<div style="{SMALL};{FAINT};margin-bottom:0.5em">{escape(alike)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:1em 1.5em">{columns}</div></div>'
    )


def sides_text(sides: Sequence[tuple[str, Opened]]) -> str:
    """The same as text: `[-only left-]` and `{+only right+}` among what both say."""
    parts, alike = compared(*(opened.story.text for _, opened in sides))
    heads = [f"{name}: {facts_of(opened, timeless=True)}" for name, opened in sides]
    told = []
    for equal, left, right in parts:
        if equal:
            told.append(right if left.split() == right.split() else f"{left}\n\n{right}")
        else:
            told += [f"[-{left}-]" if left else "", f"{{+{right}+}}" if right else ""]
    return clean("\n".join([*heads, alike, "", "".join(told)]))


def facts_of(opened: Opened, *, timeless: bool = False) -> str:
    """Model, status, attempts, tokens and how long it took."""
    told = (opened.story.answers, opened.closing(timeless=timeless))
    return " · ".join(filter(None, told))


def _marked(parts: Sequence[Part], side: int) -> str:
    out = []
    for equal, *texts in parts:
        text = escape(clean(str(texts[side])))
        if equal or not text:
            out.append(text)
        elif side == 0:
            out.append(f'<span style="border-bottom:2px dotted {LOST}">{text}</span>')
        else:
            out.append(f'<span style="border-bottom:2px solid {INK["complete"]}">{text}</span>')
    return "".join(out)
