"""`%%l0` and `%l0` in a shell: options, outcomes, commands, completion."""

import json
import os
import signal
import threading

import pytest
from traitlets import TraitError

import l0
from l0.guardrails import Guardrails
from l0.models import _request, _sim
from l0.notebook import Handle, _usage, _values, load
from l0.notebook._sources import story_of

pytest_plugins = ["notebook_shell"]

KEY = "sk-test-0123456789abcdefABCDEF"


# --- a run ----------------------------------------------------------------------------------


def test_a_cell_gives_a_handle_whose_text_is_the_answer(cells):
    handle = cells("%%l0 sim:story -o answer\nTell me a story.")
    assert isinstance(handle, Handle)
    assert handle is cells.ns["answer"] is cells.ns["_"] is cells.ns["Out"][2]
    assert str(handle) == handle.text == handle.state.content
    assert len(handle.text) > 500
    assert handle.outcome == "completed"
    assert handle.aborted_by is None
    assert (handle.prompt, handle.model) == ("Tell me a story.", "sim:story")
    assert cells.view.calls == ["show", "finish"]
    assert repr(handle) == f"<l0 sim:story completed, {handle.state.token_count} tokens>"


def test_the_result_is_not_drawn_below_its_own_view(cells):
    cells("%%l0 sim:story -o answer\nHello.")
    assert "complete · sim:story" not in cells.out
    cells("answer")
    assert "complete · sim:story" in cells.out


def test_a_line_gives_a_handle_too(cells):
    cells("x = %l0 --speed max sim:story Tell me, please: what's {1 + 1}?")
    assert cells.ns["x"].prompt == "Tell me, please: what's {1 + 1}?"
    cells("%l0 Why?")
    assert cells.ns["_"].prompt == "Why?"
    cells("y = %l0 -- -o is no option here")
    assert cells.ns["y"].prompt == "-o is no option here"
    cells("y = %l0 --raw show is fine behind an option")
    assert cells.ns["y"].prompt == "show is fine behind an option"


def test_values_of_the_notebook_stand_in_prompt_system_and_model(cells):
    cells.ns.update(topic="whales", who="a sailor", model="sim:json")
    handle = cells("%%l0 {model} -s 'You are {who}.'\nOn {topic}, {nobody}, {{x}}.")
    assert handle.prompt == "On whales, {nobody}, {x}."
    assert handle.model == "sim:json"
    assert cells.view.notes == ["{nobody} was left as it is: nobody is not defined"]
    messages = _sim.server().requests[-1].body["messages"]
    assert messages[0] == {"role": "system", "content": "You are a sailor."}
    assert cells("%%l0 sim:json --raw\nOn {topic}.").prompt == "On {topic}."


def test_the_defaults_are_those_of_a_careful_person(cells):
    options = cells("%%l0 sim:story\nHello.").stream.options
    assert [rule.name for rule in options.guardrails] == [
        rule.name for rule in Guardrails.recommended()
    ]
    assert options.retry == l0.Retry()
    assert options.timeout == l0.Timeout(initial_token=30, inter_token=30)
    assert options.continuation is not None
    assert not options.drift


def test_every_option_arrives(cells):
    cells.ns["my_rules"] = Guardrails.minimal()
    handle = cells(
        "%%l0 sim:story -o a -f sim:code --fallback sim:json --retry 2 --timeout 5,none,60 "
        "--no-resume -g my_rules --drift -F text --temperature 0.3 --max-tokens 40 "
        "-p seed=7 -p stop='[\"x\"]' --quiet --on-abort raise --speed max\nHello."
    )
    options, body = handle.stream.options, _sim.server().requests[-1].body
    assert handle.fallbacks == ("sim:code", "sim:json")
    assert (options.retry.attempts, options.retry.max_retries) == (2, 2)
    assert options.timeout == l0.Timeout(initial_token=5, inter_token=None, total=60)
    assert options.continuation is None
    assert list(options.guardrails) == cells.ns["my_rules"]
    assert options.drift is True
    assert (handle.format, cells.view.format, cells.view.quiet) == ("text", "text", True)
    assert (body["temperature"], body["max_completion_tokens"], body["seed"]) == (0.3, 40, 7)
    assert body["stop"] == ["x"]
    assert handle.stream.finish_reason == "length"


