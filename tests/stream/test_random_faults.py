"""Whatever goes wrong, under whatever policy, whoever consumes it: the invariants hold.

Each case is a script of several attempts with several faults each, a policy and a consumer, played
on the virtual clock. A failure shrinks, and is printed as a test that can be pasted.

HYPOTHESIS_PROFILE says how many cases: `ci` (2,000, the default), `long` (20,000), `chaos`
(100,000).
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import os
import random
import threading
import weakref
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import l0
from l0.errors import DeadlineError, Error, StreamAbortedError
from l0.events import DataPayload, Event, EventType, InMemoryEventStore, replay, verify
from l0.stream import CheckIntervals, ContinuationConfig, DeduplicationOptions, Retry, Timeout
from l0.testing import (
    HTTPStatusError,
    ScriptedModel,
    VirtualClock,
    check_run,
    end,
    fail,
    hang,
    http_error,
    progress,
    stall,
    tool,
)

CASES = {"ci": 2_000, "long": 20_000, "chaos": 100_000}
BATCH = 10_000  # what one search remembers of its cases grows with them
COUNT = CASES[os.environ.get("HYPOTHESIS_PROFILE", "ci")]
PARTS = max(1, COUNT // BATCH)

# --- what is said ---------------------------------------------------------------------------

SOUP = [
    *(
        "a",
        "b",
        " ",
        "the ",
        "ha ",
        "\n",
        "é",
        "e\u0301",
        "漢",
        "👩‍🚀",
        "😀",
        "\U0001d4d0",
        "\u0323",
    ),
    *("{", "}", ".", "ab", "```", "\u202e", "\u200d", "🇳🇴", "\x00", "\ufeff"),
]
PROSE = (
    "The quick brown fox jumps over the lazy dog, and the dog, quick as it is, jumps over the fox. "
    "Naïve as ever — 漢字, \U0001d4d0 and 👩‍🚀 travel along — e\u0301 follows, and they jump."
)
texts = st.one_of(
    st.integers(1, len(PROSE)).map(lambda size: PROSE[:size]),
    st.lists(st.sampled_from(SOUP), max_size=40).map("".join),
    st.text(max_size=40),
    st.sampled_from(["ha " * 12, "ab" * 20, "a", "\u0301" * 9, "😀" * 9]),
)
# How an attempt ends. A step is the source text of it, so that a case can be printed.
ENDS = [
    *("", "end()", "end('length')", "end('content_filter')"),
    *("fail(ConnectionResetError('gone'))", "fail(TimeoutError('slow'))", "fail(OSError('odd'))"),
    *(
        "fail(503)",
        "fail(http_error(429, retry_after=0.5))",
        "fail(http_error(429, retry_after=500))",
    ),
    *("fail(401)", "fail(http_error(429, code='insufficient_quota'))", "fail(Exception('odd'))"),
    *("fail(ValueError('odd'))", "fail(KeyError('odd'))", "stall(99)", "hang()"),
    *("fail(asyncio.CancelledError())", "fail(asyncio.CancelledError('from inside'))"),
]
COMMON = [
    "end()",
    "fail(ConnectionResetError('gone'))",
    "fail(503)",
    "stall(99)",
    "fail(Exception('odd'))",
]
BETWEEN = [
    *("''", "None", "stall(7)", "stall(49)", "progress(10)", "progress(90)"),
    *("tool('call_1', 'f', {'n': 1})", "tool('call_2', 'g')"),
    *("Event(EventType.MESSAGE, 'thought', data={'kind': 'reasoning'})",),
    *("Event(EventType.DATA, payload=DataPayload('json', json=1))",),
    *("Event(EventType.RESTART, kept_chars=0, kept_tokens=0)",),
    *("Event(EventType.RESTART, kept_chars=4, kept_tokens=0)",),
]
NAMES = {
    "asyncio": asyncio,
    "l0": l0,
    "Event": Event,
    "EventType": EventType,
    "DataPayload": DataPayload,
    "end": end,
    "fail": fail,
    "hang": hang,
    "stall": stall,
    "http_error": http_error,
    "progress": progress,
    "tool": tool,
}


@dataclass(frozen=True)
class Attempt:
    """What the model does once: how it goes on, how its text is cut, what else, how it ends."""

    style: str = "exact"  # exact, overlap, restate, other
    longest: int = 12  # characters a token, at most
    keep: float = 1.0  # which share of the text comes before the end
    end: str = "end()"
    between: tuple[str, ...] = ()
    seed: int = 0
    close: str = "well"  # well, raises, hangs

    def steps(self, text, checkpoint):
        """The steps of this attempt as source text."""
        rng = random.Random(self.seed)
        said = {
            "exact": text[len(checkpoint) :],
            "overlap": checkpoint[-rng.randint(1, 30) :] + text[len(checkpoint) :],
            "restate": text,
            "other": text[::-1],
        }[self.style if checkpoint else "exact"]
        said = said[: round(len(said) * self.keep)]
        steps = []
        while said:
            size = rng.randint(1, self.longest)
            steps.append(repr(said[:size]))
            said = said[size:]
        for step in self.between:
            steps.insert(rng.randint(0, len(steps)), step)
        return [*steps, *filter(None, [self.end])]


attempts = st.builds(
    Attempt,
    style=st.sampled_from(["exact", "exact", "overlap", "restate", "other"]),
    longest=st.sampled_from([1, 3, 12, 99]),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
    end=st.one_of(st.sampled_from(COMMON), st.sampled_from(ENDS)),
    between=st.one_of(st.just(()), st.lists(st.sampled_from(BETWEEN), max_size=4).map(tuple)),
    seed=st.integers(0, 2**16),
    close=st.sampled_from(["well", "well", "well", "well", "raises", "hangs"]),
)
PATTERNS = {
    "none": [],
    "warning": [l0.custom_pattern_rule(["quick", "ha"], severity="warning")],
    "error": [l0.custom_pattern_rule(["lazy", "ab"], severity="error")],
    "fatal": [l0.custom_pattern_rule(["Naïve"], severity="fatal")],
    "recommended": l0.Guardrails.recommended(),
}
policies = st.fixed_dictionaries(
    {
        "retry": st.builds(
            Retry,
            attempts=st.integers(0, 3),
            max_retries=st.integers(0, 6),
            base_delay=st.sampled_from([0, 0.01, 2.0]),
            backoff=st.sampled_from(["fixed", "exponential", "full-jitter", "linear"]),
        ),
        "timeout": st.sampled_from(
            [
                Timeout(initial_token=50, inter_token=50),
                Timeout(connect=20, initial_token=50, inter_token=50, total=200),
                Timeout(initial_token=None, inter_token=None),
                Timeout(total=60),
            ]
        ),
    },
    optional={
        "continuation": st.one_of(
            st.just(True),
            st.builds(
                ContinuationConfig,
                deduplicate=st.booleans(),
                restatement=st.booleans(),
                validate_checkpoint=st.booleans(),
                deduplication=st.builds(
                    DeduplicationOptions,
                    case_sensitive=st.booleans(),
                    normalize_whitespace=st.booleans(),
                    repeats=st.sampled_from(["keep", "remove"]),
                ),
            ),
        ),
        "deliver": st.just("validated"),
        "check_intervals": st.sampled_from([CheckIntervals(1, 1, 1), CheckIntervals(0, 0, 0)]),
        "detect_zero_output": st.just(False),
        "on_incomplete": st.just("retry"),
        "tool_errors": st.just("retry"),
        "buffer_tool_calls": st.just(True),
        "token_events": st.just(True),
        "drift": st.just(True),
        "guardrails": st.sampled_from(sorted(PATTERNS)),
        "keep_raw": st.just(True),
    },
)

# --- how it is consumed ---------------------------------------------------------------------


@dataclass(frozen=True)
class Consumer:
    """What is done with the events, and when the run is left, if it is.

    `at` counts events for what the consumer does itself, and virtual seconds for what others do.
    """

    way: str = "all"
    at: int = 0
    pause: float = 0


OWN = ["break", "aclose", "raise", "cancel", "abort", "abort in a thread"]
OTHERS = ["abort later", "cancel later", "abort later in a thread"]
consumers = st.builds(
    Consumer,
    way=st.one_of(st.just("all"), st.sampled_from([*OWN, *OTHERS])),
    at=st.integers(0, 30),
    pause=st.sampled_from([0, 0, 0.01, 60]),
)


@dataclass(frozen=True)
class Case:
    """A whole run."""

    text: str
    attempts: tuple[Attempt, ...]  # the last is repeated
    policy: dict[str, Any]
    fallbacks: int = 0
    consumer: Consumer = field(default_factory=Consumer)
    recorded: bool = False


cases = st.builds(
    Case,
    text=texts,
    attempts=st.lists(attempts, min_size=1, max_size=5).map(tuple),
    policy=policies,
    fallbacks=st.integers(0, 2),
    consumer=consumers,
    recorded=st.booleans(),
)

# --- the run --------------------------------------------------------------------------------

inside = contextvars.ContextVar("inside", default="outside")


class LeftError(Exception):
    """The consumer's own."""


