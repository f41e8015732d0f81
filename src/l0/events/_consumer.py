"""What the consumer of a recorded run was handed, made again from its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from l0.events._event import Event, EventType, TokenNote
from l0.events._fold import fold
from l0.events._payloads import (
    CompletePayload,
    DriftCheckResultPayload,
    ErrorPayload,
    GuardrailPhaseEndPayload,
    RestartPayload,
    SessionStartPayload,
    StreamEventPayload,
    StreamFinishedPayload,
    StreamInitPayload,
    TokensPayload,
)
from l0.events._record import Record, damaged
from l0.events._state import State

_JUDGED = frozenset({"GUARDRAIL_VIOLATION", "FATAL_GUARDRAIL_VIOLATION", "DRIFT_DETECTED"})

Handed = tuple[float, Event | None]
"""When (Unix milliseconds), and what was handed over; None where only the state moved on."""


class Consumer:
    """Follows a run record by record: keeps its state, and gives what its consumer got."""

    def __init__(self, withheld: frozenset[int] = frozenset()) -> None:
        self.state = State()
        self._withheld = withheld
        self._validated = False
        self._buffered = False
        self._held: list[Event] = []  # until the attempt has passed its checks
        self._tool_calls: list[Event] = []  # until the attempt is over, where they are buffered
        self._finished = False  # the source has ended: nothing is buffered any more
        self._continues = False  # the next attempt goes on with the same response

    def follow(self, record: Record) -> Iterator[Handed]:
        """Fold one record; gives each hand-over as soon as the state stands where it stood then.

        Raises:
            StoreError: the record is damaged.
        """
        try:
            yield from self._follow(record)
        except (ValueError, TypeError, OverflowError) as error:  # as no run has written it
            raise damaged(record.seq, record.stream_id, error) from error

    def _follow(self, record: Record) -> Iterator[Handed]:
        payload, ts = record.payload, record.ts
        if isinstance(payload, TokensPayload):
            yield from self._tokens(record, payload)
            return
        if isinstance(payload, StreamFinishedPayload):  # told right after they were handed over
            for event in sorted(self._tool_calls, key=_index):
                yield from self._hand(ts, event)
            self._tool_calls.clear()
            self._finished = True
        fold(self.state, payload, ts)
        match payload:
            case SessionStartPayload():
                self._validated = payload.options.get("deliver") == "validated"
                self._buffered = bool(payload.options.get("buffer_tool_calls"))
            case StreamInitPayload():
                if not self._continues:
                    self._tool_calls.clear()
                self._continues = self._finished = False
            case StreamEventPayload():
                yield from self._event(ts, payload.event)
            case RestartPayload():
                yield from self._restart(ts, payload)
            case CompletePayload():
                for event in self._held:
                    yield ts, event
                self._held.clear()
                yield ts, self._complete()

    def _tokens(self, record: Record, payload: TokensPayload) -> Iterator[Handed]:
        base, marks = round(record.ts * 1000), set(payload.checkpoints)
        notes = {note.index: note for note in payload.notes}
        last = payload.start + len(payload.texts) - 1 if record.seq in self._withheld else -1
        tokens = zip(payload.texts, payload.offsets_us, strict=True)
        for index, (text, offset) in enumerate(tokens, payload.start):
            at = self.state.content_length
            mark = [index] if index in marks else []
            us = base + offset
            fold(self.state, TokensPayload(index, [text], [0], mark), us / 1000)
            if index == last:
                yield us / 1000, None
            else:
                event = token_event(text, at, notes.get(index))
                yield from self._hand(us / 1000, event)

    def _event(self, ts: float, event: Event) -> Iterator[Handed]:
        if self._buffered and not self._finished and event.type is EventType.TOOL_CALL:
            self._tool_calls.append(event)
        else:
            yield from self._hand(ts, event)

    def _hand(self, ts: float, event: Event) -> Iterator[Handed]:
        if self._validated and event.type is not EventType.PROGRESS:
            self._held.append(event)
            yield ts, None
        else:
            yield ts, event

    def _restart(self, ts: float, payload: RestartPayload) -> Iterator[Handed]:
        self._continues = payload.continues
        if payload.continues:
            return
        self._held = _still_standing(self._held, payload.kept_chars)
        self._tool_calls.clear()
        if payload.delivered:
            kept, tokens, reason = payload.kept_chars, payload.kept_tokens, payload.reason
            yield (
                ts,
                Event(EventType.RESTART, kept_chars=kept, kept_tokens=tokens, reason=reason),
            )

    def _complete(self) -> Event:
        state = self.state
        return Event(EventType.COMPLETE, usage=state.usage, finish_reason=state.finish_reason)


def find_withheld(records: Sequence[Record]) -> frozenset[int]:
    """The `seq` of each TOKENS whose last token failed its check, and so was not handed over."""
    found: set[int] = set()
    last: int | None = None
    judged = acted = False
    for record in records:
        match record.type:
            case "TOKENS":
                last, judged, acted = record.seq, False, False
            case "STREAM_INIT" | "STREAM_FINISHED":
                last, judged, acted = None, False, False
            case "GUARDRAIL_PHASE_END":
                end = record.payload
                if isinstance(end, GuardrailPhaseEndPayload) and end.phase == "streaming":
                    judged = judged or not end.passed
                    acted = acted or end.should_retry or end.should_halt
            case "DRIFT_CHECK_RESULT":
                result = record.payload
                judged = judged or (isinstance(result, DriftCheckResultPayload) and result.detected)
            case "ERROR" if judged and last is not None:
                error = record.payload
                if isinstance(error, ErrorPayload) and error.error_code in _JUDGED:
                    found.add(last)
                last, judged, acted = None, False, False
    if acted and last is not None:  # the record ends before it says that the attempt failed
        found.add(last)
    return frozenset(found)


def _still_standing(held: list[Event], kept_chars: int) -> list[Event]:
    """The held tokens of the text that stands, the last one shortened at the cut."""
    standing = []
    for event in held:
        if event.type is EventType.TOKEN and event.text is not None and event.start is not None:
            text = event.text[: max(0, kept_chars - event.start)]
            if text:
                standing.append(msgspec.structs.replace(event, text=text))
    return standing


def token_event(text: str, start: int | None, note: TokenNote | None) -> Event:
    """A token as it was handed over, with what came beside its text."""
    if note is None:
        return Event(EventType.TOKEN, text, start)
    return Event(EventType.TOKEN, text, start, note.data, timestamp=note.timestamp)


def _index(event: Event) -> int:
    return 0 if event.tool_call is None else event.tool_call.index
