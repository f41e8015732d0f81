"""The log: what every room writes to and every view reads from."""

from __future__ import annotations

import pytest

import l0
from l0.errors import StoreError
from l0.events import (
    EventBus,
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    SQLiteEventStore,
    replay,
    verify,
)


def tell(bus, *indexes):
    for index in indexes:
        bus.emit("FALLBACK_START", from_index=index, to_index=index + 1, reason="x")


def test_records_come_in_the_order_of_the_events_and_are_chained_per_stream():
    log = Log()
    one, two = EventBus(log, {"n": 1}, stream_id="one"), EventBus(log, {"n": 2}, stream_id="two")
    tell(one, 0)
    tell(two, 0)
    tell(one, 1)
    assert [(r.stream_id, r.seq) for r in log.records()] == [("one", 0), ("two", 0), ("one", 1)]
    assert [r.meta["n"] for r in log.records()] == [1, 2, 1]
    assert log.stream_ids() == ["one", "two"]
    assert len(log) == 3
    assert Log(), "an empty log is a handler all the same"
    assert repr(log) == "<Log: 3 records of 2 streams>"


def test_records_are_picked_by_stream_type_and_seq():
    log = Log()
    bus = EventBus(log, stream_id="one")
    tell(bus, 0, 1, 2)
    bus.emit("SESSION_END", outcome="failed", duration_ms=0.0)
    assert [r.seq for r in log.records("one", after_seq=1)] == [2, 3]
    assert [r.seq for r in log.records(types=["SESSION_END"])] == [3]
    assert [r.seq for r in log.iter_records("one", ["FALLBACK_START"])] == [0, 1, 2]
    assert log.records("none") == []


def test_subscribers_get_each_record_as_it_is_appended_and_can_leave():
    log, seen, ends = Log(), [], []
    leave = log.subscribe(seen.append)
    log.subscribe(ends.append, ["SESSION_END"])
    bus = EventBus(log, {"user": "ada"})
    tell(bus, 0, 1)
    leave()
    bus.emit("SESSION_END", outcome="failed", duration_ms=0.0)
    assert [(r.seq, r.meta["user"]) for r in seen] == [(0, "ada"), (1, "ada")]
    assert [r.seq for r in ends] == [2]
    with pytest.raises(ValueError, match="did you mean SESSION_END"):
        log.subscribe(seen.append, ["SESION_END"])


def test_a_subscriber_that_fails_harms_nobody():
    log, seen = Log(), []

    def fail(record):
        raise RuntimeError

    log.subscribe(fail)
    log.subscribe(seen.append)
    tell(EventBus(log), 0)
    assert len(seen) == 1


def test_tokens_are_taken_and_single_tokens_are_not():
    log = Log()
    bus = EventBus(log)
    bus.emit("TOKENS", start=0, texts=["a"], offsets_us=[0])
    bus.emit("TOKEN", text="a", index=0)
    assert [r.type for r in log.records()] == ["TOKENS"]
    attached = Log()
    leave = attached.attach(bus)
    tell(bus, 0)
    leave()
    tell(bus, 1)
    assert len(attached) == 1


def test_a_log_keeps_every_check_unless_told_otherwise():
    for detail, count in (("full", 3), ("normal", 0)):
        log = Log(detail=detail)
        bus = EventBus(log)
        assert bus.detailed == (detail == "full")
        bus.emit("DRIFT_CHECK_START", token_count=1, content_length=1)
        bus.emit(
            "DRIFT_CHECK_RESULT", detected=False, score=0.0, types=[], metrics={}, threshold=0.8
        )
        bus.emit("DRIFT_CHECK_END", detected=False, duration_ms=0.0)
        assert len(log) == count
    with pytest.raises(ValueError, match="detail"):
        Log(detail="none")


async def test_a_saved_log_is_loaded_equal_and_verifies(tmp_path):
    log = Log()
    for number in range(3):
        await l0.run(lambda: ["a", "é😀\u2028\n"], on_event=log, meta={"n": number}).read()
    path = tmp_path / "log.jsonl"
    log.save(path)
    loaded = Log.load(path)
    assert loaded.records() == log.records()
    for stream_id in loaded.stream_ids():
        assert (await verify(loaded, stream_id)).ended
        assert (await verify(path, stream_id)).ended
        assert (await replay(path, stream_id)).state == (await replay(log, stream_id)).state
    first = loaded.stream_ids()[0]
    tell(EventBus(loaded, stream_id=first), 0)
    assert (await verify(loaded, first)).records == (await verify(log, first)).records + 1


async def test_one_stream_of_a_jsonl_store_is_a_log(tmp_path):
    store = JsonlEventStore(tmp_path / "runs")
    await l0.run(lambda: ["a"], event_store=store, stream_id="run").read()
    await store.close()
    log = Log.load(tmp_path / "runs" / "run.jsonl")
    assert (await replay(log)).state.content == "a"


def test_files_that_are_no_logs_are_refused(tmp_path):
    with pytest.raises(StoreError, match="check the path"):
        Log.load(tmp_path / "none.jsonl")
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(StoreError, match="line 1 of"):
        Log.load(tmp_path / "text.jsonl")
    with pytest.raises(StoreError, match="can't write"):
        Log().save(tmp_path / "none" / "log.jsonl")


async def test_a_log_with_a_store_writes_there_too(tmp_path):
    stores = [
        SQLiteEventStore(tmp_path / "runs.db"),
        InMemoryEventStore(),
        _Own(),
    ]
    for store in stores:
        log = Log(store)
        bus = EventBus(log, {"user": "ada"}, stream_id="run")
        tell(bus, 0, 1, 2)
        await log.flush()
        assert await store.get_events("run") == log.records()
        await store.close()


class _Own(InMemoryEventStore):
    def __init__(self):
        super().__init__()
        del self._sink


async def test_a_store_that_refuses_is_told_by_flush():
    store = InMemoryEventStore()
    first = Log(store)
    tell(EventBus(first, stream_id="run"), 0)
    second = Log(store)
    tell(EventBus(second, stream_id="run"), 0)
    with pytest.raises(StoreError, match="doesn't go on"):
        await second.flush()
    await first.flush()


def test_an_end_that_may_be_a_secret_waits_and_is_left_out_of_what_is_saved(tmp_path):
    log = Log()
    bus = EventBus(log, stream_id="run")
    bus.emit("TOKENS", start=0, texts=["key ", "sk-abcDEF1", "23ghi"], offsets_us=[0, 1, 2])
    assert [r.data["texts"] for r in log.records()] == [["key "]]
    log.save(tmp_path / "log.jsonl")
    assert b"abcDEF" not in (tmp_path / "log.jsonl").read_bytes()
    assert [r.data["texts"] for r in log.records()] == [["key "], ["[redacted]", ""]]
    open_log = Log(redact=False)
    bus = EventBus(open_log)
    bus.emit("TOKENS", start=0, texts=["sk-abcDEF123ghiJKL456mno"], offsets_us=[0])
    assert open_log.records()[0].data["texts"] == ["sk-abcDEF123ghiJKL456mno"]
