"""Let a provider go on with its own response: nothing is generated or billed twice.

OpenAI keeps a response that was created with `background=True`, and streams its events again from
any of them on. A factory that can ask for that has a method `resume(response_id, starting_after)`,
which returns what the factory itself would: `wrap` makes such factories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from l0.adapters import ACTIVITY
from l0.adapters._values import known_count
from l0.errors import Classification, ErrorCategory, StreamTimeoutError
from l0.events import Event, UsagePayload
from l0.stream._attempt import Attempt
from l0.stream._session import Run
from l0.stream._usage import usage_of

_TRANSPORT = {ErrorCategory.NETWORK, ErrorCategory.TRANSIENT}


@dataclass(frozen=True, slots=True)
class Position:
    """Where a response broke off, and what was known of it."""

    response_id: str
    starting_after: int
    adapter: Any
    decoder: Any  # goes on, too: it holds the tool calls that are half there
    found: Classification  # of the failure
    raw: list[Any] | None
    tokens_from: int  # where the response's text begins
    chars_from: int
    usage: UsagePayload | None  # of what came, to be told if the response is not gone on with
    tool_calls: Sequence[Event]
    delivered_data: bool
    delivered_messages: bool

    def decoder_again(self) -> Any:
        """The decoder, for more of the same; one that keeps no account of its end needs no word."""
        go_on = getattr(self.decoder, "go_on", None)
        if go_on is not None:
            go_on()
        return self.decoder

    def feed(self, chunk: Any) -> Any:
        """As the decoder does, but for events that were seen: some servers send them again."""
        number = known_count(chunk, "sequence_number")
        if number is not None and number <= self.starting_after:
            return ACTIVITY
        return self.decoder.feed(chunk)


def position_after(
    run: Run, attempt: Attempt, failure: Exception, found: Classification
) -> Position | None:
    """Where the next attempt can let the provider go on; None: it can't, or must not.

    It can after a failure on the way from the provider to here, if all that came of the response
    was accepted: text that is held back would be lost, and what failed the rules must not stay.
    """
    config, decoder = run.options.continuation, attempt.decoder
    if config is None or not config.provider or not hasattr(run.factory, "resume"):
        return None
    before: Position | None = attempt.position
    if before is not None and not attempt.alive:  # not reached at all: ask again
        return before if found.category in _TRANSPORT else None
    if found.category is not ErrorCategory.NETWORK and not isinstance(failure, StreamTimeoutError):
        return None
    response_id = getattr(decoder, "response_id", None)
    number = getattr(decoder, "sequence_number", None)
    matcher = attempt.matcher
    if response_id is None or number is None or (matcher is not None and not matcher.decided):
        return None
    return Position(
        response_id,
        number,
        attempt.adapter,
        decoder,
        found,
        attempt.raw,
        attempt.tokens_from,
        attempt.chars_from,
        usage_of(run, attempt),
        attempt.tool_calls,
        attempt.delivered_data,
        attempt.delivered_messages,
    )


def refused(attempt: Attempt, found: Classification) -> bool:
    """Whether the provider would not go on with its response: it is gone, or can't be resumed."""
    return attempt.position is not None and not attempt.alive and found.category not in _TRANSPORT
