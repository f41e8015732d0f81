"""A handler that keeps the events it is given."""

from __future__ import annotations

from typing import Any

from l0.events import ObservabilityEvent, payload_class


class CollectedEvents(list[ObservabilityEvent]):
    """The events of a run in their order; see `collect_events`."""

    def __init__(self, types: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.types = tuple(payload_class(name).type for name in types) or None

    def __call__(self, event: ObservabilityEvent) -> None:
        """Keep one more; a bus calls this."""
        self.append(event)

    @property
    def names(self) -> list[str]:
        """Their types."""
        return [event.type for event in self]

    def all(self, *types: str) -> list[Any]:
        """The payloads of these types."""
        wanted = {payload_class(name).type for name in types}
        return [event.payload for event in self if event.type in wanted]

    def one(self, type_: str) -> Any:
        """The payload of the only event of a type.

        Raises:
            AssertionError: there is none, or there are several.
        """
        found = self.all(type_)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} events of type {type_}, not one; got {self.names}")
        return found[0]


def collect_events(*types: str) -> CollectedEvents:
    """A handler that is also the list of the events it was given.

    Without types it gets what any handler gets: everything but TOKENS and STREAM_EVENT, which have
    to be named.

    Raises:
        ValueError: a type is not in the catalog.

    Example:
        >>> import asyncio, l0
        >>> events = collect_events()
        >>> asyncio.run(l0.run(lambda: ["a"], on_event=events).read())
        'a'
        >>> events.names[0], events.one("COMPLETE").token_count
        ('SESSION_START', 1)
    """
    return CollectedEvents(types)
