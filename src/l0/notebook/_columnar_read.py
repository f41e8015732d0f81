"""Which way the events of a store are read as columns, if there is one."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from l0.notebook import _columnar_jsonl, _columnar_sqlite
from l0.notebook._columnar import Events, Kinds, NotColumnarError, RunRow, joined


def read(
    store: Any,
    types: Iterable[str] | None,
    kinds: Callable[[str], Kinds],
    passes: Callable[[RunRow], bool],
) -> Events | None:
    """The events of the runs that are wanted, or None where they have to be read one by one.

    Args:
        store: what may be a store of SQLite or JSONL.
        types: the types that are wanted; None: all.
        kinds: the fields that are wanted of a type.
        passes: whether a run is wanted.
    """
    if not _has_pyarrow():
        return None
    import pyarrow as pa

    wanted = None if types is None else sorted(types)
    try:
        for ways in (_columnar_sqlite, _columnar_jsonl):
            parts = ways.parts(store, wanted, kinds, passes)
            if parts is not None:
                with _uncollected():
                    return joined(list(parts))
    except (pa.ArrowInvalid, msgspec.DecodeError, sqlite3.DataError, NotColumnarError):
        return None
    return None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector: what is read has no cycles, and it would go over it again and again.

    That takes a tenth of the time, while every thread waits.
    """
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


def _has_pyarrow() -> bool:
    try:
        import pyarrow.json
    except ImportError:
        return False
    return bool(pyarrow.json)
