"""Runs as DataFrames: exact, typed also where they are empty, the same from every source."""

from datetime import UTC, datetime, timedelta

import pandas as pd  # noqa: TID253  frames are what is tested
import pytest
from notebook_runs import TROUBLE, told
from pandas.testing import assert_frame_equal  # noqa: TID253

import l0
from l0.errors import AllStreamsExhaustedError
from l0.events import (
    CompositeEventStore,
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    SQLiteEventStore,
    TTLEventStore,
    catalog,
)
from l0.guardrails import custom_pattern_rule
from l0.notebook import Handle, frames
from l0.notebook._columns import ATTEMPTS, EVENTS, RUNS, TOKENS, VIOLATIONS, payload_columns
from l0.testing import ScriptedModel, VirtualClock, fail, stall

ALL = {
    "runs": RUNS,
    "attempts": ATTEMPTS,
    "events": EVENTS,
    "tokens": TOKENS,
    "violations": VIOLATIONS,
}
RULE = custom_pattern_rule("TODO", "left-over TODO", "warning", name="no_todo")


def every(source, **filters):
    return {name: getattr(frames, name)(source, **filters) for name in ALL}


@pytest.fixture(params=["sqlite", "jsonl", "memory", "ttl", "composite", "log"])
async def recorded(request, tmp_path):
    """Stores of every kind with the same three runs, and their stories."""
    kind = request.param
    store = {
        "sqlite": lambda: SQLiteEventStore(tmp_path / "runs.db"),
        "jsonl": lambda: JsonlEventStore(tmp_path),
        "memory": InMemoryEventStore,
        "ttl": lambda: TTLEventStore(InMemoryEventStore(), 1e9),
        "composite": lambda: CompositeEventStore([InMemoryEventStore(), InMemoryEventStore()]),
        "log": lambda: Log(detail="normal"),
    }[kind]()
    keeps = {"on_event": store} if kind == "log" else {"event_store": store}
    stories = []
    for index, attempts in enumerate((TROUBLE, [["Hel", fail(401)]], [["A TODO ", "more"]])):
        clock = VirtualClock(wall=1.7e9 + 3600 * index)
        meta = {"model": f"model-{index}", "prompt": f"ask {index}"}
        story, _ = await told(*attempts, clock=clock, meta=meta, guardrails=[RULE], **keeps)
        stories.append(story)
    yield store, stories
    if kind != "log":
        await store.close()


# --- failures first -------------------------------------------------------------------------


async def test_a_run_with_trouble_has_its_retries_restarts_and_all_tokens():
    story, stream = await told(*TROUBLE)
    tries, tokens = frames.attempts(story), frames.tokens(story)
    assert list(tries["outcome"]) == ["failed", "failed", "completed"]
    assert list(tries["tokens"]) == [2, 1, 3]
    assert list(tries["kept_tokens"]) == [0, 0, 3]
    assert tries["error"][0] == "reset by peer"
    assert tries["category"][0] == "network"
    assert list(tokens["text"]) == ["Hel", "lo 🎉 ", "Hello wor", "Hello ", "🎉 ", "world"]
    assert list(tokens["attempt"]) == [1, 1, 2, 3, 3, 3]
    assert list(tokens["stands"]) == [False] * 3 + [True] * 3
    assert list(tokens["start"]) == [0, 3, 0, 0, 6, 8]
    assert "".join(tokens[tokens["stands"]]["text"]) == stream.state.content
    counted = frames.events(story)["type"].value_counts()
    assert (counted["RETRY_ATTEMPT"], counted["RESTART"]) == (2, 2)
    joined = tokens.merge(tries, on=["stream_id", "attempt"], how="left")
    assert list(joined["error"].notna()) == [True] * 3 + [False] * 3


async def test_an_attempt_that_never_finished_has_the_name_of_its_model():
    """A provider that gave no answer has not said what it is; whoever asked it has."""
    broken = ScriptedModel([fail(401)])
    broken.model = "openai:gpt-test"
    store = InMemoryEventStore()
    meta = {"model": "sim:story"}
    first = ScriptedModel(["Hel", fail(401)])
    stream = l0.run(first, fallbacks=[broken], event_store=store, meta=meta)
    with pytest.raises(AllStreamsExhaustedError):
        await stream.read()
    tries = frames.attempts(store)
    assert tries["model"].tolist() == ["sim:story", "openai:gpt-test"]
    assert tries["outcome"].tolist() == ["failed", "failed"]


