"""What a live view costs: kernel time a token at full speed, and bytes on the wire.

The same run with and without a view, in turns, on the same loop: the difference of their thread
CPU times is the view's. The bar is for a run that is recorded, as every run of a notebook is; of a
run that nobody records the view is also the one who has its events made. The wire is counted as
Jupyter sends it: every part of every message, serialised and signed by a real session.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import l0
from cases import prose
from l0.events import InMemoryEventStore
from l0.notebook._story import Story
from l0.notebook._stream import StreamView

TIME_BAR = 1.0
"""Microseconds a token."""
WIRE_BAR = 4.0
"""Bytes on the wire for each byte of the text."""


class Wire:
    """Stands for the comm of a kernel: serialises, signs and counts."""

    def __init__(self) -> None:
        from jupyter_client.session import Session

        self.session = Session(key=b"a key, so that messages are signed")
        self.size = 0
        self.messages = 0

    def publish(self, content: dict[str, Any]) -> None:
        """One message of the view."""
        data = {"comm_id": "0" * 32, "data": {"method": "custom", "content": content}}
        message = self.session.msg("comm_msg", data, parent=self.session.msg("execute_request"))
        self.size += sum(map(len, self.session.serialize(message)))
        self.messages += 1


async def source(tokens: list[str], rate: float | None) -> AsyncIterator[str]:
    """The tokens, `rate` a second, or as fast as they are taken."""
    begun = time.perf_counter()
    for number, token in enumerate(tokens):
        if rate is None:
            if not number % 200:
                await asyncio.sleep(0)
        elif (ahead := number / rate - (time.perf_counter() - begun)) > 0.001:
            await asyncio.sleep(ahead)
        yield token


async def run(
    tokens: list[str],
    wire: Wire | None = None,
    *,
    recorded: bool = False,
    rate: float | None = None,
) -> tuple[int, str]:
    """Nanoseconds of thread CPU time, and the text."""
    store = InMemoryEventStore() if recorded else None
    stream = l0.run(lambda: source(tokens, rate), event_store=store)
    view = None
    if wire is not None:
        story = Story(model="bench")
        story.follow(stream)
        view = StreamView(story)
        view._send = wire.publish  # type: ignore[method-assign]
        view.bridge._send = wire.publish
    gc.collect()
    begun = time.thread_time_ns()
    text = await stream.read()
    if view is not None:
        view.bridge.refresh()
    return time.thread_time_ns() - begun, text


async def measure(count: int, rounds: int) -> int:
    """Print both figures beside their bars; 1 if one is missed."""
    tokens = prose(count)
    await run(tokens)
    over: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for recorded, took in over.items():
            without, _ = await run(tokens, recorded=recorded)
            with_view, _ = await run(tokens, Wire(), recorded=recorded)
            took.append((with_view - without) / count / 1000)
    for recorded, took in over.items():
        low, middle, high = statistics.quantiles(took, n=4, method="inclusive")
        print(
            f"kernel, {count:,} tokens at full speed, {'' if recorded else 'not '}recorded: "
            f"{low:.2f}  {middle:.2f}  {high:.2f} µs a token (q1, median, q3"
            + (f"; at most {TIME_BAR:g})" if recorded else ")")
        )
    low, middle, _ = statistics.quantiles(over[True], n=4, method="inclusive")
    factors = []
    for rate, few in ((None, tokens), (1000.0, tokens[:5000])):
        wire = Wire()
        _, text = await run(few, wire, rate=rate)
        size = len(text.encode())
        factors.append(wire.size / size)
        print(
            f"wire, {len(few):,} tokens at {f'{rate:g}/s' if rate else 'full speed'}: "
            f"{wire.size:,} bytes in {wire.messages} messages for {size:,} of text, "
            f"{wire.size / size:.1f}x (at most {WIRE_BAR:g}x)"
        )
    return 1 if (middle > TIME_BAR and low > TIME_BAR) or max(factors) > WIRE_BAR else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    return asyncio.run(measure(arguments.tokens, arguments.rounds))


if __name__ == "__main__":
    sys.exit(main())
