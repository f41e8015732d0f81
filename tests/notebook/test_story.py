"""What a view draws, from a live stream, a recording, a list, or too late."""

import json

import pytest
from notebook_runs import TROUBLE, told

import l0
from l0.events import EventBus, InMemoryEventStore, Log, TokensPayload
from l0.notebook._picture import Picture, count, seconds, words
from l0.notebook._rows import LONGEST, merge, row_of
from l0.notebook._sources import story_of
from l0.notebook._story import Story
from l0.testing import ScriptedModel, VirtualClock, fail, stall, tool


def collected(**known):
    """A story and the bus that feeds it."""
    story, bus = Story(live=True, **known), EventBus(clock=VirtualClock(), stream_id="a-run")
    bus.subscribe(story, story.types)
    return story, bus


def begun(story, bus):
    bus.emit("SESSION_START", options={})
    bus.emit("STREAM_INIT", attempt=1, fallback_index=0)
    assert story.status == "waiting"


def tokens(bus, *texts, start=0, gap_us=1000):
    bus.emit(TokensPayload(start, list(texts), [i * gap_us for i in range(len(texts))]))


def restart(bus, kept_chars, kept_tokens, discarded, reason="timeout"):
    bus.emit(
        "RESTART",
        kept_chars=kept_chars,
        kept_tokens=kept_tokens,
        discarded_chars=discarded,
        reason=reason,
        attempt=2,
        fallback_index=0,
        delivered=True,
    )


# --- failures first -------------------------------------------------------------------------


async def test_withdrawn_texts_are_kept_with_attempt_size_and_reason():
    story, stream = await told(*TROUBLE)
    assert story.text == stream.state.content == "Hello 🎉 world"
    picture = story.picture()
    assert [(w.attempt, w.tokens, w.of, w.text) for w in picture.withdrawn] == [
        (1, 2, 2, "Hello 🎉 "),
        (2, 1, 1, "Hello wor"),
    ]
    assert "timeout" in picture.withdrawn[1].why
    assert [len(lane.bars) > 0 for lane in picture.lanes] == [True] * 3
    kinds = [mark.kind for mark in picture.marks]
    assert kinds.count("retry") == 2
    assert kinds.count("cut") == 2
    assert kinds[-1] == "done"


async def test_a_resumed_run_withdraws_only_what_falls_away():
    story, stream = await told(
        ["One two ", "three", fail(ConnectionResetError())], ["four"], continuation=True
    )
    assert story.text == stream.state.content
    assert all(w.tokens < w.of for w in story.picture().withdrawn)
    assert [mark.kind for mark in story.picture().marks].count("resume") == 1


async def test_a_failed_run_tells_its_error_and_keeps_its_text():
    story, stream = await told(["Hel", fail(401)])
    assert (story.status, story.text) == ("failed", "Hel")
    assert story.error["type"] == "HTTPStatusError"
    assert story.live is False
    recorded = Story.of_events(story.events)
    assert (recorded.status, recorded.error["message"]) == ("failed", "HTTP 401")


async def test_a_recording_without_an_end_is_unfinished():
    story, _ = await told(*TROUBLE)
    cut = Story.of_events(story.events[:-5])
    assert cut.status == "unfinished"
    assert cut.text == "Hello 🎉 world"
    assert cut.error is None


async def test_an_aborted_run_is_stopped_not_failed():
    story, bus = collected()
    begun(story, bus)
    tokens(bus, "a")
    bus.emit("ABORT_REQUESTED", source="user", token_count=1, content_length=1, reason="stop")
    tokens(bus, "b", start=1)
    assert story.status == "stopping"
    bus.emit("ABORT_COMPLETED", token_count=2, content_length=2, elapsed_ms=1.0)
    bus.emit("SESSION_END", outcome="aborted", duration_ms=5.0)
    assert (story.status, story.live) == ("aborted", False)


def test_the_status_follows_the_run():
    story, bus = collected()
    begun(story, bus)
    tokens(bus, "a")
    assert story.status == "streaming"
    bus.emit(
        "RETRY_ATTEMPT",
        attempt=1,
        max_attempts=2,
        reason="timeout",
        category="network",
        delay_ms=10.0,
        counts_toward_limit=True,
    )
    restart(bus, 0, 0, 1)
    bus.emit("STREAM_INIT", attempt=2, fallback_index=0)
    assert story.status == "retrying"
    tokens(bus, "b")
    assert story.status == "streaming"
    bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="timeout")
    assert story.status == "fallback"
    bus.emit("SESSION_END", outcome="completed", duration_ms=5.0)
    assert story.status == "complete"


