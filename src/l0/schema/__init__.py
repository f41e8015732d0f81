"""From text to validated data: structured output, JSON healing, JSON Schema."""

from l0.schema._config import (
    MINIMAL_STRUCTURED,
    RECOMMENDED_STRUCTURED,
    STRICT_STRUCTURED,
    StructuredConfig,
    minimal_structured,
    recommended_structured,
    strict_structured,
)
from l0.schema._faults import SchemaFault
from l0.schema._forms import as_schema
from l0.schema._heal import (
    AutoCorrectResult,
    auto_correct_json,
    extract_json,
    extract_json_from_markdown,
    is_valid_json,
    parse_partial_json,
    safe_json_parse,
)
from l0.schema._json_schema import (
    get_json_schema_adapter,
    has_json_schema_adapter,
    is_json_schema,
    register_json_schema_adapter,
    unregister_json_schema_adapter,
    validate_json_schema,
    wrap_json_schema,
)
from l0.schema._json_validator import SimpleJSONSchemaAdapter
from l0.schema._live import Partial, StructuredStream, structured_stream
from l0.schema._partial import PartialParser
from l0.schema._payloads import (
    AutoCorrectEndPayload,
    AutoCorrectStartPayload,
    ParseEndPayload,
    ParseErrorPayload,
    ParseStartPayload,
    SchemaValidationEndPayload,
    SchemaValidationErrorPayload,
    SchemaValidationStartPayload,
    StructuredEndPayload,
    StructuredStartPayload,
)
from l0.schema._structured import (
    StructuredResult,
    structured,
    structured_array,
    structured_object,
)
from l0.schema._tools import tool_validator
from l0.schema._unified import SafeParse, UnifiedSchema
from l0.schema._validation import AutoCorrectInfo, StructuredState

__all__ = [
    "MINIMAL_STRUCTURED",
    "RECOMMENDED_STRUCTURED",
    "STRICT_STRUCTURED",
    "AutoCorrectEndPayload",
    "AutoCorrectInfo",
    "AutoCorrectResult",
    "AutoCorrectStartPayload",
    "ParseEndPayload",
    "ParseErrorPayload",
    "ParseStartPayload",
    "Partial",
    "PartialParser",
    "SafeParse",
    "SchemaFault",
    "SchemaValidationEndPayload",
    "SchemaValidationErrorPayload",
    "SchemaValidationStartPayload",
    "SimpleJSONSchemaAdapter",
    "StructuredConfig",
    "StructuredEndPayload",
    "StructuredResult",
    "StructuredStartPayload",
    "StructuredState",
    "StructuredStream",
    "UnifiedSchema",
    "as_schema",
    "auto_correct_json",
    "extract_json",
    "extract_json_from_markdown",
    "get_json_schema_adapter",
    "has_json_schema_adapter",
    "is_json_schema",
    "is_valid_json",
    "minimal_structured",
    "parse_partial_json",
    "recommended_structured",
    "register_json_schema_adapter",
    "safe_json_parse",
    "strict_structured",
    "structured",
    "structured_array",
    "structured_object",
    "structured_stream",
    "tool_validator",
    "unregister_json_schema_adapter",
    "validate_json_schema",
    "wrap_json_schema",
]
