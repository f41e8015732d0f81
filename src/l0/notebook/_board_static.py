"""A board as static HTML and as plain text: what stays when the live view is gone.

With `timeless` (headless execution) nothing depends on the clock: no durations, and of a race only
the winner's text, because how far the others came is chance.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from l0.notebook._board import Board, Verdict, drawn
from l0.notebook._board_marks import marked
from l0.notebook._look import FAINT, INK, LINE, SMALL
from l0.notebook._picture import Picture, count, seconds
from l0.notebook._rows import clean
from l0.notebook._static import (
    _NO_FORMULAS,
    NAMES,
    _answer,
    _error,
    _facts,
    _findings,
    _said,
    _small,
    _thoughts,
    _timings,
    _tool,
    _tool_line,
    _withdrawn,
    dot,
    head,
)
from l0.notebook._story import Story
from l0.notebook._timeline import untimed

WIDTHS: Final = ((2, "24em"), (3, "17em"), (4, "15em"), (24, "19em"))
"""Up to so many runs, a column is this wide at least. As `js/src/board.ts` has it."""

_WIDE: Final = 2
"""Up to so many runs there is room for the time to the first token."""

_SPACED: Final = 'style="margin:0.5em 0 0.35em;'
_TIGHT: Final = 'style="margin:0;'
_SCROLL: Final = "max-height:26em;overflow:auto;margin:0.5em 0 0.35em"
"""The space around an answer is outside of what scrolls, as in the live view."""

_AGREES: Final = INK["complete"]
_NTH: Final = re.compile(r"(.*?)( · \d+)?", re.DOTALL)
"""A model, and which of its runs it is: that stays where the name has no room."""
_COUNTED: Final = re.compile(r"(\d) ")
"""A number, whose unit shares the line with it."""
_LONG: Final = "overflow:hidden;text-overflow:ellipsis"
_NAME: Final = "display:flex;flex:1 1 auto;min-width:0;font-weight:600;white-space:pre"


def mimebundle(board: Board, *, timeless: bool | None = None) -> dict[str, str]:
    """A board as `text/html` and `text/plain`.

    Args:
        board: the runs.
        timeless: leave out what depends on the clock; by default in headless execution.
    """
    if timeless is None:
        from l0.notebook._where import where

        timeless = where() == "headless"
    pictures = [card.picture() for card in board.cards]
    return {
        "text/html": clean(_html(board, pictures, timeless=timeless)),
        "text/plain": clean(_text(board, pictures, timeless=timeless)),
    }


def width(runs: int) -> str:
    """How wide a column is at least."""
    return next(each for most, each in WIDTHS if runs <= most or most == WIDTHS[-1][0])


def _lost(board: Board, at: int) -> bool:
    """Whether a run was called off because another one was first."""
    return board.kind == "race" and board.verdict().winner not in {None, at}


def _title(board: Board) -> str:
    return f"{board.kind} of {len(board.cards)}"


def _word(board: Board, at: int, *, timeless: bool) -> str:
    status = board.cards[at].status
    if timeless and _lost(board, at):
        return "called off"
    return NAMES.get(status, status)


# --- plain text -----------------------------------------------------------------------------


def _text(board: Board, pictures: list[Picture], *, timeless: bool) -> str:
    verdict, status = board.verdict(), board.status
    lines = [" · ".join(filter(None, (NAMES.get(status, status), _title(board), verdict.says)))]
    lines += [f"  {note}" for note in board.notes]
    for at, (card, picture) in enumerate(zip(board.cards, pictures, strict=True)):
        lines += _lines(board, at, card, picture, timeless=timeless)
    if board.error is not None:
        lines.append(f"  {board.error['type']}: {untimed(board.error['message'])}")
    if verdict.text:
        lines += ["", verdict.text]
    elif board.kind != "parallel" and verdict.winner is not None:
        lines += ["", board.cards[verdict.winner].text]
    elif board.kind == "parallel":
        for at, card in enumerate(board.cards):
            lines += ["", f"[{board.group.labels[at]}]", card.text] if card.text else []
    return "\n".join(lines)


def _lines(board: Board, at: int, card: Story, picture: Picture, *, timeless: bool) -> list[str]:
    badge = board.verdict().badges[at] if board.over else ""
    word = _word(board, at, timeless=timeless)
    if timeless and _lost(board, at):
        return [f"  {board.group.labels[at]} · {word}"]
    told = [board.group.labels[at], word, *_facts(card, picture), badge]
    lines = ["  " + " · ".join(filter(None, told))]
    lines += [f"    {_said(entry)}" for entry in picture.withdrawn]
    lines += [f"    tool {_tool_line(tool, timeless=True)}" for tool in picture.tools]
    lines += [f"    data {output}" for output in picture.outputs]
    if card.error is not None:
        lines.append(f"    {card.error['type']}: {untimed(card.error['message'])}")
    return lines


# --- HTML -----------------------------------------------------------------------------------


def _html(board: Board, pictures: list[Picture], *, timeless: bool) -> str:
    verdict = board.verdict()
    cards = "".join(
        _card(board, at, card, picture, timeless=timeless)
        for at, (card, picture) in enumerate(zip(board.cards, pictures, strict=True))
    )
    parts = [
        head(
            board.status,
            [_title(board), verdict.says],
            "" if timeless else " · ".join(filter(None, _totals(board, pictures))),
        ),
        *(_small(escape(note)) for note in board.notes),
        f'<div style="{_columns(board)}">{cards}</div>',
        _together(board, verdict),
        _error(board.error, timeless=timeless),
    ]
    style = "max-width:100%;padding:0.5em 0.25em 0;line-height:1.5"
    return f'<div class="{_NO_FORMULAS}" style="{style}">{"".join(parts)}</div>'


def _columns(board: Board) -> str:
    """Columns of one width, those of the last row, too."""
    each = f"repeat(auto-fit,minmax({width(len(board.cards))},1fr))"
    return f"display:grid;grid-template-columns:{each};gap:0.7em;margin:0.5em 0"


def _totals(board: Board, pictures: list[Picture]) -> list[str]:
    ends = [
        card.started_ms + picture.t
        for card, picture in zip(board.cards, pictures, strict=True)
        if card.started_ms is not None
    ]
    begun = board.started_ms
    tokens = sum(picture.tokens for picture in pictures)
    return [
        seconds(max(ends) - begun) if ends and begun is not None else "",
        count(tokens, "token") if tokens else "",
    ]


def _card(board: Board, at: int, card: Story, picture: Picture, *, timeless: bool) -> str:
    verdict = board.verdict()
    badge = verdict.badges[at] if board.over else ""
    chosen = badge in {"winner", "agrees", "similar"}
    lost = _lost(board, at)
    edge = _AGREES if chosen else LINE
    box = (
        "min-width:0;box-sizing:border-box;max-width:100%;"
        f"border:1px solid {edge};border-top:3px solid {edge};border-radius:4px;"
        f"padding:0.35em 0.8em 0.5em"
    )
    marks = verdict.marks[at] if verdict.marks else []
    if timeless and lost:
        body = ""
    else:
        body = "".join(_withdrawn(entry) for entry in picture.withdrawn)
        body += _thoughts(picture.thoughts)
        answer = marked(_answer(card), marks).replace(_SPACED, _TIGHT, 1)
        body += f'<div style="{_SCROLL}">{answer}</div>' if answer else ""
        body += _findings(picture.violations)
        body += "".join(_tool(tool, timeless=timeless) for tool in picture.tools)
        body += "".join(_small(escape(f"data · {output}")) for output in picture.outputs)
        body += _error(card.error, timeless=timeless)
    faint = f";{FAINT}" if lost else ""
    return (
        f'<div style="{box}{faint}">{_card_head(board, at, card, badge)}'
        f"{_numbers(board, at, picture, card, timeless=timeless)}{body}</div>"
    )


def _card_head(board: Board, at: int, card: Story, badge: str) -> str:
    ink = _AGREES if badge in {"winner", "agrees", "similar"} else INK["retrying"]
    sign = {
        "winner": "✓ winner",
        "agrees": "✓ agrees",
        "similar": "≈ similar",
        "differs": "≠ differs",
    }.get(badge, "")
    last = f'<span style="color:{ink};font-weight:600;white-space:nowrap">{sign}</span>'
    label = escape(clean(board.group.labels[at]))
    name, nth = _NTH.fullmatch(label).groups("")  # type: ignore[union-attr]  # anything fits
    return (
        f'<div style="{SMALL};line-height:1.8;display:flex;gap:0.5em">{dot(card.status)}'
        f'<b title="{label}" style="{_NAME}"><span style="{_LONG}">{name}</span>{nth}</b>'
        f"{last if sign else ''}</div>"
    )


def _numbers(board: Board, at: int, picture: Picture, card: Story, *, timeless: bool) -> str:
    told: list[Any] = [_word(board, at, timeless=timeless)]
    if not (timeless and _lost(board, at)):
        told += _facts(card, picture)
    if not timeless:
        told += [
            each
            for each in _timings(picture)
            if len(board.cards) <= _WIDE or not each.startswith("first token")
        ]
    words = _COUNTED.sub("\\1\u00a0", " · ".join(told))
    style = f"{SMALL};{FAINT};line-height:1.5;min-height:1.5em;margin-bottom:0.4em"
    return f'<div style="{style}">{escape(words)}</div>'


def _together(board: Board, verdict: Verdict) -> str:
    """The answer that is no run's own."""
    if not verdict.text:
        return ""
    told = drawn(verdict.text, board.format)
    box = f"border-left:3px solid {_AGREES};padding:0.1em 0 0.1em 0.9em;margin:0.5em 0"
    return (
        f'<div style="{box}"><b style="{SMALL};font-weight:600">Together</b>{_answer(told)}</div>'
    )
