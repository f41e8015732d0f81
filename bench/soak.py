"""Two thousand broken streams a minute, and fifty kills: nothing grows, stays open or is lost.

Real SDK clients ask a fault server over loopback; every run is recorded into one SQLite store.
Afterwards a process that records is killed at random moments, and what it had committed must be
there. Status 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import itertools
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import l0
from l0.events import open_store, replay, resolve_store, verify
from l0.stream import Retry, Timeout
from l0.testing import FaultServer, Reply
from l0.testing._matrix import TEXT
from l0.testing._matrix_clients import OTHER, PATHS
from l0.testing._matrix_table import machine
from l0.testing._reply import tokenize

SLOTS = 64  # streams at once, at most
WARM = 6000  # streams before anything is measured, in all slots: what is kept of runs is full then
RESTS = 12  # times that the run lets its streams end, so that the process can be looked at
GROWTH = 0.5  # KB a stream that the last two thirds of the rests may add
BLOCKS = 0.05  # the share of Python's memory blocks that they may add
TOKENS = len(tokenize(TEXT))
FAULTS = (
    *("", "", "429(0.01)", "503", "529", "408", "empty", "split", "no_finish_usage"),
    *("drop@{}", "cut@{}", "reset@{}", "eof@{}", "error@{}", "garbage@{}", "stall@{}"),
    *("error@{}(overloaded_error)", "slow(0.002)", "slow_first(0.1)", "stall_alive@{}(0.2)"),
)
POLICY = {
    "retry": Retry(attempts=20, max_retries=20, base_delay=0.01, max_delay=0.05),
    "timeout": Timeout(connect=5, initial_token=2, inter_token=1),
}


@dataclass
class Rest:
    """What the process holds while no stream runs."""

    seconds: float
    streams: int
    faults: int
    megabytes: float
    blocks: int
    files: int


@dataclass
class Soak:
    """What is counted while it runs."""

    rng: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    requests: int = 0
    faults: int = 0

    @property
    def done(self) -> int:
        return self.outcomes.total()


async def soak(minutes: float, rate: int, url: str, seed: int) -> Soak:
    """Streams at `rate` a minute, for so many minutes, after those that warm it up."""
    found, free = Soak(random.Random(seed)), asyncio.Queue[int]()
    for slot in range(SLOTS):
        free.put_nowait(slot)
    with FaultServer.in_thread() as server:
        server.default = Reply(TEXT)
        clients = {name: path.connect(server) for name, path in PATHS.items()}
        between, began = max(1, round(minutes * rate / RESTS)), time.monotonic()
        for number in itertools.count(-WARM):
            if number == 0:
                began = time.monotonic()
            if number >= 0 and number % between == 0:
                await rest(found, server, began)
            await asyncio.sleep(began + number * 60 / rate - time.monotonic())
            if number >= 0 and time.monotonic() - began > minutes * 60:
                break
            slot = await free.get()
            task = asyncio.create_task(one(found, clients, server, url, slot))
            found.running.add(task)
            task.add_done_callback(found.running.discard)
            task.add_done_callback(lambda _, slot=slot: free.put_nowait(slot))
        await rest(found, server, began)
        for client in clients.values():
            await client.close()
        server.wait_closed_connections(2)
    return found


async def one(found: Soak, clients, server, url: str, slot: int) -> None:
    """One stream: its faults, its policy and its consumer are drawn."""
    rng = found.rng
    name = rng.choice([*PATHS])
    path, other = PATHS[name], PATHS[OTHER[name]]
    faults = [rng.choice(FAULTS).format(rng.randint(0, TOKENS)) for _ in range(rng.randint(1, 3))]
    found.faults += len(faults)
    headers = server.script(f"slot-{slot}", *(Reply(TEXT, faults=fault) for fault in faults))
    options = dict(POLICY)
    policy = rng.choice(["restart", "continuation", "fallback", "validated"])
    if policy == "continuation":
        options["continuation"] = True
    elif policy == "fallback":
        options["retry"] = Retry(max_retries=0)
        ask = clients[OTHER[name]]
        options["fallbacks"] = [lambda: other.ask(ask, extra_headers=headers)] * (SLOTS // 4)
    elif policy == "validated":
        options["deliver"] = "validated"
    client = l0.wrap(clients[name], event_store=url, meta={"slot": slot}, **options)
    stream = path.ask(client, extra_headers=headers)
    way = rng.choices(["all", "break", "abort", "cancel"], [85, 5, 5, 5])[0]
    shown, error = await consume(stream, way, rng.randint(0, TOKENS * 2))
    if way == "all" and (error is not None or shown != TEXT):
        found.wrong.append(f"{name}, {policy}, {faults}: {error!r}, {shown!r}")
    found.outcomes[stream.outcome or "unfinished"] += 1


async def consume(stream, way: str, at: int) -> tuple[str, Exception | None]:
    shown, error, count = "", None, 0

    async def all_of_it() -> None:
        nonlocal shown, count
        async for event in stream:
            if event.is_token:
                shown = shown[: event.start] + event.text
            elif event.is_restart:
                shown = shown[: event.kept_chars]
            count += 1
            if count > at and way == "break":
                break
            if count > at and way == "abort":
                stream.abort()
            if count > at and way == "cancel":
                task.cancel()

    task = asyncio.create_task(all_of_it())
    await asyncio.wait({task})
    if not task.cancelled():
        error = task.exception()
    await stream.aclose()  # a bare `break` is closed by the loop: wait for it
    return shown, error


async def rest(found: Soak, server, began: float) -> None:
    """Let every stream end, and look at the process."""
    while found.running:
        await asyncio.wait(found.running)
    found.requests += len(server.requests)
    server.requests.clear()  # the server remembers every request: that would be its growth
    await settle()
    seconds = time.monotonic() - began
    memory_now, blocks = memory(), sys.getallocatedblocks()
    found.rests.append(Rest(seconds, found.done, found.faults, memory_now, blocks, len(files())))


def memory() -> float:
    """The process's own memory in MB, without what is free and only not given back yet."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def files() -> list[str]:
    """What is open: files, sockets, pipes."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:  # the directory that is being read
            pass
    return found


def own_threads() -> int:
    """Threads but those that asyncio keeps for looking up names."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


