"""JSON Schema behind a registry: the adapter that judges, and schemas wrapped to be used."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from l0.schema._faults import SchemaFault
from l0.schema._json_validator import SimpleJSONSchemaAdapter, judge_of
from l0.schema._keywords import KEYWORDS, closed
from l0.schema._unified import SafeParse, UnifiedSchema, as_fault

_DEFAULT = SimpleJSONSchemaAdapter()
_registered: list[Any] = []


def register_json_schema_adapter(adapter: Any) -> None:
    """Judge JSON Schemas by another validator from now on, instead of the default.

    Args:
        adapter: an object, or a mapping of functions: `validate(schema, data)` gives what is wrong,
            nothing if the data is valid; `format_errors(errors)` gives a text for them. An error is
            anything with a `path`, a `message` and a `type`, as attributes or keys, or a text.

    Raises:
        TypeError: one of the two is missing.

    Example:
        >>> def validate(schema, data):
        ...     return [] if data else ["it is empty"]
        >>> register_json_schema_adapter({"validate": validate, "format_errors": ", ".join})
        >>> validate_json_schema({}, []).ok
        False
        >>> unregister_json_schema_adapter()
    """
    if isinstance(adapter, Mapping):
        adapter = _Functions(adapter)
    for name in ("validate", "format_errors"):
        if not callable(getattr(adapter, name, None)):
            raise TypeError(
                f"a JSON Schema adapter has {name}(…); {adapter!r} has none. It is an object with "
                "validate(schema, data) and format_errors(errors), or a mapping of the two"
            )
    _registered[:] = [adapter]


def unregister_json_schema_adapter() -> None:
    """Go back to the default adapter; nothing if it is in use.

    Example:
        >>> unregister_json_schema_adapter()
        >>> has_json_schema_adapter()
        False
    """
    _registered.clear()


def has_json_schema_adapter() -> bool:
    """Whether another adapter than the default is registered.

    Example:
        >>> has_json_schema_adapter()
        False
    """
    return bool(_registered)


def get_json_schema_adapter() -> Any:
    """The adapter in use: the registered one, else the default.

    Example:
        >>> [fault.message for fault in get_json_schema_adapter().validate({"type": "string"}, 3)]
        ['expected a string, got an integer']
    """
    return _registered[0] if _registered else _DEFAULT


class _Functions:
    """A mapping of functions as an object."""

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self.__dict__.update(functions)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self.__dict__))}}}"


def is_json_schema(value: Any) -> bool:
    """Whether a value is a JSON Schema that says something: a dict with a keyword, without faults.

    Example:
        >>> is_json_schema({"type": "object"}), is_json_schema({"name": str}), is_json_schema({})
        (True, False, False)
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return False
    if not KEYWORDS & set(value):
        return False
    try:
        judge_of(value)
    except (ValueError, TypeError):
        return False
    return True


def validate_json_schema(schema: Mapping[str, Any], data: Any) -> SafeParse:
    """Judge data by a JSON Schema: `(ok, data, error)`.

    Raises:
        TypeError: the schema is no dict.
        ValueError: the schema has a fault.

    Example:
        >>> ok, _, error = validate_json_schema({"type": "integer"}, "1")
        >>> ok, str(error.errors[0])
        (False, 'expected an integer, got a string')
    """
    return wrap_json_schema(schema).safe_parse(data)


def wrap_json_schema(schema: Mapping[str, Any]) -> UnifiedSchema[Any]:
    """A JSON Schema in the form of every other schema; the data it judges is not changed.

    In strict mode an object that says which fields it has may have no others; one that says by a
    schema what its other fields are, or says nothing, may.

    Raises:
        TypeError: it is no dict.
        ValueError: it has a fault.

    Example:
        >>> wrap_json_schema({"properties": {"a": {}}}).safe_parse({"b": 1}, strict=True).ok
        False
    """
    if not isinstance(schema, Mapping):
        raise TypeError(f"a JSON Schema is a dict such as {{'type': 'object'}}; not {schema!r}")
    kept = copy.deepcopy(dict(schema))
    judges = _Judges(kept)
    name = kept.get("title")
    told = name if isinstance(name, str) and name else "JSON Schema"
    return UnifiedSchema._of("json_schema", told, judges.check, lambda: copy.deepcopy(kept))


class _Judges:
    """What judges by one schema, in either mode, by the adapter in use at that time."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._made: dict[bool, Callable[[Any], Sequence[Any]]] = {}
        if not has_json_schema_adapter():
            self._judge(strict=False)  # its faults are told now

    def _judge(self, *, strict: bool) -> Callable[[Any], Sequence[Any]]:
        if strict not in self._made:
            schema = closed(self._schema) if strict else self._schema
            self._made[strict] = judge_of(schema, exact_integers=strict).faults
        return self._made[strict]

    def check(
        self,
        data: Any,
        text: str | None,  # noqa: ARG002  a JSON Schema judges data
        strict: bool,
    ) -> tuple[Any, Sequence[SchemaFault]]:
        if not has_json_schema_adapter():
            return data, self._judge(strict=strict)(data)
        adapter = get_json_schema_adapter()
        found = list(adapter.validate(closed(self._schema) if strict else self._schema, data) or ())
        if all(map(_tells, found)):
            return data, [as_fault(each) for each in found]
        return data, [SchemaFault("", str(adapter.format_errors(found)), "invalid")]


def _tells(error: Any) -> bool:
    """Whether an error says in a known way what is wrong."""
    told = error.get("message") if isinstance(error, Mapping) else getattr(error, "message", None)
    return isinstance(error, str) or told is not None
