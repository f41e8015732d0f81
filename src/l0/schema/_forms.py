"""Which form of a schema it is: whatever is given becomes a `UnifiedSchema`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l0.schema._faults import SchemaFault, joined, kind_of
from l0.schema._json_schema import is_json_schema, wrap_json_schema
from l0.schema._keywords import DEFINITIONS
from l0.schema._models import model_schema, name_of, shape_type
from l0.schema._unified import UnifiedSchema


def as_schema(schema: Any) -> UnifiedSchema[Any]:
    """Any form of a schema as a `UnifiedSchema`.

    Args:
        schema: a pydantic model, dataclass, TypedDict, any annotation that pydantic reads, a JSON
            Schema as a dict, or a `UnifiedSchema`, which is given back.

    Raises:
        TypeError: it is none of these.
        ValueError: it is a JSON Schema with a fault.

    Example:
        >>> as_schema(list[int]).parse([1, "2"])
        [1, 2]
        >>> as_schema({"type": "integer"}).safe_parse("2").ok
        False
    """
    if isinstance(schema, UnifiedSchema):
        return schema
    if isinstance(schema, Mapping):
        if is_json_schema(schema) or _claims(schema):
            return wrap_json_schema(schema)
        raise TypeError(
            f"the dict with the keys {', '.join(map(repr, schema)) or '(none)'} is no JSON Schema; "
            'for names and types, {"name": str}, use structured_object'
        )
    return model_schema(schema)


def _claims(schema: Mapping[Any, Any]) -> bool:
    """Whether it is meant as a JSON Schema, so that its fault is worth telling."""
    return isinstance(schema.get("type"), str | list) or "$schema" in schema


def object_schema(shape: Mapping[str, Any]) -> UnifiedSchema[dict[str, Any]]:
    """The schema of an object with these fields; its data is a dict."""
    return model_schema(shape_type(shape), "object")


def array_schema(item: Any) -> UnifiedSchema[list[Any]]:
    """The schema of an array whose items all have the schema `item`, or the shape."""
    if isinstance(item, Mapping) and not (is_json_schema(item) or _claims(item)):
        return model_schema(list[shape_type(item)], "array of objects")  # type: ignore[misc]
    if not isinstance(item, UnifiedSchema | Mapping):
        model_schema(item)  # its own fault is told better than the array's
        return model_schema(list[item], f"array of {name_of(item)}")
    each = as_schema(item)

    def check(
        data: Any,
        text: str | None,  # noqa: ARG001  the items have none of their own
        strict: bool,
    ) -> tuple[Any, Sequence[SchemaFault]]:
        if not isinstance(data, list):
            return None, (SchemaFault("", f"expected an array, got {kind_of(data)}", "type"),)
        values, faults = [], []
        for index, value in enumerate(data):
            made, found = each._check(value, None, strict)
            values.append(made)
            faults += [
                SchemaFault(joined(f"[{index}]", fault.path), fault.message, fault.type)
                for fault in found
            ]
        return (None, faults) if faults else (values, ())

    def describe() -> dict[str, Any]:
        items = each.json_schema or {}
        shared: dict[str, Any] = {key: items.pop(key) for key in DEFINITIONS if key in items}
        return {"type": "array", "items": items, **shared}

    made = UnifiedSchema._of("array", f"array of {each.name}", check, describe)
    made.strict = each.strict
    return made