class Model:
    """Plays the attempts of a case, and sees to it that it is treated well."""

    def __init__(self, case, clock):
        self.case, self.clock = case, clock
        self.open = 0
        self.checkpoints, self.scripts = [], []
        self.task = None  # of the consumer

    def __call__(self, info):
        assert self.open == 0, "I8: the one before is closed before the next is opened"
        assert asyncio.current_task() is self.task, "I10: opened in the consumer's own task"
        self.open += 1
        attempt = self.case.attempts[min(len(self.scripts), len(self.case.attempts) - 1)]
        steps = attempt.steps(self.case.text, info.checkpoint)
        self.checkpoints.append(info.checkpoint)
        self.scripts.append(steps)
        played = ScriptedModel([eval(step, dict(NAMES)) for step in steps])(info)
        return Source(self, played, attempt.close)


class Source:
    def __init__(self, model, played, close):
        self.model, self.played, self.close = model, played, close
        self.closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        assert not self.closed, "I8: nothing is pulled from what is closed"
        assert asyncio.current_task() is self.model.task, "I10: pulled in the consumer's own task"
        assert inside.get() == "consumer", "I10: with its context"
        return await self.played.__anext__()

    async def aclose(self):
        assert not self.closed, "I8: closed once"
        self.closed = True
        self.model.open -= 1
        await self.played.aclose()
        if self.close == "raises":
            raise RuntimeError("cannot close")
        if self.close == "hangs":
            await self.model.clock.sleep(1e6)


