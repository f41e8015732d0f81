"""Several runs of one cell, played together: side by side, as a race, or for what they agree on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from l0.compose import ConsensusResult, NoConsensusError, RaceResult, consensus, parallel, race
from l0.errors import Error, StreamAbortedError
from l0.events import State, Usage, new_stream_id
from l0.notebook._failure import advice
from l0.stream import Stream

KINDS: Final = ("parallel", "race", "consensus")


class AllFailedError(Error):
    """Every run of a board failed; `failures` has their errors, in the order of the runs."""

    advice = "See `results` of the handle; name another model, or raise --retry."

    def __init__(self, message: str = "", failures: Sequence[BaseException] = ()) -> None:
        super().__init__(message)
        self.failures = list(failures)
        if self.failures:
            self.advice = advice(self.failures[0])  # type: ignore[misc]  # as for that one alone


class Group:
    """Unstarted streams that are played as one; to a cell it is what one stream is.

    Args:
        kind: `parallel` (each to its end), `race` (the first to end well calls the others off) or
            `consensus` (the value that most agree on).
        streams: the runs.
        labels: their names for people.

    Example:
        >>> import l0
        >>> group = Group("race", [l0.run(lambda: ["quick"]), l0.run(lambda: ["brown"])])
        >>> l0.run_sync(group.play())
        >>> group.outcome, group.text in ("quick", "brown")
        ('completed', True)
    """

    def __init__(
        self, kind: str, streams: Sequence[Stream], labels: Sequence[str] | None = None
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}; not {kind!r}")
        self.kind = kind
        self.streams = list(streams)
        self.labels = list(labels or (f"run {at + 1}" for at in range(len(self.streams))))
        self.stream_id = new_stream_id()
        self.outcome: str | None = None
        """completed, failed, aborted or cancelled; None until all runs have ended."""
        self.error: BaseException | None = None
        self.result: Any = None
        """A RaceResult, ConsensusResult or ParallelResult, once there is one."""
        self.winner: int | None = None
        """The run whose text stands, if it is the text of one run."""
        self._aborted = False

    # --- playing ---

    async def play(self) -> None:
        """Start the runs, and wait until the last one has ended.

        Raises:
            AllFailedError: there is no text, because every run failed.
            NoConsensusError: the answers agree too little.
        """
        try:
            await self._play()
            self.outcome = "completed"
        except asyncio.CancelledError:
            self.outcome = "cancelled"
            raise
        except Exception as error:
            self.outcome, self.error = "failed", error
            raise
        finally:
            if self._aborted and any(stream.outcome == "aborted" for stream in self.streams):
                self.outcome, self.error, self.winner = "aborted", None, None

    async def _play(self) -> None:
        try:
            match self.kind:
                case "race":
                    self.result = await race(self.streams)
                    self.winner = self.result.winner_index
                case "consensus":
                    self.result = await consensus(self.streams)
                    self.winner = self.result.selected_index
                case _:
                    self.result = await parallel(self.streams, concurrency=len(self.streams))
                    good = [at for at, error in enumerate(self.result.errors) if error is None]
                    if not good:
                        raise self._all_failed(self.result.failures())
                    self.winner = good[0]
        except NoConsensusError as error:
            self.result = error.result
            raise
        except ExceptionGroup as group:
            raise self._all_failed(group.exceptions) from group

    def _all_failed(self, failures: Sequence[BaseException]) -> AllFailedError:
        texts = list(dict.fromkeys(str(error) for error in failures))
        if len(texts) > 1:
            named = zip(self.labels, failures, strict=False)
            texts = [f"{label}: {error}" for label, error in named]
        told = "; ".join(texts)
        return AllFailedError(f"all {len(self.streams)} runs failed: {told}", failures)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Plays them; there is nothing to iterate over."""
        try:
            await self.play()
        except Exception:
            if self.outcome != "aborted":
                raise
        for _ in ():
            yield _

    async def read(self) -> str:
        """The text, once it is known.

        Raises:
            StreamAbortedError: the runs were aborted.
        """
        if self.outcome == "aborted":
            raise StreamAbortedError(f"{len(self.streams)} runs were aborted before their end")
        return self.text

    def abort(self, reason: str | None = None) -> None:
        """End all of them now, from any thread; what they said so far stays."""
        if self.outcome is None:
            self._aborted = True
        for stream in self.streams:
            stream.abort(reason)

    @property
    def stopping(self) -> bool:
        """Whether they were told to end and have not yet."""
        return self._aborted and self.outcome is None

    # --- what is known ---

    @property
    def text(self) -> str:
        """The winner's text, what they agree on, or the first answer; empty before the end.

        Of runs that were stopped it is what the first of them had said.
        """
        if isinstance(self.result, ConsensusResult) and self.outcome == "completed":
            value = self.result.consensus
            return value if isinstance(value, str) else str(value)
        if isinstance(self.result, RaceResult) and self.outcome == "completed":
            return str(self.result.value)
        if self.outcome in {"aborted", "cancelled"}:
            return next((told for each in self.streams if (told := each.state.content)), "")
        return "" if self.winner is None else self.streams[self.winner].state.content

    @property
    def state(self) -> State:
        """Of the run whose text stands, or of the first one."""
        return self.streams[self.winner or 0].state

    @property
    def errors(self) -> list[Exception]:
        """The failures of all runs, one a failed attempt, run by run."""
        return [error for stream in self.streams for error in stream.errors]

    @property
    def usage(self) -> Usage:
        """What all runs took together."""
        return sum((stream.usage for stream in self.streams), Usage())
