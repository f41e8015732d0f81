"""What a cell shows of a run: live, at its end, headless, in a terminal, in the background."""

import asyncio
from types import SimpleNamespace

import pytest
from notebook_runs import TROUBLE

import l0
from l0.events import EventBus, InMemoryEventStore, Log
from l0.notebook import Handle, _output, view
from l0.notebook._display import LiveDisplay
from l0.notebook._failure import shown
from l0.notebook._stream import WIDGET_MIME
from l0.notebook._where import where
from l0.testing import ScriptedModel, VirtualClock, fail

pytest_plugins = ["notebook_comms"]
pytestmark = pytest.mark.usefixtures("comms")


class Kernel:
    """A kernel whose client has a person, or has none."""

    def __init__(self, allow_stdin):
        self.parent = {"content": {"allow_stdin": allow_stdin}}

    def get_parent(self, channel):
        assert channel == "shell"
        return self.parent


class Shell:
    """The part of IPython's shell that output goes through."""

    def __init__(self, *, allow_stdin=True, kernel=True):
        self.kernel = Kernel(allow_stdin) if kernel else None
        self.execution_count = 1
        self.outputs = []
        self.display_pub = SimpleNamespace(publish=self.publish)

    def publish(self, *, data, metadata, transient, update):
        self.outputs.append((data, transient.get("display_id"), update))


def stream_of(*attempts, **options):
    options.setdefault("retry", l0.Retry(base_delay=0))
    options.setdefault("timeout", l0.Timeout(5, 2, 1))
    options.setdefault("continuation", False)
    return l0.run(ScriptedModel(*attempts), clock=VirtualClock(), **options)


async def run_in(shell, *attempts, **options):
    """A run shown in a cell of the shell, to its end."""
    stream = stream_of(*attempts)
    display = LiveDisplay(stream, model="sim:demo", shell=shell, **options)
    display.show()
    error = None
    try:
        await stream.read()
    except Exception as failure:
        error = failure
    await display.finish(error)
    return display


# --- failures first -------------------------------------------------------------------------


async def test_a_failed_run_leaves_its_text_error_and_hint():
    shell = Shell()
    await run_in(shell, ["Hel", fail(401)])
    (_, _, _), (last, _, _) = shell.outputs
    assert last["text/plain"].startswith("failed · sim:demo · 1 token")
    assert "HTTPStatusError: HTTP 401" in last["text/plain"]
    assert "key" in last["text/plain"]
    assert "Hel" in last["text/html"]


async def test_where_the_view_says_what_to_do_the_traceback_does_not():
    handles = {}
    for quiet in (False, True):
        stream = stream_of(["Hel", fail(401)])
        handle = handles[quiet] = Handle(stream)
        handle.display = LiveDisplay(stream, shell=Shell(), quiet=quiet)
    told = [shown(ValueError("no"), handles[quiet]) for quiet in (False, True)]
    lines = [error._render_traceback_() for error in told]
    assert [line.partition(":")[0] for line in lines[1][:2]] == ["ValueError", "What to do"]
    assert lines[0][0] == lines[1][0] == "ValueError: no"
    assert not any("What to do" in line for line in lines[0])


async def test_no_key_stays_in_the_output(monkeypatch):
    key = "sk-ant-0123456789abcdefABCDEF0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-no-known-shape-1234")
    shell = Shell()
    message = f"bad key {key} or a-key-of-no-known-shape-1234"
    await run_in(shell, ["x", fail(ValueError(message))])
    told = "".join(str(output) for output, _, _ in shell.outputs)
    assert "bad key" in told
    assert key not in told
    assert "no-known-shape" not in told


async def test_without_a_widget_the_run_is_shown_at_its_end(monkeypatch, caplog):
    def broken():
        raise ImportError("no anywidget")

    monkeypatch.setattr("l0.notebook._stream.widget_class", broken)
    shell = Shell()
    await run_in(shell, ["Hello"])
    (first, _, _), (last, _, update) = shell.outputs
    assert WIDGET_MIME not in first
    assert update is True
    assert "Hello" in last["text/plain"]
    assert "can't be shown" in caplog.text


