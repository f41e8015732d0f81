"""What the rules of one attempt have found, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from l0.events import GuardrailViolation, Severity
from l0.guardrails._result import Key, key_of, result_of
from l0.guardrails._rule import Checker, GuardrailRule

Action = Literal["continue", "fail", "stop", "halt"]


class Slot:
    """A rule in an attempt: its checker, and what it has found."""

    __slots__ = ("blocks", "checker", "off", "patient", "rule", "settled", "standing", "streaming")

    def __init__(self, rule: GuardrailRule) -> None:
        self.rule = rule
        self.streaming = rule.streaming
        self.patient = False  # it is fed in larger pieces
        self.checker: Checker | None = None
        self.off = False  # it raised
        self.settled = False  # no more text can matter to it
        self.standing: list[GuardrailViolation] = []
        self.blocks = False  # an error or fatal is among them


class Verdict:
    """The findings of an attempt, rule by rule, and what follows from them."""

    __slots__ = ("_blocked", "_early", "_finished", "_slots", "violations")

    def reset(self) -> None:
        """Forget everything."""
        self.violations: list[GuardrailViolation] = []
        """Everything found in this attempt, each once."""
        self._slots: list[Slot] = []
        self._early: set[Key] = set()  # of rules whose errors act at once
        self._blocked = False  # an error or fatal stood once
        self._finished = False

    def acts(self, violations: Iterable[GuardrailViolation] = ()) -> Action:
        """What to do about these new findings; after `finish`, about all that stands.

        `halt`: a fatal, nothing more is tried. `stop`: an error that is not recoverable. `fail`: an
        error of a rule that acts early, or any error at completion.
        """
        action: Action = "continue"
        for found in self.blocking if self._finished else violations:
            if found.severity == Severity.FATAL:
                return "halt"
            if found.severity == Severity.ERROR:
                if not found.recoverable:
                    action = "stop"
                elif action == "continue" and (self._finished or key_of(found) in self._early):
                    action = "fail"
        return action

    @property
    def standing(self) -> list[GuardrailViolation]:
        """What was found and still holds: of stateless rules, what they said last."""
        return [found for slot in self._slots for found in slot.standing]

    @property
    def blocking(self) -> list[GuardrailViolation]:
        """The errors and fatals that stand."""
        return [found for found in self.standing if found.severity != Severity.WARNING]

    @property
    def has_fatal(self) -> bool:
        """Whether a fatal stands."""
        return any(found.severity == Severity.FATAL for found in self.blocking)

    @property
    def has_errors(self) -> bool:
        """Whether an error or a fatal stands; asked often, so it counts no violations."""
        return self._blocked and any(slot.blocks for slot in self._slots)

    @property
    def should_retry(self) -> bool:
        """An error or fatal stands that is recoverable."""
        return result_of(self.standing).should_retry

    @property
    def should_halt(self) -> bool:
        """A fatal stands, or an error that is not recoverable."""
        return result_of(self.standing).should_halt

    def violations_by_rule(self, name: str) -> list[GuardrailViolation]:
        """What the rule of that name has found."""
        return [found for found in self.violations if found.rule == name]
