"""S78: steps in a row, each a full run; what it is told is what the next one is asked with."""

from __future__ import annotations

import asyncio
import functools
import logging

import pytest

import l0
from l0.compose import (
    FAST_PIPELINE,
    PRODUCTION_PIPELINE,
    RELIABLE_PIPELINE,
    PipeOptions,
    PipeStep,
    TaskCancelledError,
    create_branch_step,
    create_step,
    pipe,
)
from l0.errors import DeadlineError, GuardrailError, InitialTokenTimeoutError
from l0.stream import Retry
from l0.testing import ScriptedModel, fail, hang, stall

NET = ConnectionResetError("gone")
AGAIN = Retry(attempts=2, base_delay=0)


def model_step(*scripts, **options):
    """A step whose model follows a script, whatever it is asked, and what it was asked with."""
    model, asked = ScriptedModel(*scripts), []

    def stream(text):
        asked.append(text)
        return model(l0.stream.current_attempt())

    options.setdefault("retry", AGAIN)
    return PipeStep(stream, **options), model, asked


async def test_s10_a_retried_step_passes_no_duplicated_text_on():
    """`[a !net] [a b .]` gives "ab"."""
    first, model, _ = model_step(["a", fail(NET)], ["a", "b"])
    second, _, asked = model_step(["done"])
    done = await pipe([first, second], "go")
    assert (model.calls, asked, done.output) == (2, ["ab"], "done")
    assert done.steps[0].raw_content == "ab"
    assert done.steps[0].state.network_retry_count == 1


@pytest.mark.parametrize("kind", [dict, lambda **fields: PipeStep(**fields)], ids=["dict", "step"])
async def test_s78_a_step_honours_guardrails_retry_fallbacks_and_timeout(kind, clock):
    """Given as a mapping or as a PipeStep: the same."""
    rule = l0.custom_pattern_rule([r"bad"], "bad", "error")
    judged = ScriptedModel(["bad"], ["good"])
    broken, other = ScriptedModel([fail(401)]), ScriptedModel(["from the other"])
    slow = ScriptedModel([stall(9), "late"])
    attempt = l0.stream.current_attempt
    steps = [
        kind(stream=lambda: judged(attempt()), name="judged", guardrails=[rule], retry=AGAIN),
        kind(
            stream=lambda text: broken(attempt()),
            fallbacks=[lambda text, ctx: other(attempt())],
            name="other",
        ),
        kind(
            stream=lambda text: slow(attempt()),
            timeout=l0.Timeout(initial_token=5),
            retry=False,
            name="slow",
        ),
    ]
    done = await pipe(steps, options=PipeOptions(clock=clock))
    assert [step.output for step in done.steps] == ["good", "from the other", None]
    assert judged.calls == 2
    assert done.steps[1].state.fallback_index == 1
    assert isinstance(done.error, InitialTokenTimeoutError)
    assert (done.status, done.output) == ("error", None)


async def test_guardrails_between_steps_keep_bad_text_from_the_next():
    """The step fails, and nothing of it is passed on."""
    rule = l0.custom_pattern_rule([r"secret"], "secret", "error")
    first, _, _ = model_step(["a secret"], guardrails=[rule], retry=False)
    second, model, _ = model_step(["never"])
    done = await pipe([first, second], "go")
    assert isinstance(done.error, GuardrailError)
    assert (model.calls, done.steps[0].output, done.steps[0].raw_content) == (0, None, "a secret")


async def test_s78_async_callbacks_are_awaited_in_order():
    """Of the pipe and of its steps, each before what comes after it."""
    told = []

    def teller(name):
        async def tell(*args):
            await asyncio.sleep(0)
            told.append((name, *(a for a in args if isinstance(a, int | str))))

        return tell

    good, _, _ = model_step(
        ["a"], name="good", on_complete=teller("step done"), on_error=teller("step failed")
    )
    bad, _, _ = model_step([fail(401)], retry=False, on_error=teller("step failed"))
    options = PipeOptions(
        stop_on_error=False,
        on_start=teller("start"),
        on_progress=teller("progress"),
        on_error=teller("error"),
        on_complete=teller("complete"),
    )
    done = await pipe([good, bad], "go", options)
    assert done.status == "partial"
    assert told == [
        ("start", "go"),
        ("progress", 0, 2),
        ("step done", 0),
        ("progress", 1, 2),
        ("step failed", 1),
        ("error", 1),
        ("complete",),
    ]


