"""When to try again, and how long to wait first: the policy as a value."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from l0.errors import NetworkErrorType, RetryableErrorType

if TYPE_CHECKING:
    from l0.errors import ErrorCategory
    from l0.events import State


class BackoffStrategy(StrEnum):
    """How delays grow."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIXED = "fixed"
    FULL_JITTER = "full-jitter"
    FIXED_JITTER = "fixed-jitter"


@dataclass(frozen=True, slots=True)
class ErrorTypeDelays:
    """Base delays in seconds by kind of network error; unset ones scale with `base_delay`."""

    connection_dropped: float | None = None
    fetch_error: float | None = None
    econnreset: float | None = None
    econnrefused: float | None = None
    sse_aborted: float | None = None
    no_bytes: float | None = None
    partial_chunks: float | None = None
    runtime_killed: float | None = None
    background_throttle: float | None = None
    dns_error: float | None = None
    ssl_error: float | None = None
    timeout: float | None = None
    unknown: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                check_seconds(field.name, value)


# Multiples of `base_delay` for the kinds that ErrorTypeDelays leaves unset.
_SCALE: dict[str, float] = {
    "connection_dropped": 1.0,
    "fetch_error": 0.5,
    "econnreset": 1.0,
    "econnrefused": 2.0,
    "sse_aborted": 0.5,
    "no_bytes": 0.5,
    "partial_chunks": 0.5,
    "runtime_killed": 2.0,
    "background_throttle": 5.0,
    "dns_error": 3.0,
    "ssl_error": 0.0,
    "timeout": 1.0,
    "unknown": 1.0,
}


@dataclass(frozen=True, slots=True)
class RetryContext:
    """What `calculate_delay` is told; delays in seconds, `attempt` counts retries from 1."""

    attempt: int
    error: BaseException
    category: ErrorCategory
    reason: RetryableErrorType | None
    network_type: NetworkErrorType | None
    is_network: bool
    model_retry_count: int
    network_retry_count: int
    total_retries: int
    base_delay: float
    max_delay: float
    default_delay: float
    retry_after: float | None
    state: State | None


