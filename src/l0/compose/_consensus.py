"""Several calls made one: ask all of them, and take what they agree on."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from l0.compose._consensus_analyse import analyse
from l0.compose._consensus_payloads import (
    ConsensusAnalysisPayload,
    ConsensusEndPayload,
    ConsensusOutputCollectedPayload,
    ConsensusResolutionPayload,
    ConsensusStartPayload,
    ConsensusStreamEndPayload,
    ConsensusStreamStartPayload,
)
from l0.compose._consensus_presets import ConsensusPreset, build_preset
from l0.compose._consensus_resolve import decide
from l0.compose._consensus_result import ConsensusOutput, ConsensusResult, NoConsensusError
from l0.compose._consensus_schema import reader, unwrapped
from l0.compose._consensus_values import canonical, check_depth, plain
from l0.compose._recording import Recording
from l0.compose._task import Child, Children, Task, check_tasks
from l0.events import Clock, EventBus, Handler
from l0.events._serialize import check_meta


async def consensus(
    tasks: Iterable[Task],
    *,
    strategy: str | None = None,
    threshold: float | None = None,
    resolve_conflicts: str | None = None,
    weights: Sequence[float] | None = None,
    minimum_agreement: float | None = None,
    schema: Any = None,
    timeout: float | None = None,
    preset: ConsensusPreset | str | None = None,
    on_event: Handler | None = None,
    meta: Mapping[str, Any] | None = None,
    event_store: Any = None,
    clock: Clock | None = None,
) -> ConsensusResult:
    """Run all tasks at once and give the value that they agree on.

    A failure of one task never loses another's output; its share of the agreement is lost. The
    same outputs give the same result in every process, and of equals the lowest index wins.

    Args:
        tasks: at least 2: functions that return an awaitable, or unstarted streams.
        strategy: "majority" (default; the largest group), "unanimous" (no task failed and every
            pair is alike), "weighted" (the heaviest group) or "best" (the first output, or the one
            of the highest weight).
        threshold: the `similarity` from which two outputs say the same, 0 to 1 (0.8). Two different
            whole numbers never do.
        resolve_conflicts: below the minimum, "vote" (default; the most frequent value, of dicts
            field by field), "merge" (everything anybody said), "best" or "fail".
        weights: one number a task (1 each).
        minimum_agreement: the share of the tasks that has to stand behind the value (0.6).
        schema: parse and validate every output, as `structured` does; one that is refused failed.
        timeout: seconds for each task; one that takes longer failed.
        preset: "strict", "standard", "lenient", "best" or a `ConsensusPreset`; arguments win.
        on_event: is called with every CONSENSUS event.
        meta: your own facts about the call, on every event.
        event_store: where the events are kept; None is the default store, False nowhere.
        clock: where time comes from, in tests.

    Raises:
        NoConsensusError: a `ValueError`: "No unanimous consensus", "No majority consensus", or
            every task failed.
        TypeError: a task can't be started, or `meta` is no mapping.
        ValueError: fewer than 2 tasks, or an argument that makes no sense.

    Example:
        >>> import asyncio
        >>> says = lambda text: l0.run(lambda: [text])
        >>> result = asyncio.run(consensus([says("Oslo"), says("Bergen"), says("Oslo")]))
        >>> result.consensus, round(result.analysis.agreement_ratio, 2), result.status
        ('Oslo', 0.67, 'success')
    """
    settings = build_preset(
        preset,
        strategy=strategy,
        threshold=threshold,
        resolve_conflicts=resolve_conflicts,
        minimum_agreement=minimum_agreement,
    )
    listed = check_tasks(tasks)
    if not listed:
        raise ValueError("No tasks provided; a consensus needs at least 2")
    if len(listed) == 1:
        raise ValueError("At least 2 tasks are needed for a consensus; there is 1")
    weighed = _weights(weights, len(listed))
    read = reader(schema)
    if timeout is not None and not _seconds(timeout):
        raise ValueError(f"timeout is a number of seconds above 0, or None; not {timeout!r}")
    check_meta(meta)
    call = _Call(EventBus(on_event, meta, clock=clock), settings, weighed, read, timeout)
    return await call.recorded(listed, event_store)


def _weights(given: Sequence[float] | None, count: int) -> list[float]:
    if given is None:
        return [1.0] * count
    weights = list(given)
    if len(weights) != count:
        raise ValueError(f"weights are one a task: {count} numbers, not {len(weights)}")
    for weight in weights:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 <= weight < math.inf:
            raise ValueError(f"a weight is a number, 0 or more; not {weight!r}")
    if not any(weights):
        raise ValueError("weights are all 0; give at least one task a weight above 0")
    if math.isinf(sum(weights)):
        raise ValueError("weights add up to more than a float holds; divide all of them")
    return weights


def _seconds(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < value < math.inf


class _Call:
    """One call of `consensus`: starts the tasks, collects their outputs, tells what happens."""

    def __init__(
        self,
        bus: EventBus,
        settings: ConsensusPreset,
        weights: Sequence[float],
        read: Callable[[Any], Any] | None,
        timeout: float | None,
    ) -> None:
        self.bus = bus
        self.settings = settings
        self.weights = weights
        self.read = read
        self.timeout = timeout
        self.began = bus.clock.monotonic()

    async def recorded(self, tasks: Sequence[Task], event_store: Any) -> ConsensusResult:
        """Run it, with its events in the store."""
        recording = Recording(self.bus, event_store)
        try:
            return await self.run(tasks)
        finally:
            await recording.close()

    async def run(self, tasks: Sequence[Task]) -> ConsensusResult:
        """CONSENSUS_START … CONSENSUS_END, in every ending."""
        settings, emit = self.settings, self.bus.emit
        emit(
            ConsensusStartPayload(
                len(tasks), settings.strategy, settings.threshold, settings.minimum_agreement
            )
        )
        status, confidence = "failed", 0.0
        try:
            outputs = await self.collect(tasks)
            result, why = self.judge(outputs)
            status, confidence = result.status, result.confidence
            if why:
                raise NoConsensusError(_counted(why, result), result=result) from _causes(outputs)
            return result
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            emit(ConsensusEndPayload(status, confidence, self.ms(self.began)))

    def ms(self, since: float) -> float:
        """Milliseconds since a reading of the clock."""
        return (self.bus.clock.monotonic() - since) * 1000

    # --- the tasks ---

    async def collect(self, tasks: Sequence[Task]) -> list[ConsensusOutput]:
        """Run the tasks side by side; cancelling this cancels and awaits all of them."""
        clock, emit = self.bus.clock, self.bus.emit
        outputs: dict[int, ConsensusOutput] = {}
        late: set[int] = set()
        timers = []
        began = clock.monotonic()
        try:
            async with Children(self.bus.stream_id) as children:
                for index, task in enumerate(tasks):
                    emit(ConsensusStreamStartPayload(index))
                    child = children.start(task, index)
                    if self.timeout is not None:
                        ring = _Alarm(child, late)
                        timers.append(clock.call_at(began + self.timeout, ring))
                while (ended := await children.next()) is not None:
                    output = self.output(ended, self.ms(began), late=ended.index in late)
                    outputs[ended.index] = output
                    self.tell(output)
        finally:
            for timer in timers:
                timer.cancel()
            for index in range(len(tasks)):
                if index not in outputs:  # the call itself was broken off
                    took = self.ms(began)
                    emit(ConsensusStreamEndPayload(index, success=False, duration_ms=took))
        return [outputs[index] for index in range(len(tasks))]

    def output(self, child: Child, took_ms: float, *, late: bool) -> ConsensusOutput:
        """What became of a task that has ended."""
        error, value, text = child.error, None, None
        if error is not None and late:
            error = TimeoutError(
                f"task {child.index} did not end within {self.timeout:g} s; "
                "raise consensus(timeout=…) if it needs longer"
            )
        elif error is None:
            try:
                value, text = unwrapped(child.result)
                value = value if self.read is None else self.read(value)
                check_depth(value)
            except Exception as refused:  # what can't be an answer is this task's failure
                error = refused
        return ConsensusOutput(
            index=child.index,
            success=error is None,
            value=None if error is not None else value,
            text=text,
            error=error,
            duration=took_ms / 1000,
            weight=self.weights[child.index],
            state=child.state,
        )

    def tell(self, output: ConsensusOutput) -> None:
        """CONSENSUS_OUTPUT_COLLECTED, if there is one, and CONSENSUS_STREAM_END."""
        if not self.bus.active:
            return
        if output.success:
            said = plain(output.value) if output.text is None else output.text
            length = len(said if isinstance(said, str) else canonical(said))
            has_value = output.value is not None and output.value != ""
            self.bus.emit(ConsensusOutputCollectedPayload(output.index, length, has_value))
        error = None if output.error is None else str(output.error) or type(output.error).__name__
        self.bus.emit(
            ConsensusStreamEndPayload(output.index, output.success, output.duration * 1000, error)
        )

    # --- the verdict ---

    def judge(self, outputs: Sequence[ConsensusOutput]) -> tuple[ConsensusResult, str]:
        """The result, and why there is no consensus if there is none."""
        settings, began = self.settings, self.bus.clock.monotonic()
        found = analyse(outputs, settings, structured=self.read is not None)
        verdict = decide(found, settings, self.read)
        analysis = dataclasses.replace(
            found.analysis, resolution=verdict.resolution, duration=self.ms(self.began) / 1000
        )
        if found.answers:
            self.bus.emit(
                ConsensusAnalysisPayload(
                    analysis.agreement_ratio,
                    analysis.average_similarity,
                    len(found.agreements),
                    len(found.disagreements),
                    self.ms(began),
                )
            )
        if verdict.status != "failed":
            self.bus.emit(
                ConsensusResolutionPayload(verdict.method, found.confidence, verdict.index)
            )
        return ConsensusResult(
            consensus=verdict.value,
            confidence=found.confidence,
            outputs=tuple(outputs),
            agreements=found.agreements,
            disagreements=found.disagreements,
            analysis=analysis,
            type="structured" if found.structured else "text",
            status=verdict.status,
            field_consensus=found.fields,
            selected_index=verdict.index,
            stream_id=self.bus.stream_id,
        ), verdict.why


class _Alarm:
    """Cancels a task that has taken too long, and notes that this is why."""

    __slots__ = ("_child", "_late")

    def __init__(self, child: Child, late: set[int]) -> None:
        self._child, self._late = child, late

    def __call__(self) -> None:
        if not self._child.done:
            self._late.add(self._child.index)
            self._child.cancel()


def _counted(why: str, result: ConsensusResult) -> str:
    failed = [output for output in result.outputs if not output.success]
    if not failed or "task" in why.partition(":")[2]:
        return why
    return f"{why}; {len(failed)} of {len(result.outputs)} tasks failed"


def _causes(outputs: Sequence[ConsensusOutput]) -> BaseException | None:
    failures = [output.error for output in outputs if isinstance(output.error, Exception)]
    return ExceptionGroup("tasks of the consensus failed", failures) if failures else None
