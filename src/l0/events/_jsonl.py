"""A directory of JSONL files, one a stream: the form that every other tool can read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from l0.errors import StoreError
from l0.events._appends import Appends
from l0.events._compact import expendable
from l0.events._jsonl_file import JsonlFile, read_lines, read_rows
from l0.events._jsonl_files import JsonlFiles
from l0.events._record import Record, records_of
from l0.events._store import (
    StreamMetadata,
    check_id,
    metadata_of,
    newest_first,
    path_of,
    register_store,
)
from l0.events._writer import PATIENCE, Writer

T = TypeVar("T")


class JsonlEventStore:
    """Records as files of JSON lines, `<directory>/<stream_id>.jsonl`, one append a group.

    A torn last line, as a crash may leave it, is ignored when reading and cut off before the next
    append. One process may write a stream at a time.

    Args:
        directory: where the files are; it is made if its parent is there.
        fsync: when written data is forced to the disk: "never" (the system sees to it, a killed
            process loses nothing that was written), at each "commit", or at "close".
        commit_interval: seconds for which a record may wait for others before it is written.
        queue_records: events in the queue from which on producers wait.

    Raises:
        StoreError: the directory can't be used; the message says what to do.
        ValueError: an option has a value that makes no sense.

    Example:
        >>> import asyncio, tempfile
        >>> async def main():
        ...     store = JsonlEventStore(tempfile.mkdtemp())
        ...     streams = await store.list_streams()
        ...     await store.close()
        ...     return streams
        >>> asyncio.run(main())
        []
    """

    def __init__(
        self,
        directory: str | PathLike[str],
        *,
        fsync: Literal["never", "commit", "close"] = "never",
        commit_interval: float = 0.05,
        queue_records: int = 10_000,
    ) -> None:
        if fsync not in ("never", "commit", "close"):
            raise ValueError(f'fsync is "never", "commit" or "close", not {fsync!r}')
        if not commit_interval >= 0 or queue_records < 1:
            raise ValueError("commit_interval is in seconds, 0 or more; queue_records 1 or more")
        self.directory = Path(directory)
        self._files = JsonlFiles(self.directory, fsync)
        self._files.open()
        self._sink = Writer(
            self._files, repr(self), interval=commit_interval, group=256, limit=queue_records
        )
        self._appends = Appends(self._sink)
        self._closed = False

    def __repr__(self) -> str:
        return f"JsonlEventStore({str(self.directory)!r})"

    # --- writing --------------------------------------------------------------------------------

    async def append(self, records: Sequence[Record]) -> None:
        """Queue more records; waits only while the queue is full.

        Raises:
            StoreError: the store is closed, or earlier records of one of the streams could not be
                written. What goes wrong with these records is raised by `flush` or the next call.
            ValueError: a stream id is not `[A-Za-z0-9_-]{1,128}`.
        """
        self._check_open()
        await self._appends.put(records)

    async def flush(self) -> None:
        """Wait until everything appended so far is written.

        Raises:
            StoreError: some of it could not be.
        """
        self._check_open()
        await self._appends.flush()

    async def delete(self, stream_id: str) -> bool:
        """Forget a stream; whether it was there."""
        check_id(stream_id)
        self._check_open()
        self._appends.forget(stream_id)
        return await self._sink.run(lambda: self._delete(stream_id))

    def _delete(self, stream_id: str) -> bool:
        self._sink.forget(stream_id)
        return self._files.delete(stream_id)

    async def compact(
        self,
        max_streams: int | None = None,
        max_age: float | None = None,
        max_bytes: int | None = None,
    ) -> int:
        """Delete the oldest streams until the limits hold; gives how many.

        `max_age` is in seconds since a stream's last record, `max_bytes` the size of all files.
        Streams still being written are kept: those without an end whose last record is younger
        than an hour.
        """
        self._check_open()
        found = await self.list_streams()
        sizes = {each.stream_id: self._files.size(each.stream_id) for each in found}
        size, deleted = sum(sizes.values()), 0

        def is_too_big() -> bool:
            return max_bytes is not None and size > max_bytes

        for stream_id in expendable(found, time.time() * 1000, max_streams, max_age, is_too_big):
            await self.delete(stream_id)
            size, deleted = size - sizes[stream_id], deleted + 1
        return deleted

    async def close(self) -> None:
        """Write everything and close the files; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._sink.close, PATIENCE)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self!r} is closed; open it again to use it")

    # --- reading --------------------------------------------------------------------------------

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there.

        Raises:
            StoreError: a line is damaged.
        """
        found = await self._read(lambda: list(self._records(stream_id)), stream_id)
        last = len(found) if to_seq is None else to_seq
        return [record for record in found if after_seq < record.seq <= last]

    async def stored_rows(self, stream_id: str) -> list[bytes]:
        """The lines of a stream as they stand, for `verify`."""
        path = self._files.path(stream_id)
        lines = await self._read(lambda: list(read_lines(path)) if path.exists() else [], stream_id)
        return cast("list[bytes]", lines)

    def stored_files(self) -> list[Path]:
        """The files of all streams, by stream id; what was appended before is in them."""
        self._check_open()
        self._sink.flush_sync(PATIENCE)
        return [self._files.path(stream_id) for stream_id in self._files.ids()]

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""
        events = await self.get_events(stream_id)
        return events[-1] if events else None

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""
        return bool(await self._read(lambda: self._files.has(stream_id), stream_id))

    async def stream_metadata(self, stream_id: str) -> StreamMetadata | None:
        """What a stream's file says of it, which is read as a whole."""
        tally = await self._read(lambda: self._files.tally(stream_id), stream_id)
        return None if tally is None else metadata_of(tally)

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first; reads every file."""
        tallies = await self._read(lambda: list(self._files.tallies()))
        return newest_first(map(metadata_of, tallies), limit)

    async def _read(self, query: Any, stream_id: str | None = None) -> Any:
        if stream_id is not None:
            check_id(stream_id)
        self._check_open()
        await self._sink.flush()
        return await asyncio.to_thread(query)

    def _records(self, stream_id: str) -> Iterator[Record]:
        path = self._files.path(stream_id)
        return records_of(read_rows(path)) if path.exists() else iter(())

    def iter_records(
        self, stream_id: str | None = None, types: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """Records in order of stream and seq, read as they are needed, without an event loop."""
        self._check_open()
        self._sink.flush_sync(PATIENCE)
        wanted = None if types is None else set(map(str, types))
        ids = self._files.ids() if stream_id is None else [check_id(stream_id)]
        for each in ids:
            for record in self._records(each):
                if wanted is None or record.type in wanted:
                    yield record


def _reader(url: str) -> JsonlEventStore | JsonlFile:
    """The store of a directory or file that is there: reading makes none."""
    path = Path(path_of(url))
    if path.is_file():
        return JsonlFile(path)
    if not path.is_dir():
        raise StoreError(f"there is no directory or file {path}; check the path")
    return JsonlEventStore(path)


register_store("jsonl", lambda url: JsonlEventStore(path_of(url)), reader=_reader)