ShouldRetry = Callable[[BaseException, Any, int, Any], bool | Awaitable[bool]]
CalculateDelay = Callable[[RetryContext], float | Awaitable[float | None] | None]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon to try again.

    `attempts` counts retries after model and content errors, `max_retries` retries of every cause;
    both per stream of the chain. Delays are seconds. Network and transient errors (429, 5xx) use
    only `max_retries`; `Retry-After` is honoured up to `max_retry_after`.

    Args:
        retry_on: reasons to retry at all (default: every retryable one), such as "rate_limit".
        should_retry: `(error, state, attempt, category) -> bool`, sync or async; may veto.
        calculate_delay: `(RetryContext) -> seconds`, sync or async; replaces the delay.

    Raises:
        ValueError: a field has a value that makes no sense; the field is named.

    Example:
        >>> Retry(attempts=2, base_delay=0.5).replace(backoff="exponential").backoff
        <BackoffStrategy.EXPONENTIAL: 'exponential'>
    """

    attempts: int = 3
    max_retries: int = 6
    base_delay: float = 1.0
    max_delay: float = 10.0
    backoff: BackoffStrategy | str = BackoffStrategy.FIXED_JITTER
    retry_on: Collection[RetryableErrorType | str] | None = None
    error_type_delays: ErrorTypeDelays | None = None
    max_error_history: int | None = None
    should_retry: ShouldRetry | None = None
    calculate_delay: CalculateDelay | None = None
    network_max_delay: float = 30.0
    max_retry_after: float = 120.0

    def __post_init__(self) -> None:
        for name in ("attempts", "max_retries"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"Retry.{name} counts retries: 0 or more, not {value!r}")
        for name in ("base_delay", "max_delay", "network_max_delay", "max_retry_after"):
            check_seconds(f"Retry.{name}", getattr(self, name))
        kept = self.max_error_history
        if kept is not None and not (isinstance(kept, int) and kept is not True and kept >= 1):
            raise ValueError(
                f"Retry.max_error_history keeps at least 1 error, or None for 100; not {kept!r}"
            )
        delays = self.error_type_delays
        if delays is not None and not isinstance(delays, ErrorTypeDelays):
            raise ValueError(f"Retry.error_type_delays is an ErrorTypeDelays, not {delays!r}")
        known = ", ".join(BackoffStrategy)
        try:
            object.__setattr__(self, "backoff", BackoffStrategy(self.backoff))
        except ValueError:
            raise ValueError(f"Retry.backoff is one of {known}; not {self.backoff!r}") from None
        for name in ("should_retry", "calculate_delay"):
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise ValueError(f"Retry.{name} is called with each failure; got {hook!r}")
        if self.retry_on is not None:
            object.__setattr__(self, "retry_on", _reasons(self.retry_on))

    @property
    def strategy(self) -> BackoffStrategy | str:
        """An alias of `backoff`."""
        return self.backoff

    def replace(self, **changes: Any) -> Self:
        """The same policy with some fields changed."""
        if "strategy" in changes:
            changes["backoff"] = changes.pop("strategy")
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_ms(
        cls, base_delay_ms: float = 1000, max_delay_ms: float = 10_000, **more: Any
    ) -> Self:
        """A policy from delays in milliseconds."""
        return cls(base_delay=base_delay_ms / 1000, max_delay=max_delay_ms / 1000, **more)

    @classmethod
    def none(cls) -> Self:
        """Never try again."""
        return cls(attempts=0, max_retries=0)

    @classmethod
    def minimal(cls) -> Self:
        """2 retries for content, 4 in all, linear delays."""
        return cls(attempts=2, max_retries=4, backoff=BackoffStrategy.LINEAR)

    @classmethod
    def recommended(cls) -> Self:
        """3 retries for content, 6 in all, half-random delays; the default."""
        return cls()

    @classmethod
    def strict(cls) -> Self:
        """As recommended, with fully random delays."""
        return cls(backoff=BackoffStrategy.FULL_JITTER)

    @classmethod
    def exponential(cls) -> Self:
        """4 retries for content, 8 in all, doubling delays."""
        return cls(attempts=4, max_retries=8, backoff=BackoffStrategy.EXPONENTIAL)

    @classmethod
    def mobile(cls) -> Self:
        """For connections that come and go."""
        delays = ErrorTypeDelays(background_throttle=15.0, timeout=3.0, connection_dropped=2.5)
        return cls(backoff=BackoffStrategy.FULL_JITTER, max_delay=15.0, error_type_delays=delays)

    @classmethod
    def edge(cls) -> Self:
        """For short-lived workers: small delays."""
        delays = ErrorTypeDelays(runtime_killed=2.0, timeout=1.5)
        return cls(base_delay=0.5, max_delay=5.0, error_type_delays=delays)


def _with_strategy(init: Callable[..., None]) -> Callable[..., None]:
    """`Retry(strategy=...)`, as `backoff` is called elsewhere."""

    @functools.wraps(init)
    def build(self: Retry, *args: Any, **fields: Any) -> None:
        if "strategy" in fields:
            if "backoff" in fields:
                raise TypeError("strategy is another name of backoff, which is given too")
            fields["backoff"] = fields.pop("strategy")
        init(self, *args, **fields)

    return build


Retry.__init__ = _with_strategy(Retry.__init__)  # type: ignore[method-assign]


def check_seconds(name: str, value: Any) -> None:
    """Raise a ValueError naming the field unless the value is a number of seconds, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is a number of seconds, 0 or more; not {value!r}")


def _reasons(given: Collection[RetryableErrorType | str]) -> frozenset[RetryableErrorType]:
    if isinstance(given, str):
        raise ValueError(f'Retry.retry_on is a list of reasons; write ["{given}"]')
    if not isinstance(given, Iterable):
        raise ValueError(f"Retry.retry_on is a list of reasons, not {given!r}")
    try:
        return frozenset(RetryableErrorType(reason) for reason in given)
    except ValueError:
        known = ", ".join(RetryableErrorType)
        bad = next(r for r in given if r not in set(RetryableErrorType))
        raise ValueError(f"Retry.retry_on: {bad!r} is no reason; there are {known}") from None


def delay(
    policy: Retry, n: int, *, network_type: NetworkErrorType | None, random: Callable[[], float]
) -> float:
    """Seconds to wait after `n` earlier retries of the same budget; jitter from `random()`."""
    base, cap = policy.base_delay, policy.max_delay
    if network_type is not None:
        given = getattr(policy.error_type_delays, network_type.value, None)
        base = policy.base_delay * _SCALE.get(network_type.value, 1.0) if given is None else given
        cap = policy.network_max_delay
    match policy.backoff:
        case BackoffStrategy.LINEAR:
            return min(base * (n + 1), cap)
        case BackoffStrategy.FIXED:
            return min(base, cap)
    doubled = min(base * 2.0 ** min(n, 62), cap)
    match policy.backoff:
        case BackoffStrategy.FULL_JITTER:
            return random() * doubled
        case BackoffStrategy.FIXED_JITTER:
            return doubled / 2 + random() * doubled / 2
    return doubled


MINIMAL_RETRY = Retry.minimal()
RECOMMENDED_RETRY = Retry.recommended()
STRICT_RETRY = Retry.strict()
EXPONENTIAL_RETRY = Retry.exponential()
