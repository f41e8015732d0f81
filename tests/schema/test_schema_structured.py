"""From a text to valid data, or to an error that says what was wrong: `structured`."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import pickle

import pytest
from pydantic import BaseModel, field_validator  # noqa: TID253  a test needs models

import l0
from l0.compose import parallel
from l0.errors import (
    AllStreamsExhaustedError,
    FatalGuardrailError,
    SchemaValidationError,
    StreamAbortedError,
)
from l0.schema import (
    MINIMAL_STRUCTURED,
    RECOMMENDED_STRUCTURED,
    STRICT_STRUCTURED,
    AutoCorrectInfo,
    SchemaFault,
    StructuredConfig,
    StructuredState,
    UnifiedSchema,
    minimal_structured,
    recommended_structured,
    strict_structured,
    structured,
    structured_array,
    wrap_json_schema,
)
from l0.stream import CachedResult, Options, Retry
from l0.testing import ScriptedModel, check_run, fail, hang

NOW = Retry(base_delay=0)


class Person(BaseModel):
    name: str
    age: int


GOOD = '{"name": "Ada", "age": 36}'
WRONG = '{"name": "Ada", "age": "old"}'


# --- failures first ---------------------------------------------------------------------------


async def test_s73_invalid_then_valid_is_one_retry_with_the_callers_back_off(clock):
    """on_validation_error(error, 1), then on_retry(1, …), then the data."""
    told = []
    done = await structured(
        Person,
        ScriptedModel([WRONG], [GOOD]),
        retry=Retry(base_delay=2, backoff="fixed"),
        on_validation_error=lambda error, attempt: told.append((error.errors[0].path, attempt)),
        on_retry=lambda attempt, reason: told.append((attempt, reason)),
        clock=clock,
    )  # fmt: skip
    assert done.data == Person(name="Ada", age=36)
    assert told == [("age", 1), (1, "guardrail_violation")]
    assert done.state.duration == 2.0
    assert done.structured_state.validation_failures == 1
    (error,) = done.errors
    assert done.structured_state.validation_errors == [error]


async def test_s73_after_the_retries_come_the_fallbacks():
    """Each with its own attempts; the first valid data wins."""
    seen = []
    done = await structured(
        Person,
        ScriptedModel([WRONG], [WRONG]),
        fallbacks=[ScriptedModel([WRONG], [GOOD])],
        retry=Retry(attempts=1, base_delay=0),
        on_fallback=lambda index, reason: seen.append((index, reason)),
    )
    assert done.data.age == 36
    assert seen == [(0, "guardrail_violation")]
    assert done.structured_state.validation_failures == 3
    assert done.state.fallback_index == 1


async def test_s73_the_final_error_carries_all_errors():
    """What was wrong with each attempt, oldest first."""
    model = ScriptedModel(["{}"], [WRONG], ["[]"])
    with pytest.raises(SchemaValidationError) as raised:
        await structured(Person, model, retry=Retry(attempts=2, base_delay=0))
    error = raised.value
    assert isinstance(error, ValueError)
    assert [(f.attempt, f.path, f.type) for f in error.errors] == [
        (1, "name", "missing"),
        (1, "age", "missing"),
        (2, "age", "int_parsing"),
        (3, "", "model_type"),
    ]
    assert error.partial_text == "[]"
    assert "say in the prompt what the fields are" in str(error)
    assert "what to do: See `errors`" in error.to_detailed_string()
    again = pickle.loads(pickle.dumps(error))
    assert again == error
    assert error.to_json()["context"]["errors"][0]["path"] == "name"


async def test_s73_with_fallbacks_the_final_error_speaks_for_every_stream():
    """One failure an attempt, and each says what was wrong so far."""
    with pytest.raises(AllStreamsExhaustedError) as raised:
        await structured(
            Person, ScriptedModel([WRONG]), fallbacks=[ScriptedModel(["{}"])], attempts=0
        )
    first, last = raised.value.errors
    assert [len(first.errors), len(last.errors)] == [1, 3]


@pytest.mark.parametrize(
    "text", ["", "I would rather not.", "<name>Ada</name>"], ids=["empty", "prose", "markup"]
)
async def test_a_text_that_is_no_json_fails_its_attempt(text):
    """It says so, and what to ask for."""
    model = ScriptedModel([text or " "], [text or " "])
    seen = []
    with pytest.raises(SchemaValidationError, match="ask the model for JSON") as raised:
        await structured(
            Person,
            model,
            retry=Retry(attempts=1, base_delay=0),
            detect_zero_output=False,
            on_validation_error=lambda error, attempt: seen.append(attempt),
        )
    assert {fault.type for fault in raised.value.errors} == {"json_invalid"}
    assert (model.calls, seen) == (2, [1, 2])


@pytest.mark.parametrize("text", ["[{}]", '""', "[[], []]", "{}", "[]", "null", "0"])
async def test_data_may_be_empty(text):
    """What would be no output as prose is an answer."""
    done = await structured(object, ScriptedModel([text]), attempts=0)
    assert done.data == json.loads(text)


@pytest.mark.parametrize("text", ["", " \n"])
async def test_no_text_is_no_output(text):
    """As in any run, and tried again as such."""
    seen = []
    model = ScriptedModel([text], [GOOD])
    done = await structured(Person, model, retry=NOW, on_retry=lambda n, why: seen.append(why))
    assert (done.data.age, seen) == (36, ["zero_output"])


async def test_without_auto_correct_only_json_is_json():
    """A comma too many is a failure."""
    model = ScriptedModel(['{"name": "Ada", "age": 36,}'], [GOOD])
    done = await structured(Person, model, auto_correct=False, retry=NOW)
    assert (done.data.age, done.corrected, model.calls) == (36, False, 2)
    assert "the text is no JSON" in str(done.errors[0])


async def test_what_is_not_json_by_the_standard_is_corrected_or_refused():
    """NaN is no JSON, though Python reads it."""
    done = await structured(dict[str, float | None], ScriptedModel(['{"a": NaN}']))
    assert (done.data, done.corrections) == ({"a": None}, ("convert_literals",))
    with pytest.raises(SchemaValidationError, match="NaN is not JSON"):
        await structured(
            dict[str, float], ScriptedModel(['{"a": NaN}']), auto_correct=False, attempts=0
        )


async def test_a_schema_that_fails_itself_is_no_fault_of_the_model():
    """Its own error ends the run at once, and what was opened in the log is closed."""

    class Broken(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def check(cls, value):
            raise KeyError("typo")

    told = []
    model = ScriptedModel(['{"a": 1}'])
    with pytest.raises(KeyError, match="typo"):
        await structured(Broken, model, retry=NOW, on_event=told.append)
    assert model.calls == 1
    check_run(told)
    types = [event.type for event in told]
    assert types.count("SCHEMA_VALIDATION_END") == types.count("STRUCTURED_END") == 1
    assert not next(e for e in told if e.type == "STRUCTURED_END")["success"]


async def test_callbacks_keep_to_the_contract_of_callbacks():
    """One that raises is reported by its name, one that waits is awaited; nothing changes."""
    told, seen = [], []

    async def slowly(info):
        await asyncio.sleep(0)
        seen.append(info)

    def raising(error, attempt):
        raise RuntimeError("typo")

    done = await structured(
        Person,
        ScriptedModel([WRONG], [f"```json\n{GOOD}\n```"]),
        retry=NOW,
        on_validation_error=raising,
        on_auto_correct=slowly,
        on_event=told.append,
    )
    assert done.data.age == 36
    assert seen == [AutoCorrectInfo(done.raw, GOOD, ("strip_markdown_fence",), True)]
    (failed,) = [event for event in told if event.type == "CALLBACK_ERROR"]
    assert (failed["callback"].split(".")[-1], failed["error"]) == ("raising", "typo")
    check_run(told)


async def test_cancelling_leaves_nothing_open():
    """The upstream is closed, no validation is begun."""
    model = ScriptedModel(['{"name": ', hang()])
    told = []
    task = asyncio.create_task(structured(Person, model, on_event=told.append))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == [True]
    assert "STRUCTURED_START" not in {event.type for event in told}
    check_run(told)


async def test_guardrails_judge_the_text_before_the_schema_does():
    """A fatal finding ends the run without a validation."""
    told = []
    rule = l0.GuardrailRule("no", lambda state: ["no"] * ("Ada" in state.content), severity="fatal")
    with pytest.raises(FatalGuardrailError):
        await structured(
            Person, ScriptedModel([GOOD]), guardrails=[rule], on_event=told.append, retry=NOW
        )
    assert "STRUCTURED_START" not in {event.type for event in told}


async def test_a_cached_text_is_judged_too():
    """A cache may hold what an older schema took."""

    class Cache:
        name = "cache"

        def before(self, options):
            return CachedResult(WRONG)

    model = ScriptedModel([GOOD])
    done = await structured(Person, model, interceptors=[Cache()], retry=NOW)
    assert (done.data.age, model.calls) == (36, 1)


async def test_what_an_interceptor_makes_of_the_text_is_what_is_judged():
    """The schema has the last word."""
    fix = l0.stream.transform_interceptor(lambda text: text.replace("old", "36"))
    done = await structured(Person, ScriptedModel([WRONG]), interceptors=[fix])
    assert done.data.age == 36
    assert done.raw == WRONG.replace("old", "36")


# --- the result -------------------------------------------------------------------------------


async def test_the_result_says_how_the_data_came_about():
    """Data, the text as it came, corrections, the run's state, its failures."""
    text = f"Here you are:\n```json\n{GOOD[:-1]},}}\n```"
    done = await structured(Person, ScriptedModel([fail(429)], [text]), retry=NOW)
    assert done.data == Person(name="Ada", age=36)
    assert done.raw == done.state.content == text
    assert done.corrected
    assert "remove_trailing_comma" in done.corrections
    assert done.structured_state == dataclasses.replace(
        StructuredState(0, 1, [], list(done.corrections)),
        validation_time_ms=done.structured_state.validation_time_ms,
    )
    assert done.state.completed
    assert len(done.errors) == 1
    assert done.stream_id
    assert done.telemetry is None


