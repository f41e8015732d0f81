"""From events to rows, one stream after its own order: leave out, redact, encode, chain.

It runs where the store writes, off the event loop where the store has a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from l0.events._bus import ObservabilityEvent
from l0.events._catalog import Payload, type_names
from l0.events._event import Event, EventType, TokenNote
from l0.events._payloads import (
    CheckpointSavedPayload,
    DeduplicationEndPayload,
    DriftCheckEndPayload,
    DriftCheckSkippedPayload,
    DriftCheckStartPayload,
    GuardrailPhaseEndPayload,
    GuardrailPhaseStartPayload,
    GuardrailRuleResultPayload,
    RestartPayload,
    ResumeStartPayload,
    StreamEventPayload,
    StreamFinishedPayload,
    TokenPayload,
    TokensPayload,
)
from l0.events._record import CHANGED, ZEROS, Row, chained
from l0.events._redact import Redactor
from l0.events._redact_tokens import TokenRedactor
from l0.events._serialize import encode

_fields = msgspec.structs.asdict
_OPENING = {GuardrailPhaseStartPayload, DriftCheckStartPayload, DriftCheckSkippedPayload}
_SKIPPED = {CheckpointSavedPayload, TokenPayload}
_OF_CHECKS = ("GUARDRAIL_", "DRIFT_")
_FAILED = "checkpoint"  # the phase in which the text of a failed attempt is judged


def recorded_types() -> tuple[str, ...]:
    """The event types that are recorded: all of the catalog but TOKEN."""
    return tuple(type_ for type_ in type_names() if type_ != "TOKEN")


def finds_only(detail: str) -> bool:
    """Whether checks that found nothing are left out, as `detail` says.

    Raises:
        ValueError: it is neither "normal" nor "full".
    """
    if detail not in ("normal", "full"):
        raise ValueError(f'detail is "normal" or "full", not {detail!r}')
    return detail == "normal"


class Chain:
    """The records of one stream in the making.

    `full` keeps the events of guardrail and drift checks that found nothing, too.
    """

    def __init__(self, stream_id: str, redactor: Redactor | None, *, full: bool) -> None:
        self.stream_id = stream_id
        self.seq = 0
        self.head = ZEROS
        self._redactor = redactor
        self._tokens = None if redactor is None else TokenRedactor(redactor)
        self._messages: dict[str, TokenRedactor] = {}
        self._full = full
        self._check: list[ObservabilityEvent] = []  # a check that has found nothing so far
        self._token_count = 0
        self._checkpoint = ""

    def go_on_from(self, seq: int, head: str) -> None:
        """The stream has records already, up to `seq`, whose hash is `head`."""
        self.seq, self.head = seq + 1, head

    def push(self, event: ObservabilityEvent, rows: list[Row]) -> None:
        """Append the rows that an event makes, now or with those kept back before it."""
        payload = event.payload
        kind = type(payload)
        if kind is TokensPayload and not self._check:
            self._token_count = payload.start + len(payload.texts)
            if self._tokens is None:
                self._row(event.ts, payload, event.meta, rows)
            else:
                for ts, batch, changed in self._tokens.feed(event.ts, payload):
                    self._row(ts, batch, event.meta, rows, "redacted" if changed else None)
            return
        if kind in _SKIPPED and self._skips(payload):
            return
        # Asked here as well, because for most events there is nothing more to ask.
        if not self._full and (self._check or kind in _OPENING) and self._is_quiet(event, rows):
            return
        self._other(event, rows)

    def finish(self, rows: list[Row]) -> None:
        """Nothing more can be awaited: give what was kept back."""
        self._loud(rows)
        self._let_go({}, rows, ended=False)

    # --- what is left out -----------------------------------------------------------------------

    def _skips(self, payload: Payload) -> bool:
        if type(payload) is CheckpointSavedPayload:
            # Of tokens still to come in a batch, which has a mark for it.
            return payload.token_count > self._token_count
        return type(payload) is TokenPayload

    def _is_quiet(self, event: ObservabilityEvent, rows: list[Row]) -> bool:
        """Whether an event is left out, or waits until its check has found something."""
        payload = event.payload
        match payload:
            case DriftCheckSkippedPayload():
                return True
            case GuardrailPhaseStartPayload() | DriftCheckStartPayload():
                self._loud(rows)
                if isinstance(payload, GuardrailPhaseStartPayload) and payload.phase == _FAILED:
                    return False  # part of the story of a failure, whatever it finds
                self._check.append(event)
            case (
                GuardrailPhaseEndPayload(passed=True, violations=0)
                | DriftCheckEndPayload(detected=False)
            ):
                self._check = [e for e in self._check if not e.type.startswith(_OF_CHECKS)]
                self._loud(rows)
            case _:
                self._check.append(event)
                ends = isinstance(payload, GuardrailPhaseEndPayload | DriftCheckEndPayload)
                if ends or not event.type.startswith((*_OF_CHECKS, "CALLBACK_")):
                    self._loud(rows)
        return True

    def _loud(self, rows: list[Row]) -> None:
        """The check under way is worth keeping."""
        waiting, self._check = self._check, []
        for event in waiting:
            if type(event.payload) is TokensPayload:
                self.push(event, rows)
            else:
                self._other(event, rows)

    # --- redaction ------------------------------------------------------------------------------

    def _other(self, event: ObservabilityEvent, rows: list[Row]) -> None:
        payload, tokens = event.payload, self._tokens
        changed = None
        if tokens is not None and (tokens.holds or type(payload) in _QUOTING):
            finished = type(payload) is StreamFinishedPayload
            self._let_go(event.meta, rows, ended=finished and payload.finish_reason != "length")
            clean = self._clean(payload, tokens)
            changed, payload = (None if clean is payload else "redacted"), clean
        if type(payload) is RestartPayload:
            self._token_count = payload.kept_tokens
        self._row(event.ts, payload, event.meta, rows, changed)

    def _let_go(self, meta: Mapping[str, Any], rows: list[Row], *, ended: bool) -> None:
        if self._tokens is not None and self._tokens.holds:
            for ts, batch, changed in self._tokens.force(ended=ended):
                self._row(ts, batch, meta, rows, "redacted" if changed else None)

    def _clean(self, payload: Payload, tokens: TokenRedactor) -> Payload:
        """What the text's redaction means for payloads that quote it, or point into it."""
        match payload:
            case ResumeStartPayload():
                self._checkpoint = payload.checkpoint
                clean = self._cut_text(payload.checkpoint)
                if clean == payload.checkpoint:
                    return payload
                prompt = payload.prompt and payload.prompt.replace(payload.checkpoint, clean)
                return msgspec.structs.replace(
                    payload, checkpoint=clean, checkpoint_length=len(clean), prompt=prompt
                )
            case DeduplicationEndPayload():
                clean = self._cut_text(payload.overlap_text)
                if clean != payload.overlap_text:
                    return msgspec.structs.replace(payload, overlap_text=clean)
            case RestartPayload():
                kept = tokens.stored(payload.kept_chars)
                tokens.restart(payload.kept_chars, self._checkpoint)
                self._messages.clear()
                if kept != payload.kept_chars:
                    return msgspec.structs.replace(payload, kept_chars=kept)
            case CheckpointSavedPayload():
                length = tokens.stored(payload.checkpoint_length)
                if length != payload.checkpoint_length:
                    return msgspec.structs.replace(payload, checkpoint_length=length)
            case GuardrailRuleResultPayload():
                return _moved(payload, tokens)
            case StreamEventPayload(event=Event(type=EventType.MESSAGE, text=str(text))):
                clean = self._message(payload.event, text)
                if clean != text:
                    event = msgspec.structs.replace(payload.event, text=clean)
                    return StreamEventPayload(event)
        return payload

    def _cut_text(self, text: str) -> str:
        """Text that may end in the middle of a secret, without it."""
        assert self._redactor is not None
        return _told_by(TokenRedactor(self._redactor), text)

    def _message(self, event: Event, text: str) -> str:
        """A piece of a message, such as reasoning; its secrets may be cut, too."""
        assert self._redactor is not None
        kind = str((event.data or {}).get("kind"))
        known = self._messages.setdefault(kind, TokenRedactor(self._redactor))
        return _told_by(known, text)

    def _clean_notes(
        self, payload: TokensPayload, changed: str | None
    ) -> tuple[TokensPayload, str | None]:
        """What came with tokens beside their text, without secrets."""
        assert self._redactor is not None
        told, _ = encode(payload.notes)
        clean, redacted = self._redactor.json(told)
        if not redacted:
            return payload, changed
        notes = msgspec.json.decode(clean, type=list[TokenNote])
        return msgspec.structs.replace(payload, notes=notes), "redacted"

    # --- rows -----------------------------------------------------------------------------------

    def _row(
        self,
        ts: float,
        payload: Payload,
        meta: Mapping[str, Any],
        rows: list[Row],
        changed: str | None = None,
    ) -> None:
        redactor = self._redactor
        if redactor is not None and type(payload) is TokensPayload and payload.notes:
            payload, changed = self._clean_notes(payload, changed)
        data, changes = encode(_fields(payload))
        if redactor is not None and type(payload) is not TokensPayload:
            data, redacted = redactor.json(data)
            if redacted:
                changed = "redacted"
        if changed is not None:
            changes = (changed, *changes)
        told = None
        if self.seq == 0:
            told, _ = encode(meta)
            if redactor is not None:
                told, redacted = redactor.json(told)
        if changes:
            comma = "" if data == "{}" else ","
            data = f'{{"{CHANGED}":{encode(sorted(set(changes)))[0]}{comma}{data[1:]}'
        row = chained(self.stream_id, self.seq, float(ts), payload.type, data, told, self.head)
        self.seq, self.head = self.seq + 1, row.hash
        rows.append(row)


_QUOTING = {
    *(ResumeStartPayload, DeduplicationEndPayload, RestartPayload, CheckpointSavedPayload),
    *(GuardrailRuleResultPayload, StreamEventPayload),
}


def _told_by(redactor: TokenRedactor, text: str) -> str:
    """What is told of a text of which nothing more may come."""
    batch = TokensPayload(0, [text], [0])
    told = redactor.feed(0.0, batch) + redactor.force(ended=False)
    return "".join(each for _, tokens, _ in told for each in tokens.texts)


def _moved(payload: GuardrailRuleResultPayload, tokens: TokenRedactor) -> Payload:
    """Findings at the places where their text is stored."""
    moved = [
        v if v.position is None else msgspec.structs.replace(v, position=tokens.stored(v.position))
        for v in payload.violations
    ]
    if moved == payload.violations:
        return payload
    return msgspec.structs.replace(payload, violations=moved)
