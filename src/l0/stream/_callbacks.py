"""The caller's callbacks: called at their place in the story, never able to change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Callback = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Functions to call while a run goes on; each may be a coroutine function.

    A callback's result is ignored and its failure logged and reported as CALLBACK_ERROR; it never
    changes the run. Each is also a keyword of `run`, which wins; `on_event` is `on_stream_event`
    there, because `run(on_event=…)` takes observability events.

    Raises:
        TypeError: a callback is not callable.
    """

    on_start: Callback | None = None  # (attempt, is_retry, is_fallback)
    on_complete: Callback | None = None  # (state)
    on_error: Callback | None = None  # (error, will_retry, will_fallback)
    on_event: Callback | None = None  # (event: Event), as the consumer gets it
    on_token: Callback | None = None  # (text)
    on_violation: Callback | None = None  # (violation)
    on_retry: Callback | None = None  # (attempt, reason)
    on_fallback: Callback | None = None  # (index into fallbacks, reason)
    on_resume: Callback | None = None  # (checkpoint, token_count)
    on_checkpoint: Callback | None = None  # (checkpoint, token_count)
    on_timeout: Callback | None = None  # (type, elapsed_ms)
    on_abort: Callback | None = None  # (token_count, content_length)
    on_drift: Callback | None = None  # (types, confidence)
    on_tool_call: Callback | None = None  # (tool_name, tool_call_id, args)
    on_restart: Callback | None = None  # (kept_chars, reason)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not callable(value):
                raise TypeError(f"{field.name} is a function to call; {value!r} is not callable")

    @property
    def per_token(self) -> bool:
        """Whether anything is called for each token."""
        return self.on_token is not None or self.on_event is not None


CALLBACK_KEYWORDS: dict[str, str] = {
    ("on_stream_event" if field.name == "on_event" else field.name): field.name
    for field in dataclasses.fields(Callbacks)
}
