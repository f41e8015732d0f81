"""The default store: one SQLite file, written by one thread, safe when the process dies."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar

from l0.errors import StoreError
from l0.events._appends import Appends
from l0.events._record import (
    UNREADABLE,
    Record,
    Row,
    decode_object,
    records_of,
    row_of_values,
)
from l0.events._sqlite_file import open_readonly, trouble
from l0.events._sqlite_shared import acquire, release, select_streams
from l0.events._store import StreamMetadata, check_id, check_limit
from l0.events._writer import PATIENCE

T = TypeVar("T")

_COLUMNS = "stream_id, seq, ts, type, data, meta, prev, hash"


class SQLiteEventStore:
    """Records in a SQLite file (WAL): survives `kill -9`, read and written by several processes.

    `append` costs the event loop a queue put; one thread a file commits groups of records. Several
    processes may write different streams. Stores opened twice on one path in a process share the
    thread, and the options of the first.

    The tables are `records(stream_id, seq, ts, type, data, meta, prev, hash)` and
    `streams(stream_id, event_count, token_count, start_ts, end_ts, outcome)`, times in Unix
    milliseconds, `data` and `meta` JSON; `connect_readonly` gives them to whoever speaks SQL.

    Args:
        path: the file; it is made if it is missing, its directory is not.
        commit_interval: seconds for which a record may wait for others before it is committed,
            which is what a process that is killed loses at most (and the end of a text that may be
            the beginning of a secret).
        commit_records: records that are committed without waiting.
        queue_records: events in the queue from which on producers wait.
        synchronous: "full" also survives the loss of power, at a disk flush a commit.

    Raises:
        StoreError: the file can't be opened; the message says what to do.
        ValueError: an option has a value that makes no sense.

    Example:
        >>> import asyncio, tempfile
        >>> async def main():
        ...     store = SQLiteEventStore(tempfile.mkdtemp() + "/runs.db")
        ...     streams = await store.list_streams()
        ...     await store.close()
        ...     return streams
        >>> asyncio.run(main())
        []
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        commit_interval: float = 0.05,
        commit_records: int = 256,
        queue_records: int = 10_000,
        synchronous: Literal["normal", "full"] = "normal",
    ) -> None:
        if synchronous not in ("normal", "full"):
            raise ValueError(f'synchronous is "normal" or "full", not {synchronous!r}')
        if not commit_interval >= 0:
            raise ValueError(f"commit_interval is in seconds, 0 or more, not {commit_interval!r}")
        if commit_records < 1 or queue_records < 1:
            raise ValueError("commit_records and queue_records count: 1 or more")
        if str(path) in ("", ":memory:"):
            raise ValueError("a SQLite store is a file; use InMemoryEventStore for memory")
        self.path = Path(path)
        options = (commit_interval, commit_records, queue_records, synchronous)
        self._file = acquire(self.path.resolve(), options)
        self._sink = self._file.writer
        self._appends = Appends(self._sink)
        self._closed = False

    def __repr__(self) -> str:
        return f"SQLiteEventStore({str(self.path)!r})"

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
        """Wait until everything appended so far is committed.

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
        return await self._file.run(self._file.delete, stream_id)

    async def compact(
        self,
        max_streams: int | None = None,
        max_age: float | None = None,
        max_bytes: int | None = None,
    ) -> int:
        """Delete the oldest streams until the limits hold, and shrink the file; gives how many.

        `max_age` is in seconds since a stream's last record, `max_bytes` the size of the file.
        Streams still being written are kept: those without an end whose last record is younger
        than an hour.
        """
        self._check_open()
        limits = (max_streams, max_age, max_bytes)
        return await self._file.run(self._file.compact, *limits, time.time() * 1000)

    async def close(self) -> None:
        """Commit everything and let go of the file; closing twice is harmless.

        A store that is not closed commits what it holds when the process ends.
        """
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(release, self._file)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self!r} is closed; open it again to use it")

    # --- reading --------------------------------------------------------------------------------

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there."""
        check_id(stream_id)
        last = 2**62 if to_seq is None else to_seq

        def read(connection: sqlite3.Connection) -> list[Record]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM records WHERE stream_id=? AND seq>? AND seq<=? "  # noqa: S608
                "ORDER BY seq",
                (stream_id, after_seq, last),
            )
            meta = _meta(connection, stream_id) if after_seq >= 0 else None
            return list(records_of(map(_row, rows), meta))

        return await self._read(read)

    async def stored_rows(self, stream_id: str) -> list[Row | bytes]:
        """The rows of a stream exactly as they are in the file, for `verify`; `b""` is none."""
        query = f"SELECT {_COLUMNS} FROM records WHERE stream_id=? ORDER BY seq"  # noqa: S608
        return await self._read(
            lambda c: [row_of_values(r) or b"" for r in c.execute(query, (stream_id,))]
        )

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""
        found = await self.stream_metadata(stream_id)
        if found is None:
            return None
        events = await self.get_events(stream_id, found.event_count - 2)
        return events[-1] if events else None

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""
        return await self.stream_metadata(stream_id) is not None

    async def stream_metadata(self, stream_id: str) -> StreamMetadata | None:
        """What the index says of one stream."""
        check_id(stream_id)
        found = await self._read(lambda c: select_streams(c, "WHERE stream_id=?", (stream_id,)))
        return found[0] if found else None

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first."""
        most = -1 if check_limit(limit) is None else limit
        return await self._read(
            lambda c: select_streams(c, "ORDER BY start_ts DESC, stream_id DESC LIMIT ?", (most,))
        )

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        await self._sink.flush()
        return await asyncio.to_thread(self._file.read, query)

    # --- for those without an event loop ----------------------------------------------------------

    def connect_readonly(self) -> sqlite3.Connection:
        """A connection of your own for SQL, which can't change anything; close it when done.

        It sees everything that was appended before.
        """
        self._check_open()
        self._sink.flush_sync(PATIENCE)
        return open_readonly(self.path)

    def iter_records(
        self, stream_id: str | None = None, types: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """Records in order of stream and seq, read as they are needed, without an event loop.

        Raises:
            StoreError: the file, or a record in it, is damaged.
        """
        wanted = None if types is None else list(types)
        where, values = _where(stream_id, wanted)
        connection = self.connect_readonly()
        try:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM records {where} ORDER BY stream_id, seq",  # noqa: S608
                values,
            )
            known, meta = "", {}
            for each in rows:
                row = _row(each)
                if row.stream_id != known:
                    known, meta = row.stream_id, _meta(connection, row.stream_id)
                yield from records_of([row], meta)
        except sqlite3.Error as error:
            raise StoreError(trouble(self.path, error)) from error
        finally:
            connection.close()


def _where(stream_id: str | None, types: list[str] | None) -> tuple[str, list[Any]]:
    clauses: list[str] = []
    values: list[Any] = []
    if stream_id is not None:
        clauses.append("stream_id=?")
        values.append(check_id(stream_id))
    if types is not None:
        clauses.append(f"type IN ({','.join('?' * len(types))})")
        values.extend(map(str, types))
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), values


def _meta(connection: sqlite3.Connection, stream_id: str) -> dict[str, Any]:
    found = connection.execute(
        "SELECT meta FROM records WHERE stream_id=? AND seq=0", (stream_id,)
    ).fetchone()
    try:
        return decode_object(found[0]) if found and found[0] else {}
    except UNREADABLE as error:
        raise sqlite3.DatabaseError(f"malformed meta of stream {stream_id}: {error}") from error


def _row(values: tuple[Any, ...]) -> Row:
    row = row_of_values(values)
    if row is None:
        raise sqlite3.DatabaseError(f"malformed record {values[1]!r} of stream {values[0]!r}")
    return row
