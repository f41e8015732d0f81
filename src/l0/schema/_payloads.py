"""The events of structured output: what was parsed, corrected and judged, attempt by attempt."""

from __future__ import annotations

from typing import Any, ClassVar

from l0.events import Payload, register_payload


@register_payload
class StructuredStartPayload(Payload, frozen=True):
    """A complete text is going to be made data; the other events of this family come inside."""

    emitter: ClassVar[str] = "schema"

    schema_name: str
    attempt: int
    strict: bool
    auto_correct: bool


@register_payload
class ParseStartPayload(Payload, frozen=True):
    """Before the strict parse."""

    emitter: ClassVar[str] = "schema"

    content_length: int


@register_payload
class ParseErrorPayload(Payload, frozen=True):
    """The text is not JSON; `position` is the offset of the fault, in code points."""

    emitter: ClassVar[str] = "schema"

    error: str
    position: int | None = None


@register_payload
class ParseEndPayload(Payload, frozen=True):
    """After the strict parse."""

    emitter: ClassVar[str] = "schema"

    success: bool
    duration_ms: float


@register_payload
class AutoCorrectStartPayload(Payload, frozen=True):
    """Healing begins; only after a PARSE_ERROR."""

    emitter: ClassVar[str] = "schema"

    content_length: int


@register_payload
class AutoCorrectEndPayload(Payload, frozen=True):
    """Healing has ended; `corrections` are what it did, in order."""

    emitter: ClassVar[str] = "schema"

    success: bool
    corrections: list[str]
    correction_count: int
    duration_ms: float


@register_payload
class SchemaValidationStartPayload(Payload, frozen=True):
    """Before the data is judged by the schema."""

    emitter: ClassVar[str] = "schema"

    schema_name: str
    attempt: int


@register_payload
class SchemaValidationErrorPayload(Payload, frozen=True):
    """The text is not the data asked for; each of `errors` has a path, a message and a type."""

    emitter: ClassVar[str] = "schema"

    errors: list[dict[str, Any]]
    attempt: int


@register_payload
class SchemaValidationEndPayload(Payload, frozen=True):
    """After the data was judged."""

    emitter: ClassVar[str] = "schema"

    valid: bool
    error_count: int
    duration_ms: float


@register_payload
class StructuredEndPayload(Payload, frozen=True):
    """Closes STRUCTURED_START; without success the attempt fails."""

    emitter: ClassVar[str] = "schema"

    success: bool
    attempt: int
    corrected: bool
    duration_ms: float
