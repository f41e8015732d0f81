"""One call of one factory, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from l0.events import Clock, Event, State, Usage
from l0.stream._overlap import OverlapMatcher
from l0.stream._source import Source


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """What a factory may want to know of the attempt it is called for.

    `attempt` counts from 1 on the present stream; `checkpoint` is the text to go on from (empty:
    start afresh), `prompt` what `build_continuation_prompt` made of it, `errors` the failures so
    far; `clock` is the run's own, for factories that wait.
    """

    attempt: int
    fallback_index: int
    is_retry: bool
    is_fallback: bool
    checkpoint: str
    prompt: str | None
    state: State
    errors: tuple[Exception, ...]
    clock: Clock


_current: ContextVar[AttemptInfo | None] = ContextVar("l0_attempt", default=None)


def current_attempt() -> AttemptInfo | None:
    """The attempt a factory without a parameter is being called for; None outside of one."""
    return _current.get()


class _Nothing:
    """No chunk is of this class."""


@dataclass(slots=True, eq=False)
class Attempt:
    """What the runtime keeps of the attempt that is on."""

    number: int
    fallback_index: int
    started: float  # monotonic
    feed: Callable[[Any], Any]
    source: Source | None = None
    decoder: Any = None
    direct: type = _Nothing  # chunks of this class are text as they are
    plain: bool = False  # text goes straight to the consumer: nothing is matched or held
    alive: bool = False  # the model has shown a sign of life
    events: int = 0
    first_token: float | None = None
    tokens_before: int = 0  # what stood when the attempt began
    chars_before: int = 0
    due: float = 0  # the token count at which there is something to do besides handing it over
    next_check: float = 0  # the token count at which the next check is due
    engine: Any = None
    gaps: bool = False  # a rule judges how long the upstream is waited for
    drift: Any = None
    next_guardrails: float = 0
    next_drift: float = 0
    next_checkpoint: float = 0
    fed_guardrails: int = 0  # how many parts of the text each check has seen
    fed_drift: int = 0
    matcher: OverlapMatcher | None = None
    matching_since: float = 0.0
    resumed_from: int | None = None
    resume_open: bool = False
    continuation_open: bool = False
    dedup_open: bool = False
    complete: Event | None = None
    held: list[Event] | None = None  # deliver="validated": what waits for the verdict
    tool_calls: list[Event] = field(default_factory=list)
    delivered_data: bool = False
    delivered_messages: bool = False
    raw: list[Any] | None = None
    finalizing: float | None = None
    usage_told: bool = False

    @property
    def usage(self) -> Usage | None:
        """What the provider reported so far."""
        return getattr(self.decoder, "usage", None)
