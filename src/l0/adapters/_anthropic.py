"""Anthropic Messages: the raw events of a stream, and those of the SDK's message stream."""

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
from l0.adapters._tools import OpenCall
from l0.adapters._values import (
    count,
    error_event,
    field,
    known_count,
    message_event,
    plain,
    roots,
    text,
)
from l0.events import Event, Usage

STOP_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "pause",
}
# After these the last call may be cut, wherever its text happens to end.
_CUTTING: Final = frozenset({"length", "content_filter"})
_INPUT: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_EVENTS: Final = frozenset(
    {
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_start",
        "message_stop",
    }
)
# What the SDK's message stream adds to each raw event, to say the same again.
_REPEATS: Final = frozenset({"text", "thinking", "citation", "signature", "input_json"})


@dataclass(frozen=True, slots=True)
class AnthropicAdapterOptions(AdapterOptions):
    """What `AnthropicAdapter` hands on.

    `include_thinking` gives the model's thinking as messages of kind "thinking",
    `include_citations` citations as messages of kind "citation", with the citation and the index of
    its block in `data`; `require_finish` "auto" asks for `message_stop` where an HTTP response
    stands behind the stream.

    Raises:
        ValueError: a field has a value it can't have.

    Example:
        >>> AnthropicAdapterOptions(include_thinking=True).include_citations
        False
    """

    include_thinking: bool = False
    include_citations: bool = False
    require_finish: RequireFinish = "auto"


class AnthropicAdapter(BaseAdapter):
    """Events of the Messages API; options are `AnthropicAdapterOptions`.

    Example:
        >>> decoder = AnthropicAdapter().decoder()
        >>> delta = {"type": "text_delta", "text": "Hi"}
        >>> decoder.feed({"type": "content_block_delta", "index": 0, "delta": delta})
        'Hi'
    """

    name: str = "anthropic"
    options_class = AnthropicAdapterOptions

    def decoder(self, options: Any = None, stream: Any = None) -> AnthropicDecoder:
        """A fresh decoder; the stream decides what `require_finish="auto"` means."""
        chosen = options_of(AnthropicAdapterOptions, options)
        return AnthropicDecoder(
            self.name,
            chosen,
            require_finish=chosen.requires_finish(stream),
        )

    def detect(self, stream: Any) -> bool:
        """Whether its class comes from the anthropic package."""
        return "anthropic" in roots(type(stream))

    def detect_chunk(self, chunk: Any) -> bool:
        """Whether its type is one of the Messages API's."""
        kind = text(chunk, "type")
        return kind in _EVENTS or kind == "ping" or "anthropic" in roots(type(chunk))


