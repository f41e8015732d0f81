"""After an attempt has failed: close, tell, decide, wait; then the next attempt, or the end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from l0.errors import (
    AllStreamsExhaustedError,
    Classification,
    DeadlineError,
    ErrorCategory,
    StreamTimeoutError,
    failure_type,
)
from l0.events import (
    AttemptStartPayload,
    ErrorPayload,
    Event,
    FallbackModelSelectedPayload,
    FallbackStartPayload,
    RetryAttemptPayload,
    RetryFnErrorPayload,
    RetryFnResultPayload,
    RetryFnStartPayload,
    RetryStartPayload,
)
from l0.stream._checks import checkpoint_at_failure
from l0.stream._decide import (
    Ledger,
    calculated_delay,
    counts_toward_limit,
    default_delay,
    halts,
    reason_of,
    refusal,
    retry_context,
    with_retry_after,
)
from l0.stream._failure import classified, put_in_context, tell_network, tell_timeout
from l0.stream._finish import close_upstream, tell_aborted, tell_end
from l0.stream._interceptors import ask_error
from l0.stream._open import awaited
from l0.stream._provider import Position, position_after, refused
from l0.stream._resume import cut_to, prepare, resumable, tell_resume
from l0.stream._retry import Retry
from l0.stream._sections import close_chain, close_sections
from l0.stream._session import Run
from l0.stream._usage import tell_usage
from l0.stream._watchdog import Stopped

log = logging.getLogger("l0")

_ENDINGS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit, Stopped)


@dataclass(slots=True)
class _Plan:
    action: str  # retry, fallback or halt
    reason: str
    found: Classification
    wait: float = 0.0
    retry_after: float | None = None
    resumable: bool = False  # the failure left text worth going on from
    position: Position | None = None  # in a response that the provider can go on with


async def recover(run: Run, failure: BaseException) -> Event | None:
    """Make the next attempt ready, giving the consumer's restart event if there is one.

    Raises what ends the run: the failure itself, or AllStreamsExhaustedError.
    """
    if run.attempt is not None:
        run.attempt.leave_scope()
    if run.ended:
        raise failure
    while True:
        if run.watch.stray:
            await run.watch.absorb()
        if isinstance(failure, _ENDINGS) or not isinstance(failure, Exception):
            await _stop(run, failure)
            raise failure
        try:
            plan = await _settle(run, failure)
            if plan.action != "halt" and run.watch.why is not None:
                raise run.watch.verdict()  # asked for while the upstream was being closed
            if plan.action == "retry":
                return await _retry(run, plan)
            if plan.action == "fallback":
                return await _fall_back(run, failure, plan)
        except (*_ENDINGS, DeadlineError) as again:
            if again is failure:
                raise
            failure = again  # what the first failure had still to tell is told on the way out
            continue
        await _give_up(run, failure, plan)


async def _stop(run: Run, failure: BaseException) -> None:
    """The run was ended from outside: by an abort, by leaving it, by cancelling its task."""
    if isinstance(failure, Stopped | GeneratorExit):
        user = isinstance(failure, Stopped) or run.watch.why == "abort"
        source = "user" if user else "exit"
    else:
        source = "cancel"
    await tell_aborted(run, source)


# --- telling what happened ------------------------------------------------------------------


async def _settle(run: Run, failure: Exception) -> _Plan:
    attempt = run.attempt
    if isinstance(failure, StreamTimeoutError) and failure is run.watch.fired:
        tell_timeout(run, failure)
    await close_upstream(run)
    found, asked = classified(run, failure)
    judged = found
    goes_on, position = False, None
    if attempt is not None:
        position = position_after(run, attempt, failure, found)
        if position is None:
            tell_usage(run, attempt)
    if found.category is ErrorCategory.NETWORK:
        tell_network(run, failure, found)
    if attempt is not None:
        close_sections(run, attempt, success=False)
        goes_on = resumable(run, attempt, found)
        if goes_on or position is not None:
            checkpoint_at_failure(run, attempt)
        if refused(attempt, found):  # so it is asked anew, as after the failure that led here
            judged = attempt.position.found
            goes_on = resumable(run, attempt, judged)
            _tell_lost(run, attempt.position)
        if position is not None and not _all_is_good(run):
            _tell_lost(run, position)
            position = None
        run.attempt = None
    if failure.__traceback__ is not None:
        # Its first frame is the run's own, which holds this list: a cycle that would leave what the
        # provider's package has open there to the collection of garbage, on whatever thread.
        failure.__traceback__ = failure.__traceback__.tb_next
    run.errors.append(failure)
    plan = await _decide(run, failure, judged, asked)
    plan.resumable, plan.found = goes_on, found
    if plan.action == "retry":
        plan.position = position
        plan.resumable = goes_on or position is not None
    elif position is not None:
        _tell_lost(run, position)
    _tell_error(run, failure, plan)
    plan.found = judged
    return plan


def _all_is_good(run: Run) -> bool:
    state = run.state
    return state._checkpoint_chars == state.content_length


def _tell_lost(run: Run, position: Position) -> None:
    """The response is not gone on with: what came of it is all there will be."""
    if position.usage is not None:
        run.tell(position.usage)


def _tell_error(run: Run, failure: Exception, plan: _Plan) -> None:
    state, policy, found = run.state, run.options.retry, plan.found
    fallbacks = len(run.chain) - 1
    code = getattr(failure, "code", None)
    run.tell(
        ErrorPayload(
            error=str(failure),
            error_type=type(failure).__name__,
            category=found.category.value,
            failure_type=str(failure_type(failure, found)),
            recovery_strategy=plan.action,
            policy={
                "retry_enabled": policy.max_retries > 0,
                "fallback_enabled": fallbacks > 0,
                "max_retries": policy.max_retries,
                "max_fallbacks": fallbacks,
                "attempt": state.attempt,
                "fallback_index": state.fallback_index,
            },
            attempt=state.attempt,
            token_count=state.token_count,
            content_length=state.content_length,
            error_code=str(code) if isinstance(code, str) else None,
            status=found.status,
            retry_after_ms=None if plan.retry_after is None else plan.retry_after * 1000,
        )
    )
    will = (plan.action == "retry", plan.action == "fallback")
    run.call(run.callbacks.on_error, failure, *will)


# --- deciding -------------------------------------------------------------------------------


async def _decide(
    run: Run, failure: Exception, found: Classification, asked: float | None
) -> _Plan:
    if halts(failure):
        return _Plan("halt", "halts", found)
    policy, ledger = run.options.retry, run.ledger
    single = not callable(run.factory)
    reason = refusal(failure, found, policy, ledger, single_use=single)
    plan = _Plan("retry", reason_of(found), found, retry_after=asked)
    if reason is None and policy.should_retry is not None:
        reason = await _ask(run, failure, found)
    if reason is None:
        reason = await _set_wait(run, failure, plan)
    if reason is None:
        return plan
    more = run.state.fallback_index + 1 < len(run.chain)
    plan.action, plan.reason = ("fallback" if more else "halt"), reason
    return plan


async def _ask(run: Run, failure: Exception, found: Classification) -> str | None:
    """The caller's `should_retry`; it may veto, never force."""
    policy: Retry = run.options.retry
    assert policy.should_retry is not None
    attempt, category, began = run.ledger.retries + 1, found.category.value, run.clock.monotonic()
    run.tell(RetryFnStartPayload(attempt, category))
    try:
        answer = policy.should_retry(failure, run.state, attempt, found.category)
        wanted = bool(await run.watch.limited(awaited(answer), "", None))
    except (*_ENDINGS, DeadlineError):
        raise
    except Exception as error:  # the caller's hook failed, which is a veto
        log.debug("should_retry failed", exc_info=error)
        run.tell(RetryFnErrorPayload(attempt, str(error), run.since(began)))
        return "vetoed"
    run.tell(RetryFnResultPayload(attempt, category, wanted, wanted, run.since(began)))
    return None if wanted else "vetoed"


