"""What counts as drift, what to do about it, and what a check says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from l0.guardrails._rule import is_number, is_whole

CONFIDENCE: Final = {
    "meta_commentary": 0.9,
    "repetition": 0.8,
    "format_collapse": 0.8,
    "tone_shift": 0.7,
    "markdown_collapse": 0.7,
    "entropy_spike": 0.6,
    "hedging": 0.5,
}
"""The kinds of drift, and how sure a hit of each is."""


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """What counts as drift, and what to do about it.

    Args:
        detect_tone_shift: From formal to informal words or back.
        detect_meta_commentary: The model speaks of itself or its task.
        detect_repetition: Sentences, phrases or loops that come again and again.
        detect_entropy_spike: Prose that turns to noise.
        detect_format_collapse: Chat-template markers and role lines.
        detect_markdown_collapse: Markdown that stops.
        detect_hedging: A first line that is nothing but a filler.
        repetition_threshold: How often a sentence or five-word phrase must come.
        entropy_threshold: Standard deviations above the mean that make a spike.
        entropy_window: Characters of a block whose entropy is measured.
        sliding_window_size: Characters of the windows of tone, markdown and phrases.
        threshold: The confidence from which the policy acts.
        policy: `retry` fails the attempt, `record` only notes it.

    Raises:
        ValueError: A field is out of range.

    Example:
        >>> DriftConfig(policy="record").replace(detect_hedging=False).detect_hedging
        False
    """

    detect_tone_shift: bool = True
    detect_meta_commentary: bool = True
    detect_repetition: bool = True
    detect_entropy_spike: bool = True
    detect_format_collapse: bool = True
    detect_markdown_collapse: bool = True
    detect_hedging: bool = True
    repetition_threshold: int = 3
    entropy_threshold: float = 2.5
    entropy_window: int = 50
    sliding_window_size: int = 500
    threshold: float = 0.8
    policy: Literal["retry", "record"] = "retry"

    def __post_init__(self) -> None:
        least = {"repetition_threshold": 2, "entropy_window": 2, "sliding_window_size": 20}
        for name, number in least.items():
            value = getattr(self, name)
            if not is_whole(value) or value < number:
                raise ValueError(f"{name}: give a whole number of at least {number}, not {value!r}")
        for name in ("entropy_threshold", "threshold"):
            value = getattr(self, name)
            if not is_number(value) or not value >= 0:
                raise ValueError(f"{name}: give a number of at least 0, not {value!r}")
        if not self.threshold <= 1:
            raise ValueError(f"threshold: give a confidence up to 1, not {self.threshold!r}")
        if self.policy not in {"retry", "record"}:
            raise ValueError(f"policy: give 'retry' or 'record', not {self.policy!r}")

    def replace(self, **changes: Any) -> DriftConfig:
        """The same configuration with other values in these fields."""
        return dataclasses.replace(self, **changes)


class DriftResult(msgspec.Struct, frozen=True):
    """What one check found: the kinds of drift, the largest confidence, and a word on each."""

    detected: bool
    confidence: float
    types: tuple[str, ...] = ()
    details: dict[str, str] | None = None
