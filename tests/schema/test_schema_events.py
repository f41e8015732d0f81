"""The events of structured output: their order, their fields, and a catalog that is whole."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest
from pydantic import BaseModel  # noqa: TID253  a test needs models

import l0
from l0.events import (
    InMemoryEventStore,
    Log,
    ObservabilityEventType,
    Payload,
    catalog,
    from_json,
    register_payload,
    to_json,
)
from l0.events import _catalog as catalog_module
from l0.schema import structured
from l0.testing import ScriptedModel, check_run

PAIRS = {
    "STRUCTURED_START": "STRUCTURED_END",
    "PARSE_START": "PARSE_END",
    "AUTO_CORRECT_START": "AUTO_CORRECT_END",
    "SCHEMA_VALIDATION_START": "SCHEMA_VALIDATION_END",
}
OURS = set(catalog_module._FAMILIES["l0.schema._payloads"])


class Person(BaseModel):
    name: str
    age: int


GOOD = '{"name": "Ada", "age": 36}'


async def told_by(*attempts, schema=Person, **options):
    """The events of this family, the callbacks among them, and all events."""
    told, ours = [], []

    def listen(event):
        told.append(event)
        if event.type in OURS:
            ours.append(event.type)

    options.setdefault("retry", l0.Retry(attempts=len(attempts) - 1, base_delay=0))
    try:
        await structured(
            schema,
            ScriptedModel(*attempts),
            on_event=listen,
            on_validation_error=lambda error, attempt: ours.append("→ on_validation_error"),
            on_auto_correct=lambda info: ours.append("→ on_auto_correct"),
            **options,
        )
    except l0.errors.SchemaValidationError as error:
        ours.append(type(error).__name__)
    check_run(told)
    nested(told)
    return ours, told


def nested(told):
    """Every START of the family is closed by its END, innermost first."""
    opened = []
    for event in told:
        if event.type in PAIRS:
            opened.append(PAIRS[event.type])
        elif event.type in PAIRS.values():
            assert opened.pop() == event.type
    assert opened == []


async def test_valid_json_is_parsed_and_judged():
    """Nothing is corrected."""
    ours, told = await told_by([GOOD])
    assert ours == [
        *("STRUCTURED_START", "PARSE_START", "PARSE_END"),
        *("SCHEMA_VALIDATION_START", "SCHEMA_VALIDATION_END", "STRUCTURED_END"),
    ]
    types = [event.type for event in told]
    assert types.index("INTERCEPTOR_START") < types.index("STRUCTURED_START")
    assert types.index("STRUCTURED_END") < types.index("INTERCEPTOR_END")
    assert types.index("INTERCEPTOR_END") < types.index("FINALIZATION_END")


async def test_a_correction_comes_between_parsing_and_judging():
    """Its callback right after its end."""
    ours, told = await told_by([f"```json\n{GOOD}\n```"])
    assert ours == [
        *("STRUCTURED_START", "PARSE_START", "PARSE_ERROR", "PARSE_END"),
        *("AUTO_CORRECT_START", "AUTO_CORRECT_END", "→ on_auto_correct"),
        *("SCHEMA_VALIDATION_START", "SCHEMA_VALIDATION_END", "STRUCTURED_END"),
    ]
    by_type = {event.type: event for event in told}
    assert by_type["PARSE_ERROR"]["position"] == 0
    assert by_type["AUTO_CORRECT_START"]["content_length"] == len(GOOD) + 12
    end = by_type["AUTO_CORRECT_END"]
    assert (end["success"], end["corrections"], end["correction_count"]) == (
        True,
        ["strip_markdown_fence"],
        1,
    )
    assert by_type["STRUCTURED_END"]["corrected"]


async def test_invalid_data_is_told_before_its_callback_and_before_the_error():
    """Each attempt has its own story."""
    ours, told = await told_by(["[]"], ['{"name": 1}'], strict_mode=True)
    one = [
        *("STRUCTURED_START", "PARSE_START", "PARSE_END", "SCHEMA_VALIDATION_START"),
        *("SCHEMA_VALIDATION_ERROR", "→ on_validation_error", "SCHEMA_VALIDATION_END"),
        "STRUCTURED_END",
    ]
    assert ours == [*one, *one, "SchemaValidationError"]
    starts = [event.data for event in told if event.type == "STRUCTURED_START"]
    assert starts == [
        {"schema_name": "Person", "attempt": 1, "strict": True, "auto_correct": True},
        {"schema_name": "Person", "attempt": 2, "strict": True, "auto_correct": True},
    ]
    faults = [event["errors"] for event in told if event.type == "SCHEMA_VALIDATION_ERROR"]
    assert [[fault["path"] for fault in each] for each in faults] == [[""], ["name", "age"]]
    assert all(set(fault) == {"path", "message", "type"} for each in faults for fault in each)
    ends = [event for event in told if event.type == "SCHEMA_VALIDATION_END"]
    assert [(event["valid"], event["error_count"]) for event in ends] == [(False, 1), (False, 2)]
    types = [event.type for event in told]
    assert types.index("STRUCTURED_END") < types.index("ERROR")
    assert next(e for e in told if e.type == "ERROR")["error_code"] == "SCHEMA_VALIDATION_FAILED"


@pytest.mark.parametrize("auto_correct", [True, False])
async def test_a_text_that_is_no_json_has_its_fault_told_like_any_other(auto_correct):
    """Whoever listens for invalid data hears of it in one place."""
    ours, told = await told_by(["nothing of use"], auto_correct=auto_correct)
    healing = ["AUTO_CORRECT_START", "AUTO_CORRECT_END", "→ on_auto_correct"] * auto_correct
    assert ours == [
        *("STRUCTURED_START", "PARSE_START", "PARSE_ERROR", "PARSE_END", *healing),
        *("SCHEMA_VALIDATION_START", "SCHEMA_VALIDATION_ERROR", "→ on_validation_error"),
        *("SCHEMA_VALIDATION_END", "STRUCTURED_END", "SchemaValidationError"),
    ]
    (fault,) = next(e for e in told if e.type == "SCHEMA_VALIDATION_ERROR")["errors"]
    assert fault["type"] == "json_invalid"
    if auto_correct:
        assert not next(e for e in told if e.type == "AUTO_CORRECT_END")["success"]


async def test_the_position_of_a_fault_counts_in_the_text_as_it_came():
    """Blanks before it included."""
    _, told = await told_by(['  {"a": }'], schema=dict)
    assert next(e for e in told if e.type == "PARSE_ERROR")["position"] == 8


async def test_every_type_of_the_family_is_emitted_and_survives_json():
    """All fields are there, and durations are of the run's own clock."""
    _, told = await told_by(['{"name": "Ada",}'], ["```" + GOOD])
    assert {event.type for event in told} & OURS == OURS
    for event in told:
        if event.type in OURS:
            again = from_json(type(event.payload), to_json(event.payload))
            assert again == event.payload


