"""The figures of the measurements that are commands of their own: transport, live view, healing."""

from __future__ import annotations

import asyncio
import multiprocessing
from typing import Any

import healing
import transport
import view
from cases import prose
from figures import Figure, quartiles
from rounds import Plan

_SIZES = (60_000, 250_000, 1_000_000)


def transports(plan: Plan) -> list[Figure]:
    """The SDK's decoding over the fast transport's, of Chat Completions; full: of all three."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=transport.serve, args=(2_000, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    figures = []
    try:
        for http, pace in transport.BARS:
            for kind in transport.MAKERS if plan.full else ("chat",):
                rounds = plan.of(7 if plan.full else 3)
                took = asyncio.run(transport.measure(http, pace, kind, url, rounds))
                pairs = zip(took["sdk"], took["fast"], strict=True)
                bar = transport.BARS[http, pace] if kind == "chat" else None
                what = "times as fast as the SDK decodes"
                figures.append(
                    Figure(
                        "transport",
                        f"{http}, {pace}, {kind}",
                        what,
                        quartiles([sdk / fast for sdk, fast in pairs]),
                        bar,
                        higher=True,
                    )
                )
    finally:
        server.terminate()
    return figures


def views(plan: Plan) -> list[Figure]:
    """What a live view costs its kernel, and the wire."""
    return asyncio.run(_views(plan))


async def _views(plan: Plan) -> list[Figure]:
    tokens = prose(100_000 if plan.full else 50_000)
    await view.run(tokens)
    took, factors = [], []
    for _ in range(plan.of(7 if plan.full else 5)):
        wire = view.Wire()
        without, _ = await view.run(tokens, recorded=True)
        beside, text = await view.run(tokens, wire, recorded=True)
        took.append((beside - without) / len(tokens) / 1000)
        factors.append(wire.size / len(text.encode()))
    few, wire = tokens[:5000], view.Wire()
    _, text = await view.run(few, wire, rate=1000.0)
    steady = wire.size / len(text.encode())

    def figure(scenario: str, what: str, values: list[float], bar: float) -> Figure:
        return Figure("view", scenario, what, quartiles(values), bar)

    wired = "bytes on the wire a byte of the text"
    return [
        figure("live view, full speed", "µs of kernel CPU a token", took, view.TIME_BAR),
        figure("live view, full speed", wired, factors, view.WIRE_BAR),
        figure("live view, 1,000 tokens a second", wired, [steady], view.WIRE_BAR),
    ]


def heal(plan: Plan) -> list[Figure]:
    """Healing beside the json-repair package, where it is installed, and partial values."""
    loaders = {name: load for name, load in healing.loaders().items() if name in _HEALERS}
    counts = {name: healing.count(load) for name, load in loaders.items()}
    cut = counts["l0"][healing.TRUNCATED]
    figures = [
        _healing("cut at every character", "% consistent", [100 * _share(cut)], 100, higher=True)
    ]
    ours = 100 * _share(_all(counts["l0"]))
    figures.append(_healing("the corpus of broken JSON", "% right", [ours], 100, higher=True))
    times: list[dict[str, float]] = [healing.times(loaders, 1) for _ in range(plan.of(3))]
    cost = [each["l0"] for each in times]
    figures.append(_healing("a megabyte, cut off", "ms", cost, None, compared=False))
    if "json-repair" in loaders:
        theirs = 100 * _share(_all(counts["json-repair"]))
        figures.append(_healing("the same by json-repair", "% right", [theirs], None))
        faster = [each["json-repair"] / each["l0"] for each in times]
        what = "times as fast as json-repair"
        figures.append(_healing("a megabyte, cut off", what, faster, 20, higher=True))
    else:
        print("json-repair is not installed: healing is not compared with it")
    return figures + _partials(plan)


_HEALERS = ("l0", "json-repair")


def _partials(plan: Plan) -> list[Figure]:
    rounds = [[healing.partials(size) for size in _SIZES] for _ in range(plan.of(3))]
    figures = [
        _healing(
            f"partial values, {size // 1000} KB", "µs a token", [each[at] for each in rounds], 2
        )
        for at, size in enumerate(_SIZES)
    ]
    flat = [each[-1] / each[0] for each in rounds]
    long, short = (size // 1000 for size in (_SIZES[-1], _SIZES[0]))
    figures.append(_healing(f"partial values, {long} KB", f"times those of {short} KB", flat, 1.25))
    return figures


def _healing(
    scenario: str, what: str, values: list[float], bar: float | None, **more: Any
) -> Figure:
    return Figure("healing", scenario, what, quartiles(values), bar, **more)


def _share(row: dict[str, int]) -> float:
    return row["right"] / sum(row.values())


def _all(counts: healing.Counts) -> dict[str, int]:
    return {key: sum(row[key] for row in counts.values()) for key in ("right", "wrong", "crash")}
