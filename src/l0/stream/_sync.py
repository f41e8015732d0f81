"""The one synchronous door: everything runs on one background loop, from any thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import os
import threading
from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from l0.events import Event, State
from l0.stream._open import awaited
from l0.stream._options import Options
from l0.stream._run import run
from l0.stream._stream import Stream

T = TypeVar("T")

_CLOSE_SECONDS = 3.0


class _Call(Generic[T]):
    """A coroutine on its way through the door."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context,
    ) -> None:
        self.done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        self._unwanted = False
        loop.call_soon_threadsafe(self._start, coroutine, context)

    def _start(self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context) -> None:
        self._task = self._loop.create_task(coroutine, context=context)
        self._task.add_done_callback(self._copy)
        if self._unwanted:
            self._task.cancel()

    def _copy(self, task: asyncio.Task[T]) -> None:
        error = concurrent.futures.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(task.result())

    def cancel(self) -> None:
        """Cancel the task; its outcome is still waited for."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        self._unwanted = True
        if self._task is not None:
            self._task.cancel()


class _Door:
    """The background loop; started at first use, again after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._left: list[asyncio.AbstractEventLoop | None] = []  # not ours to close after a fork

    def reset(self) -> None:
        """In a forked process there is neither the thread nor anyone who holds the lock."""
        self._lock = threading.Lock()
        self._left.append(self._loop)
        self._loop = self._thread = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._start()
            assert self._loop is not None
            return self._loop

    def _start(self) -> None:
        loop, ready = asyncio.new_event_loop(), threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            while True:
                try:
                    return loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    # A task raised it, whose caller is told; the loop goes on for the others.
                    continue

        self._thread = threading.Thread(target=serve, name="l0-sync", daemon=True)
        self._thread.start()
        ready.wait()
        self._loop = loop

    def here(self) -> bool:
        return threading.current_thread() is self._thread

    def submit(self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context) -> _Call[T]:
        """Run a coroutine on the loop, in this context."""
        if self.here():
            coroutine.close()
            raise RuntimeError(
                "run_sync was called on its own loop thread, where it would wait for itself; "
                "await the stream there"
            )
        return _Call(self.loop(), coroutine, context)


_door = _Door()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_door.reset)


def run_sync(x: Any, /, **options: Any) -> Any:
    """Use the library where nothing can be awaited: in scripts, in threads, inside a running loop.

    An awaitable gives its result; a `Stream`, a factory or `Options` gives a `SyncStream`. All work
    happens on one daemon loop thread, with a copy of the caller's context variables.

    Raises:
        RuntimeError: called on that loop thread itself.

    Example:
        >>> from l0.stream import run_sync
        >>> run_sync(lambda: ["Hel", "lo"]).read()
        'Hello'
    """
    if isinstance(x, Stream):
        if options:
            raise TypeError("the stream has its options already; give them to run(...)")
        return SyncStream(x)
    if inspect.isawaitable(x) and not isinstance(x, Options):
        return _wait(_door.submit(awaited(x), contextvars.copy_context()))
    return SyncStream(run(x, **options))


def _wait(call: _Call[T], stream: Stream | None = None) -> T:
    try:
        return call.done.result()
    except KeyboardInterrupt:
        if stream is not None:
            stream.abort("interrupted")
        else:
            call.cancel()
        concurrent.futures.wait([call.done], timeout=_CLOSE_SECONDS)
        raise


class SyncStream:
    """A stream for code that can't await: iterate it, or `read()` it.

    Ctrl-C aborts the run, waits until its connection is closed, and goes on as KeyboardInterrupt.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._context = contextvars.copy_context()

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return _wait(_door.submit(coroutine, self._context), self.stream)

    def __iter__(self) -> Iterator[Event]:
        try:
            while True:
                event = self._do(_next(self.stream))
                if event is None:
                    return
                yield event
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self) -> str:
        """Drain the stream and give the text that stands; raises what `Stream.read` raises."""
        return self._do(self.stream.read())

    @property
    def state(self) -> State:
        """What is true of the run so far."""
        return self.stream.state

    @property
    def errors(self) -> list[Exception]:
        """The failures so far, one a failed attempt."""
        return self.stream.errors

    def abort(self, reason: str | None = None) -> None:
        """End the run now; the text so far stays."""
        self.stream.abort(reason)

    def close(self) -> None:
        """End the run, as leaving `with` does; after the end it changes nothing."""
        if self.stream.outcome is not None:
            return
        if _door.here():  # a loop over it was forgotten, and collected there
            self.stream.abort()
        else:
            self._do(self.stream.aclose())


async def _next(stream: Stream) -> Event | None:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None
