"""The anatomy of a JSON Schema: where in it schemas stand, and what closes it to unknown fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Schemas that judge a part of the data, by how they stand under their keyword.
CHILD = (
    *("additionalProperties", "unevaluatedProperties", "propertyNames", "additionalItems"),
    *("unevaluatedItems", "contains", "items"),
)
CHILD_LISTS = ("prefixItems", "items")
CHILD_MAPS = ("properties", "patternProperties")
# Schemas that judge the same data.
IN_PLACE = ("not", "if", "then", "else")
IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
IN_PLACE_MAPS = ("dependentSchemas",)
DEFINITIONS = ("$defs", "definitions")

KEYWORDS = frozenset(
    {
        *CHILD,
        *CHILD_LISTS,
        *CHILD_MAPS,
        *IN_PLACE,
        *IN_PLACE_LISTS,
        *IN_PLACE_MAPS,
        *DEFINITIONS,
        *("$schema", "$id", "$ref", "type", "enum", "const", "required", "minItems", "maxItems"),
        *("uniqueItems", "minLength", "maxLength", "pattern", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties"),
        *("maxProperties", "dependentRequired", "format"),
    }
)
"""The keywords by which a dict is known as a JSON Schema; words such as `title` may be fields."""


FIELDS = "x-fields"
"""Where `closed` notes which fields the parts of a combination have; validators ignore it."""

_LEGACY = ("draft-04", "draft-06", "draft-07")


def subschemas(schema: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """A schema and every one inside it, each with its place; values of `enum` are none."""
    if not isinstance(schema, Mapping):
        return
    yield path, schema
    for name, value in schema.items():
        here = (*path, name)
        if name in {*CHILD, *IN_PLACE} and isinstance(value, Mapping):
            yield from subschemas(value, here)
        elif name in {*CHILD_LISTS, *IN_PLACE_LISTS} and isinstance(value, list | tuple):
            for index, each in enumerate(value):
                yield from subschemas(each, (*here, index))
        elif name in {*CHILD_MAPS, *IN_PLACE_MAPS, *DEFINITIONS} and isinstance(value, Mapping):
            for key, each in value.items():
                yield from subschemas(each, (*here, key))


def closed(schema: Mapping[str, Any], *, keep_open: bool = False) -> dict[str, Any]:
    """The schema with every object closed that says which fields it has.

    An object without declared fields is a free map and stays one, and so does one that says by a
    schema what its other fields are.

    Args:
        schema: the root.
        keep_open: leave objects open that say `additionalProperties: true`.

    Example:
        >>> closed({"properties": {"a": {}}})
        {'properties': {'a': {}}, 'additionalProperties': False}
    """
    made: dict[str, Any] = _Closer(schema, keep_open).part(schema)
    return made


def pointed(schema: Any, ref: str) -> Any:
    """What a reference such as `#/$defs/item` points at; None if it is none of these."""
    if not ref.startswith("#"):
        return None
    found = schema
    for step in ref[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            return None
    return found


class _Closer:
    def __init__(self, root: Mapping[str, Any], keep_open: bool) -> None:
        self._root, self._keep_open = root, keep_open
        self._legacy = any(draft in str(root.get("$schema")) for draft in _LEGACY)

    def part(self, schema: Any) -> Any:
        """A schema that alone judges a part of the data."""
        if not isinstance(schema, Mapping):
            return schema
        made = self._inside(schema)
        own = {"properties", "patternProperties", "allOf", "$ref", "if", "dependentSchemas"}
        unions = [name for name in ("anyOf", "oneOf") if name in schema]
        if unions and not own & set(schema):  # whichever holds alone judges it
            for name in unions:
                made[name] = [self.part(each) for each in schema[name]]
            return made
        fields = sorted(self._fields(schema, set()))
        if not fields or (self._keep_open and self._is_open(schema)):
            return made
        if not {*IN_PLACE_LISTS, *IN_PLACE_MAPS, "$ref", "if"} & set(schema):
            made.setdefault("additionalProperties", False)
            return made
        if made.get("unevaluatedProperties") in (None, True):
            made |= {"unevaluatedProperties": False, FIELDS: fields}
        if "$ref" in made and self._legacy:  # what stands beside a reference was ignored then
            made["allOf"] = [{"$ref": made.pop("$ref")}, *made.get("allOf", ())]
        return made

    def _inside(self, schema: Any) -> Any:
        """A schema with its parts closed, itself open."""
        if not isinstance(schema, Mapping):
            return schema
        made: dict[str, Any] = {}
        for name, value in schema.items():
            if name in CHILD and isinstance(value, Mapping):
                made[name] = self.part(value)
            elif name in CHILD_LISTS and isinstance(value, list | tuple):
                made[name] = [self.part(each) for each in value]
            elif name in CHILD_MAPS and isinstance(value, Mapping):
                made[name] = {key: self.part(each) for key, each in value.items()}
            elif name in IN_PLACE_LISTS and isinstance(value, list | tuple):
                made[name] = [self._inside(each) for each in value]
            elif name in {*IN_PLACE_MAPS, *DEFINITIONS} and isinstance(value, Mapping):
                made[name] = {key: self._inside(each) for key, each in value.items()}
            elif name in {"then", "else"}:
                made[name] = self._inside(value)
            else:  # conditions are left as they are: closed, they would ask something else
                made[name] = value
        if "properties" in made and self._is_open(made) and not self._keep_open:
            del made["additionalProperties"]
        return made

    def _fields(self, schema: Any, seen: set[str]) -> set[str]:
        """The fields, and patterns of fields, that it and those beside it speak of."""
        if not isinstance(schema, Mapping):
            return set()
        own = {*schema.get("properties", ()), *schema.get("patternProperties", ())}
        return own.union(*(self._fields(each, seen) for each in self._beside(schema, seen)))

    def _is_open(self, schema: Mapping[str, Any]) -> bool:
        return schema.get("additionalProperties") in (True, {})

    def _beside(self, schema: Mapping[str, Any], seen: set[str]) -> Iterator[Any]:
        for name in IN_PLACE_LISTS:
            yield from schema.get(name, ())
        for name in ("then", "else"):
            yield schema.get(name)
        for name in IN_PLACE_MAPS:
            yield from schema.get(name, {}).values()
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref not in seen:
            seen.add(ref)
            yield pointed(self._root, ref)
