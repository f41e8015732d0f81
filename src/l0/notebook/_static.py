"""A run as static HTML and as plain text: what stays when the live view is gone.

Inline styles only, in colours that read on light and on dark, because notebook pages strip style
sheets from saved outputs; without any style it still reads. Both are deterministic: no addresses,
no ids, and with `timeless` (for headless execution) no durations, so that a notebook executed
twice has the same bytes.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any, Final

from l0.notebook import _markdown
from l0.notebook._picture import Bar, Picture, Withdrawn, count, seconds, words
from l0.notebook._rows import clean
from l0.notebook._sources import story_of
from l0.notebook._story import Story

NAMES: Final = {
    "aborted": "stopped",
    "fallback": "falling back",
    "waiting": "waiting",
}
"""Where the word differs from the status."""

_INK: Final = {
    "waiting": "#8a8f98",
    "streaming": "#2f7fe0",
    "retrying": "#c98a1a",
    "fallback": "#8a63d8",
    "stopping": "#8a8f98",
    "complete": "#17a07c",
    "failed": "#dc4444",
    "aborted": "#8a8f98",
    "unfinished": "#8a8f98",
}
_LOST: Final = "#b8863b"
_WAITING: Final = "rgba(128,128,128,0.45)"
_LINE: Final = "rgba(128,128,128,0.28)"
_SMALL: Final = "font-size:0.857em"
_FAINT: Final = "opacity:0.72"
_WAITED: Final = re.compile(r" \(waited [0-9.,]+ \w+\)")
_NO_FORMULAS: Final = "tex2jax_ignore mathjax_ignore"
"""Pages typeset formulas wherever they find them, and "$5 to $10" is not one."""

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


def mimebundle(x: Any, *, timeless: bool | None = None) -> dict[str, str]:
    r"""A run as `text/html` and `text/plain`.

    Args:
        x: a run, or whatever holds one: see `l0.view`.
        timeless: leave out durations; by default where the notebook is executed headless.

    Example:
        >>> import l0
        >>> mimebundle(l0.run(lambda: ["Hi"]), timeless=True)["text/plain"]
        'waiting\n'
    """
    if timeless is None:
        from l0.notebook._where import where

        timeless = where() == "headless"
    story = story_of(x)
    picture = story.picture()
    return {
        "text/html": clean(html(story, picture, timeless=timeless)),
        "text/plain": clean(text(story, picture)),
    }


# --- words both share -----------------------------------------------------------------------


def _headline(story: Story, picture: Picture) -> list[str]:
    """What is so whatever the clock says: model, fallback, attempts, tokens."""
    tries, fallback = len(picture.lanes), story.state.fallback_index
    tokens = picture.tokens
    return [
        part
        for part in (
            story.model or story.state.model,
            f"fallback {fallback}" if fallback else "",
            count(tries, "attempt") if tries > 1 else "",
            count(tokens, "token") if tokens else "",
        )
        if part
    ]


def _timings(picture: Picture) -> list[str]:
    told = []
    length = picture.duration_ms if picture.duration_ms is not None else picture.t
    if length:
        told.append(seconds(length))
    if picture.first_token_ms is not None:
        told.append(f"first token {seconds(picture.first_token_ms)}")
    rate = _rate(picture)
    if rate:
        told.append(f"{rate:.1f} tok/s" if rate < 10 else f"{round(rate):,} tok/s")
    return told


def _rate(picture: Picture) -> float:
    """Tokens a second while the last attempt streamed."""
    bars = [bar for bar in (picture.lanes[-1].bars if picture.lanes else ()) if bar.last]
    if not bars:
        return 0.0
    spent = bars[-1].end - bars[0].begin
    tokens = picture.tokens - bars[0].first - 1
    return tokens * 1000 / spent if spent > 0 and tokens > 0 else 0.0


def _said(entry: Withdrawn) -> str:
    """`attempt 1 · withdrawn after 42 tokens: gap timeout`."""
    part = entry.tokens < entry.of
    how = f"last {entry.tokens} of " if part else "withdrawn after "
    end = " withdrawn" if part else ""
    return f"attempt {entry.attempt} · {how}{count(entry.of, 'token')}{end}: {entry.why}"


def _finding(violation: dict[str, Any]) -> str:
    at = violation.get("position")
    where = f" (at character {at})" if at is not None else ""
    return f"{words(violation['rule'])}: {violation['message']}{where}"


def _tool_line(tool: dict[str, Any], *, timeless: bool) -> str:
    spent = tool.get("duration_ms")
    parts = [tool.get("tool_name"), tool.get("status")]
    if spent is not None and not timeless:
        parts.append(seconds(spent))
    return " · ".join(str(part) for part in parts if part)


def _untimed(message: str) -> str:
    """The message of a timeout without what was measured: `… within 1 s (waited 1.003 s)`."""
    return _WAITED.sub("", message)


def _moments(picture: Picture, *, timeless: bool) -> list[tuple[str, str, str, str]]:
    """When, on which attempt, the sign, the words: of everything that befell the run."""
    told = []
    for mark in picture.marks:
        when = "" if timeless else seconds(mark.t)
        said = _untimed(mark.text) if timeless else mark.text + mark.timed
        told.append((when, str(mark.lane + 1), mark.kind, said))
    return told


# --- plain text -----------------------------------------------------------------------------


def text(story: Story, picture: Picture) -> str:
    """The run as plain text: how it stands, what befell it, the error, the answer; no durations."""
    lines = [" · ".join([NAMES.get(story.status, story.status), *_headline(story, picture)])]
    lines += [f"  {note}" for note in story.notes]
    lines += [f"  {_said(entry)}" for entry in picture.withdrawn]
    lines += [f"  {_finding(violation)}" for violation in picture.violations]
    lines += [f"  tool {_tool_line(tool, timeless=True)}" for tool in picture.tools]
    lines += [f"  data {output}" for output in picture.outputs]
    if story.error is not None:
        lines.append(f"  {story.error['type']}: {_untimed(story.error['message'])}")
        if story.error.get("hint"):
            lines.append(f"  {story.error['hint']}")
    if story.text:
        lines += ["", story.text]
    return "\n".join(lines) + ("" if story.text else "\n")


# --- HTML -----------------------------------------------------------------------------------


def html(story: Story, picture: Picture, *, timeless: bool = False) -> str:
    """The run as HTML that a page's sanitizer leaves as it is."""
    parts = [
        _head(story, picture, timeless=timeless),
        *(_small(escape(note)) for note in story.notes),
        *(_withdrawn(entry) for entry in picture.withdrawn),
        _thoughts(picture.thoughts),
        _answer(story),
        _findings(picture.violations),
        *(_tool(tool, timeless=timeless) for tool in picture.tools),
        *(_small(escape(f"data · {output}")) for output in picture.outputs),
        _error(story.error, timeless=timeless),
        _timeline(picture, timeless=timeless),
    ]
    style = "max-width:100%;padding:0.5em 0.25em 0;line-height:1.5"
    return f'<div class="{_NO_FORMULAS}" style="{style}">{"".join(parts)}</div>'


