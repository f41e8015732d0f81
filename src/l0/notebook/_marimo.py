"""What marimo shows of a view: it asks for `_display_`, and wants widgets as its own elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l0.notebook._bridge import Bridge


def element(widget: Any, static: str, bridges: Iterable[Bridge] = ()) -> Any:
    """A live widget as marimo wants it, or the static form where there is none.

    marimo hears a page only when no cell runs: what a bridge has to say is told unasked, and Stop
    stays grey until the page has been heard.
    """
    import marimo

    if widget is None:
        return marimo.Html(static)
    for bridge in bridges:
        bridge.deaf = True
        bridge.refresh()
    return marimo.ui.anywidget(widget)
