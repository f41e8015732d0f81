"""The timeline of a run as static HTML: a lane per attempt, and what happened, in a table."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from l0.notebook._look import FAINT, INK, LOST, SMALL, details
from l0.notebook._picture import Bar, Picture, count, seconds

_WAITED: Final = re.compile(r" \(waited [0-9.,]+ \w+\)")
_GLYPHS: Final = {
    "retry": "↻",
    "fallback": "↓",
    "violation": "△",
    "drift": "≈",
    "resume": "▸",
    "timeout": "▽",
    "error": "✕",
    "tool": "□",
    "cut": "╌",
    "stop": "■",
    "done": "✓",
}


_SHAPES: Final = {
    "wait": f"border-top:2px dotted {INK['waiting']};margin:3px 0",
    "back": f"border-top:2px dashed {INK['retrying']};margin:3px 0",
    "stream": f"border-top:8px solid {INK['streaming']};min-width:2px",
    "again": f"border-top:8px solid {INK['complete']};min-width:2px",
    "lost": f"border:solid {LOST};border-width:1px 0;height:6px;min-width:2px;"
    "background:rgba(184,134,59,0.18)",
}
"""Bars are borders, because forced colours and paper take backgrounds away; each has a form of its
own, the same as in the live view."""

WIDE: Final = "calc((100% - 53.67em) * 999)"
"""Beyond all bounds where the page is as wide as the one on which the live view has its numbers in
one line, and below zero where it is narrower: what `clamp` makes of it is one end or the other."""


def room(picture: Picture) -> str:
    """The height that the live view's timeline and last line had, so that no cell below moves."""
    strip = min(26 * len(picture.lanes) + 18, 252)
    return f"min-height:{strip + 27}px"


def timeline(picture: Picture, *, timeless: bool) -> str:
    """The lanes, what their bars mean, and the moments folded away; `timeless`: without a scale."""
    if not picture.lanes:
        return ""
    lanes = "".join(_lane(picture, index, timeless=timeless) for index in range(len(picture.lanes)))
    plain = len(picture.lanes) == 1 and all(mark.kind == "done" for mark in picture.marks)
    story = "" if plain else _list_of_moments(picture, timeless=timeless)
    axis = "" if timeless else _axis(picture)
    legend = "" if plain else _legend(picture, timeless=timeless)
    return f'<div style="margin:0.7em 0 0">{lanes}{axis}</div>{legend}{story}'


def _lane(picture: Picture, index: int, *, timeless: bool) -> str:
    lane = picture.lanes[index]
    name = f"F{lane.fallback}" if lane.fallback else str(index + 1)
    bars = _ordered(picture, index) if timeless else _timed(picture, index)
    line, track_px, above = (12, 12, 2) if timeless else (19, 14, 5)
    label = (
        f'<div style="float:left;width:22px;{FAINT};font-size:10px;line-height:{line}px">'
        f"{name}</div>"
    )
    track = (
        f'<div style="margin-left:22px;height:{track_px}px;padding-top:{above}px;'
        f"font-size:0;line-height:0;"
        f'white-space:nowrap;overflow:hidden">{bars}</div>'
    )
    return f"<div>{label}{track}</div>"


def _axis(picture: Picture) -> str:
    whole = seconds(max(picture.t, picture.duration_ms or 0.0))
    style = f"margin-left:22px;{FAINT};font-size:10px;line-height:14px"
    return f'<div style="{style}">0 s<span style="float:right">{whole}</span></div>'


def _legend(picture: Picture, *, timeless: bool) -> str:
    """What the bars mean: those that are there, if they are not all of the everyday kind."""
    bars = [(index, bar) for index, lane in enumerate(picture.lanes) for bar in lane.bars]
    seen = {bar.kind for _, bar in bars if not bar.last and not timeless}
    for index, bar in bars:
        if bar.last:
            seen |= {_kind(picture, index)} if bar.kept > bar.first else set()
            seen |= {"lost"} if bar.kept < bar.last else set()
    if not seen - {"wait", "stream"}:
        return ""
    names = {
        "wait": "waiting",
        "stream": "streaming",
        "again": "recovered",
        "lost": "withdrawn",
        "back": "back-off",
    }
    entries = "".join(
        f'<span style="margin-right:1em"><span style="display:inline-block;{_SHAPES[kind]};'
        f'width:14px;vertical-align:middle"></span> <span style="{FAINT}">{name}</span></span>'
        for kind, name in names.items()
        if kind in seen
    )
    # In the line of what happened, which is opened below it; on a narrow page in one of its own.
    lift = f"margin:0 -1em clamp(-1.5em,calc(-1 * {WIDE}),0px) 0"
    left = f'<span style="flex:1 1 0;max-width:clamp(0px,{WIDE},100%)"></span>'
    return f'<div style="{SMALL};display:flex;flex-wrap:wrap;{lift}">{left}{entries}</div>'


