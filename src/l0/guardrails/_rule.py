"""A guardrail rule, and the checker that remembers one attempt's text for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from l0.events import GuardrailViolation, Severity


class JudgedState(Protocol):
    """What a rule may read of a run's state."""

    @property
    def content(self) -> str:
        """The text that stands."""

    @property
    def content_length(self) -> int:
        """Its length in code points."""

    @property
    def token_count(self) -> int:
        """How many tokens made it."""

    @property
    def checkpoint(self) -> str:
        """The last text known to be good."""

    @property
    def completed(self) -> bool:
        """Whether the text has ended."""

    @property
    def violations(self) -> Sequence[GuardrailViolation]:
        """What was found so far."""

    @property
    def tool_calls(self) -> Sequence[Any]:
        """The calls the model asked for."""

    @property
    def data_outputs(self) -> Sequence[Any]:
        """Content other than text."""

    @property
    def last_token_at(self) -> float | None:
        """When the last token came, Unix seconds."""


Found = Iterable[GuardrailViolation | str]
Check = Callable[[JudgedState], Found]


class Checker(Protocol):
    """One rule's memory of one attempt.

    A checker decides about a place only when later text cannot change it, and holds back the rest:
    how the text was cut into pieces never shows in what it finds. A checker that has a method
    `gap(seconds, position)` is also told of each wait for upstream. One with a true attribute
    `patient` is fed in larger pieces, of 1,000 characters and in long texts up to some 4,000: what
    it finds before the end can wait.
    """

    def feed(self, text: str, start: int) -> Found | None:
        """Take all text since the last feed, and its offset; give what is now certain.

        `SETTLED` says that no later text can matter: only `finish` is still called.
        """

    def finish(self, state: JudgedState) -> Found | None:
        """Give what only the end of the text shows."""


class _Settled(tuple[GuardrailViolation, ...]):
    """An empty result that also says: feed me no more."""

    __slots__ = ()


SETTLED: Final = _Settled()

_SEVERITIES = frozenset(Severity)


@dataclass(frozen=True, slots=True)
class _WholeText:
    """The stateless form of an incremental rule: a fresh checker over the whole text."""

    start: Callable[[], Checker]

    def __call__(self, state: JudgedState) -> list[GuardrailViolation | str]:
        checker = self.start()
        found = list(checker.feed(state.content, 0) or ())
        if state.completed:
            found += checker.finish(state) or ()
        return found


@dataclass(frozen=True, slots=True)
class GuardrailRule:
    """One thing text must not do, as a value that any number of runs may share.

    A rule gives `check(state)`, asked anew at each check and free to read the whole text, or
    `start()`, which makes a `Checker` that is fed only what is new; `check` of such a rule runs a
    fresh checker over the whole text. What a check returns may be violations, or messages, which
    become violations of the rule's `severity`.

    Args:
        name: What violations and events call it.
        check: The stateless form.
        start: The incremental form; it wins where both are given.
        description: A sentence for people.
        streaming: False runs it at completion only.
        severity: Of the messages it returns: warning (recorded), error (fails the attempt at
            completion), fatal (stops the run).
        recoverable: False stops the attempt at its first error and does not retry it.
        early: True fails the attempt at its first error; otherwise errors act at completion.

    Raises:
        ValueError: A field has no usable value.

    Example:
        >>> from types import SimpleNamespace
        >>> rule = GuardrailRule("shout", lambda state: ["Too loud"] * ("!!!" in state.content))
        >>> rule.check(SimpleNamespace(content="Help!!!"))
        ['Too loud']
    """

    name: str
    check: Check = None  # type: ignore[assignment]  # filled in where `start` is given
    start: Callable[[], Checker] | None = None
    description: str | None = None
    streaming: bool = True
    severity: Severity | str = Severity.ERROR
    recoverable: bool = True
    early: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name: give the rule a name, not {self.name!r}")
        object.__setattr__(self, "severity", as_severity(self.severity))
        if self.start is not None and not callable(self.start):
            raise ValueError("start: give a callable without arguments that makes a Checker")
        check: object = self.check
        if check is None:
            if self.start is None:
                raise ValueError(f"check: rule {self.name!r} needs check(state) or start()")
            object.__setattr__(self, "check", _WholeText(self.start))
        elif not callable(check):
            raise ValueError("check: give a callable that takes the state")

    def replace(self, **changes: Any) -> GuardrailRule:
        """The same rule with other values in these fields."""
        if "start" in changes and isinstance(self.check, _WholeText):
            changes.setdefault("check", None)
        return dataclasses.replace(self, **changes)


def is_number(value: object) -> bool:
    """Whether it is a number that counts something: True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether it is a whole number, of that type."""
    return isinstance(value, int) and not isinstance(value, bool)


def as_severity(name: Severity | str) -> Severity:
    """The severity of that name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(name, str) or name not in _SEVERITIES:
        raise ValueError(f"severity: {name!r} is not one of {', '.join(Severity)}")
    return Severity(name)


def as_violation(rule: GuardrailRule, found: object) -> GuardrailViolation:
    """What a rule found, as the violation the attempt records."""
    if isinstance(found, str):
        return GuardrailViolation(rule.name, found, Severity(rule.severity), rule.recoverable)
    if not isinstance(found, GuardrailViolation):
        raise TypeError(f"a rule gives GuardrailViolation or a message, not {type(found).__name__}")
    as_severity(found.severity)
    if found.recoverable and not rule.recoverable:
        return msgspec.structs.replace(found, recoverable=False)
    return found
