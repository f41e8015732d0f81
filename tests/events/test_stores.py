"""Every store keeps the contract, and its own promises beside it."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from l0.errors import CompositeStoreError, StoreError
from l0.events import (
    CompositeEventStore,
    EventBus,
    EventRecorder,
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    SQLiteEventStore,
    TTLEventStore,
    get_default_store,
    get_stream_metadata,
    open_store,
    register_store,
    resolve_store,
    set_default_store,
    verify,
)
from l0.events._jsonl_files import JsonlFiles
from l0.testing import VirtualClock
from l0.testing._check_store import check_store, records_of_run


class Custom:
    """The least a store of one's own can be."""

    def __init__(self):
        self.streams = {}

    async def append(self, records):
        from l0.events._store import check_id

        after = {k: list(v) for k, v in self.streams.items()}
        for record in records:
            known = after.setdefault(check_id(record.stream_id), [])
            if record.seq != len(known) or (known and record.prev != known[-1].hash):
                raise StoreError("it doesn't go on")
            known.append(record)
        self.streams = after

    async def get_events(self, stream_id, after_seq=-1, to_seq=None):
        from l0.events._store import check_id

        found = self.streams.get(check_id(stream_id), [])
        return [r for r in found if r.seq > after_seq and (to_seq is None or r.seq <= to_seq)]

    async def get_last_event(self, stream_id):
        found = await self.get_events(stream_id)
        return found[-1] if found else None

    async def exists(self, stream_id):
        return bool(await self.get_events(stream_id))

    async def delete(self, stream_id):
        there = await self.exists(stream_id)
        self.streams.pop(stream_id, None)
        return there

    async def list_streams(self, limit=None):
        inner = InMemoryEventStore()
        for records in self.streams.values():
            await inner.append(records)
        return await inner.list_streams(limit)

    async def flush(self): ...

    async def close(self): ...


@pytest.fixture
def numbered(tmp_path):
    count = iter(range(1000))
    return lambda suffix: tmp_path / f"{next(count)}{suffix}"


STORES = {
    "memory": lambda path: InMemoryEventStore(),
    "sqlite": lambda path: SQLiteEventStore(path(".db"), commit_interval=0.001),
    "sqlite full": lambda path: SQLiteEventStore(
        path(".db"), commit_interval=0, commit_records=3, synchronous="full"
    ),
    "jsonl": lambda path: JsonlEventStore(path(""), commit_interval=0.001),
    "jsonl fsync": lambda path: JsonlEventStore(path(""), fsync="commit", commit_interval=0),
    "composite": lambda path: CompositeEventStore(
        [InMemoryEventStore(), SQLiteEventStore(path(".db"), commit_interval=0.001)],
        primary_index=1,
    ),
    "ttl": lambda path: TTLEventStore(InMemoryEventStore(), ttl=60),
    "ttl of sqlite": lambda path: TTLEventStore(SQLiteEventStore(path(".db")), ttl=60),
    "custom": lambda path: Custom(),
}


@pytest.mark.parametrize("name", STORES)
async def test_a_store_keeps_the_contract(name, numbered):
    await check_store(lambda: STORES[name](numbered))


@pytest.mark.parametrize("limit", [-1, -7, 1.5, True, "2"], ids=repr)
@pytest.mark.parametrize("name", [*STORES, "file"])
async def test_a_limit_that_is_no_count_is_refused_by_every_store(name, limit, numbered):
    """One error everywhere; 0 is none, and more than there are is all."""
    if name == "file":
        log, path = Log(), numbered(".jsonl")
        log.save(path)
        store = open_store(path, read_only=True)
    else:
        store = STORES[name](numbered)
        await store.append(records_of_run("a"))
    with pytest.raises(ValueError, match=r"limit counts streams: a whole number, 0 or more"):
        await store.list_streams(limit)
    assert await store.list_streams(0) == []
    assert len(await store.list_streams(5)) == (name != "file")
    await store.close()


