"""One call made reliable: run, wrap, retries, timeouts, fallbacks, continuation."""

from l0.stream._attempt import AttemptInfo, current_attempt
from l0.stream._callbacks import Callbacks
from l0.stream._continuation import ContinuationConfig, DeduplicationOptions
from l0.stream._interceptor_kit import (
    Timing,
    analytics_interceptor,
    auth_interceptor,
    caching_interceptor,
    logging_interceptor,
    metadata_interceptor,
    rate_limit_interceptor,
    timing_interceptor,
    transform_interceptor,
    validation_interceptor,
)
from l0.stream._interceptors import CachedResult, Completion, Interceptor
from l0.stream._manager import RetryManager, RetryState
from l0.stream._options import CheckIntervals, Options
from l0.stream._overlap import OverlapResult, deduplicate_continuation, detect_overlap
from l0.stream._prompt import continue_messages
from l0.stream._retry import (
    EXPONENTIAL_RETRY,
    MINIMAL_RETRY,
    RECOMMENDED_RETRY,
    STRICT_RETRY,
    BackoffStrategy,
    ErrorTypeDelays,
    Retry,
    RetryContext,
)
from l0.stream._run import run
from l0.stream._stream import Stream, consume_stream, get_text
from l0.stream._sync import SyncStream, run_sync
from l0.stream._timeout import Timeout
from l0.stream._wrap import WrappedClient, wrap

__all__ = [
    "EXPONENTIAL_RETRY",
    "MINIMAL_RETRY",
    "RECOMMENDED_RETRY",
    "STRICT_RETRY",
    "AttemptInfo",
    "BackoffStrategy",
    "CachedResult",
    "Callbacks",
    "CheckIntervals",
    "Completion",
    "ContinuationConfig",
    "DeduplicationOptions",
    "ErrorTypeDelays",
    "Interceptor",
    "Options",
    "OverlapResult",
    "Retry",
    "RetryContext",
    "RetryManager",
    "RetryState",
    "Stream",
    "SyncStream",
    "Timeout",
    "Timing",
    "WrappedClient",
    "analytics_interceptor",
    "auth_interceptor",
    "caching_interceptor",
    "consume_stream",
    "continue_messages",
    "current_attempt",
    "deduplicate_continuation",
    "detect_overlap",
    "get_text",
    "logging_interceptor",
    "metadata_interceptor",
    "rate_limit_interceptor",
    "run",
    "run_sync",
    "timing_interceptor",
    "transform_interceptor",
    "validation_interceptor",
    "wrap",
]
