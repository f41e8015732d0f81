"""What static HTML looks like: inline styles, in colours that read on light and on dark."""

from __future__ import annotations

import re
from html import escape
from typing import Final

INK: Final = {
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
LOST: Final = "#b8863b"
WAITING: Final = "rgba(128,128,128,0.45)"
LINE: Final = "rgba(128,128,128,0.28)"
SMALL: Final = "font-size:0.857em"
FAINT: Final = "opacity:0.72"


MONO: Final = "font-family:ui-monospace,Menlo,Consolas,monospace"
_TICKS: Final = re.compile(r"`([^`]+)`")


def hint(text: str) -> str:
    """What is advised, with the names in it as code.

    >>> hint("See `a<b`.")
    'See <span style="font-family:ui-monospace,Menlo,Consolas,monospace">a&lt;b</span>.'
    """
    return _TICKS.sub(rf'<span style="{MONO}">\1</span>', escape(text))


def details(summary: str, inside: str) -> str:
    """Something folded away below a line that says what it is."""
    return (
        f'<details style="{SMALL};margin:0.15em 0">'
        f'<summary style="cursor:pointer;{FAINT}">{summary}</summary>{inside}</details>'
    )