async def test_secrets_do_not_cross_in_rows():
    key = "sk-ant-0123456789abcdefABCDEF0123456789"
    story, _ = await told(["x", fail(ConnectionResetError(f"refused key {key}"))], ["y"])
    assert key not in json.dumps(story.rows)
    story, bus = collected()
    begun(story, bus)
    bus.emit(
        "TOOL_REQUESTED",
        tool_name="t",
        tool_call_id="1",
        arguments={"api_key": "hunter2hunter2", "q": "x"},
        index=0,
    )
    assert "hunter2" not in json.dumps(story.rows)
    assert story.rows[-1][2]["arguments"]["q"] == "x"


def test_halves_of_characters_do_not_cross_in_rows():
    story, bus = collected()
    begun(story, bus)
    tokens(bus, "a\ud83d", "b")
    restart(bus, 1, 1, 2)
    bus.emit("ERROR", **{**ERROR, "error": "bad \ud83d"})
    json.dumps(story.rows, ensure_ascii=False).encode()
    assert story.fallen == ["\ud83db"]
    assert story.rows[-2][2]["text"] == "\ufffdb"


ERROR = {
    "error": "e",
    "error_type": "E",
    "category": "network",
    "failure_type": "network",
    "recovery_strategy": "retry",
    "policy": {},
    "attempt": 1,
    "token_count": 0,
    "content_length": 0,
}


def test_bodies_of_images_and_long_texts_do_not_cross():
    story, bus = collected()
    begun(story, bus)
    image = l0.events.DataPayload("image", mime_type="image/png", base64="A" * 100_000)
    bus.emit("STREAM_EVENT", event=l0.events.Event(l0.events.EventType.DATA, payload=image))
    result = {"tool_name": "t", "tool_call_id": "1", "result": "r" * 50_000}
    bus.emit("TOOL_RESULT", **result)
    assert len(json.dumps(story.rows)) < LONGEST + 2000
    assert story.picture().outputs == ["image/png"]
    assert "characters more" in story.picture().tools[0]["result"]


# --- where it comes from --------------------------------------------------------------------


async def test_live_store_log_and_list_tell_the_same_story():
    store, log = InMemoryEventStore(), Log(detail="normal")
    clock = VirtualClock()
    story = Story(model="sim:demo")
    _, stream = await told(
        *TROUBLE, clock=clock, story=story, event_store=store, on_event=log, meta={"model": "m"}
    )
    recorded = await store.get_events(stream.stream_id)
    for other in (Story.of_events(recorded), Story.of_events(story.events)):
        assert other.text == story.text
        assert other.rows == story.rows
        assert other.fallen == story.fallen
        assert other.status == story.status == "complete"
        assert other.model == "m"
        assert other.stream_id == stream.stream_id


async def test_a_story_is_found_in_whatever_holds_the_run(tmp_path):
    store = l0.open_store(f"sqlite:///{tmp_path}/runs.db")
    live, stream = await told(*TROUBLE, event_store=store)
    path = tmp_path / "runs.db"
    records = await store.get_events(stream.stream_id)
    for source in (live, stream, store, path, str(path), records, l0.replay(store), live.events):
        found = story_of(source)
        assert (found.text, found.status) == ("Hello 🎉 world", "complete"), source
    await told(["another"], event_store=store)
    assert story_of(store, stream.stream_id).text == "Hello 🎉 world"
    for several in (store, path):
        with pytest.raises(ValueError, match="several"):
            story_of(several)
    await store.close()


@pytest.mark.parametrize("source", [None, 3, object(), [1, 2], "no/such/file.db"])
def test_what_holds_no_run_is_told_so(source):
    with pytest.raises((TypeError, l0.errors.Error)):
        story_of(source)


def test_an_empty_list_holds_no_run():
    with pytest.raises(ValueError, match="there is no run"):
        story_of([])
    with pytest.raises(ValueError, match="there is no run"):
        story_of(Log(), "unknown")


async def test_who_comes_late_knows_the_text_and_hears_the_rest():
    clock = VirtualClock()
    stream = l0.run(ScriptedModel(["Hel", stall(1), "lo", stall(1), "!"]), clock=clock)
    late = Story(model="m")
    seen = ""
    async for event in stream:
        if event.is_token:
            seen += event.text
            if seen == "Hello":
                late.follow(stream)
                assert late.text == "Hello"
                assert late.status == "streaming"
    assert late.text == "Hello!"
    assert late.status == "complete"
    picture = late.picture()
    assert picture.tokens == 3
    assert len(picture.lanes) == 1
    assert "before" in late.notes[-1]


async def test_who_comes_after_the_end_sees_how_it_ended():
    _, stream = await told(["Hel", "lo"])
    over = Story.of_stream(stream)
    assert (over.text, over.status, over.picture().tokens) == ("Hello", "complete", 2)
    _, failed = await told(["Hel", fail(401)])
    over = Story.of_stream(failed)
    assert (over.text, over.status, over.error["type"]) == ("Hel", "failed", "HTTPStatusError")


async def test_a_stream_that_never_ran_is_waiting():
    story = Story.of_stream(l0.run(lambda: ["a"]))
    assert (story.status, story.text, story.rows) == ("waiting", "", [])


