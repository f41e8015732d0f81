"""The figures of `l0.charts` as SVG: bars, boxes and lines, as plotly would draw them.

What a caller added that is not drawn here makes it give up: no picture is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape, unescape
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDTH: Final = 720
_EM: Final = 7.6  # pixels of a character, in a wide font
_LABELS: Final = 0.42  # of the width
_RIGHT, _BOTTOM, _LEGEND = 22, 46, 26
_LAYOUT: Final = frozenset(
    {
        *("template", "title", "font", "paper_bgcolor", "plot_bgcolor", "margin", "height"),
        *("showlegend", "legend", "xaxis", "yaxis", "hoverlabel", "barmode", "bargap"),
        *("annotations", "boxgap"),
    }
)
_AXIS: Final = frozenset(
    {
        *("gridcolor", "zerolinecolor", "linecolor", "automargin", "title", "rangemode"),
        *("dtick", "showgrid", "ticksuffix", "visible", "exponentformat", "separatethousands"),
        *("tickmode", "tickvals", "ticktext"),
    }
)
_TRACES: Final = frozenset({"bar", "box", "scatter"})
_PATTERNS: Final = {"/": "M-1 1L1 -1M0 6L6 0M5 7L7 5", "x": "M0 0L6 6M0 6L6 0", ".": "M3 3h0"}


def svg(figure: Figure) -> str | None:
    """The figure as an SVG document; None if it has something that is not drawn here."""
    layout = figure.layout.to_plotly_json()
    axes = {*layout.get("xaxis", {}), *layout.get("yaxis", {})}
    kinds = {trace.type for trace in figure.data}
    if not (set(layout) <= _LAYOUT and axes <= _AXIS and kinds <= _TRACES):
        return None
    if figure.data and len(layout.get("annotations", ())):
        return None
    if "scatter" in kinds and len(kinds) > 1:
        return None
    if any(trace.orientation != "h" for trace in figure.data if trace.type in {"bar", "box"}):
        return None
    try:
        return _Drawing(figure, layout).document()
    except (ArithmeticError, LookupError, TypeError, ValueError):  # changed by hand, who knows how
        return None


class _Drawing:
    """One figure on its way to a document."""

    def __init__(self, figure: Figure, layout: dict[str, Any]) -> None:
        self._figure = figure
        self._layout = layout
        self._traces = list(figure.data)
        self._ink = str(figure.layout.font.color)
        self._grid = str(figure.layout.xaxis.gridcolor)
        self._height = int(figure.layout.height or 340)
        self._out: list[str] = []
        self._rows: list[str] = []
        self._left, self._top = 12.0, float(figure.layout.margin.t)
        self._most_x = self._most_y = 1.0
        self._floor = 0.0

    def document(self) -> str:
        title = _plain(self._figure.layout.title.text)
        self._text(12, 27, title, size=16)
        self._text(12, 47, _plain(self._figure.layout.title.subtitle.text), size=12)
        below = self._legend() if self._layout.get("showlegend") else 0.0
        self._floor = self._height - _BOTTOM - below
        if not self._traces:
            middle = self._top + (self._height - self._top - _BOTTOM) / 2 + 4.5
            for at, note in enumerate(self._layout.get("annotations", ())):
                size = 13 if at else 14
                self._text(WIDTH / 2, middle + 22 * at, _plain(note["text"]), "middle", size=size)
        elif self._traces[0].type == "scatter":
            self._lines()
        else:
            self._by_row()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self._height}" '
            f'viewBox="0 0 {WIDTH} {self._height}" role="img" font-size="13" '
            f'font-family="system-ui, -apple-system, Segoe UI, Roboto, sans-serif" '
            f'fill="{_attribute(self._ink)}"><title>{escape(title)}</title>'
            f"{''.join(self._out)}</svg>"
        )

    # --- rows: bars and boxes ---

    def _by_row(self) -> None:
        self._rows = list(dict.fromkeys(str(y) for trace in self._traces for y in trace.y))
        axis = self._figure.layout.yaxis
        told = dict(zip(axis.tickvals or (), axis.ticktext or (), strict=True))
        names = [_plain(told.get(row, row)) for row in self._rows]
        widest = max(map(len, names)) * _EM
        self._left = 20 + min(widest, WIDTH * _LABELS)
        sums = dict.fromkeys(self._rows, 0.0)
        for trace in self._traces:
            if trace.type == "bar":
                for row, value in _pairs(trace):
                    sums[row] += value
            else:
                for row, points, end in zip(trace.y, trace.x, trace.upperfence, strict=True):
                    sums[str(row)] = max(end, *points, sums[str(row)])
        step = self._figure.layout.xaxis.dtick
        if min(sums.values()) < 0:
            raise ValueError("rows grow to the right")
        self._most_x = max(sums.values()) or 1.0
        self._x_axis(float(step) if step is not None else None)
        fits = int((self._left - 20) / _EM)
        for row, name in zip(self._rows, names, strict=True):
            shown = name if len(name) <= fits else f"{name[: fits - 1]}…"
            self._text(self._left - 8, self._row_y(row) + 4.5, shown, "end")
        before = dict.fromkeys(self._rows, 0.0)
        for trace in self._traces:
            (self._bar if trace.type == "bar" else self._box)(trace, before)

    @property
    def _row_height(self) -> float:
        return (self._floor - self._top) / len(self._rows)

    def _row_y(self, row: str) -> float:
        """The middle of a row; the first one is the lowest."""
        return self._floor - self._row_height * (self._rows.index(row) + 0.5)

    def _bar(self, trace: Any, before: dict[str, float]) -> None:
        high, ink = self._row_height * 0.65, self._ink_of(trace)
        for row, value in _pairs(trace):
            if value:
                x, end = self._x(before[row]), self._x(before[row] + value)
                self._rect(x, self._row_y(row) - high / 2, end - x, high, ink)
                before[row] += value

    def _ink_of(self, trace: Any) -> str:
        """How the bars of a trace are filled: a colour, or a pattern of it, drawn once."""
        colour, shape = _attribute(trace.marker.color), trace.marker.pattern.shape
        if not shape:
            return f'fill="{colour}"'
        name = f"p{self._traces.index(trace)}"
        pattern = (
            f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<path d="{_PATTERNS[shape]}" stroke="{colour}" stroke-width="1.5" '
            f'stroke-linecap="round"/></pattern>'
        )
        if pattern not in self._out:
            self._out.append(pattern)
        return f'fill="url(#{name})" stroke="{colour}"'

    def _rect(self, x: float, y: float, width: float, height: float, ink: str) -> None:
        size = f'width="{width:.1f}" height="{height:.1f}"'
        self._out.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} {ink}/>')

    def _box(self, trace: Any, _: dict[str, float]) -> None:
        colour, inside = _attribute(trace.line.color), _attribute(trace.fillcolor)
        numbers = (trace.lowerfence, trace.q1, trace.median, trace.q3, trace.upperfence)
        for row, points, *told in zip(trace.y, trace.x, *numbers, strict=True):
            y, half = self._row_y(str(row)), self._row_height * 0.25
            a, b, c, d, e = (f"{self._x(each):.1f}" for each in told)
            up, down, tip = (f"{each:.1f}" for each in (y - half, y + half, half / 2))
            self._out.append(
                f'<path d="M{b} {up}H{d}V{down}H{b}ZM{c} {up}V{down}M{a} {y:.1f}H{b}M{d} {y:.1f}'
                f"H{e}M{a} {y - half / 2:.1f}v{tip}v{tip}M{e} {y - half / 2:.1f}v{tip}v{tip}"
                f'" fill="{inside}" stroke="{colour}" stroke-width="1.5"/>'
            )
            dots = "".join(
                f"M{self._x(each):.1f} {y + _jitter(at) * half:.1f}h0"
                for at, each in enumerate(points)
            )
            self._out.append(
                f'<path d="{dots}" fill="none" stroke="{colour}" stroke-opacity="0.6" '
                f'stroke-width="5" stroke-linecap="round"/>'
            )

    # --- lines ---

    def _lines(self) -> None:
        points = [list(_points(trace)) for trace in self._traces]
        everything = [point for each in points for point in each if point is not None]
        self._most_x = max((x for x, _ in everything), default=1.0) or 1.0
        self._most_y = max((y for _, y in everything), default=1.0) or 1.0
        ticks = _ticks(self._most_y)
        self._most_y = max(self._most_y, ticks[-1])
        self._left = 46 + max(len(_number(tick)) for tick in ticks) * _EM
        self._x_axis(None)
        for tick in ticks:
            y = self._y(tick)
            self._out.append(
                f'<path d="M{self._left:.1f} {y:.1f}H{WIDTH - _RIGHT}" '
                f'stroke="{_attribute(self._grid)}"/>'
            )
            self._text(self._left - 8, y + 4.5, _number(tick), "end")
        name, middle = _plain(self._figure.layout.yaxis.title.text), (self._top + self._floor) / 2
        self._out.append(f'<g transform="translate(20 {middle:.1f}) rotate(-90)">')
        self._text(0, 0, name, "middle")
        self._out.append("</g>")
        edge: list[tuple[float, float] | None] = []
        for trace, each in zip(self._traces, points, strict=True):
            if trace.fill == "tonexty":
                self._area(edge, each, trace)
            self._line(each, trace)
            edge = each

    def _line(self, points: list[tuple[float, float] | None], trace: Any) -> None:
        if not trace.line.width:
            return
        steps, path, before = trace.line.shape == "hv", [], None
        for point in points:
            if point is not None:
                x, y = f"{self._x(point[0]):.1f}", f"{self._y(point[1]):.1f}"
                move = f"M{x} {y}" if before is None else f"H{x}V{y}" if steps else f"L{x} {y}"
                path.append(move)
            before = point
        self._out.append(
            f'<path d="{"".join(path)}" fill="none" stroke="{_attribute(trace.line.color)}" '
            f'stroke-width="{trace.line.width:g}" stroke-linejoin="round"/>'
        )

    def _area(
        self,
        upper: list[tuple[float, float] | None],
        lower: list[tuple[float, float] | None],
        trace: Any,
    ) -> None:
        there = [*filter(None, upper), *reversed([*filter(None, lower)])]
        if there:
            path = "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in there)
            self._out.append(f'<path d="M{path}Z" fill="{_attribute(trace.fillcolor)}"/>')

    # --- axes, legend, words ---

    def _x(self, value: float) -> float:
        return self._left + value / self._most_x * (WIDTH - _RIGHT - self._left)

    def _y(self, value: float) -> float:
        return self._floor - value / self._most_y * (self._floor - self._top)

    def _x_axis(self, step: float | None) -> None:
        ticks = _ticks(self._most_x, step)
        self._most_x *= 1.02
        for tick in ticks:
            x = self._x(tick)
            self._out.append(
                f'<path d="M{x:.1f} {self._top:.1f}V{self._floor:.1f}" '
                f'stroke="{_attribute(self._grid)}"/>'
            )
            self._text(x, self._floor + 16, _number(tick), "middle")
        name = _plain(self._figure.layout.xaxis.title.text)
        self._text((self._left + WIDTH - _RIGHT) / 2, self._floor + 36, name, "middle")

    def _legend(self) -> float:
        """The kinds, in as many lines at the bottom as they need; how high these are."""
        lines: list[list[tuple[Any, str]]] = [[]]
        x = 12.0
        for trace in self._traces:
            if trace.showlegend is not False:
                name = _plain(trace.name)
                width = 32 + len(name) * _EM
                if lines[-1] and x + width > WIDTH - _RIGHT:
                    lines.append([])
                    x = 12.0
                lines[-1].append((trace, name))
                x += width
        for up, line in enumerate(reversed(lines)):
            x, y = 12.0, self._height - 10.0 - up * 20
            for trace, name in line:
                is_bar = trace.type == "bar"
                ink = self._ink_of(trace) if is_bar else f'fill="{_attribute(trace.line.color)}"'
                self._rect(x, y - 10, 12, 12, f'rx="2" {ink}')
                self._text(x + 18, y, name)
                x += 32 + len(name) * _EM
        return _LEGEND + 20.0 * (len(lines) - 1)

    def _text(self, x: float, y: float, text: str, anchor: str = "", *, size: int = 13) -> None:
        if text:
            more = f' text-anchor="{anchor}"' if anchor else ""
            more += f' font-size="{size}"' if size != 13 else ""
            self._out.append(f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(text)}</text>')


def _pairs(trace: Any) -> list[tuple[str, float]]:
    return [
        (str(row), float(value))
        for row, value in zip(trace.y, trace.x, strict=True)
        if value is not None and isfinite(value)
    ]


def _points(trace: Any) -> Iterable[tuple[float, float] | None]:
    for x, y in zip(trace.x, trace.y, strict=True):
        known = y is not None and isfinite(y)
        yield (float(x), float(y)) if known else None


def _jitter(at: int) -> float:
    """Between -0.7 and 0.7, far from its neighbours', and always the same."""
    return ((at * 0.618_034 + 0.5) % 1 - 0.5) * 1.4


def _ticks(most: float, step: float | None = None) -> Sequence[float]:
    """Round numbers from 0 to the most."""
    if step is None:
        size: float = 10.0 ** floor(log10(most / 8))
        step = next(size * each for each in (1, 2, 5, 10) if size * each * 8 >= most)
    return [
        at * step for at in range(ceil(most / step * (1 - 1e-9)) + 1) if at * step <= most * 1.02
    ]


def _number(value: float) -> str:
    """As plotly writes it here: no exponents.

    >>> _number(0.30000000000000004), _number(2e-05), _number(12000.0)
    ('0.3', '0.00002', '12,000')
    """
    return f"{value:,.10f}".rstrip("0").rstrip(".") or "0"


def _plain(text: Any) -> str:
    """A text of plotly as it is read: some characters are escaped there."""
    return unescape(str(text or ""))


def _attribute(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no colour")
    return escape(value, quote=True)
