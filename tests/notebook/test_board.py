"""Runs side by side and maps in a cell: options, outcomes, what is shown, what travels."""

import asyncio
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook_runs import Tags
from test_static import KEPT, TAGS

import l0
from l0.compose import NoConsensusError
from l0.compose import map as l0_map
from l0.errors import StreamAbortedError
from l0.events import Event, EventType, ToolCall
from l0.models import _sim
from l0.notebook import _board, _board_map_static, _board_marks, _board_static, _output, view
from l0.notebook._board import Board
from l0.notebook._board_display import BoardDisplay, BoardShown
from l0.notebook._board_group import AllFailedError, Group
from l0.notebook._board_handle import BoardHandle
from l0.notebook._board_map import MapStory, money
from l0.notebook._board_map_view import MapView, Teller
from l0.notebook._board_widget import BoardView
from l0.notebook._failure import RunInterrupted
from l0.testing import ScriptedModel, VirtualClock, fail, stall

pytest_plugins = ["notebook_shell"]

CORPUS = json.loads(
    (Path(__file__).parents[2] / "js" / "test" / "xss.json").read_text(encoding="utf-8")
)
OSLO = "The capital of Norway is Oslo, and it lies at the end of a fjord."
NEAR = "The capital of Norway is Oslo, and it lies at the head of a fjord."
FAR = "Ask somebody else about that."


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    while _output._late:
        _output._late.popleft().close()


def streams(*scripts, **options):
    options.setdefault("retry", l0.Retry.none())
    options.setdefault("clock", VirtualClock())
    return [l0.run(ScriptedModel(script), **options) for script in scripts]


async def played(kind, *scripts, **options):
    """A board whose runs have ended, and how they did."""
    group = Group(kind, streams(*scripts, **options))
    board = Board(group)
    board.follow()
    error = None
    try:
        await group.play()
    except Exception as failure:
        error = failure
    board.conclude(error)
    return board, error


def html_of(shown, **options):
    """The HTML of a board or a map, after a look at everything in it."""
    room = _board_static if isinstance(shown, Board) else _board_map_static
    html = room.mimebundle(shown, **options)["text/html"]
    for tag, attributes in Tags(html).found:
        assert tag in TAGS
        assert set(attributes) <= {"class", "style", "href", "rel", "target", "start", "title"}
        for rule in filter(None, (attributes.get("style") or "").split(";")):
            assert rule.partition(":")[0] in KEPT, rule
            assert "url" not in rule
            assert "var(" not in rule
    return html


def text_of(board, **options):
    return _board_static.mimebundle(board, **options)["text/plain"]


# --- the cell -------------------------------------------------------------------------------


@pytest.fixture
def several(cells):
    """Runs cells whose boards are shown to a terminal; sim models talk as fast as they can."""
    cells("%config L0Magics.speed = 'max'")
    return cells


def test_a_race_of_one_is_a_usage_error(several):
    assert "needs two runs" in several.usage_error("%%l0 sim:story --race\nHi")
    assert "say -n 3" in several.usage_error("%%l0 sim:story --consensus\nHi")
    assert "one of them" in several.usage_error("%%l0 sim:story -n 2 --race --consensus\nHi")
    assert "too many" in several.usage_error("%%l0 sim:story -n 25\nHi")
    assert "whole number above 0" in several.usage_error("%%l0 sim:story -n 0\nHi")


@pytest.mark.parametrize("option", ["--chat talk", "--schema Station"])
def test_what_keeps_one_answer_does_not_go_with_several(several, option):
    several.ns["Station"] = {"type": "object"}
    assert option.split()[0] in several.usage_error(f"%%l0 sim:json -n 2 {option}\nHi")


def test_one_run_is_no_board(several):
    assert not isinstance(several("%%l0 sim:story -n 1\nHi"), BoardHandle)


