"""A store whose streams expire."""

from __future__ import annotations

from collections.abc import Sequence

from l0.events._clock import SYSTEM_CLOCK, Clock
from l0.events._record import Record
from l0.events._sources import get_stream_metadata
from l0.events._store import EventStore, StreamMetadata, check_id, check_limit, is_store

_EVERY = 1000
_MOST = 10_000


class TTLEventStore:
    """Wraps a store: a stream is gone, from every method, `ttl` seconds after its last record.

    `purge` deletes what has expired; it is also called every 1,000 appends.

    Raises:
        TypeError: there is no store to wrap.
        ValueError: `ttl` is not more than 0.

    Example:
        >>> import asyncio
        >>> from l0.events import InMemoryEventStore
        >>> asyncio.run(TTLEventStore(InMemoryEventStore(), ttl=3600).purge())
        0
    """

    def __init__(self, store: EventStore, ttl: float, *, clock: Clock | None = None) -> None:
        if not is_store(store):
            raise TypeError(f"{store!r} is no event store; open_store(url) makes one")
        if not ttl > 0:
            raise ValueError(f"ttl is in seconds, more than 0, not {ttl!r}")
        self.store = store
        self.ttl = ttl
        self._clock = clock or SYSTEM_CLOCK
        self._appends = 0
        self._written: dict[str, float] = {}  # when a stream was last appended to

    def __repr__(self) -> str:
        return f"TTLEventStore({self.store!r}, ttl={self.ttl!r})"

    async def append(self, records: Sequence[Record]) -> None:
        """Keep more records; a stream that has expired can only begin anew.

        Raises:
            StoreError: they don't go on where their streams stand.
            ValueError: a stream id is not `[A-Za-z0-9_-]{1,128}`.
        """
        now = self._clock.time()
        for stream_id in {record.stream_id for record in records}:
            if now - self._written.get(stream_id, -self.ttl) >= self.ttl:
                await self._living(stream_id)
            self._written[stream_id] = now
        if len(self._written) > _MOST:
            self._written.clear()  # they are looked up again
        self._appends += 1
        if self._appends % _EVERY == 0:
            await self.purge()
        await self.store.append(records)

    def take_failures(self, stream_id: str) -> list[tuple[str, Exception, int]]:
        """What the store tells of stores in it that failed, if it is a `CompositeEventStore`."""
        take = getattr(self.store, "take_failures", None)
        return [] if take is None else take(stream_id)

    async def purge(self) -> int:
        """Delete the streams that have expired; gives how many."""
        expired = [m for m in await self.store.list_streams() if self._is_over(m.end_ts)]
        for each in expired:
            await self.store.delete(each.stream_id)
        return len(expired)

    def _is_over(self, end_ts: float) -> bool:
        return self._clock.time() * 1000 - end_ts > self.ttl * 1000

    async def _living(self, stream_id: str) -> StreamMetadata | None:
        """What is known of a stream that has not expired; one that has is deleted."""
        found = await get_stream_metadata(self.store, check_id(stream_id))
        if found is not None and self._is_over(found.end_ts):
            await self.store.delete(stream_id)
            return None
        return found

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there."""
        if await self._living(stream_id) is None:
            return []
        return await self.store.get_events(stream_id, after_seq, to_seq)

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""
        if await self._living(stream_id) is None:
            return None
        return await self.store.get_last_event(stream_id)

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""
        return await self._living(stream_id) is not None

    async def delete(self, stream_id: str) -> bool:
        """Forget a stream; whether it was there."""
        there = await self._living(stream_id) is not None
        return await self.store.delete(stream_id) and there

    async def stream_metadata(self, stream_id: str) -> StreamMetadata | None:
        """What is known of one stream."""
        return await self._living(stream_id)

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first."""
        most = check_limit(limit)
        found = [m for m in await self.store.list_streams() if not self._is_over(m.end_ts)]
        return found[:most]

    async def flush(self) -> None:
        """Flush the store."""
        await self.store.flush()

    async def close(self) -> None:
        """Close the store."""
        await self.store.close()
