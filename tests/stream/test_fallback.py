"""S32–S36: the chain moves on."""

from __future__ import annotations

import functools

import pytest

import l0
from l0.adapters import OpenAIAdapterOptions
from l0.errors import AllStreamsExhaustedError
from l0.stream import Retry
from l0.testing import ScriptedModel, anthropic_events, fail, openai_chunks

NET = ConnectionResetError("gone")


async def test_s32_the_fallback_answers(play):
    """Its text alone stands; events and callbacks in order, no ATTEMPT_START."""
    calls = []
    run = await play(
        ScriptedModel(["p", fail(Exception("no"))]),
        fallbacks=[ScriptedModel(["x", "y"])],
        retry=Retry(attempts=0, base_delay=0),
        on_fallback=lambda *args: calls.append(("fallback", *args)),
        on_start=lambda *args: calls.append(("start", *args)),
    )
    assert (run.state.content, run.state.token_count, run.state.fallback_index) == ("xy", 2, 1)
    assert run.shown == "xy"
    assert calls == [
        ("start", 1, False, False),
        ("fallback", 0, "model_error"),
        ("start", 1, False, True),
    ]
    story = ["FALLBACK_START", "FALLBACK_MODEL_SELECTED", "RESTART", "FALLBACK_END", "COMPLETE"]
    assert [t for t in run.types if t in story] == story
    assert "ATTEMPT_START" not in run.types
    end = run.one("FALLBACK_END")
    assert (end.success, end.final_index) == (True, 1)


async def test_each_attempt_says_which_model_it_asks_where_that_is_known(play):
    """A factory tells its model by an attribute, a partial by the argument; others say nothing."""

    class Odd(ScriptedModel):
        @property
        def model(self):
            raise AssertionError("nobody's code is run for a name")

    def named(model):
        return ScriptedModel([fail(Exception("no"))])()

    bad = ScriptedModel([fail(Exception("no"))])
    bad.model = "openai:gpt-test"
    unnamed = ScriptedModel([fail(Exception("no"))])
    unnamed.model = 7
    chain = [unnamed, Odd([fail(Exception("no"))]), functools.partial(named, model="local")]
    last = ScriptedModel(["fine"])
    last.model = "sim:story"
    run = await play(bad, fallbacks=[*chain, last], retry=Retry(attempts=0, base_delay=0))
    assert run.state.content == "fine"
    assert [(e.fallback_index, e.model) for e in run.all("STREAM_INIT")] == [
        (0, "openai:gpt-test"),
        (1, None),
        (2, None),
        (3, "local"),
        (4, "sim:story"),
    ]


async def test_s33_budgets_are_per_stream(play):
    """attempts=1: p p f1 f1 f2."""
    order = []

    def model(name, *scripts):
        inner = ScriptedModel(*scripts, repeat_last=True)

        def factory(info):
            order.append(name)
            return inner(info)

        return factory

    bad = [fail(Exception("no"))]
    run = await play(
        model("p", bad),
        fallbacks=[model("f1", bad), model("f2", ["ok"])],
        retry=Retry(attempts=1, base_delay=0),
    )
    assert order == ["p", "p", "f1", "f1", "f2"]
    moves = [(e.from_index, e.to_index) for e in run.all("FALLBACK_START")]
    assert moves == [(0, 1), (1, 2)]


async def test_s34_a_retry_inside_a_fallback(play):
    """ATTEMPT_START(2) says that it is one."""
    starts = []
    run = await play(
        ScriptedModel([fail(401)]),
        fallbacks=[ScriptedModel([fail(NET)], ["ok"])],
        on_start=lambda *args: starts.append(args),
    )
    start = run.one("ATTEMPT_START")
    assert (start.attempt, start.is_fallback) == (2, True)
    assert starts == [(1, False, False), (1, False, True), (2, True, True)]


async def test_s35_all_fail(play):
    """AllStreamsExhaustedError from the last, listing every one."""
    first, second = Exception("one"), Exception("two")
    run = await play(
        ScriptedModel([fail(first)]),
        fallbacks=[ScriptedModel([fail(second)])],
        retry=False,
    )
    assert isinstance(run.error, AllStreamsExhaustedError)
    assert list(run.error.errors) == [first, second]
    assert run.error.__cause__ is second
    assert run.types.count("FALLBACK_END") == 1


async def test_s36_a_fatal_error_goes_to_the_fallback_at_once(play):
    """Another provider may well accept the request."""
    primary = ScriptedModel([fail(401)], repeat_last=True)
    run = await play(primary, fallbacks=[ScriptedModel(["ok"])])
    assert (primary.calls, run.state.content) == (1, "ok")


async def test_a_single_use_source_is_never_iterated_twice(play):
    """Its error is raised, or the fallback asked."""

    async def source():
        yield "a"
        raise NET

    run = await play(source())
    assert (run.error, run.types.count("STREAM_INIT")) == (NET, 1)
    run = await play(source(), fallbacks=[ScriptedModel(["ok"])])
    assert (run.state.content, run.shown) == ("ok", "ok")


CHAIN = {"include_reasoning": True, "include_thinking": True}


@pytest.mark.parametrize(
    "options",
    [
        CHAIN,
        {"include_reasoning": True},
        OpenAIAdapterOptions(include_reasoning=True),
        {"choice_index": 0, "require_finish": False},
    ],
    ids=["of both", "of the first", "an object", "others"],
)
async def test_a_fallback_of_another_provider_takes_the_options_it_knows(play, options):
    """It does not fail on the names of the first one's."""
    answer = anthropic_events("42", reasoning="Six times seven.")
    run = await play(
        lambda: openai_chunks("", reasoning="Hm."),
        fallbacks=[lambda: answer, ScriptedModel(["not asked"])],
        retry=False,
        adapter_options=options,
        detect_zero_output=True,
        guardrails=[
            l0.GuardrailRule("text", lambda s: ["none"] * (not s.content), streaming=False)
        ],
    )
    assert (run.shown, run.state.fallback_index) == ("42", 1)
    thoughts = [e.text for e in run.events if e.is_message]
    assert ("Six times seven." in "".join(thoughts)) == (options is CHAIN)
    assert run.all("ADAPTER_DETECTED")[-1].adapter_id == "anthropic"


async def test_a_fallback_without_options_is_not_given_any(play):
    """Plain texts have none."""
    run = await play(
        lambda: [*openai_chunks("a")[:1], NET],
        fallbacks=[ScriptedModel(["fine"])],
        retry=False,
        adapter_options={"choice_index": 0},
    )
    assert run.state.content == "fine"


async def test_an_option_that_nobody_knows_is_told(play):
    """On the stream that it is meant for."""
    run = await play(lambda: openai_chunks("a"), adapter_options={"include_thoughts": True})
    assert "include_thoughts" in str(run.error)
    run = await play(lambda: openai_chunks("a"), adapter_options={"include_thinking": True})
    assert run.error is None, "Anthropic's, for a chain that has it"
