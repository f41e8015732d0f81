"""Several stores written as one: a primary that is read, and others that are kept in step."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from l0.errors import CompositeStoreError, StoreError
from l0.events._record import Record
from l0.events._sources import get_stream_metadata
from l0.events._store import EventStore, StreamMetadata, check_id, check_limit, is_store

log = logging.getLogger("l0")

_MOST = 1000  # streams whose failures nobody asked for


class CompositeEventStore:
    """Writes to all of its stores and reads from the primary.

    A secondary store that fails, or does not answer within `timeout` seconds, gets nothing more of
    that stream, whose chain would have a hole there; the run's recorder tells of it by STORE_ERROR.
    A failure of the primary is an error.

    Raises:
        TypeError: one of the stores is none.
        ValueError: there is no store, or none with that index.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> CompositeEventStore([InMemoryEventStore(), InMemoryEventStore()]).primary
        InMemoryEventStore(max_streams=1000)
    """

    def __init__(
        self, stores: Sequence[EventStore], primary_index: int = 0, *, timeout: float = 5.0
    ) -> None:
        self.stores = tuple(stores)
        for store in self.stores:
            if not is_store(store):
                raise TypeError(f"{store!r} is no event store; open_store(url) makes one")
        if not 0 <= primary_index < len(self.stores):
            raise ValueError(
                f"primary_index {primary_index} is none of the {len(self.stores)} stores"
            )
        self.primary_index = primary_index
        self.timeout = timeout
        self._left_out: dict[str, dict[int, Exception]] = {}  # by stream: who failed, and why
        self._lost: dict[str, dict[int, int]] = {}

    def __repr__(self) -> str:
        return f"CompositeEventStore({list(self.stores)!r}, primary_index={self.primary_index})"

    @property
    def primary(self) -> EventStore:
        """The store that is read."""
        return self.stores[self.primary_index]

    async def append(self, records: Sequence[Record]) -> None:
        """Keep more records, in every store that has not failed for their stream.

        Raises:
            CompositeStoreError: the primary failed.
            ValueError: a stream id is not `[A-Za-z0-9_-]{1,128}`.
        """
        streams: dict[str, list[Record]] = {}
        for record in records:
            streams.setdefault(check_id(record.stream_id), []).append(record)
        for stream_id, each in streams.items():
            await self._append(stream_id, each)

    async def _append(self, stream_id: str, records: list[Record]) -> None:
        out = self._left_out.get(stream_id, {})
        for index in out:
            self._lost[stream_id][index] += len(records)
        asked = [i for i in range(len(self.stores)) if i not in out]
        failed = await self._ask(asked, lambda store: store.append(records))
        self._raise_for_primary(asked, failed)
        for index, error in failed.items():
            self._leave_out(stream_id, index, error, len(records))

    def _leave_out(self, stream_id: str, index: int, error: Exception, lost: int) -> None:
        log.warning("%r gets nothing more of stream %s: %s", self.stores[index], stream_id, error)
        while len(self._left_out) >= _MOST:
            self.take_failures(next(iter(self._left_out)))
        self._left_out.setdefault(stream_id, {})[index] = error
        self._lost.setdefault(stream_id, {})[index] = lost

    def take_failures(self, stream_id: str) -> list[tuple[str, Exception, int]]:
        """Name, error and lost records of each secondary that failed for a stream, told once."""
        lost = self._lost.pop(stream_id, {})
        errors = self._left_out.pop(stream_id, {})
        return [
            (type(self.stores[i]).__name__, error, lost.get(i, 0)) for i, error in errors.items()
        ]

    async def flush(self) -> None:
        """Flush every store.

        Raises:
            CompositeStoreError: the primary failed.
        """
        await self._ask_all(lambda store: store.flush())

    async def close(self) -> None:
        """Close every store.

        Raises:
            CompositeStoreError: the primary failed.
        """
        await self._ask_all(lambda store: store.close())

    async def delete(self, stream_id: str) -> bool:
        """Forget a stream in every store; whether it was in the primary."""
        there = await self.primary.exists(stream_id)
        await self._ask_all(lambda store: store.delete(stream_id))
        self.take_failures(stream_id)
        return there

    async def _ask_all(self, question: Any) -> None:
        asked = list(range(len(self.stores)))
        failed = await self._ask(asked, question)
        for index, error in failed.items():
            if index != self.primary_index:
                log.warning("%r failed: %s", self.stores[index], error)
        self._raise_for_primary(asked, failed)

    async def _ask(self, asked: list[int], question: Any) -> dict[int, Exception]:
        """Ask stores at the same time; gives who failed, and why."""

        async def ask(index: int) -> None:
            answer = question(self.stores[index])
            if index == self.primary_index:
                await answer  # whoever waits for the primary has a limit of their own
                return
            try:
                await asyncio.wait_for(answer, self.timeout)
            except TimeoutError:
                raise StoreError(
                    f"{self.stores[index]!r} did not answer within {self.timeout:g} s"
                ) from None

        results = await asyncio.gather(*map(ask, asked), return_exceptions=True)
        failed: dict[int, Exception] = {}
        for index, result in zip(asked, results, strict=True):
            if isinstance(result, Exception):
                failed[index] = result
            elif result is not None:
                raise result
        return failed

    def _raise_for_primary(self, asked: list[int], failed: dict[int, Exception]) -> None:
        error = failed.get(self.primary_index)
        if error is not None:
            names = [repr(store) for store in self.stores]
            raise CompositeStoreError(
                f"the primary store {names[self.primary_index]} failed: {error}",
                succeeded=[names[i] for i in asked if i not in failed],
                failed=[names[i] for i in failed],
                errors=list(failed.values()),
            ) from error

    # --- reading: the primary -----------------------------------------------------------------

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there."""
        return await self.primary.get_events(stream_id, after_seq, to_seq)

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""
        return await self.primary.get_last_event(stream_id)

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""
        return await self.primary.exists(stream_id)

    async def stream_metadata(self, stream_id: str) -> StreamMetadata | None:
        """What is known of one stream."""
        return await get_stream_metadata(self.primary, stream_id)

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first."""
        return await self.primary.list_streams(check_limit(limit))
