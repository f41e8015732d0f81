"""What `run` gives back: a stream that may be awaited, iterated, entered and read."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Any, Self

from l0.errors import ErrorContext, FeatureNotEnabledError, StreamAbortedError
from l0.events import (
    Event,
    EventType,
    RuntimeState,
    SessionSummary,
    State,
    StateMachine,
    ToolCall,
    Usage,
)
from l0.monitoring import Telemetry
from l0.stream._finish import summarize, tell_aborted
from l0.stream._open import running_in
from l0.stream._options import Options
from l0.stream._runtime import drive
from l0.stream._session import Run
from l0.stream._tools import call_tool


class Stream:
    """One reliable stream for one consumer; nothing is opened before its first use.

    Iterate it for events, or `read()` it for the text. Leaving a bare `async for` early closes the
    provider's connection at once; to break off and go on later, iterate inside `async with`.

    Example:
        >>> import asyncio, l0
        >>> asyncio.run(l0.run(lambda: ["Hel", "lo"]).read())
        'Hello'
    """

    def __init__(self, options: Options) -> None:
        self._run = Run(options)
        self._generator: weakref.ref[AsyncGenerator[Event, None]] | None = None
        self._held: AsyncGenerator[Event, None] | None = None  # inside `async with`, `anext`
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closer: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._abort_asked = False
        self._abort_error: StreamAbortedError | None = None
        self._machine: StateMachine | None = None

    # --- using it ---

    def __await__(self) -> Generator[Any, None, Self]:
        return self._itself().__await__()

    async def _itself(self) -> Self:
        return self

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._live() or self._over()

    async def __anext__(self) -> Event:
        if self._held is None or self._run.gone:
            self._held = self._live()
        return await anext(self._held or self._over())

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

    async def read(self) -> str:
        """Drain the stream and give the text that stands.

        Repeatable; after a failure the same error is raised every time, never partial text.

        Raises:
            StreamAbortedError: the run was aborted; `partial_text` holds what had come.
        """
        async for _ in self:
            pass
        run = self._run
        if run.outcome == "completed":
            return run.state.content
        raise run.error or self._aborted()

    async def aclose(self) -> None:
        """End the run, as leaving `async with` does; after the end it changes nothing.

        It returns when the run has ended; in a coroutine callback at once, for which that waits.
        """
        run, generator, self._held = self._run, self._live(start=False), None
        if not run.started:
            self._abort_asked = True  # it never will be
        elif generator is not None and not _running(generator):
            await _shut(generator)
        elif not run.gone:  # another task waits in it
            run.watch.interrupt("abort")
        await self._end()

    # --- starting ---

    def _live(self, *, start: bool = True) -> AsyncGenerator[Event, None] | None:
        """The run's generator, begun if it never was; None when there is nothing left to come."""
        generator = self._generator() if self._generator is not None else None
        if self._run.gone:
            return None
        if generator is None and start and not self._run.started:
            self._loop = asyncio.get_running_loop()
            if self._abort_asked:
                self._run.watch.why = "abort"
            generator = drive(self._run)
            self._generator = weakref.ref(generator)
        return generator

    async def _over(self) -> AsyncGenerator[Event, None]:
        """What iterating gives once the run is over: nothing, or its failure again."""
        await self._end()
        if self._run.error is not None:
            raise self._run.error
        nothing: tuple[Event, ...] = ()
        for event in nothing:
            yield event

    async def _end(self) -> None:
        """Wait for the clean-up of a run that was left early."""
        run = self._run
        if run.bus.in_handler:
            return  # in a coroutine callback, for which the clean-up waits
        if self._closer is not None:
            await asyncio.wait({self._closer})
        if run.started and not run.gone:
            run.waiters.append(asyncio.get_running_loop().create_future())
            await run.waiters[-1]

    def _aborted(self) -> StreamAbortedError:
        if self._abort_error is not None:
            return self._abort_error
        run = self._run
        reason = f": {run.abort_reason}" if run.abort_reason else ""
        state = run.state
        self._abort_error = error = StreamAbortedError(
            f"the stream was {run.outcome or 'aborted'} after {state.token_count} tokens"
            f"{reason}; `state.content` holds what had come",
            ErrorContext(
                partial_text=state.content,
                checkpoint=state.checkpoint or None,
                token_count=state.token_count,
                content_length=state.content_length,
                stream_id=run.bus.stream_id,
            ),
        )
        return error

    # --- aborting ---

    def abort(self, reason: str | None = None) -> None:
        """End the run now, from any task or thread, before its start too; the text so far stays.

        The provider's connection is closed, iteration stops, `read()` raises StreamAbortedError.
        Idempotent; has no effect after the end.
        """
        with self._lock:
            if self._abort_asked or self._run.ended:
                return
            self._abort_asked = True
            self._run.abort_reason = reason
        loop = self._loop
        if loop is None:
            return  # honoured at first use
        if running_in(loop):
            self._interrupt()
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the run with it
                loop.call_soon_threadsafe(self._interrupt)

    def _interrupt(self) -> None:
        run, generator = self._run, self._live(start=False)
        if run.ended:
            return
        run.watch.interrupt("abort")  # ends the wait, or the next one
        if run.started and generator is not None and not _running(generator):
            # The consumer holds a token and may never come back: end the run beside it.
            assert self._loop is not None
            self._closer = self._loop.create_task(tell_aborted(run, "user"))

    # --- reading what is known ---

    @property
    def state(self) -> State:
        """What is true of the run so far; the same object before, during and after."""
        return self._run.state

    @property
    def errors(self) -> list[Exception]:
        """The failures so far, one a failed attempt; a live list."""
        return self._run.errors

    @property
    def error(self) -> BaseException | None:
        """What ended the run, if it failed."""
        return self._run.error

    @property
    def stream_id(self) -> str:
        """The run's id, under which the log keeps it."""
        return self._run.bus.stream_id

    @property
    def usage(self) -> Usage:
        """What the run cost so far, failed attempts included."""
        return self._run.state.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped: stop, length, tool_calls, content_filter, pause, error, other."""
        return self._run.state.finish_reason

    @property
    def phase(self) -> RuntimeState:
        """Where the run is."""
        return self._run.state.phase

    @property
    def machine(self) -> StateMachine:
        """Follows the run's phases from the first look at it: their history, and who is told."""
        if self._machine is None:
            state = self._run.state
            self._machine = StateMachine(state.phase)
            state._on_phase = self._machine.transition
        return self._machine

    @property
    def outcome(self) -> str | None:
        """completed, failed, aborted or cancelled; None while the run goes on."""
        return self._run.outcome

    @property
    def options(self) -> Options:
        """What the run was told."""
        return self._run.options

    @property
    def stream(self) -> Self:
        """The stream itself: `result` and `result.stream` are the same thing."""
        return self

    @property
    def telemetry(self) -> Telemetry | None:
        """What `monitoring=` gathered so far; None without it, or if sampling left the run out."""
        monitor = self._run.monitor
        return None if monitor is None else monitor.get(self.stream_id)

    def summary(self) -> SessionSummary:
        """What came of the run, or has come so far."""
        return summarize(self._run, self._run.outcome or "unfinished", self._run.error)

    async def raw(self) -> list[Any]:
        """The provider's chunks of the attempt that stands.

        Raises:
            FeatureNotEnabledError: the run was not told to keep them.
        """
        if not self._run.options.keep_raw:
            raise FeatureNotEnabledError(
                "provider chunks are not kept; ask for them with run(keep_raw=True)"
            )
        await self.read()
        return list(self._run.raw or ())

    async def call_tool(self, call: ToolCall, fn: Callable[..., Any]) -> Any:
        """Execute a tool call the model asked for: `fn(**call.arguments)`, sync or async.

        The log tells of it as TOOL_START, TOOL_RESULT or TOOL_ERROR, and TOOL_COMPLETED.
        """
        return await call_tool(self._run, call, fn)

    def replace(self, **changes: Any) -> Stream:
        """The same stream with some options changed, before its first use; this one is then done.

        It has the same id, and who listens to this one, or has aborted it, is heard there too.

        Raises:
            TypeError: it is in use already, or an option can't be used.
            ValueError: an option has a value that makes no sense.

        Example:
            >>> import l0
            >>> stream = l0.run(lambda: ["Hi"]).replace(meta={"user": "ada"})
            >>> stream.options.meta
            {'user': 'ada'}
        """
        run, machine = self._run, self._machine
        if run.started or run.gone:
            raise TypeError(
                f"{self!r} is in use already; give a stream that nothing has been read of, or a "
                "function that opens one"
            )
        made = Stream(run.options.replace(**{"stream_id": self.stream_id} | changes))
        own = run.options.on_event is not None  # the first to be told; it is an option
        for handler, types in run.bus.subscribers[own:]:
            made.subscribe(handler, types)
        if machine is not None:
            made._machine, made._run.state._on_phase = machine, machine.transition
        if self._abort_asked:
            made.abort(run.abort_reason)
        return made

    def subscribe(self, handler: Callable[[Any], Any], types: Any = None) -> Callable[[], None]:
        """Call `handler` for each observability event; gives a function that ends it."""
        return self._run.bus.subscribe(handler, types)

    def __repr__(self) -> str:
        state = self._run.state
        status = self._run.outcome or state.phase.value
        return f"<Stream {self.stream_id} {status}, {state.token_count} tokens>"


