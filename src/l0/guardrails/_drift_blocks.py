"""The watches that take judged text in blocks, so that few calls do much."""

from __future__ import annotations

import msgspec

from l0.guardrails._drift_config import DriftConfig
from l0.guardrails._drift_entropy import EntropyWatch
from l0.guardrails._drift_repetition import RepetitionWatch
from l0.guardrails._drift_windows import WindowWatch
from l0.guardrails._sentences import SentenceCounter

BLOCK = 100
"""Characters that make it worth while to look at them."""

_MOST = 4500  # characters that the watches take at once: all that is held, and a token

Drifts = dict[str, str]
"""Kinds of drift, each with a word on it."""


class BlockWatch(msgspec.Struct, gc=False, eq=False):
    """Repetition, entropy, tone and markdown of the judged text, however it is cut."""

    config: DriftConfig
    _repetition: RepetitionWatch | None = None
    _entropy: EntropyWatch | None = None
    _windows: WindowWatch | None = None

    def __post_init__(self) -> None:
        config = self.config
        size = config.sliding_window_size
        count = config.repetition_threshold
        tone, markdown = config.detect_tone_shift, config.detect_markdown_collapse
        self._repetition = (
            RepetitionWatch(count, size, SentenceCounter(count))
            if config.detect_repetition
            else None
        )
        self._entropy = (
            EntropyWatch(config.entropy_window, config.entropy_threshold)
            if config.detect_entropy_spike
            else None
        )
        self._windows = WindowWatch(size, tone, markdown) if tone or markdown else None

    @property
    def entropy_mean(self) -> float:
        """Bits a character, so far."""
        return self._entropy.mean if self._entropy else 0.0

    def fence(self, ahead: int) -> None:
        """A fence begins so many characters after the text fed."""
        if self._windows:
            self._windows.fence(ahead)

    def feed(self, text: str) -> Drifts | None:
        """The kinds of drift that the text shows."""
        if len(text) <= _MOST:
            return self._feed(text)
        drifts: Drifts = {}
        for pos in range(0, len(text), _MOST):
            drifts |= self._feed(text[pos : pos + _MOST]) or {}
        return drifts

    def _feed(self, block: str) -> Drifts | None:
        drifts: Drifts | None = None
        if self._repetition and (what := self._repetition.feed(block)):
            drifts = {"repetition": what}
        if self._entropy and self._entropy.feed(block):
            drifts = {**(drifts or {}), "entropy_spike": "noise"}
        if self._windows:
            shifted, stopped = self._windows.feed(block)
            if shifted or stopped:
                drifts = {**(drifts or {}), **_manner(shifted, stopped)}
        return drifts

    def finish(self) -> Drifts:
        """The kinds of drift that the end of the text shows."""
        drifts: Drifts = {}
        if self._repetition and (what := self._repetition.finish()):
            drifts["repetition"] = what
        if self._windows:
            drifts |= _manner(*self._windows.finish())
        return drifts


def _manner(shifted: bool, stopped: bool) -> Drifts:
    drifts: Drifts = {}
    if shifted:
        drifts["tone_shift"] = "between formal and informal"
    if stopped:
        drifts["markdown_collapse"] = "markdown stopped"
    return drifts
