"""Telemetry of streams: what is told, what is kept, and what the exporter makes of it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import l0
from l0.events import Usage
from l0.monitoring import (
    Monitor,
    MonitoringConfig,
    SamplingConfig,
    Telemetry,
    TelemetryExporter,
    aggregate,
)
from l0.monitoring._quantiles import Quantiles, percentile
from l0.testing import ScriptedModel, end, fail, hang, stall, tool

RETRY = l0.Retry(attempts=2, base_delay=2, backoff="fixed")


async def told_of(clock, *scripts, **options):
    monitor = Monitor(options.pop("config", None))
    stream = l0.run(ScriptedModel(*scripts), on_event=monitor, clock=clock, retry=RETRY, **options)
    try:
        await stream.read()
    except Exception:
        assert stream.outcome == "failed"
    return monitor.get(stream.stream_id)


# --- what is told -----------------------------------------------------------------------------


async def test_a_failed_run_is_told(clock):
    told = await told_of(clock, [fail(400)], meta={"user": "ada"})
    assert (told.outcome, told.ok, told.error, told.error_type) == (
        *("failed", False),
        *("HTTP 400", "HTTPStatusError"),
    )
    (attempt,) = told.attempts
    assert (attempt.outcome, attempt.category, attempt.error) == ("failed", "fatal", "HTTP 400")
    assert told.meta == {"user": "ada"}
    assert told.tokens_per_second is None


async def test_times_are_measured_from_the_first_use(clock):
    told = await told_of(clock, [stall(1), fail(503)], [stall(3), "a", stall(2), "b", stall(1)])
    assert told.time_to_first_token == pytest.approx(6)
    assert told.duration == pytest.approx(told.ended_at - told.started_at) == pytest.approx(9)
    assert told.tokens_per_second == pytest.approx(1 / 3)
    first, second = told.attempts
    assert (first.number, first.outcome, first.duration) == (1, "failed", pytest.approx(1))
    assert (second.number, second.outcome, second.duration) == (2, "completed", pytest.approx(6))
    assert second.time_to_first_token == pytest.approx(3)
    assert told.retries == told.network_retries == 1


async def test_usage_of_failed_attempts_counts(clock):
    told = await told_of(
        clock,
        ["a", end(usage=Usage(10, 1), finish_reason="length")],
        ["b", end(usage=Usage(10, 2))],
        on_incomplete="retry",
    )
    assert [a.usage.output_tokens for a in told.attempts] == [1, 2]
    assert [a.usage_source for a in told.attempts] == ["reported", "reported"]
    assert told.usage == Usage(20, 3, requests=2)
    assert told.lost_tokens == 1


async def test_findings_are_counted_by_kind(clock):
    told = await told_of(
        clock,
        ["bad"],
        [tool("1", "f", {"x": 1}), stall(60)],
        ["never bad", fail(ConnectionResetError())],
        ["fine"],
        guardrails=[l0.custom_pattern_rule([r"^bad"], "no bad", name="manners")],
        timeout=l0.Timeout(inter_token=30),
        fallbacks=[ScriptedModel(["last"])],
    )
    assert told.violations == {"manners": 1}
    assert told.timeouts == {"inter_token": 1}
    assert told.network_errors == {"econnreset": 1}
    assert told.tool_calls == 1
    assert [(a.number, a.fallback_index, a.outcome) for a in told.attempts] == [
        *((1, 0, "failed"), (2, 0, "failed"), (3, 0, "failed")),
        (4, 0, "completed"),
    ]


async def test_a_fallback_is_told(clock):
    told = await told_of(clock, [fail(400)], fallbacks=[ScriptedModel(["b"])])
    assert [(a.number, a.fallback_index) for a in told.attempts] == [(1, 0), (1, 1)]
    assert told.fallback_index == 1
    assert told.error is told.error_type is None


async def test_times_between_tokens_are_told_if_tokens_are_listened_to(clock):
    script = [step for _ in range(100) for step in ("a", stall(0.5))]
    plain = await told_of(clock, script)
    assert plain.inter_token is None
    told = await told_of(clock, script, config=MonitoringConfig.development())
    assert told.inter_token.count == 99
    for value in (told.inter_token.p50, told.inter_token.p90, told.inter_token.p99):
        assert value == pytest.approx(0.5, rel=0.01)


async def test_an_aborted_run_is_told(clock):
    monitor = Monitor()
    stream = l0.run(ScriptedModel(["a", hang()]), on_event=monitor, clock=clock)
    async with stream:
        async for _ in stream:
            running = monitor.get(stream.stream_id)
            break
    assert (running.outcome, running.duration, running.attempts[0].outcome) == (None, None, None)
    told = monitor.get(stream.stream_id)
    assert (told.outcome, told.attempts[0].outcome, told.tokens) == ("aborted", "aborted", 1)


async def test_a_cancelled_run_is_told(clock):
    monitor = Monitor()
    task = asyncio.create_task(
        l0.run(ScriptedModel(["a", hang()]), on_event=monitor, stream_id="c").read()
    )
    while monitor.get("c") is None or not monitor.get("c").attempts:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert monitor.get("c").outcome == "cancelled"


async def test_a_run_within_a_run_names_the_other():
    monitor = Monitor()

    async def outer():
        yield await l0.run(lambda: ["inner"], on_event=monitor, stream_id="in").read()

    await l0.run(outer, on_event=monitor, stream_id="out").read()
    assert monitor.get("in").parent_id == "out"
    assert monitor.get("out").parent_id is None


async def test_a_run_that_was_not_heard_from_its_beginning_is_not_told():
    """Half a story would be a wrong one."""
    monitor = Monitor()
    stream = l0.run(lambda: ["a", "b"])
    async for _ in stream:
        stream.subscribe(monitor)
        break
    assert len(monitor) == 0


# --- what is kept -----------------------------------------------------------------------------


async def many(monitor, count, clock, script=("a",)):
    ids = []
    for _ in range(count):
        stream = l0.run(lambda: list(script), on_event=monitor, clock=clock)
        await stream.read()
        ids.append(stream.stream_id)
    return ids


async def test_a_monitor_holds_the_latest_streams(clock):
    monitor = Monitor(MonitoringConfig(buffer_size=3))
    ids = await many(monitor, 5, clock)
    assert [told.stream_id for told in monitor.all()] == ids[2:]
    assert monitor.get(ids[0]) is None
    assert len(monitor) == 3
    monitor.clear()
    assert monitor.all() == []


async def test_streams_that_never_end_leave_oldest_first(clock):
    monitor = Monitor(MonitoringConfig(buffer_size=2))
    open_ones = [l0.run(ScriptedModel([hang()]), clock=clock) for _ in range(3)]
    for stream in open_ones:
        stream.subscribe(monitor)
        stream._run.tell(stream._run.start_payload())
    assert [told.stream_id for told in monitor.all()] == [s.stream_id for s in open_ones[1:]]
    (ended,) = await many(monitor, 1, clock)
    assert [told.stream_id for told in monitor.all()] == [open_ones[2].stream_id, ended]
    assert monitor.aggregate().streams == 1


async def test_a_busy_stream_stays_while_others_come_and_go(clock):
    monitor = Monitor(MonitoringConfig(buffer_size=3))
    stream = l0.run(
        ScriptedModel(*[[fail(503)]] * 5, ["a"]),
        on_event=monitor,
        clock=clock,
        retry=l0.Retry(attempts=9, max_retries=9, base_delay=1),
    )
    others = asyncio.create_task(many(monitor, 2, clock))
    await stream.read()
    await others
    assert monitor.get(stream.stream_id).retries == 5


async def test_failed_streams_are_kept_whatever_the_rate(clock):
    kept = []
    monitor = Monitor(MonitoringConfig.minimal(), on_complete=kept.append)
    await many(monitor, 3, clock)
    with pytest.raises(Exception, match="400"):
        await l0.run(ScriptedModel([fail(400)]), on_event=monitor, clock=clock).read()
    assert [told.outcome for told in kept] == ["failed"]
    assert monitor.all() == kept


async def test_slow_streams_are_kept_whatever_the_rate(clock):
    sampling = SamplingConfig(rate=0, slow_threshold=3)
    monitor = Monitor(MonitoringConfig(sampling=sampling))
    for seconds in (2.9, 3.1):
        model = ScriptedModel([stall(seconds), "a"])
        await l0.run(model, on_event=monitor, clock=clock).read()
    assert [round(told.duration, 1) for told in monitor.all()] == [3.1]


async def test_short_streams_are_left_out_but_not_failed_ones(clock):
    monitor = Monitor(MonitoringConfig(sampling=SamplingConfig(min_duration=1)))
    await many(monitor, 2, clock)
    with pytest.raises(Exception, match="400"):
        await l0.run(ScriptedModel([fail(400)]), on_event=monitor, clock=clock).read()
    assert [told.outcome for told in monitor.all()] == ["failed"]


async def test_a_monitor_that_is_off_asks_for_nothing(clock):
    monitor = Monitor(MonitoringConfig(enabled=False))
    bus = l0.EventBus(monitor)
    assert not bus.wants("SESSION_START")
    await many(monitor, 1, clock)
    assert len(monitor) == 0


async def test_a_coroutine_is_told_of_each_stream(clock):
    kept = []

    async def keep(told):
        await asyncio.sleep(0)
        kept.append(told.outcome)

    await many(Monitor(on_complete=keep), 2, clock)
    assert kept == ["completed", "completed"]


async def test_each_kept_stream_is_a_line_in_the_log(clock, caplog):
    caplog.set_level(logging.DEBUG, logger="l0")
    monitor = Monitor(MonitoringConfig(log_level="warning"))
    (stream_id,) = await many(monitor, 1, clock)
    (record,) = [r for r in caplog.records if stream_id in r.getMessage()]
    assert record.levelname == "WARNING"
    assert "outcome=completed" in record.getMessage()


async def test_streams_on_several_threads(clock):
    monitor = Monitor(MonitoringConfig(buffer_size=1000))

    def work():
        for _ in range(20):
            asyncio.run(l0.run(lambda: ["a"], on_event=monitor).read())

    await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))
    assert monitor.aggregate().outcomes == {"completed": 80}


async def test_the_sum_of_streams(clock):
    monitor = Monitor()
    await many(monitor, 3, clock, ["a", end(usage=Usage(5, 2))])
    with pytest.raises(Exception, match="400"):
        await l0.run(ScriptedModel([fail(400)]), on_event=monitor, clock=clock).read()
    total = monitor.aggregate()
    assert total.streams == 4
    assert total.outcomes == {"completed": 3, "failed": 1}
    assert total.success_rate == 0.75
    assert total.usage.total_tokens == 21
    assert total.errors == {"HTTPStatusError": 1}
    assert total.duration.count == 4
    assert aggregate([]).success_rate is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SamplingConfig(rate=2), "SamplingConfig.rate is a share"),
        (lambda: SamplingConfig(min_duration=-1), "SamplingConfig.min_duration is in seconds"),
        (lambda: SamplingConfig(slow_threshold="5"), "SamplingConfig.slow_threshold"),
        (lambda: SamplingConfig(sample_slow=1), "SamplingConfig.sample_slow is True or False"),
        (lambda: MonitoringConfig(buffer_size=0), "buffer_size counts streams"),
        (lambda: MonitoringConfig(log_level="loud"), "log_level is one of debug"),
        (lambda: MonitoringConfig(enabled=None), "enabled is True or False"),
        (lambda: MonitoringConfig(sampling=0.1), "sampling is a SamplingConfig"),
        (lambda: MonitoringConfig(redact="yes"), "redact is True, False or a Redactor"),
        (lambda: Monitor("production"), "config is a MonitoringConfig"),
        (lambda: Monitor(on_complete=5), "on_complete is called with Telemetry"),
        (lambda: l0.run(list, monitoring="yes"), "monitoring is True, False or a MonitoringConfig"),
    ],
)
def test_a_senseless_setting_is_named(make, says):
    with pytest.raises((ValueError, TypeError), match=says):
        make()


def test_presets():
    assert MonitoringConfig.default() == MonitoringConfig()
    assert MonitoringConfig.production().sampling == SamplingConfig(rate=0.1)
    assert MonitoringConfig.development().token_timing
    assert MonitoringConfig.minimal().sampling.sample_errors
    assert MonitoringConfig().replace(buffer_size=5).buffer_size == 5


# --- run(monitoring=…) ------------------------------------------------------------------------


async def test_a_stream_has_its_telemetry_at_the_end(clock):
    stream = l0.run(ScriptedModel(["a", "b"]), monitoring=True, clock=clock)
    assert stream.telemetry is None
    async for event in stream:
        assert stream.telemetry.outcome == ("completed" if event.is_complete else None)
    told = stream.telemetry
    assert (told.stream_id, told.outcome, told.tokens) == (stream.stream_id, "completed", 2)


async def test_a_failed_stream_has_its_telemetry():
    stream = l0.run(ScriptedModel([fail(400)]), monitoring=True)
    with pytest.raises(Exception, match="400"):
        await stream.read()
    assert stream.telemetry.outcome == "failed"


@pytest.mark.parametrize("off", [None, False, MonitoringConfig(enabled=False)])
async def test_without_monitoring_there_is_no_listener(off):
    stream = l0.run(lambda: ["a"], monitoring=off)
    await stream.read()
    assert stream.telemetry is None
    assert not stream._run.bus.active


async def test_a_run_that_sampling_leaves_out_has_none():
    stream = l0.run(lambda: ["a"], monitoring=MonitoringConfig.minimal())
    await stream.read()
    assert stream.telemetry is None


async def test_the_runs_own_redaction_holds_for_its_telemetry():
    for redact, seen in ((True, "[redacted]"), (False, "hunter2")):
        stream = l0.run(lambda: ["a"], monitoring=True, redact=redact, meta={"password": "hunter2"})
        await stream.read()
        assert stream.telemetry.meta == {"password": seen}


def test_a_synchronous_stream_has_its_telemetry():
    stream = l0.run_sync(lambda: ["a"], monitoring=True)
    assert stream.read() == "a"
    assert stream.stream.telemetry.ok


# --- other forms ------------------------------------------------------------------------------


async def test_every_form_says_the_same(clock):
    told = await told_of(
        clock,
        ["bad"],
        [stall(1), "fine ", stall(1), "text", end(usage=Usage(7, 3))],
        guardrails=[l0.custom_pattern_rule([r"bad"], "no bad", name="manners")],
        meta={"user": "ada", "=1+1": ["x"]},
    )
    form = TelemetryExporter
    assert json.loads(form.to_json(told)) == form.to_dict(told)
    assert json.loads(form.to_json(told, indent=0)) == form.to_dict(told)
    assert "\n  " in form.to_json(told)
    lines = form.to_jsonl([told, told]).splitlines()
    assert [json.loads(line) for line in lines] == [form.to_dict(told)] * 2
    (row,) = csv.DictReader(io.StringIO(form.to_csv([told])))
    assert row["violations"] == '{"manners":1}'
    assert (row["tokens"], row["attempts"], row["usage_total_tokens"]) == ("2", "2", "10")
    numbers = form.to_metrics(told, prefix="app")
    assert numbers["app.duration_seconds"] == told.duration
    assert numbers["app.usage.output_tokens"] == 3
    assert numbers["app.violations"] == 1
    assert form.to_metrics(told, prefix="")["tokens"] == 2
    assert "violations=1" in form.to_log_format(told)
    assert "duration_s=4.000" in form.to_log_format(told)


def test_no_cell_is_a_formula():
    told = Telemetry("s", 0.0, error='=cmd|"x"', model="@x")
    (row,) = csv.DictReader(io.StringIO(TelemetryExporter.to_csv([told])))
    assert (row["error"], row["model"]) == ('\'=cmd|"x"', "'@x")


def test_a_log_line_is_one_line():
    told = Telemetry("s", 0.0, error="two\nlines = bad")
    line = TelemetryExporter.to_log_format(told)
    assert line == 'stream=s outcome=unfinished error="two\\nlines = bad"'


def test_no_streams_are_a_header():
    assert TelemetryExporter.to_csv([]).startswith("stream_id,outcome,")
    assert TelemetryExporter.to_jsonl([]) == ""


# --- percentiles ------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=200), st.floats(0, 1))
def test_percentiles_of_many_are_right_to_one_percent(values, share):
    many = Quantiles()
    many.add(values)
    nearest = sorted(values)[math.floor(share * (len(values) - 1))]
    assert many.at(share) == pytest.approx(nearest, rel=0.0101)
    assert min(values) <= percentile(values, share) <= max(values)


def test_percentiles_of_nothing_are_none():
    assert Quantiles().at(0.5) is percentile([], 0.5) is None


def test_percentiles_of_a_million_numbers_stay_small():
    many = Quantiles()
    many.add(0.001 * (i % 1000) for i in range(100_000))
    assert len(many._buckets) < 1000
