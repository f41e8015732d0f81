"""How fast rows may go out: requests and tokens a minute, and how many at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
import math
from dataclasses import dataclass
from typing import Any, Self

from l0.events import Clock, TimerHandle

_SLACK = 1.0  # seconds by which requests may differ on their way to the provider
_FIRST_PAUSE = 0.25  # seconds after a 429 that does not say how long to wait; then doubling
_LONGEST_PAUSE = 60.0
_PROBE_SECONDS = 1.0  # between two requests after a 429, until one is taken
_BEGUN, _NEW = range(2)  # rows that wait, in the order in which they go
_CLOSE = 1e-9  # what adding and subtracting of floats may lose


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows: requests and tokens a minute; None: no limit.

    Every attempt is a request. Its tokens are estimated before it goes out, and corrected by what
    the provider reports. No 60 seconds hold more requests than `requests_per_minute`.

    Args:
        burst: how many seconds' worth may go out at once; the rest is paced.

    Raises:
        ValueError: a limit makes no sense; it is named.

    Example:
        >>> Limits(requests_per_minute=500, tokens_per_minute=200_000).burst
        1.0
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst: float = 1.0

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value >= 1):
                raise ValueError(f"Limits.{name} is a number, 1 or more, or None; not {value!r}")
        if not (_is_number(self.burst) and 0 <= self.burst <= 30):
            raise ValueError(f"Limits.burst is in seconds, from 0 to 30; not {self.burst!r}")

    def replace(self, **changes: Any) -> Self:
        """The same limits with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many rows are made at a time: what the provider bears, found by trying.

    It begins at `start` and doubles with each round that goes well until the first 429, which
    halves it; after that it grows by one or a tenth a round, and falls by a fifth when that is too
    much. After a 429 nothing goes out for a while, then one request a second, until one is taken.

    Raises:
        ValueError: the numbers make no sense; it says which.

    Example:
        >>> Concurrency(maximum=200).start
        8
    """

    start: int = 8
    maximum: int = 64
    minimum: int = 1

    def __post_init__(self) -> None:
        for name in ("start", "maximum", "minimum"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"Concurrency.{name} counts rows: 1 or more, not {value!r}")
        if not self.minimum <= self.maximum:
            raise ValueError(
                f"Concurrency.minimum is {self.minimum}, above the maximum of {self.maximum}"
            )
        start = min(max(self.start, self.minimum), self.maximum)
        object.__setattr__(self, "start", start)

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class Throttle:
    """The present number of rows at a time, by what came of the requests so far."""

    def __init__(self, policy: Concurrency) -> None:
        self._policy = policy
        self._limit = float(policy.start)
        self._slow_start = True
        self._cut_at = -math.inf
        self._in_a_row = 0  # rounds that were refused since one was answered
        self.probing = False  # after a 429, until a request that came after it is taken

    @property
    def limit(self) -> int:
        """How many rows may be on now."""
        return int(self._limit)

    def answered(self, started: float, *, well: bool, busy: bool) -> None:
        """A request that began at `started` was answered, `well` or by another error than 429.

        `busy`: as many rows were on as may be, so that it says something about what is borne.
        """
        if started < self._cut_at:
            return
        self.probing, self._in_a_row = False, 0
        if well and busy:
            step = 1.0 if self._slow_start else max(1.0, 0.1 * self._limit) / self._limit
            self._limit = min(self._limit + step, self._policy.maximum)

    def refused(self, started: float, now: float, *, busy: bool) -> float | None:
        """A request that began at `started` was answered 429: seconds to send nothing for.

        None: it went out before the last cut, which has answered it already.
        """
        if started < self._cut_at:
            return None
        # Refused again, or doubled before, it is perhaps far too high; grown by one, a little; and
        # with fewer rows on than may be, it was not that.
        far = self._in_a_row > 0 or (busy and self._slow_start)
        keep = 0.5 if far else 0.8 if busy else 1.0
        self._slow_start = False
        self._cut_at, self.probing = now, True
        self._limit = max(self._limit * keep, float(self._policy.minimum))
        self._in_a_row += 1
        return min(_FIRST_PAUSE * 2.0 ** (self._in_a_row - 1), _LONGEST_PAUSE)


class _Bucket:
    """Fills with time up to `capacity`; going out takes from it."""

    def __init__(self, capacity: float, per_second: float, now: float) -> None:
        self._capacity, self._rate = capacity, per_second
        self._level, self._at = capacity, now

    def _fill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = max(self._at, now)

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much may be taken; what is more than the capacity waits until full."""
        self._fill(now)
        missing = min(amount, self._capacity) - self._level
        return 0.0 if missing <= _CLOSE else missing / self._rate

    def take(self, amount: float) -> None:
        """Take it; a negative amount gives back."""
        self._level = min(self._capacity, self._level - amount)


