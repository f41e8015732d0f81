"""Every form of a schema behaves alike: strict or not, nested or not, valid or not."""

from __future__ import annotations

import dataclasses
import sys
import typing
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter  # noqa: TID253  a test needs models
from typing_extensions import TypedDict

from l0.errors import SchemaValidationError
from l0.schema import (
    SchemaFault,
    UnifiedSchema,
    as_schema,
    structured_array,
    structured_object,
    wrap_json_schema,
)
from l0.schema._forms import array_schema, object_schema
from l0.testing import ScriptedModel


class Tag(BaseModel):
    label: str = Field(alias="Label")
    weight: float = 1.0


class Model(BaseModel):
    name: str
    age: int
    tags: list[Tag] = []


@dataclasses.dataclass
class Record:
    name: str
    age: int
    tags: list[Tag] = dataclasses.field(default_factory=list)


class Typed(TypedDict):
    name: str
    age: int
    tags: typing.NotRequired[list[Tag]]


class Plain(typing.TypedDict):
    name: str
    age: int
    tags: typing.NotRequired[list[Tag]]


SHAPE = {"name": str, "age": int, "tags": (list[Tag], [])}
FORMS: dict[str, Any] = {
    "model": as_schema(Model),
    "dataclass": as_schema(Record),
    "TypedDict": as_schema(Typed),
    "typing.TypedDict": as_schema(Plain),
    "adapter": as_schema(TypeAdapter(Model)),
    "annotation": as_schema(Annotated[Model, "documented"]),
    "object": object_schema(SHAPE),
    "JSON Schema": wrap_json_schema(Model.model_json_schema()),
    "JSON Schema of a TypedDict": wrap_json_schema(TypeAdapter(Typed).json_schema()),
    "UnifiedSchema": as_schema(as_schema(Model)),
}

