"""Events of a large store are read as columns: the same frame, cell for cell, as row by row."""

import gc
import re
import sqlite3
from datetime import timedelta
from itertools import chain, zip_longest
from json import dumps
from random import Random

import pytest
from notebook_runs import TROUBLE, told
from pandas.testing import assert_frame_equal  # noqa: TID253  frames are what is tested

import l0
from l0 import CheckIntervals
from l0.errors import StoreError
from l0.events import JsonlEventStore, SQLiteEventStore, Usage, catalog, open_store
from l0.guardrails import custom_pattern_rule
from l0.notebook import _columnar, _columnar_frames, frames
from l0.notebook._columnar_runs import read_runs
from l0.testing import VirtualClock, end, fail, stall, tool

pytest.importorskip("pyarrow", reason="columns are read by pyarrow")

RULE = custom_pattern_rule("TODO", "left-over TODO", "warning", name="no_todo")
EVENTS = (
    *("STREAM_INIT", "TOKENS", "TOKENS", "RESTART", "RETRY_ATTEMPT", "STREAM_READY", "ERROR"),
    *("STREAM_FINISHED", "USAGE", "FINALIZATION_END", "GUARDRAIL_RULE_RESULT"),
    *("RESUME_START", "ABORT_COMPLETED"),
)
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
    await told(
        ["One two ", "three ", "TODO ", fail(ConnectionResetError())],
        ["four", end(usage=Usage(input_tokens=7))],
        continuation=True,
        check_intervals=CheckIntervals(1, 1, 1),
        guardrails=[RULE],
        event_store=made,
    )
    asked = [lambda _: ["", fail(503)], lambda _: ["x"]]
    vars(asked[0])["model"] = "first"
    await l0.map(["a", "b"], "{}", asked[0], fallbacks=asked[1:], store=False, event_store=made)
    yield made
    await made.close()


@pytest.fixture(params=["SQLite", "JSONL", "a JSONL file"])
async def log(request, store, tmp_path):
    """The same records in each kind of log; in the file the runs stand among each other."""
    if request.param == "SQLite":
        yield store
        return
    files = JsonlEventStore(tmp_path / "runs")
    for found in await store.list_streams():
        await files.append(await store.get_events(found.stream_id))
    await files.flush()
    if request.param == "JSONL":
        yield files
    else:
        runs = [path.read_bytes().splitlines(True) for path in files.stored_files()]
        whole = tmp_path / "runs.jsonl"
        whole.write_bytes(b"".join(chain(*zip_longest(*runs, fillvalue=b""))))
        yield open_store(whole, read_only=True)
    await files.close()


def write(path, runs):
    """A store with just these events: `[(type, payload), …]` a run."""
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO records VALUES (?,?,?,?,?,?,'','')",
            [
                (f"run-{at:03}", seq, 1.7e12 + at * 997 + seq * 1.003, type_, dumps(data), "{}")
                for at, run in enumerate(runs)
                for seq, (type_, data) in enumerate(run)
            ],
        )
        connection.executemany(
            "INSERT INTO streams VALUES (?,?,0,0,0,NULL)",
            [(f"run-{at:03}", len(run)) for at, run in enumerate(runs)],
        )


def anything(random):
    """A run whose events come in an order that no run has."""
    told, standing = [("SESSION_START", {"options": {}})], 0
    for _ in range(random.randrange(20)):
        kind = random.choice(EVENTS)
        data = {
            "STREAM_INIT": {
                "attempt": 1,
                "fallback_index": random.randrange(2),
                **random.choice([{}, {"model": None}, {"model": "asked"}]),
            },
            "TOKENS": {
                "start": standing,
                "texts": random.choices(["a", "\u00e9 ", "\U0001f600"], k=random.randrange(4)),
            },
            "RESTART": {"kept_tokens": random.randint(0, standing), "kept_chars": 2},
            "RETRY_ATTEMPT": {"delay_ms": random.random() * 1000},
            "STREAM_READY": {"connect_ms": random.random() * 1000},
            "STREAM_FINISHED": {"model": random.choice([None, "m"]), "finish_reason": "stop"},
            "USAGE": {"input_tokens": random.choice([None, 5]), "output_tokens": 2},
            "ERROR": {"error": "e", "status": random.choice([None, 503]), "category": "network"},
            "FINALIZATION_END": {"passed": random.choice([True, False, None])},
            "GUARDRAIL_RULE_RESULT": {"violations": [{"rule": "r", "message": "m"}] * 2},
        }.get(kind, {})
        if kind == "TOKENS":
            data["offsets_us"] = [7 * at for at, _ in enumerate(data["texts"])]
            standing += len(data["texts"])
        elif kind == "RESTART":
            standing = data["kept_tokens"]
        told.append((kind, data))
    return told


