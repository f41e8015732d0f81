"""Public doubles: scripted models, a fault server, a virtual clock, and conformance checks."""

from l0.testing import _faults as faults
from l0.testing._check_adapter import check_adapter
from l0.testing._check_rule import check_rule
from l0.testing._check_run import check_run
from l0.testing._check_store import check_store, records_of_run
from l0.testing._chunks import Chunk, anthropic_events, openai_chunks, responses_events
from l0.testing._clock import VirtualClock
from l0.testing._collect import CollectedEvents, collect_events
from l0.testing._faults import Fault, list_faults, parse_faults
from l0.testing._record import RecordedRequest
from l0.testing._reply import Reply, ScriptedCall, chaos_replies, tokenize
from l0.testing._scripted import (
    HTTPStatusError,
    ScriptedModel,
    ScriptEnded,
    end,
    fail,
    hang,
    http_error,
    progress,
    stall,
    tool,
)
from l0.testing._server import SCRIPT_HEADER, FaultServer
from l0.testing._sim import SIM_MODELS, SimAnswer, known_models, sim_answer
from l0.testing._thread import ThreadedFaultServer

__all__ = [
    "SCRIPT_HEADER",
    "SIM_MODELS",
    "Chunk",
    "CollectedEvents",
    "Fault",
    "FaultServer",
    "HTTPStatusError",
    "RecordedRequest",
    "Reply",
    "ScriptEnded",
    "ScriptedCall",
    "ScriptedModel",
    "SimAnswer",
    "ThreadedFaultServer",
    "VirtualClock",
    "anthropic_events",
    "chaos_replies",
    "check_adapter",
    "check_rule",
    "check_run",
    "check_store",
    "collect_events",
    "end",
    "fail",
    "faults",
    "hang",
    "http_error",
    "known_models",
    "list_faults",
    "openai_chunks",
    "parse_faults",
    "progress",
    "records_of_run",
    "responses_events",
    "sim_answer",
    "stall",
    "tokenize",
    "tool",
]
