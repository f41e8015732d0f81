"""Events as columns: what is read of a log at a time, and what is put together of it.

There is no step an event, so a million events take about a second. `_columnar_sqlite` and
`_columnar_jsonl` read the logs, `_columnar_frames` makes the frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any, Final, TypeVar

import msgspec

J = TypeVar("J")
R = TypeVar("R")

LEAST: Final = 5_000
"""Of fewer events, rows one by one are as fast."""

THREADS: Final = min(4, os.cpu_count() or 1)
_PART: Final = 150_000  # events that are in hand as text at a time, for each thread
_SMALL: Final = 30_000
_BLOCK: Final = 8 << 20
_NEAR: Final = 1 << 18  # bytes that are looked at while the processor has them at hand

Kinds = Mapping[str, Any]
"""Fields of a payload, and what each is: the name of an Arrow type, or one; None: any JSON."""


class NotColumnarError(Exception):
    """The records are not what the catalog says of them; row by row they may still be read."""


@dataclass(slots=True)
class RunRow:
    """What is known of a run before its events are read."""

    stream_id: str
    started: float
    model: str | None
    outcome: str
    most: int = -1
    """How many events it has, unless some are missing; -1 where that is not known."""
    asked: str | None = None
    """Which model its caller said that it asks first."""


@dataclass(slots=True)
class Ends:
    """What the first and the last events of a run say of it, as JSON."""

    run: RunRow
    meta: str
    summary: str | None
    """The payload of the last SESSION_SUMMARY."""
    finished: str | None
    """The payload of the last STREAM_FINISHED."""


@dataclass(slots=True)
class Events:
    """Events in order of run and seq: a number an event, and the fields of each type apart."""

    runs: Sequence[RunRow]
    run: Any
    """Of each event, the place of its run in `runs`."""
    seq: Any
    us: Any
    """Unix microseconds."""
    code: Any
    """The place of its type in `types`."""
    types: list[str]
    fields: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    """Of each type, the values of each field: chunks of Arrow arrays, or lists of any objects."""

    def rows(self, type_: str) -> Any:
        """Where the events of a type are."""
        import numpy as np

        if type_ not in self.types:
            return np.empty(0, "int64")
        return np.flatnonzero(self.code == self.types.index(type_))

    def started(self) -> Any:
        """Unix microseconds of the begin of each run."""
        import numpy as np

        return np.array([round(run.started * 1000) for run in self.runs], "int64")


@dataclass(slots=True)
class Told:
    """What a log tells of runs, run by run: a value an event, but of `ids` and `counts`."""

    ids: list[str]
    counts: Any
    """How many events each run has."""
    seq: Any
    us: Any
    """Unix microseconds."""
    code: Any
    """The place of its type in `types`."""
    types: list[str]
    data: Any
    """An Arrow array of JSON."""


def parts_of(sizes: Iterable[tuple[J, int]], total: int) -> Iterator[list[J]]:
    """What is read at a time, of things with so many events each.

    The first parts and the last ones are small: nothing is parsed before the first one is read, or
    read while the last one is parsed.
    """
    left, most = total, _SMALL
    part: list[J] = []
    size = 0
    for each, more in sizes:
        part.append(each)
        size += more
        if size >= min(most, _PART):
            yield part
            left -= size
            part, size, most = [], 0, max(_SMALL, left // 3)
    if part:
        yield part


def piped(
    jobs: Iterable[J], read: Callable[[J], R], parse: Callable[[R], Events]
) -> Iterator[Events]:
    """The parts of a log, in order: while some are parsed, the next one is read."""
    room = BoundedSemaphore(THREADS + 1)

    def reading(job: J) -> R:
        room.acquire()
        return read(job)

    def parsing(found: Future[R]) -> Events:
        try:
            return parse(found.result())
        finally:
            room.release()

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(THREADS) as parsers:
        for part in [parsers.submit(parsing, reader.submit(reading, job)) for job in jobs]:
            yield part.result()


# --- a part ------------------------------------------------------------------------------------


def events_of(runs: list[RunRow], told: Told, kinds: Callable[[str], Kinds]) -> Events:
    """The events of these runs in a part of a log, in which others may be, too.

    Raises:
        NotColumnarError: what is told doesn't fit together.
        pyarrow.ArrowInvalid: a field is not of its kind.
    """
    import numpy as np
    import pyarrow as pa

    places = {run.stream_id: at for at, run in enumerate(runs)}
    known = np.array([places.get(id, -1) for id in told.ids], "int64")
    data = told.data
    part = Events(runs, np.repeat(known, told.counts), told.seq, told.us, told.code, told.types)
    if not len(part.run) == len(part.seq) == len(part.us) == len(part.code) == len(data):
        raise NotColumnarError("there are as many times, types and payloads as events")
    if (known < 0).any():
        here = np.flatnonzero(part.run >= 0)
        data = data.take(pa.array(here))
        for name in ("run", "seq", "us", "code"):
            setattr(part, name, getattr(part, name)[here])
        used = np.unique(part.code)
        part.types = [told.types[at] for at in used]
        part.code = np.searchsorted(used, part.code)
    for type_ in part.types:
        wanted = kinds(type_)
        if wanted:
            at = part.rows(type_)
            some = data if len(at) == len(data) else data.take(pa.array(at))
            part.fields[type_] = _fields(some, wanted)
    return part


def no_events(runs: list[RunRow]) -> Events:
    """A part of runs without events that are wanted."""
    import numpy as np

    none = np.empty(0, "int64")
    return Events(runs, none, none, none, none, [])


def split(text: bytes, end: bytes) -> Any:
    """Texts that stand behind each other, as an Arrow array; each keeps its end, if it has one."""
    import numpy as np
    import pyarrow as pa

    found = np.frombuffer(text, "uint8")
    ends = [
        np.flatnonzero(found[at : at + _NEAR] == end[0]) + (at + 1)
        for at in range(0, len(text), _NEAR)
    ]
    last = [len(text)] if not text.endswith(end) else []
    offsets = np.concatenate([np.zeros(1, "int64"), *ends, np.array(last, "int64")])
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def _fields(lines: Any, kinds: Kinds) -> dict[str, list[Any]]:
    """The values of each field, those of events that have none being null."""
    import pyarrow as pa
    import pyarrow.json as pj

    text = lines.buffers()[2]
    found: dict[str, list[Any]] = {}
    plain = {name: kind for name, kind in kinds.items() if kind is not None}
    if plain:
        schema = pa.schema(
            [
                (name, getattr(pa, kind)() if isinstance(kind, str) else kind)
                for name, kind in plain.items()
            ]
        )
        options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        table = pj.read_json(pa.BufferReader(text), pj.ReadOptions(block_size=_BLOCK), options)
        if table.num_rows != len(lines):
            raise NotColumnarError("there is a line a payload")
        found = {name: table.column(name).chunks for name in plain}
    rest = [name for name in kinds if name not in plain]
    if rest:
        shape: Any = msgspec.defstruct("Row", [(name, Any, None) for name in rest], gc=False)
        rows = msgspec.json.Decoder(shape).decode_lines(text)
        found |= {name: [[getattr(row, name) for row in rows]] for name in rest}
    return found


def joined(parts: Sequence[Events]) -> Events:
    """The parts of a log as one."""
    import numpy as np

    types = sorted({type_ for part in parts for type_ in part.types})
    fields: dict[str, dict[str, list[Any]]] = {}
    found: dict[str, list[Any]] = {name: [] for name in ("run", "seq", "us", "code")}
    runs: list[RunRow] = []
    for part in parts:
        for type_, told in part.fields.items():
            held = fields.setdefault(type_, {})
            for name, chunks in told.items():
                held.setdefault(name, []).extend(chunks)
        again = np.array([types.index(each) for each in part.types], "int64")
        found["run"].append(part.run + len(runs))
        found["seq"].append(part.seq)
        found["us"].append(part.us)
        found["code"].append(again[part.code].astype("int16"))
        runs += part.runs
    none = np.empty(0, "int16")
    whole = {name: np.concatenate([none, *each]) for name, each in found.items()}
    return Events(runs, **whole, types=types, fields=fields)
