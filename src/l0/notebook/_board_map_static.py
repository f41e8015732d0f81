"""A map's view as static HTML and as plain text; with `timeless` nothing depends on the clock."""

from __future__ import annotations

from html import escape
from typing import Final

from l0.compose import MapProgress
from l0.notebook._board_map import MapStory, money
from l0.notebook._look import FAINT, INK, LINE, SMALL
from l0.notebook._picture import count, seconds
from l0.notebook._rows import clean
from l0.notebook._static import _NO_FORMULAS, NAMES, _error, head
from l0.notebook._timeline import untimed

_NONE: Final = "\N{EN DASH}"
_INKS: Final = {"ok": "complete", "failed": "failed", "retried": "retrying"}


def mimebundle(story: MapStory, *, timeless: bool | None = None) -> dict[str, str]:
    """A map as `text/html` and `text/plain`.

    Args:
        story: the map.
        timeless: leave out what depends on the clock; by default in headless execution.
    """
    if timeless is None:
        from l0.notebook._where import where

        timeless = where() == "headless"
    now = story.counts()
    return {
        "text/html": clean(_html(story, now, timeless=timeless)),
        "text/plain": clean(_text(story, now, timeless=timeless)),
    }


def _done(now: MapProgress) -> str:
    of = "" if now.total is None else f" of {now.total:,}"
    rows = "row" if now.total == 1 else "rows"
    total, done = now.total or 0, now.done - now.skipped  # what was skipped is not done
    share = f" · {min(100, round(100 * done / total))} %" if total > 1 else ""
    return f"{done:,}{of} {rows} done{share}"


def _values(story: MapStory, now: MapProgress, *, timeless: bool) -> list[tuple[str, str]]:
    rate = None if timeless else story.rate(now)
    cost = money(now.cost)
    told = [
        ("ok", f"{now.ok:,}"),
        ("failed", f"{now.failed:,}"),
        ("retried", f"{now.retries:,}"),
        ("reused", f"{now.reused:,}"),
        ("skipped", f"{now.skipped:,}"),
    ]
    if story.live:
        told.append(("in flight", f"{now.running:,} of {now.concurrency:,}"))
    elif not timeless:
        told.append(("in flight", _NONE))
    if not timeless:
        speed = _NONE if rate is None else f"{rate:.1f}" if rate < 10 else f"{round(rate):,}"
        told.append(("rows/s", speed))
    told.append(("tokens used", f"{now.usage.total_tokens:,}"))
    return told if cost is None else [*told, ("cost", cost)]


def _text(story: MapStory, now: MapProgress, *, timeless: bool) -> str:
    status = story.status
    word = "at work" if status == "streaming" else NAMES.get(status, status)
    parts = [word, f"map · {story.model}" if story.model else "map", _done(now)]
    parts += [
        f"{value} {name}" for name, value in _values(story, now, timeless=True) if value != "0"
    ]
    if not timeless and now.elapsed:
        parts.append(seconds(now.elapsed * 1000))
    lines = [" · ".join(parts)]
    if story.stopped:
        lines.append(f"  {untimed(story.stopped)}")
    lines += [f"  {count(times, 'row')}: {why} ({where})" for why, times, where in story.errors()]
    if story.error is not None:
        lines.append(f"  {story.error['type']}: {untimed(story.error['message'])}")
    return "\n".join(lines) + "\n"


def _html(story: MapStory, now: MapProgress, *, timeless: bool) -> str:
    status = "streaming" if story.live and story.started_ms is not None else story.status
    right = "" if timeless or not now.elapsed else seconds(now.elapsed * 1000)
    line = " · ".join(filter(None, (_done(now), story.stopped)))
    parts = [
        head(status, ["map", story.model or ""], right),
        _bar(now),
        f'<div style="min-height:1.5em">{escape(untimed(line) if timeless else line)}</div>',
        _table(_values(story, now, timeless=timeless)),
        *(_failure(*each) for each in story.errors()),
        _error(story.error, timeless=timeless),
    ]
    style = "max-width:100%;padding:0.5em 0.25em 0;line-height:1.5"
    return f'<div class="{_NO_FORMULAS}" style="{style}">{"".join(parts)}</div>'


def _bar(now: MapProgress) -> str:
    """Drawn with borders and an outline, which are there where a page has colours of its own."""
    whole = max(1, now.total or now.done)
    shares = (
        (now.ok - now.reused, INK["complete"], "1"),
        (now.reused, INK["complete"], "0.55"),
        (now.failed, INK["failed"], "1"),
        (now.skipped, INK["waiting"], "0.5"),
    )
    pieces = "".join(
        f'<div style="flex:none;width:{min(100.0, 100 * rows / whole):.2f}%;'
        f'border-top:10px solid {ink};opacity:{strength}"></div>'
        for rows, ink, strength in shares
        if rows > 0
    )
    style = (
        "display:flex;height:10px;margin:0.5em 0;border-radius:5px;overflow:hidden;"
        "outline:1px solid transparent;"
        f"background:{LINE}"
    )
    return f'<div style="{style}">{pieces}</div>'


def _table(values: list[tuple[str, str]]) -> str:
    def cell(name: str, value: str) -> str:
        ink = INK[_INKS[name]] if name in _INKS and value != "0" else ""
        look = f"color:{ink}" if ink else FAINT if value in {"0", _NONE} else "opacity:1"
        return (
            f'<div style="min-width:4.2em"><div style="{SMALL};{FAINT}">{name}</div>'
            f'<div style="{look}">{value}</div></div>'
        )

    cells = "".join(cell(name, value) for name, value in values)
    style = "display:flex;flex-wrap:wrap;gap:0.3em 1.6em;margin:0.5em 0 0.6em"
    return f'<div style="{style}">{cells}</div>'


def _failure(message: str, times: int, where: str) -> str:
    style = (
        f"{SMALL};margin:0.25em 0;padding-left:0.9em;border-left:2px solid {INK['failed']};"
        "overflow-wrap:anywhere"
    )
    return (
        f'<div style="{style}"><b style="font-weight:600">{count(times, "row")}: </b>'
        f'{escape(message)}<span style="{FAINT}"> {escape(where)}</span></div>'
    )