def growth(rests: list[Rest], what: str) -> float:
    """What a stream adds: the median slope between the rests of the last two thirds."""
    kept = rests[len(rests) // 3 :]
    slopes = [
        (getattr(b, what) - getattr(a, what)) / (b.streams - a.streams)
        for a, b in itertools.combinations(kept, 2)
        if b.streams > a.streams
    ]
    return statistics.median(slopes) if slopes else 0.0


async def judge(minutes: float, rate: int, folder: Path, seed: int) -> list[str]:
    """The soak, its table, and what is wrong with it."""
    url = f"sqlite:///{folder}/soak.db"
    unheard: list[str] = []
    sys.unraisablehook = lambda each: unheard.append(f"{each.exc_value!r} in {each.object!r}")
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: unheard.append(str(context))
    )
    await warm(url)
    threads, opened = own_threads(), Counter(files())
    found = await soak(minutes, rate, url, seed)
    print(f"{'seconds':>8}{'streams':>9}{'faults':>8}{'MB':>8}{'blocks':>10}{'files':>7}")
    for row in found.rests:
        print(
            f"{row.seconds:>8.0f}{row.streams:>9}{row.faults:>8}{row.megabytes:>8.1f}"
            f"{row.blocks:>10,}{row.files:>7}"
        )
    await settle()
    left, stayed = Counter(files()) - opened, own_threads() - threads
    tasks = len(asyncio.all_tasks()) - 1
    store = resolve_store(url)
    await store.flush()
    names = [each.stream_id for each in await store.list_streams()]
    broken = [name for name in names if not (await verify(store, name)).ok]
    size = (folder / "soak.db").stat().st_size / 2**20
    await store.close()
    first, last = found.rests[0], found.rests[-1]
    took, measured = last.seconds - first.seconds, last.streams - first.streams
    more, each = growth(found.rests, "megabytes") * 1024, growth(found.rests, "blocks")
    grown = each * (last.streams - found.rests[len(found.rests) // 3].streams) / last.blocks
    print(
        f"{measured} streams in {took:.0f} s ({measured * 60 / max(took, 1):.0f} a minute) "
        f"after {WARM} others; of all {found.done}: {found.faults} faults, "
        f"{found.requests} requests, {dict(found.outcomes)}\n"
        f"log: {len(names)} runs, {size:.0f} MB, {len(broken)} broken\n"
        f"memory: {last.megabytes:.1f} MB; a stream adds {more:+.2f} KB and {each:+.2f} blocks; "
        f"left: {tasks} tasks, {stayed} threads, {left.total()} files and sockets"
    )
    wrong = found.wrong + unheard + [f"the log of {name} is broken" for name in broken]
    if not measured:
        wrong.append("no stream was measured: give it more minutes")
    if len(names) != found.done + 1:
        wrong.append(f"{len(names)} runs are recorded, not {found.done + 1}")
    if more > GROWTH:
        wrong.append(f"a stream adds {more:.2f} KB, more than {GROWTH:g}")
    if grown > BLOCKS:
        wrong.append(f"the last two thirds added {grown:.1%} of Python's memory blocks")
    if tasks or stayed or left:
        wrong.append(f"left: {tasks} tasks, {threading.enumerate()}, {dict(left)}")
    if any(name.startswith(str(folder)) for name in files()):
        wrong.append("the closed store holds its file")
    return wrong


async def warm(url: str) -> None:
    """What is made once is made before it is counted: a run of each way, the cache of the store."""
    page = TEXT * 40  # so many that the store's cache of pages is full
    stream = l0.run(lambda: [f"{number} {page}" for number in range(1000)], event_store=url)
    await stream.read()
    await replay(resolve_store(url), stream.stream_id)
    with FaultServer.in_thread() as server:
        server.default = Reply(TEXT)
        for path in PATHS.values():
            client = path.connect(server)
            assert await path.ask(l0.wrap(client, **POLICY)).read() == TEXT
            await client.close()
    await settle()


async def settle() -> None:
    for _ in range(2):
        gc.collect()
        await asyncio.sleep(0.05)


# --- kills ----------------------------------------------------------------------------------


async def record_for_ever(url: str) -> None:
    """What is killed: twenty runs at a time; each is named once it is on disk for certain."""
    rng, store = random.Random(os.urandom(8)), resolve_store(url)

    def factory(info):
        breaks = rng.randint(0, 60)

        async def tokens():
            for number, token in enumerate(tokenize(TEXT[len(info.checkpoint) :])):
                if number == breaks:
                    raise ConnectionResetError("gone")
                yield token
                await asyncio.sleep(rng.random() / 500)

        return tokens()

    async def worker() -> None:
        while True:
            stream = l0.run(
                factory,
                event_store=url,
                retry=Retry(max_retries=99, base_delay=0),
                continuation=rng.random() < 0.5,
            )
            assert await stream.read() == TEXT
            await store.flush()
            print(stream.stream_id, flush=True)

    await asyncio.gather(*(worker() for _ in range(20)))


def kill_once(url: str, seconds: float) -> list[str]:
    """The runs a process had named as committed when it was killed."""
    process = subprocess.Popen([sys.executable, __file__, "--record", url], stdout=subprocess.PIPE)
    try:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        if not ready:
            raise RuntimeError("the process that is to be killed did not begin to record")
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"it ended by itself, with status {process.returncode}")
    return out.decode().split("\n")[:-1]


async def kill(times: int, folder: Path, seed: int) -> list[str]:
    """Kill, look, and go on with the same store; the table, and what is wrong."""
    url, rng, wrong = f"sqlite:///{folder}/killed.db", random.Random(seed), []
    known: set[str] = set()
    totals = Counter[str]()
    for number in range(times):
        named = await asyncio.to_thread(kill_once, url, rng.uniform(0, 0.5))
        store = open_store(url)
        runs = {each.stream_id for each in await store.list_streams()} - known
        known |= runs
        wrong += [f"kill {number}: run {name} is gone" for name in named if name not in runs]
        for name in runs:
            wrong += [f"kill {number}: {what}" for what in await look_at(store, name, named)]
        await store.close()
        totals["runs"] += len(runs)
        totals["committed"] += len(named)
    store = open_store(url)
    broken = [name for name in known if not (await verify(store, name)).ok]
    await store.close()
    print(
        f"killed {times} times: {totals['runs']} runs begun, {totals['committed']} named as "
        f"committed, {len(wrong)} of them lost or changed; log: {len(broken)} broken"
    )
    return wrong + [f"the log of {name} is broken" for name in broken]


async def look_at(store, name: str, named: list[str]) -> list[str]:
    """What is wrong with a run after a kill: a named one is whole, another one is a beginning."""
    found = await verify(store, name)
    if not found.ok:
        return [f"{name} is broken at record {found.first_bad_seq}: {found.reason}"]
    lived = await replay(store, name)
    if name in named and (lived.outcome, lived.state.content) != ("completed", TEXT):
        return [f"{name} was committed, and is {lived.outcome} with {lived.state.content!r}"]
    if not TEXT.startswith(lived.state.content):
        return [f"{name} is no beginning of the text: {lived.state.content!r}"]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=2000, help="streams a minute")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--record", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.record:
        asyncio.run(record_for_ever(arguments.record))
        return 0
    wrong = []
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        if arguments.minutes:
            wrong += asyncio.run(
                judge(arguments.minutes, arguments.rate, Path(folder), arguments.seed)
            )
        if arguments.kills:
            wrong += asyncio.run(kill(arguments.kills, Path(folder), arguments.seed))
    for each in wrong[:20]:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
