"""Everything a run can be told, as one value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Self

from l0.errors._nearest import nearest
from l0.events import Clock
from l0.events._redact import as_redactor
from l0.events._serialize import check_meta
from l0.events._store import check_id, is_store
from l0.guardrails import DriftConfig, DriftDetector
from l0.monitoring import MonitoringConfig
from l0.stream._callbacks import CALLBACK_KEYWORDS, Callbacks
from l0.stream._continuation import ContinuationConfig
from l0.stream._retry import Retry
from l0.stream._timeout import NO_TIMEOUT, Timeout

Factory = Callable[..., Any]

_HOOKS = ("before", "after", "error")  # what an interceptor may have
_FLAGS = ("detect_zero_output", "buffer_tool_calls", "token_events", "keep_raw")
_STREAMS = ("__aiter__", "__await__", "__aenter__", "__iter__")  # what is used once, as it is


@dataclass(frozen=True, slots=True)
class CheckIntervals:
    """How often checks run, in tokens of the attempt; 0 means at completion only.

    Raises:
        ValueError: a field is no whole number, 0 or more.
    """

    guardrails: int = 5
    drift: int = 10
    checkpoint: int = 10

    def __post_init__(self) -> None:
        for name in ("guardrails", "drift", "checkpoint"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"CheckIntervals.{name} counts tokens: a whole number, 0 or more, not {value!r}"
                )

    def replace(self, **changes: Any) -> Self:
        """The same intervals with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything `run` can be told; `run(Options(...))` and `run(...)` are the same.

    See `run` for what each field means. Built values are checked and complete: `retry=None` has
    become `Retry()`, `continuation=True` a `ContinuationConfig`.

    Raises:
        TypeError: the stream or a fallback can't be used as one, or an option is unknown.
        ValueError: an option has a value that makes no sense; it is named.
    """

    stream: Any = None
    fallbacks: Sequence[Any] = ()
    guardrails: Sequence[Any] = ()
    drift: Any = None
    retry: Any = None
    timeout: Timeout | None = None
    check_intervals: CheckIntervals | None = None
    adapter: Any = None
    adapter_options: Any = None
    continuation: Any = False
    build_continuation_prompt: Callable[[str], Any] | None = None
    deliver: str = "live"
    detect_zero_output: bool = True
    on_incomplete: str = "accept"
    interceptors: Sequence[Any] = ()
    tool_validator: Callable[..., Any] | None = None
    tool_errors: str = "record"
    buffer_tool_calls: bool = False
    meta: Mapping[str, Any] | None = None
    event_store: Any = None
    redact: Any = True
    monitoring: Any = None
    token_events: bool = False
    keep_raw: bool = False
    callbacks: Callbacks = field(default_factory=Callbacks)
    on_event: Callable[..., Any] | None = None
    clock: Clock | None = None
    random: Callable[[], float] | None = None
    stream_id: str | None = None

    def __post_init__(self) -> None:
        put = _putter(self)
        put("fallbacks", _sequence("fallbacks", self.fallbacks))
        put("guardrails", _sequence("guardrails", self.guardrails))
        put("interceptors", _sequence("interceptors", self.interceptors))
        put("retry", _retry(self.retry))
        put("continuation", _continuation(self.continuation))
        put("monitoring", _monitoring(self.monitoring))
        put("timeout", _instance("timeout", self.timeout, Timeout, NO_TIMEOUT))
        put(
            "check_intervals",
            _instance("check_intervals", self.check_intervals, CheckIntervals, CheckIntervals()),
        )
        put("callbacks", _instance("callbacks", self.callbacks, Callbacks, Callbacks()))
        _choice("deliver", self.deliver, ("live", "validated"))
        _choice("on_incomplete", self.on_incomplete, ("accept", "retry"))
        _choice("tool_errors", self.tool_errors, ("record", "retry"))
        for name in ("on_event", "build_continuation_prompt", "tool_validator", "random"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} is a function to call; {value!r} is not callable")
        _check_values(self)
        for index, each in enumerate(self.interceptors):
            if not any(callable(getattr(each, hook, None)) for hook in _HOOKS):
                raise TypeError(
                    f"interceptors[{index}] is {each!r}; give objects with a method before, after "
                    "or error, such as timing_interceptor()"
                )
        for index, rule in enumerate(self.guardrails):
            if not hasattr(rule, "start") and not hasattr(rule, "check"):
                raise TypeError(
                    f"guardrails[{index}] is {rule!r}; give rules, such as "
                    "Guardrails.recommended() or [custom_pattern_rule(…)]"
                )

    def replace(self, **changes: Any) -> Options:
        """The same options with some changed; takes the keywords of `run`."""
        return build_options(self, **changes)


_ALIASES = {
    "context": "meta",
    "drift_detector": "drift",
    "detect_zero_tokens": "detect_zero_output",
    "continue_from_last_known_good_token": "continuation",
    "continue_from_last_good_token": "continuation",
}
_FIELDS = tuple(f.name for f in dataclasses.fields(Options))


def build_options(base: Options | None = None, /, **keywords: Any) -> Options:
    """Options from the keywords of `run`: fields, their aliases, and single callbacks.

    Raises:
        TypeError: a keyword is unknown; the nearest known one is named.
    """
    fields: dict[str, Any] = {}
    callbacks: dict[str, Any] = {}
    for name, value in without_aliases(keywords).items():
        if name in CALLBACK_KEYWORDS and name != "on_event":
            callbacks[CALLBACK_KEYWORDS[name]] = value
        elif name in _FIELDS:
            fields[name] = value
        else:
            raise TypeError(_unknown(name))
    if callbacks:
        given = fields.get("callbacks") or (base.callbacks if base else Callbacks())
        fields["callbacks"] = dataclasses.replace(given, **callbacks)
    return Options(**fields) if base is None else dataclasses.replace(base, **fields)


def without_aliases(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of `run`, each by the name of its field.

    Raises:
        TypeError: a field is given by two names.
    """
    known: dict[str, Any] = {}
    for name, value in keywords.items():
        own = _ALIASES.get(name, name)
        if own in known:
            alias = next(each for each in keywords if _ALIASES.get(each) == own)
            raise TypeError(f"{alias} is another name of {own}, which is given too")
        known[own] = value
    return known


