"""The retries of a run for anything else that may fail: one loop for the whole process."""

from __future__ import annotations

import inspect
import logging
import random as random_module
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from l0.errors import Classification, ErrorCategory, classify
from l0.events import SYSTEM_CLOCK, Clock, State
from l0.stream._decide import (
    Ledger,
    calculated_delay,
    default_delay,
    halts,
    judge,
    reason_of,
    refusal,
    retry_context,
    usable,
    with_retry_after,
)
from l0.stream._open import awaited
from l0.stream._retry import Retry, RetryContext

log = logging.getLogger("l0")

_HISTORY = 100


@dataclass(frozen=True, slots=True)
class RetryState:
    """Where a `RetryManager` is: the retries recorded so far, in all and by budget."""

    total_retries: int
    model_retry_count: int
    network_retry_count: int
    last_error: BaseException | None


class RetryManager:
    """A `Retry` policy at work: what it decides, how long it waits, what it has seen.

    `execute` does all of it; the other methods are for loops of one's own. Decisions, budgets and
    delays are those of a run. `execute` has its own budget for each call, so a manager may be
    shared; the retries recorded by hand are counted until `reset()`.

    Args:
        config: the policy; `Retry()` by default.
        clock: what waits; the system's by default.
        random: gives numbers in [0, 1) for jitter.

    Example:
        >>> import asyncio
        >>> answers = iter([ConnectionResetError("gone"), "fine"])
        >>> def ask():
        ...     answer = next(answers)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     return answer
        >>> asyncio.run(RetryManager(Retry(base_delay=0)).execute(ask))
        'fine'
    """

    def __init__(
        self,
        config: Retry | None = None,
        *,
        clock: Clock | None = None,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.config = config or Retry()
        self._clock = clock or SYSTEM_CLOCK
        self._random = random or random_module.random
        self.reset()

    def reset(self) -> None:
        """Forget the retries and the errors."""
        self._ledger = Ledger()
        self._history: deque[BaseException] = deque(
            maxlen=self.config.max_error_history or _HISTORY
        )

    # --- doing it all ---

    async def execute(
        self, fn: Callable[[], Any], on_retry: Callable[[int, str], Any] | None = None
    ) -> Any:
        """Call `fn`, sync or async, until it succeeds or the policy gives up; gives its result.

        `on_retry(attempt, reason)`, sync or async, is called before each retry's delay; its own
        failure is logged. Cancellation is never retried.

        Raises:
            Exception: the last failure, with a note that says why it was not retried.
        """
        ledger, ambient = Ledger(), sys.exc_info()[1]
        while True:
            try:
                result = fn()
                return await result if inspect.isawaitable(result) else result
            except Exception as error:  # whatever it is, the policy decides about it
                failure = error
            found, asked = judge(failure, ambient)
            await self._settle(failure, found, asked, ledger, on_retry)

    async def _settle(
        self,
        failure: Exception,
        found: Classification,
        asked: float | None,
        ledger: Ledger,
        on_retry: Callable[[int, str], Any] | None,
    ) -> None:
        """Wait for the next attempt, or raise the failure."""
        self._history.append(failure)
        refused = await self._refused(failure, found, ledger)
        wait = None
        if refused is None:
            wait = await self._wait_for(failure, found, asked, ledger)
            refused = "retry_after_too_long" if wait is None else None
        if refused is not None or wait is None:
            if ledger.retries or refused != "not_retryable":
                failure.add_note(f"l0: {ledger.retries} retries, no more because: {refused}")
            raise failure
        for each in (ledger, self._ledger):
            each.record(found.category)
        if on_retry is not None:
            try:
                await awaited(on_retry(ledger.retries, reason_of(found)))
            except Exception as error:  # a callback never changes what it is told of
                log.debug("on_retry failed", exc_info=error)
        await self._clock.sleep(wait)

    # --- for loops of one's own ---

    def should_retry(self, error: BaseException, state: State | None = None) -> bool:
        """Whether the policy would try again after this failure.

        Raises:
            TypeError: the policy's own `should_retry` is a coroutine function; use `execute`.
        """
        found, policy = classify(error), self.config
        if _refusal(error, found, policy, self._ledger) is not None:
            return False
        if policy.should_retry is None:
            return True
        try:
            answer = policy.should_retry(
                error, state, self._ledger.retries + 1, ErrorCategory(found.category)
            )
        except Exception as again:  # the caller's hook failed, which is a veto
            log.debug("should_retry failed", exc_info=again)
            return False
        return bool(_plain(answer, "should_retry"))

    def record_attempt(self, error: BaseException) -> None:
        """A retry after this failure is made: it is counted, and the error kept."""
        self._ledger.record(classify(error).category)
        self._history.append(error)

    def get_delay(self, error: BaseException) -> float:
        """Seconds to wait before a retry after this failure, `Retry-After` included.

        Raises:
            TypeError: the policy's `calculate_delay` is a coroutine function; use `wait`.
        """
        (found, asked), policy = judge(error), self.config
        wait = default_delay(policy, found, self._ledger, self._random)
        if policy.calculate_delay is not None:
            context = self._context(error, found, asked, self._ledger, wait)
            try:
                answer: Any = policy.calculate_delay(context)
            except Exception as again:  # the caller's hook failed; the default delay stands
                log.debug("calculate_delay failed", exc_info=again)
            else:
                wait = usable(_plain(answer, "calculate_delay"), wait)
        return max(wait, asked or 0.0)

    async def wait(self, error: BaseException) -> None:
        """Sleep until the next retry after this failure is due."""
        wait = await self._wait_for(error, *judge(error), self._ledger)
        await self._clock.sleep(self.get_delay(error) if wait is None else wait)

    def get_state(self) -> RetryState:
        """What was recorded so far."""
        ledger = self._ledger
        return RetryState(
            ledger.retries,
            ledger.budgeted,
            ledger.retries - ledger.budgeted,
            self._history[-1] if self._history else None,
        )

    def get_error_history(self) -> list[BaseException]:
        """The last failures, oldest first: `max_error_history` of them, or 100."""
        return list(self._history)

    # --- what they share ---

    async def _refused(
        self, error: BaseException, found: Classification, ledger: Ledger
    ) -> str | None:
        reason = _refusal(error, found, self.config, ledger)
        if reason is not None or self.config.should_retry is None:
            return reason
        try:
            answer = self.config.should_retry(error, None, ledger.retries + 1, found.category)
            return None if await awaited(answer) else "vetoed"
        except Exception as again:  # the caller's hook failed, which is a veto
            log.debug("should_retry failed", exc_info=again)
            return "vetoed"

    async def _wait_for(
        self, error: BaseException, found: Classification, asked: float | None, ledger: Ledger
    ) -> float | None:
        policy = self.config
        wait = default_delay(policy, found, ledger, self._random)
        if policy.calculate_delay is not None:
            context = self._context(error, found, asked, ledger, wait)
            wait = await calculated_delay(policy, context, awaited)
        return with_retry_after(policy, wait, asked)

    def _context(
        self,
        error: BaseException,
        found: Classification,
        asked: float | None,
        ledger: Ledger,
        wait: float,
    ) -> RetryContext:
        return retry_context(
            self.config,
            error,
            found,
            retries=ledger.retries,
            counts=(ledger.budgeted, ledger.retries - ledger.budgeted),
            default=wait,
            asked=asked,
            state=None,
        )


def _refusal(
    error: BaseException, found: Classification, policy: Retry, ledger: Ledger
) -> str | None:
    if halts(error):
        return "halts"
    return refusal(error, found, policy, ledger, single_use=False)


def _plain(answer: Any, name: str) -> Any:
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError(
            f"Retry.{name} is a coroutine function, which only `await execute(fn)` can ask"
        )
    return answer
