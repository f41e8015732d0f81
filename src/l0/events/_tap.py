"""What stands between a recorder and what writes: producers, and the contract of a backend."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from l0.errors import StoreError
from l0.events._bus import ObservabilityEvent
from l0.events._chain import Chain
from l0.events._record import Row, Tally
from l0.events._store import taken

log = logging.getLogger("l0")


class Backend(Protocol):
    """What writes rows, called on the writer's thread only; see SQLite and JSONL."""

    def tally(self, stream_id: str) -> Tally | None:
        """Where a stream stands in the file."""

    def write(self, streams: list[tuple[Tally, list[Row]]]) -> None:
        """Make rows durable, all or none of them; the tallies say where the streams then stand."""

    def abandon(self) -> None:
        """Forget what a forked process must not touch."""

    def close(self) -> None:
        """Let go of the file."""


class FileTrouble(StoreError):
    """The file as a whole can't be written, whichever the stream."""


class Tap:
    """One producer of one stream's rows, and what became of them."""

    __slots__ = ("chain", "error", "known", "lost", "meta", "pending", "resume", "written")

    def __init__(self, chain: Chain | None = None, *, resume: bool = False) -> None:
        self.chain = chain
        self.resume = resume  # go on with a stream that is there already
        self.known = False  # the stream has been looked up
        self.meta: dict[str, Any] = {}
        self.error: Exception | None = None
        self.pending = 0  # rows taken from the queue, not yet written
        self.written = 0
        self.lost = 0

    def begin(self, seq: int, head: str, store: str) -> None:
        """Its chain goes on from where the stream stands in the store; -1 is a new one.

        Raises:
            StoreError: the stream is there already, and is not to be gone on with.
        """
        assert self.chain is not None
        if seq >= 0 and not self.resume:
            raise taken(self.chain.stream_id, store)
        self.chain.go_on_from(seq, head)

    def fail(self, error: Exception, lost: int) -> None:
        """Nothing more of this producer is written: its chain would have a hole."""
        self.lost += lost
        if self.error is None:
            self.error = error
            log.warning("recording stops: %s", error)


class End:
    """The mark behind a producer's last event."""


END = End()


def push(chain: Chain | None, item: Any, rows: list[Row]) -> None:
    """Append the rows that an event, or END, makes."""
    assert chain is not None
    if item is END:
        chain.finish(rows)
    else:
        assert isinstance(item, ObservabilityEvent)
        chain.push(item, rows)
