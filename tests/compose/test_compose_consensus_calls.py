"""The calls behind a consensus: events, failures, timeouts, cancellation, schemas, streams."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from typing import Literal

import pydantic  # noqa: TID253  a schema of the tests
import pytest

import l0
from l0.compose import NoConsensusError, consensus, pipe
from l0.errors import SchemaValidationError
from l0.events import InMemoryEventStore, catalog, to_dict
from l0.schema import structured
from l0.testing import ScriptedModel, fail, hang, stall

NO_RETRY = l0.Retry.none()


def says(*values):
    return [lambda value=value: asyncio.sleep(0, value) for value in values]


async def broken():
    raise ValueError("broken")


def types(events):
    return [event.type.removeprefix("CONSENSUS_") for event in events]


# --- events -----------------------------------------------------------------------------------


async def test_the_events_of_a_call_tell_its_whole_story():
    told = []
    result = await consensus([*says("a", "a"), broken], on_event=told.append, meta={"who": "me"})
    assert types(told) == [
        *("START", "STREAM_START", "STREAM_START", "STREAM_START"),
        *("STREAM_END", "OUTPUT_COLLECTED", "STREAM_END", "OUTPUT_COLLECTED", "STREAM_END"),
        *("ANALYSIS", "RESOLUTION", "END"),
    ]
    assert {event.stream_id for event in told} == {result.stream_id}
    assert {event.meta["who"] for event in told} == {"me"}
    start, analysis, resolution, end = told[0], told[-3], told[-2], told[-1]
    assert start.data == {
        "stream_count": 3,
        "strategy": "majority",
        "threshold": 0.8,
        "minimum_agreement": 0.6,
    }
    failed = next(e for e in told if e.type == "CONSENSUS_STREAM_END" and not e["success"])
    assert (failed["stream_index"], failed["error"]) == (2, "broken")
    output = next(e for e in told if e.type == "CONSENSUS_OUTPUT_COLLECTED")
    assert (output["length"], output["has_value"]) == (1, True)
    assert analysis["agreement_ratio"] == pytest.approx(2 / 3)
    assert (analysis["agreements"], analysis["disagreements"]) == (1, 0)
    assert (resolution["method"], resolution["selected_index"]) == ("majority", 0)
    assert (end["status"], end["confidence"]) == ("success", result.confidence)


@pytest.mark.parametrize(
    ("options", "method", "status"),
    [
        ({}, "majority", "success"),
        ({"minimum_agreement": 1}, "vote", "partial"),
        ({"minimum_agreement": 1, "resolve_conflicts": "merge"}, "merge", "partial"),
        ({"strategy": "best"}, "best", "success"),
    ],
)
async def test_the_resolution_says_by_which_method(options, method, status):
    told = []
    result = await consensus(says("a", "b", "a"), on_event=told.append, **options)
    (resolution,) = (event for event in told if event.type == "CONSENSUS_RESOLUTION")
    assert resolution["method"] == method
    assert result.status == told[-1]["status"] == status
    assert (resolution["selected_index"] is None) == (method == "merge")


async def test_a_start_has_its_end_when_there_is_no_consensus():
    told = []
    with pytest.raises(NoConsensusError):
        await consensus(says("a", "b"), strategy="unanimous", on_event=told.append)
    assert types(told)[-2:] == ["ANALYSIS", "END"]
    assert told[-1]["status"] == "failed"


async def test_all_tasks_failing_is_one_error_with_every_cause():
    told = []
    with pytest.raises(NoConsensusError, match="every task failed") as caught:
        await consensus([broken, broken], on_event=told.append)
    assert [str(cause) for cause in caught.value.__cause__.exceptions] == ["broken", "broken"]
    assert types(told)[-1] == "END"
    assert "ANALYSIS" not in types(told)
    assert [str(output.error) for output in caught.value.result.outputs] == ["broken", "broken"]


async def test_a_raising_handler_changes_nothing():
    def handler(event):
        raise RuntimeError("no")

    assert (await consensus(says("a", "a"), on_event=handler)).consensus == "a"


async def test_coroutine_handlers_have_ended_before_the_result_is_given():
    told = []

    async def handler(event):
        await asyncio.sleep(0)
        told.append(event.type)

    await consensus(says("a", "a"), on_event=handler)
    assert told[-1] == "CONSENSUS_END"


async def test_the_family_is_in_the_catalog_under_its_emitter():
    family = [cls for cls in catalog().values() if cls.type.startswith("CONSENSUS_")]
    assert len(family) == 7
    assert {cls.emitter for cls in family} == {"compose"}


async def test_a_store_keeps_the_call_and_its_runs_point_to_it(clock):
    store = InMemoryEventStore()
    streams = [l0.run(lambda: ["a"], event_store=store, clock=clock) for _ in range(2)]
    result = await consensus(streams, event_store=store, clock=clock)
    kept = [record.type for record in await store.get_events(result.stream_id)]
    assert (kept[0], kept[-1]) == ("CONSENSUS_START", "CONSENSUS_END")
    for stream in streams:
        first = (await store.get_events(stream.stream_id))[0]
        assert first.payload.parent_id == result.stream_id


async def test_runs_a_task_begins_itself_point_to_the_call_too():
    told = []
    run = lambda: l0.run(lambda: ["a"], on_event=told.append).read()  # noqa: E731
    result = await consensus([run, run])
    starts = [event for event in told if event.type == "SESSION_START"]
    assert [event["parent_id"] for event in starts] == [result.stream_id] * 2


# --- failures, timeouts, cancellation ---------------------------------------------------------


async def test_one_failure_never_loses_anothers_output():
    models = [ScriptedModel(["a"]), ScriptedModel([fail(401)]), ScriptedModel(["a"])]
    result = await consensus([l0.run(model) for model in models])
    assert [output.text for output in result.outputs] == ["a", None, "a"]
    assert result.outputs[1].error.status_code == 401
    assert result.outputs[0].state.completed
    assert all(all(model.closed) for model in models)


async def test_s79_the_timeout_is_for_each_task(clock):
    """Two tasks wait within it, one beyond: only that one is lost, and it is closed."""
    slow, hanging = ScriptedModel([stall(4), "a"]), ScriptedModel(["b", hang()])
    free = l0.Timeout(initial_token=None, inter_token=None)
    tasks = [l0.run(m, timeout=free, clock=clock) for m in (slow, hanging, ScriptedModel(["a"]))]
    result = await consensus(tasks, timeout=5, clock=clock)
    assert clock.now == 5
    assert result.consensus == "a"
    assert [output.success for output in result.outputs] == [True, False, True]
    error = result.outputs[1].error
    assert isinstance(error, TimeoutError)
    assert "task 1 did not end within 5 s; raise consensus(timeout=" in str(error)
    assert [round(output.duration, 3) for output in result.outputs] == [4, 5, 0]
    assert hanging.closed == [True]


async def test_a_child_that_is_cancelled_is_a_failure_of_that_child():
    async def cancelled():
        raise asyncio.CancelledError

    result = await consensus([cancelled, *says("a", "a")])
    assert (result.consensus, result.outputs[0].success) == ("a", False)


async def test_cancelling_the_caller_cancels_and_awaits_every_task(clock):
    model = ScriptedModel(["a", hang()], ["a", hang()])
    told, ended = [], []

    async def plain():
        try:
            await clock.sleep(1e6)
        finally:
            await asyncio.sleep(0)
            ended.append("plain")

    free = l0.Timeout(initial_token=None, inter_token=None)
    tasks = [l0.run(model, timeout=free), l0.run(model, timeout=free), plain]
    call = asyncio.create_task(consensus(tasks, on_event=told.append))
    while model.calls < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = asyncio.all_tasks()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert model.closed == [True, True]
    assert ended == ["plain"]
    assert asyncio.all_tasks() <= before - {call}
    assert types(told).count("STREAM_END") == 3
    assert told[-1].type == "CONSENSUS_END"
    assert told[-1]["status"] == "cancelled"


async def test_tasks_run_side_by_side(clock):
    tasks = [lambda: clock.sleep(3)] * 4
    await consensus(tasks, clock=clock)
    assert clock.now == 3


# --- schemas ----------------------------------------------------------------------------------


class Answer(pydantic.BaseModel):
    city: str
    people: int


@dataclass
class AnswerData:
    city: str
    people: int


JSON_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
}


@pytest.mark.parametrize("schema", [Answer, AnswerData, JSON_SCHEMA], ids=["model", "data", "json"])
async def test_outputs_are_parsed_and_validated(schema):
    """Valid JSON, fenced JSON, data, broken JSON that heals; what the schema refuses failed."""
    result = await consensus(
        says(
            '{"city": "Oslo", "people": 7}',
            'Sure!\n```json\n{"people": 7, "city": "Oslo"}\n```',
            {"city": "Oslo", "people": 7},
            '{"city": "Oslo", "people": 7,}',
            '{"city": "Oslo"}',
            "I don't know.",
        ),
        schema=schema,
    )
    assert [output.success for output in result.outputs] == [True] * 4 + [False] * 2
    assert isinstance(result.outputs[4].error, SchemaValidationError)
    assert isinstance(result.outputs[5].error, SchemaValidationError)
    assert result.outputs[0].text == '{"city": "Oslo", "people": 7}'
    assert result.type == "structured"
    if schema is JSON_SCHEMA:
        assert result.consensus == {"city": "Oslo", "people": 7}
    else:
        assert result.consensus == schema(city="Oslo", people=7)
    assert result.field_consensus["city"].unanimous


async def test_a_vote_over_models_is_a_model_again():
    texts = ['{"city": "Oslo", "people": 1}', '{"city": "Oslo", "people": 2}']
    result = await consensus(
        says(*texts, '{"city": "Rome", "people": 2}', '{"city": "Bonn", "people": 1}'),
        schema=Answer,
        minimum_agreement=1,
    )
    assert result.consensus == Answer(city="Oslo", people=1)
    result = await consensus(
        says(*texts, '{"city": "Rome", "people": 3}', '{"city": "Rome", "people": 2}'),
        schema=Answer,
        minimum_agreement=1,
        resolve_conflicts="merge",
    )
    assert result.consensus == Answer(city="Oslo | Rome", people=2)
    assert result.selected_index is None


async def test_a_mixture_the_schema_refuses_gives_way_to_the_nearest_output():
    letter = Literal["x", "y"]
    result = await consensus(
        says('"x"', '"y"'), schema=letter, resolve_conflicts="merge", minimum_agreement=1
    )
    assert (result.consensus, result.selected_index, result.status) == ("x", 0, "partial")


async def test_a_schema_of_words_takes_the_bare_word():
    result = await consensus(says("yes", '"yes"', " no\n", "maybe"), schema=Literal["yes", "no"])
    assert [output.value for output in result.outputs] == ["yes", "yes", "no", None]


async def test_numbers_read_by_a_schema_are_never_merged_into_one_answer():
    result = await consensus(says("42", "43", "43"), schema=int)
    assert result.consensus == 43
    with pytest.raises(NoConsensusError):
        await consensus(says("42", "43"), schema=int, strategy="unanimous")


async def test_a_schema_that_is_none_is_refused_before_anything_starts():
    with pytest.raises(TypeError, match="structured_object"):
        await consensus(says("a", "b"), schema={"name": str})


async def test_structured_calls_and_pipes_agree_on_their_data():
    def ask(people):
        return structured(Answer, lambda: [f'{{"city": "Oslo", "people": {people}}}'])

    result = await consensus([lambda: ask(7), lambda: ask(8), lambda: ask(7)])
    assert result.consensus == Answer(city="Oslo", people=7)
    assert result.outputs[0].state.completed
    result = await consensus(
        [
            lambda: pipe([lambda: l0.run(lambda: ["a"])]),
            lambda: pipe([lambda: l0.run(lambda: ["a"])]),
            lambda: pipe([lambda: l0.run(ScriptedModel([fail(401)]), retry=NO_RETRY)]),
        ]
    )
    assert result.consensus == "a"
    assert result.outputs[2].error.status_code == 401


# --- determinism ------------------------------------------------------------------------------

SCRIPT = """
    import asyncio
    from l0.compose import consensus, similarity
    long = " ".join(f"word{i % 37} and" for i in range(600))
    values = [
        {"b": [1, 2, 3], "a": "x", "tags": ["p", "q"]}, {"a": "y", "b": [3, 2]},
        {"a": "y", "c": 1.5, "tags": ["q"]}, {"a": "x", "c": 1.25}, long, long[:-40], "42", "43",
    ]
    def task(value):
        async def run():
            return value
        return run
    print(repr(similarity(long, long[::-1])), repr(similarity(long, long[60:])))
    for strategy in ("majority", "weighted", "best"):
        for resolve in ("vote", "merge", "best"):
            for some in (values[:4], values[4:], values):
                weights = [1 + i % 3 for i in range(len(some))]
                r = asyncio.run(consensus(
                    [task(v) for v in some], strategy=strategy, resolve_conflicts=resolve,
                    weights=weights, minimum_agreement=0.95))
                print(r.consensus, r.confidence, r.selected_index, r.field_consensus)
                print(r.agreements, r.disagreements)
"""


def test_s79_the_same_inputs_give_the_same_output_under_every_hash_seed():
    """The same script in five processes, hash seeds 0 to 4, says the same to the letter."""
    script = textwrap.dedent(SCRIPT)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(5)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 5
    assert len(said[0].splitlines()) > 27
    assert set(said) == {said[0]}


def test_the_events_are_json():
    told = []
    asyncio.run(consensus(says("a", "b"), on_event=told.append))
    assert [to_dict(event)["type"] for event in told] == [event.type for event in told]


async def test_an_output_too_deep_to_be_compared_loses_no_other():
    deep = "[" * 700 + "]" * 700
    tasks = [lambda said=said: asyncio.sleep(0, said) for said in ("[1]", deep, "[1]")]
    result = await consensus(tasks, schema={"type": "array"})
    assert (result.consensus, result.analysis.failed) == ([1], 1)
    assert "nested deeper than 200 levels" in str(result.outputs[1].error)


async def test_meta_that_contains_itself_is_refused_before_anything_is_asked():
    around = {}
    around["me"] = around
    model = ScriptedModel(["a"])
    with pytest.raises(ValueError, match="meta contains itself"):
        await consensus([lambda: l0.run(model)] * 2, meta=around)
    assert model.calls == 0
