"""The board as a widget; the page's half is `js/src/board.ts`.

Each run has a bridge of its own, numbered and healed as a single run's; what they say travels over
one comm, at most 30 messages a second in all. The board itself is one more: how it stands, and what
the runs came to, or how far a map is.

kernel → page: `{"cards": [[card, message], …]}`, `card` null for the board itself; page → kernel:
what a stream view says, with `card` where it is about one run.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from l0.events import SYSTEM_CLOCK, Clock, TimerHandle
from l0.notebook._bridge import HEARTBEAT, INTERVAL, Bridge
from l0.notebook._stream import STATIC, WIDGET_MIME, extras

if TYPE_CHECKING:
    from l0.notebook._story import Story

log = logging.getLogger("l0")

_WHOLE: Final = frozenset({"cards", "meta", "rev", "status"})

Message = dict[str, Any]


class Post:
    """Puts what several bridges say on one wire, a bundle at a time.

    Args:
        send: puts one message on the wire.
        clock: what paces it.
    """

    def __init__(self, send: Callable[[Message], Any], clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._lock = threading.RLock()
        self._waiting: list[list[Any]] = []
        self._sent_at = -1e9
        self._timer: TimerHandle | None = None

    def of(self, card: int | None) -> Callable[[Message], None]:
        """What the bridge of one run, or of the board, sends by."""
        return lambda message: self._put(card, message)

    def _put(self, card: int | None, message: Message) -> None:
        with self._lock:
            self._waiting.append([card, message])
            due = self._sent_at + INTERVAL
            if self._clock.monotonic() >= due:
                self.flush()
            elif self._timer is None:
                try:
                    asyncio.get_running_loop()
                except RuntimeError:
                    self.flush()  # no loop that could wake us
                else:
                    self._timer = self._clock.call_at(due, self.flush)

    def flush(self) -> None:
        """Send what is waiting, now."""
        with self._lock:
            self._timer = None
            if self._waiting:
                waiting, self._waiting = self._waiting, []
                self._sent_at = self._clock.monotonic()
                self._send({"cards": waiting})


class BoardBridge(Bridge):
    """The bridge of a board itself: it has no text and no events, but facts."""

    def _on_event(self, event: Any, row: Any) -> None:  # noqa: ARG002  the card's own bridge says it
        with self._lock:
            if self.closed:
                return
            begun = self._thread is not None
            self._thread = threading.get_ident()
            if self.story.status != self._status:
                self.refresh()
            elif not begun:
                self._wake_at(self._clock.monotonic() + HEARTBEAT)

    def progress(self) -> None:
        """Tell the facts anew, on the numbered wire alone."""
        with self._lock:
            self._thread = threading.get_ident()
            self._pending = [["st", self.story.status, self.meta()]]
            self.flush()


class BoardView:
    """A board, or the progress of a map, and the widget that shows it.

    Args:
        board: what is shown: a `Board`, or the story of a map.
        cards: the stories of its runs.
        meta: facts of the view beside the board's, such as `interrupt`.
        stop: called, on the kernel's thread, when Stop is pressed.
        clock: what paces the messages.
    """

    def __init__(
        self,
        board: Any,
        cards: Sequence[Story] = (),
        *,
        meta: Message | None = None,
        stop: Callable[[], Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SYSTEM_CLOCK
        self.widget: Any = None
        self._finished = False
        self._post = Post(self._send, clock)
        self.bridge = BoardBridge(
            board, self._post.of(None), meta=meta, stop=stop, status=self._status, clock=clock
        )
        self.cards = [Bridge(card, self._post.of(at), clock=clock) for at, card in enumerate(cards)]
        self.widget = widget_class()(self)
        self.widget.on_msg(lambda _widget, content, _buffers: self.receive(content))

    @property
    def bridges(self) -> list[Bridge]:
        """Of every run, and of the board itself."""
        return [*self.cards, self.bridge]

    def receive(self, message: Any) -> None:
        """What the page says, to whom it is meant for."""
        card = message.get("card") if isinstance(message, dict) else None
        if card is None:
            self.bridge.receive(message)
        elif isinstance(card, int) and 0 <= card < len(self.cards):
            self.cards[card].receive(message)

    def snapshots(self) -> list[Message]:
        """Every run in full, each as of its own number."""
        found = []
        for bridge in self.cards:
            bridge.flush()
            told = bridge.snapshot()
            found.append({**told, "rev": told.pop("q")})
        return found

    def _send(self, message: Message) -> None:
        if self.widget is not None and self.widget.comm is not None:
            self.widget.send(message)

    def _status(self, status: str, meta: Message) -> None:
        if self.widget is not None and self.widget.comm is not None:
            with self.widget.hold_sync():
                self.widget.set_trait("meta", meta)
                self.widget.set_trait("status", status)

    @property
    def bundle(self) -> Message:
        """What a front-end needs to show the widget."""
        model_id = self.widget.model_id
        return {WIDGET_MIME: {"version_major": 2, "version_minor": 0, "model_id": model_id}}

    def progress(self) -> None:
        """Tell the facts anew."""
        self.bridge.progress()

    def finish(self) -> None:
        """It is over: tell the rest, and leave the whole state in the widget."""
        if self._finished:
            return
        self._finished = True
        for bridge in self.bridges:
            bridge.refresh()
        self._post.flush()
        if self.widget.comm is not None:
            self.widget.settle()

    def close(self) -> None:
        """Close the widget; its views on the page disappear."""
        for bridge in self.bridges:
            bridge.close()
        self.widget.layout.close()
        self.widget.close()


@cache
def widget_class() -> type[Any]:
    """The anywidget class, made when the first board is shown.

    Raises:
        ImportError: anywidget is not installed.
    """
    import anywidget
    import traitlets

    class BoardWidget(anywidget.AnyWidget):  # type: ignore[misc, unused-ignore]
        """Runs side by side, or a map on its way."""

        _esm = STATIC / "board.js"
        _css = STATIC / "board.css"

        status = traitlets.Unicode("waiting").tag(sync=True)
        meta = traitlets.Dict().tag(sync=True)
        cards: Any = traitlets.List().tag(sync=True)
        """Each run in full; read when the whole state is asked for."""
        rev = traitlets.Int(0).tag(sync=True)
        extras: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
        """What draws code, marks findings and copies answers; a map has none."""

        def __init__(self, view: BoardView) -> None:
            self._view = view
            bridge = view.bridge
            more = extras() if view.cards else None
            super().__init__(status=bridge.status, meta=bridge.meta(), extras=more)

        def get_state(self, key: Any = None, drop_defaults: bool = False) -> Message:
            """The traits; those that grow are read from the stories, for the whole state."""
            state: Message = super().get_state(key, drop_defaults)
            if key is None or set(state) >= _WHOLE:
                self._view.bridge.flush()
                now = self._view.bridge.snapshot()
                state |= {name: now[name] for name in ("status", "meta")}
                state |= {"rev": now["q"], "cards": self._view.snapshots()}
            return state

        def settle(self) -> None:
            """Send the whole state once more, for pages that came late or missed something."""
            self.send_state(sorted(_WHOLE))

        def __repr__(self) -> str:
            return f"<l0 board, {self._view.bridge.status}>"

    return BoardWidget
