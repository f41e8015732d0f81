"""Values as plain data, and the one text by which two of them are known to be the same."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DEEPEST = 200  # levels; each takes several calls, and Python has a thousand
_LONGEST_NUMBER = 300  # characters; a longer one is compared as text


def plain(value: Any) -> Any:
    """Dicts, lists and scalars: what models, dataclasses, structs, enums and sets consist of.

    Containers are new; the value given is never changed.
    """
    if value is None or (isinstance(value, str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=canonical)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)  # a pydantic model
    if callable(dump) and not isinstance(value, type):
        return plain(dump())
    return value


def check_depth(value: Any) -> None:
    """Raise a ValueError if data is nested too deeply to be compared."""
    here = [value]
    for _ in range(_DEEPEST + 1):
        boxes = [each for each in here if isinstance(each, dict | list)]
        if not boxes:
            return
        here = [item for box in boxes for item in (box.values() if isinstance(box, dict) else box)]
    raise ValueError(f"the output is nested deeper than {_DEEPEST} levels; it can't be compared")


def canonical(value: Any, *, trim: bool = True) -> str:
    """The same text for the same plain value, and another for any other.

    The order of keys doesn't matter, nor, with `trim`, blanks around a text; 1 and 1.0 are the
    same, True is another, and so is "1".
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value.strip() if trim else value)
    if isinstance(value, int):
        return hex(value)  # of any length, which decimal digits are not
    if isinstance(value, float):
        return hex(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, list):
        return f"[{','.join(canonical(item, trim=trim) for item in value)}]"
    if isinstance(value, dict):
        pairs = sorted(
            (canonical(key, trim=trim), canonical(item, trim=trim)) for key, item in value.items()
        )
        return f"{{{','.join(f'{key}:{item}' for key, item in pairs)}}}"
    return f"{type(value).__qualname__}({value!r})"


def number(value: Any) -> int | float | None:
    """The number that a plain value is, or that its text says; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not text or len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        parsed = float(text)
        return parsed if math.isfinite(parsed) else None
