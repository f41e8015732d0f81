"""A SQLite file of records opened for reading only: nothing is locked, made or changed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from l0.errors import StoreError
from l0.events._read_only import ReadOnly
from l0.events._sqlite import SQLiteEventStore
from l0.events._sqlite_file import open_readonly, trouble
from l0.events._sqlite_shared import is_open
from l0.events._store import path_of, register_store

T = TypeVar("T")


class SQLiteReader(ReadOnly, SQLiteEventStore):
    """The reading half of `SQLiteEventStore`: for logs that others write, or that must not change.

    It sees what other processes have committed at the time of each read. A file whose directory
    can't be written is read all the same.

    Raises:
        StoreError: there is no such file, or it holds no event log.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._reading = threading.Lock()
        self._closed = False
        self._seen = self._stamp()
        self._connection = open_readonly(self.path, alone=not self._seen[0])

    def __repr__(self) -> str:
        return f"SQLiteReader({str(self.path)!r})"

    async def flush(self) -> None:
        """Nothing is waiting to be written."""
        self._check_open()

    async def close(self) -> None:
        """Let go of the file; closing twice is harmless."""
        with self._reading:
            self._closed = True
            self._connection.close()

    def connect_readonly(self) -> sqlite3.Connection:
        """A connection of your own for SQL, which can't change anything; close it when done."""
        self._check_open()
        return open_readonly(self.path, alone=not self._stamp()[0])

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        return await asyncio.to_thread(self._query, query)

    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading:
            while True:
                stamp = self._stamp()
                if stamp != self._seen:
                    self._connection.close()
                    self._connection = open_readonly(self.path, alone=not stamp[0])
                    self._seen = stamp
                failure: sqlite3.Error | None = None
                try:
                    found = query(self._connection)
                except sqlite3.Error as error:
                    failure = error
                if stamp[0] or stamp == self._stamp():  # else somebody began to write meanwhile
                    break
            if failure is not None:
                raise StoreError(trouble(self.path, failure)) from failure
            return found

    def _stamp(self) -> tuple[bool, int, int]:
        """Whether anybody has the file open, and what it was like."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise StoreError(f"can't read {self.path}: {error.strerror}; check the path") from error
        return Path(f"{self.path}-wal").exists(), stat.st_mtime_ns, stat.st_size

    def _instead(self) -> str:
        return f"{self.path} is opened for reading only; use SQLiteEventStore to write to it"


def _reader(url: str) -> Any:
    path = Path(path_of(url))
    if is_open(path.resolve()):  # for writing, in this process: what is queued is to be seen too
        return SQLiteEventStore(path)
    return SQLiteReader(path)


register_store("sqlite", lambda url: SQLiteEventStore(path_of(url)), reader=_reader)
