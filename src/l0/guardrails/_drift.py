"""Notices that an answer drifts: into commentary, circles, noise, another tone or format."""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from l0.guardrails._drift_entropy import EntropyWatch
from l0.guardrails._drift_format import FirstLineWatch, TemplateWatch
from l0.guardrails._drift_json import JsonGate
from l0.guardrails._drift_repetition import RepetitionWatch
from l0.guardrails._drift_windows import WindowWatch
from l0.guardrails._fence import OPEN, PROSE, FenceSplitter, Piece
from l0.guardrails._patterns import phrase_set
from l0.guardrails._phrases import PhraseMatch, PhraseScanner

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

_PHRASES = (
    "as an ai",
    "as a language model",
    "i am an ai",
    "i'm an ai",
    "my training data",
    "i was trained",
    "i was asked to",
    "the user asked",
    "as instructed",
    "my previous response",
)
_HISTORY = 100
_BLOCK = 100  # characters of judged text that the slower watches take at a time


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
        least = {
            "repetition_threshold": 2,
            "entropy_threshold": 0,
            "entropy_window": 8,
            "sliding_window_size": 100,
            "threshold": 0,
        }
        for name, number in least.items():
            value = getattr(self, name)
            if not value >= number:
                raise ValueError(f"{name}: give at least {number}, not {value!r}")
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


_NOTHING: Final = DriftResult(detected=False, confidence=0.0)