async def test_durations_are_of_the_runs_own_clock(clock):
    """So that a run on a virtual clock tells the same story every time."""
    _, told = await told_by([GOOD], clock=clock)
    ends = [event["duration_ms"] for event in told if event.type in PAIRS.values()]
    assert ends == [0.0, 0.0, 0.0]


async def test_a_recorded_run_replays_with_its_family():
    """The store keeps them; secrets in them are redacted as everywhere."""
    store = InMemoryEventStore()
    key = "sk-" + "a1B2" * 8

    def parse(data):
        raise ValueError(f"refused with {key}")

    with pytest.raises(l0.errors.SchemaValidationError):
        await structured(
            l0.schema.UnifiedSchema("mine", parse),
            ScriptedModel([GOOD]),
            attempts=0,
            event_store=store,
            stream_id="kept",
        )
    records = await store.get_events("kept")
    kept = {record.type: record for record in records}
    assert OURS - {"PARSE_ERROR", "AUTO_CORRECT_START", "AUTO_CORRECT_END"} <= set(kept)
    assert kept["STRUCTURED_END"].payload == l0.schema.StructuredEndPayload(
        success=False,
        attempt=1,
        corrected=False,
        duration_ms=kept["STRUCTURED_END"].payload.duration_ms,
    )
    assert key not in str([record.data for record in records])


# --- the catalog ------------------------------------------------------------------------------


def test_the_table_of_families_is_what_the_rooms_declare():
    """Each type is declared by the module that the table names for it, and all of that module's."""
    for module, types in catalog_module._FAMILIES.items():
        declared = [
            each.type
            for each in vars(importlib.import_module(module)).values()
            if isinstance(each, type) and issubclass(each, Payload) and each.__module__ == module
        ]
        assert tuple(declared) == types, f"write the types of {module} in events/_catalog.py"
        for type_ in types:
            assert catalog()[type_].__module__ == module
            assert ObservabilityEventType[type_] == type_


def run_alone(code):
    """What a fresh process prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_process_that_never_used_the_room_knows_its_events(tmp_path):
    """A log is read with typed payloads, subscribed to, described; nothing is loaded before."""
    log = Log()
    bus = l0.EventBus()
    bus.subscribe(log, log.types)
    bus.emit("STRUCTURED_START", schema_name="Person", attempt=1, strict=False, auto_correct=True)
    log.save(tmp_path / "log.jsonl")
    code = f"""
import json, sys
from l0.events import Log, ObservabilityEventType, payload_class
before = "l0.schema" in sys.modules
named = ObservabilityEventType.STRUCTURED_START
(record,) = Log.load({str(tmp_path / "log.jsonl")!r}).records()
print(json.dumps([before, named, type(record.payload).__name__, record.payload.schema_name]))
"""
    assert run_alone(code) == [False, "STRUCTURED_START", "StructuredStartPayload", "Person"]
    code = """
import json, l0.events
names = list(l0.events.catalog())
print(json.dumps([names, "STRUCTURED_END" in str(l0.events.schema())]))
"""
    names, described = run_alone(code)
    assert set(names) >= OURS
    assert described


def test_a_type_of_a_family_has_one_home(monkeypatch):
    """Also before the room that declares it is in use."""
    monkeypatch.setattr(catalog_module, "_catalog", {})

    def declare():
        class ParseEndPayload(Payload, frozen=True):
            """Another one."""

        return ParseEndPayload

    with pytest.raises(ValueError, match=r"PARSE_END is declared by l0\.schema"):
        register_payload(declare())
    assert catalog_module.find_payload("PARSE_END") is l0.schema.ParseEndPayload


def test_using_the_room_stays_light():
    """Models and JSON Schema are imported where they are used."""
    code = """
import json, sys, l0.schema
heavy = "pydantic jsonschema referencing pandas IPython openai anthropic".split()
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    assert run_alone(code) == []
