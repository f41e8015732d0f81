"""Where a run is and has been, for whoever wants to follow its phases alone."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from l0.events._state import RuntimeState

log = logging.getLogger("l0")

_REMEMBERED = 100
_OVER = frozenset({RuntimeState.COMPLETE, RuntimeState.ERROR})


class StateMachine:
    """The phases of one run; `l0.run(...).machine` follows that run.

    Whatever comes after whatever is taken as it comes: the run decides, this only tells.

    Example:
        >>> machine = StateMachine()
        >>> stop = machine.subscribe(lambda phase: print(phase.value))
        >>> machine.transition(RuntimeState.STREAMING)
        streaming
        >>> machine.transition(RuntimeState.STREAMING)
        >>> machine.is_(RuntimeState.STREAMING, RuntimeState.RETRYING), machine.is_terminal()
        (True, False)
    """

    def __init__(self, phase: RuntimeState = RuntimeState.INIT) -> None:
        self._begin = RuntimeState(phase)
        self._listeners: list[Callable[[RuntimeState], object]] = []
        self._past: deque[RuntimeState] = deque([self._begin], _REMEMBERED)

    def __repr__(self) -> str:
        return f"<StateMachine {self.get().value}>"

    def transition(self, phase: RuntimeState) -> None:
        """It is in this phase now; nothing happens if it was already.

        Raises:
            ValueError: there is no such phase.
        """
        phase = RuntimeState(phase)
        if phase is self._past[-1]:
            return
        self._past.append(phase)
        for listener in list(self._listeners):
            try:
                listener(phase)
            except Exception as error:  # a listener never changes a run
                log.debug("a listener of the phase failed", exc_info=error)

    def get(self) -> RuntimeState:
        """Where it is."""
        return self._past[-1]

    def is_(self, *phases: RuntimeState) -> bool:
        """Whether it is in one of these."""
        return self._past[-1] in phases

    def is_terminal(self) -> bool:
        """Whether it is over, well or not."""
        return self._past[-1] in _OVER

    @property
    def history(self) -> tuple[RuntimeState, ...]:
        """The last 100 phases, the present one last."""
        return tuple(self._past)

    def subscribe(self, fn: Callable[[RuntimeState], object]) -> Callable[[], None]:
        """Call `fn` with each phase as it begins; gives a function that ends it."""
        self._listeners.append(fn)

        def unsubscribe() -> None:
            if fn in self._listeners:
                self._listeners.remove(fn)

        return unsubscribe

    def reset(self) -> None:
        """Back to where it began, with nothing behind it; the listeners stay."""
        self._past = deque([self._begin], _REMEMBERED)
