"""What a person keeps of a run: its text, its state, its frames, and how it looks."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l0.events import State, Usage
    from l0.notebook._chat import Conversation
    from l0.schema import StructuredResult, StructuredStream, UnifiedSchema
    from l0.stream import Stream


class Handle:
    """A run started from a cell: await it, print it, look at it, take its events as a frame.

    `str(handle)` is the text that stands. A handle may be awaited in any later cell, which waits
    for the run and shows its final view there.

    Args:
        stream: the run.
        prompt: what was asked.
        model: the name shown, such as `openai:gpt-5`.
        fallbacks: the names of the fallbacks.
        format: how the answer is drawn: markdown, text, json or code.
        name: the variable that holds the handle, if it has one.

    Example:
        >>> import l0
        >>> handle = Handle(l0.run(lambda: ["Hel", "lo"]), model="demo")
        >>> str(handle), handle.outcome
        ('', None)
    """

    def __init__(
        self,
        stream: Stream,
        *,
        prompt: str | None = None,
        model: str | None = None,
        fallbacks: Sequence[str] = (),
        format: str = "markdown",
        name: str | None = None,
    ) -> None:
        self.stream = stream
        self.prompt = prompt
        self.model = model
        self.fallbacks = tuple(fallbacks)
        self.format = format
        self.name = name
        self.display: Any = None
        """The live view, where there is one."""
        self.failure: BaseException | None = None
        """What the run failed with, once it is over."""
        self.abort_error: BaseException | None = None
        """What an aborted run is to raise, where it is to raise."""
        self.over: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done when the run has ended and its view is final."""
        self.raise_on_abort = False
        self.background = False
        self.started = False
        self.task: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.schema: UnifiedSchema[Any] | None = None
        """What the answer was to be, where data was asked for."""
        self.structured: StructuredStream[Any] | None = None
        self.result: StructuredResult[Any] | None = None
        """The validated data and how it came about, once there is any."""
        self.conversation: Conversation | None = None
        """What the question and its answer belong to, if they do."""
        self._aborted_by: str | None = None
        self._shown_in: object = None

    # --- what is known ---

    @property
    def text(self) -> str:
        """The text that stands, also while it grows and after a failure."""
        return self.stream.state.content

    @property
    def state(self) -> State:
        """What is true of the run so far."""
        return self.stream.state

    @property
    def errors(self) -> list[Exception]:
        """The failures so far, one a failed attempt."""
        return self.stream.errors

    @property
    def error(self) -> BaseException | None:
        """What ended the run, if it failed."""
        return self.stream.error if self.failure is None else self.failure

    @property
    def usage(self) -> Usage:
        """What the run cost so far, failed attempts included."""
        return self.stream.usage

    @property
    def stream_id(self) -> str:
        """The run's id, under which the log keeps it."""
        return self.stream.stream_id

    @property
    def outcome(self) -> str | None:
        """completed, failed, aborted or cancelled; None while the run goes on."""
        return self.stream.outcome

    @property
    def aborted_by(self) -> str | None:
        """What ended the run early: "stop" (the button, `%l0 stop`), "interrupt" or "user"."""
        if self.outcome not in {"aborted", "cancelled"}:
            return None
        return self._aborted_by or "user"

    # --- data ---

    @property
    def data(self) -> Any:
        """The validated object; None until there is one, and after a failure.

        Raises:
            AttributeError: no data was asked for.
        """
        self._asked_for_data("data")
        return None if self.result is None else self.result.data

    @property
    def partial(self) -> Any:
        """The value of the text so far, as JSON has it; not validated.

        Raises:
            AttributeError: no data was asked for.
        """
        self._asked_for_data("partial")
        from l0.schema import parse_partial_json

        return parse_partial_json(self.text)

    @property
    def corrections(self) -> tuple[str, ...]:
        """What was repaired to make data of the text, by the names in the docs of healing.

        Raises:
            AttributeError: no data was asked for.
        """
        self._asked_for_data("corrections")
        return () if self.result is None else self.result.corrections

    def _asked_for_data(self, name: str) -> None:
        if self.structured is None:
            raise AttributeError(f"this run has no {name}: ask for data with --schema NAME")

    # --- frames ---

    def events(self) -> Any:
        """The events of the run as a DataFrame."""
        from l0.notebook import _frames

        return _frames.events(self)

    def attempts(self) -> Any:
        """The attempts of the run as a DataFrame."""
        from l0.notebook import _frames

        return _frames.attempts(self)

    def tokens(self) -> Any:
        """The tokens of the run as a DataFrame, those of discarded attempts included."""
        from l0.notebook import _frames

        return _frames.tokens(self)

    # --- using it ---

    def abort(self) -> None:
        """End the run now, from anywhere; the text so far stays."""
        self.abort_by("user")

    def abort_by(self, who: str) -> None:
        """End the run on behalf of "stop", "interrupt" or "user"; the first one is remembered."""
        if self._aborted_by is None and self.stream.outcome is None:
            self._aborted_by = who
        self.stream.abort(who)

    def __await__(self) -> Generator[Any, None, Handle]:
        from l0.notebook import _cell

        return _cell.wait(self).__await__()

    # --- for whoever runs it ---

    @property
    def abort_asked(self) -> str | None:
        """Who told the run to end, whether or not it has."""
        return self._aborted_by

    def cancel(self) -> None:
        """End the task of a run that does not end by itself."""
        if self.task is not None and self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.task.cancel)

    def ended(self) -> None:
        """The run is over and its view final; nothing if that is known."""
        if not self.over.done():
            self.over.set_result(None)

    # --- looking at it ---

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        name = f"{self.model} " if self.model else ""
        status = self.outcome or self.stream.phase.value
        return f"<l0 {name}{status}, {self.state.token_count} tokens>"

    def shown_here(self) -> None:
        """The view stands in the present cell, whose result needn't be drawn once more."""
        self._shown_in = _cell_number()

    def _ipython_display_(self) -> None:
        shown, self._shown_in = self._shown_in, None
        if shown is None or shown != _cell_number():
            raise NotImplementedError  # how IPython is told to go on with the mime bundle

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        from l0.notebook import _static

        bundle: dict[str, str] = _static.mimebundle(self)
        return bundle


def _cell_number() -> int | None:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return None if shell is None else shell.execution_count
