"""What a failed attempt was: its kind, its place in the run, the timer or the network behind it."""

from __future__ import annotations

from l0.errors import (
    Classification,
    Error,
    ErrorCategory,
    NetworkErrorType,
    StreamTimeoutError,
)
from l0.events import ConnectionDroppedPayload, NetworkErrorPayload, TimeoutTriggeredPayload
from l0.stream._decide import judge
from l0.stream._session import Run
from l0.stream._watchdog import timeout_kind


def classified(run: Run, failure: Exception) -> tuple[Classification, float | None]:
    """What kind of failure it is, and how many seconds the provider asked to wait."""
    found, asked = judge(failure, run.ambient)
    attempt = run.attempt
    if found.network_type is NetworkErrorType.CONNECTION_DROPPED and not (
        attempt and attempt.alive
    ):
        found = found.replace(network_type=NetworkErrorType.NO_BYTES)
    if isinstance(failure, Error):
        put_in_context(run, failure)
    return found, asked


def put_in_context(run: Run, failure: Error) -> None:
    """Tell the error where the run was: what a handler needs, and the id to look up in the log."""
    state = run.state
    failure.context = failure.context.replace(
        partial_text=state.content,
        checkpoint=state.checkpoint or None,
        token_count=state.token_count,
        content_length=state.content_length,
        model_retry_count=state.model_retry_count,
        network_retry_count=state.network_retry_count,
        fallback_index=state.fallback_index,
        attempt=state.attempt,
        stream_id=run.bus.stream_id,
    )


def tell_timeout(run: Run, failure: StreamTimeoutError) -> None:
    """TIMEOUT_TRIGGERED: a timer of this run fired."""
    kind = timeout_kind(failure)
    elapsed, run.watch.fired = run.watch.elapsed * 1000, None
    configured = getattr(run.options.timeout, kind, None) or 0.0
    run.tell(TimeoutTriggeredPayload(kind, configured * 1000, elapsed, run.state.token_count))
    run.call(run.callbacks.on_timeout, kind, elapsed)


def tell_network(run: Run, failure: Exception, found: Classification) -> None:
    """NETWORK_ERROR, and CONNECTION_DROPPED if something had come."""
    state, kind = run.state, str(found.network_type or "unknown")
    run.tell(
        NetworkErrorPayload(
            str(failure),
            type(failure).__name__,
            kind,
            found.category is not ErrorCategory.FATAL,
            state.attempt,
            state.token_count,
            getattr(failure, "code", None) if isinstance(failure, OSError) else None,
            found.status,
        )
    )
    mid = run.attempt is not None and run.attempt.alive
    if mid:
        run.tell(ConnectionDroppedPayload(kind, state.token_count, state.content_length))
    if run.dropped_at is None:
        run.dropped_at = run.clock.monotonic()
    run.dropped_mid = run.dropped_mid or mid
    run.network_failures += 1
