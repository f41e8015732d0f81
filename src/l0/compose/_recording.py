"""The events of a call of several runs into a store, as those of a run."""

from __future__ import annotations

from typing import Any

from l0.events import EventBus, EventRecorder, get_default_store


class Recording:
    """What happens on a bus, kept until `close`.

    Args:
        bus: whose events.
        event_store: where they are kept; None is the default store, False nowhere.
        redact: as for `run`.

    Raises:
        StoreError: the store can't be opened.
    """

    def __init__(self, bus: EventBus, event_store: Any, redact: Any = True) -> None:
        self._bus = bus
        self._recorder: EventRecorder | None = None
        store = get_default_store() if event_store is None else event_store
        if store is not None and store is not False:
            self._recorder = EventRecorder(store, redact=redact)
            self._recorder.attach(bus)

    async def room(self) -> None:
        """Wait while the store can't keep up."""
        if self._recorder is not None and self._recorder.full:
            await self._recorder.room()

    async def close(self) -> None:
        """Wait for coroutine handlers, and at most 2 s until all of it is stored."""
        await self._bus.drain()
        if self._recorder is not None:
            await self._recorder.close(timeout=2.0)
            await self._bus.drain()  # it may have told of a failure
