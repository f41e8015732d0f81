# ruff: noqa: E501  tables of schemas, a row each
"""JSON Schema: every keyword, faults that say where and what, other adapters, and no network."""

from __future__ import annotations

import copy
import socket

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.errors import SchemaValidationError
from l0.schema import (
    SchemaFault,
    SimpleJSONSchemaAdapter,
    get_json_schema_adapter,
    has_json_schema_adapter,
    is_json_schema,
    register_json_schema_adapter,
    structured,
    unregister_json_schema_adapter,
    validate_json_schema,
    wrap_json_schema,
)
from l0.schema._keywords import closed
from l0.testing import ScriptedModel


@pytest.fixture
def registry():
    """What a test registers stays in the test."""
    yield
    unregister_json_schema_adapter()


@pytest.fixture
def no_network(monkeypatch):
    """Any connection fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("a schema went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --- faults of data ---------------------------------------------------------------------------

# A schema, what is valid, what isn't, and the fault: path, message, type.
KEYWORDS = [
    ({"type": "integer"}, 1, "1", "", "expected an integer, got a string", "type"),
    ({"type": "integer"}, 1.0, True, "", "expected an integer, got a boolean", "type"),
    ({"type": ["null", "array"]}, None, {}, "", "expected null or an array, got an object", "type"),
    ({"enum": ["a", 1]}, "a", "b", "", 'expected "a" or 1', "enum"),
    ({"enum": [1]}, 1, True, "", "expected 1", "enum"),
    ({"const": {"a": 1}}, {"a": 1}, {"a": 2}, "", 'expected {"a": 1}', "const"),
    ({"required": ["a"]}, {"a": 0}, {}, "a", "required, and missing", "required"),
    ({"properties": {"a": {"type": "null"}}}, {"a": None}, {"a": 1}, "a", "expected null, got an integer", "type"),
    ({"additionalProperties": False}, {}, {"x": 1}, "x", "not a field of the schema", "additionalProperties"),
    ({"additionalProperties": {"type": "null"}}, {"x": None}, {"x": 1}, "x", "expected null, got an integer", "type"),
    ({"patternProperties": {"^n": {"type": "null"}}}, {"x": 1}, {"n": 1}, "n", "expected null, got an integer", "type"),
    ({"items": {"type": "null"}}, [None], [None, 1], "[1]", "expected null, got an integer", "type"),
    ({"prefixItems": [{"const": 1}]}, [1, 2], [2], "[0]", "expected 1", "const"),
    ({"minItems": 1}, [0], [], "", "expected at least 1 items", "minItems"),
    ({"maxItems": 1}, [0], [0, 0], "", "expected at most 1 items", "maxItems"),
    ({"uniqueItems": True}, [1, True], [{"a": 1}, {"a": 1}], "", "the items are not all different", "uniqueItems"),
    ({"minLength": 2}, "👩‍🚀", "a", "", "expected at least 2 characters", "minLength"),
    ({"maxLength": 1}, "🚀", "ab", "", "expected at most 1 characters", "maxLength"),
    ({"pattern": "^a+$"}, "aa", "ab", "", 'expected a text that matches "^a+$"', "pattern"),
    ({"minimum": 1}, 1, 0.5, "", "expected 1 or more", "minimum"),
    ({"maximum": 1}, 1, 2, "", "expected 1 or less", "maximum"),
    ({"exclusiveMinimum": 1}, 1.1, 1, "", "expected more than 1", "exclusiveMinimum"),
    ({"exclusiveMaximum": 1}, 0, 1, "", "expected less than 1", "exclusiveMaximum"),
    ({"multipleOf": 0.01}, 19.99, 0.015, "", "expected a multiple of 0.01", "multipleOf"),
    ({"multipleOf": 3}, 10**30 * 3, 10**30, "", "expected a multiple of 3", "multipleOf"),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, "x", "", "expected an integer or null, got a string", "type"),
    ({"anyOf": [{"type": "null"}, {"minimum": 5}]}, 6, 4, "", "expected 5 or more", "minimum"),
    ({"oneOf": [{"minimum": 1}, {"maximum": 1}]}, 2, 1, "", "valid under more than one alternative of oneOf", "oneOf"),
    ({"allOf": [{"minimum": 1}, {"maximum": 1}]}, 1, 2, "", "expected 1 or less", "maximum"),
    ({"not": {"type": "null"}}, 1, None, "", "valid under what must not be", "not"),
    ({"$ref": "#/$defs/n", "$defs": {"n": {"minimum": 1}}}, 1, 0, "", "expected 1 or more", "minimum"),
    ({"properties": {"a": False}}, {}, {"a": 1}, "a", "nothing is allowed here", "false_schema"),
    ({"prefixItems": [{}], "items": False}, [1], [1, 2], "", "expected no more items", "items"),
    ({"contains": {"const": 1}}, [0, 1], [0], "", "no item is what one of them must be", "contains"),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}, "", "a field is missing that another one needs", "dependentRequired"),
    ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {}, {"a": 1}, "b", "required, and missing", "required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "good", "bad", "path", "message", "kind"),
    KEYWORDS,
    ids=[f"{i}-{next(iter(row[0]))}" for i, row in enumerate(KEYWORDS)],
)
def test_each_keyword_says_where_and_what(schema, good, bad, path, message, kind):
    """It applies whether or not a type is given, and to nothing it doesn't speak of."""
    assert validate_json_schema(schema, good) == (True, good, None)
    ok, _, error = validate_json_schema(schema, bad)
    assert not ok
    assert error.errors == (SchemaFault(path, message, kind),)


