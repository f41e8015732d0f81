"""The stream view as a widget; the page's half is `js/src/stream.ts`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from l0.notebook._bridge import Bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from l0.events import Clock
    from l0.notebook._story import Story

STATIC: Final = Path(__file__).with_name("static")
"""The built front-end."""

_GROWING: Final = frozenset({"content", "events", "rev"})
WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"


class StreamView:
    """A story and the widget that shows it.

    Args:
        story: the run.
        meta: facts of the view beside the story's: `can_stop`, `interrupt`, …
        stop: called, on the kernel's thread, when Stop is pressed.
        clock: what paces the messages.
    """

    def __init__(
        self,
        story: Story,
        *,
        meta: dict[str, Any] | None = None,
        stop: Callable[[], Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.widget: Any = None
        self.bridge = Bridge(
            story, self._send, meta=meta, stop=stop, status=self._status, clock=clock
        )
        module = "structured" if story.format == "data" else "stream"
        self.widget = widget_class(module)(self.bridge)
        self.widget.on_msg(lambda _widget, content, _buffers: self.bridge.receive(content))

    def _send(self, message: dict[str, Any]) -> None:
        if self.widget is not None and self.widget.comm is not None:
            self.widget.send(message)

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
        self.bridge.refresh()
        if self.widget.comm is not None:
            self.widget.settle()

    def close(self) -> None:
        """Close the widget; its views on the page disappear."""
        self.bridge.close()
        self.widget.layout.close()
        self.widget.close()


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

    return StreamWidget
