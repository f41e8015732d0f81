"""Find what a resumed source repeats of the text it continues, while its text arrives.

Two readings are followed at once. *Ending*: the new text begins with the end of the checkpoint,
and that much of it falls away. *Restatement*: the source ignored the checkpoint and writes the
text from its beginning. Text is withheld only while one of them may still come true; the work is
linear in what is looked at, and the result doesn't depend on how the text is cut into tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from l0.events import Event, EventType
from l0.stream._continuation import ContinuationConfig, DeduplicationOptions
from l0.stream._overlap_text import (
    Ending,
    Folding,
    Restatement,
    begins_word,
    common_length,
    has_substance,
    substance_end,
)

DecidedBy = Literal["mismatch", "boundary", "restatement", "end"]

_SURE = 16  # characters from which an overlap counts wherever it begins
_RESTATED = 32  # characters from which agreement with the checkpoint's beginning is no chance


@dataclass(frozen=True, slots=True)
class OverlapResult:
    """What a continuation repeats: `overlap_text` is its beginning, `deduplicated` the rest."""

    has_overlap: bool
    overlap_length: int
    overlap_text: str
    deduplicated: str


def detect_overlap(
    checkpoint: str, continuation: str, options: DeduplicationOptions | None = None
) -> OverlapResult:
    """Find how much of the beginning of `continuation` repeats the end of `checkpoint`.

    Lengths are characters of the continuation. Only the checkpoint's end is looked at, as for a
    run with `ContinuationConfig(restatement=False)`.

    Raises:
        TypeError: the checkpoint or the continuation is not a string.

    Example:
        >>> detect_overlap("Hello wor", "world!").overlap_text
        'wor'
    """
    if not isinstance(continuation, str):
        raise TypeError(f"continuation is a string, not {type(continuation).__name__}")
    config = ContinuationConfig(deduplication=options or DeduplicationOptions(), restatement=False)
    matcher = OverlapMatcher(checkpoint, config)
    matcher.feed(continuation)
    matcher.finish()
    length = matcher.overlap_length
    return OverlapResult(length > 0, length, matcher.overlap_text, continuation[length:])


def deduplicate_continuation(
    checkpoint: str, continuation: str, options: DeduplicationOptions | None = None
) -> str:
    """Give the continuation without what it repeats of the checkpoint's end.

    Raises:
        TypeError: the checkpoint or the continuation is not a string.

    Example:
        >>> "Hello wor" + deduplicate_continuation("Hello wor", "world!")
        'Hello world!'
    """
    return detect_overlap(checkpoint, continuation, options).deduplicated


class OverlapMatcher:
    """Holds back the first text of a resumed source until its overlap is known.

    Feed it the source's items in order: a string or a token event is text, anything else waits
    behind withheld text. What it gives back is due now. Once `decided`, items need not pass through
    it any more. The text that stands is then `checkpoint[:restated_at]` followed by what was
    released, which is always the source's text from `overlap_length` on.

    Attributes:
        decided: whether the overlap is known.
        decided_by: "mismatch" when the text stopped agreeing, "boundary" when it agreed up to the
            checkpoint's end, "end" when the source ended first, "restatement" when the source
            started over; None while open.
        overlap_length, overlap_text: the beginning of the source's text that is not released.
        withheld_chars: the most characters that agreed with the checkpoint, as they are compared.
        restated_at: how much of the checkpoint still stands when the source started over and
            wrote something else (the beginning the two have in common to the letter, so that the
            text that stands is the source's own); None in all other cases.
    """

    __slots__ = (
        "_blank",
        "_checkpoint",
        "_config",
        "_ending",
        "_folding",
        "_held",
        "_held_chars",
        "_restatement",
        "_settle_at",
        "decided",
        "decided_by",
        "overlap_length",
        "overlap_text",
        "restated_at",
        "withheld_chars",
    )

    def __init__(self, checkpoint: str, config: ContinuationConfig | None = None) -> None:
        if not isinstance(checkpoint, str):
            raise TypeError(f"checkpoint is a string, not {type(checkpoint).__name__}")
        config = config or ContinuationConfig()
        options = config.deduplication
        self._checkpoint = checkpoint
        self._config = options
        self._folding = Folding(options.case_sensitive, options.normalize_whitespace)
        self._ending = Ending(self._folding.fold(checkpoint[-options.max_overlap :]))
        self._restatement = Restatement(checkpoint if config.restatement else "", self._folding)
        self._held: list[Any] = []
        self._held_chars = 0
        self._blank = False
        self._settle_at: float = 0
        self.decided = not config.deduplicate or not checkpoint
        self.decided_by: DecidedBy | None = "mismatch" if self.decided else None
        self.overlap_length = 0
        self.overlap_text = ""
        self.restated_at: int | None = None
        self.withheld_chars = 0

    def feed(self, item: Any) -> list[Any]:
        """Take the source's next item; give back the items to release now, in order."""
        if self.decided:
            return [item]
        said = _text(item)
        if said is None:
            if not self._held:
                return [item]
            self._held.append(item)
            return []
        if not said:
            return []
        self._held.append(item)
        self._held_chars += len(said)
        compared = self._folding.fold(said, after_blank=self._blank)
        self._blank = said[-1].isspace()
        self._ending.follow(compared)
        self._restatement.follow(compared)
        self.withheld_chars = max(self._ending.agreed, self._restatement.agreed)
        if self._ending.alive or self._restatement.alive:
            return []
        if self._held_chars < self._settle_at and said.isspace():
            return []
        return self._settle(ended=False)

    def finish(self) -> list[Any]:
        """The source ended: decide on what there is, and give back what was withheld."""
        return [] if self.decided else self._settle(ended=True)

    @property
    def withheld(self) -> str:
        """The source's text that is held back now."""
        return "".join([said for item in self._held if (said := _text(item))])

    @property
    def withheld_tokens(self) -> int:
        """How many tokens that text came in."""
        return sum(_text(item) is not None for item in self._held)

    def _settle(self, *, ended: bool) -> list[Any]:
        """Decide between the readings and release what follows the overlap."""
        text = self.withheld
        ending, restatement = self._ending, self._restatement
        decided_by: DecidedBy = "mismatch"
        if ending.alive or restatement.alive:
            decided_by = "end"
        elif restatement.passed or ending.boundary_after(restatement):
            decided_by = "boundary"
        length = self._longest(text)
        cut: int | None = 0
        if self._started_over(text, length):
            decided_by = "restatement"
            cut = self._cut(text, restatement.agreed, ended) if restatement.passed else -1
            if cut == -1:
                cut = self.restated_at = common_length(self._checkpoint, text)
        elif length and not self._stands_twice(length):
            cut = self._cut(text, length, ended)
        if cut is None:
            return []
        self.decided, self.decided_by = True, decided_by
        self.overlap_length, self.overlap_text = cut, text[:cut]
        return self._release(cut)

    def _longest(self, text: str) -> int:
        """Compared length of the longest ending of the checkpoint that begins `text` and counts."""
        ending, options = self._ending, self._config
        length = ending.overlap()
        if length < 1:
            return 0
        base = max(0, len(self._checkpoint) - options.max_overlap)
        tail = self._checkpoint[base:]
        substance = substance_end(tail)
        starts = self._folding.offsets(tail, len(ending.text))
        ends = self._folding.offsets(text, length)
        while length:
            start = starts[len(ending.text) - length]
            # A character may grow when folded, and a run of blanks shrink: neither makes it longer.
            chars = min(length, len(tail) - start)
            if (
                start != -1
                and ends[length] != -1
                and chars >= options.min_overlap
                and start < substance
                and (chars >= _SURE or begins_word(self._checkpoint, base + start))
            ):
                return length
            length = ending.borders[length]
        return 0

    def _started_over(self, text: str, length: int) -> bool:
        """Say whether the source wrote its text anew, rather than from an ending of `length`."""
        restatement = self._restatement
        agreed = restatement.agreed
        if agreed < _RESTATED:
            # A short checkpoint restated in whole is an ending, unless it is above `max_overlap`.
            beyond = len(self._ending.text) < agreed >= self._config.min_overlap
            if not (restatement.passed and beyond):
                return False
        if not has_substance(self._folding.fold(text)[:agreed]):
            return False
        checkpoint = self._checkpoint
        at_line_start = not restatement.passed and checkpoint[-1] == "\n"
        if at_line_start and checkpoint.find(text[:agreed], 1) != -1:
            # Lines that open alike (a log, JSON objects): it went on with the next of them.
            return False
        # An ending that agrees further than the beginning did explains the text better; and if the
        # source ended having written nothing but an ending, there is nothing to take back.
        return not (length > agreed or (restatement.alive and length == agreed))

    def _stands_twice(self, length: int) -> bool:
        """Say whether the ending of `length` is real repetition, which is to be kept."""
        options, ending = self._config, self._ending
        if options.repeats == "remove":
            return False
        unit = ending.text[-length:]
        if unit[0].isspace():
            # So begins a source that continues exactly; any repetition is taken for real.
            period = length - ending.borders[length]
            if length % period == 0:
                unit = unit[:period]
        end = self._folding.fold(self._checkpoint[-2 * options.max_overlap :])
        return end.endswith(unit.lstrip() + unit)

    def _cut(self, text: str, length: int, ended: bool) -> int | None:
        """Offset in `text` where the compared `length` ends, -1 inside a character.

        None as long as it ends in a run of blanks that may go on: of blanks that repeat those at
        the end of the checkpoint to the letter the rest is new, others are repeated as a whole.
        """
        cut = self._folding.offsets(text, length)[length]
        if cut == -1 or not self._config.normalize_whitespace or not text[cut - 1].isspace():
            return cut
        known = self._checkpoint[len(self._checkpoint.rstrip()) :]
        start = len(text[:cut].rstrip())
        if text.startswith(known, start):
            return start + len(known)
        if ended or cut < len(text):
            return cut
        # Look again when enough blanks are there to tell, and then when the run is over.
        needed = start + len(known)
        self._settle_at = needed if len(text) < needed else math.inf
        return None

    def _release(self, cut: int) -> list[Any]:
        released: list[Any] = []
        for item in self._held:
            said = _text(item)
            if said is None:
                released.append(item)
                continue
            rest = said[cut:]
            cut -= len(said) - len(rest)
            if rest:
                text_only = isinstance(item, str)
                released.append(rest if text_only else msgspec.structs.replace(item, text=rest))
        self._held = []
        return released


def _text(item: Any) -> str | None:
    """The text of an item, None of one that is none."""
    if isinstance(item, str):
        return item
    if isinstance(item, Event) and item.type is EventType.TOKEN:
        return item.text or ""
    return None
