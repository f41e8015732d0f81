"""Runs the rules over one attempt's text as it grows, and says what their findings mean."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator

from l0.events import GuardrailViolation, Severity
from l0.guardrails._patience import patience
from l0.guardrails._result import (
    GuardrailContext,
    GuardrailResult,
    key_of,
    result_of,
    rule_failed,
)
from l0.guardrails._rule import SETTLED, Checker, Found, GuardrailRule, JudgedState, as_violation
from l0.guardrails._verdict import Slot, Verdict

Step = tuple[int, GuardrailRule, list[GuardrailViolation]]

_log = logging.getLogger("l0")


class GuardrailEngine(Verdict):
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
        "_gaps",
        "_halted",
        "_held",
        "_live",
        "_offset",
        "_on_violation",
        "_patient",
        "_queued",
        "_rules",
        "_stop_on_fatal",
        "wanted_at",
    )

    def __init__(
        self,
        rules: Iterable[GuardrailRule] = (),
        *,
        stop_on_fatal: bool = True,
        on_violation: Callable[[GuardrailViolation], object] | None = None,
    ) -> None:
        self._rules = tuple(rules)
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
        super().reset()
        self._queued: tuple[tuple[Slot, GuardrailViolation], ...] = ()  # found outside a check
        self._offset = 0
        self._halted = False
        self._live: tuple[Slot, ...] = ()  # that text can still matter to
        self._patient: tuple[Slot, ...] = ()  # the same, of those that can wait for it
        self._held = ""  # what these wait for
        self.wanted_at = 0
        """No rule wants to be fed before the text is so long, though it may be."""
        self._gaps: tuple[tuple[Slot, Callable[[float, int], object]], ...] = ()
        for rule in self._rules:
            self._open(rule)

    def prime(self, kept_text: str, known: Iterable[GuardrailViolation] = ()) -> None:
        """Begin a resumed attempt: the rules read the kept text; what they find there is old.

        What the end of the kept text leaves open is found with the text that follows. `known` are
        the violations that stand already, if the text was once longer than what was kept.
        """
        state = GuardrailContext(kept_text, checkpoint=kept_text)
        self._offset = len(kept_text)
        self._know(known)
        for slot in (*self._live, *self._patient):
            try:
                checker = slot.checker
                read = slot.rule.check(state) if checker is None else checker.feed(kept_text, 0)
                self._know(as_violation(slot.rule, old) for old in read or ())
                if read is SETTLED:
                    self._retire(slot)
            except Exception as error:  # see `feed`
                self._fail(slot, error)

    def feed(self, text: str, state: JudgedState) -> list[GuardrailViolation]:
        """Judge all text since the last feed; gives what is newly found."""
        start = self._offset
        self._offset = start + len(text)
        new = self._from_queue() if self._queued else []
        if self._live:
            new += self._feed_all(self._live, text, start, state)
        if self._patient and (held := self._release(text)):
            new += self._feed_all(self._patient, held, self._offset - len(held), state)
        self._plan()
        return new

    def _plan(self) -> None:
        """Say when text is wanted next."""
        if self._live or self._queued or self._offset < patience(self._offset):
            self.wanted_at = 0
        elif self._patient:
            self.wanted_at = self._offset - len(self._held) + patience(self._offset)
        else:
            self.wanted_at = sys.maxsize

    def _feed_all(
        self, slots: tuple[Slot, ...], text: str, start: int, state: JudgedState
    ) -> list[GuardrailViolation]:
        new: list[GuardrailViolation] = []
        for slot in slots:
            try:
                checker = slot.checker
                found = self._ask(slot, state) if checker is None else checker.feed(text, start)
                if found is not None:
                    new += self._record(slot, found)
            except Exception as error:  # a caller's rule may raise anything; the stream goes on
                self._fail(slot, error)
                new += self._from_queue()
            if self._halted:
                break
        return new

    def _release(self, text: str = "", *, ended: bool = False) -> str:
        """The text for patient rules once it is enough, and the very first, which may be long."""
        held = self._held + text
        length = self._offset
        if not ended and len(held) < patience(length) < length:
            self._held = held
            return ""
        self._held = ""
        return held

    def finish(self, state: JudgedState) -> list[GuardrailViolation]:
        """Judge the text as complete; gives what is newly found."""
        self._finished = True
        new: list[GuardrailViolation] = []
        if held := self._release(ended=True):
            new += self._feed_all(self._patient, held, self._offset - len(held), state)
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
        held = self._release(text) if self._patient else ""
        for index, slot in enumerate(self._slots):
            if not slot.streaming:
                continue
            if not slot.patient:
                yield index, slot.rule, self._step(slot, text, start, state)
            elif held:
                yield index, slot.rule, self._step(slot, held, self._offset - len(held), state)
            else:
                yield index, slot.rule, self._from_queue(slot)
        self._plan()

    def feed_timed(
        self, text: str, state: JudgedState, monotonic: Callable[[], float], now: float
    ) -> tuple[dict[int, list[GuardrailViolation]], list[tuple[int, float]], float]:
        """As `feed_each`, all at once, timed from `now` on.

        Gives what the rules newly found, by their numbers; the seconds of each one that was fed (no
        more text can matter to the others); and the time at the end.
        """
        start = self._offset
        self._offset = start + len(text)
        held = self._release(text) if self._patient else ""
        found: dict[int, list[GuardrailViolation]] = {}
        took: list[tuple[int, float]] = []
        for index, slot in enumerate(self._slots):
            idle = slot.settled or (slot.patient and not held)
            if (idle and not self._queued) or not slot.streaming:
                continue
            if slot.patient:
                new = self._step(slot, held, self._offset - len(held), state)
            else:
                new = self._step(slot, text, start, state)
            if new:
                found[index] = new
            before, now = now, monotonic()
            took.append((index, now - before))
        self._plan()
        return found, took, now

    def finish_each(self, state: JudgedState) -> Iterator[Step]:
        """As `finish`, rule by rule."""
        self._finished = True
        held = self._release(ended=True)
        start = self._offset - len(held)
        for index, slot in enumerate(self._slots):
            new = self._step(slot, held, start, state) if held and slot.patient else []
            yield index, slot.rule, new + self._step(slot, None, 0, state)

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

    # --- one judgement ------------------------------------------------------------------------

    def check(self, context: GuardrailContext) -> GuardrailResult:
        """Judge the context's text, of which this engine has seen the beginning or nothing yet."""
        delta = context.content[self._offset :] if context.delta is None else context.delta
        known = {key_of(found) for found in context.previous_violations}
        self._know(context.previous_violations)
        self.feed(delta, context)
        if held := self._release(ended=True):
            self._feed_all(self._patient, held, self._offset - len(held), context)
        if context.completed:
            self.finish(context)
        return result_of([found for found in self.standing if key_of(found) not in known])

    # --- the rules -----------------------------------------------------------------------------

    @property
    def rules(self) -> tuple[GuardrailRule, ...]:
        """The rules, in the order in which they run."""
        return self._rules

    def add_rule(self, rule: GuardrailRule) -> None:
        """Add a rule; in an attempt under way it judges the text from here on."""
        self._rules += (rule,)
        self._open(rule)

    def remove_rule(self, name: str) -> bool:
        """Take out the rules of that name, with what they found; says whether there were any."""
        count = len(self._rules)
        self._rules = tuple(rule for rule in self._rules if rule.name != name)
        for slot in self._slots:
            if slot.rule.name == name:
                self._drop(slot)
        self._slots = tuple(slot for slot in self._slots if slot.rule.name != name)
        return len(self._rules) < count

    def _know(self, known: Iterable[GuardrailViolation]) -> None:
        """These are old: they are not given again, and act no more."""
        for violation in known:
            self._seen.setdefault(key_of(violation), False)

    def _open(self, rule: GuardrailRule) -> None:
        slot = Slot(rule, rule.streaming)
        self._slots += (slot,)
        self.wanted_at = 0
        if rule.start is not None:
            try:
                checker = slot.checker = rule.start()
            except Exception as error:  # see `feed`
                self._fail(slot, error)
                return
            gap = getattr(checker, "gap", None)
            if gap is not None:
                self._gaps += ((slot, gap),)
        if rule.streaming and not self._halted:
            # A rule that is added later must not be fed what was held back before.
            slot.patient = not self._offset and getattr(slot.checker, "patient", False)
            if slot.patient:
                self._patient += (slot,)
            else:
                self._live += (slot,)

    def _retire(self, slot: Slot) -> None:
        """No more text can matter to it."""
        slot.settled = True
        if slot.patient:
            self._patient = tuple(each for each in self._patient if each is not slot)
        else:
            self._live = tuple(each for each in self._live if each is not slot)

    def _drop(self, slot: Slot) -> None:
        """It takes no further part."""
        slot.off = True
        self._retire(slot)
        self._gaps = tuple(entry for entry in self._gaps if entry[0] is not slot)

    def _step(
        self, slot: Slot, text: str | None, start: int, state: JudgedState
    ) -> list[GuardrailViolation]:
        """One rule's part of a check; `text` None finishes it."""
        new = self._from_queue(slot) if self._queued else []
        if slot.off or self._halted:
            return new
        try:
            found: Found | None
            checker = slot.checker
            if checker is None:
                found = self._ask(slot, state)
            elif text is None:
                found = self._end(slot, checker, state)
            else:
                found = None if slot.settled else checker.feed(text, start)
            if found is not None:
                new += self._record(slot, found)
        except Exception as error:  # see `feed`
            self._fail(slot, error)
            new += self._from_queue(slot)
        return new

    def _ask(self, slot: Slot, state: JudgedState) -> list[GuardrailViolation]:
        slot.standing = [as_violation(slot.rule, said) for said in slot.rule.check(state) or ()]
        slot.blocks = any(found.severity != Severity.WARNING for found in slot.standing)
        self._blocked = self._blocked or slot.blocks
        return slot.standing

    def _end(self, slot: Slot, checker: Checker, state: JudgedState) -> list[GuardrailViolation]:
        found = [] if slot.rule.streaming else [*(checker.feed(state.content, 0) or ())]
        return [as_violation(slot.rule, said) for said in (*found, *(checker.finish(state) or ()))]

    def _record(self, slot: Slot, found: Found) -> list[GuardrailViolation]:
        """Keep what is new in it, and give that."""
        if found is SETTLED:
            self._retire(slot)
            return []
        new: list[GuardrailViolation] = []
        for violation in [as_violation(slot.rule, said) for said in found]:
            key = key_of(violation)
            if key in self._seen:
                continue
            self._seen[key] = slot.rule.early
            if slot.checker is not None:
                slot.standing.append(violation)
                if violation.severity != Severity.WARNING:
                    slot.blocks = self._blocked = True
            new.append(violation)
            self._tell(violation)
        return new

    def _tell(self, violation: GuardrailViolation) -> None:
        self.violations.append(violation)
        if violation.severity == Severity.FATAL and self._stop_on_fatal:
            self._halted = True
            self._live = self._patient = ()
        if self._on_violation is not None:
            try:
                self._on_violation(violation)
            except Exception:  # a callback's failure never changes a run
                _log.debug("on_violation failed", exc_info=True)

    def _fail(self, slot: Slot, error: Exception) -> None:
        """The rule is off for the rest of the attempt; the next check says so."""
        self._drop(slot)
        self.wanted_at = 0
        self._queued += ((slot, rule_failed(slot.rule, error)),)

    def _from_queue(self, only: Slot | None = None) -> list[GuardrailViolation]:
        if not self._queued:
            return []
        taken = [(slot, found) for slot, found in self._queued if only in {None, slot}]
        self._queued = tuple(entry for entry in self._queued if entry not in taken)
        for slot, found in taken:
            slot.standing.append(found)
            self._tell(found)
        return [found for _, found in taken]