GOOD = {"name": "Ada", "age": 36, "tags": [{"Label": "x", "weight": 2}]}
# What is given, where each form finds the fault, and whether only strict mode minds.
BAD = {
    "missing": ({"name": "Ada"}, ["age"], False),
    "wrong kind": ({"name": "Ada", "age": [1]}, ["age"], False),
    "nested wrong kind": ({**GOOD, "tags": [{"Label": []}]}, ["tags[0].Label"], False),
    "not an object": ([1], [""], False),
    "two at once": ({"age": "old"}, ["name", "age"], False),
    "by its name, not its alias": ({**GOOD, "tags": [{"label": "x"}]}, ["tags[0].Label"], False),
    "unknown": ({**GOOD, "extra": 1}, ["extra"], True),
    "unknown in an array": ({**GOOD, "tags": [{"Label": "y", "z": 0}]}, ["tags[0].z"], True),
    "a whole number with a point": ({"name": "Ada", "age": 36.0}, ["age"], True),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("strict", [False, True], ids=["lax", "strict"])
def test_s74_every_form_takes_what_is_right(form, strict):
    """The same data, aliases and all."""
    ok, data, error = FORMS[form].safe_parse(GOOD, strict)
    assert (ok, error) == (True, None)
    told = data if isinstance(data, dict) else vars(data)
    assert (told["name"], told["age"]) == ("Ada", 36)


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("form", FORMS)
def test_s74_every_form_finds_the_same_faults_in_the_same_places(form, case):
    """Strict mode rejects unknown fields at every level and coerces nothing."""
    data, places, only_strict = BAD[case]
    ok, _, error = FORMS[form].safe_parse(data, True)
    assert not ok
    found = {fault.path for fault in error.errors}
    if "alias" in case:  # the plain name is one unknown field more
        found.discard("tags[0].label")
    assert set(places) == found
    assert FORMS[form].safe_parse(data).ok is only_strict
    with pytest.raises(SchemaValidationError, match=r"is not what .* asks for"):
        FORMS[form].parse(data, True)


@pytest.mark.parametrize("form", ["model", "dataclass", "TypedDict", "object"])
def test_strict_mode_coerces_nothing(form):
    """Types of Python read "36" as a number, unless they are told not to."""
    data = {"name": "Ada", "age": "36"}
    assert FORMS[form].safe_parse(data).ok
    _, _, error = FORMS[form].safe_parse(data, True)
    assert error.errors == (
        SchemaFault("age", "Input should be a valid integer; got a string", "int_type"),
    )


def test_what_a_form_makes_of_the_data_is_its_own():
    """An instance of the class; a dict with the defaults; the data itself."""
    data = {"name": "Ada", "age": 36}
    assert as_schema(Model).parse(data) == Model(name="Ada", age=36)
    assert as_schema(Record).parse(data) == Record("Ada", 36, [])
    assert as_schema(Typed).parse(data) == data
    assert object_schema(SHAPE).parse(data) == {**data, "tags": []}
    assert wrap_json_schema(Model.model_json_schema()).parse(data) is data


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Node(BaseModel):
    value: int
    next: Node | None = None


class Zoo(BaseModel):
    animals: list[Cat | Dog] = []
    by_name: dict[str, Cat] = {}
    anything: dict[str, Any] = {}
    root: Node | None = None
    open: Open | None = None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["cat", "dog", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["kind", "lives", "tricks", "value", "next", "a", "b", "animals", "by_name"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
zoos = st.fixed_dictionaries(
    {},
    optional={
        "animals": st.lists(
            st.fixed_dictionaries(
                {"kind": st.sampled_from(["cat", "dog"])},
                optional={"lives": st.integers(), "tricks": st.just(["sit"]), "z": values},
            ),
            max_size=2,
        ),
        "by_name": st.dictionaries(
            st.sampled_from("ab"), st.just({"kind": "cat", "lives": 9}) | values, max_size=2
        ),
        "anything": st.dictionaries(st.text(max_size=2), values, max_size=2),
        "root": st.just({"value": 1, "next": {"value": 2}})
        | st.just({"value": 1, "next": {"value": 2, "b": 3}})
        | values,
        "open": st.just({"a": 1}) | st.just({"a": 1, "b": 2}) | values,
        "other": values,
    },
)


@settings(max_examples=150, deadline=None)
@given(zoos | values)
def test_s74_a_model_and_its_json_schema_agree_in_strict_mode(data):
    """On unions, recursion, maps, models that allow extra fields, and on nonsense."""
    assert as_schema(Zoo).safe_parse(data, True).ok == SCHEMA.safe_parse(data, True).ok


SCHEMA = wrap_json_schema(Zoo.model_json_schema())


async def test_s74_objects_and_arrays_are_asked_for_by_shape():
    """Without a class; keys need not be names that Python accepts."""
    shape = {"first name": str, "class": {"level": int}, "model_x": (list[int], [])}
    text = '{"first name": "Ada", "class": {"level": "3"}}'
    done = await structured_object(shape, ScriptedModel([text]))
    assert done.data == {"first name": "Ada", "class": {"level": 3}, "model_x": []}
    many = await structured_array(shape, ScriptedModel([f"[{text}, {text}]"]))
    assert many.data == [done.data, done.data]
    assert (await structured_array(Tag, ScriptedModel(['[{"Label": "a"}]']))).data[0].label == "a"
    item = {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    assert (await structured_array(item, ScriptedModel(['[{"a": 1}]']))).data == [{"a": 1}]


@pytest.mark.parametrize(
    ("item", "data", "place"),
    [
        (int, [1, "x"], "[1]"),
        ({"type": "integer"}, [1, "x"], "[1]"),
        (UnifiedSchema("mine", int), [1, "x"], "[1]"),
        ({"a": int}, [{"a": 1}, {}], "[1].a"),
        ({"type": "object", "required": ["a"]}, [{}], "[0].a"),
        ({"type": "integer"}, {"a": 1}, ""),
        (int, {"a": 1}, ""),
    ],
)
def test_an_array_says_which_item_is_wrong(item, data, place):
    """With the path that reads as in code."""
    _, _, error = array_schema(item).safe_parse(data)
    assert [fault.path for fault in error.errors] == [place]


def test_a_default_of_a_shape_is_fresh_for_each_object():
    """A list that one object was given is not the next one's."""
    schema = object_schema({"tags": (list[str], [])})
    first = schema.parse({})
    first["tags"].append("x")
    assert schema.parse({}) == {"tags": []}


# --- what is no schema ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (5, "5 is no schema"),
        (None, "None is no schema"),
        ("Person", "'Person' is no schema"),
        (print, "is no schema"),
        (lambda x: x, "is no schema"),
        (object(), "is no schema"),
        ({"name": str}, "use structured_object"),
        ({}, r"the keys \(none\) is no JSON Schema"),
    ],
)
def test_what_is_no_schema_is_told_at_once(given, says):
    """With the forms there are."""
    with pytest.raises(TypeError, match=says):
        as_schema(given)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ([("name", str)], "described by"),
        ({1: str}, "described by"),
        ({"a": (int, 0, 1)}, "a type, or a type and its default"),
        ({"a": None}, "'a' is a type"),
        ({"a": object()}, "no type"),
    ],
)
def test_what_is_no_shape_is_told_at_once(shape, says):
    """With what one looks like."""
    with pytest.raises(TypeError, match=says):
        structured_object(shape, ScriptedModel(["{}"]))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads typing.TypedDict itself")
