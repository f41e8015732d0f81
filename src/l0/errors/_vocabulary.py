"""The words failures are spoken about in: codes, categories, reasons and strategies."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable code of every library error; a member's value is its name."""

    STREAM_ABORTED = "STREAM_ABORTED"
    CONNECT_TIMEOUT = "CONNECT_TIMEOUT"
    INITIAL_TOKEN_TIMEOUT = "INITIAL_TOKEN_TIMEOUT"
    INTER_TOKEN_TIMEOUT = "INTER_TOKEN_TIMEOUT"
    TOTAL_TIMEOUT = "TOTAL_TIMEOUT"
    NETWORK_ERROR = "NETWORK_ERROR"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    ZERO_OUTPUT = "ZERO_OUTPUT"
    GUARDRAIL_VIOLATION = "GUARDRAIL_VIOLATION"
    FATAL_GUARDRAIL_VIOLATION = "FATAL_GUARDRAIL_VIOLATION"
    DRIFT_DETECTED = "DRIFT_DETECTED"
    INCOMPLETE_OUTPUT = "INCOMPLETE_OUTPUT"
    SCHEMA_VALIDATION_FAILED = "SCHEMA_VALIDATION_FAILED"
    TOOL_ARGUMENTS_INVALID = "TOOL_ARGUMENTS_INVALID"
    ALL_STREAMS_EXHAUSTED = "ALL_STREAMS_EXHAUSTED"
    INVALID_STREAM = "INVALID_STREAM"
    ADAPTER_NOT_FOUND = "ADAPTER_NOT_FOUND"
    FEATURE_NOT_ENABLED = "FEATURE_NOT_ENABLED"
    INTERCEPTOR_FAILED = "INTERCEPTOR_FAILED"
    STORE_FAILED = "STORE_FAILED"


class ErrorCategory(StrEnum):
    """What a failure says about trying again.

    `network` and `transient` are retried without using up `attempts`; `model`, `content` and
    `provider` use it up; `fatal` and `internal` are not retried.
    """

    NETWORK = "network"
    TRANSIENT = "transient"
    MODEL = "model"
    CONTENT = "content"
    PROVIDER = "provider"
    FATAL = "fatal"
    INTERNAL = "internal"


class RetryableErrorType(StrEnum):
    """The reasons for a retry that `Retry(retry_on=...)` can name."""

    ZERO_OUTPUT = "zero_output"
    GUARDRAIL_VIOLATION = "guardrail_violation"
    DRIFT = "drift"
    INCOMPLETE = "incomplete"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"


class NetworkErrorType(StrEnum):
    """How a connection failed; every type but `ssl_error` is worth another try."""

    CONNECTION_DROPPED = "connection_dropped"
    FETCH_ERROR = "fetch_error"
    ECONNRESET = "econnreset"
    ECONNREFUSED = "econnrefused"
    SSE_ABORTED = "sse_aborted"
    NO_BYTES = "no_bytes"
    PARTIAL_CHUNKS = "partial_chunks"
    RUNTIME_KILLED = "runtime_killed"
    BACKGROUND_THROTTLE = "background_throttle"
    DNS_ERROR = "dns_error"
    SSL_ERROR = "ssl_error"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


class FailureType(StrEnum):
    """Which part of a call failed, for people and dashboards."""

    NETWORK = "network"
    MODEL = "model"
    TOOL = "tool"
    TIMEOUT = "timeout"
    ABORT = "abort"
    ZERO_OUTPUT = "zero_output"
    UNKNOWN = "unknown"


class RecoveryStrategy(StrEnum):
    """What happens after a failed attempt."""

    RETRY = "retry"
    FALLBACK = "fallback"
    HALT = "halt"


_OF_CODE: dict[ErrorCode, tuple[ErrorCategory, RetryableErrorType | None]] = {
    ErrorCode.STREAM_ABORTED: (ErrorCategory.FATAL, None),
    ErrorCode.CONNECT_TIMEOUT: (ErrorCategory.TRANSIENT, RetryableErrorType.TIMEOUT),
    ErrorCode.INITIAL_TOKEN_TIMEOUT: (ErrorCategory.TRANSIENT, RetryableErrorType.TIMEOUT),
    ErrorCode.INTER_TOKEN_TIMEOUT: (ErrorCategory.TRANSIENT, RetryableErrorType.TIMEOUT),
    ErrorCode.TOTAL_TIMEOUT: (ErrorCategory.FATAL, None),
    ErrorCode.NETWORK_ERROR: (ErrorCategory.NETWORK, RetryableErrorType.NETWORK_ERROR),
    ErrorCode.PROVIDER_ERROR: (ErrorCategory.PROVIDER, None),
    ErrorCode.ZERO_OUTPUT: (ErrorCategory.CONTENT, RetryableErrorType.ZERO_OUTPUT),
    ErrorCode.GUARDRAIL_VIOLATION: (
        ErrorCategory.CONTENT,
        RetryableErrorType.GUARDRAIL_VIOLATION,
    ),
    ErrorCode.FATAL_GUARDRAIL_VIOLATION: (ErrorCategory.FATAL, None),
    ErrorCode.DRIFT_DETECTED: (ErrorCategory.CONTENT, RetryableErrorType.DRIFT),
    ErrorCode.INCOMPLETE_OUTPUT: (ErrorCategory.CONTENT, RetryableErrorType.INCOMPLETE),
    ErrorCode.SCHEMA_VALIDATION_FAILED: (
        ErrorCategory.CONTENT,
        RetryableErrorType.GUARDRAIL_VIOLATION,
    ),
    ErrorCode.TOOL_ARGUMENTS_INVALID: (
        ErrorCategory.CONTENT,
        RetryableErrorType.GUARDRAIL_VIOLATION,
    ),
    ErrorCode.ALL_STREAMS_EXHAUSTED: (ErrorCategory.PROVIDER, None),
    ErrorCode.INVALID_STREAM: (ErrorCategory.INTERNAL, None),
    ErrorCode.ADAPTER_NOT_FOUND: (ErrorCategory.INTERNAL, None),
    ErrorCode.FEATURE_NOT_ENABLED: (ErrorCategory.INTERNAL, None),
    ErrorCode.INTERCEPTOR_FAILED: (ErrorCategory.FATAL, None),
    ErrorCode.STORE_FAILED: (ErrorCategory.INTERNAL, None),
}


def get_error_category(code: ErrorCode | str) -> ErrorCategory:
    """The category of a library error code.

    A single `ProviderError` may differ: what the provider's body says counts for more.

    Raises:
        ValueError: no such code.

    Example:
        >>> get_error_category("ZERO_OUTPUT").value
        'content'
    """
    return _OF_CODE[ErrorCode(code)][0]


def reason_of(code: ErrorCode) -> RetryableErrorType | None:
    """The reason under which a failure with this code is retried; None if it has none."""
    return _OF_CODE[code][1]
