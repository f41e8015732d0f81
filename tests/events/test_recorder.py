"""What a recorder keeps and leaves out, and that no store can harm a run."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time

import pytest

import l0
from l0.errors import StoreError
from l0.events import (
    Event,
    EventBus,
    EventRecorder,
    EventType,
    InMemoryEventStore,
    SQLiteEventStore,
    ToolCall,
    replay,
    verify,
)
from l0.events import _recorder as recorder_module
from l0.testing import progress


def check(bus, *, passed, phase="streaming", rules=2):
    """A guardrail check as the runtime tells it."""
    bus.emit(
        "GUARDRAIL_PHASE_START", phase=phase, rule_count=rules, token_count=1, content_length=1
    )
    for index in range(rules):
        bus.emit("GUARDRAIL_RULE_START", index=index, rule_id="r")
        bus.emit("GUARDRAIL_RULE_RESULT", index=index, rule_id="r", passed=passed)
        bus.emit("GUARDRAIL_RULE_END", index=index, rule_id="r", passed=passed, duration_ms=0.0)
    bus.emit(
        "GUARDRAIL_PHASE_END",
        phase=phase,
        passed=passed,
        violations=0 if passed else 1,
        should_retry=not passed,
        should_halt=False,
        duration_ms=0.0,
    )


def drift(bus, *, detected):
    bus.emit("DRIFT_CHECK_START", token_count=1, content_length=1)
    bus.emit(
        "DRIFT_CHECK_RESULT", detected=detected, score=0.1, types=[], metrics={}, threshold=0.8
    )
    bus.emit("DRIFT_CHECK_END", detected=detected, duration_ms=0.0)


def tokens(bus, start, *texts, checkpoints=()):
    bus.emit(
        "TOKENS",
        start=start,
        texts=list(texts),
        offsets_us=[0] * len(texts),
        checkpoints=list(checkpoints),
    )


def recorded(detail="normal", **options):
    store = InMemoryEventStore()
    bus = EventBus(stream_id="run", **options)
    recorder = EventRecorder(store, detail=detail)
    recorder.attach(bus)
    return store, bus, recorder


async def types_of(store):
    return [record.type for record in await store.get_events("run")]


RULE = ["GUARDRAIL_RULE_START", "GUARDRAIL_RULE_RESULT", "GUARDRAIL_RULE_END"]
CHECK = ["GUARDRAIL_PHASE_START", *RULE, *RULE, "GUARDRAIL_PHASE_END"]
DRIFT = ["DRIFT_CHECK_START", "DRIFT_CHECK_RESULT", "DRIFT_CHECK_END"]


async def test_checks_that_found_nothing_are_left_out():
    store, bus, recorder = recorded()
    check(bus, passed=True)
    drift(bus, detected=False)
    bus.emit("DRIFT_CHECK_SKIPPED", reason="too_short", token_count=1)
    assert await types_of(store) == []
    check(bus, passed=False)
    drift(bus, detected=True)
    assert await types_of(store) == [*CHECK, *DRIFT]
    check(bus, passed=True, phase="checkpoint")
    assert await types_of(store) == [*CHECK, *DRIFT, *CHECK], "part of the story of a failure"
    assert recorder.found_only


async def test_full_detail_keeps_every_check():
    store, bus, recorder = recorded("full")
    check(bus, passed=True)
    drift(bus, detected=False)
    bus.emit("DRIFT_CHECK_SKIPPED", reason="too_short", token_count=1)
    assert await types_of(store) == [*CHECK, *DRIFT, "DRIFT_CHECK_SKIPPED"]
    assert not recorder.found_only
    with pytest.raises(ValueError, match="detail"):
        EventRecorder(store, detail="some")


async def test_what_happens_within_a_check_is_kept_whatever_the_check_finds():
    store, bus, recorder = recorded()
    bus.emit("GUARDRAIL_PHASE_START", phase="streaming", rule_count=1, token_count=1,
             content_length=1)  # fmt: skip
    bus.emit("CALLBACK_ERROR", callback="f", error="x", error_type="E")
    bus.emit("GUARDRAIL_PHASE_END", phase="streaming", passed=True, violations=0,
             should_retry=False, should_halt=False, duration_ms=0.0)  # fmt: skip
    assert await types_of(store) == ["CALLBACK_ERROR"]
    bus.emit("DRIFT_CHECK_START", token_count=1, content_length=1)
    tokens(bus, 0, "a")
    assert await types_of(store) == ["CALLBACK_ERROR", "DRIFT_CHECK_START", "TOKENS"]
    bus.emit("DRIFT_CHECK_START", token_count=1, content_length=1)
    await recorder.close()
    assert (await types_of(store))[-1] == "DRIFT_CHECK_START", "a check that never ended"


async def test_single_tokens_and_checkpoints_that_tokens_mark_are_left_out():
    store, bus, _ = recorded()
    tokens(bus, 0, "a", "b")
    bus.emit("TOKEN", text="c", index=2)
    bus.emit("CHECKPOINT_SAVED", checkpoint_length=3, token_count=3)  # the batch is still open
    tokens(bus, 2, "c", checkpoints=[2])
    bus.emit("CHECKPOINT_SAVED", checkpoint_length=3, token_count=3)  # at a failure
    assert await types_of(store) == ["TOKENS", "TOKENS", "CHECKPOINT_SAVED"]
    assert (await replay(store)).state.checkpoint == "abc"


async def test_a_recorder_is_a_handler_of_many_runs(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")
    recorder = EventRecorder(store)
    for number in range(3):
        assert await l0.run(lambda: ["a", "b"], on_event=recorder, meta={"n": number}).read()
    await recorder.close()
    found = await store.list_streams()
    assert [(m.token_count, m.outcome) for m in found] == [(2, "completed")] * 3
    assert [(await replay(store, m.stream_id)).meta["n"] for m in found] == [2, 1, 0]
    await store.close()


async def test_a_run_records_itself_and_is_on_disk_when_it_has_been_read(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db", commit_interval=60)
    stream = l0.run(lambda: ["Hel", "lo"], event_store=store)
    assert await stream.read() == "Hello"
    connection = sqlite3.connect(tmp_path / "runs.db")
    rows = connection.execute("SELECT type FROM records ORDER BY seq").fetchall()
    connection.close()
    assert (rows[0], rows[-1]) == (("SESSION_START",), ("COMPLETE",))
    lived = (await replay(store, stream.stream_id)).state
    assert (lived.content, lived.phase, lived.completed) == ("Hello", "complete", True)
    assert (await verify(store, stream.stream_id)).ended
    await store.close()


async def test_records_are_committed_without_a_flush(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")
    bus = EventBus(EventRecorder(store), stream_id="run")
    tokens(bus, 0, "a")
    connection = sqlite3.connect(tmp_path / "runs.db")
    give_up = time.monotonic() + 5
    while not connection.execute("SELECT count(*) FROM records").fetchone()[0]:
        assert time.monotonic() < give_up
        await asyncio.sleep(0.005)
    connection.close()
    await store.close()


# --- values JSON can't carry ------------------------------------------------------------------


async def test_halves_of_characters_become_one_mark_each_and_the_record_says_so():
    store, bus, recorder = recorded(meta={"who": "\udc00"})
    tokens(bus, 0, "a\ud83d", "\ude00b", "c")
    await recorder.close()
    lived = await replay(store)
    assert lived.state.content == "a\ufffd\ufffdbc"
    assert lived.changes == {"surrogates"}
    assert not lived.redacted
    assert (await verify(store)).ok


async def test_values_without_a_json_form_become_text_and_the_record_says_so():
    class Odd:
        def __repr__(self):
            return "<Odd at 0x7f00deadbeef>"

    class Broken:
        def __repr__(self):
            raise RuntimeError

    store, bus, recorder = recorded()
    deep = []
    for _ in range(5000):
        deep = [deep]
    for result in (
        Odd(),
        Broken(),
        {1: "a", ("x", 2): "b"},
        ValueError("no"),
        deep,
        {"a": {Odd()}},
    ):
        bus.emit("TOOL_RESULT", tool_name="t", tool_call_id="c", result=result)
    bus.emit("TOOL_RESULT", tool_name="t", tool_call_id="c", result=[2**80, 1.5, float("nan")])
    await recorder.close()
    assert recorder.error is None
    found = await store.get_events("run")
    results = [record.data["result"] for record in found]
    assert results[:4] == [
        "<Odd>",
        "<Broken>",
        {"1": "a", "('x', 2)": "b"},
        {"name": "ValueError", "message": "no"},
    ]
    assert [record.changed for record in found] == [("json",)] * 6 + [()]
    assert results[6] == [2**80, 1.5, None]
    assert (await verify(store)).ok


async def test_an_event_of_the_consumer_comes_back_equal():
    store, bus, recorder = recorded()
    call = ToolCall("c", "f", {"n": 2**70, "s": "é"}, '{"n":1}', 1)
    event = Event(EventType.TOOL_CALL, tool_call=call, timestamp=1.25)
    bus.emit("STREAM_EVENT", event=event)
    await recorder.close()
    (record,) = await store.get_events("run")
    assert record.payload.event == event
    assert record.event.stream_id == "run"


# --- stores that fail -------------------------------------------------------------------------


class Store(InMemoryEventStore):
    """A store of one's own: it is written to by `append`."""

    def __init__(self, act=None):
        super().__init__()
        del self._sink
        self.act = act

    async def append(self, records):
        if self.act is not None:
            await self.act()
        await super().append(records)