async def _set_wait(run: Run, failure: Exception, plan: _Plan) -> str | None:
    """How long to wait; or why it would be too long."""
    policy: Retry = run.options.retry
    found, ledger, state = plan.found, run.ledger, run.state
    wait = default_delay(policy, found, ledger, run.random)
    if policy.calculate_delay is not None:
        context = retry_context(
            policy,
            failure,
            found,
            retries=ledger.retries,
            counts=(state.model_retry_count, state.network_retry_count),
            default=wait,
            asked=plan.retry_after,
            state=state,
        )
        wait = await calculated_delay(policy, context, lambda it: run.watch.limited(it, "", None))
    seconds = with_retry_after(policy, wait, plan.retry_after)
    if seconds is None:
        return "retry_after_too_long"
    if run.clock.monotonic() + seconds > run.watch.total:
        return "deadline"
    plan.wait = seconds
    return None


# --- what comes next ------------------------------------------------------------------------


async def _retry(run: Run, plan: _Plan) -> Event | None:
    policy, ledger, state = run.options.retry, run.ledger, run.state
    ledger.record(plan.found.category)
    if not run.retry_open:
        run.retry_open = True
        run.tell(RetryStartPayload(policy.attempts, policy.max_retries))
    network = plan.found.network_type
    run.tell(
        RetryAttemptPayload(
            ledger.retries,
            policy.attempts,
            plan.reason,
            plan.found.category.value,
            plan.wait * 1000,
            counts_toward_limit(plan.found.category),
            None if network is None else network.value,
            None if plan.retry_after is None else plan.retry_after * 1000,
        )
    )
    run.call(run.callbacks.on_retry, ledger.retries, plan.reason)
    if plan.wait > 0:
        await run.watch.limited(run.clock.sleep(plan.wait), "", None)
    run.tell(AttemptStartPayload(state.attempt + 1, state.fallback_index, run.is_fallback))
    run.call(run.callbacks.on_start, state.attempt, True, run.is_fallback)
    return await _go_on(run, plan, plan.reason)


