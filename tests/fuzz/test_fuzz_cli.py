"""The command called with anything: a status, one line that says what is wrong, no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_kit import bounded, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import l0
from l0.cli import main
from l0.events import JsonlEventStore, SQLiteEventStore
from l0.testing import ScriptedModel, VirtualClock, fail

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Stores, sound and not, and what is none; and the id of the run that is in them."""
    base = tmp_path_factory.mktemp("cli")

    async def record(make):
        store = make()
        model = ScriptedModel(["one ", "two ", fail(ConnectionResetError("x"))], ["one ", "2 😀"])
        options = {"clock": VirtualClock(), "retry": l0.Retry(base_delay=0), "event_store": store}
        stream = l0.run(model, **options)
        await stream.read()
        await store.close()
        return stream.stream_id

    run = asyncio.run(record(lambda: SQLiteEventStore(base / "runs.db")))
    in_lines = asyncio.run(record(lambda: JsonlEventStore(base / "lines")))
    whole = (base / "runs.db").read_bytes()
    line = (base / "lines" / f"{in_lines}.jsonl").read_bytes()
    (base / "cut.db").write_bytes(whole[: len(whole) // 2])
    (base / "holes.db").write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    (base / "empty.db").write_bytes(b"")
    (base / "text.db").write_text("hello\n")
    (base / "none").mkdir()
    (base / "torn").mkdir()
    (base / "torn" / f"{in_lines}.jsonl").write_bytes(line[:-30])
    (base / "odd").mkdir()
    (base / "odd" / f"{in_lines}.jsonl").write_bytes(line.replace(b'"ts":1', b'"ts":9e300', 1))
    (base / "odd" / "notes of mine.jsonl").write_bytes(b"hello")
    (base / "bad").mkdir()
    (base / "bad" / f"{in_lines}.jsonl").write_bytes(line + b"nonsense\n" + line)
    for name, sql in {
        "times": "update records set ts = 1e308; update streams set start_ts = -1e308",
        "types": "update streams set token_count = 'many'",
        "blobs": "update records set data = x'ff00' where seq = 2",
        "tables": "drop table streams",
        "later": "pragma user_version = 9",
        "ids": "update streams set stream_id = 'a b'",
        "gone": "delete from records",
    }.items():
        (base / f"{name}.db").write_bytes(whole)
        connection = sqlite3.connect(base / f"{name}.db")
        connection.executescript(sql)
        connection.close()
    return base, [run, in_lines]


STORES = [
    *(
        "runs.db",
        "lines",
        "cut.db",
        "holes.db",
        "empty.db",
        "text.db",
        "none",
        "torn",
        "odd",
        "bad",
    ),
    *(
        "times.db",
        "types.db",
        "blobs.db",
        "tables.db",
        "later.db",
        "ids.db",
        "gone.db",
        "missing.db",
    ),
    *(
        "lines/x.jsonl",
        "sqlite:///{base}/runs.db",
        "jsonl:///{base}/lines",
        "jsonl:///{base}/new",
        "",
    ),
    *(
        "memory:",
        "memory://",
        "x://y",
        "://",
        "a\x00b",
        "x" * 5000,
        "\ud83d",
        "-",
        "/dev/null",
        ".",
    ),
]
RUNS = ["{run}", "{run}", "", "0", "ffff", "\x00", "\ud83d", "../x", "x" * 200, "%s{}"]
ODD = [
    "",
    "-1",
    "0",
    "1",
    "1e400",
    "nan",
    "inf",
    "1" * 5000,
    "0x1",
    "é",
    "\ud83d",
    "1_0",
    " 1 ",
    "-",
]
OPTIONS = {
    "runs": ["--limit", "-n"],
    "show": ["--all"],
    "replay": [],
    "verify": ["--head"],
    "export": ["--out", "-o"],
}


@st.composite
def commands(draw):
    """The words of a command, more or less as its parser wants them."""
    command = draw(st.sampled_from([*OPTIONS, "serve", "runz", ""]))
    words = [command, draw(st.sampled_from(STORES))]
    if command == "serve":
        words = [command, draw(st.sampled_from(["drip@40", "\ud83d", "nope"]))]
        words += draw(st.sampled_from([[], ["--port", "99999"], ["--speed", "nan"]]))
        return words
    if draw(st.booleans()):
        words.append(draw(st.sampled_from(RUNS)))
    for option in OPTIONS.get(command, []):
        if draw(st.integers(0, 2)) == 0:
            words.append(option)
            if option in {"-o", "--out"}:
                words.append(draw(st.sampled_from(["{base}", "{base}/no/x", "{base}/out", ""])))
            elif option != "--all":
                words.append(draw(st.sampled_from(ODD)))
    if command == "replay":
        words += [
            "--speed",
            draw(st.sampled_from(["0", "0", "1e300", "-1", "nan", "inf", "x", ""])),
        ]
    if draw(st.integers(0, 6)) == 0:
        words.insert(
            draw(st.integers(0, len(words))), draw(st.sampled_from(["--", "-x", "--al", "-"]))
        )
    return words


def call(words, places):
    """Status, standard output and error of a call in this process."""
    base, runs = places
    said = [
        word.replace("{base}", str(base)).replace("{run}", runs[len(words) % 2][:30])
        for word in words
    ]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(base):
        try:
            with bounded():
                status = main(said)
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


@settings(
    max_examples=examples(80),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(words=commands())
def test_any_words_end_in_a_status_and_a_line_that_says_why(places, words):
    before = sorted(each.name for each in places[0].iterdir())
    status, out, err = call(words, places)
    assert status in {0, 1, 2}
    assert "Traceback" not in out + err
    if status == 1 and not out:
        assert err.startswith("l0 ")
        assert err.count("\n") == 1
        assert 10 < len(err) < 600
    if status == 2 and words[0]:
        assert "usage:" in err
        assert "error:" in err
    made = {each.name for each in places[0].iterdir()} - set(before)
    assert made <= {"out"}  # looking makes nothing; `export -o` makes what it is asked for


@pytest.mark.parametrize("store", STORES, ids=repr)
@pytest.mark.parametrize("command", OPTIONS)
def test_every_command_says_what_is_wrong_with_every_place(places, command, store):
    more = ["--speed", "0"] if command == "replay" else []
    status, out, err = call([command, store, *more], places)
    assert status in {0, 1, 2}
    assert status == 0 or out or err.startswith(("l0 ", "usage:"))
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["runs", "runs.db", "--limit", "-5"], "must be 0 or more, not -5"),
        (["runs", "runs.db", "--limit", "1" * 5000], "invalid number value"),
        (["replay", "runs.db", "--speed", "nan"], "must be 0 or more, not nan"),
        (["serve", "--port", "99999"], "must be from 0 to 65535, not 99999"),
        (["serve", "--speed", "-1"], "must be 0 or more, not -1"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_a_number_out_of_bounds_is_told_its_bounds(places, words, says):
    status, _, err = call(words, places)
    assert status == 2
    assert says in err


def test_a_time_that_no_calendar_has_is_shown_as_such(places):
    """The record was tampered with; the other columns are there all the same."""
    status, out, _ = call(["runs", "times.db"], places)
    assert status == 0
    assert "?" in out
    assert places[1][0] in out


def process(*words, cwd, stdout=subprocess.PIPE, **env):
    return subprocess.run(
        [sys.executable, "-m", "l0.cli", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=cwd,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )


def test_a_terminal_without_a_character_gets_its_number(places):
    done = process("show", "runs.db", cwd=places[0], PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert b"one 2 \\U0001f600" in done.stdout
    assert not done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_told_in_one_line(places):
    with FULL.open("w") as full:
        done = process("runs", "runs.db", cwd=places[0], stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith(b"l0 runs: ")
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_goes_away_is_no_failure(places):
    """`l0 runs | head`: also where the output fits into a buffer."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = process("runs", "runs.db", cwd=places[0], stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_words_that_are_no_text_are_told(places):
    done = process("show", b"\xff\xfe", cwd=places[0])
    assert done.returncode == 1
    assert done.stderr.startswith(b"l0 show: there is no ")
    assert b"Traceback" not in done.stderr
