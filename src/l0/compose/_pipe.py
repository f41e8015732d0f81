"""Steps in a row: each is a full run, and what it gives is what the next one is asked with."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from l0.compose._pipe_step import PipeContext, PipeStep, StepResult, as_step
from l0.compose._pipe_turn import Course, Turn
from l0.compose._telemetry import AggregatedTelemetry
from l0.errors import DeadlineError, StreamAbortedError
from l0.events import SYSTEM_CLOCK, Clock, Event, new_stream_id
from l0.stream import Stream


def pipe(
    steps: Iterable[Any],
    input: Any = None,
    options: PipeOptions | None = None,
    *,
    pass_state: bool = False,
) -> PipeRun:
    """Run steps one after another, each given the output of the one before.

    Nothing is begun before the pipe's first use: await it for the result, or iterate it for
    `(step_name, event)` as they come. A failed step does not raise: the result says so, and
    `raise_for_error()` raises.

    Args:
        steps: a `PipeStep` each, or a mapping of its arguments, or only its stream.
        input: what the first step is given.
        options: name, deadline, callbacks, and whether to stop at the first failure.
        pass_state: give each step the state of the run before it, as `ctx.state`.

    Raises:
        TypeError: a step is none, or one of its options is unknown.

    Example:
        >>> import asyncio, l0
        >>> async def work():
        ...     outline = PipeStep(lambda topic: ["about ", topic], transform=str.upper)
        ...     return await pipe([outline, lambda text: [text, "!"]], "rain")
        >>> asyncio.run(work()).output
        'ABOUT RAIN!'
    """
    return PipeRun(steps, input, options, pass_state=pass_state)


@dataclass(frozen=True, slots=True)
class PipeOptions:
    """What a pipe can be told.

    `timeout` is in seconds, for all steps together; the step that runs when it passes fails with a
    `DeadlineError`, and nothing comes after it. Callbacks may be coroutine functions; they are
    awaited where they stand, at most 5 s each. `on_error` and `on_progress` count steps from 0.

    Raises:
        TypeError: a callback is not callable.
        ValueError: `timeout` is no number of seconds above 0.
    """

    name: str | None = None
    stop_on_error: bool = True
    timeout: float | None = None
    on_start: Callable[..., Any] | None = None  # (input)
    on_complete: Callable[..., Any] | None = None  # (result), unless its status is "error"
    on_error: Callable[..., Any] | None = None  # (error, step_index)
    on_progress: Callable[..., Any] | None = None  # (step_index, total), as a step begins
    metadata: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock | None = None

    def __post_init__(self) -> None:
        for name in ("on_start", "on_complete", "on_error", "on_progress"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} is a function to call; {value!r} is not callable")
        limit = self.timeout
        if limit is not None:
            number = isinstance(limit, int | float) and not isinstance(limit, bool)
            if not number or not 0 < limit < math.inf:
                raise ValueError(
                    f"PipeOptions.timeout is a number of seconds above 0, or None; not {limit!r}"
                )

    def replace(self, **changes: Any) -> Self:
        """The same options with some fields changed."""
        return dataclasses.replace(self, **changes)


FAST_PIPELINE = PipeOptions(stop_on_error=True)
"""Stop at the first failure."""

RELIABLE_PIPELINE = PipeOptions(stop_on_error=False)
"""Go on after a failure, with the last output there is."""

PRODUCTION_PIPELINE = PipeOptions(stop_on_error=False, timeout=300.0)
"""Go on after a failure, but not for longer than five minutes."""


@dataclass(frozen=True, slots=True)
class PipeResult:
    """What a pipe came to.

    `status` is "success"; "partial" if it went on past a failure to its end; "error" if it was
    ended by a failure, or no step succeeded. `output` is that of the last step that gave one; None
    with "error". `error` is the first failure. `duration` is in seconds, `stream_id` is what the
    steps' runs carry as their `parent_id`.
    """

    name: str | None
    output: Any
    steps: list[StepResult]
    status: str
    error: Exception | None = None
    duration: float = 0.0
    stream_id: str = ""

    def raise_for_error(self) -> Self:
        """The result itself, if every step succeeded or was skipped; else raise the failure."""
        if self.error is not None:
            raise self.error
        return self

    @property
    def aggregated_telemetry(self) -> AggregatedTelemetry:
        """Tokens, times, retries and usage of all steps together."""
        return AggregatedTelemetry.of(step.state for step in self.steps)


class PipeRun:
    """One use of a pipe: await it for its `PipeResult`, or iterate it for what comes meanwhile.

    Iterating gives `(step_name, event)`, restart events among them. Leaving the loop early ends the
    pipe and closes its connection; to break off and go on later, iterate inside `async with`.
    """

    def __init__(
        self,
        steps: Iterable[Any],
        input: Any = None,
        options: PipeOptions | None = None,
        *,
        pass_state: bool = False,
    ) -> None:
        if isinstance(steps, str | Mapping | PipeStep) or not isinstance(steps, Iterable):
            raise TypeError(f"steps is a list; write [{steps!r}]")
        self.steps: tuple[PipeStep, ...] = tuple(as_step(each) for each in steps)
        self.input = input
        self.options = options if options is not None else PipeOptions()
        if not isinstance(self.options, PipeOptions):
            raise TypeError(f"options is a PipeOptions; not {options!r}")
        self.stream_id = new_stream_id()
        self._pass_state = pass_state
        self._done: list[StepResult] = []
        self._came: PipeResult | None = None
        self._stream: Stream | None = None  # the one that runs now
        self._aborted: tuple[str | None] | None = None
        self._generator: weakref.ref[AsyncGenerator[tuple[str, Event], None]] | None = None
        self._held: AsyncGenerator[tuple[str, Event], None] | None = None  # inside `async with`
        self._waiters: list[asyncio.Future[None]] = []
        self._begun = False
        self._course: Course | None = None

    # --- using it ---

    def __await__(self) -> Generator[Any, None, PipeResult]:
        return self._result().__await__()

    async def _result(self) -> PipeResult:
        generator = self._live()
        if generator is not None and not getattr(generator, "ag_running", False):
            async for _ in generator:
                pass
        if self._came is None:  # another task is at it, or it was left and is being closed
            self._waiters.append(asyncio.get_running_loop().create_future())
            await self._waiters[-1]
        assert self._came is not None
        return self._came

    def __aiter__(self) -> AsyncIterator[tuple[str, Event]]:
        return self._live() or _nothing()

    def _live(self) -> AsyncGenerator[tuple[str, Event], None] | None:
        """What gives the events, begun if it never was; None when there is nothing left to come."""
        generator = self._generator() if self._generator is not None else None
        if self._came is not None:
            return None
        if generator is None and not self._begun:
            generator = self._drive()
            self._generator = weakref.ref(generator)
        return generator

    async def __aenter__(self) -> Self:
        self._held = self._live()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the pipe, as leaving `async with` does; after the end it changes nothing."""
        generator, self._held = self._live(), None
        if generator is not None:
            await generator.aclose()
        if self._came is None:
            self._end(self._abort_error("left"))

    def abort(self, reason: str | None = None) -> None:
        """End the pipe now, from any task or thread; its result says so, and keeps what there is.

        Idempotent; has no effect after the end.
        """
        if self._came is None and self._aborted is None:
            self._aborted = (reason,)
            if self._stream is not None:
                self._stream.abort(reason)

    # --- reading what is known ---

    @property
    def result(self) -> PipeResult | None:
        """What it came to; None before its end."""
        return self._came

    @property
    def results(self) -> list[StepResult]:
        """The steps that have ended so far."""
        return list(self._done)

    def __repr__(self) -> str:
        status = "running" if self._begun else "not begun"
        if self._came is not None:
            status = self._came.status
        return f"<PipeRun of {len(self.steps)} steps, {status}>"

    # --- the way through ---

    async def _drive(self) -> AsyncGenerator[tuple[str, Event], None]:
        self._begun, options = True, self.options
        clock = options.clock or SYSTEM_CLOCK
        self._course = course = Course(self.stream_id, clock, options.timeout)
        previous, state, stopped = self.input, None, False
        try:
            await course.tell(options.on_start, self.input)
            for index, step in enumerate(self.steps):
                if self._unwanted():
                    break
                await course.tell(options.on_progress, index, len(self.steps))
                context = self._context(index, step, previous, state)
                course.step_name = context.step_name
                turn = Turn(course, step, context)
                self._stream = stream = await turn.open()
                if stream is not None:
                    if self._unwanted():  # it came too early to reach this one
                        stream.abort(self._reason)
                    async with stream:
                        while (event := await turn.next()) is not None:
                            yield context.step_name, event
                step_result = await turn.close()
                self._stream = None
                self._done.append(step_result)
                if step_result.error is None:
                    previous = step_result.output
                else:
                    await course.tell(options.on_error, step_result.error, index)
                if self._pass_state and stream is not None:
                    state = stream.state
                stopped = step_result.error is not None and self._stops(step_result.error)
                if stopped:
                    break
            early = self._unwanted() and len(self._done) < len(self.steps)
            error = self._abort_error("aborted") if early else None
            result = self._end(error, previous, stopped=stopped)
            if result.status != "error":
                await course.tell(options.on_complete, result)
        finally:
            if self._came is None:
                self._end(self._abort_error("left"))
            for waiter in self._waiters:
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    def _context(self, index: int, step: PipeStep, previous: Any, state: Any) -> PipeContext:
        return PipeContext(
            step_name=step.name or f"step_{index}",
            step_index=index,
            total_steps=len(self.steps),
            input=self.input,
            previous=previous,
            results=tuple(self._done),
            metadata={**self.options.metadata, **step.metadata},
            state=state,
        )

    def _stops(self, error: Exception) -> bool:
        """Whether nothing comes after a step that failed with this."""
        assert self._course is not None
        overdue = isinstance(error, DeadlineError) and self._course.overdue
        return overdue or self.options.stop_on_error or self._unwanted()

    def _end(
        self, error: Exception | None, output: Any = None, *, stopped: bool = True
    ) -> PipeResult:
        """Write down what it came to."""
        failures = [step.error for step in self._done if step.error is not None]
        first = failures[0] if failures else error
        gave = any(step.status == "success" for step in self._done)
        status = "success"
        if first is not None:
            status = "partial" if gave and error is None and not stopped else "error"
        course = self._course
        self._came = PipeResult(
            name=self.options.name,
            output=None if status == "error" else output,
            steps=list(self._done),
            status=status,
            error=first,
            duration=0.0 if course is None else course.clock.monotonic() - course.began,
            stream_id=self.stream_id,
        )
        return self._came

    def _unwanted(self) -> bool:
        return self._aborted is not None

    @property
    def _reason(self) -> str | None:
        return self._aborted[0] if self._aborted is not None else None

    def _abort_error(self, how: str) -> StreamAbortedError:
        said = f": {self._reason}" if self._reason else ""
        return StreamAbortedError(
            f"the pipe was {how} after {len(self._done)} of {len(self.steps)} steps{said}; "
            "`results` holds them"
        )


async def _nothing() -> AsyncGenerator[tuple[str, Event], None]:
    nothing: tuple[tuple[str, Event], ...] = ()
    for each in nothing:
        yield each


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
