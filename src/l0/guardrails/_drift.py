"""Notices that an answer drifts: into commentary, circles, noise, another tone or format."""

from __future__ import annotations

from typing import Final

from l0.guardrails._drift_blocks import BLOCK, BlockWatch
from l0.guardrails._drift_config import CONFIDENCE, DriftConfig, DriftResult
from l0.guardrails._drift_format import FirstLineWatch, TemplateWatch
from l0.guardrails._drift_json import JsonGate
from l0.guardrails._fence import OPEN, PROSE, FenceSplitter, Piece
from l0.guardrails._patience import patience, pause
from l0.guardrails._patterns import phrase_set
from l0.guardrails._phrases import PhraseMatch, PhraseScanner

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
# The beginning is judged as it comes, since that costs least to throw away. Later text is held
# until it is a block, or goes in circles: to begin a look costs as much as 200 characters of it.
_BEGINNING, _SOON = 1000, 25
_CIRCLE = 32  # characters at the end of held text that stand in it twice
_LEAST = 42  # a text with fewer characters to judge has no block that could drift


_DEFAULT: Final = DriftConfig()
_NOTHING: Final = DriftResult(detected=False, confidence=0.0)


class DriftDetector:
    """Judges one attempt's text as it grows; each kind of drift is given once.

    Fenced code and text that claims to be JSON are looked at for chat templates only.

    Args:
        config: What counts as drift; None is the default.

    Raises:
        TypeError: `config` is something else.

    Example:
        >>> detector = DriftDetector()
        >>> detector.feed("As an AI language model, I was asked to write about boats.").types
        ('meta_commentary',)
    """

    __slots__ = (
        "_block",
        "_blocks",
        "_checks",
        "_fences",
        "_first_line",
        "_found",
        "_gate",
        "_held",
        "_hits",
        "_length",
        "_mean",
        "_new",
        "_next",
        "_phrases",
        "_templates",
        "config",
        "wanted_at",
    )

    def __init__(self, config: DriftConfig | None = None) -> None:
        if config is not None and not isinstance(config, DriftConfig):
            raise TypeError(f"config: give a DriftConfig, or None for the default, not {config!r}")
        self.config = config or _DEFAULT
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new attempt begins."""
        config = self.config
        self._checks = 0
        self._hits: tuple[tuple[int, DriftResult], ...] = ()  # by the number of the check
        self._mean = 0.0  # bits a character, rounded
        self._found: dict[str, str] = {}
        self._new: dict[str, str] = {}
        self._length = 0
        self._held = ""  # not judged yet
        self._next = _SOON  # the length at which it is
        self.wanted_at = 0
        """It need not be fed before the text is so long, though it may be."""
        self._gate: JsonGate | None = JsonGate()
        self._fences = FenceSplitter()
        self._block = ""  # judged text, until it is a block
        self._blocks: BlockWatch | None = None  # made when there is a block
        self._templates = TemplateWatch() if config.detect_format_collapse else None
        self._first_line = FirstLineWatch() if config.detect_hedging else None
        self._phrases = (
            PhraseScanner(phrase_set(_PHRASES)) if config.detect_meta_commentary else None
        )

    def fresh(self) -> DriftDetector:
        """A detector of the same configuration that has seen nothing."""
        return DriftDetector(self.config)

    def prime(self, kept_text: str) -> None:
        """Begin a resumed attempt: read the kept text; what is found there is old."""
        self._take(kept_text)
        self._judge_held()
        self._new.clear()

    def feed(self, text: str) -> DriftResult:
        """Judge all text since the last feed; gives the kinds of drift newly found."""
        self._take(text)
        if self._new:
            return self._result()
        self._checks += 1
        return _NOTHING

    def finish(self) -> DriftResult:
        """Judge the text as complete; gives the kinds of drift newly found."""
        self._judge_held()
        self._take_pieces(self._fences.finish(self._length))
        if self._blocks or len(self._block) >= _LEAST:
            blocks = self._watch()
            self._take_block(blocks)
            for kind, detail in blocks.finish().items():
                self._hit(kind, detail)
        if self._phrases:
            self._commentary(self._phrases.flush())
        if self._first_line:
            self._filler(self._first_line, "", ended=True)
        return self._result()

    def check(self, content: str, delta: str | None = None) -> DriftResult:
        """Judge a text that grows from call to call; gives all the drift found so far.

        `delta` is what is new; None: what `content` has more than was seen.
        """
        self.feed(content[self._length :] if delta is None else delta)
        return _result_of(self._found)

    @property
    def history(self) -> tuple[DriftResult, ...]:
        """The results of the last 100 checks."""
        found, first = dict(self._hits), max(0, self._checks - _HISTORY)
        return tuple(found.get(number, _NOTHING) for number in range(first, self._checks))

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured so far: `length` in characters, `entropy_mean` in bits a character."""
        return {"length": float(self._length), "entropy_mean": self._mean}

    def _result(self) -> DriftResult:
        result = _NOTHING
        if self._new:
            result = _result_of(self._new)
            self._found.update(self._new)
            self._new = {}
            self._hits += ((self._checks, result),)
        self._checks += 1
        return result

    def _hit(self, kind: str, detail: str) -> None:
        if kind not in self._found:
            self._new.setdefault(kind, detail)

    def _take(self, text: str) -> None:
        self._length = length = self._length + len(text)
        templates = self._templates
        if (
            templates is not None
            and (templates.awake or "<" in text or "[" in text or "#" in text)
            and (marker := templates.feed(text))
        ):
            self._hit("format_collapse", f"{marker} in the answer")
        held = self._held = self._held + text
        if length >= self._next or held.rfind(held[-_CIRCLE:], 0, -1) >= 0:
            self._judge_held()
        self.wanted_at = length + pause(length) if length >= _BEGINNING else 0

    def _judge_held(self) -> None:
        text, self._held = self._held, ""
        start = self._length - len(text)
        step = _SOON if self._length < _BEGINNING else patience(self._length)
        self._next = self._length - self._length % step + step
        if self._gate is not None:
            text, start = self._let_through(self._gate, text, start)
        if not text:
            return
        if self._fences.is_prose(text):
            self._take_prose(text, start)
        else:
            self._take_pieces(self._fences.feed(text, start))
        if len(self._block) >= BLOCK:
            self._take_block(self._watch())

    def _let_through(self, gate: JsonGate, text: str, start: int) -> tuple[str, int]:
        if gate.shut:
            return "", start
        text, start = gate.feed(text, start)
        if gate.passes:
            self._gate = None
            if gate.after_json:
                self._first_line = None
        return text, start

    def _take_pieces(self, pieces: list[Piece]) -> None:
        for kind, start, text in pieces:
            if kind == PROSE:
                self._take_prose(text, start)
            elif kind == OPEN:
                self._first_line = None
                if self._phrases:
                    self._commentary(self._phrases.flush())
                self._watch().fence(len(self._block))

    def _take_prose(self, text: str, start: int) -> None:
        if self._phrases and (found := self._phrases.feed(text, start)):
            self._commentary(found)
        if self._first_line:
            self._filler(self._first_line, text)
        self._block += text

    def _watch(self) -> BlockWatch:
        if self._blocks is None:
            self._blocks = BlockWatch(self.config)
        return self._blocks

    def _take_block(self, blocks: BlockWatch) -> None:
        text, self._block = self._block, ""
        drifts = blocks.feed(text)
        self._mean = round(blocks.entropy_mean, 3)
        if drifts:
            for kind, detail in drifts.items():
                self._hit(kind, detail)

    def _commentary(self, found: list[PhraseMatch] | None) -> None:
        if found:
            self._hit("meta_commentary", found[0].phrase)

    def _filler(self, line: FirstLineWatch, text: str, *, ended: bool = False) -> None:
        if words := line.feed(text, ended=ended):
            self._hit("hedging", words)
        if not line.open:
            self._first_line = None


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
