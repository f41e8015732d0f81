"""Virtual time goes on whatever became of the loop it was asked on."""

from __future__ import annotations

import asyncio
import threading

from l0.testing import VirtualClock


def test_a_clock_goes_on_in_the_next_loop():
    """The loop that ended had its next turn still before it, and took it along."""
    clock, rung = VirtualClock(), []

    async def leave_timers():
        for second in range(1, 101):
            clock.call_at(second, lambda second=second: rung.append(second))

    asyncio.run(leave_timers())
    assert len(rung) < 100
    sleeping = threading.Thread(target=asyncio.run, args=[clock.sleep(200)], daemon=True)
    sleeping.start()
    sleeping.join(10)
    assert not sleeping.is_alive(), "the clock stands still"
    assert rung == [*range(1, 101)]
    assert clock.now >= 200