def _running(generator: AsyncGenerator[Event, None]) -> bool:
    """Whether a task is in it, rather than its consumer."""
    running: bool = generator.ag_running  # type: ignore[attr-defined]  # typeshed has it elsewhere
    return running


async def _shut(generator: AsyncGenerator[Event, None]) -> None:
    """As `generator.aclose()`.

    That one leaves the generator "running" in CPython 3.11 if a wait of its clean-up is cut short,
    and a consumer that goes on gets a RuntimeError where its iteration should end.
    """
    try:
        await generator.athrow(GeneratorExit)
    except (GeneratorExit, StopAsyncIteration):
        if generator.ag_frame is not None:  # type: ignore[attr-defined]  # typeshed has it elsewhere
            raise  # not the generator's own


def caller_of(stream: Stream) -> Callable[..., None]:
    """How a stream calls the callbacks of its user, for who makes one that has more of them.

    `(callback, *args)`: None is not called, what it raises becomes an event, and a coroutine has
    ended before the run does.
    """
    return stream._run.call


async def consume_stream(source: Any) -> str:
    """The text of any async iterator of events, obeying restarts.

    Example:
        >>> import asyncio, l0
        >>> asyncio.run(consume_stream(l0.run(lambda: ["a", "b"])))
        'ab'
    """
    text = ""
    async for event in source:
        if event.type is EventType.TOKEN:
            text += event.text or ""
        elif event.type is EventType.RESTART:
            text = text[: event.kept_chars]
    return text


async def get_text(result: Any) -> str:
    """The text of a stream, or of any async iterator of events.

    Example:
        >>> import asyncio, l0
        >>> asyncio.run(get_text(l0.run(lambda: ["Hel", "lo"])))
        'Hello'
    """
    if isinstance(result, Stream):
        return await result.read()
    return await consume_stream(result)
