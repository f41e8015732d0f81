"""What the stores opened on one SQLite file in a process share: the thread and a reader."""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from l0.errors import StoreError
from l0.events._compact import expendable
from l0.events._sqlite_file import SQLiteBackend, abandoned, open_readonly, trouble
from l0.events._store import UNFINISHED, StreamMetadata
from l0.events._writer import PATIENCE, Writer

T = TypeVar("T")

_NAMES = StreamMetadata.__struct_fields__  # the columns of the index are called so, too


class SharedFile:
    """One SQLite file: its writer, its reader, and how many stores use them."""

    def __init__(self, path: Path, options: tuple[float, int, int, str]) -> None:
        self.path = path
        self.users = 0
        interval, group, limit, synchronous = options
        self._backend = SQLiteBackend(path, synchronous)
        name = f"SQLiteEventStore({str(path)!r})"
        self.writer = Writer(self._backend, name, interval=interval, group=group, limit=limit)
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on the shared reader; on any thread, one at a time."""
        with self._reading:
            if self._reader is None:
                self._reader = open_readonly(self.path)
            try:
                return query(self._reader)
            except sqlite3.Error as error:
                raise StoreError(trouble(self.path, error)) from error

    async def run(self, job: Callable[..., T], *args: Any) -> T:
        """Run a job on the writer's thread, behind everything that was put before."""
        try:
            return await self.writer.run(lambda: job(*args))
        except sqlite3.Error as error:
            raise StoreError(trouble(self.path, error)) from error

    def delete(self, stream_id: str) -> bool:
        """Forget a stream; on the writer's thread."""
        self.writer.forget(stream_id)
        return self._backend.delete(stream_id)

    def compact(
        self,
        max_streams: int | None,
        max_age: float | None,
        max_bytes: int | None,
        now: float,
    ) -> int:
        """Delete the oldest streams until the limits hold; on the writer's thread."""
        backend = self._backend
        streams = select_streams(backend.connection, "")

        def is_too_big() -> bool:
            return max_bytes is not None and backend.size() > max_bytes

        deleted = 0
        for stream_id in expendable(streams, now, max_streams, max_age, is_too_big):
            self.delete(stream_id)
            deleted += 1
        backend.shrink()
        return deleted

    def close(self) -> None:
        """Write everything and close the file; waits for it."""
        self.close_reader()
        self.writer.close(PATIENCE)

    def close_reader(self) -> None:
        """Close the reader; it is opened again when it is needed."""
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def after_fork(self) -> None:
        """The reader belongs to the parent; closing it here would harm it."""
        if self._reader is not None:
            abandoned.append(self._reader)
            self._reader = None
        self._reading = threading.Lock()


def select_streams(
    connection: sqlite3.Connection, rest: str, values: tuple[Any, ...] = ()
) -> list[StreamMetadata]:
    """Entries of the index; `rest` of the statement is ours."""
    rows = connection.execute(f"SELECT {', '.join(_NAMES)} FROM streams {rest}", values).fetchall()  # noqa: S608
    try:
        return _index(rows)
    except msgspec.ValidationError as error:
        raise sqlite3.DatabaseError(f"malformed index: {error}") from error


def _index(rows: list[tuple[Any, ...]]) -> list[StreamMetadata]:
    full = ((*row[:5], row[5] or UNFINISHED) for row in rows)
    named = [dict(zip(_NAMES, row, strict=True)) for row in full]
    return msgspec.convert(named, list[StreamMetadata])


_files: dict[Path, SharedFile] = {}
_opening = threading.Lock()


def acquire(path: Path, options: tuple[float, int, int, str]) -> SharedFile:
    """The shared file of a resolved path, opened with these options if it isn't open."""
    with _opening:
        file = _files.get(path)
        if file is None:
            file = _files[path] = SharedFile(path, options)
        file.users += 1
        return file


def is_open(path: Path) -> bool:
    """Whether a store of this process is open on a resolved path."""
    return path in _files


def release(file: SharedFile) -> None:
    """One user less; the last one closes the file, which may take a moment."""
    with _opening:
        file.users -= 1
        if file.users:
            return
        _files.pop(file.path, None)
    file.close()


def _at_exit() -> None:
    for file in list(_files.values()):
        file.close_reader()  # its writer is closed by its own hook


def _after_fork() -> None:
    global _opening  # noqa: PLW0603  another thread of the parent may have held it
    _opening = threading.Lock()
    for file in list(_files.values()):
        file.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
