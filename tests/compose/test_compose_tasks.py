"""What a task is, how it is started, who ends it."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

import l0
from l0.compose import TaskCancelledError, parallel, pipe, race
from l0.compose._task import Children, check_tasks
from l0.events import State
from l0.stream import current_attempt
from l0.testing import ScriptedModel, fail, hang


async def outcome(task):
    """What a single task came to."""
    async with Children() as children:
        child = children.start(task)
        await children.next()
    return child


async def coroutine():
    return "result"


class Answer:
    """A result that brings its state with it."""

    def __init__(self):
        self.state = State()

    async def ask(self):
        return self

    async def ask_about(self, text):
        return text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "is 3; a task is a function without arguments"),
        ("text", "is 'text'"),
        (ScriptedModel(["a"]), r"takes an argument.*l0\.run\(it\)"),
        (lambda x: x, "takes an argument"),
        (Answer().ask_about, "takes an argument"),
    ],
    ids=["number", "text", "factory", "function", "method"],
)
def test_what_is_no_task_is_refused_by_its_place(given, said):
    """Before anything is started, with what to write instead."""
    with pytest.raises(TypeError, match=rf"(?s)tasks\[1\] {said}"):
        check_tasks([coroutine, given])


def test_a_list_of_coroutines_is_refused_without_a_warning():
    """They are closed, so that nothing warns that they were never awaited."""
    with pytest.raises(TypeError, match=r"tasks\[0\] is a coroutine.*lambda: coroutine"):
        check_tasks([coroutine(), coroutine()])


async def test_a_task_that_runs_already_is_refused():
    """It belongs to somebody else."""
    running = asyncio.ensure_future(coroutine())
    with pytest.raises(TypeError, match="started already"):
        check_tasks([running])
    assert await running == "result"


@pytest.mark.parametrize("given", ["text", {"a": 1}, 3, l0.run(lambda: ["a"])])
def test_one_thing_is_no_list_of_tasks(given):
    """A single stream in particular, which could be iterated."""
    with pytest.raises(TypeError, match="tasks is a list of tasks"):
        check_tasks(given)


@pytest.mark.parametrize(
    "task",
    [
        lambda: l0.run(lambda: ["a", "b"]),
        l0.run(lambda: ["a", "b"]),
        l0.Options(lambda: ["a", "b"]),
    ],
    ids=["function", "stream", "options"],
)
async def test_a_stream_is_read_and_its_state_kept(task):
    """Given as such, as options, or returned by a function."""
    child = await outcome(task)
    assert (child.ok, child.result, child.state.token_count) == (True, "ab", 2)


async def test_a_stream_that_a_coroutine_returns_is_read_too():
    """Nothing that was opened is left unread."""

    async def later():
        return l0.run(lambda: ["a"])

    child = await outcome(later)
    assert (child.result, child.state.content) == ("a", "a")


async def test_a_result_that_brings_its_state_is_asked_for_it():
    """So that what it cost is counted."""
    answer = Answer()

    child = await outcome(answer.ask)
    assert child.result is answer
    assert child.state is answer.state


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (["a"], r"returned a list of what a model says; give l0\.run"),
        (3, "returned 3, which can't be awaited"),
    ],
)
async def test_a_function_that_returns_no_awaitable_fails_alone(made, said):
    """A factory of `run` in particular."""
    child = await outcome(lambda: made)
    assert not child.ok
    with pytest.raises(TypeError, match=said):
        await child


async def test_a_function_that_raises_fails_as_its_awaitable_would():
    """The error is the task's."""

    def broken():
        raise ValueError("no")

    child = await outcome(broken)
    assert isinstance(child.error, ValueError)


async def test_a_task_that_cancels_itself_has_failed():
    """With the cancellation as the cause; nobody else is cancelled by it."""

    async def stray():
        raise asyncio.CancelledError("not mine")

    child = await outcome(stray)
    assert isinstance(child.error, TaskCancelledError)
    assert str(child.error) == "the task was cancelled: not mine"
    assert isinstance(child.error.__cause__, asyncio.CancelledError)


