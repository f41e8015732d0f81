"""The runs of a large store: what their last events say, without making anything of the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import msgspec

from l0.notebook import _columnar_jsonl, _columnar_sqlite, _columns
from l0.notebook._columnar import Ends, NotColumnarError, RunRow
from l0.notebook._frame_rows import Values, run_rows, seconds
from l0.notebook._frame_runs import Run, grouped, microseconds


class _Meta(msgspec.Struct, gc=False):
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
    if stream_id is not None:
        return None
    try:
        for ways in (_columnar_sqlite, _columnar_jsonl):
            ends = ways.ends(store)
            if ends is not None:
                return _values(store, ends, passes)
    except (sqlite3.Error, msgspec.DecodeError, NotColumnarError):
        return None
    return None


def _values(store: Any, ends: Iterable[Ends], passes: Callable[[RunRow], bool]) -> Values:
    rows: list[tuple[Any, ...]] = []
    for each in ends:
        if not passes(each.run):
            continue
        if each.summary is None:  # it goes on, or died: all of its events are needed
            rows += _of_events(store, each.run.stream_id)
            continue
        prompt = _decoder(_Meta).decode(each.meta).prompt
        row = (
            each.run.stream_id,
            microseconds(each.run.started),
            each.run.model,
            prompt if isinstance(prompt, str) else None,
            each.run.outcome,
        )
        rows.append((*row, *_cells(_decoder(_Summary).decode(each.summary), each.finished)))
    columns = zip(*rows, strict=True) if rows else [()] * len(_columns.RUNS)
    return {name: list(column) for name, column in zip(_columns.RUNS, columns, strict=True)}


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
