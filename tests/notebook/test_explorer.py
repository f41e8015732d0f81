"""The explorer: what runs there are, one of them in full, two of them side by side."""

import asyncio
import json
import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook_runs import TROUBLE, Tags, told

import l0
from l0.events import (
    EventBus,
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    SQLiteEventStore,
    Usage,
    set_default_store,
)
from l0.notebook import Explorer, Handle, View, explore, frames, view
from l0.notebook import _explorer as module
from l0.notebook._explorer import compared, replayed
from l0.notebook._explorer_diff import compared as words_of
from l0.notebook._explorer_diff import differences
from l0.notebook._explorer_opened import PART, Opened
from l0.notebook._explorer_runs import Runs
from l0.notebook._explorer_widget import Desk
from l0.notebook._stream import WIDGET_MIME
from l0.notebook._usage import usage as usage_of
from l0.testing import ScriptedModel, VirtualClock, end, fail, stall

pytest_plugins = ["notebook_shell"]

CORPUS = json.loads(
    (Path(__file__).parents[2] / "js" / "test" / "xss.json").read_text(encoding="utf-8")
)


async def record(store, *attempts, prompt="Tell me", model="sim:demo", clock=None, **options):
    """A run that is recorded; its stream."""
    options.setdefault("retry", l0.Retry(attempts=1, max_retries=2, base_delay=0))
    options.setdefault("timeout", l0.Timeout(5, 2, 1))
    stream = l0.run(
        ScriptedModel(*attempts),
        clock=clock or VirtualClock(),
        event_store=store,
        meta={"model": model, "prompt": prompt},
        **options,
    )
    with suppress(Exception):
        await stream.read()
    return stream


@pytest.fixture
async def store():
    """Three runs: two came to their end, one failed; and one died in the middle."""
    store, clock = InMemoryEventStore(), VirtualClock()
    await record(store, *TROUBLE, prompt="Greet the world", clock=clock)
    await clock.sleep(10)
    await record(store, ["Good ", "night"], prompt="Say good night", model="other", clock=clock)
    await clock.sleep(10)
    refused = [fail(PermissionError("no key"))]
    await record(store, refused, prompt="Greet nobody", clock=clock, retry=l0.Retry.none())
    await clock.sleep(10)
    other = InMemoryEventStore()
    await record(other, ["One ", "two ", "three"], prompt="Count", clock=clock)
    (died,) = await other.list_streams()
    events = await other.get_events(died.stream_id)
    cut = next(i for i, event in enumerate(events) if event.type == "TOKENS") + 1
    await store.append(events[:cut])
    return store


def asked(source, **message):
    return Desk(source if isinstance(source, Runs) else Runs(source)).answer(message)


# --- failures first -------------------------------------------------------------------------


def test_an_empty_store_says_so():
    shown = explore(InMemoryEventStore())
    assert len(shown) == 0
    assert repr(shown) == "No runs yet"
    assert "No runs yet" in shown._static()["text/html"]
    answer = asked(InMemoryEventStore(), type="list", n=1)
    assert (answer["total"], answer["all"], answer["rows"]) == (0, 0, [])


async def test_a_run_that_died_is_shown_as_unfinished(store):
    died = next(line for line in explore(store).lines if line.prompt == "Count")
    assert died.status == "unfinished"
    assert died.token_count > 0
    opened = Runs(store).open(died.id)
    assert opened.facts()["status"] == "unfinished"
    assert opened.story.text.startswith("One")
    assert "1 unfinished" in repr(explore(store))


async def test_a_run_that_is_gone_is_an_answer_not_an_exception(store):
    runs = Runs(store)
    gone = runs.lines[0].id
    await store.delete(gone)
    answer = asked(runs, type="open", n=7, id=gone)
    assert (answer["type"], answer["n"]) == ("open", 7)
    assert "no run" in answer["error"]
    assert "error" in asked(runs, type="diff", n=8, sides=[["nobody", 0], [gone, 0]])
    assert "error" in asked(runs, type="diff", n=9, sides="nonsense")


