"""Files that are no logs, or not any more: readers say so in an error of theirs."""

# ruff: noqa: PT017  (an error may come or not: if it does, what it says is checked)
from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from fuzz_kit import BYTES, ODD, bounded, damaged, damaged_bytes, examples, nested
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import l0
from l0.errors import Error, StoreError
from l0.events import (
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    Record,
    SQLiteEventStore,
    _serialize,
    from_json,
    open_store,
    replay,
    replay_source,
    to_json,
    verify,
)
from l0.events import _sqlite_file as sqlite_file
from l0.events._jsonl_file import last_line
from l0.events._record import encode as encode_json
from l0.events._record import line_of, row_of
from l0.events._serialize import encode
from l0.testing import ScriptedModel, VirtualClock, fail

SHARED = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


async def _record():
    """A run that was broken, withdrew text, called a tool, and was saved."""
    store = InMemoryEventStore()
    model = ScriptedModel(["one ", "two ", fail(ConnectionResetError("x"))], ["one ", "2", " 😀"])
    options = {"event_store": store, "clock": VirtualClock(), "retry": l0.Retry(base_delay=0)}
    stream = l0.run(model, meta={"user": "ada", "n": [1, 2.5]}, **options)
    await stream.read()
    return await store.get_events(stream.stream_id)


RECORDS = asyncio.run(_record())
STREAM = RECORDS[0].stream_id
TEXT = b"".join(line_of(row_of(record)) + b"\n" for record in RECORDS)
LINES = [json.loads(line) for line in TEXT.splitlines()]


def _its_data(line):
    return {"at": line["at"], "data": line["data"]}


def outcome_of(work):
    """What it gives, or an error that reading a log may have: StoreError, ValueError of the id."""
    try:
        with bounded():
            return work()
    except StoreError as error:
        assert str(error)
    except ValueError as error:
        assert type(error) is ValueError
        assert any(word in str(error) for word in ("stream", "no event store", "sqlite:///"))
    return None


async def _everything(place):
    """All that reads a file, or a store: each may refuse."""
    found = await verify(place, STREAM)
    assert found.ok == (found.reason is None)
    again = replay(place, STREAM)
    async for event in again:
        assert event.type
    assert repr(again)
    assert isinstance(again.changes, frozenset)
    encode(again.state)
    async for event in again.events():
        encode(event.payload)
    factory = replay_source(place, STREAM)
    for _ in range(3):
        try:
            async for _event in await factory():
                pass
        except (Error, ConnectionError):
            pass


def read_all(place):
    """Each way to read on its own, so that one that refuses hides no other."""
    for part in (
        lambda: asyncio.run(verify(place)),
        lambda: asyncio.run(verify(place, STREAM)),
        lambda: asyncio.run(verify(place, STREAM, head="0" * 64)),
        lambda: asyncio.run(_everything(place)),
        lambda: asyncio.run(replay(place, STREAM).read()),
    ):
        outcome_of(part)


# --- JSONL ----------------------------------------------------------------------------------------

LOG_BYTES = [
    *BYTES,
    *(
        b'{"v":1}\n',
        b"[]\n",
        b"null\n",
        b'"x"\n',
        TEXT[:200],
        TEXT,
        b'"data":',
        b'"data":[],',
        b'"seq":',
    ),
    *(
        b'"ts":1e308,',
        b'"v":2,',
        b'"type":"",',
        b'"stream_id":"',
        b"\x1f\x8b\x08\x00",
        b"SQLite format 3\x00",
    ),
]


@settings(**SHARED, max_examples=examples(60))
@given(data=damaged_bytes(st.just(TEXT), LOG_BYTES) | st.binary(max_size=300))
def test_a_damaged_file_of_lines_is_refused_or_verified_as_broken(tmp_path, data):
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    read_all(path)
    loaded = outcome_of(lambda: Log.load(path))
    assert loaded is None or repr(loaded)
    line, end = last_line(path)
    assert end == data.rfind(b"\n") + 1
    assert line == (data[:end].split(b"\n")[-2] if end else None)
    found = outcome_of(lambda: asyncio.run(verify(path, STREAM)))
    if found is not None and found.ok and found.ended:
        assert all(line in data for line in TEXT.splitlines())


