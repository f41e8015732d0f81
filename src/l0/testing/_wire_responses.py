"""OpenAI Responses on the wire: numbered events over output items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from l0.testing._wire import (
    HOLE,
    OUR_FAULT,
    SAY,
    Answer,
    Payload,
    Turn,
    Wire,
    messages_of,
    plain_text,
    to_json,
)
from l0.testing._wire_chat import ChatWire


class ResponsesWire(Wire):
    """`POST /v1/responses`, and what a resumed stream sends after event number `after`."""

    def __init__(self, answer: Answer, after: int = -1) -> None:
        super().__init__(answer)
        self.after = after
        self.next_number = 0
        self._output: list[Payload] = []

    def stamp(self, payload: Payload) -> Payload:
        """Gives the event its number."""
        payload["sequence_number"] = self.next_number
        self.next_number += 1
        return payload

    def frame(self, payload: Payload) -> bytes:
        """An event named like its payload's type; nothing for one the client has seen."""
        if payload.get("sequence_number", self.next_number) <= self.after:
            return b""
        return b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), to_json(payload))

    def text_units(self) -> Iterator[bytes]:
        """As any wire's, with the number filled in too."""
        if not self.answer.tokens:
            return
        template = {**self.text_delta(HOLE), "sequence_number": HOLE}
        line = b"event: %b\ndata: %b\n\n" % (template["type"].encode(), to_json(template))
        start, middle, end = line.split(to_json(HOLE))
        for token in self.answer.tokens:
            number = self.next_number
            self.next_number += 1
            if number > self.after:
                yield b"%b%b%b%d%b" % (start, to_json(token), middle, number, end)

    def units(self) -> Iterator[bytes]:
        """Only what the client has not seen."""
        return filter(None, super().units())

    def opening(self) -> Iterator[Payload]:
        """The response, the reasoning summary, the start of the message."""
        yield self._about("response.created", "queued" if self.answer.background else "in_progress")
        if self.answer.background:
            yield self._about("response.queued", "queued")
        yield self._about("response.in_progress", "in_progress")
        if self.answer.reasoning:
            yield from self._reasoning_events()
        if self.answer.tokens:
            item = {**self._message_item(""), "status": "in_progress", "content": []}
            yield self._item("response.output_item.added", item)
            yield {"type": "response.content_part.added", **self._part(), "part": _text_part("")}

    def text_delta(self, text: str) -> Payload:
        """A `response.output_text.delta`."""
        return {
            "type": "response.output_text.delta",
            **self._part(),
            "delta": text,
            "logprobs": [],
        }

    def text_end(self) -> Iterator[Payload]:
        """Text, part and item are done."""
        text = self.answer.text
        yield {"type": "response.output_text.done", **self._part(), "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **self._part(), "part": _text_part(text)}
        yield self._done(self._message_item(text))

    def call_start(self, index: int) -> Iterator[Payload]:
        """A `function_call` item without arguments."""
        item = {**self._call_item(index), "arguments": "", "status": "in_progress"}
        yield self._item("response.output_item.added", item)

    def call_delta(self, index: int, fragment: str) -> Payload:
        """A `response.function_call_arguments.delta`."""
        return {
            "type": "response.function_call_arguments.delta",
            "item_id": self._call_id(index),
            "output_index": len(self._output),
            "delta": fragment,
        }

    def call_end(self, index: int) -> Iterator[Payload]:
        """Arguments and item are done."""
        item = self._call_item(index)
        yield {
            "type": "response.function_call_arguments.done",
            "item_id": item["id"],
            "output_index": len(self._output),
            "arguments": item["arguments"],
        }
        yield self._done(item)

    def finish(self) -> Iterator[Payload]:
        """`response.completed`, or `response.incomplete` with its reason."""
        response = self._final(self._output)
        yield {"type": f"response.{response['status']}", "response": response}

    def error(self, error_type: str | None, *, failed: bool = False) -> Payload:
        """An `error` event; or `response.failed`, with the response that failed."""
        code = error_type or self.own_fault
        message = SAY.get(code, OUR_FAULT)
        if failed:
            response = self._response("failed", self._output)
            return {
                "type": "response.failed",
                "response": {**response, "error": {"code": code, "message": message}},
            }
        return {"type": "error", "code": code, "message": message, "param": None}

    def body(self) -> Payload:
        """A finished `response`."""
        output: list[Payload] = []
        if self.answer.reasoning:
            output.append(self._reasoning_item())
        if self.answer.tokens:
            output.append(self._message_item(self.answer.text))
        output += [self._call_item(index) for index in range(len(self.answer.calls))]
        return self._final(output)

    error_body = staticmethod(ChatWire.error_body)

    @staticmethod
    def turns(body: Mapping[str, Any]) -> list[Turn]:
        """The input: one text, or items of which messages and tool outputs count."""
        if isinstance(body.get("input"), str):
            return [Turn("user", body["input"])]
        turns: list[Turn] = []
        for item in messages_of(body, "input"):
            if item.get("type") == "function_call_output":
                turns.append(Turn("tool", plain_text(item.get("output")), is_tool_result=True))
            elif item.get("role") in ("user", "assistant"):
                turns.append(Turn(item["role"], plain_text(item.get("content"))))
        return turns

    @staticmethod
    def max_tokens(body: Mapping[str, Any]) -> int | None:
        """`max_output_tokens`."""
        limit = body.get("max_output_tokens")
        return limit if isinstance(limit, int) else None

    @staticmethod
    def wants_reasoning(body: Mapping[str, Any]) -> bool:
        """With `reasoning` in the request."""
        return bool(body.get("reasoning"))

    def _reasoning_events(self) -> Iterator[Payload]:
        item = self._reasoning_item()
        place = {"item_id": item["id"], "output_index": 0, "summary_index": 0}
        whole = item["summary"][0]
        kind = "response.reasoning_summary"
        yield self._item("response.output_item.added", {**item, "summary": []})
        yield {"type": f"{kind}_part.added", **place, "part": {**whole, "text": ""}}
        for token in self.answer.reasoning:
            yield {"type": f"{kind}_text.delta", **place, "delta": token}
        yield {"type": f"{kind}_text.done", **place, "text": whole["text"]}
        yield {"type": f"{kind}_part.done", **place, "part": whole}
        yield self._done(item)

    def _reasoning_item(self) -> Payload:
        summary = {"type": "summary_text", "text": "".join(self.answer.reasoning)}
        return {"id": f"rs_{self.answer.id}", "type": "reasoning", "summary": [summary]}

    def _message_item(self, text: str) -> Payload:
        return {
            "id": f"msg_{self.answer.id}",
            "type": "message",
            "status": "incomplete" if self._status() == "incomplete" else "completed",
            "role": "assistant",
            "content": [_text_part(text)],
        }

    def _call_item(self, index: int) -> Payload:
        call = self.answer.calls[index]
        return {
            "id": self._call_id(index),
            "type": "function_call",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.raw,
        }

    def _call_id(self, index: int) -> str:
        return f"fc_{self.answer.id}_{index}"

    def _item(self, kind: str, item: Payload) -> Payload:
        return {"type": kind, "output_index": len(self._output), "item": item}

    def _done(self, item: Payload) -> Payload:
        event = self._item("response.output_item.done", item)
        self._output.append(item)
        return event

    def _part(self) -> Payload:
        index = 1 if self.answer.reasoning else 0
        return {"item_id": f"msg_{self.answer.id}", "output_index": index, "content_index": 0}

    def _about(self, kind: str, status: str) -> Payload:
        return {"type": kind, "response": self._response(status, [])}

    def _status(self) -> str:
        return "incomplete" if self.answer.finish in _INCOMPLETE else "completed"

    def _final(self, output: list[Payload]) -> Payload:
        answer = self.answer
        response = self._response(self._status(), list(output))
        if answer.finish in _INCOMPLETE:
            response["incomplete_details"] = {"reason": _INCOMPLETE[answer.finish]}
        if answer.usage:
            response["usage"] = {
                "input_tokens": answer.input_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": answer.output_tokens,
                "output_tokens_details": {"reasoning_tokens": len(answer.reasoning)},
                "total_tokens": answer.input_tokens + answer.output_tokens,
            }
        return response

    def _response(self, status: str, output: list[Payload]) -> Payload:
        return {
            "id": f"resp_{self.answer.id}",
            "object": "response",
            "created_at": self.answer.created,
            "status": status,
            "background": self.answer.background,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "model": self.answer.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": True,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
        }


_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _text_part(text: str) -> Payload:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
