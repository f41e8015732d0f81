"""S87: hooks around a whole run."""

from __future__ import annotations

import asyncio
import logging

import pytest

import l0
from l0.errors import DeadlineError, GuardrailError, InterceptorError, StreamAbortedError
from l0.events import DataPayload, Event, EventType, Usage
from l0.stream import (
    CachedResult,
    Completion,
    Interceptor,
    Options,
    Retry,
    Timeout,
    analytics_interceptor,
    auth_interceptor,
    caching_interceptor,
    logging_interceptor,
    metadata_interceptor,
    rate_limit_interceptor,
    timing_interceptor,
    transform_interceptor,
    validation_interceptor,
)
from l0.testing import ScriptedModel, check_run, end, fail, stall, tool

NET = ConnectionResetError("gone")


class Hooks:
    """An interceptor made of functions, noting when it is asked."""

    def __init__(self, name, story=None, **hooks):
        self.name, self.story = name, [] if story is None else story
        for phase, hook in hooks.items():
            setattr(self, phase, self._noting(phase, hook))

    def _noting(self, phase, hook):
        def ask(*args):
            self.story.append(f"{self.name}.{phase}")
            return hook(*args) if hook is not None else None

        return ask


# --- before -----------------------------------------------------------------------------------


async def test_s87_before_in_order_after_in_reverse_with_the_full_text(play):
    """Once a run, and once an attempt that passed its checks; plain and coroutine hooks alike."""
    story, texts = [], []

    async def later(done):
        texts.append(done.text)

    run = await play(
        ScriptedModel(["a ", fail(NET)], ["b ", "c"]),
        interceptors=[
            Hooks("one", story, before=None, after=later),
            Hooks("two", story, after=lambda done: texts.append(done.text)),
            Hooks("three", story, before=None, error=None),
        ],
    )
    assert story == ["one.before", "three.before", "two.after", "one.after"]
    assert texts == ["b c", "b c"]
    assert [(e.name, e.phase) for e in run.all("INTERCEPTOR_START")] == [
        ("one", "before"),
        ("three", "before"),
        ("two", "after"),
        ("one", "after"),
    ]
    assert [e.error for e in run.all("INTERCEPTOR_END")] == [None] * 4
    at = run.types.index
    assert at("SESSION_START") < at("INTERCEPTOR_START") < at("STREAM_INIT")
    assert (
        "FINALIZATION_START"
        in run.types[: len(run.types) - run.types[::-1].index("INTERCEPTOR_START")]
    )


async def test_before_may_give_other_options(play):
    """They hold from there on: stream, retries, timeouts, callbacks, meta, listeners."""
    seen, told = [], []

    def other(options):
        return options.replace(
            stream=ScriptedModel([fail(NET)], [stall(3)], ["b"]),
            retry=Retry(attempts=5, base_delay=0),
            timeout=Timeout(inter_token=None, initial_token=2),
            on_token=seen.append,
            meta={"who": "ada"},
            on_event=told.append,
        )

    run = await play(ScriptedModel([]), retry=False, interceptors=[Hooks("other", before=other)])
    assert (run.shown, seen, run.types.count("TIMEOUT_TRIGGERED")) == ("b", ["b"], 1)
    assert (run.told[0].meta, run.told[-1].meta["who"]) == ({}, "ada")
    assert told[-1].type == "COMPLETE"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda options: "text", "options.replace"),
        (lambda options: options.replace(stream_id="other"), "stream_id can't be changed"),
        (lambda options: 1 / 0, "division by zero"),
    ],
    ids=["no options", "fixed", "raising"],
)
async def test_s87_a_before_that_fails_ends_the_run(play, answer, says):
    """InterceptorError with name and phase; the model is not asked, nor a fallback."""
    model, fallback, story = ScriptedModel(["a"]), ScriptedModel(["b"]), []
    run = await play(
        model,
        fallbacks=[fallback],
        interceptors=[Hooks("first", story, error=None), Hooks("bad", story, before=answer)],
    )
    assert isinstance(run.error, InterceptorError)
    assert (run.error.name, run.error.phase) == ("bad", "before")
    assert says in str(run.error)
    assert (model.calls, fallback.calls, story) == (0, 0, ["bad.before", "first.error"])
    assert run.one("ERROR").recovery_strategy == "halt"
    assert run.types[-2:] == ["SESSION_SUMMARY", "SESSION_END"]


