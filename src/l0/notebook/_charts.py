"""Runs as charts: `l0.charts.durations(store)`, `.first_tokens`, `.token_rate`, `.outcomes`, ….

Each takes what `l0.frames` takes, or one of its frames, filtered as you like; and gives a plotly
`Figure`. Durations are seconds. The colours can be told apart by everyone, and read on light and on
dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from l0.notebook import _frames as frames
from l0.notebook._chart_box import EACH, box_of
from l0.notebook._chart_colours import (
    CATEGORIES,
    KEPT,
    OUTCOMES,
    PALETTE,
    SEVERITIES,
    of_names,
)
from l0.notebook._chart_cost import why_unknown, with_costs
from l0.notebook._chart_figure import (
    UNNAMED,
    add_bars,
    add_note,
    by_rows,
    clean,
    empty_figure,
    first_rows,
    shortened,
    some_of,
    without_data,
)
from l0.notebook._chart_rate import (
    BINS,
    add_band,
    quartiles,
    rate_of,
    rates_at,
    some_runs,
    until,
)
from l0.notebook._picture import count as counted

if TYPE_CHECKING:
    from pandas import DataFrame, Series
    from plotly.graph_objects import Figure

    from l0.monitoring import Prices

__all__ = ["cost", "durations", "failures", "first_tokens", "outcomes", "token_rate", "violations"]

_LINES: Final = 7


def durations(source: Any, **filters: Any) -> Figure:
    """How long runs took, from their first use to their end: a box and a point a run, by model.

    A model has the same colour in all charts of a frame, also after runs of others are filtered
    out; elsewhere, too, unless another model there asks for it. Of more than 2,000 runs, points
    are the slowest and some of those far from the others.

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
    why = "Only a run with a recorded end has one."
    return _spread(source, filters, "duration", "Duration of {runs}", ("No duration known", why))


def first_tokens(source: Any, **filters: Any) -> Figure:
    """How long people waited for the first token; arguments as in `durations`.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> first_tokens(InMemoryEventStore()).layout.xaxis.title.text
        'seconds'
    """
    missing = "No first token", "l0.charts.failures(…) says why attempts failed."
    return _spread(source, filters, "time_to_first_token", "Time to first token of {runs}", missing)


def token_rate(source: Any, **filters: Any) -> Figure:
    """Tokens a second as the runs went on, those of discarded attempts included.

    Up to seven runs are a line each; of more, the line is the median and the band the middle half,
    as long as one run in twenty, and no fewer than four, still go on. Of more than 2,000 runs some
    are counted, evenly chosen.

    Args:
        source: what `l0.frames.tokens` takes, or its frame.
        filters: as there.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> token_rate(InMemoryEventStore()).layout.yaxis.title.text
        'tokens a second'
    """
    import numpy as np

    tokens = _frame("tokens", frames.tokens, ("stream_id", "t"), source, filters)
    figure = empty_figure("Tokens a second", "seconds since the run began", "tokens a second")
    if not len(tokens):
        return _nothing(figure, "tokens", source, filters)
    told, runs, step = some_runs(tokens)
    grouped = told.groupby("stream_id", sort=False, observed=True)["t"]
    rates = {str(id): rate for id, t in grouped if (rate := rate_of(np.sort(t.to_numpy())))}
    if not rates:
        how = "A rate needs tokens at different moments: was the answer streamed?"
        return without_data(figure, "All tokens came at once", how)
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
    times = np.linspace(0, until(np.sort([edges[-1] for edges, _ in rates.values()])), BINS + 1)
    with np.errstate(all="ignore"):
        low, middle, high = quartiles(np.array([rates_at(times, *each) for each in rates.values()]))
    add_band(figure, times, low, middle, high)
    shown = len(rates) if step == 1 else runs
    figure.update_layout(title_text=f"Tokens a second of {counted(shown, 'run')}")
    add_note(figure, "median and middle half" + (f", of one run in {step}" if step > 1 else ""))
    return figure