def test_every_fault_is_listed():
    """In the order of the schema, each at its place, none twice."""
    schema = {
        "required": ["a", "b"],
        "properties": {"list": {"items": {"properties": {"n": {"type": "integer"}}}}},
        "allOf": [{"required": ["a"]}],
    }
    _, _, error = validate_json_schema(schema, {"list": [{"n": 1}, {"n": "x"}, {"n": None}]})
    places = sorted(fault.path for fault in error.errors)
    assert places == ["a", "b", "list[1].n", "list[2].n"]


def test_what_a_schema_does_not_know_it_ignores():
    """Unknown keywords, and `format`, which is a note."""
    schema = {"x-order": 1, "format": "email", "contentEncoding": "base64", "$comment": "hm"}
    assert validate_json_schema(schema, "no mail").ok


def test_a_union_is_judged_by_the_alternative_that_comes_nearest():
    """Not by all of them at once."""
    cat = {"properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind", "lives"]}  # fmt: skip
    dog = {"properties": {"kind": {"const": "dog"}, "tricks": {"type": "array"}}, "required": ["kind", "tricks"]}  # fmt: skip
    _, _, error = validate_json_schema({"anyOf": [dog, cat]}, {"kind": "cat", "lives": "9"})
    assert [fault.path for fault in error.errors] == ["lives"]


def test_nesting_without_end_is_a_fault_and_no_crash():
    """Of the data; and of a schema that refers to itself in a circle."""
    tree = {"properties": {"next": {"$ref": "#"}}, "type": "object"}
    data = {}
    for _ in range(5000):
        data = {"next": data}
    _, _, error = validate_json_schema(tree, data)
    assert [fault.type for fault in error.errors] == ["recursion"]
    _, _, error = validate_json_schema({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, 1)  # fmt: skip
    assert [fault.type for fault in error.errors] == ["recursion"]


# --- faults of schemas ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "whole"}, "fault at type"),
        ({"properties": {"a": {"minimum": "1"}}}, r"fault at properties\.a\.minimum"),
        ({"items": {"pattern": "("}}, "fault at items: '\\(' is no regular expression"),
        ({"patternProperties": {"[": {}}}, "is no regular expression"),
        ({"$ref": "https://example.org/person"}, "references are never fetched"),
        ({"properties": {"a": {"$ref": "person.json"}}}, r"fault at properties\.a.*\$defs"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "draft 3"),
    ],
)
@pytest.mark.usefixtures("no_network")
def test_a_faulty_schema_is_told_before_anything_is_asked(schema, says):
    """With the place of the fault."""
    with pytest.raises(ValueError, match=says):
        wrap_json_schema(schema)
    with pytest.raises(ValueError, match=says):
        structured(schema if "type" in schema else {"type": "object", **schema}, ScriptedModel([]))


