"""Records that are appended by hand: on their way to a store's thread, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence

from l0.events._record import Record
from l0.events._store import grouped
from l0.events._tap import Tap
from l0.events._writer import PATIENCE, Writer

_TAPS = 1000


class Appends:
    """What `append` and `flush` of a store with a thread do."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._taps: dict[str, Tap] = {}  # of the streams appended to since the last flush

    async def put(self, records: Sequence[Record]) -> None:
        """Queue records; waits only while the queue is full.

        Raises:
            StoreError: earlier records of one of the streams could not be written.
            ValueError: a stream id is none.
        """
        streams = grouped(records)
        for stream_id in streams:
            tap = self._taps.get(stream_id)
            if tap is not None and tap.error is not None:
                del self._taps[stream_id]
                raise tap.error
        for stream_id, rows in streams.items():
            self._writer.put(self._taps.setdefault(stream_id, Tap()), rows)
        if self._writer.full:
            await self._writer.room(PATIENCE)
        if len(self._taps) > _TAPS:
            await self.flush()

    async def flush(self) -> None:
        """Wait until everything appended so far is written.

        Raises:
            StoreError: some of it could not be.
        """
        taps, self._taps = self._taps, {}
        await self._writer.flush()
        for tap in taps.values():
            if tap.error is not None:
                raise tap.error

    def forget(self, stream_id: str) -> None:
        """A stream is deleted, and what went wrong with it."""
        self._taps.pop(stream_id, None)
