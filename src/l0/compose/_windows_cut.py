"""Where the chunks of a document begin and end, for each strategy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from unicodedata import combining

from l0.compose._windows_config import WindowConfig
from l0.compose._windows_measure import Measure, furthest

_MOST_MOVED = 100  # characters by which a boundary gives way to a paragraph or sentence
_CLOSERS = "\"')\\]}\u00bb\u201d\u2019\u300d\u300f\uff09\u3011"  # what may stand behind a full stop
_STOPS = "\u3002\uff01\uff1f\uff61\uff0e"  # CJK's; no blank need follow them
# Possessive, and each run entered at its first character only: linear on any text.
_PARAGRAPH = re.compile(r"\n(?:[^\S\n]*+\n)++")
_SENTENCE = re.compile(
    rf"(?<![.!?\u2026])[.!?\u2026]++[{_CLOSERS}]*+\s++"
    rf"|[{_STOPS}]++[{_CLOSERS}]*+\s*+"
    rf"|{_PARAGRAPH.pattern}"
)
_WORD = re.compile(r"\s++")
_JOINER = "\u200d"
_CLINGING = frozenset(
    (_JOINER, *map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0x1F3FB, 0x1F400)))
)
_LONGEST_CLUSTER = 16  # characters; what clings together for longer is cut all the same


def cut(measure: Measure) -> Iterator[tuple[int, int]]:
    """Start and end of each chunk: in order, without gaps, none within its neighbour.

    Raises:
        ValueError: a single character counts more than the size.
    """
    if measure.config.strategy in {"paragraph", "sentence"}:
        return _packed(measure)
    return _measured(measure)


# --- token, char ----------------------------------------------------------------------------


def _measured(measure: Measure) -> Iterator[tuple[int, int]]:
    document, config = measure.document, measure.config
    overlap, length = config.overlap, len(document)
    start = before = 0
    while before < length:
        end = _end(measure, start)
        while end <= before:  # the overlap leaves no room for anything new
            start = before - (before - start) // 2
            end = _end(measure, start)
            if start == before:
                break
        if end <= before:
            raise _too_small(measure, start)
        if end < length:
            # At most half of what is new gives way, so that every chunk brings something.
            least = max(end - _MOST_MOVED, before + (end - before + 1) // 2)
            end = _settled(document, least, end, config)
        yield start, end
        before, least = end, start + 1
        start = _whole(document, measure.back(end, overlap, least), end)


def _end(measure: Measure, start: int) -> int:
    return measure.reach(start, measure.config.size)


def _settled(document: str, least: int, end: int, config: WindowConfig) -> int:
    """The last paragraph's or sentence's end from `least` on, else `end` or just before it."""
    for wanted, pattern in (
        (config.preserve_paragraphs, _PARAGRAPH),
        (config.preserve_sentences, _SENTENCE),
    ):
        if wanted:
            ends = [found.end() for found in pattern.finditer(document, least, end)]
            if ends:
                return ends[-1]
    for place in range(end, max(least, end - _LONGEST_CLUSTER) - 1, -1):
        if not _inside(document, place):
            return place
    return end


def _whole(document: str, start: int, end: int) -> int:
    """A start that divides no character as people see it, from `start` on."""
    for place in range(start, min(end, start + _LONGEST_CLUSTER) + 1):
        if not _inside(document, place):
            return place
    return start


def _inside(document: str, place: int) -> bool:
    """Whether what stands here belongs to the character before: an accent, half a line end."""
    if not 0 < place < len(document):
        return False
    before, here = document[place - 1], document[place]
    if here < "\u0300":
        return here == "\n" and before == "\r"
    return here in _CLINGING or before == _JOINER or combining(here) > 0


# --- paragraph, sentence --------------------------------------------------------------------


def _packed(measure: Measure) -> Iterator[tuple[int, int]]:
    """As many whole pieces a chunk as fit, repeating as many as fit into the overlap."""
    config = measure.config
    ends = list(_pieces(measure))
    starts = [0, *ends[:-1]]
    size, overlap = config.size, config.overlap
    first, least, count = 0, 0, 1
    while least < len(ends):

        def holds(last: int, first: int = first) -> bool:
            return measure.fits(starts[first], ends[last], size)

        last = furthest(holds, least, first + count, len(ends) - 1)
        yield starts[first], ends[last]
        least, count = last + 1, last - first
        if least == len(ends):
            return

        def repeats(pieces: int, after: int = least) -> bool:
            start = starts[after - pieces]
            return measure.fits(start, ends[after - 1], overlap) and measure.fits(
                start, ends[after], size
            )

        first = least - furthest(repeats, 0, 1, last - first)


def _pieces(measure: Measure) -> Iterator[int]:
    """The ends of the pieces: paragraphs or sentences, in parts where one is above the size."""
    patterns = [_PARAGRAPH, _SENTENCE, _WORD]
    if measure.config.strategy == "sentence":
        patterns = patterns[1:]
    if measure.document:
        yield from _split(measure, 0, len(measure.document), patterns)


def _split(
    measure: Measure, start: int, end: int, patterns: list[re.Pattern[str]]
) -> Iterator[int]:
    size, document = measure.config.size, measure.document
    if not patterns:  # a single word above the size, in parts that can be repeated
        while start < end:
            reached = min(end, measure.reach(start, measure.config.overlap))
            if reached <= start:
                reached = min(end, measure.reach(start, size))
            if reached <= start:
                raise _too_small(measure, start)
            if reached < end:
                reached = _settled(document, start + 1, reached, _BARE)
            yield reached
            start = reached
        return
    marks = [found.end() for found in patterns[0].finditer(document, start, end)]
    for low, high in pairwise(dict.fromkeys((start, *marks, end))):
        if measure.fits(low, high, size):
            yield high
        else:
            yield from _split(measure, low, high, patterns[1:])


_BARE = WindowConfig(preserve_paragraphs=False)


def _too_small(measure: Measure, place: int) -> ValueError:
    counted = measure.tokens(measure.document[place])
    return ValueError(
        f"size={measure.config.size} is too small: the character at {place} alone counts "
        f"{counted} tokens; give a larger size"
    )