@pytest.mark.usefixtures("no_network")
def test_a_reference_that_leads_nowhere_is_told_when_it_is_followed():
    """Never fetched, whatever it looks like."""
    for ref in ("#/$defs/none", "https://example.org/x#/y"):
        schema = {"$id": "https://example.org/root", "properties": {"a": {"$ref": ref}}}
        assert validate_json_schema(schema, {}).ok
        with pytest.raises(ValueError, match="not inside it"):
            validate_json_schema(schema, {"a": 1})


@pytest.mark.usefixtures("no_network")
def test_references_inside_a_schema_are_followed():
    """By pointer, by anchor, by the id of a part."""
    schema = {
        "$id": "https://example.org/root",
        "$defs": {
            "n": {"$anchor": "whole", "type": "integer"},
            "m": {"$id": "part", "type": "null"},
            "a/b~c": {"const": 1},
        },
        "properties": {
            "a": {"$ref": "#whole"},
            "b": {"$ref": "part"},
            "c": {"$ref": "#/$defs/a~1b~0c"},
        },
    }
    assert validate_json_schema(schema, {"a": 1, "b": None, "c": 1}).ok
    for data in ({"a": "x"}, {"b": 1}, {"c": 2}):
        assert not validate_json_schema(schema, data).ok
        assert not wrap_json_schema(schema).safe_parse({**data, "z": 1}, strict=True).ok


def test_the_schema_given_and_the_data_are_left_as_they_are():
    """Also in strict mode, which reads the schema in its own way."""
    schema = {"properties": {"a": {"properties": {"b": {}}}}, "additionalProperties": True}
    before = copy.deepcopy(schema)
    wrapped = wrap_json_schema(schema)
    data = {"a": {"b": 1}}
    assert wrapped.parse(data, strict=True) is data
    assert schema == before
    schema["type"] = "array"  # too late
    assert wrapped.safe_parse(data).ok
    assert wrapped.json_schema == before


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "object"}, True),
        ({"anyOf": [{"type": "null"}]}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {}}}, True),
        ({"properties": {"type": {"type": "string"}}}, True),
        ({}, False),
        ({"name": str}, False),
        ({"type": str}, False),
        ({"type": "whole"}, False),
        ({"title": "x"}, False),
        ({1: 2}, False),
        ([], False),
        (None, False),
        (True, False),
    ],
    ids=str,
)
def test_a_json_schema_is_known_by_its_keywords(value, expected):
    """A dict of names and types is none."""
    assert is_json_schema(value) is expected


@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07", "draft/2019-09"])
def test_older_drafts_are_read_as_they_were_meant(draft):
    """Where `$schema` says so; strict mode works in each."""
    end = "schema" if "2019" in draft else "schema#"
    schema = {
        "$schema": f"http{'s' if '2019' in draft else ''}://json-schema.org/{draft}/{end}",
        "definitions": {"n": {"properties": {"n": {"type": "integer"}}}},
        "properties": {"pair": {"items": [{"type": "integer"}]}, "n": {"$ref": "#/definitions/n"}},
    }
    wrapped = wrap_json_schema(schema)
    assert wrapped.safe_parse({"pair": [1, "x"], "n": {"n": 1}}, strict=True).ok
    assert not wrapped.safe_parse({"pair": ["x"]}).ok
    assert wrapped.safe_parse({"n": {"m": 1}}).ok
    assert not wrapped.safe_parse({"n": {"m": 1}}, strict=True).ok


# --- strict mode ------------------------------------------------------------------------------