@pytest.mark.parametrize(
    ("suffix", "instead"),
    [(".db", "use SQLiteEventStore"), (".jsonl", "record to a directory")],
)
async def test_what_is_opened_for_reading_refuses_every_way_to_write(suffix, instead, tmp_path):
    """And says where to write."""
    path = tmp_path / f"runs{suffix}"
    if suffix == ".db":
        store = SQLiteEventStore(path)
        await store.append(records_of_run("a"))
        await store.close()
    else:
        store = JsonlEventStore(tmp_path)
        await store.append(records_of_run("a"))
        await store.close()
        (tmp_path / "a.jsonl").rename(path)
    store = open_store(path, read_only=True)
    for writing in (store.append(records_of_run("b")), store.delete("a"), store.compact()):
        with pytest.raises(StoreError, match=instead):
            await writing
    assert [stream.stream_id for stream in await store.list_streams()] == ["a"]
    await store.close()


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        ("get_last_event", "get_last_event"),
        ("get_events", "record"),
        ("list_streams", "newest"),
        ("delete", "deleted"),
    ],
)
async def test_check_store_finds_a_store_that_breaks_the_contract(breaking, message):
    """The check would be worth nothing if a wrong store passed it."""

    class Wrong(Custom):
        async def get_last_event(self, stream_id):
            found = await super().get_last_event(stream_id)
            return None if breaking == "get_last_event" else found

        async def get_events(self, stream_id, after_seq=-1, to_seq=None):
            found = await super().get_events(stream_id, after_seq, to_seq)
            return found[:-1] if breaking == "get_events" else found

        async def list_streams(self, limit=None):
            found = await super().list_streams(limit)
            return found[::-1] if breaking == "list_streams" else found

        async def delete(self, stream_id):
            if breaking == "delete":
                return await self.exists(stream_id)
            return await super().delete(stream_id)

    with pytest.raises(AssertionError, match=message):
        await check_store(Wrong)


# --- SQLite -----------------------------------------------------------------------------------


async def test_what_was_appended_is_there_when_the_store_is_opened_again(tmp_path):
    records = records_of_run("run", ["a", "b"], {"user": "ada"})
    store = SQLiteEventStore(tmp_path / "runs.db")
    await store.append(records)
    await store.close()
    again = open_store(f"sqlite:///{tmp_path}/runs.db")
    assert await again.get_events("run") == records
    await again.close()


async def test_two_stores_on_one_path_share_a_writer_and_may_be_closed_apart(tmp_path):
    (tmp_path / "sub").mkdir()
    one = SQLiteEventStore(tmp_path / "runs.db")
    two = SQLiteEventStore(tmp_path / "sub" / ".." / "runs.db")
    assert one._sink is two._sink
    records = records_of_run("run")
    await one.append(records[:2])
    await one.close()
    await two.append(records[2:])
    assert await two.get_events("run") == records
    await two.close()
    with pytest.raises(StoreError, match="closed; open it again"):
        await two.get_events("run")


async def test_processes_write_different_streams_to_one_file(tmp_path):
    """Two connections of their own stand for two processes: SQLite knows no difference."""
    from l0.events._sqlite_shared import SharedFile
    from l0.events._tap import Tap

    path = tmp_path / "runs.db"
    files = [SharedFile(path, (0.001, 4, 100, "normal")) for _ in range(4)]
    for number, file in enumerate(files):
        for record in range(3):
            rows = records_of_run(f"s{number}-{record}", ["t"] * 40)
            from l0.events._record import row_of

            tap = Tap()
            for each in rows:
                file.writer.put(tap, [row_of(each)])
    for file in files:
        await file.writer.flush()
        file.close()
    store = SQLiteEventStore(path)
    assert len(await store.list_streams()) == 12
    for found in await store.list_streams():
        assert (await verify(store, found.stream_id)).records == 43
    await store.close()


async def test_processes_that_write_the_same_stream_are_told_so(tmp_path):
    from l0.events._record import row_of
    from l0.events._sqlite_shared import SharedFile
    from l0.events._tap import Tap

    path = tmp_path / "runs.db"
    one, two = (SharedFile(path, (0, 1, 100, "normal")) for _ in range(2))
    first, second = records_of_run("run")[:2]
    taps = [Tap(), Tap()]
    one.writer.put(taps[0], [row_of(first)])
    await one.writer.flush()
    two.writer.tally("run")  # it has looked before
    one.writer.put(taps[0], [row_of(second)])
    await one.writer.flush()
    two.writer.put(taps[1], [row_of(second)])
    await two.writer.flush()
    assert taps[0].error is None
    assert "another process" in str(taps[1].error)
    for file in (one, two):
        file.close()


