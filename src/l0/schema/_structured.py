"""From a prompt to validated data: `structured` and its two shorthands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from l0.events import SYSTEM_CLOCK, ObservabilityEvent, State
from l0.schema._config import StructuredConfig
from l0.schema._forms import array_schema, as_schema, object_schema
from l0.schema._seams import removing_repeats
from l0.schema._unified import UnifiedSchema
from l0.schema._validation import StructuredState, Validation
from l0.stream import Retry, Stream, run

T = TypeVar("T")

_NETWORK_RETRIES = 6  # of every cause, as by default


@dataclass(frozen=True, slots=True)
class StructuredResult(Generic[T]):
    """Validated data, and how it came about.

    Attributes:
        data: what the schema made of the text: an instance of the model, a dict, a list, …
        raw: the model's text, as it came.
        corrected: the text was not quite JSON and was repaired; `corrections` says by what.
        state: the run's, as `Stream.state`.
        structured_state: failures and corrections over all attempts.
        telemetry: the run's, None unless `monitoring` is on.
        errors: one failure a failed attempt, oldest first.
        stream_id: the run, as the log calls it.
    """

    data: T
    raw: str
    corrected: bool
    corrections: tuple[str, ...]
    state: State
    structured_state: StructuredState
    telemetry: Any = None
    errors: list[Exception] = field(default_factory=list)
    stream_id: str = ""


@overload
def structured(
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
) -> Coroutine[Any, Any, StructuredResult[T]]: ...
@overload
def structured(
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
) -> Coroutine[Any, Any, StructuredResult[Any]]: ...
def structured(
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
) -> Coroutine[Any, Any, StructuredResult[Any]]:
    """Ask a model for data: awaited, it gives a `StructuredResult` whose `data` is valid.

    A text that is not quite JSON is repaired; one that is not the data asked for fails its attempt,
    which is tried again, under everything that `run` does.

    Args:
        schema: a pydantic model, dataclass, TypedDict, any annotation, a JSON Schema as a dict, or
            a `UnifiedSchema`.
        stream: what `run` takes: a function that opens a stream, `Options`, or a stream that is not
            in use yet, such as that of a wrapped client; who listens to it goes on listening.
        config: the next three in one value; those given beside it win.
        auto_correct: repair the text (default True). Valid JSON is never touched.
        strict_mode: reject unknown fields at every level and coerce nothing (default False).
        attempts: retries for invalid data, where no `retry` but the default is given (default 1).
        on_validation_error: called with the `SchemaValidationError` and the attempt.
        on_auto_correct: called with an `AutoCorrectInfo`.
        **run_options: everything `run` takes.

    Raises:
        SchemaValidationError: no attempt gave valid data; `errors` lists what was wrong with each.
        AllStreamsExhaustedError: likewise, where there were fallbacks.
        TypeError: the schema or an option can't be used.

    Example:
        >>> import asyncio, l0
        >>> done = asyncio.run(structured(dict[str, int], lambda: ['{"a": 1, ', '"b": 2,}']))
        >>> done.data, done.corrections
        ({'a': 1, 'b': 2}, ('remove_trailing_comma',))
    """
    chosen = choose(config, auto_correct=auto_correct, strict=strict_mode, attempts=attempts)
    callbacks = (on_validation_error, on_auto_correct)
    made = _finished(*prepare(as_schema(schema), stream, chosen, callbacks, run_options))
    for name in ("__name__", "__qualname__"):  # what warnings call it
        setattr(made, name, "structured")
    return made


def structured_object(
    shape: Mapping[str, Any], stream: Any = None, **options: Any
) -> Coroutine[Any, Any, StructuredResult[dict[str, Any]]]:
    """Ask for an object without declaring a class: its data is a dict with these keys.

    Args:
        shape: for each key a type, a type and its default, or a shape for an object inside.
        stream: as for `structured`.
        **options: as for `structured`.

    Raises:
        TypeError: the shape or an option can't be used.

    Example:
        >>> import asyncio
        >>> shape = {"name": str, "age": (int, 0)}
        >>> asyncio.run(structured_object(shape, lambda: ['{"name": "Ada"}'])).data
        {'name': 'Ada', 'age': 0}
    """
    return structured(object_schema(shape), stream, **options)


def structured_array(
    item: Any, stream: Any = None, **options: Any
) -> Coroutine[Any, Any, StructuredResult[list[Any]]]:
    """Ask for an array whose items all have one schema, of any form, or one shape.

    Args:
        item: the schema of each item, or a shape as `structured_object` takes it.
        stream: as for `structured`.
        **options: as for `structured`.

    Raises:
        TypeError: the schema or an option can't be used.

    Example:
        >>> import asyncio
        >>> asyncio.run(structured_array(int, lambda: ["[1, 2, 3]"])).data
        [1, 2, 3]
    """
    return structured(array_schema(item), stream, **options)


# --- making the run ---------------------------------------------------------------------------


def choose(
    config: StructuredConfig | None,
    *,
    auto_correct: bool | None,
    strict: bool | None,
    attempts: int | None,
) -> StructuredConfig:
    """The configuration, with what is given beside it."""
    if config is not None and not isinstance(config, StructuredConfig):
        raise TypeError(f"config is a StructuredConfig, such as strict_structured; not {config!r}")
    given = {"auto_correct": auto_correct, "strict_mode": strict, "attempts": attempts}
    chosen = {name: value for name, value in given.items() if value is not None}
    return (config or StructuredConfig()).replace(**chosen)


def prepare(
    schema: UnifiedSchema[Any],
    stream: Any,
    config: StructuredConfig,
    callbacks: tuple[Callable[..., Any] | None, Callable[..., Any] | None],
    run_options: Mapping[str, Any],
) -> tuple[Stream, Validation]:
    """The run, and what judges its text; `callbacks` are on_validation_error, on_auto_correct."""
    if config.strict_mode and not schema.strict:
        raise TypeError(
            f"{schema!r} has no strict mode; give its parse and safe_parse a parameter strict"
        )
    for name, value in zip(("on_validation_error", "on_auto_correct"), callbacks, strict=True):
        if value is not None and not callable(value):
            raise TypeError(f"{name} is a function to call; {value!r} is not callable")
    made = _stream(stream, config, run_options)
    options = made.options
    validation = Validation(
        schema,
        config,
        options.clock or SYSTEM_CLOCK,
        detect_zero_output=options.detect_zero_output,
    )
    # First in the list, it is asked last: it judges the text that stands in the end. To it `[{}]`
    # is something, which as prose would be nothing but punctuation.
    made = made.replace(
        interceptors=(validation, *options.interceptors),
        detect_zero_output=False,
        continuation=removing_repeats(options.continuation),
    )
    if options.continuation is not None and options.continuation.deduplicate:
        made.subscribe(validation.seams)
    _listen(made, validation, *callbacks)
    return made, validation


def _stream(stream: Any, config: StructuredConfig, given: Mapping[str, Any]) -> Stream:
    made = stream.replace(**given) if isinstance(stream, Stream) else run(stream, **given)
    if given.get("retry") is None and made.options.retry == Retry():  # nobody asked for a policy
        most = max(_NETWORK_RETRIES, config.attempts)
        made = made.replace(retry=Retry(attempts=config.attempts, max_retries=most))
    return made


def _listen(
    stream: Stream,
    validation: Validation,
    on_validation_error: Callable[..., Any] | None,
    on_auto_correct: Callable[..., Any] | None,
) -> None:
    """Call the caller's two callbacks right after their events, under the contract of handlers."""
    if on_validation_error is not None:

        def failed(event: ObservabilityEvent) -> Any:
            error = validation.state.validation_errors[-1]
            return on_validation_error(error, event.payload.attempt)

        _subscribe(stream, failed, on_validation_error, "SCHEMA_VALIDATION_ERROR")
    if on_auto_correct is not None:

        def healed(event: ObservabilityEvent) -> Any:  # noqa: ARG001  told by the validation
            return on_auto_correct(validation.healed)

        _subscribe(stream, healed, on_auto_correct, "AUTO_CORRECT_END")


def _subscribe(stream: Stream, handler: Any, callback: Callable[..., Any], type_: str) -> None:
    # Should it fail, CALLBACK_ERROR names the caller's function.
    handler.__qualname__ = getattr(callback, "__qualname__", type(callback).__name__)
    stream.subscribe(handler, [type_])


async def _finished(stream: Stream, validation: Validation) -> StructuredResult[Any]:
    """Drain the run and give its result."""
    raw = await stream.read()
    return result_of(stream, validation, raw)


def result_of(stream: Stream, validation: Validation, raw: str) -> StructuredResult[Any]:
    """What a completed run came to."""
    valid = validation.valid
    assert valid is not None
    return StructuredResult(
        data=valid.data,
        raw=raw,
        corrected=valid.corrected,
        corrections=valid.corrections,
        state=stream.state,
        structured_state=validation.state,
        telemetry=getattr(stream, "telemetry", None),
        errors=stream.errors,
        stream_id=stream.stream_id,
    )