def _head(story: Story, picture: Picture, *, timeless: bool) -> str:
    status = story.status
    name = NAMES.get(status, status)
    left = "".join(f"<span> · {escape(clean(fact))}</span>" for fact in _headline(story, picture))
    right = "" if timeless else " · ".join(_timings(picture))
    ink = _INK.get(status, _INK["waiting"])
    return (
        f'<div style="{_SMALL};line-height:2">'
        f'<span style="color:{ink}">{"■" if status == "failed" else "●"}</span> '
        f'<b style="font-weight:600;text-transform:capitalize">{name}</b>'
        f'<span style="{_FAINT}">{left}</span>'
        + (f'<span style="{_FAINT};float:right">{escape(right)}</span>' if right else "")
        + "</div>"
    )


def _small(inside: str) -> str:
    return f'<div style="{_SMALL};{_FAINT}">{inside}</div>'


def _details(summary: str, inside: str) -> str:
    return (
        f'<details style="{_SMALL};margin:0.15em 0">'
        f'<summary style="cursor:pointer;{_FAINT}">{summary}</summary>{inside}</details>'
    )


def _quoted(inside: str, ink: str = _LINE) -> str:
    style = (
        f"margin:0.3em 0 0.6em;padding:0.1em 0 0.1em 0.9em;border-left:2px solid {ink};"
        f"white-space:pre-wrap;overflow-wrap:anywhere;max-height:16em;overflow:auto;{_FAINT}"
    )
    return f'<div style="{style}">{inside}</div>'


def _withdrawn(entry: Withdrawn) -> str:
    gone = f"<del>{escape(entry.text)}</del>" if entry.text else "(not kept)"
    return _details(escape(_said(entry)), _quoted(gone, _LOST) + _findings(entry.violations))


