"""Everything that can go wrong, as one tree of exceptions.

    Error                                    any failure the library reports
    ├── StreamAbortedError                   someone called abort(), or left `async with` early
    ├── StreamTimeoutError  (TimeoutError)   a limit of `Timeout` was reached
    │   ├── ConnectTimeoutError              no source in hand
    │   ├── InitialTokenTimeoutError         no first event
    │   ├── InterTokenTimeoutError           a silence between two events
    │   └── DeadlineError                    the whole run took too long; never retried
    ├── NetworkError  (ConnectionError)      the connection failed; `.type` says how
    ├── ProviderError                        the provider reported an error inside the stream
    ├── ContentError                         what the model wrote can't stand
    │   ├── ZeroOutputError                  nothing was written
    │   ├── GuardrailError                   a rule was violated; `.violations`
    │   │   └── FatalGuardrailError          … and nothing may follow
    │   ├── DriftError                       the text went astray; `.types`, `.confidence`
    │   ├── IncompleteOutputError            it ended at the length limit
    │   ├── SchemaValidationError  (ValueError)  it is not the data asked for; `.errors`
    │   └── ToolArgumentsError  (ValueError)     a tool call's arguments are invalid; `.errors`
    ├── AllStreamsExhaustedError             the stream and its fallbacks failed; `.errors`
    ├── InvalidStreamError  (TypeError)      the source is nothing that can be streamed
    ├── AdapterNotFoundError  (ValueError)   no adapter of that name
    ├── FeatureNotEnabledError               asked for something the options left off
    │   └── MissingDependencyError  (ImportError)  … or that needs a package not installed
    ├── InterceptorError                     an interceptor stopped the run; `.name`, `.phase`
    └── StoreError                           an event store failed; `.succeeded`, `.failed`
        └── CompositeStoreError              … one of several; `.errors`

What only one room raises is declared there, as a subclass of the nearest one here. A stored failure
whose class is not in this module comes back as a `RestoredError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from l0.errors._error import Error, ErrorContext, ListingError, including
from l0.errors._vocabulary import (
    ErrorCategory,
    ErrorCode,
    NetworkErrorType,
    RetryableErrorType,
)

if TYPE_CHECKING:
    from l0.errors._tables import Classification


class StreamAbortedError(Error):
    """The run was stopped by `abort()` or by leaving `async with` before its end."""

    default_code = ErrorCode.STREAM_ABORTED
    advice = "Nothing if the stop was meant; `partial_text` holds what had arrived."


class StreamTimeoutError(Error, TimeoutError):
    """A limit set by `Timeout` was reached; the front door calls it `l0.TimeoutError`."""

    default_category = ErrorCategory.TRANSIENT
    default_reason = RetryableErrorType.TIMEOUT
    advice = "Raise the limit in `Timeout`, or set it to None."


class ConnectTimeoutError(StreamTimeoutError):
    """The factory gave no source within `Timeout(connect=...)`."""

    default_code = ErrorCode.CONNECT_TIMEOUT
    advice = "Check the provider's address, or raise `Timeout(connect=...)`."


class InitialTokenTimeoutError(StreamTimeoutError):
    """No event came within `Timeout(initial_token=...)` of the factory call."""

    default_code = ErrorCode.INITIAL_TOKEN_TIMEOUT
    advice = (
        "Raise `Timeout(initial_token=...)`: long prompts and reasoning models take their time."
    )


class InterTokenTimeoutError(StreamTimeoutError):
    """The source fell silent for longer than `Timeout(inter_token=...)`."""

    default_code = ErrorCode.INTER_TOKEN_TIMEOUT
    advice = "Raise `Timeout(inter_token=...)`, or use `continuation=True` to resume."


class DeadlineError(StreamTimeoutError):
    """The run, with its retries and fallbacks, took longer than `Timeout(total=...)`."""

    default_code = ErrorCode.TOTAL_TIMEOUT
    advice = "Raise `Timeout(total=...)`, or allow fewer retries."


class NetworkError(Error, ConnectionError):
    """The connection to the provider failed; `type` says how.

    Raises:
        ValueError: `type` is no `NetworkErrorType`.
    """

    default_code = ErrorCode.NETWORK_ERROR
    advice = "Check the connection; network failures are retried up to `Retry(max_retries=...)`."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        type: NetworkErrorType | str = NetworkErrorType.UNKNOWN,
    ) -> None:
        super().__init__(message, context)
        self.type = NetworkErrorType(type)

    @property
    def reason(self) -> RetryableErrorType:
        """`timeout` if that is how the connection failed, else `network_error`."""
        if self.type is NetworkErrorType.TIMEOUT:
            return RetryableErrorType.TIMEOUT
        return RetryableErrorType.NETWORK_ERROR

    @property
    def network_type(self) -> NetworkErrorType:
        """The same as `type`."""
        return self.type


class ProviderError(Error):
    """The provider reported an error inside a stream that had begun well.

    `body` is what it sent, decoded: `{"type": ...}`, `{"code": ...}`, or either under `"error"`.
    Its type, or the status in the context, decides the category, which is `provider` where neither
    is known.

    Example:
        >>> ProviderError("Overloaded", body={"type": "overloaded_error"}).category.value
        'transient'
    """

    default_code = ErrorCode.PROVIDER_ERROR
    advice = "See the provider's message and status page; a fallback to another provider helps."

    def __init__(
        self, message: str = "", context: ErrorContext | None = None, *, body: Any = None
    ) -> None:
        super().__init__(message, context)
        self.body = body

    def _verdict(self) -> Classification:
        from l0.errors._classify import classify  # it reads this tree

        return classify(self)

    @property
    def category(self) -> ErrorCategory:
        """By status or body type; `provider` where neither is known."""
        return self._verdict().category

    @property
    def reason(self) -> RetryableErrorType | None:
        """By status or body type; None where neither is known."""
        return self._verdict().reason

    @property
    def quota(self) -> bool:
        """Whether the body says that the account is exhausted."""
        return self._verdict().quota

    @property
    def body_type(self) -> str | None:
        """Type or code of the body."""
        return self._verdict().body_type


class ContentError(Error):
    """What the model wrote can't stand; another attempt starts fresh."""

    default_category = ErrorCategory.CONTENT
    advice = "Make the prompt say more clearly what is wanted, or allow more `Retry(attempts=...)`."


