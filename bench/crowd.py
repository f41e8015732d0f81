"""Many streams at once on one loop: CPU beside the same bare, how late tokens come, memory.

Every token has a time at which it is due; streams begin spread evenly over one pause between two
tokens, once all of them have been set up. A token's lateness is that of its arrival at the
consumer; what is added by the library is the 99th percentile of the reliable streams less that of
the bare ones, of the same round. All tokens count, the first and the last ones too, but a stream is
so long that these are less than one in a hundred: that all begin and all end within one pause is
how this crowd was made, and says nothing of a stream that goes on. What that costs has figures of
its own: the CPU time in which all are set up, and how long after its last token was due a stream
had ended. The CPU ratio is of everything, from the first set-up to the last end.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import l0
from cases import full_stack
from corpora import prose
from figures import Figure, quartiles
from l0.stream import Options
from rounds import Plan


@dataclass(frozen=True)
class Crowd:
    """So many streams, of so many tokens each, at so many a second; and their bars."""

    streams: int
    rate: float
    tokens: int
    cpu: float
    late_ms: float
    memory_kb: float | None = None

    @property
    def name(self) -> str:
        """As the tables call it."""
        return f"{self.streams:,} streams at {self.rate:g} tokens a second"


THOUSAND = Crowd(1_000, 50, 210, cpu=2.5, late_ms=6)
TEN_THOUSAND = Crowd(10_000, 5, 210, cpu=2.4, late_ms=10, memory_kb=14)
_LEAD = 1.0  # seconds from the last set-up to the first token
_SHORTEST = 0.0001  # seconds that a stream waits for its next token
_TRACED = 2_000  # streams whose memory is told apart: tracing makes everything slow


def many(plan: Plan) -> list[Figure]:
    """1,000 streams, and 10,000 of them in the full plan."""
    figures = _figures(THOUSAND, plan.of(2))
    if plan.full:
        figures += _figures(TEN_THOUSAND, plan.of(2))
    return figures


def _figures(crowd: Crowd, rounds: int) -> list[Figure]:
    pairs = asyncio.run(_compare(crowd, rounds))
    late, ended = (
        "ms late, 99th percentile",
        "ms from its last token to a stream's end, 99th percentile",
    )
    whole = crowd.streams * crowd.tokens
    missing = sum(whole - len(full.late) for _, full in pairs)
    if min(bare.percentile() for bare, _ in pairs) > 1000 / crowd.rate:
        print(f"{crowd.name}: not even bare streams kept up, so these figures say nothing")

    def figure(what: str, values: list[float], bar: float | None = None, **more: Any) -> Figure:
        return Figure("many", crowd.name, what, quartiles(values), bar, **more)

    def waited(what: str, of: Callable[[_Pace], float], bar: float | None = None) -> list[Figure]:
        bare, full = [of(bare) for bare, _ in pairs], [of(full) for _, full in pairs]
        over = [b - a for a, b in zip(bare, full, strict=True)]
        return [
            figure(f"{what}, over raw", over, bar, compared=False),
            figure(f"{what}, raw", bare, compared=False),
            figure(f"{what}, full", full, compared=False),
        ]

    figures = [
        figure("CPU, ratio to raw", [full.took / bare.took for bare, full in pairs], crowd.cpu),
        *waited(late, _Pace.percentile, crowd.late_ms),
        figure(
            "µs of CPU to set one up, over raw",
            [(full.set_up - bare.set_up) / crowd.streams / 1000 for bare, full in pairs],
        ),
        *waited(ended, _Pace.end_percentile),
        figure(f"tokens of {whole:,} not delivered", [missing], 0),
    ]
    if crowd.memory_kb is not None:
        bare, full = asyncio.run(_memory(crowd))
        figures += [
            figure("KB a stream over raw, half way", [full - bare], crowd.memory_kb),
            figure("KB a stream, raw, with its task and timer", [bare], compared=False),
        ]
    return figures


class _Pace:
    """When each token of each stream is due, and how late it came."""

    def __init__(self, crowd: Crowd) -> None:
        self.words = prose(crowd.tokens)
        self.pause = 1 / crowd.rate
        self.crowd = crowd
        self.began = time.thread_time_ns()
        self.set_up = 0  # nanoseconds of thread CPU time until the last one waited for its begin
        self.took = 0  # until the last one had ended
        self.begun = 0.0
        self.all_there = asyncio.Event()
        self.late = array("d")
        self.end_late = array("d")
        self.opened = 0
        self.due = 0.0  # of the token that is handed over: nothing runs between yield and arrival

    async def source(self) -> AsyncIterator[str]:
        """The next stream."""
        place = self.opened
        self.opened += 1
        if self.opened == self.crowd.streams:
            self.set_up = time.thread_time_ns() - self.began
            self.begun = time.monotonic() + _LEAD
            self.all_there.set()
        await self.all_there.wait()
        begin = self.begun + self.pause * place / self.crowd.streams
        for number, word in enumerate(self.words):
            due = begin + number * self.pause
            # A timer every time, also of those that are late: a loop that can't keep up would make
            # the bare streams cheaper than they are.
            await asyncio.sleep(max(_SHORTEST, due - time.monotonic()))
            self.due = due
            yield word

    async def consume(self, stream: Any) -> None:
        """Take one stream's tokens."""
        late, now = self.late, time.monotonic
        async for item in stream:
            if item.__class__ is str or item.text is not None:
                late.append(now() - (due := self.due))
        self.end_late.append(now() - due)

    def percentile(self) -> float:
        """Milliseconds that 99 of 100 tokens were late at most."""
        return _percentile(self.late)

    def end_percentile(self) -> float:
        """Milliseconds after its last token was due at which 99 of 100 streams had ended."""
        return _percentile(self.end_late)


