"""S93: the one door for code that can't await."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import l0
from l0.errors import StreamAbortedError
from l0.stream import Options, Retry, SyncStream, run_sync
from l0.stream import _sync as sync
from l0.testing import ScriptedModel, fail, hang, stall

NET = ConnectionResetError("gone")


def test_s93_from_a_script():
    """Read it, iterate it, enter it."""
    assert run_sync(lambda: ["a", "b"]).read() == "ab"
    assert [event.text for event in run_sync(lambda: ["a", "b"])] == ["a", "b", None]
    with run_sync(ScriptedModel(["a", fail(NET)], ["b"]), retry=Retry(base_delay=0)) as stream:
        texts = [(event.type, event.text) for event in stream]
    assert texts == [("token", "a"), ("restart", None), ("token", "b"), ("complete", None)]
    assert (stream.state.content, stream.errors) == ("b", [NET])


async def test_s93_inside_a_running_loop():
    """As in a cell of a notebook: the loop it is called from is blocked, but not used."""
    assert run_sync(lambda: ["a"]).read() == "a"


def test_s93_from_fifty_threads():
    """One loop thread serves them all."""

    def one(number):
        return run_sync(ScriptedModel([stall(0.001), str(number), "!"])).read()

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(one, range(200))) == [f"{n}!" for n in range(200)]
    assert [t.name for t in threading.enumerate()].count("l0-sync") == 1


@pytest.mark.parametrize("form", ["stream", "options", "awaitable", "factory"])
def test_what_it_takes(form):
    """A stream, options, a factory; of an awaitable it gives the result."""
    model = ScriptedModel(["a"])
    given = {
        "stream": lambda: l0.run(model),
        "options": lambda: Options(stream=model),
        "factory": lambda: model,
        "awaitable": lambda: l0.run(model).read(),
    }[form]()
    result = run_sync(given)
    assert (result.read() if isinstance(result, SyncStream) else result) == "a"


def test_a_stream_has_its_options_already():
    """They are not silently dropped."""
    with pytest.raises(TypeError, match="has its options"):
        run_sync(l0.run(lambda: ["a"]), retry=False)


def test_errors_come_through():
    """The same object each time."""
    error = ValueError("no")
    stream = run_sync(ScriptedModel([fail(error)]), retry=False)
    for _ in range(2):
        with pytest.raises(ValueError, match="no") as raised:
            stream.read()
        assert raised.value is error


def test_leaving_early_closes_the_upstream():
    """By break, by `with`, by close, by abort."""
    for way in ("break", "with", "close", "abort"):
        model = ScriptedModel(["a", "b", hang()])
        stream = run_sync(model)
        if way == "break":
            for _ in stream:
                break
            gc.collect()
        elif way == "with":
            with stream:
                next(iter(stream))
        else:
            iterator = iter(stream)
            next(iterator)
            getattr(stream, way)()
            if way == "abort":
                assert list(iterator) == []
        assert (model.closed, stream.stream.outcome) == ([True], "aborted")
        with pytest.raises(StreamAbortedError):
            stream.read()


def test_the_callers_context_variables_are_seen():
    """By the factory and the source; what they set stays theirs."""
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("caller")

    async def source():
        yield variable.get()
        variable.set("source")
        yield variable.get()

    assert [event.text for event in run_sync(source)][:2] == ["caller", "source"]
    assert variable.get() == "caller"


def test_on_its_own_thread_it_refuses():
    """There it would wait for itself."""

    async def inside():
        return run_sync(lambda: ["a"]).read()

    with pytest.raises(RuntimeError, match="own loop thread"):
        run_sync(inside())


@pytest.mark.parametrize("form", ["stream", "awaitable"])
def test_s93_keyboard_interrupt_closes_the_upstream(form, monkeypatch):
    """It aborts the run, waits for its close, and goes on."""
    closed, begun = [], threading.Event()

    async def source():
        try:
            yield "a"
            begun.set()
            await asyncio.sleep(3600)
        finally:
            closed.append(True)

    result = sync.concurrent.futures.Future.result

    def interrupted(self, timeout=None):
        begun.wait(5)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(sync.concurrent.futures.Future, "result", interrupted)
    assert result is not interrupted
    stream = l0.run(source)
    with pytest.raises(KeyboardInterrupt):
        if form == "stream":
            run_sync(stream).read()
        else:
            run_sync(stream.read())
    assert closed == [True]
    assert stream.outcome == ("aborted" if form == "stream" else "cancelled")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_s93_an_exit_is_raised_where_it_was_asked_for(error):
    """Raised on the loop thread it must neither end it, nor leave its caller waiting for ever."""
    raised = []

    def leave():
        raise error

    def ask():
        try:
            run_sync(leave).read()
        except BaseException as again:
            raised.append(again)

    slow = run_sync(ScriptedModel(["a", stall(0.05), "b"]))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(slow.read)
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(10)
        assert raised == [error]
        assert reading.result(10) == "ab"
    assert run_sync(lambda: ["again"]).read() == "again"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
def test_s93_after_a_fork():
    """The child starts a loop thread of its own; the parent's goes on."""
    code = """
        import os, threading, l0
        assert l0.run_sync(lambda: ["parent"]).read() == "parent"
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            text = l0.run_sync(lambda: ["child"]).read()
            os.write(writing, text.encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 99) == b"child"
        assert l0.run_sync(lambda: ["again"]).read() == "again"
        print("done")
    """
    told = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (told.stdout, told.stderr) == ("done\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
def test_a_fork_while_the_door_is_being_opened():
    """The child does not wait for a lock that nobody in it holds."""
    with sync._door._lock:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if run_sync(lambda: ["child"]).read() == "child" else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
