"""Events out to whoever listens: nobody listening costs one attribute check.

A handler's failure never changes the run: it is logged, becomes CALLBACK_ERROR, and that is all.
This is the one place where subscribers' failures are caught.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from l0.errors._secrets import text_of
from l0.events._catalog import Payload, known_type, payload_class
from l0.events._clock import SYSTEM_CLOCK, Clock
from l0.events._payloads import CallbackErrorPayload
from l0.events._serialize import check_meta

log = logging.getLogger("l0")

_CANCEL_SECONDS = 1.0  # for a handler to notice that it is cancelled

Handler = Callable[["ObservabilityEvent"], Any]
_Subscriber = tuple[Handler, frozenset[str] | None]
_Call = tuple[
    Callable[..., Any], str | None, Awaitable[Any], Callable[[BaseException | None], None] | None
]


def new_stream_id() -> str:
    """A UUIDv7: unique, and sorted by time of creation.

    Example:
        >>> first, second = new_stream_id(), new_stream_id()
        >>> len(first), first < second
        (36, True)
    """
    return str(_uuid7()())


@functools.cache
def _uuid7() -> Callable[[], object]:
    import uuid_utils

    return uuid_utils.uuid7


_NOTHING: Mapping[str, Any] = MappingProxyType({})


def freeze(value: Any) -> Any:
    """A deep read-only copy: mappings as proxies, lists as tuples, other values copied."""
    if not value and isinstance(value, dict):
        return _NOTHING
    if isinstance(value, Mapping):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    try:
        return copy.deepcopy(value)
    except Exception:  # what can't be copied (a lock, a client) is the caller's own business
        return value


class ObservabilityEvent(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened: the payload says what, the rest when and in which run.

    `ts` is Unix milliseconds and never decreases within a run; `meta` is the caller's, read-only.
    `event["field"]` reads the payload, then `meta`.
    """

    type: str
    ts: float
    stream_id: str
    payload: Any
    meta: Mapping[str, Any]

    @property
    def context(self) -> Mapping[str, Any]:
        """An alias of `meta`."""
        return self.meta

    @property
    def data(self) -> dict[str, Any]:
        """The payload's fields as a dict."""
        payload = self.payload
        return {name: getattr(payload, name) for name in payload.__struct_fields__}

    def __getitem__(self, name: str) -> Any:
        if name in self.payload.__struct_fields__:
            return getattr(self.payload, name)
        return self.meta[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The payload's field, else the caller's `meta`, else the default."""
        try:
            return self[name]
        except KeyError:
            return default


class EventBus:
    """One run's events and their handlers, called inline in the order they subscribed.

    A handler may be a coroutine function: its calls are awaited one after another in a task of
    their own, so that they never delay a token. A handler with a `types` attribute gets only those;
    one without gets everything but the token-rate types, which must be named. One with a true
    `found_only` attribute can do without the GUARDRAIL and DRIFT events of checks that found
    nothing; if all listeners can, those are not made.

    Raises:
        TypeError: `meta` is no mapping.
        ValueError: `meta` contains itself, or nests too deep.

    Example:
        >>> bus = EventBus(lambda event: print(event.type, event["to_index"]))
        >>> bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="rate_limit")
        FALLBACK_START 1
    """

    def __init__(
        self,
        handler: Handler | None = None,
        meta: Mapping[str, Any] | None = None,
        *,
        clock: Clock | None = None,
        stream_id: str | None = None,
    ) -> None:
        self.clock = clock or SYSTEM_CLOCK
        self.stream_id = stream_id or new_stream_id()
        check_meta(meta)
        self.meta: Mapping[str, Any] = freeze(meta) if meta else _NOTHING
        self.active = False
        self.detailed = False  # somebody wants checks that find nothing, too
        self._subscribers: tuple[_Subscriber, ...] = ()
        self._routes: dict[str, tuple[Handler, ...]] = {}
        self._only: dict[str, Handler] = {}  # of the types that have one handler
        self._queue: deque[_Call] | None = None  # made with the first coroutine handler's call
        self._drainer: asyncio.Task[None] | None = None
        self._watchers: tuple[Callable[[], None], ...] = ()
        self._anchor_us = round(self.clock.time() * 1e6)
        self._anchor = self.clock.monotonic()
        if handler is not None:
            self.subscribe(handler)

    # --- time ---

    def us(self, monotonic: float) -> int:
        """Unix microseconds of a reading of the clock's `monotonic`."""
        return self._anchor_us + round((monotonic - self._anchor) * 1e6)

    def us_of(self, times: list[float]) -> tuple[int, list[int]]:
        """The first of these times as `us` gives it, and how long after it each of them is."""
        anchor = self._anchor
        since = round((times[0] - anchor) * 1e6)
        return self._anchor_us + since, [round((each - anchor) * 1e6) - since for each in times]

    def now(self) -> float:
        """Unix milliseconds, never decreasing, to the microsecond."""
        return (self._anchor_us + round((self.clock.monotonic() - self._anchor) * 1e6)) / 1000

    # --- subscribing ---

    def subscribe(self, handler: Handler, types: Iterable[str] | None = None) -> Callable[[], None]:
        """Call `handler` for each event (of these types); gives a function that ends it.

        Raises:
            TypeError: the handler is not callable.
            ValueError: a type is not in the catalog.
        """
        if not callable(handler):
            raise TypeError(f"a handler is called with each event; {handler!r} is not callable")
        wanted = types if types is not None else getattr(handler, "types", None)
        named = None if wanted is None else frozenset(map(known_type, wanted))
        entry = (handler, named)
        self._subscribers += (entry,)
        self._changed()

        def unsubscribe() -> None:
            if any(e is entry for e in self._subscribers):
                self._subscribers = tuple(e for e in self._subscribers if e is not entry)
                self._changed()

        return unsubscribe

    @property
    def subscribers(self) -> tuple[_Subscriber, ...]:
        """Who is called, and for which types (None: all), in the order they came."""
        return self._subscribers

    @property
    def in_handler(self) -> bool:
        """Whether this is asked from within a coroutine handler's call."""
        return self._drainer is not None and self._drainer is asyncio.current_task()

    def on_change(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` whenever handlers come or go, for those who cache `wants`."""
        self._watchers += (watcher,)

    def forget_watchers(self) -> None:
        """Let go of those who cache `wants`: the run has ended."""
        self._watchers = ()

    def _changed(self) -> None:
        self._routes.clear()
        self._only.clear()
        self.active = bool(self._subscribers)
        self.detailed = any(
            not getattr(handler, "found_only", False)
            and (types is None or any(t.startswith(("GUARDRAIL_", "DRIFT_")) for t in types))
            for handler, types in self._subscribers
        )
        for watcher in self._watchers:
            watcher()

    def _route(self, type_: str) -> tuple[Handler, ...]:
        listed = payload_class(type_).listed
        route = tuple(h for h, t in self._subscribers if (listed if t is None else type_ in t))
        self._routes[type_] = route
        if len(route) == 1:
            self._only[type_] = route[0]
        return route

    def wants(self, type_: str) -> bool:
        """Whether anybody listens to this type."""
        if not self.active:
            return False
        route = self._routes.get(type_)
        return bool(self._route(type_) if route is None else route)

    # --- emitting ---

    def emit(self, payload: Payload | str, /, ts: float | None = None, **fields: Any) -> None:
        """Hand an event to its handlers: a payload, or a type and its fields.

        Raises:
            TypeError: a field is unknown or missing.
            ValueError: the type is not in the catalog.
        """
        if isinstance(payload, str):
            payload = payload_class(payload)(**fields)
        if self.active:
            self.emit_all((payload,), ts)

    def emit_all(self, payloads: Iterable[Payload], ts: float | None = None) -> None:
        """Hand over several events of one moment: such as a check that found nothing."""
        if not self.active:
            return
        if ts is None:
            ts = self.now()
        only, stream_id, meta = self._only, self.stream_id, self.meta
        for payload in payloads:
            type_ = payload.type
            try:
                handler = only[type_]
            except KeyError:
                self._hand(payload, ts)
                continue
            # One handler, in line: a call or a loop more would double what an event costs.
            try:
                result = handler(ObservabilityEvent(type_, ts, stream_id, payload, meta))
            except Exception as error:  # a listener never changes the run
                self.failed(handler, error, type_)
            else:
                if result is not None and inspect.isawaitable(result):
                    self.defer(handler, result, type_)

    def _hand(self, payload: Payload, ts: float) -> None:
        """Hand over an event, to however many there are."""
        type_ = payload.type
        route = self._routes.get(type_)
        if route is None:
            route = self._route(type_)
        if not route:
            return
        event = ObservabilityEvent(type_, ts, self.stream_id, payload, self.meta)
        for handler in route:
            try:
                result = handler(event)
            except Exception as error:  # as above
                self.failed(handler, error, type_)
            else:
                if result is not None and inspect.isawaitable(result):
                    self.defer(handler, result, type_)

    def call(self, callback: Callable[..., Any], *args: Any, done: Any = None) -> None:
        """Call one of the caller's callbacks under the same contract as handlers.

        `done(error | None)` is called when it has ended.
        """
        try:
            result = callback(*args)
        except Exception as error:  # a callback never changes the run
            self.failed(callback, error, None)
            if done is not None:
                done(error)
            return
        if result is not None and inspect.isawaitable(result):
            self.defer(callback, result, None, done)
        elif done is not None:
            done(None)

    def failed(self, source: Callable[..., Any], error: BaseException, type_: str | None) -> None:
        """Log a subscriber's failure and tell everyone but the one that failed."""
        name = _name(source)
        log.debug("callback %s failed", name, exc_info=error)
        if type_ == CallbackErrorPayload.type:
            return  # a handler that fails on failures would never end
        payload = CallbackErrorPayload(name, text_of(error), type(error).__name__, type_)
        event = ObservabilityEvent(payload.type, self.now(), self.stream_id, payload, self.meta)
        for handler in self._routes.get(payload.type) or self._route(payload.type):
            if handler is source:
                continue
            try:
                result = handler(event)
            except Exception as again:  # as above
                log.debug("callback %s failed", _name(handler), exc_info=again)
            else:
                if result is not None and inspect.isawaitable(result):
                    self.defer(handler, result, payload.type)

    # --- coroutine handlers ---

    def defer(
        self,
        source: Callable[..., Any],
        awaitable: Awaitable[Any],
        type_: str | None,
        done: Callable[[BaseException | None], None] | None = None,
    ) -> None:
        """Await a coroutine handler's call after those before it."""
        if self._queue is None:
            self._queue = deque()
        self._queue.append((source, type_, awaitable, done))
        if self._drainer is None or self._drainer.done():
            self._drainer = asyncio.get_running_loop().create_task(self._drain(self._queue))

    async def _drain(self, queue: deque[_Call]) -> None:
        while queue:
            source, type_, awaitable, done = queue.popleft()
            error: BaseException | None = None
            try:
                await awaitable
            except (Exception, asyncio.CancelledError) as caught:  # as in `emit`
                if _cancelled_from_outside(caught):
                    raise
                error = caught
                self.failed(source, caught, type_)
            if done is not None:
                done(error)

    @property
    def pending(self) -> bool:
        """Whether a coroutine handler's call has not ended."""
        return self._drainer is not None and not self._drainer.done()

    async def drain(self, timeout: float = 5.0) -> None:
        """Wait until every coroutine handler's call has ended; leftovers are cancelled."""
        drainer = self._drainer
        if drainer is None or drainer.done() or drainer is asyncio.current_task():
            return
        await asyncio.wait({drainer}, timeout=timeout)
        if not drainer.done():
            log.warning("callbacks did not end within %s s; they are cancelled", timeout)
            queue = self._queue or deque()
            for _, _, awaitable, _ in queue:
                close = getattr(awaitable, "close", None)
                if close is not None:
                    close()
            queue.clear()
            drainer.cancel()
            await asyncio.wait({drainer}, timeout=_CANCEL_SECONDS)
            if not drainer.done():
                log.warning("a callback goes on though it was cancelled; nobody waits for it")


def _cancelled_from_outside(caught: BaseException) -> bool:
    """Whether the drain itself is to end, rather than a handler that was cancelled by its own."""
    task = asyncio.current_task()
    return (
        isinstance(caught, asyncio.CancelledError) and task is not None and bool(task.cancelling())
    )


def _name(source: Callable[..., Any]) -> str:
    return getattr(source, "__qualname__", None) or type(source).__name__
