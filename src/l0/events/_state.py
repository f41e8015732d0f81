"""What is true of a run so far: its text, its counts, its outcome."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, overload

from l0.events._event import (
    DataPayload,
    GuardrailViolation,
    NetworkErrorInfo,
    Progress,
    ToolCall,
    Usage,
)

T = TypeVar("T")


class RuntimeState(StrEnum):
    """Where a run is."""

    INIT = "init"
    WAITING_FOR_TOKEN = "waiting_for_token"
    STREAMING = "streaming"
    TOOL_CALL_DETECTED = "tool_call_detected"
    CONTINUATION_MATCHING = "continuation_matching"
    CHECKPOINT_VERIFYING = "checkpoint_verifying"
    RETRYING = "retrying"
    FALLBACK = "fallback"
    FINALIZING = "finalizing"
    COMPLETE = "complete"
    ERROR = "error"


class LazyList(Generic[T]):
    """A list that is made when it is first looked at: most of most runs stay empty.

    Ten thousand runs would else keep a hundred thousand of them, which the garbage collector visits
    again and again.
    """

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    @overload
    def __get__(self, owner: None, kind: type) -> LazyList[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> list[T]: ...
    def __get__(self, owner: object, kind: type) -> list[T] | LazyList[T]:
        if owner is None:
            return self
        made: list[T] | None = getattr(owner, self._name, None)
        if made is None:
            made = []
            setattr(owner, self._name, made)
        return made

    def __set__(self, owner: object, value: list[T]) -> None:
        setattr(owner, self._name, value)


class Timekeeper(Protocol):
    """The live run, which says when its tokens came."""

    def us(self, monotonic: float) -> int:
        """Unix microseconds of a reading of its clock."""

    def held_since(self) -> float | None:
        """The monotonic time since when the consumer has had the last token, if not known."""


class State:
    """One run, safe to read at any time; only the fold writes it.

    Text is kept as parts and joined when `content` is read. Times are Unix seconds, durations
    seconds, lengths code points.

    Example:
        >>> from l0.events import TokensPayload, fold
        >>> state = State()
        >>> fold(state, TokensPayload(start=0, texts=["Hel", "lo"], offsets_us=[0, 5]), 1000.0)
        >>> state.content, state.token_count
        ('Hello', 2)
    """

    __slots__ = (
        "_awaited",
        "_base",
        "_checkpoint_chars",
        "_checkpoint_tokens",
        "_data_outputs",
        "_exact_mono",
        "_first_us",
        "_joined",
        "_joined_parts",
        "_last_mono",
        "_last_us",
        "_looked_at",
        "_messages",
        "_network_errors",
        "_on_phase",
        "_parts",
        "_phase",
        "_started_us",
        "_times",
        "_tool_calls",
        "_violations",
        "aborted",
        "attempt",
        "completed",
        "content_length",
        "continuation_prompt",
        "continuation_used",
        "deduplication_applied",
        "drift_detected",
        "drift_types",
        "duration",
        "fallback_index",
        "finish_reason",
        "last_progress",
        "lost_tokens",
        "model",
        "model_retry_count",
        "network_retry_count",
        "overlap_removed",
        "raw_finish_reason",
        "response_id",
        "resume_from",
        "resume_point",
        "resumed",
        "usage",
    )

    violations = LazyList[GuardrailViolation]()
    network_errors = LazyList[NetworkErrorInfo]()
    data_outputs = LazyList[DataPayload]()
    tool_calls = LazyList[ToolCall]()

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._joined = ""
        self._joined_parts = 0
        self._times: Timekeeper | None = None  # while the run is live
        self._last_mono: float | None = None
        self._exact_mono: float | None = None  # the last token's own time, where it is recorded
        self._looked_at = 0
        self._awaited = True  # the attempt has given no token yet
        self._checkpoint_chars = 0
        self._checkpoint_tokens = 0
        self._started_us: int | None = None
        self._first_us: int | None = None
        self._last_us: int | None = None
        self.content_length = 0
        self._base = 0  # tokens that stand, less the parts the text is kept in
        self._messages = 0
        self.attempt = 1
        self.fallback_index = 0
        self.model_retry_count = 0
        self.network_retry_count = 0
        self.drift_detected = False
        self.drift_types: tuple[str, ...] = ()
        self.completed = False
        self.aborted = False
        self.duration: float | None = None
        self.resumed = False
        self.continuation_used = False
        self.resume_point: str | None = None
        self.resume_from: int | None = None
        self.continuation_prompt: str | None = None
        self.deduplication_applied = False
        self.overlap_removed: str | None = None
        self.last_progress: Progress | None = None
        self.usage = _NO_USAGE
        self.lost_tokens = 0
        self.finish_reason: str | None = None
        self.raw_finish_reason: str | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self._phase = RuntimeState.INIT
        self._on_phase: Callable[[RuntimeState], None] | None = None

    @property
    def phase(self) -> RuntimeState:
        """Where the run is."""
        return self._phase

    @phase.setter
    def phase(self, phase: RuntimeState) -> None:
        self._phase = phase
        if self._on_phase is not None:
            self._on_phase(phase)

    @property
    def content(self) -> str:
        """The text that stands now."""
        parts, joined = self._parts, self._joined_parts
        if joined < len(parts):
            new = parts[joined:] if joined else parts
            self._joined += "".join(new)
            self._joined_parts = len(parts)
        return self._joined

    @property
    def token_count(self) -> int:
        """The non-empty tokens of the text that stands."""
        return self._base + len(self._parts)

    @property
    def messages(self) -> int:
        """How many messages beside the answer the attempt that stands has sent."""
        return self._messages

    @property
    def checkpoint(self) -> str:
        """The last text known to be good; a prefix of `content`."""
        return self.content[: self._checkpoint_chars]

    @property
    def is_fallback(self) -> bool:
        """Whether another stream than the primary is in use."""
        return self.fallback_index > 0

    @property
    def retry_attempts(self) -> int:
        """Retries over the whole run, of every cause."""
        return self.model_retry_count + self.network_retry_count

    @property
    def started_at(self) -> float | None:
        """When the stream was first used."""
        return _seconds(self._started_us)

    @property
    def first_token_at(self) -> float | None:
        """When the first token of the text that stands came."""
        return _seconds(self._first_us)

    @property
    def last_token_at(self) -> float | None:
        """When the last token came."""
        return _seconds(self._last())

    def _last(self) -> int | None:
        times = self._times
        if times is None or self._last_mono is None:
            return self._last_us
        if self._exact_mono is not None:
            return times.us(self._exact_mono)
        held = times.held_since()
        if held is not None and self._looked_at != self.token_count:
            self._looked_at, self._last_mono = self.token_count, held
        return times.us(self._last_mono)

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds from first use to the first token of the text that stands."""
        if self._first_us is None or self._started_us is None:
            return None
        return (self._first_us - self._started_us) / 1e6

    def snapshot(self) -> State:
        """An independent copy of what is true now."""
        copy = State()
        for name in State.__slots__:
            value = getattr(self, name, None)
            setattr(copy, name, deepcopy(value) if isinstance(value, list | dict) else value)
        copy._last_us = self._last()
        copy._times = copy._on_phase = None
        return copy

    def __copy__(self) -> State:
        return self.snapshot()

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return self.snapshot()

    def to_dict(self) -> dict[str, Any]:
        """Every public fact by name."""
        return {name: getattr(self, name) for name in _FACTS}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"State(phase={self.phase.value!r}, content_length={self.content_length}, "
            f"token_count={self.token_count}, attempt={self.attempt}, "
            f"fallback_index={self.fallback_index}, completed={self.completed})"
        )

    def settle(self) -> None:
        """Keep the text once, joined, and let go of the run; called when it has ended."""
        self._last_us = self._last()
        self._times = None
        text, count = self.content, self.token_count
        self._parts[:] = [text] if text else []
        self._base = count - len(self._parts)
        self._joined_parts = len(self._parts)

    # --- what the fold and the live loop share ---

    def append(self, text: str, us: int) -> None:
        """Accept one non-empty token that came at `us` (Unix microseconds)."""
        self._parts.append(text)
        self.content_length += len(text)
        self._last_us = us
        if self._first_us is None:
            self._first_us = us

    def extend(self, texts: list[str], first_us: int, last_us: int, good: int = 0) -> None:
        """Accept a batch of tokens; a checkpoint lies behind the first `good` of them."""
        if good:
            self._checkpoint_chars = self.content_length + sum(map(len, texts[:good]))
            self._checkpoint_tokens = self.token_count + good
        self._parts += texts
        self.content_length += sum(map(len, texts))
        self._last_us = last_us
        if self._first_us is None:
            self._first_us = first_us

    def mark_checkpoint(self) -> None:
        """Everything so far is good."""
        self._checkpoint_chars = self.content_length
        self._checkpoint_tokens = self.token_count

    def cut(self, kept_chars: int, kept_tokens: int) -> None:
        """Only the first `kept_chars` characters still stand."""
        self.lost_tokens += max(0, self.token_count - kept_tokens)
        if kept_chars < self.content_length:
            self._joined = self.content[:kept_chars]
            self._parts[:] = [self._joined] if kept_chars else []  # the live loop holds the list
            self._joined_parts = len(self._parts)
            self.content_length = kept_chars
        self._base = kept_tokens - len(self._parts)
        if self._checkpoint_chars > kept_chars:
            self._checkpoint_chars, self._checkpoint_tokens = kept_chars, kept_tokens
        if not kept_chars:
            self._first_us = None


_FACTS = (
    *(name for name in State.__slots__ if not name.startswith("_")),
    *("violations", "network_errors", "data_outputs", "tool_calls"),
    *("phase", "content", "token_count", "checkpoint", "is_fallback", "retry_attempts"),
    *("started_at", "first_token_at", "last_token_at", "time_to_first_token"),
)


_NO_USAGE = Usage()


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6