def test_n_asks_as_often_and_keeps_a_handle_for_each(several):
    board = several("%%l0 sim:json -n 3 -o b\nTell me")
    assert board is several.ns["b"] is several.ns["_"]
    assert len(board) == len(board.handles) == 3
    assert [handle.outcome for handle in board.handles] == ["completed"] * 3
    assert board.text == board[0].text == board.results[0]
    assert board.outcome == "completed"
    assert repr(board) == "<l0 parallel completed, 3 runs>"
    assert set(board.events()["stream_id"]) == {handle.stream_id for handle in board}
    assert len(board.attempts()) == 3
    assert len(board[1].tokens()) == board[1].state.token_count
    assert several.magics.running == {}


def test_with_n_alone_fallbacks_belong_to_each_run(several):
    board = several("%%l0 sim:json -n 2 -f sim:story --chaos 401 --retry 0\nTell me")
    assert [handle.fallbacks for handle in board.handles] == [("sim:story",)] * 2
    assert [handle.state.fallback_index for handle in board.handles] == [1, 1]


def test_a_race_takes_each_model_as_a_run(several):
    board = several("%%l0 sim:story -f sim:json --race -n 2 -o r\nTell me")
    assert board.group.labels == ["sim:story · 1", "sim:story · 2", "sim:json · 1", "sim:json · 2"]
    assert board.winner.text == board.text
    assert [handle.fallbacks for handle in board.handles] == [()] * 4
    assert board.verdict.winner_index == board.group.winner
    assert {handle.outcome for handle in board.handles} <= {"completed", "cancelled"}


def test_what_a_cell_asks_is_read_once_for_all_runs(several):
    several.ns["asked"] = []
    several("def ask():\n    asked.append(1)\n    return len(asked)")
    board = several("%%l0 sim:json -n 3\nNumber {ask()}, {nobody} and {{x}}")
    assert {handle.prompt for handle in board.handles} == {board.handles[0].prompt}
    assert len(several.ns["asked"]) <= 1
    notes = board.board.notes
    assert len(notes) == len(set(notes))


def test_all_failed_raises_once_with_the_reason(several):
    result = several.run("%%l0 sim:story -n 2 --chaos 401 --retry 0 -o b\nTell me")
    assert type(result.error_in_exec) is AllFailedError
    said = several.out + several.err
    assert "all 2 runs failed: Error code: 401" in said
    assert "The provider refused the key" in said
    assert several.ns["b"].results == [None, None]
    assert several.ns["b"].text == ""


def test_stop_ends_all_of_them(several):
    board = several("%%l0 sim:long -n 3 --bg -o b --speed 50\nTell me")
    assert repr(board) == "<l0 parallel running, 3 runs>"
    several("%l0 stop b")
    several("await b" if several.shell.autoawait else "b")
    assert board.outcome == "aborted"
    assert board.aborted_by == "stop"
    assert {handle.outcome for handle in board.handles} <= {"aborted", None}


def test_on_abort_raise_makes_it_an_error(several):
    board = several("%%l0 sim:long -n 2 --bg -o b --speed 50 --on-abort raise\nTell me")
    board.abort_by("stop")
    result = several.run("await b")
    assert isinstance(result.error_in_exec, StreamAbortedError)


def test_a_board_is_shown_again_by_view_and_by_itself(several):
    board = several("%%l0 sim:json -n 2 -o b\nTell me")
    assert isinstance(view(board), BoardShown)
    assert repr(view(board)).startswith("complete · parallel of 2 · 2 answers · 100 % alike")
    assert "parallel of 2" in board._repr_mimebundle_()["text/html"]
    assert view(board).widget is None, "it is over"


# --- groups ---------------------------------------------------------------------------------


async def test_a_race_calls_the_others_off():
    board, error = await played("race", ["slow ", stall(50), "er"], ["quick"])
    assert error is None
    assert board.group.text == "quick"
    assert [card.status for card in board.cards] == ["aborted", "complete"]
    assert board.verdict().badges == ["", "winner"]


