"""The end of a run, whichever it is: completion checks, abort, the summary, the clean-up."""

from __future__ import annotations

import asyncio
import logging
import sys

from l0.errors import IncompleteOutputError, ZeroOutputError
from l0.events import (
    AbortCompletedPayload,
    AbortRequestedPayload,
    CompletePayload,
    Event,
    EventType,
    FinalizationStartPayload,
    SessionEndPayload,
    SessionSummary,
    StreamFinishedPayload,
)
from l0.guardrails import is_zero_output
from l0.monitoring._metrics import add_run
from l0.stream._attempt import Attempt
from l0.stream._checks import drift, guardrails
from l0.stream._recording import stop_recording
from l0.stream._sections import close_chain, close_sections
from l0.stream._session import Run
from l0.stream._source import discard
from l0.stream._usage import tell_usage
from l0.stream._watchdog import Stopped, Watchdog

log = logging.getLogger("l0")

CLOSE_SECONDS = 2.0


# --- success --------------------------------------------------------------------------------


async def complete(run: Run, attempt: Attempt) -> list[Event] | None:
    """The source has ended well: judge it as a whole; gives what is still to hand over.

    None: there are interceptors to be asked first; `conclude` comes after them.
    """
    state, began = run.state, run.clock.monotonic()
    tell_finished(run, attempt)
    if attempt.calls_out and run.watch.why is not None:
        raise run.watch.verdict()  # too late, but a replay has to know that the calls came
    tell_usage(run, attempt)
    await close_upstream(run)
    attempt.finalizing = began
    run.tell(FinalizationStartPayload(state.token_count, state.content_length))
    _check_output(run, attempt)
    guardrails(run, attempt, "completion")
    drift(run, attempt, final=True)
    if run.options.interceptors:
        return None
    return await conclude(run, attempt)


async def conclude(run: Run, attempt: Attempt) -> list[Event]:
    """Nothing speaks against what came: tell so, and give what is still to hand over."""
    if run.watch.why == "abort":  # asked for during the checks, which don't wait
        raise run.watch.verdict()
    close_sections(run, attempt, success=True)
    close_chain(run, success=True)
    run.raw = attempt.raw
    released, run.held = run.held, []
    for event in released:
        run.handed(event)
    last = Event(
        EventType.COMPLETE,
        usage=run.state.usage,
        finish_reason=run.state.finish_reason,
    )
    await tell_end(run, "completed", None, last)
    return [*released, last]


def tell_finished(run: Run, attempt: Attempt) -> None:
    """STREAM_FINISHED: how the source ended."""
    decoder, state, said = attempt.decoder, run.state, attempt.complete
    first = attempt.first_token
    finish = getattr(decoder, "finish_reason", None)
    run.tell(
        StreamFinishedPayload(
            attempt.number,
            attempt.events + state.token_count - attempt.tokens_before,
            state.token_count,
            run.since(attempt.started),
            finish or (said.finish_reason if said is not None else None),
            getattr(decoder, "raw_finish_reason", None),
            getattr(decoder, "model", None),
            getattr(decoder, "response_id", None),
            None if first is None else (first - attempt.started) * 1000,
        )
    )


def _check_output(run: Run, attempt: Attempt) -> None:
    state, options = run.state, run.options
    other = attempt.tool_calls or attempt.delivered_data or attempt.delivered_messages
    if options.detect_zero_output and not other and is_zero_output(state.content):
        raise ZeroOutputError(
            "the model ended without any text; detect_zero_output=False accepts that"
        )
    if options.on_incomplete == "retry" and state.finish_reason == "length":
        raise IncompleteOutputError(
            "the model stopped at its token limit (finish reason length); raise max_tokens, or "
            "use continuation=True to go on from there"
        )


# --- abort ----------------------------------------------------------------------------------


async def tell_aborted(run: Run, source: str) -> None:
    """The run was ended from outside: close the upstream, tell, and be done."""
    if run.ended:
        return
    if run.ending is not None:  # the consumer and an abort beside it: one of them does it
        await asyncio.wait({run.ending})
        return
    run.ending = asyncio.get_running_loop().create_future()
    state, began = run.state, run.clock.monotonic()
    run.tell(
        AbortRequestedPayload(source, state.token_count, state.content_length, run.abort_reason)
    )
    cancelled = None
    try:
        await close_upstream(run)
    except asyncio.CancelledError as error:  # the story is told to its end first
        cancelled = error
    run.tell(AbortCompletedPayload(state.token_count, state.content_length, run.since(began)))
    run.call(run.callbacks.on_abort, state.token_count, state.content_length)
    attempt, run.attempt = run.attempt, None
    if attempt is not None:
        tell_usage(run, attempt)
        close_sections(run, attempt, success=False)
    close_chain(run, success=False)
    try:
        await tell_end(run, "cancelled" if source == "cancel" else "aborted", None)
    finally:
        run.ending.set_result(None)
    if cancelled is not None:
        raise cancelled


