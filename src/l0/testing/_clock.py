"""Time that passes only when nothing else can happen: waiting costs no test a second."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any

_TURNS = 20  # turns of a loop that does not show its queue, after which it counts as idle


class _Timer:
    __slots__ = ("cancelled", "fn", "order", "when")

    def __init__(self, when: float, order: int, fn: Callable[[], object]) -> None:
        self.when, self.order, self.fn, self.cancelled = when, order, fn, False

    def __lt__(self, other: _Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """A clock that jumps to the next timer when the loop has nothing else to run.

    Give it to what waits: `l0.run(model, clock=clock)`. `now` counts seconds from `start`;
    `advance(seconds)` moves it by hand. Not for tests that wait for real sockets or threads: to
    this clock they are nothing to run.

    Example:
        >>> import asyncio
        >>> clock = VirtualClock()
        >>> asyncio.run(clock.sleep(3600))
        >>> clock.now
        3600.0
    """

    def __init__(self, start: float = 0.0, *, wall: float = 1_700_000_000.0) -> None:
        self.now = start
        self._wall = wall - start
        self._timers: list[_Timer] = []
        self._order = 0
        self._turning_on: asyncio.AbstractEventLoop | None = None  # where the next turn is due
        self._idle_turns = 0

    def time(self) -> float:
        """Unix seconds; set back with `set_back` to play a wall clock that jumps."""
        return self._wall + self.now

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self.now

    def set_back(self, seconds: float) -> None:
        """Let the wall clock jump back, as a time server may make it."""
        self._wall -= seconds

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        timer = self.call_at(self.now + seconds, wake)
        try:
            await done
        finally:
            timer.cancel()

    def call_at(self, when: float, fn: Callable[[], object]) -> _Timer:
        """Call `fn` on the running loop when the clock has come to `when`."""
        self._order += 1
        timer = _Timer(when, self._order, fn)
        heapq.heappush(self._timers, timer)
        self._turn_soon()
        return timer

    def advance(self, seconds: float) -> None:
        """Move the clock, firing what falls due on the way."""
        until = self.now + seconds
        while self._timers and self._timers[0].when <= until:
            self._fire()
        self.now = max(self.now, until)

    def _fire(self) -> None:
        timer = heapq.heappop(self._timers)
        self.now = max(self.now, timer.when)
        if not timer.cancelled:
            timer.fn()

    def _turn_soon(self) -> None:
        # A loop that was closed meanwhile has taken its turn with it: the next one goes on.
        if self._turning_on is None or self._turning_on.is_closed():
            self._turning_on = asyncio.get_running_loop()
            self._turning_on.call_soon(self._turn)

    def _turn(self) -> None:
        self._turning_on = None
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return
        loop: Any = asyncio.get_running_loop()
        ready = getattr(loop, "_ready", None)  # asyncio's own loops show what is to run
        if ready is None:
            self._idle_turns += 1
            idle = self._idle_turns > _TURNS
        else:
            idle = not ready
        if idle:
            self._idle_turns = 0
            self._fire()
        self._turn_soon()
