"""Runs that are under way together take turns with their checks, which would else coincide.

Streams that begin together read the same token numbers at the same time: a thousand looks at a
text, all due within one pause between two tokens, would make every token of that pause late.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from weakref import WeakKeyDictionary


class Stagger:
    """The turns of the runs of one event loop.

    A run alone has turn 0. One that begins while others are under way has the next number, so that
    a turn depends on nothing but which runs were under way together. A run that is left by a bare
    `break` is under way until the loop has closed it, at its next turn, as its connection is.
    """

    __slots__ = ("_next", "alive")

    def __init__(self) -> None:
        self.alive = 0
        """The runs that are under way."""
        self._next = 0

    def join(self) -> int:
        """A run begins; gives its turn."""
        turn = self._next
        self._next = turn + 1
        self.alive += 1
        return turn

    def leave(self) -> None:
        """A run has ended; after the last one, the next is alone."""
        self.alive -= 1
        if not self.alive:
            self._next = 0


# A loop has a count of its own: a run that was never ended goes with the loop it began on, and
# loops in other threads share nothing.
_of_loops: WeakKeyDictionary[AbstractEventLoop, Stagger] = WeakKeyDictionary()


def stagger_of(loop: AbstractEventLoop) -> Stagger:
    """The turns on this loop."""
    stagger = _of_loops.get(loop)
    if stagger is None:
        stagger = _of_loops[loop] = Stagger()
    return stagger