@settings(**SHARED, max_examples=examples(80))
@given(
    line=damaged(st.sampled_from(LINES)),
    at=st.integers(0, len(LINES)),
    instead=st.booleans(),
    store=st.booleans(),
)
def test_a_line_with_odd_fields_is_refused_or_read(tmp_path, line, at, instead, store):
    """As a later version, another program or a hand may have written it."""
    try:
        odd = json.dumps(line, ensure_ascii=False).encode(errors="surrogatepass")
    except (ValueError, RecursionError):
        return
    lines = [encode_json(each) for each in LINES]
    lines[at : at + instead] = [odd]
    path = tmp_path / f"{STREAM}.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    read_all(f"jsonl:///{tmp_path}" if store else path)
    if store:
        opened = open_store(f"jsonl:///{tmp_path}", read_only=True)
        outcome_of(lambda: list(opened.iter_records()))
        outcome_of(lambda: asyncio.run(opened.list_streams()))
        outcome_of(lambda: asyncio.run(opened.get_last_event(STREAM)))
        asyncio.run(opened.close())


@settings(**SHARED, max_examples=examples(80))
@given(
    damaged(
        st.sampled_from([{"at": at, **line} for at, line in enumerate(LINES)]).map(_its_data), 2
    ),
    st.sampled_from([RECORDS[0].ts, 0.0, -1e308, 1e308, 1e18]),
)
def test_odd_values_in_each_field_of_a_forged_chain_are_refused_or_replayed(told, ts):
    """Whoever rewrites the whole chain can put anything into it: the types are still looked at."""
    records = list(RECORDS)
    at = told.get("at")
    if type(at) is not int or not 0 <= at < len(records) or type(told.get("data")) is not dict:
        return
    records[at] = msgspec.structs.replace(records[at], data=told["data"], ts=ts)
    again = replay(records, STREAM)
    outcome_of(lambda: asyncio.run(again.read()))
    outcome_of(lambda: asyncio.run(_everything(records)))
    assert repr(records[at].changed)
    encode(records[at].payload)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n" * 10_000,
        b"x" * 3_000_000,
        b"[" * 100_000 + b"\n",
        TEXT.replace(b'"data":{', b'"data":{"deep":' + b"[" * 2000 + b"]" * 2000 + b",", 1),
        TEXT.replace(b'"data":{', b'"data":[{', 1),
        b'{"data":[],"hash":"","prev":"","seq":0,"stream_id":"%b","ts":0.0,"type":"TOKENS","v":1}\n'
        % STREAM.encode(),
        TEXT.replace(b'"meta":{', b'"meta":[{', 1),
        TEXT[:-40],
        b"\xff\xfe" + TEXT,
        TEXT.replace(b"\n", b"\r\n"),
        b"SQLite format 3\x00" + b"\x00" * 5000,
        bytes(range(256)) * 100,
    ],
    ids=range(13),
)
def test_files_that_are_no_logs_are_said_to_be_none(tmp_path, data):
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    read_all(path)


def test_the_last_line_of_a_file_with_a_long_torn_line_is_found_at_once(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"one\ntwo\n" + b"x" * 40_000_000)
    with bounded():
        assert last_line(path) == (b"two", 8)
    path.write_bytes(b"x" * 40_000_000)
    with bounded():
        assert last_line(path) == (None, 0)


def test_files_of_others_in_the_directory_are_passed_over(tmp_path):
    """Notes, backups, hidden files: whatever is no stream's name is no stream."""
    (tmp_path / f"{STREAM}.jsonl").write_bytes(TEXT)
    for name in (
        "notes of mine.jsonl",
        ".jsonl",
        "a.b.jsonl",
        "x\ud83d.jsonl".encode("utf-8", "replace"),
    ):
        (tmp_path / (name if isinstance(name, str) else name.decode())).write_bytes(b"nonsense\n")
    (tmp_path / "readme.txt").write_text("hello")
    store = open_store(f"jsonl:///{tmp_path}", read_only=True)
    assert [found.stream_id for found in asyncio.run(store.list_streams())] == [STREAM]
    assert [record.seq for record in store.iter_records()] == [r.seq for r in RECORDS]
    asyncio.run(store.close())


