"""One call of one factory, and what it is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

import msgspec

from l0.events import Clock, Event, Payload, State, Usage
from l0.stream._overlap import OverlapMatcher
from l0.stream._source import Source

NEVER = sys.maxsize  # a token count that none reaches; whole, as the loop compares whole numbers


class AttemptInfo(msgspec.Struct, frozen=True):
    """What a factory may want to know of the attempt it is called for.

    `attempt` counts from 1 on the present stream; `checkpoint` is the text to go on from (empty:
    start afresh), `prompt` what `build_continuation_prompt` made of it, `errors` the failures so
    far; `clock` is the run's own, for factories that wait, and `stream_id` is the run's.
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
    stream_id: str = ""


_current: ContextVar[AttemptInfo | None] = ContextVar("l0_attempt", default=None)


def current_attempt() -> AttemptInfo | None:
    """The attempt a factory without a parameter is being called for; None outside of one.

    It is known to the factory and, up to its first item, to the source that the factory made.

    Example:
        >>> import asyncio, l0
        >>> def model():
        ...     return [f"This is try {current_attempt().attempt}."]
        >>> asyncio.run(l0.run(model).read())
        'This is try 1.'
        >>> current_attempt() is None
        True
    """
    return _current.get()


_caller: ContextVar[tuple[AttemptInfo | None, str] | None] = ContextVar("l0_caller", default=None)


def enter_call(stream_id: str) -> Token[tuple[AttemptInfo | None, str] | None]:
    """Runs begun in this context from now on were started in the call of this id."""
    return _caller.set((_current.get(), stream_id))


@contextmanager
def started_in(stream_id: str) -> Iterator[None]:
    """Runs begun in this block were started in the call of this id; for blocks without `yield`."""
    token = enter_call(stream_id)
    try:
        yield
    finally:
        _caller.reset(token)


def parent_id() -> str | None:
    """The id of the run or call that a run begun now is part of: the innermost one."""
    attempt, caller = _current.get(), _caller.get()
    if caller is not None and caller[0] is attempt:  # no attempt was entered since
        return caller[1]
    return attempt.stream_id if attempt is not None else None


class _Nothing:
    """No chunk is of this class."""


class Attempt(msgspec.Struct, eq=False):
    """What the runtime keeps of the attempt that is on."""

    number: int
    fallback_index: int
    started: float  # monotonic
    feed: Callable[[Any], Any]
    source: Source | None = None
    decoder: Any = None
    direct: type = _Nothing  # chunks of this class are text as they are
    plain: bool = False  # text goes straight to the consumer: nothing is matched or held
    tool_calls: Sequence[Event] = ()
    alive: bool = False  # the model has shown a sign of life
    events: int = 0
    first_token: float | None = None
    tokens_before: int = 0  # what stood when the attempt began
    chars_before: int = 0
    tokens_from: int = 0  # what stood when the response began, of which it may be a part
    chars_from: int = 0
    position: Any = None  # of the response that the provider goes on with
    adapter: Any = None
    due: int = 0  # the token count at which there is something to do besides handing it over
    next_check: int = NEVER  # the token count at which the next check is due
    engine: Any = None
    gaps: bool = False  # a rule judges how long the upstream is waited for
    drift: Any = None
    # What is told of rules that find nothing.
    quiet: tuple[dict[int, tuple[int, str]], list[Payload]] | None = None
    next_guardrails: int = NEVER
    next_drift: int = NEVER
    next_checkpoint: int = NEVER
    fed_guardrails: int = 0  # how many parts of the text each check has seen
    fed_drift: int = 0
    matcher: OverlapMatcher | None = None
    matching_since: float = 0.0
    resumed_from: int | None = None
    resume_open: bool = False
    continuation_open: bool = False
    dedup_open: bool = False
    complete: Event | None = None
    delivered_data: bool = False
    delivered_messages: bool = False
    raw: list[Any] | None = None
    finalizing: float | None = None
    usage_told: bool = False
    calls_out: bool = False  # the buffered tool calls are being handed over
    _scope: Token[AttemptInfo | None] | None = None

    def enter_scope(self, info: AttemptInfo) -> None:
        """From now on `current_attempt()` gives this one."""
        self._scope = _current.set(info)

    def leave_scope(self) -> None:
        """The first item has come, or none will: the consumer's own code may run next."""
        scope, self._scope = self._scope, None
        if scope is not None:
            try:
                _current.reset(scope)
            except ValueError:  # entered in the context of another task, which has its own
                return

    @property
    def usage(self) -> Usage | None:
        """What the provider reported so far."""
        return getattr(self.decoder, "usage", None)
