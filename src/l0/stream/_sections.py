"""What was opened is closed: the END events of an attempt and of the chain, innermost first."""

from __future__ import annotations

from l0.events import (
    ContinuationEndPayload,
    DeduplicationEndPayload,
    FallbackEndPayload,
    FinalizationEndPayload,
    ResumeEndPayload,
    RetryEndPayload,
    RetryGiveUpPayload,
)
from l0.stream._attempt import Attempt
from l0.stream._session import Run


def close_sections(run: Run, attempt: Attempt, *, success: bool) -> None:
    """Close what the attempt had opened."""
    matcher, length = attempt.matcher, run.state.content_length
    resumed_from = attempt.resumed_from or 0
    if attempt.dedup_open and matcher is not None:
        attempt.dedup_open = False
        since, lost = run.since(attempt.matching_since), matcher.withheld_tokens
        run.tell(DeduplicationEndPayload(0, "", matcher.withheld_chars, "end", since, lost))
    if attempt.finalizing is not None:
        run.tell(FinalizationEndPayload(success, run.since(attempt.finalizing)))
        attempt.finalizing = None
    if attempt.resume_open:
        attempt.resume_open = False
        run.tell(ResumeEndPayload(False, resumed_from, 0))
    if attempt.continuation_open:
        attempt.continuation_open = False
        run.tell(ContinuationEndPayload(success, max(0, length - resumed_from), length))


def close_chain(run: Run, *, success: bool, reason: str = "", error: str | None = None) -> None:
    """Close the retries and the fallback of the stream in use; `error`: why it failed for good."""
    retries, resume = run.ledger.retries, run.resuming
    if resume is not None:  # the attempt that was to go on from it never began
        run.resuming, length = None, run.state.content_length
        run.tell(ResumeEndPayload(False, len(resume.checkpoint), 0))
        run.tell(ContinuationEndPayload(False, 0, length))
    if run.retry_open:
        run.retry_open = False
        if error is not None:
            attempts = run.options.retry.attempts
            run.tell(RetryGiveUpPayload(retries, attempts, reason, error))
        run.tell(RetryEndPayload(retries, success))
    if run.fallback_open:
        run.fallback_open = False
        run.tell(FallbackEndPayload(success, run.state.fallback_index))