def _percentile(seconds: array[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000


async def _run(crowd: Crowd, *, full: bool) -> _Pace:
    """All of them at once: the CPU time that took, and how late their tokens came."""
    gc.collect()
    pace = _Pace(crowd)
    options = Options(stream=pace.source, **full_stack())
    async with asyncio.TaskGroup() as group:
        for _ in range(crowd.streams):
            group.create_task(pace.consume(l0.run(options) if full else pace.source()))
    pace.took = time.thread_time_ns() - pace.began
    return pace


async def _compare(crowd: Crowd, rounds: int) -> list[tuple[_Pace, _Pace]]:
    """Bare and reliable, a pair a round."""
    pairs = []
    for number in range(rounds):
        kinds = (False, True) if number % 2 else (True, False)
        found = {full: await _run(crowd, full=full) for full in kinds}
        pairs.append((found[False], found[True]))
    return pairs


async def _memory(crowd: Crowd) -> tuple[float, float]:
    """KB that are held for each stream while all are half way, bare and reliable."""
    half = crowd.tokens // 2
    words = prose(crowd.tokens)
    reached, all_there, go_on = 0, asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[str]:
        nonlocal reached
        for number, word in enumerate(words):
            if number == half:
                reached += 1
                if reached == _TRACED:
                    all_there.set()
                await go_on.wait()
            yield word

    async def consume(stream: Any) -> None:
        async for _ in stream:
            pass

    options = Options(stream=source, **full_stack())
    found = []
    for full in (False, True):
        gc.collect()
        reached = 0
        all_there.clear()
        go_on.clear()
        tracemalloc.start()
        async with asyncio.TaskGroup() as group:
            for _ in range(_TRACED):
                group.create_task(consume(l0.run(options) if full else source()))
            await all_there.wait()
            gc.collect()
            found.append(tracemalloc.get_traced_memory()[0] / _TRACED / 1000)
            go_on.set()
        tracemalloc.stop()
    return found[0], found[1]
