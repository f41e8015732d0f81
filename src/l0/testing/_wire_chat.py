"""OpenAI Chat Completions on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from l0.testing._wire import OUR_FAULT, SAY, Payload, Turn, Wire, messages_of, plain_text


class ChatWire(Wire):
    """`POST /v1/chat/completions`: chunks with deltas, then `[DONE]`."""

    terminator: ClassVar[bytes] = b"data: [DONE]\n\n"

    def opening(self) -> Iterator[Payload]:
        """The role, then reasoning as `reasoning_content` (the word of compatible servers)."""
        yield self._chunk({"role": "assistant", "content": "", "refusal": None})
        for token in self.answer.reasoning:
            yield self._chunk({"reasoning_content": token})

    def text_delta(self, text: str) -> Payload:
        """A chunk with content."""
        return self._chunk({"content": text})

    def text_end(self) -> Iterator[Payload]:
        """Nothing: the finish says it."""
        return iter(())

    def call_start(self, index: int) -> Iterator[Payload]:
        """A chunk with the id and the name, the arguments still empty."""
        call = self.answer.calls[index]
        function = {"name": call.name, "arguments": ""}
        opened = {"index": index, "id": call.id, "type": "function", "function": function}
        yield self._chunk({"tool_calls": [opened]})

    def call_delta(self, index: int, fragment: str) -> Payload:
        """A chunk with a piece of the arguments."""
        return self._chunk({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]})

    def call_end(self, index: int) -> Iterator[Payload]:
        """Nothing: the finish says it."""
        del index
        return iter(())

    def finish(self) -> Iterator[Payload]:
        """A chunk with the finish reason; then, if asked for, one with the usage alone."""
        yield self._chunk({}, finish_reason=_FINISH[self.answer.finish])
        if self.answer.usage:
            yield {**self._chunk({}), "choices": [], "usage": self._usage()}

    def error(self, error_type: str | None, *, failed: bool = False) -> Payload:
        """An object with nothing but `error` in it."""
        del failed
        return self.error_body(500, error_type or self.own_fault, None, "")

    def body(self) -> Payload:
        """A `chat.completion`."""
        answer = self.answer
        message: Payload = {
            "role": "assistant",
            "content": answer.text if answer.tokens or not answer.calls else None,
            "refusal": None,
            "annotations": [],
        }
        if answer.reasoning:
            message["reasoning_content"] = "".join(answer.reasoning)
        if answer.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.raw},
                }
                for call in answer.calls
            ]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _FINISH[answer.finish],
        }
        body = {**self._header("chat.completion"), "choices": [choice]}
        return {**body, "usage": self._usage()} if answer.usage else body

    @staticmethod
    def error_body(status: int, error_type: str | None, code: str | None, say: str) -> Payload:
        """`{"error": {"message", "type", "param", "code"}}`."""
        known_type, known_code = _ERRORS.get(
            status, ("server_error" if status >= 500 else "invalid_request_error", None)
        )
        word = error_type or known_type
        code = code or (None if error_type else known_code)
        message = say or SAY.get(code or "") or SAY.get(word) or OUR_FAULT
        return {"error": {"message": message, "type": word, "param": None, "code": code}}

    @staticmethod
    def turns(body: Mapping[str, Any]) -> list[Turn]:
        """The messages by user, assistant and tool."""
        return [
            Turn(message["role"], plain_text(message.get("content")), message["role"] == "tool")
            for message in messages_of(body)
            if message.get("role") in ("user", "assistant", "tool")
        ]

    @staticmethod
    def max_tokens(body: Mapping[str, Any]) -> int | None:
        """`max_completion_tokens`, or the older `max_tokens`."""
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    @staticmethod
    def wants_reasoning(body: Mapping[str, Any]) -> bool:
        """With a `reasoning_effort` other than none."""
        return body.get("reasoning_effort") not in (None, "none")

    @staticmethod
    def wants_usage(body: Mapping[str, Any]) -> bool:
        """A stream must ask for it."""
        options = body.get("stream_options")
        return not body.get("stream") or (
            isinstance(options, dict) and bool(options.get("include_usage"))
        )

    def _header(self, kind: str) -> Payload:
        return {
            "id": f"chatcmpl-{self.answer.id}",
            "object": kind,
            "created": self.answer.created,
            "model": self.answer.model,
            "service_tier": "default",
            "system_fingerprint": "fp_l0",
        }

    def _chunk(self, delta: Payload, finish_reason: str | None = None) -> Payload:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = {**self._header("chat.completion.chunk"), "choices": [choice]}
        return {**chunk, "usage": None} if self.answer.usage else chunk

    def _usage(self) -> Payload:
        answer = self.answer
        return {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": len(answer.reasoning)},
        }


_FINISH: Final = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "pause": "stop",
}

_ERRORS: Final[dict[int, tuple[str, str | None]]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
}
"""Status → type and code, where they aren't `server_error` or `invalid_request_error` alone."""