class Shown:
    """What a consumer that obeys the events has before it."""

    def __init__(self):
        self.text, self.calls, self.events, self.ended = "", [], [], False

    def take(self, event):
        assert not self.ended, f"I6: {event.type} after the complete event"
        self.events.append(event)
        if event.type is EventType.TOKEN:
            assert event.start == len(self.text), "I7: a token starts where the text ends"
            self.text += event.text
        elif event.type is EventType.TOOL_CALL:
            self.calls.append(event.tool_call.id)
        elif event.type is EventType.RESTART:
            assert event.kept_chars <= len(self.text), "I7: no more is kept than was shown"
            self.text, self.calls = self.text[: event.kept_chars], []
        self.ended = event.is_complete


async def consume(stream, model, consumer, shown, *, live):
    model.task = asyncio.current_task()
    inside.set("consumer")
    async for event in stream:
        shown.take(event)
        if live and not event.is_complete:
            assert shown.text == stream.state.content, "I7: at each hand-over"
        if consumer.pause:
            await model.clock.sleep(consumer.pause)
        if len(shown.events) > consumer.at:
            match consumer.way:
                case "break":
                    break
                case "aclose":
                    await stream.aclose()
                case "raise":
                    raise LeftError
                case "cancel":
                    asyncio.current_task().cancel()
                case "abort":
                    stream.abort()
                case "abort in a thread":
                    in_a_thread(stream.abort)