def _as_directory(path):
    path.mkdir()


def _as_text(path):
    path.write_text("no database at all, but long enough to have a header of a hundred bytes" * 9)


def _as_foreign(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title)")
    connection.close()


def _as_newer(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=2")
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_as_directory, "is a directory; give the path of a file"),
        (_as_text, "no SQLite database.*give another path"),
        (_as_foreign, "another program's database; give another path"),
        (_as_newer, "format 2.*update l0"),
    ],
)
def test_a_file_that_is_no_store_is_refused_with_what_to_do(make, message, tmp_path):
    path = tmp_path / "runs.db"
    make(path)
    with pytest.raises(StoreError, match=message):
        SQLiteEventStore(path)


def test_a_missing_directory_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(StoreError, match=r"does not exist; create it first.*sqlite:////"):
        open_store(f"sqlite:///{tmp_path}/none/runs.db")
    with pytest.raises(StoreError, match="does not exist; create it first"):
        open_store(f"jsonl:///{tmp_path}/none/runs")


def test_a_file_that_may_not_be_written_is_refused_with_what_to_do(tmp_path, monkeypatch):
    from l0.events import _sqlite_file

    def readonly(*_):
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(_sqlite_file, "_set_up", readonly)
    with pytest.raises(StoreError, match="check the permissions"):
        SQLiteEventStore(tmp_path / "runs.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StoreError, match="permissions"):
        SQLiteEventStore(tmp_path / "runs.db")


@pytest.mark.parametrize(
    "options", [{"commit_interval": -1}, {"commit_records": 0}, {"synchronous": "off"}]
)
def test_options_without_sense_are_refused(options, tmp_path):
    with pytest.raises(ValueError):
        SQLiteEventStore(tmp_path / "runs.db", **options)
    with pytest.raises(ValueError, match="InMemoryEventStore"):
        SQLiteEventStore(":memory:")


async def test_sql_and_plain_code_read_a_store_without_an_event_loop(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")
    one, two = records_of_run("one", meta={"n": 1}), records_of_run("two", meta={"n": 2})
    await store.append([*two, *one])
    assert list(store.iter_records()) == [*one, *two]
    found = list(store.iter_records("two", ["TOKENS"]))
    assert [r.seq for r in found] == [1, 2]
    assert found[0].meta == {"n": 2}
    connection = store.connect_readonly()
    query = "SELECT sum(json_array_length(data, '$.texts')) FROM records WHERE type='TOKENS'"
    assert connection.execute(query).fetchone() == (4,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM records")
    connection.close()
    await store.close()


async def test_compacting_deletes_whole_oldest_streams_and_shrinks_the_file(tmp_path):
    path = tmp_path / "runs.db"
    store = SQLiteEventStore(path)
    for number in range(20):
        await store.append(records_of_run(f"run-{number:02}", ["x" * 10_000] * 20))
    unfinished = records_of_run("open")[:2]
    await store.append(unfinished)
    await store.flush()
    assert await store.compact(max_streams=11) == 10
    assert [m.stream_id for m in await store.list_streams()][-1] == "run-10"
    size = path.stat().st_size
    assert await store.compact(max_bytes=1_000_000) > 0
    assert path.stat().st_size < min(size, 1_200_000)
    assert await store.compact(max_age=3600) == 0
    assert await store.compact(max_age=0) > 0
    assert [m.stream_id for m in await store.list_streams()] == ["open"], "it is being written"
    await store.close()


async def test_s98_a_full_queue_makes_append_wait_and_loses_nothing(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db", queue_records=10, commit_records=5)
    records = records_of_run("run", ["t"] * 500)
    for record in records:
        await store.append([record])
    assert await store.get_events("run") == records
    await store.close()


async def test_a_forked_process_writes_to_the_same_file(tmp_path):
    """The child leaves the parent's connection alone and opens its own."""
    store = SQLiteEventStore(tmp_path / "runs.db")
    parent, child = records_of_run("parent"), records_of_run("child")
    await store.append(parent[:2])
    await store.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            from l0.events._record import row_of
            from l0.events._tap import Tap

            tap = Tap()
            store._sink.put(tap, [row_of(record) for record in child])
            store._sink.flush_sync(5)
            code = 0 if tap.written == len(child) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await store.append(parent[2:])
    assert await store.get_events("parent") == parent
    assert await store.get_events("child") == child
    await store.close()


# --- JSONL ------------------------------------------------------------------------------------


async def test_s86_a_torn_last_line_costs_only_itself(tmp_path):
    records = records_of_run("run", ["a"] * 10)
    store = JsonlEventStore(tmp_path / "runs")
    await store.append(records[:8])
    await store.close()
    path = tmp_path / "runs" / "run.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    store = JsonlEventStore(tmp_path / "runs")
    assert await store.get_events("run") == records[:7]
    await store.append(records[7:])
    assert await store.get_events("run") == records
    assert (await verify(store, "run")).ok
    await store.close()


async def test_a_file_with_nothing_but_a_torn_line_is_an_empty_stream(tmp_path):
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / "run.jsonl"
    path.write_text('{"data":{"opt')
    store = JsonlEventStore(tmp_path / "runs")
    assert not await store.exists("run")
    records = records_of_run("run")
    await store.append(records)
    assert await store.get_events("run") == records
    await store.close()


async def test_a_damaged_line_is_an_error_that_says_what_to_do(tmp_path):
    store = JsonlEventStore(tmp_path / "runs")
    await store.append(records_of_run("run"))
    await store.close()
    path = tmp_path / "runs" / "run.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{}\n", *lines[2:]]))
    store = JsonlEventStore(tmp_path / "runs")
    with pytest.raises(StoreError, match=r"line 2 of .*l0\.verify"):
        await store.get_events("run")
    found = await verify(store, "run")
    assert (found.first_bad_seq, found.reason) == (1, "format")
    await store.close()


async def test_files_are_compacted_by_whole_streams(tmp_path):
    store = open_store(f"jsonl:///{tmp_path}/runs")
    for number in range(5):
        await store.append(records_of_run(f"run-{number}", ["x" * 1000]))
    await store.flush()
    assert await store.compact(max_streams=3) == 2
    assert await store.compact(max_bytes=3000) == 2
    assert sorted(p.stem for p in (tmp_path / "runs").iterdir()) == ["run-4"]
    assert [r.type for r in store.iter_records(types=["COMPLETE"])] == ["COMPLETE"]
    await store.close()


def test_a_file_where_the_directory_should_be_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="is a file; give a directory"):
        JsonlEventStore(tmp_path / "runs")
    with pytest.raises(ValueError, match="fsync"):
        JsonlEventStore(tmp_path / "other", fsync="always")


