"""What one run owns: its state, its clock, its listeners, where in the chain it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from l0.events import (
    SYSTEM_CLOCK,
    Event,
    EventBus,
    EventType,
    NetworkErrorPayload,
    Payload,
    RestartPayload,
    RuntimeState,
    SessionStartPayload,
    State,
    TokenPayload,
    fold,
)
from l0.events._fold import FOLDS
from l0.monitoring import Monitor
from l0.stream._attempt import Attempt, parent_id
from l0.stream._batch import SILENT, TokenBatch
from l0.stream._decide import Ledger
from l0.stream._options import Options
from l0.stream._stagger import Stagger
from l0.stream._watchdog import Watchdog

# The payloads whose time becomes part of the state; the others' is only for listeners.
_TIMED = {SessionStartPayload, NetworkErrorPayload}


class Run:
    """One use of `run`: all that is remembered of it; defaults stand on the class."""

    held: list[Event] | tuple[()] = ()  # until the attempt has passed its checks
    batch = SILENT  # until somebody listens
    recorder: Any = None
    monitor: Monitor | None = None
    attempts = 0  # over the whole run
    attempt: Attempt | None = None
    started = False
    ended = False
    gone = False  # the generator has ended: nothing more will be handed over
    outcome: str | None = None
    error: BaseException | None = None
    began = 0.0  # monotonic
    retry_open = False
    fallback_open = False
    dropped_at: float | None = None  # when the first of a row of network failures came
    dropped_mid = False
    network_failures = 0
    unshown = 0  # characters accepted but not handed over
    delivered_other = False  # data, messages, tool calls were handed over
    abort_reason: str | None = None
    ending: asyncio.Future[None] | None = None  # the clean-up of an abort, under way
    raw: list[Any] | None = None
    ambient: BaseException | None = None  # what the consumer is handling meanwhile
    asked = 0  # how many interceptors were asked before the run
    cached: Any = None  # the CachedResult that is used instead of the next attempt
    resuming: Any = None  # the Resume that the next attempt goes on from
    stagger: Stagger | None = None  # what gave the run its turn, until it ends
    turn = 0  # so many tokens earlier are its first checks than those of a run alone

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = options.clock or SYSTEM_CLOCK
        self.random: Callable[[], float] = options.random or random.random
        self.bus = bus = EventBus(
            options.on_event, options.meta, clock=self.clock, stream_id=options.stream_id
        )
        self.state = State()
        self.state._times = self
        self.watch = Watchdog(self.clock)
        self.callbacks = options.callbacks
        self.per_token = options.callbacks.per_token or options.token_events
        bus.on_change(self._attend)
        if bus.active:
            self._attend()
        self.ledger = Ledger()  # the retries of the present stream
        self.errors: list[Exception] = []
        self.waiters: list[asyncio.Future[None]] = []  # who wait for the end

    # --- telling ---

    def tell(self, payload: Payload) -> None:
        """Something happened: fold it into the state and hand it to whoever listens."""
        bus, kind = self.bus, payload.__class__
        if not bus.active:
            apply = FOLDS.get(kind)
            if apply is not None:
                apply(self.state, payload, bus.now() if kind in _TIMED else 0.0)
            return
        self.batch.flush()
        ts = bus.now()
        fold(self.state, payload, ts)
        bus.emit(payload, ts)

    def call(self, callback: Callable[..., Any] | None, *args: Any) -> None:
        """Call one of the caller's callbacks, if it is given."""
        if callback is not None:
            self.bus.call(callback, *args)

    def since(self, monotonic: float) -> float:
        """Milliseconds since a reading of the clock."""
        return (self.clock.monotonic() - monotonic) * 1000

    def _attend(self) -> None:
        if self.batch is SILENT:
            self.batch = TokenBatch(self.bus)
        self.batch.listeners_changed()
        if self.attempt is not None:
            self.attempt.due = 0  # a listener came: it may want every token

    def stamp(self) -> float:
        """A token came now, by the monotonic clock."""
        now: float = self.clock.monotonic()
        self.state._last_mono = now
        self.state._exact_mono = now if self.batch.on else None
        return now

    def us(self, monotonic: float) -> int:
        """Unix microseconds of a reading of the clock."""
        return self.bus.us(monotonic)

    def held_since(self) -> float | None:
        """When the consumer took the token it holds; None if its time is noted, or it has ended."""
        # The loop notes a token's time when it goes back to wait, unless a listener wants it
        # exactly; while the consumer holds the token, the first look at the state is its time.
        if self.watch.task is None and not self.batch.on and not self.ended:
            return self.clock.monotonic()
        return None

    def first_token(self, now: float) -> None:
        """The attempt's first text came at the monotonic time `now`."""
        state = self.state
        if self.attempt is not None:
            self.attempt.first_token = now
        state.phase = RuntimeState.STREAMING
        if state._first_us is None:
            state._first_us = self.bus.us(now)

    def tell_token(self, text: str, index: int) -> None:
        """A TOKEN event; not a record of its own, so the batch stays open."""
        if self.bus.active:
            self.bus.emit(TokenPayload(text, index))

    def cut(self, kept_chars: int, reason: str, *, continues: bool = False) -> Event | None:
        """Only the first `kept_chars` characters still stand; gives the consumer's restart event.

        None: nothing that was handed over falls away, so the consumer need not know. With
        `continues` what came beside the text stands, too.
        """
        state = self.state
        standing, falls = _first(state._parts, kept_chars), state.content_length > kept_chars
        shown = state.content_length - self.unshown
        live = not self.validated
        delivered = live and not continues and (shown > kept_chars or self.delivered_other)
        self.tell(
            RestartPayload(
                kept_chars,
                len(standing),
                max(0, state.content_length - kept_chars),
                reason,
                state.attempt,
                state.fallback_index,
                delivered,
                continues,
            )
        )
        if continues:
            return None
        if falls:  # the state keeps what stands as one piece; here its tokens are told apart
            state._parts[:] = standing
            state._joined_parts, state._base = len(standing), 0
        if self.attempt is not None:
            self.attempt.tokens_before = min(self.attempt.tokens_before, len(standing))
        self.held = _still_standing(self.held, kept_chars)
        self.unshown, self.delivered_other = 0, False
        if not delivered:
            return None
        return Event(
            EventType.RESTART,
            kept_chars=kept_chars,
            kept_tokens=state.token_count,
            reason=reason,
        )

    # --- handing over ---

    @property
    def validated(self) -> bool:
        """Whether an attempt's events are held back until it has passed its checks."""
        return self.options.deliver == "validated"

    def handed(self, event: Event) -> None:
        """Tell the per-event callbacks what the consumer is given at this moment."""
        callbacks = self.callbacks
        if not self.per_token and event.type is EventType.TOKEN:
            return
        match event.type:
            case EventType.TOKEN:
                self.call(callbacks.on_token, event.text)
            case EventType.TOOL_CALL if event.tool_call is not None:
                call = event.tool_call
                self.call(callbacks.on_tool_call, call.name, call.id, call.arguments)
            case EventType.RESTART:
                self.call(callbacks.on_restart, event.kept_chars, event.reason)
        if event.type not in {EventType.TOKEN, EventType.RESTART, EventType.COMPLETE}:
            self.delivered_other = True
        self.call(callbacks.on_event, event)

    # --- where it is ---

    @property
    def is_fallback(self) -> bool:
        """Whether another stream than the primary is in use."""
        return self.state.fallback_index > 0

    @property
    def chain(self) -> tuple[Any, ...]:
        """The stream, and what there is to fall back on."""
        return (self.options.stream, *self.options.fallbacks)

    @property
    def factory(self) -> Any:
        """The stream of the chain that is in use."""
        return self.chain[self.state.fallback_index]

    def start_payload(self) -> SessionStartPayload:
        """What a reader needs to understand the run; no callables, no secrets."""
        options = self.options
        if not self.bus.active:
            return SessionStartPayload({})  # nobody reads it
        retry, timeout, intervals = options.retry, options.timeout, options.check_intervals
        assert timeout is not None
        assert intervals is not None
        from l0._version import __version__

        described = {
            "deliver": options.deliver,
            "retry": {
                "attempts": retry.attempts,
                "max_retries": retry.max_retries,
                "base_delay": retry.base_delay,
                "max_delay": retry.max_delay,
                "backoff": str(retry.backoff),
            },
            "timeout": {
                "connect": timeout.connect,
                "initial_token": timeout.initial_token,
                "inter_token": timeout.inter_token,
                "total": timeout.total,
            },
            "check_intervals": {
                "guardrails": intervals.guardrails,
                "drift": intervals.drift,
                "checkpoint": intervals.checkpoint,
            },
            "continuation": options.continuation is not None,
            "fallbacks": len(options.fallbacks),
            "rules": [getattr(rule, "name", type(rule).__name__) for rule in options.guardrails],
            "drift": bool(options.drift),
            "adapter": _adapter_name(options.adapter),
            "buffer_tool_calls": options.buffer_tool_calls,
            "library_version": __version__,
        }
        return SessionStartPayload(described, parent_id=parent_id())


def _first(parts: list[str], kept_chars: int) -> list[str]:
    """The tokens of the first `kept_chars` characters, the last one shortened at the cut."""
    standing, length = [], 0
    for part in parts:
        if length >= kept_chars:
            break
        standing.append(part[: kept_chars - length])
        length += len(part)
    return standing


def _still_standing(held: Iterable[Event], kept_chars: int) -> list[Event]:
    """The held tokens of the text that stands, the last one shortened at the cut."""
    standing = []
    for event in held:
        if event.type is not EventType.TOKEN or event.start is None or event.text is None:
            continue
        text = event.text[: max(0, kept_chars - event.start)]
        if text:
            standing.append(msgspec.structs.replace(event, text=text))
    return standing


def _adapter_name(adapter: Any) -> str | None:
    if adapter is None or isinstance(adapter, str):
        return adapter
    return getattr(adapter, "name", type(adapter).__name__)
