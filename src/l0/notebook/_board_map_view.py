"""`l0.view` of a map: its progress, live; awaited it runs the map and gives its result."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import nullcontext
from typing import Any, Final

from l0.compose import MapResult, MapRun
from l0.events import SYSTEM_CLOCK, Clock, TimerHandle
from l0.notebook import _board_map_static, _cell
from l0.notebook._board_map import MapStory
from l0.notebook._board_widget import BoardView
from l0.notebook._failure import RunInterrupted
from l0.notebook._output import Output

EVERY: Final = 0.1
"""Seconds between two updates of the page at least."""

_LOOK: Final = 0.5
"""Seconds after which the page is told how far it is though no row has ended."""
_REASONS: Final = {
    "stop": "Stop was pressed",
    "interrupt": "the kernel was interrupted",
    "user": "who awaited it was cancelled",
}


class MapView:
    """The progress of a map; what `l0.view(l0.map(…))` gives.

    `await l0.view(run)` shows it in the cell, runs the map, and gives its `MapResult`. As the last
    expression of a cell it is shown there, live from then on, and the map is awaited elsewhere.
    Stop, and the kernel's interrupt, end the map; rows that are done are kept.

    Args:
        run: the map.
        clock: what paces the messages.

    Example:
        >>> import l0
        >>> rows = l0.compose.map(["a", "b"], "Say {text}", lambda prompt: [prompt], store=False)
        >>> async def main():
        ...     return await MapView(rows)
        >>> l0.run_sync(main()).texts
        ['Say a', 'Say b']
        >>> MapView(rows)
        complete · map · 2 of 2 rows done · 100 % · 2 ok
    """

    def __init__(self, run: MapRun, *, clock: Clock | None = None) -> None:
        self.run = run
        self.story = MapStory(run)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._clock = clock or SYSTEM_CLOCK
        self._live: Teller | None = None
        self._asked: str | None = None

    @property
    def widget(self) -> Any:
        """The live widget; None once the map is over."""
        if self._live is None and self.story.live:
            self._live = Teller(self.story, self._stop, self._clock)
        return None if self._live is None else self._live.view.widget

    def abort_by(self, who: str) -> None:
        """End the map on behalf of "stop", "interrupt" or "user"; the first one is remembered."""
        if self._asked is None and self.story.live:
            self._asked = who
            self.story.stopping = True
        self.run.abort(_REASONS.get(who, who))

    def _stop(self) -> None:
        self.abort_by("stop")

    # --- running ---

    def __await__(self) -> Generator[Any, None, MapResult]:
        return self._whole().__await__()

    async def _whole(self) -> MapResult:
        output = _MapOutput(self)
        output.show()
        self.loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(self._read())
        try:
            await self._through(task)
        finally:
            if not task.done():
                task.cancel()
            await output.finish()
        if self._asked == "interrupt":
            raise RunInterrupted(
                f"the map was ended after {self.story.counts().ok:,} rows; they are kept"
            )
        return task.result()

    async def _read(self) -> MapResult:
        return await self.run

    async def _through(self, task: asyncio.Task[MapResult]) -> None:
        """Wake up often enough to see an interrupt; cancelled, end the map and wait for it."""
        this: Any = self  # has what an interrupt asks of a handle
        beside = asyncio.current_task() is not _cell._cell_task()
        with nullcontext() if beside else _cell._interrupts.reaching(this):
            try:
                while not task.done():
                    await asyncio.wait({task}, timeout=_cell.TICK)
            except asyncio.CancelledError:
                self.abort_by("user")
                await asyncio.wait({task}, timeout=_cell.CLOSE_SECONDS)
                raise

    # --- looking at it ---

    def __repr__(self) -> str:
        return _board_map_static.mimebundle(self.story, timeless=True)["text/plain"].rstrip("\n")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        from l0.notebook._where import where

        bundle: dict[str, Any] = dict(_board_map_static.mimebundle(self.story))
        if self.story.live and where() != "headless" and self.widget is not None:
            assert self._live is not None
            bundle |= self._live.view.bundle
        return bundle

    def _display_(self) -> Any:
        """What marimo shows."""
        from l0.notebook._marimo import element

        widget = self.widget
        bridges = () if self._live is None else self._live.view.bridges
        return element(widget, _board_map_static.mimebundle(self.story)["text/html"], bridges)


class Teller:
    """Tells a page how a map goes on: with its events, at most ten times a second."""

    def __init__(self, story: MapStory, stop: Any, clock: Clock) -> None:
        self.story = story
        self.view = BoardView(story, stop=stop, clock=clock)
        self._clock = clock
        self._told_at = -1e9
        self._timer: TimerHandle | None = None
        story.listen(self._on_event)

    def _on_event(self, event: Any, _: Any) -> None:
        if event.type == "MAP_END":
            self._rest()
            self.view.finish()
        elif self._clock.monotonic() - self._told_at >= EVERY:
            self._tell()
        else:
            self._wake_at(self._told_at + EVERY)

    def _tell(self) -> None:
        self._rest()
        if self.story.live:
            self._told_at = self._clock.monotonic()
            self.view.progress()
            self._wake_at(self._told_at + _LOOK)

    def _wake_at(self, when: float) -> None:
        self._rest()
        self._timer = self._clock.call_at(when, self._tell)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _MapOutput(Output):
    """What a cell shows of a map that it awaits."""

    def __init__(self, view: MapView) -> None:
        super().__init__()
        self._of = view

    def _static(self, *, timeless: bool) -> dict[str, str]:
        return _board_map_static.mimebundle(self._of.story, timeless=timeless)

    def _open(self) -> BoardView:
        teller = Teller(self._of.story, self._of._stop, self._of._clock)
        return teller.view

    def _tell(self, error: BaseException | None) -> None:
        pass
