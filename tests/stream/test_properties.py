"""Whatever text comes, however it is cut, wherever it breaks: the consumer's fold is the text.

Each example is one run on the virtual clock, beside a model of what should come of it that knows
nothing of the runtime.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import l0
from l0.errors import StreamAbortedError
from l0.events import DataPayload, Event, EventType, InMemoryEventStore, replay
from l0.stream import CheckIntervals, ContinuationConfig, DeduplicationOptions, Retry, Timeout
from l0.stream._overlap import OverlapMatcher
from l0.testing import VirtualClock, check_run, fail, http_error, progress, stall, tool

FAULTS = {
    "net": lambda: fail(ConnectionResetError("gone")),
    "503": lambda: fail(http_error(503)),
    "stall": lambda: stall(99),
    "model": lambda: fail(Exception("odd")),
    "401": lambda: fail(http_error(401)),
}
RESUMABLE = {"net", "503", "stall"}
SOUP = [
    "a",
    "b",
    " ",
    "the ",
    "ha ",
    "\n",
    "é",
    "e\u0301",
    "漢",
    "字",
    "👩‍🚀",
    "😀",
    "{",
    "}",
    ".",
    "ab",
]
PROSE = (
    "The quick brown fox jumps over the lazy dog, and the dog, quick as it is, jumps over the fox. "
    "Naïve as ever — 漢字 and 👩‍🚀 travel along — they jump over one another, the fox over the dog."
)
texts = st.one_of(
    st.integers(20, len(PROSE)).map(lambda size: PROSE[:size]),
    st.lists(st.sampled_from(SOUP), min_size=5, max_size=60).map("".join),
    st.text(max_size=60),
    st.sampled_from(["ha " * 12, "ab" * 30, "a"]),
)


@dataclass(frozen=True)
class Plan:
    """What the model does in one attempt: how it goes on, how its text is cut, how it ends."""

    style: str  # exact, overlap, restate or other
    overlap: int
    other: str
    seed: int
    extras: int  # how many events beside the text
    keep: float  # which share of the text comes before the fault
    fault: str


plans = st.builds(
    Plan,
    style=st.sampled_from(["exact", "overlap", "restate", "other"]),
    overlap=st.integers(0, 40),
    other=texts,
    seed=st.integers(0, 2**16),
    extras=st.sampled_from([0, 0, 0, 1, 3]),
    keep=st.one_of(st.floats(0.3, 1), st.floats(0, 1)),
    fault=st.sampled_from(["net", "503", "stall", "net", "stall", "model", "401"]),
)


@dataclass(frozen=True)
class Case:
    """A whole run: the text that is meant, what happens on the way, how it is consumed."""

    text: str
    plans: tuple[Plan, ...]  # of attempts that fail
    last: Plan
    continuation: Any
    deliver: str
    every: int
    nested: bool = False  # sources withdraw text in resumed attempts, too

    def said(self, index: int, checkpoint: str) -> list[Any]:
        """The items of attempt number `index`, and its fault as the last one if it fails."""
        failing = index < len(self.plans)
        plan = self.plans[index] if failing else self.last
        rng = random.Random(plan.seed)
        text = {
            "exact": self.text[len(checkpoint) :],
            "overlap": checkpoint[max(0, len(checkpoint) - plan.overlap) :]
            + self.text[len(checkpoint) :],
            "restate": self.text,
            "other": plan.other,
        }[plan.style]
        if failing:
            text = text[: round(len(text) * plan.keep)]
        items = [*_cut(text, rng)]
        for _ in range(plan.extras):
            items.insert(
                rng.randint(0, len(items)), _extra(rng, nested=self.nested or not checkpoint)
            )
        return [*items, plan.fault] if failing else items


def _cut(text, rng):
    longest = rng.choice([1, 3, 12, 99])
    while text:
        size = rng.randint(1, longest)
        token = text[:size]
        yield token if rng.random() < 0.8 else Event(EventType.TOKEN, token, data={"n": size})
        text = text[size:]


def _extra(rng, *, nested):
    made = [
        None,
        "",
        progress(rng.randint(0, 100)),
        progress(rng.randint(0, 100)),
        Event(EventType.MESSAGE, "more thought", data={"kind": "reasoning"}),
        tool(f"call_{rng.randint(0, 9)}", "f", {"n": 1}),
        Event(EventType.DATA, payload=DataPayload("json", json=rng.randint(0, 9))),
        Event(EventType.MESSAGE, "thought", data={"kind": "reasoning"}),
    ]
    if nested:  # the source is reliable itself, and begins anew
        made += [Event(EventType.RESTART, kept_chars=rng.choice([0, 1, 5]), kept_tokens=0)] * 2
    return rng.choice(made)


def expected(case):
    """What should come of it: the text that stands, its tool calls, and what each resume knew."""
    content, calls, resumed = "", [], []
    goes_on = False
    for index in range(len(case.plans) + 1):
        base = content if goes_on and case.continuation else ""
        resumed.append(base)
        items = case.said(index, base)
        fault = items.pop() if index < len(case.plans) else None
        deduplicate = base and case.continuation.deduplicate
        matcher = OverlapMatcher(base, case.continuation) if deduplicate else None
        released, calls, data = [], [], []
        for item in [*items, "END"] if fault is None else items:
            if item == "END" or item is None:
                came = matcher.finish() if matcher is not None and item else []
            else:
                came = [item] if matcher is None else matcher.feed(item)
            for each in came:
                kind = None if isinstance(each, str) else each.type
                if kind in {None, EventType.TOKEN}:
                    released.append(each if kind is None else each.text)
                elif kind is EventType.TOOL_CALL:
                    calls.append(each.tool_call.id)
                elif kind is EventType.DATA:
                    data.append(each)
                elif kind is EventType.RESTART:
                    released = ["".join(released)[: each.kept_chars]]
                    calls, data = [], []
        stands = (
            base if matcher is None or matcher.restated_at is None else base[: matcher.restated_at]
        )
        content = stands + "".join(released)
        goes_on = fault in RESUMABLE and not calls and not data
    return content, calls, resumed


@dataclass
class Model:
    """Plays the case; counts what it opens, and what is closed again."""

    case: Case
    clock: VirtualClock
    checkpoints: list[str] = field(default_factory=list)
    open: int = 0

    def __call__(self, info):
        assert self.open == 0, "the one before is closed first"
        self.open += 1
        self.checkpoints.append(info.checkpoint)
        items = self.case.said(len(self.checkpoints) - 1, info.checkpoint)
        return Source(self, items, failing=len(self.checkpoints) <= len(self.case.plans))


class Source:
    def __init__(self, model, items, *, failing):
        self.model, self.items, self.failing = model, iter(items), failing

    def __aiter__(self):
        return self

    async def __anext__(self):
        for item in self.items:
            if self.failing and isinstance(item, str) and item in FAULTS:
                await FAULTS[item]().act(self.model.clock)
                continue
            return item
        raise StopAsyncIteration

    async def aclose(self):
        self.model.open -= 1


def build(case, clock, told, **more):
    model = Model(case, clock)
    stream = l0.run(
        model,
        fallbacks=[model] * 4,
        retry=Retry(attempts=99, max_retries=99, base_delay=0.01, backoff="fixed"),
        timeout=Timeout(initial_token=50, inter_token=50),
        continuation=case.continuation,
        deliver=case.deliver,
        check_intervals=CheckIntervals(case.every, case.every, case.every),
        guardrails=[l0.custom_pattern_rule(["quick"], severity="warning")],
        drift=l0.DriftConfig(policy="record"),
        detect_zero_output=False,
        on_event=told.append,
        clock=clock,
        **more,
    )
    return stream, model


class Shown:
    """What a consumer that obeys the events has before it."""

    def __init__(self):
        self.tokens, self.calls, self.events = [], [], []

    @property
    def text(self):
        return "".join(self.tokens)

    def take(self, event):
        self.events.append(event)
        if event.type is EventType.TOKEN:
            assert event.start == len(self.text)
            self.tokens.append(event.text)
        elif event.type is EventType.TOOL_CALL:
            self.calls.append(event.tool_call.id)
        elif event.type is EventType.RESTART:
            kept, self.calls = self.text[: event.kept_chars], []
            while len(self.text) > len(kept):
                last = self.tokens.pop()
                if rest := kept[len(self.text) :]:
                    self.tokens.append(rest[: len(last)])
                    break


continuations = st.one_of(
    st.none(),
    st.just(ContinuationConfig()),
    st.builds(
        ContinuationConfig,
        deduplicate=st.booleans(),
        restatement=st.booleans(),
        deduplication=st.builds(
            DeduplicationOptions,
            case_sensitive=st.booleans(),
            normalize_whitespace=st.booleans(),
            repeats=st.sampled_from(["keep", "remove"]),
        ),
    ),
)
cases = st.builds(
    Case,
    text=texts,
    plans=st.lists(plans, max_size=4).map(tuple),
    last=plans,
    continuation=continuations,
    deliver=st.sampled_from(["live", "validated"]),
    every=st.sampled_from([0, 1, 3]),
)
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLAIN = Plan("exact", 0, "", 0, 0, 0.5, "net")


@settings(QUIET, max_examples=250)
@given(case=cases, slow=st.booleans())
@example(
    case=Case("The quick brown fox", (PLAIN,), PLAIN, ContinuationConfig(), "live", 1), slow=True
)
def test_the_fold_of_what_is_handed_over_is_the_text(case, slow):
    """At each hand-over of a live run, and at the end of any."""

    async def main():
        clock, told, shown = VirtualClock(), [], Shown()
        stream, model = build(case, clock, told)
        async for event in stream:
            shown.take(event)
            if case.deliver == "live" and not event.is_complete:
                assert shown.text == stream.state.content
            if slow:
                await clock.sleep(60)
        content, calls, resumed = expected(case)
        assert shown.text == stream.state.content == content
        assert shown.calls == calls == [call.id for call in stream.state.tool_calls]
        assert model.checkpoints == resumed
        assert (len(shown.tokens), stream.state.token_count) == (stream.state.token_count,) * 2
        if case.deliver == "validated":
            assert not any(event.is_restart for event in shown.events)
        assert sum(event.is_complete for event in shown.events) == 1
        check_run(told)
        assert model.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@settings(QUIET, max_examples=100)
@given(case=cases)
def test_a_source_may_withdraw_text_at_any_moment(case):
    """Also text that stands in the place of an overlap, or that is still held back."""

    async def main():
        clock, told, shown = VirtualClock(), [], Shown()
        plans = tuple(replace(plan, extras=plan.extras + 2) for plan in case.plans)
        stream, model = build(replace(case, nested=True, plans=plans), clock, told)
        async for event in stream:
            shown.take(event)
            if case.deliver == "live" and not event.is_complete:
                assert shown.text == stream.state.content
        assert shown.text == stream.state.content
        assert len(shown.tokens) == stream.state.token_count
        check_run(told)
        assert model.open == 0

    asyncio.run(main())


@settings(QUIET, max_examples=150)
@given(
    case=cases,
    way=st.sampled_from(["break", "abort", "cancel", "callback", "aclose"]),
    at=st.integers(0, 12),
)
def test_a_run_may_be_left_at_any_moment(case, way, at):
    """What was shown still stands, everything is closed, and the story has an end."""

    async def consume(stream, shown, ended):
        async with stream:
            async for event in stream:
                shown.take(event)
                if len(shown.events) > at:
                    if way == "break":
                        break
                    if way == "abort":
                        stream.abort()
                    elif way == "aclose":
                        await stream.aclose()
                    elif way == "cancel":
                        asyncio.current_task().cancel()
            ended.append(True)

    async def main():
        clock, told, shown, ended = VirtualClock(), [], Shown(), []

        def callback(event):
            if way == "callback" and len(told) > at * 3:
                stream.abort()

        stream, model = build(
            case, clock, told, on_stream_event=callback, on_start=callback_of(callback)
        )
        task = asyncio.create_task(consume(stream, shown, ended))
        await asyncio.wait({task})
        assert task.cancelled() or task.exception() is None
        assert stream.outcome in {"completed", "aborted", "cancelled"}
        if stream.outcome != "completed":
            with pytest.raises(StreamAbortedError):
                await stream.read()
            assert stream.state.aborted
        if case.deliver == "live":
            assert shown.text == stream.state.content[: len(shown.text)]
        check_run(told)
        assert model.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def callback_of(callback):
    return lambda *args: callback(args)


@settings(QUIET, max_examples=60)
@given(case=cases, delay=st.integers(0, 40))
def test_an_abort_from_another_thread(case, delay):
    """It may come at any turn of the loop, and is honoured or too late."""

    async def main():
        clock, told = VirtualClock(), []
        stream, model = build(case, clock, told)
        task = asyncio.create_task(stream.read())
        for _ in range(delay):
            await asyncio.sleep(0)
        await asyncio.to_thread(stream.abort)
        await asyncio.wait({task})
        if stream.outcome == "completed":
            assert task.result() == expected(case)[0]
        else:
            assert isinstance(task.exception(), StreamAbortedError)
        check_run(told)
        assert model.open == 0

    asyncio.run(main())


@settings(QUIET, max_examples=100)
@given(case=cases)
def test_the_record_of_a_run_is_the_run(case):
    """Replayed, it hands over the same events and ends in the same state."""

    async def main():
        clock, store, events = VirtualClock(), InMemoryEventStore(), []
        stream, _ = build(case, clock, [], event_store=store, redact=False)
        async for event in stream:
            events.append(event)
            await clock.sleep(0.01)
        again = replay(store, stream.stream_id)
        assert [_bare(event) async for event in again] == [_bare(event) for event in events]
        assert _facts(again.state) == _facts(stream.state)

    asyncio.run(main())


def _bare(event):
    kept = ("type", "text", "start", "kept_chars", "kept_tokens", "reason", "finish_reason")
    return {name: getattr(event, name) for name in kept}


def _facts(state):
    return {
        name: value
        for name, value in state.to_dict().items()
        if not name.endswith("_at") and name not in {"time_to_first_token", "duration"}
    }
