"""Many tasks at once, not too many at a time; each result in its place, each failure too."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from l0.compose._task import Child, Children, Task, check_tasks
from l0.compose._telemetry import AggregatedTelemetry
from l0.errors import Error, ErrorContext
from l0.events import SYSTEM_CLOCK, State

Callback = Callable[..., Any]


async def parallel(
    tasks: Iterable[Task],
    options: ParallelOptions | None = None,
    *,
    concurrency: int | None = None,
    fail_fast: bool | None = None,
    on_progress: Callback | None = None,
    on_complete: Callback | None = None,
    on_error: Callback | None = None,
) -> ParallelResult:
    """Run tasks side by side; every one is accounted for, whatever becomes of the others.

    Cancelling the call cancels all of them, and waits until they have ended.

    Args:
        tasks: functions without arguments that return an awaitable, or unstarted streams.
        options: the keywords below as one value; a keyword that is given wins over it.
        concurrency: how many at a time; 5 unless told otherwise.
        fail_fast: at the first failure cancel what runs and skip the rest; False by default.
        on_progress: called as `(ended, total)` whenever a task has ended.
        on_complete: called as `(result, index)` for each success.
        on_error: called as `(error, index)` for each failure.

    Raises:
        TypeError: a task is none.
        ValueError: `concurrency` is no whole number, 1 or more.

    Example:
        >>> import asyncio, l0
        >>> async def fail():
        ...     raise ValueError("no")
        >>> done = asyncio.run(parallel([lambda: l0.run(lambda: ["Hel", "lo"]), fail]))
        >>> done.results, done.errors
        (['Hello', None], [None, ValueError('no')])
    """
    given = {
        "concurrency": concurrency,
        "fail_fast": fail_fast,
        "on_progress": on_progress,
        "on_complete": on_complete,
        "on_error": on_error,
    }
    base = options if options is not None else ParallelOptions()
    if not isinstance(base, ParallelOptions):
        raise TypeError(f"options is a ParallelOptions; not {base!r}")
    settings = base.replace(**{name: v for name, v in given.items() if v is not None})
    return await gather(check_tasks(tasks), settings)


@dataclass(frozen=True, slots=True)
class ParallelOptions:
    """What `parallel` can be told, as one value.

    Raises:
        TypeError: a callback is not callable.
        ValueError: `concurrency` is no whole number, 1 or more.
    """

    concurrency: int = 5
    fail_fast: bool = False
    on_progress: Callback | None = None
    on_complete: Callback | None = None
    on_error: Callback | None = None

    def __post_init__(self) -> None:
        whole_number("concurrency", self.concurrency)
        for name in ("on_progress", "on_complete", "on_error"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} is a function to call; {value!r} is not callable")

    def replace(self, **changes: Any) -> Self:
        """The same options with some fields changed."""
        return dataclasses.replace(self, **changes)


class Skipped(Error):
    """The task was never started, because one before it had failed."""

    advice = "See the failure before it; `fail_fast=False` goes on."


class PartialResultError(Error):
    """Some tasks failed where a plain list of results was asked for; `result` has what there is.

    It is a `ParallelResult`. `errors` lists the failures in the order of the tasks; the first one
    is the cause.
    """

    advice = "`result.results` holds what succeeded; see `errors` for what did not."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        result: ParallelResult | None = None,
    ) -> None:
        super().__init__(message, context)
        self.result: ParallelResult = result or ParallelResult([], [], [])

    @property
    def errors(self) -> list[Exception]:
        """The failures, in the order of the tasks."""
        return self.result.failures()


@dataclass(frozen=True, repr=False)
class ParallelResult:
    """What became of each task: `results`, `errors` and `states` stand in the order of the tasks.

    A task that failed, or was skipped, has None as its result, and its error; a task that was no
    run has no state. Iterating gives the results. `duration` is in seconds; `stream_id` is what the
    runs of the tasks carry as their `parent_id`.
    """

    results: list[Any]
    errors: list[Exception | None]
    states: list[State | None]
    duration: float = 0.0
    stream_id: str = ""

    @property
    def success_count(self) -> int:
        """How many tasks ended well."""
        return sum(error is None for error in self.errors)

    @property
    def failure_count(self) -> int:
        """How many tasks failed; skipped ones are not among them."""
        return len(self.errors) - self.success_count - self.skipped_count

    @property
    def skipped_count(self) -> int:
        """How many tasks were never started."""
        return sum(isinstance(error, Skipped) for error in self.errors)

    @property
    def all_succeeded(self) -> bool:
        """Whether every task ended well."""
        return self.success_count == len(self.errors)

    def successful_results(self) -> list[Any]:
        """The results of the tasks that ended well, in their order."""
        return [r for r, error in zip(self.results, self.errors, strict=True) if error is None]

    def failures(self) -> list[Exception]:
        """The errors of the tasks that failed, in their order; nothing for skipped ones."""
        return [e for e in self.errors if e is not None and not isinstance(e, Skipped)]

    @property
    def aggregated_telemetry(self) -> AggregatedTelemetry:
        """Tokens, times, retries and usage of all of them together."""
        return AggregatedTelemetry.of(self.states)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: Any) -> Any:
        return self.results[index]

    def __repr__(self) -> str:
        skipped = f", {self.skipped_count} skipped" if self.skipped_count else ""
        return (
            f"<ParallelResult {self.success_count} succeeded, {self.failure_count} failed"
            f"{skipped}, {self.duration:.2f} s>"
        )


async def map_concurrent(
    items: Iterable[Any], handler: Callable[[Any], Any], *, concurrency: int = 5
) -> ParallelResult:
    """Call a function for each item, some at a time; the results stand in the order of the items.

    Args:
        items: what it is called with.
        handler: sync or async; a stream it returns is read.
        concurrency: how many at a time.

    Raises:
        ValueError: `concurrency` is no whole number, 1 or more.

    Example:
        >>> import asyncio, l0
        >>> def shout(word):
        ...     return l0.run(lambda: [word, "!"])
        >>> asyncio.run(map_concurrent(["a", "b"], shout)).results
        ['a!', 'b!']
    """
    return await gather(tasks_for(items, handler), ParallelOptions(concurrency=concurrency))


# --- what the calls of this room share ---


async def gather(tasks: list[Task], settings: ParallelOptions) -> ParallelResult:
    """Start tasks as places come free, and write down how each ends."""
    clock, waiting = SYSTEM_CLOCK, iter(enumerate(tasks))
    began, ended, going = clock.monotonic(), 0, True
    results, errors, states = blank(len(tasks))
    async with Children() as children:
        while True:
            while going and not children.ended and len(children.running) < settings.concurrency:
                index, task = next(waiting, (None, None))
                if task is None:
                    going = False
                else:
                    children.start(task, index)
            child = await children.next()
            if child is None:
                break
            ended += 1
            write_down(child, results, errors, states)
            if child.ok:
                children.call(settings.on_complete, child.result, child.index)
            else:
                children.call(settings.on_error, child.error, child.index)
            children.call(settings.on_progress, ended, len(tasks))
            if child.error is not None and settings.fail_fast and going:
                going = False
                for index, _ in waiting:
                    errors[index] = Skipped(f"task {index} was not started: {child.index} failed")
            if child.error is not None and settings.fail_fast:
                await children.stop()
    took = clock.monotonic() - began
    return ParallelResult(results, errors, states, took, children.stream_id)


def blank(count: int) -> tuple[list[Any], list[Exception | None], list[State | None]]:
    """Results, errors and states of tasks that have not ended."""
    return [None] * count, [None] * count, [None] * count


def write_down(
    child: Child,
    results: list[Any],
    errors: list[Exception | None],
    states: list[State | None],
) -> None:
    """Put what a task came to in its place."""
    states[child.index] = child.state
    if child.ok:
        results[child.index] = child.result
    else:
        assert isinstance(child.error, Exception)
        errors[child.index] = child.error


def tasks_for(items: Iterable[Any], handler: Callable[[Any], Any]) -> list[Task]:
    """A task for each item."""
    if not callable(handler):
        raise TypeError(f"handler is a function to call for each item; {handler!r} is not callable")
    return [partial(_handle, handler, item) for item in items]


async def _handle(handler: Callable[[Any], Any], item: Any) -> Any:
    made = handler(item)
    return await made if isinstance(made, Awaitable) else made


def whole_number(name: str, value: Any) -> int:
    """The value, if it counts something.

    Raises:
        ValueError: it is no whole number, 1 or more.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is a whole number, 1 or more; not {value!r}")
    return value
