"""How text becomes data: the options of structured output, and their presets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Self


@dataclass(frozen=True, slots=True)
class StructuredConfig:
    """How text becomes data.

    Args:
        auto_correct: repair a text that is not quite JSON. Valid JSON is never touched.
        attempts: retries for data that is not valid, where no `retry` is given.
        strict_mode: reject unknown fields at every level, and coerce nothing.

    Raises:
        ValueError: a field has a value that makes no sense.

    Example:
        >>> recommended_structured.replace(strict_mode=True)
        StructuredConfig(auto_correct=True, attempts=2, strict_mode=True)
    """

    auto_correct: bool = True
    attempts: int = 1
    strict_mode: bool = False

    def __post_init__(self) -> None:
        for name in ("auto_correct", "strict_mode"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ValueError(f"StructuredConfig.{name} is True or False, not {value!r}")
        if (
            not isinstance(self.attempts, int)
            or isinstance(self.attempts, bool)
            or self.attempts < 0
        ):
            raise ValueError(
                f"StructuredConfig.attempts counts retries: 0 or more, not {self.attempts!r}"
            )

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed."""
        return dataclasses.replace(self, **changes)


MINIMAL_STRUCTURED: Final = StructuredConfig(auto_correct=False, attempts=1, strict_mode=False)
RECOMMENDED_STRUCTURED: Final = StructuredConfig(auto_correct=True, attempts=2, strict_mode=False)
STRICT_STRUCTURED: Final = StructuredConfig(auto_correct=True, attempts=3, strict_mode=True)

minimal_structured = MINIMAL_STRUCTURED
recommended_structured = RECOMMENDED_STRUCTURED
strict_structured = STRICT_STRUCTURED
