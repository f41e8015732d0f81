"""The invariants of every run, checked on what its listeners saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from l0.events import ObservabilityEvent, payload_class

# What opens, and what closes it; innermost first, in every ending.
_PAIRS = {
    "FALLBACK_START": "FALLBACK_END",
    "RETRY_START": "RETRY_END",
    "CONTINUATION_START": "CONTINUATION_END",
    "RESUME_START": "RESUME_END",
    "DEDUPLICATION_START": "DEDUPLICATION_END",
    "FINALIZATION_START": "FINALIZATION_END",
    "GUARDRAIL_PHASE_START": "GUARDRAIL_PHASE_END",
    "GUARDRAIL_RULE_START": "GUARDRAIL_RULE_END",
    "DRIFT_CHECK_START": "DRIFT_CHECK_END",
    "INTERCEPTOR_START": "INTERCEPTOR_END",
    "STRUCTURED_START": "STRUCTURED_END",
    "PARSE_START": "PARSE_END",
    "AUTO_CORRECT_START": "AUTO_CORRECT_END",
    "SCHEMA_VALIDATION_START": "SCHEMA_VALIDATION_END",
    "ADAPTER_WRAP_START": "ADAPTER_WRAP_END",
}
_CLOSERS = {end: start for start, end in _PAIRS.items()}
# The retries of a stream and the resume of an attempt overlap what they are about.
_NESTED = {
    "FINALIZATION_START",
    "GUARDRAIL_PHASE_START",
    "GUARDRAIL_RULE_START",
    "DRIFT_CHECK_START",
    "INTERCEPTOR_START",
    "STRUCTURED_START",
    "PARSE_START",
    "AUTO_CORRECT_START",
    "SCHEMA_VALIDATION_START",
}


def check_run(events: Iterable[ObservabilityEvent]) -> None:
    """Assert the invariants I1 to I5 of a finished run on all the events it emitted.

    Raises:
        AssertionError: one doesn't hold; it says which, and where.

    Example:
        >>> import asyncio, l0
        >>> seen = []
        >>> asyncio.run(l0.run(lambda: ["a"], on_event=seen.append).read())
        'a'
        >>> check_run(seen)
    """
    told = list(events)
    types = [event.type for event in told]
    _once(types)
    _identity(told)
    _sections(types)
    _order(told, types)


def _once(types: Sequence[str]) -> None:
    if not types:
        raise AssertionError("I1: nothing was emitted")
    if types[0] != "SESSION_START":
        raise AssertionError(f"I1: the first event is {types[0]}, not SESSION_START")
    for name in ("SESSION_START", "SESSION_SUMMARY", "SESSION_END"):
        if types.count(name) != 1:
            raise AssertionError(f"I1: {name} came {types.count(name)} times")
    rest = [t for t in types[types.index("SESSION_SUMMARY") :] if not _late(t)]
    if rest not in (
        ["SESSION_SUMMARY", "SESSION_END"],
        ["SESSION_SUMMARY", "SESSION_END", "COMPLETE"],
    ):
        raise AssertionError(f"I1: the run ends with {rest}")


def _late(type_: str) -> bool:
    # A coroutine callback for the last events ends after them.
    return type_ in {"CALLBACK_ERROR", "STORE_ERROR", "GUARDRAIL_CALLBACK_END"}


def _identity(told: Sequence[ObservabilityEvent]) -> None:
    ids = {event.stream_id for event in told}
    if len(ids) != 1:
        raise AssertionError(f"I2: the events have {len(ids)} stream ids")
    last = 0.0
    for event in told:
        if event.ts < last and event.type not in {"TOKENS", "TOKEN"}:
            raise AssertionError(f"I2: the time of {event.type} is before the event before it")
        last = max(last, event.ts)
        if not isinstance(event.payload, payload_class(event.type)):
            raise AssertionError(f"I2: the payload of {event.type} is {event.payload!r}")


def _sections(types: Sequence[str]) -> None:
    opened: list[str] = []
    for index, name in enumerate(types):
        if name in _PAIRS:
            opened.append(name)
        elif name in _CLOSERS:
            start = _CLOSERS[name]
            if start not in opened:
                raise AssertionError(f"I3: {name} (event {index}) closes nothing")
            inner = opened[len(opened) - opened[::-1].index(start) :]
            if any(other in _NESTED for other in inner):
                raise AssertionError(f"I3: {name} (event {index}) closes around open {inner}")
            opened.reverse()
            opened.remove(start)
            opened.reverse()
    opened = [name for name in opened if name != "ADAPTER_WRAP_START"]  # it may never get a chunk
    if opened:
        raise AssertionError(f"I3: never closed: {', '.join(opened)}")


def _order(told: Sequence[ObservabilityEvent], types: Sequence[str]) -> None:
    retried = failed = False  # a retry was announced; the attempt under way has told its ERROR
    for index, name in enumerate(types):
        if name == "ATTEMPT_START" and not retried:
            raise AssertionError("I4: ATTEMPT_START without a RETRY_ATTEMPT before it")
        if name == "FALLBACK_MODEL_SELECTED" and types[index - 1] != "FALLBACK_START":
            raise AssertionError("I4: FALLBACK_MODEL_SELECTED does not follow FALLBACK_START")
        if name in {"RETRY_ATTEMPT", "FALLBACK_START"} and not failed:
            raise AssertionError(f"I5: {name} without the ERROR of its attempt before it")
        retried = retried or name == "RETRY_ATTEMPT"
        failed = name == "ERROR" or (failed and name != "STREAM_INIT")
    fallbacks = [e.payload.index for e in told if e.type == "FALLBACK_MODEL_SELECTED"]
    if fallbacks != sorted(set(fallbacks)):
        raise AssertionError(f"I4: the chain went {fallbacks}")