@pytest.mark.parametrize("way", ["abort", "cancel", "deadline"])
async def test_a_run_can_be_ended_while_a_hook_is_awaited(way):
    """As anywhere else."""
    told, begun = [], asyncio.Event()

    async def never(options):
        begun.set()
        await asyncio.sleep(3600)

    stream = l0.run(
        ScriptedModel(["a"]),
        interceptors=[Hooks("never", before=never)],
        on_event=told.append,
        timeout=Timeout(total=0.01 if way == "deadline" else 60),
    )
    task = asyncio.create_task(stream.read())
    await begun.wait()
    if way == "abort":
        stream.abort()
    elif way == "cancel":
        task.cancel()
    error = {
        "abort": StreamAbortedError,
        "cancel": asyncio.CancelledError,
        "deadline": DeadlineError,
    }[way]
    with pytest.raises(error):
        await task
    check_run(told)


async def test_an_abort_before_the_start_asks_nobody():
    """Nothing is looked up, and nobody is charged."""
    story = []
    stream = l0.run(ScriptedModel(["a"]), interceptors=[Hooks("one", story, before=None)])
    stream.abort()
    with pytest.raises(StreamAbortedError):
        await stream.read()
    assert story == []


# --- cached results -----------------------------------------------------------------------------


async def test_s87_a_cached_result_needs_no_factory(play):
    """A token and a complete event as usual; what stands behind the cache is not asked."""
    model, story = ScriptedModel(["a"]), []
    run = await play(
        model,
        adapter="openai",
        interceptors=[
            Hooks("outer", story, before=None, after=lambda d: d.replace(text=d.text + "!")),
            Hooks("cache", story, before=lambda o: CachedResult("known", Usage(0, 0))),
            Hooks("inner", story, before=None, after=None),
        ],
    )
    assert (model.calls, run.shown, run.state.content) == (0, "known!", "known!")
    assert run.tokens == ["known", "!"]
    assert run.state.finish_reason == "stop"
    assert story == ["outer.before", "cache.before", "outer.after"]


async def test_a_cached_result_that_fails_the_checks_is_asked_of_the_model(play):
    """And those behind the cache have their turn before it is."""
    story = []
    rule = l0.GuardrailRule("no_bad", lambda s: ["bad"] * ("bad" in s.content))
    run = await play(
        ScriptedModel(["good"]),
        guardrails=[rule],
        interceptors=[
            Hooks("cache", story, before=lambda o: CachedResult("bad")),
            Hooks("inner", story, before=None, after=None),
        ],
    )
    assert (run.shown, story) == ("good", ["cache.before", "inner.before", "inner.after"])


# --- after --------------------------------------------------------------------------------------


async def test_s87_a_raise_in_after_fails_the_attempt(play):
    """It is classified like any error, and tried again."""
    answers = iter([ValueError("not yet"), None])

    def after(done):
        answer = next(answers)
        if answer is not None:
            raise answer

    run = await play(ScriptedModel(["a"], ["b"]), interceptors=[Hooks("judge", after=after)])
    assert (run.shown, run.types.count("RETRY_ATTEMPT")) == ("b", 1)
    assert run.all("INTERCEPTOR_END")[0].error == "not yet"
    assert run.all("FINALIZATION_END")[0].passed is False
    assert [e.type for e in run.events] == ["token", "restart", "token", "complete"]


