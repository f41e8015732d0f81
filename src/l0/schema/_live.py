"""Data while it arrives: `structured_stream` gives the value so far, and at the end the data."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

from l0.events import Event, EventType, State
from l0.schema._config import StructuredConfig
from l0.schema._forms import as_schema
from l0.schema._partial import PartialParser
from l0.schema._structured import StructuredResult, choose, prepare, result_of
from l0.schema._unified import UnifiedSchema
from l0.schema._validation import StructuredState, Validation
from l0.stream import Stream

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Partial:
    """The value of the text so far.

    Attributes:
        value: objects, arrays, texts, numbers as JSON has them, None before there is any. It is
            built in place: the next partial may hold the same object, grown.
        complete: this is the last one, and its text passed validation.
        restarted: text that earlier partials were made of was withdrawn; this value begins anew,
            from what still stands.
        raw_length: characters of the text so far.
    """

    value: Any
    complete: bool
    restarted: bool
    raw_length: int


@overload
def structured_stream(
    schema: type[T] | UnifiedSchema[T],
    stream: Any = None,
    *,
    config: StructuredConfig | None = None,
    auto_correct: bool | None = None,
    strict_mode: bool | None = None,
    attempts: int | None = None,
    on_validation_error: Callable[..., Any] | None = None,
    on_auto_correct: Callable[..., Any] | None = None,
    **run_options: Any,
) -> StructuredStream[T]: ...
@overload
def structured_stream(
    schema: Any,
    stream: Any = None,
    *,
    config: StructuredConfig | None = None,
    auto_correct: bool | None = None,
    strict_mode: bool | None = None,
    attempts: int | None = None,
    on_validation_error: Callable[..., Any] | None = None,
    on_auto_correct: Callable[..., Any] | None = None,
    **run_options: Any,
) -> StructuredStream[Any]: ...
def structured_stream(
    schema: Any,
    stream: Any = None,
    *,
    config: StructuredConfig | None = None,
    auto_correct: bool | None = None,
    strict_mode: bool | None = None,
    attempts: int | None = None,
    on_validation_error: Callable[..., Any] | None = None,
    on_auto_correct: Callable[..., Any] | None = None,
    **run_options: Any,
) -> StructuredStream[Any]:
    """Ask a model for data and see it grow; takes what `structured` takes, and is not awaited.

    Iterating gives a `Partial` whenever the value has changed, at most one in as many tokens as
    `check_intervals.guardrails` says (5; 0: only the last). `await result.validate()` gives the
    `StructuredResult`. Nothing is opened before the first use.

    Raises:
        TypeError: the schema or an option can't be used.

    Example:
        >>> import asyncio, l0
        >>> async def main():
        ...     model = lambda: ['{"a": 1', ', "b"', ": 2}"]
        ...     often = l0.CheckIntervals(guardrails=1)
        ...     stream = structured_stream(dict[str, int], model, check_intervals=often)
        ...     async for partial in stream:
        ...         print(partial.value, partial.complete)
        ...     return (await stream.validate()).data
        >>> asyncio.run(main())
        {} False
        {'a': 1} False
        {'a': 1, 'b': 2} False
        {'a': 1, 'b': 2} True
        {'a': 1, 'b': 2}
    """
    chosen = choose(config, auto_correct=auto_correct, strict=strict_mode, attempts=attempts)
    unified = as_schema(schema)
    callbacks = (on_validation_error, on_auto_correct)
    made, validation = prepare(unified, stream, chosen, callbacks, run_options)
    return StructuredStream(made, validation)


class StructuredStream(Generic[T]):
    """One structured run for one consumer: iterate it for partials, `validate()` it for the data.

    Leaving a bare `async for` early ends the run, as with `Stream`; to break off and go on later,
    or to validate then, iterate inside `async with`.
    """

    def __init__(self, stream: Stream, validation: Validation) -> None:
        intervals = stream.options.check_intervals
        self._stream = stream
        self._validation = validation
        self._every = intervals.guardrails if intervals is not None else 0
        self._parser = PartialParser()
        self._waiting: list[str] = []  # tokens the parser has not seen
        self._length = 0  # characters, waiting ones included
        self._tokens = 0  # since the last look
        self._value: Any = self._parser.value  # as of the last look
        self._shown = False  # a partial was given, of text that stands or not
        self._done = False  # the last one was given
        self._iterator: AsyncGenerator[Partial, None] | None = None

    # --- using it ---

    def __await__(self) -> Generator[Any, None, Self]:
        return self._itself().__await__()

    async def _itself(self) -> Self:
        return self

    def __aiter__(self) -> AsyncIterator[Partial]:
        return self._partials()

    async def __anext__(self) -> Partial:
        if self._iterator is None:
            self._iterator = self._partials()
        return await anext(self._iterator)

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.__aexit__(kind, error, traceback)

    async def validate(self) -> StructuredResult[T]:
        """Drain the run and give its result; repeatable, also after partial iteration.

        Raises:
            SchemaValidationError: no attempt gave valid data.
            StreamAbortedError: the run was aborted.
        """
        raw = await self._stream.read()
        return result_of(self._stream, self._validation, raw)

    def abort(self, reason: str | None = None) -> None:
        """End the run now, from any task or thread; `validate()` then raises."""
        self._stream.abort(reason)

    async def aclose(self) -> None:
        """End the run, as leaving `async with` does; after the end it changes nothing."""
        await self._stream.aclose()

    # --- reading what is known ---

    @property
    def stream(self) -> Stream:
        """The run itself: its usage, its summary, its listeners."""
        return self._stream

    @property
    def state(self) -> State:
        """What is true of the run so far."""
        return self._stream.state

    @property
    def structured_state(self) -> StructuredState:
        """Failures and corrections so far."""
        return self._validation.state

    @property
    def errors(self) -> list[Exception]:
        """The failures so far, one a failed attempt; a live list."""
        return self._stream.errors

    @property
    def error(self) -> BaseException | None:
        """What ended the run, if it failed."""
        return self._stream.error

    @property
    def stream_id(self) -> str:
        """The run's id, under which the log keeps it."""
        return self._stream.stream_id

    @property
    def outcome(self) -> str | None:
        """completed, failed, aborted or cancelled; None while the run goes on."""
        return self._stream.outcome

    def __repr__(self) -> str:
        about = repr(self._stream).removeprefix("<Stream ")
        return f"<StructuredStream {self._validation.schema.name} {about}"

    # --- partials ---

    async def _partials(self) -> AsyncGenerator[Partial, None]:
        token, every = EventType.TOKEN, self._every or float("inf")
        async for event in self._stream:
            kind = event.type
            if kind is token:
                if event.start != self._length:
                    self._catch_up(event)
                text = event.text or ""
                self._waiting.append(text)
                self._length += len(text)
                self._tokens += 1
                if self._tokens >= every:
                    self._tokens = 0
                    partial = self._look()
                    if partial is not None:
                        yield partial
            elif kind is EventType.RESTART:
                partial = self._restart(event.kept_chars or 0)
                if partial is not None:
                    yield partial
        if self._stream.outcome == "completed" and not self._done:
            self._done = True
            yield self._last()

    def _look(self) -> Partial | None:
        parser = self._parser
        parser.feed("".join(self._waiting))
        self._waiting.clear()
        if not parser.changed:
            return None
        self._shown, self._value = True, parser.value
        return Partial(self._value, False, False, self._length)

    def _restart(self, kept: int) -> Partial | None:
        self._begin_from(self._stream.state.content[:kept])
        self._value = self._parser.value
        shown, self._shown = self._shown, False
        return Partial(self._value, False, True, kept) if shown else None

    def _begin_from(self, text: str) -> None:
        self._waiting.clear()
        self._parser.reset(text)
        self._length, self._tokens = len(text), 0

    def _catch_up(self, event: Event) -> None:
        """Tokens were read past this iterator, as by `stream` itself; the next look tells."""
        self._begin_from(self._stream.state.content[: event.start])

    def _last(self) -> Partial:
        valid = self._validation.valid
        assert valid is not None
        length = self._stream.state.content_length
        return Partial(valid.parsed, True, False, length)
