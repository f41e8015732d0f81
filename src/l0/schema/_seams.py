"""Where a structured run was continued, and whether the pieces are known to fit there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from l0.events import ObservabilityEvent
from l0.schema._faults import AMBIGUOUS, SchemaFault
from l0.schema._heal import extract_json
from l0.stream import ContinuationConfig

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

# Habits of models, which have nothing to do with where a text was continued.
_HABITS = frozenset(
    {
        *("strip_markdown_fence", "strip_json_prefix", "remove_prefix_text", "remove_suffix_text"),
        *("extract_json", "remove_trailing_comma", "remove_comments", "convert_literals"),
    }
)


def removing_repeats(config: ContinuationConfig | None) -> ContinuationConfig | None:
    """The same, with every overlap removed and so told: which of them are data is judged here."""
    if config is None:
        return None
    return config.replace(deduplication=config.deduplication.replace(repeats="remove"))


class _Seam(NamedTuple):
    """A place where the text was continued, and what was removed there as repeated."""

    at: int
    overlap: str


class Seams:
    """A listener that remembers where the text that stands was continued.

    In prose a model that goes on repeats a few words, and taking them out is right. In data the
    same characters may be the next record: `[{"x": 1}, ` continued by `{"x": 1}, …`. Where more
    than one reading is JSON, or where the pieces only fit after a repair, nobody can tell what was
    meant: such an attempt fails, and the next one starts afresh.
    """

    types = ("CONTINUATION_START", "RESUME_START", "DEDUPLICATION_END", "RESTART")

    def __init__(self) -> None:
        self._seams: list[_Seam] = []
        self._exact = False  # the provider itself goes on with its response

    def __call__(self, event: ObservabilityEvent) -> None:
        payload: Any = event.payload
        match event.type:
            case "CONTINUATION_START":
                self._exact = payload.mode == "provider"
            case "RESUME_START" if not self._exact:
                at = payload.checkpoint_length
                self._seams = [*(seam for seam in self._seams if seam.at < at), _Seam(at, "")]
            case "DEDUPLICATION_END" if self._seams:
                self._seams[-1] = self._seams[-1]._replace(overlap=payload.overlap_text)
            case "RESTART":
                self._seams = [seam for seam in self._seams if seam.at <= payload.kept_chars]

    def fault(self, text: str, corrections: Sequence[str]) -> SchemaFault | None:
        """What may be wrong with a text that is JSON after these corrections; None if nothing."""
        if not self._seams:
            return None
        if not (_HABITS.issuperset(corrections) and _ends_well(text)):
            return _fault(self._seams[-1].at, "the pieces don't fit")
        for seam in self._seams:
            if any(_is_json(*reading) for reading in _other_readings(text, seam)):
                return _fault(seam.at, "what it repeats may be data")
        return None


def _fault(at: int, why: str) -> SchemaFault:
    said = (
        f"the stream was continued at character {at}, where {why}; a source that continues exactly "
        "is told so by ContinuationConfig(deduplicate=False)"
    )
    return SchemaFault("", said, AMBIGUOUS)


def _ends_well(text: str) -> bool:
    """Whether what follows the JSON in a text is words, and not what a bad seam cut off."""
    found = extract_json(text)
    return not set('{}[]"') & set(text[text.find(found) + len(found) :])


_SHORTEST, _LONGEST = 2, 500  # characters that a model says again


def _other_readings(text: str, seam: _Seam) -> Iterator[tuple[str, int]]:
    """The text with another part of what was continued taken for an overlap, up to where it is."""
    before, after = text[: seam.at], seam.overlap + text[seam.at :]
    inside = '"' in _STRING.sub("", before)
    for length in (0, *range(_SHORTEST, min(_LONGEST, len(before), len(after)) + 1)):
        if length == len(seam.overlap) or not before.endswith(after[:length]):
            continue
        repeated = after[: max(length, len(seam.overlap))]
        # Inside a string words are repeated as in prose, unless they were said twice before.
        if not inside or '"' in repeated or before.endswith(repeated * 2):
            yield before + after[length:], len(before) + max(0, len(seam.overlap) - length)


def _is_json(text: str, beyond: int) -> bool:
    """Whether a text holds a JSON value that goes on beyond this place."""
    found = extract_json(text)
    try:
        json.loads(found, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        return False
    return text.find(found) + len(found) > beyond


def _without_doubles(pairs: list[tuple[str, Any]]) -> None:
    """No object says a key twice, unless a part of it is there twice."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
