"""Hooks around a whole run: before it begins, when its text is complete, when it has failed."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from l0.errors import DeadlineError, InterceptorError
from l0.events import (
    Event,
    EventType,
    InterceptorEndPayload,
    InterceptorStartPayload,
    Payload,
    State,
    Usage,
)
from l0.events._bus import freeze
from l0.stream._accept import take_again, take_text
from l0.stream._attempt import Attempt
from l0.stream._finish import tell_finished
from l0.stream._overlap_text import common_length
from l0.stream._session import Run
from l0.stream._watchdog import Stopped

log = logging.getLogger("l0")

_ERROR_SECONDS = 5.0


@runtime_checkable
class Interceptor(Protocol):
    """What `run(interceptors=[…])` takes: a name, and any of three hooks, sync or async.

    - `before(options)`, once, before the first attempt, in order: gives other `Options`, a
      `CachedResult` to use instead of asking the model, or None. Raising fails the run with
      `InterceptorError`.
    - `after(done)`, in reverse order, for each attempt that passed its checks: gives a `Completion`
      with another text or value, or None. Raising fails the attempt, which is retried as after any
      such error.
    - `error(error, options)`, when the run fails: for notes only; its own failures are logged.

    Interceptors may be shared by any number of runs. One that remembers something of a run puts an
    instance for it in its own place: `options.replace(interceptors=…)`.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete text that passed its checks, on its way through the `after` hooks.

    `value` is for what a hook makes of the text, such as parsed data; `emit(payload)` tells the
    run's listeners of something.

    Raises:
        TypeError: the text is not a string.

    Example:
        >>> Completion("draft", State()).replace(text="final").text
        'final'
    """

    text: str
    state: State
    value: Any = None
    emit: Callable[[Payload], None] = lambda _: None

    def __post_init__(self) -> None:
        _check_text(self)

    def replace(self, **changes: Any) -> Self:
        """The same completion with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class CachedResult:
    """What `before` gives so that the factory need not be called: the text, and what it cost now.

    Raises:
        TypeError: the text is not a string.
    """

    text: str
    usage: Usage | None = None

    def __post_init__(self) -> None:
        _check_text(self)

    def events(self) -> list[Event]:
        """The stream a model would have given."""
        end = Event(EventType.COMPLETE, usage=self.usage, finish_reason="stop")
        return [Event(EventType.TOKEN, self.text), end] if self.text else [end]


def _check_text(of: Completion | CachedResult) -> None:
    if not isinstance(of.text, str):
        raise TypeError(f"{type(of).__name__}.text is a string, not {type(of.text).__name__}")


# --- asking them ------------------------------------------------------------------------------


async def ask_before(run: Run) -> None:
    """Each `before` that has not been asked yet, until one has a cached result."""
    while run.asked < len(run.options.interceptors):
        interceptor = run.options.interceptors[run.asked]
        run.asked += 1
        hook = getattr(interceptor, "before", None)
        if hook is None:
            continue
        try:
            answer = await _ask(run, interceptor, "before", hook, run.options)
            if answer is not None and not isinstance(answer, CachedResult):
                adopt(run, answer)
        except (InterceptorError, Stopped, DeadlineError):
            raise
        except Exception as error:  # whatever an interceptor raises stops the run before it began
            name = name_of(interceptor)
            raise InterceptorError(
                f"the interceptor {name} stopped the run: {error}", name=name, phase="before"
            ) from error
        if isinstance(answer, CachedResult):
            run.cached = answer
            return


async def ask_after(run: Run) -> Completion:
    """Each `after`, the last first; of the interceptors behind a cached result none is asked."""
    done = Completion(run.state.content, run.state, emit=run.tell)
    for interceptor in reversed(run.options.interceptors[: run.asked]):
        hook = getattr(interceptor, "after", None)
        if hook is None:
            continue
        answer = await _ask(run, interceptor, "after", hook, done)
        if isinstance(answer, Completion):
            done = answer
        elif answer is not None:
            raise TypeError(
                f"{name_of(interceptor)}.after gave a {type(answer).__name__}; it gives "
                "done.replace(text=…), or None to change nothing"
            )
    return done


