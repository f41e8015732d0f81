"""The checks of an attempt: guardrails, drift, checkpoints, each every so many tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from l0.errors import DriftError, FatalGuardrailError, GuardrailError
from l0.events import (
    CheckpointSavedPayload,
    DriftCheckEndPayload,
    DriftCheckResultPayload,
    DriftCheckSkippedPayload,
    DriftCheckStartPayload,
    Event,
    GuardrailViolation,
    Severity,
)
from l0.guardrails import DriftConfig, DriftDetector, DriftResult, GuardrailEngine
from l0.stream._attempt import NEVER, Attempt
from l0.stream._rule_events import detailed, report, watched
from l0.stream._session import Run
from l0.stream._signs import first_sign
from l0.stream._stagger import stagger_of

_NO_DRIFT = DriftResult(detected=False, confidence=0.0)
_SHORTEST = 20  # characters; less than that has no drift to speak of


def start_checks(run: Run, attempt: Attempt) -> None:
    """Fresh checkers for a new attempt; text that stands is fed to them, but not reported again."""
    options = run.options
    attempt.engine = GuardrailEngine(options.guardrails) if options.guardrails else None
    attempt.gaps = attempt.engine is not None and attempt.engine.wants_gaps
    attempt.drift = _detector(options.drift) if options.drift else None
    if run.stagger is None and (attempt.engine is not None or attempt.drift is not None):
        run.stagger = stagger_of(asyncio.get_running_loop())
        run.turn = run.stagger.join()
    _prime(run, attempt)


def stop_checks(run: Run) -> None:
    """The run has ended, and no longer stands in the way of others."""
    if run.stagger is not None:
        run.stagger.leave()
        run.stagger = None


def restart_checks(run: Run, attempt: Attempt) -> None:
    """Begin anew on the text that stands now, as after a restatement."""
    if attempt.engine is not None:
        attempt.engine.reset()
    if attempt.drift is not None:
        attempt.drift = attempt.drift.fresh()
    _prime(run, attempt)


def _prime(run: Run, attempt: Attempt) -> None:
    attempt.due = 0  # the next token is attended to, whatever follows
    state, every = run.state, run.options.check_intervals
    assert every is not None
    if attempt.engine is None and attempt.drift is None and run.options.continuation is None:
        return
    count, kept = state.token_count, len(state._parts)
    attempt.fed_guardrails = attempt.fed_drift = kept
    if kept and attempt.engine is not None:
        attempt.engine.prime(state.content, known=state.violations)
    if kept and attempt.drift is not None:
        attempt.drift.prime(state.content)

    def first(interval: int, wanted: object, turn: int = 0) -> int:
        return count + interval - turn % interval if interval and wanted else NEVER

    attempt.next_guardrails = first(every.guardrails, attempt.engine, run.turn)
    attempt.next_drift = first(every.drift, attempt.drift, run.turn)
    attempt.next_checkpoint = first(every.checkpoint, run.options.continuation)
    attempt.next_check = min(attempt.next_guardrails, attempt.next_drift, attempt.next_checkpoint)


def _detector(given: Any) -> DriftDetector:
    if isinstance(given, DriftDetector):
        return given.fresh()
    return DriftDetector(given if isinstance(given, DriftConfig) else None)


def attend(run: Run, attempt: Attempt, event: Event, *, taps: bool = True) -> None:
    """Do what is due at a token: batch, checks, callbacks; raises what fails the attempt."""
    text, state = event.text, run.state
    count = state._base + len(state._parts)
    assert text is not None
    if not attempt.due or run.batch.on:
        _look_at(run, attempt, text, count - 1)
    if count >= attempt.next_check:
        _check(run, attempt, count, len(text))
    every_token = run.batch.on or run.per_token or attempt.gaps
    attempt.due = 0 if every_token else attempt.next_check
    if taps and run.per_token:
        run.handed(event)


def _look_at(run: Run, attempt: Attempt, text: str, index: int) -> None:
    """What the first token is told for, and every token if somebody wants each."""
    if not attempt.alive:
        first_sign(run, attempt, index)
    if attempt.first_token is None or attempt.gaps or run.batch.on:
        waiting_since = run.state._last_mono  # when the loop came back for more
        now = run.stamp()
        if attempt.first_token is None:
            run.first_token(now)
        elif attempt.gaps and waiting_since is not None:
            attempt.engine.gap(now - waiting_since, run.state.content_length - len(text))
        if run.batch.on:
            run.batch.add(text, now, index)
    if run.per_token and run.options.token_events:
        run.tell_token(text, index)


def _check(run: Run, attempt: Attempt, count: int, size: int) -> None:
    every, length, told = run.options.check_intervals, run.state.content_length, run.bus.detailed
    assert every is not None
    run.unshown += size  # if a check raises, the token that triggered it is not handed over
    rules_at, drift_at, mark_at = (
        attempt.next_guardrails,
        attempt.next_drift,
        attempt.next_checkpoint,
    )
    # Most of the time neither wants text yet: to ask that here saves 0.03 µs a token.
    if count >= rules_at:
        attempt.next_guardrails = rules_at = count + every.guardrails
        if told or length >= attempt.engine.wanted_at:
            guardrails(run, attempt, "streaming")
    if count >= drift_at:
        attempt.next_drift = drift_at = count + every.drift
        if told or length >= attempt.drift.wanted_at:
            drift(run, attempt)
    if count >= mark_at:
        attempt.next_checkpoint = mark_at = count + every.checkpoint
        if attempt.engine is None or not attempt.engine.has_errors:
            run.state.mark_checkpoint()
            if run.batch.on:
                run.batch.mark()
            if run.bus.active or run.callbacks.on_checkpoint is not None:
                _interval_checkpoint(run)
    attempt.next_check = min(rules_at, drift_at, mark_at)
    run.unshown -= size


def _interval_checkpoint(run: Run) -> None:
    # Not a record of its own: the mark in TOKENS is, so the batch stays open.
    state = run.state
    if run.bus.active:
        run.bus.emit(CheckpointSavedPayload(state.content_length, state.token_count))
    if run.callbacks.on_checkpoint is not None:
        run.call(run.callbacks.on_checkpoint, state.checkpoint, state.token_count)


# --- guardrails -----------------------------------------------------------------------------


def guardrails(run: Run, attempt: Attempt, phase: str) -> None:
    """One check by the rules; raises if what they found fails the attempt at this point."""
    engine, state = attempt.engine, run.state
    if engine is None:
        return
    told = run.bus.detailed
    if phase == "streaming" and state.content_length < engine.wanted_at:
        watched(run, attempt, None)  # `_check` comes here then only if somebody wants to hear it
        return
    parts = state._parts
    text = "".join(parts[attempt.fed_guardrails :])
    attempt.fed_guardrails = len(parts)
    final = phase == "completion"
    if told and phase == "streaming":
        found = watched(run, attempt, text)
    elif told:
        found = detailed(run, engine, text, phase, final=final)
    else:
        found = engine.feed(text, state)
        if final:
            found = [*found, *engine.finish(state)]
        if found:
            report(run, engine, found, phase)
    if not found and not final:
        return  # for the most part
    verdict = engine.acts(found)
    if verdict == "halt":
        raise FatalGuardrailError(_message(engine.violations), violations=engine.violations)
    if verdict != "continue" and phase != "checkpoint":
        raise GuardrailError(_message(engine.violations), violations=engine.violations)


def _message(violations: Iterable[GuardrailViolation]) -> str:
    worst = [v for v in violations if v.severity is not Severity.WARNING]
    first = worst[0]
    more = f" (and {len(worst) - 1} more)" if len(worst) > 1 else ""
    where = "" if first.position is None else f" at character {first.position}"
    return f"guardrail {first.rule}: {first.message}{where}{more}"


# --- drift ----------------------------------------------------------------------------------


def drift(run: Run, attempt: Attempt, *, final: bool = False) -> None:
    """One drift check; raises DriftError if the policy acts on what it found."""
    detector, state, bus = attempt.drift, run.state, run.bus
    if detector is None:
        return
    parts, told = state._parts, bus.detailed
    new = len(parts) > attempt.fed_drift
    if not final and (not new or state.content_length < _SHORTEST):
        if told:
            reason = "too_short" if new else "no_new_text"
            run.tell(DriftCheckSkippedPayload(reason, state.token_count))
        return
    wanted = final or state.content_length >= detector.wanted_at
    if not wanted and not told:
        return
    began = run.clock.monotonic() if bus.active else 0.0
    start = DriftCheckStartPayload(state.token_count, state.content_length) if told else None
    result = _NO_DRIFT
    if wanted:
        text = "".join(parts[attempt.fed_drift :])
        attempt.fed_drift = len(parts)
        result = detector.feed(text)
    if final:
        result = _both(result, detector.finish())
    config = detector.config
    if not result.detected:
        if start is not None:
            now, metrics = run.clock.monotonic(), detector.metrics
            nothing = DriftCheckResultPayload(False, 0.0, [], metrics, config.threshold)
            end = DriftCheckEndPayload(False, (now - began) * 1000)
            bus.emit_all((start, nothing, end), bus.us(now) / 1000)
        return
    run.tell(start or DriftCheckStartPayload(state.token_count, state.content_length))
    run.tell(
        DriftCheckResultPayload(
            True,
            result.confidence,
            list(result.types),
            dict(detector.metrics),
            config.threshold,
            "; ".join((result.details or {}).values()) or None,
        )
    )
    run.call(run.callbacks.on_drift, list(result.types), result.confidence)
    run.tell(DriftCheckEndPayload(True, run.since(began)))
    if config.policy == "retry" and result.confidence >= config.threshold:
        kinds = ", ".join(result.types)
        raise DriftError(
            f"the text drifted: {kinds} (confidence {result.confidence:.2f})",
            types=tuple(result.types),
            confidence=result.confidence,
        )


def _both(first: DriftResult, last: DriftResult) -> DriftResult:
    """What two looks at the same text found together."""
    if not (first.detected and last.detected):
        return last if last.detected else first
    return DriftResult(
        detected=True,
        confidence=max(first.confidence, last.confidence),
        types=(*first.types, *last.types),
        details={**(first.details or {}), **(last.details or {})},
    )


# --- checkpoints ----------------------------------------------------------------------------


def checkpoint_at_failure(run: Run, attempt: Attempt) -> None:
    """The text so far becomes the checkpoint if it passes the rules; else the older one stays."""
    state = run.state
    if not state.content_length or state._checkpoint_chars == state.content_length:
        return
    if attempt.engine is not None:
        try:
            guardrails(run, attempt, "checkpoint")
        except GuardrailError:
            return
        if attempt.engine.has_errors:
            return
    run.tell(CheckpointSavedPayload(state.content_length, state.token_count))
    if run.callbacks.on_checkpoint is not None:
        run.call(run.callbacks.on_checkpoint, state.checkpoint, state.token_count)


def passes(run: Run, text: str) -> bool:
    """Whether a checkpoint may be gone on from: no rule finds an error in it."""
    rules = run.options.guardrails
    if not rules or not text:
        return True
    engine = GuardrailEngine(rules)
    engine.feed(text, _only(run, text))
    return not engine.has_errors


def _only(run: Run, text: str) -> Any:
    state = run.state.snapshot()
    state.cut(len(text), state._checkpoint_tokens)
    return state
