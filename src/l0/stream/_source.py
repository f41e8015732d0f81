"""What a factory may return, and how it is opened and closed again."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import AsyncGeneratorType, FunctionType
from typing import Any

from l0.errors import InvalidStreamError

_Closer = Callable[["Source"], Any]


class Source:
    """An opened upstream: items to iterate, and everything that has to be closed after."""

    __slots__ = ("_closers", "items", "stream")

    def __init__(self, stream: Any) -> None:
        self.stream = stream  # what the adapter looks at
        self.items: AsyncIterator[Any] = _NOTHING
        self._closers: tuple[_Closer, ...] = ()

    def read(self, stream: Any) -> None:
        """Iterate this from now on, and close it first."""
        items = stream.__aiter__()
        if items is not self.stream and callable(getattr(items, "aclose", None)):
            self._closers += (lambda _: items.aclose(),)
        self.items = items

    def needs_closing(self) -> bool:
        """False once there is nothing left to close, as with an async generator that has ended."""
        return bool(self._closers) and not (
            len(self._closers) == 1
            and self.items is self.stream
            and getattr(self.items, "ag_frame", self) is None
        )

    async def close(self) -> None:
        """Close what was opened, innermost first; the first failure is raised at the end.

        What ends the wait, such as a cancellation, is raised at once; calling it again goes on.
        """
        failure: Exception | None = None
        while self._closers:
            *others, closer = self._closers
            self._closers = tuple(others)
            try:
                result = closer(self)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:  # the others must be closed all the same
                failure = failure or error
        if failure is not None:
            raise failure


def _close_generator(source: Source) -> Any:
    return source.stream.aclose()


_OF_GENERATOR: tuple[_Closer, ...] = (_close_generator,)  # one for all of them


async def open_source(made: Any, source: Source | None = None) -> Source:
    """Open what a factory returned.

    Accepted are an async iterator or iterable, an awaitable of one, an async context manager giving
    one (entered, and exited at close), and a list or tuple of items.

    Raises:
        InvalidStreamError: it is none of these; a synchronous iterator is told from the rest.
    """
    source = source or Source(made)
    if made.__class__ is AsyncGeneratorType:  # the commonest of all
        source.stream = source.items = made
        source._closers = _OF_GENERATOR
        return source
    if inspect.isawaitable(made):
        made = await made
    if not hasattr(made, "__aiter__") and hasattr(made, "__aenter__"):
        manager = made
        made = await manager.__aenter__()
        source._closers += (lambda _: manager.__aexit__(None, None, None),)
        if inspect.isawaitable(made):
            made = await made
    source.stream = made
    if isinstance(made, list | tuple):
        source.items = _each(made)
        return source
    if not hasattr(made, "__aiter__"):
        raise _refusal(made)
    inner = getattr(made, "_iterator", None)
    if inner.__class__ is AsyncGeneratorType:
        # What the SDKs' streams read from. Their own close leaves it to the collection of garbage,
        # which may come on another thread, while this one is closing it.
        source._closers += (lambda _: inner.aclose(),)
    close = getattr(made, "aclose", None) or getattr(made, "close", None)
    if callable(close):
        source._closers += (lambda _: close(),)
    source.read(made)
    return source


def discard(made: Any) -> None:
    """Close a coroutine that will never be awaited, so that nothing warns about it."""
    if inspect.iscoroutine(made):
        made.close()


class _Nothing:
    def __aiter__(self) -> _Nothing:
        return self

    async def __anext__(self) -> Any:
        raise StopAsyncIteration


_NOTHING = _Nothing()


async def _each(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


def _refusal(made: Any) -> InvalidStreamError:
    kind = f"{type(made).__module__}.{type(made).__qualname__}"
    if isinstance(made, Iterator) or (
        hasattr(made, "__iter__") and not isinstance(made, str | bytes | dict)
    ):
        hint = (
            "it is a synchronous iterator, which would block the event loop and could not be "
            "aborted; use the async client (AsyncOpenAI, AsyncAnthropic, litellm.acompletion)"
        )
    elif isinstance(made, str | bytes | dict):
        hint = "return a list of items, or an async generator that yields them"
    elif hasattr(made, "choices") or hasattr(made, "content"):
        hint = "it is a whole answer; ask the provider for a stream with stream=True"
    else:
        hint = "a factory returns an async iterator, such as `client.….create(..., stream=True)`"
    return InvalidStreamError(f"the factory returned a {kind}: {hint}")


def positional(factory: Callable[..., Any]) -> bool:
    """Whether a factory wants the AttemptInfo: it has a required positional parameter."""
    if type(factory) is FunctionType and "__wrapped__" not in factory.__dict__:
        # a plain function or lambda: no need to build its signature
        return factory.__code__.co_argcount > len(factory.__defaults__ or ())
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        and parameter.default is parameter.empty
        for parameter in parameters
    )
