"""One chunk as a run: an answer that drifts is asked for again with more of the document."""

from __future__ import annotations

import itertools

import pytest

import l0
from l0.compose import ContextRestorationOptions, Window, l0_with_window
from l0.errors import AllStreamsExhaustedError, DriftError
from l0.testing import check_run

DRIFT = "As an AI language model, I was asked to do this."
DOCUMENT = "0123456789" * 5  # chunks of ten, two of them repeated


@pytest.fixture
def window():
    return Window.create(DOCUMENT, strategy="char", size=10, overlap=2)


def model(*answers):
    """A stream function that gives these answers in turn, and the chunks it was called with."""
    seen = []

    def ask(chunk):
        seen.append((chunk.start_pos, chunk.end_pos))
        assert chunk.content == DOCUMENT[chunk.start_pos : chunk.end_pos]
        answer = answers[min(len(seen), len(answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return [answer]

    ask.seen = seen
    return ask


def options(clock, **more):
    return {"clock": clock, "retry": l0.Retry(base_delay=0), **more}


async def test_an_answer_that_does_not_drift_is_asked_for_once(window, clock):
    ask = model("fine")
    stream = l0_with_window(window, 2, ask, **options(clock))
    assert ask.seen == []  # nothing is opened before the first use
    assert await stream.read() == "fine"
    assert ask.seen == [(16, 26)]


@pytest.mark.parametrize(
    ("strategy", "seen"),
    [
        ("adjacent", [(16, 26), (8, 34), (0, 42)]),
        ("overlap", [(16, 26), (14, 28), (12, 30)]),
        ("full", [(16, 26), (0, 50), (0, 50)]),
    ],
)
async def test_drift_is_retried_with_wider_context(window, clock, strategy, seen):
    ask, restored = model(DRIFT, DRIFT, "fine"), []
    restoration = ContextRestorationOptions(
        strategy=strategy,
        on_restore=lambda n, chunk: restored.append((n, chunk.start_pos, chunk.end_pos)),
    )
    stream = l0_with_window(window, 2, ask, context_restoration=restoration, **options(clock))
    assert await stream.read() == "fine"
    assert ask.seen == seen
    wider = [place for before, place in itertools.pairwise(seen) if place != before]
    assert restored == [(n, *place) for n, place in enumerate(wider, 1)]
    assert [type(error) for error in stream.errors] == [DriftError, DriftError]


async def test_the_consumer_is_told_that_the_drifted_answer_fell_away(window, clock):
    told = []
    stream = l0_with_window(window, 0, model(DRIFT, "fine"), on_event=told.append, **options(clock))
    events = [event.type async for event in stream]
    assert events == ["token", "restart", "token", "complete"]
    check_run(told)


async def test_drift_ends_the_run_when_context_was_widened_often_enough(window, clock):
    ask = model(DRIFT)
    with pytest.raises(DriftError):
        await l0_with_window(window, 2, ask, **options(clock)).read()
    assert len(ask.seen) == 3
    ask = model(DRIFT)
    none = ContextRestorationOptions(max_attempts=0)
    with pytest.raises(DriftError):
        await l0_with_window(window, 2, ask, context_restoration=none, **options(clock)).read()
    assert ask.seen == [(16, 26)]


async def test_other_failures_are_retried_with_the_context_they_had(window, clock):
    ask = model(ConnectionResetError(), DRIFT, ConnectionResetError(), "fine")
    assert await l0_with_window(window, 2, ask, **options(clock)).read() == "fine"
    assert ask.seen == [(16, 26), (16, 26), (8, 34), (8, 34)]


async def test_restoration_that_is_off_leaves_the_run_as_it_is(window, clock):
    off = ContextRestorationOptions(enabled=False)
    ask = model(DRIFT)
    stream = l0_with_window(window, 2, ask, context_restoration=off, **options(clock))
    assert await stream.read() == DRIFT
    ask = model(DRIFT, "fine")
    again = l0_with_window(window, 2, ask, context_restoration=off, drift=True, **options(clock))
    assert await again.read() == "fine"
    assert ask.seen == [(16, 26)] * 2


async def test_drift_that_is_only_recorded_is_not_retried(window, clock):
    ask = model(DRIFT)
    record = l0.DriftConfig(policy="record")
    stream = l0_with_window(window, 2, ask, drift=record, **options(clock))
    assert await stream.read() == DRIFT
    assert stream.state.drift_detected


async def test_fallbacks_see_the_chunk_as_wide_as_it_has_become(window, clock):
    primary, backup = model(DRIFT), model("fine")
    stream = l0_with_window(window, 2, primary, fallbacks=[backup], **options(clock))
    assert await stream.read() == "fine"
    assert len(primary.seen) == 3
    assert backup.seen == [(0, 42)]
    primary, backup = model(DRIFT), model(DRIFT)
    stream = l0_with_window(window, 2, primary, fallbacks=[backup], **options(clock))
    with pytest.raises(AllStreamsExhaustedError):
        await stream.read()


async def test_ones_own_veto_still_counts(window, clock):
    retry = l0.Retry(base_delay=0, should_retry=lambda *about: False)
    ask = model(DRIFT, "fine")
    with pytest.raises(DriftError):
        await l0_with_window(window, 2, ask, retry=retry, clock=clock).read()


async def test_a_callback_that_fails_changes_nothing(window, clock):
    def on_restore(number, chunk):
        raise RuntimeError("no")

    restoration = ContextRestorationOptions(on_restore=on_restore)
    told = []
    stream = l0_with_window(
        window,
        2,
        model(DRIFT, "fine"),
        context_restoration=restoration,
        on_event=told.append,
        **options(clock),
    )
    assert await stream.read() == "fine"
    assert [e["error"] for e in told if e.type == "CALLBACK_ERROR"] == ["no"]


async def test_a_window_without_overlap_widens_by_a_tenth_of_its_size(clock):
    window = Window.create(DOCUMENT, strategy="char", size=10, overlap=0)
    restoration = ContextRestorationOptions(strategy="overlap")
    ask = model(DRIFT, "fine")
    stream = l0_with_window(window, 0, ask, context_restoration=restoration, **options(clock))
    await stream.read()
    assert ask.seen == [(0, 10), (0, 11)]


async def test_no_fallbacks_may_be_said_as_none(window, clock):
    made = l0_with_window(window, 0, model("an answer"), fallbacks=None, **options(clock))
    assert await made.read() == "an answer"


def test_what_makes_no_sense_is_refused_before_anything_starts(window):
    with pytest.raises(IndexError, match="there are 6 chunks"):
        l0_with_window(window, 6, model("a"))
    with pytest.raises(TypeError, match="called with the chunk, not 'a'"):
        l0_with_window(window, 0, "a")
    with pytest.raises(TypeError, match="called with the chunk, not 3"):
        l0_with_window(window, 0, model("a"), fallbacks=[3])
    with pytest.raises(TypeError, match="unknown option"):
        l0_with_window(window, 0, model("a"), retries=3)
    with pytest.raises(ValueError, match="Unknown strategy 'wide'"):
        ContextRestorationOptions(strategy="wide")
    with pytest.raises(ValueError, match="max_attempts is a whole number, 0 or more; not -1"):
        ContextRestorationOptions(max_attempts=-1)
    with pytest.raises(TypeError, match="on_restore is called with each wider chunk"):
        ContextRestorationOptions(on_restore=3)