def both(monkeypatch, source, name="events", **arguments):
    """The frame by columns, and the frame row by row."""
    monkeypatch.setattr(_columnar, "LEAST", 0)
    monkeypatch.setattr(_columnar, "_PART", 40)  # several parts, on several threads
    asked = []
    read = getattr(_columnar_frames, f"read_{name}")
    monkeypatch.setattr(
        f"l0.notebook._frames.read_{name}", lambda *given: asked.append(read(*given)) or asked[-1]
    )
    make = getattr(frames, name)
    quick = make(source, **arguments)
    assert asked[-1] is quick, "the frame was not read by columns"
    monkeypatch.setattr(f"l0.notebook._frames.read_{name}", lambda *_: None)
    return quick, make(source, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"types": "ERROR"},
        {"types": ["TOKENS", "SESSION_SUMMARY"]},
        {"types": ["MAP_ROW", "MAP_END"], "outcome": "completed"},
        {"types": "CONSENSUS_START" if "CONSENSUS_START" in catalog() else "TOOL_START"},
        {"model": "model-1"},
        {"outcome": ["failed", "unfinished"]},
        {"since": timedelta(days=1)},
        {"model": "nobody"},
    ],
    ids=str,
)
async def test_columns_and_rows_give_the_same_frame(log, monkeypatch, arguments):
    assert_frame_equal(*both(monkeypatch, log, **arguments), check_exact=True)


@pytest.mark.parametrize("arguments", [{}, {"model": "model-1"}, {"model": "nobody"}], ids=str)
@pytest.mark.parametrize("name", ["attempts", "tokens", "violations"])
async def test_the_other_frames_are_the_same_too(log, monkeypatch, name, arguments):
    quick, slow = both(monkeypatch, log, name, **arguments)
    assert_frame_equal(quick, slow, check_exact=True)
    assert len(quick) > 0 or arguments == {"model": "nobody"}


def runs_both(monkeypatch, source, **arguments):
    """The frame of runs from their last events, and row by row."""
    assert read_runs(source, None, lambda _: True) is not None
    quick = frames.runs(source, **arguments)
    monkeypatch.setattr("l0.notebook._frames.read_runs", lambda *_: None)
    return quick, frames.runs(source, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"model": "model-1"},
        {"outcome": ["failed", "unfinished"]},
        {"since": "2023-11-15T00:00:00+00:00"},
        {"model": "nobody"},
    ],
    ids=str,
)
async def test_runs_are_the_same_from_their_last_events(store, monkeypatch, arguments):
    await store.flush()
    ids = [found.stream_id for found in await store.list_streams()]
    with sqlite3.connect(store.path) as connection:  # one died, and one is no run
        connection.execute(
            "DELETE FROM records WHERE stream_id=? AND type LIKE 'SESSION_%' AND seq > 0", ids[:1]
        )
        connection.execute("UPDATE streams SET outcome=NULL WHERE stream_id=?", ids[:1])
        connection.execute(
            "INSERT INTO records VALUES ('group',0,1.7e12,'PARALLEL_START','{}','{}','','')"
        )
        connection.execute("INSERT INTO streams VALUES ('group',1,0,0,0,NULL)")
    quick, slow = runs_both(monkeypatch, store, **arguments)
    assert_frame_equal(quick, slow, check_exact=True)
    assert len(quick) > 0 or arguments == {"model": "nobody"}


async def test_runs_of_events_in_any_order_are_the_same(tmp_path, monkeypatch):
    made = SQLiteEventStore(tmp_path / "any.db")
    random = Random(6)
    whole = {
        **dict.fromkeys(("token_count", "content_length", "attempts", "model_retries"), 1),
        **dict.fromkeys(("network_retries", "fallback_index", "violations"), 2),
        **dict.fromkeys(("drift_detected", "resumed"), False),
    }
    told = [{}, {"finish_reason": "stop", "duration_ms": 3, "error": "e", "lost_tokens": 4}]
    told += [{"usage": None}, {"usage": {"input_tokens": 3, "output_tokens": 1}}]
    runs = []
    for _ in range(300):
        events = anything(random)[random.randrange(2) :]
        for _ in range(random.randrange(3)):
            summary = ("SESSION_SUMMARY", whole | random.choice(told))
            events.insert(random.randrange(len(events) + 1), summary)
        runs.append(events)
    write(made.path, [events for events in runs if events])
    quick, slow = runs_both(monkeypatch, made)
    assert_frame_equal(quick, slow, check_exact=True)
    assert len(quick) > 200
    assert quick["finish_reason"].notna().any()
    assert quick["model"].notna().any()
    await made.close()


