"""Where finished rows are kept: a SQLite file by default, or memory."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar

from l0.compose import _map_table as table
from l0.compose._executor import RowOutcome
from l0.compose._map_table import Kept
from l0.errors import StoreError
from l0.events._sqlite_file import trouble

T = TypeVar("T")

DEFAULT_PATH = Path(".l0") / "map.db"
_RENEW_SECONDS = 15.0
_CLOSE_SECONDS = 60.0


class Results(Protocol):
    """What a map keeps its rows in."""

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""

    async def claim(self, key: str) -> Kept | bool:
        """What is kept; True: the row is ours to ask; False: another process asks it now."""

    async def find(self, key: str) -> Kept | None:
        """What is kept; nothing is claimed."""

    async def put(self, key: str, outcome: RowOutcome, cost: float | None) -> None:
        """Keep what came of a row; it is safe when this returns."""

    async def release(self, key: str) -> None:
        """The row is not asked after all."""

    def read(self, keys: Iterable[str]) -> dict[str, Kept]:
        """What is kept under these keys; on any thread, also after `close`."""

    async def close(self) -> None:
        """Let go of everything."""


def open_results(store: Any, map_id: str) -> Results:
    """The results that `map(store=…)` means: None the default file, False memory, or a path.

    Raises:
        StoreError: the file can't be used; the message says what to do.
        TypeError: it is none of these.
    """
    check_store(store)
    if store is False:
        return MemoryResults()
    if store is None:
        return FileResults(_default(), map_id)
    path = Path(store)
    if not path.parent.is_dir():
        raise StoreError(f"the directory {path.parent} does not exist; create it first")
    return FileResults(path, map_id)


def check_store(store: Any) -> None:
    """Raise a TypeError unless it is something `open_results` knows."""
    if store is None or store is False:
        return
    if not isinstance(store, str | PathLike):
        raise TypeError(
            f"a store is the path of a file, None for {DEFAULT_PATH}, or False for memory only; "
            f"not {store!r}"
        )
    if str(store) in ("", ":memory:"):
        raise TypeError("store=False keeps rows in memory; a store is the path of a file")


def _default() -> Path:
    """`.l0/map.db` in the working directory, out of the way of version control."""
    path = DEFAULT_PATH.absolute()
    try:
        path.parent.mkdir(exist_ok=True)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise StoreError(
            f"can't make {path.parent} ({error.strerror}); give map(store=…) the path of a file "
            "that can be written, or store=False to keep rows in memory only"
        ) from error
    return path


class MemoryResults:
    """Rows in memory: gone with the result that holds them."""

    path: Path | None = None

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    async def claim(self, key: str) -> Kept | bool:
        """What is kept, or True."""
        return self._kept.get(key, True)

    async def find(self, key: str) -> Kept | None:
        """What is kept."""
        return self._kept.get(key)

    async def put(self, key: str, outcome: RowOutcome, cost: float | None) -> None:
        """Keep it."""
        self._kept[key] = (outcome, cost, "")

    async def release(self, key: str) -> None:
        """Nothing is ever claimed."""

    def read(self, keys: Iterable[str]) -> dict[str, Kept]:
        """What is kept under these keys."""
        return {key: self._kept[key] for key in keys if key in self._kept}

    async def close(self) -> None:
        """The rows stay for the result."""


class FileResults:
    """Rows in a SQLite file (WAL), on a thread of its own; several processes may share it.

    A row is committed before it is reported, and outlives `kill -9`. Who asks a row claims it
    first; the claim of a process that has died is void.
    """

    def __init__(self, path: Path, map_id: str) -> None:
        self._path = path.absolute()
        self._map_id, self._owner = map_id, table.new_owner(map_id)
        self._connection = table.open_table(self._path)
        table.alive_here.add(map_id)
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="l0-map-store", daemon=True)
        self._thread.start()
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The file."""
        return self._path

    async def claim(self, key: str) -> Kept | bool:
        """What is kept; True: it is claimed for us; False: another process has it."""
        return await self._run(lambda: table.claim(self._connection, key, self._owner))

    async def find(self, key: str) -> Kept | None:
        """What is kept."""
        found = await self._run(lambda: table.find(self._connection, [key]))
        return found.get(key)

    async def put(self, key: str, outcome: RowOutcome, cost: float | None) -> None:
        """Commit what came of a row."""
        await self._run(lambda: table.put(self._connection, key, self._owner, outcome, cost))

    async def release(self, key: str) -> None:
        """Let go of a claim."""
        await self._run(lambda: table.release(self._connection, self._owner, key))

    def read(self, keys: Iterable[str]) -> dict[str, Kept]:
        """What is kept under these keys."""
        if not self._path.exists():
            raise StoreError(f"{self._path} is gone, and the answers with it; call map again")
        connection = table.open_table(self._path)
        try:
            return table.find(connection, keys)
        except sqlite3.Error as error:
            raise StoreError(trouble(self._path, error)) from error
        finally:
            connection.close()

    async def close(self) -> None:
        """Commit what is under way, let go of every claim, close the file."""
        if self._closed:
            return
        self._closed = True
        table.alive_here.discard(self._map_id)
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join, _CLOSE_SECONDS)

    async def _run(self, job: Callable[[], T]) -> T:
        """Do a job on the thread, behind those before; it is done even if nobody waits."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]
            else:
                done.set_exception(error)

        def work() -> None:
            result: T | None = None
            failure: BaseException | None = None
            try:
                result = job()
            except sqlite3.Error as error:
                failure = StoreError(trouble(self._path, error))
                failure.__cause__ = error
            except BaseException as error:  # who asked for the job is told
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(settle, result, failure)

        self._jobs.put(work)
        return await done

    def _serve(self) -> None:
        due = time.monotonic() + _RENEW_SECONDS
        while True:
            wait = due - time.monotonic()
            if wait <= 0:
                self._quietly(lambda: table.renew(self._connection, self._owner))
                due = time.monotonic() + _RENEW_SECONDS
                continue
            try:
                job = self._jobs.get(timeout=wait)
            except queue.Empty:
                continue
            if job is None:
                break
            job()
        self._quietly(lambda: table.release(self._connection, self._owner))
        self._connection.close()

    def _quietly(self, job: Callable[[], None]) -> None:
        try:
            job()
        except sqlite3.Error:  # claims lapse by themselves: it costs a later map a moment
            return
