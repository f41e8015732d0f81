"""Runs as DataFrames: `l0.frames.runs(store)`, `.attempts`, `.events`, `.tokens`, `.violations`.

Each takes a store, its URL or path, a log, a stream, a handle, or a list of events. Times are
UTC, durations float seconds. `attempt` counts the attempts of a run over all of its models, so the
rows of `tokens` and `violations` join those of `attempts` by `(stream_id, attempt)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from l0.events import payload_class
from l0.events._record import BEGINS, ENDS
from l0.events._sources import reading
from l0.events._store import is_store
from l0.notebook import _columns
from l0.notebook._columnar_frames import (
    read_attempts,
    read_events,
    read_tokens,
    read_violations,
)
from l0.notebook._columnar_runs import read_runs
from l0.notebook._columns import Columns
from l0.notebook._frame_rows import (
    Values,
    attempt_rows,
    event_row,
    run_rows,
    token_rows,
    violation_rows,
)
from l0.notebook._frame_runs import Filter, Run, grouped, runs_of
from l0.stream import run_sync

if TYPE_CHECKING:
    from pandas import DataFrame

T = TypeVar("T")

__all__ = ["attempts", "events", "runs", "tokens", "violations"]

_ENDS: Final = ("SESSION_START", "SESSION_SUMMARY", "SESSION_END", "STREAM_FINISHED")
_STORY: Final = (*_ENDS, "STREAM_INIT", "RESTART", "TOKENS")
_TRIES: Final = (
    *(*_STORY, "STREAM_READY", "ERROR", "RETRY_ATTEMPT", "FALLBACK_MODEL_SELECTED"),
    *("RESUME_START", "USAGE", "ABORT_COMPLETED", "FINALIZATION_END"),
)


def runs(source: Any, **filters: Any) -> DataFrame:
    """One row a run: when, which model, what came of it, what it cost.

    Args:
        source: a store, its URL or path, a log, a stream, a handle, or a list of events.
        filters: `stream_id=`; `since=` a time, ISO text, or a timedelta back from now;
            `model=` and `outcome=` a word or several.

    Raises:
        TypeError: the source holds no runs, or a filter is unknown.
        ValueError: `since` is no time, or the run was not recorded.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> runs(InMemoryEventStore()).dtypes["duration"]
        dtype('float64')
    """
    return _columns.frame(_columns.RUNS, run_values(source, **filters))


def run_values(source: Any, **filters: Any) -> Values:
    """What the frame of `runs` is made of: a list a column, `ts` in microseconds."""
    found = _by_columns(source, filters, read_runs, filters.get("stream_id"))
    if found is not None:
        return found
    stored = is_store(source) or isinstance(source, str | PathLike)

    def rows(run: Run, values: Values) -> None:
        if stored and run.summary is None:  # it goes on, or died: all of its events are needed
            for stream_id, items in grouped(source, None, run.stream_id):
                run_rows(Run(stream_id, items), values)
        else:
            run_rows(run, values)

    return _values(_columns.RUNS, source, rows, _ENDS if stored else None, filters)


def attempts(source: Any, **filters: Any) -> DataFrame:
    """One row an attempt: how long it took, how far it came, why it ended; arguments as in `runs`.

    `tokens` came in it, `kept_tokens` of them stand in the end; `delay` was waited before it.
    """
    columnar = _by_columns(source, filters, read_attempts, _TRIES)
    if columnar is not None:
        return columnar
    return _frame(_columns.ATTEMPTS, source, attempt_rows, _TRIES, filters)


def tokens(source: Any, **filters: Any) -> DataFrame:
    """One row a token, those of discarded attempts included; arguments as in `runs`.

    `t` counts seconds from the begin of the run, `gap` from the token before it in its attempt;
    `start` is the offset of `text` in the answer of then; `stands` says whether it does to the end.
    """
    columnar = _by_columns(source, filters, read_tokens)
    if columnar is not None:
        return columnar
    return _frame(_columns.TOKENS, source, token_rows, _STORY, filters)


def violations(source: Any, **filters: Any) -> DataFrame:
    """One row a finding of a guardrail; arguments as in `runs`."""
    columnar = _by_columns(source, filters, read_violations)
    if columnar is not None:
        return columnar
    wanted = (*_STORY, "GUARDRAIL_RULE_RESULT")
    return _frame(_columns.VIOLATIONS, source, violation_rows, wanted, filters)


def events(source: Any, types: str | Iterable[str] | None = None, **filters: Any) -> DataFrame:
    """One row an event, with a column a payload field; other arguments as in `runs`.

    Args:
        source: as in `runs`.
        types: event types; the frame then has exactly their fields, also if there are none.
        filters: as in `runs`.
    """
    named = [types] if isinstance(types, str) else None if types is None else list(types)
    wanted = None if named is None else frozenset(payload_class(t).type for t in named)
    columnar = _by_columns(source, filters, read_events, wanted)
    if columnar is not None:
        return columnar
    base: Values = {name: [] for name in _columns.EVENTS}
    cells: dict[str, dict[int, Any]] = {}
    seen: set[str] = set()
    read = None if wanted is None else (*BEGINS, *ENDS, "STREAM_FINISHED", *wanted)
    for run in runs_of(source, read, filters):
        for item in run.items:
            if wanted is None or item.type in wanted:
                seen.add(item.type)
                event_row(run, item, base, cells)
    columns = _columns.payload_columns(seen if wanted is None else wanted)
    size = len(base["seq"])
    told: dict[str, Any] = dict(base)
    for name in columns:
        values: list[Any] = [None] * size
        for at, value in cells.get(name, {}).items():
            values[at] = value
        told[name] = values
    return _columns.frame(_columns.EVENTS | columns, told)


def _by_columns(
    source: Any, filters: dict[str, Any], read: Callable[..., T | None], *what: Any
) -> T | None:
    """What a frame of a large store is, without a step an event, where that can be."""
    wanted = Filter(**filters)

    def made_of(store: Any) -> T | None:
        if not is_store(store) or (wanted.stream_id and hasattr(store, "stored_files")):
            return None  # a run in a file of its own is read from there alone
        return read(store, *what, wanted.passes)

    if not isinstance(source, str | PathLike):
        return made_of(source)

    async def opened() -> T | None:
        async with reading(fspath(source)) as store:
            return made_of(store)

    made: T | None = run_sync(opened())
    return made


def _frame(
    columns: Columns,
    source: Any,
    rows: Callable[[Run, Values], None],
    types: Iterable[str] | None,
    filters: dict[str, Any],
) -> DataFrame:
    return _columns.frame(columns, _values(columns, source, rows, types, filters))


def _values(
    columns: Columns,
    source: Any,
    rows: Callable[[Run, Values], None],
    types: Iterable[str] | None,
    filters: dict[str, Any],
) -> Values:
    values: Values = {name: [] for name in columns}
    for run in runs_of(source, types, filters):
        rows(run, values)
    return values
