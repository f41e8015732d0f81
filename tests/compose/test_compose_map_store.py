"""What is done is kept: the same call again makes only what is missing."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys

import pandas as pd  # noqa: TID253  the tests are of its frames
import pytest

from l0.compose import _map_table as table
from l0.compose import map as map_rows
from l0.compose._map_key import identity, row_key
from l0.compose._results import FileResults
from l0.errors import StoreError
from l0.events import Usage
from l0.stream import Retry
from l0.testing import end, http_error

USAGE = Usage(input_tokens=3, output_tokens=2)


class Model:
    def __init__(self, bad=()):
        self.asked, self.bad = [], set(bad)

    async def __call__(self, prompt):
        self.asked.append(prompt)
        if prompt in self.bad:
            raise http_error(400)

        async def answer():
            yield prompt.upper()
            yield end(usage=USAGE)

        return answer()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.db"


def run(items, model, path, prompt="{}", **options):
    return map_rows(items, prompt, model, name="m", store=path, retry=Retry.none(), **options)


# --- again --------------------------------------------------------------------------------------


async def test_the_same_call_again_asks_nobody(path):
    first, second = Model(), Model()
    made = await run(list("abc"), first, path)
    again = await run(list("abc"), second, path)
    assert (sorted(first.asked), second.asked) == (["a", "b", "c"], [])
    assert again.texts == made.texts == ["A", "B", "C"]
    assert (again.ok, again.reused, again.usage) == (3, 3, Usage())
    assert {row.origin for row in again} == {"stored"}
    assert again.rows[0].usage == made.rows[0].usage  # what it took when it was made
    assert again.rows[0].usage.total_tokens == 5
    assert (again.rows[0].started, again.rows[0].key) == (made.rows[0].started, made.rows[0].key)


async def test_only_what_is_missing_is_made_and_what_failed_is_tried_again(path):
    await run(list("abc"), Model(bad="b"), path)
    model = Model()
    result = await run(list("abcd"), model, path)
    assert sorted(model.asked) == ["b", "d"]
    assert (result.ok, result.failed, result.texts) == (4, 0, ["A", "B", "C", "D"])


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Say {}"},
        {"name": "other"},
        {"key": lambda row: "another sample"},
        {"parse": str},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_another_question_is_asked(path, change):
    model = Model()
    await run(["a"], model, path)
    changed = {"name": "m", "prompt": "{}", "store": path, "retry": Retry.none(), **change}
    await map_rows(["a"], changed.pop("prompt"), model, **changed)
    assert len(model.asked) == 2


async def test_an_interrupted_map_goes_on_where_it_was(path):
    model = Model()
    async for _ in run([str(n) for n in range(40)], model, path, concurrency=2):
        if len(model.asked) > 10:
            break
    before = len(model.asked)
    await asyncio.sleep(0.01)
    model.asked.clear()
    result = await run([str(n) for n in range(40)], model, path)
    assert result.ok == 40
    assert len(model.asked) <= 40 - before + 2
    assert result.reused >= before - 2


async def test_the_default_store_stands_beside_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = await map_rows(["a"], "{}", Model(), name="m")
    assert result.path == tmp_path / ".l0" / "map.db"
    assert (tmp_path / ".l0" / ".gitignore").read_text() == "*\n"
    model = Model()
    await map_rows(["a", "b"], "{}", model, name="m")
    assert model.asked == ["b"]


async def test_a_store_in_memory_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = await map_rows(["a"], "{}", Model(), store=False)
    assert (result.path, list(tmp_path.iterdir())) == (None, [])


async def test_answers_read_back_as_they_were(path):
    texts = ["a", "zero \0 inside", "emoji 👩‍🚀", "line\r\nline", "x" * 100_000]

    def model(prompt):
        return [texts[int(prompt)], "."]

    result = await run([str(n) for n in range(5)], model, path)
    assert result.texts == [f"{text}." for text in texts]
    assert (await run([str(n) for n in range(5)], model, path)).texts == result.texts


# --- data ---------------------------------------------------------------------------------------


async def test_data_is_validated_stored_and_read_again(path):
    """As columns of the frame; JSON that had to be repaired is stored repaired."""
    from pydantic import BaseModel

    class City(BaseModel):
        name: str
        people: int
        error: str | None = None

    def model(prompt):
        return ['{"name": "', prompt, '", "people": 7,}'] if prompt != "bad" else ["no idea"]

    frame = pd.DataFrame({"city": ["Oslo", "bad", "Rome"]}, index=[5, 6, 7])
    for origin in ("made", "stored"):
        result = await run(frame, model, path, prompt="{city}", parse=City)
        assert result.rows[0].data == City(name="Oslo", people=7)
        assert result.rows[0].origin == origin
        made = result.frame
        assert list(made["name"].fillna("-")) == ["Oslo", "-", "Rome"]
        assert list(made["ok"]) == [True, False, True]
        assert made["raw"][5] == '{"name": "Oslo", "people": 7,}'
        assert "data.error" in made.columns  # `error` is the row's own
        assert result.rows[1].error_type == "SchemaValidationError"


async def test_data_without_fields_is_one_column(path):
    result = await run(["1", "2"], lambda prompt: [prompt], path, parse=int)
    assert list(result.frame["data"]) == [1, 2]


# --- two maps on one store ----------------------------------------------------------------------


async def test_two_maps_share_the_work(path):
    """Each row is asked by one of them, and both have all answers."""
    items = [str(n) for n in range(150)]

    class Slow(Model):
        async def __call__(self, prompt):
            await asyncio.sleep(0.005)
            return await super().__call__(prompt)

    first, second = Slow(), Slow()
    one, two = await asyncio.gather(
        run(items, first, path, concurrency=4), run(items, second, path, concurrency=4)
    )
    assert sorted(first.asked + second.asked, key=int) == items
    assert first.asked
    assert second.asked
    assert one.texts == two.texts == items


async def test_rows_of_same_content_are_asked_once_whenever_they_come(path):
    """Also in the moments between an answer and its commit."""
    items = [str(n) for n in random.Random(5).choices(range(40), k=600)]
    model = Model()
    result = await run(items, model, path, concurrency=16)
    assert sorted(model.asked, key=int) == sorted(set(items), key=int)
    assert result.texts == items
    assert result.reused == 600 - len(set(items))


async def test_the_claim_of_a_process_that_died_is_void(path):
    code = """
