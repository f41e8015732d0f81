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
    from l0 import adapters, errors, events, guardrails, notebook, stream, testing
    from l0.guardrails import Guardrails
    from l0.events import Event, State
    from l0.stream import CheckIntervals, Retry, Timeout, run, run_sync, wrap

# The door itself: what a name is, resolved at its first use. The first block is what Tab shows.
_ROOMS = ("adapters", "errors", "events", "guardrails", "notebook", "stream", "testing")
_HEADLINES = {
    "CheckIntervals": "stream",
    "Event": "events",
    "Guardrails": "guardrails",
    "Retry": "stream",
    "State": "events",
    "Timeout": "stream",
    "run": "stream",
    "run_sync": "stream",
    "wrap": "stream",
}
_MORE = {
    "errors": ("Error", "ErrorCategory", "ErrorCode", "L0Error", "categorize_error", "is_l0_error"),
    "events": ("EventBus", "EventType", "GuardrailViolation", "ObservabilityEvent")
    + ("ObservabilityEventType", "from_json", "open_store", "replay", "replay_source", "schema_of")
    + ("to_dict", "to_json", "verify"),
    "adapters": ("Adapter", "detect_adapter", "register_adapter"),
    "guardrails": ("DriftConfig", "DriftDetector", "GuardrailRule", "check_guardrails")
    + ("custom_pattern_rule", "json_rule", "latex_rule", "markdown_rule", "pattern_rule")
    + ("recommended_guardrails", "repetition_rule", "stall_rule", "strict_guardrails")
    + ("strict_json_rule", "zero_output_rule"),
    "stream": ("BackoffStrategy", "Callbacks", "ContinuationConfig", "Options", "Stream")
    + ("EXPONENTIAL_RETRY", "MINIMAL_RETRY", "RECOMMENDED_RETRY", "STRICT_RETRY")
    + ("consume_stream", "get_text"),
    "notebook": ("frames", "view"),
}
_NAMES = _HEADLINES | {name: room for room, names in _MORE.items() for name in names}
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
