# ruff: noqa: E501  tables of declarations, a row each
"""Arguments of tool calls, judged by what the tools declare: `tool_validator`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field  # noqa: TID253  a test needs models

import l0
from l0.errors import ToolArgumentsError
from l0.events import ToolArgumentError
from l0.schema import tool_validator
from l0.stream import Retry
from l0.testing import ScriptedModel, tool

PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "places": {"type": "array", "items": {"properties": {"lat": {"type": "number"}}}},
    },
    "required": ["city"],
}


@dataclass
class Parameter:
    """As `formatting.ToolParameter`."""

    name: str
    type: str
    description: str = ""
    required: bool = False
    enum: list[Any] | None = None
    items: Any = None
    properties: Any = None


@dataclass
class Tool:
    """As `formatting.Tool`."""

    name: str
    description: str = ""
    parameters: list[Parameter] = field(default_factory=list)


class Place(BaseModel):
    lat: float = 0.0


def get_weather(
    city: "str",  # noqa: UP037  read as it is written
    unit: Literal["celsius", "fahrenheit"] = "celsius",
    days: int = 1,
    places: list[Place] = (),
):
    """A function as a tool."""


DECLARED = {
    "Chat Completions": {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}},
    "Responses": {"type": "function", "name": "get_weather", "parameters": PARAMETERS},
    "Anthropic": {"name": "get_weather", "description": "…", "input_schema": PARAMETERS},
    "Tool": Tool(
        "get_weather",
        "…",
        [
            Parameter("city", "string", required=True),
            Parameter("unit", "string", enum=["celsius", "fahrenheit"]),
            Parameter("days", "integer"),
            Parameter("places", "array", items=Parameter("place", "object", properties=[Parameter("lat", "number")])),
        ],
    ),
    "function": get_weather,
}  # fmt: skip

# For every declaration alike: arguments, and what is found.
COMMON = [
    ({"city": "Oslo"}, []),
    ({"city": "Oslo", "unit": "celsius", "days": 2, "places": [{"lat": 1}]}, []),
    ({}, [("missing_required", "city")]),
    ({"city": 5}, [("wrong_type", "city")]),
    ({"city": "Oslo", "days": "2"}, [("wrong_type", "days")]),
    ({"city": "Oslo", "unit": "kelvin"}, [("not_allowed", "unit")]),
    ({"city": "Oslo", "hour": 1}, [("extra_field", "hour")]),
    ({"city": "Oslo", "places": [{"lat": 1}, {"lat": "x"}]}, [("wrong_type", "places[1].lat")]),
    ({"city": "Oslo", "places": [{"x": 1}]}, [("extra_field", "places[0].x")]),
    ({"days": "2", "hour": 1}, [("missing_required", "city"), ("wrong_type", "days"), ("extra_field", "hour")]),
    ('{"city": "Oslo"}', []),
    ('{"city": ', [("invalid_json", "")]),
    ("[1]", [("invalid_json", "")]),
    ("", [("missing_required", "city")]),
    (None, [("invalid_json", "")]),
]  # fmt: skip


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize(("arguments", "found"), COMMON)
def test_every_declaration_is_judged_alike(declared, arguments, found):
    """Codes and places."""
    errors = tool_validator([DECLARED[declared]])("get_weather", arguments)
    assert sorted((error.code, error.path) for error in errors) == sorted(found)
    assert all(error.message for error in errors)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"city": "Oslo", "days": 9}, "out_of_range"),
        ({"city": "Oslo", "days": 0}, "out_of_range"),
        ({"city": "O"}, "out_of_range"),
        ({"city": "oslo"}, "pattern_mismatch"),
    ],
)
def test_limits_and_patterns_have_codes_of_their_own(arguments, code):
    """Where the declaration is a JSON Schema."""
    (error,) = tool_validator([DECLARED["Anthropic"]])("get_weather", arguments)
    assert error.code == code


def test_a_tool_that_is_not_declared_is_named_with_those_that_are():
    """Whatever its arguments."""
    judge = tool_validator([get_weather, {"name": "other", "input_schema": {}}])
    (error,) = judge("get_wether", {"x": 1})
    assert error == ToolArgumentError(
        "unknown_tool", "", "there is no tool 'get_wether'; known: get_weather, other"
    )


def test_what_a_declaration_leaves_open_stays_open():
    """`additionalProperties: true`, `**kwargs`, a tool without a schema, one the provider runs."""

    def anything(a: int, **more: Any): ...

    given = [
        {"name": "open", "input_schema": {**PARAMETERS, "additionalProperties": True}},
        anything,
        {"type": "computer", "name": "computer"},
        {"type": "web_search"},
        {"type": "custom", "custom": {"name": "shell"}},
        {"type": "function", "function": {"name": "nothing"}},
    ]
    judge = tool_validator(given)
    assert judge("open", {"city": "Oslo", "x": 1}) == ()
    assert judge("anything", {"a": 1, "x": 1}) == ()
    assert judge("computer", {"x": 1}) == judge("shell", {"input": "ls"}) == ()
    assert judge("web_search", {})[0].code == "unknown_tool"
    assert [error.code for error in judge("nothing", {"x": 1})] == ["extra_field"]


def test_parameters_of_a_function_may_be_anything_with_a_json_form():
    """Keyword-only, without annotation, with limits, bound methods."""

    class Kit:
        def move(self, *steps, to: Literal["up"], why=None, far: int = Field(1, ge=1)): ...

    judge = tool_validator({"ignored": Kit().move})
    assert judge("move", {"to": "up", "why": ["any", 1]}) == ()
    assert [error.code for error in judge("move", {"to": "down", "far": 2})] == ["not_allowed"]


@pytest.mark.parametrize(
    ("tools", "error", "says"),
    [
        ([5], TypeError, "5 declares no tool"),
        ([{"parameters": {}}], TypeError, "declares no tool"),
        ([{"name": "x", "parameters": "none"}], TypeError, "declares no tool"),
        ([str], TypeError, "declares no tool"),
        ([Tool("")], ValueError, "has no name"),
        ([get_weather, get_weather], ValueError, "two tools named 'get_weather'"),
        ([{"name": "x", "input_schema": {"type": "thing"}}], ValueError, "the tool x: .*type"),
        ([lambda a, /: a], TypeError, "by position only"),
        ([lambda a=object: a], ValueError, None),
    ],
)
def test_what_is_no_tool_is_told_at_once(tools, error, says):
    """By name where it has one."""
    if says is None:  # a lambda's own name is as good as any
        assert tool_validator(tools)("<lambda>", {}) == ()
        return
    with pytest.raises(error, match=says):
        tool_validator(tools)


def test_a_function_whose_annotations_can_not_be_read_is_told():
    """With the reason."""

    def broken(a: "Nowhere"): ...  # noqa: F821, UP037

    def odd(a: object()): ...

    for function in (broken, odd):
        with pytest.raises(TypeError, match=r"can't be read|have no JSON form"):
            tool_validator([function])


async def test_a_run_judges_each_call_by_it():
    """Recorded with the call, or a reason to ask again."""
    bad, good = tool("1", "get_weather", {"days": 1}), tool("2", "get_weather", {"city": "Oslo"})
    judge = tool_validator([DECLARED["Responses"]])
    calls = [e.tool_call async for e in l0.run(ScriptedModel([bad]), tool_validator=judge) if e.is_tool_call]  # fmt: skip
    assert [(error.code, error.path) for error in calls[0].errors] == [("missing_required", "city")]
    model = ScriptedModel([bad], [good])
    stream = l0.run(
        model, tool_validator=judge, tool_errors="retry", retry=Retry(attempts=1, base_delay=0)
    )
    calls = [e.tool_call async for e in stream if e.is_tool_call]
    assert [call.errors for call in calls] == [()]
    (error,) = stream.errors
    assert isinstance(error, ToolArgumentsError)


@pytest.mark.parametrize("annotation", ["list[int", "pytest.Nothing", "Nothing"])
def test_an_annotation_that_can_not_be_read_is_told(annotation):
    def get_weather(city): ...

    get_weather.__annotations__["city"] = annotation
    with pytest.raises(TypeError, match=r"annotations of .*get_weather.* can't be read"):
        tool_validator([get_weather])
