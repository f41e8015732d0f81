"""What every provider's encoding of an answer shares: payloads, units, server-sent events.

A wire turns one `Answer` into payloads (dicts in the provider's exact shape) and payloads into
server-sent events. A *unit* is the bytes of one token, with the structural events that stand
before it; the positions of faults count units.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

import msgspec

Payload: TypeAlias = dict[str, Any]

HOLE: Final = "a hole in a template, filled for each token"
"""Stands where the text of a token will be."""


class Turn(NamedTuple):
    """One message of a request, as plain text."""

    role: str
    text: str
    is_tool_result: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, its arguments in the fragments they are sent in (at least one)."""

    id: str
    name: str
    fragments: Sequence[str]

    @property
    def raw(self) -> str:
        """The arguments as one text."""
        return "".join(self.fragments)


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything a wire needs to say one answer."""

    tokens: Sequence[str] = ()
    calls: Sequence[Call] = ()
    reasoning: Sequence[str] = ()
    finish_reason: str = "stop"
    usage: bool = True
    input_tokens: int = 0
    model: str = "gpt-test"
    id: str = "0"
    created: int = 1_760_000_000
    background: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)

    @property
    def output_tokens(self) -> int:
        """Tokens of the text, the tool calls and the reasoning."""
        fragments = sum(len(call.fragments) for call in self.calls)
        return len(self.tokens) + fragments + len(self.reasoning)

    @property
    def finish(self) -> str:
        """The finish reason, where tool calls turn a stop into `tool_calls`."""
        if self.calls and self.finish_reason == "stop":
            return "tool_calls"
        return self.finish_reason


class Wire(ABC):
    """One answer in one provider's encoding; made anew for each response.

    A subclass says its payloads; how they become units and bytes is the same for all.
    """

    request_id_header: ClassVar[str] = "x-request-id"
    own_fault: ClassVar[str] = "server_error"
    """The type of an error inside the stream when nothing else is said."""
    ping: ClassVar[bytes] = b": keep-alive\n\n"
    terminator: ClassVar[bytes] = b""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    @abstractmethod
    def opening(self) -> Iterator[Payload]:
        """What comes before the first token, reasoning included."""

    @abstractmethod
    def text_delta(self, text: str) -> Payload:
        """One token of the text."""

    @abstractmethod
    def text_end(self) -> Iterator[Payload]:
        """What comes after the last token of the text."""

    @abstractmethod
    def call_start(self, index: int) -> Iterator[Payload]:
        """What opens a tool call."""

    @abstractmethod
    def call_delta(self, index: int, fragment: str) -> Payload:
        """One fragment of a tool call's arguments."""

    @abstractmethod
    def call_end(self, index: int) -> Iterator[Payload]:
        """What closes a tool call."""

    @abstractmethod
    def finish(self) -> Iterator[Payload]:
        """The proper end of the answer."""

    @abstractmethod
    def error(self, error_type: str | None, *, failed: bool = False) -> Payload:
        """An error inside the stream; `error_type` None: `own_fault`."""

    @abstractmethod
    def body(self) -> Payload:
        """The whole answer, not streamed."""

    @staticmethod
    @abstractmethod
    def error_body(status: int, error_type: str | None, code: str | None, say: str) -> Payload:
        """The body of an HTTP error."""

    @staticmethod
    @abstractmethod
    def turns(body: Mapping[str, Any]) -> list[Turn]:
        """The messages of a request, the system's left out; `ValueError` where it can't be."""

    @staticmethod
    @abstractmethod
    def max_tokens(body: Mapping[str, Any]) -> int | None:
        """The token limit of a request."""

    @staticmethod
    @abstractmethod
    def wants_reasoning(body: Mapping[str, Any]) -> bool:
        """Whether a request asks for reasoning."""

    @staticmethod
    def wants_usage(body: Mapping[str, Any]) -> bool:  # noqa: ARG004  Chat Completions looks
        """Whether a request is told its usage."""
        return True

    def stamp(self, payload: Payload) -> Payload:
        """The last touch before a payload goes out; Responses numbers its events here."""
        return payload

    def frame(self, payload: Payload) -> bytes:
        """A payload as a server-sent event."""
        return b"data: " + to_json(payload) + b"\n\n"

    def payloads(self, *, finished: bool = True) -> Iterator[Payload]:
        """The whole answer as payloads, in order; without its end unless `finished`."""
        yield from map(self.stamp, self._until_last_token())
        if finished:
            yield from map(self.stamp, self._end())

    def head(self) -> Iterator[bytes]:
        """The events before the first unit."""
        return map(self.event, self.opening())

    def units(self) -> Iterator[bytes]:
        """The tokens, one by one: those of the text, then the fragments of the tool calls."""
        yield from self.text_units()
        has_both = self.answer.tokens and self.answer.calls
        before = self.join(self.text_end()) if has_both else b""
        for index, call in enumerate(self.answer.calls):
            before += self.join(self.call_start(index))
            for fragment in call.fragments:
                yield before + self.event(self.call_delta(index, fragment))
                before = b""
            if index + 1 < len(self.answer.calls):
                before = self.join(self.call_end(index))

    def tail(self) -> bytes:
        """What comes after the last unit."""
        return self.join(self._end()) + self.terminator

    def text_units(self) -> Iterator[bytes]:
        """The tokens of the text; nothing but the text is encoded anew for each of them."""
        if self.answer.tokens:
            start, end = self.frame(self.text_delta(HOLE)).split(to_json(HOLE))
            for token in self.answer.tokens:
                yield start + to_json(token) + end

    def event(self, payload: Payload) -> bytes:
        """A stamped payload as a server-sent event."""
        return self.frame(self.stamp(payload))

    def garbage(self) -> bytes:
        """An event whose data isn't JSON: a token that lost its end."""
        return self.frame(self.text_delta("")).rstrip()[:-9] + b"\n\n"

    def join(self, payloads: Iterator[Payload]) -> bytes:
        """Payloads as events, in one piece."""
        return b"".join(map(self.event, payloads))

    def _until_last_token(self) -> Iterator[Payload]:
        yield from self.opening()
        yield from map(self.text_delta, self.answer.tokens)
        if self.answer.tokens and self.answer.calls:
            yield from self.text_end()
        for index, call in enumerate(self.answer.calls):
            yield from self.call_start(index)
            for fragment in call.fragments:
                yield self.call_delta(index, fragment)
            if index + 1 < len(self.answer.calls):
                yield from self.call_end(index)

    def _end(self) -> Iterator[Payload]:
        if self.answer.calls:
            yield from self.call_end(len(self.answer.calls) - 1)
        elif self.answer.tokens:
            yield from self.text_end()
        yield from self.finish()


