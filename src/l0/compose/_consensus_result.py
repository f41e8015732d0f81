"""What a consensus gives back: the value, how sure it is, and who said what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from l0.errors import ContentError, ErrorContext
from l0.events import State


@dataclass(frozen=True, slots=True)
class ConsensusOutput:
    """What became of one task.

    `value` is what was compared: the task's result, or what the schema made of its `text`. A failed
    task has an `error` instead. `duration` is in seconds; `state` is the run's, if it was one.
    """

    index: int
    success: bool
    value: Any = None
    text: str | None = None
    error: BaseException | None = None
    duration: float = 0.0
    weight: float = 1.0
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One of the values that were given, and by which outputs; `missing`: they have no value."""

    value: Any
    count: int
    indices: tuple[int, ...]
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """Outputs that say the same, in whole (`path` is empty) or in one field such as `a.b`.

    `ratio` is their share of the successful outputs; `exact`: the same to the letter, rather than
    similar enough.
    """

    path: str
    value: Any
    count: int
    ratio: float
    indices: tuple[int, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where outputs differ, and how they voted, most frequent first.

    `agreement` is the share of the largest vote; `severity` follows from it: from 0.8 minor, from
    0.6 moderate, from 0.4 major, below critical.
    """

    path: str
    votes: tuple[Vote, ...]
    agreement: float
    severity: Literal["minor", "moderate", "major", "critical"]


@dataclass(frozen=True, slots=True)
class FieldConsensus:
    """What the outputs say about one field: its most frequent value, and every vote."""

    path: str
    value: Any
    agreement: float
    votes: tuple[Vote, ...]

    @property
    def unanimous(self) -> bool:
        """Whether all outputs say the same."""
        return len(self.votes) == 1


@dataclass(frozen=True, slots=True)
class ConsensusAnalysis:
    """The numbers behind a consensus.

    `agreement_ratio` is the share of all tasks (of all weight, where weighted) that stands behind
    the value; similarities are means, least and most over the pairs of successful outputs, and
    `similarity_matrix` has a row and a column a task, 0 where one failed. `identical` is the size
    of the largest set of outputs that are the same to the letter. `duration` is in seconds.
    """

    total: int
    succeeded: int
    failed: int
    identical: int
    agreement_ratio: float
    average_similarity: float
    min_similarity: float
    max_similarity: float
    similarity_matrix: tuple[tuple[float, ...], ...] = field(repr=False)
    strategy: str
    resolution: str | None
    duration: float


@dataclass(frozen=True, slots=True)
class ConsensusResult:
    """The value that several calls agree on.

    Attributes:
        consensus: the value; None if there is none.
        confidence: 0 to 1: mean similarity of the pairs, times the agreement, less 0.1 for each
            major or critical disagreement.
        outputs: one a task, in their order; failures included.
        agreements: who agrees on what, in whole for texts, field by field for data.
        disagreements: where they differ.
        analysis: the numbers.
        type: "structured" for dicts and lists, else "text".
        status: "success" if the minimum agreement was reached, "partial" if a conflict had to be
            resolved, "failed" in the result that a `NoConsensusError` carries.
        field_consensus: for dicts, each field's votes by path.
        selected_index: the output that was taken as it is; None if the value is made of several.
        stream_id: the id of the call, under which the log keeps its events.
    """

    consensus: Any
    confidence: float
    outputs: tuple[ConsensusOutput, ...]
    agreements: tuple[Agreement, ...]
    disagreements: tuple[Disagreement, ...]
    analysis: ConsensusAnalysis
    type: Literal["text", "structured"]
    status: Literal["success", "partial", "failed"]
    field_consensus: Mapping[str, FieldConsensus] | None = None
    selected_index: int | None = None
    stream_id: str = ""


class NoConsensusError(ContentError, ValueError):
    """The tasks agree too little, or all of them failed.

    `result` says who said what: its `outputs` hold every value and every failure. Failures of tasks
    are the cause, as an exception group.

    Example:
        >>> import asyncio
        >>> from l0.compose import consensus
        >>> tasks = [lambda: asyncio.sleep(0, "yes"), lambda: asyncio.sleep(0, "no")]
        >>> try:
        ...     asyncio.run(consensus(tasks, strategy="unanimous"))
        ... except NoConsensusError as error:
        ...     [output.value for output in error.result.outputs]
        ['yes', 'no']
    """

    advice = "See `result.disagreements`; lower the threshold, or resolve conflicts by a vote."

    def __init__(
        self,
        message: str = "",
        context: ErrorContext | None = None,
        *,
        result: ConsensusResult | None = None,
    ) -> None:
        super().__init__(message, context)
        self.result = result
