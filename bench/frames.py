"""How long the frames of a large store take: `python bench/frames.py [--events N] [--rows]`.

Twenty runs with a retry each are recorded in a SQLite file, and copied under other names until
there are enough events. Each frame is made twice; the second time is told, as wall-clock time and
as the CPU time of all threads. `--rows` makes them row by row as well, and compares.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import l0
from l0.events import SQLiteEventStore
from l0.notebook import _columnar, _frames
from l0.testing import ScriptedModel, VirtualClock, fail, stall

FRAMES = ("runs", "attempts", "events", "tokens", "violations")


async def record(path: Path) -> None:
    """Twenty runs, each of which breaks off once."""
    store = SQLiteEventStore(path)
    for index in range(20):
        words = [step for at in range(60) for step in (stall(0.02), f"word{at} ")]
        model = ScriptedModel([*words[:40], fail(ConnectionResetError("reset"))], words)
        await l0.run(
            model,
            event_store=store,
            clock=VirtualClock(wall=1.7e9),
            guardrails=l0.Guardrails.recommended(),
            meta={"model": f"model-{index % 3}"},
            retry=l0.Retry(base_delay=0.1),
        ).read()
    await store.close()


def multiply(path: Path, events: int) -> tuple[int, int]:
    """Copy the runs until there are so many events; how many events and runs there are."""
    with sqlite3.connect(path) as file:
        (few,) = file.execute("SELECT count(*) FROM records").fetchone()
        for table in ("records", "streams"):
            columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")][1:]
            file.executemany(
                f"INSERT INTO {table} SELECT substr(stream_id, 1, 30) || ?, {','.join(columns)} "
                f"FROM {table} WHERE length(stream_id) = 36",
                [(f"-{copy:06}",) for copy in range(1, -(-events // few))],
            )
        counts = "SELECT sum(event_count), count(*) FROM streams"
        found: tuple[int, int] = file.execute(counts).fetchone()
    return found


def timed(name: str, path: Path) -> tuple[Any, float, float]:
    """A frame, and the seconds it took: on the wall's clock, and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    frame = getattr(l0.frames, name)(path)
    return frame, time.perf_counter() - wall, time.process_time() - cpu


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rows", action="store_true", help="row by row as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "runs.db")
        asyncio.run(record(path))
        events, runs = multiply(path, arguments.events)
        print(f"{events:,} events of {runs:,} runs, {path.stat().st_size:,} bytes")
        frames = {}
        for name in FRAMES:
            timed(name, path)
            frames[name], wall, cpu = timed(name, path)
            print(f"{name:10} {len(frames[name]):>9,} rows  {wall:5.2f} s, {cpu:5.2f} s of CPU")
        if arguments.rows:
            from pandas.testing import assert_frame_equal

            _columnar.LEAST = sys.maxsize  # type: ignore[misc]
            _frames.read_runs = lambda *_: None  # type: ignore[attr-defined]
            for name in FRAMES:
                frame, wall, cpu = timed(name, path)
                assert_frame_equal(frame, frames[name], check_exact=True)
                print(f"{name:10} row by row, the same: {wall:5.2f} s, {cpu:5.2f} s of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
