"""A real kernel: cells stream, Stop and interrupts are served at once, the next cell runs."""

import os
import queue
import tempfile
import time
from types import SimpleNamespace

import pytest

# One kernel serves all of them, on one worker.
pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

KEY = "sk-kernel-0123456789abcdefABCDEF"
SOON = 0.3
"""Seconds within which a provider's connection is closed after Stop or an interrupt."""
PATIENCE = 120.0
"""Seconds a condition may take on a busy machine; far more than any does."""


class Ran:
    """What came of a cell: its reply, its messages, and when they came."""

    def __init__(self, asked):
        self.id, self.begun = asked, time.monotonic()
        self.messages, self.reply, self.idle = [], None, False
        self.replied = 0.0

    @property
    def status(self):
        return self.reply["status"]

    def of(self, kind):
        return [message["content"] for message in self.messages if message["msg_type"] == kind]

    @property
    def text(self):
        return "".join(content["text"] for content in self.of("stream"))

    @property
    def widget(self):
        """The comm of the view."""
        for content in self.of("comm_open"):
            if "meta" in content["data"]["state"]:
                return content["comm_id"]
        return None


class Kernel:
    """A kernel of its own process, and the client that talks to it."""

    def __init__(self, store):
        from jupyter_client.manager import KernelManager

        self.folder = store.parent
        # Sockets have short paths, and kernels of other processes others.
        self.sockets = tempfile.TemporaryDirectory(prefix="l0-")
        named = f"{self.sockets.name}/kernel.json"
        self.manager = KernelManager(transport="ipc", connection_file=named)
        env = {**os.environ, "L0_STORE": str(store), "OPENAI_API_KEY": KEY}
        env["IPYTHONDIR"] = str(store.parent / "ipython")
        self.log = (store.parent / "kernel.log").open("wb")
        self.manager.start_kernel(env=env, stdout=self.log, stderr=self.log)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        self.seen, self.sent = [], {}

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        self.sockets.cleanup()
        self.log.close()

    def send(self, code, *, person=True):
        """Put a cell in the kernel's queue."""
        ran = Ran(self.client.execute(code, allow_stdin=person))
        self.sent[ran.id] = ran
        return ran

    def run(self, code, *, during=None, person=True):
        """Run a cell to its end, calling `during(ran)` all the while."""
        return self.wait(self.send(code, person=person), during)

    def wait(self, ran, during=None):
        limit = time.monotonic() + PATIENCE
        while ran.reply is None or not ran.idle:
            assert time.monotonic() < limit, "the cell did not end"
            self._read()
            if during is not None:
                during(ran)
        return ran

    def _read(self):
        """The messages that have come, each to its cell."""
        try:
            message = self.client.get_iopub_msg(timeout=0.01)
        except queue.Empty:
            message = None
        ran = self.sent.get(message["parent_header"].get("msg_id")) if message else None
        if message is not None:
            self.seen.append(message)
        if ran is not None:
            ran.messages.append(message)
            ran.idle |= message["content"].get("execution_state") == "idle"
        try:
            reply = self.client.get_shell_msg(timeout=0)
        except queue.Empty:
            return
        ran = self.sent.get(reply["parent_header"].get("msg_id"))
        if ran is not None:
            ran.reply, ran.replied = reply["content"], time.monotonic()

    def ask(self, expression):
        """The value of an expression in the kernel."""
        ran = self.run(f"print(repr({expression}))")
        return eval(ran.text)

    def press_stop(self, ran):
        content = {"method": "custom", "content": {"type": "abort"}}
        message = self.client.session.msg("comm_msg", {"comm_id": ran.widget, "data": content})
        self.client.shell_channel.send(message)

    def when_streaming(self, act, tokens_after=0.3):
        """Something to do once, a while after the text has begun."""
        state = SimpleNamespace(at=None, first=None)

        def during(ran):
            if state.first is None and any(self._texts(ran)):
                state.first = time.monotonic()
            begun = state.first is not None and time.monotonic() - state.first > tokens_after
            if begun and state.at is None:
                state.at = time.monotonic()
                act(ran)

        during.state = state
        return during

    @staticmethod
    def _texts(ran):
        for content in ran.of("comm_msg"):
            told = content["data"].get("content") or {}
            yield from (op[1] for op in told.get("ops", ()) if op[0] == "d")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One kernel for all tests here, with the extension loaded."""
    kernel = Kernel(tmp_path_factory.mktemp("kernel") / "runs.db")
    try:
        assert kernel.run("%load_ext l0\nimport l0.models._sim as sim").status == "ok"
        yield kernel
    finally:
        kernel.close()


def best(measure):
    """Seconds until the connection was closed and until the cell had its reply: of three tries at
    most the first that is soon, else the quickest.

    A busy neighbour on the machine slows one try down, a fault of the product all of them.
    """
    tries = []
    while len(tries) < 3 and not (tries and are_soon(tries[-1])):
        tries.append(measure())
    return min(tries)


def are_soon(times):
    closed, replied = times
    return closed < SOON and replied < 2 * SOON


def closed_after(kernel, moment):
    """Seconds from a moment to the end of the last request; its client must have left early."""
    kernel.run("sim.server().wait_closed_connections(20)")
    left, closed = kernel.ask(
        "(sim.server().requests[-1].client_left, sim.server().requests[-1].closed_at)"
    )
    assert left
    return closed - moment


SLOW = "%%l0 sim:long -o h --speed 60\nHello."
SILENT = "%%l0 sim:long -o h --chaos stall@5 --timeout 30,30\nHello."
TELL = "(h.outcome, h.aborted_by, len(h.text) > 0)"


def test_a_cell_streams_live_and_its_handle_has_what_was_shown(kernel):
    ran = kernel.run("%%l0 sim:story -o h --speed 400\nHello.")
    assert ran.status == "ok"
    shown = "".join(kernel._texts(ran))
    assert shown == kernel.ask("str(h)")
    assert len(list(kernel._texts(ran))) > 5
    (first,) = ran.of("display_data")
    assert {"text/html", "text/plain"} < first["data"].keys()
    (last,) = ran.of("update_display_data")
    assert last["data"].keys() == {"text/html", "text/plain"}
    assert first["transient"] == last["transient"]
    assert ran.of("execute_result") == []
    assert kernel.ask("Out[max(Out)] is h")


@pytest.mark.parametrize("cell", [SLOW, SILENT], ids=["streaming", "silent"])
def test_stop_closes_the_connection_at_once_and_the_next_cell_runs(kernel, cell):
    def measure():
        stop = kernel.when_streaming(kernel.press_stop)
        first, second = kernel.send(cell), kernel.send("after = 'ran'")
        kernel.wait(first, stop)
        kernel.wait(second)
        assert (first.status, second.status) == ("ok", "ok")
        assert first.of("error") == []
        assert kernel.ask(TELL) == ("aborted", "stop", True)
        return closed_after(kernel, stop.state.at), first.replied - stop.state.at

    assert are_soon(best(measure))


@pytest.mark.parametrize("cell", [SLOW, SILENT], ids=["streaming", "silent"])
def test_an_interrupt_ends_the_cell_with_one_line_and_the_queue(kernel, cell):
    def measure():
        interrupt = kernel.when_streaming(lambda _: kernel.manager.interrupt_kernel())
        first, second = kernel.send(cell), kernel.send("after = 'not reached'")
        kernel.wait(first, interrupt)
        kernel.wait(second)
        assert (first.status, second.status) == ("error", "aborted")
        (error,) = first.of("error")
        assert error["ename"] == "RunInterrupted"
        assert len(error["traceback"]) == 1
        assert error["traceback"][0].startswith("Interrupted: the run was aborted after ")
        assert kernel.ask(TELL) == ("aborted", "interrupt", True)
        return closed_after(kernel, interrupt.state.at), first.replied - interrupt.state.at

    assert are_soon(best(measure))
    assert kernel.run("1 + 1").status == "ok"


PLACES = {
    "def": "def f():\n    h = %l0 -o h --speed 60 sim:long Hello.\nf()",
    "time": "%%time\n%l0 -o h --speed 60 sim:long Hello.",
    "capture": "%%capture --no-display out\n%l0 -o h --speed 60 sim:long Hello.",
    "loop": "for _ in range(3):\n    %l0 -o h --speed 60 sim:long Hello.",
    "def-in-await-cell": "import asyncio\nawait asyncio.sleep(0)\nf()",
    "no-autoawait": "%%l0 sim:long -o h --speed 60\nHello.",
}


@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_is_served_wherever_the_run_is(kernel, place):
    if place == "no-autoawait":
        kernel.run("%autoawait off")
    elif place == "def-in-await-cell":
        kernel.run(PLACES["def"].removesuffix("f()"))

    def measure():
        interrupt = kernel.when_streaming(lambda _: kernel.manager.interrupt_kernel())
        ran = kernel.run(PLACES[place], during=interrupt)
        assert [error["ename"] for error in ran.of("error")] == ["RunInterrupted"]
        assert kernel.ask(TELL)[1:] == ("interrupt", True)
        return closed_after(kernel, interrupt.state.at), ran.replied - interrupt.state.at

    try:
        assert are_soon(best(measure))
    finally:
        kernel.run("%autoawait on")
    assert kernel.run("1 + 1").status == "ok"


def test_stop_in_a_loop_ends_one_run_and_the_next_one_begins(kernel):
    stop = kernel.when_streaming(kernel.press_stop)
    ran = kernel.run(
        "hs = []\nfor model in ('long', 'json'):\n"
        "    h = %l0 --speed 300 sim:{model} Hello.\n    hs.append(h)",
        during=stop,
    )
    assert ran.status == "ok"
    assert kernel.ask("[h.outcome for h in hs]") == ["aborted", "completed"]


def test_a_background_run_lets_cells_run_and_is_shown_where_it_is_awaited(kernel):
    ran = kernel.run("%%l0 sim:story -o job --bg --speed 120\nHello.")
    assert ran.status == "ok"
    assert kernel.ask("job.outcome") is None
    later = kernel.run("await job")
    assert later.status == "ok"
    (shown,) = later.of("display_data")
    assert kernel.ask("job.text")[:40] in shown["data"]["text/plain"]
    assert later.of("execute_result") == []
    assert kernel.ask("job.outcome") == "completed"


def test_background_runs_are_stopped_from_another_cell(kernel):
    for name in ("one", "two"):
        kernel.run(f"%%l0 sim:long -o {name} --bg\nHello {name}.")
    ran = kernel.run("%l0 stop all")
    assert "stopped: one, two" in ran.text
    assert kernel.ask("(one.aborted_by, two.aborted_by)") == ("stop", "stop")
    kernel.run("sim.server().wait_closed_connections(2)")


def test_an_interrupt_ends_a_background_run_that_a_cell_waits_for(kernel):
    def measure():
        kernel.run("%%l0 sim:long -o h --bg --speed 60\nHello.")
        state = SimpleNamespace(at=None)

        def interrupt(ran):
            if state.at is None and time.monotonic() - ran.begun > 0.4:
                state.at = time.monotonic()
                kernel.manager.interrupt_kernel()

        ran = kernel.run("await h", during=interrupt)
        assert [error["ename"] for error in ran.of("error")] == ["RunInterrupted"]
        assert kernel.ask(TELL)[1] == "interrupt"
        return closed_after(kernel, state.at), ran.replied - state.at

    assert are_soon(best(measure))


def test_an_interrupt_of_another_cell_leaves_a_background_run_alone(kernel):
    kernel.run("%%l0 sim:story -o job --bg --speed 150\nHello.")
    state = SimpleNamespace(at=None)

    def interrupt(ran):
        if state.at is None and time.monotonic() - ran.begun > 0.2:
            state.at = time.monotonic()
            kernel.manager.interrupt_kernel()

    ran = kernel.run("import asyncio\nawait asyncio.sleep(30)", during=interrupt)
    assert ran.status == "error"
    assert kernel.run("await job").status == "ok"
    assert kernel.ask("job.outcome") == "completed"


def test_a_failed_run_ends_the_cell_with_a_few_lines(kernel):
    ran = kernel.run("%%l0 sim:story --chaos 401\nHello.")
    assert ran.status == "error"
    (error,) = ran.of("error")
    assert error["ename"] == "AuthenticationError"
    first, where = error["traceback"]
    assert first.startswith("AuthenticationError: Error code: 401")
    assert where.startswith("1 attempt failed; stream ")
    (last,) = ran.of("update_display_data")
    assert "401" in last["data"]["text/plain"]
    assert "check OPENAI_API_KEY" in last["data"]["text/plain"], "the view says what to do"


def test_a_headless_client_gets_one_output_the_same_each_time(kernel):
    cell = "%%l0 sim:story --chaos drop@20 --retry edge\nHello."
    bundles = []
    for _ in range(2):
        ran = kernel.run(cell, person=False)
        assert ran.status == "ok"
        assert not ran.of("comm_open")
        (shown,) = ran.of("display_data")
        assert not ran.of("execute_result")
        bundles.append(shown["data"])
    assert bundles[0] == bundles[1]


def test_no_key_is_in_any_message_or_record(kernel):
    kernel.run("import os\nos.environ['OPENAI_BASE_URL'] = sim.server().base_url")
    assert kernel.run("%%l0 openai:gpt-x -o h\nHello.").status == "ok"
    assert kernel.run("%%l0 openai:sim:none --retry none\nHello.").status == "error"
    kernel.run("h.stream, h.stream.options, h.events().to_string(), get_ipython().configurables")
    assert "OPENAI_API_KEY" in str(kernel.run("%l0 doctor").messages)
    kernel.run("%unload_ext l0")
    kernel.run("%load_ext l0")
    assert len(kernel.seen) > 50
    assert KEY not in str(kernel.seen)
    records = b"".join(path.read_bytes() for path in kernel.folder.glob("runs.db*"))
    assert b"SESSION_END" in records
    assert KEY.encode() not in records
