"""S1–S9, S22, S66, S67, S69: what a run yields, tells and keeps."""

from __future__ import annotations

import asyncio
import functools
import gc
import uuid

import pytest

import l0
from l0.errors import InvalidStreamError
from l0.events import DataPayload, Event, EventType, Usage
from l0.stream import Callbacks, consume_stream
from l0.testing import ScriptedModel, end, fail, progress, stall

NET = ConnectionResetError("gone")


async def test_s1_three_tokens_and_one_complete(play):
    """A plain stream: its tokens, one complete, SESSION_START first and COMPLETE last."""
    seen = []
    run = await play(
        ScriptedModel(["a", "b", "c"]),
        on_start=lambda *args: seen.append(("start", args)),
        on_token=lambda text: seen.append(("token", text)),
        on_complete=lambda state: seen.append(("complete", state.content)),
    )
    assert run.tokens == ["a", "b", "c"]
    assert [event.type for event in run.events][-1] is EventType.COMPLETE
    assert (run.state.content, run.state.token_count) == ("abc", 3)
    assert run.state.completed
    assert not run.state.aborted
    assert (run.types[0], run.types[-1]) == ("SESSION_START", "COMPLETE")
    assert seen[0] == ("start", (1, False, False))
    assert seen[-1] == ("complete", "abc")
    assert [kind for kind, _ in seen].count("complete") == 1


async def test_s2_empty_items_reach_nobody(play):
    """Empty texts and None are skipped."""
    run = await play(ScriptedModel(["", "a", None]))
    assert (run.state.content, run.state.token_count, run.tokens) == ("a", 1, ["a"])


async def test_s3_the_runtime_makes_the_complete_event(play):
    """A source that just ends gives one complete event with the usage that is known."""
    run = await play(ScriptedModel(["a"]))
    (last,) = [event for event in run.events if event.is_complete]
    assert last.usage == Usage()
    run = await play(ScriptedModel(["a", end("stop", Usage(3, 4))]))
    (last,) = [event for event in run.events if event.is_complete]
    assert (last.usage["total_tokens"], last.usage["requests"]) == (7, 1)
    assert last.finish_reason == "stop"


async def test_s4_nothing_follows_complete(play):
    """Items after the source's complete are ignored, and the source is closed."""
    model = ScriptedModel(["a", end(), "b", "c"])
    run = await play(model)
    assert run.tokens == ["a"]
    assert model.closed == [True]


async def test_s5_read_is_repeatable_and_may_follow_iteration(clock):
    """The factory is called once, however often the text is read."""
    model = ScriptedModel(["a", "b", "c"])
    stream = l0.run(model, clock=clock)
    assert (await stream.read(), await stream.read(), model.calls) == ("abc", "abc", 1)
    model = ScriptedModel(["a", "b", "c"])
    async with l0.run(model, clock=clock) as stream:
        async for _ in stream:
            break
        assert (await stream.read(), model.calls) == ("abc", 1)


async def test_s6_a_failed_read_raises_the_same_error_every_time(clock):
    """Never partial text; the state still holds the part."""
    stream = l0.run(ScriptedModel(["a", fail(NET)]), retry=False, clock=clock)
    errors = []
    for _ in range(2):
        with pytest.raises(ConnectionResetError) as raised:
            await stream.read()
        errors.append(raised.value)
    assert errors[0] is errors[1] is stream.error is NET
    assert stream.state.content == "a"


async def test_s7_errors_is_a_live_list(clock):
    """Taken before the start, it holds one error a failed attempt."""
    stream = l0.run(
        ScriptedModel(["a", fail(NET)], ["a", "b"]), retry=l0.Retry(base_delay=0), clock=clock
    )
    errors = stream.errors
    await stream.read()
    assert errors == [NET]


