"""Every row is made once, whatever happens to the others."""

from __future__ import annotations

import asyncio

import pandas as pd  # noqa: TID253  the tests are of its frames
import pytest

import l0
from l0.compose import Concurrency, Limits
from l0.compose import map as map_rows
from l0.events import InMemoryEventStore, Usage, set_default_store, verify
from l0.stream import Retry, current_attempt
from l0.testing import VirtualClock, end, http_error

QUICK = Retry(base_delay=0.01)


class Model:
    """Answers "<prompt>!"; fails where it is told to, and remembers what it was asked."""

    def __init__(self, failures=None, seconds=0.0, usage=None):
        self.failures, self.seconds, self.usage = dict(failures or {}), seconds, usage
        self.asked: list[str] = []
        self.open = self.most = 0

    def __call__(self, prompt, attempt):
        self.asked.append(prompt)
        return self._answer(prompt, attempt)

    async def _answer(self, prompt, attempt):
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await attempt.clock.sleep(self.seconds)
            left = self.failures.get(prompt, [])
            if left:
                raise left.pop(0) if isinstance(left, list) else left
            yield prompt
            yield "!"
            yield end(usage=self.usage)
        finally:
            self.open -= 1


def run(items, prompt, model, **options):
    options.setdefault("store", False)
    options.setdefault("retry", QUICK)
    options.setdefault("clock", VirtualClock())
    options.setdefault("random", lambda: 0.5)
    return map_rows(items, prompt, model, **options)


# --- rows that fail -----------------------------------------------------------------------------


async def test_a_row_that_fails_never_stops_the_others():
    """A prompt that can't be made, a provider that refuses, a guardrail: each in its place."""

    def prompt(row):
        return f"{1 / row['n']:.1f}" if row["n"] < 3 else str(row["n"])

    model = Model({"4": http_error(400)})
    result = await run([{"n": n} for n in (0, 1, 4, 5)], prompt, model)
    first, second, third, fourth = result.rows
    assert (result.ok, result.failed, result.skipped, len(result)) == (2, 2, 0, 4)
    assert (first.status, first.error) == (
        "failed",
        "no prompt: ZeroDivisionError: division by zero",
    )
    assert (first.attempts, second.text) == (0, "1.0!")
    assert (third.status, third.error_type, third.attempts) == ("failed", "HTTPStatusError", 1)
    assert fourth.text == "5!"


async def test_a_row_without_the_column_fails_alone():
    result = await run([{"text": "a"}, {"other": 1}, 7], "Say {text}", Model())
    assert result.texts == ["Say a!", None, None]
    assert "no column 'text'" in result.rows[1].error


async def test_a_row_is_retried_as_every_run_is():
    model = Model({"b": [http_error(503), ConnectionResetError()]})
    result = await run(["a", "b"], "{text}", model)
    assert result.texts == ["a!", "b!"]
    assert [row.attempts for row in result.rows] == [1, 3]
    assert result.retries == 2


@pytest.mark.parametrize(
    ("status", "retry", "fallbacks", "attempts"),
    [
        (503, Retry(max_retries=2, base_delay=0), 0, 3),
        (503, Retry.none(), 0, 1),
        (429, Retry.none(), 0, 1),
        (429, Retry(max_retries=2, base_delay=0), 0, 2 + 24 + 1),  # the map's doing, not the row's
        (429, Retry(max_retries=2, base_delay=0), 1, 3 + 1),  # another model is there
        (503, Retry(max_retries=2, base_delay=0), 1, 3 + 1),
    ],
)
async def test_a_row_has_the_retries_of_its_policy(status, retry, fallbacks, attempts):
    model = Model({"a": http_error(status)})
    result = await run(["a"], "{}", model, retry=retry, fallbacks=[Model()] * fallbacks)
    assert (result.rows[0].attempts, result.ok) == (attempts, fallbacks)


