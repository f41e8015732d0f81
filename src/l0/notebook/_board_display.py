"""The output of a cell with several runs: a live board, then static HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from l0.notebook import _board_static
from l0.notebook._board import Board
from l0.notebook._board_widget import BoardView
from l0.notebook._output import Output

if TYPE_CHECKING:
    from l0.events import Clock
    from l0.notebook._board_group import Group


class BoardDisplay(Output):
    """What a cell shows of several runs.

    Args:
        group: the runs; best before their start.
        format: how answers are drawn: markdown, text, json or code.
        notes: lines above the runs.
        quiet: collect the stories, show nothing.
        on_stop: called, on the kernel's thread, when Stop is pressed.
        background: the runs go on when their cell is over, so Stop must not interrupt the kernel.
        shell: the IPython shell, where it is not the present one.
        clock: what paces the messages to the page.
    """

    def __init__(
        self,
        group: Group,
        *,
        format: str = "markdown",
        notes: Sequence[str] = (),
        quiet: bool = False,
        on_stop: Callable[[], Any] | None = None,
        background: bool = False,
        shell: Any = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(quiet=quiet, shell=shell)
        self.board = Board(group, format=format, notes=notes)
        self.board.follow()
        self.background = background
        self._on_stop = on_stop
        self._clock = clock

    def _static(self, *, timeless: bool) -> dict[str, str]:
        return _board_static.mimebundle(self.board, timeless=timeless)

    def _open(self) -> BoardView:
        facts = {"interrupt": not self.background}
        board = self.board
        return BoardView(board, board.cards, meta=facts, stop=self._on_stop, clock=self._clock)

    def _tell(self, error: BaseException | None) -> None:
        self.board.conclude(error)


class BoardShown:
    """Runs that a cell started together, once more; what `l0.view` gives of their handle."""

    def __init__(self, board: Board, stop: Callable[[], Any] | None = None) -> None:
        self.board = board
        self._stop = stop
        self._live: BoardView | None = None

    @property
    def widget(self) -> Any:
        """The live widget; None once the runs are over."""
        if self._live is None and self.board.live:
            self._live = BoardView(self.board, self.board.cards, stop=self._stop)
            self.board.at_end.append(self._live.finish)
        return None if self._live is None else self._live.widget

    def __repr__(self) -> str:
        return _board_static.mimebundle(self.board)["text/plain"].rstrip("\n")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        from l0.notebook._where import where

        bundle: dict[str, Any] = dict(_board_static.mimebundle(self.board))
        if self.board.live and where() != "headless" and self.widget is not None:
            assert self._live is not None
            bundle |= self._live.bundle
        return bundle

    def _display_(self) -> Any:
        """What marimo shows."""
        from l0.notebook._marimo import element

        widget = self.widget
        bridges = () if self._live is None else self._live.bridges
        return element(widget, _board_static.mimebundle(self.board)["text/html"], bridges)