async def test_s78_a_callback_that_raises_or_hangs_changes_nothing(clock, caplog):
    """It is logged; a hanging one is waited for five seconds."""

    def broken(*_):
        raise RuntimeError("mine")

    async def hanging(*_):
        await clock.sleep(1e6)

    step, _, _ = model_step(["a"], on_complete=broken)
    options = PipeOptions(on_start=broken, on_progress=hanging, on_complete=broken, clock=clock)
    with caplog.at_level(logging.DEBUG, "l0"):
        done = await pipe([step], "go", options)
    assert (done.output, clock.now) == ("a", 5.0)
    assert sum("callback of a pipe" in r.message for r in caplog.records) == 4


async def test_s78_a_timeout_records_the_running_step_as_error(clock):
    """Its connection is closed, nothing comes after it, and what was before is there."""
    first, _, _ = model_step([stall(4), "a"], name="first")
    second, model, _ = model_step(["b", hang()], name="second")
    third, never, _ = model_step(["never"])
    failed = []
    options = PRODUCTION_PIPELINE.replace(
        timeout=10, clock=clock, on_error=lambda *args: failed.append(args)
    )
    done = await pipe([first, second, third], "go", options)
    assert [(s.step_name, s.status) for s in done.steps] == [
        ("first", "success"),
        ("second", "error"),
    ]
    assert (done.status, done.duration, clock.now) == ("error", 10.0, 10.0)
    assert isinstance(done.error, DeadlineError)
    assert "within 10 s; it was in step 'second'" in str(done.error)
    assert (model.closed, never.calls, done.steps[1].raw_content) == ([True], 0, "b")
    assert failed == [(done.error, 1)]
    assert done.steps[0].output == "a"


@pytest.mark.parametrize("what", ["condition", "transform"])
async def test_s78_the_deadline_holds_for_a_steps_own_functions(clock, what):
    """A condition or transform that hangs is ended too."""
    ended = []

    async def hanging(*_):
        try:
            await clock.sleep(1e6)
        finally:
            ended.append(True)

    step, model, _ = model_step(["a"], name="only", **{what: hanging})
    done = await pipe([step], "go", PipeOptions(timeout=3, clock=clock))
    assert isinstance(done.error, DeadlineError)
    assert (ended, clock.now, model.calls) == ([True], 3.0, int(what == "transform"))


async def test_the_earlier_of_two_deadlines_counts(clock):
    """A step may ask for less than the pipe has left, not for more."""
    step, _, _ = model_step(["a", hang()], timeout=l0.Timeout(total=20))
    done = await pipe([step], "go", PipeOptions(timeout=3, clock=clock))
    assert (done.status, clock.now) == ("error", 3.0)
    assert "within 3 s" in str(done.error)


async def test_nothing_is_begun_after_the_deadline(clock):
    """Not even what a step's own function returned to be awaited."""
    begun = []

    async def later():
        begun.append(True)

    def condition(text):
        clock.advance(9)
        return later()

    step, _, _ = model_step(["never"], condition=condition)
    done = await pipe([step], "go", PipeOptions(timeout=3, clock=clock))
    assert (type(done.error), begun) == (DeadlineError, [])


async def test_a_deadline_that_passes_between_steps_ends_the_next_one(clock):
    """It is not begun: nothing is asked for that nobody can wait for."""
    first, _, _ = model_step(["a"])
    second, never, _ = model_step(["never"])
    run = pipe([first, second], "go", PipeOptions(timeout=3, clock=clock))
    async for _ in run:
        clock.advance(2)
    done = await run
    assert [step.status for step in done.steps] == ["success", "error"]
    assert (never.calls, type(done.error)) == (0, DeadlineError)


async def test_a_steps_own_deadline_is_its_own(clock):
    """The pipe goes on after it, where it may."""
    first, _, _ = model_step(["a", hang()], timeout=l0.Timeout(total=2))
    second, _, _ = model_step(["b"])
    done = await pipe([first, second], "go", PRODUCTION_PIPELINE.replace(clock=clock))
    assert isinstance(done.steps[0].error, DeadlineError)
    assert (done.output, done.status, clock.now) == ("b", "partial", 2.0)


async def test_s78_state_is_passed_when_asked():
    """Of the last run before the step; skipped steps don't count."""
    seen = []

    def stream(text, ctx):
        seen.append(ctx)
        return [text, "!"]

    steps = [stream, PipeStep(stream, condition=lambda text: False), stream]
    done = await pipe(steps, "go", pass_state=True)
    assert [ctx.state for ctx in seen] == [None, done.steps[0].state]
    assert seen[1].state.content == "go!"
    await pipe(steps, "go")
    assert seen[3].state is None