def test_reading_makes_no_directory(tmp_path):
    with pytest.raises(StoreError, match="there is no directory"):
        open_store(f"jsonl:///{tmp_path}/none", read_only=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "place",
    [
        *(
            "x" * 5000,
            "a\x00b",
            "",
            ".",
            "/",
            "/dev/null",
            "/dev/zero",
            "sqlite:",
            "jsonl:",
            "x://y",
        ),
        *("://", "sqlite:///" + "x" * 5000, "jsonl:///a\x00b", "memory:", "\ud83d"),
        *("sqlite:///\ud83d", "a.jsonl/b"),
    ],
    ids=lambda place: repr(place[:12]),
)
def test_places_that_are_none_are_said_to_be_none(place):
    """A path, a URL, or neither: StoreError, or a ValueError that names the schemes."""
    outcome_of(lambda: asyncio.run(verify(place)))
    outcome_of(lambda: asyncio.run(replay(place).read()))


# --- SQLite ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The run in a SQLite file, closed."""
    path = tmp_path_factory.mktemp("log") / "runs.db"

    async def write():
        store = SQLiteEventStore(path)
        await store.append(RECORDS)
        await store.close()

    asyncio.run(write())
    return path


def read_database(path):
    """Everything a reader of SQLite has."""
    read_all(path)

    async def look():
        store = open_store(path, read_only=True)
        try:
            for found in await store.list_streams():
                outcome_of(lambda: None)
                await store.get_events(found.stream_id)
            list(store.iter_records())
            list(store.iter_records(STREAM, ["TOKENS"]))
            await store.get_last_event(STREAM)
        finally:
            await store.close()

    outcome_of(lambda: asyncio.run(look()))


@settings(**SHARED, max_examples=examples(40))
@given(data=st.data())
def test_a_damaged_database_is_refused_or_read(tmp_path, database, data):
    path = tmp_path / "runs.db"
    for left in tmp_path.glob("runs.db-*"):
        left.unlink()
    path.write_bytes(data.draw(damaged_bytes(st.just(database.read_bytes()), most=3)))
    read_database(path)


COLUMNS = ["stream_id", "seq", "ts", "type", "data", "meta", "prev", "hash"]
INDEX = ["event_count", "token_count", "start_ts", "end_ts", "outcome", "stream_id"]
VALUES = st.sampled_from(
    [
        b"",
        b"\xff\xfe",
        "",
        "x",
        "[]",
        "{}",
        "null",
        "{",
        -1,
        2**62,
        0.5,
        1e308,
        -1e308,
        float("inf"),
        "[" * 5000,
        '{"outcome": 3}',
        "1" * 5000,
        "\x00",
        "a b",
        0,
        7,
        '{"$changed": 5}',
        STREAM,
    ]
)


@settings(**SHARED, max_examples=examples(60))
@given(
    table=st.sampled_from(["records", "streams"]),
    value=VALUES,
    seq=st.integers(0, len(RECORDS) - 1),
    data=st.data(),
)
def test_odd_values_in_any_column_are_refused_or_read(tmp_path, database, table, value, seq, data):
    """SQLite keeps whatever it is given, whatever the column's type."""
    path = tmp_path / "runs.db"
    shutil.copy(database, path)
    column = data.draw(st.sampled_from(COLUMNS if table == "records" else INDEX))
    where = f"where seq = {seq}" if table == "records" else ""
    connection = sqlite3.connect(path)
    try:
        connection.execute(f"update {table} set {column} = ? {where}", (value,))
        connection.commit()
    except sqlite3.Error:
        return
    finally:
        connection.close()
    read_database(path)


@pytest.mark.parametrize(
    "sql",
    [
        "drop table streams",
        "drop table records",
        "alter table streams drop column outcome",
        "alter table records rename column data to text",
        "delete from records",
        "delete from streams",
        (
            "create table copy as select * from streams; drop table streams; create view streams "
            "as select * from copy"
        ),
        "pragma user_version = 7",
        "pragma user_version = 0",
        "pragma user_version = -1",
        "update records set seq = seq + 1000",
    ],
)
def test_another_schema_is_refused_or_read(tmp_path, database, sql):
    path = tmp_path / "runs.db"
    shutil.copy(database, path)
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    read_database(path)