@pytest.mark.parametrize(
    "change",
    ["data = '[]' WHERE type = 'SESSION_SUMMARY'", "meta = '7' WHERE seq = 0", "ts = 'soon'"],
)
async def test_runs_that_no_run_has_written_are_left_to_the_rows(store, change):
    await store.flush()
    with sqlite3.connect(store.path) as connection:
        connection.execute(f"UPDATE records SET {change}")
    assert read_runs(store, None, lambda _: True) is None
    with pytest.raises(StoreError):
        frames.runs(store)


async def test_an_index_that_is_wrong_changes_no_frame(store, monkeypatch):
    await store.flush()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE streams SET event_count = event_count + 1")
    quick, slow = both(monkeypatch, store)
    assert_frame_equal(quick, slow, check_exact=True)


@pytest.mark.parametrize("name", ["attempts", "tokens", "violations"])
async def test_events_in_any_order_give_the_same_frames(tmp_path, monkeypatch, name):
    made = SQLiteEventStore(tmp_path / "any.db")
    random = Random(5)
    write(made.path, [anything(random) for _ in range(300)])
    quick, slow = both(monkeypatch, made, name)
    assert_frame_equal(quick, slow, check_exact=True)
    assert len(quick) > 200
    await made.close()


@pytest.mark.parametrize(
    "tokens",
    [
        {"start": 0, "texts": ["a", "b"], "offsets_us": [0]},
        {"start": 0, "texts": ["a"], "offsets_us": None},
        {"start": 0, "texts": ["a"], "offsets_us": [0.5]},
    ],
    ids=["times are missing", "no times", "half microseconds"],
)
async def test_tokens_that_are_no_tokens_are_left_to_the_rows(tmp_path, monkeypatch, tokens):
    made = SQLiteEventStore(tmp_path / "odd.db")
    write(made.path, [[("STREAM_INIT", {}), ("TOKENS", tokens)]])
    monkeypatch.setattr(_columnar, "LEAST", 0)
    assert _columnar_frames.read_tokens(made, lambda _: True) is None
    await made.close()


async def test_a_restart_that_keeps_more_than_there_was_is_left_to_the_rows(tmp_path, monkeypatch):
    made = SQLiteEventStore(tmp_path / "odd.db")
    tokens = ("TOKENS", {"start": 0, "texts": ["a"], "offsets_us": [0]})
    restart = ("RESTART", {"kept_tokens": 2, "kept_chars": 2})
    write(made.path, [[tokens, restart, tokens]])
    monkeypatch.setattr(_columnar, "LEAST", 0)
    assert _columnar_frames.read_tokens(made, lambda _: True) is None
    assert list(frames.tokens(made)["index"]) == [0, 1]
    await made.close()


@pytest.mark.parametrize("name", ["events", "attempts", "tokens", "violations"])
async def test_every_kind_of_log_gives_the_same_frame(store, log, monkeypatch, name):
    quick, _ = both(monkeypatch, log, name)
    assert_frame_equal(quick, getattr(frames, name)(store), check_exact=True)


@pytest.mark.parametrize(
    "arguments", [{}, {"model": "model-1"}, {"outcome": "failed"}, {"model": "nobody"}], ids=str
)
async def test_runs_are_the_same_in_every_kind_of_log(log, monkeypatch, arguments):
    quick, slow = runs_both(monkeypatch, log, **arguments)
    assert_frame_equal(quick, slow, check_exact=True)
    assert len(quick) > 0 or arguments == {"model": "nobody"}


DAMAGE = {
    "no record": lambda lines: [*lines[:3], b"{}\n", *lines[3:]],
    "no JSON": lambda lines: [*lines[:3], b"}\n", *lines[3:]],
    "an empty line": lambda lines: [*lines[:3], b"\n", *lines[3:]],
    "of another version": lambda lines: [lines[0].replace(b'"v":1', b'"v":2'), *lines[1:]],
    "data that are no object": lambda lines: [
        *lines,
        re.sub(rb'{"data":{.*?},"h', b'{"data":[],"h', lines[1]),
    ],
    "meta that is no object": lambda lines: [
        re.sub(rb'"meta":{.*?}', b'"meta":[]', lines[0]),
        *lines[1:],
    ],
}


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, damage) for name in ("events", "tokens") for damage in DAMAGE]
    + [("runs", damage) for damage in DAMAGE if damage != "data that are no object"],
)
async def test_a_damaged_line_is_told_by_the_rows(tmp_path, monkeypatch, damage, name):
    files = await copied(tmp_path)
    path = files.stored_files()[0]
    path.write_bytes(b"".join(DAMAGE[damage](path.read_bytes().splitlines(True))))
    monkeypatch.setattr(_columnar, "LEAST", 0)
    with pytest.raises(StoreError, match=f"{path.name}|is damaged"):
        getattr(frames, name)(files)
    await files.close()


