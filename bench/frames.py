"""How long the frames of a large store take: `python bench/frames.py [--events N] [--rows]`.

Twenty runs with a retry each are recorded in a SQLite file, and copied under other names until
there are enough events; then the same runs are written to a directory of JSONL. Each frame is made
five times of each; told are the median and the least, as wall-clock time and as the CPU time of
all threads. `--rows` makes them row by row as well, once, and compares.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from itertools import groupby, product
from pathlib import Path
from typing import Any

import l0
from l0.events import SQLiteEventStore
from l0.events._record import Row, line_of
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


def export(database: Path, directory: Path) -> None:
    """The same runs as files of JSON lines."""
    directory.mkdir()
    with sqlite3.connect(database) as file:
        rows = file.execute("SELECT * FROM records ORDER BY stream_id, seq")
        for stream_id, run in groupby(map(Row._make, rows), key=lambda row: row.stream_id):
            lines = [line_of(row) + b"\n" for row in run]
            (directory / f"{stream_id}.jsonl").write_bytes(b"".join(lines))


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
        export(path, Path(folder, "runs"))
        frames = {}
        for name, source in product(FRAMES, (path, Path(folder, "runs"))):
            times = []
            for _ in range(5):
                frame, *took = timed(name, source)
                times.append(tuple(took))
                frames[name] = frame
            wall, cpu = (statistics.median(each) for each in zip(*times, strict=True))
            least = min(times)[0]
            kind = "JSONL" if source.is_dir() else "SQLite"
            print(
                f"{name:10} {kind:6} {len(frame):>9,} rows  {wall:5.2f} s (least {least:.2f}), "
                f"{cpu:5.2f} s of CPU"
            )
        if arguments.rows:
            from pandas.testing import assert_frame_equal

            _columnar.LEAST = sys.maxsize  # type: ignore[misc]
            _frames.read_runs = lambda *_: None  # type: ignore[attr-defined]
            for name, source in product(FRAMES, (path, Path(folder, "runs"))):
                frame, wall, cpu = timed(name, source)
                assert_frame_equal(frame, frames[name], check_exact=True)
                print(f"{name:10} row by row, the same: {wall:5.2f} s, {cpu:5.2f} s of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
