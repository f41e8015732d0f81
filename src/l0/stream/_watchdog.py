"""The one timer of a run: it wakes a wait that takes too long, or that nobody wants any more.

The loop stores a deadline before each wait; the timer re-arms itself lazily, so a token costs no
timer at all. It interrupts as `asyncio.timeout` does, by cancelling the waiting task and taking
that cancellation back; a cancellation from outside, also one that coincides, stays one.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
from collections.abc import Awaitable
from typing import Any, TypeVar

from l0.errors import (
    ConnectTimeoutError,
    DeadlineError,
    InitialTokenTimeoutError,
    InterTokenTimeoutError,
    StreamTimeoutError,
)
from l0.events import Clock, TimerHandle

T = TypeVar("T")

INF = math.inf
_LATE = 0.1  # seconds by which the loop may run late before that counts as its own fault

_ERRORS: dict[str, type[StreamTimeoutError]] = {
    "connect": ConnectTimeoutError,
    "initial_token": InitialTokenTimeoutError,
    "inter_token": InterTokenTimeoutError,
    "total": DeadlineError,
}


def timeout_kind(error: StreamTimeoutError) -> str:
    """Which timer a timeout error belongs to."""
    return next(kind for kind, cls in _ERRORS.items() if isinstance(error, cls))


class _CurrentTasks:
    def __getitem__(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
        return asyncio.current_task(loop)


# The current task of a loop, which may be another one for every token. Up to 3.13 asyncio keeps
# them in this dict, which is four times as fast to ask as its own function is on 3.11.
current_tasks: Any = _CurrentTasks()
if sys.version_info < (3, 14):
    current_tasks = asyncio.tasks._current_tasks  # type: ignore[attr-defined]


class Stopped(Exception):
    """The wait was ended by the run itself: an abort, or a close or a hook that took too long."""


class Watchdog:
    """Deadlines and the abort of one run.

    `deadline` is when the present wait is too long, `total` when the run is; `why` says what
    interrupted it: a timeout's name, "abort", "close", "hook", or None.
    """

    __slots__ = (
        "_armed",
        "_clock",
        "_handle",
        "_lag",
        "baseline",
        "cancelled",
        "deadline",
        "elapsed",
        "fired",
        "gap",
        "kind",
        "limit",
        "stray",
        "task",
        "total",
        "total_limit",
        "total_started",
        "why",
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._handle: TimerHandle | None = None
        self._armed = INF
        self.task: asyncio.Task[Any] | None = None  # the task that waits for the upstream now
        self.baseline = 0  # its cancellation requests when the wait began
        self.cancelled: asyncio.Task[Any] | None = None  # what an interruption has cancelled
        self.deadline = INF
        self.total = INF
        self.total_limit = 0.0
        self.total_started = 0.0
        self.gap = INF  # seconds between two signs of life, read by the loop
        self.kind = ""
        self.limit = 0.0
        self._lag = 0.0
        self.why: str | None = None
        self.elapsed = 0.0
        self.fired: Exception | None = None  # the timeout of our own that was raised last
        self.stray = False  # our cancellation may still be on its way

    # --- deadlines ---

    def arm(self, kind: str, limit: float | None, started: float | None = None) -> None:
        """From now on the wait is limited to `limit` seconds after `started` (None: no limit)."""
        began = self._clock.monotonic() if started is None else started
        self.kind, self.limit, self._lag = kind, limit or 0.0, 0.0
        self.deadline = INF if limit is None else began + limit
        self._schedule(min(self.deadline, self.total))  # the timer is off once it has fired

    def arm_total(self, limit: float | None) -> None:
        """Limit the whole run, from now on; the timer is set with that of the next wait."""
        if limit is not None:
            self.total_started = self._clock.monotonic()
            self.total, self.total_limit = self.total_started + limit, limit

    def _schedule(self, when: float) -> None:
        if when < self._armed:
            if self._handle is not None:
                self._handle.cancel()
            self._armed = when
            self._handle = self._clock.call_at(when, self._wake)

    def _wake(self) -> None:
        now = self._clock.monotonic()
        late = now - self._armed
        self._armed, self._handle = INF, None
        waiting = self.task is not None
        due = min(self.deadline if waiting else INF, self.total)
        if now < due:
            # While the consumer holds the token no deadline before now + limit can be set.
            self._schedule(min(due, INF if waiting or not self.limit else now + self.limit))
        elif late > _LATE and due is not self.total:
            # The loop itself was blocked: what came meanwhile has not been read yet.
            self._lag = now + late - self.deadline
            self.deadline = now + late
            self._schedule(self.deadline)
        elif self.why is None:
            self.interrupt("total" if now >= self.total else self.kind)

    # --- interrupting ---

    def interrupt(self, why: str) -> None:
        """End the present wait, or the next one if nothing waits."""
        self.why = why
        now = self._clock.monotonic()
        # The loop stores only deadlines, so the wait began one limit before its own.
        since = self.total_started if why == "total" else self.deadline - self.limit - self._lag
        self.elapsed = max(0.0, now - since)
        if self.task is not None and self.cancelled is None:
            self.cancelled = self.task
            self.task.cancel()

    def enter(self) -> None:
        """The current task is going to wait."""
        if self.why is not None:
            raise self.verdict()
        self.task = task = current_tasks[asyncio.get_running_loop()]
        self.baseline = task.cancelling()

    def verdict(self) -> Exception:
        """What an interruption means, as an exception."""
        why, self.why = self.why, None
        task, self.cancelled = self.cancelled, None
        if task is not None:  # the source went on in spite of it, or has not seen it yet
            task.uncancel()
            self.stray = True
        if why in _ERRORS:
            limit = self.total_limit if why == "total" else self.limit
            self.fired = _ERRORS[why](
                f"{_PHRASES[why]} within {limit:g} s (waited {self.elapsed:.3f} s); "
                f"raise Timeout({why}=…) if the model needs longer"
            )
            return self.fired
        return Stopped(why)

    def translate(self, raised: BaseException) -> BaseException:
        """Our own cancellation becomes what it means; everything else stays what it is."""
        self.task = None
        task, self.cancelled = self.cancelled, None
        if self.why is None or task is None:
            return raised
        outer = task.uncancel() > self.baseline
        if outer and isinstance(raised, asyncio.CancelledError):
            self.why = None if self.why != "abort" else self.why
            return raised
        if isinstance(raised, asyncio.CancelledError) or self.why in {"abort", "total"}:
            verdict = self.verdict()
            verdict.__cause__ = None if isinstance(raised, asyncio.CancelledError) else raised
            return verdict
        self.why = None  # the wait ended by itself at the very moment the timer fired
        self.stray = True
        return raised

    async def absorb(self) -> None:
        """Take a cancellation of our own that came too late to be seen in its wait."""
        self.stray = False
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if task.cancelling() > before:
                raise

    async def limited(self, awaitable: Awaitable[T], kind: str, limit: float | None) -> T:
        """Await something under a deadline of its own, in this task; the outer one comes back."""
        before = (self.kind, self.limit, self.deadline)
        try:
            self.enter()
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()  # it will never be awaited, and nothing should warn about that
            raise
        self.arm(kind, limit)
        try:
            return await awaitable
        except BaseException as raised:
            translated = self.translate(raised)
            if translated is raised:
                raise
            raise translated from None
        finally:
            self.task = None
            self.kind, self.limit, self.deadline = before

    def close(self) -> None:
        """Call the timer off."""
        self.deadline = self.total = INF
        self.task = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


_PHRASES = {
    "connect": "the provider did not answer",
    "initial_token": "the first token did not come",
    "inter_token": "the next token did not come",
    "total": "the run did not end",
}