# --- floods ---------------------------------------------------------------------------------


async def test_tokens_are_counted_not_repeated():
    count_ = 5000
    story, stream = await told([f"t{i} " for i in range(count_)])
    assert stream.state.token_count == story.picture().tokens == count_
    assert len(json.dumps(story.rows)) < 10_000
    assert "t17" not in json.dumps(story.rows)


async def test_interval_checkpoints_are_no_events_of_the_story():
    store = InMemoryEventStore()
    story, stream = await told(["x "] * 300, event_store=store, continuation=True)
    recorded = [record.type for record in await store.get_events(stream.stream_id)]
    assert [event.type for event in story.events] == recorded


def test_pieces_of_reasoning_are_one_row():
    story, bus = collected()
    begun(story, bus)
    message = l0.events.EventType.MESSAGE
    for index in range(1000):
        event = l0.events.Event(message, f"thought {index} ", data={"kind": "reasoning"})
        bus.emit("STREAM_EVENT", event=event)
    assert len(story.rows) < 10
    assert story.picture().thoughts.startswith("thought 0 thought 1 ")
    assert story.picture().thoughts.endswith("thought 999 ")


def test_batches_merge_only_while_they_follow_each_other_closely():
    rows = []
    for row in (
        ["TOKENS", 0.0, {"start": 0, "count": 2, "duration_ms": 10.0}],
        ["TOKENS", 20.0, {"start": 2, "count": 2, "duration_ms": 10.0}],
        ["TOKENS", 900.0, {"start": 4, "count": 1, "duration_ms": 0.0}],
        ["TOKENS", 910.0, {"start": 0, "count": 1, "duration_ms": 0.0}],
    ):
        merge(rows, row)
    assert rows == [
        ["TOKENS", 0.0, {"start": 0, "count": 4, "duration_ms": 30.0}],
        ["TOKENS", 900.0, {"start": 4, "count": 1, "duration_ms": 0.0}],
        ["TOKENS", 910.0, {"start": 0, "count": 1, "duration_ms": 0.0}],
    ]


def test_checks_that_find_nothing_are_no_rows():
    bus = EventBus(clock=VirtualClock())
    rows = []
    bus.subscribe(lambda event: rows.append(row_of(event, event.ts)))
    bus.emit("GUARDRAIL_PHASE_START", phase="x", rule_count=1, token_count=0, content_length=0)
    bus.emit("GUARDRAIL_RULE_RESULT", index=0, rule_id="r", passed=True)
    drift = {"score": 0.1, "types": [], "metrics": {}, "threshold": 0.5}
    bus.emit("DRIFT_CHECK_RESULT", detected=False, **drift)
    bus.emit("TOKEN", text="a", index=0)
    assert rows == [None] * 4
    bus.emit("DRIFT_CHECK_RESULT", detected=True, **{**drift, "types": ["tone"]})
    assert rows[-1][0] == "DRIFT_CHECK_RESULT"


# --- the picture ----------------------------------------------------------------------------


async def test_tools_and_findings_of_what_stands_are_in_the_picture():
    story, _ = await told(
        ["Let me see. ", tool("c1", "weather", {"city": "Bern"})], model="sim:tools"
    )
    (used,) = story.picture().tools
    assert (used["tool_name"], used["arguments"]) == ("weather", {"city": "Bern"})


def test_findings_of_withdrawn_text_go_with_it():
    found = {"rule": "r", "message": "m", "severity": "error"}
    rows = [
        ["STREAM_INIT", 0.0, {"attempt": 1, "fallback_index": 0}],
        ["TOKENS", 1.0, {"start": 0, "count": 4, "duration_ms": 3.0}],
        ["GUARDRAIL_RULE_RESULT", 4.0, {"violations": [{**found, "position": 1}]}],
        ["GUARDRAIL_RULE_RESULT", 4.0, {"violations": [{**found, "position": 9}]}],
        [
            "RESTART",
            5.0,
            {
                "kept_chars": 3,
                "kept_tokens": 1,
                "discarded_chars": 8,
                "reason": "guardrail_violation",
            },
        ],
    ]
    picture = Picture.of(rows, ["gone"])
    assert [v["position"] for v in picture.violations] == [1]
    (gone,) = picture.withdrawn
    assert [v["position"] for v in gone.violations] == [9]
    assert gone.why == "guardrail r"
    assert picture.lanes[0].bars[-1].kept == 1


def test_words_a_person_would_say():
    assert [seconds(ms) for ms in (0, 994, 1000, 99_940, 99_950, 150_000)] == [
        "0.00 s",
        "0.99 s",
        "1.0 s",
        "99.9 s",
        "1.7 min",
        "2.5 min",
    ]
    assert (count(1, "token"), count(1234, "token")) == ("1 token", "1,234 tokens")
    assert (words("rate_limit"), words(None)) == ("rate limit", "")