async def test_an_interceptor_error_in_after_ends_the_run(play):
    """Who says so means it."""

    def after(done):
        raise InterceptorError("enough", name="judge", phase="after")

    model = ScriptedModel(["a"], repeat_last=True)
    run = await play(model, interceptors=[Hooks("judge", after=after)])
    assert (model.calls, type(run.error)) == (1, InterceptorError)


@pytest.mark.parametrize(
    ("made", "kept", "tokens"),
    [
        ("one two three", None, ["one ", "two", " three"]),
        ("one TWO", 4, ["one ", "two", "TWO"]),
        ("one t", 5, ["one ", "two"]),
        ("ONE", 0, ["one ", "two", "ONE"]),
        ("", 0, ["one ", "two"]),
    ],
    ids=["longer", "other end", "shorter", "other", "nothing"],
)
@pytest.mark.parametrize("deliver", ["live", "validated"])
async def test_s87_a_changed_text_costs_as_little_as_it_can(play, made, kept, tokens, deliver):
    """A restart with the common beginning, and one token with the rest."""
    run = await play(
        ScriptedModel(["one ", "two", end("stop", Usage(1, 2))]),
        deliver=deliver,
        interceptors=[transform_interceptor(lambda text: made)],
    )
    assert (run.shown, run.state.content) == (made, made)
    assert (run.state.finish_reason, run.state.completed) == ("stop", True)
    restarts = [e.kept_chars for e in run.events if e.is_restart]
    assert restarts == ([] if kept is None or deliver == "validated" else [kept])
    if deliver == "live":
        assert run.tokens == tokens


@pytest.mark.parametrize("deliver", ["live", "validated"])
async def test_a_changed_text_keeps_the_calls_and_the_data_beside_it(play, deliver):
    """A restart withdraws them, so they are handed over again."""
    data = Event(EventType.DATA, payload=DataPayload("json", json=1))
    run = await play(
        ScriptedModel([tool("1", "f"), "one", data, end("tool_calls")]),
        deliver=deliver,
        interceptors=[transform_interceptor(str.upper)],
    )
    kept = []
    for event in run.events:
        if event.is_restart:
            kept.clear()
        elif event.is_tool_call or event.is_data:
            kept.append(event.type)
    assert sorted(kept) == ["data", "tool_call"]
    assert (len(run.state.tool_calls), len(run.state.data_outputs)) == (1, 1)
    assert (run.state.content, run.state.finish_reason) == ("ONE", "tool_calls")


async def test_values_and_events_go_through_the_completion(play):
    """`value` for the next one, `emit` for the listeners."""
    seen = []

    def parse(done):
        done.emit(l0.events.CallbackErrorPayload("x", "y", "z"))
        return done.replace(value=int(done.text))

    run = await play(
        ScriptedModel(["42"]),
        interceptors=[Hooks("use", after=lambda d: seen.append(d.value)), Hooks("p", after=parse)],
    )
    assert (seen, run.one("CALLBACK_ERROR").callback) == ([42], "x")


async def test_an_after_that_gives_something_else_is_a_programming_error(play):
    """It says what to give."""
    model = ScriptedModel(["a"])
    run = await play(model, interceptors=[Hooks("odd", after=lambda done: done.text)])
    assert isinstance(run.error, TypeError)
    assert "done.replace" in str(run.error)


# --- error --------------------------------------------------------------------------------------


async def test_a_text_that_is_none_is_a_programming_error(play):
    """Said of the hook's completion, where `len()` of something far off would say it else."""
    model = ScriptedModel(["a"], repeat_last=True)
    run = await play(model, interceptors=[transform_interceptor(len)])
    assert str(run.error) == "Completion.text is a string, not int"
    assert model.calls == 1