async def test_s71_valid_json_comes_back_untouched():
    """Nothing is healed that isn't broken."""
    text = '  {"url": "https://a.b//c", "odd": "/* ,} `\' */ // {"}  '
    done = await structured(dict[str, str], ScriptedModel([text]))
    assert done.data == {"url": "https://a.b//c", "odd": "/* ,} `' */ // {"}
    assert (done.corrected, done.corrections, done.raw) == (False, (), text)


async def test_the_value_reaches_the_interceptors_that_are_asked_later():
    """There are none behind it: it stands first, and is asked last."""
    seen = []

    class Look:
        name = "look"

        def after(self, done):
            seen.append(done.value)

    await structured(Person, ScriptedModel([GOOD]), interceptors=[Look()])
    assert seen == [None]


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "name", "values"),
    [
        (minimal_structured, MINIMAL_STRUCTURED, (False, 1, False)),
        (recommended_structured, RECOMMENDED_STRUCTURED, (True, 2, False)),
        (strict_structured, STRICT_STRUCTURED, (True, 3, True)),
        (StructuredConfig(), StructuredConfig(), (True, 1, False)),
    ],
)
def test_the_presets_are_what_they_say(preset, name, values):
    """auto_correct, attempts, strict_mode."""
    assert dataclasses.astuple(preset) == values
    assert preset == name


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({}, 2),
        ({"attempts": 0}, 1),
        ({"attempts": 3}, 4),
        ({"attempts": 9}, 10),
        ({"config": strict_structured}, 4),
        ({"config": strict_structured, "attempts": 0}, 1),
        ({"attempts": 3, "retry": Retry(attempts=1, base_delay=0)}, 2),
        ({"retry": False}, 1),
        ({"attempts": 2, "retry": None}, 3),
    ],
    ids=str,
)
async def test_attempts_count_where_no_retry_is_given(options, clock, calls):
    """They are retries, after the first try."""
    model = ScriptedModel([WRONG], repeat_last=True)
    with pytest.raises(SchemaValidationError):
        await structured(Person, model, clock=clock, **options)
    assert model.calls == calls


