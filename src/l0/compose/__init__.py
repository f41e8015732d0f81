"""Many calls made one: parallel, race, pool, consensus, pipe, windows, map."""

from l0.compose._batched import batched
from l0.compose._budget import Budget
from l0.compose._compare import Compare, CompareOptions, Difference
from l0.compose._consensus import consensus
from l0.compose._consensus_payloads import (
    ConsensusAnalysisPayload,
    ConsensusEndPayload,
    ConsensusOutputCollectedPayload,
    ConsensusResolutionPayload,
    ConsensusStartPayload,
    ConsensusStreamEndPayload,
    ConsensusStreamStartPayload,
)
from l0.compose._consensus_presets import (
    BEST_CONSENSUS,
    LENIENT_CONSENSUS,
    STANDARD_CONSENSUS,
    STRICT_CONSENSUS,
    ConsensusPreset,
)
from l0.compose._consensus_quick import get_consensus_value, quick_consensus, validate_consensus
from l0.compose._consensus_result import (
    Agreement,
    ConsensusAnalysis,
    ConsensusOutput,
    ConsensusResult,
    Disagreement,
    FieldConsensus,
    NoConsensusError,
    Vote,
)
from l0.compose._executor import AttemptReport, Desk, Executor, LocalExecutor, RowJob, RowOutcome
from l0.compose._limits import Concurrency, Limits
from l0.compose._map import MapRun, map
from l0.compose._map_payloads import (
    MapEndPayload,
    MapLimitedPayload,
    MapProgressPayload,
    MapRowPayload,
    MapStartPayload,
    MapStoppedPayload,
)
from l0.compose._map_result import MapProgress, MapResult, MapRow
from l0.compose._map_row import BudgetError
from l0.compose._parallel import (
    ParallelOptions,
    ParallelResult,
    PartialResultError,
    Skipped,
    map_concurrent,
    parallel,
)
from l0.compose._pipe import (
    FAST_PIPELINE,
    PRODUCTION_PIPELINE,
    RELIABLE_PIPELINE,
    PipeOptions,
    PipeResult,
    PipeRun,
    pipe,
)
from l0.compose._pipe_step import PipeContext, PipeStep, StepResult, create_branch_step, create_step
from l0.compose._pipeline import Pipeline, chain_pipelines, create_pipeline, parallel_pipelines
from l0.compose._pool import OperationPool, PoolStats, create_pool
from l0.compose._race import RaceResult, race
from l0.compose._sequential import sequential
from l0.compose._similarity import similarity
from l0.compose._task import Task, TaskCancelledError
from l0.compose._telemetry import AggregatedTelemetry
from l0.compose._windows import DocumentWindow, Window, WindowStats
from l0.compose._windows_chunk import DocumentChunk, chunk_document, merge_chunks, merge_results
from l0.compose._windows_config import WindowConfig
from l0.compose._with_window import ContextRestorationOptions, l0_with_window

__all__ = [
    "BEST_CONSENSUS",
    "FAST_PIPELINE",
    "LENIENT_CONSENSUS",
    "PRODUCTION_PIPELINE",
    "RELIABLE_PIPELINE",
    "STANDARD_CONSENSUS",
    "STRICT_CONSENSUS",
    "AggregatedTelemetry",
    "Agreement",
    "AttemptReport",
    "Budget",
    "BudgetError",
    "Compare",
    "CompareOptions",
    "Concurrency",
    "ConsensusAnalysis",
    "ConsensusAnalysisPayload",
    "ConsensusEndPayload",
    "ConsensusOutput",
    "ConsensusOutputCollectedPayload",
    "ConsensusPreset",
    "ConsensusResolutionPayload",
    "ConsensusResult",
    "ConsensusStartPayload",
    "ConsensusStreamEndPayload",
    "ConsensusStreamStartPayload",
    "ContextRestorationOptions",
    "Desk",
    "Difference",
    "Disagreement",
    "DocumentChunk",
    "DocumentWindow",
    "Executor",
    "FieldConsensus",
    "Limits",
    "LocalExecutor",
    "MapEndPayload",
    "MapLimitedPayload",
    "MapProgress",
    "MapProgressPayload",
    "MapResult",
    "MapRow",
    "MapRowPayload",
    "MapRun",
    "MapStartPayload",
    "MapStoppedPayload",
    "NoConsensusError",
    "OperationPool",
    "ParallelOptions",
    "ParallelResult",
    "PartialResultError",
    "PipeContext",
    "PipeOptions",
    "PipeResult",
    "PipeRun",
    "PipeStep",
    "Pipeline",
    "PoolStats",
    "RaceResult",
    "RowJob",
    "RowOutcome",
    "Skipped",
    "StepResult",
    "Task",
    "TaskCancelledError",
    "Vote",
    "Window",
    "WindowConfig",
    "WindowStats",
    "batched",
    "chain_pipelines",
    "chunk_document",
    "consensus",
    "create_branch_step",
    "create_pipeline",
    "create_pool",
    "create_step",
    "get_consensus_value",
    "l0_with_window",
    "map",
    "map_concurrent",
    "merge_chunks",
    "merge_results",
    "parallel",
    "parallel_pipelines",
    "pipe",
    "quick_consensus",
    "race",
    "sequential",
    "similarity",
    "validate_consensus",
]
