"""The local fault server behind `sim:` models and `--chaos`: one a process, on its own thread."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Sequence
from typing import Any, Final

SHORT_GAP: Final = 2.0
"""Seconds between tokens where a stall is asked for and no timeout is: a person sees it saved."""

_STALLS: Final = frozenset({"stall", "stall_alive"})
_numbers = itertools.count(1)
_lock = threading.Lock()
_servers: dict[int, Any] = {}  # by process: a fork has no thread, and needs its own


def server() -> Any:
    """The `ThreadedFaultServer` of this process, started at first use."""
    with _lock:
        running = _servers.get(os.getpid())
        if running is None:
            from l0.testing import FaultServer

            running = FaultServer.in_thread()
            running.start()
            _servers.clear()
            _servers[os.getpid()] = running
        return running


def close() -> None:
    """Stop the server, if it runs; the next `sim:` model starts it again."""
    with _lock:
        running = _servers.pop(os.getpid(), None)
    if running is not None:
        running.close()


def models() -> dict[str, str]:
    """What each sim model says, by its name without `sim:`."""
    from l0.testing._sim import SIM_MODELS

    return SIM_MODELS


class Script:
    """What goes wrong in the requests of one run, one fault a request, and how fast it is told.

    Attributes:
        speed: tokens a second; None: as fast as they are read.
    """

    def __init__(self, chaos: str | None = None, speed: float | None = None) -> None:
        from l0.testing import parse_faults

        self.faults: Sequence[Any] = parse_faults(chaos) if chaos else ()
        self.speed = speed
        self._left = list(self.faults)

    def from_attempt(self, attempt: int) -> Script:
        """The same story from the fault of one attempt on; attempts count from 1."""
        rest = Script(speed=self.speed)
        rest.faults = self.faults
        rest._left = list(self.faults[attempt - 1 :])
        return rest

    @property
    def stalls(self) -> bool:
        """Whether a request will hang."""
        return any(fault.kind in _STALLS for fault in self.faults)

    def headers(self, *, goes_on: bool = True) -> dict[str, str]:
        """For the next request: what leads the server to its fault.

        `goes_on` if it asks for the rest of an answer; without, earlier answers in it are history.
        """
        from l0.testing import Reply

        faults = [self._left.pop(0)] if self._left else []
        reply = Reply(
            faults=faults,
            tokens_per_second=self.speed,
            continuation="exact" if goes_on else None,
        )
        headers: dict[str, str] = server().script(f"sim-{next(_numbers)}", reply)
        return headers
