"""Tools told to a model, and the calls it wrote back."""

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.formatting import (
    FunctionCall,
    Tool,
    create_parameter,
    create_tool,
    format_function_arguments,
    format_tool,
    format_tools,
    parse_function_call,
    validate_tool,
)

WEATHER = create_tool(
    "get_weather",
    "The weather of a place.",
    [
        create_parameter("place", "string", "A city.", required=True),
        create_parameter("unit", "string", enum=["C", "F"], default="C"),
        create_parameter("days", "array", items={"type": "integer"}),
        create_parameter(
            "where", "object", properties={"lat": {"type": "number"}, "the lon": {"type": "number"}}
        ),
    ],
)


def test_a_tool_as_a_function_declaration():
    declared = format_tool(WEATHER)
    jsonschema.Draft202012Validator.check_schema(declared["parameters"])
    assert declared["name"] == "get_weather"
    assert declared["parameters"]["required"] == ["place"]
    assert declared["parameters"]["properties"]["unit"] == {
        "type": "string",
        "enum": ["C", "F"],
        "default": "C",
    }
    assert format_tools([WEATHER, WEATHER]) == [declared, declared]


def test_a_tool_as_typescript():
    assert format_tool(WEATHER, "typescript") == (
        "/**\n * The weather of a place.\n * @param place A city.\n */\n"
        'function get_weather(args: { place: string; unit?: "C" | "F"; days?: number[]; '
        'where?: { lat?: number; "the lon"?: number } }): unknown;'
    )
    assert "*/ evil" not in format_tool(Tool("f", "end */ evil"), "typescript")


def test_whatever_a_json_schema_says_has_a_type_in_typescript():
    inside = {"a": {"type": ["string", "null"]}, "b": True, "c": {"$ref": "#/x"}, "d": {"type": []}}
    tool = Tool("f", "", [create_parameter("x", "object", properties=inside)])
    wanted = "x?: { a?: string | null; b?: unknown; c?: unknown; d?: unknown }"
    assert wanted in format_tool(tool, "typescript")
    many = Tool("f", "", [create_parameter("x", "array", items={"type": ["integer", "null"]})])
    assert "x?: (number | null)[]" in format_tool(many, "typescript")


def test_a_tool_in_words():
    assert format_tool(WEATHER, "natural").splitlines() == [
        "get_weather: The weather of a place.",
        "  place (string, required): A city.",
        "  unit (string, optional, one of C, F, default C)",
        "  days (array, optional)",
        "  where (object, optional)",
    ]


def test_a_tool_as_xml_keeps_its_words_harmless():
    import xml.etree.ElementTree as ET

    odd = Tool("f", 'a <b> "c" & </tool>', [create_parameter("p", "string", "x < y")])
    parsed = ET.fromstring(format_tools([odd, WEATHER], "xml"))
    assert parsed.find("tool/description").text == 'a <b> "c" & </tool>'
    assert [p.get("name") for p in parsed.findall("tool/parameter")][:2] == ["p", "place"]


def test_everything_wrong_with_a_tool_is_listed():
    bad = Tool(
        "no name",
        "",
        [
            create_parameter("a", "text"),
            create_parameter("a", "string", enum=[]),
            create_parameter("", "string", items={}),
            create_parameter("o", "string", properties={}, enum=["x"], default="y"),
        ],
    )
    said = " ".join(validate_tool(bad))
    for part in (
        "no identifier",
        "'text'",
        "twice",
        "empty enum",
        "no name",
        "no array",
        "no object",
        "not in its enum",
    ):
        assert part in said
    with pytest.raises(ValueError, match="no identifier"):
        create_tool("no name")
    with pytest.raises(ValueError, match="json-schema, typescript, natural, xml"):
        format_tool(WEATHER, "yaml")


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("f()", FunctionCall("f", {})),
        (
            "Let me see.\n  math.add(a=1, b=-2.5)\nDone",
            FunctionCall("math.add", {"a": 1, "b": -2.5}),
        ),
        ("```python\nf(x='a) b', y=\"(\")\n```", FunctionCall("f", {"x": "a) b", "y": "("})),
        ('f({"a": true, "b": null})', FunctionCall("f", {"a": True, "b": None})),
        (
            "f(1, 'two', z=[3, {'k': (4,)}])",
            FunctionCall("f", {"args": [1, "two"], "z": [3, {"k": (4,)}]}),
        ),
        ("f(\n  a=1,\n  b=2,\n);", FunctionCall("f", {"a": 1, "b": 2})),
        (r'f(a="say \"hi\" (now)")', FunctionCall("f", {"a": 'say "hi" (now)'})),
        ('f(a="""two\nlines""")', FunctionCall("f", {"a": "two\nlines"})),
        ("broken(a=\nf(a=1)", FunctionCall("f", {"a": 1})),
    ],
)
def test_a_call_that_stands_alone_is_read(text, call):
    assert parse_function_call(text) == call


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would call f(a=1) here.",
        "f(a=1) would do it.",
        "f(a=open('/etc/passwd'))",
        "f(a=x)",
        "f(**{'a': 1})",
        "f(a=1",
        "f(a=(1])",
        "f(a='unclosed)",
        "if (x):",
        "f" + "(" * 5000 + ")" * 5000,
    ],
)
def test_what_is_no_call_of_its_own_is_none(text):
    assert parse_function_call(text) is None


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.from_regex(r"arg_[a-z]{1,5}", fullmatch=True), LITERALS, max_size=4))
def test_arguments_written_as_python_or_json_come_back(arguments):
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    assert parse_function_call(f"call({written})") == FunctionCall("call", arguments)
    as_json = format_function_arguments(arguments)
    if "\\u" not in as_json and "\x7f" not in as_json:
        assert parse_function_call(f"call({as_json})") == FunctionCall("call", arguments)


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail(text):
    parse_function_call(text)
    parse_function_call(f"f({text})")
