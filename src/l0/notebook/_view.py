"""`l0.view(x)`: show any run, live or recorded; of several runs, the explorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from l0.notebook._explorer_runs import holds_several
from l0.notebook._sources import held_story, story_of, stream_of
from l0.notebook._static import mimebundle
from l0.notebook._story import Story

if TYPE_CHECKING:
    from l0.notebook._board_display import BoardShown
    from l0.notebook._board_map_view import MapView


def view(x: Any, stream_id: str | None = None, *, format: str | None = None) -> Any:
    """A view of a run: of a stream or handle, a recording, a log, a store, a list of events.

    The last expression of a cell shows it, in notebooks and in marimo alike. A stream that has not
    ended is shown live from then on, in front-ends that have widgets; start it in the same cell or
    later, `view` does not. Of several runs it is the explorer: see `l0.explore`. Of a map it is its
    progress: `result = await l0.view(l0.map(…))` shows it and runs it.

    Args:
        x: what holds the run.
        stream_id: which run, where there are several.
        format: how the answer is drawn: markdown, text, json or code.

    Raises:
        TypeError: it holds no run.
        ValueError: there is no such run in it.

    Example:
        >>> from l0.events import EventBus, Log
        >>> log = Log()
        >>> bus = EventBus(log, {"model": "demo"}, stream_id="a-run")
        >>> bus.emit("SESSION_START", options={})
        >>> view(log)
        unfinished · demo
    """
    several = _board_of(x)
    if several is not None:
        return several
    if stream_id is None and holds_several(x):
        from l0.notebook._explorer import explore

        return explore(x)
    stream = stream_of(x)
    if stream is None or stream.outcome is not None or held_story(x) is not None:
        story = story_of(x, stream_id)
        return View(story if format is None else _in_format(story, format))
    named = getattr(x, "model", None) or (stream.options.meta or {}).get("model")
    story = Story(model=named, format=format or getattr(x, "format", None) or "markdown")
    story.follow(stream)
    return View(story, stream.abort)


def _board_of(x: Any) -> MapView | BoardShown | None:
    """The view of a map, or of runs that a cell asked for together."""
    from l0.compose import MapRun
    from l0.notebook._board_handle import BoardHandle

    if isinstance(x, MapRun):
        from l0.notebook._board_map_view import MapView

        return MapView(x)
    if isinstance(x, BoardHandle):
        from l0.notebook._board_display import BoardShown

        return BoardShown(x.board, lambda: x.abort_by("stop"))
    return None


class View:
    """A run that can be looked at; what `l0.view` gives.

    `story` is what it shows, `widget` the live widget where there is one.
    """

    def __init__(self, story: Story, stop: Callable[[], Any] | None = None) -> None:
        self.story = story
        self._stop = stop
        self._live: Any = None

    @property
    def widget(self) -> Any:
        """The live widget; None once the run is over, or where there are no widgets.

        In marimo, `mo.ui.anywidget(view.widget)` makes it part of the reactive graph.
        """
        if self._live is None and self.story.live:
            from l0.notebook._stream import StreamView

            self._live = StreamView(self.story, stop=self._stop)
            self.story.listen(self._at_end)
        return None if self._live is None else self._live.widget

    def _at_end(self, event: Any, _: Any) -> None:
        ends = event.type == "SESSION_END" and event.payload.outcome != "completed"
        if ends or event.type == "COMPLETE":
            self._live.finish()

    def __str__(self) -> str:
        return self.story.text

    def __repr__(self) -> str:
        return mimebundle(self.story)["text/plain"].rstrip("\n")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        from l0.notebook._where import where

        bundle: dict[str, Any] = dict(mimebundle(self.story))
        if self.story.live and where() != "headless":
            widget = self.widget
            bundle |= {} if widget is None else self._live.bundle
        return bundle

    def _repr_html_(self) -> str:
        return mimebundle(self.story)["text/html"]

    def _display_(self) -> Any:
        """What marimo shows, which is the only one that asks: a widget has to be one of its own."""
        import marimo

        widget = self.widget
        if widget is None:
            return marimo.Html(self._repr_html_())
        self._live.bridge.deaf = True  # so Stop stays grey until the page has been heard
        self._live.bridge.refresh()
        return marimo.ui.anywidget(widget)


def _in_format(story: Story, format: str) -> Story:
    """The same story, drawn otherwise."""
    other = Story.of_events(story.events, model=story.model, format=format, notes=story.notes)
    other.error = story.error
    return other