async def test_a_fallback_answers_where_the_model_has_failed():
    model, other = Model({"b": http_error(400)}), Model()
    result = await run(["a", "b"], "{text}", model, fallbacks=[other])
    assert result.texts == ["a!", "b!"]
    assert (other.asked, result.rows[1].attempts) == (["b"], 2)


async def test_an_account_that_is_used_up_stops_the_map_instead_of_failing_every_row():
    """A wrong key, an empty account: no other request can do better, so none is sent."""
    quota = http_error(429, code="insufficient_quota")
    model = Model({str(n): quota for n in range(100)}, seconds=1)
    result = await run(map(str, range(100)), "{}", model, concurrency=4)
    assert len(model.asked) <= 8
    assert result.stopped.startswith("no request can do better")
    listed = await run([str(n) for n in range(100)], "{}", model, concurrency=4)
    assert listed.skipped >= 92
    assert {row.error for row in listed if row.status == "skipped"} == {listed.stopped}


async def test_a_map_that_was_stopped_waits_for_no_turn_that_nobody_takes():
    """The next row had its turn in ten seconds."""
    clock, model = VirtualClock(), Model({"0": http_error(401)}, seconds=0.2)
    limits = Limits(requests_per_minute=6)
    result = await run([*"01234"], "{}", model, clock=clock, limits=limits)
    assert (result.failed, result.skipped, model.asked) == (1, 4, ["0"])
    assert clock.now < 1


async def test_a_fallback_saves_a_map_whose_account_is_used_up():
    model = Model(dict.fromkeys("abc", http_error(429, code="insufficient_quota")))
    result = await run(list("abc"), "{}", model, fallbacks=[Model()])
    assert (result.ok, result.stopped) == (3, None)


