"""Tools as a model is told of them: declared, checked, and written in four styles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from l0.formatting._strings import escape_html

Style = Literal["json-schema", "typescript", "natural", "xml"]

_TYPES: Final = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "object": "Record<string, unknown>",
    "array": "unknown[]",
    "null": "null",
}
_MISSING: Final[Any] = object()
_TOOL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ToolParameter:
    """A parameter of a tool; `type` is a type of JSON Schema.

    `items` is the JSON Schema of an array's members, `properties` those of an object.
    """

    name: str
    type: str
    description: str = ""
    required: bool = False
    enum: Sequence[Any] | None = None
    default: Any = _MISSING
    items: Mapping[str, Any] | None = None
    properties: Mapping[str, Any] | None = None

    @property
    def has_default(self) -> bool:
        """Whether a default is given; None may be one."""
        return self.default is not _MISSING

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its values."""
        known: dict[str, Any] = {"type": self.type}
        if self.description:
            known["description"] = self.description
        if self.enum is not None:
            known["enum"] = list(self.enum)
        if self.has_default:
            known["default"] = self.default
        if self.items is not None:
            known["items"] = dict(self.items)
        if self.properties is not None:
            known["properties"] = dict(self.properties)
        return known


@dataclass(frozen=True, slots=True)
class Tool:
    """A function a model may ask for.

    Example:
        >>> weather = Tool("get_weather", "The weather of a place.", [
        ...     ToolParameter("place", "string", "A city.", required=True)])
        >>> validate_tool(weather)
        []
    """

    name: str
    description: str = ""
    parameters: Sequence[ToolParameter] = field(default_factory=tuple)


def create_tool(name: str, description: str = "", parameters: Iterable[ToolParameter] = ()) -> Tool:
    """A tool that is known to be sound.

    Raises:
        ValueError: something about it is wrong; all of it is listed.

    Example:
        >>> create_tool("look_up", "Find a word.", [create_parameter("word", "string")]).name
        'look_up'
    """
    made = Tool(name, description, tuple(parameters))
    if problems := validate_tool(made):
        raise ValueError(f"tool {name!r}: {'; '.join(problems)}")
    return made


def create_parameter(
    name: str, type: str, description: str = "", *, required: bool = False, **more: Any
) -> ToolParameter:
    """A parameter; `more` are the further fields of `ToolParameter`.

    Example:
        >>> create_parameter("unit", "string", enum=["C", "F"]).schema()
        {'type': 'string', 'enum': ['C', 'F']}
    """
    return ToolParameter(name, type, description, required, **more)


def validate_tool(tool: Tool) -> list[str]:
    """What is wrong with a tool, a sentence each; nothing for a sound one.

    Example:
        >>> validate_tool(Tool("get weather"))
        ["the name 'get weather' is no identifier of at most 64 letters, digits, _, . and -"]
    """
    problems = []
    if not isinstance(tool.name, str) or not _TOOL_NAME.fullmatch(tool.name):
        problems.append(
            f"the name {tool.name!r} is no identifier of at most 64 letters, digits, _, . and -"
        )
    seen: set[str] = set()
    for each in tool.parameters:
        if not each.name:
            problems.append("a parameter has no name")
        elif each.name in seen:
            problems.append(f"the parameter {each.name!r} is there twice")
        seen.add(each.name)
        if each.type not in _TYPES:
            problems.append(f"{each.name!r} has the type {each.type!r}; use {', '.join(_TYPES)}")
        if each.enum is not None and not each.enum:
            problems.append(f"{each.name!r} has an empty enum, so no value is allowed")
        if each.enum and each.has_default and each.default not in each.enum:
            problems.append(f"the default of {each.name!r} is not in its enum")
        if each.items is not None and each.type != "array":
            problems.append(f"{each.name!r} has items, but is no array")
        if each.properties is not None and each.type != "object":
            problems.append(f"{each.name!r} has properties, but is no object")
    return problems