class AnthropicDecoder(BaseDecoder):
    """Reads one message."""

    pings_before_first_token = True
    terminator: ClassVar[str] = "message_stop"

    def __init__(
        self, name: str, options: AnthropicAdapterOptions, *, require_finish: bool = False
    ) -> None:
        super().__init__(name, require_finish=require_finish)
        self._options = options
        self._input: dict[str, int] = {}  # counts of input tokens, by the wire's names
        self._calls: dict[int | None, OpenCall] = {}  # tool_use blocks being written, by index
        self._held: list[OpenCall] = []  # written to the end, but not yet proven whole
        self._delivered = 0

    def feed(self, chunk: Any, /) -> Decoded:
        """What the event means; text, the commonest case, by the shortest way."""
        try:
            is_dict = type(chunk) is dict
            fields = chunk if is_dict else chunk.__dict__
            if fields["type"] == "content_block_delta":
                delta = fields["delta"] if is_dict else fields["delta"].__dict__
                if delta["type"] == "text_delta":
                    content = delta["text"]
                    if type(content) is str:
                        self._recognised = True
                        return content or None
        except (AttributeError, KeyError, TypeError):
            pass  # not the commonest shape
        return self._feed_any(chunk)

    def _feed_any(self, event: Any) -> Decoded:
        kind = field(event, "type")
        if isinstance(event, Event) or not isinstance(kind, str):
            return self._foreign(event)
        if kind == "error":
            self._recognised = True
            return error_event(event)
        if kind not in _EVENTS:
            return None if kind == "ping" or kind in _REPEATS else self._foreign(event)
        self._recognised = True
        if kind == "content_block_delta":
            return self._feed_delta(field(event, "delta"), known_count(event, "index"))
        if kind == "content_block_start":
            return self._start_block(field(event, "content_block"), known_count(event, "index"))
        if kind == "content_block_stop":
            return self._stop_block(field(event, "content_block"), known_count(event, "index"))
        if kind == "message_stop":
            self.finished = True
            return (*self._release(), self._complete())
        return self._feed_message(event)

    def _feed_message(self, event: Any) -> Decoded:
        """message_start and message_delta: names, usage, and why it stopped."""
        message, delta = field(event, "message"), field(event, "delta")
        self.model = text(message, "model") or self.model
        self.response_id = text(message, "id") or self.response_id
        self._add_usage(field(message, "usage") or field(event, "usage"))
        if reason := text(delta, "stop_reason"):
            self.raw_finish_reason = reason
            self.finish_reason = STOP_REASONS.get(reason, "other")
            return self._release() or None
        return None

    def _add_usage(self, usage: Any) -> None:
        """Counts are cumulative: the last one counts, not the sum.

        Tokens read from and written to the cache are input too, so that `input_tokens` means the
        same with every provider; the wire's `input_tokens` is what came after the cache.
        """
        for name in _INPUT:
            self._input[name] = max(count(usage, name), self._input.get(name, 0))
        written = known_count(usage, "output_tokens")
        if written is None and known_count(usage, "input_tokens") is None:
            return
        before = self.usage or Usage()
        thought = count(field(usage, "output_tokens_details"), "thinking_tokens")
        self.usage = Usage(
            input_tokens=sum(self._input.values()),
            output_tokens=before.output_tokens if written is None else written,
            cached_input_tokens=self._input["cache_read_input_tokens"],
            reasoning_tokens=max(thought, before.reasoning_tokens),
            requests=1,
        )

    # --- blocks ---

    def _start_block(self, block: Any, index: int | None) -> Decoded:
        out: list[str | Event] = [*self._release()]  # another block proves the last ones whole
        kind = text(block, "type")
        if kind == "tool_use":
            call = self._calls[index] = OpenCall(text(block, "id"), text(block, "name"))
            call.set_object(field(block, "input"))
        elif kind == "text" and (content := text(block, "text")):
            out.append(content)
        elif self._options.include_thinking and (thought := text(block, "thinking")):
            out.append(message_event(thought, "thinking"))
        return out or ACTIVITY

    def _feed_delta(self, delta: Any, index: int | None) -> Decoded:
        kind = text(delta, "type")
        if kind == "text_delta":  # of objects that have no `__dict__`
            return text(delta, "text") or None
        if kind == "input_json_delta":
            # Tools the provider runs itself have fragments too; those are not for the caller.
            if (call := self._calls.get(index)) is not None:
                call.add(text(delta, "partial_json"))
        elif kind == "thinking_delta" and self._options.include_thinking:
            if thought := text(delta, "thinking"):
                return message_event(thought, "thinking")
        elif kind == "citations_delta" and self._options.include_citations:
            citation = plain(field(delta, "citation"))
            quoted = text(citation, "cited_text") or None
            return message_event(quoted, "citation", citation=citation, block=index)
        return ACTIVITY

    def _stop_block(self, block: Any, index: int | None) -> Decoded:
        call = self._calls.pop(index, None)
        if call is None:
            return ACTIVITY
        if not call.raw and text(block, "type") == "tool_use":
            call.set_object(field(block, "input"))  # the message stream repeats the block
        self._held.append(call)
        return self._release() if call.is_whole else ACTIVITY

    def _release(self) -> list[Event]:
        """The calls that have stopped, now that they are proven whole.

        A block that stops with a complete object is. One without text may be a call without
        arguments or one cut by the limit, so it waits for what comes next: another block or a
        stop reason. So does one that is no JSON.
        """
        held, self._held = self._held, []
        if self.finish_reason in _CUTTING:
            return []
        events = [call.close(self._delivered + place) for place, call in enumerate(held)]
        self._delivered += len(events)
        return events

    def _last_events(self) -> Sequence[Event]:
        self._held.clear()
        return ()