async def test_finishing_twice_shows_once():
    shell = Shell()
    display = await run_in(shell, ["Hello"])
    await display.finish()
    assert len(shell.outputs) == 2


async def test_a_run_that_never_began_ends_unfinished():
    shell = Shell()
    display = LiveDisplay(stream_of(["x"]), shell=shell)
    display.show()
    await display.finish()
    assert shell.outputs[-1][0]["text/plain"] == "unfinished\n"


# --- where a person watches -----------------------------------------------------------------


async def test_the_widget_is_replaced_by_static_output_under_its_id(comms):
    shell = Shell()
    display = await run_in(shell, *TROUBLE)
    (first, id_, begun), (last, same, update) = shell.outputs
    assert {WIDGET_MIME, "text/html", "text/plain"} == set(first)
    assert (begun, update) == (False, True)
    assert id_ == same is not None
    assert set(last) == {"text/html", "text/plain"}
    assert "Hello 🎉 world" in last["text/plain"]
    assert display.headless is False


async def test_the_latest_widgets_stay_open_for_pages_that_come_back(comms):
    """Updates of the output don't reach a page that was away when the run ended."""
    shell = Shell()
    display = await run_in(shell, ["Hello"])
    assert "close" not in [kind for kind, _ in comms]
    assert display.view.widget.get_state()["content"] == "Hello"
    for _ in range(_output._KEPT - 1):
        await run_in(shell, ["x"])
    assert "close" not in [kind for kind, _ in comms]
    await run_in(shell, ["x"])
    assert [kind for kind, _ in comms].count("close") == 2  # its layout, and itself
    assert display.view.widget.comm is None


async def test_stop_reaches_the_caller(comms):
    stops = []
    display = LiveDisplay(stream_of(["Hello"]), shell=Shell(), on_stop=lambda: stops.append(1))
    display.show()
    data = {"method": "custom", "content": {"type": "abort"}}
    display.view.widget.comm.handler({"content": {"data": data}, "buffers": []})
    assert stops == [1]


async def test_stop_of_a_background_run_does_not_interrupt_the_kernel():
    for background in (False, True):
        display = LiveDisplay(stream_of(["x"]), shell=Shell(), background=background)
        display.show()
        assert display.view.bridge.meta()["interrupt"] is not background
        await display.finish()


async def test_a_background_run_is_shown_again_where_it_is_awaited():
    shell = Shell()
    stream = stream_of(["Hello"])
    display = LiveDisplay(stream, shell=shell)
    display.show()
    shell.execution_count += 1
    await stream.read()
    await display.finish()
    display.republish()
    display.republish()
    assert len(shell.outputs) == 3
    assert shell.outputs[1][2] is True
    assert shell.outputs[2][1:] == (None, False)
    assert "Hello" in shell.outputs[2][0]["text/plain"]


async def test_awaited_in_its_own_cell_it_is_not_shown_twice():
    shell = Shell()
    display = await run_in(shell, ["Hello"])
    display.republish()
    assert len(shell.outputs) == 2


async def test_quiet_shows_nothing_and_collects_all():
    for shell in (Shell(), Shell(allow_stdin=False), Shell(kernel=False)):
        display = await run_in(shell, ["Hello"], quiet=True)
        display.republish()
        assert shell.outputs == []
        assert display.story.text == "Hello"


# --- where nobody watches -------------------------------------------------------------------


async def test_a_headless_client_gets_one_output_at_the_end(comms):
    shell = Shell(allow_stdin=False)
    display = await run_in(shell, *TROUBLE)
    ((data, id_, update),) = shell.outputs
    assert display.headless is True
    assert (id_, update) == (None, False)
    assert set(data) == {"text/html", "text/plain"}
    assert "3 attempts" in data["text/html"]
    assert " s<" not in data["text/html"]
    assert comms == []


