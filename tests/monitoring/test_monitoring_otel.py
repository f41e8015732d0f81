"""OpenTelemetry: each run one span that always ends, each attempt a child, names as conventions."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from otel_kit import Telescope, events

import l0
from l0.errors import MissingDependencyError
from l0.events import Usage
from l0.monitoring import (
    OpenTelemetry,
    OpenTelemetryConfig,
    create_opentelemetry_handler,
    with_opentelemetry,
)
from l0.monitoring import _otel_names as names
from l0.testing import (
    ScriptedModel,
    anthropic_events,
    end,
    fail,
    hang,
    openai_chunks,
    stall,
    tool,
)

RETRY = l0.Retry(attempts=2, base_delay=1, backoff="fixed")


async def use(scope, *scripts, **options):
    stream = l0.run(ScriptedModel(*scripts), on_event=scope.handler, **{"retry": RETRY} | options)
    try:
        await stream.read()
    except Exception:
        assert stream.outcome == "failed"
    return stream


def status(span):
    return span.status.status_code.name


# --- every ending -----------------------------------------------------------------------------


async def test_a_failed_run_ends_its_span_with_status_error(clock):
    scope = Telescope()
    stream = await use(scope, [fail(400)], clock=clock)
    run = scope.run
    assert (status(run), run.status.description) == ("ERROR", "HTTP 400")
    assert run.attributes["error.type"] == "HTTPStatusError"
    assert run.attributes["l0.stream.completed"] is False
    assert run.attributes["l0.stream.id"] == stream.stream_id
    (attempt,) = scope.attempts(run)
    assert (status(attempt), attempt.attributes["error.type"]) == ("ERROR", "HTTPStatusError")
    assert events(attempt, "exception") == [
        {"exception.type": "HTTPStatusError", "exception.message": "HTTP 400"}
    ]
    (point,) = scope.points("gen_ai.client.operation.duration")
    assert point.attributes["error.type"] == "HTTPStatusError"


async def test_an_aborted_run_ends_its_spans(clock):
    scope = Telescope()
    stream = l0.run(ScriptedModel(["a", hang()]), on_event=scope.handler, clock=clock)
    async with stream:
        async for _ in stream:
            assert scope.spans == []
            break
    for span in (scope.run, *scope.attempts(scope.run)):
        assert (status(span), span.attributes["error.type"]) == ("ERROR", "aborted")
    assert scope.run.attributes["l0.stream.outcome"] == "aborted"


async def test_a_cancelled_run_ends_its_spans():
    scope = Telescope()
    task = asyncio.create_task(use(scope, ["a", hang()]))
    while not any(run._attempt for run in scope.handler._runs.values()):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for span in (scope.run, *scope.attempts(scope.run)):
        assert (status(span), span.attributes["error.type"]) == ("ERROR", "cancelled")
    assert scope.handler._runs == {}


async def test_a_run_that_an_interceptor_stops_ends_its_span():
    class Never:
        def before(self, request):
            raise ValueError("not today")

    scope = Telescope()
    await use(scope, ["a"], interceptors=[Never()])
    assert status(scope.run) == "ERROR"
    assert scope.run.status.description == "InterceptorError"


async def test_closing_the_handler_ends_what_is_open(clock):
    scope = Telescope()
    stream = l0.run(ScriptedModel(["a", hang()]), on_event=scope.handler, clock=clock)
    async with stream:
        await anext(stream)
        scope.handler.close()
        assert scope.run.attributes["l0.stream.outcome"] == "abandoned"
    assert len(scope.runs) == 1


async def test_runs_that_never_end_are_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr("l0.monitoring._otel._OPEN", 3)
    scope = Telescope()
    for _ in range(5):
        bus = l0.EventBus(scope.handler)
        bus.emit("SESSION_START", options={})
    assert len(scope.handler._runs) == 3
    assert [span.attributes["l0.stream.outcome"] for span in scope.runs] == ["abandoned"] * 2


# --- what spans tell --------------------------------------------------------------------------


async def test_a_run_with_everything_in_it(clock):
    scope = Telescope()
    await use(
        scope,
        ["bad"],
        [stall(60), "late"],
        [stall(1), "fi", stall(3), "ne", end(usage=Usage(70, 30, 100, 20, 10))],
        guardrails=[l0.custom_pattern_rule([r"bad"], "no bad", name="manners")],
        timeout=l0.Timeout(initial_token=30),
        meta={"model": "gpt-x"},
        clock=clock,
    )
    run = scope.run
    assert (run.name, run.kind.name, status(run), run.parent) == (
        *("chat gpt-x", "CLIENT"),
        *("UNSET", None),
    )
    told = dict(run.attributes)
    told.pop("l0.stream.id")
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": pytest.approx(1),
        "gen_ai.usage.input_tokens": 70,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 10,
        "l0.stream.completed": True,
        "l0.stream.outcome": "completed",
        "l0.attempt.count": 3,
        "l0.fallback.index": 0,
        "l0.retry.count": 2,
        "l0.network.error_count": 0,
        "l0.guardrail.violation_count": 1,
        "l0.drift.detected": False,
        "l0.time_to_first_token_ms": pytest.approx(33_000),
        "l0.tokens_per_second": pytest.approx(1 / 3),
        "l0.token.count": 2,
        "l0.lost_tokens": 1,
    }
    assert [e["l0.reason"] for e in events(run, "l0.retry")] == ["guardrail_violation", "timeout"]
    first, second, third = scope.attempts(run)
    assert [span.name for span in (first, second, third)] == ["attempt 1", "attempt 2", "attempt 3"]
    assert events(first, "l0.guardrail.violation") == [
        {
            "l0.guardrail.rule": "manners",
            "l0.guardrail.severity": "error",
            "l0.guardrail.position": 0,
        }
    ]
    assert events(second, "l0.timeout")[0]["l0.timeout.type"] == "initial_token"
    assert third.attributes["l0.attempt.number"] == 3
    assert third.attributes["l0.attempt.output_tokens"] == 30
    assert third.end_time - third.start_time == 4_000_000_000
    assert run.end_time - run.start_time == 36_000_000_000


@pytest.mark.parametrize(
    ("chunks", "provider"), [(openai_chunks, "openai"), (anthropic_events, "anthropic")]
)
async def test_the_provider_and_its_model_are_told(chunks, provider):
    scope = Telescope()
    await use(scope, chunks(["a", "b"], model="m-1"))
    told = scope.run.attributes
    assert told["gen_ai.provider.name"] == told["gen_ai.system"] == provider
    assert told["gen_ai.response.model"] == "m-1"
    assert told["gen_ai.response.id"]


async def test_a_fallback_is_told():
    scope = Telescope()
    await use(scope, [fail(400)], fallbacks=[ScriptedModel(["b"])])
    assert scope.run.attributes["l0.fallback.index"] == 1
    assert [e["l0.fallback.index"] for e in events(scope.run, "l0.fallback")] == [1]
    attempts = scope.attempts(scope.run)
    assert [a.attributes["l0.fallback.index"] for a in attempts] == [0, 1]
    assert [status(a) for a in attempts] == ["ERROR", "UNSET"]


async def test_a_resumed_run_says_so():
    scope = Telescope()
    await use(
        scope,
        ["some text ", fail(ConnectionResetError())],
        ["and more"],
        continuation=True,
        retry=l0.Retry(base_delay=0),
    )
    assert events(scope.run, "l0.resume") == [{"l0.checkpoint_length": 10}]
    assert scope.run.attributes["l0.network.error_count"] == 1


async def test_default_attributes_win():
    more = {"gen_ai.provider.name": "azure.ai.openai", "team": "search"}
    scope = Telescope(default_attributes=more)
    await use(scope, openai_chunks(["a"]))
    for span in scope.spans:
        assert span.attributes["gen_ai.provider.name"] == "azure.ai.openai"
        assert span.attributes["team"] == "search"
    for point in scope.points("gen_ai.client.token.usage"):
        assert point.attributes["gen_ai.provider.name"] == "azure.ai.openai"


# --- whose child ------------------------------------------------------------------------------


async def test_a_run_is_a_child_of_the_callers_span():
    scope = Telescope()
    with scope.tracer.start_as_current_span("request") as request:
        await use(scope, ["a"])
    assert scope.run.parent.span_id == request.get_span_context().span_id
    with scope.tracer.start_as_current_span("sync") as request:
        l0.run_sync(lambda: ["a"], on_event=scope.handler).read()
    assert scope.runs[-1].parent.span_id == request.get_span_context().span_id


async def test_concurrent_runs_never_share_a_span():
    """A hundred at once, some failing, each with its own children and its caller's parent."""
    scope = Telescope()

    async def one(index):
        with scope.tracer.start_as_current_span(f"request {index}"):
            last = fail(400) if index % 3 == 0 else f"text {index}"
            script = [f"{index}", fail(503)], [last]
            retry = l0.Retry(base_delay=0)
            return await use(scope, *script, meta={"model": f"m{index}"}, retry=retry)

    streams = await asyncio.gather(*(one(index) for index in range(100)))
    parents = {s.context.span_id: s.name for s in scope.spans if s.name.startswith("request")}
    assert len(scope.runs) == len({run.context.span_id for run in scope.runs}) == 100
    by_id = {run.attributes["l0.stream.id"]: run for run in scope.runs}
    for index, stream in enumerate(streams):
        run = by_id[stream.stream_id]
        assert run.name == f"chat m{index}"
        assert parents[run.parent.span_id] == f"request {index}"
        assert len(scope.attempts(run)) == 2
        assert status(run) == ("ERROR" if index % 3 == 0 else "UNSET")
        assert {a.context.trace_id for a in scope.attempts(run)} == {run.context.trace_id}


