"""What a task is, and who owns it while it runs.

A task is a function without arguments that returns an awaitable, or an unstarted `Stream` or
`Options`. Its result is what it gives; a stream, also one that a function returns, is read and
gives its text, and its state is kept. Whoever starts tasks does it inside `async with Children()`:
leaving the block, in whichever way, cancels and awaits what still runs.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextvars import Context, copy_context
from types import FunctionType, TracebackType
from typing import Any, Self, TypeAlias

from l0.errors import Error
from l0.events import EventBus, State, new_stream_id
from l0.stream import Options, Stream, run
from l0.stream._attempt import enter_call
from l0.stream._source import discard

Task: TypeAlias = Callable[[], Awaitable[Any]] | Stream | Options


class TaskCancelledError(Error):
    """A task was cancelled: by what it awaited itself, or because it was no longer wanted."""

    advice = "Nothing if it lost a race or another task failed fast; else see `__cause__`."


class Child:
    """A task that was started: `await child` gives its result or raises its failure.

    Attributes:
        index: which one it is, as told to `start`, or by order of starting.
        result: what it gave, once it is `done`.
        error: what it failed with; a `TaskCancelledError` if it was cancelled.
        stream: the stream that is, or was, read for it.
    """

    result: Any = None
    error: BaseException | None = None
    stream: Stream | None = None
    _task: asyncio.Task[Any]
    _state: State | None = None
    _settled = False
    _unwanted = False

    def __init__(self, index: int) -> None:
        self.index = index

    @property
    def state(self) -> State | None:
        """Of the stream that was read, or the one that the result itself brings with it."""
        return self.stream.state if self.stream is not None else self._state

    @property
    def done(self) -> bool:
        """Whether it has ended, in whichever way."""
        if not self._settled and self._task.done():
            self._settle()
        return self._settled

    @property
    def ok(self) -> bool:
        """Whether it has ended well."""
        return self.done and self.error is None

    @property
    def unwanted(self) -> bool:
        """Whether it was asked to end."""
        return self._unwanted

    def is_current(self) -> bool:
        """Whether the code that asks is this task's own."""
        return self._task is asyncio.current_task()

    def cancel(self) -> None:
        """Ask it to end; that it has is known by awaiting it, or by leaving the block."""
        if not self._unwanted:  # once: asking again would break off its clean-up
            self._unwanted = True
            self._task.cancel()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._outcome().__await__()

    async def _outcome(self) -> Any:
        if not self.done:
            await asyncio.wait({self._task})  # who waits may be cancelled without it
        if not self.ok:
            assert self.error is not None
            raise self.error
        return self.result

    async def _play(self, task: Any) -> Any:
        made = run(task) if isinstance(task, Options) else task
        if callable(made):
            made = made()
        if not isinstance(made, Stream):
            if not inspect.isawaitable(made):
                raise TypeError(_no_awaitable(made))
            made = await made
        if isinstance(made, Stream):
            self.stream = made
            return await made.read()
        state = getattr(made, "state", None)
        if isinstance(state, State):
            self._state = state
        return made

    def _settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        try:
            self.result = self._task.result()
        except asyncio.CancelledError as error:
            self.error = cancelled(error)
        except BaseException as error:  # whatever it is, it is this task's alone
            self.error = error


