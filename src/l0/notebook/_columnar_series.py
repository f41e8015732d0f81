"""Columns of a frame, made of the columns of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from l0.notebook._columnar import Events

ARROW: Final = {
    "seconds": "float64",
    "float64": "float64",
    "boolean": "bool_",
    "Int16": "int64",
    "Int32": "int64",
    "category": "string",
    "str": "string",
}


def ids(found: Events, run: Any = None) -> Any:
    import pandas as pd
    import pyarrow as pa

    known = pa.array([each.stream_id for each in found.runs], pa.large_string())
    return pd.Series(known.take(pa.array(found.run if run is None else run)), dtype="str")


def times(us: Any) -> Any:
    import pandas as pd

    return pd.Series(pd.DatetimeIndex(us.astype("datetime64[us]")).tz_localize("UTC"))


def words(known: Sequence[str | None], at: Any) -> Any:
    """A category from a number an event and the word of each number."""
    import numpy as np
    import pandas as pd

    used = np.zeros(len(known), bool)
    used[at] = True
    words = sorted(
        {word for word, told in zip(known, used, strict=True) if told and word is not None}
    )
    codes = {word: code for code, word in enumerate(words)} | {None: -1}
    table = np.array([codes.get(word, -1) for word in known], "int32")
    names = pd.Index(words, dtype="str" if words else object)
    return pd.Series(pd.Categorical.from_codes(table[at], categories=names))


def spread(rows: list[Any], values: list[Any], dtype: str, size: int) -> Any:
    """A column of the frame, of what each type has for some of its rows."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if dtype == "object":
        made = np.full(size, None, dtype=object)
        for where, told in zip(rows, values, strict=True):
            made[where] = _objects(told if isinstance(told, list) else told.to_pylist())
        return pd.Series(made, dtype=object, copy=False)
    where = np.concatenate(rows) if rows else np.empty(0, "int64")
    kind = pa.large_string() if dtype == "str" else getattr(pa, ARROW[dtype])()
    found = pa.chunked_array([chunk.cast(kind) for chunk in _chunks(values)], kind)
    if dtype == "category":
        return _category(found, where, size)
    if dtype == "str":
        if len(rows) > 1:
            order = np.argsort(where)
            where, found = where[order], found.take(pa.array(order))
        return pd.Series(_sparse(found, where, size), dtype="str", copy=False)
    missing = np.ones(size, bool)
    missing[where] = found.is_null().to_numpy()
    plain = found.fill_null(False if dtype == "boolean" else 0).to_numpy()
    if dtype in {"seconds", "float64"}:
        numbers = np.full(size, np.nan)
        numbers[where] = plain
        numbers[missing] = np.nan
        return pd.Series(numbers, copy=False)
    held = np.zeros(size, "bool" if dtype == "boolean" else dtype.lower())
    held[where] = plain
    array = pd.arrays.BooleanArray if dtype == "boolean" else pd.arrays.IntegerArray
    return pd.Series(array(held, missing), copy=False)


def _category(found: Any, where: Any, size: int) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow.compute as pc

    coded = found.dictionary_encode().combine_chunks() if len(found) else found
    known = coded.dictionary.to_pylist() if len(found) else []
    order = sorted(range(len(known)), key=known.__getitem__)
    places = np.full(len(known) + 1, -1, "int32")  # the last one is that of nothing
    places[order] = np.arange(len(known))
    codes = np.full(size, -1, "int32")
    if len(found):
        codes[where] = places[pc.fill_null(coded.indices, -1).to_numpy()]
    names = pd.Index([known[at] for at in order], dtype="str" if known else object)
    return pd.Series(pd.Categorical.from_codes(codes, categories=names), copy=False)


def _chunks(values: list[Any]) -> Iterator[Any]:
    import pyarrow as pa

    for told in values:
        yield from told.chunks if isinstance(told, pa.ChunkedArray) else [pa.array(told)]


def _sparse(values: Any, where: Any, size: int) -> Any:
    """Texts at some of the rows, in order; between them there are none."""
    import numpy as np
    import pyarrow as pa

    texts = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    _, ends, data = texts.buffers()
    count = len(texts)
    ends = np.frombuffer(ends, "int64")[texts.offset : texts.offset + count + 1] if count else [0]
    offsets = np.zeros(size + 1, "int64")
    offsets[0] = ends[0]
    offsets[1:][where] = np.diff(ends)
    np.cumsum(offsets, out=offsets)
    valid = np.zeros(size, bool)
    valid[where] = texts.is_valid().to_numpy(zero_copy_only=False)
    return pa.LargeStringArray.from_buffers(
        size,
        pa.py_buffer(offsets),
        pa.py_buffer(b"") if data is None else data,
        pa.py_buffer(np.packbits(valid, bitorder="little")),
    )


def _objects(values: list[Any]) -> Any:
    import numpy as np

    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made
