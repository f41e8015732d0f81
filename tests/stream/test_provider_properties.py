"""A response that the provider goes on with: whatever breaks, its text and calls come once."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.events import Log, replay
from l0.testing import VirtualClock, check_run, http_error, responses_events

TEXT = "The keeper — naïve as ever — wound the clockwork, 漢字 and 👩‍🚀, and lit the lamp. "
CALLS = [("f", {"city": "Ulm", "days": [1, 2, 3]}), ("g", {"n": 1})]


class Background:
    """A provider that keeps its responses, and whose connections break as the dice say."""

    def __init__(self, rng, *, gone=0.0):
        self.rng, self.gone = rng, gone
        self.made = self.taken_up = 0
        self.left = rng.randrange(5)  # how often it still breaks
        self.kept = {}

    def __call__(self, info):
        self.made += 1
        name = f"resp_{self.made}"
        rest = TEXT[len(info.checkpoint) :]
        events = responses_events(
            rest, tool_calls=CALLS, reasoning="Hm.", chunk_chars=3, as_dicts=True
        )
        for event in events:
            if "response" in event:
                event["response"] = {**event["response"], "id": name}
        self.kept[name] = events
        return self._send(events)

    def resume(self, response_id, starting_after):
        self.taken_up += 1
        if self.rng.random() < self.gone:
            del self.kept[response_id]
        if response_id not in self.kept:
            raise http_error(404)
        if self.left and self.rng.random() < 0.2:
            self.left -= 1
            raise self.rng.choice([http_error(503), ConnectionResetError("gone")])
        again = self.rng.choice([0, 0, 1, 5, 10**6])  # so many are sent again
        events = self.kept[response_id]
        return self._send([e for e in events if e["sequence_number"] > starting_after - again])

    async def _send(self, events):
        breaks = self.left > 0
        self.left -= breaks
        at = self.rng.randrange(len(events)) if breaks else len(events)
        for event in events[:at]:
            yield event
        if breaks and self.rng.random() < 0.8:
            raise ConnectionResetError("gone")


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    gone=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "deliver": st.just("validated"),
            "buffer_tool_calls": st.just(True),
            "adapter_options": st.just({"include_reasoning": True, "require_finish": True}),
            "keep_raw": st.just(True),
        },
    ),
)
def test_whatever_breaks_the_text_and_the_calls_come_once(seed, gone, options):
    """Repeated events, refusals and further breaks included; the log tells the same story."""

    async def check():
        provider, log, told = Background(random.Random(seed), gone=gone), Log(detail="normal"), []
        options.setdefault("adapter_options", {"require_finish": True})
        stream = l0.run(
            provider,
            retry=l0.Retry(max_retries=12, base_delay=0),
            continuation=True,
            clock=VirtualClock(),
            on_event=log,
            **options,
        )
        stream.subscribe(told.append)
        shown, calls, thoughts, got = "", [], [], []
        async for event in stream:
            got.append(event)
            if event.is_restart:
                shown = shown[: event.kept_chars]
                calls.clear()
                thoughts.clear()
            elif event.is_token:
                assert event.start == len(shown)
                shown += event.text
            elif event.is_tool_call:
                calls.append((event.tool_call.name, event.tool_call.arguments))
            elif event.is_message:
                thoughts.append(event.text)
        check_run(told)
        assert shown == stream.state.content == TEXT
        assert calls == CALLS == [(c.name, c.arguments) for c in stream.state.tool_calls]
        if not gone:
            assert "".join(thoughts) in ("", "Hm.")
            # A response that broke before its name was known can't be asked for.
            unnamed = sum(e.type == "STREAM_INIT" for e in told) - 1 - provider.taken_up
            assert provider.made == 1 + unnamed
        lived = replay(log)
        assert [event async for event in lived] == got
        assert lived.state == stream.state

    asyncio.run(check())