def in_a_thread(act):
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def leave_later(consumer, clock, stream, task):
    """What somebody else does to the run, at a virtual second."""
    act = {
        "abort later": stream.abort,
        "abort later in a thread": lambda: in_a_thread(stream.abort),
        "cancel later": task.cancel,
    }.get(consumer.way)
    if act is not None:
        clock.call_at(consumer.at * 3 + 0.005, act)


async def run_case(case):
    """Play a case and hold it to the invariants; gives the model, for what it played."""
    clock, told, shown, store = VirtualClock(), [], Shown(), InMemoryEventStore()
    model = Model(case, clock)
    policy = dict(case.policy)
    policy["guardrails"] = PATTERNS[policy.get("guardrails", "none")]
    stream = l0.run(
        model,
        fallbacks=[model] * case.fallbacks,
        on_event=told.append,
        clock=clock,
        random=lambda: 0.5,
        event_store=store if case.recorded else None,
        redact=False,
        **policy,
    )
    threads = threading.active_count()
    live = policy.get("deliver") != "validated"
    task = asyncio.create_task(consume(stream, model, case.consumer, shown, live=live))
    leave_later(case.consumer, clock, stream, task)
    await asyncio.wait({task})
    failure = None if task.cancelled() else task.exception()
    try:
        await settled(case.consumer, clock, threads)
        judge(case, stream, shown, told, task.cancelled(), failure)
        assert model.open == 0, "I8: everything is closed"
        if case.recorded:
            await judge_record(case, stream, shown, store)
    except AssertionError:
        note(pasteable(case, model))
        raise
    return model, shown, stream


async def settled(consumer, clock, threads):
    """I9: no task or thread outlives the run.

    A consumer that leaves a bare loop is gone before the upstream is closed: the event loop sees
    to that, within 2 seconds.
    """
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    if rest and consumer.way in {"break", "raise", "cancel", "cancel later"}:
        left = clock.now
        await asyncio.wait(rest)
        # 9.05 - 7.05 is more than 2 by a rounding.
        assert clock.now - left < 2.001, "I8: a close that hangs is waited for 2 s at most"
        rest = asyncio.all_tasks() - {asyncio.current_task()}
    assert not rest, f"I9: {rest} outlives the run"
    assert threading.active_count() <= threads, "I9: no thread outlives the run"


def judge(case, stream, shown, told, cancelled, error):
    """I1 to I7, and that the ending is one of those there are."""
    check_run(told)
    if isinstance(error, AssertionError):
        raise error
    completed = stream.outcome == "completed"
    assert stream.outcome in {"completed", "failed", "aborted", "cancelled"}
    assert sum(event.is_complete for event in shown.events) <= completed, "I6: one, in a success"
    if case.consumer.way == "all":
        assert shown.ended == completed, "I6: exactly one, in a success"
    if case.policy.get("deliver") == "validated":
        assert not any(event.is_restart for event in shown.events), "nothing invalid was seen"
        if case.consumer.way == "all":
            assert shown.ended or not shown.text, "nothing is shown of what is not valid"
    if not completed:
        assert shown.text == stream.state.content[: len(shown.text)], "I7: what is shown stands"
    if shown.ended:
        assert shown.text == stream.state.content, "I7: the fold is the text"
        assert shown.calls == [call.id for call in stream.state.tool_calls]
        judge_text(case, stream)
    if cancelled:
        inside_it = any("CancelledError" in attempt.end for attempt in case.attempts)
        assert "cancel" in case.consumer.way or inside_it, "a cancellation nobody asked for"
    elif error is not None:
        judge_error(case, stream, error)


def judge_text(case, stream):
    """Where nothing has to be guessed, the text is the model's own."""
    honest = all(not attempt.between for attempt in case.attempts)
    if honest and not case.policy.get("continuation"):
        content = stream.state.content
        said = {case.text[: round(len(case.text) * a.keep)] for a in case.attempts}
        assert content in said, "the whole of one attempt, and nothing else"