async def test_a_race_goes_on_without_those_that_fail():
    board, error = await played("race", [fail(401)], ["a", "b"])
    assert error is None
    assert board.group.winner == 1
    assert board.cards[0].status == "failed"


async def test_a_race_that_all_lose_names_each_failure():
    board, error = await played("race", [fail(401)], [fail(403)])
    assert isinstance(error, AllFailedError)
    assert "run 1: " in str(error)
    assert "run 2: " in str(error)
    assert len(error.failures) == 2
    assert board.status == "failed"
    assert board.error["type"] == "AllFailedError"


async def test_runs_side_by_side_outlive_a_failure():
    board, error = await played("parallel", [fail(401)], ["a"], ["a"])
    assert error is None
    assert board.group.text == "a"
    assert board.status == "complete"
    assert board.verdict().says == "2 answers · 100 % alike"
    assert "run 1 · failed" in text_of(board)


async def test_a_consensus_says_who_agrees_and_marks_what_differs():
    board, error = await played("consensus", [OSLO], [NEAR], [FAR])
    assert error is None
    assert board.group.text == OSLO
    verdict = board.verdict()
    assert verdict.badges == ["agrees", "similar", "differs"]
    assert verdict.says.startswith("2 of 3 similar · confidence ")
    assert verdict.marks[0] == verdict.marks[2] == [], "what is all different is not marked"
    begin, end = verdict.marks[1][0]
    assert NEAR.replace(" ", "")[begin:end] == "head"
    assert ">head</span>" in html_of(board, timeless=True)


async def test_reasoning_and_tools_stay_in_their_column():
    """What a model thought and which tools it called is folded in its column, as of one run."""
    call = Event(EventType.TOOL_CALL, tool_call=ToolCall("1", "get_weather", {"at": "<Oslo>"}))
    thought = Event(EventType.MESSAGE, "Towers <are> high.", data={"kind": "reasoning"})
    board, _ = await played("parallel", [thought, "High.", call], ["Low."])
    html = html_of(board)
    first, _, second = html.partition("run 2")
    assert "Reasoning · 18 characters" in first
    assert "Towers &lt;are&gt; high." in first
    assert "get_weather · requested" in first
    assert "&lt;Oslo&gt;" in first
    assert "Reasoning" not in second
    assert "get_weather" not in second
    assert "    tool get_weather · requested" in text_of(board).splitlines()


async def test_a_long_name_takes_one_line_and_keeps_its_number():
    """The name of a model is cut short where it has no room; its number and its title are whole."""
    label = "openai:ft:gpt-<4>:my-organisation · 2"
    group = Group("parallel", streams(["Oslo"]), [label])
    board = Board(group)
    board.follow()
    await group.play()
    html = html_of(board)
    assert 'title="openai:ft:gpt-&lt;4&gt;:my-organisation · 2"' in html
    assert 'text-overflow:ellipsis">openai:ft:gpt-&lt;4&gt;:my-organisation</span> · 2</b>' in html


async def test_very_long_answers_are_shown_and_not_compared(monkeypatch):
    monkeypatch.setattr(_board, "MUCH", len(OSLO))
    board, _ = await played("parallel", [OSLO], [NEAR])
    assert board.verdict().says == "2 answers"
    assert not any(board.verdict().marks)
    assert NEAR in Tags(html_of(board)).text
    board, _ = await played("consensus", [OSLO], [NEAR])
    assert board.verdict().badges == ["agrees", "similar"], "who differs does not agree"


async def test_the_same_answers_agree():
    board, _ = await played("consensus", [OSLO], [OSLO], [OSLO])
    assert board.verdict().says == "3 of 3 agree · confidence 100 %"
    assert text_of(board).endswith(f"\n\n{OSLO}")


