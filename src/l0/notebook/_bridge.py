"""The numbered messages from a run to a page: what happened since the last one, 30 times a second.

A page that misses a message notices it by the number and asks for a snapshot. Characters are
counted in code points here and in UTF-16 units there: this module is the one place that converts.

Messages are sent by the thread that the run lives on, the timers by its loop; what the page says
comes in on the kernel's thread. A lock keeps the numbers in order. So a run behind the sync door
reaches the page while its cell blocks the kernel's own loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from l0.events import (
    SYSTEM_CLOCK,
    Clock,
    ObservabilityEvent,
    RestartPayload,
    TimerHandle,
    TokensPayload,
)
from l0.notebook._rows import Row, clean, merge
from l0.notebook._story import Story
from l0.notebook._structured import error_of

log = logging.getLogger("l0")

INTERVAL: Final = 1 / 30
"""Seconds between two messages at least."""

HEARTBEAT: Final = 2.0
"""Seconds of silence after which the page is told that all is well."""

UNHEARD: Final = 0.25
"""Seconds until a page that can't be heard is told everything; then twice as long, and so on."""

Op = list[Any]


class Bridge:
    """Tells a page what happens in a story.

    Args:
        story: the run.
        send: puts one message on the wire; where nobody is there yet it raises or does nothing.
        meta: facts of the view beside the story's: `can_stop`, `interrupt`, …
        stop: called when the page asks to stop.
        status: told each new status, for the synced trait.
        clock: what paces it.
    """

    def __init__(
        self,
        story: Story,
        send: Callable[[dict[str, Any]], Any],
        *,
        meta: dict[str, Any] | None = None,
        stop: Callable[[], Any] | None = None,
        status: Callable[[str, dict[str, Any]], Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.story = story
        self.q = 0
        self.closed = False
        self.deaf = False
        """Whether no message of the page is heard while a cell runs, not even one that waits."""
        self._send = send
        self._facts = dict(meta or {})
        self._stop = stop
        self._told_status = status
        self._clock = clock or SYSTEM_CLOCK
        self._lock = threading.RLock()
        self._pending: list[Op] = []
        self._status, self._model = story.status, story.answers
        self._sent_at = -1e9
        self._timer: TimerHandle | None = None
        self._due = 1e18
        self._thread: int | None = None  # of the run: its loop has the timers
        self._home = threading.get_ident()  # the kernel's thread, which hears the page
        self._tell_all_at = self._clock.monotonic() + UNHEARD
        self._patience = UNHEARD
        self._heard = False
        story.listen(self._on_event)

    # --- what the page is told ---

    @property
    def status(self) -> str:
        """The status as the page is told it."""
        return self.story.status

    def meta(self) -> dict[str, Any]:
        """What a view says beside the run's own events, as of now."""
        story = self.story
        told: dict[str, Any] = {
            "stream_id": story.stream_id,
            "model": story.answers,
            "format": story.format,
            "notes": story.notes,
            "live": story.live,
            "can_stop": self._stop is not None and story.live and (self._heard or not self.deaf),
            "now_ms": self._now_ms(),
            **story.facts,
        }
        if (error := error_of(story)) is not None:
            told["error"] = error
        clean: dict[str, Any] = _clean({**told, **self._facts})
        return clean

    def _now_ms(self) -> float:
        begun = self.story.started_ms
        return 0.0 if begun is None else round(max(0.0, self._clock.time() * 1000 - begun), 1)

    def snapshot(self) -> dict[str, Any]:
        """Everything, as of message `q`; what was still to be sent is in it."""
        with self._lock:
            self._pending.clear()
            return {
                "content": clean(self.story.text),
                "events": list(self.story.rows),
                "status": self.status,
                "meta": self.meta(),
                "q": self.q,
            }

    # --- events in ---

    def _on_event(self, event: ObservabilityEvent, row: Row) -> None:
        with self._lock:
            if self.closed:
                return
            self._thread = threading.get_ident()
            payload = event.payload
            if type(payload) is TokensPayload:
                self._append_text("".join(payload.texts))
            elif type(payload) is RestartPayload and payload.discarded_chars:
                self._pending.append(["r", utf16_length(clean(self.story.text))])
            self._append_row(row)
            before, self._model = self._model, self.story.answers
            if self.story.status != self._status or self._model != before:
                self._status = self.story.status
                told = {"now_ms": self._now_ms()}
                known = {} if self._model == before else {"model": self._model}
                self._pending.append(["st", self._status, {**told, **_clean(known)}])
                self._tell_status()
            self._schedule()

    def _append_text(self, text: str) -> None:
        op = self._last("d")
        if op is None:
            self._pending.append(["d", clean(text)])
        else:
            op[1] += clean(text)

    def _append_row(self, row: Row) -> None:
        op = self._last("e")
        if op is None:
            self._pending.append(["e", [row]])
        else:
            merge(op[1], row)

    def _last(self, kind: str) -> Op | None:
        """The latest operation of a kind that may still grow: nothing is moved over a restart."""
        for op in reversed(self._pending):
            if op[0] == kind:
                return op
            if op[0] in {"r", "st"}:
                return None
        return None

    def _tell_status(self) -> None:
        if self._told_status is not None:
            try:
                self._told_status(self._status, self.meta())
            except Exception:  # whatever a front-end's comm says, the run goes on
                log.debug("the status of a view could not be told", exc_info=True)

    # --- messages out ---

    def _schedule(self) -> None:
        now = self._clock.monotonic()
        if now - self._sent_at >= INTERVAL:
            self.flush()
        else:
            self._wake_at(self._sent_at + INTERVAL)

    def _wake_at(self, when: float) -> None:
        if self._thread != threading.get_ident():
            return
        if self._timer is not None:
            if self._due <= when:
                return
            self._timer.cancel()
            self._timer = None
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            if self._pending:
                self.flush()  # no loop that could wake us
            return
        self._due = when
        self._timer = self._clock.call_at(when, self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._timer = None
            if self.closed:
                return
            if self._pending:
                self.flush()
            elif self._is_unheard():
                self._tell_all()
            elif self._clock.monotonic() - self._sent_at >= HEARTBEAT - 1e-6:
                self._beat()
            if self.story.live and not self._pending:
                self._wake_at(self._sent_at + HEARTBEAT)

    def flush(self) -> None:
        """Send what is pending, now."""
        with self._lock:
            if self._pending and not self.closed:
                if self._is_unheard():
                    self._tell_all()
                    return
                ops, self._pending = self._pending, []
                self.q += 1
                self._out({"q": self.q, "ops": ops})

    def _is_unheard(self) -> bool:
        """Whether it is time to tell everything unasked.

        A page opens its view a moment after the first messages, which it therefore misses, and
        asks. While a cell blocks the kernel's thread nobody hears that.
        """
        deaf = self.deaf or self._thread not in {None, self._home}
        return deaf and not self._heard and self._clock.monotonic() >= self._tell_all_at

    def _tell_all(self) -> None:
        self.q += 1
        self._out({"q": self.q, "ops": [["s", self.snapshot()]]})
        self._patience *= 2
        self._tell_all_at = self._sent_at + self._patience

    def _beat(self) -> None:
        self._out({"q": self.q, "ops": [["h"]]})

    def _out(self, message: dict[str, Any]) -> None:
        self._sent_at = self._clock.monotonic()
        try:
            self._send(message)
        except Exception:  # a front-end that is gone must not cost the run
            log.debug("a message to a view was not sent", exc_info=True)
        if self.story.live:
            self._wake_at(self._sent_at + HEARTBEAT)

    # --- the page speaks ---

    def receive(self, message: Any) -> None:
        """One message of the page: `{"type": "abort"}` or `{"type": "sync", "have": q}`."""
        if not isinstance(message, dict):
            return
        self._heard = True
        if message.get("type") == "abort":
            if self._stop is not None and self.story.live:
                self._stop()
        elif message.get("type") == "sync":
            self._sync(message.get("have"))

    def _sync(self, have: object) -> None:
        with self._lock:
            if self.closed:
                return
            if have == self.q and not self._pending:
                self._out({"q": self.q, "ops": [["h"]]})
                return
            self._tell_all()

    # --- the end ---

    def refresh(self) -> None:
        """Tell the status and the facts of the view anew, as at the end of a run."""
        with self._lock:
            self._status = self.story.status
            self._pending.append(["st", self._status, self.meta()])
            self.flush()
            self._tell_status()

    def close(self) -> None:
        """Send nothing more."""
        with self._lock:
            self.closed = True
            if self._timer is not None and self._thread == threading.get_ident():
                self._timer.cancel()
            self._timer = None


def utf16_length(text: str) -> int:
    """How long the text is where characters beyond the basic plane count as two.

    >>> utf16_length("a🎉")
    3
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return clean(value) if isinstance(value, str) else value