def test_faults_are_overcome_and_the_text_is_that_of_a_calm_run(cells, monkeypatch):
    monkeypatch.setitem(_values._RETRIES, "edge", lambda: l0.Retry(base_delay=0))
    calm = cells("%%l0 sim:story\nHello.")
    rough = cells("%%l0 sim:story --chaos drop@20,429,eof@30 --retry edge\nHello.")
    assert rough.text == calm.text
    assert len(rough.errors) == 3
    assert cells.view.notes == [
        "chaos: the local fault server answers with drop@20,429,eof@30, one fault a request"
    ]


def test_a_stall_is_not_waited_for_as_long_as_usual(cells):
    options = cells("%%l0 sim:story --chaos stall@20(0.01)\nHello.").stream.options
    assert options.timeout.inter_token == _sim.SHORT_GAP
    assert cells.view.notes[-1] == (
        "a stall is over after 2 s between tokens here; --timeout sets it"
    )
    options = cells("%%l0 sim:story --chaos stall@20(0.01) --timeout 9,8\nHello.").stream.options
    assert options.timeout == l0.Timeout(initial_token=9, inter_token=8)


def test_chaos_needs_no_key_whatever_the_model(cells):
    handle = cells("%%l0 gpt-5 -f anthropic:claude-x --chaos 503 --retry none\nHello.")
    assert [type(error).__module__ for error in handle.errors] == ["openai"]
    assert handle.state.fallback_index == 1
    assert cells.view.fallbacks == ("anthropic:claude-x",)
    assert "instead of openai:gpt-5 and anthropic:claude-x" in cells.view.notes[0]


@pytest.mark.parametrize(
    "ask", ["sim:code -p reasoning_effort=low", "sim:code@anthropic -p thinking={}"]
)
def test_what_a_model_says_of_its_thinking_is_kept_apart_from_the_answer(cells, ask):
    ask = ask.replace("{}", '\'{"type":"enabled","budget_tokens":1024}\'')
    handle = cells(f"%%l0 {ask} --raw -o h\nA function.")
    thoughts = story_of(handle).picture().thoughts
    assert len(thoughts) > 40
    assert thoughts not in handle.text
    plain = cells("%%l0 sim:code -o p\nA function.")
    assert story_of(plain).picture().thoughts == ""
    assert plain.text == handle.text


def test_the_hint_how_to_name_a_model_is_given_once(cells):
    first = cells("%%l0\nHello.")
    assert first.model == "sim:story"
    assert "openai:…" in cells.view.notes[0]
    cells("%%l0\nHello.")
    assert cells.view.notes == []


def test_the_speed_of_sim_models_suits_who_looks(cells, monkeypatch):
    speeds = []
    script = _sim.Script.headers
    monkeypatch.setattr(
        _sim.Script, "headers", lambda self, **_: speeds.append(self.speed) or script(self)
    )
    cells("%%l0 sim:story\nHello.")
    cells.set_views(headless=False)
    cells("%config L0Magics.speed = '5000'")
    cells("%%l0 sim:story\nHello.")
    cells("%%l0 sim:story --speed 9000\nHello.")
    cells("%%l0 sim:story --speed max\nHello.")
    assert speeds == [None, 5000, 9000, None]


@pytest.mark.sdk
def test_the_transport_is_chosen_for_all_cells(cells, monkeypatch):
    opened = []
    real = _request.fast
    monkeypatch.setattr(_request, "fast", lambda resource: opened.append(1) or real(resource))
    whole = cells("%%l0 sim:story\nHello.").text
    assert opened == []
    cells("%config L0Magics.transport = 'fast'")
    assert cells("%%l0 sim:story --chaos drop@20\nHello.").text == whole
    assert opened == [1, 1]
    cells("%config L0Magics.transport = 'sdk'")
    cells("%%l0 sim:story\nHello.")
    assert opened == [1, 1]


