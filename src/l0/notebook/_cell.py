"""Runs inside cells: awaited, blocking or in the background, always stoppable."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from l0.errors import StreamAbortedError
from l0.notebook import _structured_ask
from l0.notebook._failure import interrupted, shown
from l0.notebook._handle import Handle
from l0.stream import run_sync

log = logging.getLogger("l0")

TICK: Final = 0.1
"""Seconds; an idle loop sees an interrupt only when it wakes up."""

CLOSE_SECONDS: Final = 2.0
"""What a run may take to end once it is told to."""


async def in_cell(handle: Handle) -> Handle:
    """Run in the cell that awaits this; an interrupt ends the cell with one line.

    Raises:
        RunInterrupted: the kernel was interrupted; the run is aborted.
        StreamAbortedError: the run was stopped, and the handle is to raise then.
        CancelledError: the cell's own task was cancelled, by a timeout around it.
        Exception: what the run failed with.
    """
    start(handle)
    await _through(handle)
    return _conclude(handle)


async def wait(handle: Handle) -> Handle:
    """Wait for a run that may have begun in another cell; its final view appears in this one."""
    if not handle.started:
        start(handle)
    await _through(handle)
    if handle.background and handle.display is not None:
        handle.display.republish()
        handle.shown_here()
    return _conclude(handle)


def blocking(handle: Handle) -> Handle:
    """Run where nothing can be awaited, on the loop of the sync door; raises as `in_cell`."""
    with _interrupts.reaching(handle):
        _start_elsewhere(handle)
        while not handle.over.done():  # a wait without end would not see the signal everywhere
            concurrent.futures.wait([handle.over], timeout=TICK)
    return _conclude(handle)


def in_background(handle: Handle, *, loop_stays: bool) -> Handle:
    """Run on while the notebook goes on; `loop_stays` if the running loop outlives the cell."""
    handle.background = True
    if loop_stays and _running_loop() is not None:
        start(handle)
    else:
        _start_elsewhere(handle)
    return handle


def start(handle: Handle) -> None:
    """Start the run as a task of the running loop."""
    handle.started = True
    task = asyncio.get_running_loop().create_task(_drive(handle))
    task.add_done_callback(lambda _: handle.ended())  # also of one cancelled before its first step


def _start_elsewhere(handle: Handle) -> None:
    """Start the run on the loop of the sync door, with what the caller knows of its cell."""
    if threading.current_thread().name == "l0-sync":
        raise RuntimeError("a run can't wait for another one on the sync door's own thread")
    handle.started = True
    here = contextvars.copy_context()
    threading.Thread(target=here.run, args=(_serve, handle), daemon=True).start()


def _serve(handle: Handle) -> None:
    try:
        run_sync(_drive(handle))
    except BaseException as error:  # a thread has nobody else to tell; whoever waits is told
        handle.failure = handle.failure or error
    finally:
        handle.ended()


async def _drive(handle: Handle) -> None:
    """Take everything the stream gives, then let the view finish."""
    handle.task, handle.loop = asyncio.current_task(), asyncio.get_running_loop()
    stream = handle.stream
    try:
        async for _ in stream:
            pass
        if handle.conversation is not None:
            handle.conversation.keep_complete(handle)
        if stream.outcome == "aborted" and handle.raise_on_abort:
            await stream.read()
    except StreamAbortedError as error:
        handle.abort_error = error
    except Exception as error:  # whoever waits for the run is told
        handle.failure = error
    finally:
        try:
            await _structured_ask.settle(handle)
            if handle.display is not None:
                await handle.display.finish(handle.failure)
        except Exception:  # a view that can't be drawn must not cost the answer
            log.warning("the view of the run could not be finished", exc_info=True)
        finally:
            handle.ended()


async def _through(handle: Handle) -> None:
    """Wait for the end; an interrupt of the cell, or cancelling its task, aborts the run."""
    try:
        if asyncio.current_task() is _cell_task():
            with _interrupts.reaching(handle):
                await until_over(handle)
        else:  # who waits beside the cells must not take their interrupts away
            await until_over(handle)
    except asyncio.CancelledError:
        handle.abort_by("user")
        await until_over(handle)
        raise


async def until_over(handle: Handle) -> None:
    """Wake up often enough to see interrupts; wait little for a run that was told to end."""
    over = asyncio.wrap_future(handle.over)
    latest: float | None = None
    while not over.done():
        await asyncio.wait({over}, timeout=TICK)
        if handle.abort_asked and latest is None:
            latest = time.monotonic() + CLOSE_SECONDS
        if latest is not None and time.monotonic() > latest:
            log.warning("the run did not end within %s s of being aborted", CLOSE_SECONDS)
            handle.cancel()
            return


def _conclude(handle: Handle) -> Handle:
    """What the waiting ends with: the handle, or what is to be raised."""
    if handle.abort_asked == "interrupt" and handle.outcome not in {"completed", "failed"}:
        raise interrupted(handle) from None
    error = handle.failure or handle.abort_error
    if error is not None:
        raise shown(error, handle)
    return handle


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# --- the cell -------------------------------------------------------------------------------

_task_of_cell: weakref.ref[asyncio.Task[Any]] | None = None


def note_cell(*_: Any) -> None:
    """A cell begins: the task that runs it is the one an interrupt of the kernel is meant for."""
    global _task_of_cell  # noqa: PLW0603  there is one cell at a time
    task = asyncio.current_task() if _running_loop() is not None else None
    _task_of_cell = None if task is None else weakref.ref(task)


def _cell_task() -> asyncio.Task[Any] | None:
    return None if _task_of_cell is None else _task_of_cell()


# --- interrupts -----------------------------------------------------------------------------


class _Interrupts:
    """The interrupt signal, led to the runs a cell waits for.

    The kernel's own handler is put back when nobody waits, unless somebody else took its place.
    """

    def __init__(self) -> None:
        self._waiting: list[Handle] = []
        self._before: Any = signal.default_int_handler

    @contextmanager
    def reaching(self, handle: Handle) -> Iterator[None]:
        """While this lasts, an interrupt aborts the run; only the main thread gets any."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._waiting.append(handle)
        if signal.getsignal(signal.SIGINT) != self._on_signal:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            self._waiting.remove(handle)
            if not self._waiting and signal.getsignal(signal.SIGINT) == self._on_signal:
                signal.signal(signal.SIGINT, self._before or signal.default_int_handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._waiting:
            signal.default_int_handler(number, frame)
        for handle in self._waiting:
            loop = handle.loop
            if loop is None or loop.is_closed():
                handle.abort_by("interrupt")
            else:  # a signal may come anywhere, also while a lock is held
                loop.call_soon_threadsafe(handle.abort_by, "interrupt")


_interrupts = _Interrupts()