async def test_a_run_within_a_run_is_its_child():
    scope = Telescope()

    async def outer():
        yield await l0.run(lambda: ["inner"], on_event=scope.handler, meta={"model": "in"}).read()

    await l0.run(outer, on_event=scope.handler, meta={"model": "out"}).read()
    inner, out = (next(r for r in scope.runs if r.name == f"chat {n}") for n in ("in", "out"))
    (attempt,) = scope.attempts(out)
    assert inner.parent.span_id == attempt.context.span_id
    assert inner.context.trace_id == out.context.trace_id


# --- metrics ----------------------------------------------------------------------------------


async def test_the_metrics_of_the_conventions(clock):
    scope = Telescope()
    await use(
        scope,
        [stall(0.5), *openai_chunks(["a"], model="gpt-x", finish_reason="length")],
        [stall(2), *openai_chunks(["b"], model="gpt-x")],
        on_incomplete="retry",
        meta={"model": "gpt"},
        clock=clock,
    )
    usage = scope.points("gen_ai.client.token.usage")
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt",
        "gen_ai.response.model": "gpt-x",
    }
    assert {point.attributes["gen_ai.token.type"]: point.count for point in usage} == {
        "input": 2,
        "output": 2,
    }
    assert dict(usage[0].attributes) == common | {
        "gen_ai.token.type": usage[0].attributes["gen_ai.token.type"]
    }
    total = sum(point.sum for point in usage)
    run = scope.run.attributes
    assert total == run["gen_ai.usage.input_tokens"] + run["gen_ai.usage.output_tokens"]
    (first,) = scope.points("gen_ai.client.operation.time_to_first_chunk")
    assert (first.count, first.sum) == (2, pytest.approx(2.5))
    (duration,) = scope.points("gen_ai.client.operation.duration")
    assert dict(duration.attributes) == common
    assert duration.sum == pytest.approx(3.5)
    assert duration.explicit_bounds == names.METRICS[1].bounds