def outcomes(source: Any, **filters: Any) -> Figure:
    """What came of runs, by model; arguments as in `durations`.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> outcomes(InMemoryEventStore()).layout.annotations[0].text
        'No runs recorded'
    """
    runs = _frame("runs", frames.runs, ("model", "outcome"), source, filters)
    figure = empty_figure(_titled("Outcome of {runs}", len(runs)), "runs", None)
    if not len(runs):
        return _nothing(figure, "runs", source, filters)
    counts = runs.groupby(["model_", "outcome"], observed=True).size()
    return add_bars(figure, _order(runs), _by_kind(counts, _order(runs)), OUTCOMES, "%{x:,}")


def failures(source: Any, **filters: Any) -> Figure:
    """Why attempts failed, so why there were retries and fallbacks: by category and error.

    Args:
        source: what `l0.frames.attempts` takes, or its frame.
        filters: as there.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> failures(InMemoryEventStore()).layout.title.text
        'Failed attempts'
    """
    needed = ("outcome", "category", "error_type")
    attempts = _frame("attempts", frames.attempts, needed, source, filters)
    failed = attempts[attempts["outcome"] == "failed"]
    title = f"{len(failed):,} of {counted(len(attempts), 'attempt')} failed"
    figure = empty_figure(title if len(attempts) else "Failed attempts", "attempts", None)
    if not len(attempts):
        return _nothing(figure, "attempts", source, filters)
    if not len(failed):
        return without_data(figure, "No attempt failed")
    return _bars(figure, failed, "error_type", "category", CATEGORIES)


def violations(source: Any, **filters: Any) -> Figure:
    """What guardrails found, by rule and severity.

    Args:
        source: what `l0.frames.violations` takes, or its frame.
        filters: as there.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> violations(InMemoryEventStore()).layout.annotations[0].text
        'Nothing found'
    """
    found = _frame("violations", frames.violations, ("rule", "severity"), source, filters)
    title = counted(len(found), "finding") + " of guardrails" if len(found) else "Guardrails"
    figure = empty_figure(title, "findings", None)
    if not len(found):
        how = (
            "Runs have guardrails when they are given some: guardrails=l0.Guardrails.recommended()."
        )
        return without_data(figure, "Nothing found", how)
    return _bars(figure, found, "rule", "severity", SEVERITIES)


def cost(
    source: Any, prices: Prices | Mapping[str, Any], *, currency: str = "$", **filters: Any
) -> Figure:
    """What attempts cost, by model: those that were kept, and those that failed.

    Models without a price have no bar, and are named, and attempts whose tokens the provider did
    not report are counted; nothing is guessed.

    Args:
        source: what `l0.frames.attempts` takes, or its frame.
        prices: an `l0.Prices`, or the mapping it is made of.
        currency: the sign of the currency of the prices.
        filters: as in `l0.frames.attempts`.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> cost(InMemoryEventStore(), {"gpt-x": (2.0, 8.0)}).layout.title.text
        'Cost'
    """
    needed = ("model", "outcome", "input_tokens", "output_tokens")
    attempts = _frame("attempts", frames.attempts, needed, source, filters)
    if not len(attempts):
        return _nothing(empty_figure("Cost", None, None), "attempts", source, filters)
    paid, unknown, silent = with_costs(attempts, prices)
    figure = empty_figure(f"Cost {currency}{float(paid['cost'].sum()):,.4g}", currency, None)
    notes = [f"no price for {some_of(unknown)}"] if unknown else []
    notes += [f"{counted(silent, 'attempt')} without usage"] if silent else []
    if not len(paid):
        figure.update_layout(title_text="Cost")
        return without_data(figure, *why_unknown(unknown, silent))
    if notes:
        add_note(figure, clean(" · ".join(notes)))
    sums = paid.groupby(["model_", "kept"], observed=True)["cost"].sum()
    models = _largest(sums)
    hover = f"{clean(currency)}%{{x:,.4g}}"
    return add_bars(figure, models, _by_kind(sums, models), KEPT, hover)


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
    return frame.assign(model_=models.where(models.notna(), UNNAMED).map(str))


