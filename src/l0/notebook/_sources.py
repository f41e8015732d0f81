"""From whatever a person holds (a handle, a stream, a store, a path, a list) to its story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from typing import Any

from l0.events import Log, ObservabilityEvent, Record, Replay, get_default_store
from l0.events._sources import get_records, pick_stream, reading
from l0.events._store import is_store
from l0.notebook._story import Story
from l0.stream import Stream, run_sync

UNKNOWN = (
    "give a run (what l0.run or %%l0 gave you), a store, a log, a replay, events, or the path of "
    "a recording"
)


def story_of(x: Any, stream_id: str | None = None, **known: Any) -> Story:
    """The story of a run, wherever it is kept; a running stream's is what is known of it now.

    Args:
        x: a story, handle, stream, replay, store, log, path, URL, or list of events or records.
        stream_id: which run, where there are several.
        known: `model`, `format`, `notes`, where the source doesn't say.

    Raises:
        TypeError: it holds no run.
        ValueError: there is no such run in it, or several and none is named.
    """
    story = held_story(x)
    if story is not None:
        return story
    stream = stream_of(x)
    if stream is not None:
        told = {"model": getattr(x, "model", None), "format": _format_of(x)}
        known = told | {"fallbacks": getattr(x, "fallbacks", ())} | known
        recorded = recording_of(stream)
        if recorded is not None:
            return Story.of_events(recorded, **known)
        return Story.of_stream(stream, **known)
    if isinstance(x, Replay):
        return Story.of_events(run_sync(_all_of(x)), **known)
    return Story.of_events(_one_run(x, stream_id), **known)


def held_story(x: Any) -> Story | None:
    """The story that a live view of this run has collected, or that this is."""
    if isinstance(x, Story):
        return x
    for each in (x, getattr(x, "display", None)):
        story = getattr(each, "story", None)
        if isinstance(story, Story):
            return story
    return None


def stream_of(x: Any) -> Stream | None:
    """The stream itself, or the one that a handle or the sync door holds."""
    if isinstance(x, Stream):
        return x
    stream = getattr(x, "stream", None)
    return stream if isinstance(stream, Stream) else None


def recording_of(stream: Stream) -> list[Record] | None:
    """What a store has of a run that is over, if it was recorded."""
    if stream.outcome is None:
        return None
    store = getattr(stream.options, "event_store", None) or get_default_store()
    if not is_store(store):
        return None
    try:
        return run_sync(get_records(store, stream.stream_id)) or None
    except Exception:  # a store that can't be read must not hide the run itself
        return None


def iter_records(
    source: Any, stream_id: str | None = None, types: Iterable[str] | None = None
) -> Iterator[Record | ObservabilityEvent]:
    """Records of a store, log, path or list, in the order of stream and seq where it has one."""
    wanted = None if types is None else frozenset(types)
    if isinstance(source, str | PathLike):
        yield from run_sync(_read_path(fspath(source), stream_id, wanted))
    elif hasattr(source, "iter_records"):
        yield from source.iter_records(stream_id, wanted)
    elif is_store(source):
        yield from run_sync(_read_store(source, stream_id, wanted))
    elif isinstance(source, Iterable):
        for each in source:
            if not isinstance(each, Record | ObservabilityEvent):
                raise TypeError(f"{type(each).__name__} is no event; {UNKNOWN}")
            if stream_id in (None, each.stream_id) and (wanted is None or each.type in wanted):
                yield each
    else:
        raise TypeError(f"{type(source).__name__} holds no runs; {UNKNOWN}")


def _one_run(x: Any, stream_id: str | None) -> list[Record | ObservabilityEvent]:
    if isinstance(x, str | PathLike):
        found: list[Record | ObservabilityEvent] = run_sync(_read_one(fspath(x), stream_id))
    elif is_store(x) or isinstance(x, Log):
        found = run_sync(_read_one(x, stream_id))
    else:
        found = list(iter_records(x, stream_id))
        ids = list(dict.fromkeys(each.stream_id for each in found))
        if len(ids) > 1:
            raise ValueError(f"there are {len(ids)} runs in it; give stream_id={ids[0]!r}, …")
    if not found:
        missing = f" {stream_id}" if stream_id else ""
        raise ValueError(f"there is no run{missing} in it; l0.frames.runs(…) lists what there is")
    return found


async def _read_one(x: Any, stream_id: str | None) -> list[Record]:
    async with reading(x) as opened:
        return await get_records(opened, await pick_stream(opened, stream_id))


async def _read_path(path: str, stream_id: str | None, types: frozenset[str] | None) -> list[Any]:
    async with reading(path) as opened:
        if hasattr(opened, "iter_records"):
            return list(opened.iter_records(stream_id, types))
        return await _read_store(opened, stream_id, types)


async def _read_store(store: Any, stream_id: str | None, types: frozenset[str] | None) -> list[Any]:
    ids = [stream_id] if stream_id else sorted(m.stream_id for m in await store.list_streams())
    found: list[Any] = []
    for each in ids:
        records = await store.get_events(each)
        found += [r for r in records if types is None or r.type in types]
    return found


async def _all_of(replay: Replay) -> list[Record]:
    await replay
    return replay.records


def _format_of(x: Any) -> str:
    format = getattr(x, "format", None)
    return format if isinstance(format, str) else "markdown"