def _request_bucket(limits: Limits, now: float) -> _Bucket | None:
    per_minute = limits.requests_per_minute
    if per_minute is None:
        return None
    capacity = max(1.0, math.floor(per_minute * limits.burst / 60))
    # A full bucket and what flows in during the minute are together no more than the limit.
    return _Bucket(capacity, (per_minute - capacity + 1) / (60 + _SLACK), now)


def _token_bucket(limits: Limits, now: float) -> _Bucket | None:
    per_minute = limits.tokens_per_minute
    if per_minute is None:
        return None
    capacity = max(1.0, per_minute * limits.burst / 60)
    return _Bucket(capacity, max(per_minute - capacity, per_minute / 2) / (60 + _SLACK), now)


class Limiter:
    """Lets requests out one by one, in order of asking, those of rows already begun first.

    Each one that was let out is told to be over by `returned`. A throttle says how many may be out;
    while it is probing, they go out one a second.
    """

    def __init__(self, limits: Limits, clock: Clock, throttle: Throttle | None = None) -> None:
        now = clock.monotonic()
        self._throttle, self._out = throttle, 0
        self._last = -math.inf  # when the last one was let out
        self._clock = clock
        self._requests, self._tokens = _request_bucket(limits, now), _token_bucket(limits, now)
        self._paused_until = -math.inf
        self._waiting: list[tuple[int, int, float, asyncio.Future[bool]]] = []
        self._order = 0
        self._timer: TimerHandle | None = None

    @property
    def paused_for(self) -> float:
        """Seconds for which nothing goes out because the provider said so."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    async def acquire(self, tokens: float = 0, *, begun: bool = False) -> bool:
        """Wait until a request of about so many tokens may go out; `begun`: before new rows.

        False: it was turned away.
        """
        self.pump()
        if not self._waiting and self._delay(tokens) <= 0:
            self._take(tokens)
            return True
        self._order += 1
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_BEGUN if begun else _NEW, self._order, tokens, turn))
        self.pump()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():  # let out in that moment
                self.returned(tokens, 0)
            self.pump()
            raise

    def pause(self, seconds: float) -> None:
        """Let nothing out for so long; a pause that is on is never cut short."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)
        self.pump()

    def returned(self, estimated: float, actual: float) -> None:
        """A request is over; it took so many tokens, not those that were estimated."""
        self._out -= 1
        if self._tokens is not None:
            self._tokens.take(actual - estimated)
        self.pump()

    def turn_away(self) -> None:
        """Let nobody out of those that wait for the first request of a row."""
        for rank, _, _, turn in self._waiting:
            if rank == _NEW and not turn.done():
                turn.set_result(False)
        self.pump()

    def close(self) -> None:
        """Call off the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _delay(self, tokens: float) -> float:
        now = self._clock.monotonic()
        waits = [self._paused_until - now]
        if self._throttle is not None:
            waits.append(math.inf if self._out >= self._throttle.limit else 0.0)
            if self._throttle.probing and self._out:
                waits.append(self._last + _PROBE_SECONDS - now)
        if self._requests is not None:
            waits.append(self._requests.wait(1, now))
        if self._tokens is not None:
            waits.append(self._tokens.wait(tokens, now))
        return max(waits)

    def _take(self, tokens: float) -> None:
        self._out += 1
        self._last = self._clock.monotonic()
        if self._requests is not None:
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(tokens)

    def pump(self) -> None:
        """Let out whoever may go, and wake up when the next one may."""
        self.close()
        while self._waiting:
            _, _, tokens, turn = self._waiting[0]
            if not turn.done():
                delay = self._delay(tokens)
                if delay > 0:
                    if delay < math.inf:  # else the next one that returns lets it out
                        self._timer = self._clock.call_at(
                            self._clock.monotonic() + delay, self.pump
                        )
                    return
                self._take(tokens)
                turn.set_result(True)
            heapq.heappop(self._waiting)
