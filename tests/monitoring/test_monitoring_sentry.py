"""Sentry, through its real SDK with a transport that keeps what it is given."""

from __future__ import annotations

import asyncio
import sys

import pytest

import l0
from l0.errors import MissingDependencyError
from l0.monitoring import SentryConfig, create_sentry_handler, with_sentry
from l0.testing import ScriptedModel, fail, hang, stall

RETRY = l0.Retry(base_delay=0)


@pytest.fixture
def sent():
    """What a Sentry that lives in this process receives."""
    import sentry_sdk
    from sentry_sdk.transport import Transport

    received = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            received.extend(item.payload.json for item in envelope.items if item.payload.json)

    with sentry_sdk.isolation_scope() as scope:
        scope.clear()
        before = sentry_sdk.get_global_scope().client
        sentry_sdk.init(
            dsn="http://key@127.0.0.1:9/1",
            transport=Kept,
            traces_sample_rate=1.0,
            default_integrations=False,
            attach_stacktrace=True,
            auto_session_tracking=False,
        )
        yield received
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(before)


def errors(sent):
    return [event for event in sent if "level" in event]


def transactions(sent):
    return [event for event in sent if event.get("type") == "transaction"]


def spans_of(sent):
    return [span for each in sent for span in each.get("items", ())]


async def play(*scripts, handler=None, **options):
    stream = l0.run(
        ScriptedModel(*scripts),
        **{"retry": RETRY, "on_event": handler or create_sentry_handler()} | options,
    )
    try:
        await stream.read()
    except Exception:
        assert stream.outcome == "failed"
    return stream


async def test_a_failed_run_is_captured_once_with_what_led_there(sent, clock):
    stream = await play(
        [stall(60), "a"],
        [fail(ConnectionResetError("gone"))],
        [fail(400)],
        fallbacks=[ScriptedModel([fail(401)])],
        timeout=l0.Timeout(initial_token=5),
        clock=clock,
    )
    (event,) = errors(sent)
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "HTTPStatusError"
    assert "all 2 streams failed" in exception["value"]
    assert event["level"] == "error"
    assert event["tags"]["l0.category"] == "fatal"
    assert event["contexts"]["l0"]["stream_id"] == stream.stream_id
    assert event["contexts"]["l0"]["status"] == 401
    crumbs = event["breadcrumbs"]["values"]
    kinds = [crumb["category"] for crumb in crumbs]
    assert kinds == ["l0.timeout", "l0.retry", "l0.network", "l0.retry", "l0.fallback"]
    assert {crumb["data"]["stream_id"] for crumb in crumbs} == {stream.stream_id}


async def test_a_run_that_recovers_captures_nothing(sent):
    await play(["a", fail(ConnectionResetError())], ["b"])
    assert errors(sent) == []
    import sentry_sdk

    sentry_sdk.capture_message("later")
    crumbs = errors(sent)[0]["breadcrumbs"]["values"]
    assert [crumb["category"] for crumb in crumbs] == ["l0.network", "l0.retry"]


async def test_an_aborted_run_captures_nothing(sent):
    stream = l0.run(ScriptedModel(["a", hang()]), on_event=create_sentry_handler())
    async with stream:
        async for _ in stream:
            break
    assert errors(sent) == []
    (transaction,) = transactions(sent)
    assert transaction["contexts"]["trace"]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("least", "captured"), [("warning", ["warning", "error"]), ("error", ["error"]), ("fatal", [])]
)
async def test_violations_from_a_severity_on_are_captured(sent, least, captured):
    await play(
        ["bad and worse"],
        ["fine"],
        handler=create_sentry_handler(config=SentryConfig(min_guardrail_severity=least)),
        guardrails=[
            l0.custom_pattern_rule([r"bad"], "no bad", name="mild", severity="warning"),
            l0.custom_pattern_rule([r"worse"], "no worse", name="strict"),
        ],
    )
    found = errors(sent)
    assert [event["level"] for event in found] == captured
    assert all(event["message"].startswith("guardrail violation: ") for event in found)
    assert "bad and worse" not in str(sent)


async def test_what_is_not_asked_for_is_not_sent(sent):
    config = SentryConfig(
        capture_network_errors=False, capture_guardrail_violations=False, enable_tracing=False
    )
    await play(
        ["bad"],
        [fail(ConnectionResetError())],
        ["fine"],
        handler=create_sentry_handler(config=config),
        guardrails=[l0.custom_pattern_rule([r"bad"], "no bad")],
    )
    assert sent == []


async def test_tags_and_environment_are_on_every_event(sent):
    config = SentryConfig(tags={"team": "search"}, environment="lab")
    await play([fail(400)], handler=with_sentry(None, config=config))
    (event,) = errors(sent)
    assert event["tags"]["team"] == "search"
    assert event["environment"] == "lab"


async def test_a_run_is_a_transaction_or_a_span_of_the_one_that_is_open(sent):
    import sentry_sdk

    await play(["a"], meta={"model": "gpt-x"})
    with sentry_sdk.start_transaction(name="request"):
        await asyncio.gather(play(["a"]), play([fail(400)]))
    alone, request = transactions(sent)
    assert alone["transaction"] == "chat gpt-x"
    assert alone["contexts"]["trace"]["op"] == "gen_ai.chat"
    assert alone["contexts"]["trace"]["status"] == "ok"
    assert request["transaction"] == "request"
    spans = spans_of(sent)  # of model calls; this SDK sends them beside their transaction
    assert {span["name"] for span in spans} == {"chat"}
    parent = request["contexts"]["trace"]["span_id"]
    assert {span["parent_span_id"] for span in spans} == {parent}
    assert sorted(span["status"] for span in spans) == ["error", "ok"]
    assert len({span["attributes"]["l0.stream.id"]["value"] for span in spans}) == 2


async def test_breadcrumbs_of_tokens_tell_how_many(sent):
    config = SentryConfig(breadcrumbs_for_tokens=True)
    await play(["secret", "text", fail(400)], handler=create_sentry_handler(config=config))
    (event,) = errors(sent)
    crumbs = event["breadcrumbs"]["values"]
    assert [crumb["data"]["count"] for crumb in crumbs if crumb["category"] == "l0.tokens"] == [2]
    assert "secret" not in str(sent)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SentryConfig(min_guardrail_severity="bad"), "one of warning, error, fatal"),
        (lambda: SentryConfig(tags=["a"]), "tags is a mapping"),
        (lambda: SentryConfig(redact=3), "redact is True, False or a Redactor"),
        (lambda: create_sentry_handler(config={}), "config is a SentryConfig"),
    ],
)
def test_a_senseless_setting_is_named(make, says):
    with pytest.raises((ValueError, TypeError), match=says):
        make()


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "l0\[sentry\]"'):
        create_sentry_handler()
