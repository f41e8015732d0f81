"""Events of a large store are read as columns: the same frame, cell for cell, as row by row."""

import sqlite3
from datetime import timedelta

import pytest
from notebook_runs import TROUBLE, told
from pandas.testing import assert_frame_equal  # noqa: TID253  frames are what is tested

from l0.events import SQLiteEventStore, catalog
from l0.guardrails import custom_pattern_rule
from l0.notebook import _columnar, frames
from l0.testing import VirtualClock, fail, stall, tool

pytest.importorskip("pyarrow", reason="columns are read by pyarrow")

RULE = custom_pattern_rule("TODO", "left-over TODO", "warning", name="no_todo")
STORIES = [
    TROUBLE,
    [["Hel", fail(401)]],
    [["A TODO \n\u2028\x00", '"more", {"a": [1]}\U0001f600']],
    [[stall(0.25), "ask ", tool("call_1", "look", {"at": [1, None]})]],
    [[fail(ConnectionResetError("reset,\nby peer"))], ["a "] * 130],
]


@pytest.fixture
async def store(tmp_path):
    made = SQLiteEventStore(tmp_path / "runs.db")
    for index, attempts in enumerate(STORIES * 3):
        meta = {"model": f"model-{index % 3}"} if index % 4 else {}
        clock = VirtualClock(wall=1.7e9 + 3600.0001 * index)
        await told(
            *attempts, clock=clock, meta=meta, guardrails=[RULE], drift=True, event_store=made
        )
    yield made
    await made.close()


def both(monkeypatch, source, **arguments):
    """The frame by columns, and the frame row by row."""
    monkeypatch.setattr(_columnar, "LEAST", 0)
    monkeypatch.setattr(_columnar, "_PART", 40)  # several parts, on several threads
    asked = []
    read = _columnar.read_events
    monkeypatch.setattr(
        "l0.notebook._frames.read_events", lambda *given: asked.append(read(*given)) or asked[-1]
    )
    quick = frames.events(source, **arguments)
    assert asked[-1] is quick, "the frame was not read by columns"
    monkeypatch.setattr("l0.notebook._frames.read_events", lambda *_: None)
    return quick, frames.events(source, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"types": "ERROR"},
        {"types": ["TOKENS", "SESSION_SUMMARY"]},
        {"types": "CONSENSUS_START" if "CONSENSUS_START" in catalog() else "TOOL_START"},
        {"model": "model-1"},
        {"outcome": ["failed", "unfinished"]},
        {"since": timedelta(days=1)},
        {"model": "nobody"},
    ],
    ids=str,
)
async def test_columns_and_rows_give_the_same_frame(store, monkeypatch, arguments):
    assert_frame_equal(*both(monkeypatch, store, **arguments))


async def test_a_path_is_read_the_same_way(store, monkeypatch):
    await store.flush()
    quick, slow = both(monkeypatch, str(store.path))
    assert_frame_equal(quick, slow)
    assert len(quick) > 200


async def test_one_run_of_many(store, monkeypatch):
    stream_id = (await store.list_streams())[3].stream_id
    quick, slow = both(monkeypatch, store, stream_id=stream_id)
    assert_frame_equal(quick, slow)
    assert set(quick["stream_id"]) == {stream_id}


async def test_a_run_whose_process_died_is_unfinished_in_both(store, monkeypatch):
    await store.flush()
    first = (await store.list_streams())[0].stream_id
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "DELETE FROM records WHERE stream_id=? AND type LIKE 'SESSION_%' AND seq > 0", (first,)
        )
        connection.execute("UPDATE streams SET outcome=NULL WHERE stream_id=?", (first,))
    quick, slow = both(monkeypatch, store, outcome="unfinished")
    assert_frame_equal(quick, slow)
    assert set(quick["stream_id"]) == {first}


async def test_fields_that_are_not_what_the_catalog_says_are_read_row_by_row(store, monkeypatch):
    await store.flush()
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "UPDATE records SET data = json_set(data, '$.attempts', 'many') "
            "WHERE type = 'SESSION_SUMMARY'"
        )
    monkeypatch.setattr(_columnar, "LEAST", 0)
    assert _columnar.read_events(store, frozenset({"SESSION_SUMMARY"}), lambda _: True) is None


async def test_small_stores_and_other_stores_are_read_row_by_row(store):
    assert _columnar.read_events(store, None, lambda _: True) is None
    assert _columnar.read_events(object(), None, lambda _: True) is None
