"""What the rules of one attempt have found, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from l0.events import GuardrailViolation, Severity
from l0.events._state import LazyList
from l0.guardrails._result import Key, key_of, result_of
from l0.guardrails._rule import Checker, GuardrailRule

Action = Literal["continue", "fail", "stop", "halt"]


class Slot(msgspec.Struct, eq=False):
    """A rule in an attempt: its checker, and what it has found."""

    rule: GuardrailRule
    streaming: bool
    checker: Checker | None = None
    patient: bool = False  # it is fed in larger pieces
    off: bool = False  # it raised
    settled: bool = False  # no more text can matter to it
    blocks: bool = False  # an error or fatal is among them
    _standing: list[GuardrailViolation] | None = None

    standing = LazyList[GuardrailViolation]()


class Verdict:
    """The findings of an attempt, rule by rule, and what follows from them."""

    __slots__ = ("_blocked", "_finished", "_seen", "_slots", "_violations")

    violations = LazyList[GuardrailViolation]()
    """Everything found in this attempt, each once."""

    def reset(self) -> None:
        """Forget everything."""
        self._violations = None
        self._slots: tuple[Slot, ...] = ()
        self._seen: dict[Key, bool] = {}  # what is known, and whether its errors act at once
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
                elif action == "continue" and (self._finished or self._seen.get(key_of(found))):
                    action = "fail"
        return action

    @property
    def standing(self) -> list[GuardrailViolation]:
        """What was found and still holds: of stateless rules, what they said last."""
        return [found for slot in self._slots for found in slot.standing]

    @property
    def blocking(self) -> list[GuardrailViolation]:
        """The errors and fatals that stand."""
        if not self._blocked:  # for the most part
            return []
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
