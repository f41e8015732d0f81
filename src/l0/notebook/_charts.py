"""Runs as charts: `l0.charts.durations(store)`, `.first_tokens`, `.token_rate`, `.outcomes`, ….

Each takes what `l0.frames` takes, or one of its frames, filtered as you like; and gives a plotly
`Figure`. Durations are seconds. The colours can be told apart by everyone, and read on light and on
dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

from l0.notebook import _frames as frames
from l0.notebook._chart import chart_class
from l0.notebook._chart_rate import BINS, quartiles, rate_of, rates_at
from l0.notebook._picture import count as counted

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from plotly.graph_objects import Figure

    from l0.monitoring import Prices

__all__ = ["cost", "durations", "failures", "first_tokens", "outcomes", "token_rate", "violations"]

PALETTE: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6bb1")
"""Okabe and Ito's colours, without black and yellow, which one of the two themes swallows."""

_OUTCOMES: Final = {
    "completed": "#009e73",
    "failed": "#d55e00",
    "aborted": "#8a8f98",
    "cancelled": "#cc79a7",
    "unfinished": "#56b4e9",
}
_SEVERITIES: Final = {"warning": "#e69f00", "error": "#d55e00", "fatal": "#8c2d04"}
_CATEGORIES: Final = {
    "network": "#0072b2",
    "transient": "#e69f00",
    "model": "#cc79a7",
    "content": "#009e73",
    "provider": "#56b4e9",
    "fatal": "#d55e00",
    "internal": "#8a8f98",
}
_INK: Final = "#777c85"  # as readable on white as on near black
_GRID: Final = "rgba(128,128,128,0.22)"
_POINTS: Final = 2000
"""More points than this are not drawn one by one."""
_LINES: Final = 7
_ONE_BY_ONE: Final = 12
_ROW_PX: Final = 46
_FRAME_PX: Final = 132


def durations(source: Any, **filters: Any) -> Figure:
    """How long runs took, from their first use to their end: a box and a point a run, by model.

    Args:
        source: what `l0.frames.runs` takes, or its frame.
        filters: as there.

    Raises:
        TypeError: the source holds no runs, or is another frame.
        ImportError: plotly is not installed.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> durations(InMemoryEventStore()).layout.title.text
        'Duration of runs'
    """
    return _spread(source, filters, "duration", "Duration of {runs}", "seconds")


def first_tokens(source: Any, **filters: Any) -> Figure:
    """How long people waited for the first token; arguments as in `durations`."""
    title = "Time to first token of {runs}"
    return _spread(source, filters, "time_to_first_token", title, "seconds")


def token_rate(source: Any, **filters: Any) -> Figure:
    """Tokens a second as the runs went on, those of discarded attempts included.

    Up to seven runs are a line each; of more, the line is the median and the band the middle half.

    Args:
        source: what `l0.frames.tokens` takes, or its frame.
        filters: as there.
    """
    import numpy as np

    tokens = _frame("tokens", frames.tokens, ("stream_id", "t"), source, filters)
    figure = _figure("Tokens a second", "seconds since the run began", "tokens a second")
    if not len(tokens):
        return _nothing(figure, "No tokens")
    grouped = tokens.groupby("stream_id", sort=False, observed=True)["t"]
    rates = {str(id): rate for id, t in grouped if (rate := rate_of(np.sort(t.to_numpy())))}
    if not rates:
        return _nothing(figure, "All tokens came at once")
    if len(rates) <= _LINES:
        for at, (id, (edges, rate)) in enumerate(rates.items()):
            figure.add_scatter(
                x=edges,
                y=np.append(rate, rate[-1]),
                name=_short(id),
                mode="lines",
                line={"color": PALETTE[at], "width": 2, "shape": "hv"},
                hovertemplate="%{y:.3g} tokens/s from %{x:.3g} s",
            )
        figure.update_layout(showlegend=len(rates) > 1)
        return figure
    times = np.linspace(0, max(edges[-1] for edges, _ in rates.values()), BINS + 1)
    with np.errstate(all="ignore"):
        low, middle, high = quartiles(np.array([rates_at(times, *each) for each in rates.values()]))
    _band(figure, times, low, middle, high)
    figure.update_layout(title_text=f"Tokens a second of {len(rates)} runs")
    return figure


def outcomes(source: Any, **filters: Any) -> Figure:
    """What came of runs, by model; arguments as in `durations`."""
    runs = _frame("runs", frames.runs, ("model", "outcome"), source, filters)
    figure = _figure(_titled("Outcome of {runs}", len(runs)), "runs", None)
    if not len(runs):
        return _nothing(figure, "No runs")
    counts = runs.groupby(["model_", "outcome"], observed=True).size()
    models = _order(runs)
    for outcome, colour in _OUTCOMES.items():
        told = [int(counts.get((model, outcome), 0)) for model in models]
        if any(told):
            figure.add_bar(
                y=models,
                x=told,
                name=outcome,
                orientation="h",
                marker_color=colour,
                hovertemplate="%{y}: %{x} " + outcome + "<extra></extra>",
            )
    return _rows(figure, len(models), barmode="stack", showlegend=True)


