"""The SQLite table that finished rows are kept in: one row a key, claimed before it is asked."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from l0.compose._executor import RowOutcome
from l0.errors import StoreError
from l0.events import Usage
from l0.events._sqlite_file import connecting, in_wal_mode, transaction

LEASE_SECONDS = 60.0
BUSY_SECONDS = 30.0
_FORMAT = 1
_APPLICATION = 0x4C304D50  # "L0MP", so that no other program's database is taken for ours
_CHUNK = 500  # keys a statement

_SCHEMA = """
CREATE TABLE rows (
    key TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL, owner TEXT NOT NULL, lease REAL,
    text TEXT, json TEXT, error TEXT, error_type TEXT, attempts INTEGER,
    input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER,
    cached_input_tokens INTEGER, reasoning_tokens INTEGER, requests INTEGER,
    cost REAL, model TEXT, finish_reason TEXT, started REAL, ended REAL
);
CREATE INDEX rows_running ON rows (owner) WHERE status = 'running';
"""
_COLUMNS = (
    *("status", "owner", "text", "json", "error", "error_type", "attempts", "input_tokens"),
    *("output_tokens", "total_tokens", "cached_input_tokens", "reasoning_tokens", "requests"),
    *("cost", "model", "finish_reason", "started", "ended"),
)
_SELECT = f"SELECT key, {', '.join(_COLUMNS)} FROM rows"  # noqa: S608  our own names
_PUT = (
    f"INSERT OR REPLACE INTO rows (key, {', '.join(_COLUMNS)}) "  # noqa: S608  our own names
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
)

Kept = tuple[RowOutcome, float | None, str]
"""An outcome, its cost, and the owner who put it there."""


def new_owner(map_id: str) -> str:
    """Who claims rows: a process of a machine, and its map."""
    return f"{socket.gethostname()}:{os.getpid()}:{map_id}"


def open_table(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is made if it is missing.

    Raises:
        StoreError: it can't be opened or is something else; the message says what to do.
    """
    with connecting(path, busy=BUSY_SECONDS) as connection:
        in_wal_mode(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        with transaction(connection):
            _set_up(path, connection)
    return connection


def _set_up(path: Path, connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _FORMAT:
            raise StoreError(
                f"{path} has format {version}, this version of l0 reads {_FORMAT}; give another "
                "path, or update l0"
            )
        return
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreError(f"{path} is another program's database; give another path")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={_APPLICATION}")
    connection.execute(f"PRAGMA user_version={_FORMAT}")


def find(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Kept]:
    """What is kept under these keys: rows that are done, or failed."""
    wanted, found = list(keys), {}
    for at in range(0, len(wanted), _CHUNK):
        part = wanted[at : at + _CHUNK]
        marks = ", ".join("?" * len(part))
        rows = connection.execute(f"{_SELECT} WHERE key IN ({marks})", part)
        found.update({row[0]: _kept(row) for row in rows if row[1] != "running"})
    return found


def claim(connection: sqlite3.Connection, key: str, owner: str) -> Kept | bool:
    """What is kept under the key; or True: it is claimed for this owner; False: another has it.

    A row that failed for another owner is claimed to be tried again.
    """
    row = connection.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
    if row is not None and row[1] == "ok":
        return _kept(row)
    with transaction(connection):
        row = connection.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        if row is not None:
            status, whose = row[1], row[2]
            if status == "ok" or (status == "failed" and whose == owner):
                return _kept(row)
            if status == "running" and whose != owner and _alive(connection, key, whose):
                return False
        connection.execute(
            "INSERT OR REPLACE INTO rows (key, status, owner, lease) VALUES (?, 'running', ?, ?)",
            (key, owner, time.time() + LEASE_SECONDS),
        )
    return True


def _alive(connection: sqlite3.Connection, key: str, owner: str) -> bool:
    """Whether who claimed a row still works on it."""
    lease = connection.execute("SELECT lease FROM rows WHERE key = ?", (key,)).fetchone()[0]
    if lease is None or lease < time.time():
        return False
    host, pid, map_id = owner.split(":", 2)
    if host != socket.gethostname():
        return True
    if int(pid) == os.getpid():
        return map_id in alive_here
    if os.name == "nt":  # there, asking a process with a signal would reach it
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, so it is there
        return True
    return True


alive_here: set[str] = set()
"""The maps of this process that hold claims."""


def put(
    connection: sqlite3.Connection, key: str, owner: str, outcome: RowOutcome, cost: float | None
) -> None:
    """Commit what came of a row."""
    usage = outcome.usage
    values = (
        *(key, outcome.status, owner, outcome.text, outcome.json, outcome.error),
        *(outcome.error_type, outcome.attempts, usage.input_tokens, usage.output_tokens),
        *(usage.total_tokens, usage.cached_input_tokens, usage.reasoning_tokens, usage.requests),
        *(cost, outcome.model, outcome.finish_reason, outcome.started, outcome.ended),
    )
    with transaction(connection):
        connection.execute(_PUT, values)


def renew(connection: sqlite3.Connection, owner: str) -> None:
    """The owner is still at work."""
    connection.execute(
        "UPDATE rows SET lease = ? WHERE owner = ? AND status = 'running'",
        (time.time() + LEASE_SECONDS, owner),
    )


def release(connection: sqlite3.Connection, owner: str, key: str | None = None) -> None:
    """Let go of a claim, or of all of an owner's."""
    statement = "DELETE FROM rows WHERE status = 'running' AND owner = ?"
    if key is None:
        connection.execute(statement, (owner,))
    else:
        connection.execute(f"{statement} AND key = ?", (owner, key))


def _kept(row: tuple[object, ...]) -> Kept:
    (_, status, owner, text, json, error, error_type, attempts, *counts) = row
    *tokens, cost, model, finish_reason, started, ended = counts
    outcome = RowOutcome(
        status=status,  # type: ignore[arg-type]  # the table's own types, here and below
        text=text,  # type: ignore[arg-type]
        json=json,  # type: ignore[arg-type]
        error=error,  # type: ignore[arg-type]
        error_type=error_type,  # type: ignore[arg-type]
        attempts=attempts or 0,  # type: ignore[arg-type]
        usage=Usage(*(count or 0 for count in tokens)),  # type: ignore[arg-type]
        model=model,  # type: ignore[arg-type]
        finish_reason=finish_reason,  # type: ignore[arg-type]
        started=started,  # type: ignore[arg-type]
        ended=ended,  # type: ignore[arg-type]
    )
    return outcome, cost, owner  # type: ignore[return-value]
