"""Say what kind of failure an exception is, whoever raised it.

Library errors know it themselves. Of others, status, body, class and text are asked, in this order,
on the error, then along its `__cause__`, then its unsuppressed `__context__`; the first conclusive
answer wins. No answer means `model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar

from l0.errors._error import Error
from l0.errors._secrets import redact_text, text_of
from l0.errors._tables import (
    BODY_TYPES,
    CLASSES,
    DECODING,
    ERRNO,
    FAMILIES,
    FATAL,
    INTERNAL,
    MODEL,
    PARTIAL,
    PROGRAMMING,
    PROVIDER,
    QUOTA,
    QUOTA_CODES,
    SERVER,
    STANDARD,
    WRAPPERS,
    Classification,
    of_status,
    of_text,
)
from l0.errors._tree import (
    ContentError,
    ProviderError,
    StreamAbortedError,
    StreamTimeoutError,
    ToolArgumentsError,
    ZeroOutputError,
)
from l0.errors._vocabulary import ErrorCategory, ErrorCode, FailureType, NetworkErrorType

_T = TypeVar("_T")

_DEEPEST = 8
_MOST_LINKS = 32  # an exception group can be wide as well
_MOST_TEXT = 8192


def classify(error: BaseException) -> Classification:
    """What kind of failure `error` is; never raises, whatever its attributes do.

    Cancellation, interrupts and exits come out as fatal, but should never be asked about: they are
    to be propagated.

    Example:
        >>> classify(TimeoutError()).network_type.value, classify(KeyError("x")).category.value
        ('timeout', 'internal')
    """
    if not issubclass(type(error), Exception):
        return FATAL
    fallback: Classification | None = None
    for link, parent, implied in chain(error):
        try:
            verdict, wraps = _of_link(link, parent, implied=implied)
            told = None if verdict and not wraps else of_text(text_of(link, _MOST_TEXT))
        except Exception:  # noqa: S112  (attributes of other people's classes may do anything)
            continue
        conclusive = told if verdict is None else verdict
        if conclusive is not None and not wraps:
            return conclusive
        if fallback is None or fallback.category is not ErrorCategory.NETWORK:
            fallback = told or verdict or fallback
    return fallback or MODEL


def categorize_error(error: BaseException) -> ErrorCategory:
    """The category alone.

    Example:
        >>> categorize_error(ValueError("assessment uncertain")).value
        'model'
    """
    return classify(error).category


def is_network_error(error: BaseException) -> bool:
    """Whether the connection failed, rather than the provider, the model or the program.

    Example:
        >>> is_network_error(ConnectionResetError()), is_network_error(ValueError())
        (True, False)
    """
    return classify(error).category is ErrorCategory.NETWORK


def is_retryable_error(error: BaseException) -> bool:
    """Whether another try of the same source can help.

    Not so for fatal and internal errors, exhausted quotas and bad certificates.

    Example:
        >>> is_retryable_error(TimeoutError()), is_retryable_error(KeyError("answer"))
        (True, False)
    """
    return classify(error).retryable


@dataclass(frozen=True, slots=True)
class NetworkErrorAnalysis:
    """How a connection failed and what to do; network failures never count toward `attempts`."""

    type: NetworkErrorType
    retryable: bool
    counts_toward_limit: bool = False
    suggestion: str = ""
    context: Mapping[str, Any] = field(default_factory=dict, hash=False)


def analyze_network_error(error: BaseException) -> NetworkErrorAnalysis:
    """How the connection failed; `unknown` if it is not the connection that failed.

    `context` holds class name, message (without secrets), category and status.

    Example:
        >>> analyze_network_error(ConnectionRefusedError()).suggestion
        'Check that the server runs and that host and port are right.'
    """
    verdict = classify(error)
    kind = verdict.network_type or NetworkErrorType.UNKNOWN
    known: dict[str, Any] = {
        "error_type": type(error).__name__,
        "message": redact_text(text_of(error, _MOST_TEXT)),
        "category": verdict.category.value,
    }
    if verdict.status is not None:
        known["status"] = verdict.status
    return NetworkErrorAnalysis(
        type=kind, retryable=verdict.retryable, suggestion=_SUGGESTIONS[kind], context=known
    )


def failure_type(error: BaseException, classification: Classification | None = None) -> FailureType:
    """Which part of the call failed; the classification is made if not given.

    Example:
        >>> failure_type(ConnectionResetError()).value
        'network'
    """
    verdict = classification or classify(error)
    if _is(error, StreamAbortedError):
        return FailureType.ABORT
    if _is(error, StreamTimeoutError) or verdict.network_type is NetworkErrorType.TIMEOUT:
        return FailureType.TIMEOUT
    if verdict.category is ErrorCategory.NETWORK:
        return FailureType.NETWORK
    if _is(error, ZeroOutputError):
        return FailureType.ZERO_OUTPUT
    if _is(error, ToolArgumentsError):
        return FailureType.TOOL
    if verdict.category is ErrorCategory.INTERNAL:
        return FailureType.UNKNOWN
    judged = verdict.category in (ErrorCategory.CONTENT, ErrorCategory.MODEL)
    answered = verdict.status is not None or verdict.body_type is not None
    if judged or answered or _is(error, ContentError):
        return FailureType.MODEL
    return FailureType.UNKNOWN


_SUGGESTIONS: dict[NetworkErrorType, str] = {
    NetworkErrorType.CONNECTION_DROPPED: "Try again; `continuation=True` goes on from there.",
    NetworkErrorType.FETCH_ERROR: "Check network, proxy and the provider's address.",
    NetworkErrorType.ECONNRESET: "Try again; the server closed the connection.",
    NetworkErrorType.ECONNREFUSED: "Check that the server runs and that host and port are right.",
    NetworkErrorType.SSE_ABORTED: "Try again; the event stream was closed early.",
    NetworkErrorType.NO_BYTES: "Try again; the connection closed before the first byte.",
    NetworkErrorType.PARTIAL_CHUNKS: "Try again; the last piece arrived incomplete.",
    NetworkErrorType.RUNTIME_KILLED: "Allow the worker a longer run, or make the answer shorter.",
    NetworkErrorType.BACKGROUND_THROTTLE: "Try again once the process runs in the foreground.",
    NetworkErrorType.DNS_ERROR: "Check the host name and the name server.",
    NetworkErrorType.SSL_ERROR: "Check the certificate, the host name and the system clock.",
    NetworkErrorType.TIMEOUT: "Try again, or allow more time in the client's own timeout.",
    NetworkErrorType.UNKNOWN: "See the message and the cause.",
}


# LiteLLM gives these a status though nobody answered; what they are about is their cause.
_STATUS_MADE_UP = frozenset({"APIConnectionError", "MidStreamFallbackError", "Timeout"})


def chain(error: BaseException) -> Iterator[tuple[BaseException, BaseException | None, bool]]:
    """Each link of the story with its parent, and whether an implicit context led to it."""
    pending: list[tuple[Any, BaseException | None, bool, int]] = [(error, None, False, 0)]
    seen: set[int] = set()
    while pending and len(seen) < _MOST_LINKS:
        link, parent, implied, depth = pending.pop()
        if id(link) in seen or depth > _DEEPEST or not issubclass(type(link), Exception):
            continue
        seen.add(id(link))
        yield link, parent, implied
        if not read(link, "__suppress_context__"):
            pending.append((read(link, "__context__"), link, True, depth + 1))
        pending.append((read(link, "__cause__"), link, implied, depth + 1))
        if _is_litellm(link):
            pending.append((read(link, "original_exception"), link, implied, depth + 1))
        if issubclass(type(link), BaseExceptionGroup):
            members = reversed(link.exceptions[:_MOST_LINKS])
            pending.extend((member, link, implied, depth + 1) for member in members)


def _of_link(
    link: BaseException, parent: BaseException | None, *, implied: bool
) -> tuple[Classification | None, bool]:
    """The verdict on one exception alone, and whether its cause may know better."""
    if _is(link, Error):
        return _of_library(link), False
    answer = _of_answer(link)
    if answer is not None:
        return answer, False
    if type(link).__name__ == "MidStreamFallbackError" and _is_litellm(link):
        return SERVER, True  # whatever it was, it broke off an answer
    # A program that fails while, or because, it handles undecodable text has its own trouble. What
    # happened to be handled when an error was raised is no proof of a programming error either.
    decoding = parent is None or (not implied and _is_of_family(parent))
    return _of_class(link, decoding=decoding, programming=not implied)


def _of_library(error: Error) -> Classification:
    if isinstance(error, ProviderError):
        return _of_answer(error) or PROVIDER.replace(body_type=_first_word(error))
    status = error.status
    return Classification(
        category=error.category,
        reason=error.reason,
        network_type=error.network_type,
        status=status if status is not None and status >= 400 else None,
        quota=error.quota,
        body_type=error.body_type,
    )


def _of_answer(link: BaseException) -> Classification | None:
    """The verdict on what a provider answered: HTTP status first, then type or code of the body."""
    status, words = _status(link), _words(link)
    exhausted = next((word for word in words if word in QUOTA_CODES), None)
    if exhausted is not None and (status is None or status < 500):
        return QUOTA.replace(status=status, body_type=exhausted)
    if status is not None:
        return of_status(status)
    known = next((word for word in words if word in BODY_TYPES), None)
    return None if known is None else BODY_TYPES[known].replace(body_type=known)


def _status(link: BaseException) -> int | None:
    if type(link).__name__ in _STATUS_MADE_UP and _is_litellm(link):
        return None
    body = read(link, "body")
    for value in (
        read(link, "status_code"),
        read(link, "status"),
        read(read(link, "response"), "status_code"),
        # Servers that speak OpenAI's protocol put the status there, inside a stream of status 200.
        read(read(body, "error"), "code"),
        read(body, "code"),
    ):
        if _is(value, int) and 400 <= value <= 599:
            return int(value)
    return None


def _words(link: BaseException) -> list[str]:
    """Types and codes a provider gave, the most telling first."""
    body = read(link, "body")
    inner = read(body, "error")
    words = (
        read(read(inner, "details"), "error_code"),
        read(inner, "code"),
        read(body, "code"),
        # aiohttp's `code` is a deprecated property that warns.
        None if _root(type(link)) == "aiohttp" else read(link, "code"),
        read(inner, "type"),
        read(body, "type"),
        read(link, "type"),
    )
    return [word for word in words if _is(word, str)]


def _first_word(link: BaseException) -> str | None:
    """The provider's own word for its error, though unknown here; library codes don't count."""
    told = (word for word in _words(link) if word != "error" and not isinstance(word, ErrorCode))
    return next(told, None)


def _of_class(
    link: BaseException, *, decoding: bool, programming: bool
) -> tuple[Classification | None, bool]:
    wrapper: Classification | None = None
    for cls in type(link).__mro__:
        root, name = _root(cls), cls.__name__
        # Below a wrapper, only a builtin base says more: httpx's ConnectError is a NetworkError.
        if root not in STANDARD and (wrapper is not None or root not in FAMILIES):
            continue
        if name in CLASSES:
            return CLASSES[name], False
        if root == "msgspec" and name == "ValidationError":
            return None, False  # a DecodeError that found well-formed text of another shape
        if name in DECODING:
            return (PARTIAL if decoding else None), False
        if root == "builtins" and name in PROGRAMMING:
            return (INTERNAL if programming else None), False
        if wrapper is None and name in WRAPPERS:
            wrapper = WRAPPERS[name]
    if _is(link, OSError):
        # OSError(101) leaves errno unset.
        number = link.args[0] if link.errno is None and len(link.args) == 1 else link.errno
        if isinstance(number, int) and number in ERRNO:
            return ERRNO[number], False
    if wrapper is PROVIDER:
        wrapper = PROVIDER.replace(body_type=_first_word(link))
    return wrapper, wrapper is not None


def _is_litellm(link: BaseException) -> bool:
    return _root(type(link)) == "litellm"


def _is_of_family(link: BaseException) -> bool:
    return any(_root(cls) in FAMILIES for cls in type(link).__mro__)


def _is(value: Any, kind: type[_T]) -> TypeGuard[_T]:
    """`isinstance` that never asks the value itself."""
    return issubclass(type(value), kind)


def _root(cls: type) -> str:
    return str(cls.__module__).partition(".")[0]


def read(holder: Any, name: str) -> Any:
    """An item of a mapping or an attribute of anything else; None where there is none."""
    if holder is None:
        return None
    try:
        return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    except Exception:  # other people's properties: one that raises tells nothing
        return None
