"""The default judge of JSON Schemas: the `jsonschema` package, offline, its findings as faults."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from l0.schema._faults import SchemaFault, kind_of, path_of
from l0.schema._keywords import FIELDS, subschemas
from l0.schema._unified import as_fault

_KINDS = {
    "array": "an array",
    "boolean": "a boolean",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


class SimpleJSONSchemaAdapter:
    """Judges JSON data by a JSON Schema, as the `jsonschema` package does.

    Drafts 4 to 2020-12, the newest unless `$schema` names another. References are followed inside
    the schema only: it never touches the network. Unknown keywords and `format` are ignored.

    Args:
        exact_integers: `1.0` is no integer; JSON Schema says that it is one.

    Example:
        >>> adapter = SimpleJSONSchemaAdapter()
        >>> faults = adapter.validate({"required": ["age"]}, {})
        >>> adapter.format_errors(faults)
        'age: required, and missing'
    """

    def __init__(self, *, exact_integers: bool = False) -> None:
        self._exact = exact_integers

    def validate(self, schema: Mapping[str, Any], data: Any) -> list[SchemaFault]:
        """What is wrong with the data; nothing if it is valid.

        Raises:
            ValueError: the schema itself has a fault.
        """
        return judge_of(schema, exact_integers=self._exact).faults(data)

    def format_errors(self, errors: Iterable[Any]) -> str:
        """The faults as one line of text."""
        return "; ".join(str(as_fault(error)) for error in errors)


def judge_of(schema: Mapping[str, Any], *, exact_integers: bool = False) -> Judge:
    """The judge of a schema, made once for schemas that read alike.

    Raises:
        ValueError: the schema has a fault; it says where.
    """
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError):  # no JSON: the metaschema says what is wrong
        return Judge(schema, exact_integers=exact_integers)
    return _kept(text, exact_integers)


@functools.lru_cache(maxsize=64)
def _kept(text: str, exact_integers: bool) -> Judge:
    return Judge(json.loads(text), exact_integers=exact_integers)


class Judge:
    """A JSON Schema made ready to judge any number of values.

    Raises:
        ValueError: the schema has a fault; it says where.
    """

    def __init__(self, schema: Mapping[str, Any], *, exact_integers: bool = False) -> None:
        from jsonschema.exceptions import SchemaError
        from referencing import Registry

        dialect = _dialect(_base(schema), exact_integers)
        _check_parts(schema)
        try:
            dialect.check_schema(schema)
        except SchemaError as error:
            raise _faulty(error.absolute_path, error.message) from error
        self._validator = dialect(schema, registry=Registry())

    def faults(self, data: Any) -> list[SchemaFault]:
        """What is wrong with the data.

        Raises:
            ValueError: a reference of the schema leads nowhere.
        """
        from referencing.exceptions import Unresolvable

        try:
            found = [each for error in self._validator.iter_errors(data) for each in _faults(error)]
        except Unresolvable as error:
            raise ValueError(
                f"the JSON Schema refers to {error.ref!r}, which is not inside it; put it under "
                "$defs: references are never fetched"
            ) from error
        except RecursionError:
            return [SchemaFault("", "nested too deeply to be checked", "recursion")]
        return list(dict.fromkeys(found))


def _base(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft3Validator, Draft202012Validator
    from jsonschema.validators import validator_for

    base = validator_for(schema, default=Draft202012Validator)
    if base is Draft3Validator:
        raise ValueError("JSON Schema draft 3 is not supported; drafts 4 to 2020-12 are")
    return base


def _check_parts(schema: Mapping[str, Any]) -> None:
    """What the metaschema doesn't say: patterns that don't compile, references to elsewhere."""
    anchored = any("$id" in part or "id" in part for _, part in subschemas(schema))
    for path, part in subschemas(schema):
        patterns = part.get("patternProperties")
        named = [part.get("pattern"), *(patterns if isinstance(patterns, Mapping) else ())]
        for pattern in named:
            if not isinstance(pattern, str):
                continue
            try:
                re.compile(pattern)
            except re.error as error:
                raise _faulty(path, f"{pattern!r} is no regular expression: {error}") from error
        ref = part.get("$ref")
        if isinstance(ref, str) and not ref.startswith("#") and not anchored:
            raise _faulty(
                path, f"{ref!r} is elsewhere; put it under $defs: references are never fetched"
            )


def _faulty(path: Iterable[Any], message: str) -> ValueError:
    place = path_of(path)
    return ValueError(f"the JSON Schema has a fault{' at ' if place else ''}{place}: {message}")


# --- the keywords that tell too little, or are not exact --------------------------------------


@functools.cache
def _dialect(base: Any, exact_integers: bool) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    unevaluated = Draft202012Validator.VALIDATORS["unevaluatedProperties"]
    keywords = {
        "required": _required,
        "properties": _properties,
        "additionalProperties": _one_by_one(base.VALIDATORS["additionalProperties"]),
        "unevaluatedProperties": _not_declared(_one_by_one(unevaluated)),
        "multipleOf": _multiple_of,
    }
    checker = base.TYPE_CHECKER
    if exact_integers:
        checker = checker.redefine("integer", lambda _, value: type(value) is int)
    return extend(base, keywords, type_checker=checker)  # type: ignore[no-untyped-call]


def _required(
    validator: Any,  # noqa: ARG001  as every keyword
    required: Any,
    instance: Any,
    schema: Any,  # noqa: ARG001
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, dict):
        for name in required:
            if name not in instance:
                yield ValidationError("required, and missing", path=[name])


def _properties(
    validator: Any,
    properties: Any,
    instance: Any,
    schema: Any,  # noqa: ARG001  as every keyword
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    for name, part in properties.items():
        if name not in instance:
            continue
        if part is False:
            yield ValidationError("", path=[name], validator="false_schema")
        else:
            yield from validator.descend(instance[name], part, path=name, schema_path=name)


def _one_by_one(keyword: Any) -> Any:
    """A keyword against unknown fields, with one error a field."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        from jsonschema import ValidationError

        if value is not False or not isinstance(instance, dict):
            yield from keyword(validator, value, instance, schema)
            return
        if not any(True for _ in keyword(validator, value, instance, schema)):
            return
        for name in instance:
            if any(True for _ in keyword(validator, value, {name: instance[name]}, schema)):
                yield ValidationError("not a field of the schema", path=[name])

    return check


