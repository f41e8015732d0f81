"""S81, S82, S97: many runs at once, any tokenisation, long streams."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import tracemalloc

import pytest

import l0
from l0.events import EventBus
from l0.guardrails import DriftConfig, DriftDetector
from l0.stream import CheckIntervals, Options, Retry, Timeout
from l0.stream._batch import TokenBatch
from l0.stream._session import Run
from l0.testing import ScriptedModel, fail, stall, tool

NET = ConnectionResetError("gone")
TEXTS = [
    "Fine prose, and nothing else in it. It goes on for a while, as prose does.",
    "Sure!\nAs an AI, I was asked to write this, so here it is, and then some more of it.",
    '{"a": [1, 2}, "b": 3}',
    "```py\nx = 1\nand no end of it, whatever comes",
    "Unfortunately I cannot do that. Unfortunately I cannot do that. Unfortunately not.",
]


def pieces(text, seed):
    """The text cut anywhere."""
    rng = random.Random(seed)
    while text:
        size = rng.randint(1, 9)
        yield text[:size]
        text = text[size:]


def script(index):
    """What the model does in run number `index`: two attempts, the first of which breaks off."""
    rng = random.Random(index)
    text = TEXTS[index % len(TEXTS)]
    tokens = list(pieces(text, index))
    cut = rng.randint(0, len(tokens))
    broken = [*tokens[:cut], rng.choice([fail(NET), stall(90), fail(Exception("odd"))])]
    return broken, [step for token in tokens for step in (stall(rng.random()), token)]


async def live(index, clock, **shared):
    """One run; everything that can be said of it."""
    model, shown = ScriptedModel(*script(index), repeat_last=True), []
    stream = l0.run(model, clock=clock, random=random.Random(index).random, **shared)
    error = None
    try:
        shown.extend([(e.type, e.text, e.start, e.kept_chars) async for e in stream])
    except Exception as raised:
        error = (type(raised), str(raised).split(";")[0])
    state = stream.state
    violations = [(v.rule, v.message, v.position) for v in state.violations]
    return shown, error, state.content, violations, state.drift_types, model.calls


def policies(intervals):
    return {
        "guardrails": l0.Guardrails.recommended(),
        "drift": DriftDetector(DriftConfig(policy="record")),
        "retry": Retry(attempts=2, base_delay=0.1),
        "timeout": Timeout(initial_token=30, inter_token=20),
        "continuation": True,
        "check_intervals": intervals,
    }


def found_in(outcome):
    """What a run found, whenever it looked: at which token an error stops it depends on that."""
    _, error, _, violations, drift_types, calls = outcome
    return error, violations, sorted(drift_types), calls


@pytest.mark.parametrize(
    ("intervals", "of"),
    [(CheckIntervals(1, 1, 4), tuple), (CheckIntervals(2, 3, 4), found_in)],
    ids=["everything", "findings"],
)
async def test_s81_a_thousand_runs_share_everything_that_can_be_shared(clock, intervals, of):
    """Each lives as if alone; no task and no timer is left."""
    before = asyncio.all_tasks()
    alone = [await live(index, type(clock)(), **policies(intervals)) for index in range(50)]
    shared = policies(intervals)
    together = await asyncio.gather(*(live(n % 50, clock, **shared) for n in range(1000)))
    assert list(map(of, together)) == [of(alone[n % 50]) for n in range(1000)]
    assert asyncio.all_tasks() == before
    assert [timer for timer in clock._timers if not timer.cancelled] == []
    assert {outcome[1] is None for outcome in alone} == {True, False}


TOKENISATIONS = {
    "characters": list,
    "words": lambda text: [w for word in text.split(" ") for w in (word, " ")][:-1],
    "whole": lambda text: [text],
    "seven": lambda text: [text[at : at + 7] for at in range(0, len(text), 7)],
    "random": lambda text: list(pieces(text, 3)),
}
LONG = (
    "As an AI I was asked for it. In short: the the answer is [insert name]. "
    "It is what it is. It is what it was. I hope this helps, and I hope this helps. "
) * 4


async def test_s82_tokens_and_intervals_never_matter(clock):
    """The same findings at the same places, whenever and in whatever pieces they are looked for."""
    found = {}
    for (name, cut), every in itertools.product(TOKENISATIONS.items(), (1, 5, 10)):
        stream = l0.run(
            ScriptedModel(cut(LONG)),
            guardrails=[
                l0.pattern_rule(),
                l0.markdown_rule(),
                l0.custom_pattern_rule(["answer is .{0,9}name"], severity="warning"),
            ],
            drift=DriftConfig(policy="record"),
            check_intervals=CheckIntervals(every, every, every),
            clock=clock,
        )
        await stream.read()
        violations = sorted((v.rule, v.message, v.position) for v in stream.state.violations)
        found[name, every] = (violations, set(stream.state.drift_types))
    violations, kinds = found["whole", 1]
    assert len(violations) > 8
    assert kinds == {"meta_commentary", "repetition"}
    assert all(outcome == (violations, kinds) for outcome in found.values()), found


@pytest.mark.parametrize("repeated", ["It is what it was. And", LONG[:200] + "other", "new text"])
async def test_s82_overlaps_are_the_same_in_any_tokenisation(clock, repeated):
    """What is removed, what is shown, and why."""
    found = set()
    checkpoint = LONG[: LONG.index("It is what it was.") + 18]
    for cut in TOKENISATIONS.values():
        told = []
        stream = l0.run(
            ScriptedModel([checkpoint, fail(NET)], cut(repeated)),
            continuation=True,
            retry=Retry(base_delay=0),
            clock=clock,
            on_event=told.append,
        )
        text = await stream.read()
        (ended,) = [e.payload for e in told if e.type == "DEDUPLICATION_END"]
        found.add((text, ended.overlap_text, ended.decided_by, stream.state.overlap_removed))
    assert len(found) == 1


async def test_s97_without_a_listener_nothing_is_built_for_a_token(monkeypatch):
    """What is told of ten thousand tokens is what is told of ten."""
    calls = []

    def count(cls, name):
        method = getattr(cls, name)

        def counting(self, *args, **kwargs):
            calls.append(name)
            return method(self, *args, **kwargs)

        monkeypatch.setattr(cls, name, counting)

    for cls, name in ((Run, "tell"), (Run, "call"), (EventBus, "emit"), (TokenBatch, "add")):
        count(cls, name)
    told = []
    for tokens in (10, 10_000):
        calls.clear()
        await l0.run(
            ScriptedModel(["word "] * tokens),
            timeout=Timeout(total=60),
            continuation=True,
            guardrails=[l0.markdown_rule()],
        ).read()
        told.append(list(calls))
    assert told[0] == told[1]
    assert "add" not in told[0]


@pytest.mark.parametrize(
    ("count", "options"),
    [
        (200_000, {}),
        (
            20_000,
            {"guardrails": l0.Guardrails.recommended(), "drift": DriftConfig(policy="record")},
        ),
    ],
    ids=["checkpoints and timeouts", "rules and drift too"],
)
async def test_s97_memory_is_the_text_and_a_constant(count, options):
    """However long the stream."""
    words = [f"word{number} " for number in range(1000)]

    async def source():
        for number in range(count):
            yield words[number % 1000]

    size = sum(map(len, words)) * count // 1000
    stream = l0.run(source, timeout=Timeout(), continuation=True, retry=False, **options)
    gc.collect()
    tracemalloc.start()
    async for _ in stream:
        pass
    end, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stream.state.token_count == count
    slack = 300_000
    # A list of pointers that grows by an eighth; the text once, and again while it is joined.
    assert peak < 10 * count + 2.2 * size + slack
    assert end < 1.1 * size + slack


async def test_a_run_keeps_few_objects_that_the_garbage_collector_visits():
    """Each of its full collections visits all of them, and stops all streams meanwhile."""
    runs = 50

    async def held(make):
        """How many objects more there are for each stream, while all of them stand half way."""
        reached, go_on = asyncio.Semaphore(0), asyncio.Event()

        async def source():
            for number in range(60):
                if number == 40:
                    reached.release()
                    await go_on.wait()
                yield f"word{number} "

        async def consume():
            async for _ in opened():
                pass

        opened = make(source)

        gc.collect()
        before = len(gc.get_objects())
        async with asyncio.TaskGroup() as group:
            for _ in range(runs):
                group.create_task(consume())
            for _ in range(runs):
                await reached.acquire()
            gc.collect()
            count = len(gc.get_objects()) - before
            go_on.set()
        return count / runs

    def full(source):
        options = Options(stream=source, **policies(CheckIntervals(15, 25, 20)))
        return lambda: l0.run(options)

    await held(full)  # for what is made once
    assert await held(full) - await held(lambda source: source) < 45


async def test_a_state_that_is_read_at_every_token_stays_linear(clock):
    """Joined text is kept joined."""
    stream = l0.run(ScriptedModel(["x" * 100] * 2000), clock=clock)
    total = 0
    async for _ in stream:
        total += len(stream.state.content)
    assert total > 2000 * 2000 * 100 / 2


async def test_tokens_are_told_in_batches(clock):
    """64 of them or 50 ms; an event between them closes the batch, so that order is exact."""
    told = []

    def listen(event):
        told.append(event)

    listen.types = ["TOKENS", "STREAM_EVENT"]
    script = [*["x"] * 70, tool("1", "f"), *["x"] * 3, stall(0.06), "x"]
    await l0.run(ScriptedModel(script), clock=clock, on_event=listen).read()
    sizes = [len(e.payload.texts) if e.type == "TOKENS" else e.type for e in told]
    assert sizes == [64, 6, "STREAM_EVENT", 3, 1]
    assert [e.payload.start for e in told if e.type == "TOKENS"] == [0, 64, 70, 73]
