"""The interceptors that come with the library."""

from __future__ import annotations

import inspect
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

import msgspec

from l0.errors import GuardrailError, InterceptorError
from l0.events import SYSTEM_CLOCK, GuardrailViolation, State
from l0.stream._interceptors import CachedResult, Completion, Interceptor
from l0.stream._open import awaited
from l0.stream._options import Options

log = logging.getLogger("l0")


def logging_interceptor(logger: logging.Logger | None = None) -> Interceptor:
    """Logs each run's end: what came of it at level info, its failure as a warning.

    Args:
        logger: where to; the logger "l0" by default.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import logging_interceptor
        >>> asyncio.run(l0.run(lambda: ["a"], interceptors=[logging_interceptor()]).read())
        'a'
    """
    return _Logging(logger or log)


class _Logging:
    name = "logging"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def before(self, options: Options) -> Options:
        return _at_completion(options, self._completed)

    def _completed(self, state: State) -> None:
        self._logger.info(
            "stream completed: %d tokens, %d characters in %.3f s, %d retries",
            state.token_count,
            state.content_length,
            state.duration or 0.0,
            state.retry_attempts,
        )

    def error(self, error: Exception, options: Options) -> None:  # noqa: ARG002  as every hook
        self._logger.warning("stream failed: %s: %s", type(error).__name__, error)


def metadata_interceptor(meta: Mapping[str, Any]) -> Interceptor:
    """Adds to the run's `meta`: events from here on carry it.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import metadata_interceptor
        >>> rows = []
        >>> run = l0.run(
        ...     lambda: ["a"],
        ...     interceptors=[metadata_interceptor({"team": "lamp"})],
        ...     on_event=lambda event: rows.append(event.meta),
        ... )
        >>> _ = asyncio.run(run.read())
        >>> rows[-1]["team"]
        'lamp'
    """
    return _Metadata(meta)


class _Metadata:
    name = "metadata"

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._meta = dict(meta)

    def before(self, options: Options) -> Options:
        return options.replace(meta={**(options.meta or {}), **self._meta})


def auth_interceptor(check: Callable[[Options], Any]) -> Interceptor:
    """Asks `check(options)`, sync or async, before each run: False or an exception stops it.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import auth_interceptor
        >>> known = auth_interceptor(lambda options: options.meta.get("user") == "ada")
        >>> run = l0.run(lambda: ["a"], meta={"user": "ada"}, interceptors=[known])
        >>> asyncio.run(run.read())
        'a'
    """
    return _Auth(check)


class _Auth:
    name = "auth"

    def __init__(self, check: Callable[[Options], Any]) -> None:
        self._check = check

    async def before(self, options: Options) -> None:
        if await awaited(self._check(options)) is False:
            raise InterceptorError(
                "the auth interceptor refused the run", name=self.name, phase="before"
            )


class Timing(msgspec.Struct, frozen=True):
    """How long one completed run took; seconds, tokens a second over the whole of it."""

    duration: float
    time_to_first_token: float | None
    token_count: int
    tokens_per_second: float


def timing_interceptor(keep: int = 1000) -> _Timing:
    """Measures completed runs: its `timings` holds a `Timing` of each of the last `keep`.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import timing_interceptor
        >>> timing = timing_interceptor()
        >>> text = asyncio.run(l0.run(lambda: ["a", "b"], interceptors=[timing]).read())
        >>> timing.timings[0].token_count
        2
    """
    return _Timing(keep)


class _Timing:
    name = "timing"

    def __init__(self, keep: int) -> None:
        self.timings: deque[Timing] = deque(maxlen=keep)

    def before(self, options: Options) -> Options:
        return _at_completion(options, self._completed)

    def _completed(self, state: State) -> None:
        took = state.duration or 0.0
        rate = state.token_count / took if took else 0.0
        self.timings.append(Timing(took, state.time_to_first_token, state.token_count, rate))


