"""The runs that frames are made of: their events in order, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from os import PathLike
from typing import Any

import msgspec

from l0.events import ObservabilityEvent, Record
from l0.events._record import ENDS, outcome_of
from l0.events._serialize import Plain
from l0.events._store import UNFINISHED, is_store
from l0.notebook._columnar import RunRow
from l0.notebook._sources import held_story, iter_records, recording_of, stream_of


class Item(msgspec.Struct, frozen=True, gc=False):
    """An event, recorded or live, as all rows are made of it."""

    stream_id: str
    seq: int
    ts: float
    type: str
    data: dict[str, Any]
    meta: Any


@dataclass(slots=True)
class Run:
    """The events of one run, and what they say of it as a whole."""

    stream_id: str
    items: list[Item]
    started: float = 0.0
    model: str | None = None
    """Which one it asked first, or that which answered first where nobody said."""
    asked: str | None = None
    """Which one its caller said that it asks first."""
    prompt: str | None = None
    outcome: str = UNFINISHED
    summary: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        first = self.items[0]
        self.started = first.ts
        self.asked = self.model = _text(first.meta.get("model"))
        self.prompt = _text(first.meta.get("prompt"))
        for item in self.items:
            if item.type == "SESSION_SUMMARY":
                self.summary = item.data
            elif item.type in ENDS:
                self.outcome = outcome_of(item.data) or UNFINISHED
            elif item.type == "STREAM_FINISHED" and self.model is None:
                self.model = _text(item.data.get("model"))

    def since_start(self, item: Item) -> float:
        return seconds_between(item.ts, self.started)


def runs_of(source: Any, types: Iterable[str] | None, filters: dict[str, Any]) -> Iterator[Run]:
    wanted = Filter(**filters)
    for stream_id, items in grouped(source, types, wanted.stream_id):
        run = Run(stream_id, items)
        if wanted.passes(run):
            yield run


def grouped(
    source: Any, types: Iterable[str] | None, stream_id: str | None
) -> Iterator[tuple[str, list[Item]]]:
    held = _held_events(source)
    if held is None and (is_store(source) or isinstance(source, str | PathLike)):
        records = iter_records(source, stream_id, types)  # in order of streams
        for each, group in groupby(records, key=lambda record: record.stream_id):
            yield each, [_item(record, at) for at, record in enumerate(group)]
        return
    streams: dict[str, list[Item]] = {}
    for event in iter_records(source if held is None else held, stream_id):
        items = streams.setdefault(event.stream_id, [])
        items.append(_item(event, len(items)))
    yield from streams.items()


def _held_events(source: Any) -> list[Any] | None:
    """The events of a run itself, which a view or a store has kept."""
    story = held_story(source)
    if story is not None:
        return story.events
    stream = stream_of(source)
    if stream is None:
        return None
    recorded = recording_of(stream)
    if recorded is not None:
        return list(recorded)
    if stream.state.started_at is None:
        return []
    raise ValueError(
        "nobody kept the events of this run; give it run(event_store=…), run it by %%l0, or "
        "make a view of it before it starts"
    )


def _item(event: Record | ObservabilityEvent, at: int) -> Item:
    if isinstance(event, Record):
        return Item(event.stream_id, event.seq, event.ts, event.type, event.data, event.meta)
    try:
        data = msgspec.to_builtins(event.payload)
    except (TypeError, ValueError):  # a value of the caller's that JSON has no word for
        data = Plain().of(event.payload)
    return Item(event.stream_id, at, event.ts, event.type, data, event.meta)


class Filter:
    """Which runs are wanted."""

    def __init__(
        self,
        *,
        stream_id: str | None = None,
        since: Any = None,
        model: Any = None,
        outcome: Any = None,
    ) -> None:
        self.stream_id = stream_id
        self._since = None if since is None else _unix_ms(since)
        self._model = _words(model)
        self._outcome = _words(outcome)

    def passes(self, run: Run | RunRow) -> bool:
        return (
            self.stream_id in {None, run.stream_id}
            and (self._since is None or run.started >= self._since)
            and (self._model is None or run.model in self._model)
            and (self._outcome is None or run.outcome in self._outcome)
        )


def _unix_ms(since: Any) -> float:
    """A time as Unix milliseconds; without a zone it is local."""
    if isinstance(since, timedelta):
        return (datetime.now().astimezone() - since).timestamp() * 1000
    try:
        moment = datetime.fromisoformat(since) if isinstance(since, str) else since
        return float(moment.timestamp()) * 1000
    except (AttributeError, ValueError):
        raise ValueError(
            f"since is a datetime, a timedelta back from now, or ISO text; not {since!r}"
        ) from None


def _words(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    return frozenset({value} if isinstance(value, str) else value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def microseconds(ms: float) -> int:
    return round(ms * 1000)


def seconds_between(ms: float, before: float) -> float:
    """Seconds between two times, exact to the microsecond."""
    return (microseconds(ms) - microseconds(before)) / 1e6
