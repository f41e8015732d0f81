"""What the fault server remembers of a request: what was asked, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from l0.testing._faults import Fault

_SECRET: Final = frozenset({"authorization", "x-api-key", "api-key", "cookie"})


@dataclass(slots=True)
class RecordedRequest:
    """One request to a fault server and what became of it; it grows while the answer is sent.

    Times are of the monotonic clock, in seconds.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case; keys and cookies read `[redacted]`."""
    body: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    opened_at: float = field(default_factory=time.monotonic)
    """When the request had been read."""
    closed_at: float | None = None
    """When its answer ended or the client left; None while it is being answered."""
    status: int | None = None
    """Of the answer; None before there is one."""
    tokens_sent: int = 0
    """Of the text, and fragments of tool arguments."""
    continued_from: int = 0
    """Characters of the answer that the request already showed."""
    finished: bool = False
    """Everything meant for this request was written, its faults included."""
    client_left: bool = False
    """The client closed the connection before it had read everything."""
    faults: list[Fault] = field(default_factory=list)
    """Those that hit, in order."""

    @property
    def model(self) -> str | None:
        """The model asked for."""
        model = self.body.get("model")
        return model if isinstance(model, str) else None

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.body.get("stream")) or "stream=true" in self.query

    @property
    def connected_seconds(self) -> float:
        """How long the request has lasted, until now or its end."""
        return (time.monotonic() if self.closed_at is None else self.closed_at) - self.opened_at

    def close(self, *, finished: bool = False, client_left: bool = False) -> None:
        """Notes how it ended; the first word counts."""
        if self.closed_at is None:
            self.closed_at = time.monotonic()
            self.finished = finished
            self.client_left = client_left


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with the values of keys and cookies masked."""
    return {name: "[redacted]" if name in _SECRET else text for name, text in headers.items()}
