"""The repetition rule: text that goes round in circles, and sentences that come again and again."""

from __future__ import annotations

from functools import partial

from l0.events import GuardrailViolation
from l0.guardrails._fence import PROSE, FenceSplitter, Piece
from l0.guardrails._loop import SAME, LoopMeter
from l0.guardrails._rule import GuardrailRule, JudgedState, is_number, is_whole
from l0.guardrails._sentences import SentenceCounter

_CERTAIN = 0.9  # a similarity above it is a loop at once


def repetition_rule(
    window: int = 100,
    threshold: float = 0.5,
    sentence_check: bool = True,
    sentence_repeat_count: int = 3,
) -> GuardrailRule:
    """A loop is an error as soon as it shows, and so is a sentence that comes too often.

    Fenced code is left out, blanks and repeated punctuation are folded. At every `window`
    characters from the second window on, and at the end, the last `window` characters are compared
    with those a period before.

    Args:
        window: Characters compared, and the distance between two comparisons.
        threshold: The share of equal characters that makes a loop at two comparisons in a row;
            above 0.9 one is enough.
        sentence_check: Also count sentences of more than 20 characters and at least four words.
        sentence_repeat_count: How often a sentence must come.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> found = repetition_rule().check(GuardrailContext("and on " * 40))
        >>> [violation.message for violation in found]
        ['The text repeats itself']
    """
    if not is_whole(window) or window <= SAME:
        raise ValueError(f"window: give a whole number above {SAME}, not {window!r}")
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise ValueError(f"threshold: give a share above 0 and up to 1, not {threshold!r}")
    if not is_whole(sentence_repeat_count) or sentence_repeat_count < 2:
        raise ValueError(
            "sentence_repeat_count: give a whole number of at least 2, "
            f"not {sentence_repeat_count!r}"
        )
    return GuardrailRule(
        "repetition",
        start=partial(
            _RepetitionChecker,
            window,
            threshold,
            sentence_repeat_count if sentence_check else 0,
        ),
        description="The text does not repeat itself",
        early=True,
    )


class _RepetitionChecker:
    __slots__ = ("_end", "_fences", "_last", "_meter", "_row", "_sentences", "_threshold")

    def __init__(self, window: int, threshold: float, sentence_limit: int) -> None:
        self._fences = FenceSplitter()
        self._meter = LoopMeter(window)
        self._sentences = SentenceCounter(sentence_limit) if sentence_limit else None
        self._threshold = threshold
        self._last: tuple[float, int] = (0.0, 0)  # the mark before: similarity, where its window is
        self._row = False  # the mark before was a hit
        self._end = 0

    def feed(self, text: str, start: int) -> list[GuardrailViolation] | None:
        self._end = start + len(text)
        if self._fences.is_prose(text):
            return self._take([(PROSE, start, text)])
        return self._take(self._fences.feed(text, start))

    def finish(self, _state: JudgedState) -> list[GuardrailViolation]:
        found = self._take(self._fences.finish(self._end)) or []
        if mark := self._meter.finish():
            self._judge(mark, found)
        return found

    def _take(self, pieces: list[Piece]) -> list[GuardrailViolation] | None:
        found: list[GuardrailViolation] = []
        for kind, start, text in pieces:
            if kind != PROSE:
                continue
            for mark in self._meter.feed(text, start) or ():
                self._judge(mark, found)
            if self._sentences is not None:
                for at, sentence in self._sentences.feed(text, start) or ():
                    shown = sentence if len(sentence) <= 60 else sentence[:59] + "…"
                    found.append(_violation(f"Sentence repeated: {shown}", at))
        return found or None

    def _judge(self, mark: tuple[float, int], found: list[GuardrailViolation]) -> None:
        share, at = mark
        before, before_at = self._last
        both = share > self._threshold and before > self._threshold
        hit = both or share > _CERTAIN
        if hit and not self._row:
            found.append(_violation("The text repeats itself", before_at if both else at))
        self._row = hit
        self._last = mark


def _violation(message: str, position: int) -> GuardrailViolation:
    return GuardrailViolation("repetition", message, position=position)
