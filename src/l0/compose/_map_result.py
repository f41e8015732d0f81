"""What a map gives: its rows one by one, how far it is, and the whole as a frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from l0.compose._executor import RowOutcome
from l0.compose._results import Results
from l0.events import Usage


class MapRow(RowOutcome, frozen=True, kw_only=True, repr_omit_defaults=True):
    """One row of a map: where it stands, what came of it, what it cost; times in Unix seconds.

    `index` is its label in the DataFrame, or else its `position`, from 0. `status` is ok, failed or
    skipped (`error` says why). `origin` is made, stored (an earlier call made it) or copied (of a
    row of the same content in this call); `usage` and `cost` are what it took when it was made.

    Example:
        >>> MapRow(position=0, index=0, status="ok", text="Hello").ok
        True
    """

    position: int
    index: Any
    key: str | None = None
    cost: float | None = None
    origin: str = "made"

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.status == "ok"

    @property
    def duration(self) -> float | None:
        """Seconds from the row's first request to its end."""
        if self.started is None or self.ended is None:
            return None
        return max(0.0, self.ended - self.started)


class MapProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a map is: rows by what became of them; `elapsed` and `eta` in seconds.

    `done` is ok + failed + skipped, `reused` those of them that nobody was asked for, `retries` the
    requests beyond the first of each row; `usage` and `cost` are of this call alone.
    """

    total: int | None
    done: int
    ok: int
    failed: int
    skipped: int
    reused: int
    running: int
    retries: int
    concurrency: int
    elapsed: float
    eta: float | None
    usage: Usage
    cost: float | None


class Ledger:
    """What became of each row so far: counts, and where its outcome is kept.

    Answers stay in the store, so that memory does not grow with them: a row that is ok costs a key
    here; rows that failed or were skipped are kept whole.
    """

    def __init__(self) -> None:
        self.ok = self.failed = self.skipped = self.reused = self.retries = 0
        self._keys: list[bytes | None] = []
        self._origins = bytearray()
        self._others: dict[int, MapRow] = {}

    def note(self, row: MapRow) -> None:
        """A row is done."""
        if row.ok and row.key is not None:
            while len(self._keys) <= row.position:
                self._keys.append(None)
                self._origins.append(0)
            self._keys[row.position] = bytes.fromhex(row.key)
            self._origins[row.position] = _ORIGINS.index(row.origin)
            self.ok += 1
        else:
            self._others[row.position] = row
            self.failed += row.status == "failed"
            self.skipped += row.status == "skipped"
        self.reused += row.origin != "made"
        if row.origin == "made":
            self.retries += max(0, row.attempts - 1)

    @property
    def done(self) -> int:
        """How many rows are done."""
        return self.ok + self.failed + self.skipped

    def at(self, position: int) -> tuple[str, str] | MapRow | None:
        """A row's key and origin, or the row itself; None if it was not come to."""
        if position < len(self._keys):
            key = self._keys[position]
            if key is not None:
                return key.hex(), _ORIGINS[self._origins[position]]
        return self._others.get(position)


_ORIGINS = ("made", "stored", "copied")
_CHUNK = 500  # rows read from the store at a time


