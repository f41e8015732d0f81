"""Events of a SQLite file as columns: the database joins the JSON of a run, pyarrow reads it.

There is no step an event, so a million events take about a second. `_columnar_frames` makes the
frames of it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from threading import BoundedSemaphore
from typing import Any, Final

import msgspec

LEAST: Final = 5_000
"""Of fewer events, rows one by one are as fast."""

THREADS: Final = min(4, os.cpu_count() or 1)
_PART: Final = 150_000  # events that are in hand as text at a time, for each thread
_SMALL: Final = 30_000
_BLOCK: Final = 8 << 20
_NEAR: Final = 1 << 18  # bytes that are looked at while the processor has them at hand
_MOST: Final = 500  # of so many runs the ids are named; of more the rows between them are read

# The table is kept in order of stream and seq, and joined as it is walked: nothing is sorted. All
# comes as one row, because the interpreter is asked for leave at each.
_WHOLE: Final = """
SELECT count(*), CAST(group_concat(type) || ',' AS BLOB),
       CAST(group_concat(CAST(ts * 1000 + 0.5 AS INTEGER)) AS BLOB),
       CAST(group_concat(data, char(10)) AS BLOB)
FROM records WHERE stream_id BETWEEN ? AND ?
"""
_GROUPED: Final = """
SELECT CAST(group_concat(id) AS BLOB), group_concat(events),
       CAST(group_concat(seqs) AS BLOB), CAST(group_concat(types) || ',' AS BLOB),
       CAST(group_concat(times) AS BLOB), CAST(group_concat(lines, char(10)) AS BLOB)
FROM (
    SELECT stream_id AS id, count(*) AS events, group_concat(seq) AS seqs,
           group_concat(type) AS types,
           group_concat(CAST(ts * 1000 + 0.5 AS INTEGER)) AS times,
           group_concat(data, char(10)) AS lines
    FROM records WHERE {where} GROUP BY stream_id
)
"""
_INDEX: Final = "SELECT stream_id, event_count FROM streams ORDER BY stream_id"
_RUNS: Final = """
SELECT group_concat(id), group_concat(outcome), group_concat(begun), group_concat(meta, char(10)),
       group_concat(size)
