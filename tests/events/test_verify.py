"""The hash chain finds any change; canonical form; files and logs are checked like stores."""

from __future__ import annotations

import json
import sqlite3
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.errors import StoreError
from l0.events import (
    EventBus,
    InMemoryEventStore,
    JsonlEventStore,
    Log,
    Record,
    SQLiteEventStore,
    SQLiteReader,
    open_store,
    register_store,
    replay,
    verify,
    verify_records,
)
from l0.events._record import canonical, line_of, row_of
from l0.events._verify import check_rows
from l0.testing._check_store import records_of_run

RECORDS = records_of_run("run", ["a", "ß", "😀", "x" * 50, '"'], {"user": "ada", "n": [1, 2.5]})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(st.characters(codec="utf-8"))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def test_the_hash_is_of_the_previous_hash_and_the_record_in_canonical_json():
    """Anyone can check it with the standard library alone."""
    for record in RECORDS:
        told = {
            "data": record.data,
            "prev": record.prev,
            "seq": record.seq,
            "stream_id": record.stream_id,
            "ts": record.ts,
            "type": record.type,
            "v": 1,
        }
        if record.seq == 0:
            told["meta"] = record.meta
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert record.hash == sha256((record.prev + text).encode()).hexdigest()
        assert text.encode() == canonical(*row_of(record)[:7])
    assert RECORDS[0].prev == "0" * 64


@settings(max_examples=100, deadline=None)
@given(JSON, st.floats(0, 1e15), st.text(st.characters(codec="utf-8"), max_size=8))
def test_the_canonical_form_is_what_msgspec_writes(data, ts, type_):
    record = Record("s", 0, ts, type_, {"x": data}, {"m": data})
    row = row_of(record)
    wanted = msgspec.json.encode(
        {
            "data": record.data,
            "meta": record.meta,
            "prev": record.prev,
            "seq": 0,
            "stream_id": "s",
            "ts": ts,
            "type": type_,
            "v": 1,
        },
        order="sorted",
    )
    assert canonical(*row[:7]) == wanted
    line = json.loads(line_of(row))
    assert list(line) == sorted(line)


def test_an_untouched_stream_is_ok_and_says_its_head():
    found = verify_records(RECORDS)
    assert found.ok
    assert (found.records, found.first_bad_seq, found.reason) == (len(RECORDS), None, None)
    assert found.head == RECORDS[-1].hash
    assert found.ended
    assert not verify_records(RECORDS[:-1]).ended
    assert verify_records([]).ok


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("MAP_END", dict.fromkeys(("ok", "failed", "skipped", "reused"), 0)),
        ("CONSENSUS_END", {"status": "success", "confidence": 1.0}),
    ],
)
async def test_the_last_record_of_a_map_or_a_consensus_is_its_end(end, told):
    """What is no run ends as well, and its replay says how."""
    log, bus = Log(), EventBus(stream_id="call")
    detach = log.attach(bus)
    bus.emit("MAP_LIMITED", concurrency=1)
    begun = log.records()
    outcome = {"outcome": "completed"} if end == "MAP_END" else {}
    bus.emit(end, duration_ms=1.0, **told, **outcome)
    detach()
    assert [verify_records(each).ended for each in (begun, log.records())] == [False, True]
    lived = await replay(log)
    assert lived.outcome == "completed"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_s86_any_single_change_drop_swap_or_insertion_is_found_where_it_is(data):
    records = list(RECORDS)
    at = data.draw(st.integers(0, len(records) - 1))
    what = data.draw(st.sampled_from(["change", "drop", "swap", "insert", "forge"]))
    if what == "change":
        name, value = data.draw(
            st.sampled_from(
                [
                    ("ts", records[at].ts + 0.001),
                    ("type", "OTHER"),
                    ("data", {**records[at].data, "x": 1}),
                    ("stream_id", "other"),
                    ("prev", "1" * 64),
                    ("hash", "1" * 64),
                    ("meta", {"user": "eve"}),
                ]
            )
        )
        if name == "meta":
            at = 0
        records[at] = msgspec.structs.replace(records[at], **{name: value})
    elif what == "drop":
        at = min(at, len(records) - 2)  # a cut tail is another matter
        del records[at]
    elif what == "swap":
        at = min(at, len(records) - 2)
        records[at], records[at + 1] = records[at + 1], records[at]
    elif what == "insert":
        records.insert(at, records[data.draw(st.integers(0, len(records) - 1))])
    else:  # a record with a right hash of its own, but not the next one's prev
        row = row_of(records[at])
        digest = sha256(row.prev.encode() + canonical(*row[:4], "{}", row.meta, row.prev))
        records[at] = msgspec.structs.replace(records[at], data={}, hash=digest.hexdigest())
        at += 1
        if at == len(records):
            assert verify_records(records, RECORDS[-1].hash).reason == "truncated"
            return
    found = verify_records(records)
    assert not found.ok
    assert found.records == found.first_bad_seq
    if what == "insert":
        assert found.first_bad_seq in (at, at + 1)
    else:
        assert found.first_bad_seq == at


