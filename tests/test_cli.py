"""The `l0` command, called as a person calls it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

import l0
from l0.cli import main
from l0.testing import ScriptedModel, fail


def l0_command(*words, cwd):
    return subprocess.run(
        [sys.executable, "-m", "l0.cli", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        check=False,
    )


@pytest.fixture
def store(tmp_path):
    """A store with one run that was broken and saved."""
    path = tmp_path / "runs.db"

    async def record():
        store = l0.open_store(f"sqlite:///{path}")
        model = ScriptedModel(["one ", "two ", fail(ConnectionResetError("x"))], ["one ", "2"])
        stream = l0.run(model, retry=l0.Retry(base_delay=0), event_store=store)
        await stream.read()
        await store.close()
        return stream.stream_id

    return path, l0.run_sync(record())


@pytest.mark.sdk
def test_the_demo_shows_what_was_withdrawn_and_records_it(tmp_path):
    """Stall, drop, success; the text is whole and the run can be looked into."""
    done = l0_command("demo", "--fast", "--record", "demo.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("withdrawn:") == 2
    for word in ("TIMEOUT_TRIGGERED", "NETWORK_ERROR", "The text is complete: 3 requests"):
        assert word in done.stdout
    assert "completed" in l0_command("runs", "demo.db", cwd=tmp_path).stdout


def test_looking_changes_nothing_and_makes_nothing(store, capsys, tmp_path):
    """A log is evidence; and a place that is not there is not made by asking for it."""
    path, run = store
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    for words in (["runs"], ["show"], ["replay"], ["verify"]):
        assert main([words[0], str(path)]) == 0
    assert run in capsys.readouterr().out
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    assert main(["runs", f"sqlite:///{tmp_path}/none.db"]) != 0
    assert "check the path" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_looking_into_a_store(store, capsys, tmp_path):
    """runs, show, replay, verify, export."""
    path, run = store
    assert main(["runs", str(path)]) == 0
    assert run in capsys.readouterr().out
    assert main(["show", str(path), run[:8]]) == 0
    out = capsys.readouterr().out
    assert "one 2" in out
    assert "CONNECTION_DROPPED" in out
    assert main(["replay", str(path), "--speed", "0"]) == 0
    assert "[withdrawn: 8 characters, network_error]" in capsys.readouterr().out
    assert main(["verify", str(path)]) == 0
    assert "1 runs, 0 broken" in capsys.readouterr().out
    assert main(["export", str(path), "-o", str(tmp_path / "run.jsonl")]) == 0
    log = l0.events.Log.load(tmp_path / "run.jsonl")
    assert log.stream_ids() == [run]


def test_what_is_exported_is_looked_into_as_well(store, capsys, tmp_path):
    """Every command takes the file that `export` writes, and says the same of it."""
    path, run = store
    file = tmp_path / "run.jsonl"
    assert main(["export", str(path), "-o", str(file)]) == 0
    exported = file.read_bytes()
    capsys.readouterr()
    for words in (["runs"], ["show", "--all"], ["replay", "--speed", "0"], ["verify"], ["export"]):
        assert main([words[0], str(path), *words[1:]]) == 0
        told = capsys.readouterr().out
        for place in (str(file), f"jsonl:///{file}"):
            assert main([words[0], place, *words[1:]]) == 0
            assert capsys.readouterr().out == told
    assert main(["show", str(file), run[:8]]) == 0
    assert file.read_bytes() == exported


def test_a_changed_or_torn_export_is_told(store, capsys, tmp_path):
    """`verify` says which record; the others end in one line."""
    path, _ = store
    file = tmp_path / "run.jsonl"
    assert main(["export", str(path), "-o", str(file)]) == 0
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"texts":["one "', b'"texts":["two "', 1))
    assert main(["verify", str(file)]) == 1
    assert "BROKEN at record" in capsys.readouterr().out
    file.write_bytes(b"{}\n" + whole)
    assert main(["verify", str(file)]) == 1
    assert "BROKEN at record 0: format" in capsys.readouterr().out
    assert main(["show", str(file)]) == 1
    assert "line 1 of" in capsys.readouterr().err


def test_the_latest_run_is_the_last_to_begin_whatever_its_name(tmp_path, capsys):
    async def record():
        store = l0.open_store(f"sqlite:///{tmp_path}/named.db")
        for name in ("z-first", "a-second"):
            await l0.run(lambda name=name: [name], event_store=store, stream_id=name).read()
        await store.close()

    l0.run_sync(record())
    assert main(["replay", f"{tmp_path}/named.db"]) == 0
    assert capsys.readouterr().out.strip() == "a-second"
    assert main(["runs", f"{tmp_path}/named.db", "-n", "1"]) == 0
    assert capsys.readouterr().out.split("\n")[1].startswith("a-second ")


@pytest.mark.parametrize("place", ["sqlite:///{}/runs.db", "jsonl:///{}/runs"])
def test_maps_and_consensus_calls_have_their_outcome(place, tmp_path, capsys):
    """What a map or a consensus came to stands in the list, as that of a run does."""

    async def record():
        store = l0.open_store(place.format(tmp_path))
        options = {"store": False, "event_store": store, "concurrency": 1}
        whole = l0.map(["a", "b"], "{}", lambda prompt: [prompt], **options)
        await whole
        left = l0.map(["a", "b"], "{}", lambda prompt: [prompt], **options)
        async for _ in left:
            left.abort("seen enough")

        async def ask(answer=""):
            if not answer:
                raise ConnectionResetError("reset")
            return answer

        agreed = await l0.consensus([lambda: ask("x"), lambda: ask("x")], event_store=store)
        with pytest.raises(l0.compose.NoConsensusError):
            await l0.consensus([ask, ask], event_store=store)
        known = {each.stream_id: each.outcome for each in await store.list_streams()}
        await store.close()
        return whole.stream_id, left.stream_id, agreed.stream_id, known

    whole, left, agreed, known = l0.run_sync(record())
    assert (known[whole], known[left], known[agreed]) == ("completed", "aborted", "completed")
    assert sorted(known.values()).count("failed") == 1, "nobody agreed"
    assert "unfinished" not in known.values()
    assert main(["runs", str(next(tmp_path.iterdir()))]) == 0
    lines = {line.split()[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines()}
    assert {name: lines[name] for name in known} == known
    assert main(["show", str(next(tmp_path.iterdir())), left]) == 0
    assert f"run {left}: aborted, " in capsys.readouterr().out


def test_verify_says_which_record_was_changed(store, capsys):
    """Status 1."""
    path, run = store
    with sqlite3.connect(path) as connection:
        connection.execute("update records set ts = ts + 1 where seq = 5")
    connection.close()
    assert main(["verify", str(path)]) == 1
    assert f"{run}  BROKEN at record 5: hash" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["runs", "nowhere.db"], "there is no nowhere.db"),
        (["show", "{store}", "ffff"], "`l0 runs` lists the ids"),
        (["serve", "drip@40"], "drop"),
    ],
    ids=["no store", "no run", "no fault"],
)
def test_mistakes_are_told_in_one_line(store, words, says, capsys):
    """On standard error, with status 1 and without a traceback."""
    assert main([word.format(store=store[0]) for word in words]) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


def test_without_a_command_it_teaches(capsys):
    """The help, and status 2."""
    assert main([]) == 2
    assert "l0 demo" in capsys.readouterr().out


@pytest.mark.sdk
def test_serve_is_a_model_for_any_client():
    """It prints the variables to set, answers the real client, and ends at Ctrl-C."""
    import openai

    # What a shell runs in the background ignores Ctrl-C, and hands that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "l0.cli", "serve", "429", "--speed", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    signal.signal(signal.SIGINT, before)
    try:
        name, _, url = process.stdout.readline().strip().partition("=")
        assert name == "OPENAI_BASE_URL"

        async def ask():
            client = l0.wrap(
                openai.AsyncOpenAI(base_url=url, api_key="any"), retry=l0.Retry(base_delay=0.01)
            )
            messages = [{"role": "user", "content": "A story, please."}]
            stream = client.chat.completions.create(
                model="sim:story", messages=messages, stream=True
            )
            text = await stream.read()
            await client.close()
            return text, len(stream.errors)

        text, errors = l0.run_sync(ask())
        assert len(text) > 500
        assert errors == 1
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert "Traceback" not in err
