"""The event types of a consensus, in the order of its life."""

from __future__ import annotations

from typing import ClassVar

from l0.events import Payload, register_payload


@register_payload
class ConsensusStartPayload(Payload, frozen=True):
    """Before the tasks are started; the runs in them have this event's stream id as `parent_id`."""

    emitter: ClassVar[str] = "compose"

    stream_count: int
    strategy: str
    threshold: float
    minimum_agreement: float


@register_payload
class ConsensusStreamStartPayload(Payload, frozen=True):
    """A task is started."""

    emitter: ClassVar[str] = "compose"

    stream_index: int


@register_payload
class ConsensusStreamEndPayload(Payload, frozen=True):
    """A task has ended: well, or with this error; an output that the schema refuses is one."""

    emitter: ClassVar[str] = "compose"

    stream_index: int
    success: bool
    duration_ms: float
    error: str | None = None


@register_payload
class ConsensusOutputCollectedPayload(Payload, frozen=True):
    """An output is in hand, before its CONSENSUS_STREAM_END.

    `length` counts the characters of its text, or of its value as JSON; `has_value` says that it
    is neither empty nor None.
    """

    emitter: ClassVar[str] = "compose"

    stream_index: int
    length: int
    has_value: bool


@register_payload
class ConsensusAnalysisPayload(Payload, frozen=True):
    """All tasks have ended and their outputs are compared; not if every task failed."""

    emitter: ClassVar[str] = "compose"

    agreement_ratio: float
    average_similarity: float
    agreements: int
    disagreements: int
    duration_ms: float


@register_payload
class ConsensusResolutionPayload(Payload, frozen=True):
    """A value is chosen: `method` is the strategy, or how the conflict was resolved.

    `selected_index` is the output that was taken as it is; None if the value is made of several.
    """

    emitter: ClassVar[str] = "compose"

    method: str
    confidence: float
    selected_index: int | None = None


@register_payload
class ConsensusEndPayload(Payload, frozen=True):
    """Last, in every ending: success, partial (a conflict was resolved), failed, cancelled."""

    emitter: ClassVar[str] = "compose"

    status: str
    confidence: float
    duration_ms: float
