"""OpenAI Chat Completions, and every server that speaks it: objects or dicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from l0.adapters._base import (
    AdapterOptions,
    BaseAdapter,
    BaseDecoder,
    RequireFinish,
    options_of,
)
from l0.adapters._contract import ACTIVITY, AdaptedEvent, Decoded
from l0.adapters._tools import ChatCalls
from l0.adapters._values import (
    LISTS,
    count,
    error_event,
    field,
    items,
    known_count,
    message_event,
    refusal_event,
    roots,
    text,
)
from l0.errors import ProviderError
from l0.events import Event, EventType, Usage

# OpenAI's own words first, then those of servers that speak its protocol.
FINISH_REASONS: Final = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "safety": "content_filter",
    "recitation": "content_filter",
    "error": "error",
    "abort": "error",
    "insufficient_system_resource": "error",
}
# After these the last call may be cut, wherever its text happens to end.
_CUTTING: Final = frozenset({"length", "content_filter", "error"})
_NOT_CHUNKS: Final = (str, Event, AdaptedEvent, type(None))
# What the short way reads of a chunk, its choice and the delta.
_NAMES: Final = (
    frozenset({"choices", "usage"}),
    frozenset({"index", "delta", "finish_reason"}),
    frozenset({"content", "tool_calls", "function_call", "refusal"}),
)
# Events of `client.chat.completions.stream()` that repeat what its `chunk` events say.
_HELPERS: Final = ("content.", "refusal.", "tool_calls.", "logprobs.")


@dataclass(frozen=True, slots=True)
class OpenAIAdapterOptions(AdapterOptions):
    """What `OpenAIAdapter` and `LiteLLMAdapter` hand on.

    `emit_function_calls_as_tokens` makes the argument fragments part of the text as well;
    `choice_index` picks one answer of several (`n=2`); `include_reasoning` gives the model's
    reasoning as messages of kind "reasoning"; `require_finish` "auto" asks for a finish reason
    where an HTTP response stands behind the stream.

    Raises:
        ValueError: a field has a value it can't have.

    Example:
        >>> OpenAIAdapterOptions(include_reasoning=True).replace(choice_index=1).choice_index
        1
    """

    include_usage: bool = True
    include_tool_calls: bool = True
    emit_function_calls_as_tokens: bool = False
    choice_index: int = 0
    include_reasoning: bool = False
    require_finish: RequireFinish = "auto"


class OpenAIAdapter(BaseAdapter):
    """Chat Completions chunks; options are `OpenAIAdapterOptions`.

    Example:
        >>> decoder = OpenAIAdapter().decoder()
        >>> decoder.feed({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})
        'Hi'
    """

    name: str = "openai"
    options_class = OpenAIAdapterOptions

    def decoder(self, options: Any = None, stream: Any = None) -> ChatDecoder:
        """A fresh decoder; the stream decides what `require_finish="auto"` means."""
        chosen = options_of(OpenAIAdapterOptions, options)
        return ChatDecoder(
            self.name,
            chosen,
            require_finish=chosen.requires_finish(stream),
        )

    def detect_chunk(self, chunk: Any) -> bool:
        """Whether it has choices, or is the error that stands in a chunk's place."""
        if field(chunk, "type") == "chunk":
            chunk = field(chunk, "chunk")
        if isinstance(field(chunk, "choices"), LISTS):
            return True
        if isinstance(chunk, dict):
            return "error" in chunk and "type" not in chunk
        return "openai" in roots(type(chunk)) and type(chunk).__name__ == "ChatCompletionChunk"