@pytest.mark.parametrize(
    "message", [None, 3, [], {}, {"type": "drop"}, {"type": "keep"}, {"n": 1}, {"type": ["list"]}]
)
def test_what_is_no_request_has_no_answer(message):
    assert Desk(Runs(InMemoryEventStore())).answer(message) is None


def test_what_holds_no_runs_is_named():
    with pytest.raises(TypeError, match="int holds no runs; give a run"):
        explore(3)
    with pytest.raises(TypeError, match="int among runs is none"):
        explore([l0.run(lambda: ["a"]), 3])
    with pytest.raises(l0.errors.StoreError, match=r"there is no .*nowhere\.db"):
        explore("nowhere.db")
    set_default_store(None)
    with pytest.raises(ValueError, match="runs are not recorded; give a store"):
        explore()


async def test_nothing_of_a_run_becomes_markup():
    store = InMemoryEventStore()
    for text in CORPUS:
        broken = [text, fail(RuntimeError(text))]
        await record(store, broken, prompt=text, model=text[:60], retry=l0.Retry.none())
    shown = explore(store)
    pages = [shown._static()["text/html"]]
    ids = [line.id for line in shown.lines]
    pages.append(shown.compare(ids[0], ids[-1])._static()["text/html"])
    for page in pages:
        tags = Tags(page)
        names = {name for name, _ in tags.found}
        assert names <= {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td"}
        assert all(set(attributes) <= {"style"} for _, attributes in tags.found)
        assert "url(" not in "".join(a.get("style", "") for _, a in tags.found)
    assert "<script>" in Tags(pages[0]).text, "to be read"


async def test_halves_of_characters_arrive_as_replacements():
    store = InMemoryEventStore()
    await record(store, ["a\ud83c", "\udf89b"], prompt="x\ud800")
    runs = Runs(store)
    for answer in (
        asked(runs, type="list", n=1),
        asked(runs, type="open", n=2, id=runs.lines[0].id),
    ):
        json.dumps(answer, ensure_ascii=False).encode()


# --- the table ------------------------------------------------------------------------------


async def test_the_newest_run_comes_first_with_what_there_is_to_know(store):
    lines = explore(store).lines
    assert [line.prompt for line in lines] == [
        "Count",
        "Greet nobody",
        "Say good night",
        "Greet the world",
    ]
    first = lines[-1]
    assert (first.status, first.model, first.attempts) == ("complete", "sim:demo", 3)
    assert (first.retries, first.token_count) == (2, 3)
    assert first.duration > 0
    assert first.cost is None
    assert lines[1].status == "failed"
    assert "no key" in lines[1].error


async def test_lines_are_what_the_frame_of_runs_says(store):
    frame = frames.runs(store).set_index("stream_id")
    for line in explore(store).lines:
        row = frame.loc[line.id]
        assert (line.attempts, line.token_count) == (row["attempts"], row["tokens"])
        assert line.duration == pytest.approx(row["duration"])


async def test_lines_are_found_by_words_outcome_and_model(store):
    runs = Runs(store)

    def prompts(*words, **wanted):
        return [line.prompt for line in runs.find(*words, **wanted)]

    assert prompts("GREET") == ["Greet nobody", "Greet the world"]
    assert prompts("greet no") == ["Greet nobody"]
    assert prompts("no key") == ["Greet nobody"]
    assert prompts(status="unfinished") == ["Count"]
    assert prompts(model="other") == ["Say good night"]
    assert prompts("greet", status="unfinished") == []
    assert prompts(sort="prompt", down=False)[0] == "Count"
    assert prompts(sort="attempts")[0] == "Greet the world"
    assert prompts(sort="nonsense") == prompts()


async def test_lines_without_a_value_come_last_in_both_directions(store):
    runs = Runs(store)
    for down in (True, False):
        found = runs.find(sort="first_token", down=down)
        assert found[-1].prompt == "Greet nobody"


async def test_a_part_of_the_table_is_sent_at_a_time():
    store = InMemoryEventStore()
    for at in range(25):
        await record(store, ["a"], prompt=f"{at}: {'long ' * 500}")
    runs = Runs(store)
    answer = asked(runs, type="list", n=5, count=10, **{"from": 20})
    assert (answer["n"], answer["from"], answer["total"], answer["all"]) == (5, 20, 25, 25)
    assert len(answer["rows"]) == 5
    assert all(len(row["cells"][2]) <= 401 for row in answer["rows"])
    assert set(answer["rows"][0]) == {"id", "status", "started", "cells"}
    assert len(json.dumps(answer)) < 10_000


async def test_the_outcome_is_asked_for_by_the_word_that_is_shown():
    store = InMemoryEventStore()
    model = ScriptedModel(["a", stall(1), "b"])
    stream = l0.run(model, event_store=store, clock=VirtualClock(), meta={"model": "m"})
    async for _ in stream:
        stream.abort()
    answer = asked(store, type="list", n=1)
    assert answer["statuses"] == ["stopped"]
    assert asked(store, type="list", n=1, status="stopped")["total"] == 1
    assert asked(store, type="list", n=1, status="failed")["total"] == 0


async def test_runs_that_came_since_are_there_after_a_refresh(store):
    shown = explore(store)
    await record(store, ["more"], prompt="A new one")
    assert len(shown) == 4
    assert len(shown.refresh()) == 5
    await record(store, ["more"], prompt="Another one")
    answer = Desk(shown._runs).answer({"type": "list", "n": 1, "refresh": True})
    assert answer["all"] == 6


async def test_costs_are_told_where_prices_are_known():
    store = InMemoryEventStore()
    usage = Usage(input_tokens=1_000_000, output_tokens=500_000)
    for name in ("openai:gpt-x", "sim:free"):
        await record(store, ["Hi", end(usage=usage)], model=name)
    shown = explore(store, prices={"gpt-x": (2, 8)})
    assert {line.model: line.cost for line in shown.lines} == {
        "openai:gpt-x": 6.0,
        "sim:free": None,
    }
    assert "6.00" in shown._static()["text/html"]
    assert asked(shown._runs, type="list", n=1)["costs"] is True
    assert {line.cost for line in view(store, prices={"gpt-x": (2, 8)}).lines} == {6.0, None}


async def test_what_nobody_counted_has_no_cost():
    """A model that says how much it wrote, or that wrote nothing, has one; others would be free."""
    store = InMemoryEventStore()
    await record(store, ["Hi"], model="gpt-x", prompt="counted by nobody")
    await record(store, [fail(401)], model="gpt-x", prompt="refused")
    lines = explore(store, prices={"gpt-x": (2, 8)}).lines
    assert {line.prompt: line.cost for line in lines} == {"counted by nobody": None, "refused": 0}


async def test_a_line_is_told_as_it_is_drawn(store):
    """Its cells are texts, in the order of the columns of the page."""
    rows = asked(store, type="list", n=1, text="nobody")["rows"]
    (line,) = Runs(store).find("nobody")
    assert rows == [
        {
            "id": line.id,
            "status": "failed",
            "started": line.started,
            "cells": ["failed", "sim:demo", "Greet nobody · no key", "1", "0", "", "0.00 s", ""],
        }
    ]


async def test_an_empty_table_says_what_can_be_done(store):
    answers = [
        asked(source, type="list", n=1, text="?") for source in (store, InMemoryEventStore())
    ]
    assert [each["empty"] for each in answers] == [
        "No run matches the filters.",
        "No runs yet. Refresh looks again.",
    ]


async def test_a_fallback_that_failed_unnamed_is_not_priced_as_the_first_model():
    """As in the last line of its view."""
    store = InMemoryEventStore()
    usage = Usage(input_tokens=1_000_000)
    story, _ = await told(
        [fail(500)],
        fallbacks=[ScriptedModel(["Hi", end(usage=usage)])],
        retry=l0.Retry(attempts=0, max_retries=0),
        meta={"model": "gpt-x"},
        event_store=store,
    )
    story.model, story.prices = "gpt-x", {"gpt-x": (2, 8)}
    assert "cost" not in usage_of(story)
    assert [line.cost for line in explore(store, prices=story.prices).lines] == [None]
    assert asked(store, type="list", n=1)["costs"] is False


# --- sources --------------------------------------------------------------------------------


async def test_every_kind_of_source_has_the_same_runs(store, tmp_path):
    lines = explore(store).lines
    ids = {line.id for line in lines}
    events = [event for each in ids for event in await store.get_events(each)]
    for made in (SQLiteEventStore(tmp_path / "runs.db"), JsonlEventStore(tmp_path / "runs")):
        await made.append(events)
        await made.flush()
        await made.close()
    for source in (events, tmp_path / "runs.db", str(tmp_path / "runs"), frames.runs(store)):
        set_default_store(store)  # a frame names its runs, the default store has them
        try:
            shown = explore(source)
            assert {line.id for line in shown.lines} == ids
            assert [line.prompt for line in shown.lines] == [line.prompt for line in lines]
            done = shown.lines[-1]
            assert shown._runs.open(done.id).story.text == "Hello 🎉 world"
        finally:
            set_default_store(None)


async def test_runs_at_hand_need_no_store():
    story, stream = await told(*TROUBLE)
    handle = Handle(l0.run(lambda: ["Good ", "night"]), prompt="Say it", model="sim:x")
    await handle.stream.read()
    shown = explore([story, handle])
    by_model = {line.model: line for line in shown.lines}
    assert by_model["sim:demo"].attempts == 3
    assert by_model["sim:x"].prompt == "Say it"
    timed = shown._runs.open(stream.stream_id)
    assert timed.timed
    bare = shown._runs.open(handle.stream_id)
    assert not bare.timed
    assert "times of its tokens were not kept" in bare.facts()["notes"][-1]
    assert replayed_text(bare.rows) == "Good night"


async def test_streams_that_are_no_runs_are_left_out():
    """A map, a consensus call: they have events of their own, and runs beside them."""
    log = Log()
    stream = l0.run(lambda: ["a"], on_event=log, meta={"model": "m"})
    await stream.read()
    EventBus(log, stream_id="a-map").emit("FALLBACK_END", success=True, final_index=0)
    assert [line.id for line in explore(log).lines] == [stream.stream_id]


async def test_a_view_of_several_runs_is_the_explorer(store, tmp_path):
    assert isinstance(view(store), Explorer)
    one = explore(store).lines[-1].id
    assert isinstance(view(store, one), View)
    single = SQLiteEventStore(tmp_path / "one.db")
    await single.append(await store.get_events(one))
    await single.close()
    assert isinstance(view(tmp_path / "one.db"), View)
    handles = [Handle(l0.run(lambda: ["a"])) for _ in range(2)]
    assert isinstance(view(handles), Explorer)
    with pytest.raises(ValueError, match="there is no stream in it"):
        view(InMemoryEventStore())


# --- one run --------------------------------------------------------------------------------


def replayed_text(rows, until=None):
    """The text as the page makes it of rows, up to a moment."""
    text = ""
    for type_, t, payload in rows:
        if until is not None and t > until:
            break
        if type_ == "TOKENS":
            units = payload["text"].encode("utf-16-le")
            at = 0
            for size, offset in zip(payload["n"], payload["at"], strict=True):
                if until is None or t + offset <= until:
                    text += units[2 * at : 2 * (at + size)].decode("utf-16-le")
                at += size
            assert at * 2 == len(units)
        elif type_ == "RESTART" and payload.get("text"):
            assert text.endswith(payload["text"])
            text = text.removesuffix(payload["text"])
    return text


async def test_the_rows_of_a_run_say_when_each_token_came():
    story, _ = await told(["One ", stall(0.5), "two ", stall(0.2), "three"])
    opened = Opened(story)
    batches = [row for row in opened.rows if row[0] == "TOKENS"]
    begin = batches[0][1]
    assert [replayed_text(opened.rows, begin + ms) for ms in (0, 499, 500, 699, 700)] == [
        "One ",
        "One ",
        "One two ",
        "One two ",
        "One two three",
    ]


async def test_the_attempts_are_what_was_there_at_their_end(store):
    opened = Runs(store).open(explore(store).lines[-1].id)
    assert opened.attempts == ["Hello 🎉 ", "Hello wor", "Hello 🎉 world"]
    assert [opened.text_of(n) for n in (None, 1, 3, 4)] == [
        "Hello 🎉 world",
        "Hello 🎉 ",
        "Hello 🎉 world",
        "",
    ]
    texts = opened.texts()
    assert [each["text"] for each in texts] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
        "the text that stands",
    ]
    assert opened.closing(timeless=True) == "complete · 3 attempts · 3 tokens"


