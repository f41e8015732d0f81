"""A run's output in a cell: live while it runs, static when it is over.

The first output is a widget with a static fallback; when the run ends it is replaced, under its
display id, by static HTML and plain text, because a saved notebook can't show a widget without its
kernel. A headless client gets one deterministic output at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from l0.notebook._output import Output
from l0.notebook._static import mimebundle
from l0.notebook._story import Story

if TYPE_CHECKING:
    from l0.events import Clock
    from l0.notebook._stream import StreamView
    from l0.stream import Stream


class LiveDisplay(Output):
    """What a cell shows of one run.

    Args:
        stream: the run; best before its start.
        model: the name shown.
        fallbacks: the names of the models that are asked when it fails, in order.
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
        fallbacks: Sequence[str] = (),
        format: str = "markdown",
        notes: Sequence[str] = (),
        quiet: bool = False,
        on_stop: Callable[[], Any] | None = None,
        background: bool = False,
        shell: Any = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(quiet=quiet, shell=shell)
        self.stream = stream
        self.background = background
        self.story = Story(model=model, fallbacks=fallbacks, format=format, notes=notes)
        self.story.follow(stream)
        self._on_stop = on_stop
        self._clock = clock

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

    def _static(self, *, timeless: bool) -> dict[str, str]:
        return mimebundle(self.story, timeless=timeless)