class ChatDecoder(BaseDecoder):
    """Reads one Chat Completions answer."""

    def __init__(
        self, name: str, options: OpenAIAdapterOptions, *, require_finish: bool = False
    ) -> None:
        super().__init__(name, require_finish=require_finish)
        self._options = options
        self._choice = options.choice_index
        self._calls = ChatCalls()
        # Kinds of chunks that may be read the short way, learned from the first with a choice:
        # objects that keep every name in `__dict__`, and dicts or objects that hold only what was
        # sent. Reasoning stands elsewhere, so where it is asked for there is no short way.
        self._object: type | None = None
        self._sparse: type | None = None
        self._judged: type | None = None

    def feed(self, chunk: Any, /) -> Decoded:
        """What the chunk means; text, the commonest case, by the shortest way."""
        kind = type(chunk)
        try:
            if kind is self._object:
                fields = chunk.__dict__
                choice = fields["choices"][0].__dict__
                delta = choice["delta"].__dict__
                content = delta["content"]
                if (
                    type(content) is str
                    and content
                    and not choice["finish_reason"]
                    and not fields["usage"]
                    and not delta["tool_calls"]
                    and not delta["function_call"]
                    and not delta["refusal"]
                    and choice["index"] == self._choice
                ):
                    return content
            elif kind is self._sparse:
                if kind is dict:
                    fields = chunk
                    choice = fields["choices"][0]
                    delta = choice["delta"]
                else:
                    fields = chunk.__dict__
                    choice = fields["choices"][0].__dict__
                    delta = choice["delta"].__dict__
                content = delta["content"]
                if (
                    type(content) is str
                    and content
                    and choice["index"] == self._choice
                    and not choice.get("finish_reason")
                    and not fields.get("usage")
                    and not fields.get("error")
                    and (len(delta) == 1 or not _has_more(delta))
                ):
                    return content
        except (KeyError, IndexError, AttributeError, TypeError):
            pass  # not the commonest shape
        return self._feed_any(chunk)

    def _feed_any(self, chunk: Any) -> Decoded:
        """Any chunk, in any shape, read name by name."""
        if isinstance(chunk, _NOT_CHUNKS):
            return self._foreign(chunk)
        kind = field(chunk, "type")
        if kind == "chunk":
            chunk = field(chunk, "chunk")
        elif isinstance(kind, str) and kind.startswith(_HELPERS):
            return None
        choices, error = field(chunk, "choices"), field(chunk, "error")
        if error and (isinstance(error, dict | str) or text(error, "message")):
            self._recognised = True
            return error_event(error)
        usage = self._note(chunk)
        if usage is None and not isinstance(choices, LISTS):
            return self._foreign(chunk)
        self._recognised = True
        choice = self._pick(choices if isinstance(choices, LISTS) else ())
        if choice is None:
            return None
        delta = field(choice, "delta")
        if type(chunk) is not self._judged and delta is not None:
            self._learn(chunk, choice, delta)
        return self._feed_choice(choice, delta)

    def _feed_choice(self, choice: Any, delta: Any) -> Decoded:
        out: list[str | Event] = []
        alive = False
        if delta is not None:
            alive = self._reasoning(delta, out)
            alive |= self._text(delta, out)
            alive |= self._tools(delta, out)
        elif piece := text(choice, "text"):
            out.append(piece)  # the older completions protocol
        reason = field(choice, "finish_reason")
        if isinstance(reason, str) and reason:
            out.extend(self._finish_choice(reason))
        if out:
            return out[0] if len(out) == 1 else out
        return ACTIVITY if alive else None

    def _note(self, chunk: Any) -> Usage | None:
        if not self.model:
            self.model = text(chunk, "model") or None
        if not self.response_id:
            self.response_id = text(chunk, "id") or None
        reported = field(chunk, "usage")
        usage = None if reported is None else chat_usage(reported)
        if usage is not None and self._options.include_usage:
            self.usage = usage
        return usage

    def _pick(self, choices: Sequence[Any]) -> Any:
        """The chosen answer among those of a chunk; by position where they carry no index."""
        for position, choice in enumerate(choices):
            index = field(choice, "index")
            if (index if isinstance(index, int) else position) == self._choice:
                return choice
        return None

    def _learn(self, chunk: Any, choice: Any, delta: Any) -> None:
        """Remember a class of chunks that can be read the short way."""
        kind = self._judged = type(chunk)
        values = (chunk, choice, delta)
        if self._options.include_reasoning:
            return
        if all(map(_is_full, values, _NAMES)):
            self._object = kind
        elif kind is dict or all(map(_is_sparse, values, _NAMES)):
            self._sparse = kind

    def _reasoning(self, delta: Any, out: list[str | Event]) -> bool:
        """Reasoning, under the names compatible servers give it; true if there was any."""
        thought = text(delta, "reasoning_content") or text(delta, "reasoning")
        if thought:
            self._thought(thought, out)
            return True
        return bool(items(delta, "reasoning_details") or items(delta, "thinking_blocks"))

    def _thought(self, thought: str, out: list[str | Event]) -> None:
        if self._options.include_reasoning:
            out.append(message_event(thought, "reasoning"))

    def _text(self, delta: Any, out: list[str | Event]) -> bool:
        content = field(delta, "content")
        alive = False
        if isinstance(content, LISTS):  # parts, as Mistral's reasoning models send them
            for part in content:
                if thoughts := items(part, "thinking"):
                    self._thought("".join(text(thought, "text") for thought in thoughts), out)
                    alive = True
                elif piece := text(part, "text"):
                    out.append(piece)
        elif isinstance(content, str) and content:
            out.append(content)
        if refusal := text(delta, "refusal"):
            out.append(refusal_event(refusal))
        audio = field(delta, "audio")
        if audio is None:
            return alive
        return alive or bool(text(audio, "data") or text(audio, "transcript"))

    def _tools(self, delta: Any, out: list[str | Event]) -> bool:
        if fragments := items(delta, "tool_calls"):
            raw = self._calls.add(fragments)
        else:
            legacy = field(delta, "function_call")
            if not text(legacy, "name") and not text(legacy, "arguments"):
                return False
            raw = self._calls.add([{"index": 0, "function": legacy}])
        if raw and self._options.emit_function_calls_as_tokens:
            out.append(raw)
        return True

    def _finish_choice(self, reason: str) -> Sequence[Event]:
        self.raw_finish_reason = reason
        self.finish_reason = FINISH_REASONS.get(reason.lower(), "other")
        self.finished = True
        if self.finish_reason == "error":
            message = f"the provider ended the answer with finish_reason {reason!r}"
            return (Event(EventType.ERROR, error=ProviderError(message)),)
        return self._close_calls()

    def _close_calls(self) -> Sequence[Event]:
        if self.finish_reason in _CUTTING or not self._options.include_tool_calls:
            self._calls.drop()
            return ()
        return self._calls.close()

    def _last_events(self) -> Sequence[Event]:
        # The usage chunk follows the finish reason, so the answer is complete only here.
        if not self.finished:
            self._calls.drop()
            return ()
        return (*self._close_calls(), self._complete())


