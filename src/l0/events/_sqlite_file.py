"""One SQLite file of records: its schema, what writes it, what reads it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from os import fsencode
from pathlib import Path
from urllib.parse import quote

from l0.errors import StoreError
from l0.events._record import Row, Tally
from l0.events._tap import FileTrouble

FORMAT = 1
BUSY_SECONDS = 5.0
_PATIENCE = 30.0  # seconds in which another process may hold the file before records are given up
_ROWS = 120  # a statement; with 8 values each below the 999 of old SQLite

_SCHEMA = """
CREATE TABLE records (
    stream_id TEXT NOT NULL, seq INTEGER NOT NULL, ts REAL NOT NULL, type TEXT NOT NULL,
    data TEXT NOT NULL, meta TEXT, prev TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (stream_id, seq)
) WITHOUT ROWID;
CREATE TABLE streams (
    stream_id TEXT NOT NULL PRIMARY KEY, event_count INTEGER NOT NULL,
    token_count INTEGER NOT NULL, start_ts REAL NOT NULL, end_ts REAL NOT NULL, outcome TEXT
) WITHOUT ROWID;
CREATE INDEX streams_by_start ON streams (start_ts);
"""
_INSERT = "INSERT INTO records VALUES (?,?,?,?,?,?,?,?)"
_INSERT_MANY = _INSERT + ",(?,?,?,?,?,?,?,?)" * (_ROWS - 1)
_STREAM = "INSERT OR REPLACE INTO streams VALUES (?,?,?,?,?,?)"
_META = "SELECT * FROM streams"

abandoned: list[sqlite3.Connection] = []
"""Connections of the process this one was forked from: closing them here would harm it."""


class SQLiteBackend:
    """Writes rows to a SQLite file, in the WAL mode that survives the death of the process."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._path = path
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        self.open()

    def open(self) -> None:
        """Open the file, making it if it is not there.

        Raises:
            StoreError: it can't be opened; the message says what to do.
        """
        self._connection = open_file(self._path)
        self._connection.execute(f"PRAGMA synchronous={self._synchronous}")

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of the writer's thread."""
        if self._connection is None:
            self.open()
        assert self._connection is not None
        return self._connection

    def tally(self, stream_id: str) -> Tally | None:
        """Where a stream stands."""
        try:
            found = self.connection.execute(f"{_META} WHERE stream_id=?", (stream_id,)).fetchone()
            if found is None:
                return None
            head = self.connection.execute(
                "SELECT seq, hash FROM records WHERE stream_id=? ORDER BY seq DESC LIMIT 1",
                (stream_id,),
            ).fetchone()
        except sqlite3.Error as error:
            raise StoreError(trouble(self._path, error)) from error
        if head is None:  # a damaged file: the index has a stream without records
            return None
        tally = Tally(stream_id)
        _, _, tally.tokens, tally.start_ts, tally.end_ts, tally.outcome = found
        tally.seq, tally.hash = head
        return tally

    def write(self, streams: list[tuple[Tally, list[Row]]]) -> None:
        """All rows in one transaction."""
        rows = [row for _, each in streams for row in each]
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                connection = self.connection
                with transaction(connection):
                    _insert(connection, rows)
                    connection.executemany(_STREAM, [_index_row(tally) for tally, _ in streams])
                return
            except sqlite3.IntegrityError as error:
                raise StoreError(
                    f"{self._path} has other records of stream {rows[0].stream_id} already: does "
                    "another process write the same stream? Give each run its own stream_id"
                ) from error
            except sqlite3.DataError as error:  # a record too large for SQLite: its stream's alone
                raise StoreError(trouble(self._path, error)) from error
            except sqlite3.Error as error:
                if not _is_busy(error) or time.monotonic() > give_up:
                    raise FileTrouble(trouble(self._path, error)) from error

    def delete(self, stream_id: str) -> bool:
        """Forget a stream."""
        connection = self.connection
        with transaction(connection):
            connection.execute("DELETE FROM records WHERE stream_id=?", (stream_id,))
            gone = connection.execute("DELETE FROM streams WHERE stream_id=?", (stream_id,))
        return gone.rowcount > 0

    def size(self) -> int:
        """Bytes of the file that are in use."""
        connection = self.connection
        pages, free, page = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page)

    def shrink(self) -> None:
        """Give free pages back to the file system."""
        # `execute` would free one page only: the statement gives no rows to fetch.
        self.connection.executescript("PRAGMA incremental_vacuum")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def abandon(self) -> None:
        """After a fork the connection belongs to the parent."""
        if self._connection is not None:
            abandoned.append(self._connection)
            self._connection = None

    def close(self) -> None:
        """Close the file; the last connection folds the WAL into it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def open_file(path: Path) -> sqlite3.Connection:
    """A connection for writing; the file and its tables are made where they are missing.

    Raises:
        StoreError: it can't be opened; the message says what to do.
    """
    if not path.parent.is_dir():
        raise StoreError(
            f"the directory {path.parent} does not exist; create it first. (In a URL, "
            '"sqlite:///runs.db" is a relative path, "sqlite:////var/runs.db" an absolute one.)'
        )
    if path.is_dir():
        raise StoreError(f"{path} is a directory; give the path of a file in it")
    with connecting(path) as connection:
        _check_format(path, connection)
        _set_up(path, connection)
    return connection


def open_readonly(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    """A connection that can't change anything.

    `alone` says that nobody has the file open, so that not even SQLite's own files are made beside
    it; it must not change then while it is read.

    Raises:
        StoreError: it can't be opened; the message says what to do.
    """
    if not path.is_file():
        raise StoreError(f"there is no file {path}; check the path")
    # The second way is also for media where no WAL index can be made.
    for mode in ("ro", "ro&immutable=1")[alone:]:
        try:
            with connecting(path, f"?mode={mode}") as connection:
                if not _check_format(path, connection):
                    raise StoreError(f"{path} holds no event log")
        except StoreError as error:
            if mode != "ro" or "unable to open" not in str(error.__cause__):
                raise
        else:
            return connection
    raise AssertionError


@contextlib.contextmanager
def connecting(
    path: Path, parameters: str = "", *, busy: float | None = None
) -> Iterator[sqlite3.Connection]:
    """A connection to be made ready in the `with`; it stays open, unless that fails.

    `parameters` are those of SQLite's URLs, `busy` the seconds for which other processes are waited
    for, 5 unless told otherwise.

    Raises:
        StoreError: SQLite refuses; the message says what to do.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            f"file:{quote(fsencode(path))}{parameters}" if parameters else path,
            uri=bool(parameters),
            timeout=BUSY_SECONDS if busy is None else busy,
            isolation_level=None,
            check_same_thread=False,
        )
        yield connection
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(trouble(path, error)) from error
        raise


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that is rolled back if anything goes wrong."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the first failure is the one to tell
            connection.execute("ROLLBACK")
        raise


