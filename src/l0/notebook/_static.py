"""A run as static HTML and as plain text: what stays when the live view is gone.

Inline styles only, in colours that read on light and on dark, because notebook pages strip style
sheets from saved outputs; without any style it still reads. Both are deterministic: no addresses,
no ids, and with `timeless` (for headless execution) no durations, so that a notebook executed
twice has the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from l0.notebook import _markdown, _structured, _usage
from l0.notebook._found import underlined
from l0.notebook._look import FAINT, INK, LINE, LOST, SMALL, details, hint
from l0.notebook._picture import Picture, Withdrawn, count, seconds, words
from l0.notebook._rows import clean
from l0.notebook._sources import story_of
from l0.notebook._story import Story
from l0.notebook._timeline import WIDE, room, timeline, untimed

NAMES: Final = {
    "aborted": "stopped",
    "fallback": "falling back",
    "waiting": "waiting",
}
"""Where the word differs from the status."""

SIGNS: Final = {"failed": "■", "aborted": "○", "unfinished": "○"}
"""What stands for the dot where the status is not said by its colour alone."""

_NO_FORMULAS: Final = "tex2jax_ignore mathjax_ignore"
"""Pages typeset formulas wherever they find them, and "$5 to $10" is not one."""


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
    """What is so whatever the clock says: the model that answers, fallback, attempts, tokens."""
    return [*filter(None, [story.answers]), *_facts(story, picture)]


def _facts(story: Story, picture: Picture) -> list[str]:
    """The same without the model."""
    tries, fallback = len(picture.lanes), story.state.fallback_index
    tokens = picture.tokens
    return [
        part
        for part in (
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


# --- plain text -----------------------------------------------------------------------------


def text(story: Story, picture: Picture) -> str:
    """The run as plain text: how it stands, what befell it, the error, the answer; no durations."""
    lines = [" · ".join([NAMES.get(story.status, story.status), *_headline(story, picture)])]
    lines += [f"  {note}" for note in story.notes]
    lines += [f"  {_said(entry)}" for entry in picture.withdrawn]
    lines += [f"  {_finding(violation)}" for violation in picture.violations]
    lines += [f"  tool {_tool_line(tool, timeless=True)}" for tool in picture.tools]
    lines += [f"  data {output}" for output in picture.outputs]
    if (error := _structured.error_of(story)) is not None:
        told = filter(None, [error["type"], untimed(error["message"])])
        lines += [f"  {': '.join(told)}", *(f"  {each}" for each in [error.get("hint")] if each)]
    if used := _usage.usage(story):
        lines.append(f"  {used}")
    said = story.text
    if (found := _data_of(story)) is not None:
        lines += [f"  {line}" for line in _structured.lines(found)]
        said = _structured.text(found, said)
    if said:
        lines += ["", said]
    return "\n".join(lines) + ("" if said else "\n")


def _data_of(story: Story) -> _structured.Structured | None:
    """The data that was asked for, unless another format is wanted for the text."""
    return _structured.structured_of(story) if story.format in {"data", "markdown"} else None


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
        _error(_structured.error_of(story), timeless=timeless),
        _below(story, picture, timeless=timeless),
    ]
    style = "max-width:100%;padding:0.5em 0.25em 0;line-height:1.5"
    return f'<div class="{_NO_FORMULAS}" style="{style}">{"".join(parts)}</div>'


def _head(story: Story, picture: Picture, *, timeless: bool) -> str:
    right = "" if timeless else " · ".join(_timings(picture))
    return head(story.status, _headline(story, picture), right, style=_NUMBERS)


_NUMBERS: Final = f"line-height:1.5;min-width:clamp(0px,calc(-1 * {WIDE}),100%);"
"""On a narrow page they stand in a line of their own, as in the live view."""


def head(status: str, facts: Iterable[str], right: str, *, style: str = "") -> str:
    """One line: how it stands, what is known of it, and its numbers on the right, in this style."""
    left = "".join(f"<span> · {escape(clean(fact))}</span>" for fact in facts if fact)
    row = "display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:0 1em"
    return (
        f'<div style="{SMALL};line-height:2;{row}"><span>{dot(status)} '
        f'<b style="font-weight:600;text-transform:capitalize">{NAMES.get(status, status)}</b>'
        f'<span style="{FAINT}">{left}</span></span>'
        + (f' <span style="{style}{FAINT}">{escape(right)}</span>' if right else "")
        + "</div>"
    )


def dot(status: str) -> str:
    """The sign of a status, in its colour and its shape."""
    ink = INK.get(status, INK["waiting"])
    return f'<span style="color:{ink}">{SIGNS.get(status, "●")}</span>'


def _below(story: Story, picture: Picture, *, timeless: bool) -> str:
    """What stands below the answer; as high as in the live view, which headless there is not."""
    lines = timeline(picture, timeless=timeless) + _used(_usage.usage(story))
    if timeless or not picture.lanes:
        return lines
    return f'<div style="{room(picture)}">{lines}</div>'


def _used(usage: str) -> str:
    """The last line: what it used."""
    return f'<div style="{SMALL};{FAINT}">{escape(usage)}</div>' if usage else ""


def _small(inside: str) -> str:
    return f'<div style="{SMALL};{FAINT}">{inside}</div>'


def _quoted(inside: str, ink: str = LINE) -> str:
    style = (
        f"margin:0.3em 0 0.6em;padding:0.1em 0 0.1em 0.9em;border-left:2px solid {ink};"
        f"white-space:pre-wrap;overflow-wrap:anywhere;max-height:16em;overflow:auto;{FAINT}"
    )
    return f'<div style="{style}">{inside}</div>'


def _withdrawn(entry: Withdrawn) -> str:
    gone = f"<del>{escape(entry.text)}</del>" if entry.text else "(not kept)"
    return details(escape(_said(entry)), _quoted(gone, LOST) + _findings(entry.violations))


def _thoughts(thoughts: str) -> str:
    if not thoughts:
        return ""
    summary = f"Reasoning · {count(len(thoughts), 'character')}"
    return details(summary, _quoted(escape(thoughts)))


def _answer(story: Story) -> str:
    if (found := _data_of(story)) is not None:
        return _structured.html(found, story.text, live=story.live)
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
    inside = underlined(inside, story.text, story.state.violations)
    wide = "max-width:52em;" if story.format in {"markdown", "text"} else ""
    style = f"margin:0.5em 0 0.35em;{wide}overflow-wrap:anywhere"
    return f'<div class="{_structured.SAID}" style="{style}">{inside}</div>'


def _pretty(told: str) -> str:
    """JSON with line breaks; what is not JSON as it is."""
    try:
        return json.dumps(json.loads(told), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return told


def _findings(violations: list[dict[str, Any]]) -> str:
    return "".join(_found(violation) for violation in violations)


def _found(violation: dict[str, Any]) -> str:
    ink = INK["retrying"] if violation.get("severity") == "warning" else INK["failed"]
    advice = violation.get("suggestion")
    more = f' <span style="{FAINT}">{hint(str(advice))}</span>' if advice else ""
    style = f"{SMALL};margin:0.25em 0;padding-left:0.9em;border-left:2px solid {ink}"
    rule, _, said = _finding(violation).partition(": ")
    name = f'<b style="font-weight:600">{escape(rule)}</b>'
    return f'<div style="{style}">{name}: {escape(said)}{more}</div>'


def _tool(tool: dict[str, Any], *, timeless: bool) -> str:
    values = [tool.get("arguments"), tool.get("error", tool.get("result"))]
    blocks = [
        _markdown.code_block(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        for value in values
        if value is not None
    ]
    return details(escape(_tool_line(tool, timeless=timeless)), "".join(blocks))


def _error(error: dict[str, str] | None, *, timeless: bool) -> str:
    if error is None:
        return ""
    style = (
        f"margin:0.6em 0;padding:0.5em 0.9em;border:1px solid {LINE};"
        f"border-left:3px solid {INK['failed']};border-radius:4px;overflow-wrap:anywhere"
    )
    advice = error.get("hint")
    message = untimed(error["message"]) if timeless else error["message"]
    said = f"<div>{escape(message)}</div>" if message else ""
    more = f'<div style="{FAINT}">{hint(advice)}</div>' if advice else ""
    return (
        f'<div style="{style}"><b style="font-weight:600">{escape(error["type"])}</b>'
        f"{said}{more}</div>"
    )