def test_what_is_no_database_is_said_to_be_none(tmp_path):
    """Empty, text, a directory, half a header, a journal without its file."""
    for number, data in enumerate(
        [b"", b"hello\n" * 1000, b"SQLite format 3\x00", b"\x00" * 9000, TEXT]
    ):
        path = tmp_path / f"{number}.db"
        path.write_bytes(data)
        with pytest.raises(StoreError):
            open_store(path, read_only=True)
        assert path.read_bytes() == data
    (tmp_path / "dir.db").mkdir()
    with pytest.raises(StoreError):
        open_store(tmp_path / "dir.db", read_only=True)


def test_a_file_that_another_process_holds_is_said_to_be_held(tmp_path, database, monkeypatch):
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.01)
    path = tmp_path / "runs.db"
    shutil.copy(database, path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("pragma locking_mode = exclusive")
    other.execute("update records set ts = ts + 1")
    try:
        with pytest.raises(StoreError, match="another process holds"):
            asyncio.run(verify(path, STREAM))
    finally:
        other.close()


# --- values ---------------------------------------------------------------------------------------


@settings(max_examples=examples(100), deadline=None)
@given(damaged(st.sampled_from(LINES)) | st.sampled_from([v for v in ODD if not callable(v)]))
def test_whatever_is_recorded_is_json_afterwards(value):
    """Events with any value in them are kept, as text if need be."""
    with bounded():
        text, changes = encode(value)
    assert set(changes) <= {"json", "surrogates"}
    assert json.loads(text) is not Ellipsis
    with bounded():
        to_json(value)


def test_values_that_hold_themselves_are_recorded_with_an_end(monkeypatch):
    """Also where there are more ways through them than anybody could walk."""
    monkeypatch.setattr(_serialize, "_MOST", 20_000)
    each = {}
    each["a"] = each["b"] = each["c"] = [each, each]
    crowd = [[] for _ in range(40)]
    for one in crowd:
        one.extend(crowd)
    with bounded():
        assert encode(each)[1] == ("json",)
        assert encode(crowd)[1] == ("json",)
        assert encode({"a": 10**5000})[1] == ("json",)
        assert encode(nested(5000))[1] == ("json",)


@pytest.mark.parametrize("cls", [Record, l0.Retry, l0.Timeout])
@settings(max_examples=examples(60), deadline=None)
@given(st.one_of(damaged_bytes(st.just(encode_json(LINES[0]))), st.binary(max_size=40)))
def test_text_that_is_no_such_object_is_a_value_error(cls, data):
    try:
        with bounded():
            from_json(cls, data)
    except ValueError as error:
        assert str(error)


def test_a_store_of_lines_that_were_damaged_goes_on_or_says_where(tmp_path):
    """Appending to a damaged file is refused; a torn last line is cut off."""
    path = Path(tmp_path / f"{STREAM}.jsonl")

    async def append(data):
        path.write_bytes(data)
        store = JsonlEventStore(tmp_path)
        try:
            await store.append(RECORDS[3:4])
            await store.flush()
        finally:
            await store.close()

    good = b"".join(encode_json(line) + b"\n" for line in LINES[:3])
    asyncio.run(append(good + b'{"torn'))
    assert path.read_bytes() == good + encode_json(LINES[3]) + b"\n"
    for bad in (good + b"nonsense\n", b"[" * 100_000 + b"\n", b"\xff\n", good.replace(b"{", b"[")):
        with pytest.raises(StoreError):
            asyncio.run(append(bad))
        assert path.read_bytes().startswith(bad[:50])


def test_records_that_nest_deeper_than_python_writes_are_broken_ones():
    """A record can be made by hand, and hold anything."""
    deep = msgspec.structs.replace(RECORDS[2], data={"a": nested(5000)})
    found = asyncio.run(verify([*RECORDS[:2], deep, *RECORDS[3:]], STREAM))
    assert (found.ok, found.first_bad_seq, found.reason) == (False, 2, "format")