FROM (
    SELECT s.stream_id AS id, coalesce(s.outcome, 'unfinished') AS outcome,
           CAST(r.ts * 1000 + 0.5 AS INTEGER) AS begun, coalesce(r.meta, '{}') AS meta,
           CASE WHEN r.seq = 0 AND s.event_count - 1 =
                (SELECT max(seq) FROM records WHERE stream_id = s.stream_id)
           THEN s.event_count ELSE -1 END AS size
    FROM streams s JOIN records r ON r.stream_id = s.stream_id
    AND r.seq = (SELECT min(seq) FROM records WHERE stream_id = s.stream_id)
    WHERE s.stream_id BETWEEN ? AND ?
)
"""
_MODELS: Final = """
SELECT stream_id, json_extract(data, '$.model') FROM records
WHERE stream_id BETWEEN ? AND ? AND type = 'STREAM_FINISHED'
AND json_type(data, '$.model') = 'text' ORDER BY stream_id DESC, seq DESC
"""

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


def read(
    store: Any,
    types: Iterable[str] | None,
    kinds: Callable[[str], Kinds],
    passes: Callable[[RunRow], bool],
) -> Events | None:
    """The events of the runs that are wanted, or None where they have to be read one by one.

    Args:
        store: what may be a `SQLiteEventStore`.
        types: the types that are wanted; None: all.
        kinds: the fields that are wanted of a type.
        passes: whether a run is wanted.
    """
    connect = getattr(store, "connect_readonly", None)
    if connect is None or not _has_pyarrow():
        return None
    import pyarrow as pa

    with closing(connect()) as connection:
        sizes = connection.execute(_INDEX).fetchall()
    if sum(size for _, size in sizes) < LEAST:
        return None
    wanted = None if types is None else sorted(types)
    try:
        return _joined(list(_parts(connect, list(_ranges(sizes)), wanted, kinds, passes)))
    except (pa.ArrowInvalid, msgspec.DecodeError, sqlite3.DataError, NotColumnarError):
        return None


def _parts(
    connect: Callable[[], sqlite3.Connection],
    ranges: Sequence[tuple[str, str]],
    types: list[str] | None,
    kinds: Callable[[str], Kinds],
    passes: Callable[[RunRow], bool],
) -> Iterator[Events]:
    """The parts of the file, one after another: while one is parsed, the next one is read.

    Both work without the GIL. Two connections at once would not help: SQLite allocates under a lock
    of the process, and takes twice the time.
    """
    room = BoundedSemaphore(THREADS + 1)

    def text(ends: tuple[str, str]) -> tuple[list[RunRow], tuple[Any, ...]]:
        room.acquire()
        known = _runs(connection, ends)
        runs = [run for run in known if passes(run)]
        return runs, _text(connection, runs, known, types) if runs else (None,) * 6

    def part(read: Future[tuple[list[RunRow], tuple[Any, ...]]]) -> Events:
        try:
            return _part(*read.result(), kinds)
        finally:
            room.release()

    with (
        closing(connect()) as connection,
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(THREADS) as parsers,
    ):
        for found in [parsers.submit(part, reader.submit(text, ends)) for ends in ranges]:
            yield found.result()


def _has_pyarrow() -> bool:
    try:
        import pyarrow.json
    except ImportError:
        return False
    return bool(pyarrow.json)


# --- a part of the file -----------------------------------------------------------------------


def _ranges(sizes: Sequence[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """The first and the last ids of parts; small ones first and last, when others wait for them."""
    left, most = sum(size for _, size in sizes), _SMALL
    first, size = None, 0
    for at, (stream_id, more) in enumerate(sizes):
        first, size = first or stream_id, size + more
        if size >= most or at == len(sizes) - 1:
            yield first, stream_id
            left -= size
            first, size, most = None, 0, max(_SMALL, min(_PART, left // 3))


def _runs(connection: sqlite3.Connection, ends: tuple[str, str]) -> list[RunRow]:
    ((ids, outcomes, begun, metas, sizes),) = connection.execute(_RUNS, ends)
    if not ids:
        return []
    models = [meta.model for meta in _metas().decode_lines(metas)]
    known = ids.split(",")
    if not all(isinstance(model, str) for model in models):
        named = first_models(connection, ends)
        models = [
            model if isinstance(model, str) else named.get(stream_id)
            for model, stream_id in zip(models, known, strict=True)
        ]
    counts, starts = _numbers(sizes).tolist(), _numbers(begun).tolist()
    each = zip(known, starts, models, outcomes.split(","), counts, strict=True)
    return [RunRow(id, us / 1000, model, outcome, most) for id, us, model, outcome, most in each]


def first_models(connection: sqlite3.Connection, ends: tuple[str, str]) -> dict[str, str]:
    """The models that answered first in the runs from one id to another."""
    return dict(connection.execute(_MODELS, ends).fetchall())  # the first one is read last


@cache
def _metas() -> Any:
    return msgspec.json.Decoder(msgspec.defstruct("Meta", [("model", Any, None)], gc=False))


def _text(
    connection: sqlite3.Connection,
    runs: Sequence[RunRow],
    known: Sequence[RunRow],
    types: list[str] | None,
) -> tuple[Any, ...]:
    """The ids of runs and their counts of events; numbers, types, times and data of all events."""
    if len(runs) == len(known) or len(runs) > _MOST:
        where, values = "stream_id BETWEEN ? AND ?", [runs[0].stream_id, runs[-1].stream_id]
        known = known[known.index(runs[0]) : known.index(runs[-1]) + 1]
        if types is None and all(run.most > 0 for run in known):
            (found,) = connection.execute(_WHOLE, values)
            if found[0] == sum(run.most for run in known):  # so none has less than its most
                ids = ",".join(run.stream_id for run in known).encode()
                return ids, ",".join(str(run.most) for run in known), None, *found[1:]
    else:
        where, values = f"stream_id IN ({_marks(runs)})", [run.stream_id for run in runs]
    if types is not None:
        where, values = f"{where} AND type IN ({_marks(types)})", [*values, *types]
    (found,) = connection.execute(_GROUPED.format(where=where), values)
    return tuple(found)


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _part(runs: list[RunRow], told: tuple[Any, ...], kinds: Callable[[str], Kinds]) -> Events:
    """The events of a part of the file, in which other runs may be, too."""
    import numpy as np
    import pyarrow as pa

    ids, sizes, seqs, types, times, lines = told
    if not ids:
        none = np.empty(0, "int64")
        return Events(runs, none, none, none, none, [])
    places = {run.stream_id: at for at, run in enumerate(runs)}
    counts = _numbers(sizes)
    known = np.array([places.get(id, -1) for id in ids.decode().split(",")], "int64")
    run, words, data = np.repeat(known, counts), _split(types, b","), _split(lines, b"\n")
    coded = words.dictionary_encode()
    if seqs is None:
        seq = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
    else:
        seq = _numbers(seqs)
    names = [word[:-1].decode() for word in coded.dictionary.to_pylist()]
    part = Events(runs, run, seq, _numbers(times), coded.indices.to_numpy(), names)
    if not len(run) == len(seq) == len(part.us) == len(part.code) == len(data):
        raise NotColumnarError("there are as many times, types and payloads as events")
    if (known < 0).any():
        here = np.flatnonzero(run >= 0)
        data = data.take(pa.array(here))
        part.run, part.seq, part.us, part.code = (
            run[here],
            seq[here],
            part.us[here],
            part.code[here],
        )
        used = np.unique(part.code)
        part.types = [names[at] for at in used]
        part.code = np.searchsorted(used, part.code)
    for type_ in part.types:
        wanted = kinds(type_)
        if wanted:
            at = part.rows(type_)
            some = data if len(at) == len(data) else data.take(pa.array(at))
            part.fields[type_] = _fields(some, wanted)
    return part


def _split(text: bytes, end: bytes) -> Any:
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


def _numbers(text: bytes | str) -> Any:
    import numpy as np

    return np.fromstring(text, "int64", sep=",")


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


def _joined(parts: Sequence[Events]) -> Events:
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