async def test_network_failures_do_not_use_up_the_attempts(clock):
    """They have a budget of their own, as in any run."""
    model = ScriptedModel([fail(503)], [fail(503)], [WRONG], [GOOD])
    done = await structured(Person, model, attempts=1, clock=clock)
    assert done.data.age == 36
    assert (done.state.network_retry_count, done.state.model_retry_count) == (2, 1)


@pytest.mark.parametrize("given", ["function", "options", "stream", "stream with attempts"])
async def test_the_stream_may_be_given_in_every_way_that_run_takes(given, clock):
    """A function, `Options`, or a stream that nothing was read of, such as a wrapped client's."""
    model = ScriptedModel([WRONG], [WRONG], [GOOD])
    retry = Retry(attempts=2, base_delay=0)
    if given == "function":
        done = await structured(Person, model, retry=retry)
    elif given == "options":
        done = await structured(Person, Options(model, retry=retry))
    elif given == "stream":
        stream = l0.wrap(model, retry=retry, stream_id="mine")
        done = await structured(Person, stream)
        assert done.stream_id == "mine"
    else:
        done = await structured(Person, l0.run(model, clock=clock), attempts=2)
    assert done.data.age == 36


@pytest.mark.parametrize(
    "beside",
    [{}, {"on_event": lambda event: None, "meta": {"a": 1}}],
    ids=["nothing", "a handler"],
)
async def test_who_listens_to_the_stream_goes_on_listening(beside):
    """Handlers and callbacks, each once, whatever is given beside the stream."""
    heard = {"on_event": [], "subscribed": [], "named": [], "on_token": []}
    stream = l0.run(
        lambda: [GOOD],
        on_event=heard["on_event"].append,
        on_token=heard["on_token"].append,
        retry=l0.Retry(attempts=0),
    )
    stream.subscribe(heard["subscribed"].append)
    stream.subscribe(heard["named"].append, ["TOKENS"])
    stop = stream.subscribe(heard["subscribed"].append)
    stop()
    phases = []
    stream.machine.subscribe(phases.append)
    done = await structured(Person, stream, **beside)
    assert done.stream_id == stream.stream_id
    types = [event.type for event in heard["subscribed"]]
    assert types.count("SESSION_START") == types.count("COMPLETE") == 1
    assert [event.type for event in heard["on_event"]] == ([] if beside else types)
    assert [event.type for event in heard["named"]] == ["TOKENS"]
    assert heard["on_token"] == [GOOD]
    assert phases