def test_the_names_are_those_of_the_installed_conventions():
    """The table is our own, and says the same as the package, whatever that calls deprecated."""
    from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

    known = {
        value
        for module in (gen_ai_attributes, error_attributes, gen_ai_metrics)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    ours = {row.name for row in (*names.ATTRIBUTES, *names.METRICS)}
    assert {name for name in ours if not name.startswith("l0.")} <= known


async def test_everything_that_is_told_is_in_the_table(clock):
    """No attribute, event or metric that the documentation doesn't know."""
    scope = Telescope(record_token_content=True, trace_tokens=True)
    loop = "The same words come again and again. " * 40
    await use(
        scope,
        ["bad"],
        [tool("1", "f", {"x": 1}), stall(60)],
        [*openai_chunks(["fine"])],
        guardrails=[l0.custom_pattern_rule([r"bad"], "no bad")],
        timeout=l0.Timeout(inter_token=30),
        clock=clock,
        meta={"model": "m"},
    )
    await use(
        scope,
        [loop],
        [fail(400)],
        fallbacks=[ScriptedModel(["x" * 20, fail(503)], ["y"])],
        drift=True,
        continuation=True,
        clock=clock,
    )
    listed = {row.name for row in names.ATTRIBUTES}
    span_events = {row.name for row in names.SPAN_EVENTS}
    for span in scope.spans:
        assert set(span.attributes) <= listed
        assert {event.name for event in span.events} <= span_events
    seen = {event.name for span in scope.spans for event in span.events}
    assert seen == span_events
    attributes = {name for span in scope.spans for name in span.attributes}
    metric_only = {"gen_ai.token.type"}
    unseen = {
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
    }
    assert listed - attributes - metric_only <= unseen


# --- content ----------------------------------------------------------------------------------


async def test_content_is_never_recorded_unless_asked_for(clock):
    for asked in (False, True):
        scope = Telescope(record_token_content=asked, trace_tokens=True)
        await use(
            scope,
            ["lorem", " bad"],
            ["ipsum ", tool("1", "f", {"city": "Ulm"}), "dolor"],
            guardrails=[l0.custom_pattern_rule([r"lorem bad"], "said lorem bad")],
            clock=clock,
        )
        told = scope.text()
        for word in ("ipsum", "Ulm", "said lorem"):
            assert (word in told) is asked, word
        batches = [e for a in scope.attempts(scope.run) for e in events(a, "l0.tokens")]
        assert sum(batch["l0.token.count"] for batch in batches) == 4
        if asked:
            (message,) = json.loads(scope.run.attributes["gen_ai.output.messages"])
            assert message["parts"] == [{"type": "text", "content": "ipsum dolor"}]


async def test_recorded_content_is_redacted_across_tokens():
    scope = Telescope(record_token_content=True)
    key = "sk-ant-api03-abcdef0123456789abcdef"
    await use(scope, ["the key is ", *key, " ok", tool("1", "f", {"api_key": "hunter2"})])
    told = scope.text()
    assert key not in told
    assert "hunter2" not in told
    assert "the key is [redacted] ok" in told


# --- making one -------------------------------------------------------------------------------


async def test_it_joins_a_handler_of_your_own():
    scope, seen = Telescope(), []
    handler = with_opentelemetry(seen.append, tracer=scope.tracer)
    await l0.run(lambda: ["a"], on_event=handler).read()
    assert len(scope.runs) == 1
    assert seen[-1].type == "COMPLETE"


def test_without_a_provider_it_does_nothing_and_breaks_nothing():
    handler = create_opentelemetry_handler()
    assert asyncio.run(l0.run(lambda: ["a"], on_event=handler).read()) == "a"
    assert isinstance(handler, OpenTelemetry)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OpenTelemetryConfig(service_name=""), "service_name is a name"),
        (lambda: OpenTelemetryConfig(default_attributes=["a"]), "default_attributes is a mapping"),
        (lambda: OpenTelemetryConfig(redact=1), "redact is True, False or a Redactor"),
        (lambda: OpenTelemetry(config={}), "config is an OpenTelemetryConfig"),
    ],
)
def test_a_senseless_setting_is_named(make, says):
    with pytest.raises((ValueError, TypeError), match=says):
        make()


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "l0\[otel\]"'):
        OpenTelemetry()
