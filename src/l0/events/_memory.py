"""Records in memory, for tests, notebooks and whatever is looked at at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from l0.events._compact import expendable
from l0.events._record import Record, Row, Tally, records_of
from l0.events._sink import DirectSink
from l0.events._store import (
    StreamMetadata,
    check_id,
    grouped,
    metadata_of,
    newest_first,
    register_store,
)


class InMemoryEventStore:
    """Keeps records in memory; when there are too many streams the oldest that have ended leave.

    Streams still being written never leave, so there can be more than `max_streams` of them. One
    that has not ended is taken for dead an hour after its last record.

    Raises:
        ValueError: `max_streams` is less than 1.

    Example:
        >>> import asyncio
        >>> asyncio.run(InMemoryEventStore().list_streams())
        []
    """

    def __init__(self, max_streams: int = 1000) -> None:
        if max_streams < 1:
            raise ValueError(f"max_streams is 1 or more, not {max_streams!r}")
        self.max_streams = max_streams
        self._rows: dict[str, list[Row]] = {}
        self._tallies: dict[str, Tally] = {}
        self._sink = DirectSink(self)

    def __repr__(self) -> str:
        return f"InMemoryEventStore(max_streams={self.max_streams})"

    async def append(self, records: Sequence[Record]) -> None:
        """Keep more records; all of them, or none.

        Raises:
            StoreError: they don't go on where their streams stand.
            ValueError: a stream id is not `[A-Za-z0-9_-]{1,128}`.
        """
        self.write(grouped(records))

    def tally(self, stream_id: str) -> Tally:
        """Where a stream stands."""
        return self._tallies.get(stream_id) or Tally(stream_id)

    def write(self, streams: dict[str, list[Row]]) -> None:
        """As `append`, for rows."""
        for stream_id, rows in streams.items():
            self.tally(stream_id).check(rows)
        moved = False  # a stream has begun or ended, without which there is no room to be made
        for stream_id, rows in streams.items():
            tally = self._tallies.get(stream_id)
            if tally is None:
                tally, self._rows[stream_id] = Tally(stream_id), []
                self._tallies[stream_id] = tally
                moved = True
            for row in rows:
                tally.add(row)
            self._rows[stream_id].extend(rows)
            moved = moved or tally.outcome is not None
        if moved and len(self._tallies) > self.max_streams:
            self._make_room()

    def _make_room(self) -> None:
        known = self._tallies.values()
        for stream_id in expendable(known, time.time() * 1000, self.max_streams):
            del self._tallies[stream_id], self._rows[stream_id]

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there."""
        rows = self._rows.get(check_id(stream_id), [])
        meta = next(records_of(rows[:1])).meta if rows else {}
        last = len(rows) if to_seq is None else max(0, to_seq + 1)
        return list(records_of(rows[max(0, after_seq + 1) : last], meta))

    async def stored_rows(self, stream_id: str) -> list[Row]:
        """The rows of a stream exactly as they are kept, for `verify`."""
        return list(self._rows.get(stream_id, ()))

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""
        events = await self.get_events(stream_id, self.tally(stream_id).seq - 1)
        return events[-1] if events else None

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""
        return check_id(stream_id) in self._rows

    async def delete(self, stream_id: str) -> bool:
        """Forget a stream; whether it was there."""
        self._tallies.pop(check_id(stream_id), None)
        return self._rows.pop(stream_id, None) is not None

    async def stream_metadata(self, stream_id: str) -> StreamMetadata | None:
        """What is known of one stream."""
        tally = self._tallies.get(check_id(stream_id))
        return None if tally is None else metadata_of(tally)

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first."""
        return newest_first(map(metadata_of, self._tallies.values()), limit)

    def iter_records(
        self, stream_id: str | None = None, types: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """Records in order of stream and seq, without an event loop."""
        wanted = None if types is None else set(map(str, types))
        ids = sorted(self._rows) if stream_id is None else [check_id(stream_id)]
        for each in ids:
            for record in records_of(list(self._rows.get(each, ()))):
                if wanted is None or record.type in wanted:
                    yield record

    async def flush(self) -> None:
        """Nothing to wait for."""

    async def close(self) -> None:
        """Nothing to let go of; what is kept can still be read."""


register_store("memory", lambda _: InMemoryEventStore())
