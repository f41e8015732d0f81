"""`l0.explore(store)`: the runs of a log as a table; one in full, replayed; two side by side."""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from l0.notebook._explorer_opened import Opened
from l0.notebook._explorer_runs import Line, Runs
from l0.notebook._explorer_static import sides_html, sides_text, table_html, table_text
from l0.notebook._static import html as run_html
from l0.notebook._static import text as run_text
from l0.notebook._stream import WIDGET_MIME
from l0.notebook._where import get_shell, where

if TYPE_CHECKING:
    from l0.monitoring import Prices

_LIVE: Final = 8
"""Explorers that are alive at a time; older ones become static."""

_shown: deque[Explorer] = deque()


def explore(source: Any = None, *, prices: Prices | Mapping[str, Any] | None = None) -> Explorer:
    """The runs of a store: a table to sort and filter, each run to open and to replay.

    The last expression of a cell shows it. Nothing is asked of any provider: a saved log is enough.
    Runs are read when they are opened, so ten thousand of them are no burden.

    Args:
        source: a store, its URL or path, a log, a list of events, handles or streams, a frame of
            `l0.frames.runs`; None is the default store, where a notebook's runs are.
        prices: an `l0.Prices`, or the mapping it is made of, for a column of costs; models
            that are not in it have none.

    Raises:
        TypeError: it holds no runs.
        ValueError: there is no default store.
        StoreError: the store can't be read.

    Example:
        >>> from l0.events import InMemoryEventStore
        >>> explore(InMemoryEventStore())
        No runs yet
    """
    return Explorer(Runs(source, prices=prices))


def replayed(x: Any, stream_id: str | None = None) -> Explorer:
    """One run with its player: what `%l0 replay` shows; arguments as of `l0.view`.

    Raises:
        TypeError: it holds no run.
        ValueError: there is no such run in it, or several and none is named.
    """
    opened = Opened(x, stream_id)
    return Explorer(Runs([opened]), [opened], mode="run")


def compared(left: Any, right: Any) -> Explorer:
    """Two runs side by side, with what differs: what `%l0 compare` shows.

    Raises:
        TypeError: one of them holds no run.
        ValueError: one of them holds several.
    """
    opened = [Opened(left), Opened(right)]
    return Explorer(Runs(opened), opened, mode="compare")


class Explorer:
    """Runs that can be looked at; what `l0.explore` gives.

    On a page it is a widget. `close()`, the button "keep", the end of the kernel and eight newer
    explorers turn it into a table of HTML, which is what a notebook can keep.
    """

    def __init__(
        self, runs: Runs, opened: list[Opened] | None = None, *, mode: str = "runs"
    ) -> None:
        self._runs = runs
        self._opened = opened or []
        self._mode = mode
        self._widget: Any = None
        self._display_id: str | None = None

    @property
    def lines(self) -> list[Line]:
        """The runs, the newest first."""
        return self._runs.lines

    def __len__(self) -> int:
        return len(self._runs.lines)

    def refresh(self) -> Explorer:
        """Read anew what runs there are."""
        self._runs.refresh()
        return self

    def replay(self, stream_id: str) -> Explorer:
        """One of the runs with its player.

        Raises:
            ValueError: there is no such run.
        """
        opened = self._runs.open(stream_id)
        return Explorer(Runs([opened]), [opened], mode="run")

    def compare(self, left: str, right: str) -> Explorer:
        """Two of the runs side by side.

        Raises:
            ValueError: there is no such run.
        """
        opened = [self._runs.open(left), self._runs.open(right)]
        return Explorer(Runs(opened), opened, mode="compare")

    # --- looking at it ---

    @property
    def widget(self) -> Any:
        """The widget, made at the first look at it.

        Raises:
            ImportError: anywidget is not installed.
        """
        if self._widget is None:
            self._widget = self._open(keep=self.close)
        return self._widget

    def _open(self, *, keep: Callable[[], Any] | None) -> Any:
        from l0.notebook._explorer_widget import Desk, widget_class

        ids = [str(each.story.stream_id) for each in self._opened]
        desk = Desk(self._runs, dict(zip(ids, self._opened, strict=True)), keep=keep)
        return widget_class()(desk, self._mode, ids)

    def close(self) -> None:
        """End the widget; where it was shown, its static form stands from then on."""
        if self in _shown:
            _shown.remove(self)
        shell, display_id = get_shell(), self._display_id
        if shell is not None and display_id is not None:
            self._display_id = None
            shell.display_pub.publish(
                data=self._static(),
                metadata={},
                transient={"display_id": display_id},
                update=True,
            )
        if self._widget is not None:
            self._widget.layout.close()
            self._widget.close()
            self._widget = None

    def __repr__(self) -> str:
        return self._static(timeless=False)["text/plain"]

    def _static(self, *, timeless: bool | None = None) -> dict[str, str]:
        """HTML and text, which need neither widget nor kernel."""
        bare = where() == "headless" if timeless is None else timeless
        match self._mode:
            case "run":
                story = self._opened[0].story
                picture = story.picture()
                return {
                    "text/html": run_html(story, picture, timeless=bare),
                    "text/plain": run_text(story, picture).rstrip("\n"),
                }
            case "compare":
                sides = list(zip("AB", self._opened, strict=True))
                return {
                    "text/html": sides_html(sides, timeless=bare),
                    "text/plain": sides_text(sides),
                }
        lines = self._runs.lines
        return {
            "text/html": table_html(lines, timeless=bare),
            "text/plain": table_text(lines),
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        bundle: dict[str, Any] = dict(self._static())
        if where() != "headless":
            model = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
            bundle[WIDGET_MIME] = model
        return bundle

    def _repr_html_(self) -> str:
        return self._static()["text/html"]

    def _display_(self) -> Any:
        """What marimo shows, where no output is saved that could be kept."""
        from l0.notebook._marimo import element

        if self._widget is None:
            self._widget = self._open(keep=None)
        return element(self._widget, "")

    def _ipython_display_(self) -> None:
        shell = get_shell()
        if where(shell) != "page":
            raise NotImplementedError  # how IPython is told to go on with the mime bundle
        if self._display_id is not None:  # shown again: this place is the one from now on
            self.close()
        self._display_id = uuid4().hex
        shell.display_pub.publish(
            data=self._repr_mimebundle_(),
            metadata={},
            transient={"display_id": self._display_id},
        )
        _shown.append(self)
        while len(_shown) > _LIVE:
            _shown[0].close()


@atexit.register
def _close_all() -> None:
    """The kernel ends: what it showed stays readable."""
    while _shown:
        _shown[0].close()
