"""Frames of a large SQLite store, made of columns: cell for cell what `_frames` gives row by row.

Each function gives None where the rows have to be read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from l0.notebook import _columns
from l0.notebook._columnar import THREADS, Events, Kinds, NotColumnarError, RunRow
from l0.notebook._columnar_parts import (
    Batches,
    Restarts,
    Tries,
    cells,
    code,
    flat,
    lists,
    numbers,
)
from l0.notebook._columnar_read import read
from l0.notebook._columnar_series import ARROW, ids, spread, times, words

if TYPE_CHECKING:
    from pandas import DataFrame

Passes = Callable[[RunRow], bool]


# --- events -----------------------------------------------------------------------------------


def read_events(store: Any, types: frozenset[str] | None, passes: Passes) -> DataFrame | None:
    """The frame of events; `types` None means all."""
    found = read(store, types, _event_kinds, passes)
    return None if found is None else _checked(_events, found, types)


@cache
def _event_kinds(type_: str) -> Kinds:
    if type_ == "TOKENS":
        return {"start": "int64", "offsets_us": lists("int64")}
    dtypes = _columns.payload_columns([type_])
    return {name: ARROW.get(dtypes[column]) for name, column, _ in _columns.fields_of(type_)}


def _events(found: Events, types: frozenset[str] | None) -> DataFrame:
    import pandas as pd

    columns = _columns.payload_columns(found.types if types is None else types)
    found_cells: dict[str, tuple[list[Any], list[Any]]] = {name: ([], []) for name in columns}
    for type_ in found.types:
        rows = found.rows(type_)
        if type_ == "TOKENS":
            batches = Batches(found)
            told = {"start": batches.start, "count": batches.counts, "duration": batches.spent()}
        else:
            told = {
                column: cells(found.fields[type_][name], is_ms=is_ms)
                for name, column, is_ms in _columns.fields_of(type_)
            }
        for name, values in told.items():
            found_cells[name][0].append(rows)
            found_cells[name][1].append(values)
    size = len(found.run)
    makers: dict[str, Callable[[], Any]] = {
        "stream_id": lambda: ids(found),
        "seq": lambda: pd.Series(found.seq.astype("int32")),
        "ts": lambda: times(found.us),
        "t": lambda: pd.Series((found.us - found.started()[found.run]) / 1e6),
        "model": lambda: words([run.model for run in found.runs], found.run),
        "type": lambda: words(found.types, found.code),
    }
    for name, dtype in columns.items():
        makers[name] = partial(spread, *found_cells[name], dtype, size)
    with ThreadPoolExecutor(THREADS) as pool:
        made = pool.map(lambda make: make(), makers.values())
        return pd.DataFrame(dict(zip(makers, made, strict=True)), copy=False)


# --- attempts ---------------------------------------------------------------------------------

_ERRORS: Final = ("category", "error_type", "error_code", "error")
_NAMING: Final = ("STREAM_FINISHED", "STREAM_INIT")
_USED: Final = ("input_tokens", "output_tokens")


def _attempt_kinds(type_: str) -> Kinds:
    told: dict[str, dict[str, Any]] = {
        "STREAM_INIT": {"attempt": "int64", "fallback_index": "int64", "model": "string"},
        "TOKENS": {"start": "int64", "offsets_us": lists("int64")},
        "RESTART": dict.fromkeys(("kept_tokens", "kept_chars"), "int64"),
        "RETRY_ATTEMPT": {"delay_ms": "float64"},
        "STREAM_READY": {"connect_ms": "float64"},
        "STREAM_FINISHED": dict.fromkeys(("model", "finish_reason"), "string"),
        "USAGE": dict.fromkeys(_USED, "int64"),
        "ERROR": {"status": "int64", **dict.fromkeys(_ERRORS, "string")},
        "FINALIZATION_END": {"passed": "bool_"},
    }
    return told.get(type_, {})


def read_attempts(store: Any, types: Sequence[str], passes: Passes) -> DataFrame | None:
    """The frame of attempts."""
    found = read(store, types, _attempt_kinds, passes)
    return None if found is None else _checked(_attempts, found)


def _attempts(found: Events) -> DataFrame:
    import numpy as np
    import pandas as pd

    tries = Tries(found)
    begins = found.rows("STREAM_INIT")
    run, us = found.run[begins], found.us[begins]
    started, begun = found.started()[run], tries.begun
    last = np.zeros(len(found.runs), "int64")
    last[found.run] = found.us  # the latest one of each run stays
    told = _outcomes(tries, last[run])
    models = np.array([each.asked for each in found.runs], object)[run]
    fallback = numbers(found, "STREAM_INIT", "fallback_index")
    models[fallback > 0] = None  # what the run was said to ask is the first one
    names = zip(*(tries.latest(type_, "model") for type_ in _NAMING), models, strict=True)
    batches = Batches(found)
    at, first = np.unique(tries.of("TOKENS"), return_index=True)
    waits = np.full(begun, np.nan)
    waits[at[at >= 0]] = found.us[batches.rows[first[at >= 0]]]
    error = {name: tries.latest("ERROR", name) for name in (*_ERRORS, "status")}
    used = {name: tries.latest("USAGE", name) for name in _USED}
    delays = tries.latest("RETRY_ATTEMPT", "delay_ms", ahead=True)
    connects = tries.latest("STREAM_READY", "connect_ms")
    of_model = numbers(found, "STREAM_INIT", "attempt")
    columns: dict[str, Any] = {
        "stream_id": ids(found, run),
        "attempt": pd.Series(tries.number.astype("int16")),
        "fallback_index": pd.Series(fallback.astype("int16")),
        "attempt_of_model": pd.Series(of_model.astype("int16")),
        "ts": times(us),
        "start": pd.Series((us - started) / 1e6),
        "duration": pd.Series((told["ended"] - us) / 1e6),
        "connect": _ms(connects),
        "time_to_first_token": pd.Series((waits - us) / 1e6),
        "model": [said or asked or of_run for said, asked, of_run in names],
        "outcome": told["outcome"],
        "tokens": pd.Series(tries.sum("TOKENS", batches.counts).astype("int32")),
        "kept_tokens": pd.Series(tries.sum("TOKENS", batches.kept()).astype("int32")),
        "resumed": pd.Series(tries.seen("RESUME_START", ahead=True)),
        "delay": _ms(delays),
        **error,
        "finish_reason": tries.latest("STREAM_FINISHED", "finish_reason"),
        **used,
    }
    return pd.DataFrame(
        {
            name: _columns.series(columns[name], dtype)
            if isinstance(columns[name], list)
            else columns[name]
            for name, dtype in _columns.ATTEMPTS.items()
        },
        copy=False,
    )


def _outcomes(tries: Tries, latest: Any) -> dict[str, Any]:
    """What came of each attempt, and its end; that of the run where it tells none."""
    import numpy as np

    found, outcome, ended = tries.found, np.zeros(tries.begun, "int64"), latest
    outcomes = ["unfinished", "completed", "failed", "aborted"]
    told = np.zeros(len(found.run), "int64")
    told[found.rows("ERROR")], told[found.rows("ABORT_COMPLETED")] = 2, 3
    ends = found.rows("FINALIZATION_END")
    if len(ends):
        passed = cells(found.fields["FINALIZATION_END"]["passed"], is_ms=False).fill_null(False)
        told[ends[passed.to_numpy()]] = 1
    rows = np.flatnonzero((told > 0) & (tries.row >= 0))
    outcome[tries.row[rows]] = told[rows]
    over = (told > 1) | (found.code == code(found, "STREAM_FINISHED"))
    rows = np.flatnonzero(over & (tries.row >= 0))
    ended[tries.row[rows]] = found.us[rows]
    return {"outcome": [outcomes[each] for each in outcome], "ended": ended}


# --- tokens -----------------------------------------------------------------------------------


def _token_kinds(type_: str) -> Kinds:
    if type_ == "TOKENS":
        return {"start": "int64", "offsets_us": lists("int64"), "texts": lists("string")}
    return _attempt_kinds(type_) if type_ == "RESTART" else {}


def read_tokens(store: Any, passes: Passes) -> DataFrame | None:
    """The frame of tokens."""
    found = read(store, ("STREAM_INIT", "RESTART", "TOKENS"), _token_kinds, passes)
    return None if found is None else _checked(_tokens, found)


def _tokens(found: Events) -> DataFrame:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    batches, tries, restarts = Batches(found), Tries(found), Restarts(found)
    rows, counts = batches.rows, batches.counts
    texts: Any = pa.array([], pa.large_string())
    if len(rows):
        sizes, texts = flat(found.fields["TOKENS"]["texts"])
        if not np.array_equal(sizes, counts) or texts.null_count:
            raise NotColumnarError("each token has a text and a time")
    lengths = pc.utf8_length(texts).to_numpy()
    batch = np.repeat(np.arange(len(rows)), counts)
    run, of = found.run[rows][batch], tries.in_run[rows][batch]
    us = np.repeat(found.us[rows], counts) + batches.offsets

    # What came since the last restart, or the begin of the run, comes after what was kept then.
    part = restarts.part[rows][batch]
    begins = np.flatnonzero(np.diff(part, prepend=-1))
    sizes = np.diff(begins, append=len(part))
    here = np.arange(len(part)) - np.repeat(begins, sizes)
    chars = np.cumsum(lengths) - lengths
    chars = chars - np.repeat(chars[begins], sizes)
    index = restarts.kept_tokens[part] + here
    restarts.check(part, begins, sizes)

    gap = np.full(len(us), np.nan)
    same = (np.diff(run) == 0) & (np.diff(of) == 0)
    gap[1:][same] = np.diff(us)[same] / 1e6
    columns = {
        "stream_id": ids(found, run),
        "attempt": pd.Series(np.maximum(of, 1).astype("int16")),
        "index": pd.Series(index.astype("int32")),
        "ts": times(us),
        "t": pd.Series((us - found.started()[run]) / 1e6),
        "gap": pd.Series(gap),
        "start": pd.Series((restarts.kept_chars[part] + chars).astype("int32")),
        "text": pd.Series(texts, dtype="str"),
        "stands": pd.Series(index < restarts.limit(rows)[batch]),
    }
    return pd.DataFrame(columns, copy=False)


# --- violations -------------------------------------------------------------------------------


def _violation_kinds(type_: str) -> Kinds:
    return {"violations": None} if type_ == "GUARDRAIL_RULE_RESULT" else {}


def read_violations(store: Any, passes: Passes) -> DataFrame | None:
    """The frame of violations."""
    found = read(store, ("STREAM_INIT", "GUARDRAIL_RULE_RESULT"), _violation_kinds, passes)
    return None if found is None else _checked(_violations, found)


def _violations(found: Events) -> DataFrame:
    rows = found.rows("GUARDRAIL_RULE_RESULT").tolist()
    chunks = found.fields.get("GUARDRAIL_RULE_RESULT", {}).get("violations", [])
    started, tries = found.started(), Tries(found)
    values: dict[str, list[Any]] = {name: [] for name in _columns.VIOLATIONS}
    for row, violations in zip(rows, chain.from_iterable(chunks), strict=True):
        run, us = int(found.run[row]), int(found.us[row])
        for violation in violations or ():
            where = {
                "stream_id": found.runs[run].stream_id,
                "attempt": max(1, int(tries.in_run[row])),
                "ts": us,
                "t": (us - int(started[run])) / 1e6,
                "model": found.runs[run].model,
            }
            told = {"severity": "error", "recoverable": True} | violation | where
            for name, column in values.items():
                column.append(told.get(name))
    return _columns.frame(_columns.VIOLATIONS, values)


# --- what they share ----------------------------------------------------------------------------


def _checked(make: Callable[..., DataFrame], *arguments: Any) -> DataFrame | None:
    import pyarrow as pa

    try:
        return make(*arguments)
    except (pa.ArrowInvalid, NotColumnarError):
        return None


def _ms(values: list[Any]) -> list[Any]:
    return [None if value is None else value / 1000 for value in values]
