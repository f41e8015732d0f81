"""Made-up data of the form a JSON Schema asks for: what `sim:json` says where it is given one."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from l0.testing._sim import NAMES

Schema = Mapping[str, Any]

_DEEPEST: Final = 6
"""Levels below which only what must be there is."""

_ITEMS: Final = 2
_FORMATS: Final = {
    "date": "1893-11-21",
    "time": "04:10:00Z",
    "date-time": "1893-11-21T04:10:00Z",
    "duration": "PT4H10M",
    "email": "keeper@farrow-rock.example",
    "uri": "https://farrow-rock.example/log",
    "uuid": "6f1b0c1e-2d3f-4a5b-8c7d-9e0f1a2b3c4d",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "hostname": "farrow-rock.example",
}
_PLACES: Final = ("Farrow Rock", "Cape Lament", "Grey Tooth", "Port Ashby")
_SAID: Final = (
    "the lamp burned all night",
    "two sails before dawn",
    "fog until noon",
    "a steamer, lights in order",
    "oil for nine days",
)
_WORDS: Final = {
    **dict.fromkeys(("name", "author", "keeper", "person", "user"), NAMES),
    **dict.fromkeys(("city", "station", "place", "location", "town", "address"), _PLACES),
    **dict.fromkeys(("country", "nation"), ("Norway", "Portugal", "Kenya", "Chile")),
    **dict.fromkeys(("date", "day", "since", "until"), ("1893-11-21", "1893-11-22")),
    **dict.fromkeys(("email", "mail"), (_FORMATS["email"],)),
    **dict.fromkeys(("url", "link", "website"), (_FORMATS["uri"],)),
    **dict.fromkeys(("colour", "color"), ("white", "red", "green")),
}


def fill(schema: Schema, seed: str) -> Any:
    """Data of this form, the same for the same seed; its text fits the names of its fields.

    Patterns and `not` are beyond it: whoever needs to know judges what comes.

    >>> told = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 18}}}
    >>> fill(told, "a")["age"] >= 18
    True
    """
    return _Filler(schema, random.Random(seed)).value(schema, "", 0)


def answering(schema: Schema, usual: str, seed: str) -> str:
    """The usual text if it is such data; else data that is made up, if that is valid."""
    from l0.schema import validate_json_schema

    try:
        known = json.loads(usual)
        asked = schema.get("properties")
        fits = not asked or any(name in known for name in asked)
        if fits and validate_json_schema(dict(schema), known)[0]:
            return usual
        made = fill(schema, seed)
        if validate_json_schema(dict(schema), made)[0]:
            return json.dumps(made, indent=2, ensure_ascii=False)
    except (ImportError, LookupError, RecursionError, TypeError, ValueError):
        pass  # a schema that is none, or that nobody can judge
    return usual


class _Filler:
    def __init__(self, root: Schema, pick: random.Random) -> None:
        self._root = root
        self._pick = pick

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """A value for a field of this name."""
        if not isinstance(schema, Mapping):  # `true` allows anything
            return self._text({}, name)
        told = self._plain(schema, depth)
        if "const" in told:
            return told["const"]
        for known in ("enum", "examples"):
            if isinstance(told.get(known), Sequence) and told[known]:
                return self._pick.choice(told[known])
        match self._kind(told):
            case "object":
                return self._object(told, depth)
            case "array":
                return self._array(told, name, depth)
            case "integer":
                return int(self._number(told, whole=True))
            case "number":
                return self._number(told, whole=False)
            case "boolean":
                return self._pick.random() < 0.5
            case "null":
                return None
        return self._text(told, name)

    def _plain(self, schema: Schema, depth: int) -> dict[str, Any]:
        """The schema with its references followed, its parts joined, and one choice taken."""
        told = dict(schema)
        for _ in range(20):
            if isinstance(told.get("$ref"), str):
                told = {**self._at(told.pop("$ref")), **told}
            elif told.get("allOf"):
                parts = told.pop("allOf")
                for part in parts:
                    told = _joined(told, self._plain(part, depth))
            elif choices := told.get("anyOf") or told.get("oneOf"):
                told = {key: told[key] for key in told if key not in {"anyOf", "oneOf"}}
                told = _joined(told, dict(self._choice(choices, depth)))
            else:
                return told
        raise RecursionError("the schema refers to itself without end")

    def _choice(self, choices: Sequence[Schema], depth: int) -> Schema:
        nothing = [each for each in choices if each.get("type") == "null"]
        some = [each for each in choices if each not in nothing]
        return (nothing or some)[0] if depth >= _DEEPEST or not some else some[0]

    def _at(self, reference: str) -> Schema:
        if not reference.startswith("#"):
            raise LookupError(f"{reference} is elsewhere")
        found: Any = self._root
        for step in filter(None, reference[1:].split("/")):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return dict(found)

    def _kind(self, told: Schema) -> str:
        kind = told.get("type")
        if isinstance(kind, str):
            return kind
        if isinstance(kind, Sequence):
            return next((each for each in kind if each != "null"), "null")
        if {"properties", "additionalProperties", "required"} & set(told):
            return "object"
        if {"items", "prefixItems"} & set(told):
            return "array"
        numbers = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
        return "number" if numbers & set(told) else "string"

    def _object(self, told: Schema, depth: int) -> dict[str, Any]:
        fields, needed = told.get("properties", {}), told.get("required", ())
        if depth > 3 * _DEEPEST:
            raise RecursionError("the data would have no end")
        made = {
            name: self.value(schema, name, depth + 1)
            for name, schema in fields.items()
            if name in needed or depth < _DEEPEST
        }
        more = told.get("additionalProperties")
        made |= {name: self.value(more, name, depth + 1) for name in needed if name not in made}
        if not fields and isinstance(more, Mapping):
            wanted = max(told.get("minProperties", 0), _ITEMS if depth < _DEEPEST else 0)
            names = (*("first", "second", "third"), *(f"entry_{at}" for at in range(4, wanted + 1)))
            made |= {name: self.value(more, name, depth + 1) for name in names[:wanted]}
        return made

    def _array(self, told: Schema, name: str, depth: int) -> list[Any]:
        first = told.get("prefixItems", ())
        least, most = told.get("minItems", 0), told.get("maxItems", math.inf)
        wanted = min(max(least, _ITEMS if depth < _DEEPEST else 0), most)
        if first and told.get("items") in {None, False}:
            wanted = min(len(first), most)
        each = name.removesuffix("s")
        made: list[Any] = []
        for at in range(int(wanted)):
            schema = first[at] if at < len(first) else told.get("items", {})
            value = self.value(schema, each, depth + 1)
            for _ in range(9 if told.get("uniqueItems") else 0):
                if value not in made:
                    break
                value = self.value(schema, each, depth + 1)
            made.append(value)
        return made

    def _number(self, told: Schema, *, whole: bool) -> float:
        low: float = told.get("minimum", -math.inf)
        high: float = told.get("maximum", math.inf)
        step: float = told.get("multipleOf") or (1 if whole else 0.1)
        low = max(low, _edge(told.get("exclusiveMinimum"), -math.inf) + step)
        high = min(high, _edge(told.get("exclusiveMaximum"), math.inf) - step)
        if low == -math.inf:
            low = min(1, high if high < math.inf else 1)
        high = min(high, low + 40 * step)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if first > last:  # between two steps
            return low
        made = self._pick.randint(first, last) * step
        return made if isinstance(step, int) else round(made, 6)

    def _text(self, told: Schema, name: str) -> str:
        text = _FORMATS.get(told.get("format", ""))
        if text is None:
            last = name.lower().replace("-", "_").rpartition("_")[2]
            text = self._pick.choice(_WORDS.get(last, _SAID))
        least, most = told.get("minLength", 0), told.get("maxLength", math.inf)
        while len(text) < least:
            text = f"{text}; {self._pick.choice(_SAID)}"
        return text if len(text) <= most else text[: int(most)]


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two schemas as one that asks for both."""
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    return both


def _edge(value: Any, without: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else without
