"""A pool that runs operations as places come free; each is a run of its own, with its own fate."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from l0.compose._parallel import whole_number
from l0.compose._task import Child, Children
from l0.events import SYSTEM_CLOCK, State
from l0.stream import Options, Retry, Stream, Timeout, run


def create_pool(
    worker_count: int = 3,
    *,
    shared_retry: Retry | bool | None = None,
    shared_timeout: Timeout | None = None,
    shared_guardrails: Sequence[Any] = (),
    on_event: Callable[..., Any] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> OperationPool:
    """A pool that runs at most `worker_count` operations at a time, the others wait in line.

    Args:
        worker_count: how many run at a time.
        shared_retry: the retry policy of operations that are given none of their own.
        shared_timeout: the same for timeouts.
        shared_guardrails: the same for rules.
        on_event: told of every observability event of every operation.
        meta: facts for every operation's events; an operation's own are added.

    Raises:
        TypeError: `on_event` is not callable, or a shared option can't be used.
        ValueError: `worker_count` is no whole number, 1 or more.

    Example:
        >>> import asyncio, l0
        >>> async def work():
        ...     async with create_pool(2) as pool:
        ...         futures = [pool.execute(lambda: ["answer"]) for _ in range(3)]
        ...         states = await asyncio.gather(*futures)
        ...     return [state.content for state in states], pool.get_stats().total_succeeded
        >>> asyncio.run(work())
        (['answer', 'answer', 'answer'], 3)
    """
    return OperationPool(
        worker_count,
        shared_retry=shared_retry,
        shared_timeout=shared_timeout,
        shared_guardrails=shared_guardrails,
        on_event=on_event,
        meta=meta,
    )


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What became of a pool's operations so far.

    Each that has ended is counted in `total_executed`, and once in one of the next three, also one
    that was cancelled before its turn. `total_duration` adds up the seconds they ran.
    """

    total_executed: int = 0
    total_succeeded: int = 0
    total_failed: int = 0
    total_cancelled: int = 0
    total_duration: float = 0.0