async def test_s87_error_hooks_are_told_and_isolated(play, caplog):
    """Each has its turn; the original error is raised."""
    story, error = [], ValueError("no")

    def broken(error, options):
        raise RuntimeError("typo")

    run = await play(
        ScriptedModel([fail(error)]),
        retry=False,
        interceptors=[
            Hooks("one", story, error=broken),
            Hooks("two", story, error=lambda e, o: story.append((e, type(o)))),
        ],
    )
    assert run.error is error
    assert story == ["one.error", "two.error", (error, Options)]
    assert "typo" in caplog.text
    assert run.all("INTERCEPTOR_END")[0].error == "typo"


async def test_error_hooks_do_not_hear_of_an_abort():
    """That is no failure."""
    story = []
    stream = l0.run(ScriptedModel(["a", "b"]), interceptors=[Hooks("one", story, error=None)])
    async with stream:
        async for _ in stream:
            break
    assert story == []


async def test_an_error_hook_that_hangs_is_left_after_five_seconds(play, clock):
    """The error comes all the same."""

    async def never(error, options):
        await clock.sleep(3600)

    run = await play(
        ScriptedModel([fail(ValueError("no"))]),
        retry=False,
        interceptors=[Hooks("never", error=never)],
    )
    assert isinstance(run.error, ValueError)
    assert clock.now == 5


# --- what can be given --------------------------------------------------------------------------


def test_an_interceptor_has_at_least_one_hook():
    """Said at construction."""
    with pytest.raises(TypeError, match="before, after"):
        l0.run(ScriptedModel(["a"]), interceptors=[print])
    assert isinstance(timing_interceptor(), Interceptor)
    with pytest.raises(TypeError, match="CachedResult"):
        CachedResult(None)
    assert Completion("a", l0.State()).emit(None) is None


# --- the built-in ones --------------------------------------------------------------------------


async def test_caching_keeps_completed_runs_only(play):
    """Neither failed nor aborted ones; the second run of a kind asks no model."""
    cache = {}
    keep = caching_interceptor(cache, lambda options: options.meta["q"])
    model = ScriptedModel([fail(ValueError("x"))], ["a", "b"])
    run = await play(model, interceptors=[keep], meta={"q": 1}, retry=False)
    assert (run.error is None, cache) == (False, {})
    for _ in range(2):
        run = await play(model, interceptors=[keep], meta={"q": 1}, retry=False)
        assert (run.shown, cache) == ("ab", {1: "ab"})
    assert model.calls == 2


async def test_caching_keeps_what_passed_through_it(play):
    """Transformations behind it are in the cache, those before it are made again."""
    cache, done = {}, []
    chain = [
        transform_interceptor(lambda text: f"<{text}>"),
        caching_interceptor(cache, lambda options: "k"),
        transform_interceptor(str.upper),
    ]
    for _ in range(2):
        run = await play(ScriptedModel(["ab"]), interceptors=chain, on_complete=done.append)
        assert (run.shown, cache) == ("<AB>", {"k": "AB"})
    assert len(done) == 2


async def test_caching_over_an_asynchronous_store_that_may_fail(play, caplog):
    """Its `get` and `set` are awaited; a store that is down costs a model call, no run."""

    class Store:
        held, down = {}, False

        async def get(self, key):
            if self.down:
                raise OSError("no route")
            return self.held.get(key)

        async def set(self, key, text):
            self.held[key] = text

    store = Store()
    keep = caching_interceptor(store, lambda options: "k")
    model = ScriptedModel(["a"], ["b"])
    assert (await play(model, interceptors=[keep])).shown == "a"
    assert (await play(model, interceptors=[keep])).shown == "a"
    store.down = True
    assert (await play(model, interceptors=[keep])).shown == "b"
    assert "no route" in caplog.text
    assert (
        await play(ScriptedModel(["c"]), interceptors=[caching_interceptor({}, lambda o: None)])
    ).shown == "c"