# --- memory, composite, TTL -------------------------------------------------------------------


async def test_memory_drops_the_oldest_streams_that_have_ended():
    store = InMemoryEventStore(max_streams=3)
    await store.append(records_of_run("running")[:2])
    for number in range(5):
        await store.append(records_of_run(f"run-{number}"))
        await asyncio.sleep(0.001)
    assert [m.stream_id for m in await store.list_streams()] == ["run-4", "run-3", "running"]
    with pytest.raises(ValueError):
        InMemoryEventStore(max_streams=0)


class Broken(InMemoryEventStore):
    """Fails from the second append on, or never answers."""

    def __init__(self, error=None):
        super().__init__()
        self.error, self.calls = error, 0
        del self._sink  # as a store of one's own

    async def append(self, records):
        self.calls += 1
        if self.calls > 1:
            if self.error is None:
                await asyncio.sleep(3600)
            raise self.error
        await super().append(records)


@pytest.mark.parametrize(
    "within", [lambda store: store, lambda store: TTLEventStore(store, ttl=60)], ids=["", "ttl"]
)
async def test_s98_a_failing_secondary_is_left_out_and_told(within):
    good, bad = InMemoryEventStore(), Broken(OSError("disk on fire"))
    store = within(CompositeEventStore([good, bad]))
    told = []
    bus = EventBus(stream_id="run")
    bus.subscribe(told.append, ["STORE_ERROR"])
    recorder = EventRecorder(store)
    recorder.attach(bus)
    for _ in range(3):
        bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="x")
        await asyncio.sleep(0.001)
    await recorder.close()
    assert len(await store.get_events("run")) == 3
    assert len(await bad.get_events("run")) == 1
    assert [(e["store"], e["error"], e["lost_records"]) for e in told] == [
        ("Broken", "disk on fire", 2)
    ]