def validation_interceptor(validate: Callable[[str], Any]) -> Interceptor:
    """Judges the complete text by `validate(text)`, sync or async.

    False, a text that says what is wrong, or an exception fails the attempt, which is tried again
    as after a guardrail violation, or as after the exception.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import validation_interceptor
        >>> answers = iter([["no"], ["yes"]])
        >>> agreed = validation_interceptor(lambda text: text == "yes" or f"{text!r} is not yes")
        >>> quick = l0.Retry(base_delay=0)
        >>> asyncio.run(l0.run(lambda: next(answers), interceptors=[agreed], retry=quick).read())
        'yes'
    """
    return _Validation(validate)


class _Validation:
    name = "validation"

    def __init__(self, validate: Callable[[str], Any]) -> None:
        self._validate = validate

    async def after(self, done: Completion) -> None:
        said = await awaited(self._validate(done.text))
        if said is False or isinstance(said, str):
            fault = said or "the text was rejected"
            raise GuardrailError(
                f"validation: {fault}", violations=[GuardrailViolation("validation", fault)]
            )


def rate_limit_interceptor(max_requests: int, window: float, on_limit: str = "wait") -> Interceptor:
    """Lets at most so many runs begin within any stretch of time; shared by all its runs.

    Args:
        max_requests: how many.
        window: seconds.
        on_limit: "wait" for the next free moment, in order of asking; or "raise".

    Raises:
        ValueError: an argument makes no sense.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import rate_limit_interceptor
        >>> limit = rate_limit_interceptor(10, window=60.0)
        >>> asyncio.run(l0.run(lambda: ["a"], interceptors=[limit]).read())
        'a'
    """
    if max_requests < 1 or window <= 0 or on_limit not in {"wait", "raise"}:
        raise ValueError(
            "rate_limit_interceptor takes max_requests of 1 or more, a window above 0 s, and "
            f'on_limit "wait" or "raise"; not {max_requests!r}, {window!r}, {on_limit!r}'
        )
    return _RateLimit(max_requests, window, wait=on_limit == "wait")


class _RateLimit:
    name = "rate_limit"

    def __init__(self, max_requests: int, window: float, *, wait: bool) -> None:
        self._window, self._wait = window, wait
        self._begun: deque[float] = deque(maxlen=max_requests)  # also those still to come
        self._lock = threading.Lock()  # runs may be on loops of several threads

    async def before(self, options: Options) -> None:
        clock = options.clock or SYSTEM_CLOCK
        with self._lock:
            now = clock.monotonic()
            full = len(self._begun) == self._begun.maxlen
            free = max(now, self._begun[0] + self._window) if full else now
            if free > now and not self._wait:
                raise InterceptorError(
                    f"the rate limit of {self._begun.maxlen} runs in {self._window:g} s is "
                    f"reached; try again in {free - now:.3f} s",
                    name=self.name,
                    phase="before",
                )
            self._begun.append(free)
        if free > now:
            await clock.sleep(free - now)


def caching_interceptor(cache: Any, key: Callable[[Options], Any]) -> Interceptor:
    """Answers from a cache what was asked before; keeps the text of runs that completed.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import caching_interceptor
        >>> cache = caching_interceptor({"capital": "Paris"}, lambda options: options.meta["q"])
        >>> stream = l0.run(lambda: ["?"], interceptors=[cache], meta={"q": "capital"})
        >>> asyncio.run(stream.read())
        'Paris'

    Args:
        cache: a mapping, or an object with `get(key)` and `set(key, text)`, sync or async; it
            holds texts. It may be unreachable: a failure is logged, and the model asked.
        key: of the options, what tells one question from another, such as
            `lambda options: options.meta["prompt"]`; sync or async. None: don't cache this one.
    """
    return _Caching(cache, key)


class _Caching:
    name = "caching"

    def __init__(self, cache: Any, key: Callable[[Options], Any]) -> None:
        self._cache, self._key = cache, key

    async def before(self, options: Options) -> Options | CachedResult | None:
        key = await awaited(self._key(options))
        if key is None:
            return None
        try:
            text = await awaited(self._cache.get(key))
        except Exception as error:  # a cache that is down must not take the model with it
            log.warning("the cache failed, so the model is asked: %r", error)
            return None
        if text is not None:
            return text if isinstance(text, CachedResult) else CachedResult(text)
        keeper = _Keeper(self._cache, key)
        own = tuple(keeper if each is self else each for each in options.interceptors)
        return _at_completion(options.replace(interceptors=own), keeper.completed)


