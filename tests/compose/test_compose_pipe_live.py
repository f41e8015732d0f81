"""A pipe while it runs: live events, leaving early, abort, cancellation; pipelines to keep."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.compose import (
    Pipeline,
    PipeOptions,
    PipeStep,
    chain_pipelines,
    create_pipeline,
    create_step,
    parallel,
    parallel_pipelines,
    pipe,
)
from l0.errors import StreamAbortedError
from l0.stream import Retry
from l0.testing import ScriptedModel, fail, hang

NET = ConnectionResetError("gone")


def model_step(model, **options):
    """A step of this model."""
    options.setdefault("retry", Retry(attempts=2, base_delay=0))
    return PipeStep(lambda: model(l0.stream.current_attempt()), **options)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_events_of_every_step_come_live():
    """Under the step's name, restarts among them, so that a view can show what stands."""
    first = model_step(ScriptedModel(["a", fail(NET)], ["a", "b"]), name="first")
    second = model_step(ScriptedModel(["c"]))
    run, shown, seen = pipe([first, second], "go"), {}, []
    async for name, event in run:
        seen.append((name, str(event.type)))
        if event.is_token:
            shown[name] = shown.get(name, "") + event.text
        elif event.is_restart:
            shown[name] = shown[name][: event.kept_chars]
    assert shown == {"first": "ab", "step_1": "c"}
    assert seen[:2] == [("first", "token"), ("first", "restart")]
    assert [name for name, kind in seen if kind == "complete"] == ["first", "step_1"]
    assert run.result.output == "c"
    assert await run is run.result


async def test_an_event_comes_when_it_comes():
    """Not when its step is over."""
    gate = asyncio.Event()

    async def stream(text):
        yield "a"
        await gate.wait()
        yield "b"

    run, seen = pipe([stream], "go"), []
    async with run:
        async for _, event in run:
            seen.append(event.text)
            if event.text == "a":
                assert run.results == []
                gate.set()
    assert seen == ["a", "b", None]


async def test_nothing_happens_before_the_first_use():
    """And nothing warns when there never is one."""
    model = ScriptedModel(["a"])
    run = pipe([model_step(model)], "go")
    assert repr(run) == "<PipeRun of 1 steps, not begun>"
    del run
    gc.collect()
    await turns()
    assert model.calls == 0


async def test_leaving_a_bare_loop_closes_the_connection():
    """Also while the PipeRun is still held; the result then says that it was left."""
    model = ScriptedModel(["a", hang()])
    run = pipe([model_step(ScriptedModel(["x"])), model_step(model)], "go")
    before = asyncio.all_tasks()
    async for _, event in run:
        if event.text == "a":
            break
    done = await run
    assert (model.closed, done.status, len(done.steps)) == ([True], "error", 1)
    assert isinstance(done.error, StreamAbortedError)
    await turns()
    assert asyncio.all_tasks() == before


async def test_inside_async_with_one_may_go_on_later():
    """Leaving the block ends it."""
    model = ScriptedModel(["a", "b", "c", hang()])
    async with pipe([model_step(model)], "go") as run:
        async for _ in run:
            break
        async for _, event in run:
            assert event.text == "b"
            break
        assert model.closed == [False]
    assert (model.closed, run.result.status) == ([True], "error")
    async for _ in run:
        raise AssertionError("it is over")


async def test_an_iterator_that_is_never_used_takes_nothing_away():
    """The pipe can still be awaited."""
    run = pipe([lambda: ["a"]], "go")
    aiter(run)
    assert (await run).output == "a"


async def test_closing_before_the_first_use_is_honoured():
    """No step is begun."""
    model = ScriptedModel(["never"])
    run = pipe([model_step(model)], "go")
    await run.aclose()
    done = await run
    assert (done.status, model.calls) == ("error", 0)
    assert isinstance(done.error, StreamAbortedError)


