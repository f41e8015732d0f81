"""What can go wrong, and what each failure says about trying again.

Every failure of the library is an `Error` of one tree; `classify` says of any exception, whoever
raised it, whether another try can help. Nothing of a provider is imported for that.
"""

from l0.errors._classify import (
    NetworkErrorAnalysis,
    analyze_network_error,
    categorize_error,
    classify,
    failure_type,
    is_network_error,
    is_retryable_error,
)
from l0.errors._error import Error, ErrorContext, RecoveryPolicy, is_l0_error
from l0.errors._log_filter import install as _filter_the_log
from l0.errors._retry_after import retry_after
from l0.errors._serialize import RestoredError, SerializedError, deserialize_error, serialize_error
from l0.errors._tables import Classification
from l0.errors._tree import (
    AdapterNotFoundError,
    AllStreamsExhaustedError,
    CompositeStoreError,
    ConnectTimeoutError,
    ContentError,
    DeadlineError,
    DriftError,
    FatalGuardrailError,
    FeatureNotEnabledError,
    GuardrailError,
    IncompleteOutputError,
    InitialTokenTimeoutError,
    InterceptorError,
    InterTokenTimeoutError,
    InvalidStreamError,
    MissingDependencyError,
    NetworkError,
    ProviderError,
    SchemaValidationError,
    StoreError,
    StreamAbortedError,
    StreamTimeoutError,
    ToolArgumentsError,
    ZeroOutputError,
)
from l0.errors._vocabulary import (
    ErrorCategory,
    ErrorCode,
    FailureType,
    NetworkErrorType,
    RecoveryStrategy,
    RetryableErrorType,
    get_error_category,
)

L0Error = Error

__all__ = [
    "AdapterNotFoundError",
    "AllStreamsExhaustedError",
    "Classification",
    "CompositeStoreError",
    "ConnectTimeoutError",
    "ContentError",
    "DeadlineError",
    "DriftError",
    "Error",
    "ErrorCategory",
    "ErrorCode",
    "ErrorContext",
    "FailureType",
    "FatalGuardrailError",
    "FeatureNotEnabledError",
    "GuardrailError",
    "IncompleteOutputError",
    "InitialTokenTimeoutError",
    "InterTokenTimeoutError",
    "InterceptorError",
    "InvalidStreamError",
    "L0Error",
    "MissingDependencyError",
    "NetworkError",
    "NetworkErrorAnalysis",
    "NetworkErrorType",
    "ProviderError",
    "RecoveryPolicy",
    "RecoveryStrategy",
    "RestoredError",
    "RetryableErrorType",
    "SchemaValidationError",
    "SerializedError",
    "StoreError",
    "StreamAbortedError",
    "StreamTimeoutError",
    "ToolArgumentsError",
    "ZeroOutputError",
    "analyze_network_error",
    "categorize_error",
    "classify",
    "deserialize_error",
    "failure_type",
    "get_error_category",
    "is_l0_error",
    "is_network_error",
    "is_retryable_error",
    "retry_after",
    "serialize_error",
]

for _name in __all__:
    _value = globals()[_name]
    if isinstance(_value, type) and issubclass(_value, Error):
        _value.__module__ = __name__  # tracebacks and pickles say where users find the class
del _name, _value

_filter_the_log()