class ZeroOutputError(ContentError):
    """The attempt ended without text, tool call, data or message."""

    default_code = ErrorCode.ZERO_OUTPUT
    advice = "Check that the prompt asks for text; an empty answer is often a refusal."


class GuardrailError(ContentError):
    """A guardrail rule was violated; `violations` lists how."""

    default_code = ErrorCode.GUARDRAIL_VIOLATION
    advice = "See `violations` for rule and place; relax the rule or change the prompt."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        violations: Iterable[Any] = (),
    ) -> None:
        super().__init__(message, including(context, violations=tuple(violations)))

    @property
    def violations(self) -> tuple[Any, ...]:
        """The violations that failed the attempt."""
        return self.context.violations


class FatalGuardrailError(GuardrailError):
    """A rule found what must stop the run at once: no retry, no fallback."""

    default_code = ErrorCode.FATAL_GUARDRAIL_VIOLATION
    advice = "See `violations`; a fatal rule is meant to end the run."


class DriftError(ContentError):
    """The text went astray: `types` of drift, with the highest `confidence` (0 to 1)."""

    default_code = ErrorCode.DRIFT_DETECTED
    advice = "Raise `DriftConfig(threshold=...)`, or use `policy='record'` to be told only."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        types: Iterable[str] = (),
        confidence: float = 0.0,
    ) -> None:
        super().__init__(message, context)
        self.types = tuple(types)
        self.confidence = confidence