async def raising():
    raise OSError("disk on fire")


async def hanging():
    await asyncio.sleep(3600)


async def play(store):
    """A run on a store, and what its listeners were told of the store."""
    told = []

    def watch(event):
        if event.type == "STORE_ERROR":
            told.append(event)

    stream = l0.run(lambda: ["Hel", "lo"], event_store=store, on_event=watch)
    return await stream.read(), told


async def test_s98_a_store_that_raises_is_told_and_the_run_completes(caplog):
    text, told = await play(Store(raising))
    assert text == "Hello"
    (event,) = told
    assert event["store"] == "Store"
    assert event["error"] == "disk on fire"
    assert event["lost_records"] > 5
    assert "recording stops: disk on fire" in caplog.text


async def test_s98_a_store_that_does_not_answer_is_told_and_the_run_completes(monkeypatch):
    monkeypatch.setattr(EventRecorder.close, "__defaults__", (0.05,))
    bus, store = EventBus(stream_id="run"), Store(hanging)
    told = []
    bus.subscribe(told.append, ["STORE_ERROR"])
    recorder = EventRecorder(store)
    recorder.attach(bus)
    tokens(bus, 0, "a")
    await asyncio.sleep(0)
    tokens(bus, 1, "b")
    await recorder.close()
    (event,) = told
    assert "did not finish within 0.05 s" in event["error"]
    assert event["lost_records"] >= 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_is_told_while_the_run_goes_on():
    bus = EventBus(stream_id="run")
    told = []
    bus.subscribe(told.append, ["STORE_ERROR"])
    recorder = EventRecorder(Store(raising))
    recorder.attach(bus)
    tokens(bus, 0, "a")
    await asyncio.sleep(0.01)
    tokens(bus, 1, "b")
    assert told == [], "a batch is told with the time of its first token; nothing may precede it"
    bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="x")
    assert len(told) == 1
    await recorder.close()
    assert len(told) == 1
    assert recorder.lost_records >= 2


