"""Fixtures every room's tests share: time that doesn't pass, and runs that are watched."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import l0
from l0.events import Event, EventType, ObservabilityEvent
from l0.stream import Stream
from l0.testing import VirtualClock, check_run

# How long an example takes is the machine's business, and no finding. Every run has the same
# examples, so that a red one is about a change; HYPOTHESIS_PROFILE (ci, long, chaos) has new ones.
settings.register_profile(
    "l0",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="HYPOTHESIS_PROFILE" not in os.environ,
)
settings.load_profile("l0")


def pytest_collection_finish(session: pytest.Session) -> None:
    """The tests and their modules stay to the end: no collection of garbage goes through them."""
    if session.config.getoption("loadgroup", default=False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError("this pytest-xdist keeps no group on one worker")
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The figures that tests recorded as measured, below the results."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, figure in report.user_properties:
                    if name == "measured":
                        terminalreporter.write_line(figure)


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that jumps."""
    return VirtualClock()


@dataclass
class Played:
    """What came of a run: the consumer's events, the listeners', the text shown, the error."""

    stream: Stream
    events: list[Event] = field(default_factory=list)
    told: list[ObservabilityEvent] = field(default_factory=list)
    shown: str = ""
    error: BaseException | None = None

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.told]

    @property
    def state(self) -> Any:
        return self.stream.state

    @property
    def tokens(self) -> list[str | None]:
        return [event.text for event in self.events if event.type is EventType.TOKEN]

    def all(self, *types: str) -> list[Any]:
        """The payloads of these types."""
        return [event.payload for event in self.told if event.type in types]

    def one(self, type_: str) -> Any:
        (payload,) = self.all(type_)
        return payload


@pytest.fixture
def play(clock):
    """Run a model to its end on the virtual clock, check every invariant, and say what came."""

    async def play(model: Any, /, **options: Any) -> Played:
        options.setdefault("retry", l0.Retry(attempts=2, base_delay=0))
        options.setdefault("check_intervals", l0.CheckIntervals(1, 1, 1))
        options.setdefault("clock", clock)
        told: list[ObservabilityEvent] = []
        listener = options.pop("on_event", None)

        def watch(event: ObservabilityEvent) -> Any:
            told.append(event)
            return listener(event) if listener is not None else None

        played = Played(l0.run(model, on_event=watch, **options), told=told)
        try:
            async for event in played.stream:
                played.events.append(event)
                if event.type is EventType.TOKEN:
                    assert event.start == len(played.shown)
                    played.shown += event.text or ""
                elif event.type is EventType.RESTART:
                    played.shown = played.shown[: event.kept_chars]
                if options.get("deliver") != "validated" and not event.is_complete:
                    assert played.shown == played.state.content
        except Exception as error:
            played.error = error
        check_run(told)
        return played

    return play