def _is_full(value: Any, names: frozenset[str]) -> bool:
    return names <= getattr(value, "__dict__", {}).keys()


def _is_sparse(value: Any, names: frozenset[str]) -> bool:
    """Whether a name that isn't in `__dict__` isn't anywhere: no extras, no class attributes."""
    if not hasattr(value, "__dict__") or hasattr(type(value), "__pydantic_extra__"):
        return False
    return not any(hasattr(type(value), name) for name in names)


def _has_more(delta: dict[str, Any]) -> bool:
    """Whether there is something beside the text; reasoning is not asked for where this is."""
    get = delta.get
    return bool(get("tool_calls") or get("function_call") or get("refusal"))


def chat_usage(usage: Any) -> Usage | None:
    """Usage as Chat Completions reports it, None where there is none."""
    entered = known_count(usage, "prompt_tokens", "input_tokens")
    written = known_count(usage, "completion_tokens", "output_tokens")
    if entered is None and written is None:
        return None
    cached = count(field(usage, "prompt_tokens_details"), "cached_tokens")
    return Usage(
        input_tokens=entered or 0,
        output_tokens=written or 0,
        total_tokens=count(usage, "total_tokens"),
        cached_input_tokens=cached or count(usage, "prompt_cache_hit_tokens"),
        reasoning_tokens=count(field(usage, "completion_tokens_details"), "reasoning_tokens"),
        requests=1,
    )