async def test_no_consensus_is_a_failure_that_shows_every_answer():
    board, error = await played("consensus", [OSLO], [fail(401)], [fail(401)])
    if error is None:
        assert "1 of 3" in board.verdict().says
    else:
        assert isinstance(error, NoConsensusError)
    assert OSLO in html_of(board)
    failed, error = await played("consensus", [fail(401)], [fail(401)])
    assert isinstance(error, NoConsensusError)
    assert failed.status == "failed"
    assert failed.verdict().says.startswith("no consensus · 0 of 2")


async def test_aborted_runs_keep_what_they_said():
    clock = VirtualClock()
    scripts = (["one ", stall(90), "x"], ["two ", stall(90), "x"])
    group = Group("consensus", streams(*scripts, clock=clock, timeout=l0.Timeout(inter_token=None)))
    board = Board(group)
    board.follow()

    async def stop():
        await clock.sleep(1)
        assert board.status == "streaming"
        group.abort("stop")
        assert board.status == "stopping"

    stopping = asyncio.ensure_future(stop())
    async for _ in group:
        pass
    await stopping
    board.conclude()
    assert group.outcome == "aborted"
    assert group.text == "one "
    assert board.status == "aborted"
    assert [card.text for card in board.cards] == ["one ", "two "]
    assert text_of(board).startswith("stopped · consensus of 2\n")
    with pytest.raises(StreamAbortedError):
        await group.read()


def test_a_group_has_one_of_three_kinds():
    with pytest.raises(ValueError, match="parallel, race, consensus"):
        Group("contest", [])


# --- what stays -----------------------------------------------------------------------------


async def test_timeless_a_race_shows_nothing_that_chance_decides():
    board, _ = await played("race", ["slow ", stall(50), "er"], ["quick"])
    text = text_of(board, timeless=True)
    assert text == (
        "complete · race of 2 · run 2 was first\n"
        "  run 1 · called off\n  run 2 · complete · 1 token · winner\n\nquick"
    )
    assert "slow" not in html_of(board, timeless=True)
    assert "slow" in html_of(board, timeless=False)


async def test_the_same_runs_give_the_same_bytes_headless():
    first, _ = await played("consensus", [OSLO], [NEAR], [FAR])
    again, _ = await played("consensus", [OSLO], [NEAR], [FAR])
    assert html_of(first, timeless=True) == html_of(again, timeless=True)
    assert text_of(first, timeless=True) == text_of(again, timeless=True)


@pytest.mark.parametrize("payload", CORPUS)
async def test_untrusted_answers_stay_text(payload):
    group = Group("consensus", streams([payload, " a b"], [payload, " a c"]), [payload, "b"])
    board = Board(group)
    board.follow()
    async for _ in group:
        pass
    board.conclude()
    html_of(board)


@given(st.text(), st.text())
@settings(max_examples=60, deadline=None)
def test_marks_change_no_text(left, right):
    from html import escape

    one, other = f"<p>{escape(left)}</p>", f"<p><em>{escape(right)}</em>!</p>"
    alike, ranges = _board_marks.compare(one, other)
    assert 0 <= alike <= 1
    marked = _board_marks.marked(other, ranges)
    assert Tags(marked).text == Tags(other).text
    assert all(begin < end for begin, end in ranges)


def test_marks_follow_words_over_tags():
    html = "<p>the <strong>quick</strong> brown fox</p>"
    _, ranges = _board_marks.compare("<p>the red fox</p>", html)
    marked = _board_marks.marked(html, ranges)
    texts = [piece.partition("</span>")[0] for piece in marked.split("<span")[1:]]
    assert [text.partition(">")[2] for text in texts] == ["quick", "brown"]


def test_marks_cost_in_proportion_to_the_answer():
    said = [f"Sentence {n} is said by both." for n in range(1000)]
    left = " ".join(f"{each} Left {n} of it." for n, each in enumerate(said))
    right = " ".join(f"{each} Right {n} of it." for n, each in enumerate(said))
    _, ranges = _board_marks.compare(f"<p>{left}</p>", html := f"<p>{right}</p>")
    assert len(ranges) == 1000
    begin = time.process_time()
    assert _board_marks.marked(html, ranges).count("<span") == 1000
    assert time.process_time() - begin < 0.5