async def test_items_that_fail_end_the_map_after_the_rows_that_were_begun():
    def items():
        yield "a"
        yield "b"
        raise OSError("the file is cut off")

    mapped = run(items(), "{}", Model())
    seen = []
    with pytest.raises(OSError, match="cut off"):
        async for row in mapped:
            seen.append(row.text)
    assert sorted(seen) == ["a!", "b!"]
    assert mapped.result.ok == 2
    with pytest.raises(OSError, match="cut off"):
        await mapped


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "gpt-x"}, "a model is a function of the prompt"),
        ({"model": lambda: ["x"]}, "takes no argument"),
        ({"fallbacks": [5]}, "a model is a function of the prompt"),
        ({"items": "abc"}, "map needs rows"),
        ({"concurrency": 0}, "1 or more"),
        ({"concurrency": "8"}, "a number or a Concurrency"),
        ({"limits": 500}, "limits is a Limits"),
        ({"budget": 5.0}, "budget is a Budget"),
        ({"executor": 4}, "executor is an Executor"),
        ({"on_progress": True}, "on_progress is a function"),
        ({"max_tokens": 0}, "max_tokens is a whole number"),
        ({"max_rows": -1}, "max_rows is a whole number"),
        ({"retri": 1}, "did you mean retry"),
        ({"stream_id": "x"}, "each row is a run of its own"),
        ({"key": "id"}, "key='id' is no column"),
        ({"store": 5}, "a store is the path of a file"),
        ({"store": ":memory:"}, "store=False keeps rows in memory"),
        ({"store": None}, "give map\\(name='…'\\) a name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_a_call_that_makes_no_sense_is_told_before_anything_is_paid(change, error):
    model = Model()
    given = {"items": ["a"], "prompt": "{text}", "model": model, "store": False, **change}
    with pytest.raises((TypeError, ValueError), match=error):
        await map_rows(given.pop("items"), given.pop("prompt"), given.pop("model"), **given)
    assert model.asked == []


# --- what comes of it ---------------------------------------------------------------------------


async def test_a_frame_keeps_its_index_and_is_not_changed():
    frame = pd.DataFrame({"who": ["a", "b", "c"]}, index=["x", "y", "z"])
    before = frame.copy()
    usage = Usage(input_tokens=3, output_tokens=2)
    model = Model({"b": http_error(400)}, usage=usage)
    result = await run(frame, "{who}", model, prices=(l0.monitoring.Price(1e6, 2e6)))
    pd.testing.assert_frame_equal(frame, before)
    made = result.frame
    assert list(made.index) == ["x", "y", "z"]
    assert list(made["text"].fillna("-")) == ["a!", "-", "c!"]
    assert list(made["ok"]) == [True, False, True]
    assert made["cost"]["x"] == 7.0
    assert list(made["output_tokens"]) == [2, 0, 2]
    assert str(made["started"].dtype).startswith("datetime64")
    assert (made["duration"] >= 0).all()
    assert (result.usage.total_tokens, result.usage.requests) == (10, 2)
    assert result.cost == 14.0
    assert list(frame.join(made)["who"]) == ["a", "b", "c"]


async def test_an_index_may_hold_the_same_label_twice():
    frame = pd.DataFrame({"who": ["a", "b"]}, index=[1, 1])
    result = await run(frame, "{who}", Model())
    assert list(result.frame["text"]) == ["a!", "b!"]
    assert [row.index for row in result] == [1, 1]


async def test_an_empty_frame_gives_an_empty_one():
    result = await run(pd.DataFrame({"who": []}), "{who}", Model())
    assert (len(result), len(result.frame), result.texts) == (0, 0, [])
    assert "text" in result.frame.columns


async def test_rows_come_as_they_finish():
    class Slow(Model):
        async def _answer(self, prompt, attempt):
            await attempt.clock.sleep(5 - int(prompt))
            yield prompt

    mapped = run([str(n) for n in range(4)], "{}", Slow())
    assert [row.position async for row in mapped] == [3, 2, 1, 0]
    assert (await mapped).texts == ["0", "1", "2", "3"]
    assert [row.position async for row in mapped] == [0, 1, 2, 3]  # now in order


async def test_a_prompt_may_be_a_list_of_messages():
    async def model(messages):
        yield messages[-1]["content"]

    prompt = lambda row: [{"role": "user", "content": row["text"]}]  # noqa: E731
    assert (await run(["hi"], prompt, model)).texts == ["hi"]


async def test_only_so_many_rows_are_taken():
    frame = pd.DataFrame({"who": list("abcd")})
    result = await run(frame, "{who}", Model(), max_rows=2)
    assert (result.texts, len(result.frame)) == (["a!", "b!"], 2)


async def test_without_a_running_loop_it_works_through_run_sync():
    def ask():
        return l0.run_sync(map_rows(["a"], "{}", lambda prompt: [prompt], store=False)).texts

    assert await asyncio.to_thread(ask) == ["a"]


# --- same content -------------------------------------------------------------------------------


async def test_rows_of_same_content_are_asked_once():
    """Those that come while the first is being made, and those that come later."""
    model = Model(seconds=1, usage=Usage(input_tokens=1, output_tokens=1))
    items = ["a", "a", *[str(n) for n in range(30)], "a"]
    result = await run(items, "{}", model, concurrency=4)
    assert model.asked.count("a") == 1
    assert [result.rows[at].origin for at in (0, 1, 32)] == ["made", "copied", "copied"]
    assert (result.ok, result.reused, result.usage.requests) == (33, 2, 31)
    assert result.usage.total_tokens == 62


async def test_a_row_that_failed_is_not_asked_again_for_its_twins():
    model = Model({"a": http_error(400)}, seconds=1)
    result = await run(["a", "a", "b", "c", "a"], "{}", model, concurrency=1)
    assert model.asked.count("a") == 1
    assert [row.status for row in result] == ["failed", "failed", "ok", "ok", "failed"]


async def test_a_key_tells_rows_of_same_content_apart():
    """As for five answers to one question."""
    model = Model()
    items = [{"text": "a", "sample": n} for n in range(3)]
    assert (await run(items, "{text}", model, key="sample")).reused == 0
    assert (await run(items, "{text}", model, key=lambda row: row["sample"] % 2)).reused == 1
    assert len(model.asked) == 5


# --- ending -------------------------------------------------------------------------------------


async def started(mapped, rows):
    """A task that takes rows for ever, after so many have come."""
    seen, enough = [], asyncio.Event()

    async def take():
        async for row in mapped:
            seen.append(row)
            if len(seen) == rows:
                enough.set()

    task = asyncio.create_task(take())
    await enough.wait()
    return task, seen


class Hanging(Model):
    """Answers two prompts, and hangs in all others."""

    async def _answer(self, prompt, attempt):
        self.open += 1
        try:
            if prompt not in "01":
                await asyncio.Event().wait()
            yield prompt
        finally:
            self.open -= 1


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_cancelling_leaves_nothing_behind():
    model, before = Hanging(), others()
    mapped = run([str(n) for n in range(50)], "{}", model, concurrency=8)
    task, seen = await started(mapped, 2)
    assert model.open > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (model.open, others()) == (0, before)
    assert (mapped.result.ok, mapped.result.skipped) == (2, 48)
    assert mapped.result.rows[40].error == "the map was cancelled"


async def test_leaving_the_loop_ends_the_map():
    model, before = Hanging(), others()
    mapped = run([str(n) for n in range(50)], "{}", model, concurrency=8)
    async for _ in mapped:
        break
    result = await mapped
    assert (model.open, others()) == (0, before)
    assert 1 <= result.ok <= 2
    assert result.stopped == "the map was aborted"


async def test_an_abort_gives_what_was_done():
    model = Hanging()
    mapped = run([str(n) for n in range(50)], "{}", model, concurrency=8)
    task, seen = await started(mapped, 2)
    mapped.abort("that will do")
    mapped.abort("again")
    await task
    result = await mapped
    assert (model.open, result.ok, result.skipped) == (0, 2, 48)
    assert result.stopped == "aborted: that will do"
    assert list(result.frame["status"]).count("skipped") == 48


async def test_an_abort_ends_what_is_still_on_after_the_map_was_stopped():
    """The account is used up: no row is begun, but one is on that never ends."""
    model = Hanging()

    async def ask(prompt, attempt):
        if prompt == "0":
            raise http_error(401)
        async for text in model._answer(prompt, attempt):
            yield text

    told = []
    mapped = run([str(n) for n in (0, 2, 3)], "{}", ask, concurrency=2, on_event=told.append)
    task = asyncio.ensure_future(awaited(mapped))
    while mapped.progress.failed == 0:
        await asyncio.sleep(0)
    mapped.abort("that will do")
    result = await asyncio.wait_for(task, 5)
    assert (model.open, result.failed, result.skipped) == (0, 1, 2)
    assert result.stopped == "aborted: that will do"
    causes = [event["cause"] for event in told if event.type == "MAP_STOPPED"]
    assert causes == ["account", "abort"]
    assert told[-1].payload.outcome == "aborted"


async def test_an_iterator_that_was_never_used_takes_nothing_away():
    mapped = run(["a", "b"], "{}", Model())
    _dropped = aiter(mapped)
    del _dropped
    assert (await asyncio.wait_for(awaited(mapped), 5)).ok == 2


async def awaited(mapped):
    return await mapped


async def test_no_fallbacks_may_be_said_as_none():
    assert (await run(["a"], "{}", Model(), fallbacks=None)).texts == ["a!"]


async def test_an_abort_before_the_begin_is_honoured():
    model = Model()
    mapped = run(["a", "b"], "{}", model)
    mapped.abort()
    result = await mapped
    assert (model.asked, result.skipped) == ([], 2)


async def test_one_task_iterates_and_another_awaits():
    mapped = run(["a", "b"], "{}", Model(seconds=1))
    task, _ = await started(mapped, 1)
    assert (await mapped).ok == 2
    await task
    with pytest.raises(RuntimeError, match="in use already"):
        other = run(["a", "b"], "{}", Model(seconds=1))
        _rows = aiter(other)
        aiter(other)


async def test_a_slow_consumer_holds_the_map_back():
    """Rows nobody takes count as rows that are on."""
    model = Model()
    mapped = run([str(n) for n in range(100)], "{}", model, concurrency=4)
    async for _ in mapped:
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(model.asked) <= 9
        break
    await mapped


# --- concurrency and 429 ------------------------------------------------------------------------


async def test_no_more_rows_are_on_than_may_be():
    model = Model(seconds=1)
    await run([str(n) for n in range(40)], "{}", model, concurrency=5)
    assert model.most == 5


async def test_it_finds_what_the_provider_bears():
    """A provider that serves 6 at a time and answers 429 to more ends up with about as many."""
    clock, told = VirtualClock(), []

    class Busy(Model):
        refused = 0

        async def _answer(self, prompt, attempt):
            if self.open >= 6:
                self.refused += 1
                raise http_error(429, retry_after=1)
            self.open += 1
            try:
                await attempt.clock.sleep(1)
                yield prompt
            finally:
                self.open -= 1

    model = Busy()
    items = [str(n) for n in range(300)]
    policy = Concurrency(start=32, maximum=64)
    result = await run(
        items,
        "{}",
        model,
        concurrency=policy,
        clock=clock,
        on_event=told.append,
        retry=Retry(),
    )
    assert result.ok == 300
    assert model.refused < 60  # 26 at once in the first second, few after
    assert 300 / 6 <= clock.now < 120
    limited = [event.payload for event in told if event.type == "MAP_LIMITED"]
    assert limited[0].concurrency == 16
    assert limited[0].pause_ms == 1000


@pytest.mark.parametrize("retry_after", [None, 5, 20])
@pytest.mark.parametrize("a_minute", [20, 60])
async def test_a_provider_that_counts_by_the_minute_fails_no_row(a_minute, retry_after):
    """Without any limits given: what it bears is found out, and no row uses up its retries."""
    clock, times = VirtualClock(), []

    def model(prompt):
        times[:] = [at for at in times if at > clock.now - 60]
        if len(times) >= a_minute:
            raise http_error(429, retry_after=retry_after)
        times.append(clock.now)
        return [prompt]

    items = [str(n) for n in range(4 * a_minute)]
    result = await run(items, "{}", model, clock=clock, retry=None)
    assert result.ok == len(items)
    assert result.retries < 60
    assert 180 <= clock.now < 360


async def test_a_long_answer_does_not_hold_the_others_after_a_429():
    """That a request was taken is enough to let the others follow."""
    clock, begun = VirtualClock(), []

    async def model(prompt, attempt):
        if prompt == "0" and attempt.attempt == 1:
            raise http_error(429)
        begun.append(clock.now)
        return slow(attempt)

    async def slow(attempt):
        await attempt.clock.sleep(100)
        yield "x"

    await run(
        [str(n) for n in range(4)], "{}", model, clock=clock, concurrency=Concurrency(4, 4, 4)
    )
    assert max(begun) < 10


async def test_a_retry_after_holds_every_row():
    """One row is told to wait 30 seconds: nobody asks before."""
    clock, times = VirtualClock(), []

    def model(prompt, attempt):
        times.append((clock.now, prompt))
        if prompt == "3" and attempt.attempt == 1:
            raise http_error(429, retry_after=30)
        return slow(attempt)

    async def slow(attempt):
        await attempt.clock.sleep(1)
        yield "x"

    result = await run([str(n) for n in range(20)], "{}", model, concurrency=4, clock=clock)
    assert result.ok == 20
    first = next(at for at, prompt in times if prompt == "3")
    assert all(at <= first or at >= first + 30 for at, _ in times)


# --- telling ------------------------------------------------------------------------------------


async def test_its_events_tell_the_whole_story():
    told, progress = [], []
    model = Model({"b": [http_error(503)], "c": http_error(400)}, seconds=1)
    mapped = run(
        list("abca"), "{}", model, on_event=told.append, on_progress=progress.append, meta={"k": 1}
    )
    await mapped
    types = [event.type for event in told]
    assert (types[0], types[-1]) == ("MAP_START", "MAP_END")
    assert types.count("MAP_ROW") == 4
    start, last = told[0].payload, told[-1].payload
    assert (start.total, start.store, last.outcome) == (4, None, "completed")
    assert (last.ok, last.failed, last.reused) == (3, 1, 1)
    rows = {event["position"]: event.payload for event in told if event.type == "MAP_ROW"}
    assert (rows[1].attempts, rows[2].status, rows[3].origin) == (2, "failed", "copied")
    assert {event.stream_id for event in told} == {mapped.stream_id}
    assert told[0].meta["k"] == 1
    end = progress[-1]
    assert (end.total, end.done, end.ok, end.failed, end.retries, end.eta) == (4, 4, 3, 1, 1, 0)
    assert any(0 < each.done < 4 and each.eta > 0 and each.running for each in progress)


async def test_every_ending_has_its_last_event():
    async def outcome(end):
        told = []
        mapped = run(["0", "2"], "{}", Hanging(), on_event=told.append)
        task, _ = await started(mapped, 1)
        end(mapped, task)
        await asyncio.wait({task})
        assert [event.type for event in told].count("MAP_END") == 1
        return told[-1].payload.outcome

    assert await outcome(lambda mapped, task: task.cancel()) == "cancelled"
    assert await outcome(lambda mapped, task: mapped.abort()) == "aborted"


async def test_a_callback_that_fails_changes_nothing():
    def bad(_):
        raise ValueError("no")

    async def worse(_):
        raise ValueError("no")

    assert (await run(["a"], "{}", Model(), on_progress=bad, on_event=worse)).ok == 1


async def test_the_runs_of_the_rows_say_which_map_they_belong_to():
    store = l0.events.InMemoryEventStore()
    mapped = run(["a"], "{}", Model(), event_store=store)
    await mapped
    (stream,) = [s for s in await store.list_streams() if s.stream_id != mapped.stream_id]
    first = (await store.get_events(stream.stream_id))[0]
    assert (first.type, first.payload.parent_id) == ("SESSION_START", mapped.stream_id)
    assert first.meta == {"row": 0}


async def test_the_callers_own_hooks_are_asked_as_in_every_run():
    asked = []

    async def should_retry(error, state, attempt, category):
        asked.append(("retry", attempt))
        return attempt < 2

    retry = Retry(
        should_retry=should_retry,
        calculate_delay=lambda context: asked.append(("delay", context.attempt)) or 0.0,
    )
    model = Model({"a": http_error(503)})
    errors = []
    result = await run(
        ["a"], "{}", model, retry=retry, on_error=lambda *told: errors.append(told[1:])
    )
    assert (result.failed, result.rows[0].attempts) == (1, 2)
    assert asked == [("retry", 1), ("delay", 1), ("retry", 2)]
    assert errors == [(True, False), (False, False)]


async def test_a_model_may_ask_for_the_attempt_by_itself():
    def model(prompt):
        return [prompt, str(current_attempt().attempt)]

    assert (await run(["a"], "{}", model)).texts == ["a1"]


async def test_waiting_for_a_turn_is_no_timeout():
    """A row that backs off while everyone is paused waits without its own timers running."""
    clock = VirtualClock()

    def model(prompt, attempt):
        if prompt == "a" and attempt.attempt == 1:
            raise http_error(503)
        if prompt == "b" and attempt.attempt == 1:
            raise http_error(429, retry_after=60)
        return [prompt]

    result = await run(
        ["a", "b"], "{}", model, clock=clock, timeout=l0.Timeout(connect=1, initial_token=1)
    )
    assert result.texts == ["a", "b"]
    assert [row.attempts for row in result] == [2, 2]
    assert clock.now >= 60


# --- the log ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["event_store", "default", "neither", "opted out"])
async def test_its_events_are_kept_where_those_of_its_rows_are(by):
    """Under its own id, which the runs of its rows name as that of their parent."""
    store, told = InMemoryEventStore(), []
    set_default_store(store if by in ("default", "opted out") else None)
    options = {"event_store": {"event_store": store, "opted out": False}.get(by)}
    try:
        made = run(["a", "b"], "{text}", Model(), on_event=told.append, **options)
        await made
    finally:
        set_default_store(None)
    kept = [record.type for record in await store.get_events(made.stream_id)]
    if by in ("neither", "opted out"):
        assert await store.list_streams() == []
        return
    assert kept == [event.type for event in told]
    assert (kept[0], kept[-1]) == ("MAP_START", "MAP_END")
    assert (await verify(store, made.stream_id)).ok
    rows = [found.stream_id for found in await store.list_streams()]
    rows.remove(made.stream_id)
    starts = [(await store.get_events(row))[0] for row in rows]
    assert [start.data["parent_id"] for start in starts] == [made.stream_id] * 2


async def test_a_map_that_is_left_is_kept_to_its_end():
    store = InMemoryEventStore()
    made = run([str(n) for n in range(9)], "{text}", Model(), event_store=store, redact=False)
    async for _ in made:
        made.abort("seen enough")
    last = await store.get_last_event(made.stream_id)
    assert (last.type, last.data["outcome"]) == ("MAP_END", "aborted")


async def test_a_log_that_breaks_fails_no_map():
    """It is told, and every row is made."""

    class Broken(InMemoryEventStore):
        def __init__(self):
            super().__init__()
            self._sink = None  # as a store of one's own: records are appended

        async def append(self, records):
            raise OSError("no space")

    told = []
    result = await run(["a"], "{text}", Model(), event_store=Broken(), on_event=told.append)
    assert result.texts == ["a!"]
    assert "STORE_ERROR" in [event.type for event in told]


# --- who answered -------------------------------------------------------------------------------


async def test_the_frame_says_which_model_answered_a_row(tmp_path):
    """A fallback, where the first one refused; also when the answer is taken from the store."""

    def named(name, text):
        def model(_):
            if name == "first" and text == "b":
                raise http_error(400)
            delta = {"delta": {"content": text}, "finish_reason": "stop"}
            return [{"model": name, "object": "chat.completion.chunk", "choices": [delta]}]

        return model

    def first(prompt):
        return named("first", prompt)(prompt)

    def second(prompt):
        return named("second", prompt)(prompt)

    for _ in range(2):
        result = await run(
            ["a", "b"], "{text}", first, fallbacks=[second], store=tmp_path / "m.db", name="both"
        )
        assert list(result.frame["model"]) == ["first", "second"]


@pytest.mark.parametrize("name", [None, "first", "second"])
async def test_a_fallback_has_the_name_that_it_says_itself(name):
    """Not that of the model before it, whose answer was empty; nor is it paid for as that one."""

    def said(model, text):
        delta = {"delta": {"content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        chunk = {"object": "chat.completion.chunk", "choices": [delta], "usage": usage}
        return [chunk if model is None else {**chunk, "model": model}]

    result = await run(
        ["a"],
        "{text}",
        lambda _: said("first", ""),
        fallbacks=[lambda _: said(name, "yes")],
        retry=Retry(attempts=0),
        prices={"first": (1, 1), "second": (2, 2)},
    )
    assert (result.rows[0].model, result.texts) == (name, ["yes"])
    assert (result.rows[0].cost is None) == (name is None)
