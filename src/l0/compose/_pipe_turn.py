"""A step's turn in a pipe: whether, what is run, what comes of it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from l0.compose._pipe_step import Branch, PipeContext, PipeStep, StepResult, ask
from l0.compose._task import cancelled
from l0.errors import DeadlineError
from l0.events import Clock, Event, State
from l0.stream import Stream, Timeout, run
from l0.stream._attempt import started_in
from l0.stream._source import discard
from l0.stream._timeout import NO_TIMEOUT
from l0.stream._watchdog import Stopped, Watchdog

log = logging.getLogger("l0")

CALLBACK_SECONDS = 5.0
_NOTHING_LEFT = 1e-6  # seconds; less is what adding and subtracting times makes of 0


class Course:
    """What the turns of one pipe share: its id, its clock, its deadline."""

    def __init__(self, stream_id: str, clock: Clock, timeout: float | None) -> None:
        self.stream_id = stream_id
        self.clock = clock
        self.timeout = timeout
        self.began = clock.monotonic()
        self.step_name = ""

    def left(self) -> float | None:
        """Seconds until the deadline; None without one."""
        if self.timeout is None:
            return None
        return self.timeout - (self.clock.monotonic() - self.began)

    @property
    def overdue(self) -> bool:
        """Whether the deadline has passed."""
        left = self.left()
        return left is not None and left <= _NOTHING_LEFT

    def deadline_error(self) -> DeadlineError:
        """What the running step failed with when the deadline passed."""
        return DeadlineError(
            f"the pipe did not end within {self.timeout:g} s; it was in step {self.step_name!r}; "
            "raise PipeOptions(timeout=…) if it needs longer"
        )

    async def settled(self, value: Any) -> Any:
        """The value, awaited before the deadline if it can be; of a stream its text.

        Raises:
            DeadlineError: it passed meanwhile.
        """
        if isinstance(value, Stream):
            value = value.read()
        if not inspect.isawaitable(value):
            return value
        if self.overdue:
            discard(value)
            raise self.deadline_error()
        try:
            return await self._limited(value, self.left())
        except Stopped:
            raise self.deadline_error() from None

    async def _limited(self, value: Awaitable[Any], seconds: float | None) -> Any:
        watch = Watchdog(self.clock)
        try:
            with started_in(self.stream_id):
                return await watch.limited(value, "pipe", seconds)
        finally:
            watch.close()

    async def tell(self, callback: Callable[..., Any] | None, *args: Any) -> None:
        """Call one of the caller's callbacks, and wait for it; its failure is logged."""
        if callback is None:
            return
        try:
            result = callback(*args)
            if inspect.isawaitable(result):
                await self._limited(result, CALLBACK_SECONDS)
        except Exception as error:  # a callback never changes the pipe
            log.debug("a callback of a pipe failed", exc_info=error)


