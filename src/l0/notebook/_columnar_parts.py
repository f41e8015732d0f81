"""What events in columns tell of runs: attempts, batches of tokens, restarts and what they keep."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from l0.notebook._columnar import Events, NotColumnarError

_FAR: Final = 1 << 32  # more than a run has tokens


class Tries:
    """Which attempt each event belongs to: the latest that has begun in its run."""

    def __init__(self, found: Events) -> None:
        import numpy as np

        self.found = found
        begins = found.code == code(found, "STREAM_INIT")
        counted = np.cumsum(begins)
        self.begun = int(counted[-1]) if len(counted) else 0
        before = _before(found, counted - begins)
        self.in_run = counted - before[found.run]
        """The number of the event's attempt in its run; 0 before the first one."""
        self.row = np.where(self.in_run > 0, counted - 1, -1)
        """The row of the event's attempt in the frame, or -1."""
        self._counted = counted
        self._ends = np.zeros(len(found.runs), "int64")
        self._ends[found.run] = counted  # that of the last event of each run stays
        self.number = self.in_run[begins]

    def of(self, type_: str, *, ahead: bool = False) -> Any:
        """The attempt of each event of a type, or the one that is next in its run; or -1."""
        import numpy as np

        rows = self.found.rows(type_)
        if not ahead:
            return self.row[rows]
        following = self._counted[rows]
        return np.where(following < self._ends[self.found.run[rows]], following, -1)

    def latest(self, type_: str, name: str, *, ahead: bool = False) -> list[Any]:
        """Of each attempt, a field of its last event of a type."""
        told: list[Any] = [None] * self.begun
        chunks = self.found.fields.get(type_, {}).get(name, [])
        values = chain.from_iterable(chunk.to_pylist() for chunk in chunks)
        for at, value in zip(self.of(type_, ahead=ahead).tolist(), values, strict=True):
            if at >= 0:
                told[at] = value
        return told

    def sum(self, type_: str, counts: Any) -> Any:
        """Of each attempt, the sum over its events of a type."""
        import numpy as np

        at = self.of(type_)
        return np.bincount(at[at >= 0], counts[at >= 0], self.begun)

    def seen(self, type_: str, *, ahead: bool = False) -> Any:
        """Of each attempt, whether it has an event of a type."""
        import numpy as np

        told = np.zeros(self.begun, bool)
        at = self.of(type_, ahead=ahead)
        told[at[at >= 0]] = True
        return told


class Batches:
    """The batches of tokens: where they begin, how many each has, and what stands of them."""

    def __init__(self, found: Events) -> None:
        import numpy as np

        self.found = found
        self.rows = found.rows("TOKENS")
        if not len(self.rows):
            self.start = self.counts = self.offsets = np.empty(0, "int64")
            return
        fields = found.fields["TOKENS"]
        self.start = numbers(found, "TOKENS", "start")
        self.counts, self.offsets = flat(fields["offsets_us"])

    def spent(self) -> Any:
        """Seconds from the first token of each batch to its last."""
        import numpy as np

        spent, some = np.zeros(len(self.counts)), self.counts > 0
        spent[some] = self.offsets[np.cumsum(self.counts)[some] - 1] / 1e6
        return spent

    def kept(self) -> Any:
        """How many tokens of each batch stand to the end of its run."""
        import numpy as np

        return np.clip(Restarts(self.found).limit(self.rows) - self.start, 0, self.counts)


class Restarts:
    """The parts that restarts cut runs into, and what each of them keeps."""

    def __init__(self, found: Events) -> None:
        import numpy as np

        self._found = found
        rows = found.rows("RESTART")
        self._rows, self._kept = rows, numbers(found, "RESTART", "kept_tokens")
        if len(self._kept) and (self._kept.min() < 0 or self._kept.max() >= _FAR):
            raise NotColumnarError("a restart keeps a number of tokens")
        first = np.zeros(len(found.run), bool)
        begins = np.diff(found.run, prepend=-1) != 0
        first[begins] = True
        first[rows] = True
        self.part = np.cumsum(first) - 1
        """Of each event, the part it is in."""
        self.kept_tokens = np.zeros(int(first.sum()), "int64")
        self.kept_chars = np.zeros_like(self.kept_tokens)
        self.kept_tokens[self.part[rows]] = self._kept
        self.kept_chars[self.part[rows]] = numbers(found, "RESTART", "kept_chars")

    def limit(self, rows: Any) -> Any:
        """Of events, how many tokens the restarts after them leave at least."""
        import numpy as np

        run = self._found.run[self._rows]
        lowest = np.minimum.accumulate((self._kept + run * _FAR)[::-1])[::-1] - run * _FAR
        after = np.searchsorted(self._rows, rows)
        told = np.full(len(rows), _FAR)
        inside = np.flatnonzero(after < len(self._rows))
        same = inside[run[after[inside]] == self._found.run[rows[inside]]]
        told[same] = lowest[after[same]]
        return told

    def check(self, part: Any, begins: Any, sizes: Any) -> None:
        """No restart keeps more than there was.

        Raises:
            NotColumnarError: one does.
        """
        import numpy as np

        came = np.zeros(len(self.kept_tokens), "int64")
        came[part[begins]] = sizes
        there = self.kept_tokens + came  # at the end of each part
        cuts = self.part[self._rows]
        is_first = np.diff(self._found.run, prepend=-1)[self._rows] != 0
        if (self.kept_tokens[cuts] > np.where(is_first, 0, there[cuts - 1])).any():
            raise NotColumnarError("a restart keeps tokens that were there")


# --- fields of events ---------------------------------------------------------------------------


def cells(chunks: list[Any], *, is_ms: bool) -> Any:
    """The values of a field: a list of any objects, or an Arrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not chunks or isinstance(chunks[0], list):
        return list(chain.from_iterable(chunks))
    values = pa.chunked_array(chunks)
    return pc.divide(values, 1000.0) if is_ms else values


def lists(kind: str) -> Any:
    import pyarrow as pa

    return pa.list_(getattr(pa, kind)())


def numbers(found: Events, type_: str, name: str) -> Any:
    import numpy as np

    chunks = found.fields.get(type_, {}).get(name, [])
    if any(chunk.null_count for chunk in chunks):
        raise NotColumnarError(f"{type_} has a {name}")
    return np.concatenate([np.empty(0, "int64"), *(chunk.to_numpy() for chunk in chunks)])


def flat(chunks: list[Any]) -> tuple[Any, Any]:
    """How long each of the lists is, and their values behind each other."""
    import numpy as np
    import pyarrow as pa

    if any(chunk.null_count for chunk in chunks):
        raise NotColumnarError("a batch of tokens has its texts and times")
    counts = np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in chunks])
    values = [chunk.flatten() for chunk in chunks]
    if pa.types.is_string(values[0].type):
        return counts, pa.chunked_array([each.cast(pa.large_string()) for each in values])
    if any(each.null_count for each in values):
        raise NotColumnarError("each token has a time")
    return counts, np.concatenate([each.to_numpy() for each in values])


def code(found: Events, type_: str) -> int:
    return found.types.index(type_) if type_ in found.types else -1


def _before(found: Events, counted: Any) -> Any:
    """What was counted before the first event of each run; as after it for runs without events."""
    import numpy as np

    before = np.full(len(found.runs), -1)
    begins = np.flatnonzero(np.diff(found.run, prepend=-1))
    before[found.run[begins]] = counted[begins]
    return before
