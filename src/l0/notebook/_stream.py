"""The stream view as a widget; the page's half is `js/src/stream.ts`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from l0.notebook import _usage
from l0.notebook._bridge import Bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from l0.events import Clock
    from l0.notebook._story import Story

STATIC: Final = Path(__file__).with_name("static")
"""The built front-end."""

_SHORT: Final = 400
"""Characters of an answer that fit into the smallest window without a scroll bar of their own."""

_GROWING: Final = frozenset({"content", "events", "rev"})
WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"


class StreamView:
    """A story and the widget that shows it.

    Args:
        story: the run.
        meta: facts of the view beside the story's: `can_stop`, `interrupt`, …
        stop: called, on the kernel's thread, when Stop is pressed.
        clock: what paces the messages.
        again: called, on the kernel's thread, when Run again is pressed; a story that may be run
            again says so in `facts["can_again"]`.
    """

    def __init__(
        self,
        story: Story,
        *,
        meta: dict[str, Any] | None = None,
        stop: Callable[[], Any] | None = None,
        clock: Clock | None = None,
        again: Callable[[], Any] | None = None,
    ) -> None:
        self.widget: Any = None
        self._meta, self._clock, self._again = meta, clock, again
        self._tail = ""
        """The end of the text that has been sent, in which a fence may begin."""
        self.bridge = self._bridge_of(story, stop)
        module = "structured" if story.format == "data" else "stream"
        self.widget = widget_class(module)(self.bridge)
        self.widget.on_msg(self._receive)
        self._offer_extras([story.text])

    def _bridge_of(self, story: Story, stop: Callable[[], Any] | None) -> Bridge:
        return Bridge(
            story,
            self._send,
            meta=self._meta,
            stop=stop,
            status=self._status,
            clock=self._clock,
        )

    def _send(self, message: dict[str, Any]) -> None:
        if self.widget is not None and self.widget.comm is not None:
            self._offer_extras(filter(None, map(_text_in, message["ops"])))
            self.widget.send(message)

    def _offer_extras(self, pieces: Iterable[str]) -> None:
        """Hand the page what draws code, marks findings and keeps a long answer where it is."""
        story = self.bridge.story
        if self.widget.extras is not None:
            return
        text = self._tail + "".join(pieces)
        self._tail = text[-2:]
        code = story.format == "markdown" and ("```" in text or "~~~" in text)
        placed = any(each.position is not None for each in story.state.violations)
        if code or (placed and story.format != "data") or len(story.text) > _SHORT:
            self.widget.extras = extras()

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        self.bridge.receive(content)
        if isinstance(content, dict) and content.get("type") == "again":
            story = self.bridge.story
            if self._again is not None and story.facts.get("can_again") and not story.live:
                self._again()

    def show(self, story: Story, *, stop: Callable[[], Any] | None = None) -> None:
        """Show another run in the same place, from now on."""
        before = self.bridge
        before.close()
        self.bridge = self.widget._bridge = self._bridge_of(story, stop)
        self.bridge.q = before.q  # the page counts on
        self.bridge.receive({"type": "sync", "have": -1})
        self.bridge.refresh()

    def _status(self, status: str, meta: dict[str, Any]) -> None:
        if self.widget is not None and self.widget.comm is not None:
            with self.widget.hold_sync():
                self.widget.set_trait("meta", meta)
                self.widget.set_trait("status", status)

    @property
    def bundle(self) -> dict[str, Any]:
        """What a front-end needs to show the widget."""
        return {
            WIDGET_MIME: {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.widget.model_id,
            }
        }

    def finish(self) -> None:
        """The run is over: tell the rest, and leave the whole state in the widget."""
        story = self.bridge.story
        if used := _usage.usage(story):
            story.facts["usage"] = used
        if story.facts.get("can_again") and self.widget.extras is None:
            self.widget.extras = extras()
        self.bridge.refresh()
        if self.widget.comm is not None:
            self.widget.settle()

    def close(self) -> None:
        """Close the widget; its views on the page disappear."""
        self.bridge.close()
        self.widget.layout.close()
        self.widget.close()


def _text_in(op: list[Any]) -> str:
    """The text that an operation brings to the page."""
    if op[0] == "s":
        return str(op[1]["content"])
    return str(op[1]) if op[0] == "d" else ""


@cache
def extras() -> dict[str, str]:
    """The module that draws code, marks findings, copies, runs again and keeps places; its style.

    Its source is `js/src/extras.ts`.

    It is handed to a page that has a use for it, so that not every cell carries it.
    """
    return {kind: (STATIC / f"extras.{kind}").read_text(encoding="utf-8") for kind in ("js", "css")}


@cache
def widget_class(module: str = "stream") -> type[Any]:
    """The anywidget class of a built module, made when the first such view is shown.

    Raises:
        ImportError: anywidget is not installed.
    """
    import anywidget
    import traitlets

    class StreamWidget(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """A run, as it happens."""

        _esm = STATIC / f"{module}.js"
        _css = STATIC / f"{module}.css"

        status = traitlets.Unicode("waiting").tag(sync=True)
        meta = traitlets.Dict().tag(sync=True)
        content = traitlets.Unicode("").tag(sync=True)
        events: Any = traitlets.List().tag(sync=True)
        rev = traitlets.Int(0).tag(sync=True)
        extras = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

        def __init__(self, bridge: Bridge) -> None:
            self._bridge = bridge
            super().__init__(status=bridge.status, meta=bridge.meta())

        def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
            """The traits; those that grow are read from the story, and only for the whole state."""
            state: dict[str, Any] = super().get_state(key, drop_defaults)
            if key is None or set(state) >= _GROWING:
                self._bridge.flush()
                now = self._bridge.snapshot()
                state |= {name: now[name] for name in ("content", "events", "status", "meta")}
                state["rev"] = now["q"]
            return state

        def settle(self) -> None:
            """Send the whole state once more, for pages that came late or missed something."""
            self.send_state(["status", "meta", "content", "events", "rev"])

        def __repr__(self) -> str:
            return f"<l0 stream view, {self._bridge.status}>"

    # Pages keep one style for all widgets of a name.
    StreamWidget.__name__ = f"{module.capitalize()}Widget"
    return StreamWidget
