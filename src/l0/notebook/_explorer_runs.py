"""The runs that a source holds, one line each, to be filtered, sorted and opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from os import PathLike, fspath
from time import monotonic
from typing import Any, Final

from l0.events import (
    Log,
    ObservabilityEvent,
    Record,
    StreamInitPayload,
    catalog,
    get_default_store,
)
from l0.events._sources import reading
from l0.events._store import is_store
from l0.monitoring import Prices
from l0.notebook import _frames
from l0.notebook._explorer_opened import Opened
from l0.notebook._sources import UNKNOWN, held_story, iter_records, story_of, stream_of
from l0.notebook._static import NAMES
from l0.notebook._story import STATUSES, Story
from l0.notebook._usage import priced
from l0.stream import run_sync

SORTS: Final = (
    *("status", "model", "prompt", "attempts", "token_count", "first_token", "duration", "cost"),
    "started",
)
"""What lines are sorted by."""


_CHEAP: Final = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Line:
    """A run in the table. Durations are seconds, `started` Unix milliseconds.

    `cost` is None where no prices are given, or the model has none.
    """

    id: str
    status: str
    model: str | None
    prompt: str | None
    attempts: int
    retries: int
    token_count: int
    first_token: float | None
    duration: float | None
    started: float
    error: str | None = None
    cost: float | None = None
    words: str = field(default="", compare=False, repr=False)
    """What a filter looks in."""


class Runs:
    """The runs of a source.

    Args:
        source: a store, its URL or path, a log, a list of events, a run, a list of runs, a frame of
            `l0.frames.runs` (then of the default store), or None for the default store.
        prices: an `l0.Prices`, or the mapping it is made of; the table then has costs.

    Raises:
        TypeError: it holds no runs.
        ValueError: there is no default store.
        StoreError: the store can't be read.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> len(Runs(InMemoryEventStore()).lines)
        0
    """

    def __init__(self, source: Any, *, prices: Prices | Mapping[str, Any] | None = None) -> None:
        self._only: frozenset[str] | None = None
        if hasattr(source, "columns") and "stream_id" in source.columns:
            self._only, source = frozenset(source["stream_id"]), None
        if source is None:
            source = get_default_store()
            if source is None:
                raise ValueError("runs are not recorded; give a store, or set_default_store(…)")
        self._held = _held(source)
        self._source = source
        # A table is checked when it is made; the runs of a large store share one.
        self._prices = prices if prices is None or isinstance(prices, Prices) else Prices(prices)
        self.lines: list[Line] = []
        """The newest first."""
        self._read_in = inf
        self.refresh()

    @property
    def is_cheap(self) -> bool:
        """Whether reading it anew takes no time that anybody would notice."""
        return self._read_in < _CHEAP

    def refresh(self) -> None:
        """Read anew what runs there are."""
        begin = monotonic()
        if self._held is not None:
            lines = [_line_of_story(x, story_of(x)) for x in self._held]
        else:
            lines = list(_lines(_frames.run_values(self._source)))
            wanted = self._wanted()
            lines = [line for line in lines if wanted is None or line.id in wanted]
        costs = self._costs() if self._prices is not None else {}
        lines = [_with_words(line, costs.get(line.id)) for line in lines]
        self.lines = sorted(lines, key=lambda line: (line.started, line.id), reverse=True)
        self._read_in = monotonic() - begin

    def _wanted(self) -> frozenset[str] | None:
        """Which streams are meant; of events at hand those that are runs: maps are none."""
        if is_store(self._source) or isinstance(self._source, str | PathLike):
            return self._only
        begins = iter_records(self._source, None, ["SESSION_START"])
        return frozenset(each.stream_id for each in begins)

    def find(
        self,
        text: str = "",
        *,
        status: str = "",
        model: str = "",
        sort: str = "started",
        down: bool = True,
    ) -> list[Line]:
        """The lines with all words of `text` (or an id that begins so), this status and model.

        Lines that have no value to be sorted by come last.
        """
        words = text.casefold().split()
        found = [
            line
            for line in self.lines
            if (not status or line.status == status)
            and (not model or line.model == model)
            and all(word in line.words or line.id.startswith(word) for word in words)
        ]
        name = sort if sort in SORTS else "started"
        known = [line for line in found if getattr(line, name) is not None]
        known.sort(key=lambda line: _key(getattr(line, name)), reverse=down)
        return known + [line for line in found if getattr(line, name) is None]

    def open(self, stream_id: str) -> Opened:
        """One run in full.

        Raises:
            ValueError: there is no such run, or it is gone by now.
        """
        if self._held is not None:
            for x in self._held:
                if story_of(x).stream_id == stream_id:
                    return Opened(x)
            raise ValueError(f"there is no run {stream_id} in it")
        return Opened(self._source, stream_id)

    def _costs(self) -> dict[str, float | None]:
        """What each run cost; None where a model has no price."""
        told: dict[str, list[Any]] = {}
        if self._held is not None:
            stories = [story_of(x) for x in self._held]
            told = {str(story.stream_id): list(story.events) for story in stories}
        else:
            wanted = [type_ for type_ in catalog() if type_ not in {"TOKEN", "TOKENS"}]
            for each in iter_records(self._source, None, wanted):
                told.setdefault(each.stream_id, []).append(each)
        assert self._prices is not None
        return {stream_id: cost_of(events, self._prices) for stream_id, events in told.items()}


def cost_of(
    events: list[Record | ObservabilityEvent], prices: Prices | Mapping[str, Any]
) -> float | None:
    """What a run cost; None where a model has no price, or its events begin in the middle."""
    if not events:
        return None
    model = events[0].meta.get("model")
    named = {0: model if isinstance(model, str) else None}
    for event in events:
        begun = event.payload if event.type == StreamInitPayload.type else None
        if isinstance(begun, StreamInitPayload):
            named[begun.fallback_index] = named.get(begun.fallback_index) or begun.model
    told = priced(events, prices, [named.get(at) for at in range(max(named) + 1)])
    if told is None or (_came(events) and not told.usage.total_tokens):
        return None  # nobody said how much it was
    return told.total


def _came(events: list[Record | ObservabilityEvent]) -> bool:
    """Whether a model said anything."""
    ends = [each for each in events if each.type in {"STREAM_FINISHED", "ERROR"}]
    return any(getattr(each.payload, "token_count", 0) for each in ends)


def holds_several(x: Any) -> bool:
    """Whether there is more than one run in it; a look at the ids, no more."""
    if _held(x) is not None:
        return isinstance(x, list | tuple) and len(x) > 1
    if isinstance(x, str | PathLike):
        return bool(run_sync(_path_holds_several(fspath(x))))
    if is_store(x):
        return len(run_sync(x.list_streams(2))) > 1
    if isinstance(x, Log):
        return len(x.stream_ids()) > 1
    return hasattr(x, "columns") and "stream_id" in x.columns


async def _path_holds_several(path: str) -> bool:
    async with reading(path) as opened:
        if is_store(opened):
            return len(await opened.list_streams(2)) > 1
        return len({record.stream_id for record in opened.records()}) > 1


# --- lines ----------------------------------------------------------------------------------


def _held(source: Any) -> list[Any] | None:
    """Runs at hand: handles, streams, views; None for what has to be read."""
    source = getattr(source, "handles", source)  # of a cell that asked for several
    if _is_run(source):
        return [source]
    if isinstance(source, list | tuple) and source and all(map(_is_run, source)):
        return list(source)
    if isinstance(source, list | tuple) and any(map(_is_run, source)):
        other = next(each for each in source if not _is_run(each))
        raise TypeError(f"{type(other).__name__} among runs is none; {UNKNOWN}")
    return None


def _is_run(x: Any) -> bool:
    return held_story(x) is not None or stream_of(x) is not None


def _lines(values: dict[str, list[Any]]) -> Iterable[Line]:
    """The lines of the columns that a frame of runs is made of."""
    column: Callable[[str], list[Any]] = values.__getitem__
    for at, stream_id in enumerate(column("stream_id")):
        outcome = column("outcome")[at]
        yield Line(
            id=stream_id,
            status=STATUSES.get(outcome, outcome),
            model=column("model")[at],
            prompt=column("prompt")[at],
            attempts=column("attempts")[at],
            retries=column("retries")[at],
            token_count=column("tokens")[at],
            first_token=column("time_to_first_token")[at],
            duration=column("duration")[at],
            started=column("ts")[at] / 1000,
            error=column("error")[at],
        )


def _line_of_story(x: Any, story: Story) -> Line:
    state, picture = story.state, story.picture()
    spent = picture.t if picture.duration_ms is None else picture.duration_ms
    prompt = getattr(x, "prompt", None)
    if not isinstance(prompt, str) and story.events:
        prompt = story.events[0].meta.get("prompt")
    return Line(
        id=str(story.stream_id),
        status=story.status,
        model=story.asked(0) or state.model,
        prompt=prompt if isinstance(prompt, str) else None,
        attempts=len(picture.lanes),
        retries=state.model_retry_count + state.network_retry_count,
        token_count=picture.tokens,
        first_token=None if picture.first_token_ms is None else picture.first_token_ms / 1000,
        duration=spent / 1000,
        started=story.started_ms or 0.0,
        error=story.error["message"] if story.error else None,
    )


def _with_words(line: Line, cost: float | None) -> Line:
    told = (NAMES.get(line.status, line.status), line.model, line.prompt, line.error)
    return replace(line, cost=cost, words="\n".join(filter(None, told)).casefold())


def _key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
