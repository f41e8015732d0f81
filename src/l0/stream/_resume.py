"""Continue a broken stream from its last good token."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from l0.errors import Classification, ErrorCategory, RetryableErrorType
from l0.events import ContinuationStartPayload, ResumeStartPayload
from l0.stream._attempt import Attempt
from l0.stream._checks import passes
from l0.stream._open import awaited
from l0.stream._session import Run

log = logging.getLogger("l0")


@dataclass(frozen=True, slots=True)
class Resume:
    """What the next attempt goes on from."""

    checkpoint: str
    prompt: str | None


def resumable(run: Run, attempt: Attempt, found: Classification) -> bool:
    """Whether this kind of failure leaves text worth going on from.

    After bad content, or when a tool call or data was delivered, the next attempt starts fresh.
    """
    if run.options.continuation is None or attempt.tool_calls or attempt.delivered_data:
        return False
    if found.reason is RetryableErrorType.INCOMPLETE:
        return True
    return found.category in {ErrorCategory.NETWORK, ErrorCategory.TRANSIENT}


async def prepare(run: Run) -> Resume | None:
    """The checkpoint, judged, and the prompt made of it; None: start fresh."""
    config, state = run.options.continuation, run.state
    checkpoint = state.checkpoint
    if config is None or not checkpoint:
        return None
    if config.validate_checkpoint and not passes(run, checkpoint):
        state._checkpoint_chars = state._checkpoint_tokens = 0
        return None
    build = run.options.build_continuation_prompt
    if build is None:
        return Resume(checkpoint, None)
    try:
        prompt: Any = await awaited(build(checkpoint))
    except Exception as error:  # the caller's prompt builder never ends a run
        log.warning("build_continuation_prompt failed; the attempt starts fresh: %s", error)
        return None
    return Resume(checkpoint, prompt)


def tell_resume(run: Run, resume: Resume) -> None:
    """CONTINUATION_START and RESUME_START, before the factory is called."""
    state = run.state
    length, tokens = len(resume.checkpoint), state._checkpoint_tokens
    run.tell(ContinuationStartPayload(length, tokens, state.attempt, state.fallback_index))
    run.tell(ResumeStartPayload(resume.checkpoint, length, tokens, resume.prompt))
    run.call(run.callbacks.on_resume, resume.checkpoint, tokens)