def format_tool(tool: Tool, style: Style = "json-schema") -> Any:
    """A tool in a style.

    Args:
        tool: the tool.
        style: `"json-schema"` gives a function declaration as a dict; `"typescript"`, `"natural"`
            and `"xml"` give text.

    Raises:
        ValueError: the style is unknown.

    Example:
        >>> echo = Tool("echo", "Say it.", [ToolParameter("text", "string", required=True)])
        >>> print(format_tool(echo, "typescript"))
        /** Say it. */
        function echo(args: { text: string }): unknown;
    """
    if style not in _STYLES:
        raise ValueError(f"no style {style!r}; there are {', '.join(_STYLES)}")
    return _STYLES[style](tool)


def format_tools(tools: Iterable[Tool], style: Style = "json-schema") -> Any:
    """Several tools: a list of declarations, or one text.

    Example:
        >>> [each["name"] for each in format_tools([Tool("a"), Tool("b")])]
        ['a', 'b']
    """
    made = [format_tool(tool, style) for tool in tools]
    if style == "json-schema":
        return made
    if style == "xml":
        return "\n".join(["<tools>", *made, "</tools>"])
    return "\n\n".join(made)


def _declared(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": {
            "type": "object",
            "properties": {each.name: each.schema() for each in tool.parameters},
            "required": [each.name for each in tool.parameters if each.required],
        },
    }


def _typescript(tool: Tool) -> str:
    notes = [line for line in tool.description.splitlines() if line.strip()]
    notes += [f"@param {p.name} {p.description}" for p in tool.parameters if p.description]
    inside = [note.replace("*/", "*\\/") for note in notes]
    lines = []
    if len(inside) == 1:
        lines.append(f"/** {inside[0]} */")
    elif inside:
        lines += ["/**", *(f" * {note}" for note in inside), " */"]
    fields = "; ".join(
        f"{_key(p.name)}{'' if p.required else '?'}: {_typed(p.schema())}" for p in tool.parameters
    )
    lines.append(f"function {tool.name}(args: {f'{{ {fields} }}' if fields else '{}'}): unknown;")
    return "\n".join(lines)


def _typed(schema: Any) -> str:
    if not isinstance(schema, Mapping):  # True, which allows anything
        return "unknown"
    if schema.get("enum"):
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    if schema.get("type") == "array" and schema.get("items"):
        inner = _typed(schema["items"])
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if schema.get("type") == "object" and schema.get("properties"):
        required = schema.get("required", ())
        inside = "; ".join(
            f"{_key(name)}{'' if name in required else '?'}: {_typed(each)}"
            for name, each in schema["properties"].items()
        )
        return f"{{ {inside} }}"
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " | ".join(dict.fromkeys(_TYPES.get(kind, "unknown") for kind in kinds)) or "unknown"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _natural(tool: Tool) -> str:
    lines = [f"{tool.name}: {tool.description}" if tool.description else tool.name]
    for each in tool.parameters:
        notes = [each.type, "required" if each.required else "optional"]
        if each.enum:
            notes.append("one of " + ", ".join(map(_shown, each.enum)))
        if each.has_default:
            notes.append(f"default {_shown(each.default)}")
        said = f": {each.description}" if each.description else ""
        lines.append(f"  {each.name} ({', '.join(notes)}){said}")
    return "\n".join(lines)


def _xml(tool: Tool) -> str:
    lines = [f'<tool name="{escape_html(tool.name)}">']
    if tool.description:
        lines.append(f"  <description>{escape_html(tool.description)}</description>")
    for each in tool.parameters:
        attributes = {
            "name": each.name,
            "type": each.type,
            "required": "true" if each.required else "false",
        }
        if each.enum:
            attributes["enum"] = ", ".join(map(_shown, each.enum))
        if each.has_default:
            attributes["default"] = _shown(each.default)
        written = " ".join(f'{key}="{escape_html(value)}"' for key, value in attributes.items())
        said = escape_html(each.description)
        lines.append(f"  <parameter {written}>{said}</parameter>")
    return "\n".join([*lines, "</tool>"])


_STYLES: Final[dict[str, Callable[[Tool], Any]]] = {
    "json-schema": _declared,
    "typescript": _typescript,
    "natural": _natural,
    "xml": _xml,
}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
