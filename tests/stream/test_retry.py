"""S10–S24, S92: what is tried again, how often, and how long that waits."""

from __future__ import annotations

import datetime
import email.utils
import logging
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import l0
from l0.errors import NetworkErrorType
from l0.stream import ErrorTypeDelays, Retry
from l0.stream._retry import delay
from l0.testing import ScriptedModel, fail, http_error

NET = ConnectionResetError("gone")


def model_error():
    return fail(Exception("the model is confused"))


async def test_s10_a_dropped_connection_is_retried_and_the_consumer_is_told(play):
    """Token, restart, tokens: the fold of what the consumer sees is the text."""
    run = await play(ScriptedModel(["a", fail(NET)], ["a", "b"]))
    assert [e.type for e in run.events] == ["token", "restart", "token", "token", "complete"]
    assert (run.shown, run.state.content) == ("ab", "ab")
    assert (run.state.network_retry_count, run.state.model_retry_count) == (1, 0)
    assert run.state.lost_tokens == 1


async def test_s11_the_order_of_a_retry(play):
    """Every event and callback at its place."""
    calls = []
    run = await play(
        ScriptedModel(["a", fail(NET)], ["a", "b"]),
        on_error=lambda *args: calls.append(("error", *args)),
        on_retry=lambda *args: calls.append(("retry", *args)),
        on_start=lambda *args: calls.append(("start", *args)),
        on_restart=lambda *args: calls.append(("restart", *args)),
        on_event=lambda event: calls.append(event.type),
        retry=Retry(attempts=2, base_delay=4, backoff="fixed"),
    )
    assert [call for call in calls if isinstance(call, tuple)] == [
        ("start", 1, False, False),
        ("error", NET, True, False),
        ("retry", 1, "network_error"),
        ("start", 2, True, False),
        ("restart", 0, "network_error"),
    ]
    after = {"error": "ERROR", "retry": "RETRY_ATTEMPT", "restart": "RESTART"}
    for name, event in after.items():
        (at,) = [n for n, call in enumerate(calls) if call[0] == name]
        assert calls[at - 1] == event, "a callback comes right after its event"
    at = calls.index(("start", 2, True, False))
    assert calls[at - 1] == "ATTEMPT_START"
    failed, began = (next(e for e in run.told if e.type == t) for t in ("ERROR", "ATTEMPT_START"))
    assert began.ts - failed.ts == pytest.approx(4000), "the delay lies before the attempt"
    story = [
        *("NETWORK_ERROR", "CONNECTION_DROPPED", "ERROR", "RETRY_START", "RETRY_ATTEMPT"),
        *("ATTEMPT_START", "RESTART", "STREAM_INIT", "NETWORK_RECOVERY", "CONNECTION_RESTORED"),
        *("STREAM_FINISHED", "RETRY_END", "SESSION_SUMMARY", "SESSION_END", "COMPLETE"),
    ]
    assert [t for t in run.types[run.types.index("NETWORK_ERROR") :] if t in story] == story
    attempt = run.one("RETRY_ATTEMPT")
    assert (attempt.attempt, attempt.max_attempts, attempt.counts_toward_limit) == (1, 2, False)
    assert run.one("RETRY_END").success
    told = run.one("ERROR")
    assert (told.recovery_strategy, told.category, told.attempt) == ("retry", "network", 1)
    recovery = run.one("NETWORK_RECOVERY")
    assert (recovery.attempt, recovery.retries, recovery.outage_ms) == (2, 1, 4000)


async def test_s12_giving_up_raises_the_original_error(play):
    """attempts=2: three calls, and the error object itself."""
    error = Exception("no")
    model = ScriptedModel([fail(error)], repeat_last=True)
    run = await play(model)
    assert (model.calls, run.error) == (3, error)
    gave_up = run.one("RETRY_GIVE_UP")
    assert (gave_up.attempt, gave_up.max_attempts, gave_up.reason, gave_up.last_error) == (
        *(2, 2, "attempts_exhausted"),
        "no",
    )
    assert not run.one("RETRY_END").success
    assert "3 attempts" in run.error.__notes__[0]