class IncompleteOutputError(ContentError):
    """The model stopped at its length limit and `on_incomplete="retry"` was asked for."""

    default_code = ErrorCode.INCOMPLETE_OUTPUT
    advice = "Raise the model's output limit, or use `continuation=True` to go on from there."


class SchemaValidationError(ListingError, ContentError, ValueError):
    """The text is not the data asked for; `errors` lists every fault so far."""

    default_code = ErrorCode.SCHEMA_VALIDATION_FAILED
    advice = "See `errors`; describe the format in the prompt or loosen the schema."


class ToolArgumentsError(ListingError, ContentError, ValueError):
    """A tool call's arguments are invalid; `errors` lists the faults."""

    default_code = ErrorCode.TOOL_ARGUMENTS_INVALID
    advice = "See `errors`; make the tool's description say what its arguments are."


class AllStreamsExhaustedError(ListingError):
    """The stream and every fallback failed; `errors` lists one failure an attempt, in order."""

    default_code = ErrorCode.ALL_STREAMS_EXHAUSTED
    advice = "See `errors` for each failure; add a fallback that doesn't share their cause."

    @property
    def last_error(self) -> BaseException | None:
        """The failure after which nothing was left to try."""
        last: BaseException | None = self.errors[-1] if self.errors else None
        return last


class InvalidStreamError(Error, TypeError):
    """The source, or an item of it, is nothing that can be streamed."""

    default_code = ErrorCode.INVALID_STREAM
    advice = "Pass a factory that gives an async iterator, or an adapter that knows its items."


class AdapterNotFoundError(Error, ValueError):
    """No adapter has the name given as a hint."""

    default_code = ErrorCode.ADAPTER_NOT_FOUND
    advice = "Use one of the names in the message, or `register_adapter` your own first."


class FeatureNotEnabledError(Error):
    """Something was asked for that the options of the run left off."""

    default_code = ErrorCode.FEATURE_NOT_ENABLED
    advice = "Switch on the option that the message names."


class MissingDependencyError(FeatureNotEnabledError, ImportError):
    """A feature needs a package that is not installed; `package` is its import name.

    Example:
        >>> print(MissingDependencyError.of("Metrics", "prometheus_client"))
        Metrics need the package prometheus_client; install it: pip install prometheus_client
    """

    advice = "Install the package that the message names."

    def __init__(
        self, message: str = "", context: ErrorContext | None = None, *, package: str = ""
    ) -> None:
        super().__init__(message, context)
        self.package = package

    @property
    def name(self) -> str:  # type: ignore[override]  # ImportError's is a plain attribute
        """The package, under the name that ImportError gives it."""
        return self.package

    @classmethod
    def of(cls, feature: str, package: str, install: str | None = None) -> Self:
        """The error for a plural `feature`; `install` is what pip is told, if not the package."""
        return cls(
            f"{feature} need the package {package}; install it: pip install {install or package}",
            package=package,
        )


class InterceptorError(Error):
    """The interceptor `name` stopped the run in its `phase` ("before", "after" or "error")."""

    default_code = ErrorCode.INTERCEPTOR_FAILED
    advice = "See the cause; an interceptor that only observes must not raise."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        name: str = "",
        phase: str = "",
    ) -> None:
        super().__init__(message, context)
        self.name = name
        self.phase = phase

    def _attributes(self) -> dict[str, Any]:
        known = super()._attributes()
        known["interceptor"] = known.pop("name", "")  # `name` is the class, as of every error
        return known


class StoreError(ListingError):
    """An event store failed.

    `succeeded` and `failed` are names of stores, `errors` what the failed ones raised.
    """

    default_code = ErrorCode.STORE_FAILED
    advice = "Check path, permissions and free space of the store; the run itself goes on."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        succeeded: Iterable[str] = (),
        failed: Iterable[str] = (),
        errors: Iterable[BaseException] = (),
    ) -> None:
        super().__init__(message, context, errors=errors)
        self.succeeded = tuple(succeeded)
        self.failed = tuple(failed)


class CompositeStoreError(StoreError):
    """One of several stores written together failed, the one that is read among them."""
