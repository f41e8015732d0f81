"""What a task gave, as the value to compare: the data of a result, or what a schema makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from l0.compose._consensus_values import plain
from l0.compose._pipe import PipeResult
from l0.errors import SchemaValidationError
from l0.schema import StructuredResult, UnifiedSchema, as_schema, auto_correct_json


def unwrapped(result: Any) -> tuple[Any, str | None]:
    """The value that a task's result stands for, and its text if it has one.

    Raises:
        Exception: the result tells of a failure.
    """
    if isinstance(result, StructuredResult):
        return result.data, result.raw
    if isinstance(result, PipeResult):
        if result.status == "error":
            result.raise_for_error()
        return unwrapped(result.output)
    return result, result if isinstance(result, str) else None


def reader(schema: Any) -> Callable[[Any], Any] | None:
    """What turns an output into validated data, or raises; None without a schema.

    Raises:
        TypeError: the schema has none of the forms that `as_schema` knows.
    """
    if schema is None:
        return None
    unified = as_schema(schema)

    def read(value: Any) -> Any:
        if isinstance(value, str):
            return _parsed(unified, value)
        if isinstance(schema, type) and isinstance(value, schema):
            return value
        return unified.parse(plain(value))

    return read


def _parsed(schema: UnifiedSchema[Any], text: str) -> Any:
    """Text is JSON, or the very text that the schema asks for, or JSON that can be healed."""
    try:
        return schema.parse(json.loads(text))
    except SchemaValidationError:
        raise
    except (ValueError, RecursionError) as error:
        bare = schema.safe_parse(text.strip())
        if bare.ok:
            return bare.data
        healed = auto_correct_json(text)
        if not healed.success:
            raise SchemaValidationError(
                f"the output is no JSON ({error}), and could not be healed"
            ) from error
        return schema.parse(json.loads(healed.text))