_encode = msgspec.json.Encoder().encode


def to_json(value: Any) -> bytes:
    """JSON in UTF-8; a lone surrogate, which UTF-8 can't hold, makes it ASCII with escapes."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def plain_text(content: Any) -> str:
    """The text of a message's content: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def messages_of(body: Mapping[str, Any], name: str = "messages") -> list[Mapping[str, Any]]:
    """The list of objects under `name`; `ValueError` if there is none."""
    messages = body.get(name)
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"{name} must be a list with at least one message")
    if not all(isinstance(message, dict) for message in messages):
        raise ValueError(f"each of {name} must be an object")
    return messages


SAY: Final[dict[str, str]] = {
    "overloaded_error": "Overloaded",
    "rate_limit_error": "Too many requests; slow down.",
    "rate_limit_exceeded": "Too many requests; slow down.",
    "insufficient_quota": "The quota of this account is used up; check its plan and billing.",
    "invalid_api_key": "The API key is not valid.",
    "authentication_error": "The API key is not valid.",
    "invalid_request_error": "The request can't be processed as it is.",
    "permission_error": "The API key may not do this.",
    "not_found_error": "There is nothing of that name.",
    "billing_error": "The quota of this account is used up; check its plan and billing.",
    "context_length_exceeded": "The messages are longer than the context of this model.",
}
"""What an error of a type says; the others say `OUR_FAULT`."""

OUR_FAULT: Final = "The server had an error while processing the request."
