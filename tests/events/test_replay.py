"""A recorded run, lived through again, is the run: its events, its state, its pauses."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.errors import StoreError, StreamAbortedError
from l0.events import (
    ContentType,
    DataPayload,
    Event,
    EventBus,
    EventType,
    InMemoryEventStore,
    Log,
    Usage,
    compare_replays,
    replay,
    replay_source,
)
from l0.guardrails import custom_pattern_rule, stall_rule
from l0.stream import transform_interceptor
from l0.testing import ScriptedModel, VirtualClock, end, fail, http_error, progress, stall, tool
from l0.testing._check_store import records_of_run

CHANGES = [str.upper, lambda text: text + "!", lambda text: text[:3], lambda text: "new " + text]
WORDS = ["The ", "quick ", "brown ", "fox ", "bad ", "fatal ", "s", "é😀", "\n", "jumps "]


def message(text):
    return Event(EventType.MESSAGE, text, data={"role": "assistant", "kind": "reasoning"})


def data():
    payload = DataPayload(ContentType.IMAGE, data=b"\x00\xff", metadata={"width": 2})
    return Event(EventType.DATA, payload=payload)


def step(rng, clean):
    roll = rng.random()
    if roll < 0.06:  # a refusal, with the source's own time
        return Event(
            EventType.TOKEN, "No. ", data={"refusal": True}, timestamp=rng.choice([None, 9.5])
        )
    if roll < 0.75:
        return rng.choice([w for w in WORDS if not clean or w not in ("bad ", "fatal ")])
    if roll < 0.82:
        return stall(rng.choice([0.01, 1.5]))
    if roll < 0.9:
        return progress(rng.randrange(100))
    if roll < 0.94:
        return message("hm")
    if roll < 0.97:
        return tool(f"c{rng.randrange(9)}", "f", {"a": rng.randrange(9)}, index=rng.randrange(3))
    return data()


def attempt(rng, last):
    steps = [step(rng, last) for _ in range(rng.randrange(1, 14))]
    if last:
        return [*steps, "end.", end("stop", Usage(3, 4))]
    ending = rng.randrange(8)
    if ending < 3:
        steps.append(fail(rng.choice([ConnectionResetError("gone"), OSError("x")])))
    elif ending == 3:
        steps.append(fail(http_error(rng.choice([429, 500, 503]), retry_after=2)))
    elif ending == 4:
        steps.append(stall(100))
    elif ending == 5:
        steps = [" ", end("length")]
    elif ending == 6:
        steps.append(fail(ValueError("broken")))
    return steps


def story(seed):
    """Scripts and options of a run that goes wrong in many ways."""
    rng = random.Random(seed)
    shown = "".join(rng.choice(WORDS[:4]) for _ in range(12))
    attempts = [attempt(rng, last=False) for _ in range(rng.randrange(0, 4))]
    if rng.random() < 0.3:  # a source that starts over, as some do
        attempts = [
            [shown, fail(ConnectionResetError("gone"))],
            [shown[:-3], "else", *(attempts or [[]])[0]],
        ]
    attempts.append(attempt(rng, last=True))
    fallbacks = [[attempt(rng, last=rng.random() < 0.7) for _ in range(4)]]
    options = {
        "retry": l0.Retry(attempts=rng.randrange(3), max_retries=4, base_delay=0.5),
        "continuation": rng.random() < 0.6,
        "deliver": rng.choice(["live", "live", "validated"]),
        "check_intervals": l0.CheckIntervals(*(rng.randrange(4) for _ in range(3))),
        "on_incomplete": rng.choice(["accept", "retry"]),
        "guardrails": [
            custom_pattern_rule([r"bad "], "no bad words", name="bad"),
            custom_pattern_rule([r"fatal "], "never", severity="fatal", name="fatal"),
        ]
        if rng.random() < 0.7
        else [],
        "drift": rng.random() < 0.3,
        "timeout": l0.Timeout(initial_token=5, inter_token=5),
        "meta": {"seed": seed},
        "buffer_tool_calls": rng.random() < 0.3,
    }
    if rng.random() < 0.3:
        options["interceptors"] = [transform_interceptor(rng.choice(CHANGES))]
    return attempts, fallbacks if rng.random() < 0.5 else [], options


async def live(attempts, fallbacks, options, **more):
    """Run a story; gives the stream, what the consumer got and when, and the log of it."""
    clock, log = VirtualClock(), Log(detail="normal")
    stream = l0.run(
        ScriptedModel(*attempts),
        fallbacks=[ScriptedModel(*scripts) for scripts in fallbacks],
        clock=clock,
        on_event=log,
        random=random.Random(1).random,
        **options,
        **more,
    )
    got = []
    with contextlib.suppress(Exception):
        async for event in stream:
            got.append((clock.time(), event, stream.state.snapshot()))
    return stream, got, log


def gaps(times):
    return [after - before for before, after in itertools.pairwise(times)]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_s85_the_replay_of_any_run_equals_the_run(seed):
    async def check():
        attempts, fallbacks, options = story(seed)
        stream, got, log = await live(attempts, fallbacks, options)
        clock = VirtualClock()
        again = replay(log, speed=1.0, clock=clock)
        times, states, events = [], [], []
        async for event in again:
            times.append(clock.time())
            events.append(event)
            states.append(again.state.snapshot())
        assert events == [event for _, event, _ in got]
        assert again.state == stream.state
        assert again.outcome == stream.summary().outcome
        assert again.meta == {"seed": seed}
        assert not again.changes
        if options["deliver"] == "live":
            assert states == [state for _, _, state in got]
            assert gaps(times) == pytest.approx(gaps([t for t, _, _ in got]), abs=1e-5)
        assert (await replay(log)).state == stream.state

    asyncio.run(check())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_s85_a_recorded_run_lives_through_the_same_story_as_a_source(seed):
    async def check():
        attempts, fallbacks, options = story(seed)
        if options["continuation"]:  # what is withheld when a rule stops it is not in the record
            options.update(guardrails=[], drift=False)
        _, _, log = await live(attempts, fallbacks, options)
        clock, second = VirtualClock(), Log(detail="normal")
        factory = replay_source(log, speed=1.0, clock=clock)
        stream = l0.run(
            factory,
            fallbacks=[factory] * len(fallbacks),
            clock=clock,
            on_event=second,
            random=random.Random(1).random,
            **options,
        )
        with contextlib.suppress(Exception):
            await stream.read()
        found = await compare_replays(log, second)
        # Text that was withheld when its attempt failed is counted, but it is not in the record.
        told = [d for d in found.differences if d.where != "state.lost_tokens"]
        withheld = any(r.data["lost_tokens"] for r in log.records(types=["DEDUPLICATION_END"]))
        assert withheld or found.identical, found.differences
        assert not told, told

    asyncio.run(check())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 60))
def test_s84_the_replay_of_a_run_that_was_killed_is_its_beginning(seed, last):
    """Wherever the record ends, also between two attempts: nothing runs together."""

    async def check():
        attempts, fallbacks, options = story(seed)
        _, got, log = await live(attempts, fallbacks, {**options, "deliver": "live"})
        records = log.records()[: last + 1]
        cut = replay(records)
        events, states = [], []
        async for event in cut:
            events.append(event)
            states.append(cut.state.snapshot())
        # Of the last token a cut record may not say yet that it failed its check.
        known = max(0, len(events) - 1)
        assert events[:known] == [event for _, event, _ in got][:known]
        assert states[:known] == [state for _, _, state in got][:known]
        exact = [event async for event in replay(log, to_seq=last)]
        assert exact == [event for _, event, _ in got][: len(exact)]
        assert exact in (events, events[:-1])
        ended = any(record.type == "SESSION_END" for record in records)
        assert (cut.outcome == "unfinished") == (not ended)
        assert (await replay(log, to_seq=last)).state == cut.state

    asyncio.run(check())


# --- by hand ----------------------------------------------------------------------------------


def told(*payloads, meta=None):
    """The log of a run that tells these events: (type, fields)."""
    log = Log()
    bus = EventBus(meta=meta, stream_id="run")
    log.attach(bus)
    for type_, fields in payloads:
        bus.emit(type_, **fields)
    log.finish()
    return log


def tokens(start, *texts):
    return ("TOKENS", {"start": start, "texts": list(texts), "offsets_us": [0] * len(texts)})


def begin(**options):
    return ("SESSION_START", {"options": options})


INIT = ("STREAM_INIT", {"attempt": 1, "fallback_index": 0})
PASSED = ("FINALIZATION_END", {"passed": True, "duration_ms": 0.0})
FINISHED = (
    "STREAM_FINISHED",
    {"attempt": 1, "event_count": 1, "token_count": 1, "duration_ms": 0.0, "finish_reason": "stop"},
)
COMPLETE = (
    "COMPLETE",
    {
        "token_count": 1,
        "content_length": 1,
        "duration_ms": 0.0,
        "fallback_index": 0,
        "attempts": 1,
    },
)


def restart(kept_chars, kept_tokens, *, delivered, reason="network_error"):
    fields = {
        "kept_chars": kept_chars,
        "kept_tokens": kept_tokens,
        "discarded_chars": 1,
        "reason": reason,
        "attempt": 2,
        "fallback_index": 0,
        "delivered": delivered,
    }
    return ("RESTART", fields)


async def consumed(log):
    return [event async for event in replay(log)]


async def test_of_a_validated_run_only_what_was_released_is_given():
    log = told(
        begin(deliver="validated"),
        INIT,
        tokens(0, "bad", "ly"),
        ("STREAM_EVENT", {"event": message("hm")}),
        ("STREAM_EVENT", {"event": progress(10)}),
        restart(2, 1, delivered=False),
        tokens(1, "rn"),
        FINISHED,
        PASSED,
        COMPLETE,
    )
    assert await consumed(log) == [
        progress(10),
        Event(EventType.TOKEN, "ba", 0),
        Event(EventType.TOKEN, "rn", 2),
        Event(EventType.COMPLETE, usage=Usage(), finish_reason="stop"),
    ]
    unreleased = [event.type for event in await consumed(log.records()[:-1])]
    assert unreleased == [EventType.PROGRESS], "it ended before the attempt had passed"


async def test_tool_calls_that_were_buffered_come_at_the_end_of_the_attempt_in_their_order():
    late, early = tool("b", "f", index=1), tool("a", "f", index=0)
    log = told(
        begin(buffer_tool_calls=True),
        INIT,
        ("STREAM_EVENT", {"event": tool("x", "g")}),
        restart(0, 0, delivered=True),
        INIT,
        ("STREAM_EVENT", {"event": late}),
        tokens(0, "t"),
        ("STREAM_EVENT", {"event": early}),
        FINISHED,
    )
    assert [(e.type, e.tool_call) for e in await consumed(log)][1:] == [
        (EventType.TOKEN, None),
        (EventType.TOOL_CALL, early.tool_call),
        (EventType.TOOL_CALL, late.tool_call),
    ]


async def test_a_window_folds_what_came_before_and_stops_where_it_is_told():
    log = told(begin(), INIT, tokens(0, "a", "b"), tokens(2, "c"), tokens(3, "d"), FINISHED)
    window = replay(log, from_seq=3, to_seq=4)
    assert [(e.text, e.start) async for e in window] == [("c", 2), ("d", 3)]
    assert window.state.content == "abcd"
    assert [e.type async for e in window.events()] == ["TOKENS", "TOKENS"]


async def test_the_observability_events_come_with_their_times_and_meta():
    log = told(begin(), INIT, tokens(0, "a"), meta={"user": "ada"})
    events = [event async for event in replay(log).events()]
    assert [(e.type, e.ts, e.payload) for e in events] == [
        (r.type, r.ts, r.payload) for r in log.records()
    ]
    assert events[0].meta == {"user": "ada"}
    assert events[2]["texts"] == ["a"]


async def test_speed_keeps_or_halves_the_pauses():
    clock = VirtualClock()
    bus, log = EventBus(clock=clock), Log()
    log.attach(bus)
    for index in range(5):
        bus.emit("TOKENS", start=index, texts=["t"], offsets_us=[0])
        clock.now += 2.0
    for speed, seconds in ((0.0, 0.0), (1.0, 8.0), (2.0, 4.0), (0.5, 16.0)):
        pacer = VirtualClock()
        count = len([event async for event in replay(log, speed=speed, clock=pacer)])
        assert (count, pacer.now) == (5, pytest.approx(seconds, abs=1e-5))
    with pytest.raises(ValueError, match="speed"):
        replay(log, speed=-1)


async def test_a_replay_iterated_twice_begins_anew():
    again = replay(told(begin(), INIT, tokens(0, "a", "b")))
    for _ in range(2):
        assert [event.text async for event in again] == ["a", "b"]
        assert again.state.content == "ab"
    assert repr(again) == "<Replay of run: unfinished, 3 records>"


async def test_a_stream_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="no stream none"):
        await replay(InMemoryEventStore(), "none")
    with pytest.raises(ValueError, match="there is no stream in it"):
        await replay(InMemoryEventStore())
    with pytest.raises(ValueError, match="several streams"):
        await replay([*records_of_run("a"), *records_of_run("b")])


async def test_an_event_of_a_type_to_come_is_replayed_as_what_it_was():
    from l0.events import UnknownPayload
    from l0.events._record import chained, records_of

    rows, prev = [], "0" * 64
    kinds = [("BRAND_NEW", '{"a-b":2,"speed":1.5}'), ("TOKENS", '{"words":["a"]}')]
    for seq, (type_, data) in enumerate(kinds):
        row = chained("run", seq, 1.0, type_, data, "{}" if seq == 0 else None, prev)
        prev = row.hash
        rows.append(row)
    events = [event async for event in replay(list(records_of(rows))).events()]
    assert isinstance(events[0].payload, UnknownPayload)
    assert events[0].payload.type == "BRAND_NEW"
    assert events[0]["speed"] == 1.5
    assert events[0].data == {"speed": 1.5}
    assert events[1]["words"] == ["a"], "a known type with other fields"


async def test_calls_beyond_the_recorded_attempts_say_so():
    factory = replay_source(told(begin(), INIT, tokens(0, "a"), FINISHED))
    assert [event.text async for event in await factory()] == ["a", None]
    with pytest.raises(StoreError, match="has 1 attempts, this is call 2"):
        await factory()


async def test_calls_at_the_same_time_play_each_attempt_once(tmp_path):
    """Both wait for the record to be read; it must not be there twice then."""
    store = l0.open_store(tmp_path / "runs.db")
    await l0.run(lambda: ["a"], event_store=store, stream_id="run").read()
    factory = replay_source(store)
    played, refused = await asyncio.gather(factory(), factory(), return_exceptions=True)
    assert [event.text async for event in played] == ["a", None]
    assert isinstance(refused, StoreError)
    await store.close()


@pytest.mark.parametrize(
    ("end_of_record", "error"),
    [
        ((), StoreError),
        ((("SESSION_END", {"outcome": "aborted", "duration_ms": 0.0}),), StreamAbortedError),
    ],
)
async def test_an_attempt_without_an_end_raises_where_its_record_ends(end_of_record, error):
    factory = replay_source(told(begin(), INIT, tokens(0, "a"), *end_of_record))
    source = await factory()
    assert (await anext(source)).text == "a"
    with pytest.raises(error):
        await anext(source)


async def test_a_source_that_withdrew_text_by_itself_does_so_again():
    log = told(
        begin(),
        ("STREAM_INIT", {"attempt": 1, "fallback_index": 0}),
        tokens(0, "abc"),
        restart(1, 1, delivered=True, reason="inner"),
        tokens(1, "d"),
        FINISHED,
    )
    events = [event async for event in await replay_source(log)()]
    assert [(e.type, e.text, e.kept_chars) for e in events[:3]] == [
        (EventType.TOKEN, "abc", None),
        (EventType.RESTART, None, 1),
        (EventType.TOKEN, "d", None),
    ]


async def test_comparing_lists_what_differs_and_times_only_if_asked():
    one = told(begin(), INIT, tokens(0, "a", "b"))
    await asyncio.sleep(0.002)
    same = told(begin(), INIT, tokens(0, "a"), tokens(1, "b"))
    other = told(begin(), INIT, tokens(0, "a", "c", "d"))
    assert (await compare_replays(one, same)).identical
    assert not (await compare_replays(one, same, times=True)).identical
    found = await compare_replays(replay(one), replay(other))
    assert [d.where for d in found.differences[:2]] == ["events[1]", "events[2]"]
    assert (found.differences[0].a.text, found.differences[0].b.text) == ("b", "c")
    assert {"state.content", "state.token_count"} <= {d.where for d in found.differences}


async def test_what_came_with_a_token_beside_its_text_is_replayed():
    """A refusal is still one when it is read from the record, and lived through again."""
    refusal = Event(EventType.TOKEN, "No.", data={"refusal": True}, timestamp=17.5)
    attempts = [["So: ", refusal, fail(ConnectionResetError("gone"))], [refusal, " Sorry."]]
    _, got, log = await live(attempts, [], {"retry": l0.Retry(base_delay=0)})
    told = [(e.text, e.data, e.timestamp) for _, e, _ in got if e.is_token]
    assert told[1] == ("No.", {"refusal": True}, 17.5)
    assert [(e.text, e.data, e.timestamp) for e in await consumed(log) if e.is_token] == told
    again = l0.run(replay_source(log), retry=l0.Retry(base_delay=0))
    assert [(e.text, e.data, e.timestamp) async for e in again if e.is_token] == told


async def test_a_note_stays_with_its_token_when_a_batch_is_full():
    """The batch before it is closed by its coming."""
    tokens = [Event(EventType.TOKEN, "t", data={"n": n}) for n in range(150)]
    _, got, log = await live([tokens], [], {"retry": False})
    assert [e.data for e in await consumed(log) if e.is_token] == [{"n": n} for n in range(150)]
    notes = [note["index"] for r in log.records(types=["TOKENS"]) for note in r.data["notes"]]
    assert notes == list(range(150))
    assert len(got) == 151


async def test_a_slow_consumer_does_not_move_the_times_that_are_recorded():
    """The last token came when it came, whenever the consumer came back for more."""
    clock, log = VirtualClock(), Log(detail="normal")
    stream = l0.run(
        ScriptedModel(["a", stall(1), "b", stall(1), "c"]),
        clock=clock,
        on_event=log,
        guardrails=[stall_rule(3)],
    )
    times = []
    async for event in stream:
        await clock.sleep(5)
        if event.is_token:
            times.append(stream.state.last_token_at - stream.state.started_at)
    assert times == [0, 6, 12]
    assert stream.state.violations == [], "the consumer's time is no stall"
    again = (await replay(log)).state
    assert again == stream.state
    assert again.last_token_at - again.started_at == 12


async def test_a_replay_is_read_at_once_and_paced_from_the_very_begin():
    """The wait for the first token is a pause of the run as any other."""
    store, clock = InMemoryEventStore(), VirtualClock()
    model = ScriptedModel([stall(0.4), "a", stall(0.2), "b"])
    await l0.run(model, event_store=store, clock=clock).read()
    assert await replay(store).read() == "ab"

    again = VirtualClock()
    times = [
        (round(again.monotonic(), 3), event.text)
        async for event in replay(store, speed=1.0, clock=again)
        if event.is_token
    ]
    assert times == [(0.4, "a"), (0.6, "b")]
