"""A conversation as a transcript: static HTML, plain text and data, readable without a kernel."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from l0.formatting import estimate_tokens, format_memory
from l0.notebook import _markdown
from l0.notebook._look import FAINT, INK, LINE, SMALL
from l0.notebook._picture import count
from l0.notebook._rows import clean
from l0.notebook._static import _NO_FORMULAS

if TYPE_CHECKING:
    from l0.notebook._chat import Conversation, Turn

_WHO: Final = {"user": INK["streaming"], "assistant": INK["complete"], "system": INK["waiting"]}
_EMPTY: Final = "Nothing has been said yet."


def headline(talk: Conversation) -> str:
    """How long it is: `2 turns · about 310 tokens`; by the budget only where there is one."""
    turns = sum(turn["role"] == "user" for turn in talk.messages)
    size = sum(estimate_tokens(turn["content"]) for turn in talk.messages)
    parts = [count(turns, "turn"), f"about {count(size, 'token')}"]
    if talk.max_tokens is not None:
        parts.append(f"at most {talk.max_tokens:,} sent")
    return " · ".join(parts)


def data(talk: Conversation) -> dict[str, Any]:
    """What the saved output keeps; halves of characters, which JSON can't carry, are replaced."""
    told = talk.to_dict()
    told["system"] = None if talk.system is None else clean(talk.system)
    told["messages"] = [{key: clean(text) for key, text in turn.items()} for turn in talk.messages]
    return told


# --- plain text -----------------------------------------------------------------------------


def text(talk: Conversation) -> str:
    """The transcript as plain text."""
    said = format_memory([*_first(talk), *talk.messages]) or _EMPTY
    lines = [f"conversation · {headline(talk)}"]
    if left_out := _left_out(talk):
        lines.append(f"  {_left_out_line(talk, left_out)}")
    return clean("\n".join([*lines, "", said]))


def _first(talk: Conversation) -> list[Turn]:
    return [{"role": "system", "content": talk.system}] if talk.system else []


def _left_out(talk: Conversation) -> int:
    """How many of the oldest turns don't go along any more."""
    return len(talk.messages) - len(talk.fitting())


def _left_out_line(talk: Conversation, left_out: int) -> str:
    oldest, budget = count(left_out, "message"), f"{talk.max_tokens:,} tokens"
    return f"the oldest {oldest} no longer sent, to fit {budget}"


# --- HTML -----------------------------------------------------------------------------------


def html(talk: Conversation) -> str:
    """The transcript as HTML that a page's sanitizer leaves as it is."""
    left_out = _left_out(talk)
    head = (
        f'<div style="{SMALL};line-height:2"><b style="font-weight:600">Conversation</b>'
        f'<span style="{FAINT}"> · {escape(headline(talk))}</span></div>'
    )
    rows = [_turn(turn, sent=True) for turn in _first(talk)]
    for at, turn in enumerate(talk.messages):
        if at == left_out > 0:
            rows.append(_divider(talk, left_out))
        rows.append(_turn(turn, sent=at >= left_out))
    if left_out and left_out == len(talk.messages):
        rows.append(_divider(talk, left_out))
    if not talk.messages:
        rows.append(f'<div style="{SMALL};{FAINT};padding:0.4em 0">{_EMPTY}</div>')
    style = "max-width:62em;padding:0.5em 0.25em 0;line-height:1.5"
    return clean(f'<div class="{_NO_FORMULAS}" style="{style}">{head}{"".join(rows)}</div>')


def _turn(turn: Turn, *, sent: bool) -> str:
    """Who beside what; on a narrow page, above it."""
    role, content = turn["role"], turn["content"]
    who = (
        f'<div style="{SMALL};flex:0 0 7.6em;line-height:1.75">'
        f'<span style="color:{_WHO.get(role, INK["waiting"])}">●</span> '
        f'<b style="font-weight:600;text-transform:capitalize">{escape(role)}</b></div>'
    )
    drawn = _markdown.render(content) if role == "assistant" else _markdown.plain(content)
    faint = f";{FAINT}" if role == "system" or not sent else ""
    said = f'<div style="flex:1 1 22em;min-width:0;max-width:52em;overflow-wrap:anywhere{faint}">'
    row = f"display:flex;flex-wrap:wrap;gap:0 0.6em;padding:0.6em 0;border-top:1px solid {LINE}"
    return f'<div style="{row}">{who}{said}{drawn}</div></div>'


def _divider(talk: Conversation, left_out: int) -> str:
    style = f"{SMALL};{FAINT};padding:0.3em 0;border-top:1px dashed {LINE};text-align:center"
    return f'<div style="{style}">↑ {escape(_left_out_line(talk, left_out))}</div>'