class MapResult:
    """What came of a map; answers are read from the store when they are asked for.

    Attributes:
        ok: how many rows have an answer.
        failed: how many have none; calling the same map again tries them again.
        skipped: how many were not begun, or not finished, because the map was stopped.
        reused: how many of all were not asked now: stored by an earlier call, or of same content.
        retries: requests beyond the first of each row.
        usage: tokens this call took, failed attempts included.
        cost: what they cost, by `prices=`; None without it.
        duration: seconds from the map's begin to its end.
        stopped: why no more rows were begun: the budget, the account, an abort; None if all were.
        path: the file that holds the answers; None if they are in memory only.

    Example:
        >>> import l0
        >>> rows = l0.compose.map(["a", "b"], "Say {text}", lambda prompt: [prompt], store=False)
        >>> result = l0.run_sync(rows)
        >>> result.ok, result.texts
        (2, ['Say a', 'Say b'])
    """

    def __init__(
        self,
        ledger: Ledger,
        results: Results,
        *,
        total: int,
        index: Any,
        parse: Callable[[str], Any] | None,
        facts: Mapping[str, Any],
    ) -> None:
        self._ledger, self._results = ledger, results
        self._total, self._index, self._parse = total, index, parse
        self.ok, self.failed = ledger.ok, ledger.failed
        self.skipped = total - ledger.ok - ledger.failed
        self.reused, self.retries = ledger.reused, ledger.retries
        self.usage: Usage = facts["usage"]
        self.cost: float | None = facts["cost"]
        self.duration: float = facts["duration"]
        self.stopped: str | None = facts["stopped"]
        self.path = results.path

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[MapRow]:
        for at in range(0, self._total, _CHUNK):
            yield from self._read(range(at, min(at + _CHUNK, self._total)))

    def _read(self, positions: range) -> list[MapRow]:
        told = [self._ledger.at(position) for position in positions]
        kept = self._results.read(each[0] for each in told if isinstance(each, tuple))
        rows = []
        for position, each in zip(positions, told, strict=True):
            if isinstance(each, tuple):
                rows.append(self._whole(position, *each, kept))
            else:
                rows.append(each or self._unbegun(position))
        return rows

    def _whole(self, position: int, key: str, origin: str, kept: Mapping[str, Any]) -> MapRow:
        if key not in kept:
            gone = "its answer is no longer in the store; call map again"
            return self._unbegun(position, gone)
        outcome, cost, _ = kept[key]
        return row_of(
            outcome,
            parse=self._parse,
            position=position,
            index=self._label(position),
            key=key,
            cost=cost,
            origin=origin,
        )

    def _unbegun(self, position: int, why: str | None = None) -> MapRow:
        why = why or self.stopped or "the map was ended before it"
        label = self._label(position)
        return MapRow(position=position, index=label, status="skipped", error=why)

    def _label(self, position: int) -> Any:
        return position if self._index is None else self._index[position]

    @property
    def rows(self) -> list[MapRow]:
        """Every row, in the order of the items."""
        return list(self)

    @property
    def texts(self) -> list[str | None]:
        """The answers, in the order of the items; None for rows without one."""
        return [row.text for row in self]

    @property
    def frame(self) -> Any:
        """The rows as a DataFrame with the index of the items, ready for `df.join(result.frame)`.

        It has the columns `text` (with `parse=` the fields of the data instead, then `raw`), `ok`,
        `status`, `error`, `attempts`, `input_tokens`, `output_tokens`, `cost`, `model`,
        `finish_reason`, `started`, `ended` (UTC), `duration` (seconds) and `origin`.
        """
        return to_frame(self.rows, self._index, parsed=self._parse is not None)

    def __repr__(self) -> str:
        parts = [f"{self.ok} ok", f"{self.failed} failed", f"{self.skipped} skipped"]
        if self.reused:
            parts.append(f"{self.reused} reused")
        if self.cost is not None:
            parts.append(f"cost {self.cost:.6g}")
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"<MapResult of {self._total} rows: {', '.join(parts)}{stopped}>"


def row_of(outcome: RowOutcome, parse: Callable[[str], Any] | None = None, **more: Any) -> MapRow:
    """A row of what came of it."""
    fields = {name: getattr(outcome, name) for name in RowOutcome.__struct_fields__}
    if parse is not None and outcome.data is None and outcome.text is not None:
        fields["data"] = parse(outcome.text if outcome.json is None else outcome.json)
    return MapRow(**fields, **more)


# --- as a frame ---------------------------------------------------------------------------------


def to_frame(rows: Sequence[MapRow], index: Any, *, parsed: bool) -> Any:
    """The rows as a DataFrame."""
    import pandas as pd

    def numbers(name: str) -> Any:
        return pd.Series([getattr(row, name) for row in rows], dtype="float64").to_numpy()

    facts: dict[str, Any] = {
        "raw" if parsed else "text": [row.text for row in rows],
        "ok": [row.ok for row in rows],
        "status": [row.status for row in rows],
        "error": [row.error for row in rows],
        "attempts": [row.attempts for row in rows],
        "input_tokens": [row.usage.input_tokens for row in rows],
        "output_tokens": [row.usage.output_tokens for row in rows],
        "cost": numbers("cost"),
        "model": [row.model for row in rows],
        "finish_reason": [row.finish_reason for row in rows],
        "started": pd.to_datetime(numbers("started"), unit="s", utc=True),
        "ended": pd.to_datetime(numbers("ended"), unit="s", utc=True),
        "duration": numbers("duration"),
        "origin": [row.origin for row in rows],
    }
    data = _data_columns(rows, set(facts)) if parsed else {}
    return pd.DataFrame({**data, **facts}, index=index)


def _data_columns(rows: Sequence[MapRow], taken: set[str]) -> dict[str, list[Any]]:
    """A column a field of the data, or one column `data` where it has no fields."""
    tables = [None if row.data is None else fields_of(row.data) for row in rows]
    if any(table is None and row.data is not None for table, row in zip(tables, rows, strict=True)):
        return {"data": [row.data for row in rows]}
    names = dict.fromkeys(name for table in tables if table is not None for name in table)
    return {
        (f"data.{name}" if name in taken else str(name)): [
            None if table is None else table.get(name) for table in tables
        ]
        for name in names
    }


def fields_of(data: Any) -> dict[str, Any] | None:
    """The fields of a model, a dataclass, a struct or a mapping; None of anything else."""
    if isinstance(data, Mapping):
        return dict(data)
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    names = getattr(type(data), "model_fields", None) or getattr(data, "__struct_fields__", None)
    return None if names is None else {name: getattr(data, name) for name in names}
