"""Events of a SQLite file as columns: the database joins the JSON of many runs to one text."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import msgspec

from l0.notebook import _columnar
from l0.notebook._columnar import (
    Ends,
    Events,
    Kinds,
    RunRow,
    Told,
    events_of,
    no_events,
    parts_of,
    piped,
    split,
)

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
_ENDS: Final = "('SESSION_START', 'SESSION_SUMMARY', 'SESSION_END', 'STREAM_FINISHED')"
_LAST: Final = (
    "(SELECT data FROM records WHERE stream_id = s.stream_id AND type = '{}' "
    "ORDER BY seq DESC LIMIT 1)"
)
_LAST_WORDS: Final = f"""
SELECT s.stream_id, r.ts, coalesce(s.outcome, 'unfinished'),
       coalesce(r.meta, (SELECT meta FROM records
                         WHERE stream_id = s.stream_id AND seq = 0), '{{}}'),
       {_LAST.format("SESSION_SUMMARY")}, {_LAST.format("STREAM_FINISHED")}
FROM streams s JOIN records r ON r.stream_id = s.stream_id
AND r.seq = (SELECT seq FROM records WHERE stream_id = s.stream_id AND type IN {_ENDS}
             ORDER BY seq LIMIT 1)
ORDER BY s.stream_id
"""  # noqa: S608  constants all
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

_Found = tuple[list[RunRow], tuple[Any, ...]]
_Row = tuple[str, float, str, str, str | None, str | None]


def parts(
    store: Any,
    types: list[str] | None,
    kinds: Callable[[str], Kinds],
    passes: Callable[[RunRow], bool],
) -> Iterator[Events] | None:
    """The events of a `SQLiteEventStore`, part by part; None of a few, or of another store.

    Reading and parsing both go without the GIL. Two connections at once would not help: SQLite
    allocates under a lock of the process, and takes twice the time.
    """
    connect = getattr(store, "connect_readonly", None)
    if connect is None:
        return None
    with closing(connect()) as connection:
        sizes = connection.execute(_INDEX).fetchall()
    total = sum(size for _, size in sizes)
    if total < _columnar.LEAST:
        return None
    return _parts(connect, list(parts_of(sizes, total)), types, kinds, passes)


def ends(store: Any) -> Iterator[Ends] | None:
    """What the first and the last events of each run say; None of another store.

    The last ones are found from the end.
    """
    connect = getattr(store, "connect_readonly", None)
    if connect is None:
        return None
    with closing(connect()) as connection:
        found = msgspec.convert(connection.execute(_LAST_WORDS).fetchall(), list[_Row])
        models = [_name(_metas.decode(row[3]).model) for row in found]
        named = _first_models(connection, (found[0][0], found[-1][0])) if None in models else {}

    def run(row: _Row, asked: str | None) -> RunRow:
        model = named.get(row[0]) if asked is None else asked
        return RunRow(row[0], row[1], model, row[2], asked=asked)

    return (Ends(run(row, model), *row[3:]) for row, model in zip(found, models, strict=True))


def _parts(
    connect: Callable[[], sqlite3.Connection],
    jobs: Sequence[list[str]],
    types: list[str] | None,
    kinds: Callable[[str], Kinds],
    passes: Callable[[RunRow], bool],
) -> Iterator[Events]:
    def read(ids: list[str]) -> _Found:
        known = _runs(connection, (ids[0], ids[-1]))
        runs = [run for run in known if passes(run)]
        return runs, _text(connection, runs, known, types) if runs else (None,) * 6

    def parse(found: _Found) -> Events:
        runs, text = found
        return events_of(runs, _told(text), kinds) if text[0] else no_events(runs)

    with closing(connect()) as connection:
        yield from piped(jobs, read, parse)


def _runs(connection: sqlite3.Connection, ends: tuple[str, str]) -> list[RunRow]:
    ((ids, outcomes, begun, metas, sizes),) = connection.execute(_RUNS, ends)
    if not ids:
        return []
    asked = [_name(meta.model) for meta in _metas.decode_lines(metas)]
    known, models = ids.split(","), asked
    if None in asked:
        named = _first_models(connection, ends)
        models = [
            named.get(stream_id) if model is None else model
            for model, stream_id in zip(asked, known, strict=True)
        ]
    counts, starts = _numbers(sizes).tolist(), _numbers(begun).tolist()
    each = zip(known, starts, models, outcomes.split(","), counts, asked, strict=True)
    return [RunRow(id, us / 1000, *told) for id, us, *told in each]


def _name(model: Any) -> str | None:
    return model if isinstance(model, str) else None


def _first_models(connection: sqlite3.Connection, ends: tuple[str, str]) -> dict[str, str]:
    """The models that answered first in the runs from one id to another."""
    return dict(connection.execute(_MODELS, ends).fetchall())  # the first one is read last


class _Meta(msgspec.Struct, gc=False):
    model: Any = None


_metas = msgspec.json.Decoder(_Meta)


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


def _told(text: tuple[Any, ...]) -> Told:
    import numpy as np

    ids, sizes, seqs, types, times, lines = text
    counts, coded = _numbers(sizes), split(types, b",").dictionary_encode()
    if seqs is None:
        seq = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    else:
        seq = _numbers(seqs)
    names = [word[:-1].decode() for word in coded.dictionary.to_pylist()]
    known, code = ids.decode().split(","), coded.indices.to_numpy()
    return Told(known, counts, seq, _numbers(times), code, names, split(lines, b"\n"))


def _numbers(text: bytes | str) -> Any:
    import numpy as np

    return np.fromstring(text, "int64", sep=",")
