"""What the charts share: the empty figure, rows with their names, and words where no data is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from l0.notebook._chart import chart_class
from l0.notebook._chart_colours import other

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

UNNAMED: Final = "unnamed model"
"""What a model is called of which only the answers are known."""

_INK: Final = "#777c85"  # as readable on white as on near black
_GRID: Final = "rgba(128,128,128,0.22)"
_FONT: Final = "system-ui, sans-serif"
_ONE_BY_ONE: Final = 12
_ROW_PX: Final = 46
_FRAME_PX: Final = 132
_LEGEND_PX: Final = 26
_NOTE_PX: Final = 18
_NAME: Final = 30  # characters of a row's name; more would leave no room for the row
_NAMED: Final = 2
_SHORT: Final = 22  # characters of a name among others
_MOST_ROWS: Final = 40  # of more, nobody sees all at once


def empty_figure(title: str, x: str | None, y: str | None) -> Figure:
    """A figure without data: title, axes and colours that read on light and on dark."""
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
        title={
            "text": title,
            "font_size": 16,
            "subtitle_font_size": 12,
            "x": 0.01,
            "xanchor": "left",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "pad_t": 14,
        },
        font={"color": _INK, "size": 13, "family": _FONT},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 12, "r": 20, "t": 52, "b": 48},
        height=340,
        showlegend=False,
        # Below everything: however many lines it takes, it gets in the way of nothing.
        legend={
            "orientation": "h",
            "traceorder": "normal",
            "x": 0.01,
            "xref": "container",
            "xanchor": "left",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
        },
        xaxis={**axis, "title_text": x},
        yaxis={**axis, "title_text": y, "rangemode": "tozero"},
        hoverlabel={"font_family": _FONT},
    )
    return figure


def add_note(figure: Figure, text: str) -> None:
    """What is said in the line below the title, after what is there."""
    there = figure.layout.title.subtitle.text
    if there:
        figure.update_layout(title_subtitle_text=f"{there} · {text}")
        return
    figure.update_layout(
        title_subtitle_text=text,
        margin_t=figure.layout.margin.t + _NOTE_PX,
        height=figure.layout.height + _NOTE_PX,
    )


def without_data(figure: Figure, what: str, how: str = "") -> Figure:
    """What is missing, and how to get it, in place of empty axes."""
    figure.update_layout(height=160, showlegend=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    for text, size, shift in ((what, 14, 10), (how, 12, -12)):
        if text:
            figure.add_annotation(
                text=clean(text),
                font_size=size,
                x=0.5,
                y=0.5,
                yshift=shift,
                xref="paper",
                yref="paper",
                showarrow=False,
            )
    return figure


def add_bars(
    figure: Figure,
    rows: Sequence[str],
    values: Mapping[str, Sequence[float]],
    markers: Mapping[str, Any],
    hover: str,
) -> Figure:
    """A row for each name, the last one at the top, stacked of the kinds that there are.

    Args:
        figure: where to.
        rows: names as they are.
        values: of each kind, one a row.
        markers: of the kinds that are known, in their order.
        hover: what is said of a bar, of `%{x}`.
    """
    kinds = [kind for kind in markers if kind in values] + sorted(set(values) - set(markers))
    rows = first_rows(figure, rows)
    for at, kind in enumerate(kinds):
        shown = list(values[kind][-len(rows) :])
        if any(shown):
            figure.add_bar(
                y=[clean(row) for row in rows],
                x=shown,
                name=clean(kind),
                orientation="h",
                marker=markers.get(kind) or other(at),
                hovertext=[clean(row) for row in rows],
                hovertemplate=f"%{{hovertext}}: {hover} {clean(kind)}<extra></extra>",
            )
    ends = [sum(bar.x[at] for bar in figure.data) for at in range(len(rows))]
    if ends and max(ends) <= _ONE_BY_ONE and all(isinstance(end, int) for end in ends):
        figure.update_xaxes(dtick=1)  # a few things are counted one by one
    figure.update_layout(barmode="stack", showlegend=True)
    return by_rows(figure, rows, _LEGEND_PX)


def first_rows(figure: Figure, rows: Sequence[str]) -> list[str]:
    """As many of the rows as fit on a page, from the top; the figure says how many there are."""
    if len(rows) > _MOST_ROWS:
        add_note(figure, f"the first {_MOST_ROWS} of {len(rows):,}")
    return list(rows[-_MOST_ROWS:])


def by_rows(figure: Figure, rows: Sequence[str], more: int = 0) -> Figure:
    """As high as its rows need, without lines between them, and with names that fit."""
    notes = _NOTE_PX if figure.layout.title.subtitle.text else 0
    height = _FRAME_PX + notes + more + _ROW_PX * max(len(rows), 1)
    figure.update_layout(height=height, bargap=0.35)
    figure.update_yaxes(showgrid=False, ticksuffix="  ")
    if any(len(row) > _NAME for row in rows):
        figure.update_yaxes(
            tickmode="array",
            tickvals=[clean(row) for row in rows],
            ticktext=[clean(row) for row in shortened(rows)],
        )
    return figure


def shortened(names: Sequence[str], most: int = _NAME) -> list[str]:
    """Names with their middle left out where they are long, and still one different from another.

    >>> shortened(["a/long/path/of/a/provider/to/its-model-2026", "short"], 20)
    ['a/long/pa…model-2026', 'short']
    """
    longest = max(map(len, names), default=0)
    while True:
        told = [each if len(each) <= most else _middle_out(each, most) for each in names]
        if len(set(told)) == len(set(names)) or most >= longest:
            return told
        most += 8


def _middle_out(name: str, most: int) -> str:
    first = (most - 1) // 2
    return f"{name[:first]}…{name[first + 1 - most :]}"


def some_of(names: Sequence[str]) -> str:
    """`a, b and 9 more`, none of them longer than fits.

    >>> some_of(["a", "b", "c"])
    'a, b and 1 more'
    """
    told = ", ".join(shortened(names[:_NAMED], _SHORT))
    return f"{told} and {len(names) - _NAMED} more" if len(names) > _NAMED else told


def clean(text: object) -> str:
    """A name as plain text: plotly reads some tags."""
    return escape(str(text), quote=False)
