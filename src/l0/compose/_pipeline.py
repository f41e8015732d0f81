"""A pipe to keep: steps and options as one thing, run again and again, changed and combined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

from l0.compose._parallel import ParallelOptions, gather
from l0.compose._pipe import PipeOptions, PipeResult, PipeRun
from l0.compose._pipe_step import PipeStep, as_step


class Pipeline:
    """Steps and options, to be run many times, also at the same time.

    Args:
        steps: as `pipe` takes them.
        options: as `pipe` takes them; FAST_PIPELINE, RELIABLE_PIPELINE and PRODUCTION_PIPELINE are
            presets.

    Example:
        >>> import asyncio, l0
        >>> line = Pipeline([lambda text: [text, "!"]]).add_step(lambda text: [text, "?"])
        >>> async def work():
        ...     return [(await line.run(word)).output for word in ("yes", "no")]
        >>> asyncio.run(work())
        ['yes!?', 'no!?']
    """

    def __init__(self, steps: Iterable[Any] = (), options: PipeOptions | None = None) -> None:
        checked = PipeRun(steps, options=options)
        self.steps: list[PipeStep] = list(checked.steps)
        self.options = checked.options

    @property
    def name(self) -> str | None:
        """As its options say."""
        return self.options.name

    def run(
        self, input: Any = None, options: PipeOptions | None = None, *, pass_state: bool = False
    ) -> PipeRun:
        """Run it as it is now; await what this gives, or iterate it."""
        return PipeRun(self.steps, input, options or self.options, pass_state=pass_state)

    def add_step(self, step: Any, index: int | None = None) -> Self:
        """Put a step at the end, or before the one at `index`; gives the pipeline itself."""
        self.steps.insert(len(self.steps) if index is None else index, as_step(step))
        return self

    def remove_step(self, step: str | int) -> Self:
        """Take a step away, by name or index; gives the pipeline itself.

        Raises:
            KeyError: there is no such step.
        """
        del self.steps[self._find(step)]
        return self

    def get_step(self, step: str | int) -> PipeStep | None:
        """The first step of that name, or at that index; None if there is none."""
        try:
            return self.steps[self._find(step)]
        except KeyError:
            return None

    def _find(self, step: str | int) -> int:
        for index, each in enumerate(self.steps):
            if step in {index, each.name or f"step_{index}"}:
                return index
        names = ", ".join(each.name or f"step_{i}" for i, each in enumerate(self.steps))
        raise KeyError(f"there is no step {step!r}; the steps are {names or 'none'}")

    def clone(self) -> Pipeline:
        """An independent copy: changing one doesn't change the other."""
        return Pipeline(self.steps, self.options)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name or 'without a name'}, {len(self)} steps>"


def create_pipeline(
    steps: Iterable[Any], options: PipeOptions | None = None, **fields: Any
) -> Pipeline:
    """A pipeline; fields of `PipeOptions` may be given as keywords.

    Example:
        >>> create_pipeline([lambda text: [text]], name="echo").name
        'echo'
    """
    return Pipeline(steps, (options or PipeOptions()).replace(**fields))


def chain_pipelines(*pipelines: Pipeline, options: PipeOptions | None = None) -> Pipeline:
    """One pipeline with the steps of several, in order; with the options of the first, or these.

    Raises:
        ValueError: no pipelines are given.

    Example:
        >>> line = create_pipeline([lambda text: [text, "!"]])
        >>> len(chain_pipelines(line, line))
        2
    """
    if not pipelines:
        raise ValueError("chain_pipelines needs at least one pipeline")
    steps = [step for pipeline in pipelines for step in pipeline.steps]
    return Pipeline(steps, options or pipelines[0].options)


async def parallel_pipelines(
    pipelines: Iterable[Pipeline],
    input: Any = None,
    *,
    combine: Callable[[list[PipeResult]], Any] | None = None,
    concurrency: int = 5,
) -> Any:
    """Run several pipelines on the same input, side by side.

    Gives their results in order, failed ones among them (see their `status`), or what `combine`
    makes of these. In a pipe it may stand for a step:
    `lambda text: parallel_pipelines(lines, text, combine=join)`.

    Raises:
        ValueError: `concurrency` is no whole number, 1 or more.

    Example:
        >>> import asyncio, l0
        >>> cry = create_pipeline([lambda text: [text, "!"]])
        >>> ask = create_pipeline([lambda text: [text, "?"]])
        >>> async def work():
        ...     return [done.output for done in await parallel_pipelines([cry, ask], "so")]
        >>> asyncio.run(work())
        ['so!', 'so?']
    """
    runs: list[Any] = [pipeline.run(input) for pipeline in pipelines]
    done = await gather(runs, ParallelOptions(concurrency=concurrency))
    for error in done.failures():
        raise error  # a failed step is in its result; this is a failure of the library's caller
    return done.results if combine is None else combine(done.results)