def test_a_typed_dict_of_typing_is_read_wherever_it_stands():
    """Inside lists, unions, other dicts; what is required stays so."""

    class Half(typing.TypedDict, total=False):
        a: typing.Required[int]
        b: Plain

    for annotation in (list[Half], Half | None, dict[str, Half], Annotated[Half, "x"]):
        schema = as_schema(annotation)
        inner = {"a": 1, "b": {"name": "x", "age": 1}}
        data = {list[Half]: [inner], dict[str, Half]: {"k": inner}}.get(annotation, inner)
        assert schema.parse(data) == data
    _, _, error = as_schema(list[Half]).safe_parse([{"b": {"name": "x"}}])
    assert [fault.path for fault in error.errors] == ["[0].a", "[0].b.age"]


# --- somebody's own ---------------------------------------------------------------------------


def test_a_schema_of_ones_own_needs_one_function():
    """Its `ValueError`s become faults, its other errors are its own."""

    def even(data):
        if data % 2:
            raise ValueError("it is odd")
        return data // 2

    schema = UnifiedSchema("even", even)
    assert schema.parse(4) == 2
    _, _, error = schema.safe_parse(3)
    assert error.errors == (SchemaFault("", "it is odd", "ValueError"),)
    with pytest.raises(TypeError):
        schema.safe_parse([])
    with pytest.raises(TypeError, match="needs parse, safe_parse, or both"):
        UnifiedSchema("nothing")


def test_a_schema_of_ones_own_judges_at_once():
    """A coroutine function would give no data."""

    async def parse(data):
        return data

    for schema in (UnifiedSchema("mine", parse), UnifiedSchema("mine", safe_parse=parse)):
        with pytest.raises(TypeError, match="coroutine functions"):
            schema.parse(1)


def test_a_schema_of_ones_own_may_report_in_many_ways():
    """A library error, pydantic's, texts, mappings."""

    def told(error):
        return UnifiedSchema("mine", safe_parse=lambda _: (False, None, error)).safe_parse(1).error

    nested = as_schema(Model).safe_parse({}).error
    assert told(nested).errors == nested.errors
    assert [f.path for f in told([{"path": ["a", 0], "message": "bad"}]).errors] == ["a[0]"]
    assert told("bad").errors == (SchemaFault("", "bad", "invalid"),)

    with pytest.raises(SchemaValidationError) as raised:
        UnifiedSchema("mine", Model.model_validate).parse({"name": "x"})
    assert [f.path for f in raised.value.errors] == ["age"]


def test_a_schema_describes_itself_for_a_prompt():
    """As JSON Schema; one of the caller's own may."""
    assert as_schema(Model).json_schema == Model.model_json_schema()
    assert set(object_schema(SHAPE).json_schema["properties"]) == {"name", "age", "tags"}
    described = array_schema({"type": "integer"}).json_schema
    assert described == {"type": "array", "items": {"type": "integer"}}
    assert UnifiedSchema("mine", int).json_schema is None
    assert repr(as_schema(Model)) == "<UnifiedSchema Model (pydantic)>"
    assert as_schema(list[Model]).name == "list[test_schema_forms.Model]"


def test_only_json_data_is_judged():
    """A set has no JSON form, so the schema isn't to blame."""
    with pytest.raises(TypeError, match="JSON data"):
        as_schema(list[int]).safe_parse({1, 2})