async def test_an_attempt_that_goes_on_has_the_text_it_went_on_from():
    broken = ["The ", "quick ", "brown ", fail(ConnectionResetError())]
    story, _ = await told(broken, ["fox"], continuation=True)
    opened = Opened(story)
    assert opened.story.text == "The quick brown fox"
    assert opened.attempts == ["The quick brown ", "The quick brown fox"]
    assert replayed_text(opened.rows) == "The quick brown fox"


async def test_attempts_have_the_names_of_their_models():
    """Also those that gave nothing: the log says what was asked; so do the head and the costs."""
    store = InMemoryEventStore()
    named = {"gpt-test": [fail(401)], "mini": ["all ", "is well", end(usage=Usage(10, 10))]}
    others = []
    for name, script in named.items():
        others.append(ScriptedModel(script))
        others[-1].model = f"openai:{name}"
    stream = await record(store, ["Hel", fail(401)], fallbacks=others)
    opened = Opened(store, stream.stream_id)
    assert [each["text"] for each in opened.texts()] == [
        "attempt 1 on sim:demo",
        "attempt 2 on openai:gpt-test",
        "attempt 3 on openai:mini",
        "the text that stands",
    ]
    assert opened.facts()["model"] == opened.story.answers == "openai:mini"
    assert opened.facts()["models"] == ["sim:demo", "openai:gpt-test", "openai:mini"]
    assert "openai:mini" in replayed(store)._repr_mimebundle_()["text/plain"]
    assert (
        view(l0.replay(store))
        ._repr_mimebundle_()["text/plain"]
        .startswith("complete · openai:mini · fallback 2")
    )
    prices = {"demo": (1, 1), "mini": (100_000, 100_000)}
    assert Runs(store, prices=prices).lines[0].cost == pytest.approx(2, rel=0.1)