class OperationPool:
    """Runs operations as places come free; see `create_pool`.

    Leaving `async with` waits for the operations; leaving it with an error cancels them.
    """

    def __init__(
        self,
        worker_count: int = 3,
        *,
        shared_retry: Retry | bool | None = None,
        shared_timeout: Timeout | None = None,
        shared_guardrails: Sequence[Any] = (),
        on_event: Callable[..., Any] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.worker_count = whole_number("worker_count", worker_count)
        if on_event is not None and not callable(on_event):
            raise TypeError(f"on_event is a function to call; {on_event!r} is not callable")
        self._shared = Options(
            _nothing,
            retry=shared_retry,
            timeout=shared_timeout,
            guardrails=shared_guardrails,
            meta=meta,
        )
        self._on_event = on_event
        self._line: deque[_Operation] = deque()
        self._at_work: dict[Child, _Operation] = {}
        self._children = Children(on_end=self._over)
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False
        self._counts = dict.fromkeys(("succeeded", "failed", "cancelled"), 0)
        self._took = 0.0

    @property
    def stream_id(self) -> str:
        """What the operations' runs carry as their `parent_id`."""
        return self._children.stream_id

    # --- putting to work ---

    def execute(
        self,
        stream: Any,
        *,
        fallbacks: Sequence[Any] | None = None,
        guardrails: Sequence[Any] | None = None,
        retry: Retry | bool | None = None,
        timeout: Timeout | None = None,
        **run_options: Any,
    ) -> asyncio.Future[State]:
        """Put an operation in line; the future gives its final state, or its failure.

        Cancelling the future ends this operation only: its connection is closed. What it is given
        of retry, timeout and guardrails stands in the place of what the pool shares.

        Args:
            stream: a factory, as `run` takes it; or `Options` or an unstarted `Stream`, which have
                their options already and take none of the pool's but `on_event`.
            fallbacks: the streams to try after it.
            guardrails: its own rules.
            retry: its own policy.
            timeout: its own limits.
            **run_options: any other keyword of `run`.

        Raises:
            RuntimeError: the pool was shut down, or no event loop is running.
            TypeError: an option is unknown or can't be used.
        """
        if self._closed:
            raise RuntimeError("the pool was shut down; create another one")
        given = {
            "fallbacks": fallbacks,
            "guardrails": guardrails,
            "retry": retry,
            "timeout": timeout,
        }
        given = {name: value for name, value in given.items() if value is not None}
        operation = _Operation(self._stream(stream, {**given, **run_options}))
        operation.future.add_done_callback(lambda _: self._unwanted(operation))
        self._line.append(operation)
        self._fill()
        return operation.future

    def _stream(self, stream: Any, given: dict[str, Any]) -> Stream:
        shared = self._shared
        if isinstance(stream, Stream):
            if given:
                raise TypeError("the stream has its options already; give them to run(...)")
            made = stream
        elif isinstance(stream, Options):
            made = run(stream, **given)
        else:
            meta = given.pop("meta", None) or given.pop("context", None)
            defaults = {name: getattr(shared, name) for name in ("retry", "timeout", "guardrails")}
            made = run(
                stream, **{**defaults, **given}, meta={**(shared.meta or {}), **(meta or {})}
            )
        if self._on_event is not None:
            made.subscribe(self._on_event)
        return made

    def _fill(self) -> None:
        while self._line and len(self._at_work) < self.worker_count:
            operation = self._line.popleft()
            operation.started = SYSTEM_CLOCK.monotonic()
            operation.child = self._children.start(operation.stream, context=operation.context)
            self._at_work[operation.child] = operation

    # --- ends ---

    def _over(self, child: Child) -> None:
        """A run has ended: say so, and let the next one begin."""
        operation = self._at_work.pop(child)
        self._took += SYSTEM_CLOCK.monotonic() - operation.started
        future = operation.future
        if future.cancelled():
            self._counts["cancelled"] += 1
        elif child.ok:
            self._counts["succeeded"] += 1
            future.set_result(operation.stream.state)
        elif child.unwanted:
            self._counts["cancelled"] += 1
            future.cancel()
        else:
            self._counts["failed"] += 1
            assert child.error is not None
            future.set_exception(child.error)
        self._fill()
        self._rest()

    def _unwanted(self, operation: _Operation) -> None:
        """The caller has no more use for the operation, if it was its future that was cancelled."""
        if not operation.future.cancelled():
            return
        if operation.child is not None:
            operation.child.cancel()
        elif operation in self._line:
            self._line.remove(operation)
            self._counts["cancelled"] += 1

    def _rest(self) -> None:
        if not self._line and not self._at_work:
            for waiter in self._idle:
                if not waiter.done():
                    waiter.set_result(None)
            self._idle.clear()

    # --- waiting and ending ---

    async def drain(self) -> None:
        """Wait until nothing is in line or at work, whatever became of it.

        Operations may be added meanwhile; they are waited for too.

        Raises:
            RuntimeError: an operation of the pool waits for itself.
        """
        if any(child.is_current() for child in self._at_work):
            raise RuntimeError("an operation of the pool can't wait for the pool: for itself")
        while self._line or self._at_work:
            self._idle.append(asyncio.get_running_loop().create_future())
            await self._idle[-1]

    async def shutdown(self, cancel: bool = False) -> None:
        """Take no more operations, and wait for those there are, or cancel them.

        Cancelling this call cancels the operations too, and waits until they have ended.
        """
        self._closed = True
        if cancel:
            self._cancel()
        try:
            await self.drain()
        except asyncio.CancelledError:
            self._cancel()
            await self._children.stop()
            raise

    def _cancel(self) -> None:
        for operation in list(self._line):
            operation.future.cancel()
            self._unwanted(operation)  # now, not in the loop's next turn
        for child in list(self._at_work):
            child.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown(cancel=error is not None)

    # --- looking at it ---

    def get_queue_length(self) -> int:
        """How many operations wait for their turn."""
        return len(self._line)

    def get_active_workers(self) -> int:
        """How many operations are at work."""
        return len(self._at_work)

    def get_stats(self) -> PoolStats:
        """What became of the operations so far."""
        counts = self._counts
        return PoolStats(
            sum(counts.values()),
            counts["succeeded"],
            counts["failed"],
            counts["cancelled"],
            self._took,
        )

    def __repr__(self) -> str:
        return (
            f"<OperationPool of {self.worker_count}, {self.get_active_workers()} at work, "
            f"{self.get_queue_length()} in line>"
        )


class _Operation:
    """A run on its way through the pool."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self.context: Context = copy_context()  # of who asked for it, not of who ended before it
        self.child: Child | None = None
        self.started = 0.0


def _nothing() -> tuple[()]:
    """The stream of options that are only shared."""
    return ()