def _check_format(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether the file has our tables; raises if it has somebody else's, or those to come."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == FORMAT:
        return True
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {version}, this version of l0 reads {FORMAT}; update l0, or give "
            "another path"
        )
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables:
        raise StoreError(f"{path} is another program's database; give another path")
    return False


def _set_up(path: Path, connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    in_wal_mode(connection)
    with transaction(connection):
        if not _check_format(path, connection):  # another process may have made them just now
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={FORMAT}")


def in_wal_mode(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite doesn't wait for other processes here, so this does."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
    # One statement for many rows: each takes and gives back the interpreter lock.
    for at in range(0, len(rows), _ROWS):
        part = rows[at : at + _ROWS]
        if len(part) == _ROWS:
            connection.execute(_INSERT_MANY, [value for row in part for value in row])
        else:
            statement = _INSERT + ",(?,?,?,?,?,?,?,?)" * (len(part) - 1)
            connection.execute(statement, [value for row in part for value in row])


def _index_row(tally: Tally) -> tuple[object, ...]:
    id_, start, end = tally.stream_id, tally.start_ts, tally.end_ts
    return (id_, tally.seq + 1, tally.tokens, start, end, tally.outcome)


def trouble(path: Path, error: sqlite3.Error) -> str:
    """What went wrong with a file, and what to do."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return f"{path} is no SQLite database, or a damaged one ({text}); give another path"
    if "readonly" in text:
        return f"{path} can't be written ({text}); check the permissions of file and directory"
    if "full" in text:
        return f"no space is left for {path} ({text}); free some, or give another path"
    if _is_busy(error):
        return f"another process holds {path} ({text}); end it, or give another path"
    return f"can't use {path} ({text}); check the path and its permissions"