async def _fall_back(run: Run, failure: Exception, plan: _Plan) -> Event | None:
    close_chain(run, success=False, reason=plan.reason, error=str(failure))
    index, reason = run.state.fallback_index + 1, reason_of(plan.found)
    run.ledger = Ledger()
    run.fallback_open = True
    run.tell(FallbackStartPayload(index - 1, index, reason))
    run.tell(FallbackModelSelectedPayload(index, reason))
    run.call(run.callbacks.on_fallback, index - 1, reason)
    run.call(run.callbacks.on_start, 1, False, True)
    return await _go_on(run, plan, reason)


async def _go_on(run: Run, plan: _Plan, reason: str) -> Event | None:
    resume = None
    if plan.resumable:
        resume = await run.watch.limited(prepare(run, plan.position), "", None)
    if resume is not None:
        tell_resume(run, resume)
    run.resuming = resume
    return cut_to(run, resume, reason)


async def _give_up(run: Run, failure: Exception, plan: _Plan) -> None:
    close_chain(run, success=False, reason=plan.reason, error=str(failure))
    final: Exception = failure
    if len(run.chain) > 1 and not halts(failure):
        final = AllStreamsExhaustedError(
            f"all {len(run.chain)} streams failed; the last error: {failure}",
            errors=tuple(run.errors),
        )
        final.__cause__ = failure
        put_in_context(run, final)
    elif run.attempts > 1 or run.errors:
        failure.add_note(
            f"l0: {run.attempts} attempt{'s' if run.attempts > 1 else ''}, no retry because: "
            f"{plan.reason}; stream {run.bus.stream_id}"
        )
    run.error, cancelled = final, None
    if run.asked:
        try:
            await ask_error(run, final)
        except asyncio.CancelledError as error:  # the story is told to its end first
            cancelled = error
    await tell_end(run, "failed", final)
    raise cancelled or final
