"""Which streams may go where a store is to hold fewer, younger or smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from l0.events._record import Tally
from l0.events._store import UNFINISHED, StreamMetadata

_OPEN = (None, UNFINISHED)
_IDLE_MS = 3_600_000.0  # a stream that has not ended is taken for dead after an hour


def expendable(
    streams: Collection[StreamMetadata | Tally],
    now: float,
    max_streams: int | None = None,
    max_age: float | None = None,
    is_too_big: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """The streams to delete, one after another, the oldest first, until the limits hold.

    Each counts as deleted when the next is asked for. `now` is Unix milliseconds, `max_age` seconds
    since a stream's last record. Streams still being written are never among them.
    """
    count, dead = len(streams), now - _IDLE_MS
    over = [each for each in streams if each.outcome not in _OPEN or each.end_ts < dead]
    for each in sorted(over, key=_by_end):
        too_old = max_age is not None and now - each.end_ts > max_age * 1000
        too_many = max_streams is not None and count > max_streams
        if too_old or too_many or (is_too_big is not None and is_too_big()):
            yield each.stream_id
            count -= 1


def _by_end(stream: StreamMetadata | Tally) -> tuple[float, str]:
    return stream.end_ts, stream.stream_id
