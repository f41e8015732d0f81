"""Asking a model for data: the schema a cell names, what the request says, what comes of it."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from l0.errors import SchemaValidationError
from l0.errors._nearest import nearest
from l0.formatting import format_json_output
from l0.models import Request
from l0.notebook._rows import clean
from l0.notebook._structured import said, structured_of
from l0.schema import UnifiedSchema, as_schema, is_json_schema, parse_partial_json

if TYPE_CHECKING:
    from l0.notebook._handle import Handle
    from l0.stream import AttemptInfo

DEFAULT: Final = "sim:json"
"""Who answers a cell that asks for data and names no model."""

_SHOWN: Final = 5
_ADVERT: Final = "\n\nFor further information"  # with which pydantic ends its messages
_DEEPEST: Final = 60
_NO_RULES: Final = frozenset({"json", "strict_json", "markdown", "zero_output"})
"""The validation judges what these do, after it has repaired what can be."""


_PLAIN: Final = {kind.__name__: kind for kind in (dict, list, str, int, float, bool)}
"""What JSON has needs no variable."""


def find_schema(name: str, names: Mapping[str, Any]) -> UnifiedSchema[Any]:
    """The schema that a variable holds, or one of the types that JSON has.

    Raises:
        ValueError: there is no such variable, or it holds no schema.
    """
    names = {**_PLAIN, **names}
    if name not in names:
        near = nearest(name, [each for each in names if each[:1] != "_"])
        hint = f"did you mean {near}? or " if near else ""
        raise ValueError(
            f"no schema {name!r}; {hint}define one: a pydantic model, a dataclass, a TypedDict, or "
            f"{name} = {{'type': 'object', …}}"
        )
    schema = names[name]
    if isinstance(schema, Mapping) and is_json_schema(schema) and "title" not in schema:
        schema = {"title": name, **schema}
    try:
        found = as_schema(schema)
        _ = found.json_schema  # a model is told it, so one that nobody can describe is no schema
    except (TypeError, ValueError, RuntimeError) as error:  # the last is pydantic's
        raise ValueError(f"--schema {name}: {str(error).partition(_ADVERT)[0]}") from None
    return found


def is_schema(value: Any) -> bool:
    """Whether completion offers it."""
    if isinstance(value, UnifiedSchema):
        return True
    if isinstance(value, dict):
        return is_json_schema(value)
    return inspect.isclass(value) and (
        dataclasses.is_dataclass(value)
        or hasattr(value, "model_validate")
        or hasattr(value, "__required_keys__")
    )


def request_for(
    request: Request, schema: UnifiedSchema[Any], info: AttemptInfo | None = None
) -> Request:
    """The request with what asks for data, and with what was wrong with the last answer."""
    described = schema.json_schema
    parts = [request.system, format_json_output(schema=described, strict=True)]
    wrong = _wrong(info)
    return dataclasses.replace(
        request,
        system="\n\n".join(part for part in parts if part),
        prompt=f"{request.prompt}\n\n{wrong}" if wrong else request.prompt,
        schema=described,
        schema_name=schema.name,
    )


def _wrong(info: AttemptInfo | None) -> str:
    """What a model is told of the answer that was no valid data; one that goes on isn't told."""
    if info is None or info.checkpoint or not info.errors:
        return ""
    error = info.errors[-1]
    if not isinstance(error, SchemaValidationError):
        return ""
    faults = [fault for fault in error.errors if fault.attempt == error.errors[-1].attempt]
    listed = "\n".join(f"- {fault}" for fault in faults[:_SHOWN])
    return f"An earlier answer to this was not valid:\n{listed}"


def without_json_rules(rules: list[Any]) -> list[Any]:
    """The rules that don't judge the form, which the validation repairs before it judges."""
    return [rule for rule in rules if getattr(rule, "name", None) not in _NO_RULES]


# --- what its view is told ------------------------------------------------------------------


def expect(handle: Handle) -> None:
    """Tell the view which fields will come."""
    story = getattr(handle.display, "story", None)
    if story is not None and handle.schema is not None:
        story.facts["schema"] = clean(handle.schema.name)
        story.facts["fields"] = fields_of(handle.schema)


def fields_of(schema: UnifiedSchema[Any]) -> list[str]:
    """The keys of the object that is asked for, in order; none where it is something else."""
    told = schema.json_schema or {}
    reference = re.fullmatch(r"#/(\$defs|definitions)/([^/]+)", str(told.get("$ref", "")))
    if reference:
        told = told.get(reference[1], {}).get(reference[2], {})
    fields = told.get("properties")
    return [clean(str(name)) for name in fields] if isinstance(fields, Mapping) else []


async def settle(handle: Handle) -> None:
    """A run is over: keep the data that was asked for, and tell its view what was made of it."""
    if handle.structured is None:
        return
    if handle.stream.outcome == "completed":
        handle.result = await handle.structured.validate()
    story = getattr(handle.display, "story", None)
    if story is None:
        return
    if handle.result is not None:
        data = plain(handle.result.data)
        if _is_flat(data) and data != parse_partial_json(story.text):  # which else says it all
            story.facts["data"] = data
    found = structured_of(story)
    if found is not None:
        story.facts["verdict"] = found.verdict
        story.facts["corrected"] = said(found.corrections)
        story.facts["faults"] = [clean(str(fault)) for fault in found.faults]


def _is_flat(value: Any, levels: int = _DEEPEST) -> bool:
    """Whether data has no more levels than what sends it can follow."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_flat(each, levels - 1) for each in inner)


def plain(data: Any) -> Any:
    """Validated data as JSON has it: models, dataclasses, dates and all."""
    try:
        from pydantic_core import to_jsonable_python
    except ImportError:  # then there are only schemas whose data is plain
        return data
    try:
        told = to_jsonable_python(data, by_alias=False, fallback=str)
        return json.loads(json.dumps(told), parse_constant=str)  # infinity is no JSON
    except (ValueError, RecursionError):  # such as bytes that are no text
        return str(data)
