"""Rows as data: what `map(parse=…)` asks each answer to be, and how it is read again later."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from l0.compose._executor import RowOutcome
from l0.stream import Options


class Parser:
    """A schema, and how strictly answers are held to it.

    Raises:
        TypeError: the schema can't be used as one.
    """

    def __init__(self, schema: Any, config: Any = None) -> None:
        from l0.schema import as_schema

        self._schema, self._config = schema, config
        self._strict = bool(getattr(config, "strict_mode", False))
        self._unified = as_schema(schema)

    @property
    def identity(self) -> str:
        """What the schema is, as a text that is the same in every process."""
        told = msgspec.json.encode(self._unified.json_schema, order="sorted").decode()
        return f"{self._unified.tag}:{self._unified.name}:{self._strict}:{told}"

    async def read(self, options: Options) -> RowOutcome:
        """Make a run, and valid data of its text."""
        from l0.schema import auto_correct_json, structured

        done = await structured(self._schema, options, config=self._config)
        healed = auto_correct_json(done.raw).text if done.corrected else None
        return RowOutcome(status="ok", text=done.raw, json=healed, data=done.data)

    def again(self, text: str) -> Any:
        """The data of a row that was stored."""
        return self._unified.parse(json.loads(text), strict=self._strict)

    def __getstate__(self) -> tuple[Any, Any]:
        return self._schema, self._config

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        self.__init__(*state)  # type: ignore[misc]