async def test_a_step_is_told_where_it_is():
    """Index, name, number of steps, input, what came before, metadata."""
    seen = []

    def stream(text, ctx):
        seen.append(ctx)
        return [text]

    options = PipeOptions(metadata={"who": "pipe", "job": 1})
    steps = [PipeStep(stream, "first", transform=str.upper), PipeStep(stream, metadata={"who": 2})]
    done = await pipe(steps, "go", options)
    second = seen[1]
    assert (second.step_name, second.step_index, second.total_steps) == ("step_1", 1, 2)
    assert (second.input, second.previous) == ("go", "GO")
    assert second.results == tuple(done.steps[:1])
    assert (dict(seen[0].metadata), second.metadata) == (
        {"who": "pipe", "job": 1},
        {"who": 2, "job": 1},
    )


# --- what a step is given, and gives ------------------------------------------------------------


async def test_transform_makes_the_output_and_may_wait():
    """With the text alone, or with the context too; the text itself is kept."""

    async def count(text, ctx):
        await asyncio.sleep(0)
        return {"text": text, "step": ctx.step_index}

    step, _, _ = model_step(["a", "b"], transform=count)
    second, _, asked = model_step(["c"])
    done = await pipe([step, second], "go")
    assert asked == [{"text": "ab", "step": 0}]
    assert (done.steps[0].raw_content, done.steps[0].token_count) == ("ab", 2)


async def test_a_transform_may_give_a_stream():
    """Its text is the output."""
    step, _, _ = model_step(["a"], transform=lambda text: l0.run(lambda: [text, "!"]))
    assert (await pipe([step], "go")).output == "a!"


@pytest.mark.parametrize("wrong", ["transform", "condition"])
async def test_a_step_fails_with_its_own_functions(wrong):
    """And with them alone: the state says that the text itself was fine."""
    step, _, _ = model_step(["a"], **{wrong: lambda text: 1 / 0})
    done = await pipe([step], "go")
    assert isinstance(done.error, ZeroDivisionError)
    assert done.steps[0].status == "error"
    with pytest.raises(ZeroDivisionError):
        done.raise_for_error()


async def test_a_skipped_step_passes_on_what_came_before():
    """It is in the result, as skipped, without a run."""
    first, _, _ = model_step(["a"])
    second, model, _ = model_step(["never"], condition=lambda text, ctx: ctx.step_index == 0)
    third, _, asked = model_step(["c"])
    done = await pipe([first, second, third], "go")
    assert [step.status for step in done.steps] == ["success", "skipped", "success"]
    assert (model.calls, asked, done.status) == (0, ["a"], "success")
    assert (done.steps[1].output, done.steps[1].state) == ("a", None)
    assert done.raise_for_error() is done


async def test_a_decorated_step_is_given_what_the_function_in_it_wants():
    def counted(function):
        @functools.wraps(function)
        def counting(*arguments):
            return function(*arguments)

        return counting

    @counted
    def two(previous, ctx):
        return [previous, ctx.step_name]

    done = await pipe([counted(lambda text: [text, "!"]), counted(lambda: ["b"]), two], "a")
    assert [step.output for step in done.steps] == ["a!", "b", "bstep_2"]


async def test_several_tasks_may_await_one_pipe():
    async def slowly(text):
        await asyncio.sleep(0)
        return [text, "!"]

    async def use():
        return await run

    run = pipe([slowly, slowly], "a")
    first, second = await asyncio.gather(use(), use())
    assert first is second is run.result
    assert first.output == "a!!"


async def test_a_step_may_give_text_as_it_is():
    """Plain code between models; also from a coroutine function."""

    async def later(text):
        await asyncio.sleep(0)
        return text + "?"

    done = await pipe([str.strip, str.upper, later], "  why ")
    assert done.output == "WHY?"


async def test_a_reliable_stream_may_be_a_step():
    """Its restarts are obeyed, its failures are the step's."""
    model = ScriptedModel(["a", fail(NET)], ["b"])
    done = await pipe([lambda text: l0.run(model, retry=AGAIN)], "go")
    assert done.output == "b"


async def test_a_step_that_cancels_itself_has_failed():
    """The pipe is not cancelled by it."""

    async def stray(text):
        raise asyncio.CancelledError

    second, _, asked = model_step(["b"])
    done = await pipe([stray, second], "go", RELIABLE_PIPELINE)
    assert isinstance(done.steps[0].error, TaskCancelledError)
    assert (asked, done.output, done.status) == (["go"], "b", "partial")


# --- failures -----------------------------------------------------------------------------------


async def test_stop_on_error_is_the_default():
    """As in FAST_PIPELINE; no later step runs, there is no output, and the failure is named."""
    for options in (None, FAST_PIPELINE):
        first, _, _ = model_step([fail(401)], retry=False)
        second, model, _ = model_step(["never"])
        done = await pipe([first, second], "go", options)
        assert (done.status, done.output, len(done.steps), model.calls) == ("error", None, 1, 0)
        assert done.error is done.steps[0].error


