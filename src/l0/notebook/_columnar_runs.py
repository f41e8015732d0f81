"""The runs of a SQLite file: what their last events say, found from the end without the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from typing import Any, Final

import msgspec

from l0.notebook import _columns
from l0.notebook._columnar import RunRow, first_models
from l0.notebook._frame_rows import Values, run_rows, seconds
from l0.notebook._frame_runs import Run, grouped, microseconds

_ENDS: Final = "('SESSION_START', 'SESSION_SUMMARY', 'SESSION_END', 'STREAM_FINISHED')"
_LAST: Final = (
    "(SELECT data FROM records WHERE stream_id = s.stream_id AND type = '{}' "
    "ORDER BY seq DESC LIMIT 1)"
)
_RUNS: Final = f"""
SELECT s.stream_id, r.ts, coalesce(s.outcome, 'unfinished'),
       coalesce(r.meta, (SELECT meta FROM records
                         WHERE stream_id = s.stream_id AND seq = 0), '{{}}'),
       {_LAST.format("SESSION_SUMMARY")}, {_LAST.format("STREAM_FINISHED")}
FROM streams s JOIN records r ON r.stream_id = s.stream_id
AND r.seq = (SELECT seq FROM records WHERE stream_id = s.stream_id AND type IN {_ENDS}
             ORDER BY seq LIMIT 1)
ORDER BY s.stream_id
"""  # noqa: S608  constants all

_Found = tuple[str, float, str, str, str | None, str | None]


class _Meta(msgspec.Struct, gc=False):
    model: Any = None
    prompt: Any = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Any = 0
    output_tokens: Any = 0
    total_tokens: Any = 0


class _Finished(msgspec.Struct, gc=False):
    finish_reason: Any = None


class _Summary(msgspec.Struct, gc=False):
    token_count: Any
    content_length: Any
    attempts: Any
    model_retries: Any
    network_retries: Any
    fallback_index: Any
    violations: Any
    drift_detected: Any
    resumed: Any
    duration_ms: float | None = None
    time_to_first_token_ms: float | None = None
    lost_tokens: Any = 0
    finish_reason: Any = None
    error: Any = None
    usage: _Usage | None = None


def read_runs(store: Any, stream_id: str | None, passes: Callable[[RunRow], bool]) -> Values | None:
    """What the frame of runs is made of, or None where the events have to be read one by one."""
    connect = getattr(store, "connect_readonly", None)
    if connect is None or stream_id is not None:
        return None
    try:
        with closing(connect()) as connection:
            rows = list(_rows(store, connection, passes))
    except (sqlite3.Error, msgspec.DecodeError):
        return None
    columns = zip(*rows, strict=True) if rows else [()] * len(_columns.RUNS)
    return {name: list(column) for name, column in zip(_columns.RUNS, columns, strict=True)}


def _rows(
    store: Any, connection: sqlite3.Connection, passes: Callable[[RunRow], bool]
) -> Iterator[tuple[Any, ...]]:
    """A row a run, in the order of the frame's columns."""
    found = msgspec.convert(connection.execute(_RUNS).fetchall(), list[_Found])
    metas = [_decoder(_Meta).decode(each[3]) for each in found]
    named: dict[str, str] = {}
    if not all(isinstance(meta.model, str) for meta in metas):
        named = first_models(connection, (found[0][0], found[-1][0]))
    for (stream_id, ts, outcome, _, told, finished), meta in zip(found, metas, strict=True):
        model = meta.model if isinstance(meta.model, str) else named.get(stream_id)
        if not passes(RunRow(stream_id, ts, model, outcome)):
            continue
        if told is None:  # it goes on, or died: all of its events are needed
            yield from _of_events(store, stream_id)
            continue
        prompt = meta.prompt if isinstance(meta.prompt, str) else None
        of_run = (stream_id, microseconds(ts), model, prompt, outcome)
        yield (*of_run, *_cells(_decoder(_Summary).decode(told), finished))


def _cells(told: Any, finished: str | None) -> tuple[Any, ...]:
    usage = told.usage or _Usage()
    reason = told.finish_reason
    if not reason and finished is not None:
        reason = _decoder(_Finished).decode(finished).finish_reason
    return (
        seconds(told.duration_ms),
        seconds(told.time_to_first_token_ms),
        told.token_count,
        told.lost_tokens,
        told.content_length,
        told.attempts,
        told.model_retries + told.network_retries,
        told.fallback_index,
        told.violations,
        told.drift_detected,
        told.resumed,
        reason,
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        told.error,
    )


def _of_events(store: Any, stream_id: str) -> Iterator[tuple[Any, ...]]:
    values: Values = {name: [] for name in _columns.RUNS}
    for each, items in grouped(store, None, stream_id):
        run_rows(Run(each, items), values)
    return zip(*values.values(), strict=True)


@cache
def _decoder(cls: type[Any]) -> Any:
    return msgspec.json.Decoder(cls)
