"""A run's events into a store and its telemetry: started with it, complete before its end."""

from __future__ import annotations

from l0.events import EventRecorder, get_default_store
from l0.monitoring import Monitor
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


def start_monitoring(run: Run) -> None:
    """Attach a monitor of its own for `monitoring=`."""
    config = run.options.monitoring
    run.monitor = Monitor(config.replace(redact=run.options.redact))
    run.bus.subscribe(run.monitor)


async def stop_recording(run: Run) -> None:
    """Wait until what was recorded is on disk, at most 2 s."""
    if run.recorder is not None:
        await run.recorder.close(timeout=2.0)