def _unknown(name: str) -> str:
    known = (*_FIELDS, *_ALIASES, *CALLBACK_KEYWORDS)
    near = nearest(name, known, 0.5)
    hint = f"; did you mean {near}?" if near else f"; options are {', '.join(_FIELDS)}"
    return f"unknown option {name!r}{hint}"


def _check_values(options: Options) -> None:
    """What would fail late, or never, and then do something else than was meant."""
    for name in _FLAGS:
        value = getattr(options, name)
        if value is not True and value is not False:
            raise TypeError(f"{name} is True or False; not {value!r}")
    drift, meta, stream_id = options.drift, options.meta, options.stream_id
    if drift is not None and not isinstance(drift, bool | DriftConfig | DriftDetector):
        raise TypeError(f"drift is True, False, a DriftConfig or a DriftDetector; not {drift!r}")
    check_meta(meta)
    if stream_id is not None:
        check_id(stream_id)
    if options.redact is not True:
        as_redactor(options.redact)
    store = options.event_store
    if not (
        store is None or store is False or isinstance(store, str | PathLike) or is_store(store)
    ):
        raise TypeError(
            'event_store is a store of l0.events, or a URL such as "sqlite:///runs.db"; '
            f"not {store!r}"
        )
    for index, each in enumerate(options.fallbacks):
        if not callable(each) and not any(hasattr(each, name) for name in _STREAMS):
            raise TypeError(
                f"fallbacks[{index}] is {each!r}; give functions that open a stream, as for stream="
            )


def _putter(options: Options) -> Callable[[str, Any], None]:
    return lambda name, value: object.__setattr__(options, name, value)


def _sequence(name: str, value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} is a list; write [{value!r}]")
    return tuple(value)


def _retry(value: Any) -> Retry:
    if value is None:
        return Retry()
    if value is False:
        return Retry.none()
    if isinstance(value, Retry):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise TypeError(f"retry is a policy; write Retry(attempts={value})")
    raise TypeError(f"retry is a Retry, None for the default or False for none; not {value!r}")


def _continuation(value: Any) -> ContinuationConfig | None:
    if value is True:
        return ContinuationConfig()
    if value is None or value is False:
        return None
    if isinstance(value, ContinuationConfig):
        return value if value.enabled else None
    raise TypeError(f"continuation is True, False or a ContinuationConfig; not {value!r}")


def _monitoring(value: Any) -> MonitoringConfig | None:
    if value is None or value is False:
        return None
    if value is True:
        return MonitoringConfig()
    if isinstance(value, MonitoringConfig):
        return value if value.enabled else None
    raise TypeError(f"monitoring is True, False or a MonitoringConfig; not {value!r}")


def _instance(name: str, value: Any, cls: type, default: Any) -> Any:
    if value is None:
        return default
    if not isinstance(value, cls):
        raise TypeError(f"{name} is a {cls.__name__}, such as {cls.__name__}(); not {value!r}")
    return value


def _choice(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(map(repr, known))}; not {value!r}")
