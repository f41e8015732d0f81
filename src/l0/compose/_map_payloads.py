"""The event types of a map, in the order of its life: what a view of its progress draws.

They have the map's own `stream_id`; the runs of its rows carry it as `parent_id`. `cost` is in the
currency of the prices, None where it is not known; a `position` counts rows from 0.
"""

from __future__ import annotations

from typing import Any, ClassVar

from l0.events import Payload, Usage, register_payload


@register_payload
class MapStartPayload(Payload, frozen=True):
    """The first event of a map; `total` is None while nobody knows how many rows there are.

    `parent_id` is the run or call that the map was started in.
    """

    emitter: ClassVar[str] = "compose"

    model: str
    store: str | None = None
    total: int | None = None
    concurrency: int = 0
    options: dict[str, Any] = {}
    parent_id: str | None = None


@register_payload
class MapRowPayload(Payload, frozen=True):
    """A row is done: committed to the store, or skipped.

    `status` is ok, failed or skipped; `origin` made, stored (by an earlier call) or copied (from a
    row of the same content in this call).
    """

    emitter: ClassVar[str] = "compose"

    position: int
    status: str
    origin: str
    attempts: int = 0
    duration_ms: float | None = None
    usage: Usage = Usage()
    cost: float | None = None
    error: str | None = None


@register_payload
class MapProgressPayload(Payload, frozen=True):
    """How far it is, at most ten times a second; `usage` and `cost` are of this call alone."""

    emitter: ClassVar[str] = "compose"

    done: int
    ok: int
    failed: int
    skipped: int
    reused: int
    running: int
    retries: int
    concurrency: int
    elapsed_ms: float
    total: int | None = None
    eta_ms: float | None = None
    usage: Usage = Usage()
    cost: float | None = None


@register_payload
class MapLimitedPayload(Payload, frozen=True):
    """The provider answered 429: fewer rows at a time, and nothing for `pause_ms`."""

    emitter: ClassVar[str] = "compose"

    concurrency: int
    pause_ms: float = 0.0


@register_payload
class MapStoppedPayload(Payload, frozen=True):
    """No further row is begun; `cause` is budget, account, abort or store."""

    emitter: ClassVar[str] = "compose"

    cause: str
    reason: str
    usage: Usage = Usage()
    cost: float | None = None


@register_payload
class MapEndPayload(Payload, frozen=True):
    """The last event of a map; `outcome` is completed, stopped, aborted, cancelled or failed."""

    emitter: ClassVar[str] = "compose"

    outcome: str
    ok: int
    failed: int
    skipped: int
    reused: int
    duration_ms: float
    usage: Usage = Usage()
    cost: float | None = None
    error: str | None = None