async def ask_error(run: Run, error: Exception) -> None:
    """Each `error`, for its information."""
    for interceptor in run.options.interceptors[: run.asked]:
        hook = getattr(interceptor, "error", None)
        if hook is None:
            continue
        try:
            await _ask(run, interceptor, "error", hook, error, run.options, limit=_ERROR_SECONDS)
        except Exception as again:  # it is told only, and can change nothing any more
            log.warning("the interceptor %s failed: %r", name_of(interceptor), again)


async def _ask(
    run: Run,
    interceptor: Any,
    phase: str,
    hook: Callable[..., Any],
    *args: Any,
    limit: float | None = None,
) -> Any:
    name, began = name_of(interceptor), run.clock.monotonic()
    run.tell(InterceptorStartPayload(name, phase))
    said: str | None = None
    try:
        answer = hook(*args)
        if inspect.isawaitable(answer):
            answer = await run.watch.limited(answer, "hook" if limit else "", limit)
    except BaseException as error:
        said = str(error) or type(error).__name__
        raise
    finally:
        run.tell(InterceptorEndPayload(name, phase, run.since(began), said))
    return answer


def name_of(interceptor: Any) -> str:
    """What events call it."""
    return str(getattr(interceptor, "name", None) or type(interceptor).__name__)


# --- what they change ---------------------------------------------------------------------------

_FIXED = ("clock", "event_store", "redact", "stream_id")


def adopt(run: Run, options: Any) -> None:
    """Go on with other options; what the run began with can't change any more.

    Raises:
        TypeError: they are no `Options`.
        ValueError: one that is fixed was changed.
    """
    old = run.options
    if not isinstance(options, type(old)):
        raise TypeError(
            f"before gave a {type(options).__name__}; it gives options.replace(…), a "
            "CachedResult, or None to change nothing"
        )
    for name in _FIXED:
        if getattr(options, name) is not getattr(old, name):
            raise ValueError(f"{name} can't be changed once the run has begun; give it to run(…)")
    run.options, run.callbacks = options, options.callbacks
    run.per_token = options.callbacks.per_token or options.token_events
    run.random = options.random or run.random
    if options.meta is not old.meta:
        run.bus.meta = freeze(options.meta or {})
    if options.on_event is not None and options.on_event is not old.on_event:
        run.bus.subscribe(options.on_event)
    limit = options.timeout.total if options.timeout is not None else None
    if limit != (old.timeout.total if old.timeout is not None else None):
        run.watch.total = float("inf")
        run.watch.arm_total(limit)


async def intercept(run: Run, attempt: Attempt) -> Iterable[Event]:
    """Ask each `after`; gives what the consumer is handed if they made another text."""
    done = await ask_after(run)
    return () if done.text == run.state.content else _replace(run, attempt, done.text)


def _replace(run: Run, attempt: Attempt, text: str) -> Iterator[Event]:
    """Another text stands: gives as little as it takes.

    That is one token with what follows the beginning both have in common. Where something falls
    away there is a restart before it, and after it the data and tool calls, which it withdrew.
    """
    state = run.state
    kept = common_length(state.content, text)
    others = [event for event in run.held if event.type is not EventType.TOKEN]
    if not run.validated:
        data = [Event(EventType.DATA, payload=each) for each in state.data_outputs]
        others = [*data, *attempt.tool_calls]
    falls_away = kept < state.content_length
    if falls_away:
        restart = run.cut(kept, "interceptor")
        if restart is not None:
            yield restart
        tell_finished(run, attempt)  # a restart forgets how the source ended
    if len(text) > kept:
        yield from take_text(run, attempt, text[kept:])
    for event in others if falls_away else ():
        yield from take_again(run, event)
