"""Where records are kept: what every store does, and which one a URL means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

import msgspec

from l0.errors import StoreError
from l0.events._record import Record, Row, Tally, row_of

UNFINISHED = "unfinished"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+")


class StreamMetadata(msgspec.Struct, frozen=True):
    """What a store knows of a stream without reading it.

    `event_count` counts records, `token_count` the tokens of the text that stands; times are Unix
    milliseconds of the first and the last record; `outcome` is that of SESSION_END (of a
    map MAP_END, of a consensus CONSENSUS_END), `unfinished` before.
    """

    stream_id: str
    event_count: int
    token_count: int
    start_ts: float
    end_ts: float
    outcome: str = UNFINISHED


@runtime_checkable
class EventStore(Protocol):
    """Keeps the records of streams, in the order in which they were appended.

    A read sees everything that was appended before it. `l0.testing.check_store` checks a store of
    your own against this contract.
    """

    async def append(self, records: Sequence[Record]) -> None:
        """Keep more records; those of each stream go on where it stands.

        Raises:
            StoreError: they don't, or they can't be written.
            ValueError: a stream id is not `[A-Za-z0-9_-]{1,128}`.
        """

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there."""

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""

    async def delete(self, stream_id: str) -> bool:
        """Forget a stream; whether it was there."""

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first.

        Raises:
            ValueError: `limit` is neither None nor a whole number, 0 or more.
        """

    async def flush(self) -> None:
        """Wait until everything appended so far is as safe as the store makes it."""

    async def close(self) -> None:
        """Flush, and let go of files and threads; closing twice is harmless."""


Factory = Callable[[str], EventStore]

_factories: dict[str, Factory] = {}
_readers: dict[str, Factory] = {}
_shared: dict[str, EventStore] = {}
_default: EventStore | str | None = None


def open_store(url: str | PathLike[str], *, read_only: bool = False) -> EventStore:
    """The store a URL means: `memory:`, `sqlite:///runs.db`, `jsonl:///runs`.

    Three slashes begin a relative path, four an absolute one (`sqlite:////var/lib/runs.db`). A
    path alone will do if it ends in .db, .sqlite or .sqlite3, or is a directory (of JSONL files).

    With `read_only=True` nothing is made or changed: the file has to be there, and writing to the
    store is refused where its kind can tell (SQLite). A single .jsonl file is read so, too.

    Raises:
        StoreError: the store can't be opened; the message says what to do.
        ValueError: no store is registered for the URL.

    Example:
        >>> open_store("memory:")
        InMemoryEventStore(max_streams=1000)
    """
    text = fspath(url)
    scheme = scheme_of(text)
    if not scheme:
        scheme = _scheme_of_path(text)
        text = f"{scheme}:///{text}"
    factory = _factories.get(scheme.lower())
    if factory is None:
        known = ", ".join(sorted(_factories))
        raise ValueError(
            f"no event store is registered for {fspath(url)!r}; known schemes are {known}, as in "
            '"sqlite:///runs.db"; register_store adds one'
        )
    if read_only:
        factory = _readers.get(scheme.lower(), factory)
    return factory(text)


def register_store(scheme: str, factory: Factory, reader: Factory | None = None) -> None:
    """Let `open_store("<scheme>:…")` call `factory(url)`, or `reader(url)` to read only.

    Raises:
        ValueError: the scheme is no word of two letters or more.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> register_store("scratch", lambda url: InMemoryEventStore(max_streams=10))
        >>> open_store("scratch:")
        InMemoryEventStore(max_streams=10)
    """
    if not _SCHEME.fullmatch(scheme):
        raise ValueError(f"{scheme!r} is no URL scheme; use a word of two letters or more")
    _factories[scheme.lower()] = factory
    _readers[scheme.lower()] = reader or factory


def scheme_of(text: str) -> str:
    """The scheme of a URL; nothing of a path, which may have a colon, too.

    One letter is a drive of Windows; a name with slashes or a number in front is part of a path.
    """
    scheme, colon, _ = text.partition(":")
    return scheme if colon and _SCHEME.fullmatch(scheme) else ""


def path_of(url: str) -> str:
    """The path in a URL: what follows `scheme:///`."""
    _, _, rest = url.partition(":")
    return rest.removeprefix("///")


def _scheme_of_path(text: str) -> str:
    path = Path(text)
    if path.suffix.lower() in {".db", ".sqlite", ".sqlite3"}:
        return "sqlite"
    is_file = path.suffix.lower() == ".jsonl" and path.is_file()
    return "jsonl" if is_file or path.is_dir() else text


# --- the default store ----------------------------------------------------------------------


def set_default_store(store: EventStore | str | None) -> None:
    """Where runs without an `event_store` of their own are recorded; None: nowhere.

    A URL is opened at first use, once for the whole process.

    Example:
        >>> from l0.events import get_default_store
        >>> set_default_store(None)
        >>> get_default_store() is None
        True
    """
    global _default  # noqa: PLW0603  one a process is what it is for
    if store is not None and not isinstance(store, str) and not is_store(store):
        raise TypeError(_no_store(store))
    _default = store


def get_default_store() -> EventStore | None:
    """The store set by `set_default_store`, opened; None if there is none.

    Raises:
        StoreError: it can't be opened.

    Example:
        >>> from l0.events import get_default_store, set_default_store
        >>> set_default_store("memory:")
        >>> type(get_default_store()).__name__
        'InMemoryEventStore'
        >>> set_default_store(None)
    """
    return resolve_store(_default)


def resolve_store(store: EventStore | str | PathLike[str] | None) -> EventStore | None:
    """A store as options give it: itself, or the one a URL means, opened once a process.

    Raises:
        StoreError: it can't be opened.
        TypeError: it is no store.

    Example:
        >>> resolve_store("memory:") is resolve_store("memory:")
        True
    """
    if store is None or is_store(store):
        return store
    if not isinstance(store, str | PathLike):
        raise TypeError(_no_store(store))
    url = fspath(store)
    if url not in _shared:
        _shared[url] = open_store(url)
    return _shared[url]


def is_store(value: object) -> TypeGuard[EventStore]:
    """Whether a value has the methods of a store."""
    return isinstance(value, EventStore) and not isinstance(value, type)


def _no_store(value: object) -> str:
    return (
        f'an event store is one of l0.events, or a URL such as "sqlite:///runs.db"; not {value!r}'
    )


# --- what stores and readers share ------------------------------------------------------------


def check_id(stream_id: str) -> str:
    """The stream id, if it is one.

    Raises:
        ValueError: it is not `[A-Za-z0-9_-]{1,128}` as a whole.
    """
    if not is_id(stream_id):
        raise ValueError(
            f"{stream_id!r} is no stream id; use 1 to 128 letters, digits, '_' and '-'"
        )
    return stream_id


def is_id(stream_id: object) -> bool:
    """Whether this is a stream id."""
    return isinstance(stream_id, str) and _ID.fullmatch(stream_id) is not None


def grouped(records: Sequence[Record]) -> dict[str, list[Row]]:
    """Rows by stream, in their order.

    Raises:
        ValueError: a stream id is none.
    """
    streams: dict[str, list[Row]] = {}
    for record in records:
        streams.setdefault(check_id(record.stream_id), []).append(row_of(record))
    return streams


def newest_first(
    streams: Iterable[StreamMetadata], limit: int | None = None
) -> list[StreamMetadata]:
    """Streams as stores list them."""
    return sorted(streams, key=_by_start, reverse=True)[: check_limit(limit)]


def check_limit(limit: int | None) -> int | None:
    """The limit of a list, if it is one.

    Raises:
        ValueError: it is neither None nor a whole number, 0 or more.
    """
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise ValueError(f"limit counts streams: a whole number, 0 or more, or None; not {limit!r}")
    return limit


def _by_start(stream: StreamMetadata) -> tuple[float, str]:
    return stream.start_ts, stream.stream_id


def taken(stream_id: str, store: str) -> StoreError:
    """The error of a stream id that is used twice."""
    return StoreError(
        f"stream {stream_id} is recorded in {store} already; give the run another stream_id"
    )


def metadata_of(tally: Tally) -> StreamMetadata:
    """What a tally says, for readers."""
    return StreamMetadata(
        tally.stream_id,
        tally.seq + 1,
        tally.tokens,
        tally.start_ts,
        tally.end_ts,
        tally.outcome or UNFINISHED,
    )