def failures(source: Any, **filters: Any) -> Figure:
    """Why attempts failed, so why there were retries and fallbacks: by category and error.

    Args:
        source: what `l0.frames.attempts` takes, or its frame.
        filters: as there.
    """
    needed = ("outcome", "category", "error_type")
    attempts = _frame("attempts", frames.attempts, needed, source, filters)
    failed = attempts[attempts["outcome"] == "failed"]
    title = f"{len(failed):,} of {counted(len(attempts), 'attempt')} failed"
    figure = _figure(title if len(attempts) else "Failed attempts", "attempts", None)
    if not len(failed):
        return _nothing(figure, "No attempt failed" if len(attempts) else "No attempts")
    counts = failed.groupby(["error_type", "category"], observed=True).size()
    return _bars(figure, counts, _CATEGORIES)


def violations(source: Any, **filters: Any) -> Figure:
    """What guardrails found, by rule and severity.

    Args:
        source: what `l0.frames.violations` takes, or its frame.
        filters: as there.
    """
    found = _frame("violations", frames.violations, ("rule", "severity"), source, filters)
    title = counted(len(found), "finding") + " of guardrails" if len(found) else "Guardrails"
    figure = _figure(title, "findings", None)
    if not len(found):
        return _nothing(figure, "Nothing found")
    counts = found.groupby(["rule", "severity"], observed=True).size()
    return _bars(figure, counts, _SEVERITIES)


def cost(
    source: Any, prices: Prices | Mapping[str, Any], *, currency: str = "$", **filters: Any
) -> Figure:
    """What attempts cost, by model: those that were kept, and those that failed.

    Models without a price have no bar, and are named; nothing is guessed.

    Args:
        source: what `l0.frames.attempts` takes, or its frame.
        prices: an `l0.Prices`, or the mapping it is made of.
        currency: the sign of the currency of the prices.
        filters: as in `l0.frames.attempts`.
    """
    import pandas as pd

    from l0.monitoring import Prices

    needed = ("model", "outcome", "input_tokens", "output_tokens")
    attempts = _frame("attempts", frames.attempts, needed, source, filters)
    table = prices if isinstance(prices, Prices) else Prices(prices)
    used = attempts[["input_tokens", "output_tokens"]].fillna(0).astype(int).to_dict("records")
    costs = [table.cost(*each) for each in zip(attempts["model_"], used, strict=True)]
    paid = attempts.assign(
        cost=pd.Series(costs, index=attempts.index, dtype="float64"),
        kept=attempts["outcome"].astype(object) != "failed",
    )
    known = paid[paid["cost"].notna()]
    total = float(known["cost"].sum()) if len(known) else 0.0
    unknown = sorted(set(paid["model_"]) - set(known["model_"]))
    beside = f" · no price for {', '.join(unknown)}" if unknown else ""
    figure = _figure(f"Cost {currency}{total:,.4g}", f"{currency}{beside}", None)
    if not len(known):
        return _nothing(figure, "No prices" if unknown else "No attempts")
    models = _order(known)
    sums = known.groupby(["model_", "kept"], observed=True)["cost"].sum()
    for kept, name, colour in ((True, "kept", "#0072b2"), (False, "failed", "#d55e00")):
        told = [float(sums.get((model, kept), 0.0)) for model in models]
        if any(told):
            figure.add_bar(
                y=models,
                x=told,
                name=name,
                orientation="h",
                marker_color=colour,
                hovertemplate="%{y}: " + currency + "%{x:.4g} " + name + "<extra></extra>",
            )
    return _rows(figure, len(models), barmode="stack", showlegend=True)


# --- what the charts share --------------------------------------------------------------------