async def test_a_full_disk_stops_the_recording_of_the_runs_it_hits(tmp_path, monkeypatch):
    store = SQLiteEventStore(tmp_path / "runs.db")
    backend = store._file._backend

    def full(streams):
        raise sqlite3.OperationalError("database or disk is full")

    recorder, bus = EventRecorder(store), EventBus(stream_id="run")
    recorder.attach(bus)
    tokens(bus, 0, "a")
    await store.flush()
    with monkeypatch.context() as patched:
        patched.setattr("l0.events._sqlite_file._insert", lambda *_: full(None))
        tokens(bus, 1, "b")
        await store.flush()
    tokens(bus, 2, "c")
    await recorder.close()
    assert "no space is left" in str(recorder.error)
    assert recorder.lost_records == 2
    assert (await verify(store, "run")).records == 1
    assert await l0.run(lambda: ["x"], event_store=store, stream_id="other").read() == "x"
    assert (await verify(store, "other")).ended, "other runs are recorded"
    assert backend.connection
    await store.close()


async def test_one_streams_trouble_is_not_anothers(tmp_path):
    """Two runs in one group of rows, one of them with a stream id that is taken."""
    store = SQLiteEventStore(tmp_path / "runs.db", commit_interval=0.05)
    await l0.run(lambda: ["x"], event_store=store, stream_id="taken").read()
    recorders = {}
    for stream_id in ("taken", "free"):
        bus = EventBus(stream_id=stream_id)
        recorders[stream_id] = EventRecorder(store)
        recorders[stream_id].attach(bus)
        tokens(bus, 0, "a")
    for recorder in recorders.values():
        await recorder.close()
    assert "give the run another stream_id" in str(recorders["taken"].error)
    assert recorders["free"].error is None
    assert (await verify(store, "free")).records == 1
    await store.close()