@pytest.mark.parametrize("verdict", [False, "too short", ValueError("too short")], ids=repr)
async def test_validation_fails_the_attempt(play, verdict):
    """False, a word on it, or an exception."""

    async def judge(text):
        if text == "long enough":
            return True
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    run = await play(
        ScriptedModel(["a"], ["long enough"]), interceptors=[validation_interceptor(judge)]
    )
    assert run.shown == "long enough"
    (error,) = run.stream.errors
    assert isinstance(error, ValueError if isinstance(verdict, Exception) else GuardrailError)


@pytest.mark.parametrize("answer", [True, None, False])
async def test_auth(play, answer):
    """False stops the run, before the model is asked."""

    async def check(options):
        return answer

    model = ScriptedModel(["a"])
    run = await play(model, interceptors=[auth_interceptor(check)])
    assert (model.calls, isinstance(run.error, InterceptorError)) == (
        (0, True) if answer is False else (1, False)
    )


async def test_rate_limit_waits_for_the_next_free_moment(clock):
    """Two in ten seconds, whoever asks first."""
    limit = rate_limit_interceptor(2, 10)
    at = []

    async def one():
        stream = l0.run(
            ScriptedModel(["a"]),
            interceptors=[limit],
            clock=clock,
            on_token=lambda text: at.append(clock.now),
        )
        await stream.read()

    await asyncio.gather(*(one() for _ in range(5)))
    assert at == [0, 0, 10, 10, 20]


async def test_rate_limit_may_raise(play, clock):
    """It says when to come again."""
    limit = rate_limit_interceptor(1, 10, "raise")
    assert (await play(ScriptedModel(["a"]), interceptors=[limit])).error is None
    run = await play(ScriptedModel(["a"]), interceptors=[limit])
    assert "try again in 10.000 s" in str(run.error)
    clock.advance(10)
    assert (await play(ScriptedModel(["a"]), interceptors=[limit])).error is None
    for wrong in ((0, 1, "wait"), (1, 0, "wait"), (1, 1, "sleep")):
        with pytest.raises(ValueError, match="rate_limit_interceptor"):
            rate_limit_interceptor(*wrong)


async def test_timing_logging_metadata_and_analytics(play, caplog):
    """What they note of a run that completes, and of one that fails."""
    caplog.set_level(logging.INFO)
    timing, facts, done = timing_interceptor(), [], []
    chain = [
        metadata_interceptor({"team": "blue"}),
        timing,
        logging_interceptor(logging.getLogger("mine")),
        analytics_interceptor(facts.append),
    ]
    run = await play(
        ScriptedModel([stall(1), "a", stall(1), "b"]),
        interceptors=chain,
        meta={"q": 1},
        on_complete=done.append,
    )
    (took,) = timing.timings
    assert (took.duration, took.time_to_first_token, took.tokens_per_second) == (2, 1, 1)
    assert run.told[-1].meta == {"q": 1, "team": "blue"}
    assert "2 tokens, 2 characters in 2.000 s" in caplog.text
    assert (facts[0]["outcome"], facts[0]["token_count"], facts[0]["meta"]["team"]) == (
        *("completed", 2),
        "blue",
    )
    assert done == [run.state]
    await play(ScriptedModel([fail(ValueError("no"))]), interceptors=chain, retry=False)
    assert "stream failed: ValueError: no" in caplog.text
    assert (facts[1]["outcome"], facts[1]["error_type"]) == ("failed", "ValueError")


async def test_what_a_built_in_one_raises_at_completion_reaches_nobody_else(play, caplog):
    """The caller's own on_complete is called all the same."""
    done = []

    def broken(facts):
        raise RuntimeError("typo")

    async def later(facts):
        raise RuntimeError("typo")

    for track in (broken, later):
        run = await play(
            ScriptedModel(["a"]),
            interceptors=[analytics_interceptor(track)],
            on_complete=done.append,
        )
        assert run.error is None
    assert len(done) == 2
    assert caplog.text.count("failed at completion") == 2
