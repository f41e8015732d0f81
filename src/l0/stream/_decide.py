"""What to do about one failed attempt, and how long to wait: the decision table."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from l0.errors import (
    Classification,
    DeadlineError,
    ErrorCategory,
    FatalGuardrailError,
    InterceptorError,
    NetworkErrorType,
    RetryableErrorType,
    StreamAbortedError,
    classify,
    retry_after,
)
from l0.events import Severity, State
from l0.stream._retry import Retry, RetryContext, delay
from l0.stream._watchdog import Stopped

log = logging.getLogger("l0")

_BUDGETED = {ErrorCategory.MODEL, ErrorCategory.CONTENT, ErrorCategory.PROVIDER}


class Ledger(msgspec.Struct, gc=False):
    """Retries of one stream of the chain: in all, and those that used up `attempts`."""

    retries: int = 0
    budgeted: int = 0

    def record(self, category: ErrorCategory) -> None:
        """One more retry."""
        self.retries += 1
        self.budgeted += counts_toward_limit(category)


def counts_toward_limit(category: ErrorCategory) -> bool:
    """Whether a retry after such a failure uses up `attempts`."""
    return category in _BUDGETED


def halts(error: BaseException) -> bool:
    """Whether the failure ends the whole run: no retry, no fallback."""
    return isinstance(
        error, StreamAbortedError | DeadlineError | FatalGuardrailError | InterceptorError
    )


def judge(
    failure: BaseException, ambient: BaseException | None = None
) -> tuple[Classification, float | None]:
    """What kind of failure it is, and how many seconds the provider asked to wait.

    `ambient` is what the caller was handling when it happened, as in a second try inside `except`.
    Python makes that the context of whatever is raised, but it is no part of this story.
    """
    last = None if ambient is None else _led_to_by(failure, ambient)
    if last is None:
        return classify(failure), retry_after(failure)
    last.__context__ = None
    try:
        return classify(failure), retry_after(failure)
    finally:
        last.__context__ = ambient


def _led_to_by(failure: BaseException, ambient: BaseException) -> BaseException | None:
    """The link of the story whose context is what the caller was handling."""
    pending: list[BaseException | None] = [failure]
    for _ in range(32):
        link = pending.pop() if pending else None
        if link is None:
            if not pending:
                return None
            continue
        if link.__context__ is ambient:
            return link
        pending += [link.__context__, link.__cause__]
    return None


def refusal(
    error: BaseException,
    found: Classification,
    policy: Retry,
    ledger: Ledger,
    *,
    single_use: bool,
) -> str | None:
    """Why this failure is not retried (rows 2 to 6 of the table), or None: it may be."""
    recoverable = all(
        getattr(v, "recoverable", True) or getattr(v, "severity", "") == Severity.WARNING
        for v in getattr(error, "violations", ())
    )
    if (
        found.category in {ErrorCategory.FATAL, ErrorCategory.INTERNAL}
        or found.quota
        or found.network_type is NetworkErrorType.SSL_ERROR
        or not recoverable
    ):
        return "not_retryable"
    if single_use:
        return "single_use_source"
    if policy.retry_on is not None and found.reason not in policy.retry_on:
        return "not_in_retry_on"
    if ledger.retries >= policy.max_retries:
        return "max_retries_exhausted"
    if counts_toward_limit(found.category) and ledger.budgeted >= policy.attempts:
        return "attempts_exhausted"
    return None


def reason_of(found: Classification) -> str:
    """The reason of a retry: one of the eight, or model_error where there is none."""
    return found.reason.value if isinstance(found.reason, RetryableErrorType) else "model_error"


def default_delay(
    policy: Retry, found: Classification, ledger: Ledger, random: Callable[[], float]
) -> float:
    """Seconds to wait before the next retry: what the policy says, by what was retried so far."""
    counted = counts_toward_limit(found.category)
    n = ledger.budgeted if counted else ledger.retries - ledger.budgeted
    return delay(policy, n, network_type=found.network_type, random=random)


async def calculated_delay(
    policy: Retry, context: RetryContext, wait: Callable[[Awaitable[Any]], Awaitable[Any]]
) -> float:
    """What the caller's `calculate_delay` says, or the default where it says nothing of use.

    `wait` awaits its answer, where there is something to await.
    """
    assert policy.calculate_delay is not None
    try:
        answer: Any = policy.calculate_delay(context)
        seconds = await wait(answer) if inspect.isawaitable(answer) else answer
        return usable(seconds, context.default_delay)
    except (DeadlineError, Stopped):
        raise
    except Exception as error:  # the caller's hook failed; the default delay stands
        log.debug("calculate_delay failed", exc_info=error)
    return context.default_delay


def retry_context(
    policy: Retry,
    error: BaseException,
    found: Classification,
    *,
    retries: int,
    counts: tuple[int, int],
    default: float,
    asked: float | None,
    state: State | None,
) -> RetryContext:
    """What `calculate_delay` is told; `counts` are model and network retries so far."""
    network = found.category is ErrorCategory.NETWORK
    return RetryContext(
        attempt=retries + 1,
        error=error,
        category=found.category,
        reason=found.reason,
        network_type=found.network_type,
        is_network=network,
        model_retry_count=counts[0],
        network_retry_count=counts[1],
        total_retries=sum(counts),
        base_delay=policy.base_delay,
        max_delay=policy.network_max_delay if network else policy.max_delay,
        default_delay=default,
        retry_after=asked,
        state=state,
    )


def usable(seconds: Any, default: float) -> float:
    """A delay that a hook gave, if it is one."""
    if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0:
        return float(seconds)
    log.debug("calculate_delay gave %r; the default stands", seconds)
    return default


def with_retry_after(policy: Retry, wait: float, asked: float | None) -> float | None:
    """At least the seconds the provider asked for; None: they are more than the policy waits."""
    if asked is None:
        return wait
    return None if asked > policy.max_retry_after else max(wait, asked)