import os, sys
from l0.compose._results import FileResults
from l0.compose import _map_table as table
results = FileResults(__import__("pathlib").Path(sys.argv[1]), "dead")
table.claim(results._connection, sys.argv[2], results._owner)
os._exit(1)
"""
    key = row_key("a", identity(None, "m"), None, None)
    subprocess.run([sys.executable, "-c", code, str(path), key], check=False)
    model = Model()
    assert (await run(["a"], model, path)).texts == ["A"]


async def test_a_claim_is_waited_for_as_long_as_its_owner_lives(path):
    """Another process of this machine; then its lease runs out."""
    results = FileResults(path, "other")
    key = row_key("a", identity(None, "m"), None, None)
    assert await results.claim(key) is True
    results._connection.execute("UPDATE rows SET owner = ?", (f"{_host()}:{os.getppid()}:x",))
    mapped = asyncio.create_task(run(["a"], Model(), path)._whole())
    await asyncio.sleep(0.05)
    assert not mapped.done()
    results._connection.execute("UPDATE rows SET lease = 0")
    assert (await mapped).texts == ["A"]
    await results.close()


def _host():
    return table.new_owner("x").split(":")[0]


# --- stores that can not be used ----------------------------------------------------------------


async def test_another_programs_database_is_left_alone(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program's database"):
        await run(["a"], Model(), path)


async def test_a_file_that_is_no_database_is_told(path):
    path.write_text("not a database, but long enough to be looked at " * 50)
    with pytest.raises(StoreError, match="no SQLite database"):
        await run(["a"], Model(), path)


async def test_a_directory_that_is_missing_is_told(tmp_path):
    model = Model()
    mapped = run(["a"], model, tmp_path / "no" / "answers.db")
    with pytest.raises(StoreError, match="does not exist; create it first"):
        await mapped
    with pytest.raises(StoreError, match="does not exist"):
        await mapped
    assert model.asked == []


async def test_a_store_of_a_later_format_is_not_touched(path):
    await run(["a"], Model(), path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreError, match="has format 99"):
        await run(["a"], Model(), path)


async def test_a_store_that_fails_on_the_way_ends_the_map(path, monkeypatch):
    """What could not be kept would be lost, so nothing more is asked."""
    model, put = Model(), table.put

    def failing(connection, key, *rest):
        if len(model.asked) > 5:
            raise sqlite3.OperationalError("database or disk is full")
        put(connection, key, *rest)

    monkeypatch.setattr(table, "put", failing)
    mapped = run([str(n) for n in range(100)], model, path, concurrency=2)
    with pytest.raises(StoreError, match="no space is left"):
        await mapped
    assert len(model.asked) < 12
    assert mapped.result.ok >= 3
    monkeypatch.undo()
    assert (await run([str(n) for n in range(100)], model, path)).ok == 100


async def test_a_store_that_is_gone_is_told_when_answers_are_read(path):
    result = await run(["a"], Model(), path)
    path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        _ = result.texts


# --- keys ---------------------------------------------------------------------------------------


def test_a_key_is_the_same_in_every_process(tmp_path):
    """For a function of a module that is imported anew, under any hash seed."""
    (tmp_path / "mine.py").write_text(
        "KINDS = {'a', 'b', 'c'}\nSYSTEM = 'Be brief'\nCALLS = []\n"
        "def helper(x):\n    return x in {'p', 'q', 'r'}\n"
        "def model(prompt, temperature=0.2, *, n=3):\n"
        "    CALLS.append(prompt)\n    return [SYSTEM, helper(prompt), lambda: {'x', 'y'}]\n"
    )
    code = (
        "import mine; from l0.compose._map_key import *; "
        "print(row_key({'b': 1, 'a': [2.5]}, identity(mine.model), None, ('x', 1))); "
        "mine.CALLS.append(1); "
        "print(row_key({'a': [2.5], 'b': 1}, identity(mine.model), None, ['x', 1]))"
    )
    keys = set()
    for seed in "012":
        env = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert told.returncode == 0, told.stderr
        keys |= set(told.stdout.split())
    assert len(keys) == 1


def make(name, temperature=0.5, system="Be brief"):
    def model(prompt):
        return [name, temperature, system, prompt]

    return model


def test_what_a_function_refers_to_is_part_of_what_it_is():
    same = identity(make("gpt-x"))
    assert identity(make("gpt-x")) == same
    others = {identity(make("gpt-y")), identity(make("gpt-x", 0.6)), identity(make("gpt-x", 1, ""))}
    assert len(others | {same}) == 4
    assert identity(lambda prompt: ["a"]) != identity(lambda prompt: ["b"])


SETTINGS = {"model": "gpt-x"}


def test_a_global_setting_is_part_of_it_and_a_counter_is_not(monkeypatch):
    def model(prompt):
        return [SETTINGS["model"], prompt]

    before = identity(model)
    monkeypatch.setitem(SETTINGS, "model", "gpt-y")
    assert identity(model) != before

    count = 0

    def counting(prompt):
        nonlocal count
        count += 1
        return [prompt]

    before = identity(counting)
    counting("a")
    assert identity(counting) == before


def test_partials_methods_and_recursion_have_an_identity():
    import functools

    def base(model, prompt):
        return base(model, prompt) if prompt else [model]

    x, y = (functools.partial(base, name) for name in "xy")
    assert identity(x) != identity(y)
    assert identity(x) == identity(functools.partial(base, "x"))
    assert identity("text".join) != identity("other".join)


class Told:
    """As a model that is made by its name: a client, and what it is told."""

    def __init__(self, temperature):
        self.temperature = temperature

    def __l0_identity__(self):
        return f"told {self.temperature}"

    def ask(self, prompt):
        return [prompt]

    def __call__(self, prompt):
        return [prompt]


def test_an_object_may_say_itself_what_it_is():
    def using(told):
        def model(prompt):
            return told(prompt)

        return model

    def through(asked):
        return lambda prompt: asked(prompt)

    for made in (lambda n: Told(n), lambda n: Told(n).ask, lambda n: using(Told(n))):
        assert identity(made(1)) == identity(made(1)) != identity(made(2))
    assert identity(through(Told(1).ask)) != identity(through(Told(2).ask))


def test_what_can_not_be_told_apart_needs_a_name():
    class Client:
        def ask(self, prompt):
            return [prompt]

    with pytest.raises(ValueError, match="give map"):
        identity(Client().ask)
    assert identity(Client().ask, "mine") == "name:mine"
