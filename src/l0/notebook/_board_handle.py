"""What a person keeps of several runs: the text they came to, and a handle for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l0.notebook._handle import Handle
from l0.notebook._story import Story

if TYPE_CHECKING:
    from l0.notebook._board import Board
    from l0.notebook._board_group import Group


class BoardHandle(Handle):
    """Several runs that one cell started: with `-n`, `--race` or `--consensus`.

    `text` is the winner's, what they agree on, or with `-n` alone the first answer. `handles` has
    one handle a run; `results` their texts, None where a run has no whole answer; `verdict` what
    `l0.race`, `l0.consensus` or `l0.parallel` gave. It is awaited, aborted and shown as any handle.

    Example:
        >>> import l0
        >>> from l0.notebook._board_group import Group
        >>> runs = [Handle(l0.run(lambda: ["Hel", "lo"]), model="demo") for _ in "ab"]
        >>> board = BoardHandle(Group("parallel", [run.stream for run in runs]), runs)
        >>> board
        <l0 parallel waiting, 2 runs>
    """

    def __init__(self, group: Group, handles: Sequence[Handle], **known: Any) -> None:
        stream: Any = group  # which is to a cell what a stream is
        super().__init__(stream, **known)
        self.group = group
        self.handles = list(handles)

    # --- what is known ---

    @property
    def board(self) -> Board:
        """What is shown of them."""
        from l0.notebook._board import Board

        board = getattr(self.display, "board", None)
        return board if board is not None else Board.of_handle(self)

    @property
    def kind(self) -> str:
        """parallel, race or consensus."""
        return self.group.kind

    @property
    def text(self) -> str:
        """The winner's text, what they agree on, or the first answer; empty before the end."""
        return self.group.text

    @property
    def verdict(self) -> Any:
        """What `l0.race`, `l0.consensus` or `l0.parallel` gave, once it has."""
        return self.group.result

    @property
    def results(self) -> list[str | None]:
        """The text of each run, in their order; None where it did not end well."""
        return [handle.text if handle.outcome == "completed" else None for handle in self.handles]

    @property
    def winner(self) -> Handle | None:
        """The run whose text stands, if it is the text of one run."""
        at = self.group.winner
        return None if at is None else self.handles[at]

    # --- frames ---

    def events(self) -> Any:
        """The events of all runs as a DataFrame."""
        from l0.notebook import _frames

        return _frames.events(self._events())

    def attempts(self) -> Any:
        """The attempts of all runs as a DataFrame."""
        from l0.notebook import _frames

        return _frames.attempts(self._events())

    def tokens(self) -> Any:
        """The tokens of all runs as a DataFrame, those of discarded attempts included."""
        from l0.notebook import _frames

        return _frames.tokens(self._events())

    def _events(self) -> list[Any]:
        return [event for card in self.board.cards for event in card.events]

    # --- for whoever runs it ---

    def show_in(self, output: dict[str, Any]) -> None:
        """Follow the runs with a view; `output` is what a `BoardDisplay` is told."""
        from l0.notebook._board_display import BoardDisplay

        self.display = BoardDisplay(self.group, **output)
        for handle, card in zip(self.handles, self.board.cards, strict=True):
            handle.display = Kept(card)

    def ended(self) -> None:
        """The runs are over and the view final; nothing if that is known."""
        for handle in self.handles:
            handle.ended()
        super().ended()

    # --- looking at it ---

    def __len__(self) -> int:
        return len(self.handles)

    def __getitem__(self, index: Any) -> Any:
        return self.handles[index]

    def __repr__(self) -> str:
        status = self.outcome or ("running" if self.started else "waiting")
        return f"<l0 {self.kind} {status}, {len(self.handles)} runs>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        from l0.notebook import _board_static

        bundle: dict[str, str] = _board_static.mimebundle(self.board)
        return bundle


@dataclass(slots=True)
class Kept:
    """The story of one run of a board, where frames and static views look for it."""

    story: Story

    async def finish(self, error: BaseException | None = None) -> None:
        """The board says it."""

    def republish(self) -> None:
        """The board stands in its own cell."""
