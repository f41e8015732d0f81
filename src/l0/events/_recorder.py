"""Record a run: from its bus, through redaction and the hash chain, into a store."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from os import PathLike
from typing import Any, Literal

from l0.errors import StoreError
from l0.errors._secrets import text_of
from l0.events._bus import EventBus, ObservabilityEvent
from l0.events._chain import Chain, finds_only, recorded_types
from l0.events._payloads import StoreErrorPayload
from l0.events._redact import Redactor, as_redactor
from l0.events._sink import TaskSink, sink_of
from l0.events._store import EventStore, resolve_store
from l0.events._tap import END, Tap

log = logging.getLogger("l0")

_PATIENCE = 10.0  # seconds without progress after which a full store counts as hung
_LATE = frozenset({"TOKENS", "STREAM_EVENT", "SESSION_END", "COMPLETE"})


class EventRecorder:
    """Writes what happens on a bus into a store; its failures never reach the run.

    Recorded is everything but TOKEN, the CHECKPOINT_SAVED that TOKENS have marks for, and, with
    `detail="normal"`, the guardrail and drift checks that found nothing. Redaction and hashing come
    before the store; a SQLite or JSONL store does all of it on its own thread.

    A recorder is a handler: `l0.run(..., on_event=EventRecorder(store))` works as well as
    `attach(bus)`, and it takes the events of several streams. If the store fails, recording stops
    for the stream, STORE_ERROR says so on the bus, and the run goes on.

    Args:
        store: an event store, or its URL.
        redact: True for the default `Redactor`, False for none, or one of your own.
        detail: "full" keeps checks that found nothing, too.
        resume: go on with streams that are in the store already, as a process does that takes over
            where another one ended; otherwise a stream id that is used twice is an error.

    Raises:
        TypeError: the store is none, or `redact` is not what it should be.
        ValueError: `detail` is neither "normal" nor "full".

    Example:
        >>> import asyncio
        >>> from l0.events import EventBus, InMemoryEventStore
        >>> async def main():
        ...     store, bus = InMemoryEventStore(), EventBus(stream_id="demo")
        ...     recorder = EventRecorder(store)
        ...     recorder.attach(bus)
        ...     bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="rate_limit")
        ...     await recorder.close()
        ...     return [record.type for record in await store.get_events("demo")]
        >>> asyncio.run(main())
        ['FALLBACK_START']
    """

    def __init__(
        self,
        store: EventStore | str | PathLike[str],
        redact: bool | Redactor = True,
        detail: Literal["normal", "full"] = "normal",
        *,
        resume: bool = False,
    ) -> None:
        resolved = resolve_store(store)
        if resolved is None:
            raise TypeError("an EventRecorder needs a store, or its URL")
        self.store = resolved
        self.found_only = finds_only(detail)  # read by the bus: checks may stay silent
        self._redactor = as_redactor(redact)
        self._resume = resume
        self._sink = sink_of(resolved)
        self._put = self._sink.put
        self._taps: dict[str, Tap] = {}
        self._ended: deque[Tap] = deque(maxlen=1000)  # of a handler that outlives its runs
        self._bus: EventBus | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._told: set[Tap] = set()
        self._gave_up = False  # nothing more is handed to a store that does not answer

    @property
    def types(self) -> tuple[str, ...]:
        """The event types it records: all of the catalog but TOKEN."""
        return recorded_types()

    @property
    def full(self) -> bool:
        """Whether the store can't keep up; whoever produces events then awaits `room()`."""
        return self._sink.full and not self._gave_up

    @property
    def error(self) -> Exception | None:
        """Why recording stopped; None while it goes on."""
        taps = (*self._taps.values(), *self._ended)
        return next((tap.error for tap in taps if tap.error is not None), None)

    @property
    def lost_records(self) -> int:
        """Records that are not known to be stored because of a failure."""
        return sum(tap.lost for tap in (*self._taps.values(), *self._ended))

    def attach(self, bus: EventBus) -> None:
        """Record what happens on a bus, from now until `close`.

        Raises:
            RuntimeError: it is attached to a bus already.
        """
        if self._unsubscribe is not None:
            raise RuntimeError("the recorder is attached already; make one for each bus")
        self._bus = bus
        self._unsubscribe = bus.subscribe(self, self.types)

    def __call__(self, event: ObservabilityEvent) -> None:
        """Record one event; costs the event loop a queue put where the store has a thread."""
        tap = self._taps.get(event.stream_id)
        if tap is None:
            tap = self._open(event.stream_id)
        elif tap.error is not None and tap not in self._told and event.type not in _LATE:
            self._tell(tap)
        if self._gave_up:
            tap.lost += 1
            return
        self._put(tap, event)
        if self._bus is None and _is_last(event):
            self._put(tap, END)
            self._ended.append(self._taps.pop(event.stream_id))

    def _open(self, stream_id: str) -> Tap:
        chain = Chain(stream_id, self._redactor, full=not self.found_only)
        tap = self._taps[stream_id] = Tap(chain, resume=self._resume)
        return tap

    async def room(self) -> None:
        """Wait until the store can take more; at once if it can.

        A store that gets nowhere for 10 seconds is given up: recording stops, the run goes on.
        """
        if self.full and not await self._sink.room(_PATIENCE):
            await self._give_up(f"it wrote nothing for {_PATIENCE:g} s")

    async def close(self, timeout: float = 2.0) -> None:
        """Stop recording, and wait until all of it is stored, at most `timeout` seconds.

        Never raises: what could not be stored is told by STORE_ERROR on the bus.
        """
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for tap in self._taps.values() if not self._gave_up else ():
            self._put(tap, END)
        try:
            if not self._gave_up:
                await asyncio.wait_for(self._sink.flush(), timeout)
        except TimeoutError:
            await self._give_up(f"it did not finish within {timeout:g} s")
        except Exception as error:  # the store's own flush: whatever it is, the run goes on
            self._fail(error)
        for tap in self._taps.values():
            if tap.error is not None and tap not in self._told:
                self._tell(tap)
        self._tell_partial()

    async def _give_up(self, why: str) -> None:
        self._gave_up = True
        self._fail(StoreError(f"{self.store!r} does not answer: {why}"))
        if isinstance(self._sink, TaskSink):
            await self._sink.cancel()

    def _fail(self, error: Exception) -> None:
        for tap in self._taps.values():
            if tap.error is None:
                tap.fail(error, self._sink.queued(tap))

    def _tell(self, tap: Tap) -> None:
        self._told.add(tap)
        self._emit(type(self.store).__name__, tap.error, tap.lost)

    def _tell_partial(self) -> None:
        """Tell of the stores inside the store that failed while it went on without them."""
        take = getattr(self.store, "take_failures", None)
        if take is not None:
            for stream_id in self._taps:
                for name, error, lost in take(stream_id):
                    self._emit(name, error, lost)

    def _emit(self, store: str, error: Any, lost: int) -> None:
        if self._bus is not None:
            self._bus.emit(StoreErrorPayload(store, text_of(error), lost))


def _is_last(event: ObservabilityEvent) -> bool:
    return event.type == "COMPLETE" or (
        event.type == "SESSION_END" and event.payload.outcome != "completed"
    )