# --- what travels ---------------------------------------------------------------------------


class Wire:
    """A page that keeps what it is sent."""

    def __init__(self, view):
        self.sent = []
        view._send = self.sent.append
        view._post._send = self.sent.append

    def ops(self, card):
        return [
            op
            for message in self.sent
            for to, told in message["cards"]
            if to == card
            for op in told["ops"]
        ]


async def test_each_run_is_numbered_for_itself_on_one_wire():
    clock = VirtualClock()
    group = Group("parallel", streams(["a", "b"], ["x", stall(1), "y"], clock=clock))
    board = Board(group)
    board.follow()
    wire = Wire(shown := BoardView(board, board.cards, clock=clock))
    await group.play()
    board.conclude()
    shown.finish()
    for card, text in enumerate(("ab", "xy")):
        assert "".join(op[1] for op in wire.ops(card) if op[0] == "d") == text
        numbers = [told["q"] for m in wire.sent for to, told in m["cards"] if to == card]
        assert numbers == sorted(numbers)
    last = wire.ops(None)[-1]
    assert last[:2] == ["st", "complete"]
    assert last[2]["verdict"]["says"].startswith("2 answers")
    assert last[2]["labels"] == ["run 1", "run 2"]
    shown.close()


async def test_a_page_that_comes_late_gets_everything():
    board, _ = await played("race", ["slow ", stall(50), "er"], ["quick 🎉"])
    shown = BoardView(board, board.cards)
    state = shown.widget.get_state()
    assert [card["content"] for card in state["cards"]] == ["slow ", "quick 🎉"]
    assert state["status"] == "complete"
    assert state["meta"]["verdict"]["winner"] == 1
    assert set(state["extras"]) == {"js", "css"}, "what draws code, marks and copies"
    json.dumps(state["cards"])
    wire = Wire(shown)
    shown.receive({"type": "sync", "have": 99, "card": 1})
    shown.receive({"type": "sync", "have": 99, "card": 7})
    shown.receive("nonsense")
    (op,) = wire.ops(1)
    assert op[0] == "s"
    assert op[1]["content"] == "quick 🎉"
    shown.close()


async def test_stop_on_the_page_reaches_the_group():
    group = Group("parallel", streams(["a"], ["b"]))
    display = BoardDisplay(group, on_stop=lambda: group.abort("stop"))
    shown = display._open()
    shown.receive({"type": "abort"})
    async for _ in group:
        pass
    await display.finish()
    assert group.outcome == "aborted"
    assert display.board.status == "aborted"
    shown.close()


# --- maps -----------------------------------------------------------------------------------


def rows(count=10, model=None, **options):
    async def ask(prompt):
        if "7" in prompt:
            raise PermissionError("no sevens")
        yield f"{prompt}!"

    options.setdefault("retry", l0.Retry.none())
    return l0_map([str(n) for n in range(count)], "{text}", model or ask, store=False, **options)


async def test_awaiting_the_view_of_a_map_gives_its_result():
    shown = view(rows())
    assert isinstance(shown, MapView)
    result = await shown
    assert (result.ok, result.failed) == (9, 1)
    assert repr(shown) == (
        "complete · map · ask · 10 of 10 rows done · 100 % · 9 ok · 1 failed\n"
        "  1 row: no sevens (row 7)"
    ).replace("ask", shown.story.model)


async def test_a_map_that_is_over_is_shown_from_its_result():
    run = rows(30)
    await run
    shown = view(run)
    assert shown.widget is None
    assert "27 ok · 3 failed" in repr(shown)
    assert "3 rows: no sevens (rows 7, 17, 27)" in repr(shown)
    html = shown._repr_mimebundle_()["text/html"]
    assert "no sevens" in Tags(html).text
    assert "30 of 30 rows done · 100 %" in html


async def test_an_empty_map_is_done():
    result = await view(rows(0))
    assert len(result) == 0