async def test_a_continued_run_keeps_the_tokens_of_both_attempts():
    story, stream = await told(
        ["One two ", "three ", fail(ConnectionResetError())],
        ["four"],
        continuation=True,
        check_intervals=l0.CheckIntervals(1, 1, 1),
    )
    tries, tokens = frames.attempts(story), frames.tokens(story)
    assert list(tries["resumed"]) == [False, True]
    assert tries["kept_tokens"].sum() == stream.state.token_count
    standing = tokens[tokens["stands"]]
    assert "".join(standing["text"]) == stream.state.content
    assert set(standing["attempt"]) == {1, 2}
    for _, token in standing.iterrows():
        assert stream.state.content[token["start"] :].startswith(token["text"])


async def test_a_run_that_crashed_is_told_as_far_as_it_came():
    story, _ = await told(*TROUBLE)
    at = next(i for i, e in enumerate(story.events) if e.type == "RETRY_ATTEMPT") + 1
    (row,) = frames.runs(story.events[:at]).to_dict("records")
    assert row["outcome"] == "unfinished"
    assert (row["tokens"], row["attempts"], row["retries"]) == (2, 1, 1)
    assert frames.attempts(story.events[:at])["outcome"].tolist() == ["failed"]


async def test_a_run_that_nobody_recorded_is_told_so():
    stream = l0.run(lambda: ["a"])
    assert len(frames.events(stream)) == 0
    await stream.read()
    with pytest.raises(ValueError, match="event_store"):
        frames.events(stream)


@pytest.mark.parametrize("source", [None, 3, [1], object()])
def test_what_holds_no_runs_is_told_so(source):
    with pytest.raises(TypeError):
        frames.runs(source)


def test_unknown_filters_types_and_times_are_refused():
    with pytest.raises(TypeError, match="colour"):
        frames.runs([], colour="red")
    with pytest.raises(ValueError, match="RETRY_ATTEMPT"):
        frames.events([], types="RETRY_ATEMPT")
    with pytest.raises(ValueError, match="since"):
        frames.runs([], since="yesterday-ish")


# --- every source the same ------------------------------------------------------------------


async def test_every_source_gives_the_same_frames(recorded):
    store, stories = recorded
    live = [each for story in stories for each in story.events]
    expected = every(live)
    for name, frame in every(store).items():
        by = ["stream_id", "ts"] if name == "runs" else ["stream_id"]
        ours = frame.sort_values(by, kind="stable", ignore_index=True)
        theirs = expected[name].sort_values(by, kind="stable", ignore_index=True)
        assert_frame_equal(ours, theirs, rtol=1e-6)


async def test_a_path_and_a_handle_give_the_same_frames(tmp_path):
    path = tmp_path / "runs.db"
    store = SQLiteEventStore(path)
    story, stream = await told(*TROUBLE, event_store=store, guardrails=[RULE])
    for source in (path, str(path), f"sqlite:///{path}", stream, Handle(stream), story):
        for name, frame in every(source).items():
            assert_frame_equal(frame, every(store)[name], rtol=1e-6)
    log = Log()
    log_path = tmp_path / "log.jsonl"
    for event in story.events:
        log.append(event)
    log.save(log_path)
    assert len(frames.events(log_path)) == len(story.events)
    handle = Handle(stream)
    assert_frame_equal(handle.attempts(), frames.attempts(store))
    await store.close()


async def test_interleaved_runs_come_apart(tmp_path):
    one, _ = await told(*TROUBLE)
    two, _ = await told(["x", "y"])
    mixed = [e for pair in zip(one.events, two.events, strict=False) for e in pair]
    mixed += one.events[len(two.events) :]
    assert list(frames.runs(mixed)["tokens"]) == [3, 2]
    assert len(frames.tokens(mixed)) == 8
    log, path = Log(), tmp_path / "log.jsonl"
    for event in mixed:
        log.append(event)
    log.save(path)
    for name, frame in every(path).items():
        assert_frame_equal(frame, every(mixed)[name], rtol=1e-6)


# --- types ----------------------------------------------------------------------------------

DTYPES = {
    "str": "str",
    "time": "datetime64[us, UTC]",
    "seconds": "float64",
    "bool": "bool",
    "category": "category",
}


@pytest.mark.parametrize("name", list(ALL))
async def test_dtypes_are_the_declared_ones_empty_or_not(name):
    full = getattr(frames, name)((await told(["A TODO ", "more"], guardrails=[RULE]))[0])
    empty = getattr(frames, name)([])
    assert len(full) > 0
    assert len(empty) == 0
    for frame in (full, empty):
        for column, dtype in ALL[name].items():
            assert str(frame[column].dtype) == DTYPES.get(dtype, dtype), column
    assert list(empty.columns) == list(ALL[name])


