"""Prometheus: what its own parser reads is what happened."""

from __future__ import annotations

import asyncio
import sys

import pytest

import l0
from l0.errors import MissingDependencyError
from l0.events import Usage
from l0.monitoring import create_prometheus_handler
from l0.monitoring._prometheus import SERIES
from l0.testing import ScriptedModel, end, fail, hang, openai_chunks, stall


@pytest.fixture
def registry():
    from prometheus_client import CollectorRegistry

    return CollectorRegistry(auto_describe=True)


def samples(registry):
    """Every sample with a value, read back from the text format."""
    from prometheus_client import generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    text = generate_latest(registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value and not sample.name.endswith(("_created", "_bucket"))
    }


async def test_a_story_with_everything_in_it(registry, clock):
    handler = create_prometheus_handler(registry)
    stream = l0.run(
        ScriptedModel(
            ["bad"], [stall(60), "late"], ["x", fail(ConnectionResetError())], [fail(400)]
        ),
        fallbacks=[ScriptedModel([stall(2), "fine", stall(1), end(usage=Usage(7, 3))])],
        guardrails=[l0.custom_pattern_rule([r"bad"], "no bad", name="manners")],
        timeout=l0.Timeout(initial_token=30),
        retry=l0.Retry(base_delay=0),
        on_event=handler,
        clock=clock,
    )
    assert await stream.read() == "fine"
    assert samples(registry) == {
        ("l0_requests_total",): 1,
        ("l0_runs_total", "completed"): 1,
        ("l0_tokens_total",): 1,
        ("l0_lost_tokens_total",): 2,
        ("l0_usage_tokens_total", "", "input"): 7,
        ("l0_usage_tokens_total", "", "output"): 3,
        ("l0_errors_total", "content"): 1,
        ("l0_errors_total", "transient"): 1,
        ("l0_errors_total", "network"): 1,
        ("l0_errors_total", "fatal"): 1,
        ("l0_retries_total", "content"): 1,
        ("l0_retries_total", "transient"): 1,
        ("l0_retries_total", "network"): 1,
        ("l0_fallbacks_total",): 1,
        ("l0_timeouts_total", "initial_token"): 1,
        ("l0_network_errors_total", "econnreset"): 1,
        ("l0_violations_total", "manners", "error"): 1,
        ("l0_run_duration_seconds_count", "completed"): 1,
        ("l0_run_duration_seconds_sum", "completed"): pytest.approx(33),
        ("l0_time_to_first_token_seconds_count",): 1,
        ("l0_time_to_first_token_seconds_sum",): pytest.approx(32),
    }


async def test_usage_is_told_by_model(registry):
    handler = create_prometheus_handler(registry, prefix="app")
    await l0.run(lambda: openai_chunks(["a"], model="gpt-x"), on_event=handler).read()
    assert any(key[1:] == ("gpt-x", "output") for key in samples(registry))


@pytest.mark.parametrize("how", ["failed", "aborted", "cancelled"])
async def test_a_run_is_in_progress_until_it_ends(registry, how):
    handler = create_prometheus_handler(registry)
    script = ["a", fail(400)] if how == "failed" else ["a", hang()]
    stream = l0.run(ScriptedModel(script), on_event=handler)

    async def use():
        async for _ in stream:
            assert registry.get_sample_value("l0_runs_in_progress") == 1

    task = asyncio.create_task(use())
    while not stream.state.token_count:
        await asyncio.sleep(0)
    if how == "aborted":
        stream.abort()
    elif how == "cancelled":
        task.cancel()
    await asyncio.wait({task})
    task.cancelled() or task.exception()
    assert registry.get_sample_value("l0_runs_in_progress") == 0
    assert samples(registry)["l0_runs_total", how] == 1


def test_handlers_of_one_registry_share_its_metrics(registry):
    first, second = (create_prometheus_handler(registry) for _ in range(2))
    for handler in (first, second):
        asyncio.run(l0.run(lambda: ["a"], on_event=handler).read())
    assert samples(registry)["l0_requests_total",] == 2


def test_a_name_that_is_taken_is_refused_and_nothing_is_left_behind(registry):
    from prometheus_client import Counter

    taken = Counter("l0_retries_total", "mine", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        create_prometheus_handler(registry)
    registry.unregister(taken)
    assert create_prometheus_handler(registry) is not None


def test_every_series_of_the_table_is_there(registry):
    create_prometheus_handler(registry)
    there = {(family.name, family.type) for family in registry.collect()}
    assert there == {(f"l0_{s.name.removesuffix('_total')}", s.kind) for s in SERIES}


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "l0\[prometheus\]"'):
        create_prometheus_handler()
