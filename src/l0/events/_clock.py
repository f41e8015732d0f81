"""Where time comes from: everything that waits or tells the time takes a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable


class TimerHandle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Call it off; harmless when it has fired."""


@runtime_checkable
class Clock(Protocol):
    """Seconds for people (`time`), seconds for measuring (`monotonic`), and waiting."""

    def time(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def call_at(self, when: float, fn: Callable[[], object]) -> TimerHandle:
        """Call `fn` on the running loop at the monotonic time `when`."""


class SystemClock:
    """The real clock, on the running event loop.

    Example:
        >>> SystemClock().time() > 0
        True
    """

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    async def sleep(self, seconds: float) -> None:
        """Wait, in real time."""
        await asyncio.sleep(seconds)

    def call_at(self, when: float, fn: Callable[[], object]) -> TimerHandle:
        """Call `fn` on the running loop at the monotonic time `when`."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), fn)


SYSTEM_CLOCK = SystemClock()