async def test_s13_network_errors_use_only_max_retries(play):
    """attempts=1, max_retries=4: five calls."""
    model = ScriptedModel([fail(NET)], repeat_last=True)
    run = await play(model, retry=Retry(attempts=1, max_retries=4, base_delay=0))
    assert (model.calls, run.error) == (5, NET)


async def test_s14_budgets_are_counted_apart(play):
    """Two network failures leave the one model retry."""
    model = ScriptedModel([fail(NET)], [fail(NET)], [model_error()], ["a"])
    run = await play(model, retry=Retry(attempts=1, base_delay=0))
    state = run.state
    assert run.error is None
    assert (state.model_retry_count, state.network_retry_count, state.retry_attempts) == (1, 2, 3)


@pytest.mark.parametrize("status", [401, 403, 400, 404, 409, 422])
async def test_s15_client_errors_are_asked_once(play, status):
    """No retry, no RETRY event, halt."""
    model = ScriptedModel([fail(status)], repeat_last=True)
    run = await play(model)
    told = run.one("ERROR")
    assert (model.calls, told.status, told.recovery_strategy) == (1, status, "halt")
    assert told.failure_type == "model"
    assert not [t for t in run.types if t.startswith("RETRY")]


@pytest.mark.parametrize("error", [TypeError("x"), AttributeError("x"), KeyError("x")])
async def test_s15_programming_errors_are_asked_once(play, error):
    """A bug is not made better by trying again."""
    model = ScriptedModel([fail(error)], repeat_last=True)
    run = await play(model)
    assert (model.calls, run.error, run.one("ERROR").failure_type) == (1, error, "unknown")
    assert run.one("ERROR").recovery_strategy == "halt"
    assert not [t for t in run.types if t.startswith("RETRY")]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_s16_server_errors_do_not_use_up_attempts(play, status):
    """They are transient: retried under max_retries alone."""
    model = ScriptedModel([fail(status)], [fail(status)], ["a"])
    run = await play(model, retry=Retry(attempts=0, max_retries=6, base_delay=0))
    assert (run.state.content, model.calls) == ("a", 3)
    assert {(e.category, e.failure_type) for e in run.all("ERROR")} == {("transient", "model")}
    assert not any(e.counts_toward_limit for e in run.all("RETRY_ATTEMPT"))
    assert (run.state.network_retry_count, run.state.model_retry_count) == (2, 0)


async def test_s16_retry_after_is_honoured_above_max_delay(play, clock):
    """At least the seconds the provider asked for."""
    model = ScriptedModel([fail(http_error(429, retry_after=7))], ["a"])
    run = await play(model, retry=Retry(base_delay=0.1, max_delay=1))
    assert run.one("RETRY_ATTEMPT").delay_ms == 7000
    assert clock.now >= 7


async def test_s17_an_exhausted_quota_is_not_retried(play):
    """429 with a quota code: one call."""
    model = ScriptedModel([fail(http_error(429, code="insufficient_quota"))], repeat_last=True)
    run = await play(model)
    assert (model.calls, run.one("ERROR").category) == (1, "fatal")


async def test_s18_retry_on_limits_the_reasons(play):
    """A reason outside it is not retried; an unknown one is a ValueError at once."""
    model = ScriptedModel([fail(NET)], repeat_last=True)
    run = await play(model, retry=Retry(retry_on=["timeout"], base_delay=0))
    assert model.calls == 1
    assert "not_in_retry_on" in run.error.__notes__[-1]
    with pytest.raises(ValueError, match="rate_limit"):
        Retry(retry_on=["sometimes"])
    with pytest.raises(ValueError, match=r'\["timeout"\]'):
        Retry(retry_on="timeout")