def test_every_payload_field_of_the_catalog_has_a_column():
    columns = payload_columns(catalog())
    for cls in catalog().values():
        for field in cls.__struct_fields__:
            name = field.removesuffix("_ms")
            if cls.type != "TOKENS":
                assert name in columns or f"{name}_" in columns, (cls.type, field)
    assert not set(columns) & set(EVENTS)
    assert columns["delay"] == "seconds"
    assert columns["attempt"] == "Int16"


async def test_events_of_chosen_types_have_exactly_their_fields():
    story, _ = await told(*TROUBLE)
    chosen = frames.events(story, types=["RETRY_ATTEMPT", "RESTART"])
    none = frames.events([], types=["RETRY_ATTEMPT", "RESTART"])
    assert list(chosen.columns) == list(none.columns)
    assert chosen.dtypes.astype(str).equals(none.dtypes.astype(str))
    assert {chosen.dtypes[name].name for name in ("category", "network_type")} == {"category"}
    assert chosen.dtypes["reason"].name != "category"
    assert set(chosen["type"]) == {"RETRY_ATTEMPT", "RESTART"}
    assert len(frames.events(story, types="RETRY_ATTEMPT")) == 2


async def test_times_are_exact_to_the_microsecond_and_durations_seconds():
    story, _ = await told(["a", stall(0.25), "b"], clock=VirtualClock(wall=1_700_000_000.123456))
    tokens = frames.tokens(story)
    assert tokens["ts"][0] == pd.Timestamp("2023-11-14 22:13:20.123456", tz="UTC")
    assert list(tokens["t"]) == [0.0, 0.25]
    assert tokens["gap"][1] == 0.25
    assert pd.isna(tokens["gap"][0])
    (run,) = frames.runs(story).to_dict("records")
    assert (run["duration"], run["time_to_first_token"]) == (0.25, 0.0)


async def test_what_a_caller_s_tool_returned_does_not_break_a_frame():
    story, _ = await told(["a"])
    bus = l0.EventBus()
    bus.subscribe(story, story.types)
    bus.emit("TOOL_RESULT", tool_name="t", tool_call_id="1", result={1, object})
    assert len(frames.events(story, types="TOOL_RESULT")) == 1


# --- filters --------------------------------------------------------------------------------


async def test_filters_choose_runs(recorded):
    store, stories = recorded
    ids = [story.stream_id for story in stories]

    def left(**filters):
        return sorted(ids.index(each) for each in frames.runs(store, **filters)["stream_id"])

    assert left() == [0, 1, 2]
    assert left(stream_id=ids[1]) == [1]
    assert left(model="model-2") == [2]
    assert left(model=["model-0", "model-2"]) == [0, 2]
    assert left(outcome="failed") == [1]
    assert left(outcome={"completed"}) == [0, 2]
    begin = datetime.fromtimestamp(1.7e9 + 3600, UTC)
    assert left(since=begin) == [1, 2]
    assert left(since=begin + timedelta(seconds=1)) == [2]
    assert left(since=(begin + timedelta(seconds=1)).isoformat()) == [2]
    assert left(since=pd.Timestamp(begin)) == [1, 2]
    assert left(since=timedelta(days=1)) == []
    assert left(model="model-0", outcome="failed") == []
    for frame in every(store, outcome="failed").values():
        assert set(frame["stream_id"]) <= {ids[1]}


async def test_violations_tell_rule_severity_place_and_attempt(recorded):
    store, stories = recorded
    (row,) = frames.violations(store).to_dict("records")
    assert (row["rule"], row["severity"], row["position"]) == ("no_todo", "warning", 2)
    assert (row["attempt"], row["stream_id"]) == (1, stories[2].stream_id)
    assert row["message"] == "left-over TODO"


async def test_runs_tell_model_prompt_and_cost(recorded):
    store, _ = recorded
    runs = frames.runs(store).sort_values("ts", ignore_index=True)
    assert list(runs["prompt"]) == ["ask 0", "ask 1", "ask 2"]
    assert list(runs["outcome"]) == ["completed", "failed", "completed"]
    assert list(runs["attempts"]) == [3, 1, 1]
    assert list(runs["lost_tokens"]) == [3, 0, 0]
    assert runs["error"].notna().tolist() == [False, True, False]
