"""`l0.view(x)`: show any run, live or recorded; of several runs, the explorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from l0.notebook._explorer_runs import holds_several
from l0.notebook._sources import held_story, story_of, stream_of
from l0.notebook._static import mimebundle
from l0.notebook._story import Story
from l0.stream import Stream, run

if TYPE_CHECKING:
    from l0.monitoring import Prices
    from l0.notebook._board_display import BoardShown
    from l0.notebook._board_map_view import MapView
    from l0.stream import Options


def view(
    x: Any,
    stream_id: str | None = None,
    *,
    format: str | None = None,
    prices: Prices | Mapping[str, Any] | None = None,
) -> Any:
    """A view of a run: of a stream or handle, a recording, a log, a store, a list of events.

    The last expression of a cell shows it, in notebooks and in marimo alike. A stream that has not
    ended is shown live from then on, in front-ends that have widgets; start it in the same cell or
    later, `view` does not. Of several runs it is the explorer: see `l0.explore`. Of a map it is its
    progress: `result = await l0.view(l0.map(…))` shows it and runs it.

    A view that was live stays where it is. What it shows may be run again by a button there if it
    costs nothing, which is so for `sim:` models: the view then shows the new run, and `x` stays
    what it is.

    Args:
        x: what holds the run.
        stream_id: which run, where there are several.
        format: how the answer is drawn: markdown, text, json or code.
        prices: an `l0.Prices`, or the mapping it is made of, for what it cost; else those of
            `l0.notebook.set_prices`.

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

        return explore(x, prices=prices)
    stream = stream_of(x)
    if stream is None or stream.outcome is not None or held_story(x) is not None:
        story = story_of(x, stream_id)
        if format is not None or prices is not None:
            story = _otherwise(story, format or story.format)
        story.prices = prices if prices is not None else story.prices
        return View(story)
    named = getattr(x, "model", None) or (stream.options.meta or {}).get("model")
    story = Story(
        model=named,
        fallbacks=getattr(x, "fallbacks", ()),
        format=format or getattr(x, "format", None) or "markdown",
    )
    story.prices = prices
    story.follow(stream)
    return View(story, stream)


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

    def __init__(self, story: Story, stream: Stream | None = None) -> None:
        self.story = story
        self._stream = stream
        self._live: Any = None

    @property
    def widget(self) -> Any:
        """The live widget; None once the run is over, or where there are no widgets.

        In marimo, `mo.ui.anywidget(view.widget)` makes it part of the reactive graph.
        """
        if self._live is None and self.story.live:
            from l0.notebook._stream import StreamView

            stop = None if self._stream is None else self._stream.abort
            self._live = StreamView(self.story, stop=stop, again=self._again)
            self.story.listen(self._at_end)
        return None if self._live is None else self._live.widget

    def _at_end(self, event: Any, _: Any) -> None:
        ends = event.type == "SESSION_END" and event.payload.outcome != "completed"
        if ends or event.type == "COMPLETE":
            self.story.facts["can_again"] = self._stream is not None and _is_free(
                self._stream.options, self.story
            )
            self._live.finish()

    def _again(self) -> None:
        """Run it once more, and show that."""
        from l0.notebook import _cell
        from l0.notebook._handle import Handle

        before = self.story
        assert self._stream is not None
        self._stream = run(self._stream.options, stream_id=None)
        self.story = Story(model=before.model, fallbacks=before.fallbacks, format=before.format)
        self.story.prices = before.prices
        self.story.follow(self._stream)
        self._live.show(self.story, stop=self._stream.abort)
        self.story.listen(self._at_end)
        _cell.in_background(Handle(self._stream), loop_stays=True)

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
        """What marimo shows, which is the only one that asks."""
        from l0.notebook._marimo import element

        widget = self.widget
        bridges = [] if widget is None else [self._live.bridge]
        return element(widget, self._repr_html_(), bridges)


def _is_free(options: Options, story: Story) -> bool:
    """Whether a run may be repeated at no cost: all that it may ask is simulated, and it can ask.

    A model tells its name; a function that asks one does not, but the answer says whose it is.
    """
    asked = (options.stream, *options.fallbacks)
    names = [getattr(each, "name", None) for each in asked]
    names[0] = names[0] or story.model or story.state.model
    return all(map(callable, asked)) and all(str(name).startswith("sim:") for name in names)


def _otherwise(story: Story, format: str) -> Story:
    """The same story, to be drawn otherwise."""
    other = Story.of_events(
        story.events,
        model=story.model,
        fallbacks=story.fallbacks,
        format=format,
        notes=story.notes,
    )
    other.error = story.error
    return other
