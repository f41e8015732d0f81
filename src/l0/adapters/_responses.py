"""OpenAI Responses: typed events, each naming the item it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from l0.adapters._base import (
    AdapterOptions,
    BaseAdapter,
    BaseDecoder,
    RequireFinish,
    options_of,
)
from l0.adapters._contract import ACTIVITY, Decoded
from l0.adapters._tools import OpenCall, raw_arguments
from l0.adapters._values import (
    count,
    error_event,
    field,
    known_count,
    message_event,
    refusal_event,
    roots,
    text,
)
from l0.events import Event, Usage

_TEXT: Final = "response.output_text.delta"
_REASONING: Final = frozenset(
    {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}
)
# The server's acknowledgements: the model may not have begun.
_QUIET: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_WHOLE: Final = _QUIET | {
    *("response.completed", "response.incomplete", "response.failed", "response.cancelled")
}
_INCOMPLETE: Final = {"max_output_tokens": "length", "max_messages": "length", "steered": "other"}
_CALLS: Final = {"function_call": False, "custom_tool_call": True}  # value: free text, not JSON


@dataclass(frozen=True, slots=True)
class OpenAIResponsesAdapterOptions(AdapterOptions):
    """What `OpenAIResponsesAdapter` hands on.

    `include_reasoning` gives reasoning texts and summaries as messages of kind "reasoning";
    `require_finish` "auto" asks for the final event where an HTTP response stands behind the
    stream.

    Raises:
        ValueError: a field has a value it can't have.

    Example:
        >>> OpenAIResponsesAdapterOptions().require_finish
        'auto'
    """

    include_reasoning: bool = False
    require_finish: RequireFinish = "auto"


class OpenAIResponsesAdapter(BaseAdapter):
    """Events of the Responses API; options are `OpenAIResponsesAdapterOptions`.

    Example:
        >>> decoder = OpenAIResponsesAdapter().decoder()
        >>> decoder.feed({"type": "response.output_text.delta", "delta": "Hi"})
        'Hi'
    """

    name: str = "openai-responses"
    options_class = OpenAIResponsesAdapterOptions

    def decoder(self, options: Any = None, stream: Any = None) -> ResponsesDecoder:
        """A fresh decoder; the stream decides what `require_finish="auto"` means."""
        chosen = options_of(OpenAIResponsesAdapterOptions, options)
        return ResponsesDecoder(
            self.name,
            include_reasoning=chosen.include_reasoning,
            require_finish=chosen.requires_finish(stream),
        )

    def detect_chunk(self, chunk: Any) -> bool:
        """Whether its type is `response.` something, or an SDK's event about the stream itself."""
        kind = text(chunk, "type")
        about = kind in {"error", "keepalive"} and "openai" in roots(type(chunk))
        return about or kind.startswith("response.")