async def test_s19_should_retry_may_veto_and_never_force(play):
    """False, a failure of its own, and being asked only where a retry is possible."""
    model = ScriptedModel([fail(NET)], repeat_last=True)
    run = await play(model, retry=Retry(base_delay=0, should_retry=lambda *args: False))
    answer = run.one("RETRY_FN_RESULT")
    assert (model.calls, answer.user_result, answer.final_should_retry) == (1, False, False)
    assert "RETRY_START" not in run.types

    def broken(*args):
        raise ZeroDivisionError

    run = await play(ScriptedModel([fail(NET)]), retry=Retry(base_delay=0, should_retry=broken))
    assert not run.one("RETRY_FN_ERROR").final_should_retry
    assert run.error is NET

    asked = []

    async def always(error, state, attempt, category):
        asked.append((attempt, category))
        return True

    model = ScriptedModel([fail(401)])
    await play(model, retry=Retry(base_delay=0, should_retry=always))
    assert (model.calls, asked) == (1, [])
    run = await play(
        ScriptedModel([fail(NET)], ["a"]), retry=Retry(base_delay=0, should_retry=always)
    )
    assert (run.state.content, asked) == ("a", [(1, "network")])


def nothing(context):
    return None


def not_a_number(context):
    return math.nan


def failing(context):
    raise ValueError


@pytest.mark.parametrize("hook", [nothing, not_a_number, failing])
async def test_s20_a_useless_delay_keeps_the_default(play, hook, caplog):
    """None, NaN or an exception: the default delay and the original error stay."""
    caplog.set_level(logging.DEBUG, "l0")
    retry = Retry(base_delay=2, backoff="fixed", calculate_delay=hook)
    error = Exception("the model is confused")
    run = await play(ScriptedModel([fail(error)], ["a"]), retry=retry)
    assert run.one("RETRY_ATTEMPT").delay_ms == 2000
    assert run.stream.errors == [error]
    assert hook is nothing or "calculate_delay" in caplog.text


async def test_s20_a_delay_of_ones_own(play):
    """It replaces the default, and is told what it needs."""
    seen = []

    async def mine(context):
        seen.append(context)
        return 0.25

    run = await play(
        ScriptedModel([fail(NET)], ["a"]), retry=Retry(base_delay=2, calculate_delay=mine)
    )
    assert run.one("RETRY_ATTEMPT").delay_ms == 250
    assert (seen[0].attempt, seen[0].is_network, seen[0].reason) == (1, True, "network_error")


def test_s21_delays():
    """Each strategy, its cap, and attempt numbers beyond any float."""

    def five(backoff):
        policy = Retry(base_delay=1, max_delay=10, backoff=backoff)
        return [delay(policy, n, network_type=None, random=lambda: 1.0) for n in range(5)]

    assert five("exponential") == [1, 2, 4, 8, 10]
    assert five("linear") == [1, 2, 3, 4, 5]
    assert five("fixed") == [1] * 5
    assert five("full-jitter") == [1, 2, 4, 8, 10]
    assert (
        delay(
            Retry(base_delay=9, max_delay=2, backoff="fixed"),
            0,
            network_type=None,
            random=lambda: 0.0,
        )
        == 2
    )
    assert delay(Retry(backoff="exponential"), 5000, network_type=None, random=lambda: 0.0) == 10
    policy = Retry(error_type_delays=ErrorTypeDelays(econnreset=0.0))
    assert delay(policy, 3, network_type=NetworkErrorType.ECONNRESET, random=lambda: 1.0) == 0


@given(
    n=st.integers(0, 10_000),
    base=st.floats(0, 100),
    cap=st.floats(0, 100),
    seed=st.integers(),
    backoff=st.sampled_from(list(l0.BackoffStrategy)),
)
def test_s21_jitter_stays_in_its_bounds(n, base, cap, seed, backoff):
    """Half to all of the exponential value, or none to all; equal seeds give equal delays."""
    policy = Retry(base_delay=base, max_delay=cap, backoff=backoff)
    exponential = policy.replace(backoff="exponential")
    t = delay(exponential, n, network_type=None, random=lambda: 0.0)
    first, again = (
        delay(policy, n, network_type=None, random=random.Random(seed).random) for _ in range(2)
    )
    assert first == again
    assert 0 <= first <= max(cap, t)
    if backoff == "fixed-jitter":
        assert t / 2 <= first <= t