async def test_going_on_after_a_failure_keeps_the_last_output():
    """The status is "partial" if anything succeeded, else "error"."""
    good, _, _ = model_step(["a"])
    bad, _, _ = model_step([fail(401)], retry=False)
    last, _, asked = model_step(["c"])
    done = await pipe([good, bad, last], "go", RELIABLE_PIPELINE)
    assert (done.status, done.output, asked) == ("partial", "c", ["a"])
    bad, _, _ = model_step([fail(401)], [fail(401)], retry=False)
    done = await pipe([bad, bad], "go", RELIABLE_PIPELINE)
    assert (done.status, done.output, len(done.steps)) == ("error", None, 2)


async def test_a_pipe_without_steps_gives_its_input():
    """There was nothing to do."""
    done = await pipe([], "go")
    assert (done.output, done.status, done.steps) == ("go", "success", [])


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ("text", "steps is a list"),
        ({"stream": str}, "steps is a list"),
        ([3], "a step's stream is a function"),
        ([l0.run(lambda: ["a"])], "a step's stream is a function"),
        ([{"name": "a"}], "a step needs a stream"),
        ([{"stream": str.upper, "timeouts": 3}], "did you mean timeout"),
        ([lambda a, b, c: []], "wants 3 arguments"),
        ([{"stream": str.upper, "transform": "upper"}], "transform is a function to call"),
    ],
)
def test_what_is_no_step_is_refused_at_once(steps, error):
    """Nothing has been asked for by then."""
    with pytest.raises(TypeError, match=error):
        pipe(steps, "go")


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), "5", True])
def test_a_deadline_that_makes_no_sense_is_refused(timeout):
    """With the name of the field."""
    with pytest.raises(ValueError, match=r"PipeOptions\.timeout is a number of seconds"):
        PipeOptions(timeout=timeout)


def test_other_options_that_make_no_sense_are_refused():
    """Callbacks that can't be called, and what is no options at all."""
    with pytest.raises(TypeError, match="on_start is a function"):
        PipeOptions(on_start=1)
    with pytest.raises(TypeError, match="options is a PipeOptions"):
        pipe([], options={"timeout": 3})


def test_presets_say_what_they_are():
    """FAST stops, RELIABLE goes on, PRODUCTION goes on for five minutes."""
    presets = [FAST_PIPELINE, RELIABLE_PIPELINE, PRODUCTION_PIPELINE]
    assert [(p.stop_on_error, p.timeout) for p in presets] == [
        *((True, None), (False, None), (False, 300.0))
    ]


# --- branches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "output"), [("Why?", "ASKED"), ("So.", "told")])
async def test_a_branch_runs_one_of_two_steps(word, output):
    """With the options of the chosen one."""
    fork = create_branch_step(
        lambda text: text.endswith("?"),
        {"stream": lambda text: ["asked"], "transform": str.upper},
        lambda text: ["told"],
        name="fork",
    )
    done = await pipe([fork], word)
    assert (done.output, done.steps[0].step_name) == (output, "fork")


async def test_a_branch_without_an_else_passes_on():
    """As a skipped step."""
    fork = create_branch_step(lambda text: False, lambda text: ["never"])
    done = await pipe([fork], "go")
    assert (done.output, done.steps[0].status) == ("go", "skipped")


async def test_options_of_a_branch_hold_for_both_ways():
    """The chosen step's own win; transforms follow one another, callbacks are called."""
    told, model = [], ScriptedModel([fail(NET)], ["a"])
    inner = PipeStep(
        lambda: model(l0.stream.current_attempt()),
        transform=lambda text: text + "b",
        on_complete=lambda result, index: told.append(("inner", result.output)),
    )
    fork = create_branch_step(
        lambda: True,
        inner,
        retry=AGAIN,
        transform=lambda text: text + "c",
        on_complete=lambda result, index: told.append(("outer", index)),
    )
    done = await pipe([fork], "go")
    assert (done.output, told) == ("abc", [("inner", "abc"), ("outer", 0)])


async def test_a_branch_without_options_of_its_own_has_those_of_the_fork():
    """Here: no retries."""
    model = ScriptedModel([fail(NET)])
    fork = create_branch_step(lambda: True, lambda: model(l0.stream.current_attempt()), retry=False)
    done = await pipe([fork], "go")
    assert (done.error, model.calls) == (NET, 1)


def test_a_step_can_be_changed_and_named():
    """A new one each time; run options count as arguments."""
    step = create_step("one", lambda: ["a"], retry=False)
    other = step.replace(name="two", retry=AGAIN, metadata={"a": 1})
    assert (step.name, other.name, dict(other.metadata)) == ("one", "two", {"a": 1})
    assert (step.options["retry"], other.options["retry"]) == (False, AGAIN)
    with pytest.raises(TypeError, match="unknown option"):
        step.replace(nme="two")
