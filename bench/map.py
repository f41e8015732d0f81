"""Many rows through the real client against a server that fails 5 % of them, in every way it can.

`python bench/map.py` asks 10,000 rows and prints what came of it: right answers, requests, time,
memory, and whether the rate limit was kept, as the server saw it. The server is a process of its
own; each row has its own answer there, so a wrong, missing or doubled one shows.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import l0
from l0.compose import Concurrency, Limits
from l0.compose import map as map_rows
from l0.stream import Retry, Timeout
from l0.testing import FaultServer, Reply, ScriptedCall

SHARE = 0.05
BROKEN = (
    *("429", "429(0.3)", "500", "503", "529", "408", "400", "404", "quota"),
    *("drop@2", "cut@3", "reset@2", "eof@3", "stall@2", "stall_alive@2"),
    *("error@2(overloaded_error)", "failed@2", "garbage@2", "length@3", "tool_cut@1"),
    *("empty", "no_text", "slow_headers(30)", "slow_first(30)", "tool_garbage"),
)
SLOW = ("slow(0.01)", "split", "split(1)", "no_finish_usage")


def answer(row: int) -> str:
    """What the server says to a row, and to no other."""
    return f"Row {row:05d}: the square of {row} is {row * row}, and that is all there is to say."


def replies(row: int, faults: tuple[str, ...]) -> list[Reply]:
    """The row's answers in order: broken ones, then a whole one."""
    calls = {"tool_cut@1", "tool_garbage"}
    return [
        *(
            Reply(
                answer(row),
                faults=fault,
                tool_calls=[ScriptedCall("f", {"a": 1})] if fault in calls else (),
                continuation=None,
            )
            for fault in faults
        ),
        Reply(answer(row), continuation=None),
    ]


def trouble(rows: int, seed: int) -> dict[int, tuple[str, ...]]:
    """Which rows fail, and how: 5 % of them, one time in ten twice."""
    rng = random.Random(seed)
    kinds = (*BROKEN, *SLOW)
    hit = rng.sample(range(rows), round(rows * SHARE))
    return {
        row: (kinds[at % len(kinds)],) + ((rng.choice(BROKEN[:6]),) if rng.random() < 0.1 else ())
        for at, row in enumerate(hit)
    }


# --- the server's process -----------------------------------------------------------------------


async def serve(rows: int, seed: int) -> None:
    """Answer until stdin says so, then print what was asked."""
    server = FaultServer(seed=seed)
    server.default = Reply("This row has been answered before.")
    faults = trouble(rows, seed)
    for row in range(rows):
        server.script(str(row), *replies(row, faults.get(row, ())))
    async with server:
        print(server.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        times = sorted(request.opened_at for request in server.requests)
        most = max(bisect.bisect_left(times, at + 60) - i for i, at in enumerate(times))
        asked = Counter(request.headers["x-l0-script"] for request in server.requests)
        print(
            json.dumps(
                {
                    "requests": len(times),
                    "most_in_60_s": most,
                    "rows_asked": len(asked),
                    "hit": sum(bool(request.faults) for request in server.requests),
                }
            ),
            flush=True,
        )


# --- the map's process --------------------------------------------------------------------------


def megabytes() -> float:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(rows: int, per_minute: int, base_url: str, store: Path) -> dict[str, object]:
    """One map from begin to end."""
    import openai

    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)

    def ask(prompt: str) -> object:
        return client.chat.completions.create(
            model="gpt-bench",
            messages=[{"role": "user", "content": prompt}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-l0-script": prompt.rsplit(maxsplit=1)[-1]},
        )

    memory: list[float] = []
    run = map_rows(
        ({"n": row} for row in range(rows)),  # an iterable: nothing of it is kept
        "Square {n}",
        ask,
        fallbacks=[ask],
        name="gpt-bench",
        store=store,
        limits=Limits(requests_per_minute=per_minute),
        concurrency=Concurrency(start=16, maximum=64),
        timeout=Timeout(connect=10, initial_token=5, inter_token=2),
        retry=Retry(attempts=6, max_retries=10, base_delay=0.05),
        on_incomplete="retry",
        tool_errors="retry",
        on_progress=lambda _: memory.append(megabytes()),
    )
    began, cpu = time.monotonic(), time.process_time()
    right = wrong = failed = 0
    async for row in run:
        if not row.ok:
            failed += 1
            print("failed:", row.position, row.error_type, row.error, file=sys.stderr)
        elif row.text == answer(row.position):
            right += 1
        else:
            wrong += 1
            print("wrong:", row.position, repr(row.text), file=sys.stderr)
    took = time.monotonic() - began
    await client.close()
    result = await run
    tenth = memory[len(memory) // 10]
    return {
        "right": right,
        "wrong": wrong,
        "failed": failed,
        "retries": result.retries,
        "seconds": took,
        "cpu_seconds": time.process_time() - cpu,
        "memory_after_a_tenth": tenth,
        "peak_memory": megabytes(),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--per-minute", type=int, default=2_400)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.rows, given.seed))
        return
    command = [sys.executable, __file__, "--serve", f"--rows={given.rows}", f"--seed={given.seed}"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        base_url = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "map.db"
            found = asyncio.run(measure(given.rows, given.per_minute, base_url, store))
            found["store_megabytes"] = store.stat().st_size / 1e6
        server.stdin.write("stop\n")
        server.stdin.flush()
        found |= json.loads(server.stdout.readline())
    finally:
        server.stdin.close()
        server.wait(30)
    found["limit_a_minute"] = given.per_minute
    print(
        f"l0 {l0.__version__}, {given.rows} rows, {len(trouble(given.rows, given.seed))} in trouble"
    )
    for name, value in found.items():
        shown = f"{value:.1f}" if isinstance(value, float) else value
        print(f"  {name.replace('_', ' '):<22}{shown:>10}")


if __name__ == "__main__":
    main()