class ResponsesDecoder(BaseDecoder):
    """Reads one response; `sequence_number` is where a broken one can be taken up again."""

    terminator: ClassVar[str] = "response.completed"

    def __init__(
        self, name: str, *, include_reasoning: bool = False, require_finish: bool = False
    ) -> None:
        super().__init__(name, require_finish=require_finish)
        self._include_reasoning = include_reasoning
        self._calls: dict[str, OpenCall] = {}
        self._places: dict[str, int] = {}  # of the calls, in the order they were opened
        self._delivered = False
        self._last: Any = None

    @property
    def sequence_number(self) -> int | None:
        """Of the last event seen; None where events carry none."""
        return known_count(self._last, "sequence_number")

    def feed(self, chunk: Any, /) -> Decoded:
        """What the event means; text, the commonest case, by the shortest way."""
        try:
            fields = chunk if type(chunk) is dict else chunk.__dict__
            if fields["type"] == _TEXT:
                delta = fields["delta"]
                if type(delta) is str:
                    self._recognised, self._last = True, fields
                    return delta or None
        except (AttributeError, KeyError, TypeError):
            pass  # not the commonest shape
        return self._feed_any(chunk)

    def _feed_any(self, event: Any) -> Decoded:
        kind = field(event, "type")
        if isinstance(event, Event) or not isinstance(kind, str):
            return self._foreign(event)
        if kind in {"error", "response.error"}:
            self._recognised = True
            return error_event(event)
        if not kind.startswith("response."):
            return None if kind == "keepalive" else self._foreign(event)
        self._recognised = True
        self._last = event
        if kind == _TEXT:  # of an object that has no `__dict__`
            return text(event, "delta") or None
        if kind == "response.refusal.delta":
            refusal = text(event, "delta")
            return refusal_event(refusal) if refusal else None
        if kind in _REASONING:
            thought = text(event, "delta")
            asked = thought and self._include_reasoning
            return message_event(thought, "reasoning") if asked else ACTIVITY
        if kind in _WHOLE:
            return self._feed_response(kind, field(event, "response"))
        return self._feed_item(kind, event)

    # --- the response as a whole ---

    def _feed_response(self, kind: str, response: Any) -> Decoded:
        self.model = text(response, "model") or self.model
        self.response_id = text(response, "id") or self.response_id
        self.usage = responses_usage(field(response, "usage")) or self.usage
        if text(field(response, "reasoning"), "effort") not in {"", "none"}:
            self.pings_before_first_token = True  # it may think for long and say nothing
        if kind == "response.completed":
            self.raw_finish_reason = "completed"
            calls = [event for key in list(self._calls) for event in self._deliver(key)]
            self.finish_reason = "tool_calls" if self._delivered else "stop"
            return self._end(calls)
        if kind == "response.incomplete":
            reason = text(field(response, "incomplete_details"), "reason")
            self.raw_finish_reason = reason or "incomplete"
            self.finish_reason = _INCOMPLETE.get(reason, "content_filter")
            self._calls.clear()  # what is still open may be cut
            return self._end([])
        if kind not in _QUIET:
            self.raw_finish_reason = kind.partition(".")[2]
            self.finish_reason = "error"
            silent = {"message": f"the provider sent {kind} without saying why"}
            return error_event(field(response, "error") or silent)
        return None

    def _end(self, events: list[Event]) -> Sequence[Event]:
        self.finished = True
        return (*events, self._complete())

    # --- one item of it ---

    def _feed_item(self, kind: str, event: Any) -> Decoded:
        what, _, step = kind.removeprefix("response.").rpartition(".")
        if what == "output_item":
            return self._feed_output_item(step, event)
        if what in {"function_call_arguments", "custom_tool_call_input"}:
            key = _key(event)
            call = self._calls.get(key)
            if call is None and key not in self._places:
                call = self._open(key, free=what == "custom_tool_call_input")
            if call is not None and step == "delta":
                call.add(text(event, "delta"))
            elif call is not None and step == "done":
                whole = raw_arguments(event, "input" if call.free else "arguments")
                if whole:
                    call.set(whole)
                call.name = call.name or text(event, "name")
                if call.is_whole and call.name:
                    return self._deliver(key)
        return ACTIVITY

    def _feed_output_item(self, step: str, event: Any) -> Decoded:
        item = field(event, "item")
        kind = text(item, "type")
        if kind == "reasoning":
            self.pings_before_first_token = True
        if kind not in _CALLS:
            return ACTIVITY
        key = _key(event)
        call = self._calls.get(key)
        if call is None:
            if key in self._places:
                return ACTIVITY  # delivered already
            call = self._open(key, free=_CALLS[kind])
        call.id = text(item, "call_id") or text(item, "id") or call.id
        call.name = text(item, "name") or call.name
        call.free = _CALLS[kind]
        if whole := raw_arguments(item, "input" if call.free else "arguments"):
            call.set(whole)
        status = text(item, "status")
        if step == "done" and status == "incomplete":
            del self._calls[key]
        elif step == "done" and (status == "completed" or call.is_whole):
            return self._deliver(key)
        return ACTIVITY  # without a status, only the end of the response proves it whole

    def _open(self, key: str, *, free: bool) -> OpenCall:
        call = self._calls[key] = OpenCall(free=free)
        self._places[key] = len(self._places)
        return call

    def _deliver(self, key: str) -> list[Event]:
        self._delivered = True
        return [self._calls.pop(key).close(self._places[key])]

    def _last_events(self) -> Sequence[Event]:
        self._calls.clear()
        return ()


def _key(event: Any) -> str:
    """The item an event belongs to: its place in the output, which every event has, or its id."""
    place = known_count(event, "output_index")
    return str(place) if place is not None else text(event, "item_id")


def responses_usage(usage: Any) -> Usage | None:
    """Usage as Responses reports it, None where there is none."""
    entered, written = known_count(usage, "input_tokens"), known_count(usage, "output_tokens")
    if entered is None and written is None:
        return None
    return Usage(
        input_tokens=entered or 0,
        output_tokens=written or 0,
        total_tokens=count(usage, "total_tokens"),
        cached_input_tokens=count(field(usage, "input_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(field(usage, "output_tokens_details"), "reasoning_tokens"),
        requests=1,
    )
