"""What a view draws: one run's events, its text, what was withdrawn of it, and how it stands.

The live widget, the static page, the plain text and the frames all read the same `Story`, whether
its events come from a stream that runs, from a store, from a replay or from a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from l0.events import (
    CheckpointSavedPayload,
    ObservabilityEvent,
    Record,
    RestartPayload,
    State,
    StreamInitPayload,
    catalog,
    fold,
)
from l0.notebook._picture import Picture
from l0.notebook._rows import Row, clean, merge, row_of

if TYPE_CHECKING:
    from l0.stream import Stream

STATUSES: Final = {
    "completed": "complete",
    "failed": "failed",
    "aborted": "aborted",
    "cancelled": "aborted",
}
"""How a view names the outcome of a run."""

_NEXT: Final = {
    "TOKENS": "streaming",
    "STREAM_EVENT": "streaming",
    "RETRY_ATTEMPT": "retrying",
    "FALLBACK_START": "fallback",
    "ABORT_REQUESTED": "stopping",
}

Listener = Callable[[ObservabilityEvent, Row], Any]


class Story:
    """One run as its views see it; grows while the run is on.

    Args:
        stream_id: the run.
        model: the name shown; else the one that the record tells.
        fallbacks: the names of the models that are asked when it fails, in order.
        format: how the answer is drawn: markdown, text, json or code.
        notes: lines that stand above the answer.
        live: whether more may come; a record without an end is unfinished.

    Example:
        >>> from l0.events import EventBus, TokensPayload
        >>> story, bus = Story(live=True), EventBus(stream_id="demo")
        >>> end = bus.subscribe(story, story.types)
        >>> bus.emit("SESSION_START", options={})
        >>> bus.emit(TokensPayload(0, ["Hel", "lo"], [0, 900]))
        >>> story.text, story.status, len(story.rows)
        ('Hello', 'streaming', 2)
    """

    found_only = True
    """Read by the bus: checks that find nothing may stay silent."""

    def __init__(
        self,
        *,
        stream_id: str | None = None,
        model: str | None = None,
        fallbacks: Sequence[str] = (),
        format: str = "markdown",
        notes: Sequence[str] = (),
        live: bool = False,
    ) -> None:
        self.stream_id = stream_id
        self.model = model
        self.fallbacks = tuple(fallbacks)
        self.format = format
        self.notes = list(notes)
        self.live = live
        self.state = State()
        self.events: list[ObservabilityEvent] = []
        self.rows: list[Row] = []
        self.fallen: list[str] = []
        """The texts that were withdrawn, in order."""
        self.prices: Any = None
        """What tokens cost, where it is not what `set_prices` said."""
        self.facts: dict[str, Any] = {}
        """What else its views are told: of data that was asked for, its fields and its value."""
        self.outcome: str | None = None
        self.error: dict[str, str] | None = None
        """Type, message and perhaps a hint of what ended the run."""
        self.started_ms: float | None = None
        """Unix milliseconds of the first event."""
        self._named: dict[int, str] = {}
        self._status = "waiting"
        self._listeners: list[Listener] = []

    @property
    def types(self) -> tuple[str, ...]:
        """The event types it takes as a handler: all of the catalog but TOKEN."""
        return tuple(type_ for type_ in catalog() if type_ != "TOKEN")

    def __call__(self, event: ObservabilityEvent) -> None:
        self.add(event)

    def add(self, event: ObservabilityEvent) -> None:
        """One more event of the run."""
        payload, state = event.payload, self.state
        if type(payload) is CheckpointSavedPayload and payload.token_count > state.token_count:
            return  # of tokens still to come in a batch, which has a mark for it
        if self.started_ms is None:
            self.started_ms = event.ts
            self.stream_id = self.stream_id or event.stream_id
            self._read_meta(event)
        if type(payload) is StreamInitPayload and payload.model is not None:
            self._named[payload.fallback_index] = payload.model
        if type(payload) is RestartPayload and payload.discarded_chars:
            self.fallen.append(state.content[payload.kept_chars :])
        fold(state, payload, event.ts)
        self.events.append(event)
        self._move(event)
        row = row_of(event, self.started_ms)
        if row is not None:
            merge(self.rows, row)
            if type(payload) is RestartPayload and payload.discarded_chars:
                # For whoever joins later; those who are here cut it off themselves.
                self.rows[-1] = [*row[:2], {**row[2], "text": clean(self.fallen[-1])}]
            for listener in self._listeners:
                listener(event, row)

    def listen(self, listener: Listener) -> None:
        """Call `listener` with each event to come, and its row."""
        self._listeners.append(listener)

    def _move(self, event: ObservabilityEvent) -> None:
        if event.type == "SESSION_END":
            self.outcome = str(event.payload.outcome)
            self.live = False
            if self.outcome == "failed" and self.error is None:
                self.error = self._recorded_error()
        elif self._status != "stopping":
            self._status = _NEXT.get(event.type, self._status)

    def _read_meta(self, event: ObservabilityEvent) -> None:
        model = event.meta.get("model")
        if self.model is None and isinstance(model, str):
            self.model = model

    def _recorded_error(self) -> dict[str, str]:
        told = {"type": "failed", "message": ""}
        for row in self.rows:
            if row[0] == "ERROR":
                told = {"type": row[2]["error_type"], "message": row[2]["error"]}
            elif row[0] == "SESSION_SUMMARY" and row[2].get("error"):
                told["message"] = row[2]["error"]
        return told

    # --- how it stands ---

    @property
    def text(self) -> str:
        """The text that stands."""
        return self.state.content

    @property
    def answers(self) -> str | None:
        """The name of the model that answers, or did so last; None where it is not known."""
        at = self.state.fallback_index
        return self.asked(at) or self.state.model

    @property
    def models(self) -> list[str | None]:
        """The names of the models of its chain, the first one first, as far as they are known."""
        return [self.asked(at) for at in range(max(len(self.fallbacks), *self._named, 0) + 1)]

    def asked(self, fallback: int) -> str | None:
        """The name of a model of the chain, the first one 0, as it was told or recorded."""
        told = (self.model, *self.fallbacks)[fallback : fallback + 1]
        return next(filter(None, (*told, self._named.get(fallback))), None)

    @property
    def status(self) -> str:
        """In a word of the views: waiting, streaming, retrying, fallback, stopping, or an end."""
        if self.outcome is not None:
            return STATUSES.get(self.outcome, self.outcome)
        return self._status if self.live else "unfinished"

    def picture(self) -> Picture:
        """Attempts, what befell them, and what was withdrawn."""
        return Picture.of(self.rows, self.fallen)

    # --- where it comes from ---

    def follow(self, stream: Stream) -> None:
        """Collect what a stream tells from now on; of what was before, its state is known."""
        self.stream_id = stream.stream_id
        if stream.state.started_at is not None:
            self._catch_up(stream)
        if stream.outcome is None:
            self.live = True
            stream.subscribe(self, self.types)

    def _catch_up(self, stream: Stream) -> None:
        """The events so far are gone: what the state tells of them is drawn instead."""
        self.state = state = stream.state.snapshot()
        self.outcome = stream.outcome
        begun = state.started_at or 0.0
        self.started_ms = begun * 1000
        where = {"attempt": state.attempt, "fallback_index": state.fallback_index}
        self.rows.append(["STREAM_INIT", 0.0, where])
        if state.token_count:
            first = (state.first_token_at or begun) - begun
            spent = max(0.0, (state.last_token_at or begun) - begun - first)
            told = {"start": 0, "count": state.token_count, "duration_ms": spent * 1000}
            self.rows.append(["TOKENS", first * 1000, told])
            self._status = "streaming"
        if stream.outcome is None:
            if state.token_count:
                self.notes.append("seen from here on; of what came before the text is known")
        elif state.duration is not None:
            over = {"outcome": stream.outcome, "duration_ms": state.duration * 1000}
            self.rows.append(["SESSION_END", state.duration * 1000, over])

    @classmethod
    def of_stream(cls, stream: Stream, **known: Any) -> Story:
        """What a stream's state tells now; nothing is collected from then on."""
        story = cls(stream_id=stream.stream_id, live=stream.outcome is None, **known)
        if stream.state.started_at is not None:
            story._catch_up(stream)
        error = stream.error
        if stream.outcome == "failed" and error is not None:
            from l0.notebook._failure import without_keys

            story.error = {"type": type(error).__name__, "message": without_keys(str(error))}
        return story

    @classmethod
    def of_events(
        cls, events: Iterable[ObservabilityEvent | Record], *, live: bool = False, **known: Any
    ) -> Story:
        """The story that events or records tell; those of one run, in their order."""
        story = cls(live=live, **known)
        for event in events:
            story.add(event.event if isinstance(event, Record) else event)
        story.state.settle()
        return story
