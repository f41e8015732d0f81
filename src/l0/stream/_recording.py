"""A run's events into a store: started with it, flushed before its end is reported."""

from __future__ import annotations

from l0.events import EventRecorder, get_default_store
from l0.stream._session import Run


def start_recording(run: Run) -> None:
    """Attach a recorder for `event_store=`, or for the process-wide default store."""
    store = run.options.event_store
    if store is None:
        store = get_default_store()
    if store is None or store is False:
        return
    run.recorder = EventRecorder(store, redact=run.options.redact)
    run.recorder.attach(run.bus)


async def stop_recording(run: Run) -> None:
    """Wait until what was recorded is on disk, at most 2 s."""
    if run.recorder is not None:
        await run.recorder.close(timeout=2.0)
