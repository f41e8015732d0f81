"""Each event type is declared once; nothing else may be emitted."""

from __future__ import annotations

import re

import pytest

import l0.events as events
from l0.events import (
    ObservabilityEventType,
    Payload,
    TokensPayload,
    catalog,
    payload_class,
    register_payload,
)
from l0.events import _catalog as catalog_module

# What a listener may count on: the types, in the order of a run's life.
TYPES = [
    "SESSION_START", "SESSION_SUMMARY", "SESSION_END", "COMPLETE", "ERROR", "ATTEMPT_START",
    "RESTART", "STREAM_INIT", "STREAM_READY", "STREAM_FINISHED", "ADAPTER_WRAP_START",
    "ADAPTER_DETECTED", "ADAPTER_WRAP_END", "TOKEN", "TOKENS", "STREAM_EVENT", "USAGE",
    "TIMEOUT_START", "TIMEOUT_RESET", "TIMEOUT_TRIGGERED", "NETWORK_ERROR", "CONNECTION_DROPPED",
    "NETWORK_RECOVERY", "CONNECTION_RESTORED", "ABORT_REQUESTED", "ABORT_COMPLETED",
    "TOOL_REQUESTED", "TOOL_START", "TOOL_RESULT", "TOOL_ERROR", "TOOL_COMPLETED",
    "GUARDRAIL_PHASE_START", "GUARDRAIL_RULE_START", "GUARDRAIL_RULE_RESULT",
    "GUARDRAIL_RULE_END", "GUARDRAIL_PHASE_END", "GUARDRAIL_CALLBACK_START",
    "GUARDRAIL_CALLBACK_END", "DRIFT_CHECK_START", "DRIFT_CHECK_RESULT", "DRIFT_CHECK_END",
    "DRIFT_CHECK_SKIPPED", "CHECKPOINT_SAVED", "CONTINUATION_START", "RESUME_START",
    "DEDUPLICATION_START", "DEDUPLICATION_END", "RESUME_END", "CONTINUATION_END",
    "RETRY_FN_START", "RETRY_FN_RESULT", "RETRY_FN_ERROR", "RETRY_START", "RETRY_ATTEMPT",
    "RETRY_GIVE_UP", "RETRY_END", "FALLBACK_START", "FALLBACK_MODEL_SELECTED", "FALLBACK_END",
    "FINALIZATION_START", "FINALIZATION_END", "INTERCEPTOR_START", "INTERCEPTOR_END",
    "CALLBACK_ERROR", "STORE_ERROR",
]  # fmt: skip


@pytest.fixture
def own_catalog(monkeypatch):
    """What a test declares stays in the test."""
    monkeypatch.setattr(catalog_module, "_catalog", dict(catalog_module._catalog))


def test_every_type_of_a_run_is_declared():
    assert set(TYPES) <= set(catalog())


@pytest.mark.parametrize("type_", catalog())
def test_a_declaration_is_complete(type_):
    cls = catalog()[type_]
    assert cls.type == type_
    assert cls.__struct_config__.tag == type_
    assert cls.__struct_config__.frozen
    assert cls.__doc__
    assert re.fullmatch(r"[A-Z][A-Z_]*[A-Z]", type_)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in cls.__struct_fields__)
    assert payload_class(type_) is cls


def test_types_are_members_of_an_enum_whose_values_are_their_names():
    for type_ in TYPES:
        assert ObservabilityEventType[type_] == type_
        assert str(ObservabilityEventType(type_)) == type_


def test_only_token_rate_types_have_to_be_named():
    assert {type_ for type_, cls in catalog().items() if not cls.listed} == {
        "TOKENS",
        "STREAM_EVENT",
    }


def test_an_unknown_type_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match=r"'tokns' is no event type; did you mean TOKENS\?"):
        payload_class("tokns")


@pytest.mark.usefixtures("own_catalog")
def test_another_room_adds_its_own_family():
    @register_payload
    class WorldTickPayload(Payload, frozen=True):
        """One turn of a world."""

        tick: int

    assert catalog()["WORLD_TICK"] is WorldTickPayload
    seen = []
    bus = events.EventBus(seen.append)
    bus.emit("WORLD_TICK", tick=3)
    assert seen[0]["tick"] == 3
    log = events.Log()
    log.append(seen[0])
    assert log.records()[0].payload == WorldTickPayload(3)
    assert "WORLD_TICK" in events.schema()["discriminator"]["mapping"]


@pytest.mark.usefixtures("own_catalog")
def test_a_type_is_declared_by_one_class():
    def declare():
        class TokensPayload(Payload, frozen=True):
            """Another one."""

        return TokensPayload

    with pytest.raises(ValueError, match="TOKENS is declared by"):
        register_payload(declare())
    assert register_payload(TokensPayload) is TokensPayload
    with pytest.raises(TypeError, match="is no Payload"):
        register_payload(int)


def test_the_surface_is_sorted_and_true():
    assert list(events.__all__) == sorted(
        events.__all__, key=lambda name: (not name.isupper(), name)
    )
    assert len(set(events.__all__)) == len(events.__all__)
    for name in events.__all__:
        assert getattr(events, name) is not None
    for cls in catalog().values():
        if cls.__module__.startswith("l0.events."):
            assert cls.__name__ in events.__all__, "export new payloads in l0/events/__init__.py"


def test_importing_the_room_is_light():
    import subprocess
    import sys

    heavy = "pandas, plotly, IPython, ipywidgets, anywidget, openai, anthropic, pydantic, httpx"
    code = f"""
import sys, l0.events
heavy = {heavy!r}.split(", ")
sys.exit(", ".join(name for name in heavy if name in sys.modules) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