async def test_a_map_tells_how_far_it_is_ten_times_a_second_at_most():
    clock = VirtualClock()

    async def slow(prompt):
        await clock.sleep(0.02)
        yield prompt

    run = rows(100, slow, concurrency=1, clock=clock)
    story = MapStory(run)
    teller = Teller(story, run.abort, clock)
    wire = Wire(teller.view)
    begun = clock.monotonic()
    result = await run
    spent = clock.monotonic() - begun
    told = [op for op in wire.ops(None) if op[0] == "st"]
    assert result.ok == 100
    assert len(told) <= spent * 10 + 5
    assert len(told) > 5
    done = [op[2]["map"]["done"] for op in told]
    assert done == sorted(done)
    assert done[-1] == 100
    last = told[-1][2]["map"]
    assert (last["ok"], last["busy"], last["errors"]) == (100, 0, [])
    assert last["rate"] == pytest.approx(100 / spent, rel=0.2)
    teller.view.close()


async def test_a_page_that_comes_late_sees_how_far_the_map_is():
    seen = []

    async def slow(prompt):
        if prompt == "5":
            seen.append(shown.widget.get_state())
        yield prompt

    shown = view(rows(20, slow, concurrency=1))
    await shown
    (state,) = seen
    assert state["status"] == "streaming"
    assert (state["meta"]["map"]["total"], state["meta"]["map"]["busy"]) == (20, 1)
    assert 0 < state["meta"]["map"]["done"] <= 5
    assert shown.widget.meta["map"]["done"] == 20, "the end is left in the widget"
    shown._live.view.close()


async def test_stop_ends_a_map_and_keeps_what_is_done():
    async def slow(prompt):
        if prompt == "5":
            shown.widget  # noqa: B018  a page looks at it
            shown._live.view.receive({"type": "abort"})
        yield prompt

    shown = view(rows(50, slow, concurrency=1))
    result = await shown
    assert result.ok >= 5
    assert result.skipped > 0
    assert shown.story.status == "aborted"
    assert repr(shown).startswith("stopped · map · ")
    assert f"{result.ok} of 50 rows done" in repr(shown), "what was skipped is not done"
    assert "\n  Stop was pressed" in repr(shown), "that it was aborted is said above"


async def test_an_interrupt_ends_the_cell_with_one_line():
    async def slow(prompt):
        if prompt == "3":
            shown.abort_by("interrupt")
        yield prompt

    shown = view(rows(50, slow, concurrency=1))
    with pytest.raises(RunInterrupted, match="they are kept"):
        await shown


async def test_a_map_whose_items_fail_is_shown_as_failed():
    def items():
        yield "1"
        raise OSError("the disk is gone")

    shown = view(l0_map(items(), "{text}", lambda prompt: [prompt], store=False))
    with pytest.raises(OSError, match="the disk is gone"):
        await shown
    assert shown.story.status == "failed"
    assert "the disk is gone" in repr(shown)


async def test_failures_of_one_kind_are_told_once():
    story = MapStory(rows(200, retry=l0.Retry.none()))
    await story.run
    ((message, times, where),) = story.errors()
    assert (message, times) == ("no sevens", 38)
    assert where == "rows 7, 17, 27, 37, 47, …"
    assert "no sevens" in Tags(html_of(story)).text
    bundle = _board_map_static.mimebundle(story, timeless=True)
    assert "38 rows: no sevens" in bundle["text/plain"]
    assert " s\n" not in bundle["text/plain"]


def test_a_cost_is_said_as_people_do():
    assert [money(each) for each in (None, 0, 0.00123, 0.5, 12.345)] == [
        *(None, "0", "0.0012", "0.5", "12.35"),
    ]


def test_sim_models_need_no_key(several):
    board = several("%%l0 sim:story --consensus -n 2\nHi")
    assert len(_sim.server().requests) == 2
    assert board.verdict.confidence == 1.0