# --- where a cell can't await ---------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "%%capture out\n%l0 -o h sim:story Hello",
        "%%time\n%l0 -o h sim:story Hello",
        "def f(word):\n    h = %l0 sim:story {word}\n    return h\nh = f('Hello')",
        "async def f():\n    h = %l0 sim:story Hello\n    return h\nh = await f()",
        "h = [get_ipython().run_line_magic('l0', 'sim:story Hello') for _ in range(2)][1]",
        "for _ in range(2):\n    h = %l0 sim:story Hello",
        "h = (lambda: get_ipython().run_line_magic('l0', 'sim:story Hello'))()",
        "get_ipython().run_cell('%%l0 -o h sim:story\\nHello')",
    ],
    ids=["capture", "time", "def", "async-def", "list", "loop", "lambda", "nested"],
)
def test_a_run_works_in_every_place(cells, source):
    cells(source)
    handle = cells.ns["h"]
    assert (handle.prompt, handle.outcome) == ("Hello", "completed")


def test_a_run_works_with_autoawait_off(cells):
    cells("%autoawait off")
    threads = []
    cells.ns["note"] = lambda: threads.append(threading.current_thread().name)
    handle = cells("%%l0 sim:story\nHello")
    assert handle.outcome == "completed"


def test_a_run_on_the_thread_of_the_sync_door_is_refused_instead_of_waiting_for_itself(cells):
    async def nested():
        cells.shell.run_line_magic("l0", "sim:story Hello")

    with pytest.raises(RuntimeError, match="sync door's own thread"):
        l0.run_sync(nested())


def test_a_failure_in_a_function_can_be_caught(cells):
    cells(
        "def f():\n    try:\n        %l0 sim:story --chaos 401 Hello\n"
        "    except Exception as error:\n        return error\ne = f()"
    )
    assert cells.ns["e"].status_code == 401


# --- failures -------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["", "%autoawait off\n"], ids=["await", "blocking"])
def test_a_failed_run_ends_the_cell_with_a_few_lines(cells, wait):
    if wait:
        cells(wait)
    result = cells.run("%%l0 sim:story -o h --chaos 401\nHello.")
    assert type(result.error_in_exec).__name__ == "AuthenticationError"
    assert "Traceback" not in cells.out
    lines = cells.out.strip().splitlines()
    assert lines[0].startswith("AuthenticationError: Error code: 401")
    assert lines[1] == (
        "What to do: The provider refused the key: check OPENAI_API_KEY or ANTHROPIC_API_KEY."
    )
    assert lines[2] == f"1 attempt failed; stream {cells.ns['h'].stream_id}"
    assert cells.view.error is result.error_in_exec
    assert cells.ns["h"].error is result.error_in_exec