def judge_error(case, stream, error):
    """The library's own, the script's, or the consumer's: never an accident."""
    if isinstance(error, LeftError):
        assert case.consumer.way == "raise"
        return
    if isinstance(error, StreamAbortedError):
        assert "abort" in case.consumer.way or case.consumer.way == "aclose"
        return
    assert stream.outcome == "failed"
    scripted = (HTTPStatusError, ConnectionResetError, TimeoutError, OSError, ValueError, KeyError)
    assert (
        isinstance(error, (Error, *scripted)) or type(error) is Exception  # Exception('odd')
    ), f"an accident: {error!r}"


async def judge_record(case, stream, shown, store):
    """What was recorded verifies, and replays to the same events and the same state."""
    if not await store.exists(stream.stream_id):
        assert not shown.events
        return
    assert (await verify(store, stream.stream_id)).ok
    again = replay(store, stream.stream_id)
    lived = [event async for event in again]
    if case.consumer.way == "all":
        assert [bare(event) for event in lived] == [bare(event) for event in shown.events]
    assert again.state.content == stream.state.content
    assert again.outcome == stream.outcome


def bare(event):
    kept = ("type", "text", "start", "kept_chars", "reason", "finish_reason")
    return {name: getattr(event, name) for name in kept}


# --- a case as a test -----------------------------------------------------------------------

TEMPLATE = '''
async def test_found():
    """Consumed by: {consumer!r}; sources close: {closes}."""
    model = ScriptedModel(
{scripts}        repeat_last=True,
    )
    told, shown = [], ""
    stream = l0.run(
        model,
        fallbacks=[model] * {fallbacks},
        on_event=told.append,
        clock=VirtualClock(),
        random=lambda: 0.5,
{policy}    )
    try:
        async for event in stream:
            if event.is_token:
                assert event.start == len(shown)
                shown += event.text
            elif event.is_restart:
                shown = shown[: event.kept_chars]
    finally:
        check_run(told)
    assert shown == stream.state.content
    return shown
'''


def pasteable(case, model):
    """The case as a test of its own: what each attempt said, and the policy."""
    rules = {
        "none": "[]",
        "warning": '[l0.custom_pattern_rule(["quick", "ha"], severity="warning")]',
        "error": '[l0.custom_pattern_rule(["lazy", "ab"], severity="error")]',
        "fatal": '[l0.custom_pattern_rule(["Naïve"], severity="fatal")]',
        "recommended": "l0.Guardrails.recommended()",
    }
    policy = {name: repr(value) for name, value in case.policy.items()}
    policy["guardrails"] = rules[case.policy.get("guardrails", "none")]
    policy["retry"] = policy["retry"].replace(
        repr(case.policy["retry"].backoff), repr(str(case.policy["retry"].backoff))
    )
    return TEMPLATE.format(
        consumer=case.consumer,
        closes=", ".join(attempt.close for attempt in case.attempts),
        scripts="".join(f"        [{', '.join(steps)}],\n" for steps in model.scripts),
        fallbacks=case.fallbacks,
        policy="".join(f"        {name}={value},\n" for name, value in policy.items()),
    )


# --- the tests ------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """What the library logs of sources that hang would fill the memory of a long search."""
    logger = logging.getLogger("l0")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@pytest.mark.parametrize("part", range(PARTS))
