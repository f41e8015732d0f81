"""Read from whatever holds records: a store, a log, a list, a file, a URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any, cast

from l0.errors import StoreError
from l0.events._record import UNREADABLE, Record, Row, line_of, row_of
from l0.events._store import (
    EventStore,
    StreamMetadata,
    check_id,
    is_store,
    open_store,
    path_of,
    scheme_of,
)

_OF_FILES = frozenset({"sqlite", "jsonl"})  # the schemes whose URLs hold a path


async def get_stream_metadata(store: Any, stream_id: str) -> StreamMetadata | None:
    """What a store knows of one stream without reading it; None if it is not there.

    Raises:
        ValueError: the stream id is none.

    Example:
        >>> import asyncio, l0
        >>> from l0.events import InMemoryEventStore
        >>> store = InMemoryEventStore()
        >>> stream = l0.run(lambda: ["Hello"], event_store=store)
        >>> _ = asyncio.run(stream.read())
        >>> asyncio.run(get_stream_metadata(store, stream.stream_id)).stream_id == stream.stream_id
        True
    """
    own = getattr(store, "stream_metadata", None)
    if own is not None:
        return cast("StreamMetadata | None", await own(check_id(stream_id)))
    streams = await store.list_streams()
    return next((m for m in streams if m.stream_id == check_id(stream_id)), None)


async def get_rows(source: Any, stream_id: str) -> list[Row | bytes]:
    """The rows of a stream as they are stored, for checking them."""
    own = getattr(source, "stored_rows", None)
    if own is not None:
        return cast("list[Row | bytes]", await own(stream_id))
    return rows_of(await get_records(source, stream_id))


async def get_lines(source: Any, stream_id: str) -> list[bytes]:
    """The records of a stream as lines of JSONL, as they are stored: `verify` says the same."""
    rows = await get_rows(source, stream_id)
    return [row if isinstance(row, bytes) else line_of(row) for row in rows]


def rows_of(records: Iterable[Record]) -> list[Row | bytes]:
    """Rows of records, in their order; what can't be one becomes a line that is none."""
    rows: list[Row | bytes] = []
    for record in records:
        try:
            rows.append(row_of(record))
        except UNREADABLE:  # no JSON: changed by hand
            rows.append(b"")
    return rows


async def get_records(source: Any, stream_id: str) -> list[Record]:
    """The records of one stream of a store, a log, or records at hand."""
    if is_store(source):
        return await source.get_events(stream_id)
    return [r for r in _records(source) if r.stream_id == stream_id]


async def pick_stream(source: Any, stream_id: str | None) -> str:
    """The stream that is meant: the given one, or the only one there is.

    Raises:
        ValueError: there are several, or none.
    """
    if stream_id is not None:
        return check_id(stream_id)
    if hasattr(source, "stream_ids"):
        ids: list[str] = list(source.stream_ids())
    elif is_store(source):
        ids = [m.stream_id for m in await source.list_streams(2)]
    else:
        ids = list(dict.fromkeys(r.stream_id for r in _records(source)))
    if len(ids) == 1:
        return ids[0]
    raise ValueError(
        f"there are several streams, such as {ids[0]} and {ids[1]}; give the stream_id"
        if ids
        else "there is no stream in it"
    )


def _records(source: Any) -> list[Record]:
    if not (hasattr(source, "records") or isinstance(source, Iterable)):
        raise TypeError(f"{source!r} holds no records; give a store, a log, records or a path")
    found = list(source.records() if hasattr(source, "records") else source)
    for record in found:
        if not isinstance(record, Record):
            raise TypeError(f"{record!r} is no Record; give a store, a log, records or a path")
    return found


@asynccontextmanager
async def reading(source: Any) -> AsyncIterator[Any]:
    """The source itself; a store or file, where it is a URL or path, for as long as it is read.

    Raises:
        StoreError: there is nothing there.
    """
    if not isinstance(source, str | PathLike):
        yield list(source) if isinstance(source, Iterator) else source  # it is gone through twice
        return
    store = _opened(fspath(source))
    try:
        yield store
    finally:
        await store.close()


def _opened(text: str) -> EventStore:
    scheme = scheme_of(text)
    if scheme and scheme.lower() not in _OF_FILES:
        return open_store(text, read_only=True)
    path = Path(path_of(text) if scheme else text)
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # too long a name, a NUL in it, no permission
        raise StoreError(f"can't read {str(path)[:200]!r} ({error}); check the path") from error
    if not there:
        raise StoreError(f"there is no {path}; check the path")
    return open_store(text, read_only=True)