async def test_abort_ends_the_running_step_and_the_pipe():
    """The step's text so far is kept; what would come after it is not begun."""
    model, never = ScriptedModel(["a", hang()]), ScriptedModel(["never"])
    options = PipeOptions(stop_on_error=False)
    run = pipe([model_step(model), model_step(never)], "go", options)
    call = asyncio.ensure_future(run._result())
    while not model.calls:
        await asyncio.sleep(0)
    await turns()
    run.abort("enough")
    run.abort("twice")
    done = await call
    assert (model.closed, never.calls, done.status) == ([True], 0, "error")
    assert isinstance(done.error, StreamAbortedError)
    assert "enough" in str(done.error)
    assert done.steps[0].raw_content == "a"
    run.abort("too late")
    assert (await run) is done


async def test_abort_before_the_first_use_is_honoured():
    """No step is begun."""
    model = ScriptedModel(["never"])
    run = pipe([model_step(model)], "go")
    run.abort("changed my mind")
    done = await run
    assert (model.calls, done.steps) == (0, [])
    assert "changed my mind" in str(done.error)


async def test_abort_while_a_step_is_being_decided_keeps_it_from_running():
    """The condition said yes, but nobody wants it any more."""
    model = ScriptedModel(["never"])
    run = pipe([model_step(model, condition=lambda: run.abort("now") or True)], "go")
    done = await run
    assert (model.calls, done.status) == (0, "error")
    assert "now" in str(done.error)


async def test_an_aborted_pipe_is_no_partial_success():
    """Also if it went on after failures, and only its last step is missing."""
    options = PipeOptions(stop_on_error=False)
    model = ScriptedModel(["a", hang()])
    run = pipe([lambda: ["first"], model_step(model)], "go", options)
    async for _, event in run:
        if event.text == "a":
            run.abort()
    assert (run.result.status, run.result.output) == ("error", None)
    assert run.results[0].output == "first"


async def test_abort_when_the_last_step_has_ended_changes_nothing():
    """There was nothing left to end."""
    run = pipe([PipeStep(lambda: ["a"], transform=lambda text: run.abort() or text)], "go")
    assert (await run).output == "a"


async def test_cancelling_the_consumer_leaves_nothing_open():
    """The cancellation goes on its way."""
    model = ScriptedModel(["a", hang()])
    before = asyncio.all_tasks()
    run = pipe([model_step(model)], "go")
    call = asyncio.ensure_future(run._result())
    while not model.calls:
        await asyncio.sleep(0)
    await turns()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await turns()
    assert model.closed == [True]
    assert asyncio.all_tasks() == before
    assert run.result.status == "error"


async def test_the_runs_of_a_pipe_say_so():
    """And nothing else does: the consumer's own runs meanwhile are not the pipe's."""
    told = []

    def listen(text):
        return [text]

    def nested(text):
        return l0.run(lambda: [text], on_event=told.append)

    async def transform(text):
        return await nested(text).read()

    step = PipeStep(listen, on_event=told.append, transform=transform)
    run = pipe([step, nested], "go")
    async for _ in run:
        await l0.run(lambda: ["mine"], on_event=told.append).read()
    parents = [e.payload.parent_id for e in told if e.type == "SESSION_START"]
    own = run.result.steps[1].state
    assert own is not None
    assert parents.count(run.stream_id) == 2
    assert parents.count(None) == 4
    assert len(parents) == 7  # the last one is nested in the run of the second step


async def test_a_pipe_is_a_task_like_any_other():
    """Of parallel, say."""
    done = await parallel([pipe([lambda text: [text, "!"]], word) for word in "ab"])
    assert [each.output for each in done] == ["a!", "b!"]


async def test_telemetry_of_a_pipe_adds_up():
    """Over its steps; skipped ones have none."""
    steps = [model_step(ScriptedModel(["a", "b"])), PipeStep(str, condition=lambda: False)]
    done = await pipe([*steps, model_step(ScriptedModel([fail(NET)], ["c"]))], "go")
    told = done.aggregated_telemetry
    assert (told.total_tokens, told.total_retries) == (3, 1)


# --- pipelines ----------------------------------------------------------------------------------