class DriftDetector:
    """Judges one attempt's text as it grows; each kind of drift is given once.

    Fenced code and text that claims to be JSON are looked at for chat templates only.

    Args:
        config: What counts as drift; None is the default.

    Example:
        >>> detector = DriftDetector()
        >>> detector.feed("As an AI language model, I was asked to write about boats.").types
        ('meta_commentary',)
    """

    __slots__ = (
        "_block",
        "_entropy",
        "_fences",
        "_first_line",
        "_found",
        "_gate",
        "_length",
        "_new",
        "_phrases",
        "_repetition",
        "_templates",
        "_windows",
        "config",
        "history",
    )

    def __init__(self, config: DriftConfig | None = None) -> None:
        self.config = config or DriftConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new attempt begins."""
        config = self.config
        self.history: deque[DriftResult] = deque(maxlen=_HISTORY)
        """The results of the last 100 checks."""
        self._found: dict[str, str] = {}
        self._new: dict[str, str] = {}
        self._length = 0
        self._gate: JsonGate | None = JsonGate()
        self._fences = FenceSplitter()
        self._block = ""
        size = config.sliding_window_size
        tone, markdown = config.detect_tone_shift, config.detect_markdown_collapse
        self._templates = TemplateWatch() if config.detect_format_collapse else None
        self._first_line = FirstLineWatch() if config.detect_hedging else None
        self._phrases = (
            PhraseScanner(phrase_set(_PHRASES)) if config.detect_meta_commentary else None
        )
        self._repetition = (
            RepetitionWatch(config.repetition_threshold, size) if config.detect_repetition else None
        )
        self._entropy = (
            EntropyWatch(config.entropy_window, config.entropy_threshold)
            if config.detect_entropy_spike
            else None
        )
        self._windows = (
            WindowWatch(size, tone=tone, markdown=markdown) if tone or markdown else None
        )

    def fresh(self) -> DriftDetector:
        """A detector of the same configuration that has seen nothing."""
        return DriftDetector(self.config)

    def prime(self, kept_text: str) -> None:
        """Begin a resumed attempt: read the kept text; what is found there is old."""
        self._take(kept_text)
        self._new.clear()

    def feed(self, text: str) -> DriftResult:
        """Judge all text since the last feed; gives the kinds of drift newly found."""
        self._take(text)
        return self._result()

    def finish(self) -> DriftResult:
        """Judge the text as complete; gives the kinds of drift newly found."""
        self._take_pieces(self._fences.finish(self._length))
        self._take_blocks(ended=True)
        if self._phrases:
            self._commentary(self._phrases.flush())
        if self._first_line:
            self._filler(self._first_line.feed("", ended=True))
        return self._result()

    def check(self, content: str, delta: str | None = None) -> DriftResult:
        """Judge a text that grows from call to call; gives all the drift found so far.

        `delta` is what is new; None: what `content` has more than was seen.
        """
        self.feed(content[self._length :] if delta is None else delta)
        return _result_of(self._found)

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured so far: `length`, `entropy_mean` in bits a character, `loop_length`."""
        measured = {"length": float(self._length)}
        if self._entropy:
            measured["entropy_mean"] = round(self._entropy.mean, 3)
        return measured

    def _result(self) -> DriftResult:
        result = _NOTHING
        if self._new:
            result = _result_of(self._new)
            self._found.update(self._new)
            self._new = {}
        self.history.append(result)
        return result

    def _hit(self, kind: str, detail: str) -> None:
        if kind not in self._found:
            self._new.setdefault(kind, detail)

    def _take(self, text: str) -> None:
        start = self._length
        self._length = start + len(text)
        if self._templates and (marker := self._templates.feed(text)):
            self._hit("format_collapse", f"{marker} in the answer")
        if self._gate is not None:
            text, start = self._let_through(self._gate, text, start)
        if text:
            self._take_pieces(self._fences.feed(text, start))

    def _let_through(self, gate: JsonGate, text: str, start: int) -> tuple[str, int]:
        if gate.shut:
            return "", start
        text, start = gate.feed(text, start)
        if gate.passes:
            self._gate = None
            if start:  # what comes first is JSON
                self._first_line = None
        return text, start

    def _take_pieces(self, pieces: list[Piece]) -> None:
        for kind, start, text in pieces:
            if kind == PROSE:
                if self._phrases:
                    self._commentary(self._phrases.feed(text, start))
                if self._first_line:
                    self._filler(self._first_line.feed(text))
                self._block += text
                if len(self._block) >= _BLOCK:
                    self._take_blocks()
            elif kind == OPEN:
                self._first_line = None
                if self._phrases:
                    self._commentary(self._phrases.flush())
                if self._windows:
                    self._windows.fence(len(self._block))

    def _take_blocks(self, *, ended: bool = False) -> None:
        """Hand the judged text on in blocks that lie at fixed offsets."""
        text, pos = self._block, 0
        while len(text) - pos >= _BLOCK or (ended and pos < len(text)):
            block = text[pos : pos + _BLOCK]
            pos += _BLOCK
            if self._repetition and (what := self._repetition.feed(block)):
                self._hit("repetition", what)
            if self._entropy and self._entropy.feed(block):
                self._hit("entropy_spike", "noise")
            if self._windows:
                self._manner(*self._windows.feed(block))
        self._block = text[pos:]
        if ended:
            if self._repetition and (what := self._repetition.finish()):
                self._hit("repetition", what)
            if self._windows:
                self._manner(*self._windows.finish())

    def _commentary(self, found: list[PhraseMatch] | None) -> None:
        if found:
            self._hit("meta_commentary", found[0].phrase)

    def _filler(self, words: str) -> None:
        if words:
            self._hit("hedging", words)
        if self._first_line and not self._first_line.open:
            self._first_line = None

    def _manner(self, shifted: bool, stopped: bool) -> None:
        if shifted:
            self._hit("tone_shift", "between formal and informal")
        if stopped:
            self._hit("markdown_collapse", "markdown stopped")


def _result_of(found: dict[str, str]) -> DriftResult:
    types = tuple(kind for kind in CONFIDENCE if kind in found)
    return DriftResult(
        detected=bool(types),
        confidence=max((CONFIDENCE[kind] for kind in types), default=0.0),
        types=types,
        details=dict(found) or None,
    )


def check_drift(text: str, config: DriftConfig | None = None) -> DriftResult:
    r"""The drift in a finished text.

    Example:
        >>> check_drift("Sure!\nHere is the plan: start early.").types
        ('hedging',)
    """
    detector = DriftDetector(config)
    detector.feed(text)
    detector.finish()
    return detector.check("", "")