async def test_a_secondary_that_does_not_answer_is_left_out():
    good, hung = InMemoryEventStore(), Broken()
    store = CompositeEventStore([good, hung], timeout=0.01)
    records = records_of_run("run")
    for record in records:
        await store.append([record])
    assert await store.get_events("run") == records
    ((name, error, lost),) = store.take_failures("run")
    assert (name, lost) == ("Broken", 4)
    assert "did not answer within 0.01 s" in str(error)


async def test_s98_a_failing_primary_is_an_error_that_says_who_succeeded():
    store = CompositeEventStore([Broken(OSError("no")), InMemoryEventStore()])
    records = records_of_run("run")
    await store.append(records[:1])
    with pytest.raises(CompositeStoreError) as caught:
        await store.append(records[1:])
    assert caught.value.succeeded == ("InMemoryEventStore(max_streams=1000)",)
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ValueError, match="primary_index 2"):
        CompositeEventStore([InMemoryEventStore()], primary_index=2)
    with pytest.raises(TypeError, match="no event store"):
        CompositeEventStore(["sqlite:///x"])


async def test_s98_an_expired_stream_is_gone_from_every_method():
    clock = VirtualClock()
    inner = InMemoryEventStore()
    store = TTLEventStore(inner, ttl=100, clock=clock)
    records = _at(records_of_run("run"), clock.time() * 1000)
    await store.append(records[:3])
    clock.now += 99
    assert await store.exists("run")
    assert [m.stream_id for m in await store.list_streams()] == ["run"]
    clock.now += 2
    assert await store.list_streams() == []
    with pytest.raises(StoreError):
        await store.append(records[3:])
    assert not await store.exists("run")
    assert await store.get_events("run") == []
    assert await store.get_last_event("run") is None
    assert await get_stream_metadata(store, "run") is None
    assert not await store.delete("run")
    assert await inner.list_streams() == []
    await store.append(_at(records_of_run("run"), clock.time() * 1000))
    assert await store.exists("run")


async def test_s98_purging_deletes_what_has_expired_and_happens_every_thousand_appends():
    clock = VirtualClock()
    inner = InMemoryEventStore()
    store = TTLEventStore(inner, ttl=10, clock=clock)
    for number in range(3):
        await store.append(_at(records_of_run(f"old-{number}"), clock.time() * 1000))
    clock.now += 11
    assert await store.purge() == 3
    await store.append(_at(records_of_run("old"), clock.time() * 1000))
    clock.now += 11
    for _ in range(1000):
        await store.append([])
    assert await inner.list_streams() == []
    with pytest.raises(ValueError, match="ttl"):
        TTLEventStore(inner, ttl=0)


def _at(records, ts):
    """The same records, chained anew, at another time."""
    from l0.events._record import chained, records_of, row_of

    rows, prev = [], "0" * 64
    for record in records:
        row = row_of(record)
        row = chained(row.stream_id, row.seq, ts, row.type, row.data, row.meta, prev)
        rows.append(row)
        prev = row.hash
    return list(records_of(rows))


# --- finding a store --------------------------------------------------------------------------


def test_a_url_without_a_store_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"known schemes are .*sqlite.*register_store"):
        open_store("redis://localhost")
    with pytest.raises(ValueError, match="no URL scheme"):
        register_store("x", lambda url: InMemoryEventStore())


async def test_a_path_alone_says_which_store_it_is(tmp_path):
    store = open_store(tmp_path / "runs.sqlite")
    assert isinstance(store, SQLiteEventStore)
    await store.close()
    assert isinstance(open_store(tmp_path), JsonlEventStore)
    registered = []
    register_store("seen", lambda url: registered.append(url) or InMemoryEventStore())
    open_store("SEEN:anything/at/all")
    assert registered == ["SEEN:anything/at/all"]


async def test_three_slashes_begin_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///runs.db")
    assert (tmp_path / "runs.db").exists()
    await store.close()