def _thoughts(thoughts: str) -> str:
    if not thoughts:
        return ""
    summary = f"Reasoning · {count(len(thoughts), 'character')}"
    return _details(summary, _quoted(escape(thoughts)))


def _answer(story: Story) -> str:
    if not story.text:
        return ""
    match story.format:
        case "markdown":
            inside = _markdown.render(story.text)
        case "text":
            inside = _markdown.plain(story.text)
        case "json":
            inside = _markdown.code_block(_pretty(story.text))
        case _:
            inside = _markdown.code_block(story.text)
    wide = "max-width:52em;" if story.format in {"markdown", "text"} else ""
    return f'<div style="margin:0.5em 0 0.35em;{wide}overflow-wrap:anywhere">{inside}</div>'


def _pretty(told: str) -> str:
    """JSON with line breaks; what is not JSON as it is."""
    try:
        return json.dumps(json.loads(told), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return told


def _findings(violations: list[dict[str, Any]]) -> str:
    return "".join(_found(violation) for violation in violations)


def _found(violation: dict[str, Any]) -> str:
    ink = _INK["retrying"] if violation.get("severity") == "warning" else _INK["failed"]
    hint = violation.get("suggestion")
    more = f' <span style="{_FAINT}">{escape(str(hint))}</span>' if hint else ""
    style = f"{_SMALL};margin:0.25em 0;padding-left:0.9em;border-left:2px solid {ink}"
    return f'<div style="{style}">{escape(_finding(violation))}{more}</div>'


def _tool(tool: dict[str, Any], *, timeless: bool) -> str:
    values = [tool.get("arguments"), tool.get("error", tool.get("result"))]
    blocks = [
        _markdown.code_block(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        for value in values
        if value is not None
    ]
    return _details(escape(_tool_line(tool, timeless=timeless)), "".join(blocks))


def _error(error: dict[str, str] | None, *, timeless: bool) -> str:
    if error is None:
        return ""
    style = (
        f"margin:0.6em 0;padding:0.5em 0.9em;border:1px solid {_LINE};"
        f"border-left:3px solid {_INK['failed']};border-radius:4px;overflow-wrap:anywhere"
    )
    hint = error.get("hint")
    message = _untimed(error["message"]) if timeless else error["message"]
    more = f'<div style="{_FAINT}">{escape(hint)}</div>' if hint else ""
    return (
        f'<div style="{style}"><b style="font-weight:600">{escape(error["type"])}</b>'
        f"<div>{escape(message)}</div>{more}</div>"
    )


# --- the timeline ---------------------------------------------------------------------------


def _timeline(picture: Picture, *, timeless: bool) -> str:
    if not picture.lanes:
        return ""
    lanes = "".join(_lane(picture, index, timeless=timeless) for index in range(len(picture.lanes)))
    plain = len(picture.lanes) == 1 and all(mark.kind == "done" for mark in picture.marks)
    story = "" if plain else _list_of_moments(picture, timeless=timeless)
    axis = "" if timeless or len(picture.lanes) == 1 else _axis(picture)
    legend = "" if plain else _legend(picture, timeless=timeless)
    return f'<div style="margin:0.7em 0 0.2em">{lanes}{axis}</div>{legend}{story}'


def _lane(picture: Picture, index: int, *, timeless: bool) -> str:
    lane = picture.lanes[index]
    name = f"F{lane.fallback}" if lane.fallback else str(index + 1)
    bars = _ordered(picture, index) if timeless else _timed(picture, index)
    label = (
        f'<div style="float:left;width:22px;{_FAINT};font-size:10px;line-height:12px">{name}</div>'
    )
    track = (
        f'<div style="margin-left:22px;height:12px;padding-top:2px;font-size:0;line-height:0;'
        f'white-space:nowrap;overflow:hidden">{bars}</div>'
    )
    return f"<div>{label}{track}</div>"


def _axis(picture: Picture) -> str:
    whole = seconds(max(picture.t, picture.duration_ms or 0.0))
    style = f"margin-left:22px;{_FAINT};font-size:10px;line-height:14px"
    return f'<div style="{style}">0 s<span style="float:right">{whole}</span></div>'


def _legend(picture: Picture, *, timeless: bool) -> str:
    """What the bars mean; only those that are there."""
    bars = [(index, bar) for index, lane in enumerate(picture.lanes) for bar in lane.bars]
    seen = {bar.kind for _, bar in bars if not bar.last and not timeless}
    for index, bar in bars:
        if bar.last:
            seen |= {("again" if index else "stream")} if bar.kept > bar.first else set()
            seen |= {"lost"} if bar.kept < bar.last else set()
    told = (
        ("wait", "waiting", _WAITING, "14px;height:2px;vertical-align:middle"),
        ("stream", "streaming", _INK["streaming"], "10px;height:8px"),
        ("again", "recovered", _INK["complete"], "10px;height:8px"),
        ("lost", "withdrawn", _LOST, "10px;height:8px;opacity:0.55"),
        ("back", "back-off", _INK["retrying"], "14px;height:2px;vertical-align:middle"),
    )
    entries = "".join(
        f'<span style="margin-left:1em"><span style="display:inline-block;background:{ink};'
        f'width:{shape}"></span> <span style="{_FAINT}">{name}</span></span>'
        for kind, name, ink, shape in told
        if kind in seen
    )
    return f'<div style="{_SMALL};float:right">{entries}</div>'


def _timed(picture: Picture, index: int) -> str:
    """Bars to scale over the whole run."""
    whole = max(picture.t, picture.duration_ms or 0.0, 1.0)
    drawn, out = 0.0, []
    for bar in picture.lanes[index].bars:
        begin, end = max(bar.begin, drawn), max(min(bar.end, whole), drawn)
        if begin > drawn:
            out.append(_bar("", begin - drawn, whole))
        out.append(_pieces(bar, index, end - begin, whole))
        drawn = end
    return "".join(out)


def _ordered(picture: Picture, index: int) -> str:
    """Bars in the order of events, as wide as they have tokens: the same in each execution."""
    spans = [(min(b), max(b)) for b in map(_span, picture.lanes) if b]
    whole = float(max((end for _, end in spans), default=1) or 1)
    bars = [bar for bar in picture.lanes[index].bars if bar.last]
    if not bars:
        return _bar(_WAITING, whole * 0.02, whole, thin=True)
    first, last = bars[0].first, bars[-1].last
    kept = max(bar.kept for bar in bars)
    joined = Bar("stream", 0.0, 0.0, first, last, kept)
    before = _bar("", float(first), whole) if first else ""
    return before + _pieces(joined, index, float(last - first), whole)


def _span(lane: Any) -> list[int]:
    return [at for bar in lane.bars if bar.last for at in (bar.first, bar.last)]


def _pieces(bar: Bar, index: int, wide: float, whole: float) -> str:
    """One bar; of streamed text the part that stands, and the part that was withdrawn."""
    if bar.kind in {"wait", "back"}:
        ink = _WAITING if bar.kind == "wait" else _INK["retrying"]
        return _bar(ink, wide, whole, thin=True)
    tokens = max(1, bar.last - bar.first)
    stands = min(1.0, max(0, bar.kept - bar.first) / tokens)
    ink = _INK["complete"] if index else _INK["streaming"]
    return _bar(ink, wide * stands, whole) + _bar(_LOST, wide * (1 - stands), whole, faint=True)


def _bar(ink: str, wide: float, whole: float, *, faint: bool = False, thin: bool = False) -> str:
    if wide <= 0:
        return ""
    colour = f"background:{ink};" if ink else ""
    more = "opacity:0.55;" if faint else ""
    more += "min-width:2px;" if ink and not thin else ""
    shape = "height:2px;margin:3px 0" if thin else "height:8px"
    return (
        f'<div style="display:inline-block;vertical-align:top;{shape};{colour}{more}'
        f'width:{100 * wide / whole:.2f}%"></div>'
    )


def _list_of_moments(picture: Picture, *, timeless: bool) -> str:
    cell = "padding:0 1em 0 0;border:0;text-align:left;vertical-align:top;background:transparent"
    once = f"{cell};white-space:nowrap"
    rows = []
    for when, attempt, kind, told in _moments(picture, timeless=timeless):
        cells = [when] if when else []
        cells += [f"attempt {attempt}", _GLYPHS.get(kind, "·")]
        inside = "".join(f'<td style="{once}">{escape(each)}</td>' for each in cells)
        inside += f'<td style="{cell}">{escape(told)}</td>'
        rows.append(f'<tr style="background:transparent">{inside}</tr>')
    if not rows:
        return ""
    many = len(picture.lanes)
    summary = f"What happened · {count(many, 'attempt')}, {count(len(rows), 'event')}"
    table = (
        f'<table style="border-collapse:collapse;margin:0.3em 0 0.6em;font-size:1em;color:inherit">'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    return _details(summary, table)