async def test_s8_a_stream_that_is_never_used_does_nothing(clock):
    """No factory call, no event, no task, no warning."""
    told = []
    model = ScriptedModel(["a"])
    before = asyncio.all_tasks()
    stream = await l0.run(model, clock=clock, on_event=told.append)
    del stream
    gc.collect()
    assert (model.calls, told, asyncio.all_tasks()) == (0, [], before)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: [3.5], "float"),
        (lambda: iter(["a"]), "synchronous iterator"),
        (lambda: (x for x in "ab"), "AsyncOpenAI"),
        (lambda: "text", "list of items"),
        (lambda: 7, "int"),
    ],
    ids=["item", "iterator", "generator", "text", "number"],
)
async def test_s9_what_cannot_be_streamed_is_named(play, made, says):
    """InvalidStreamError names the type, is not retried, and is never silent emptiness."""
    run = await play(made)
    assert isinstance(run.error, InvalidStreamError)
    assert says in str(run.error)
    assert run.types.count("STREAM_INIT") == 1


async def test_s9_texts_and_provider_shaped_dicts_are_read(play):
    """No provider's package is needed to say what a chunk means."""
    run = await play(lambda: ["Hel", "lo"])
    assert (run.tokens, run.one("ADAPTER_DETECTED").adapter_id) == (["Hel", "lo"], "event")
    delta = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
    run = await play(lambda: [{"object": "chat.completion.chunk", "choices": [delta]}])
    assert (run.tokens, run.state.finish_reason) == (["Hi"], "stop")
    chunk = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}
    run = await play(lambda: [chunk])
    assert (run.tokens, run.one("ADAPTER_DETECTED").adapter_id) == (["Hi"], "anthropic")


async def test_s22_an_error_event_is_a_raised_error(play):
    """One retry, and no error event reaches the consumer."""
    run = await play(ScriptedModel([Event(EventType.ERROR, error=NET)], ["a"]))
    assert run.state.content == "a"
    assert run.types.count("RETRY_ATTEMPT") == 1
    assert not any(event.is_error for event in run.events)


async def test_s66_progress_and_data_pass_and_are_cleared_by_a_retry(play):
    """They reach the consumer in order; a retry forgets them."""
    data = Event(EventType.DATA, payload=DataPayload("image", url="http://127.0.0.1/x"))
    seen = []
    run = await play(
        ScriptedModel([progress(10), data, progress(50), "a"]), on_stream_event=seen.append
    )
    assert run.state.last_progress.percent == 50
    assert len(run.state.data_outputs) == 1
    assert [e.type for e in run.events] == ["progress", "data", "progress", "token", "complete"]
    assert seen == run.events
    run = await play(ScriptedModel([progress(10), data, fail(NET)], ["a"]))
    assert (run.state.last_progress, run.state.data_outputs) == (None, [])
    assert [e.type for e in run.events] == ["progress", "data", "restart", "token", "complete"]


async def test_s67_length_is_accepted_or_retried(play):
    """on_incomplete decides what the finish reason length means."""
    run = await play(ScriptedModel(["a", end("length")]))
    assert (run.state.finish_reason, run.error) == ("length", None)
    run = await play(ScriptedModel(["a", end("length")], ["b"]), on_incomplete="retry")
    assert run.state.content == "b"
    assert run.one("RETRY_ATTEMPT").reason == "incomplete"


async def test_s67_with_continuation_the_text_grows(play):
    """A text cut at the token limit goes on where it stopped."""
    model = ScriptedModel(["one ", "two ", end("length")], ["two ", "three"])
    run = await play(model, on_incomplete="retry", continuation=True)
    assert (run.state.content, run.tokens) == ("one two three", ["one ", "two ", "three"])


async def test_s69_ids_times_and_meta(clock):
    """One UUIDv7 a run, time that never decreases, meta that nothing leaks into."""
    told, meta = [], {"who": {"name": "ada"}}

    class Jumping(type(clock)):
        def time(self):
            self.set_back(60)
            return super().time()

    stream = l0.run(ScriptedModel(["a", "b"]), on_event=told.append, meta=meta, clock=Jumping())
    meta["who"]["name"] = "eve"
    await stream.read()
    assert uuid.UUID(stream.stream_id).version == 7
    assert {event.stream_id for event in told} == {stream.stream_id}
    assert [e.ts for e in told] == sorted(e.ts for e in told)
    assert told[0].meta["who"]["name"] == "ada"
    assert told[0]["who"]["name"] == told[0].context["who"]["name"]
    with pytest.raises(TypeError):
        told[0].meta["new"] = 1


