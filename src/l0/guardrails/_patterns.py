"""The pattern rules: phrases a good answer has no use for, and the caller's own expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec

from l0.events import GuardrailViolation, Severity
from l0.guardrails._fence import OPEN, PROSE, FenceSplitter, Piece
from l0.guardrails._phrases import CATEGORIES, PhraseMatch, PhraseScanner, PhraseSet
from l0.guardrails._regex import Hit, RegexScanner
from l0.guardrails._rule import Found, GuardrailRule, JudgedState, as_severity

Patterns = str | re.Pattern[str] | Iterable[str | re.Pattern[str]]

_MAX_MATCH = 1000
_SHOWN = 100  # characters of a match that a violation shows
_PHRASE = re.compile(r"[\w '\u2019-]*\w")
_CATEGORY_OF = {phrase: name for name, phrases in CATEGORIES.items() for phrase in phrases}


def pattern_rule(
    patterns: Patterns | None = None,
    *,
    include_categories: Iterable[str] | None = None,
    exclude_categories: Iterable[str] | None = None,
    severity: Severity | str = Severity.WARNING,
) -> GuardrailRule:
    """Phrases such as "as an AI" or "[insert …]" outside fenced code, each match one violation.

    Args:
        patterns: Instead of the built-in phrases: plain phrases (a blank also matches a newline or
            up to three blanks, whole words only) or regular expressions; any case matches.
        include_categories: Only these of META_COMMENTARY, HEDGING, REFUSAL, INSTRUCTION_LEAK,
            PLACEHOLDERS, FORMAT_COLLAPSE; with `patterns`, these as well.
        exclude_categories: All but these.
        severity: Of every match.

    Raises:
        ValueError: An unknown category, or an expression that does not compile.

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> found = pattern_rule().check(GuardrailContext("Well, as an AI, I dream.", True))
        >>> [(violation.position, violation.context["category"]) for violation in found]
        [(6, 'META_COMMENTARY')]
    """
    given = None if patterns is None else compile_patterns(patterns, re.IGNORECASE)
    names = _categories(include_categories, exclude_categories, none=given is not None)
    phrases = [phrase for name in names for phrase in CATEGORIES[name]]
    phrases += given.phrases if given else ()
    return GuardrailRule(
        "pattern",
        start=partial(
            _pattern_checker,
            tuple(phrases),
            given.expressions if given else (),
            as_severity(severity),
        ),
        description="No phrases that a good answer has no use for",
        severity=severity,
    )


def custom_pattern_rule(
    patterns: Patterns,
    message: str = "Matched a forbidden pattern",
    severity: Severity | str = Severity.ERROR,
    *,
    name: str = "custom_pattern",
    recoverable: bool = True,
    flags: re.RegexFlag | int = re.IGNORECASE,
    max_match: int = _MAX_MATCH,
) -> GuardrailRule:
    r"""Regular expressions that must not match anywhere, fenced code included.

    A match is reported as soon as later text can't change it: for an expression of bounded length
    when that much text has come, for others within about `max_match` characters.

    Args:
        patterns: One expression or several, as text or compiled.
        message: Of each violation; the matched text is in its context.
        severity: Of each violation; an error acts at once.
        name: Of the rule.
        recoverable: False stops the attempt without a retry.
        flags: For the expressions given as text.
        max_match: Characters at which a match is cut.

    Raises:
        ValueError: An expression does not compile, none is given, or `max_match` is below 1.

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> rule = custom_pattern_rule(r"\bAKIA\w{16}\b", "An access key")
        >>> [found.position for found in rule.check(GuardrailContext("AKIA" + "X" * 16, True))]
        [0]
    """
    if max_match < 1:
        raise ValueError(f"max_match: give at least 1 character, not {max_match!r}")
    compiled = [_compile(pattern, flags) for pattern in _listed(patterns)]
    if not compiled:
        raise ValueError("patterns: give at least one regular expression")
    say = partial(_custom_violation, name, message, as_severity(severity), recoverable)
    return GuardrailRule(
        name,
        start=partial(_CustomChecker, tuple(compiled), max_match, say),
        description=message,
        severity=severity,
        recoverable=recoverable,
        early=True,
    )


class BadPattern(NamedTuple):
    """One match of `find_bad_patterns`: the pattern, the text, and its offset."""

    pattern: str
    text: str
    position: int


def find_bad_patterns(text: str, patterns: Patterns) -> list[BadPattern]:
    """Every match of phrases or regular expressions (as in `pattern_rule`), in order.

    Example:
        >>> find_bad_patterns("Lorem Ipsum dolor", ["lorem ipsum"])
        [BadPattern(pattern='lorem ipsum', text='Lorem Ipsum', position=0)]
    """
    given = compile_patterns(patterns, re.IGNORECASE)
    found = [
        BadPattern(phrase, text[start:end], start)
        for phrase, start, end in (phrase_set(given.phrases).find(text) if given.phrases else ())
    ]
    for expression in given.expressions:
        found += [
            BadPattern(expression.pattern, match[0][:_MAX_MATCH], match.start())
            for match in expression.finditer(text)
            if match[0]
        ]
    return sorted(found, key=lambda bad: (bad.position, bad.pattern))


class _Compiled(NamedTuple):
    phrases: tuple[str, ...]
    expressions: tuple[re.Pattern[str], ...]


def compile_patterns(patterns: Patterns, flags: int) -> _Compiled:
    """The patterns apart: plain phrases in lower case, and compiled expressions."""
    phrases: list[str] = []
    expressions: list[re.Pattern[str]] = []
    for pattern in _listed(patterns):
        if isinstance(pattern, str) and _PHRASE.fullmatch(pattern):
            phrases.append(" ".join(pattern.lower().replace("\u2019", "'").split()))
        else:
            expressions.append(_compile(pattern, flags))
    return _Compiled(tuple(dict.fromkeys(phrases)), tuple(expressions))


def _listed(patterns: Patterns) -> Sequence[str | re.Pattern[str]]:
    if isinstance(patterns, str | re.Pattern) or not isinstance(patterns, Iterable):
        return [patterns]
    return list(patterns)


def _compile(pattern: str | re.Pattern[str], flags: int) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        return pattern
    if not isinstance(pattern, str):
        raise ValueError(f"patterns: {pattern!r} is no regular expression of text")
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise ValueError(f"patterns: {pattern!r} is no regular expression: {error}") from error


def _categories(
    include: Iterable[str] | None, exclude: Iterable[str] | None, *, none: bool
) -> list[str]:
    default: Iterable[str] = () if none else CATEGORIES
    included = {name.upper() for name in (default if include is None else _names(include))}
    excluded = {name.upper() for name in _names(exclude or ())}
    if unknown := (included | excluded) - CATEGORIES.keys():
        raise ValueError(
            f"categories: {', '.join(sorted(unknown))} unknown; there are {', '.join(CATEGORIES)}"
        )
    return [name for name in CATEGORIES if name in included - excluded]


def _names(given: Iterable[str]) -> Iterable[str]:
    return [given] if isinstance(given, str) else given


@lru_cache(maxsize=64)
def phrase_set(phrases: tuple[str, ...]) -> PhraseSet:
    """The set of these phrases, compiled once: compiling costs some milliseconds."""
    return PhraseSet(phrases)


def _pattern_checker(
    phrases: tuple[str, ...], expressions: tuple[re.Pattern[str], ...], severity: Severity
) -> _PatternChecker:
    return _PatternChecker(
        PhraseScanner(phrase_set(phrases)) if phrases else None,
        tuple([RegexScanner(expression, _MAX_MATCH) for expression in expressions]),
        severity,
        FenceSplitter(),
    )


class _PatternChecker(msgspec.Struct, gc=False, eq=False):
    """Looks at prose only: each stretch between fences is searched as a text of its own."""

    _phrases: PhraseScanner | None
    _regexes: tuple[RegexScanner, ...]
    _severity: Severity
    _fences: FenceSplitter
    _end: int = 0

    @property
    def patient(self) -> bool:
        """Whether what it finds may come late."""
        return self._severity == Severity.WARNING

    def feed(self, text: str, start: int) -> list[GuardrailViolation] | None:
        self._end = start + len(text)
        if self._phrases and not self._regexes and self._fences.is_prose(text):
            matches = self._phrases.feed(text, start)
            return [self._phrase(match) for match in matches] if matches else None
        return self._take(self._fences.feed(text, start))

    def finish(self, _state: JudgedState) -> Found | None:
        found = self._take(self._fences.finish(self._end)) or []
        return found + self._flush()

    def _take(self, pieces: list[Piece]) -> list[GuardrailViolation] | None:
        found: list[GuardrailViolation] = []
        for kind, start, text in pieces:
            if kind == PROSE:
                if self._phrases and (matches := self._phrases.feed(text, start)):
                    found += [self._phrase(match) for match in matches]
                for regex in self._regexes:
                    found += [self._hit(hit) for hit in regex.feed(text, start) or ()]
            elif kind == OPEN:
                found += self._flush()
        return found or None

    def _flush(self) -> list[GuardrailViolation]:
        matches = self._phrases.flush() if self._phrases else None
        found = [self._phrase(match) for match in matches or ()]
        for regex in self._regexes:
            found += [self._hit(hit) for hit in regex.flush() or ()]
        return found

    def _phrase(self, match: PhraseMatch) -> GuardrailViolation:
        phrase, start, end = match
        category = _CATEGORY_OF.get(phrase, "CUSTOM")
        label = category.replace("_", " ").capitalize()
        context = {"category": category, "phrase": phrase, "length": end - start}
        return self._violation(f"{label}: {phrase}", start, context)

    def _hit(self, hit: Hit) -> GuardrailViolation:
        position, text = hit
        context = {"category": "CUSTOM", "match": text[:_SHOWN], "length": len(text)}
        return self._violation(f"Custom: {text[:_SHOWN]}", position, context)

    def _violation(
        self, message: str, position: int, context: dict[str, object]
    ) -> GuardrailViolation:
        return GuardrailViolation(
            "pattern", message, self._severity, position=position, context=context
        )


class _CustomChecker:
    """Looks at all text, with one scanner for each expression."""

    __slots__ = ("_regexes", "_say")

    def __init__(
        self,
        expressions: Sequence[re.Pattern[str]],
        max_match: int,
        say: Callable[[Hit], GuardrailViolation],
    ) -> None:
        self._regexes = [RegexScanner(expression, max_match) for expression in expressions]
        self._say = say

    def feed(self, text: str, start: int) -> list[GuardrailViolation] | None:
        found: list[GuardrailViolation] | None = None
        for regex in self._regexes:
            if hits := regex.feed(text, start):
                found = (found or []) + [self._say(hit) for hit in hits]
        return found

    def finish(self, _state: JudgedState) -> Found | None:
        return [self._say(hit) for regex in self._regexes for hit in regex.flush() or ()]


def _custom_violation(
    name: str, message: str, severity: Severity, recoverable: bool, hit: Hit
) -> GuardrailViolation:
    position, text = hit
    context = {"match": text[:_SHOWN], "length": len(text)}
    return GuardrailViolation(name, message, severity, recoverable, position, context=context)
