"""What importing costs, and what a stream that was read to its end still holds."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc

import l0
from cases import sdk_ask, sdk_body
from figures import Figure, quartiles
from rounds import Plan

TOKENS = 2_000
HEAVY = frozenset({"pandas", "plotly", "IPython", "ipywidgets", "anywidget", "openai", "anthropic"})
_IMPORT = (
    "import json, sys, time; a = time.process_time(); import l0; b = time.process_time(); "
    "print(json.dumps([b - a, [*sys.modules]]))"
)
_STREAMS = 2


def imports(plan: Plan) -> list[Figure]:
    """`import l0` in a fresh process."""
    took, heavy = [], 0
    for _ in range(plan.of(9)):
        command = [sys.executable, "-c", _IMPORT]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, modules = json.loads(told)
        took.append(seconds * 1000)
        heavy = max(heavy, len(HEAVY & {name.partition(".")[0] for name in modules}))
    return [
        Figure("import", "import l0", "ms of CPU", quartiles(took), 100, compared=False),
        Figure("import", "import l0", "heavy packages loaded", quartiles([heavy]), 0),
    ]


def memory(plan: Plan) -> list[Figure]:
    """What streams of an SDK's chunks hold once they have ended, their text included."""
    held = asyncio.run(_held(plan.of(3 if plan.full else 1)))
    return [
        Figure(
            "memory", f"after an SDK stream of {TOKENS:,}", "bytes a token", quartiles(held), 100
        )
    ]


async def _held(rounds: int) -> list[float]:
    ask = sdk_ask(sdk_body(TOKENS))
    await l0.run(ask).read()
    values = []
    for _ in range(rounds):
        gc.collect()
        tracemalloc.start()
        streams = [l0.run(ask) for _ in range(_STREAMS)]
        for stream in streams:
            await stream.read()
        gc.collect()
        values.append(tracemalloc.get_traced_memory()[0] / _STREAMS / TOKENS)
        tracemalloc.stop()
        del stream, streams
    return values
