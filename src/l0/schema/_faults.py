"""What is wrong with data: one fault a place, and the error that lists them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from l0.errors import SchemaValidationError


class SchemaFault(msgspec.Struct, frozen=True):
    """One thing wrong with data: where, what, and the checker's own word for it.

    `path` is `items[0].name`, empty for the whole; the message tells of the schema and of kinds of
    values, not of the values themselves. `attempt` is the attempt it was found in.

    Example:
        >>> str(SchemaFault("age", "expected an integer, got a string", "type"))
        'age: expected an integer, got a string'
    """

    path: str
    message: str
    type: str
    attempt: int = 1

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def to_dict(self) -> dict[str, Any]:
        """Path, message and type, as events have them."""
        return {"path": self.path, "message": self.message, "type": self.type}


NOT_JSON = "json_invalid"
"""The type of the fault of a text that is no JSON."""
AMBIGUOUS = "ambiguous_continuation"
"""The type of the fault of data that may have lost a repetition where a stream was continued."""


def path_of(parts: Iterable[Any]) -> str:
    """A place in data as text.

    Example:
        >>> path_of(["items", 0, "name"])
        'items[0].name'
    """
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else str(part)
    return path


def joined(outer: str, inner: str) -> str:
    """The path of a place inside another."""
    return (
        f"{outer}{inner}" if not outer or inner.startswith("[") or not inner else f"{outer}.{inner}"
    )


_SHOWN = 3


def error_of(
    faults: Sequence[SchemaFault], name: str, earlier: Sequence[SchemaFault] = ()
) -> SchemaValidationError:
    """The error for these faults; those of earlier attempts are listed before them."""
    shown = "; ".join(map(str, faults[:_SHOWN]))
    more = f" (and {len(faults) - _SHOWN} more)" if len(faults) > _SHOWN else ""
    if faults[0].type == NOT_JSON:
        message = f"{shown}; ask the model for JSON and nothing else"
    elif faults[0].type == AMBIGUOUS:
        message = shown
    else:
        message = (
            f"the data is not what {name} asks for: {shown}{more}; say in the prompt what the "
            "fields are, or loosen the schema"
        )
    return SchemaValidationError(message, errors=(*earlier, *faults))


KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
"""What JSON values are called."""


def kind_of(value: Any) -> str:
    """What a JSON value is called."""
    return KINDS.get(type(value), type(value).__name__)