async def test_attempts_on_a_fallback_are_named_so():
    refused = fail(PermissionError("no"))
    store = InMemoryEventStore()
    stream = l0.run(
        ScriptedModel([refused]),
        fallbacks=[ScriptedModel(["Hi"])],
        clock=VirtualClock(),
        event_store=store,
        retry=l0.Retry.none(),
    )
    await stream.read()
    texts = Runs(store).open(stream.stream_id).texts()
    assert texts[1]["text"] == "attempt 2 on fallback 1"


PIECES = st.text(st.sampled_from("ab 🎉\n"), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(
    broken=st.lists(st.lists(PIECES, max_size=5), max_size=2),
    whole=st.lists(PIECES, min_size=1, max_size=6),
    goes_on=st.booleans(),
)
def test_what_is_replayed_is_what_the_run_said(broken, whole, goes_on):
    attempts = [[*pieces, fail(ConnectionResetError())] for pieces in broken]
    story, stream = asyncio.run(
        told(*attempts, ["go " + whole[0], *whole[1:]], continuation=goes_on)
    )
    opened = Opened(story)
    assert opened.timed
    assert replayed_text(opened.rows) == stream.state.content
    assert len(opened.attempts) == len(story.picture().lanes)
    assert opened.attempts[-1] == story.text
    assert [row for part in opened.parts for row in part] == opened.rows


async def test_a_long_run_comes_in_parts():
    words = [f"word{at} " for at in range(60_000)]
    store = InMemoryEventStore()
    await record(store, words)
    runs = Runs(store)
    desk = Desk(runs)
    first = desk.answer({"type": "open", "n": 1, "id": runs.lines[0].id})
    assert first["parts"] > 3
    rows = first["rows"]
    for part in range(1, first["parts"]):
        answer = desk.answer({"type": "open", "n": 2, "id": runs.lines[0].id, "part": part})
        assert "facts" not in answer
        assert len(json.dumps(answer["rows"])) < 2 * PART
        rows += answer["rows"]
    assert replayed_text(rows) == "".join(words)


# --- two texts ------------------------------------------------------------------------------

TEXTS = st.lists(st.sampled_from(["one", "two", "three", "a.", "🎉", "\n", "  "]), max_size=12)


@given(TEXTS, TEXTS)
def test_a_difference_leaves_nothing_out(left, right):
    a, b = " ".join(left), " ".join(right)
    parts = differences(a, b)
    assert "".join(part[1] for part in parts) == a
    assert "".join(part[2] for part in parts) == b
    for same, one, other in parts:
        assert not same or one.split() == other.split()
    for before, after in pairwise(parts):
        assert before[0] != after[0]


def test_words_that_differ_are_found_whatever_stands_between():
    assert differences("The red fox ran", "The  quick\nfox ran") == [
        (True, "The", "The"),
        (False, " red", "  quick"),
        (True, " fox ran", "\nfox ran"),
    ]


def test_short_words_in_common_are_no_islands():
    parts = differences("cats eat of fish", "dogs run of water")
    assert parts == [(False, "cats eat of fish", "dogs run of water")]


def test_long_texts_are_compared_in_time():
    left = [f"Sentence {at} says {at * 7 % 13}." for at in range(3000)]
    right = [line.replace("says 5.", "tells 5.") for line in left]
    parts = differences(" ".join(left), " ".join(right))
    assert sum(not same for same, _, _ in parts) == sum("tells" in line for line in right)


def test_texts_that_have_nothing_in_common_are_not_marked():
    parts, told = words_of("all of this is here", "nothing but that")
    assert parts == [(True, "all of this is here", "nothing but that")]
    assert "too little" in told
    assert words_of("the same", "the same")[1] == "the same words"


async def test_two_runs_side_by_side_have_their_texts_to_choose_from(store):
    lines = explore(store).lines
    shown = explore(store).compare(lines[-1].id, lines[2].id)
    texts = Desk(shown._runs).texts([lines[-1].id, lines[2].id])
    assert [each["text"].split(" · ")[0] for each in texts] == ["A"] * 4 + ["B"]
    assert texts[0]["side"] == [lines[-1].id, 0]
    assert repr(shown).splitlines()[:2] == [
        "A: sim:demo · complete · 3 attempts · 3 tokens",
        "B: other · complete · 2 tokens",
    ]


async def test_attempts_are_compared_by_the_kernel(store):
    runs = Runs(store)
    first = runs.lines[-1].id
    answer = asked(runs, type="diff", n=3, sides=[[first, 2], [first, 0]])
    assert answer["parts"] == [
        [True, "Hello", "Hello"],
        [False, " wor", " 🎉 world"],
    ]
    assert answer["alike"] == "38 % the same, 1 difference"


# --- what stays -----------------------------------------------------------------------------


async def test_a_table_executed_twice_has_the_same_bytes():
    pages = []
    for _ in range(2):
        store = InMemoryEventStore()
        await record(store, *TROUBLE, prompt="One")
        await record(store, ["a"], prompt="Two")
        shown = explore(store)
        pages.append(shown._static(timeless=True) | {"repr": repr(shown)})
        ids = [line.id for line in shown.lines]
        pages[-1] |= {"sides": shown.compare(*ids)._static(timeless=True)["text/html"]}
        assert not any(each in str(pages[-1]) for each in ids)
    assert pages[0] == pages[1]
    assert not re.search(r"\d\.\d+ s|\d\d:\d\d", str(pages[0]))


async def test_a_long_table_says_how_much_is_left_out():
    store = InMemoryEventStore()
    for _ in range(53):
        await record(store, ["a"])
    bundle = explore(store)._static()
    assert "… and 3 more" in bundle["text/html"]
    assert bundle["text/plain"].endswith("… and 3 more")
    assert bundle["text/html"].count("<tr") == 51


class Shell:
    """The part of IPython's shell that output goes through."""

    def __init__(self, *, allow_stdin):
        self.kernel = SimpleNamespace(
            get_parent=lambda _: {"content": {"allow_stdin": allow_stdin}}
        )
        self.outputs = []
        self.display_pub = SimpleNamespace(publish=self.publish)

    def publish(self, *, data, metadata, transient, update=False):
        del metadata
        self.outputs.append((data, transient["display_id"], update))


@pytest.fixture
def page(monkeypatch):
    """A shell with a person before it, and comms that lead nowhere."""
    made = []

    class Comm:
        comm_id = "c1"

        def __init__(self, **opened):
            self.state, self.sent = opened["data"]["state"], []
            made.append(self)

        def on_msg(self, handler):
            self.hear = lambda content: handler(
                {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
            )

        def send(self, data=None, **_):
            self.sent.append(data)

        def close(self, **_):
            pass

    monkeypatch.setattr("comm.create_comm", Comm)
    shell = Shell(allow_stdin=True)
    monkeypatch.setattr(module, "get_shell", lambda: shell)
    monkeypatch.setattr(module, "where", lambda *_: "page")
    yield shell, made
    module._close_all()


async def test_on_a_page_it_is_a_widget_that_answers(store, page):
    shell, comms = page
    shown = explore(store)
    shown._ipython_display_()
    ((data, _, update),) = shell.outputs
    assert {WIDGET_MIME, "text/html", "text/plain"} <= set(data)
    assert not update
    comm = comms[-1]
    assert comm.state["table"]["total"] == 4
    assert len(json.dumps(comm.state["table"])) < 4000
    comm.hear({"type": "list", "n": 4, "text": "greet"})
    assert comm.sent[-1]["content"]["total"] == 2
    assert comm.sent[-1]["content"]["n"] == 4
    assert shown.widget.extras is None, "the table has no code"
    comm.hear({"type": "open", "n": 5, "id": comm.state["table"]["rows"][0]["id"], "part": 0})
    assert comm.sent[-1]["content"]["type"] == "open"
    assert set(shown.widget.extras) == {"js", "css"}


async def test_keep_leaves_the_static_form_in_its_place(store, page):
    shell, comms = page
    shown = explore(store)
    shown._ipython_display_()
    comms[-1].hear({"type": "keep"})
    (_, first, _), (data, second, update) = shell.outputs
    assert (first, update) == (second, True)
    assert set(data) == {"text/html", "text/plain"}
    shown._ipython_display_()
    assert len(shell.outputs) == 3, "it may be shown again"


async def test_old_explorers_make_room_and_the_end_leaves_tables(store, page):
    shell, _ = page
    shown = [explore(store) for _ in range(10)]
    for each in shown:
        each._ipython_display_()
    assert sum(update for *_, update in shell.outputs) == 2
    module._close_all()
    assert sum(update for *_, update in shell.outputs) == 10


async def test_headless_there_is_no_widget(store, monkeypatch):
    monkeypatch.setattr(module, "where", lambda *_: "headless")
    shown = explore(store)
    assert set(shown._repr_mimebundle_()) == {"text/html", "text/plain"}
    with pytest.raises(NotImplementedError):
        shown._ipython_display_()


# --- commands -------------------------------------------------------------------------------


def test_a_run_is_replayed_by_its_name(cells):
    cells("%%l0 sim:json --speed max -o a\nGive me a station")
    shown = cells("%l0 replay a")
    assert isinstance(shown, Explorer)
    assert shown._mode == "run"
    assert shown._opened[0].timed
    assert repr(shown).startswith("complete · sim:json")
    assert repr(cells("%l0 replay last")) == repr(shown)


def test_two_runs_are_compared_by_their_names(cells):
    cells("%%l0 sim:story --speed max -o a\nOne")
    cells("%%l0 sim:story --speed max -o b\nTwo")
    shown = cells("%l0 compare a b")
    assert shown._mode == "compare"
    assert repr(shown).startswith("A: sim:story · complete")
    said = cells.usage_error("%l0 compare a")
    assert said.startswith("write %l0 compare A B (two runs side by side")
    assert "no run 'nobody'" in cells.usage_error("%l0 replay nobody")


async def test_replay_and_compare_take_what_a_view_takes(store):
    one, two = (line.id for line in explore(store).lines[2:])
    assert replayed(store, one)._opened[0].story.text == "Good night"
    shown = compared(await store.get_events(one), await store.get_events(two))
    assert len(shown._opened) == 2
    with pytest.raises(ValueError, match="several"):
        replayed(store)
