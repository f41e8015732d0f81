"""Tokens gathered into TOKENS events for the log and the views: 64 of them, or 50 ms."""

from __future__ import annotations

from typing import Final

from l0.events import Event, EventBus, TimerHandle, TokenNote, TokensPayload

SIZE = 64
SECONDS = 0.05


class TokenBatch:
    """Gathers tokens while somebody listens to TOKENS; `on` says whether anybody does."""

    __slots__ = ("_bus", "_marks", "_notes", "_start", "_texts", "_timer", "_times", "on")

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._texts: list[str] = []
        self._times: list[float] = []
        self._marks: list[int] = []
        self._notes: list[TokenNote] = []
        self._start = 0
        self._timer: TimerHandle | None = None
        self.on = False

    def listeners_changed(self) -> None:
        """Ask again whether anybody listens to TOKENS."""
        self.on = self._bus.wants(TokensPayload.type)

    def add(self, text: str, now: float, index: int) -> None:
        """One token that was accepted at the monotonic time `now`, the `index`-th of the text."""
        if len(self._texts) >= SIZE:  # not before the next one: a mark may still follow the last
            self.flush()
        texts = self._texts
        if not texts:
            self._start = index
            self._timer = self._bus.clock.call_at(now + SECONDS, self.flush)
        texts.append(text)
        self._times.append(now)

    def note(self, event: Event, index: int) -> None:
        """What comes with the `index`-th token beside its text; told before the token is added."""
        if event.data is not None or event.timestamp is not None:
            self._notes.append(TokenNote(index, event.data, event.timestamp))

    def mark(self) -> None:
        """A checkpoint lies behind the last token."""
        if self._texts:
            self._marks.append(self._start + len(self._texts) - 1)

    def flush(self) -> None:
        """Emit what was gathered; called before any other record, so that their order is exact."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._texts:
            since, offsets = self._bus.us_of(self._times)
            notes = self._notes and self._notes_until(self._start + len(self._texts))
            payload = TokensPayload(self._start, self._texts, offsets, self._marks, notes)
            self._texts, self._times, self._marks = [], [], []
            self._bus.emit(payload, since / 1000)

    def _notes_until(self, end: int) -> list[TokenNote]:
        """The notes of the tokens before this one; the others wait for theirs."""
        notes = [note for note in self._notes if note.index < end]
        self._notes = [note for note in self._notes if note.index >= end]
        return notes


SILENT: Final = TokenBatch(EventBus(stream_id="-"))
"""That of all runs that nobody listens to."""
