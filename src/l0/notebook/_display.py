"""A run's output in a cell: live while it runs, static when it is over.

The first output is a widget with a static fallback; when the run ends it is replaced, under its
display id, by static HTML and plain text, because a saved notebook can't show a widget without its
kernel. A headless client gets one deterministic output at the end.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from l0.notebook._static import mimebundle
from l0.notebook._story import Story
from l0.notebook._where import get_shell, where

if TYPE_CHECKING:
    from l0.events import Clock
    from l0.notebook._stream import StreamView
    from l0.stream import Stream

log = logging.getLogger("l0")

_KEPT: Final = 8
"""Widgets of ended runs that stay open for pages that come back."""

_late: deque[StreamView] = deque()


class LiveDisplay:
    """What a cell shows of one run.

    Args:
        stream: the run; best before its start.
        model: the name shown.
        format: how the answer is drawn: markdown, text, json or code.
        notes: lines above the answer.
        quiet: collect the story, show nothing.
        on_stop: called, on the kernel's thread, when Stop is pressed.
        background: the run goes on when its cell is over, so Stop must not interrupt the kernel.
        shell: the IPython shell, where it is not the present one.
        clock: what paces the messages to the page.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        model: str | None = None,
        format: str = "markdown",
        notes: Sequence[str] = (),
        quiet: bool = False,
        on_stop: Callable[[], Any] | None = None,
        background: bool = False,
        shell: Any = None,
        clock: Clock | None = None,
    ) -> None:
        self.stream = stream
        self.background = background
        self.story = Story(model=model, format=format, notes=notes)
        self.story.follow(stream)
        self.view: StreamView | None = None
        self._quiet = quiet
        self._on_stop = on_stop
        self._clock = clock
        self._shell = shell if shell is not None else get_shell()
        self._where = where(self._shell)
        self._display_id = uuid4().hex
        self._begun_in: object = None
        self._shown_in: object = None  # the cell that has the final output
        self._over = False

    @property
    def headless(self) -> bool:
        """Whether nobody watches: no widget, one output at the end, the same in each execution."""
        return self._where == "headless"

    def show(self) -> None:
        """Begin: a widget where a person watches, nothing yet elsewhere."""
        self._begun_in = self._cell()
        if self._quiet or self._where != "page":
            return
        bundle: dict[str, Any] = dict(self._bundle())
        try:
            self.view = self._open()
            bundle |= self.view.bundle
        except Exception:  # without a widget the run is shown when it is over
            log.warning("the live view can't be shown; `%%l0 doctor` says why", exc_info=True)
        self._publish(bundle)

    async def finish(self, error: BaseException | None = None) -> None:
        """The run is over: what is shown of it stays as it is from now on."""
        if self._over:
            return
        self._over = True
        self._tell(error)
        if self.view is not None:
            self.view.finish()
        if not self._quiet:
            self._conclude()
        if self.view is not None:
            _let_go(self.view)

    def republish(self) -> None:
        """Show the final output in the present cell, unless it stands there already."""
        if self._quiet or self._where == "none" or self._shown_in == self._cell():
            return
        self._shown_in = self._cell()
        self._publish(self._bundle(), new=True)

    def _conclude(self) -> None:
        if self._where == "page":
            self._shown_in = self._begun_in
            self._publish(self._bundle(), update=True)
        elif self._where != "none" and self._begun_in == self._cell():
            # A cell that is over takes no more output from a headless client or a terminal.
            self._shown_in = self._begun_in
            self._publish(self._bundle(), new=True)

    def _tell(self, error: BaseException | None) -> None:
        story, stream = self.story, self.stream
        story.live = False
        if story.outcome is None:
            story.outcome = stream.outcome
        if error is not None:
            from l0.notebook._failure import advice, without_keys

            message = without_keys(str(error))
            story.error = {
                "type": type(error).__name__,
                "message": message,
                "hint": without_keys(advice(error)),
            }
        story.state.settle()

    def _open(self) -> StreamView:
        from l0.notebook._stream import StreamView

        facts = {"interrupt": not self.background}
        return StreamView(self.story, meta=facts, stop=self._on_stop, clock=self._clock)

    # --- IPython --------------------------------------------------------------------------------

    def _cell(self) -> object:
        return getattr(self._shell, "execution_count", None)

    def _bundle(self) -> dict[str, str]:
        return mimebundle(self.story, timeless=self.headless)

    def _publish(self, data: dict[str, Any], *, update: bool = False, new: bool = False) -> None:
        """Hand a bundle to IPython; `new`: an output of its own, which nothing replaces."""
        if self._shell is None:
            return
        if self._where == "terminal":
            data = {"text/plain": data["text/plain"]}
        transient = {} if new else {"display_id": self._display_id}
        self._shell.display_pub.publish(data=data, metadata={}, transient=transient, update=update)


def _let_go(view: StreamView) -> None:
    """Say nothing more. The latest widgets stay open: updates of a display do not reach a page
    that was away when its run ended, and there the saved output still asks for the widget.
    """
    view.bridge.close()
    _late.append(view)
    while len(_late) > _KEPT:
        _late.popleft().close()
