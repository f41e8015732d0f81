"""A chart: a plotly figure that is also a picture where nothing draws plotly.

Exported pages, and front-ends without a renderer, show the picture: no script, nothing to load.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from html import escape, unescape
from typing import TYPE_CHECKING, Any, Final

from l0.notebook._chart_svg import svg

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_PLOTLY: Final = "application/vnd.plotly.v1+json"


@cache
def chart_class() -> type[Figure]:
    """The class of charts, made when the first one is.

    Raises:
        ImportError: plotly is not installed.
    """
    try:
        from plotly.graph_objects import Figure
    except ImportError as error:
        raise ImportError("charts need plotly: pip install plotly") from error

    class Chart(Figure):  # type: ignore[misc, unused-ignore]
        """A figure with a picture beside it."""

        def _repr_mimebundle_(self, *arguments: Any, **named: Any) -> dict[str, Any]:
            bundle: dict[str, Any] = super()._repr_mimebundle_(*arguments, **named)
            if set(bundle) == {_PLOTLY}:  # else whoever chose a renderer gets what it makes
                bundle |= picture(self)
            return bundle

        def _ipython_display_(self) -> None:
            from IPython.display import display

            bundle = self._repr_mimebundle_()
            if bundle:
                display(bundle, raw=True)  # type: ignore[no-untyped-call]
            else:  # the renderer opens a window of its own
                super()._ipython_display_()

        def __reduce__(self) -> Any:
            return _again, super().__reduce__()[1]

    return Chart


def _again(figure: dict[str, Any]) -> Figure:
    return chart_class()(figure)


def picture(figure: Figure) -> dict[str, str]:
    """The figure as `text/html` and `text/plain`; only the words if it has what we can't draw."""
    words = str(figure.layout.title.text or "chart")
    if not figure.data:  # the words are all there is
        notes = (unescape(str(note.text or "")) for note in figure.layout.annotations)
        words = " · ".join([words, *notes])
    drawn = svg(figure)
    if drawn is None:
        return {"text/plain": words}
    image = b64encode(drawn.encode()).decode()
    # As an image, since pages take drawings out of HTML they don't trust, but leave images.
    html = (
        f'<img alt="{escape(words)}" style="max-width:100%;height:auto" '
        f'src="data:image/svg+xml;base64,{image}">'
    )
    return {"text/html": html, "text/plain": words}
