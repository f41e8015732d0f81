"""Events of JSONL logs as columns: a line is taken apart once, its payload is left as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from l0.events._jsonl_file import JsonlFile, whole_lines
from l0.events._record import BEGINS, ENDS, Line, decode_object, lines_of, outcome_of
from l0.events._store import UNFINISHED
from l0.notebook import _columnar
from l0.notebook._columnar import (
    Ends,
    Events,
    Kinds,
    NotColumnarError,
    RunRow,
    Told,
    events_of,
    no_events,
    parts_of,
    piped,
    split,
)

_LINE: Final = 350  # bytes of a line, about
_STREAM: Final = attrgetter("stream_id")


class _Named(msgspec.Struct, gc=False):
    model: Any = None


_named = msgspec.json.Decoder(_Named).decode


def parts(
    store: Any,
    types: list[str] | None,
    kinds: Callable[[str], Kinds],
    passes: Callable[[RunRow], bool],
) -> Iterator[Events] | None:
    """The events of a store of JSONL, part by part; None of a few, or of another store."""
    if not hasattr(store, "stored_files"):
        return None
    sizes = _sizes(store)
    total = sum(size for _, size in sizes)
    if total < _columnar.LEAST:
        return None

    def parse(texts: list[tuple[Path, bytes]]) -> Events:
        found = [(run, lines) for run, lines in _runs(store, texts) if passes(run)]
        if types is not None:
            wanted = frozenset(types)
            found = [(run, [each for each in lines if each.type in wanted]) for run, lines in found]
        return _events(found, kinds)

    return piped(parts_of(sizes, total), _texts, parse)


def ends(store: Any) -> Iterator[Ends] | None:
    """What the first and the last events of each run say; None of another store.

    Raises:
        NotColumnarError: a line is no record, or a stream begins otherwise than they do.
    """
    if not hasattr(store, "stored_files"):
        return None
    sizes = _sizes(store)
    texts = map(_texts, parts_of(sizes, sum(size for _, size in sizes)))
    return (
        _ends(run, lines)
        for each in texts
        for run, lines in _runs(store, each)
        if lines[0].type == "SESSION_START"  # maps and calls of consensus are no runs
    )


# --- the runs of some files -------------------------------------------------------------------


def _sizes(store: Any) -> list[tuple[Path, int]]:
    return [(path, path.stat().st_size // _LINE) for path in store.stored_files()]


def _texts(paths: list[Path]) -> list[tuple[Path, bytes]]:
    return [(path, whole_lines(path)) for path in paths]


def _runs(store: Any, texts: Sequence[tuple[Path, bytes]]) -> Iterator[tuple[RunRow, list[Line]]]:
    try:
        lines = lines_of(b"".join(text for _, text in texts))
    except ValueError as error:
        raise NotColumnarError(str(error)) from error
    groups = [(stream_id, list(group)) for stream_id, group in groupby(lines, _STREAM)]
    if isinstance(store, JsonlFile):  # in which one run may be among the other
        whole: dict[str, list[Line]] = {}
        for stream_id, group in groups:
            whole.setdefault(stream_id, []).extend(group)
        groups = list(whole.items())
    elif [stream_id for stream_id, _ in groups] != [path.stem for path, text in texts if text]:
        raise NotColumnarError("each file holds a run of its own")
    for stream_id, group in groups:
        yield _run(stream_id, group), group


def _run(stream_id: str, lines: Sequence[Line]) -> RunRow:
    first = lines[0]
    if first.type not in BEGINS:
        raise NotColumnarError("a stream has a begin")
    asked = model = _named(first.meta or b"{}").model
    outcome = UNFINISHED
    for line in lines:
        if line.type in ENDS:
            outcome = outcome_of(decode_object(line.data)) or UNFINISHED
        elif line.type == "STREAM_FINISHED" and not isinstance(model, str):
            model = _named(line.data).model
    asked, model = (each if isinstance(each, str) else None for each in (asked, model))
    return RunRow(stream_id, first.ts, model, outcome, asked=asked)


def _events(found: Sequence[tuple[RunRow, list[Line]]], kinds: Callable[[str], Kinds]) -> Events:
    import numpy as np
    import pyarrow as pa

    runs = [run for run, _ in found]
    lines = list(chain.from_iterable(each for _, each in found))
    if not lines:
        return no_events(runs)
    size = len(lines)
    ids, counts = zip(*((run.stream_id, len(each)) for run, each in found), strict=True)
    coded = pa.array([line.type for line in lines], pa.large_string()).dictionary_encode()
    ts = np.fromiter((line.ts for line in lines), "float64", size)
    text = b"\n".join([line.data for line in lines])
    data = split(text, b"\n")
    begins = np.frombuffer(data.buffers()[1], "int64")[:-1]
    if (np.frombuffer(text, "uint8")[begins] != ord("{")).any():
        raise NotColumnarError("the data of a record is an object")
    told = Told(
        ids=list(ids),
        counts=np.array(counts, "int64"),
        seq=np.fromiter((line.seq for line in lines), "int64", size),
        us=np.rint(ts * 1000).astype("int64"),
        code=coded.indices.to_numpy(),
        types=coded.dictionary.to_pylist(),
        data=data,
    )
    return events_of(runs, told, kinds)


def _ends(run: RunRow, lines: Sequence[Line]) -> Ends:
    last = {line.type: line.data for line in lines}

    def text(type_: str) -> str | None:
        return bytes(last[type_]).decode() if type_ in last else None

    meta = bytes(lines[0].meta).decode() or "{}"
    return Ends(run, meta, text("SESSION_SUMMARY"), text("STREAM_FINISHED"))
