"""No exporter ever sees a secret, wherever it was hidden; nor content that was not asked for."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from types import SimpleNamespace

import pytest
from otel_kit import Telescope

import l0
from l0.monitoring import (
    Metrics,
    Monitor,
    MonitoringConfig,
    OpenTelemetryConfig,
    SentryConfig,
    TelemetryExporter,
    combine_events,
    create_prometheus_handler,
    create_sentry_handler,
    enable_debug,
    with_opentelemetry,
)
from l0.testing import ScriptedModel, fail, openai_chunks, tool

KEY = "sk-ant-api03-abcdef0123456789abcdef"
PASSWORD = "correct-horse"
BAIT = (KEY, "abcdef0123456789", PASSWORD, "lovelace", "ghp_0123456789abcdefghij0123")
META = {
    "model": f"m {KEY}",
    "Authorization": f"Bearer {PASSWORD}",
    "nested": [{"api-key": PASSWORD}, f"https://ada:lovelace@example.org/{KEY}"],
    KEY: "as a name",
}


def script():
    """Baits in error texts, tool arguments, tokens cut in the middle, and the model's own name."""
    return ScriptedModel(
        [fail(ConnectionError(f"proxy https://ada:lovelace@10.0.0.1 refused {KEY}"))],
        [tool("1", "login", {"password": PASSWORD, "note": KEY}), "x ", *KEY, fail(503)],
        [f"bad ghp_0123456789abcdefghij0123 {KEY}"],
        [*openai_chunks(["fine ", KEY[:9], KEY[9:]], model=f"m-{KEY}", finish_reason="length")],
        [fail(TypeError(f'{{"password": "{PASSWORD}"}} is wrong, {KEY}'))],
    )


async def play(handler, **options):
    stream = l0.run(
        script(),
        on_event=handler,
        meta=META,
        retry=l0.Retry(attempts=9, max_retries=9, base_delay=0),
        on_incomplete="retry",
        guardrails=[l0.custom_pattern_rule([r"bad"], f"bad {KEY}", name=f"rule {KEY}")],
        **options,
    )
    with pytest.raises(TypeError, match="is wrong"):
        await stream.read()
    return stream


def clean(text):
    assert text
    for bait in BAIT:
        assert bait not in text, bait
        assert json.dumps(bait)[1:-1] not in text
    assert "[redacted]" in text


@pytest.mark.parametrize("content", [False, True])
async def test_s83_no_span_and_no_metric_holds_a_secret(content):
    scope = Telescope(record_token_content=content, trace_tokens=True)
    await play(scope.handler)
    assert len(scope.attempts(scope.run)) == 5
    clean(scope.text())


async def test_s83_no_sentry_event_holds_a_secret():
    sent = []

    class Sentry:
        """What the module is asked to do, without its own scrubbing."""

        def add_breadcrumb(self, **crumb):
            sent.append(crumb)

        def capture_event(self, event):
            sent.append(event)

        def get_current_span(self):
            return None

        def start_transaction(self, **told):
            sent.append(told)
            return self

        def set_data(self, name, value):
            sent.append({name: value})

        def set_status(self, status):
            sent.append(status)

        def finish(self, **told):
            sent.append(told)

    await play(create_sentry_handler(Sentry()))
    assert len([event for event in sent if "exception" in event]) == 1
    clean(repr(sent))


async def test_s83_no_prometheus_label_holds_a_secret():
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    await play(create_prometheus_handler(registry))
    clean(generate_latest(registry).decode())


async def test_s83_no_telemetry_holds_a_secret(caplog):
    caplog.set_level(logging.DEBUG, logger="l0")
    monitor = Monitor(MonitoringConfig.development())
    stream = await play(monitor, monitoring=True)
    for told in (*monitor.all(), stream.telemetry):
        clean(repr(told))
        clean(TelemetryExporter.to_json(told))
        clean(TelemetryExporter.to_csv([told]))
        clean(TelemetryExporter.to_jsonl([told]))
        clean(TelemetryExporter.to_log_format(told))
    lines = [record.getMessage() for record in caplog.records if "outcome" in record.getMessage()]
    assert len(lines) == 2
    clean("\n".join(lines))


async def test_s83_no_debug_line_holds_a_secret(monkeypatch):
    log = logging.getLogger("l0")
    handlers, level = log.handlers[:], log.level
    err = io.StringIO()
    monkeypatch.setattr("sys.stderr", err)

    def bang(event):
        raise ValueError(f"handler {KEY}")

    try:
        enable_debug()
        await play(combine_events(bang))
    finally:
        log.handlers[:] = handlers
        log.setLevel(level)
    clean(err.getvalue())


async def test_a_redactor_of_your_own_holds_everywhere():
    redactor = l0.events.Redactor(patterns=["ticket-[0-9]+"])
    scope = Telescope(redact=redactor)
    monitor = Monitor(MonitoringConfig(redact=redactor))
    model = ScriptedModel([fail(TypeError("see ticket-77"))])
    with pytest.raises(TypeError, match="ticket"):
        await l0.run(model, on_event=combine_events(scope.handler, monitor)).read()
    for text in (scope.text(), repr(monitor.all())):
        assert "ticket-77" not in text
        assert "see [redacted]" in text


async def test_redaction_can_be_switched_off():
    scope = Telescope(redact=False)
    model = ScriptedModel([fail(TypeError(f"key {KEY}"))])
    with pytest.raises(TypeError, match="key"):
        await l0.run(model, on_event=scope.handler).read()
    assert KEY in scope.text()


async def test_combinators_forward_payloads_untouched():
    """They are no exporters: what comes behind them decides."""
    seen, plain = [], []
    stream = l0.run(lambda: ["a"], on_event=combine_events(None, seen.append), meta=META)
    stream.subscribe(plain.append)
    await stream.read()
    assert all(one is other for one, other in zip(seen, plain, strict=True))


def test_metrics_hold_numbers_only():
    metrics = Metrics()
    asyncio.run(play(metrics))
    assert all(isinstance(value, int) for value in metrics.to_dict().values())
    assert with_opentelemetry(config=OpenTelemetryConfig()).types


class OwnInterceptorError(l0.errors.InterceptorError):
    """A caller's own kind, which is declared after the library was imported."""


async def test_what_a_callers_own_interceptor_says_may_quote_the_output():
    def judge(completion):
        raise OwnInterceptorError(f"not wanted: {completion.text}")

    events = []
    sentry = SimpleNamespace(
        capture_event=events.append,
        add_breadcrumb=lambda **_: None,
        get_current_span=lambda: None,
    )
    handler = create_sentry_handler(sentry, SentryConfig(enable_tracing=False))
    judging = SimpleNamespace(name="own", after=judge)
    stream = l0.run(lambda: ["the output"], interceptors=[judging], on_event=handler)
    with pytest.raises(OwnInterceptorError):
        await stream.read()
    assert len(events) == 1
    assert "the output" not in json.dumps(events, default=str)