def _timed(picture: Picture, index: int) -> str:
    """Bars to scale over the whole run."""
    whole = max(picture.t, picture.duration_ms or 0.0, 1.0)
    drawn, out = 0.0, []
    for bar in picture.lanes[index].bars:
        begin, end = max(bar.begin, drawn), max(min(bar.end, whole), drawn)
        if begin > drawn:
            out.append(_bar("", begin - drawn, whole))
        out.append(_pieces(bar, _kind(picture, index), end - begin, whole))
        drawn = end
    return "".join(out)


def _ordered(picture: Picture, index: int) -> str:
    """Bars in the order of events, as wide as they have tokens: the same in each execution."""
    spans = [(min(b), max(b)) for b in map(_span, picture.lanes) if b]
    whole = float(max((end for _, end in spans), default=1) or 1)
    bars = [bar for bar in picture.lanes[index].bars if bar.last]
    if not bars:
        return _bar("wait", whole * 0.02, whole)
    first, last = bars[0].first, bars[-1].last
    kept = max(bar.kept for bar in bars)
    joined = Bar("stream", 0.0, 0.0, first, last, kept)
    before = _bar("", float(first), whole) if first else ""
    return before + _pieces(joined, _kind(picture, index), float(last - first), whole)


def _span(lane: Any) -> list[int]:
    return [at for bar in lane.bars if bar.last for at in (bar.first, bar.last)]


def _kind(picture: Picture, index: int) -> str:
    """What text of an attempt is: of a later one a recovery, if the run came to a good end."""
    done = any(mark.kind == "done" for mark in picture.marks)
    return "again" if index and done else "stream"


def _pieces(bar: Bar, kind: str, wide: float, whole: float) -> str:
    """One bar; of streamed text the part that stands, and the part that was withdrawn."""
    if bar.kind in {"wait", "back"}:
        return _bar(bar.kind, wide, whole)
    tokens = max(1, bar.last - bar.first)
    stands = min(1.0, max(0, bar.kept - bar.first) / tokens)
    return _bar(kind, wide * stands, whole) + _bar("lost", wide * (1 - stands), whole)


def _bar(kind: str, wide: float, whole: float) -> str:
    """Something of this kind, or a gap."""
    if wide <= 0:
        return ""
    shape = f"{_SHAPES[kind]};" if kind else ""
    return (
        f'<div style="display:inline-block;vertical-align:top;{shape}'
        f'width:{100 * wide / whole:.2f}%"></div>'
    )


def _list_of_moments(picture: Picture, *, timeless: bool) -> str:
    cell = (
        "padding:0 1em 0 0;border:0;line-height:1.5;text-align:left;vertical-align:top;"
        "background:transparent"
    )
    once = f"{cell};white-space:nowrap"
    rows = []
    for when, attempt, kind, told in _moments(picture, timeless=timeless):
        cells = [when] if when else []
        cells += [f"attempt {attempt}", _GLYPHS.get(kind, "·")]
        inside = "".join(f'<td style="{once}">{escape(each)}</td>' for each in cells)
        inside += f'<td style="{cell};overflow-wrap:anywhere">{escape(told)}</td>'
        rows.append(f'<tr style="background:transparent">{inside}</tr>')
    if not rows:
        return ""
    many = len(picture.lanes)
    told = f"What happened · {count(many, 'attempt')}, {count(len(rows), 'event')}"
    table = (
        f'<table style="border-collapse:collapse;margin:0.3em 0 0.6em;font-size:1em;color:inherit">'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    return details(told, table)


def _moments(picture: Picture, *, timeless: bool) -> list[tuple[str, str, str, str]]:
    """When, on which attempt, the sign, the words: of everything that befell the run."""
    told = []
    for mark in picture.marks:
        when = "" if timeless else seconds(mark.t)
        said = untimed(mark.text) if timeless else mark.text + mark.timed
        told.append((when, str(mark.lane + 1), mark.kind, said))
    return told


def untimed(message: str) -> str:
    """The message of a timeout without what was measured: `… within 1 s (waited 1.003 s)`."""
    return _WAITED.sub("", message)