def _spread(
    source: Any, filters: dict[str, Any], column: str, title: str, missing: tuple[str, str]
) -> Figure:
    runs = _frame("runs", frames.runs, ("model", column), source, filters)
    known = runs[runs[column].notna()]
    figure = empty_figure(_titled(title, len(known)), "seconds", None)
    if not len(runs):
        return _nothing(figure, "runs", source, filters)
    if not len(known):
        what, how = missing
        return without_data(figure, f"{what} of {counted(len(runs), 'run')}", how)
    looks = of_names(_models(runs))
    there = dict(iter(known.groupby("model_", observed=True)))
    # In the order of the other charts of the frame.
    models = first_rows(figure, [model for model in _order(runs) if model in there])
    for model in models:
        values = there[model][column].to_numpy("float64")
        box, points = box_of(values, each=len(known) <= EACH)
        line, inside = looks[model]
        figure.add_box(
            **box,
            x=[[round(float(value), 6) for value in values[points]]],
            customdata=[_ids(there[model], points)],
            y=[clean(model)],
            orientation="h",
            name=clean(model),
            boxpoints="all",
            jitter=0.35,
            pointpos=0,
            marker={"color": line, "size": 5, "opacity": 0.65},
            line={"color": line, "width": 1.5},
            fillcolor=inside,
            hovertemplate="%{x:.3g} s<br>%{customdata}",
        )
    figure.update_xaxes(rangemode="tozero")
    return by_rows(figure, models)


def _ids(runs: DataFrame, points: Any) -> list[str]:
    """What `%l0 show` takes, where the frame tells."""
    if "stream_id" not in runs.columns:
        return [""] * len(points)
    return [clean(id) for id in runs["stream_id"].to_numpy(object)[points]]


def _models(frame: DataFrame) -> set[str]:
    """The models of a frame, and those that a filter of pandas left no rows of."""
    import pandas as pd

    told = set(frame["model_"])
    dtype = frame["model"].dtype
    return (
        told | set(map(str, dtype.categories)) if isinstance(dtype, pd.CategoricalDtype) else told
    )


def _bars(
    figure: Figure, frame: DataFrame, row: str, kind: str, markers: Mapping[str, Any]
) -> Figure:
    """A row for each word of one column, the most frequent at the top, a colour for the other."""
    words = frame[[row, kind]].astype(object).fillna("not recorded")
    counts = words.groupby([row, kind]).size()
    rows = _largest(counts)
    return add_bars(figure, rows, _by_kind(counts, rows), markers, "%{x:,}")


def _largest(counts: Series[Any]) -> list[str]:
    """The first keys, that of the largest sum last, which plotly draws at the top."""
    sums = counts.groupby(level=0, observed=True).sum()
    return sorted(map(str, sums.index), reverse=True, key=lambda row: (-sums[row], row))


def _by_kind(counts: Series[Any], rows: list[str]) -> dict[str, list[Any]]:
    """Of each second key the values by the first, 0 where there is none."""
    pairs: Any = counts.to_dict()
    found = {(str(row), str(kind)): value for (row, kind), value in pairs.items()}
    return {kind: [found.get((row, kind), 0) for row in rows] for _, kind in found}


def _nothing(figure: Figure, noun: str, source: Any, filters: dict[str, Any]) -> Figure:
    """That there are no rows, and where they would come from."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return without_data(
            figure, f"No {noun} in this frame", f"Filtered too far? l0.frames.{noun}(…) has all."
        )
    if filters:
        asked = shortened([", ".join(f"{key}={value!r}" for key, value in filters.items())], 50)[0]
        how = f"l0.charts and l0.frames.{noun}(…) without a filter have all there are."
        return without_data(figure, f"No {noun} with {asked}", how)
    how = "%load_ext l0 records runs from then on; so does l0.run(…, event_store=store)."
    return without_data(figure, f"No {noun} recorded", how)


def _order(frame: DataFrame) -> list[str]:
    """Models, the one with most rows at the top, which plotly draws last."""
    counts = frame["model_"].value_counts()
    return sorted(map(str, counts.index), reverse=True, key=lambda m: (-counts[m], m))


def _titled(title: str, count: int) -> str:
    return title.format(runs=counted(count, "run") if count else "runs")


def _short(stream_id: str) -> str:
    return stream_id if len(stream_id) <= 12 else f"…{stream_id[-8:]}"