@settings(
    max_examples=min(COUNT, BATCH),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(case=cases)
def test_whatever_goes_wrong_the_invariants_hold(part, case):
    """I1 to I10 of every run; what is recorded of it says the same."""
    asyncio.run(run_case(case))


@settings(max_examples=40, deadline=None)
@given(case=cases.filter(lambda case: case.consumer.way == "all"))
def test_a_case_can_be_pasted_as_a_test(case):
    """It runs, and shows what the case showed."""
    plain = [a for a in case.attempts if "Cancelled" not in a.end and a.close == "well"]
    case = Case(case.text, tuple(plain) or (Attempt(),), case.policy, case.fallbacks)
    model, shown, stream = asyncio.run(run_case(case))
    names = {**NAMES, "ScriptedModel": ScriptedModel, "VirtualClock": VirtualClock}
    names |= {"check_run": check_run, "Retry": Retry, "Timeout": Timeout}
    names |= {"CheckIntervals": CheckIntervals, "ContinuationConfig": ContinuationConfig}
    names |= {"DeduplicationOptions": DeduplicationOptions}
    exec(compile(pasteable(case, model), "pasted", "exec"), names)
    if stream.outcome == "completed":
        assert asyncio.run(names["test_found"]()) == shown.text
    else:
        with pytest.raises(Exception) as caught:
            asyncio.run(names["test_found"]())
        assert not isinstance(caught.value, AssertionError)


@pytest.mark.parametrize("close", ["well", "raises", "hangs"])
async def test_a_consumer_that_closes_the_run_and_goes_on_finds_its_end(close):
    """However its upstream closes: the loop ends, and no RuntimeError speaks of a generator."""
    policy = {"retry": Retry(), "timeout": Timeout()}
    case = Case("Hello", (Attempt(close=close),), policy, consumer=Consumer("aclose"))
    _, shown, stream = await run_case(case)
    assert (shown.text, stream.outcome) == ("Hello", "aborted")


@pytest.mark.parametrize("saved", [True, False])
async def test_a_run_with_an_error_event_can_be_collected(saved):
    """Neither a saved run nor a failed one stays in memory for the sake of its error."""

    async def broken():
        yield "a"
        yield Event(EventType.ERROR, error=ConnectionResetError("gone"))

    fallbacks = [lambda: ["a"]] if saved else []
    stream = l0.run(broken, retry=Retry.none(), fallbacks=fallbacks)
    if saved:
        assert await stream.read() == "a"
    else:
        with pytest.raises(ConnectionResetError):
            await stream.read()
    gone = weakref.ref(stream._run)
    del stream
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("calls", [1, 2])
async def test_buffered_tool_calls_that_were_handed_over_are_replayed_though_time_was_up(calls):
    """The total deadline passes while the consumer holds one: it has had all of them."""
    clock, store, seen = VirtualClock(), InMemoryEventStore(), []
    asked = [tool(f"call_{index}", "f", index=index) for index in range(calls)]
    policy = {"buffer_tool_calls": True, "timeout": Timeout(total=60), "retry": Retry.none()}
    model = ScriptedModel(["T", *asked, end()], clock=clock)
    stream = l0.run(model, clock=clock, event_store=store, **policy)
    with pytest.raises(DeadlineError):
        async for event in stream:
            seen.append(event)
            await clock.sleep(61 if event.tool_call else 0)
    assert [event.type for event in seen] == [EventType.TOKEN] + [EventType.TOOL_CALL] * calls
    again = [event async for event in replay(store, stream.stream_id)]
    assert [bare(event) for event in again] == [bare(event) for event in seen]


async def test_a_run_that_breaks_an_invariant_is_seen():
    """The judges are not asleep: a story without an end, text that comes twice, a lost end."""
    case = Case("Hello", (Attempt(),), {"retry": Retry(), "timeout": Timeout()})
    _, shown, stream = await run_case(case)
    with pytest.raises(AssertionError, match="I1"):
        judge(case, stream, shown, [], False, None)
    again = Shown()
    again.take(Event(EventType.TOKEN, "Hello", start=0))
    with pytest.raises(AssertionError, match="I7"):
        again.take(Event(EventType.TOKEN, "Hello", start=0))
    with pytest.raises(AssertionError, match="I6"):
        shown.take(Event(EventType.TOKEN, "!", start=5))
    with pytest.raises(AssertionError, match="accident"):
        judge_error(case, await failed(), AttributeError("x"))
    task = asyncio.create_task(asyncio.sleep(0))
    with pytest.raises(AssertionError, match="I9"):
        await settled(Consumer(), VirtualClock(), threading.active_count())
    await task


async def failed():
    stream = l0.run(ScriptedModel([fail(401)]))
    with pytest.raises(HTTPStatusError):
        await stream.read()
    return stream
