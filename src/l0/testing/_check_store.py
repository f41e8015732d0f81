"""A check that any event store keeps the contract: yours, or one of ours."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from l0.errors import StoreError
from l0.events import (
    EventBus,
    EventRecorder,
    EventStore,
    Log,
    Record,
    StreamMetadata,
    get_stream_metadata,
    replay,
    verify,
)

_BAD_IDS = ("", "..", "a/b", "../up", "a b", "ä", "a\n", "x" * 129)


async def check_store(make: Callable[[], EventStore | Awaitable[EventStore]]) -> None:
    """Assert that a store keeps the contract; `make` gives a new, empty one at each call.

    Checked are: what is read is what was appended, record for record, with `meta` on each; reads
    see everything that was appended before; ranges, lists and metadata; that records go on where
    their stream stands, or are refused; names of streams; deleting; appending to many streams at
    the same time; that a recorded run replays and verifies; that flushing and closing may be
    repeated.

    Raises:
        AssertionError: the store doesn't; the message says what.

    Example:
        >>> import asyncio
        >>> from l0.events import InMemoryEventStore
        >>> asyncio.run(check_store(InMemoryEventStore))
    """
    checks = (
        _check_empty,
        _check_round_trip,
        _check_ranges,
        _check_index,
        _check_order,
        _check_ids,
        _check_delete,
        _check_many,
        _check_recording,
    )
    for check in checks:
        made = make()
        store = await made if inspect.isawaitable(made) else made
        assert isinstance(store, EventStore), f"{store!r} lacks a method of EventStore"
        try:
            await check(store)
        finally:
            await store.close()
            await store.close()


def records_of_run(
    stream_id: str, texts: Sequence[str] = ("Hel", "lo"), meta: dict[str, Any] | None = None
) -> list[Record]:
    """The records of a small run, for tests of stores.

    Example:
        >>> [record.type for record in records_of_run("demo")]
        ['SESSION_START', 'TOKENS', 'TOKENS', 'SESSION_END', 'COMPLETE']
    """
    log = Log()
    bus = EventBus(log, meta, stream_id=stream_id)
    bus.emit("SESSION_START", options={"deliver": "live", "limits": [1, 2.5, None, True]})
    for index, text in enumerate(texts):
        bus.emit("TOKENS", start=index, texts=[text], offsets_us=[0])
    bus.emit("SESSION_END", outcome="completed", duration_ms=1.5)
    bus.emit(
        "COMPLETE",
        token_count=len(texts),
        content_length=sum(map(len, texts)),
        duration_ms=1.5,
        fallback_index=0,
        attempts=1,
    )
    log.finish()
    return log.records()


async def _check_empty(store: EventStore) -> None:
    assert await store.list_streams() == [], "a new store lists streams"
    assert await store.get_events("none") == [], "get_events of a stream not there is not []"
    assert await store.get_last_event("none") is None, "get_last_event is not None"
    assert not await store.exists("none"), "a stream that was never appended exists"
    assert not await store.delete("none"), "delete says that there was a stream"
    await store.append([])
    await store.flush()
    await store.flush()


async def _check_round_trip(store: EventStore) -> None:
    texts = ["plain", "ünïcödé", "日本語", "😀", "\0\x1f\x7f\u2028", '"\\/', "x" * 100_000, ""]
    meta = {"user": "ada", "nested": {"list": [1, 2.5, None, True, "ß"]}}
    records = records_of_run("a-1", texts, meta)
    for record in records:
        await store.append([record])
    found = await store.get_events("a-1")
    assert found == records, _first_difference(records, found)
    assert all(record.meta == meta for record in found), "meta is not on every record"
    last = await store.get_last_event("a-1")
    assert last == records[-1], f"get_last_event gives {last!r}"
    assert (await verify(store, "a-1")).ok, "the hash chain is not what was appended"


def _first_difference(appended: list[Record], found: list[Record]) -> str:
    for one, other in zip(appended, found, strict=False):
        if one != other:
            return f"record {one.seq} was {one!r}, it is read as {other!r}"
    return f"{len(appended)} records were appended, {len(found)} are read"


async def _check_ranges(store: EventStore) -> None:
    records = records_of_run("ranges", ["a"] * 20, {"who": "ada"})
    await store.append(records[:7])
    await store.append(records[7:])
    for after, to in ((-1, None), (3, None), (-1, 4), (3, 9), (9, 3), (-1, 99), (99, None)):
        wanted = [r for r in records if r.seq > after and (to is None or r.seq <= to)]
        found = await store.get_events("ranges", after, to)
        assert found == wanted, f"get_events(after_seq={after}, to_seq={to}) gives {found!r}"


async def _check_index(store: EventStore) -> None:
    ids = [f"stream-{number}" for number in range(5)]
    runs = {}
    for number, stream_id in enumerate(ids):
        runs[stream_id] = records_of_run(stream_id, ["t"] * (number + 1))
        await store.append(runs[stream_id])
        await asyncio.sleep(0.001)  # streams are listed by the time of their first record
    listed = await store.list_streams()
    assert [m.stream_id for m in listed] == ids[::-1], f"not the newest first: {listed!r}"
    assert await store.list_streams(2) == listed[:2], "limit does not give the newest"
    for found in listed:
        run = runs[found.stream_id]
        wanted = StreamMetadata(
            found.stream_id, len(run), len(run) - 3, run[0].ts, run[-1].ts, "completed"
        )
        assert found == wanted, f"{found!r} should be {wanted!r}"
        assert await get_stream_metadata(store, found.stream_id) == wanted
    await store.append(records_of_run("open")[:2])
    found_open = await get_stream_metadata(store, "open")
    assert found_open is not None
    assert found_open.outcome == "unfinished", "a stream without an end is not unfinished"


async def _check_order(store: EventStore) -> None:
    records = records_of_run("order", ["a"] * 5)
    other = records_of_run("order", ["b"] * 5)
    await store.append(records[:3])
    await store.flush()
    wrong = {
        "a record is missing": records[4:5],
        "the record is there already": records[2:3],
        "the record is of another chain": other[3:4],
        "the stream begins again": other[:1],
        "there is a hole within the call": [records[3], records[5]],
    }
    for why, refused in wrong.items():
        await _refuses(store, refused, why)
        found = await store.get_events("order")
        assert found[:3] == records[:3], f"{why}: earlier records are damaged"
        assert len(found) in (3, 4), f"{why}: {len(found)} records are kept"
        if len(found) == 4:  # it may have kept what was right of a call
            assert found == records[:4], f"{why}: a wrong record is kept"
            await store.delete("order")
            await store.append(records[:3])
    await _refuses(store, records_of_run("fresh")[1:2], "a stream begins with seq 1")
    await store.append(records[3:])
    assert await store.get_events("order") == records, "a stream does not go on after a refusal"


async def _refuses(store: EventStore, records: list[Record], why: str) -> None:
    try:
        await store.append(records)
        await store.flush()
    except StoreError:
        return
    raise AssertionError(f"{why}, but neither append nor flush raises StoreError")


async def _check_ids(store: EventStore) -> None:
    good = "Az09_-" + "x" * 122
    await store.append(records_of_run(good))
    assert await store.exists(good), "a name of 128 characters is not found"
    (record, *_) = records_of_run("x")
    for bad in _BAD_IDS:
        wrong = Record(bad, 0, record.ts, record.type, record.data)
        for act in (store.append([wrong]), store.get_events(bad), store.delete(bad)):
            try:
                await act
            except ValueError:
                continue
            raise AssertionError(f"the stream id {bad!r} is accepted")


async def _check_delete(store: EventStore) -> None:
    records = records_of_run("gone")
    await store.append(records)
    await store.append(records_of_run("kept"))
    assert await store.delete("gone"), "delete says that there was no stream"
    assert await store.get_events("gone") == [], "a deleted stream has records"
    assert not await store.exists("gone"), "a deleted stream exists"
    assert [m.stream_id for m in await store.list_streams()] == ["kept"]
    assert not await store.delete("gone"), "a stream is deleted twice"
    await store.append(records)
    assert await store.get_events("gone") == records, "a deleted stream can't begin anew"


async def _check_many(store: EventStore) -> None:
    runs = {f"many-{n}": records_of_run(f"many-{n}", ["t"] * 30) for n in range(20)}

    async def write(records: list[Record]) -> None:
        for at in range(0, len(records), 3):
            await store.append(records[at : at + 3])
            await asyncio.sleep(0)

    await asyncio.gather(*map(write, runs.values()))
    mixed = [r for pair in zip(*_two(), strict=True) for r in pair]
    await store.append(mixed)
    for stream_id, records in runs.items():
        assert await store.get_events(stream_id) == records, f"{stream_id} is mixed up"
    for stream_id in ("mixed-a", "mixed-b"):
        assert (await verify(store, stream_id)).ended, "streams mixed in one call are mixed up"


def _two() -> tuple[list[Record], list[Record]]:
    return records_of_run("mixed-a"), records_of_run("mixed-b")


async def _check_recording(store: EventStore) -> None:
    recorder = EventRecorder(store)
    bus = EventBus(meta={"user": "ada"}, stream_id="recorded")
    recorder.attach(bus)
    bus.emit("SESSION_START", options={})
    for index in range(100):
        bus.emit("TOKENS", start=index, texts=["ab"], offsets_us=[0])
    bus.emit("SESSION_END", outcome="aborted", duration_ms=1.0)
    await recorder.close(timeout=10)
    assert recorder.error is None, f"recording failed: {recorder.error}"
    assert (await verify(store, "recorded")).records == 102
    lived = await replay(store, "recorded")
    assert lived.state.content == "ab" * 100, "the replay differs from the run"
    assert lived.outcome == "aborted"
    again = EventRecorder(store)
    second = EventBus(stream_id="recorded")
    again.attach(second)
    second.emit("SESSION_START", options={})
    await again.close(timeout=10)
    assert isinstance(again.error, StoreError), "a stream id can be recorded twice"