async def test_a_stream_that_was_aborted_before_stays_so():
    model = ScriptedModel([GOOD])
    stream = l0.run(model)
    stream.abort("changed my mind")
    with pytest.raises(StreamAbortedError, match="changed my mind"):
        await structured(Person, stream)
    assert model.calls == 0


async def test_a_stream_in_use_is_refused():
    """What was read of it is gone."""
    stream = l0.run(ScriptedModel([GOOD]))
    await stream.read()
    with pytest.raises(TypeError, match="is in use already"):
        structured(Person, stream)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"config": "strict"}, TypeError, "config is a StructuredConfig"),
        ({"attempts": -1}, ValueError, "attempts counts retries"),
        ({"attempts": True}, ValueError, "attempts counts retries"),
        ({"strict_mode": 1}, ValueError, "strict_mode is True or False"),
        ({"auto_correct": "yes"}, ValueError, "auto_correct is True or False"),
        ({"on_validation_error": 1}, TypeError, "on_validation_error is a function"),
        ({"on_auto_correct": []}, TypeError, "on_auto_correct is a function"),
        ({"retrys": 1}, TypeError, "unknown option 'retrys'; did you mean retry"),
    ],
    ids=str,
)
def test_a_bad_option_is_told_before_anything_is_asked(options, error, says):
    """The call itself raises; nothing need be awaited."""
    with pytest.raises(error, match=says):
        structured(Person, ScriptedModel([GOOD]), **options)


def test_a_call_that_is_not_awaited_is_named_as_it_was_written():
    """By Python's own warning, and by `parallel`, which takes no coroutine."""
    with pytest.warns(RuntimeWarning, match="coroutine 'structured' was never awaited"):
        structured(int, lambda: ["1"])
    made = structured_array(int, lambda: ["1"])
    with pytest.raises(TypeError, match=r"write lambda: structured\(\.\.\.\)"):
        l0.run_sync(parallel([made]))