def test_the_reason_says_what_is_wrong():
    def reason(records):
        return verify_records(records).reason

    changed = msgspec.structs.replace(RECORDS[2], ts=1.0)
    assert reason([*RECORDS[:2], changed, *RECORDS[3:]]) == "hash"
    assert reason([*RECORDS[:2], *RECORDS[3:]]) == "gap"
    assert reason([RECORDS[0], RECORDS[2], RECORDS[1], *RECORDS[3:]]) == "order"
    assert reason([RECORDS[0], RECORDS[0], *RECORDS[1:]]) == "order"
    assert reason([*RECORDS[:2], msgspec.structs.replace(RECORDS[2], data={"x": "\ud800"})]) == (
        "format"
    )


def test_s86_a_cut_tail_is_found_with_the_head_only():
    head = RECORDS[-1].hash
    cut = RECORDS[:-2]
    assert verify_records(cut).ok
    found = verify_records(cut, head)
    assert (found.ok, found.first_bad_seq, found.reason) == (False, len(cut), "truncated")
    assert verify_records(RECORDS, RECORDS[3].hash).ok, "the stream has gone on since"
    assert verify_records([], head).reason == "truncated"


async def test_s86_every_flipped_byte_of_a_file_is_found(tmp_path):
    """Also those that leave the JSON equal: the last digit of a float, the case of an escape."""
    store = JsonlEventStore(tmp_path / "runs")
    records = records_of_run("run", ["a", "\x1f"], {"a": 0.30000000000000004})
    await store.append(records)
    await store.close()
    path = tmp_path / "runs" / "run.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    starts = [sum(map(len, lines[:n])) for n in range(len(lines))]
    for at in range(len(whole) - 1):
        for bit in (1, 32):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            found = await verify(path, "run")
            seq = max(n for n, start in enumerate(starts) if start <= at)
            assert not found.ok, f"byte {at}, bit {bit}"
            assert found.first_bad_seq <= seq


async def test_s86_changed_columns_of_a_database_are_found(tmp_path):
    path = tmp_path / "runs.db"
    store = SQLiteEventStore(path)
    await store.append(RECORDS)
    await store.flush()
    changes = [
        "UPDATE records SET data='{\"x\":1}' WHERE seq=3",
        "UPDATE records SET data=data||' ' WHERE seq=3",
        "UPDATE records SET ts=ts+0.001 WHERE seq=3",
        "UPDATE records SET type='OTHER' WHERE seq=3",
        "UPDATE records SET hash=prev WHERE seq=3",
        "UPDATE records SET data=x'ff' WHERE seq=3",
        "DELETE FROM records WHERE seq=3",
        "UPDATE records SET meta='{}' WHERE seq=3",
    ]
    for change in changes:
        with sqlite3.connect(path) as connection:
            connection.execute("SAVEPOINT s")
            kept = connection.execute("SELECT * FROM records").fetchall()
            connection.execute(change)
        found = await verify(store, "run")
        assert (found.ok, found.first_bad_seq) == (False, 3), change
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM records")
            connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?)", kept)
        connection.close()
    assert (await verify(store, "run")).ok
    await store.close()


async def test_stores_logs_lists_files_and_urls_are_checked_alike(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db")
    await store.append(RECORDS)
    await store.close()
    log = Log()
    bus = EventBus(log)
    bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="x")
    log.save(tmp_path / "log.jsonl")
    memory = InMemoryEventStore()
    await memory.append(RECORDS)
    for source in (
        RECORDS,
        memory,
        tmp_path / "runs.db",
        str(tmp_path / "runs.db"),
        f"sqlite:///{tmp_path}/runs.db",
    ):
        assert (await verify(source)).records == len(RECORDS)
    assert (await verify(tmp_path / "log.jsonl")).records == 1
    assert (await verify(log, bus.stream_id)).ok
    with pytest.raises(StoreError, match="check the path"):
        await verify(tmp_path / "none.db")
    with pytest.raises(ValueError, match="several streams"):
        await verify([*RECORDS, *records_of_run("other")])
    with pytest.raises(ValueError, match="no stream"):
        await verify([])
    with pytest.raises(TypeError, match="no Record"):
        await verify(["x"], "run")
    with pytest.raises(TypeError, match="holds no records"):
        await verify(42)


