"""Counters: what a handler counts, and what the process counts, are the same numbers."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

import l0
from l0.errors import MissingDependencyError
from l0.monitoring import Metrics, get_global_metrics, reset_global_metrics
from l0.monitoring._metrics import MEANINGS, NAMES, add_run
from l0.testing import ScriptedModel, fail, hang, stall, tool


@pytest.fixture(autouse=True)
def _fresh():
    reset_global_metrics()
    yield
    reset_global_metrics()


NETWORK = ConnectionResetError("gone")
RETRY = l0.Retry(attempts=2, base_delay=0)
LOOP = "The same words come again and again. " * 40


CASES = {
    "success": (ScriptedModel, [["a", "b"]], {}, {"tokens": 2, "completions": 1}),
    "tool": (ScriptedModel, [[tool("1", "f")]], {}, {"completions": 1}),
    "server error": (
        ScriptedModel,
        [["a", fail(503)], ["b"]],
        {},
        {"tokens": 1, "completions": 1, "errors": 1, "retries": 1, "network_retry_count": 1},
    ),
    "network": (
        ScriptedModel,
        [["a", fail(NETWORK)], ["b"]],
        {},
        {"tokens": 1, "completions": 1, "errors": 1, "retries": 1, "network_retry_count": 1},
    ),
    "zero output": (
        ScriptedModel,
        [[], ["b"]],
        {},
        {"tokens": 1, "completions": 1, "errors": 1, "retries": 1},
    ),
    "bad request": (ScriptedModel, [[fail(400)]], {}, {"errors": 1}),
    "timeout": (
        ScriptedModel,
        [[stall(60), "a"], ["b"]],
        {"timeout": l0.Timeout(initial_token=1)},
        {
            "tokens": 1,
            "completions": 1,
            "errors": 1,
            "retries": 1,
            "network_retry_count": 1,
            "timeouts": 1,
        },
    ),
    "deadline": (
        ScriptedModel,
        [["a", stall(60), "b"]],
        {"timeout": l0.Timeout(total=1)},
        {"tokens": 1, "errors": 1, "timeouts": 1},
    ),
    "fallback": (
        ScriptedModel,
        [[fail(400)]],
        {"fallbacks": [lambda: ["a"]]},
        {"tokens": 1, "completions": 1, "errors": 1, "fallbacks": 1},
    ),
    "violation": (
        ScriptedModel,
        [["bad"], ["good"]],
        {"guardrails": [l0.custom_pattern_rule([r"bad"], "no bad")]},
        {"tokens": 1, "completions": 1, "errors": 1, "retries": 1, "violations": 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_handler_and_the_process_count_the_same(play, case):
    model, scripts, options, expected = CASES[case]
    metrics = Metrics()
    await play(model(*scripts), on_event=metrics, retry=RETRY, **options)
    wanted = dict.fromkeys(NAMES, 0) | {"requests": 1} | expected
    assert metrics.snapshot() == wanted
    assert get_global_metrics().snapshot() == wanted


async def test_drift_is_counted(play):
    metrics = Metrics()
    await play(ScriptedModel([LOOP], ["fine text, then"]), drift=True, on_event=metrics)
    assert metrics.drift_detections >= 1
    assert get_global_metrics().drift_detections >= 1


async def test_aborted_and_cancelled_runs_count_as_requests_only(clock):
    stream = l0.run(ScriptedModel(["a", hang()]), clock=clock)
    async with stream:
        async for _ in stream:
            break
    task = asyncio.create_task(l0.run(ScriptedModel([hang()])).read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wanted = dict.fromkeys(NAMES, 0) | {"requests": 2, "tokens": 1}
    assert get_global_metrics().snapshot() == wanted


async def test_a_run_that_was_never_used_is_no_request():
    l0.run(lambda: ["a"])
    await l0.run(lambda: ["a"]).aclose()
    assert get_global_metrics().requests == 0


async def test_many_runs_are_added_up_however_they_are_kept():
    for _ in range(1001):
        await l0.run(lambda: ["a", "b"]).read()
    assert get_global_metrics().tokens == 2002
    assert get_global_metrics().completions == get_global_metrics().requests == 1001
    assert len(get_global_metrics().uneventful) == 0


def test_threads_lose_no_counts():
    class Ended:
        violations, drift_types, token_count = (), (), 1

    def work():
        for _ in range(5000):
            add_run(Ended(), [], "completed")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get_global_metrics().requests == get_global_metrics().tokens == 20_000


def test_a_run_costs_next_to_nothing():
    """One append in the common case: far below the microseconds a run takes."""
    state = l0.State()
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            add_run(state, [], "completed")
        best = min(best, (time.perf_counter() - began) / 500)
    assert best < 3e-6


def test_counters_are_attributes_and_can_be_reset():
    metrics = Metrics()
    metrics._add(tokens=3, errors=1)
    assert (metrics.tokens, metrics.errors, metrics.requests) == (3, 1, 0)
    assert metrics.to_dict() == metrics.snapshot()
    assert repr(metrics) == "Metrics(tokens=3, errors=1)"
    taken = metrics.snapshot()
    metrics.reset()
    assert metrics.tokens == 0
    assert taken["tokens"] == 3
    assert set(NAMES) <= set(dir(metrics))
    with pytest.raises(AttributeError, match="its counters are requests"):
        metrics.token  # noqa: B018


def test_prometheus_reads_the_text():
    from prometheus_client.parser import text_string_to_metric_families

    metrics = Metrics()
    metrics._add(tokens=3, retries=2)
    families = {f.name: f for f in text_string_to_metric_families(metrics.to_prometheus("app"))}
    assert set(families) == {f"app_{name}" for name in NAMES}
    assert families["app_tokens"].type == "counter"
    assert families["app_tokens"].samples[0].value == 3
    assert families["app_retries"].samples[0].name == "app_retries_total"


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "l0\[prometheus\]"'):
        Metrics().to_prometheus()


def test_every_counter_has_a_meaning():
    assert tuple(MEANINGS) == NAMES