class Children:
    """The tasks of one call: started here, and none of them outlives the block.

    One owner starts them and takes them from `next()` as they end, or is told by `on_end`. Runs
    begun in a task carry `stream_id` in their SESSION_START, as `parent_id`. `call` calls the
    caller's callbacks under the same contract as a run's: a failure is logged and changes nothing,
    coroutines are awaited one after another, before the block is left at the latest.

    Example:
        >>> import asyncio, l0
        >>> async def both():
        ...     async with Children() as children:
        ...         first = children.start(lambda: asyncio.sleep(0, "a result"))
        ...         children.start(lambda: asyncio.sleep(3600))
        ...         return await first  # the other one is cancelled, and awaited
        >>> asyncio.run(both())
        'a result'
    """

    def __init__(
        self, stream_id: str | None = None, *, on_end: Callable[[Child], None] | None = None
    ) -> None:
        self.stream_id = stream_id or new_stream_id()
        self.running: dict[Child, None] = {}  # in the order of starting
        self._started = 0
        self._ended: deque[Child] = deque()
        self._on_end = on_end or self._ended.append
        self._waiting: asyncio.Future[None] | None = None
        self._bus: EventBus | None = None

    def start(self, task: Task, index: int | None = None, context: Context | None = None) -> Child:
        """Start a task, in a copy of the present context or in this one; it has not run yet."""
        child = Child(self._started if index is None else index)
        self._started += 1
        context = copy_context() if context is None else context
        context.run(enter_call, self.stream_id)
        child._task = asyncio.get_running_loop().create_task(child._play(task), context=context)
        self.running[child] = None

        def ended(_: asyncio.Task[Any]) -> None:
            child._settle()
            self.running.pop(child, None)
            self._on_end(child)
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(None)

        child._task.add_done_callback(ended)
        return child

    @property
    def ended(self) -> bool:
        """Whether `next()` has something to give at once."""
        return bool(self._ended)

    async def next(self) -> Child | None:
        """The next one to end, in the order in which they do; None when all have been given."""
        while not self._ended:
            if not self.running:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        child = self._ended.popleft()
        if child.error is not None and not isinstance(child.error, Exception):
            raise child.error  # no failure of the task's: a signal to the whole program
        return child

    async def stop(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        for child in self.running:
            child.cancel()
        again: asyncio.CancelledError | None = None
        while self.running:  # the tasks themselves: several may wait for this at a time
            try:
                await asyncio.wait([child._task for child in self.running])
            except asyncio.CancelledError as error:  # they are awaited all the same
                again = error
        if again is not None:
            raise again

    def call(self, callback: Callable[..., Any] | None, *args: Any) -> None:
        """Call one of the caller's callbacks, sync or async, if it is given."""
        if callback is not None:
            if self._bus is None:
                self._bus = EventBus(stream_id=self.stream_id)
            self._bus.call(callback, *args)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.stop()
        except asyncio.CancelledError as again:
            error = again
            raise
        finally:
            if self._bus is not None and self._bus.pending:
                await self._called(self._bus, hurry=isinstance(error, asyncio.CancelledError))

    async def _called(self, bus: EventBus, *, hurry: bool) -> None:
        """Wait for coroutine callbacks; when cancelled, for their own cancellation only."""
        if not hurry:
            try:
                await bus.drain()
            except asyncio.CancelledError:
                await bus.drain(0)
                raise
        else:
            await bus.drain(0)


def cancelled(error: asyncio.CancelledError) -> TaskCancelledError:
    """A task's cancellation, as its failure."""
    said = f": {error}" if str(error) else ""
    failure = TaskCancelledError(f"the task was cancelled{said}")
    failure.__cause__ = error
    return failure


def check_tasks(tasks: Iterable[Task], what: str = "tasks") -> list[Task]:
    """The tasks as a list, every one of which can be started; nothing is started yet.

    Raises:
        TypeError: one of them is no task; it says which, and what to write instead.
    """
    if isinstance(tasks, Stream | Options | str | Mapping) or not isinstance(tasks, Iterable):
        raise TypeError(f"{what} is a list of tasks, not {tasks!r}")
    listed = list(tasks)
    for index, task in enumerate(listed):
        wrong = _refusal(task)
        if wrong is not None:
            for each in listed:
                discard(each)
            raise TypeError(f"{what}[{index}] {wrong}")
    return listed


def _refusal(task: Any) -> str | None:
    """Why this is no task; None if it is one."""
    if isinstance(task, Stream | Options):
        return None
    if inspect.iscoroutine(task):
        return f"is a coroutine, which can't be left unstarted; write lambda: {task.__name__}(...)"
    if isinstance(task, asyncio.Future):
        return "has been started already, elsewhere; give the function that starts it"
    if callable(task):
        if not wants(task):
            return None
        return (
            f"takes an argument, {task!r}; give a function without one, or "
            "l0.run(it) if it opens a stream"
        )
    if inspect.isawaitable(task):
        return None  # an unstarted call of this library, such as pipe(...)
    return (
        f"is {task!r}; a task is a function without arguments that returns an awaitable, or "
        "an unstarted stream, such as l0.run(...)"
    )


def wants(function: Callable[..., Any]) -> int | None:
    """How many arguments a function can't do without; None if it doesn't say."""
    if type(function) is FunctionType and "__wrapped__" not in function.__dict__:
        # the commonest of all: no need to build its signature
        return function.__code__.co_argcount - len(function.__defaults__ or ())
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions don't show theirs
        return None
    return sum(p.kind in POSITIONAL and p.default is p.empty for p in parameters)


POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def _no_awaitable(made: Any) -> str:
    if hasattr(made, "__aiter__") or isinstance(made, list | tuple):
        return (
            f"the task returned a {type(made).__name__} of what a model says; "
            "give l0.run(the function) instead of the function"
        )
    return f"the task returned {made!r}, which can't be awaited; write it as `async def`"
