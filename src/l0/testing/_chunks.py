"""A provider's chunks without provider, SDK or socket, in the shape the real ones have.

The payloads are the very ones the fault server sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

from l0.testing._reply import Reply, ScriptedCall, fragments, tokenize
from l0.testing._wire import Answer, Call, Payload, Wire
from l0.testing._wire_chat import ChatWire
from l0.testing._wire_messages import MessagesWire
from l0.testing._wire_responses import ResponsesWire


class Chunk(SimpleNamespace):
    """A payload as an object; fields the provider knows but did not send are None, as in the SDKs.

    >>> openai_chunks("Hi")[1].choices[0].delta.content
    'Hi'
    """

    def __getattr__(self, name: str) -> Any:
        if name in _OPTIONAL:
            return None
        raise AttributeError(f"a chunk has no field {name!r}")


def openai_chunks(
    text: str | Sequence[str] = "",
    *,
    tool_calls: Sequence[ScriptedCall | tuple[Any, ...]] = (),
    reasoning: str | None = None,
    finish_reason: str | None = "stop",
    usage: bool = True,
    chunk_chars: int | None = None,
    model: str = "gpt-test",
    as_dicts: bool = False,
) -> list[Any]:
    """The chunks of a Chat Completions stream.

    `text` may be a sequence of tokens to be kept as they are. `finish_reason=None` leaves out the
    end of the stream, as if it broke off. With `as_dicts` the chunks are dicts, else objects.

    Example:
        >>> chunks = openai_chunks(["Hel", "lo"], as_dicts=True)
        >>> [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
        ['', 'Hel', 'lo', None]
    """
    answer = _answer(text, tool_calls, reasoning, finish_reason, usage, chunk_chars, model)
    return _chunks(ChatWire(answer), finish_reason, as_dicts=as_dicts)


def responses_events(
    text: str | Sequence[str] = "",
    *,
    tool_calls: Sequence[ScriptedCall | tuple[Any, ...]] = (),
    reasoning: str | None = None,
    finish_reason: str | None = "stop",
    usage: bool = True,
    chunk_chars: int | None = None,
    model: str = "gpt-test",
    as_dicts: bool = False,
) -> list[Any]:
    """The events of a Responses stream; arguments as for `openai_chunks`.

    Example:
        >>> [event.type for event in responses_events("Hi")][0]
        'response.created'
    """
    answer = _answer(text, tool_calls, reasoning, finish_reason, usage, chunk_chars, model)
    return _chunks(ResponsesWire(answer), finish_reason, as_dicts=as_dicts)


def anthropic_events(
    text: str | Sequence[str] = "",
    *,
    tool_calls: Sequence[ScriptedCall | tuple[Any, ...]] = (),
    reasoning: str | None = None,
    finish_reason: str | None = "stop",
    usage: bool = True,
    chunk_chars: int | None = None,
    model: str = "claude-test",
    as_dicts: bool = False,
) -> list[Any]:
    """The events of a Messages stream; arguments as for `openai_chunks`.

    `finish_reason` is one of the library's words (`stop`, `length`, …), sent in the provider's.

    Example:
        >>> [event.type for event in anthropic_events("Hi")][:2]
        ['message_start', 'content_block_start']
    """
    answer = _answer(text, tool_calls, reasoning, finish_reason, usage, chunk_chars, model)
    return _chunks(MessagesWire(answer), finish_reason, as_dicts=as_dicts)


def _answer(  # noqa: PLR0917  the arguments of the three above, in their order
    text: str | Sequence[str],
    tool_calls: Sequence[ScriptedCall | tuple[Any, ...]],
    reasoning: str | None,
    finish_reason: str | None,
    usage: bool,
    chunk_chars: int | None,
    model: str,
) -> Answer:
    # A reply checks what it is made of.
    reply = Reply(
        tool_calls=tool_calls,
        finish_reason=finish_reason or "stop",  # type: ignore[arg-type]
        chunk_chars=chunk_chars,
    )
    return Answer(
        tokens=tokenize(text, chunk_chars) if isinstance(text, str) else list(text),
        calls=[
            Call(call.id or f"call_{index}", call.name, fragments(call.raw))
            for index, call in enumerate(reply.calls)
        ],
        reasoning=tokenize(reasoning, chunk_chars) if reasoning else (),
        finish_reason=reply.finish_reason,
        usage=usage,
        input_tokens=10,
        model=model,
    )


def _chunks(wire: Wire, finish_reason: str | None, *, as_dicts: bool) -> list[Any]:
    chunks = list(wire.payloads(finished=finish_reason is not None))
    return chunks if as_dicts else [_as_object(chunk) for chunk in chunks]


_FREE_FORM: Final = frozenset({"input", "metadata"})
"""Objects that stay dicts, as in the SDKs."""


def _as_object(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields: Payload = {
            name: part if name in _FREE_FORM else _as_object(part) for name, part in value.items()
        }
        return Chunk(**fields)
    if isinstance(value, list):
        return [_as_object(part) for part in value]
    return value


_OPTIONAL: Final = frozenset(
    {
        "annotations",
        "arguments",
        "audio",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "citations",
        "completion_tokens_details",
        "content",
        "encrypted_content",
        "error",
        "finish_reason",
        "function",
        "function_call",
        "id",
        "incomplete_details",
        "input_tokens",
        "logprobs",
        "name",
        "obfuscation",
        "prompt_tokens_details",
        "refusal",
        "role",
        "service_tier",
        "status",
        "stop_sequence",
        "system_fingerprint",
        "tool_calls",
        "type",
        "usage",
    }
)
