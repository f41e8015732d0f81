"""A step of a pipe: how it is written, what it is told, what it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from l0.compose._task import wants
from l0.events import State
from l0.stream._options import build_options


@dataclass(frozen=True, slots=True, init=False)
class PipeStep:
    """One step: a stream that is given what came before, made as reliable as `run` makes it.

    Args:
        stream: opens the stream, as a factory of `run` does; takes `()`, `(previous)` or
            `(previous, ctx)`, where `previous` is what the step before gave, or the pipe's input,
            and `ctx` a `PipeContext`. It may also return the text itself.
        name: what the step is called; `step_0`, `step_1`, … by default.
        transform: makes the step's output of its text: `(text)` or `(text, ctx)`, sync or async.
        condition: skips the step where it gives False: `(previous)` or `(previous, ctx)`.
        on_error: called as `(error, step_index)` when the step has failed.
        on_complete: called as `(step_result, step_index)` when it has succeeded.
        metadata: facts for `ctx.metadata`, added to the pipe's.
        **run_options: any other keyword of `run`: guardrails, retry, timeout, fallbacks, adapter, …
            A fallback takes the same arguments as `stream`.

    Raises:
        TypeError: an option is unknown or can't be used, or a function takes other arguments.
        ValueError: an option has a value that makes no sense.

    Example:
        >>> step = PipeStep(lambda text: ["about ", text], name="outline", transform=str.upper)
        >>> step.name, step.replace(name="plan").name
        ('outline', 'plan')
    """

    stream: Any
    name: str | None
    transform: Callable[..., Any] | None
    condition: Callable[..., Any] | None
    on_error: Callable[..., Any] | None
    on_complete: Callable[..., Any] | None
    metadata: Mapping[str, Any]
    options: Mapping[str, Any]

    def __init__(
        self,
        stream: Any,
        name: str | None = None,
        transform: Callable[..., Any] | None = None,
        condition: Callable[..., Any] | None = None,
        *,
        on_error: Callable[..., Any] | None = None,
        on_complete: Callable[..., Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **run_options: Any,
    ) -> None:
        if not callable(stream) and not isinstance(stream, Branch):
            raise TypeError(
                f"a step's stream is a function that opens it, such as "
                f"lambda text: client.….create(..., stream=True); not {stream!r}"
            )
        functions = {
            "stream": stream,
            "transform": transform,
            "condition": condition,
            "on_error": on_error,
            "on_complete": on_complete,
        }
        for what, function in functions.items():
            if function is not None and not isinstance(function, Branch):
                arity(function, what)
        build_options(stream=stream, **run_options)
        values = {
            **functions,
            "name": name,
            "metadata": MappingProxyType(dict(metadata or {})),
            "options": MappingProxyType(run_options),
        }
        for field_name, value in values.items():
            object.__setattr__(self, field_name, value)

    def replace(self, **changes: Any) -> Self:
        """The same step with some arguments changed, run options among them."""
        known = {name: getattr(self, name) for name in self.__slots__ if name != "options"}
        return type(self)(**{**known, **self.options, **changes})


@dataclass(frozen=True, slots=True)
class PipeContext:
    """What a step's functions may want to know of the pipe they are in.

    `results` are the steps before this one, `previous` the output of the last of them, or `input`.
    `state` is the last run's, with `pass_state=True`; else None.
    """

    step_name: str
    step_index: int
    total_steps: int
    input: Any
    previous: Any
    results: tuple[StepResult, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    state: State | None = None


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to.

    `raw_content` is the text that stood at the end, `output` what `transform` made of it; a failed
    step has no output, a skipped one passes its input on. `status` is "success", "error" or
    "skipped". `duration` is in seconds, `started_at` and `ended_at` are Unix seconds.
    """

    step_name: str
    step_index: int
    input: Any
    output: Any = None
    raw_content: str = ""
    status: str = "success"
    error: Exception | None = None
    duration: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    token_count: int = 0
    state: State | None = None


def create_step(name: str, stream: Any, **fields: Any) -> PipeStep:
    """A named step; takes the keywords of `PipeStep`.

    Example:
        >>> create_step("outline", lambda text: ["about ", text]).name
        'outline'
    """
    return PipeStep(stream, name, **fields)


def create_branch_step(
    condition: Callable[..., Any], if_true: Any, if_false: Any = None, **fields: Any
) -> PipeStep:
    """A step that is one of two others, as `condition(previous, ctx)` finds when it is its turn.

    Args:
        condition: takes `(previous)` or `(previous, ctx)`, sync or async.
        if_true: a step, in any way a pipe takes it.
        if_false: the same; without it, what came before is passed on.
        **fields: keywords of `PipeStep` for both; those of the chosen step win.

    Example:
        >>> import asyncio, l0
        >>> fork = create_branch_step(lambda text: "?" in text, lambda: ["asked"], lambda: ["told"])
        >>> async def work():
        ...     return await l0.compose.pipe([fork], "Why?")
        >>> asyncio.run(work()).output
        'asked'
    """
    no = None if if_false is None else as_step(if_false)
    return PipeStep(Branch(condition, as_step(if_true), no), **fields)


@dataclass(frozen=True, slots=True)
class Branch:
    """The stream of a step that is decided when it is its turn."""

    decide: Callable[..., Any]
    if_true: PipeStep
    if_false: PipeStep | None

    def __post_init__(self) -> None:
        if not callable(self.decide):
            raise TypeError(f"condition is a function to call; {self.decide!r} is not callable")
        arity(self.decide, "condition")


def as_step(given: Any) -> PipeStep:
    """A step, a mapping of its arguments, or only its stream.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(given, PipeStep):
        return given
    if isinstance(given, Mapping):
        if "stream" not in given:
            raise TypeError(f"a step needs a stream: {{'stream': lambda text: …}}; not {given!r}")
        return PipeStep(**given)
    return PipeStep(given)


def arity(function: Callable[..., Any], what: str) -> int:
    """How many of `(previous, ctx)` a function wants: its required positional parameters.

    Raises:
        TypeError: it wants more.
    """
    if not callable(function):
        raise TypeError(f"{what} is a function to call; {function!r} is not callable")
    count = wants(function)
    if count is None:
        return 1
    if count > 2:
        raise TypeError(
            f"{what} takes (), (previous) or (previous, ctx); {function!r} wants {count} arguments"
        )
    return count


def ask(function: Callable[..., Any], what: str, *arguments: Any) -> Any:
    """Call a step's function with as many arguments as it wants."""
    return function(*arguments[: arity(function, what)])