# --- every ending ---------------------------------------------------------------------------


async def tell_end(
    run: Run, outcome: str, error: BaseException | None, last: Event | None = None
) -> None:
    """SESSION_SUMMARY, SESSION_END and, for a completed run, COMPLETE; then nothing more.

    A cancellation that comes meanwhile is raised after the story has been told to its end.
    """
    state, bus = run.state, run.bus
    cancelled = await _drained(run) if bus.pending else None
    duration = run.since(run.began)
    if bus.active:
        run.tell(summarize(run, outcome, error))
    run.outcome = outcome
    add_run(state, run.errors, outcome)
    run.tell(SessionEndPayload(outcome, duration))
    if outcome == "completed":
        run.tell(
            CompletePayload(
                state.token_count,
                state.content_length,
                duration,
                state.fallback_index,
                run.attempts,
                state.finish_reason,
            )
        )
        run.call(run.callbacks.on_complete, state)
    run.ended = True
    if last is not None:
        run.handed(last)  # it is on its way; what is called for it is waited for below
    state.settle()
    if bus.pending:
        cancelled = await _drained(run) or cancelled
    if run.recorder is not None:
        try:
            await stop_recording(run)
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None:
        raise cancelled


async def _drained(run: Run) -> asyncio.CancelledError | None:
    """Wait for coroutine callbacks; gives a cancellation that came meanwhile."""
    try:
        await run.bus.drain()
    except asyncio.CancelledError as error:
        return error
    return None


def summarize(run: Run, outcome: str, error: BaseException | None) -> SessionSummary:
    """What came of the run so far."""
    state = run.state
    first, took = state.time_to_first_token, state.duration
    running = run.since(run.began) if run.started else 0.0
    return SessionSummary(
        outcome=outcome,
        token_count=state.token_count,
        content_length=state.content_length,
        duration_ms=running if took is None else took * 1000,
        attempts=run.attempts,
        model_retries=state.model_retry_count,
        network_retries=state.network_retry_count,
        fallback_index=state.fallback_index,
        violations=len(state.violations),
        drift_detected=state.drift_detected,
        resumed=state.resumed,
        usage=state.usage,
        lost_tokens=state.lost_tokens,
        time_to_first_token_ms=None if first is None else first * 1000,
        finish_reason=state.finish_reason,
        error=None if error is None else str(error),
    )


async def release(run: Run) -> None:
    """Nothing of the run outlives it: the timer is called off, the upstream closed."""
    run.watch.close()
    run.batch.flush()
    run.bus.forget_watchers()
    if run.attempt is not None:
        await close_upstream(run)
        run.attempt = None
    if not run.attempts:
        discard(run.chain[0])
    if not run.ended:  # what broke off here is neither an attempt's failure nor an ending
        run.ended, run.outcome, run.error = True, "failed", sys.exc_info()[1]
    run.gone, run.ambient = True, None
    for waiter in run.waiters:
        waiter.get_loop().call_soon_threadsafe(_wake, waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def close_upstream(run: Run) -> None:
    """Close what the attempt opened, in this task, waiting at most 2 s.

    A cancellation that comes meanwhile is raised when all of it was closed.
    """
    attempt = run.attempt
    source = attempt.source if attempt is not None else None
    if attempt is None or source is None:
        return
    attempt.source = None
    if not source.needs_closing():
        return
    # A timer of its own: an abort or the deadline does not cut it short, and who aborts a run that
    # its consumer may go on with closes it beside the consumer's waits.
    watch, monotonic = Watchdog(run.clock), run.clock.monotonic
    until, late = monotonic() + CLOSE_SECONDS, False
    ended: BaseException | None = None
    try:
        while source.needs_closing():  # what is left when a wait was ended is begun, at least
            try:
                await watch.limited(source.close(), "close", max(0.0, until - monotonic()))
            except Stopped:
                late = True
            except Exception as error:  # a provider's close must not turn one failure into another
                log.debug("closing the upstream failed", exc_info=error)
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit) as error:
                ended = ended or error
    finally:
        watch.close()
    if late:
        log.warning("the upstream did not close within %s s", CLOSE_SECONDS)
    if ended is not None:
        raise ended