def _frame(
    name: str, make: Any, needed: tuple[str, ...], source: Any, filters: dict[str, Any]
) -> DataFrame:
    """The frame itself, or the one of a source; `model_` is the model, a word where it is none."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        missing = [column for column in needed if column not in source.columns]
        if missing:
            raise TypeError(
                f"this frame has no column {', '.join(missing)}; give one of l0.frames.{name}(…)"
            )
        if filters:
            raise TypeError(
                f"filters ({', '.join(filters)}) are for stores; filter the frame by pandas"
            )
        frame = source
    else:
        frame = make(source, **filters)
    if "model" not in frame.columns:
        return frame
    models = frame["model"].astype(object)
    return frame.assign(model_=models.where(models.notna(), "no model named").map(_clean))


def _spread(source: Any, filters: dict[str, Any], column: str, title: str, unit: str) -> Figure:
    runs = _frame("runs", frames.runs, ("model", column), source, filters)
    known = runs[runs[column].notna()]
    figure = _figure(_titled(title, len(known)), unit, None)
    if not len(known):
        return _nothing(figure, "No runs")
    models = _order(known)
    for at, model in enumerate(models):
        values: Series[Any] = known.loc[known["model_"] == model, column]
        colour = PALETTE[at % len(PALETTE)]
        figure.add_box(
            x=values,
            y=[model] * len(values),
            orientation="h",
            name=model,
            boxpoints="all" if len(known) <= _POINTS else False,
            jitter=0.35,
            pointpos=0,
            marker={"color": colour, "size": 5, "opacity": 0.65},
            line={"color": colour, "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            hovertemplate="%{x:.3g} s<extra></extra>",
        )
    figure.update_xaxes(rangemode="tozero")
    return _rows(figure, len(models))


def _bars(figure: Figure, counts: Series[Any], colours: Mapping[str, str]) -> Figure:
    """A row for each first key, the largest at the top, and a colour for each second one."""
    sums = counts.groupby(level=0, observed=True).sum().sort_values(kind="stable")
    rows = [str(row) for row in sums.index]
    found = {str(kind) for _, kind in counts.index}
    kinds = [kind for kind in colours if kind in found] + sorted(found - set(colours))
    for at, kind in enumerate(kinds):
        figure.add_bar(
            y=[_clean(row) for row in rows],
            x=[int(counts.get((row, kind), 0)) for row in rows],
            name=_clean(kind),
            orientation="h",
            marker_color=colours.get(kind, PALETTE[at % len(PALETTE)]),
            hovertemplate="%{y}: %{x} " + _clean(kind) + "<extra></extra>",
        )
    return _rows(figure, len(rows), barmode="stack", showlegend=True)


def _band(figure: Figure, x: Any, low: Any, middle: Any, high: Any) -> None:
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(x=x, y=high, **edge)
    figure.add_scatter(x=x, y=low, fill="tonexty", fillcolor="rgba(0,114,178,0.2)", **edge)
    figure.add_scatter(
        x=x,
        y=middle,
        mode="lines",
        line={"color": PALETTE[0], "width": 2},
        name="median",
        showlegend=False,
        hovertemplate="median %{y:.3g} tokens/s at %{x:.3g} s<extra></extra>",
    )


def _figure(title: str, x: str | None, y: str | None) -> Figure:
    axis = {
        "gridcolor": _GRID,
        "zerolinecolor": _GRID,
        "linecolor": _GRID,
        "automargin": True,
        "title_standoff": 10,
        "title_font_size": 13,
        "exponentformat": "none",
        "separatethousands": True,
    }
    figure = chart_class()()
    figure.update_layout(
        template="none",
        title={"text": title, "x": 0.01, "xanchor": "left", "font_size": 16},
        font={"color": _INK, "size": 13, "family": "system-ui, sans-serif"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 12, "r": 20, "t": 52, "b": 48},
        height=340,
        showlegend=False,
        legend={
            "orientation": "h",
            "traceorder": "normal",
            "x": 1,
            "xanchor": "right",
            "y": 1.0,
            "yanchor": "bottom",
        },
        xaxis={**axis, "title_text": x},
        yaxis={**axis, "title_text": y, "rangemode": "tozero"},
        hoverlabel={"font_family": "system-ui, sans-serif"},
    )
    return figure


def _rows(figure: Figure, rows: int, **layout: Any) -> Figure:
    """As high as its rows need, without lines between them; a few things are counted one by one."""
    ends = [sum(bar.x[at] for bar in figure.data) for at in range(rows) if "barmode" in layout]
    if ends and max(ends) <= _ONE_BY_ONE and all(isinstance(end, int) for end in ends):
        figure.update_xaxes(dtick=1)
    figure.update_layout(height=_FRAME_PX + _ROW_PX * max(rows, 1), bargap=0.35, **layout)
    figure.update_yaxes(showgrid=False, ticksuffix="  ")
    return figure


def _nothing(figure: Figure, text: str) -> Figure:
    figure.update_layout(height=180, showlegend=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(text=text, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    return figure


def _order(frame: DataFrame) -> list[str]:
    """Models, the one with most rows at the top, which plotly draws last."""
    return [str(model) for model in frame["model_"].value_counts(ascending=True).index]


def _titled(title: str, count: int) -> str:
    return title.format(runs=counted(count, "run") if count else "runs")


def _short(stream_id: str) -> str:
    return stream_id if len(stream_id) <= 12 else f"…{stream_id[-8:]}"


def _clean(text: str) -> str:
    """A name as plain text: plotly reads some tags."""
    return escape(str(text), quote=False)
