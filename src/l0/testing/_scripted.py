"""A model that follows a script, attempt by attempt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from l0.events import Clock, Event, EventType, Progress, ToolCall, Usage
from l0.stream import AttemptInfo


class ScriptEnded(AssertionError):
    """The model was called more often than its script says."""


@dataclass(frozen=True, slots=True)
class _Step:
    act: Callable[[Clock], Any]


def stall(seconds: float) -> _Step:
    """Say nothing for a while, then go on.

    Example:
        >>> import asyncio, l0
        >>> from l0.testing import ScriptedModel, VirtualClock, stall
        >>> model = ScriptedModel(["Hel", stall(60), "lo"], clock=VirtualClock())
        >>> asyncio.run(l0.run(model, clock=model.clock).read())
        'Hello'
    """
    return _Step(lambda clock: clock.sleep(seconds))


def hang() -> _Step:
    """Never say anything again.

    Example:
        >>> import asyncio, l0
        >>> from l0.testing import ScriptedModel, hang
        >>> model = ScriptedModel(["Hel", hang()], ["Hello"])
        >>> once = l0.Timeout(inter_token=0.01)
        >>> asyncio.run(l0.run(model, timeout=once, retry=l0.Retry(base_delay=0)).read())
        'Hello'
    """
    return _Step(lambda clock: clock.sleep(1e9))


def fail(error: BaseException | type[BaseException] | int) -> _Step:
    """Raise an error; a number is an HTTP status.

    Raises:
        TypeError: it is neither.

    Example:
        >>> import asyncio, l0
        >>> from l0.testing import ScriptedModel, fail
        >>> model = ScriptedModel(["Hel", fail(503)], ["Hello"])
        >>> asyncio.run(l0.run(model, retry=l0.Retry(base_delay=0)).read())
        'Hello'
    """
    raised = http_error(error) if isinstance(error, int) else error
    if not issubclass(raised if isinstance(raised, type) else type(raised), BaseException):
        raise TypeError(f"fail takes an error to raise, or an HTTP status; not {error!r}")

    def act(clock: Clock) -> Any:  # noqa: ARG001  every step is given the clock
        raise raised

    return _Step(act)


class HTTPStatusError(Exception):
    """What a provider's client raises for a status: `status_code`, `response.headers`, `body`."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        super().__init__(f"HTTP {status}")
        self.status_code = status
        self.response = _Response(status, headers)
        self.body = body


class _Response:
    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.headers = dict(headers)


def http_error(
    status: int, *, retry_after: float | None = None, code: str | None = None
) -> HTTPStatusError:
    """An error with an HTTP status, as a client raises it; `retry_after` in seconds.

    Example:
        >>> http_error(429, retry_after=2).status_code
        429
    """
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    body = {"error": {"code": code, "message": f"HTTP {status}"}} if code else None
    return HTTPStatusError(status, headers, body)


def tool(id: str, name: str, args: Mapping[str, Any] | None = None, *, index: int = 0) -> Event:
    """A complete tool call.

    Example:
        >>> tool("call_1", "weather", {"city": "Oslo"}).tool_call.arguments
        {'city': 'Oslo'}
    """
    arguments = dict(args or {})
    raw = msgspec.json.encode(arguments).decode()
    return Event(EventType.TOOL_CALL, tool_call=ToolCall(id, name, arguments, raw, index))


def progress(percent: float | Progress) -> Event:
    """How far it has come, in percent.

    Example:
        >>> progress(50).progress.percent
        50
    """
    value = percent if isinstance(percent, Progress) else Progress(percent=percent)
    return Event(EventType.PROGRESS, progress=value)


def end(finish_reason: str = "stop", usage: Usage | None = None) -> Event:
    """The provider's own end of the stream.

    Example:
        >>> end("length").finish_reason
        'length'
    """
    return Event(EventType.COMPLETE, usage=usage, finish_reason=finish_reason)


class ScriptedModel:
    """A factory for `run` whose every attempt follows its script.

    An attempt is a list of tokens (`str`), events, `stall(s)`, `hang()`, `fail(error)`, `tool(…)`,
    `progress(p)`, `end(…)`; reaching its end ends the stream. `stall` waits on the run's own clock.
    After the last attempt, another call is an error, or repeats it with `repeat_last=True`.

    Attributes:
        calls: how often it was called.
        infos: what each call was told.
        closed: for each call, whether its stream was closed or ran to its end.

    Example:
        >>> import asyncio, l0
        >>> model = ScriptedModel(["Hel", fail(ConnectionResetError())], ["Hello"])
        >>> asyncio.run(l0.run(model, retry=l0.Retry(base_delay=0)).read()), model.calls
        ('Hello', 2)
    """

    def __init__(
        self, *attempts: Sequence[Any], repeat_last: bool = False, clock: Clock | None = None
    ) -> None:
        for script in attempts:
            if isinstance(script, str) or not isinstance(script, Sequence):
                raise TypeError(f"an attempt is a list of steps; write [{script!r}]")
        self.attempts = attempts
        self.repeat_last = repeat_last
        self.clock = clock
        self.infos: list[AttemptInfo] = []
        self.closed: list[bool] = []

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.infos)

    def __call__(self, info: AttemptInfo) -> AsyncIterator[Any]:
        """Begin the next attempt."""
        index = len(self.infos)
        self.infos.append(info)
        self.closed.append(False)
        if index >= len(self.attempts):
            if not (self.repeat_last and self.attempts):
                raise ScriptEnded(
                    f"the script has {len(self.attempts)} attempts; call {index + 1} is too many"
                )
            script = self.attempts[-1]
        else:
            script = self.attempts[index]
        return self._play(index, script, self.clock or info.clock)

    async def _play(self, index: int, script: Sequence[Any], clock: Clock) -> AsyncIterator[Any]:
        try:
            for step in script:
                if isinstance(step, _Step):
                    await step.act(clock)
                else:
                    yield step
        finally:
            self.closed[index] = True