async def test_a_torn_line_costs_itself_in_both(tmp_path, monkeypatch):
    files = await copied(tmp_path)
    path = files.stored_files()[0]
    whole = len(frames.events(files))
    path.write_bytes(path.read_bytes()[:-20])
    quick, slow = both(monkeypatch, files)
    assert_frame_equal(quick, slow, check_exact=True)
    assert len(quick) == whole - 1
    await files.close()


async def test_a_run_that_died_is_unfinished_in_a_file_too(tmp_path, monkeypatch):
    files = await copied(tmp_path)
    path = files.stored_files()[0]
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
    quick, slow = runs_both(monkeypatch, files)
    assert_frame_equal(quick, slow, check_exact=True)
    assert list(quick["outcome"]) == ["unfinished"]
    await files.close()


@pytest.mark.parametrize("change", ["another run", "no begin"])
async def test_files_that_no_store_has_written_are_left_to_the_rows(tmp_path, monkeypatch, change):
    files = await copied(tmp_path)
    path = files.stored_files()[0]
    if change == "another run":
        path = path.rename(path.with_stem("other"))
    else:
        path.write_bytes(b"".join(path.read_bytes().splitlines(True)[1:]))
    monkeypatch.setattr(_columnar, "LEAST", 0)
    assert _columnar_frames.read_events(files, None, lambda _: True) is None
    assert read_runs(files, None, lambda _: True) is None
    assert set(frames.events(files)["type"]) > {"TOKENS", "ERROR"}
    await files.close()


async def copied(tmp_path):
    """A directory of JSONL with a run in it."""
    files = JsonlEventStore(tmp_path / "files")
    await told(*TROUBLE, meta={"model": "one"}, guardrails=[RULE], event_store=files)
    await files.flush()
    return files


@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("is_on", [False, True])
async def test_the_collector_is_left_as_it_was(store, monkeypatch, is_on, is_damaged):
    monkeypatch.setattr(_columnar, "LEAST", 0)
    await store.flush()
    if is_damaged:
        with sqlite3.connect(store.path) as connection:
            connection.execute("UPDATE records SET data = '[]' WHERE type = 'SESSION_SUMMARY'")
    was = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        assert (_columnar_frames.read_events(store, None, lambda _: True) is None) == is_damaged
        assert gc.isenabled() == is_on
    finally:
        (gc.enable if was else gc.disable)()


async def test_events_that_are_missing_leave_gaps_in_the_numbers(store, monkeypatch):
    await store.flush()
    with sqlite3.connect(store.path) as connection:
        connection.execute("DELETE FROM records WHERE type = 'STREAM_READY'")
    quick, slow = both(monkeypatch, store)
    assert_frame_equal(quick, slow, check_exact=True)


async def test_a_path_is_read_the_same_way(store, monkeypatch):
    await store.flush()
    quick, slow = both(monkeypatch, str(store.path))
    assert_frame_equal(quick, slow)
    assert len(quick) > 200


async def test_an_attempt_has_the_name_of_the_model_it_asked(store, monkeypatch):
    """What nobody named has none, not the one of the model before or after it."""
    rows = [each.stream_id for each in await store.list_streams() if each.token_count == 1]
    for frame in both(monkeypatch, store, "attempts"):
        told = frame[frame["stream_id"].isin(rows[:2])]
        found = set(
            zip(told["fallback_index"], told["model"].astype(object).fillna("?"), strict=True)
        )
        assert found == {(0, "first"), (1, "?")}


async def test_one_run_of_many(store, monkeypatch):
    stream_id = (await store.list_streams())[3].stream_id
    quick, slow = both(monkeypatch, store, stream_id=stream_id)
    assert_frame_equal(quick, slow)
    assert set(quick["stream_id"]) == {stream_id}


@pytest.mark.parametrize("name", ["runs", "events", "attempts", "tokens", "violations"])
async def test_one_run_of_a_directory_is_read_from_its_file_alone(tmp_path, monkeypatch, name):
    files = await copied(tmp_path)
    await told(["other"], event_store=files)
    await files.flush()
    first, other = files.stored_files()
    whole = getattr(frames, name)(files)
    other.write_text("damaged\n")
    monkeypatch.setattr(_columnar, "LEAST", 0)
    alone = getattr(frames, name)(files, stream_id=first.stem)
    assert_frame_equal(alone, whole[whole["stream_id"] == first.stem], check_categorical=False)
    await files.close()


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
    wanted = frozenset({"SESSION_SUMMARY"})
    assert _columnar_frames.read_events(store, wanted, lambda _: True) is None


async def test_small_stores_and_other_stores_are_read_row_by_row(store):
    assert _columnar_frames.read_events(store, None, lambda _: True) is None
    assert _columnar_frames.read_events(object(), None, lambda _: True) is None
