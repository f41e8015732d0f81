"""Continue a broken stream from its last good token."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from l0.errors import Classification, ErrorCategory, RetryableErrorType
from l0.events import ContinuationStartPayload, Event, ResumeStartPayload
from l0.stream._attempt import Attempt
from l0.stream._checks import passes
from l0.stream._open import awaited
from l0.stream._provider import Position
from l0.stream._session import Run
from l0.stream._source import positional

log = logging.getLogger("l0")


@dataclass(frozen=True, slots=True)
class Resume:
    """What the next attempt goes on from."""

    checkpoint: str
    prompt: str | None
    position: Position | None = None  # in the provider's own response


def resumable(run: Run, attempt: Attempt, found: Classification) -> bool:
    """Whether this kind of failure leaves text worth going on from.

    After bad content, or when a tool call or data was delivered, the next attempt starts fresh.
    """
    if run.options.continuation is None or attempt.tool_calls or attempt.delivered_data:
        return False
    if found.reason is RetryableErrorType.INCOMPLETE:
        return True
    return found.category in {ErrorCategory.NETWORK, ErrorCategory.TRANSIENT}


async def prepare(run: Run, position: Position | None) -> Resume | None:
    """The checkpoint, judged, and the prompt made of it; None: start fresh.

    With a position nothing is cut and nothing is said: the provider goes on exactly there.
    """
    config, state = run.options.continuation, run.state
    if position is not None:
        return Resume(state.content, None, position)
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
    """CONTINUATION_START and RESUME_START, before the factory is called.

    The mode says who knows where to go on: the provider itself, the factory by its AttemptInfo, or
    nobody, if it takes none and so presumably begins anew; what it repeats is removed all the same.
    """
    state, length = run.state, len(resume.checkpoint)
    tokens = state._checkpoint_tokens if resume.position is None else state.token_count
    told = run.options.build_continuation_prompt is not None or not callable(run.factory)
    mode = "prompt" if told or positional(run.factory) else "restart"
    if resume.position is not None:
        mode = "provider"
    run.tell(ContinuationStartPayload(length, tokens, state.attempt, state.fallback_index, mode))
    run.tell(ResumeStartPayload(resume.checkpoint, length, tokens, resume.prompt))
    run.call(run.callbacks.on_resume, resume.checkpoint, tokens)


def cut_to(run: Run, resume: Resume | None, reason: str) -> Event | None:
    """RESTART: what the next attempt goes on from still stands; gives the consumer's event."""
    if resume is None:
        return run.cut(0, reason)
    if resume.position is None:
        return run.cut(len(resume.checkpoint), reason)
    # Nothing falls away: what came beside the text belongs to the response that goes on.
    return run.cut(run.state.content_length, reason, continues=True)