def _not_declared(keyword: Any) -> Any:
    """Without the fields that count as unknown only because their part of a combination failed."""

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        found = list(keyword(validator, value, instance, schema))
        fields = schema.get(FIELDS)
        if found and fields is not None:
            others = {key: each for key, each in schema.items() if key != "unevaluatedProperties"}
            if not validator.evolve(schema=others).is_valid(instance):
                found = [error for error in found if error.path[0] not in fields]
        yield from found

    return check


def _multiple_of(
    validator: Any,  # noqa: ARG001  as every keyword
    factor: Any,
    instance: Any,
    schema: Any,  # noqa: ARG001
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    # As decimals, the way they were written: 19.99 is a multiple of 0.01.
    if not math.isfinite(instance) or _exactly(instance) % _exactly(factor):
        yield ValidationError("")


def _exactly(number: float) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


# --- errors as faults -------------------------------------------------------------------------


def _faults(error: Any) -> Iterator[SchemaFault]:
    if error.validator in {"anyOf", "oneOf"} and error.context:
        yield from _of_branches(error)
    else:
        kind = str(error.validator or "false_schema")
        yield SchemaFault(path_of(error.absolute_path), _message(error), kind)


def _of_branches(error: Any) -> Iterator[SchemaFault]:
    """The faults of the alternative that comes nearest."""
    branches: dict[int, list[Any]] = {}
    for each in error.context:
        branches.setdefault(each.schema_path[0], []).append(each)
    kinds = [_refused_kinds(errors) for errors in branches.values()]
    if all(kinds):
        wanted = dict.fromkeys(kind for each in kinds for kind in each)
        message = f"expected {_either(list(wanted))}, got {kind_of(error.instance)}"
        yield SchemaFault(path_of(error.absolute_path), message, "type")
        return
    nearest = min(
        (errors for errors, kind in zip(branches.values(), kinds, strict=True) if not kind),
        key=len,
    )
    for each in nearest:
        yield from _faults(each)


def _refused_kinds(errors: Sequence[Any]) -> list[str]:
    """The kinds an alternative wants, where the value is not even of such a kind."""
    for error in errors:
        if error.validator == "type" and not error.path:
            return _names(error.validator_value)
    return []


def _names(value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else list(value)
    return [_KINDS.get(name, str(name)) for name in names]


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _message(error: Any) -> str:
    """What is wrong, without the value itself: that may be long, or a secret."""
    limit = error.validator_value
    match error.validator:
        case "required" | "additionalProperties" | "unevaluatedProperties" if limit is not True:
            said = str(error.message)
            return said if len(said) < 80 else "not a field of the schema"
        case "type":
            return f"expected {_either(_names(limit))}, got {kind_of(error.instance)}"
        case "enum" | "const":
            allowed = limit if error.validator == "enum" else [limit]
            return f"expected {_either([_short(value) for value in allowed])}"
        case None | "false_schema":
            return "nothing is allowed here"
        case name if name in _LIMITS:
            return _LIMITS[name].format(_short(limit))
    return f"not valid under {error.validator}"


_LIMITS = {
    "minimum": "expected {} or more",
    "maximum": "expected {} or less",
    "exclusiveMinimum": "expected more than {}",
    "exclusiveMaximum": "expected less than {}",
    "multipleOf": "expected a multiple of {}",
    "minLength": "expected at least {} characters",
    "maxLength": "expected at most {} characters",
    "minItems": "expected at least {} items",
    "maxItems": "expected at most {} items",
    "minProperties": "expected at least {} fields",
    "maxProperties": "expected at most {} fields",
    "items": "expected no more items",
    "uniqueItems": "the items are not all different",
    "pattern": "expected a text that matches {}",
    "oneOf": "valid under more than one alternative of oneOf",
    "not": "valid under what must not be",
    "contains": "no item is what one of them must be",
    "dependentRequired": "a field is missing that another one needs",
}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:59]}…"