class _Keeper:
    """For one run: notes the text where the cache stands in the row, keeps it at completion."""

    name = "caching"

    def __init__(self, cache: Any, key: Hashable) -> None:
        self._cache, self._key = cache, key
        self._text: str | None = None

    def after(self, done: Completion) -> None:
        self._text = done.text

    def completed(self, state: State) -> Any:  # noqa: ARG002  as every on_complete
        if self._text is None:
            return None  # it was not asked: the run has no text
        put = getattr(self._cache, "set", None)
        if put is not None:
            return put(self._key, self._text)
        self._cache[self._key] = self._text
        return None


def transform_interceptor(fn: Callable[[str], Any]) -> Interceptor:
    """Makes another text of the complete one: `fn(text)`, sync or async.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import transform_interceptor
        >>> stream = l0.run(lambda: ["hi"], interceptors=[transform_interceptor(str.upper)])
        >>> asyncio.run(stream.read())
        'HI'
    """
    return _Transform(fn)


class _Transform:
    name = "transform"

    def __init__(self, fn: Callable[[str], Any]) -> None:
        self._fn = fn

    async def after(self, done: Completion) -> Completion:
        return done.replace(text=await awaited(self._fn(done.text)))


def analytics_interceptor(track: Callable[[dict[str, Any]], Any]) -> Interceptor:
    """Calls `track(facts)`, sync or async, once a run: when it has completed, or failed.

    `facts` says `outcome` ("completed" or "failed") and what is known of it: tokens, characters,
    seconds, retries, fallback, usage, finish reason, `meta`, and the error's type and message.

    Example:
        >>> import asyncio, l0
        >>> from l0.stream import analytics_interceptor
        >>> rows = []
        >>> run = l0.run(lambda: ["a", "b"], interceptors=[analytics_interceptor(rows.append)])
        >>> _ = asyncio.run(run.read())
        >>> rows[0]["outcome"], rows[0]["retries"]
        ('completed', 0)
    """
    return _Analytics(track)


class _Analytics:
    name = "analytics"

    def __init__(self, track: Callable[[dict[str, Any]], Any]) -> None:
        self._track = track

    def before(self, options: Options) -> Options:
        def completed(state: State) -> Any:
            return self._track(
                {
                    "outcome": "completed",
                    "token_count": state.token_count,
                    "content_length": state.content_length,
                    "duration": state.duration,
                    "time_to_first_token": state.time_to_first_token,
                    "retries": state.retry_attempts,
                    "fallback_index": state.fallback_index,
                    "usage": dict(state.usage),
                    "finish_reason": state.finish_reason,
                    "meta": dict(options.meta or {}),
                }
            )

        return _at_completion(options, completed)

    def error(self, error: Exception, options: Options) -> Any:
        return self._track(
            {
                "outcome": "failed",
                "error_type": type(error).__name__,
                "error": str(error),
                "meta": dict(options.meta or {}),
            }
        )


# --- what they share ----------------------------------------------------------------------------


def _at_completion(options: Options, fn: Callable[[State], Any]) -> Options:
    """The options with `fn` called, under the contract of callbacks, when the run has completed."""
    before = options.callbacks.on_complete
    return options.replace(on_complete=fn if before is None else _Both(fn, before))


class _Both:
    """Two callbacks in the place of one; neither's failure keeps the other from its turn."""

    def __init__(self, first: Callable[[State], Any], then: Callable[[State], Any]) -> None:
        self._first, self._then = first, then

    def __call__(self, state: State) -> Any:
        try:
            waits = self._first(state)
        except Exception as error:  # the caller's own callback has its turn all the same
            log.warning("an interceptor failed at completion: %r", error)
            waits = None
        then = self._then(state)
        return self._both(waits, then) if inspect.isawaitable(waits) else then

    async def _both(self, first: Awaitable[Any], then: Any) -> None:
        try:
            await first
        except Exception as error:  # as above
            log.warning("an interceptor failed at completion: %r", error)
        await awaited(then)
