"""What is known about other people's failures: by status, body type, class name and text.

Classes are known by their name and the root of their module, so that no provider package is
imported to recognise its exceptions.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, replace
from typing import Any, Self

from l0.errors._vocabulary import ErrorCategory, NetworkErrorType, RetryableErrorType


@dataclass(frozen=True, slots=True)
class Classification:
    """What kind of failure an exception is.

    `reason` is what `retry_on` can name, `network_type` how the connection failed. `status` is an
    HTTP status of 400 or above, `body_type` the provider's own word where that decided. `quota`
    says that the account, not the moment, is exhausted.

    Example:
        >>> from l0.errors import classify
        >>> classify(ConnectionResetError()).network_type.value
        'econnreset'
    """

    category: ErrorCategory
    reason: RetryableErrorType | None = None
    network_type: NetworkErrorType | None = None
    status: int | None = None
    quota: bool = False
    body_type: str | None = None

    @property
    def retryable(self) -> bool:
        """Whether another try of the same source can help."""
        return (
            self.category not in (ErrorCategory.FATAL, ErrorCategory.INTERNAL)
            and not self.quota
            and self.network_type is not NetworkErrorType.SSL_ERROR
        )

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)


MODEL = Classification(ErrorCategory.MODEL)
PROVIDER = Classification(ErrorCategory.PROVIDER)
FATAL = Classification(ErrorCategory.FATAL)
INTERNAL = Classification(ErrorCategory.INTERNAL)
SERVER = Classification(ErrorCategory.TRANSIENT, RetryableErrorType.SERVER_ERROR)
RATE_LIMIT = Classification(ErrorCategory.TRANSIENT, RetryableErrorType.RATE_LIMIT)
QUOTA = Classification(ErrorCategory.FATAL, quota=True)
FILTERED = Classification(ErrorCategory.CONTENT, RetryableErrorType.GUARDRAIL_VIOLATION)
CUT_SHORT = Classification(ErrorCategory.CONTENT, RetryableErrorType.INCOMPLETE)
NETWORK = {
    kind: Classification(
        ErrorCategory.NETWORK,
        RetryableErrorType.TIMEOUT
        if kind is NetworkErrorType.TIMEOUT
        else RetryableErrorType.NETWORK_ERROR,
        kind,
    )
    for kind in NetworkErrorType
}
_TIMEOUT = NETWORK[NetworkErrorType.TIMEOUT]
_DROPPED = NETWORK[NetworkErrorType.CONNECTION_DROPPED]
_RESET = NETWORK[NetworkErrorType.ECONNRESET]
_REFUSED = NETWORK[NetworkErrorType.ECONNREFUSED]
_FETCH = NETWORK[NetworkErrorType.FETCH_ERROR]
_DNS = NETWORK[NetworkErrorType.DNS_ERROR]
_CERTIFICATE = NETWORK[NetworkErrorType.SSL_ERROR]
_SSE = NETWORK[NetworkErrorType.SSE_ABORTED]
PARTIAL = NETWORK[NetworkErrorType.PARTIAL_CHUNKS]


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _each(names: str, verdict: Classification) -> dict[str, Classification]:
    return dict.fromkeys(names.split(), verdict)


# ── body types and codes ──────────────────────────────────────────────────────────────────────────

QUOTA_CODES = _set(
    "insufficient_quota quota_exceeded billing_hard_limit_reached billing_not_active billing_error"
    " credit_balance_too_low contract_spend_limit_reached enforced_spend_limit_reached"
    " linked_organization_spend_limit_reached linked_organization_billing_unavailable"
)
BODY_TYPES: dict[str, Classification] = {
    **_each("rate_limit_error rate_limit_exceeded", RATE_LIMIT),
    **_each("server_error api_error overloaded_error timeout_error internal_error", SERVER),
    **_each(
        "invalid_request_error authentication_error permission_error not_found_error"
        " request_too_large invalid_api_key model_not_found context_length_exceeded",
        FATAL,
    ),
    **_each("content_filter content_policy_violation", FILTERED),
    **dict.fromkeys(QUOTA_CODES, QUOTA),
}


def of_status(status: int) -> Classification:
    """The verdict on an HTTP status of 400 or above."""
    if status == 429:
        verdict = RATE_LIMIT
    elif status in (408, 425) or status >= 500:
        verdict = SERVER
    else:
        verdict = FATAL
    return verdict.replace(status=status)


# ── classes ───────────────────────────────────────────────────────────────────────────────────────

# Modules whose class names mean what the tables below say.
STANDARD = _set("builtins asyncio concurrent http json socket ssl urllib")
FAMILIES = _set(
    "httpx httpx2 httpcore httpcore2 httpx_sse h11 openai anthropic litellm aiohttp requests"
    " urllib3 websocket websockets simplejson msgspec"
)

# A name that says enough by itself.
CLASSES: dict[str, Classification] = {
    **_each(
        "ConnectTimeout ReadTimeout WriteTimeout PoolTimeout TimeoutException APITimeoutError"
        " ServerTimeoutError TimeoutError Timeout ReadTimeoutError ConnectTimeoutError"
        " WebSocketTimeoutException",
        _TIMEOUT,
    ),
    **_each(
        "ReadError WriteError CloseError NetworkError RemoteProtocolError ServerDisconnectedError"
        " BrokenPipeError ConnectionAbortedError EOFError ProtocolError",
        _DROPPED,
    ),
    "ConnectionResetError": _RESET,
    "ConnectionRefusedError": _REFUSED,
    **_each(
        "IncompleteRead IncompleteReadError ClientPayloadError ChunkedEncodingError"
        " InvalidChunkLength DecodingError ContentDecodingError",
        PARTIAL,
    ),
    **_each("gaierror herror ClientConnectorDNSError NameResolutionError", _DNS),
    **_each(
        "SSLCertVerificationError ClientConnectorCertificateError ServerFingerprintMismatch",
        _CERTIFICATE,
    ),
    **_each(
        "SSEError WebSocketConnectionClosedError WebSocketConnectionClosedException"
        " ConnectionClosed",
        _SSE,
    ),
    **_each(
        "UnsupportedProtocol InvalidURL TooManyRedirects LocalProtocolError NonHttpUrlClientError"
        " MissingSchema InvalidSchema LocationParseError URLSchemeUnknown CredentialsError",
        FATAL,
    ),
    # Errors that carry a status say more by it; these are for those that have lost it.
    **_each(
        "BadRequestError AuthenticationError PermissionDeniedError NotFoundError ConflictError"
        " UnprocessableEntityError",
        FATAL,
    ),
    "RateLimitError": RATE_LIMIT,
    "BudgetExceededError": QUOTA,
    **_each("InternalServerError ServiceUnavailableError OverloadedError RetryableError", SERVER),
    "ContentFilterFinishReasonError": FILTERED,
    "LengthFinishReasonError": CUT_SHORT,
}

# A name that wraps many failures: its cause is asked first, this is the answer if that is silent.
WRAPPERS: dict[str, Classification] = {
    **_each(
        "ConnectError ProxyError APIConnectionError ClientConnectionError ConnectionError"
        " TransportError NewConnectionError MaxRetryError URLError",
        _FETCH,
    ),
    **_each("SSLError ClientSSLError", _DROPPED),
    **_each("APIError", PROVIDER),
    **_each("OpenAIError AnthropicError", FATAL),
}

# Undecodable text from upstream: a transport fault, whatever the class derives from.
DECODING = _set("JSONDecodeError UnicodeDecodeError DecodeError")

PROGRAMMING = _set(
    "TypeError AttributeError NameError LookupError AssertionError NotImplementedError ImportError"
    " ArithmeticError RecursionError MemoryError SyntaxError"
)

ERRNO: dict[int, Classification] = {
    errno.ETIMEDOUT: _TIMEOUT,
    errno.ECONNRESET: _RESET,
    errno.ECONNREFUSED: _REFUSED,
    errno.EPIPE: _DROPPED,
    errno.ECONNABORTED: _DROPPED,
    errno.ENETUNREACH: _FETCH,
    errno.EHOSTUNREACH: _FETCH,
    errno.ENETDOWN: _FETCH,
}

# ── text ──────────────────────────────────────────────────────────────────────────────────────────

_PHRASES: tuple[tuple[str, Classification], ...] = (
    (r"certificate[ _]verify[ _]failed", _CERTIFICATE),
    (r"connection reset", _RESET),
    (r"connection refused", _REFUSED),
    (r"(?:connection )?timed out|connection timeout", _TIMEOUT),
    (r"connection (?:aborted|closed|dropped|lost)|broken pipe|server disconnected", _DROPPED),
    (r"EOF occurred|(?:ssl|socket) (?:error|failed)", _DROPPED),
    (r"(?:network|host) (?:is )?unreachable", _FETCH),
    (r"dns (?:error|failed)|name resolution", _DNS),
    (r"network (?:error|failed)", NETWORK[NetworkErrorType.UNKNOWN]),
    (r"sse stream (?:aborted|closed)", _SSE),
    (r"incomplete read", PARTIAL),
    (
        r"(?:worker|runtime|function) (?:was |has been )?(?:killed|terminated)",
        NETWORK[NetworkErrorType.RUNTIME_KILLED],
    ),
    (r"background throttled", NETWORK[NetworkErrorType.BACKGROUND_THROTTLE]),
    (r"rate limit (?:exceeded|reached)|too many requests", RATE_LIMIT),
)
_ANY_PHRASE = re.compile(
    r"\b(?:" + "|".join(f"({phrase})" for phrase, _ in _PHRASES) + r")\b", re.IGNORECASE
)


def of_text(text: str) -> Classification | None:
    """The verdict of the first telling phrase; whole phrases only, so "uncertain" tells nothing."""
    found = _ANY_PHRASE.search(text)
    return None if found is None else _PHRASES[(found.lastindex or 1) - 1][1]
