"""Runs the rules over one attempt's text as it grows, and says what their findings mean."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from l0.events import GuardrailViolation, Severity
from l0.guardrails._result import (
    GuardrailContext,
    GuardrailResult,
    Key,
    key_of,
    result_of,
    rule_failed,
)
from l0.guardrails._rule import SETTLED, Checker, Found, GuardrailRule, JudgedState, as_violation

Action = Literal["continue", "fail", "stop", "halt"]
Step = tuple[int, GuardrailRule, list[GuardrailViolation]]

_log = logging.getLogger("l0")
_Feed = Callable[[str, int], Found | None]


class GuardrailEngine:
    """All rules of one attempt: feed it what is new, it gives what is newly found.

    It holds everything the rules remember; the rules themselves may be shared. The same violation
    (rule, position, message) is given once. A rule that raises becomes one warning and is off.

    Args:
        rules: In the order in which they run.
        stop_on_fatal: After a fatal finding, run no further rule.
        on_violation: Called with each new violation; what it raises is logged.

    Example:
        >>> from l0.guardrails import GuardrailContext, json_rule
        >>> engine = GuardrailEngine([json_rule()])
        >>> found = engine.feed('{"a": [1}', GuardrailContext('{"a": [1}'))
        >>> engine.acts(found)
        'fail'
    """

    __slots__ = (
        "_early",
        "_finished",
        "_gaps",
        "_halted",
        "_live",
        "_offset",
        "_on_violation",
        "_queued",
        "_rules",
        "_seen",
        "_slots",
        "_stop_on_fatal",
        "violations",
    )

    def __init__(
        self,
        rules: Iterable[GuardrailRule] = (),
        *,
        stop_on_fatal: bool = True,
        on_violation: Callable[[GuardrailViolation], object] | None = None,
    ) -> None:
        self._rules = list(rules)
        for rule in self._rules:
            if not isinstance(rule, GuardrailRule):
                raise TypeError(
                    f"rules: {rule!r} is no GuardrailRule; call the function that makes it, or "
                    "wrap your check: GuardrailRule(name, check)"
                )
        self._stop_on_fatal = stop_on_fatal
        self._on_violation = on_violation
        self.reset()

    # --- the attempt -------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget everything: a new attempt begins, with the same rules."""
        self.violations: list[GuardrailViolation] = []
        """Everything found in this attempt, each once."""
        self._seen: set[Key] = set()
        self._early: set[Key] = set()  # of rules whose errors act at once
        self._queued: list[tuple[_Slot, GuardrailViolation]] = []  # found outside a check
        self._offset = 0
        self._finished = False
        self._halted = False
        self._slots: list[_Slot] = []
        self._live: list[tuple[_Slot, _Feed | None]] = []  # that text can still matter to
        self._gaps: list[tuple[_Slot, Callable[[float, int], object]]] = []
        for rule in self._rules:
            self._open(rule)

    def prime(self, kept_text: str, known: Iterable[GuardrailViolation] = ()) -> None:
        """Begin a resumed attempt: the rules read the kept text; what they find there is old.

        What the end of the kept text leaves open is found with the text that follows. `known` are
        the violations that stand already, if the text was once longer than what was kept.
        """
        state = GuardrailContext(kept_text, checkpoint=kept_text)
        self._offset = len(kept_text)
        self._seen.update(map(key_of, known))
        for slot, feed in self._live:
            try:
                found = feed(kept_text, 0) if feed is not None else slot.rule.check(state)
                self._seen.update(key_of(as_violation(slot.rule, old)) for old in found or ())
                if found is SETTLED:
                    self._retire(slot)
            except Exception as error:  # see `feed`
                self._fail(slot, error)

    def feed(self, text: str, state: JudgedState) -> list[GuardrailViolation]:
        """Judge all text since the last feed; gives what is newly found."""
        start = self._offset
        self._offset = start + len(text)
        new = self._from_queue()
        for slot, feed in self._live:
            try:
                found = feed(text, start) if feed is not None else self._ask(slot, state)
                if found is not None:
                    new += self._record(slot, found)
            except Exception as error:  # a caller's rule may raise anything; the stream goes on
                self._fail(slot, error)
                new += self._from_queue()
            if self._halted:
                break
        return new

    def finish(self, state: JudgedState) -> list[GuardrailViolation]:
        """Judge the text as complete; gives what is newly found."""
        self._finished = True
        new: list[GuardrailViolation] = []
        for slot in self._slots:
            if slot.checker is None or not slot.rule.streaming or self._queued or self._halted:
                new += self._step(slot, None, 0, state)
                continue
            try:
                if not slot.off and (found := slot.checker.finish(state)):
                    new += self._record(slot, found)
            except Exception as error:  # see `feed`
                self._fail(slot, error)
                new += self._from_queue()
        return new

    def feed_each(self, text: str, state: JudgedState) -> Iterator[Step]:
        """As `feed`, rule by rule: the rule's number, the rule, what it newly found."""
        start = self._offset
        self._offset = start + len(text)
        for index, slot in enumerate(self._slots):
            if slot.rule.streaming:
                yield index, slot.rule, self._step(slot, text, start, state)

    def finish_each(self, state: JudgedState) -> Iterator[Step]:
        """As `finish`, rule by rule."""
        self._finished = True
        for index, slot in enumerate(self._slots):
            yield index, slot.rule, self._step(slot, None, 0, state)

    def gap(self, seconds: float, position: int) -> None:
        """Tell the rules that judge time: upstream was waited for; text goes on at `position`."""
        for slot, gap in self._gaps:
            try:
                gap(seconds, position)
            except Exception as error:  # see `feed`
                self._fail(slot, error)

    @property
    def wants_gaps(self) -> bool:
        """Whether any rule judges time."""
        return bool(self._gaps)

    # --- what it comes to ----------------------------------------------------------------------

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
        return any(slot.blocks for slot in self._slots)

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

    def check(self, context: GuardrailContext) -> GuardrailResult:
        """Judge the context's text, of which this engine has seen the beginning or nothing yet."""
        delta = context.content[self._offset :] if context.delta is None else context.delta
        known = {key_of(found) for found in context.previous_violations}
        self._seen |= known
        self.feed(delta, context)
        if context.completed:
            self.finish(context)
        return result_of([found for found in self.standing if key_of(found) not in known])

    # --- the rules -----------------------------------------------------------------------------

    @property
    def rules(self) -> tuple[GuardrailRule, ...]:
        """The rules, in the order in which they run."""
        return tuple(self._rules)

    def add_rule(self, rule: GuardrailRule) -> None:
        """Add a rule; in an attempt under way it judges the text from here on."""
        self._rules.append(rule)
        self._open(rule)

    def remove_rule(self, name: str) -> bool:
        """Take out the rules of that name, with what they found; says whether there were any."""
        count = len(self._rules)
        self._rules = [rule for rule in self._rules if rule.name != name]
        for slot in self._slots:
            if slot.rule.name == name:
                self._drop(slot)
        self._slots = [slot for slot in self._slots if slot.rule.name != name]
        return len(self._rules) < count

    def _open(self, rule: GuardrailRule) -> None:
        slot = _Slot(rule)
        self._slots.append(slot)
        feed: _Feed | None = None
        if rule.start is not None:
            try:
                checker = slot.checker = rule.start()
                feed = checker.feed
            except Exception as error:  # see `feed`
                self._fail(slot, error)
                return
            gap = getattr(checker, "gap", None)
            if gap is not None:
                self._gaps.append((slot, gap))
        if rule.streaming:
            self._live.append((slot, feed))

    def _retire(self, slot: _Slot) -> None:
        """No more text can matter to it."""
        slot.settled = True
        self._live = [entry for entry in self._live if entry[0] is not slot]

    def _drop(self, slot: _Slot) -> None:
        """It takes no further part."""
        slot.off = True
        self._retire(slot)
        self._gaps = [entry for entry in self._gaps if entry[0] is not slot]

    def _step(
        self, slot: _Slot, text: str | None, start: int, state: JudgedState
    ) -> list[GuardrailViolation]:
        """One rule's part of a check; `text` None finishes it."""
        new = self._from_queue(slot)
        if slot.off or self._halted:
            return new
        try:
            found: Found | None
            if slot.checker is None:
                found = self._ask(slot, state)
            elif text is None:
                found = self._end(slot, slot.checker, state)
            else:
                found = None if slot.settled else slot.checker.feed(text, start)
            if found is not None:
                new += self._record(slot, found)
        except Exception as error:  # see `feed`
            self._fail(slot, error)
            new += self._from_queue(slot)
        return new

    def _ask(self, slot: _Slot, state: JudgedState) -> list[GuardrailViolation]:
        slot.standing = [as_violation(slot.rule, said) for said in slot.rule.check(state) or ()]
        slot.blocks = any(found.severity != Severity.WARNING for found in slot.standing)
        return slot.standing

    def _end(self, slot: _Slot, checker: Checker, state: JudgedState) -> list[GuardrailViolation]:
        found = [] if slot.rule.streaming else [*(checker.feed(state.content, 0) or ())]
        return [as_violation(slot.rule, said) for said in (*found, *(checker.finish(state) or ()))]

    def _record(self, slot: _Slot, found: Found) -> list[GuardrailViolation]:
        """Keep what is new in it, and give that."""
        if found is SETTLED:
            self._retire(slot)
            return []
        new: list[GuardrailViolation] = []
        for violation in [as_violation(slot.rule, said) for said in found]:
            key = key_of(violation)
            if key in self._seen:
                continue
            self._seen.add(key)
            if slot.checker is not None:
                slot.standing.append(violation)
                slot.blocks = slot.blocks or violation.severity != Severity.WARNING
            if slot.rule.early:
                self._early.add(key)
            new.append(violation)
            self._tell(violation)
        return new

    def _tell(self, violation: GuardrailViolation) -> None:
        self.violations.append(violation)
        if violation.severity == Severity.FATAL and self._stop_on_fatal:
            self._halted = True
            self._live = []
        if self._on_violation is not None:
            try:
                self._on_violation(violation)
            except Exception:  # a callback's failure never changes a run
                _log.debug("on_violation failed", exc_info=True)

    def _fail(self, slot: _Slot, error: Exception) -> None:
        """The rule is off for the rest of the attempt; the next check says so."""
        self._drop(slot)
        self._queued.append((slot, rule_failed(slot.rule, error)))

    def _from_queue(self, only: _Slot | None = None) -> list[GuardrailViolation]:
        if not self._queued:
            return []
        taken = [(slot, found) for slot, found in self._queued if only in {None, slot}]
        self._queued = [entry for entry in self._queued if entry not in taken]
        for slot, found in taken:
            slot.standing.append(found)
            self._tell(found)
        return [found for _, found in taken]


class _Slot:
    """A rule in an attempt: its checker, and what it has found."""

    __slots__ = ("blocks", "checker", "off", "rule", "settled", "standing")

    def __init__(self, rule: GuardrailRule) -> None:
        self.rule = rule
        self.checker: Checker | None = None
        self.off = False  # it raised
        self.settled = False  # no more text can matter to it
        self.standing: list[GuardrailViolation] = []
        self.blocks = False  # an error or fatal is among them
