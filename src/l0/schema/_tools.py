"""Whether the arguments of a tool call are what the tool was declared to take."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from l0.events import ToolArgumentError
from l0.schema._faults import kind_of
from l0.schema._json_validator import Judge
from l0.schema._keywords import closed

_CODES = {
    "required": "missing_required",
    "dependentRequired": "missing_required",
    "type": "wrong_type",
    "additionalProperties": "extra_field",
    "unevaluatedProperties": "extra_field",
    "propertyNames": "extra_field",
    "false_schema": "extra_field",
    "pattern": "pattern_mismatch",
    **dict.fromkeys(
        (
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
            *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        ),
        "out_of_range",
    ),
}
_DECLARATIONS = (
    "a declaration for OpenAI or Anthropic, a formatting.Tool, or a function with annotated "
    "parameters"
)

Validator = Callable[[str, Any], tuple[ToolArgumentError, ...]]


def tool_validator(tools: Iterable[Any] | Mapping[str, Any]) -> Validator:
    """A function that judges the arguments of tool calls; give it to `run(tool_validator=…)`.

    Each finding is a `ToolArgumentError(code, path, message)`; codes are `invalid_json`,
    `unknown_tool`, `missing_required`, `wrong_type`, `not_allowed`, `out_of_range`,
    `pattern_mismatch` and `extra_field`. An argument that is not declared is an `extra_field`,
    unless the declaration says `additionalProperties: true` or the function takes `**kwargs`.

    Args:
        tools: declarations as OpenAI or Anthropic take them, `formatting.Tool`s, or functions, of
            which names and types of the parameters count.

    Raises:
        TypeError: one of them is no tool.
        ValueError: one has no name or a faulty schema, or two have the same name.

    Example:
        >>> def get_weather(city: str, days: int = 1): ...
        >>> judge = tool_validator([get_weather])
        >>> [(error.code, error.path) for error in judge("get_weather", {"days": "two"})]
        [('wrong_type', 'days'), ('missing_required', 'city')]
    """
    judges: dict[str, Judge] = {}
    for tool in tools.values() if isinstance(tools, Mapping) else tools:
        declared = _declared(tool)
        if declared is None:
            continue
        name, parameters = declared
        if not name:
            raise ValueError(f"the tool {tool!r} has no name")
        if name in judges:
            raise ValueError(f"there are two tools named {name!r}; a call could mean either")
        try:
            judges[name] = Judge(closed({"type": "object", **parameters}, keep_open=True))
        except ValueError as error:
            raise ValueError(f"the tool {name}: {error}") from error
    return _ToolValidator(judges)


class _ToolValidator:
    def __init__(self, judges: dict[str, Judge]) -> None:
        self._judges = judges

    def __call__(self, name: str, arguments: Any) -> tuple[ToolArgumentError, ...]:
        judge = self._judges.get(name)
        if judge is None:
            known = ", ".join(sorted(self._judges)) or "none"
            return (
                ToolArgumentError("unknown_tool", "", f"there is no tool {name!r}; known: {known}"),
            )
        if isinstance(arguments, str | bytes):
            try:
                arguments = json.loads(arguments or "{}")
            except (ValueError, RecursionError) as error:
                return (ToolArgumentError("invalid_json", "", f"not valid JSON: {error}"),)
        if not isinstance(arguments, dict):
            said = f"expected a JSON object, got {kind_of(arguments)}"
            return (ToolArgumentError("invalid_json", "", said),)
        return tuple(
            ToolArgumentError(_CODES.get(fault.type, "not_allowed"), fault.path, fault.message)
            for fault in judge.faults(arguments)
        )


# --- what a tool declares -------------------------------------------------------------------


def _declared(tool: Any) -> tuple[str, Mapping[str, Any]] | None:
    """Name of a tool and the JSON Schema of its arguments; None for one the provider runs."""
    if isinstance(tool, Mapping):
        return _of_declaration(tool)
    parameters = getattr(tool, "parameters", None)
    if isinstance(parameters, list | tuple) and isinstance(getattr(tool, "name", None), str):
        return tool.name, _object(parameters)
    if callable(tool) and not isinstance(tool, type):
        return getattr(tool, "__name__", ""), _signature(tool)
    raise TypeError(f"{tool!r} declares no tool; give {_DECLARATIONS}")


def _of_declaration(tool: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    kind = tool.get("type")
    body = tool.get("function", tool.get("custom"))
    if not isinstance(body, Mapping):
        body = tool
    name, parameters = body.get("name"), body.get("parameters", body.get("input_schema"))
    if name is None and isinstance(kind, str) and kind != "function":
        return None
    if not isinstance(name, str) or not isinstance(parameters, Mapping | None):
        raise TypeError(f"{tool!r} declares no tool; give {_DECLARATIONS}")
    if parameters is None and (kind == "function" or "parameters" in body):
        parameters = {"properties": {}, "additionalProperties": False}  # it takes none
    return name, parameters or {}


def _object(parameters: Iterable[Any]) -> dict[str, Any]:
    """The schema of the parameters of a `formatting.Tool`."""
    listed = list(parameters)
    return {
        "type": "object",
        "properties": {each.name: _parameter(each) for each in listed},
        "required": [each.name for each in listed if getattr(each, "required", False)],
        "additionalProperties": False,
    }


def _parameter(parameter: Any) -> dict[str, Any]:
    if isinstance(parameter, Mapping):
        return dict(parameter)
    schema: dict[str, Any] = {"type": str(parameter.type)}
    enum, items = getattr(parameter, "enum", None), getattr(parameter, "items", None)
    properties = getattr(parameter, "properties", None)
    if enum:
        schema["enum"] = list(enum)
    if items is not None:
        schema["items"] = _parameter(items)
    if isinstance(properties, Mapping):
        schema["properties"] = {name: _parameter(each) for name, each in properties.items()}
        schema["required"] = [
            name for name, each in properties.items() if getattr(each, "required", False)
        ]
    elif properties:
        schema |= _object(properties)
    return schema


def _signature(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema of what a function can be called with, by keywords."""
    from pydantic import ConfigDict, Field, create_model

    try:
        hints = inspect.get_annotations(function, eval_str=True)
    except Exception as error:  # an annotation is any code: it may fail in any way
        raise TypeError(f"the annotations of {function!r} can't be read: {error}") from error
    fields: dict[str, Any] = {}
    extra: Any = "forbid"
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(
                f"{function!r} takes {parameter.name} by position only; a tool's arguments come by "
                "name"
            )
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            required = parameter.default is parameter.empty
            default = ... if required else None  # only whether there is one counts
            annotation = hints.get(parameter.name, Any)
            fields[f"f{index}"] = (annotation, Field(default, alias=parameter.name))
    try:
        model = create_model("arguments", __config__=ConfigDict(extra=extra), **fields)
        schema: dict[str, Any] = model.model_json_schema()
    except Exception as error:  # pydantic has many words for a type it can't describe
        said = str(error).split("\n", 1)[0]
        raise TypeError(f"the parameters of {function!r} have no JSON form: {said}") from error
    return schema
