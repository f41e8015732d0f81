"""What is told of a check by the rules: of each one if somebody wants that, else of finds only."""

from __future__ import annotations

from typing import Any

from l0.events import (
    GuardrailCallbackEndPayload,
    GuardrailCallbackStartPayload,
    GuardrailPhaseEndPayload,
    GuardrailPhaseStartPayload,
    GuardrailRuleEndPayload,
    GuardrailRuleResultPayload,
    GuardrailRuleStartPayload,
    GuardrailViolation,
    Payload,
)
from l0.guardrails import GuardrailEngine
from l0.stream._attempt import Attempt
from l0.stream._session import Run


def watched(run: Run, attempt: Attempt, text: str | None) -> list[GuardrailViolation]:
    """As the plain check while the text comes, telling of each rule; None: none is wanted yet."""
    engine, state, bus, monotonic = attempt.engine, run.state, run.bus, run.clock.monotonic
    if attempt.quiet is None:
        attempt.quiet = _quiet(engine)
    places, quiet = attempt.quiet
    told: list[Payload] = quiet.copy()
    count, rules = state.token_count, len(run.options.guardrails)
    told[0] = GuardrailPhaseStartPayload("streaming", rules, count, state.content_length)
    began = now = monotonic()
    found: dict[int, list[GuardrailViolation]] = {}
    took: list[tuple[int, float]] = []
    if text is not None:
        found, took, now = engine.feed_timed(text, state, monotonic, began)
    for index, seconds in took:
        place, name = places[index]
        told[place] = GuardrailRuleEndPayload(index, name, True, seconds * 1000)
    if not found:
        ended = (now - began) * 1000
        told.append(GuardrailPhaseEndPayload("streaming", True, 0, False, False, ended))
        bus.emit_all(told, bus.us(now) / 1000)
        return []
    run.batch.flush()
    done = 0
    for index, new in found.items():
        place, name = places[index]
        bus.emit_all(told[done : place - 2])
        _tell_rule(run, index, name, new, monotonic() - dict(took)[index])
        done = place + 1
    bus.emit_all(told[done:])
    everything = [each for new in found.values() for each in new]
    _phase_end(run, engine, everything, "streaming", began)
    return everything


def _quiet(engine: GuardrailEngine) -> tuple[dict[int, tuple[int, str]], list[Payload]]:
    """What a check tells of rules that find nothing, and where in it each rule ends.

    These are values, made once for all checks of an attempt; in the first place goes the phase.
    """
    told: list[Payload] = [GuardrailPhaseStartPayload("streaming", 0, 0, 0)]
    places: dict[int, tuple[int, str]] = {}
    for index, rule in enumerate(engine.rules):
        if rule.streaming:
            told += (
                GuardrailRuleStartPayload(index, rule.name),
                GuardrailRuleResultPayload(index, rule.name, True, []),
                GuardrailRuleEndPayload(index, rule.name, True, 0.0),
            )
            places[index] = (len(told) - 1, rule.name)
    return places, told


def detailed(run: Run, engine: Any, text: str, phase: str, *, final: bool) -> list[Any]:
    """As the plain check, telling of each rule."""
    state, monotonic = run.state, run.clock.monotonic
    began = since = monotonic()
    rules, bus = len(engine.rules), run.bus
    quiet: list[Payload] = []  # told together, as long as nothing is found
    told = quiet.append if phase != "checkpoint" else run.tell
    told(GuardrailPhaseStartPayload(phase, rules, state.token_count, state.content_length))
    found: list[GuardrailViolation] = []
    rest: dict[int, list[GuardrailViolation]] = {}  # told with what finishing finds
    if final and text:
        rest = {index: new for index, _, new in engine.feed_each(text, state) if new}
    for index, rule, new in engine.finish_each(state) if final else engine.feed_each(text, state):
        name = rule.name
        if rest:
            new = [*rest.get(index, ()), *new]  # noqa: PLW2901
        now = monotonic()
        if not new:
            told(GuardrailRuleStartPayload(index, name))
            told(GuardrailRuleResultPayload(index, name, True, []))
            told(GuardrailRuleEndPayload(index, name, True, (now - since) * 1000))
        else:
            if quiet:
                run.batch.flush()
                bus.emit_all(quiet)
                quiet.clear()
            told = run.tell
            found.extend(new)
            _tell_rule(run, index, name, new, since)
        since = now
    if quiet:
        took = (monotonic() - began) * 1000
        quiet.append(GuardrailPhaseEndPayload(phase, True, 0, False, False, took))
        bus.emit_all(quiet)
    else:
        _phase_end(run, engine, found, phase, began)
    return found


def report(run: Run, engine: Any, found: list[GuardrailViolation], phase: str) -> None:
    """Tell of a check that found something, rule by rule."""
    state, began = run.state, run.clock.monotonic()
    names = [rule.name for rule in engine.rules]
    run.tell(GuardrailPhaseStartPayload(phase, len(names), state.token_count, state.content_length))
    for name in dict.fromkeys(v.rule for v in found):
        index = names.index(name) if name in names else -1
        _tell_rule(run, index, name, [v for v in found if v.rule == name], began)
    _phase_end(run, engine, found, phase, began)


def _tell_rule(
    run: Run, index: int, name: str, new: list[GuardrailViolation], since: float
) -> None:
    run.tell(GuardrailRuleStartPayload(index, name))
    run.tell(GuardrailRuleResultPayload(index, name, not new, list(new)))
    callback = run.callbacks.on_violation
    for violation in new if callback is not None else ():
        _tell_callback(run, callback, name, violation)
    run.tell(GuardrailRuleEndPayload(index, name, not new, run.since(since)))


def _tell_callback(run: Run, callback: Any, rule: str, violation: GuardrailViolation) -> None:
    began, ident = run.clock.monotonic(), getattr(callback, "__name__", type(callback).__name__)
    run.tell(GuardrailCallbackStartPayload(rule, ident))

    def ended(error: Exception | None) -> None:
        text = None if error is None else str(error)
        run.tell(GuardrailCallbackEndPayload(rule, ident, run.since(began), text))

    run.bus.call(callback, violation, done=ended)


def _phase_end(run: Run, engine: Any, found: list[Any], phase: str, began: float) -> None:
    verdict = engine.acts(found)
    run.tell(
        GuardrailPhaseEndPayload(
            phase,
            not found,
            len(found),
            verdict == "fail",
            verdict in {"stop", "halt"},
            run.since(began),
        )
    )
