"""Anthropic Messages on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from l0.testing._wire import OUR_FAULT, SAY, Payload, Turn, Wire, messages_of, plain_text, to_json


class MessagesWire(Wire):
    """`POST /v1/messages`: named events, content in blocks, pings."""

    request_id_header: ClassVar[str] = "request-id"
    own_fault: ClassVar[str] = "overloaded_error"
    ping: ClassVar[bytes] = b'event: ping\ndata: {"type": "ping"}\n\n'

    def frame(self, payload: Payload) -> bytes:
        """An event named like its payload's type."""
        return b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), to_json(payload))

    def opening(self) -> Iterator[Payload]:
        """The message without its content, the thinking block, the start of the text block."""
        yield {"type": "message_start", "message": self._message([], None, output_tokens=1)}
        answer = self.answer
        if answer.reasoning:
            yield from self._start(0, {"type": "thinking", "thinking": "", "signature": ""})
            for token in answer.reasoning:
                yield self._delta(0, {"type": "thinking_delta", "thinking": token})
            yield self._delta(0, {"type": "signature_delta", "signature": _SIGNATURE})
            yield from self._stop(0)
        if answer.tokens:
            yield from self._start(self._text_index, {"type": "text", "text": ""})
        yield {"type": "ping"}

    def text_delta(self, text: str) -> Payload:
        """A `text_delta` of the text block."""
        return self._delta(self._text_index, {"type": "text_delta", "text": text})

    def text_end(self) -> Iterator[Payload]:
        """The text block stops."""
        return self._stop(self._text_index)

    def call_start(self, index: int) -> Iterator[Payload]:
        """A `tool_use` block with empty input."""
        call = self.answer.calls[index]
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield from self._start(self._call_index(index), block)
        yield self.call_delta(index, "")

    def call_delta(self, index: int, fragment: str) -> Payload:
        """An `input_json_delta` of the tool's block."""
        return self._delta(
            self._call_index(index), {"type": "input_json_delta", "partial_json": fragment}
        )

    def call_end(self, index: int) -> Iterator[Payload]:
        """The tool's block stops."""
        return self._stop(self._call_index(index))

    def finish(self) -> Iterator[Payload]:
        """The stop reason with the usage, then `message_stop`."""
        delta = {"stop_reason": _STOP[self.answer.finish], "stop_sequence": None}
        end: Payload = {"type": "message_delta", "delta": delta}
        if self.answer.usage:
            end["usage"] = {"output_tokens": self.answer.output_tokens}
        yield end
        yield {"type": "message_stop"}

    def error(self, error_type: str | None, *, failed: bool = False) -> Payload:
        """An `error` event."""
        del failed
        return self.error_body(500, error_type or self.own_fault, None, "")

    def body(self) -> Payload:
        """A `message`."""
        answer = self.answer
        content: list[Payload] = []
        if answer.reasoning:
            thinking = "".join(answer.reasoning)
            content.append({"type": "thinking", "thinking": thinking, "signature": _SIGNATURE})
        if answer.tokens:
            content.append({"type": "text", "text": answer.text})
        content += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _as_object(call.raw)}
            for call in answer.calls
        ]
        return self._message(content, _STOP[answer.finish], output_tokens=answer.output_tokens)

    @staticmethod
    def error_body(status: int, error_type: str | None, code: str | None, say: str) -> Payload:
        """`{"type": "error", "error": {"type", "message"}}`."""
        by_status = _ERRORS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        # There is no field for a code; an account without credit has a type of its own.
        word = error_type or (code if code and code in _ERRORS.values() else by_status)
        if "insufficient_quota" in (error_type, code):
            word = "billing_error"
        message = say or SAY.get(code or "") or SAY.get(word) or OUR_FAULT
        return {"type": "error", "error": {"type": word, "message": message}}

    @staticmethod
    def turns(body: Mapping[str, Any]) -> list[Turn]:
        """The messages; tool results stand alone, before the text they came with."""
        turns: list[Turn] = []
        for message in messages_of(body):
            content = message.get("content")
            blocks = content if isinstance(content, list) else []
            results = [
                Turn("tool", plain_text(block.get("content")), is_tool_result=True)
                for block in blocks
                if isinstance(block, dict) and block.get("type") == "tool_result"
            ]
            turns += results
            text = plain_text(content)
            if text or not results:
                turns.append(Turn(str(message.get("role")), text))
        return turns

    @staticmethod
    def max_tokens(body: Mapping[str, Any]) -> int | None:
        """`max_tokens`."""
        limit = body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    @staticmethod
    def wants_reasoning(body: Mapping[str, Any]) -> bool:
        """With `thinking` that isn't disabled."""
        thinking = body.get("thinking")
        return isinstance(thinking, dict) and thinking.get("type") != "disabled"

    @property
    def _text_index(self) -> int:
        return 1 if self.answer.reasoning else 0

    def _call_index(self, index: int) -> int:
        return self._text_index + bool(self.answer.tokens) + index

    def _message(
        self, content: list[Payload], stop_reason: str | None, *, output_tokens: int
    ) -> Payload:
        return {
            "id": f"msg_{self.answer.id}",
            "type": "message",
            "role": "assistant",
            "model": self.answer.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": self.answer.input_tokens if self.answer.usage else 0,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": output_tokens if self.answer.usage else 0,
                "service_tier": "standard",
            },
        }

    @staticmethod
    def _start(index: int, block: Payload) -> Iterator[Payload]:
        yield {"type": "content_block_start", "index": index, "content_block": block}

    @staticmethod
    def _delta(index: int, delta: Payload) -> Payload:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    @staticmethod
    def _stop(index: int) -> Iterator[Payload]:
        yield {"type": "content_block_stop", "index": index}


def _as_object(raw: str) -> Any:
    """Tool input as the object it must be there; what isn't one stands under `_raw`."""
    try:
        value = json.loads(raw or "{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"_raw": raw}


_SIGNATURE: Final = "bDAgc2lnbmVkIHRoaXM="

_STOP: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}

_ERRORS: Final[dict[int, str]] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