async def test_a_pipeline_can_be_run_again_and_at_the_same_time():
    """Each run is its own."""
    line = create_pipeline([lambda text: [text, "!"]], name="cry", timeout=5)
    done = await asyncio.gather(*(line.run(word)._result() for word in "abc"))
    assert [each.output for each in done] == ["a!", "b!", "c!"]
    assert (done[0].name, line.options.timeout) == ("cry", 5)


async def test_steps_can_be_added_found_and_taken_away():
    """By name or by index; what is not there is named."""
    line = Pipeline([create_step("one", lambda text: [text, "1"])])
    line.add_step(lambda text: [text, "3"]).add_step({"stream": str.upper, "name": "two"}, 1)
    assert [len(line), line.get_step("two").name, line.get_step("nine")] == [3, "two", None]
    assert line.get_step(0) is line.get_step("one")
    assert (await line.run("x")).output == "X13"
    assert (await line.remove_step("two").run("x")).output == "x13"
    with pytest.raises(KeyError, match="the steps are one, step_1"):
        line.remove_step("two")


async def test_a_clone_is_independent():
    """Changing one does not change the other."""
    line = Pipeline([lambda text: [text, "!"]], PipeOptions(name="cry"))
    other = line.clone().add_step(lambda text: [text, "?"])
    assert (len(line), len(other), other.name) == (1, 2, "cry")


async def test_chained_pipelines_run_one_after_the_other():
    """With the options of the first, or others."""
    first = create_pipeline([lambda text: [text, "1"]], name="first")
    second = create_pipeline([lambda text: [text, "2"]], name="second")
    assert (await chain_pipelines(first, second, first).run("x")).output == "x121"
    assert chain_pipelines(first, second).name == "first"
    assert chain_pipelines(first, options=PipeOptions(name="other")).name == "other"
    with pytest.raises(ValueError, match="at least one"):
        chain_pipelines()


async def test_pipelines_side_by_side_can_be_combined():
    """A failed one is in the results, and loses nothing of the others; it may stand for a step."""
    cry = create_pipeline([lambda text: [text, "!"]])
    bad = create_pipeline([model_step(ScriptedModel([fail(401)]), retry=False)])
    results = await parallel_pipelines([cry, bad], "so", concurrency=2)
    assert [(each.status, each.output) for each in results] == [("success", "so!"), ("error", None)]

    def join(results):
        return " ".join(each.output for each in results)

    done = await pipe([lambda text: parallel_pipelines([cry, cry], text, combine=join)], "so")
    assert done.output == "so! so!"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["ok", "retry", "fail", "skip", "break"]), max_size=6), st.booleans()
)
def test_every_pipe_comes_to_one_consistent_end(kinds, stop):
    """Whatever its steps do: the status follows from them, and nothing is left open."""
    scripts = {
        "ok": [["x"]],
        "retry": [["y", fail(NET)], ["x"]],
        "fail": [[fail(401)]],
        "skip": [["never"]],
        "break": [["y", fail(401)]],
    }
    models = [ScriptedModel(*scripts[kind]) for kind in kinds]
    steps = [
        model_step(model, condition=lambda kind=kind: kind != "skip")
        for kind, model in zip(kinds, models, strict=True)
    ]

    async def play():
        before = asyncio.all_tasks()
        done = await pipe(steps, "in", PipeOptions(stop_on_error=stop))
        assert asyncio.all_tasks() == before
        return done

    done = asyncio.run(play())
    bad = [kind in {"fail", "break"} for kind in kinds]
    reached = len(kinds) if not stop or not any(bad) else bad.index(True) + 1
    assert len(done.steps) == reached
    assert all(all(model.closed) for model in models)
    gave = [step for step in done.steps if step.status == "success"]
    if not any(bad):
        assert (done.status, done.error) == ("success", None)
        assert done.output == ("x" if gave else "in")
    else:
        assert done.error is done.steps[bad.index(True)].error
        assert done.status == ("partial" if gave and not stop else "error")
        assert done.output == ("x" if done.status == "partial" else None)