async def test_s10_consume_stream_obeys_restarts(clock):
    """Any consumer that cuts at restarts has the right text."""
    model = ScriptedModel(["a", fail(NET)], ["a", "b"])
    assert await consume_stream(l0.run(model, retry=l0.Retry(base_delay=0), clock=clock)) == "ab"


async def test_a_second_consumer_is_refused(clock):
    """Two tasks can't pull at once."""
    stream = l0.run(ScriptedModel([stall(1), "a", "b"]), clock=clock)
    iterator = aiter(stream)
    first = asyncio.ensure_future(anext(iterator))
    second = asyncio.ensure_future(anext(iterator))
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert any(isinstance(r, RuntimeError) for r in results)
    await iterator.aclose()


async def test_callbacks_as_a_value_and_as_keywords(play):
    """The keyword wins over the field."""
    seen = []
    callbacks = Callbacks(on_token=lambda t: seen.append("field"), on_start=lambda *a: None)
    await play(ScriptedModel(["a"]), callbacks=callbacks, on_token=lambda t: seen.append("word"))
    assert seen == ["word"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"retires": 3}, TypeError, "did you mean retry"),
        ({"time_out": 3}, TypeError, "did you mean timeout"),
        ({"timeout": 3}, TypeError, "Timeout()"),
        ({"retry": 3}, TypeError, "Retry(attempts=3)"),
        ({"deliver": "later"}, ValueError, "'validated'"),
        ({"guardrails": "strict"}, TypeError, "list"),
        ({"guardrails": ["strict"]}, TypeError, "rules"),
        ({"on_token": 3}, TypeError, "not callable"),
        ({"meta": 1, "context": 2}, TypeError, "context is another name of meta"),
        ({"context": 2, "meta": 1}, TypeError, "context is another name of meta"),
        ({"check_intervals": 5}, TypeError, "CheckIntervals"),
        ({"drift": 3}, TypeError, "DriftConfig"),
        ({"meta": 3}, TypeError, "mapping"),
        ({"stream_id": "a b"}, ValueError, "stream id"),
        ({"redact": "all"}, TypeError, "Redactor"),
        ({"event_store": 3}, TypeError, "sqlite:///"),
        ({"keep_raw": "yes"}, TypeError, "keep_raw is True or False"),
        ({"fallbacks": [3]}, TypeError, "functions that open"),
        ({"callbacks": 3}, TypeError, "Callbacks()"),
        ({"interceptors": [3]}, TypeError, "before, after or error"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_bad_options_say_what_to_do(options, error, says):
    """At construction, before anything is opened."""
    with pytest.raises(error, match=says.replace("(", r"\(").replace(")", r"\)")):
        l0.run(ScriptedModel(["a"]), **options)


def test_run_without_a_stream_says_what_one_is():
    """The commonest first mistake."""
    with pytest.raises(TypeError, match="stream=True"):
        l0.run()


class Deck:
    """Methods as factories: what they are bound to is no parameter."""

    def plain(self):
        return ["plain"]

    def told(self, info):
        return [f"attempt {info.attempt}"]

    def relaxed(self, info=None):
        return [f"{info}"]


def passed_on(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        (Deck().plain, "plain"),
        (Deck().told, "attempt 1"),
        (Deck().relaxed, "None"),
        (passed_on(Deck.told).__get__(Deck()), "attempt 1"),
        (passed_on(lambda info: [f"attempt {info.attempt}"]), "attempt 1"),
        (passed_on(lambda: ["nothing"]), "nothing"),
        (functools.partial(lambda name: [name], "partial"), "partial"),
        (functools.partial(lambda name, info: [name, f" {info.attempt}"], "partial"), "partial 1"),
    ],
)
async def test_a_factory_is_told_of_its_attempt_where_it_asks_to_be(factory, text):
    assert await l0.run(factory).read() == text


def test_meta_that_contains_itself_is_refused():
    """Before anything is asked, in a sentence; what is merely nested, or used twice, is not."""
    inner = {"a": 1}
    for _ in range(90):
        inner = {"b": inner}
    shared = {"user": "ada"}
    l0.run(lambda: ["a"], meta={"deep": inner, "one": shared, "two": [shared, (shared,)]})
    around: dict = {"a": []}
    around["a"].append({"b": (around,)})
    with pytest.raises(ValueError, match="meta contains itself"):
        l0.run(lambda: ["a"], meta=around)