class Turn:
    """One step, from the question whether it runs to its result."""

    def __init__(self, course: Course, step: PipeStep, context: PipeContext) -> None:
        self.course = course
        self.context = context
        self.layers = [step]  # the step, and the branches that were chosen in it
        self.stream: Stream | None = None
        self.error: Exception | None = None
        self.skipped = False
        self._events: AsyncIterator[Event] | None = None
        self._started_at, self._began = course.clock.time(), course.clock.monotonic()

    async def open(self) -> Stream | None:
        """The run of this step, not begun yet; None if there is none."""
        try:
            if self.course.overdue:
                raise self.course.deadline_error()
            chosen = await self._choose(self.layers[0])
            if chosen is None:
                self.skipped = True
            else:
                self.stream = self._run(chosen)
        except (Exception, asyncio.CancelledError) as error:  # the step's own functions
            self.error = _failure(error)
        return self.stream

    async def _choose(self, step: PipeStep) -> PipeStep | None:
        context = self.context
        while True:
            if step.condition is not None:
                answer = ask(step.condition, "condition", context.previous, context)
                if not await self.course.settled(answer):
                    return None
            branch = step.stream
            if not isinstance(branch, Branch):
                return step
            answer = ask(branch.decide, "condition", context.previous, context)
            chosen = branch.if_true if await self.course.settled(answer) else branch.if_false
            if chosen is None:
                return None
            step = chosen
            self.layers.append(step)

    def _run(self, step: PipeStep) -> Stream:
        options: dict[str, Any] = {}
        for layer in self.layers:
            options |= layer.options
        left = self.course.left()
        if left is not None:
            own: Timeout = options.get("timeout") or NO_TIMEOUT
            total = left if own.total is None else min(own.total, left)
            options["timeout"] = own.replace(total=total)
        options["clock"] = options.get("clock") or self.course.clock
        options["fallbacks"] = [self._factory(each) for each in options.get("fallbacks") or ()]
        return run(self._factory(step.stream), **options)

    def _factory(self, function: Any) -> Any:
        """What a run calls: the step's own function, given what it wants to know."""
        if not callable(function):
            return function
        context = self.context
        return lambda: _source(ask(function, "stream", context.previous, context))

    async def next(self) -> Event | None:
        """The run's next event; None when it has ended, or failed."""
        assert self.stream is not None
        try:
            if self._events is not None:
                return await anext(self._events)
            self._events = aiter(self.stream)
            with started_in(self.course.stream_id):  # it begins now
                return await anext(self._events)
        except StopAsyncIteration:
            return None
        except (Exception, asyncio.CancelledError) as error:  # the pipe decides what it means
            self.error = _failure(error)
            return None

    async def close(self) -> StepResult:
        """The step's result; its callbacks have been called."""
        course, context, output = self.course, self.context, None
        if self.error is None:
            try:
                output = context.previous if self.skipped else await self._output()
            except (Exception, asyncio.CancelledError) as failure:  # as above
                self.error = _failure(failure)
        error = self.error
        if isinstance(error, DeadlineError) and course.overdue and self.stream is not None:
            self.error = course.deadline_error()  # it was the pipe's, told to the run
            self.error.__cause__ = error
        result = self._result(output)
        for layer in reversed(self.layers):
            if self.error is not None:
                await course.tell(layer.on_error, self.error, context.step_index)
            elif not self.skipped:
                await course.tell(layer.on_complete, result, context.step_index)
        return result

    async def _output(self) -> Any:
        assert self.stream is not None
        output: Any = await self.stream.read()  # it has ended; raises if it was aborted
        for layer in reversed(self.layers):
            if layer.transform is not None:
                made = ask(layer.transform, "transform", output, self.context)
                output = await self.course.settled(made)
        return output

    def _result(self, output: Any) -> StepResult:
        clock, context = self.course.clock, self.context
        state: State | None = None if self.stream is None else self.stream.state
        status = "skipped" if self.skipped else "success"
        return StepResult(
            step_name=context.step_name,
            step_index=context.step_index,
            input=context.previous,
            output=output,
            raw_content="" if state is None else state.content,
            status=status if self.error is None else "error",
            error=self.error,
            duration=clock.monotonic() - self._began,
            started_at=self._started_at,
            ended_at=clock.time(),
            token_count=0 if state is None else state.token_count,
            state=state,
        )


def _failure(error: BaseException) -> Exception:
    """A step's failure; a cancellation is one too, unless it is the pipe that is cancelled."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise error
        return cancelled(error)
    assert isinstance(error, Exception)
    return error


def _source(made: Any) -> Any:
    """What a step's function returned, as a source; text stands for a stream of one token."""
    if isinstance(made, str):
        return [made]
    plain = inspect.isawaitable(made) and not hasattr(made, "__aiter__")
    return _awaited(made) if plain else made


async def _awaited(made: Any) -> Any:
    made = await made
    return [made] if isinstance(made, str) else made