async def test_the_default_store_is_one_for_the_process(tmp_path):
    assert get_default_store() is None
    try:
        store = InMemoryEventStore()
        set_default_store(store)
        assert get_default_store() is store
        url = f"sqlite:///{tmp_path}/runs.db"
        set_default_store(url)
        opened = get_default_store()
        assert opened is get_default_store() is resolve_store(url)
        await opened.close()
        with pytest.raises(TypeError, match="an event store is"):
            set_default_store(42)
    finally:
        set_default_store(None)
    assert get_default_store() is None


# --- a file that others hold ------------------------------------------------------------------


async def test_a_database_that_another_process_holds_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("l0.events._sqlite_file.BUSY_SECONDS", 0.01)
    store = SQLiteEventStore(tmp_path / "runs.db", commit_interval=0)
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    records = records_of_run("run")
    await store.append(records)
    await asyncio.sleep(0.05)
    other.execute("ROLLBACK")
    other.close()
    assert await store.get_events("run") == records
    await store.close()


async def test_a_database_that_is_never_let_go_is_given_up_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("l0.events._sqlite_file.BUSY_SECONDS", 0.01)
    monkeypatch.setattr("l0.events._sqlite_file._PATIENCE", 0.02)
    store = SQLiteEventStore(tmp_path / "runs.db", commit_interval=0)
    other = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await store.append(records_of_run("one"))
    await store.append(records_of_run("two"))
    with pytest.raises(StoreError, match="another process holds"):
        await store.flush()
    other.execute("ROLLBACK")
    other.close()
    await store.append(records_of_run("one"))
    assert await store.exists("one"), "it goes on when the file is free"
    await store.close()


# --- a file that can't be written -------------------------------------------------------------