def test_a_stream_is_needed():
    """As by `run`."""
    with pytest.raises(TypeError, match="needs a stream"):
        structured(Person)


async def test_strict_mode_needs_a_schema_that_can_be_strict():
    """One of the caller's own says so by a parameter."""
    with pytest.raises(TypeError, match="no strict mode"):
        structured(UnifiedSchema("mine", int), ScriptedModel(["1"]), strict_mode=True)
    seen = []

    def parse(data, strict=False):
        seen.append(strict)
        return data

    schema = UnifiedSchema("mine", parse)
    assert (await structured(schema, ScriptedModel(["1"]), strict_mode=True)).data == 1
    assert seen == [True]


@pytest.mark.parametrize("strict", [False, True])
async def test_s74_strict_mode_through_the_whole_run(strict):
    """A field too many is a failure in strict mode only, for a model and a JSON Schema alike."""
    text = GOOD.replace("}", ', "email": "a@b"}')
    for schema in (Person, wrap_json_schema(Person.model_json_schema())):
        model = ScriptedModel([text], [GOOD])
        done = await structured(schema, model, strict_mode=strict, retry=NOW)
        assert model.calls == (2 if strict else 1)
        assert len(done.errors) == strict
        if strict:
            (fault,) = done.errors[0].errors
            assert fault.path == "email"
    many = ScriptedModel([f"[{text}]"], [f"[{GOOD}]"])
    done = await structured_array(Person, many, strict_mode=strict, retry=NOW)
    assert many.calls == (2 if strict else 1)


def test_it_works_where_nothing_can_be_awaited():
    """Through the one synchronous door."""
    done = l0.run_sync(structured(Person, ScriptedModel([GOOD])))
    assert done.data.name == "Ada"


async def test_many_runs_share_a_schema():
    """What a run remembers is its own."""
    schema = l0.schema.as_schema(Person)
    texts = [GOOD.replace("36", str(n)) for n in range(200)]
    found = await asyncio.gather(
        *(structured(schema, ScriptedModel([WRONG], [text]), retry=NOW) for text in texts)
    )
    assert [done.data.age for done in found] == list(range(200))
    assert {len(done.structured_state.validation_errors) for done in found} == {1}


async def test_the_factory_can_tell_the_model_what_was_wrong():
    """`AttemptInfo.errors` has the faults of the attempts before."""
    prompts = []

    def ask(info):
        said = "; ".join(map(str, info.errors[-1].errors)) if info.errors else ""
        prompts.append(said)
        return [GOOD if said else WRONG]

    done = await structured(Person, ask, retry=NOW)
    assert done.data.age == 36
    assert prompts[1].startswith("age: Input should be a valid integer")


def test_a_fault_reads_well():
    """Path, message; and knows its JSON form."""
    fault = SchemaFault("a[0]", "is odd", "parity", 2)
    assert str(fault) == "a[0]: is odd"
    assert fault.to_dict() == {"path": "a[0]", "message": "is odd", "type": "parity"}


def test_the_signature_is_the_documented_one():
    """The same for both doors."""
    names = list(inspect.signature(structured).parameters)
    assert names == list(inspect.signature(l0.schema.structured_stream).parameters)
    assert names == [
        *("schema", "stream", "config", "auto_correct", "strict_mode", "attempts"),
        *("on_validation_error", "on_auto_correct", "run_options"),
    ]


async def test_no_value_of_the_text_is_in_a_message():
    """Values may be secret; the text is at hand for who may see it."""
    text = '{"name": "Ada", "age": "hunter2"}'
    for schema in (
        Person,
        wrap_json_schema(
            {"properties": {"age": {"anyOf": [{"type": "integer"}, {"enum": ["x"]}]}}}
        ),
        wrap_json_schema({"properties": {"age": {"pattern": "^x", "maxLength": 1}}}),
    ):
        told = []
        with pytest.raises(SchemaValidationError) as raised:
            await structured(schema, ScriptedModel([text]), attempts=0, on_event=told.append)
        assert "hunter2" not in str(raised.value)
        assert "hunter2" not in str([e.payload for e in told if e.type.startswith("SCHEMA")])
