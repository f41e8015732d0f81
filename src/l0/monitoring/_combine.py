"""Handlers made of handlers: several as one, or one that gets only some events or some streams."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from l0.events import Handler, ObservabilityEvent, catalog, payload_class

_REMEMBERED = 10_000  # streams whose fate a sampler with a `random` of its own remembers


def combine_events(*handlers: Handler | None) -> Handler:
    """One handler that calls several in order; None is skipped.

    Each gets the types it would get alone. All are called, whatever one of them does; then failures
    are raised, so that the bus tells of them. Coroutine handlers are awaited in the same order.

    Raises:
        TypeError: a handler is not callable.

    Example:
        >>> import asyncio, l0
        >>> metrics, seen = l0.monitoring.Metrics(), []
        >>> both = combine_events(metrics, filter_events(["COMPLETE"], seen.append))
        >>> _ = asyncio.run(l0.run(lambda: ["a", "b"], on_event=both).read())
        >>> metrics.tokens, [event.type for event in seen]
        (2, ['COMPLETE'])
    """
    return _Combined([h for h in handlers if h is not None])


def filter_events(types: Iterable[str], handler: Handler) -> Handler:
    """A handler that gets only these types: members of `ObservabilityEventType`, or their names.

    The result has an attribute `types`, so the bus doesn't even make the others.

    Raises:
        TypeError: the handler is not callable, or `types` is a single text.
        ValueError: there is no such type; the nearest one is named.

    Example:
        >>> sorted(filter_events(["RETRY_ATTEMPT", "ERROR"], print).types)
        ['ERROR', 'RETRY_ATTEMPT']
    """
    named, own = type_names(types), types_of(handler)
    return _Filtered(handler, named if own is None else named & own)


def exclude_events(types: Iterable[str], handler: Handler) -> Handler:
    """A handler that gets all it would get, except these types.

    Raises:
        TypeError: the handler is not callable, or `types` is a single text.
        ValueError: there is no such type; the nearest one is named.

    Example:
        >>> "RETRY_ATTEMPT" in exclude_events(["RETRY_ATTEMPT"], print).types
        False
    """
    return _Filtered(handler, known_types(handler) - type_names(types))


def tap_events(handler: Handler) -> Handler:
    """A handler whose result is ignored: what it returns is never awaited.

    Raises:
        TypeError: the handler is not callable.

    Example:
        >>> seen = []
        >>> tap_events(lambda event: seen.append(event) or "ignored")(None)
    """
    return _Tapped(handler)


def sample_events(
    rate: float, handler: Handler, *, random: Callable[[], float] | None = None
) -> Handler:
    """A handler that gets a share of the streams; a stream is wholly in or wholly out.

    Args:
        rate: the share, 0 to 1.
        handler: gets every event of a stream that is in.
        random: decides by chance; without it the stream id decides, so that several handlers, and
            several processes, pick the same streams.

    Raises:
        TypeError: the handler is not callable.
        ValueError: the rate is not between 0 and 1.

    Example:
        >>> import asyncio, l0
        >>> metrics = l0.monitoring.Metrics()
        >>> none = sample_events(0.0, metrics)
        >>> _ = asyncio.run(l0.run(lambda: ["a"], on_event=none).read())
        >>> metrics.requests
        0
    """
    return _Sampled(checked_rate("rate", rate), handler, random)


# --- what a handler gets ----------------------------------------------------------------------


def types_of(handler: Handler) -> frozenset[str] | None:
    """The types a handler declares; None: all but those that must be named."""
    if not callable(handler):
        raise TypeError(f"a handler is called with each event; {handler!r} is not callable")
    types = getattr(handler, "types", None)
    return None if types is None else type_names(types)


def known_types(handler: Handler) -> frozenset[str]:
    """The types a handler gets, by name."""
    types = types_of(handler)
    return frozenset(t for t, c in catalog().items() if c.listed) if types is None else types


def type_names(types: Iterable[str]) -> frozenset[str]:
    """Types as enum members or texts, by name."""
    if isinstance(types, str):
        raise TypeError(f"types are a list; write [{str(types)!r}]")
    return frozenset(payload_class(each).type for each in types)


def checked_rate(name: str, rate: Any) -> float:
    """A share between 0 and 1."""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise ValueError(f"{name} is a share between 0 and 1, not {rate!r}")
    return float(rate)


def in_sample(stream_id: str, rate: float) -> bool:
    """Whether a share of all streams has this one in it; the same everywhere, every time."""
    return zlib.crc32(stream_id.encode("utf-8", "backslashreplace")) < rate * 2**32


class Wrapper:
    """A handler around another: it gets the same types unless it says otherwise."""

    def __init__(self, handler: Handler) -> None:
        types = types_of(handler)
        self.handler = handler
        if types is not None:
            self.types = types
        self.found_only = bool(getattr(handler, "found_only", False))

    def __repr__(self) -> str:
        return f"<{type(self).__name__.strip('_').lower()} {self.handler!r}>"


class _Filtered(Wrapper):
    def __init__(self, handler: Handler, types: frozenset[str]) -> None:
        super().__init__(handler)
        self.types = types

    def __call__(self, event: ObservabilityEvent) -> Any:
        return self.handler(event) if event.type in self.types else None


class _Tapped(Wrapper):
    def __call__(self, event: ObservabilityEvent) -> None:
        result = self.handler(event)
        close = getattr(result, "close", None)
        if close is not None and isinstance(result, Awaitable):
            close()  # a coroutine that nobody will await says so, loudly


class _Sampled(Wrapper):
    def __init__(self, rate: float, handler: Handler, random: Callable[[], float] | None) -> None:
        super().__init__(handler)
        self.rate, self.random = rate, random
        self._fates: OrderedDict[str, bool] = OrderedDict()

    def __call__(self, event: ObservabilityEvent) -> Any:
        return self.handler(event) if self._takes(event.stream_id) else None

    def _takes(self, stream_id: str) -> bool:
        if self.random is None:
            return in_sample(stream_id, self.rate)
        fate = self._fates.get(stream_id)
        if fate is None:
            fate = self._fates[stream_id] = self.random() < self.rate
            if len(self._fates) > _REMEMBERED:
                self._fates.popitem(last=False)
        return fate


class _Combined:
    """Several handlers as one; see `combine_events`."""

    def __init__(self, handlers: list[Handler]) -> None:
        self.handlers = [(handler, types_of(handler)) for handler in handlers]
        self._wanting: dict[str, list[Handler]] = {}  # by type
        named = frozenset().union(*(types or () for _, types in self.handlers))
        # Somebody names what must be named, beside others who get everything else.
        self._mixed = any(not payload_class(each).listed for each in named)
        self.found_only = all(getattr(handler, "found_only", False) for handler in handlers)

    @property
    def types(self) -> frozenset[str] | None:
        """What any of them gets; None: just what a handler that declares none gets."""
        if not self._mixed and any(types is None for _, types in self.handlers):
            return None
        return frozenset().union(*(known_types(handler) for handler, _ in self.handlers))

    def __call__(self, event: ObservabilityEvent) -> Awaitable[None] | None:
        wanting = self._wanting.get(event.type)
        if wanting is None:
            wanting = self._wanting[event.type] = self._who_wants(event)
        return call_each(wanting, event)

    def _who_wants(self, event: ObservabilityEvent) -> list[Handler]:
        """The handlers that get events of this type."""
        listed = getattr(event.payload, "listed", True)
        return [
            handler
            for handler, types in self.handlers
            if (listed if types is None else event.type in types)
        ]


def call_each(
    functions: Iterable[Callable[..., Any]], *args: Any
) -> Coroutine[Any, Any, None] | None:
    """Call several functions; gives what is to be awaited.

    All are called, and awaited, whatever one of them does; then their failures are raised.
    """
    errors: list[Exception] = []
    waiting: list[Awaitable[Any]] = []
    for function in functions:
        try:
            result = function(*args)
        except Exception as error:  # one failing never stops the others; told below
            errors.append(error)
        else:
            if isinstance(result, Awaitable):
                waiting.append(result)
    if waiting:
        return _all_of(waiting, errors)
    _raise(errors)
    return None


async def _all_of(waiting: list[Awaitable[Any]], errors: list[Exception]) -> None:
    for each in waiting:
        try:
            await each
        except Exception as error:  # as above
            errors.append(error)
    _raise(errors)


def _raise(errors: list[Exception]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(f"{len(errors)} handlers failed", errors)
