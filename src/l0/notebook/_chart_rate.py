"""How fast tokens came: the rate of a run in steps, and that of many runs at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from l0.notebook._chart_colours import transparent
from l0.notebook._look import INK

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

BINS: Final = 60
"""Steps that a chart has room for."""

_MOST_RUNS: Final = 2000
"""Quartiles of so many runs say what those of a hundred thousand do, and take no seconds."""

_TOKENS_A_STEP: Final = 3  # of fewer, the rate would jump with each token that is late
_MOST_TOKENS: Final = 8
_PAUSE: Final = 8.0  # so many times the usual gap is a pause


def some_runs(tokens: DataFrame) -> tuple[DataFrame, int, int]:
    """Tokens of all runs, or of one in so many; how many runs there are, and that number."""
    import pandas as pd

    codes, ids = pd.factorize(tokens["stream_id"])
    step = max(1, -(-len(ids) // _MOST_RUNS))
    return (tokens if step == 1 else tokens[codes % step == 0]), len(ids), step


def rate_of(times: Any) -> tuple[Any, Any] | None:
    """Edges and rates of a run's tokens: some tokens to a step, however long they took, or a pause.

    So a run of ten tokens shows as much as its tokens tell, and one of ten thousand no more than
    can be seen. Before the first token the rate is none.
    """
    import numpy as np

    first, last = float(times[0]), float(times[-1])
    if last <= first:
        return None
    gaps = np.diff(times)
    least, pause = (last - first) / BINS, _PAUSE * float(np.median(gaps))
    few = min(_MOST_TOKENS, max(_TOKENS_A_STEP, len(times) // 10))
    edges, counts, since = [first], [], 0

    def step(end: float) -> None:
        nonlocal since
        edges.append(float(end))
        counts.append(since)
        since = 0

    for end, gap in zip(times[1:], gaps, strict=True):
        is_pause = 0 < pause < gap and gap >= least
        if is_pause and since and end - gap > edges[-1]:
            step(end - gap)
        since += 1
        if end - edges[-1] >= least and (since >= few or is_pause):
            step(end)
    if since and (last - edges[-1] >= least or not counts):
        step(last)
    elif since:  # too short for a step of its own, whose rate would be anything
        edges[-1] = last
        counts[-1] += since
    rates = np.array(counts) / np.diff(edges)
    if first > 0:
        return np.array([0.0, *edges]), np.array([0.0, *rates])
    return np.array(edges), rates


def rates_at(times: Any, edges: Any, rates: Any) -> Any:
    """The rates at these times; none after the end."""
    import numpy as np

    steps = np.searchsorted(edges, times, side="right") - 1
    told = rates[np.clip(steps, 0, len(rates) - 1)]
    return np.where(times <= edges[-1], told, np.nan)


def quartiles(rates: Any) -> Any:
    """Of the runs that are not over yet, at each moment."""
    import numpy as np

    held = ~np.isnan(rates).all(axis=0)
    found = np.full((3, rates.shape[1]), np.nan)
    found[:, held] = np.nanpercentile(rates[:, held], (25, 50, 75), axis=0)
    return found


def until(ends: Any) -> float:
    """When so few runs are left that their median says nothing of the others."""
    return float(ends[-max(4, len(ends) // 20)])


def add_band(figure: Figure, x: Any, low: Any, middle: Any, high: Any) -> None:
    """The median as a line, the middle half as an area."""
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    colour = INK["streaming"]
    figure.add_scatter(x=x, y=high, **edge)
    figure.add_scatter(x=x, y=low, fill="tonexty", fillcolor=transparent(colour, 0.2), **edge)
    figure.add_scatter(
        x=x,
        y=middle,
        mode="lines",
        line={"color": colour, "width": 2},
        name="median",
        showlegend=False,
        hovertemplate="median %{y:.3g} tokens/s at %{x:.3g} s<extra></extra>",
    )
