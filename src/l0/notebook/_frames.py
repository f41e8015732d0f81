"""Runs as DataFrames: `l0.frames.runs(store)`, `.attempts`, `.events`, `.tokens`, `.violations`.

Each takes a store, its URL or path, a log, a stream, a handle, or a list of events. Times are
UTC, durations float seconds. `attempt` counts the attempts of a run over all of its models, so the
rows of `tokens` and `violations` join those of `attempts` by `(stream_id, attempt)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from l0.events import ObservabilityEvent, Record, payload_class
from l0.events._serialize import Plain
from l0.events._sources import reading
from l0.events._store import is_store
from l0.notebook import _columns
from l0.notebook._columnar import RunRow
from l0.notebook._columnar_frames import (
    read_attempts,
    read_events,
    read_tokens,
    read_violations,
)
from l0.notebook._columns import Columns
from l0.notebook._sources import held_story, iter_records, recording_of, stream_of
from l0.stream import run_sync

if TYPE_CHECKING:
    from pandas import DataFrame

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


def run_values(source: Any, **filters: Any) -> dict[str, list[Any]]:
    """What the frame of `runs` is made of: a list a column, `ts` in microseconds."""
    stored = is_store(source) or isinstance(source, str | PathLike)

    def rows(run: _Run, values: dict[str, list[Any]]) -> None:
        if stored and run.summary is None:  # it goes on, or died: all of its events are needed
            for stream_id, items in _grouped(source, None, run.stream_id):
                _run_rows(_Run(stream_id, items), values)
        else:
            _run_rows(run, values)

    return _values(_columns.RUNS, source, rows, _ENDS if stored else None, filters)


def attempts(source: Any, **filters: Any) -> DataFrame:
    """One row an attempt: how long it took, how far it came, why it ended; arguments as in `runs`.

    `tokens` came in it, `kept_tokens` of them stand in the end; `delay` was waited before it.
    """
    columnar = _by_columns(source, filters, read_attempts, _TRIES)
    if columnar is not None:
        return columnar
    return _frame(_columns.ATTEMPTS, source, _attempt_rows, _TRIES, filters)


def tokens(source: Any, **filters: Any) -> DataFrame:
    """One row a token, those of discarded attempts included; arguments as in `runs`.

    `t` counts seconds from the begin of the run, `gap` from the token before it in its attempt;
    `start` is the offset of `text` in the answer of then; `stands` says whether it does to the end.
    """
    columnar = _by_columns(source, filters, read_tokens)
    if columnar is not None:
        return columnar
    return _frame(_columns.TOKENS, source, _token_rows, _STORY, filters)


def violations(source: Any, **filters: Any) -> DataFrame:
    """One row a finding of a guardrail; arguments as in `runs`."""
    columnar = _by_columns(source, filters, read_violations)
    if columnar is not None:
        return columnar
    wanted = (*_STORY, "GUARDRAIL_RULE_RESULT")
    return _frame(_columns.VIOLATIONS, source, _violation_rows, wanted, filters)


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
    base: dict[str, list[Any]] = {name: [] for name in _columns.EVENTS}
    cells: dict[str, dict[int, Any]] = {}
    seen: set[str] = set()
    read = None if wanted is None else (*_ENDS, *wanted)
    for run in _runs_of(source, read, filters):
        for item in run.items:
            if wanted is None or item.type in wanted:
                seen.add(item.type)
                _event_row(run, item, base, cells)
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
    source: Any, filters: dict[str, Any], read: Callable[..., DataFrame | None], *what: Any
) -> DataFrame | None:
    """The frame of a large store without a step a row, where that can be."""
    passes = _Filter(**filters).passes
    if is_store(source):
        return read(source, *what, passes)
    if not isinstance(source, str | PathLike):
        return None

    async def opened() -> DataFrame | None:
        async with reading(fspath(source)) as store:
            return read(store, *what, passes) if is_store(store) else None

    made: DataFrame | None = run_sync(opened())
    return made


# --- runs one after another -----------------------------------------------------------------


class _Item(msgspec.Struct, frozen=True, gc=False):
    """An event, recorded or live, as all rows are made of it."""

    stream_id: str
    seq: int
    ts: float
    type: str
    data: dict[str, Any]
    meta: Any


@dataclass(slots=True)
class _Run:
    """The events of one run, and what they say of it as a whole."""

    stream_id: str
    items: list[_Item]
    started: float = 0.0
    model: str | None = None
    prompt: str | None = None
    outcome: str = "unfinished"
    summary: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        first = self.items[0]
        self.started = first.ts
        self.model, self.prompt = _text(first.meta.get("model")), _text(first.meta.get("prompt"))
        for item in self.items:
            if item.type == "SESSION_SUMMARY":
                self.summary = item.data
            elif item.type == "SESSION_END":
                self.outcome = str(item.data.get("outcome"))
            elif item.type == "STREAM_FINISHED" and self.model is None:
                self.model = _text(item.data.get("model"))

    def since_start(self, item: _Item) -> float:
        return _since(item.ts, self.started)


def _runs_of(source: Any, types: Iterable[str] | None, filters: dict[str, Any]) -> Iterator[_Run]:
    wanted = _Filter(**filters)
    for stream_id, items in _grouped(source, types, wanted.stream_id):
        run = _Run(stream_id, items)
        if wanted.passes(run):
            yield run


def _grouped(
    source: Any, types: Iterable[str] | None, stream_id: str | None
) -> Iterator[tuple[str, list[_Item]]]:
    held = _held_events(source)
    if held is None and (is_store(source) or isinstance(source, str | PathLike)):
        records = iter_records(source, stream_id, types)  # in order of streams
        for each, group in groupby(records, key=lambda record: record.stream_id):
            yield each, [_item(record, at) for at, record in enumerate(group)]
        return
    streams: dict[str, list[_Item]] = {}
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


def _item(event: Record | ObservabilityEvent, at: int) -> _Item:
    if isinstance(event, Record):
        return _Item(event.stream_id, event.seq, event.ts, event.type, event.data, event.meta)
    try:
        data = msgspec.to_builtins(event.payload)
    except (TypeError, ValueError):  # a value of the caller's that JSON has no word for
        data = Plain().of(event.payload)
    return _Item(event.stream_id, at, event.ts, event.type, data, event.meta)


class _Filter:
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

    def passes(self, run: _Run | RunRow) -> bool:
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


def _frame(
    columns: Columns,
    source: Any,
    rows: Callable[[_Run, dict[str, list[Any]]], None],
    types: Iterable[str] | None,
    filters: dict[str, Any],
) -> DataFrame:
    return _columns.frame(columns, _values(columns, source, rows, types, filters))


def _values(
    columns: Columns,
    source: Any,
    rows: Callable[[_Run, dict[str, list[Any]]], None],
    types: Iterable[str] | None,
    filters: dict[str, Any],
) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {name: [] for name in columns}
    for run in _runs_of(source, types, filters):
        rows(run, values)
    return values


def _put(values: dict[str, list[Any]], row: dict[str, Any]) -> None:
    for name, column in values.items():
        column.append(row.get(name))


def _us(ms: float) -> int:
    return round(ms * 1000)


def _since(ms: float, before: float) -> float:
    """Seconds between two times, exact to the microsecond."""
    return (_us(ms) - _us(before)) / 1e6


# --- rows -----------------------------------------------------------------------------------


def _event_row(
    run: _Run, item: _Item, base: dict[str, list[Any]], cells: dict[str, dict[int, Any]]
) -> None:
    at = len(base["seq"])
    base["stream_id"].append(run.stream_id)
    base["seq"].append(item.seq)
    base["ts"].append(_us(item.ts))
    base["t"].append(run.since_start(item))
    base["model"].append(run.model)
    base["type"].append(item.type)
    data = item.data
    if item.type == "TOKENS":
        offsets = data["offsets_us"]
        spent = offsets[-1] / 1e6 if offsets else 0.0
        told = {"start": data["start"], "count": len(offsets), "duration": spent}
        for name, value in told.items():
            cells.setdefault(name, {})[at] = value
        return
    for name, column, is_ms in _columns.fields_of(item.type):
        value = data.get(name)
        if value is not None:
            cells.setdefault(column, {})[at] = value / 1000 if is_ms else value


@dataclass(slots=True)
class _Try:
    """One attempt, as its events tell it."""

    row: dict[str, Any]
    pieces: list[tuple[int, int]] = field(default_factory=list)
    """The token indexes [first, last) that came in it."""

    def cut(self, kept: int) -> None:
        self.pieces = [(first, min(last, kept)) for first, last in self.pieces if first < kept]


def _attempt_rows(run: _Run, values: dict[str, list[Any]]) -> None:
    tries: list[_Try] = []
    delay, resumed, ended = None, False, run.items[-1].ts
    for item in run.items:
        data, now = item.data, tries[-1].row if tries else {}
        match item.type:
            case "STREAM_INIT":
                tries.append(_begun(run, item, len(tries) + 1, delay, resumed=resumed))
                delay, resumed = None, False
            case "RETRY_ATTEMPT":
                delay = data["delay_ms"] / 1000
            case "RESUME_START":
                resumed = True
            case "STREAM_READY":
                now["connect"] = _seconds(data["connect_ms"])
            case "TOKENS" if tries:
                count = len(data["offsets_us"])
                now["tokens"] += count
                if now.get("time_to_first_token") is None:
                    now["time_to_first_token"] = _since(item.ts, now["begun"])
                tries[-1].pieces.append((data["start"], data["start"] + count))
            case "RESTART":
                for each in tries:
                    each.cut(data["kept_tokens"])
            case "STREAM_FINISHED":
                now["model"] = data.get("model") or run.model
                now["finish_reason"] = data.get("finish_reason")
                now["ended"] = item.ts
            case "USAGE":
                now |= {name: data.get(name) for name in ("input_tokens", "output_tokens")}
            case "ERROR":
                now |= {n: data.get(n) for n in ("category", "error_type", "error_code", "status")}
                now |= {"error": data["error"], "outcome": "failed", "ended": item.ts}
            case "FINALIZATION_END" if data.get("passed"):
                now["outcome"] = "completed"
            case "ABORT_COMPLETED":
                now |= {"outcome": "aborted", "ended": item.ts}
    for each in tries:
        row = each.row
        row["duration"] = _since(row.get("ended", ended), row["begun"])
        row["kept_tokens"] = sum(last - first for first, last in each.pieces)
        _put(values, row)


def _begun(run: _Run, item: _Item, number: int, delay: float | None, *, resumed: bool) -> _Try:
    return _Try(
        {
            "stream_id": run.stream_id,
            "attempt": number,
            "fallback_index": item.data["fallback_index"],
            "attempt_of_model": item.data["attempt"],
            "ts": _us(item.ts),
            "start": run.since_start(item),
            "begun": item.ts,
            "model": run.model,
            "outcome": "unfinished",
            "tokens": 0,
            "resumed": resumed,
            "delay": delay,
        }
    )


def _token_rows(run: _Run, values: dict[str, list[Any]]) -> None:
    begin = len(values["index"])
    attempt, before, offset = 0, None, 0
    starts: list[int] = []  # of the tokens that stand, in the answer
    rows: list[int] = []  # their rows
    stands = values["stands"]
    for item in run.items:
        if item.type == "STREAM_INIT":
            attempt, before = attempt + 1, None
        elif item.type == "RESTART":
            kept = item.data["kept_tokens"]
            for row in rows[kept:]:
                stands[row] = False
            del rows[kept:], starts[kept:]
            offset = item.data["kept_chars"]
        elif item.type == "TOKENS":
            base = _us(item.ts)
            for text, us in zip(item.data["texts"], item.data["offsets_us"], strict=True):
                at = base + us
                values["index"].append(len(rows))
                values["ts"].append(at)
                values["gap"].append(None if before is None else (at - before) / 1e6)
                values["start"].append(offset)
                values["text"].append(text)
                rows.append(len(stands))
                starts.append(offset)
                stands.append(True)
                offset, before = offset + len(text), at
            more = len(stands) - len(values["attempt"])
            values["attempt"].extend([max(1, attempt)] * more)
    first = _us(run.started)
    values["t"].extend([(us - first) / 1e6 for us in values["ts"][begin:]])
    values["stream_id"].extend([run.stream_id] * (len(stands) - begin))


def _violation_rows(run: _Run, values: dict[str, list[Any]]) -> None:
    attempt = 0
    for item in run.items:
        if item.type == "STREAM_INIT":
            attempt += 1
        elif item.type == "GUARDRAIL_RULE_RESULT":
            for found in item.data.get("violations") or ():
                where = {
                    "stream_id": run.stream_id,
                    "attempt": max(1, attempt),
                    "ts": _us(item.ts),
                    "t": run.since_start(item),
                    "model": run.model,
                }
                told = {"severity": "error", "recoverable": True} | found
                _put(values, told | where)


def _run_rows(run: _Run, values: dict[str, list[Any]]) -> None:
    told = run.summary if run.summary is not None else _so_far(run)
    usage = told.get("usage") or {}
    finished = [item for item in run.items if item.type == "STREAM_FINISHED"]
    row = {
        "stream_id": run.stream_id,
        "ts": _us(run.started),
        "model": run.model,
        "prompt": run.prompt,
        "outcome": run.outcome,
        "duration": _seconds(told.get("duration_ms")),
        "time_to_first_token": _seconds(told.get("time_to_first_token_ms")),
        "tokens": told["token_count"],
        "lost_tokens": told.get("lost_tokens", 0),
        "chars": told["content_length"],
        "attempts": told["attempts"],
        "retries": told["model_retries"] + told["network_retries"],
        "fallback_index": told["fallback_index"],
        "violations": told["violations"],
        "drift": told["drift_detected"],
        "resumed": told["resumed"],
        "finish_reason": told.get("finish_reason")
        or (finished[-1].data.get("finish_reason") if finished else None),
        "error": told.get("error"),
    }
    row |= {n: usage.get(n, 0) for n in ("input_tokens", "output_tokens", "total_tokens")}
    _put(values, row)


def _so_far(run: _Run) -> dict[str, Any]:
    """What a summary would say of a run that has none: it goes on, or its process died."""
    from l0.events import State, fold
    from l0.events._record import payload_of

    state, begun = State(), 0
    for item in run.items:
        begun += item.type == "STREAM_INIT"
        fold(state, payload_of(item.type, item.data), item.ts)
    first = state.time_to_first_token
    return {
        "token_count": state.token_count,
        "content_length": state.content_length,
        "duration_ms": run.items[-1].ts - run.started,
        "time_to_first_token_ms": None if first is None else first * 1000,
        "attempts": begun,
        "model_retries": state.model_retry_count,
        "network_retries": state.network_retry_count,
        "fallback_index": state.fallback_index,
        "violations": len(state.violations),
        "drift_detected": state.drift_detected,
        "resumed": state.resumed,
        "usage": msgspec.to_builtins(state.usage),
        "lost_tokens": state.lost_tokens,
    }


def _seconds(ms: Any) -> float | None:
    return None if ms is None else ms / 1000
