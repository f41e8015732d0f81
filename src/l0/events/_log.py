"""The append-only record every room writes to and every view reads from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from l0.errors import StoreError
from l0.events._bus import EventBus, ObservabilityEvent
from l0.events._catalog import payload_class
from l0.events._chain import Chain, finds_only, recorded_types
from l0.events._jsonl_file import read_rows
from l0.events._record import Record, Row, line_of, records_of
from l0.events._redact import Redactor, as_redactor
from l0.events._sink import Sink, sink_of
from l0.events._store import EventStore, check_id, resolve_store
from l0.events._tap import Tap

log = logging.getLogger("l0")

Subscriber = Callable[[Record], Any]


class Log:
    """Events in memory, in the order in which they came, of as many streams as there are.

    A log is a handler (`EventBus(log)`, or `log.attach(bus)`). With a `store`, what is appended is
    written there, too.

    Args:
        store: an event store, or its URL.
        redact: True for the default `Redactor`, False for none, or one of your own.
        detail: "full" keeps guardrail and drift checks that found nothing, too.

    Example:
        >>> from l0.events import EventBus
        >>> log = Log()
        >>> bus = EventBus(log, {"user": "ada"}, stream_id="demo")
        >>> bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="rate_limit")
        >>> [(record.seq, record.type, record.meta["user"]) for record in log.records("demo")]
        [(0, 'FALLBACK_START', 'ada')]
    """

    def __init__(
        self,
        store: EventStore | str | PathLike[str] | None = None,
        *,
        redact: bool | Redactor = True,
        detail: Literal["normal", "full"] = "full",
    ) -> None:
        self.found_only = finds_only(detail)  # read by the bus: checks may stay silent
        self.store = resolve_store(store)
        self._redactor = as_redactor(redact)
        self._rows: list[Row] = []
        self._metas: dict[str, dict[str, Any]] = {}
        self._chains: dict[str, Chain] = {}
        self._taps: dict[str, Tap] = {}
        self._subscribers: list[tuple[Subscriber, frozenset[str] | None]] = []
        self._sink: Sink | None = None if self.store is None else sink_of(self.store)

    def __len__(self) -> int:
        return len(self._rows)

    def __bool__(self) -> bool:
        return True  # an empty log is a handler all the same

    def __repr__(self) -> str:
        return f"<Log: {len(self._rows)} records of {len(self._metas)} streams>"

    def append(self, event: ObservabilityEvent) -> None:
        """Record an event; of a text whose end may be a secret, the end waits for the next."""
        stream_id = event.stream_id
        chain = self._chains.get(stream_id)
        if chain is None:
            chain = Chain(check_id(stream_id), self._redactor, full=not self.found_only)
            self._chains[stream_id] = chain
            if stream_id in self._metas:  # it was loaded
                last = next(row for row in reversed(self._rows) if row.stream_id == stream_id)
                chain.go_on_from(last.seq, last.hash)
        rows: list[Row] = []
        chain.push(event, rows)
        self._add(rows)

    def __call__(self, event: ObservabilityEvent) -> None:
        """As `append`: a log is a handler."""
        self.append(event)

    @property
    def types(self) -> tuple[str, ...]:
        """The event types it takes as a handler: all of the catalog but TOKEN."""
        return recorded_types()

    def attach(self, bus: EventBus) -> Callable[[], None]:
        """Record everything that happens on a bus, tokens included; gives what ends it."""
        return bus.subscribe(self, self.types)

    def finish(self) -> None:
        """Record what was kept back of streams whose end may be a secret; that is left out."""
        for chain in self._chains.values():
            rows: list[Row] = []
            chain.finish(rows)
            self._add(rows)

    def _add(self, rows: list[Row]) -> None:
        if not rows:
            return
        self._rows.extend(rows)
        stream_id = rows[0].stream_id
        if stream_id not in self._metas:
            self._metas[stream_id] = next(records_of(rows[:1])).meta
        if self._subscribers:
            for record in records_of(rows, self._metas[stream_id]):
                self._tell(record)
        if self._sink is not None:
            tap = self._taps.setdefault(stream_id, Tap())
            self._sink.put(tap, rows)

    def _tell(self, record: Record) -> None:
        for subscriber, types in list(self._subscribers):
            if types is None or record.type in types:
                try:
                    subscriber(record)
                except Exception as error:  # a subscriber never harms who writes, or the others
                    log.debug("a subscriber of the log failed", exc_info=error)

    def subscribe(self, fn: Subscriber, types: Iterable[str] | None = None) -> Callable[[], None]:
        """Call `fn` with each record (of these types) as it is appended; gives what ends it.

        Raises:
            ValueError: a type is not in the catalog.
        """
        wanted = None if types is None else frozenset(payload_class(t).type for t in types)
        entry = (fn, wanted)
        self._subscribers.append(entry)

        def unsubscribe() -> None:
            self._subscribers[:] = [each for each in self._subscribers if each is not entry]

        return unsubscribe

    def records(
        self,
        stream_id: str | None = None,
        types: Iterable[str] | None = None,
        after_seq: int = -1,
    ) -> list[Record]:
        """Records in the order in which they came; of one stream, of some types, behind a seq."""
        wanted = None if types is None else frozenset(map(str, types))
        return [
            next(records_of([row], self._metas[row.stream_id]))
            for row in self._rows
            if (stream_id is None or row.stream_id == stream_id)
            and (wanted is None or row.type in wanted)
            and row.seq > after_seq
        ]

    def iter_records(
        self, stream_id: str | None = None, types: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """As `records`, by the name that stores have for it."""
        return iter(self.records(stream_id, types))

    def stream_ids(self) -> list[str]:
        """The streams in it, in the order in which they began."""
        return list(self._metas)

    async def stored_rows(self, stream_id: str) -> list[Row]:
        """The rows of a stream, for `verify`."""
        return [row for row in self._rows if row.stream_id == stream_id]

    def save(self, path: str | PathLike[str]) -> None:
        """Write all records to a file of JSON lines, which `Log.load` and `verify` read.

        Raises:
            StoreError: it can't be written.
        """
        self.finish()
        try:
            with Path(path).open("wb") as file:
                file.writelines(line_of(row) + b"\n" for row in self._rows)
        except OSError as error:
            raise StoreError(f"can't write {fspath(path)}: {error.strerror}") from error

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Log:
        """The log that `save` wrote, or one stream of a `JsonlEventStore`; it can go on.

        Raises:
            StoreError: it can't be read, or a line is no record.
        """
        loaded = cls()
        for row in read_rows(Path(path)):
            known = loaded._metas.get(row.stream_id)
            loaded._metas[row.stream_id] = next(records_of([row], known)).meta
            loaded._rows.append(row)
        return loaded

    async def flush(self) -> None:
        """Wait until everything appended so far is in the store, if there is one.

        Raises:
            StoreError: some of it could not be written.
        """
        if self._sink is not None:
            await self._sink.flush()
            for tap in self._taps.values():
                if tap.error is not None:
                    raise tap.error