async def test_a_disk_that_is_full_is_told_with_what_to_do_and_can_be_gone_on_with(tmp_path):
    """Half a line may stand then; it is cut off when the file can be written again."""
    store = JsonlEventStore(tmp_path / "runs")
    records = records_of_run("run", ["x" * 60_000, "y"])
    await store.append(records[:2])
    await store.flush()
    size = (tmp_path / "runs" / "run.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
    try:
        await store.append(records[2:])
        with pytest.raises(StoreError, match="check its permissions and free space"):
            await store.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await store.get_events("run") == records[:2]
    await store.append(records[2:])
    assert await store.get_events("run") == records
    await store.close()


async def test_a_damaged_database_is_told_as_a_store_error(tmp_path, monkeypatch):
    store = SQLiteEventStore(tmp_path / "runs.db")

    def damaged(*_):
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr("l0.events._sqlite_file._insert", damaged)
    await store.append(records_of_run("run"))
    with pytest.raises(StoreError, match="or a damaged one"):
        await store.flush()
    await store.close()


async def test_what_is_written_with_a_damaged_stream_is_written_once(tmp_path, monkeypatch):
    """A group of rows is tried again stream by stream, where one of its streams has trouble."""
    monkeypatch.setattr("l0.events._jsonl_files._OPEN_FILES", 1)
    store = JsonlEventStore(tmp_path / "runs")
    good, bad = records_of_run("a"), records_of_run("b")
    await store.append([bad[0], good[0]])
    await store.flush()
    with (tmp_path / "runs" / "b.jsonl").open("a") as file:
        file.write('{"no": "record"}\n')
    await store.append([good[1], bad[1]])
    with pytest.raises(StoreError, match="is no record"):
        await store.flush()
    assert await store.get_events("a") == good[:2]
    await store.close()


async def test_a_file_that_may_not_be_deleted_is_told(tmp_path, monkeypatch):
    store = JsonlEventStore(tmp_path / "runs")
    await store.append(records_of_run("run"))

    def refused(path, **_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        with pytest.raises(StoreError, match=r"can't delete .*run\.jsonl: Permission denied"):
            await store.delete("run")
    assert await store.delete("run")
    assert not await store.delete("run")
    await store.close()


async def test_a_file_that_fails_when_it_is_closed_keeps_nobody_waiting(
    tmp_path, monkeypatch, caplog
):
    store = JsonlEventStore(tmp_path / "runs", fsync="close")
    await store.append([*records_of_run("one"), *records_of_run("two")])
    await store.flush()
    files = list(store._files._open.values())

    def broken(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("l0.events._jsonl_files.os.fsync", broken)
    await store.close()
    assert "could not be closed" in caplog.text
    assert all(file.closed for file in files)


def test_a_process_that_is_forked_amid_a_write_leaves_the_files_alone(tmp_path):
    """What a buffer held at that moment would be written by both."""
    files = JsonlFiles(tmp_path / "runs", "never")
    files.open()
    files._file("run").write(b"once")
    pid = os.fork()
    if pid == 0:
        files.abandon()
        gc.collect()
        os._exit(0)
    os.waitpid(pid, 0)
    files.close()
    assert files.path("run").read_bytes() == b"once"


@pytest.mark.parametrize(
    "make",
    [lambda path: SQLiteEventStore(path / "runs.db"), lambda path: JsonlEventStore(path / "runs")],
    ids=["sqlite", "jsonl"],
)
async def test_a_store_that_is_never_flushed_remembers_only_so_many_streams(
    make, tmp_path, monkeypatch
):
    monkeypatch.setattr("l0.events._appends._TAPS", 3)
    store = make(tmp_path)
    for number in range(10):
        await store.append(records_of_run(f"run-{number}"))
        assert len(store._appends._taps) <= 3
    await store.close()


async def test_reading_behind_a_disk_that_hangs_ends_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("l0.events._sqlite.PATIENCE", 0.01)
    store = SQLiteEventStore(tmp_path / "runs.db", commit_interval=0)
    free, write = threading.Event(), store._file._backend.write
    monkeypatch.setattr(store._file._backend, "write", lambda group: free.wait() and write(group))
    await store.append(records_of_run("run"))
    with pytest.raises(StoreError, match=r"did not write what it holds within 0.01 s"):
        list(store.iter_records())
    free.set()
    await store.close()


async def test_more_streams_than_may_be_open_files(tmp_path, monkeypatch):
    monkeypatch.setattr("l0.events._jsonl_files._OPEN_FILES", 3)
    store = JsonlEventStore(tmp_path / "runs", fsync="close")
    runs = {f"run-{number}": records_of_run(f"run-{number}") for number in range(10)}
    for at in range(5):
        await store.append([records[at] for records in runs.values()])
        await store.flush()
    assert len(store._files._open) == 3
    for stream_id, records in runs.items():
        assert await store.get_events(stream_id) == records
    await store.close()


async def test_a_directory_that_vanished_is_told(tmp_path):
    store = JsonlEventStore(tmp_path / "runs", commit_interval=0)
    (tmp_path / "runs").rmdir()
    await store.append(records_of_run("run"))
    with pytest.raises(StoreError, match="can't write"):
        await store.flush()
    await store.close()


def test_who_waits_for_a_store_that_is_closed_is_told_also_behind_one_who_gave_up(tmp_path):
    store = JsonlEventStore(tmp_path / "runs", commit_interval=0)
    writer, begun, free = store._sink, threading.Event(), threading.Event()
    writer.submit(lambda: begun.set() or free.wait(5))
    assert begun.wait(5)
    closing = threading.Thread(target=writer.close)
    closing.start()
    while not writer._queue:  # the mark behind which nothing is done any more
        time.sleep(0)
    gone, waits = writer.submit(lambda: 1), writer.submit(lambda: 2)
    gone.cancel()
    free.set()
    closing.join(5)
    with pytest.raises(StoreError, match="was closed"):
        waits.result(5)


async def test_closed_stores_say_so(tmp_path):
    for store in (SQLiteEventStore(tmp_path / "runs.db"), JsonlEventStore(tmp_path / "runs")):
        await store.close()
        with pytest.raises(StoreError, match="closed; open it again"):
            await store.append(records_of_run("run"))
        with pytest.raises(StoreError, match="closed; open it again"):
            await store.list_streams()


async def test_reading_a_file_that_is_no_event_log_is_refused(tmp_path):
    from l0.events._sqlite_file import open_readonly

    with pytest.raises(StoreError, match="there is no file"):
        open_readonly(tmp_path / "none.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="holds no event log"):
        open_readonly(tmp_path / "empty.db")
    _as_text(tmp_path / "text.db")
    with pytest.raises(StoreError, match="no SQLite database"):
        open_readonly(tmp_path / "text.db")
