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
from typing import Any, Self, TypeVar

from l0.events import Event, State
from l0.stream._options import Options
from l0.stream._run import run
from l0.stream._stream import Stream

T = TypeVar("T")

_CLOSE_SECONDS = 3.0


class _Door:
    """The background loop; started at first use, again after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            alive = self._thread is not None and self._thread.is_alive()
            if self._loop is None or not alive or self._pid != os.getpid():
                self._start()
            assert self._loop is not None
            return self._loop

    def _start(self) -> None:
        loop, ready = asyncio.new_event_loop(), threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            loop.run_forever()

        self._thread = threading.Thread(target=serve, name="l0-sync", daemon=True)
        self._thread.start()
        ready.wait()
        self._loop, self._pid = loop, os.getpid()

    def here(self) -> bool:
        return threading.current_thread() is self._thread

    def submit(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context
    ) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop, in this context."""
        if self.here():
            coroutine.close()
            raise RuntimeError(
                "run_sync was called on its own loop thread, where it would wait for itself; "
                "await the stream there"
            )
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        loop = self.loop()

        def start() -> None:
            task = loop.create_task(_guarded(coroutine, done), context=context)
            done.add_done_callback(lambda _: loop.call_soon_threadsafe(task.cancel))

        loop.call_soon_threadsafe(start)
        return done


async def _guarded(coroutine: Coroutine[Any, Any, T], done: concurrent.futures.Future[T]) -> None:
    """Run it to its outcome; an interrupt or exit raised inside must not end the loop's thread."""
    result: Any = None
    error: BaseException | None = None
    try:
        result = await coroutine
    except asyncio.CancelledError:
        error = concurrent.futures.CancelledError()
    except BaseException as raised:  # the caller's thread is where it belongs
        error = raised
    if not done.done():  # the caller may have been interrupted and gone
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)


_door = _Door()


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
        return _wait(_door.submit(_awaiting(x), contextvars.copy_context()))
    return SyncStream(run(x, **options))


async def _awaiting(x: Any) -> Any:
    return await x


def _wait(future: concurrent.futures.Future[T], stream: Stream | None = None) -> T:
    try:
        return future.result()
    except KeyboardInterrupt:
        if stream is not None:
            stream.abort("interrupted")
            concurrent.futures.wait([future], timeout=_CLOSE_SECONDS)
        future.cancel()
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
        if self.stream.outcome is None:
            self._do(self.stream.aclose())


async def _next(stream: Stream) -> Event | None:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None
