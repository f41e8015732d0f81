"""One recorded run as the explorer opens it: every event, every token at its time, every attempt.

The page folds the rows up to a moment to know how things stood then. A TOKENS row has three more
fields for that: `text`, the lengths `n` of its tokens in UTF-16 units, and when each came, `at`, in
milliseconds since the row.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import msgspec

from l0.events import ObservabilityEvent, RestartPayload, StreamInitPayload, TokensPayload
from l0.notebook._bridge import _clean, utf16_length
from l0.notebook._picture import count, seconds
from l0.notebook._rows import Row, clean
from l0.notebook._sources import story_of
from l0.notebook._static import NAMES
from l0.notebook._story import Story

_SHORT: Final = 48  # characters of a prompt in a name

PART: Final = 250_000
"""Bytes of rows in one message: servers drop what comes in faster than a megabyte a second."""


class Opened:
    """A run with its timing.

    Args:
        x: the run, as `l0.view` takes it.
        stream_id: which one, where there are several.

    Raises:
        TypeError: it holds no run.
        ValueError: there is no such run in it, or several and none is named.

    Example:
        >>> from l0.events import EventBus, Log, TokensPayload
        >>> log = Log()
        >>> bus = EventBus(log, stream_id="demo")
        >>> bus.emit("SESSION_START", options={})
        >>> bus.emit(TokensPayload(0, ["Hel", "lo"], [0, 900_000]))
        >>> Opened(log).rows[1][2]["at"]
        [0, 900]
    """

    def __init__(self, x: Any, stream_id: str | None = None, **known: Any) -> None:
        told = story_of(x, stream_id, **known)
        walk = _Walk(told)
        self.story = told
        self.timed = walk.story.text == told.text
        """Whether the times of the tokens are known."""
        self.rows = walk.rows if self.timed else _untimed(told)
        self.attempts = walk.texts if self.timed else [told.text]
        """The text at the end of each attempt, also where it was withdrawn later."""
        self.prompt = _prompt_of(x, told)
        self.picture = told.picture()

    def text_of(self, attempt: int | None) -> str:
        """The text of an attempt, counted from 1 over all models; None: the one that stands."""
        if attempt is None:
            return self.story.text
        return self.attempts[attempt - 1] if 0 < attempt <= len(self.attempts) else ""

    def facts(self) -> dict[str, Any]:
        """What the page is told of the run beside its rows."""
        story = self.story
        told = {
            "id": story.stream_id,
            "status": story.status,
            "model": story.answers,
            "models": [story.asked(lane.fallback) for lane in self.picture.lanes],
            "prompt": self.prompt,
            "notes": story.notes if self.timed else [*story.notes, UNTIMED],
            "error": story.error,
            "attempts": len(self.attempts),
            "ts": story.started_ms,
            "name": self.name,
            "closing": self.closing(),
            "texts": self.texts(),
        }
        facts: dict[str, Any] = _clean(told)
        return facts

    @property
    def name(self) -> str:
        """What it is called where there are others: model and the beginning of its prompt."""
        prompt = " ".join((self.prompt or "").split())
        short = prompt if len(prompt) <= _SHORT else prompt[:_SHORT].rstrip() + "…"
        told = (self.story.asked(0) or self.story.state.model, short)
        return " · ".join(filter(None, told)) or str(self.story.stream_id)

    def closing(self, *, timeless: bool = False) -> str:
        """What it was in the end: `complete · 2 attempts · 12 tokens in 4.2 s`."""
        picture, tries = self.picture, len(self.picture.lanes)
        spent = picture.t if picture.duration_ms is None else picture.duration_ms
        told = [
            NAMES.get(self.story.status, self.story.status),
            count(tries, "attempt") if tries > 1 else "",
            count(picture.tokens, "token") + ("" if timeless else f" in {seconds(spent)}"),
        ]
        return " · ".join(filter(None, told))

    def texts(self) -> list[dict[str, Any]]:
        """What there is to compare: the text of each attempt, and the one that stands."""
        lanes = self.picture.lanes
        moved = any(lane.fallback for lane in lanes)
        told = []
        for at, _ in enumerate(self.attempts):
            fallback = lanes[at].fallback if at < len(lanes) else 0
            name = self.story.asked(fallback) or (f"fallback {fallback}" if fallback else "")
            on = f" on {name}" if moved and name else ""
            told.append({"text": f"attempt {at + 1}{on}", "side": [self.story.stream_id, at + 1]})
        return [*told, {"text": "the text that stands", "side": [self.story.stream_id, 0]}]

    @cached_property
    def parts(self) -> list[list[Row]]:
        """The rows in messages of a size that arrives."""
        parts: list[list[Row]] = [[]]
        room = PART
        for row in self.rows:
            size = len(msgspec.json.encode(row))
            if size > room and parts[-1]:
                parts.append([])
                room = PART
            parts[-1].append(row)
            room -= size
        return parts


UNTIMED: Final = "the times of its tokens were not kept"


class _Walk:
    """The events of a story once more, with what a replay needs beside the rows."""

    def __init__(self, told: Story) -> None:
        self.rows: list[Row] = []
        self.texts: list[str] = []
        self.story = Story(format=told.format)
        self._open = False  # an attempt whose text is not known yet
        self.story.listen(self._hear)
        for event in told.events:
            if event.type == StreamInitPayload.type:
                self._close()
                self._open = True
            self.story.add(event)
        self._close()

    def _hear(self, event: ObservabilityEvent, row: Row) -> None:
        payload = event.payload
        if type(payload) is TokensPayload:
            row = [*row[:2], {**row[2], **_timed(payload)}]
        elif type(payload) is RestartPayload and payload.discarded_chars:
            fallen = self.story.fallen[-1]
            row = [*row[:2], {**row[2], "text": clean(fallen)}]
            self._close(self.story.text + fallen)
        self.rows.append(row)

    def _close(self, text: str | None = None) -> None:
        if self._open:
            self.texts.append(self.story.text if text is None else text)
            self._open = False


def _timed(payload: TokensPayload) -> dict[str, Any]:
    """Text, lengths and milliseconds of the tokens of a batch."""
    texts = [clean(text) for text in payload.texts]
    return {
        "text": "".join(texts),
        "n": [utf16_length(text) for text in texts],
        "at": [round(us / 1000) for us in payload.offsets_us],
    }


def _untimed(story: Story) -> list[Row]:
    """The rows of a run nobody recorded: its whole text comes with the last tokens."""
    rows = list(story.rows)
    text = clean(story.text)
    for at in range(len(rows) - 1, -1, -1):
        type_, t, told = rows[at]
        if type_ == "TOKENS":
            spent = round(told["duration_ms"])
            rows[at] = [type_, t, {**told, "text": text, "n": [utf16_length(text)], "at": [spent]}]
            break
    return rows


def _prompt_of(x: Any, story: Story) -> str | None:
    prompt = getattr(x, "prompt", None)
    if not isinstance(prompt, str) and story.events:
        prompt = story.events[0].meta.get("prompt")
    return prompt if isinstance(prompt, str) else None
