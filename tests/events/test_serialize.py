"""Every value of the library goes to JSON and comes back; each class has a schema."""

from __future__ import annotations

import enum
import functools
import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l0.events as events
from l0.errors import ErrorContext, StoreError, ZeroOutputError
from l0.events import (
    DataPayload,
    Event,
    EventType,
    InMemoryEventStore,
    Payload,
    Record,
    State,
    StreamMetadata,
    TokensPayload,
    Usage,
    Verification,
    catalog,
    from_json,
    schema,
    schema_of,
    to_dict,
    to_json,
)
from l0.events._chain import Chain
from l0.events._record import records_of
from l0.events._serialize import encode
from l0.guardrails import DriftConfig
from l0.stream import CheckIntervals, ContinuationConfig, Options, Retry, Timeout

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def values_of(hint):
    """Any value of a declared type."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return JSON
    if origin is list:
        return st.lists(values_of(args[0]), max_size=3)
    if origin is tuple:
        return st.lists(values_of(args[0]), max_size=3).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(TEXT, values_of(args[1]), max_size=3)
    if args:  # a union
        return st.one_of([values_of(arg) for arg in args])
    if hint is type(None):
        return st.none()
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return structs(hint)
    simple = {
        str: TEXT,
        int: st.integers(-(2**63), 2**64),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        bytes: st.binary(max_size=5),
    }
    return simple[hint]


def structs(cls):
    hints = get_type_hints(cls)
    named = {name: values_of(hints[name]) for name in cls.__struct_fields__}
    if cls is Usage:
        named = {name: st.integers(0, 2**53) for name in named}
    return st.fixed_dictionaries(named).map(lambda fields: cls(**fields))


PAYLOADS = {name: structs(cls) for name, cls in catalog().items()}


@pytest.mark.parametrize("name", PAYLOADS)
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_each_payload_comes_back_equal_and_keeps_to_its_schema(name, data):
    payload = data.draw(PAYLOADS[name])
    text = to_json(payload)
    assert from_json(type(payload), text) == payload
    assert json.loads(text) == json.loads(json.dumps(to_dict(payload)))
    schema_of_type(name).validate(json.loads(text))


@functools.cache
def schema_of_type(name):
    """The validator of what the schema of all events says of this type."""
    whole = schema()
    own = {"$ref": whole["discriminator"]["mapping"][name]}
    assert own in whole["anyOf"]
    return jsonschema.Draft202012Validator({**own, "$defs": whole["$defs"]})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(list(PAYLOADS.values())), max_size=8), st.dictionaries(TEXT, JSON))
def test_random_events_are_read_from_a_store_as_they_were(payloads, meta):
    """Store, read, compare: through the chain, JSON and the types again."""
    chain, rows = Chain("run", None, full=True), []
    skipped = {"TOKEN", "CHECKPOINT_SAVED"}
    kept = [payload for payload in payloads if payload.type not in skipped]
    for seq, payload in enumerate(kept):
        chain.push(events.ObservabilityEvent(payload.type, seq / 8, "run", payload, meta), rows)
    records = list(records_of(rows))
    assert [record.payload for record in records] == kept
    assert [record.ts for record in records] == [seq / 8 for seq in range(len(kept))]
    assert all(record.meta == meta for record in records)
    assert events.verify_records(records).ok


@pytest.mark.parametrize("cls", [Event, DataPayload, Usage, events.GuardrailViolation])
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_what_the_consumer_sees_comes_back_equal(cls, data):
    value = data.draw(structs(cls))
    assert from_json(cls, to_json(value)) == value


def test_the_schema_has_each_type_of_the_catalog_once():
    made = schema()
    assert made["discriminator"]["propertyName"] == "type"
    assert set(made["discriminator"]["mapping"]) == set(catalog())
    tokens = made["$defs"]["TokensPayload"]
    assert tokens["properties"]["offsets_us"]["items"] == {"type": "integer"}
    assert set(tokens["required"]) == {"type", "start", "texts", "offsets_us"}


OPTIONS = [Retry(), Timeout(), CheckIntervals(), ContinuationConfig(), DriftConfig()]


@pytest.mark.parametrize("value", OPTIONS, ids=lambda value: type(value).__name__)
def test_options_of_other_rooms_come_back_equal(value):
    text = to_json(value)
    assert from_json(type(value), text) == value
    jsonschema.Draft202012Validator(schema_of(type(value))).validate(json.loads(text))


def test_options_leave_out_what_can_be_called_and_what_json_has_no_word_for():
    told = to_dict(Options(lambda: ["a"], meta={"user": "ada"}, guardrails=[object_with_check()]))
    assert told["meta"] == {"user": "ada"}
    assert told["deliver"] == "live"
    assert told["retry"]["attempts"] == 3
    left_out = {"stream", "on_event", "random", "guardrails", "build_continuation_prompt"}
    assert not left_out & set(told)
    assert (
        to_dict(Options(["a"], event_store=InMemoryEventStore())).keys().isdisjoint({"event_store"})
    )


def object_with_check():
    class Rule:
        def check(self, state): ...

    return Rule()


@dataclass(frozen=True)
class Inner:
    weight: float = math.inf
    hook: Callable[[int], int] | None = None


@dataclass(frozen=True)
class Outer:
    """For the test."""

    name: str
    inner: Inner = field(default_factory=Inner)
    act: Any = print
    tags: tuple[str, ...] = ("a",)

    def __post_init__(self):
        if not self.name:
            raise ValueError("Outer.name is empty")


def test_nested_options_and_odd_defaults():
    value = Outer("x", Inner(2.5, abs), act=len)
    assert to_dict(value) == {"name": "x", "inner": {"weight": 2.5}, "tags": ["a"]}
    assert from_json(Outer, to_json(value)) == Outer("x", Inner(2.5))
    assert from_json(Outer, to_json(Outer("y"))) == Outer("y")
    properties = schema_of(Outer)["$defs"]
    assert set(properties["Outer"]["properties"]) == {"name", "inner", "tags"}
    assert set(properties["Inner"]["properties"]) == {"weight"}
    assert properties["Outer"]["required"] == ["name"]


def test_other_values_are_told_too():
    assert to_dict(State())["phase"] == "init"
    assert to_dict(ZeroOutputError("no"))["code"] == "ZERO_OUTPUT"
    assert to_dict(ErrorContext(attempt=2))["attempt"] == 2
    assert to_dict(KeyError("x")) == {"name": "KeyError", "message": "'x'"}
    assert json.loads(to_json([Usage(1), {"a": {3, 1, 2}}])) == [
        to_dict(Usage(1)),
        {"a": [1, 2, 3]},
    ]
    assert to_json(math.nan) == "null"
    metadata = StreamMetadata("s", 1, 2, 3.0, 4.0)
    assert from_json(StreamMetadata, to_json(metadata)) == metadata
    found = Verification(False, 1, 1, "gap", None, False)
    assert from_json(Verification, to_json(found)) == found
    record = Record("s", 0, 1.0, "X", {"a": 1})
    assert from_json(Record, to_json(record)) == record


def test_values_of_other_people_are_told_whatever_they_do():
    """A recording goes on: their methods and type hints are nothing to rely on."""

    class Theirs(Exception):
        def to_json(self, indent):
            return {"indent": indent}

    @dataclass
    class Unresolved:
        what: Nowhere  # noqa: F821  (as under `if TYPE_CHECKING`)
        it: object

    told, changes = encode({"error": Theirs("x"), "asked": Unresolved("a", Theirs)})
    assert json.loads(told)["error"] == {"name": "Theirs", "message": "x"}
    assert json.loads(told)["asked"]["what"] == "a"
    assert changes == ("json",)


def test_mistakes_are_told_with_their_place():
    with pytest.raises(ValueError, match=r"no JSON of a Retry: Expected `int`.*attempts"):
        from_json(Retry, '{"attempts": "3"}')
    with pytest.raises(ValueError, match=r"Outer.name is empty"):
        from_json(Outer, '{"name": ""}')
    with pytest.raises(ValueError, match="no JSON of a Usage"):
        from_json(Usage, "{")
    with pytest.raises(TypeError, match="comes from a replay"):
        from_json(State, "{}")
    with pytest.raises(TypeError, match="no class of"):
        schema_of(int)
    with pytest.raises(TypeError, match="has no fields"):
        to_dict(3)


def test_every_public_class_with_fields_has_a_schema():
    """Of this room; a field without one would be found here first."""
    for name in events.__all__:
        value = getattr(events, name)
        if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value is not Payload:
            jsonschema.Draft202012Validator.check_schema(schema_of(value))


def test_a_token_batch_is_written_compactly():
    text = to_json(TokensPayload(0, ["a"], [0]))
    assert text == (
        '{"checkpoints":[],"notes":[],"offsets_us":[0],"start":0,"texts":["a"],"type":"TOKENS"}'
    )
    assert to_dict(Event(EventType.TOKEN, "a", 0))["type"] == "token"
    assert issubclass(StoreError, Exception)
