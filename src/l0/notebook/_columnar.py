"""Events of a SQLite file as columns: the database joins their JSON by type, pyarrow reads it.

A tenth of the time it takes row by row. What comes out is the same: `_frames` asks here first, and
goes row by row where this gives None.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

import msgspec

from l0.notebook import _columns

if TYPE_CHECKING:
    from pandas import DataFrame

LEAST: Final = 5_000
"""Of fewer events, rows one by one are as fast."""

_PART: Final = 100_000  # events whose JSON is joined into one text
_THREADS: Final = 4
_BLOCK: Final = 8 << 20
_ARROW: Final = {
    "seconds": "float64",
    "float64": "float64",
    "boolean": "bool_",
    "Int16": "int64",
    "Int32": "int64",
    "str": "string",
}
_JOINED: Final = """
SELECT type, group_concat(data, char(10)), group_concat(seq),
       group_concat(CAST(round(ts * 1000) AS INTEGER)), group_concat(stream_id)
FROM records WHERE stream_id BETWEEN ? AND ? {types} GROUP BY type
"""
_RUNS: Final = """
SELECT s.stream_id, s.event_count, s.outcome, r.ts, r.meta FROM streams s JOIN records r
ON r.stream_id = s.stream_id
AND r.seq = (SELECT min(seq) FROM records WHERE stream_id = s.stream_id)
ORDER BY s.stream_id
"""
_MODELS: Final = """
SELECT stream_id, json_extract(data, '$.model') FROM records WHERE type = 'STREAM_FINISHED'
AND json_type(data, '$.model') = 'text' ORDER BY stream_id DESC, seq DESC
"""


@dataclass(slots=True)
class RunRow:
    """What is known of a run before its events are read."""

    stream_id: str
    started: float
    model: str | None
    outcome: str


@dataclass(slots=True)
class _Column:
    """The cells of a column that were found so far: where, and what."""

    rows: list[Any] = field(default_factory=list)
    cells: list[Any] = field(default_factory=list)


class _Found:
    """The events of one type in one part of the file."""

    def __init__(self, chosen: dict[str, int], row: tuple[str, str, str, str, str]) -> None:
        import numpy as np

        self.type, data, seqs, times, ids = row
        self.seq = np.fromstring(seqs, dtype="int64", sep=",")
        self.us = np.fromstring(times, dtype="int64", sep=",")
        numbers = map(chosen.get, ids.split(","), repeat(-1))
        self.run = np.fromiter(numbers, "int64", len(self.seq))
        self.fields = list(_tokens(data) if self.type == "TOKENS" else _fields(self.type, data))


def read_events(
    store: Any, types: frozenset[str] | None, passes: Callable[[RunRow], bool]
) -> DataFrame | None:
    """The frame of events, or None where the rows have to be read one by one.

    Args:
        store: what may be a `SQLiteEventStore`.
        types: the types that are wanted; None: all.
        passes: whether a run is wanted.
    """
    connect = getattr(store, "connect_readonly", None)
    if connect is None or not _has_pyarrow():
        return None
    import pyarrow as pa

    connection = connect()
    try:
        runs, sizes = _runs(connection)
    finally:
        connection.close()
    chosen = {run.stream_id: at for at, run in enumerate(runs) if passes(run)}
    if sum(size for run, size in zip(runs, sizes, strict=True) if run.stream_id in chosen) < LEAST:
        return None
    try:
        parts = _parts(connect, runs, sizes, types, chosen)
        found = [each for each in parts if (each.run >= 0).any()]
        return _frame(runs, found, types)
    except (pa.ArrowInvalid, msgspec.DecodeError):  # a field is not what the catalog says of it
        return None


def _has_pyarrow() -> bool:
    try:
        import pyarrow.json
    except ImportError:
        return False
    return bool(pyarrow.json)


def _runs(connection: sqlite3.Connection) -> tuple[list[RunRow], list[int]]:
    rows = connection.execute(_RUNS).fetchall()
    metas = [msgspec.json.decode(row[4]) if row[4] else {} for row in rows]
    models = [meta.get("model") for meta in metas]
    if not all(isinstance(model, str) for model in models):
        named = dict(connection.execute(_MODELS).fetchall())  # the first one of a run is read last
        models = [
            model if isinstance(model, str) else named.get(row[0])
            for model, row in zip(models, rows, strict=True)
        ]
    runs = [
        RunRow(row[0], row[3], model, row[2] or "unfinished")
        for row, model in zip(rows, models, strict=True)
    ]
    return runs, [row[1] for row in rows]


def _parts(
    connect: Callable[[], sqlite3.Connection],
    runs: Sequence[RunRow],
    sizes: Sequence[int],
    types: frozenset[str] | None,
    chosen: dict[str, int],
) -> Iterator[_Found]:
    """Every event, the parts of the file read side by side: SQLite works without the GIL."""
    named = "" if types is None else f"AND type IN ({','.join('?' * len(types))})"
    query = _JOINED.format(types=named)

    def read(ends: tuple[str, str]) -> list[_Found]:
        connection = connect()
        try:
            rows = connection.execute(query, (*ends, *(types or ()))).fetchall()
        finally:
            connection.close()
        return [_Found(chosen, row) for row in rows]

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        for part in pool.map(read, list(_ranges(runs, sizes))):
            yield from part


def _ranges(runs: Sequence[RunRow], sizes: Sequence[int]) -> Iterator[tuple[str, str]]:
    first, size = 0, 0
    for at, more in enumerate(sizes):
        size += more
        if size >= _PART or at == len(runs) - 1:
            yield runs[first].stream_id, runs[at].stream_id
            first, size = at + 1, 0


def _frame(
    runs: Sequence[RunRow],
    found: list[_Found],
    types: frozenset[str] | None,
) -> DataFrame:
    import numpy as np
    import pandas as pd

    run = _joined([each.run for each in found])
    seq = _joined([each.seq for each in found])
    wanted = run >= 0
    order = np.argsort((run << 32) | seq, kind="stable")
    order = order[wanted[order]]
    row_of = np.full(len(run), -1, dtype="int64")  # the place of each event in the frame
    row_of[order] = np.arange(len(order))

    seen = {each.type for each in found}
    columns = _columns.payload_columns(seen if types is None else types)
    cells = {name: _Column() for name in columns}
    begin = 0
    for each in found:
        rows = row_of[begin : begin + len(each.seq)]
        begin += len(each.seq)
        kept = rows >= 0
        for name, found_cells in each.fields:
            cells[name].rows.append(rows[kept])
            cells[name].cells.append(found_cells if kept.all() else _only(found_cells, kept))

    started = np.array([round(each.started * 1000) for each in runs], dtype="int64")
    us = _joined([each.us for each in found])[order]
    run, seq = run[order], seq[order]
    codes = np.repeat(np.arange(len(found)), [len(each.seq) for each in found])[order]
    base = {
        "stream_id": _texts([each.stream_id for each in runs], run),
        "seq": pd.Series(seq.astype("int32")),
        "ts": pd.Series(pd.DatetimeIndex(us.astype("datetime64[us]")).tz_localize("UTC")),
        "t": pd.Series((us - started[run]) / 1e6 if len(us) else np.empty(0)),
        "model": _words([each.model for each in runs], run),
        "type": _words([each.type for each in found], codes),
    }
    size = len(order)
    told = {name: _series(cells[name], dtype, size) for name, dtype in columns.items()}
    return pd.DataFrame(base | told, copy=False)


def _fields(type_: str, data: str) -> Iterator[tuple[str, Any]]:
    """The cells of each column that events of a type have, one an event."""
    dtypes = _columns.payload_columns([type_])
    fields = _columns.fields_of(type_)
    plain = {name: _ARROW[dtypes[column]] for name, column, _ in fields if dtypes[column] in _ARROW}
    if plain:
        table = _read_json(data, plain)
        for name, column, is_ms in fields:
            if name in plain:
                yield column, _seconds(table.column(name)) if is_ms else table.column(name)
    rest = {name: column for name, column, _ in fields if name not in plain}
    if rest:
        shape: Any = msgspec.defstruct("Row", [(name, Any, None) for name in rest], gc=False)
        rows = msgspec.json.decode(f"[{data.replace(chr(10), ',')}]", type=list[shape])
        for name, column in rest.items():
            yield column, _objects(getattr(row, name) for row in rows)


def _tokens(data: str) -> Iterator[tuple[str, Any]]:
    """What a batch of tokens has in the frame of events; each token is a row of another frame."""
    import numpy as np
    import pyarrow as pa

    table = _read_json(data, {"start": "int64", "offsets_us": pa.list_(pa.int64())})
    offsets = table.column("offsets_us").combine_chunks()
    ends = offsets.offsets.to_numpy()
    counts = np.diff(ends)
    spent = np.zeros(len(counts))
    spent[counts > 0] = offsets.values.to_numpy()[ends[1:][counts > 0] - 1] / 1e6  # noqa: PD011
    yield "start", table.column("start")
    yield "count", pa.array(counts)
    yield "duration", pa.array(spent)


def _read_json(lines: str, fields: dict[str, Any]) -> Any:
    import pyarrow as pa
    import pyarrow.json as pj

    schema = pa.schema(
        [
            (name, getattr(pa, kind)() if isinstance(kind, str) else kind)
            for name, kind in fields.items()
        ]
    )
    return pj.read_json(
        BytesIO(lines.encode()),
        read_options=pj.ReadOptions(block_size=_BLOCK),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def _seconds(ms: Any) -> Any:
    import pyarrow.compute as pc

    return pc.divide(ms, 1000.0)


def _objects(values: Iterable[Any]) -> Any:
    import numpy as np

    told = list(values)
    made = np.empty(len(told), dtype=object)
    made[:] = told
    return made


def _joined(parts: list[Any]) -> Any:
    import numpy as np

    return np.concatenate(parts) if parts else np.empty(0, "int64")


def _only(values: Any, kept: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return values[kept] if isinstance(values, np.ndarray) else values.filter(pa.array(kept))


# --- columns of the frame ---------------------------------------------------------------------


def _series(column: _Column, dtype: str, size: int) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    rows = np.concatenate(column.rows) if column.rows else np.empty(0, "int64")
    if dtype == "object":
        made = np.full(size, None, dtype=object)
        for where, cells in zip(column.rows, column.cells, strict=True):
            made[where] = cells if isinstance(cells, np.ndarray) else _objects(cells.to_pylist())
        return pd.Series(made, dtype=object)
    chunks = [chunk for cells in column.cells for chunk in getattr(cells, "chunks", [cells])]
    if dtype == "str":
        values = pa.chunked_array(chunks, pa.string())
        at = np.full(size, -1, dtype="int64")
        at[rows] = np.arange(len(rows))
        return pd.Series(values.take(pa.array(at, mask=at < 0)), dtype="str")
    kind = getattr(pa, _ARROW[dtype])()
    values = pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind)
    missing = np.ones(size, dtype=bool)
    missing[rows] = values.is_null().to_numpy()
    plain = values.fill_null(False if dtype == "boolean" else 0).to_numpy()
    if dtype in {"seconds", "float64"}:
        numbers = np.full(size, np.nan)
        numbers[rows] = plain
        numbers[missing] = np.nan
        return pd.Series(numbers)
    held = np.zeros(size, dtype="bool" if dtype == "boolean" else dtype.lower())
    held[rows] = plain
    array = pd.arrays.BooleanArray if dtype == "boolean" else pd.arrays.IntegerArray
    return pd.Series(array(held, missing))


def _texts(known: list[str], at: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    return pd.Series(pa.array(known, pa.string()).take(pa.array(at)), dtype="str")


def _words(known: Sequence[str | None], at: Any) -> Any:
    """A category from a number an event and the word of each number."""
    import numpy as np
    import pandas as pd

    used = {known[number] for number in np.unique(at)} - {None}
    words = sorted(word for word in used if word is not None)
    codes = {word: code for code, word in enumerate(words)}
    table = np.array([codes.get(word, -1) if word is not None else -1 for word in known], "int32")
    names = pd.Index(words, dtype="str" if words else object)
    picked = table[at] if len(table) else np.empty(0, "int32")
    return pd.Series(pd.Categorical.from_codes(picked, categories=names))