def read_timeout():
    """As httpx raises it: without a message."""
    import httpx

    return httpx.ReadTimeout("")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError("mine"), "timeout"),
        (read_timeout(), "timeout"),
        (OSError(101, "down"), "fetch_error"),
        (OSError(113, "down"), "fetch_error"),
    ],
    ids=repr,
)
async def test_s23_the_sources_own_errors_keep_their_message(play, error, kind):
    """A TimeoutError of the source is retried as network, and on_timeout is not called."""
    fired = []
    run = await play(
        ScriptedModel([fail(error)], ["a"]), on_timeout=lambda *args: fired.append(args)
    )
    assert (run.state.content, fired) == ("a", [])
    told = run.one("NETWORK_ERROR")
    assert (told.error, told.network_type) == (str(error), kind)
    assert run.stream.errors == [error]
    assert not [t for t in run.types if t.startswith("TIMEOUT")]


async def test_s24_words_that_only_look_like_network_trouble(play):
    """They are model errors, and a 400 that mentions a timeout stays fatal."""
    for text in ("could not be processed", "uncertain", "assessment", "generate unlimited"):
        run = await play(ScriptedModel([fail(ValueError(text))], ["a"]))
        assert run.one("ERROR").category == "model"
    error = http_error(400)
    error.args = ("timeout while validating",)
    run = await play(ScriptedModel([fail(error)]))
    assert run.one("ERROR").category == "fatal"


@pytest.mark.parametrize("form", ["ms", "seconds", "date"])
async def test_s92_retry_after_in_every_form(play, form):
    """Milliseconds, seconds, HTTP date."""
    error = http_error(503)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=9)
    name, value = {
        "ms": ("retry-after-ms", "8500"),
        "seconds": ("Retry-After", "8.5"),
        "date": ("retry-after", email.utils.format_datetime(later, usegmt=True)),
    }[form]
    error.response.headers[name] = value
    run = await play(ScriptedModel([fail(error)], ["a"]), retry=Retry(base_delay=0))
    assert 7000 <= run.one("RETRY_ATTEMPT").delay_ms <= 9000


async def test_s92_a_retry_after_that_is_too_long_goes_to_the_fallback(play, clock):
    """No sleep: the next stream, or the original error."""
    error = http_error(429, retry_after=500)
    run = await play(ScriptedModel([fail(error)]), fallbacks=[ScriptedModel(["a"])])
    assert (run.state.content, run.state.fallback_index) == ("a", 1)
    run = await play(ScriptedModel([fail(error)]))
    assert (run.error, clock.now) == (error, 0)


def test_strategy_is_another_name_of_backoff():
    """In the constructor, in `replace` and when read."""
    policy = Retry(2, strategy="linear")
    assert policy == Retry(2, backoff="linear")
    assert policy.strategy is policy.backoff is l0.BackoffStrategy.LINEAR
    assert l0.RetryConfig(strategy="fixed").replace(strategy="linear").backoff == "linear"
    assert Retry.from_ms(500, strategy="fixed") == Retry(base_delay=0.5, backoff="fixed")
    with pytest.raises(TypeError, match="another name"):
        Retry(strategy="fixed", backoff="fixed")
    with pytest.raises(ValueError, match="backoff"):
        Retry(strategy="guess")


@pytest.mark.parametrize(
    "fields",
    [
        {"attempts": -1},
        {"attempts": 1.5},
        {"max_retries": True},
        {"base_delay": -0.1},
        {"max_delay": math.nan},
        {"backoff": "guess"},
        {"should_retry": 3},
        {"max_error_history": 0},
        {"max_error_history": 2.5},
        {"max_error_history": "all"},
        {"error_type_delays": 3},
        {"retry_on": 3},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_a_value_error(fields):
    """The message names the field."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        Retry(**fields)


@pytest.mark.parametrize("wrapped", [False, True])
async def test_what_the_caller_is_handling_does_not_classify_a_failure(play, wrapped):
    """A second try inside `except`: Python makes the first error the context of the second."""
    odd = Exception("odd")

    async def source():
        if wrapped:
            try:
                raise odd
            except Exception as error:
                raise RuntimeError("wrapped") from error
        raise odd
        yield

    calls = iter([source, lambda: ["a"]])
    ambient = http_error(429, retry_after=7)
    try:
        raise ambient
    except Exception:
        run = await play(lambda: next(calls)())
    assert odd.__context__ is ambient
    assert run.one("ERROR").category == "model"
    assert run.one("RETRY_ATTEMPT").delay_ms == 0
    assert run.stream._run.ambient is None