async def test_a_signal_to_the_whole_program_is_raised():
    """What is no Exception is nobody's result."""

    class Signal(BaseException):
        pass

    async def signal():
        raise Signal

    async with Children() as children:
        children.start(signal)
        with pytest.raises(Signal):
            await children.next()


async def test_leaving_the_block_cancels_and_awaits():
    """The upstream is closed by then, and no task is left."""
    model = ScriptedModel(["a", hang()])
    before = asyncio.all_tasks()
    async with Children() as children:
        child = children.start(l0.run(model))
        while not model.calls:
            await asyncio.sleep(0)
    assert (model.closed, child.done) == ([True], True)
    assert isinstance(child.error, TaskCancelledError)
    assert asyncio.all_tasks() == before


async def test_a_task_that_cleans_up_is_cancelled_once():
    """By its own cancel, by leaving the block, and by a cancellation meanwhile: once."""
    cleaned, release = [], asyncio.Event()

    async def slow():
        try:
            await asyncio.sleep(3600)
        finally:
            await release.wait()
            cleaned.append(True)

    async def owner():
        async with Children() as children:
            child = children.start(slow)
            await asyncio.sleep(0)
            child.cancel()
            await asyncio.sleep(0)  # it cleans up from now on

    task = asyncio.create_task(owner())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (task.done(), cleaned) == (False, [])
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [True]


async def test_tasks_come_in_the_order_they_end():
    """Not of their starting."""
    first, second = asyncio.Event(), asyncio.Event()

    async with Children() as children:
        children.start(first.wait)
        children.start(second.wait)
        await asyncio.sleep(0)
        second.set()
        assert (await children.next()).index == 1
        first.set()
        assert (await children.next()).index == 0
        assert await children.next() is None


async def test_who_waits_for_a_task_may_be_cancelled_without_it():
    """The task goes on; its owner decides about it."""
    going = asyncio.Event()

    async def task():
        await going.wait()
        return "done"

    async with Children() as children:
        child = children.start(task)
        waiter = asyncio.ensure_future(child._outcome())
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait({waiter})
        going.set()
        assert await child == "done"


# --- whose a run is -----------------------------------------------------------------------------


def teller(told):
    """A task whose run is told of."""
    return lambda: l0.run(lambda: ["a"], on_event=told.append)


def parents(told):
    return [e.payload.parent_id for e in told if e.type == "SESSION_START"]


async def test_a_run_names_the_call_it_was_started_in():
    """By its id; who starts one beside it is not concerned."""
    told = []
    async with Children() as children:
        await children.start(teller(told))
        await l0.run(lambda: ["a"], on_event=told.append).read()
    assert parents(told) == [children.stream_id, None]


async def test_a_call_inside_a_run_inside_a_call():
    """The innermost one counts, whichever kind it is."""
    told, ids = [], []

    async def factory():
        async with Children() as inner:
            ids.append(inner.stream_id)
            text = await inner.start(teller(told))
        ids.append(current_attempt().stream_id)
        text += await teller(told)().read()
        return [text]

    async with Children() as outer:
        ids.append(outer.stream_id)
        assert await outer.start(l0.run(factory, on_event=told.append)) == "aa"
    call, inner, run = ids
    assert parents(told) == [call, inner, run]


async def test_tasks_see_the_context_of_their_caller_and_keep_theirs():
    """As a task of asyncio does."""
    who = contextvars.ContextVar("who", default="nobody")
    who.set("caller")

    async def task():
        seen = who.get()
        who.set("task")
        return seen

    child = await outcome(task)
    assert (child.result, who.get()) == ("caller", "caller")


async def test_a_failed_run_keeps_its_state():
    """What came before the failure is known, and what it cost."""
    child = await outcome(l0.run(ScriptedModel(["a", fail(401)])))
    assert (child.ok, child.state.content) == (False, "a")


def test_calls_work_without_await():
    """Through the one synchronous door."""
    assert l0.run_sync(parallel([l0.run(lambda: ["a"])])).results == ["a"]
    assert l0.run_sync(race([l0.run(lambda: ["a"])])).value == "a"
    assert l0.run_sync(pipe([lambda text: [text, "!"]], "a")).output == "a!"
