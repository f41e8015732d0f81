"""What a run cost: reported by the provider or estimated, for each attempt, and in all."""

from __future__ import annotations

import pytest

from l0.events import Usage
from l0.stream import Retry
from l0.testing import (
    ScriptedModel,
    anthropic_events,
    end,
    fail,
    openai_chunks,
    responses_events,
)

NET = ConnectionResetError("gone")
TEXT = "The quick brown fox jumps over the lazy dog."


def broken(chunks, count):
    """The first chunks of a stream, and then nothing."""
    return [*chunks[:count], fail(NET)]


async def test_an_attempt_that_broke_off_is_estimated(play):
    """A provider that never came to its usage: as many tokens as came, or a quarter of the text."""
    chunks = openai_chunks(TEXT, chunk_chars=1)
    run = await play(ScriptedModel(broken(chunks, 10), chunks))
    first, second = run.all("USAGE")
    assert (first.source, first.output_tokens, first.input_tokens) == ("estimated", 9, 0)
    assert (second.source, second.output_tokens, second.input_tokens) == ("reported", 44, 10)
    usage = run.state.usage
    assert (usage.requests, usage.output_tokens, usage.input_tokens) == (2, 53, 10)
    assert run.state.lost_tokens == 9
    assert run.events[-1].usage == usage
    run = await play(ScriptedModel(broken(openai_chunks([TEXT[:40], "x"]), 2), chunks))
    assert run.all("USAGE")[0].output_tokens == 10


async def test_what_was_reported_before_the_break_is_kept(play):
    """Messages tells of its input at once; the output it told of then was only the beginning."""
    chunks = anthropic_events(TEXT, chunk_chars=1)
    run = await play(ScriptedModel(broken(chunks, 12), chunks))
    first, second = run.all("USAGE")
    assert (first.source, first.input_tokens) == ("estimated", second.input_tokens)
    assert 8 <= first.output_tokens < second.output_tokens
    assert second.source == "reported"


@pytest.mark.parametrize("make", [openai_chunks, responses_events], ids=["chat", "responses"])
async def test_a_provider_that_was_not_asked_to_report_is_estimated(play, make):
    """Chat Completions report usage only on request."""
    run = await play(lambda: make(TEXT, usage=False))
    told = run.one("USAGE")
    assert (told.source, told.output_tokens >= 11) == ("estimated", True)
    run = await play(lambda: make(TEXT))
    assert run.one("USAGE").source == "reported"


async def test_a_source_that_is_no_provider_costs_nothing(play):
    """Plain text is not billed; what it reports all the same is taken at its word."""
    run = await play(ScriptedModel(["a", fail(NET)], ["b"]))
    assert ("USAGE" in run.types, run.state.usage) == (False, Usage())
    run = await play(ScriptedModel(["a", end(usage=Usage(3, 4))]))
    assert (run.one("USAGE").source, run.state.usage.total_tokens) == ("reported", 7)


async def test_text_that_is_withheld_or_removed_was_paid_for(play):
    """A resumed attempt that repeats the checkpoint, and breaks off before its overlap is known."""
    shown = openai_chunks([TEXT[:40]])
    again = openai_chunks([TEXT[20:36]])
    rest = openai_chunks([TEXT[20:40], TEXT[40:]], usage=False)
    run = await play(ScriptedModel(broken(shown, 2), broken(again, 2), rest), continuation=True)
    assert run.state.content == TEXT
    assert [e.output_tokens for e in run.all("USAGE")] == [10, 4, 6]


async def test_every_way_out_tells_what_was_spent(play):
    """Also a run that fails for good."""
    chunks = openai_chunks(TEXT)
    run = await play(ScriptedModel(broken(chunks, 6), repeat_last=True), retry=Retry(1, 1, 0))
    assert run.error is NET
    assert [(e.attempt, e.source) for e in run.all("USAGE")] == [(1, "estimated"), (2, "estimated")]
    assert run.one("SESSION_SUMMARY").usage == run.state.usage
    assert run.state.usage.requests == 2


async def test_withdrawn_tokens_are_counted_as_lost(play):
    """Fresh starts and restatements; a resume loses nothing."""
    run = await play(ScriptedModel(["a", "b", fail(NET)], ["c"]))
    assert run.state.lost_tokens == 2
    run = await play(ScriptedModel(["one ", "two ", fail(NET)], ["three"]), continuation=True)
    assert run.state.lost_tokens == 0
    assert run.one("SESSION_SUMMARY").lost_tokens == 0
