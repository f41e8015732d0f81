"""What to do about one failed attempt: the decision table, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from l0.errors import (
    Classification,
    DeadlineError,
    ErrorCategory,
    FatalGuardrailError,
    InterceptorError,
    NetworkErrorType,
    RetryableErrorType,
    StreamAbortedError,
)
from l0.events import Severity
from l0.stream._retry import Retry

_BUDGETED = {ErrorCategory.MODEL, ErrorCategory.CONTENT, ErrorCategory.PROVIDER}


@dataclass(slots=True)
class Ledger:
    """Retries of one stream of the chain: in all, and those that used up `attempts`."""

    retries: int = 0
    budgeted: int = 0

    def record(self, category: ErrorCategory) -> None:
        """One more retry."""
        self.retries += 1
        self.budgeted += counts_toward_limit(category)


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes next: `retry`, `fallback` or `halt`, and why not a retry."""

    action: str
    reason: str


def counts_toward_limit(category: ErrorCategory) -> bool:
    """Whether a retry after such a failure uses up `attempts`."""
    return category in _BUDGETED


def halts(error: BaseException) -> bool:
    """Whether the failure ends the whole run: no retry, no fallback."""
    return isinstance(
        error, StreamAbortedError | DeadlineError | FatalGuardrailError | InterceptorError
    )


def refusal(
    error: BaseException,
    found: Classification,
    policy: Retry,
    ledger: Ledger,
    *,
    single_use: bool,
) -> str | None:
    """Why this failure is not retried (rows 2 to 6 of the table), or None: it may be."""
    recoverable = all(
        getattr(v, "recoverable", True) or getattr(v, "severity", "") == Severity.WARNING
        for v in getattr(error, "violations", ())
    )
    if (
        found.category in {ErrorCategory.FATAL, ErrorCategory.INTERNAL}
        or found.quota
        or found.network_type is NetworkErrorType.SSL_ERROR
        or not recoverable
    ):
        return "not_retryable"
    if single_use:
        return "single_use_source"
    if policy.retry_on is not None and found.reason not in policy.retry_on:
        return "not_in_retry_on"
    if ledger.retries >= policy.max_retries:
        return "max_retries_exhausted"
    if counts_toward_limit(found.category) and ledger.budgeted >= policy.attempts:
        return "attempts_exhausted"
    return None


def reason_of(found: Classification) -> str:
    """The reason of a retry: one of the eight, or model_error where there is none."""
    return found.reason.value if isinstance(found.reason, RetryableErrorType) else "model_error"