async def test_a_stream_is_gone_on_with_only_if_asked():
    store = InMemoryEventStore()
    for start in range(2):
        bus = EventBus(stream_id="run")
        recorder = EventRecorder(store, resume=True)
        recorder.attach(bus)
        tokens(bus, start, "a")
        await recorder.close()
    assert (await verify(store, "run")).records == 2
    assert (await replay(store, "run")).state.content == "aa"


async def test_a_run_whose_record_is_deleted_meanwhile_is_told(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")
    recorder, bus = EventRecorder(store), EventBus(stream_id="run")
    recorder.attach(bus)
    tokens(bus, 0, "a")
    assert await store.delete("run")
    tokens(bus, 1, "b")
    await recorder.close()
    assert "doesn't go on" in str(recorder.error)
    assert not await store.exists("run")
    await store.close()


async def test_a_store_that_was_closed_is_told(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")
    recorder, bus = EventRecorder(store), EventBus(stream_id="run")
    recorder.attach(bus)
    tokens(bus, 0, "a")
    await store.close()
    tokens(bus, 1, "b")
    await recorder.close()
    assert "closed; open it again" in str(recorder.error)


# --- pressure ---------------------------------------------------------------------------------


async def test_s98_a_full_queue_asks_for_a_pause_and_loses_nothing(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db", queue_records=50, commit_records=10)
    recorder, bus = EventRecorder(store), EventBus(stream_id="run")
    recorder.attach(bus)
    pauses = 0
    for start in range(1000):
        tokens(bus, start, "a")
        if recorder.full:
            pauses += 1
            await recorder.room()
            assert not recorder.full
    await recorder.close()
    assert pauses
    assert recorder.error is None
    assert (await verify(store, "run")).records == 1000
    await store.close()


async def test_a_store_of_ones_own_asks_for_a_pause_too():
    gate = asyncio.Event()
    store = Store(gate.wait)
    recorder, bus = EventRecorder(store), EventBus(stream_id="run")
    recorder.attach(bus)
    for start in range(2000):
        tokens(bus, start, "a")
    assert recorder.full
    waiting = asyncio.create_task(recorder.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    await waiting
    await recorder.close()
    assert (await verify(store, "run")).records == 2000


def test_what_a_loop_that_ended_left_unwritten_is_told_in_the_next():
    """A loop that is closed cancels the task that was writing: its records are lost, not unseen."""
    store = Store(hanging)
    bus = EventBus(stream_id="run")
    recorder = EventRecorder(store)
    recorder.attach(bus)

    async def leave():
        tokens(bus, 0, "a")
        tokens(bus, 1, "b")
        await asyncio.sleep(0)

    asyncio.run(leave())
    store.act = None
    asyncio.run(recorder.close())
    assert "cancelled while it wrote" in str(recorder.error)
    assert recorder.lost_records == 2


def test_a_handler_whose_writing_was_cancelled_ends_no_later_loop():
    store = Store()
    recorder = EventRecorder(store)
    bus = EventBus(recorder, stream_id="run")

    async def leave(writing):
        store.act = writing.wait
        bus.emit(
            "COMPLETE",
            token_count=0,
            content_length=0,
            duration_ms=0.0,
            fallback_index=0,
            attempts=1,
        )
        await asyncio.sleep(0)

    asyncio.run(leave(asyncio.Event()))
    asyncio.run(recorder.close())
    assert recorder.lost_records == 1


def test_a_store_of_ones_own_asks_for_pauses_in_one_loop_after_another():
    store = Store()
    recorder = EventRecorder(store)

    async def play(number):
        gate = asyncio.Event()
        store.act = gate.wait
        bus = EventBus(recorder, stream_id=f"run-{number}")
        for start in range(1100):
            tokens(bus, start, "a")
        asyncio.get_running_loop().call_soon(gate.set)
        await recorder.room()
        await recorder.close()

    asyncio.run(play(1))
    asyncio.run(play(2))
    assert recorder.error is None


async def test_s98_a_full_store_that_gets_nowhere_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "_PATIENCE", 0.02)
    store = SQLiteEventStore(tmp_path / "runs.db", queue_records=10, commit_records=1)
    stuck = threading.Event()
    monkeypatch.setattr(store._file._backend, "write", lambda streams: stuck.wait(10))
    recorder, bus = EventRecorder(store), EventBus(stream_id="run")
    recorder.attach(bus)
    for start in range(50):
        tokens(bus, start, "a")
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    for start in range(50, 100):
        tokens(bus, start, "a")
    assert recorder.full
    await recorder.room()
    assert "wrote nothing for 0.02 s" in str(recorder.error)
    stuck.set()
    await store.close()


async def test_s98_a_full_queue_slows_the_run_and_loses_nothing(tmp_path, monkeypatch):
    """The upstream waits for the disk; what is on it is the whole run."""
    store = SQLiteEventStore(tmp_path / "runs.db", queue_records=20, commit_records=5)
    backend = store._file._backend
    write = backend.write
    most = 0

    def slowly(streams):
        time.sleep(0.002)
        write(streams)

    monkeypatch.setattr(backend, "write", slowly)

    async def source():
        nonlocal most
        for number in range(400):
            most = max(most, len(store._sink._queue))
            yield f"{number} "
            if number % 3 == 0:
                yield progress(number / 4)

    stream = l0.run(source, event_store=store)
    text = await stream.read()
    assert text == "".join(f"{number} " for number in range(400))
    assert most < 30, "the queue grew beyond its limit: the run was not slowed"
    assert (await verify(store, stream.stream_id)).ended
    lived = await replay(store, stream.stream_id)
    assert (lived.state.content, lived.state.token_count) == (text, 400)
    assert lived.state.last_progress.percent == 399 / 4
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "own"])
async def test_s98_a_store_that_hangs_is_given_up_once_and_the_run_goes_on(
    kind, tmp_path, monkeypatch
):
    """Not waited for again at every token; STORE_ERROR says how much is missing."""
    monkeypatch.setattr(recorder_module, "_PATIENCE", 0.05)
    monkeypatch.setattr(EventRecorder.close, "__defaults__", (0.05,))
    stuck = threading.Event()
    if kind == "sqlite":
        store = SQLiteEventStore(tmp_path / "runs.db", queue_records=10, commit_records=1)
        monkeypatch.setattr(store._file._backend, "write", lambda streams: stuck.wait(20))
    else:
        monkeypatch.setattr("l0.events._sink._LIMIT", 10)
        store = Store(hanging)
    told = []

    def watch(event):
        if event.type == "STORE_ERROR":
            told.append(event)

    async def source():
        for number in range(100):
            yield "t"
            yield progress(number)

    began = time.monotonic()
    stream = l0.run(source, event_store=store, on_event=watch)
    assert await stream.read() == "t" * 100
    assert time.monotonic() - began < 2
    (event,) = told
    assert "does not answer" in event["error"]
    assert event["lost_records"] > 5
    assert stream.outcome == "completed"
    stuck.set()
    await store.close()


async def test_a_thousand_runs_at_once_are_recorded_apart(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")

    async def one(number):
        return await l0.run(
            lambda: [f"{number}", ",", "x" * (number % 7)],
            event_store=store,
            stream_id=f"run-{number}",
            retry=False,
        ).read()

    texts = await asyncio.gather(*map(one, range(300)))
    assert len(await store.list_streams()) == 300
    for number in (0, 7, 150, 299):
        lived = await replay(store, f"run-{number}")
        assert lived.state.content == texts[number]
        assert (await verify(store, f"run-{number}")).ended
    await store.close()


# --- misuse -----------------------------------------------------------------------------------


def test_misuse_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(TypeError, match="an event store is"):
        EventRecorder(42)
    with pytest.raises(TypeError, match="needs a store"):
        EventRecorder(None)
    with pytest.raises(TypeError, match="redact is True, False or a Redactor"):
        EventRecorder(InMemoryEventStore(), redact="yes")
    with pytest.raises(StoreError):
        EventRecorder(f"sqlite:///{tmp_path}/none/x.db")
    recorder = EventRecorder("memory:")
    recorder.attach(EventBus())
    with pytest.raises(RuntimeError, match="make one for each bus"):
        recorder.attach(EventBus())


async def test_closing_twice_and_without_events_is_harmless():
    recorder = EventRecorder(InMemoryEventStore())
    await recorder.close()
    await recorder.close()
    assert recorder.error is None
    await recorder.room()


def test_no_warning_is_logged_by_a_run_that_records(caplog, tmp_path):
    with caplog.at_level(logging.DEBUG, "l0"):
        asyncio.run(l0.run(lambda: ["a"], event_store=InMemoryEventStore()).read())
    assert caplog.records == []
