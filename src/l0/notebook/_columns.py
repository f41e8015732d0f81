"""The columns of the frames: each declared once, those of event payloads by the catalog."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from l0.events import Payload, catalog

if TYPE_CHECKING:
    from pandas import DataFrame

Columns = dict[str, str]
"""Column names and dtypes; `time` is a UTC time in microseconds, `seconds` a float duration."""

RUNS: Final[Columns] = {
    "stream_id": "str",
    "ts": "time",
    "model": "category",
    "prompt": "str",
    "outcome": "category",
    "duration": "seconds",
    "time_to_first_token": "seconds",
    "tokens": "int32",
    "lost_tokens": "int32",
    "chars": "int32",
    "attempts": "int16",
    "retries": "int16",
    "fallback_index": "int16",
    "violations": "int32",
    "drift": "bool",
    "resumed": "bool",
    "finish_reason": "category",
    "input_tokens": "int32",
    "output_tokens": "int32",
    "total_tokens": "int32",
    "error": "str",
}
ATTEMPTS: Final[Columns] = {
    "stream_id": "str",
    "attempt": "int16",
    "fallback_index": "int16",
    "attempt_of_model": "int16",
    "ts": "time",
    "start": "seconds",
    "duration": "seconds",
    "connect": "seconds",
    "time_to_first_token": "seconds",
    "model": "category",
    "outcome": "category",
    "tokens": "int32",
    "kept_tokens": "int32",
    "resumed": "bool",
    "delay": "seconds",
    "category": "category",
    "error_type": "category",
    "error_code": "category",
    "status": "Int16",
    "error": "str",
    "finish_reason": "category",
    "input_tokens": "Int32",
    "output_tokens": "Int32",
}
TOKENS: Final[Columns] = {
    "stream_id": "str",
    "attempt": "int16",
    "index": "int32",
    "ts": "time",
    "t": "seconds",
    "gap": "seconds",
    "start": "int32",
    "text": "str",
    "stands": "bool",
}
VIOLATIONS: Final[Columns] = {
    "stream_id": "str",
    "attempt": "int16",
    "ts": "time",
    "t": "seconds",
    "model": "category",
    "rule": "category",
    "severity": "category",
    "message": "str",
    "position": "Int32",
    "recoverable": "bool",
    "suggestion": "str",
}
EVENTS: Final[Columns] = {
    "stream_id": "str",
    "seq": "int32",
    "ts": "time",
    "t": "seconds",
    "model": "category",
    "type": "category",
}
"""Of every event; the payload's fields follow, see `payload_columns`."""

_SMALL: Final = frozenset({"attempt", "fallback_index", "attempts", "max_attempts", "status"})
_WORDS: Final = frozenset(
    {
        *("outcome", "finish_reason", "raw_finish_reason", "model", "source", "origin", "cause"),
        *("category", "error_type", "error_code", "code", "failure_type", "recovery_strategy"),
        *("network_type", "timeout_type", "stream_type", "adapter_id", "how", "mode", "phase"),
        *("tool_name", "rule_id", "name", "callback", "event_type", "schema_name", "status"),
        *("strategy", "method", "decided_by"),
    }
)
"""Text fields that have one of a few words, so many rows share each."""
_TAKEN: Final = {name: f"{name}_" for name in EVENTS}
_COUNTED: Final = {"start": "Int32", "count": "Int32", "duration": "seconds"}


def payload_columns(types_: Iterable[str]) -> Columns:
    """The columns for the payloads of these types, in the order of the catalog.

    A field has the same column in every type. `*_ms` become seconds and lose their ending; TOKENS
    has `start`, `count` and `duration`, since each token is a row of `tokens`.

    Example:
        >>> payload_columns(["FALLBACK_END"])
        {'success': 'boolean', 'final_index': 'Int32'}
    """
    wanted = set(types_)
    found: dict[str, set[str]] = {}
    for type_, cls in catalog().items():
        if type_ in wanted:
            told = _COUNTED if type_ == "TOKENS" else _columns_of(cls)
            for name, dtype in told.items():
                found.setdefault(name, set()).add(dtype)
    return {name: _common(dtypes) for name, dtypes in found.items()}


def column_of(field: str) -> str:
    """The column of a payload field."""
    name = field.removesuffix("_ms")
    return _TAKEN.get(name, name)


@cache
def fields_of(type_: str) -> tuple[tuple[str, str, bool], ...]:
    """Field, column, and whether it is milliseconds, of a type's payload."""
    cls = catalog().get(type_)
    names = () if cls is None or type_ == "TOKENS" else cls.__struct_fields__
    return tuple((name, column_of(name), name.endswith("_ms")) for name in names)


def _columns_of(cls: type[Payload]) -> Columns:
    hints = typing.get_type_hints(cls)
    return {
        column_of(field.name): "seconds"
        if field.name.endswith("_ms")
        else _dtype(field.name, hints[field.name])
        for field in msgspec.structs.fields(cls)
    }


def _dtype(name: str, hint: Any) -> str:
    parts = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    parts.discard(type(None))
    if parts == {bool}:
        return "boolean"
    if parts == {int}:
        return "Int16" if name in _SMALL else "Int32"
    if parts and parts <= {int, float}:
        return "float64"
    if parts == {str}:
        return "category" if name in _WORDS else "str"
    return "object"


def _common(dtypes: set[str]) -> str:
    if len(dtypes) == 1:
        return next(iter(dtypes))
    return "Int32" if dtypes <= {"Int16", "Int32"} else "object"


# --- frames ---------------------------------------------------------------------------------


def frame(columns: Columns, values: Mapping[str, Sequence[Any]]) -> DataFrame:
    """A frame of these columns, with their dtypes also where it is empty.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("frames need pandas: pip install pandas") from error
    return pd.DataFrame({name: series(values[name], dtype) for name, dtype in columns.items()})


def series(values: Sequence[Any], dtype: str) -> Any:
    """A column of a frame, of values one by one."""
    import numpy as np
    import pandas as pd

    match dtype:
        case "time":
            us = np.asarray(values, dtype="int64").astype("datetime64[us]")
            return pd.Series(pd.DatetimeIndex(us).tz_localize("UTC"))
        case "seconds":
            return pd.Series(np.asarray(values, dtype="float64"))
        case "category":
            words = [None if value is None else str(value) for value in values]
            known = sorted({word for word in words if word is not None})
            codes: dict[str | None, int] = {word: code for code, word in enumerate(known)}
            codes[None] = -1
            at = np.fromiter((codes[word] for word in words), "int32", len(words))
            names = pd.Index(known, dtype="str" if known else object)
            return pd.Series(pd.Categorical.from_codes(at, categories=names))
        case "object":
            made = np.empty(len(values), dtype=object)
            made[:] = values
            return pd.Series(made, dtype=object)
    return pd.Series(values, dtype=dtype)