OBJECT = {"properties": {"a": {}}}
OPENS = [
    ({"type": "object"}, {"x": 1}, True),
    ({"additionalProperties": True}, {"x": 1}, True),
    ({**OBJECT, "additionalProperties": {"type": "integer"}}, {"x": 1}, True),
    ({**OBJECT, "additionalProperties": True}, {"x": 1}, False),
    (OBJECT, {"x": 1}, False),
    ({"patternProperties": {"^x": {}}}, {"x": 1}, True),
    ({"patternProperties": {"^x": {}}}, {"y": 1}, False),
    ({"properties": {"o": OBJECT}}, {"o": {"x": 1}}, False),
    ({"properties": {"o": {"type": "object"}}}, {"o": {"x": 1}}, True),
    ({"items": OBJECT}, [{"x": 1}], False),
    ({"prefixItems": [OBJECT]}, [{"x": 1}], False),
    ({"additionalProperties": OBJECT}, {"k": {"x": 1}}, False),
    ({"allOf": [OBJECT, {"properties": {"b": {}}}]}, {"a": 1, "b": 2}, True),
    ({"allOf": [OBJECT, {"properties": {"b": {}}}]}, {"a": 1, "x": 2}, False),
    ({**OBJECT, "anyOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]}, {"a": 1, "c": 2}, True),
    ({**OBJECT, "anyOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]}, {"x": 1}, False),
    ({"anyOf": [OBJECT, {"properties": {"b": {}}}]}, {"b": 1}, True),
    ({"anyOf": [OBJECT, {"properties": {"b": {}}}]}, {"a": 1, "b": 1}, False),
    ({"$ref": "#/$defs/o", "$defs": {"o": OBJECT}}, {"a": 1}, True),
    ({"$ref": "#/$defs/o", "$defs": {"o": OBJECT}}, {"x": 1}, False),
    ({"$ref": "#/$defs/m", "$defs": {"m": {"type": "object"}}}, {"x": 1}, True),
    ({**OBJECT, "not": {"properties": {"a": {"const": 1}}, "required": ["a"]}}, {"a": 2}, True),
    ({**OBJECT, "if": {"required": ["a"]}, "then": {"properties": {"b": {}}}}, {"a": 1, "b": 2}, True),
    ({**OBJECT, "if": {"required": ["a"]}, "then": {"properties": {"b": {}}}}, {"b": 2}, False),
    ({"properties": {"n": {"$ref": "#"}}}, {"n": {"n": {}}}, True),
    ({"properties": {"n": {"$ref": "#"}}}, {"n": {"n": {"x": 1}}}, False),
    ({"enum": [{"x": 1}]}, {"x": 1}, True),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "data", "ok"), OPENS)
def test_s74_strict_mode_closes_what_says_which_fields_it_has(schema, data, ok):
    """At every level, through references and combinations; a free map stays free."""
    assert wrap_json_schema(schema).safe_parse(data).ok
    assert wrap_json_schema(schema).safe_parse(data, strict=True).ok is ok


def test_a_field_that_is_declared_is_never_called_unknown():
    """Also where the part of the combination that declares it failed."""
    parts = [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {}}}]
    for schema in ({"allOf": parts}, {**parts[0], "anyOf": [{"required": ["c"]}, parts[1]]}):
        _, _, error = wrap_json_schema(schema).safe_parse({"a": "x", "b": 1, "z": 1}, strict=True)
        assert sorted(fault.path for fault in error.errors) == ["a", "z"]


schemas = st.recursive(
    st.sampled_from([{}, {"type": "integer"}, {"type": "object"}, {"const": 1}, {"type": "null"}]),
    lambda inner: (
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=2).map(
            lambda found: {"properties": found}
        )
        | st.lists(inner, min_size=1, max_size=2).map(lambda found: {"anyOf": found})
        | st.lists(inner, min_size=1, max_size=2).map(lambda found: {"allOf": found})
        | inner.map(lambda found: {"items": found})
        | inner.map(lambda found: {"not": found})
        | inner.map(lambda found: {"additionalProperties": found})
    ),
    max_leaves=6,
)
documents = st.recursive(
    st.none() | st.integers(0, 2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcx"), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(schemas, documents)
def test_the_verdict_is_that_of_the_jsonschema_package(schema, data):
    """Ours adds better messages, and nothing else; strict mode takes nothing more."""
    expected = jsonschema.Draft202012Validator(schema).is_valid(data)
    assert validate_json_schema(schema, data).ok is expected
    if wrap_json_schema(schema).safe_parse(data, strict=True).ok:
        assert expected


@settings(max_examples=100, deadline=None)
@given(schemas)
def test_a_closed_schema_is_a_schema(schema):
    """And closing it again changes nothing in what it says."""
    once = closed(schema)
    jsonschema.Draft202012Validator.check_schema(once)
    assert closed(schema) == once


# --- other adapters ---------------------------------------------------------------------------


class Stingy:
    """An adapter that finds fault with everything."""

    def __init__(self, errors):
        self.errors = errors
        self.asked = []

    def validate(self, schema, data):
        self.asked.append((schema, data))
        return self.errors

    def format_errors(self, errors):
        return f"{len(errors)} things are wrong"


@pytest.mark.usefixtures("registry")
def test_another_adapter_judges_instead_of_the_default():
    """From its registration to its end, also for schemas wrapped before."""
    wrapped = wrap_json_schema({"properties": {"a": {}}})
    assert not has_json_schema_adapter()
    assert isinstance(get_json_schema_adapter(), SimpleJSONSchemaAdapter)
    stingy = Stingy(["no", {"path": ["a", 0], "message": "odd", "type": "parity"}])
    register_json_schema_adapter(stingy)
    assert has_json_schema_adapter()
    assert get_json_schema_adapter() is stingy
    _, _, error = wrapped.safe_parse({"a": 1}, strict=True)
    assert error.errors == (
        SchemaFault("", "no", "invalid"),
        SchemaFault("a[0]", "odd", "parity"),
    )
    (schema, data) = stingy.asked[0]
    assert (schema["additionalProperties"], data) == (False, {"a": 1})
    unregister_json_schema_adapter()
    assert wrapped.safe_parse({"a": 1}).ok
    unregister_json_schema_adapter()


@pytest.mark.usefixtures("registry")
async def test_errors_of_any_kind_are_put_into_words_by_the_adapter():
    """In structured output too; the run fails as by any other judge."""
    register_json_schema_adapter(Stingy([object(), object()]))
    with pytest.raises(SchemaValidationError, match="2 things are wrong"):
        await structured({"type": "object"}, ScriptedModel(["{}"]), attempts=0)
    register_json_schema_adapter({"validate": lambda s, d: None, "format_errors": str})
    assert (await structured({"type": "object"}, ScriptedModel(["[]"]))).data == []


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("adapter", [object(), {"validate": len}, None, {"format_errors": str}])
def test_an_adapter_needs_both_functions(adapter):
    """The missing one is named."""
    with pytest.raises(TypeError, match=r"adapter has (validate|format_errors)"):
        register_json_schema_adapter(adapter)
    assert not has_json_schema_adapter()


def test_the_default_adapter_stands_on_its_own():
    """Both functions, for who wants to build on it."""
    adapter = SimpleJSONSchemaAdapter()
    faults = adapter.validate({"required": ["a"], "minProperties": 1}, {})
    assert adapter.format_errors(faults) == "a: required, and missing; expected at least 1 fields"
    assert adapter.validate({"type": "integer"}, 1.0) == []
    assert SimpleJSONSchemaAdapter(exact_integers=True).validate({"type": "integer"}, 1.0)


@pytest.mark.parametrize("given", [None, [], "object", True])
def test_a_json_schema_is_a_dict(given):
    """What else is given is told."""
    with pytest.raises(TypeError, match="a JSON Schema is a dict"):
        wrap_json_schema(given)
