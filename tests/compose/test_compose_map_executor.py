"""Rows may be made elsewhere: an executor gets data, and its failures are those of rows."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.compose import Desk, Executor, LocalExecutor
from l0.compose import map as map_rows
from l0.stream import Retry
from l0.testing import VirtualClock, http_error


def model(prompt):
    if prompt == "bad":
        raise http_error(400)
    return [prompt, "!"]


class Pickling:
    """Makes rows as another process would: everything goes through pickle, both ways."""

    def submit(self, work, job, desk):
        return asyncio.ensure_future(self._elsewhere(pickle.dumps((work, job)), desk))

    async def _elsewhere(self, sent, desk):
        work, job = pickle.loads(sent)
        return pickle.loads(pickle.dumps(await work(job, _Proxy(desk))))


class _Proxy:
    def __init__(self, desk):
        self.desk = desk

    async def fund(self, job):
        return await self.desk.fund(pickle.loads(pickle.dumps(job)))

    async def admit(self, job):
        await self.desk.admit(pickle.loads(pickle.dumps(job)))

    def accepted(self, job):
        self.desk.accepted(pickle.loads(pickle.dumps(job)))

    def report(self, job, report):
        self.desk.report(*pickle.loads(pickle.dumps((job, report))))


def test_the_executors_keep_their_protocol():
    assert isinstance(LocalExecutor(), Executor)
    assert isinstance(Pickling(), Executor)
    assert isinstance(_Proxy(None), Desk)


@pytest.mark.parametrize("parse", [None, str])
async def test_rows_can_be_made_in_another_process(parse):
    items = ["a", "bad", "b"]
    if parse:
        items = ['"a"', "bad", '"b"']
    result = await map_rows(
        items, "{}", lambda_free if parse else model, store=False, executor=Pickling(), parse=parse
    )
    assert [row.status for row in result] == ["ok", "failed", "ok"]
    if parse:
        assert [row.data for row in result] == ["a", None, "b"]
    else:
        assert result.texts == ["a!", None, "b!"]


def lambda_free(prompt):
    return [prompt] if prompt != "bad" else ["no JSON"]


class Broken(LocalExecutor):
    """Fails in each way an executor can."""

    def submit(self, work, job, desk):
        if job.prompt == "refused":
            raise OSError("no worker is left")
        if job.prompt in ("died", "cancelled"):
            future = asyncio.get_running_loop().create_future()
            if job.prompt == "died":
                future.set_exception(EOFError("the worker died"))
            else:
                future.cancel()
            return future
        return super().submit(work, job, desk)


async def test_an_executor_that_fails_fails_the_row_alone():
    result = await map_rows(
        ["a", "refused", "died", "cancelled", "b"], "{}", model, store=False, executor=Broken()
    )
    assert [row.status for row in result] == ["ok", "failed", "failed", "failed", "ok"]
    assert [row.error for row in result][1:4] == [
        "no worker is left",
        "the worker died",
        "the row was cancelled",
    ]


# --- invariants ---------------------------------------------------------------------------------


@given(
    items=st.lists(st.integers(0, 12).map(str), max_size=40),
    trouble=st.dictionaries(
        st.integers(0, 12).map(str), st.sampled_from(["bad", "once", "slow", "busy"]), max_size=8
    ),
    concurrency=st.integers(1, 12),
    abort_at=st.none() | st.floats(0, 12),
)
@settings(max_examples=80, deadline=None)
def test_every_row_ends_once_and_is_asked_once(items, trouble, concurrency, abort_at):
    """Whatever fails, whatever is the same, and whenever it is aborted."""
    clock, asked, open_ = VirtualClock(), [], set()

    async def answer(prompt, attempt):
        open_.add(prompt)
        try:
            kind = trouble.get(prompt)
            await attempt.clock.sleep(3 if kind == "slow" else 1)
            if kind == "bad":
                raise http_error(400)
            if kind in ("once", "busy") and attempt.attempt == 1:
                raise http_error(503 if kind == "once" else 429, retry_after=2)
            yield prompt
        finally:
            open_.discard(prompt)

    def ask(prompt, attempt):
        asked.append(prompt)
        return answer(prompt, attempt)

    async def run():
        mapped = map_rows(
            items,
            "{}",
            ask,
            store=False,
            concurrency=concurrency,
            clock=clock,
            retry=Retry(base_delay=0.5),
        )
        if abort_at is not None:
            clock.call_at(abort_at, mapped.abort)
        seen = [row.position async for row in mapped]
        assert len(seen) == len(set(seen))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return mapped

    mapped = asyncio.run(run())
    result, now = mapped.result, mapped.progress
    rows = result.rows
    assert [row.position for row in rows] == list(range(len(items)))
    assert result.ok + result.failed + result.skipped == len(items) == now.done
    assert not open_
    for row, item in zip(rows, items, strict=True):
        if row.ok:
            assert row.text == item
        assert (row.status == "failed") <= (trouble.get(item) == "bad")
    most = {item: 1 + (trouble.get(item) in ("once", "busy")) for item in items}
    assert all(asked.count(item) <= most[item] for item in asked)
    if result.stopped is None:
        assert set(asked) == set(items)
        assert result.skipped == 0
        made = [row for row in rows if row.origin == "made"]
        assert len(made) == len(set(items))
        assert len(asked) == len(made) + result.retries