def test_an_unreachable_server_is_named(cells, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    cells.run("%%l0 openai:local --retry none\nHello.")
    assert "Is http://127.0.0.1:9/v1 up and reachable?" in cells.out


def test_a_key_in_an_error_is_not_shown(cells, monkeypatch):
    from l0.notebook._failure import shown

    monkeypatch.setenv("OPENAI_API_KEY", "an-odd-secret")
    handle = cells("%%l0 sim:story\nHello.")
    for secret in (KEY, "an-odd-secret"):
        error = shown(ValueError(f"Illegal header value b'Bearer {secret}'"), handle)
        assert secret not in str(error)
        assert secret not in "".join(error._render_traceback_())


def test_no_key_reaches_what_is_shown_or_recorded(cells, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with l0.testing.FaultServer.in_thread() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        handle = cells("%%l0 openai:local\nHello.")
        cells("%l0 doctor")
    assert handle.outcome == "completed"
    assert KEY not in cells.out
    assert KEY not in repr((handle, handle.state, handle.stream, cells.view.notes))
    cells("%unload_ext l0")
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.glob("runs.db*"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("%%l0 --colour red\nHi", "unknown option --colour; known are --out, --fallback,"),
        ("%%l0 -k 3\nHi", "unknown option -k; "),
        ("%%l0 --fallbck x\nHi", "unknown option --fallbck; did you mean --fallback?"),
        ("%%l0 --retr 2\nHi", "unknown option --retr; did you mean --retry?"),
        ("%%l0 sim:story Hello\nHi", "what is 'Hello'? one MODEL and options stand in the first"),
        ("%%l0 sim:stroy\nHi", "no model sim:stroy; did you mean sim:story?"),
        ("%%l0 -f sim:stroy\nHi", "no model sim:stroy; did you mean sim:story?"),
        ("%%l0 llama\nHi", "no model 'llama'; write provider:model"),
        ("%%l0 gpt-5\nHi", "openai:gpt-5 needs a key: set OPENAI_API_KEY"),
        ("%%l0 -f claude-x\nHi", "anthropic:claude-x needs a key: set ANTHROPIC_API_KEY"),
        ("%%l0\n", "%%l0 is a cell magic, but the cell body is empty."),
        ("%%l0\n  \n", "the prompt is empty; write it below %%l0, or behind %l0"),
        ("%l0 sim:story", "the prompt is empty; write it below %%l0, or behind %l0"),
        ("%%l0 -g nobody\nHi", "no guardrails 'nobody'; presets are minimal, recommended,"),
        ("%%l0 -g strct\nHi", "no guardrails 'strct'; did you mean strict?"),
        ("%%l0 -g number\nHi", "number holds no rules but int; make it a list such as"),
        ("%%l0 --timeout 5\nHi", "argument --timeout: '5' is not initial,inter[,total]"),
        ("%%l0 --timeout 5,-1\nHi", "Timeout.inter_token is a number of seconds above 0"),
        ("%%l0 --retry often\nHi", "argument --retry: 'often' is neither a number nor one of"),
        ("%%l0 --speed 0\nHi", "argument --speed: '0' is not a number of tokens a second"),
        ("%%l0 --temperature hot\nHi", "argument --temperature: 'hot' is not a number"),
        ("%%l0 --max-tokens 0\nHi", "argument --max-tokens: '0' is not a whole number above 0"),
        ("%%l0 -o 2x\nHi", "argument -o/--out: '2x' can't be the name of a variable"),
        ("%%l0 -o class\nHi", "argument -o/--out: 'class' can't be the name of a variable"),
        ("%%l0 -o\nHi", "argument -o/--out: expected one argument"),
        ("%%l0 -F pdf\nHi", "argument -F/--format: invalid choice: 'pdf'"),
        ("%%l0 -p seed\nHi", "argument -p/--param: 'seed' is not KEY=VALUE"),
        ("%%l0 -p model=x\nHi", "argument -p/--param: model is set by MODEL"),
        ("%%l0 -p extra_headers={}\nHi", "argument -p/--param: extra_headers is set by nobody"),
        ("%%l0 --chaos drp@4\nHi", "--chaos: unknown fault 'drp@4'; did you mean drop@40?"),
        ("%%l0 -s 'open\nHi", "the quote is not closed: 'open"),
        ("%l0 show", "write %l0 show RUN (the view of a run: a variable, its id, or `last`);"),
        ("%l0 show me a poem", "for a prompt that begins with 'show' write %l0 -- show …"),
        ("%l0 replay", "write %l0 replay RUN (the run again, at its own pace or yours);"),
        ("%l0 modles", "modles is no command; did you mean models? commands are runs,"),
        ("%l0 show nobody", "no run 'nobody'; give a variable, a stream id or the start of one"),
        ("%l0 stop nobody", "'nobody' is no run; write %l0 stop NAME or %l0 stop all"),
        ("%l0 alias runs sim:story", "'runs' can't be an alias: it means something already"),
        ("%l0 alias fast sim:nope", "no model sim:nope; there are sim:story"),
        ("%l0 alias fast", "no alias 'fast'; write %l0 alias NAME MODEL to define one"),
        ("%l0 log runs.jsonl", "runs.jsonl: name a .db file, or a directory for one JSONL file"),
    ],
)
def test_wrong_use_gets_one_line_that_says_what_to_do(cells, source, message):
    cells.ns["number"] = 3
    before = dict(cells.ns)
    assert message in cells.usage_error(source)
    assert {k: v for k, v in cells.ns.items() if k not in before and not k.startswith("_")} == {}


def test_help_teaches(cells):
    cells("%l0 --help")
    for word in ("provider:model", "--fallback", "--chaos", "initial,inter[,total]", "%l0 runs"):
        assert word in cells.out
    assert "--awaited" not in cells.out
    text = cells.out
    cells("%l0")
    assert cells.out == text


# --- stopping -------------------------------------------------------------------------------


def stopping(cells, how, at=15):
    """Calls `how` when the run has so many tokens."""

    def watch(event):
        if handle.state.token_count >= at and not told:
            told.append(event)
            how()

    told = []
    handle = cells.magics.last
    handle.stream.subscribe(watch, types=["TOKENS"])


@pytest.mark.parametrize("wait", ["", "%autoawait off\n"], ids=["await", "blocking"])
def test_stop_keeps_the_text_so_far_and_ends_the_cell_well(cells, wait):
    if wait:
        cells(wait)
    cells.set_views(shown=lambda view: stopping(cells, view.stop))
    handle = cells("%%l0 sim:story -o h --speed 400\nHello.")
    assert handle.aborted_by == "stop"
    assert handle.outcome == "aborted"
    assert 15 <= handle.state.token_count < 150
    assert cells.view.calls == ["show", "finish"]
    assert _closed_early()


def test_stop_raises_where_that_is_wanted(cells):
    cells.set_views(shown=lambda view: stopping(cells, view.stop))
    result = cells.run("%%l0 sim:story -o h --speed 400 --on-abort raise\nHello.")
    assert type(result.error_in_exec).__name__ == "StreamAbortedError"
    assert cells.out.startswith("StreamAbortedError: the stream was aborted after")
    assert cells.ns["h"].aborted_by == "stop"


@pytest.mark.parametrize("wait", ["", "%autoawait off\n"], ids=["await", "blocking"])
def test_an_interrupt_ends_the_cell_with_one_line(cells, wait):
    if wait:
        cells(wait)
    before = signal.getsignal(signal.SIGINT)
    interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    cells.set_views(shown=lambda view: stopping(cells, interrupt))
    result = cells.run("%%l0 sim:story -o h --speed 400\nHello.")
    handle = cells.ns["h"]
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    count = handle.state.token_count
    assert cells.out == f"Interrupted: the run was aborted after {count} tokens; h.text holds it\n"
    assert handle.aborted_by == "interrupt"
    assert _closed_early()
    assert signal.getsignal(signal.SIGINT) == before


def _closed_early():
    _sim.server().wait_closed_connections(1.0)
    return _sim.server().requests[-1].client_left


def test_abort_in_code_is_the_users(cells):
    cells.set_views(shown=lambda view: stopping(cells, lambda: cells.ns["h"].abort()))
    assert cells("%%l0 sim:story -o h --speed 400\nHello.").aborted_by == "user"


# --- background -----------------------------------------------------------------------------


def test_a_background_run_is_awaited_later_and_shown_there(cells):
    handle = cells("%%l0 sim:story -o job --bg\nHello.")
    assert handle.background
    assert cells("await job") is handle
    assert handle.outcome == "completed"
    assert cells.view.calls == ["show", "finish", "republish"]
    assert "complete" not in cells.out


def test_a_background_failure_is_told_to_whoever_awaits_it(cells):
    cells("%%l0 sim:story -o job --bg --chaos 401\nHello.")
    result = cells.run("await job")
    assert result.error_in_exec.status_code == 401
    assert cells.out.startswith("AuthenticationError")


def test_background_runs_are_stopped_by_name_or_all_together(cells):
    for name in "abc":
        cells(f"%%l0 sim:story -o {name} --bg --chaos stall@10 --timeout 30,30\nHello {name}.")
    assert "several runs are on (a, b, c)" in cells.usage_error("%l0 stop")
    cells("%l0 stop b")
    assert cells.out == "stopped: b\n"
    assert cells.ns["b"].aborted_by == "stop"
    assert cells.ns["a"].outcome is None
    cells("%l0 stop all")
    assert cells.out == "stopped: a, c\n"
    assert [cells.ns[name].outcome for name in "ac"] == ["aborted", "aborted"]
    cells("%l0 stop")
    assert cells.out == "nothing is running\n"
    cells("await a")


def test_several_background_runs_are_gathered(cells):
    for name in "ab":
        cells(f"%%l0 sim:story -o {name} --bg\nHello {name}.")
    cells("import asyncio\nboth = await asyncio.gather(a, b)")
    assert cells.ns["both"] == [cells.ns["a"], cells.ns["b"]]


def test_a_timeout_around_a_background_run_stays_a_timeout(cells):
    cells("%%l0 sim:story -o job --bg --chaos stall@10 --timeout 30,30\nHello.")
    result = cells.run("import asyncio\nasync with asyncio.timeout(0.2):\n    await job")
    assert isinstance(result.error_in_exec, TimeoutError)
    assert cells.ns["job"].aborted_by == "user"


def test_a_timeout_around_a_cell_stays_a_timeout(cells):
    result = cells.run(
        "import asyncio\nasync with asyncio.timeout(0.2):\n"
        "    %l0 -o h --chaos stall@10 --timeout 30,30 sim:story Hello."
    )
    assert isinstance(result.error_in_exec, TimeoutError)
    assert cells.ns["h"].aborted_by == "user"


def test_a_handle_made_by_hand_runs_when_it_is_awaited(cells):
    cells.ns["h"] = Handle(l0.run(lambda: ["Hel", "lo"]))
    cells("x = await h")
    assert str(cells.ns["x"]) == "Hello"


# --- commands -------------------------------------------------------------------------------


def test_runs_are_a_frame_of_what_was_recorded(cells):
    handle = cells("%%l0 sim:story\nHello.")
    frame = cells("%l0 runs")
    assert type(frame).__name__ == "DataFrame"
    assert handle.stream_id in set(frame.reset_index()["stream_id"])


def test_a_run_is_shown_by_variable_id_or_as_the_last_one(cells, monkeypatch):
    from l0.notebook import _view

    shown = []
    monkeypatch.setattr(_view, "view", shown.append)
    handle = cells("%%l0 sim:story -o h\nHello.")
    cells("%l0 show h")
    cells("%l0 show last")
    cells(f"%l0 show {handle.stream_id}")
    assert shown[:2] == [handle, handle]
    assert shown[2] is not None


def test_an_alias_is_a_model(cells):
    cells("%l0 alias quick sim:json")
    assert cells("%%l0 quick\nHello.").model == "sim:json"
    assert cells("x = %l0 quick Hello.") is None
    assert cells.ns["x"].model == "sim:json"
    cells("%l0 alias")
    assert "quick  sim:json" in cells.out
    cells("%l0 alias quick")
    assert "no model 'quick'" in cells.usage_error("%%l0 quick\nHello.")


def test_the_lists_name_everything(cells):
    cells("%l0 models")
    assert all(f"sim:{name}" in cells.out for name in _sim.models())
    assert "no key yet (OPENAI_API_KEY)" in cells.out
    cells("%l0 chaos")
    assert all(fault in cells.out for fault in ("drop@40", "stall@40", "429", "garbage@40"))
    table = cells("%l0 models")
    assert table._repr_html_().count("<tr>") == len(table.rows) + 1


def test_the_doctor_names_keys_but_never_shows_them(cells, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    cells("%l0 doctor")
    rows = dict(line.split(maxsplit=1) for line in cells.out.splitlines() if "_KEY" in line)
    assert rows == {"OPENAI_API_KEY": "set", "ANTHROPIC_API_KEY": "not set"}
    assert KEY not in cells.out


def test_runs_can_be_recorded_elsewhere(cells, tmp_path):
    cells(f"%l0 log {tmp_path / 'other.db'}")
    assert cells.out == f"runs are recorded in {tmp_path / 'other.db'}\n"
    handle = cells("%%l0 sim:story\nHello.")
    assert l0.stream.run_sync(l0.events.get_default_store().exists(handle.stream_id))
    cells(f"%l0 log {tmp_path / 'lines'}")
    handle = cells("%%l0 sim:story\nHello.")
    (path,) = (tmp_path / "lines").glob("*.jsonl")
    assert json.loads(path.read_text().splitlines()[0])["stream_id"] == handle.stream_id


def test_a_store_that_can_not_be_opened_costs_one_line(shell, capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("L0_STORE", str(tmp_path / "file" / "runs.db"))
    load(shell)
    err = capsys.readouterr().err
    assert err.startswith("l0: runs are not recorded (")
    assert err.count("\n") == 1
    shell.run_cell("%l0 runs")
    assert "runs are not recorded (" in capsys.readouterr().err


# --- configuration --------------------------------------------------------------------------


def test_defaults_are_set_by_config(cells):
    cells("%config L0Magics.model = 'sim:code'")
    cells("%config L0Magics.timeout = '7,8,9'")
    cells("%config L0Magics.retry = 'none'")
    cells("%config L0Magics.resume = False")
    cells("%config L0Magics.guardrails = 'none'")
    handle = cells("%%l0\nHello.")
    options = handle.stream.options
    assert handle.model == "sim:code"
    assert options.timeout == l0.Timeout(initial_token=7, inter_token=8, total=9)
    assert options.retry == l0.Retry.none()
    assert (options.continuation, list(options.guardrails)) == (None, [])
    assert cells.view.notes == []


def test_prices_are_set_by_config(cells):
    cells("%config L0Magics.prices = {'gpt-x': (2, 8)}")
    assert _usage._prices["gpt-x"].output == 8
    cells("%config L0Magics.prices = {}")
    assert _usage._prices is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *(("model", "sim:x", "sim:x"), ("timeout", "7", "7"), ("retry", "x", "x")),
        *(("speed", "0", "0"), ("format", "pdf", "pdf")),
        ("prices", {"gpt-x": (-1, 8)}, "gpt-x"),
    ],
)
def test_a_default_that_can_not_be_is_refused(cells, name, value, told):
    magics = cells.magics
    before = getattr(magics, name)
    with pytest.raises(TraitError, match=told):
        setattr(magics, name, value)
    assert getattr(magics, name) == before


# --- loading --------------------------------------------------------------------------------


def _added(shell):
    return (
        sorted(shell.magics_manager.magics["line"]),
        sorted(shell.magics_manager.magics["cell"]),
        sorted(shell.magics_manager.registry),
        list(shell.input_transformers_post),
        list(shell.input_transformers_cleanup),
        list(shell.Completer.custom_matchers),
        [type(each).__name__ for each in shell.configurables],
        list(shell.events.callbacks["pre_execute"]),
    )


def test_unloading_takes_away_everything_and_loading_twice_adds_nothing(shell):
    shell.run_cell("%load_ext l0")  # the shell's own parts that come at first use are there now
    shell.run_cell("%unload_ext l0")
    before = _added(shell)
    assert "l0" not in before[0] + before[1]
    shell.run_cell("%load_ext l0")
    loaded = _added(shell)
    assert loaded != before
    load(shell)
    assert _added(shell) == loaded
    shell.run_cell("%unload_ext l0")
    assert _added(shell) == before
    shell.run_cell("%load_ext l0")
    assert _added(shell)[:3] == loaded[:3]


# --- completion -----------------------------------------------------------------------------


def _completions(cells, text):
    """What Tab gives at the `|`."""
    before, _, after = text.partition("|")
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        found = list(cells.shell.Completer.completions(before + after, len(before)))
    return [(before + after)[: c.start] + c.text for c in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%l0 --fa|\n", ["%%l0 --fallback"]),
        ("%%l0 sim:st|", ["%%l0 sim:story"]),
        ("%%l0 si|", [f"%%l0 sim:{name}" for name in _sim.models()]),
        ("%%l0 -f qui|", ["%%l0 -f quick"]),
        ("%%l0 openai:gpt-4o-mi|", None),
        ("%%l0 --retry exp|", ["%%l0 --retry exponential"]),
        ("%%l0 -F mark|", ["%%l0 -F markdown"]),
        ("%%l0 -g rec|", ["%%l0 -g recommended"]),
        ("%%l0 -g my_r|", ["%%l0 -g my_rules"]),
        ("%%l0 --chaos drop@40,sta|", None),
        ("%%l0 -o ans|", ["%%l0 -o answer"]),
        ("%%l0\nAbout {my_r|", ["%%l0\nAbout {my_rules"]),
        ("%l0 ru|", ["%l0 runs"]),
        ("%l0 show ans|", ["%l0 show answer"]),
        ("%l0 replay ans|", ["%l0 replay answer"]),
        ("%l0 compare last ans|", ["%l0 compare last answer"]),
        ("x = %l0 sim:js|", ["x = %l0 sim:json"]),
        ("%l0 alias new si|", ["%l0 alias new sim:"]),
        ("%l0 Tell {my_r|", ["%l0 Tell {my_rules"]),
    ],
)
def test_tab_completes_what_the_magic_understands(cells, text, expected):
    cells.ns["my_rules"] = []
    cells.ns["answer"] = Handle(l0.run(list))
    cells("%l0 alias quick sim:json")
    found = _completions(cells, text)
    if expected is None:
        before = text.rstrip("|")
        assert found
        assert all(each.startswith(before) for each in found)
    else:
        assert found == expected


def test_other_lines_are_completed_by_the_shell_alone(cells):
    assert "import" in [each.split()[-1] for each in _completions(cells, "impor|")]
