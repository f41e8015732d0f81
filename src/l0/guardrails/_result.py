"""One judgement of one text: what it is asked with, what it says, and the functions that ask."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from l0.events import GuardrailViolation, Severity
from l0.guardrails._rule import GuardrailRule, JudgedState, as_violation

Key = tuple[str, int | None, str]


@dataclass(frozen=True, slots=True)
class GuardrailContext:
    """A text to judge, where there is no run; rules read it like a run's state.

    Args:
        content: The whole text so far.
        completed: Whether it has ended: only then is judged what must close or come.
        checkpoint: The last text known to be good.
        delta: What is new since the last check of the same engine; None: what `content` has more.
        token_count: Tokens in `content`.
        metadata: For the caller's own rules; `tool_calls`, `data_outputs` and `last_token_at` in it
            are what the state of a run would have.
        previous_violations: What is known already and not to be reported again.

    Example:
        >>> GuardrailContext("Hello").content_length
        5
    """

    content: str
    completed: bool = False
    checkpoint: str = ""
    delta: str | None = None
    token_count: int = 0
    metadata: Mapping[str, Any] | None = None
    previous_violations: Sequence[GuardrailViolation] = ()

    def replace(self, **changes: Any) -> GuardrailContext:
        """The same context with other values in these fields."""
        return dataclasses.replace(self, **changes)

    @property
    def content_length(self) -> int:
        """The length of the text in code points."""
        return len(self.content)

    @property
    def violations(self) -> Sequence[GuardrailViolation]:
        """What is known already."""
        return self.previous_violations

    @property
    def tool_calls(self) -> Sequence[Any]:
        """The calls the model asked for, if `metadata` says."""
        return tuple((self.metadata or {}).get("tool_calls") or ())

    @property
    def data_outputs(self) -> Sequence[Any]:
        """Content other than text, if `metadata` says."""
        return tuple((self.metadata or {}).get("data_outputs") or ())

    @property
    def last_token_at(self) -> float | None:
        """When the last token came (Unix seconds), if `metadata` says."""
        return (self.metadata or {}).get("last_token_at")


class GuardrailResult(msgspec.Struct, frozen=True):
    """What the rules say of a text.

    `passed` means that nothing was found. `should_retry`: an error or fatal that is recoverable;
    `should_halt`: a fatal, or an error that is not recoverable. `summary` counts `total`, `fatal`,
    `errors` and `warnings`.
    """

    passed: bool
    violations: tuple[GuardrailViolation, ...]
    should_retry: bool
    should_halt: bool
    summary: dict[str, int]


def check_guardrails(
    state: JudgedState, rules: Iterable[GuardrailRule]
) -> list[GuardrailViolation]:
    """What these rules say of the state's text as it stands; all of them if it is completed.

    Example:
        >>> from l0.guardrails import json_rule, zero_output_rule
        >>> rules = [json_rule(), zero_output_rule()]
        >>> [found.rule for found in check_guardrails(GuardrailContext("", True), rules)]
        ['zero_output']
    """
    found: dict[Key, GuardrailViolation] = {}
    for rule in rules:
        if not (rule.streaming or state.completed):
            continue
        try:
            for violation in [as_violation(rule, said) for said in rule.check(state) or ()]:
                found.setdefault(key_of(violation), violation)
        except Exception as error:  # a caller's rule may raise anything; the others still run
            violation = rule_failed(rule, error)
            found[key_of(violation)] = violation
    return list(found.values())


def check_guardrails_full(
    context: GuardrailContext, rules: Iterable[GuardrailRule]
) -> GuardrailResult:
    """What these rules say of the context's text, with what to do about it.

    Example:
        >>> from l0.guardrails import zero_output_rule
        >>> check_guardrails_full(GuardrailContext("", True), [zero_output_rule()]).should_retry
        True
    """
    known = {key_of(violation) for violation in context.previous_violations}
    found = check_guardrails(context, rules)
    return result_of([violation for violation in found if key_of(violation) not in known])


def result_of(violations: Sequence[GuardrailViolation]) -> GuardrailResult:
    """The judgement that these violations add up to."""
    fatal = [found for found in violations if found.severity == Severity.FATAL]
    errors = [found for found in violations if found.severity == Severity.ERROR]
    return GuardrailResult(
        passed=not violations,
        violations=tuple(violations),
        should_retry=any(found.recoverable for found in fatal + errors),
        should_halt=bool(fatal) or not all(found.recoverable for found in errors),
        summary={
            "total": len(violations),
            "fatal": len(fatal),
            "errors": len(errors),
            "warnings": len(violations) - len(fatal) - len(errors),
        },
    )


def rule_failed(rule: GuardrailRule, error: Exception) -> GuardrailViolation:
    """The warning that stands for a rule that raised."""
    return GuardrailViolation(
        rule.name,
        f"rule failed: {type(error).__name__}: {error}",
        Severity.WARNING,
        suggestion="the rule is off for the rest of the attempt; correct it",
    )


def key_of(violation: GuardrailViolation) -> Key:
    """What makes two violations the same."""
    return violation.rule, violation.position, violation.message