async def test_headless_a_cell_that_is_over_takes_no_more_output():
    shell = Shell(allow_stdin=False)
    stream = stream_of(["Hello"])
    display = LiveDisplay(stream, shell=shell)
    display.show()
    shell.execution_count += 1
    await stream.read()
    await display.finish()
    assert shell.outputs == []
    display.republish()
    assert len(shell.outputs) == 1


async def test_a_terminal_gets_plain_text():
    shell = Shell(kernel=False)
    await run_in(shell, ["Hello"])
    ((data, _, _),) = shell.outputs
    assert set(data) == {"text/plain"}


async def test_without_ipython_nothing_is_shown():
    display = await run_in(None, ["Hello"])
    assert display.story.text == "Hello"
    assert display.headless is False


@pytest.mark.parametrize(
    ("content", "flag", "place"),
    [
        ({"allow_stdin": False}, True, "headless"),
        ({"allow_stdin": True}, False, "page"),
        ({}, False, "headless"),
        ({}, True, "page"),
        (None, True, "page"),
    ],
)
def test_where_output_goes(content, flag, place):
    kernel = SimpleNamespace(get_parent=lambda _: {"content": content}, _allow_stdin=flag)
    assert where(SimpleNamespace(kernel=kernel)) == place


def test_other_kernels_have_a_person():
    def no_parent(_):
        raise AttributeError

    assert where(SimpleNamespace(kernel=SimpleNamespace(get_parent=no_parent))) == "page"
    assert where(SimpleNamespace(kernel=None)) == "terminal"
    assert where(SimpleNamespace()) == "terminal"


# --- view -----------------------------------------------------------------------------------


async def test_a_view_shows_a_recorded_run_statically():
    store = InMemoryEventStore()
    stream = stream_of(*TROUBLE, event_store=store, meta={"model": "m"})
    await stream.read()
    for source in (store, stream, await store.get_events(stream.stream_id), Handle(stream)):
        shown = view(source)
        assert shown.widget is None
        assert set(shown._repr_mimebundle_()) == {"text/html", "text/plain"}
        assert str(shown) == "Hello 🎉 world"
        assert repr(shown).startswith("complete · ")
        assert shown._repr_html_() == shown._repr_mimebundle_()["text/html"]


async def test_a_view_of_a_stream_is_live_until_it_ends(comms):
    stream = stream_of(["Hel", "lo"])
    shown = view(stream)
    assert WIDGET_MIME in shown._repr_mimebundle_()
    widget = shown.widget
    assert widget is shown.widget
    await stream.read()
    assert str(shown) == "Hello"
    assert widget.status == "complete"
    assert widget.get_state()["content"] == "Hello"
    assert WIDGET_MIME not in shown._repr_mimebundle_()


async def test_stop_on_a_view_aborts_the_stream(comms):
    stream = stream_of(["Hel", "lo"])
    shown = view(stream)
    data = {"method": "custom", "content": {"type": "abort"}}
    shown.widget.comm.handler({"content": {"data": data}, "buffers": []})
    with pytest.raises(l0.errors.StreamAbortedError):
        await stream.read()
    assert shown.story.status == "aborted"


def test_a_view_draws_in_another_format():
    log = Log()
    bus = EventBus(log, stream_id="r")
    log.attach(bus)
    bus.emit("SESSION_START", options={})
    bus.emit(l0.events.TokensPayload(0, ["**b**"], [0]))
    assert "<strong>" in view(log)._repr_html_()
    assert "<strong>" not in view(view(log), format="text")._repr_html_()


def test_what_is_no_run_has_no_view():
    with pytest.raises(TypeError, match="give a run"):
        view(3)
    with pytest.raises(ValueError, match="no run"):
        view(InMemoryEventStore(), "a-run")


async def test_views_of_one_run_at_the_same_time_agree(comms):
    stream = stream_of(*TROUBLE)
    shown = [view(stream), view(stream)]
    for each in shown:
        assert each.widget is not None
    await asyncio.gather(stream.read())
    assert {str(each) for each in shown} == {"Hello 🎉 world"}
