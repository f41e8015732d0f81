"""Reliable LLM streams, live in your notebook.

Start here: `l0.run` makes one model call reliable, `l0.wrap` a whole client, and `%load_ext l0`
brings both into a notebook.

Example:
    >>> import asyncio, l0
    >>> asyncio.run(l0.run(lambda: ["Hello ", "world"]).read())
    'Hello world'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from l0._version import __version__

if TYPE_CHECKING:
    from l0 import adapters as adapters
    from l0 import compose as compose
    from l0 import errors as errors
    from l0 import events as events
    from l0 import formatting as formatting
    from l0 import guardrails as guardrails
    from l0 import models as models
    from l0 import monitoring as monitoring
    from l0 import notebook as notebook
    from l0 import schema as schema
    from l0 import stream as stream
    from l0 import testing as testing
    from l0.adapters import Adapter as Adapter
    from l0.adapters import detect_adapter as detect_adapter
    from l0.adapters import register_adapter as register_adapter
    from l0.compose import Budget as Budget
    from l0.compose import Concurrency as Concurrency
    from l0.compose import Limits as Limits
    from l0.compose import batched as batched
    from l0.compose import consensus as consensus
    from l0.compose import create_pool as create_pool
    from l0.compose import map as map
    from l0.compose import parallel as parallel
    from l0.compose import pipe as pipe
    from l0.compose import race as race
    from l0.errors import Error as Error
    from l0.errors import ErrorCategory as ErrorCategory
    from l0.errors import ErrorCode as ErrorCode
    from l0.errors import L0Error as L0Error
    from l0.errors import categorize_error as categorize_error
    from l0.errors import is_l0_error as is_l0_error
    from l0.events import Event as Event
    from l0.events import EventBus as EventBus
    from l0.events import EventType as EventType
    from l0.events import GuardrailViolation as GuardrailViolation
    from l0.events import ObservabilityEvent as ObservabilityEvent
    from l0.events import ObservabilityEventType as ObservabilityEventType
    from l0.events import State as State
    from l0.events import from_json as from_json
    from l0.events import open_store as open_store
    from l0.events import replay as replay
    from l0.events import replay_source as replay_source
    from l0.events import schema_of as schema_of
    from l0.events import to_dict as to_dict
    from l0.events import to_json as to_json
    from l0.events import verify as verify
    from l0.guardrails import DriftConfig as DriftConfig
    from l0.guardrails import DriftDetector as DriftDetector
    from l0.guardrails import GuardrailRule as GuardrailRule
    from l0.guardrails import Guardrails as Guardrails
    from l0.guardrails import check_guardrails as check_guardrails
    from l0.guardrails import custom_pattern_rule as custom_pattern_rule
    from l0.guardrails import json_rule as json_rule
    from l0.guardrails import latex_rule as latex_rule
    from l0.guardrails import markdown_rule as markdown_rule
    from l0.guardrails import pattern_rule as pattern_rule
    from l0.guardrails import recommended_guardrails as recommended_guardrails
    from l0.guardrails import repetition_rule as repetition_rule
    from l0.guardrails import stall_rule as stall_rule
    from l0.guardrails import strict_guardrails as strict_guardrails
    from l0.guardrails import strict_json_rule as strict_json_rule
    from l0.guardrails import zero_output_rule as zero_output_rule
    from l0.models import model as model
    from l0.monitoring import Metrics as Metrics
    from l0.monitoring import Monitor as Monitor
    from l0.monitoring import MonitoringConfig as MonitoringConfig
    from l0.monitoring import Prices as Prices
    from l0.monitoring import enable_debug as enable_debug
    from l0.monitoring import get_global_metrics as get_global_metrics
    from l0.notebook import Conversation as Conversation
    from l0.notebook import charts as charts
    from l0.notebook import explore as explore
    from l0.notebook import frames as frames
    from l0.notebook import view as view
    from l0.schema import register_json_schema_adapter as register_json_schema_adapter
    from l0.schema import structured as structured
    from l0.schema import structured_array as structured_array
    from l0.schema import structured_object as structured_object
    from l0.schema import structured_stream as structured_stream
    from l0.schema import wrap_json_schema as wrap_json_schema
    from l0.stream import EXPONENTIAL_RETRY as EXPONENTIAL_RETRY
    from l0.stream import MINIMAL_RETRY as MINIMAL_RETRY
    from l0.stream import RECOMMENDED_RETRY as RECOMMENDED_RETRY
    from l0.stream import STRICT_RETRY as STRICT_RETRY
    from l0.stream import BackoffStrategy as BackoffStrategy
    from l0.stream import Callbacks as Callbacks
    from l0.stream import CheckIntervals as CheckIntervals
    from l0.stream import ContinuationConfig as ContinuationConfig
    from l0.stream import Interceptor as Interceptor
    from l0.stream import Options as Options
    from l0.stream import Retry as Retry
    from l0.stream import Stream as Stream
    from l0.stream import Timeout as Timeout
    from l0.stream import consume_stream as consume_stream
    from l0.stream import get_text as get_text
    from l0.stream import run as run
    from l0.stream import run_sync as run_sync
    from l0.stream import wrap as wrap

# The door itself: where each name lives, resolved at its first use.
_ROOMS = (
    "adapters",
    "compose",
    "errors",
    "events",
    "formatting",
    "guardrails",
    "models",
    "monitoring",
    "notebook",
    "schema",
    "stream",
    "testing",
)
_NAMES = {
    "Budget": "compose",
    "Concurrency": "compose",
    "Limits": "compose",
    "batched": "compose",
    "consensus": "compose",
    "create_pool": "compose",
    "map": "compose",
    "parallel": "compose",
    "pipe": "compose",
    "race": "compose",
    "Error": "errors",
    "ErrorCategory": "errors",
    "ErrorCode": "errors",
    "L0Error": "errors",
    "categorize_error": "errors",
    "is_l0_error": "errors",
    "Event": "events",
    "EventBus": "events",
    "EventType": "events",
    "GuardrailViolation": "events",
    "ObservabilityEvent": "events",
    "ObservabilityEventType": "events",
    "State": "events",
    "from_json": "events",
    "open_store": "events",
    "replay": "events",
    "replay_source": "events",
    "schema_of": "events",
    "to_dict": "events",
    "to_json": "events",
    "verify": "events",
    "Adapter": "adapters",
    "detect_adapter": "adapters",
    "register_adapter": "adapters",
    "DriftConfig": "guardrails",
    "DriftDetector": "guardrails",
    "GuardrailRule": "guardrails",
    "Guardrails": "guardrails",
    "check_guardrails": "guardrails",
    "custom_pattern_rule": "guardrails",
    "json_rule": "guardrails",
    "latex_rule": "guardrails",
    "markdown_rule": "guardrails",
    "pattern_rule": "guardrails",
    "recommended_guardrails": "guardrails",
    "repetition_rule": "guardrails",
    "stall_rule": "guardrails",
    "strict_guardrails": "guardrails",
    "strict_json_rule": "guardrails",
    "zero_output_rule": "guardrails",
    "register_json_schema_adapter": "schema",
    "structured": "schema",
    "structured_array": "schema",
    "structured_object": "schema",
    "structured_stream": "schema",
    "wrap_json_schema": "schema",
    "EXPONENTIAL_RETRY": "stream",
    "MINIMAL_RETRY": "stream",
    "RECOMMENDED_RETRY": "stream",
    "STRICT_RETRY": "stream",
    "BackoffStrategy": "stream",
    "Callbacks": "stream",
    "CheckIntervals": "stream",
    "ContinuationConfig": "stream",
    "Interceptor": "stream",
    "Options": "stream",
    "Retry": "stream",
    "Stream": "stream",
    "Timeout": "stream",
    "consume_stream": "stream",
    "get_text": "stream",
    "run": "stream",
    "run_sync": "stream",
    "wrap": "stream",
    "model": "models",
    "Metrics": "monitoring",
    "Monitor": "monitoring",
    "MonitoringConfig": "monitoring",
    "Prices": "monitoring",
    "enable_debug": "monitoring",
    "get_global_metrics": "monitoring",
    "Conversation": "notebook",
    "charts": "notebook",
    "explore": "notebook",
    "frames": "notebook",
    "view": "notebook",
}
# What Tab shows; the other names resolve the same way, and stay out of sight.
_HEADLINES = (
    "CheckIntervals",
    "Event",
    "Guardrails",
    "Retry",
    "State",
    "Timeout",
    "consensus",
    "create_pool",
    "map",
    "parallel",
    "pipe",
    "race",
    "replay",
    "run",
    "run_sync",
    "structured",
    "wrap",
)
_ALIASES = {
    "L0Event": "Event",
    "L0Options": "Options",
    "L0Result": "Stream",
    "L0State": "State",
    "RetryConfig": "Retry",
    "TimeoutConfig": "Timeout",
    "l0": "run",
}

__all__ = sorted((*_ROOMS, *_HEADLINES, "__version__", "load_ipython_extension"))  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"l0.{name}")
    if name == "TimeoutError":
        value = import_module("l0.errors").StreamTimeoutError
    else:
        known = _ALIASES.get(name, name)
        if known not in _NAMES:
            raise AttributeError(f"module 'l0' has no attribute {name!r}")
        value = getattr(import_module(f"l0.{_NAMES[known]}"), known)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext l0`: the `%%l0` and `%l0` magics; loading twice changes nothing."""
    from l0.notebook import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext l0`: take away everything that loading added."""
    from l0.notebook import unload

    unload(ipython)