async def test_a_file_of_many_streams_is_checked_one_by_one(tmp_path):
    """Also if a record quotes another stream's id."""
    log = Log()
    one, two = EventBus(log, stream_id="one"), EventBus(log, stream_id="two")
    for bus, other in ((one, two), (two, one)) * 3:
        bus.emit("SESSION_START", options={"stream_id": other.stream_id})
    path = tmp_path / "log.jsonl"
    log.save(path)
    assert (await verify(path, "one")).records == 3
    assert (await verify(path, "two")).records == 3
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b"two", b"six"), *lines[3:]]))
    assert (await verify(path, "one")).first_bad_seq == 1
    assert (await verify(path, "two")).ok


def test_a_line_of_another_version_is_no_record():
    line = line_of(row_of(RECORDS[0])).replace(b'"v":1', b'"v":2')
    found = check_rows([line])
    assert (found.first_bad_seq, found.reason) == (0, "format")


def _listing(path):
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


async def test_reading_a_path_changes_nothing(tmp_path):
    """Evidence stays as it was: no lock, no journal, not a byte."""
    path = tmp_path / "runs.db"
    store = SQLiteEventStore(path)
    await store.append(RECORDS)
    await store.close()
    before = _listing(path)
    assert (await verify(path)).ok
    assert (await replay(str(path))).records == RECORDS
    assert (await verify(f"sqlite:///{path}")).ok
    assert _listing(path) == before


async def test_a_path_that_this_process_writes_to_shows_what_is_queued(tmp_path):
    store = SQLiteEventStore(tmp_path / "runs.db", commit_interval=60)
    await store.append(RECORDS)
    assert (await verify(tmp_path / "runs.db")).records == len(RECORDS)
    await store.close()


async def test_records_that_can_be_gone_through_once_only_are_checked_all_the_same():
    """An iterator that is used up proves nothing: "0 records, ok" would be no finding."""
    assert await verify(iter(RECORDS)) == verify_records(RECORDS)
    assert (await replay(record for record in RECORDS)).records == RECORDS


async def test_a_path_with_a_colon_is_a_path(tmp_path):
    """As the times have that people name their files by."""
    store = open_store(tmp_path / "2026-01-01T10:00.db")
    await store.append(RECORDS)
    await store.close()
    assert (await verify(tmp_path / "2026-01-01T10:00.db")).ok
    log = Log()
    EventBus(log).emit("FALLBACK_START", from_index=0, to_index=1, reason="x")
    log.save(tmp_path / "10:00:00.jsonl")
    assert (await verify(str(tmp_path / "10:00:00.jsonl"))).records == 1


async def test_a_url_of_a_store_of_ones_own_is_opened_by_it():
    store = InMemoryEventStore()
    await store.append(RECORDS)
    register_store("kept", lambda url: store)
    assert (await verify("kept://anywhere")).ok
    with pytest.raises(ValueError, match="known schemes are"):
        await verify("nobodys://anywhere")


async def test_a_reader_refuses_to_write_and_reads_what_others_commit(tmp_path):
    path = tmp_path / "runs.db"
    with pytest.raises(StoreError, match="check the path"):
        open_store(path, read_only=True)
    store = SQLiteEventStore(path)
    await store.append(RECORDS[:2])
    await store.flush()
    reader = SQLiteReader(path)
    assert await reader.get_events("run") == RECORDS[:2]
    await store.append(RECORDS[2:])
    await store.flush()
    assert await reader.get_events("run") == RECORDS
    assert list(reader.iter_records("run")) == RECORDS
    assert (await reader.get_last_event("run")) == RECORDS[-1]
    assert await reader.exists("run")
    for refused in (reader.append(RECORDS), reader.delete("run"), reader.compact(max_streams=0)):
        with pytest.raises(StoreError, match="reading only; use SQLiteEventStore"):
            await refused
    await reader.flush()
    await reader.close()
    await reader.close()
    with pytest.raises(StoreError, match="closed"):
        await reader.exists("run")
    await store.close()
    assert (await open_store(path, read_only=True).list_streams())[0].stream_id == "run"
