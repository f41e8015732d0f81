"""Other libraries beside this one, in the same run: a streamed answer from the same server.

A library is measured by a file in `bench/adapters`, which says three things:

    name = "openai"                       what the tables call it
    def available() -> str | None: ...    why it can't be measured here; None if it can
    def opener(base_url): ...             a function that opens a stream of an answer's texts

`opener(base_url)` gives a function without arguments that asks an OpenAI-compatible server at
`base_url` for one streamed chat completion, and returns an async iterator of its pieces of text.
It is called once a round; what it sets up (a client) it sets up once. `python bench/run.py
libraries --adapter file.py` measures a file from elsewhere, too.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import multiprocessing
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import transport
from figures import Figure, quartiles
from rounds import Plan

FOLDER = Path(__file__).parent / "adapters"
TOKENS = 2_000
BASELINE = "openai"

Opener = Callable[[], AsyncIterator[str]]


def load(path: Path) -> ModuleType:
    """An adapter file as a module.

    Raises:
        ValueError: the file lacks something.
    """
    spec = importlib.util.spec_from_file_location(f"bench_adapter_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    missing = [name for name in ("name", "available", "opener") if not hasattr(module, name)]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; see bench/libraries.py")
    return module


def libraries(plan: Plan, more: tuple[Path, ...] = ()) -> list[Figure]:
    """CPU a token of each library that is installed, as a ratio to the openai client alone."""
    found: dict[str, ModuleType] = {}
    for path in (*sorted(FOLDER.glob("*.py")), *more):
        module = load(path)
        why = module.available()
        if why is not None:
            print(f"{module.name} is left out: {why}")
        else:
            found[module.name] = module
    if BASELINE not in found:
        return []
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=transport.serve, args=(TOKENS, theirs), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}/burst/chat"
        took = asyncio.run(_measure(found, url, plan.of(7)))
    finally:
        server.terminate()
    return _figures(took)


def _figures(took: dict[str, list[float]]) -> list[Figure]:
    figures = []
    for name, mine in took.items():
        each = [nanoseconds / TOKENS / 1000 for nanoseconds in mine]
        figures.append(Figure("libraries", name, "µs a token", quartiles(each), compared=False))
        if name != BASELINE:
            ratios = [a / b for a, b in zip(mine, took[BASELINE], strict=True)]
            what = "ratio to the openai client"
            figures.append(Figure("libraries", name, what, quartiles(ratios)))
    return figures


async def _measure(found: dict[str, ModuleType], url: str, rounds: int) -> dict[str, list[float]]:
    """Nanoseconds of thread CPU time for an answer, a value a round."""
    openers: dict[str, Opener] = {name: module.opener(url) for name, module in found.items()}
    took: dict[str, list[float]] = {name: [] for name in openers}
    texts = {name: await _read(opener) for name, opener in openers.items()}  # for warmth
    for name, text in texts.items():
        if text != texts[BASELINE]:
            raise ValueError(
                f"{name} read another text than {BASELINE}: {len(text)} characters, "
                f"not {len(texts[BASELINE])}"
            )
    rng = random.Random(5)
    for _ in range(rounds):
        for name in rng.sample([*openers], len(openers)):
            gc.collect()
            began = time.thread_time_ns()
            async for _piece in openers[name]():
                pass
            took[name].append(time.thread_time_ns() - began)
    return took


async def _read(opener: Opener) -> str:
    return "".join([piece async for piece in opener()])
